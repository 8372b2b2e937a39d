/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* From the model to a dataset's network; model_graph.h says what follows which rule, and why. */
#include "user/array.h"
#include "user/model_carry.h"
#include "user/model_derived.h"
#include "user/model_graph_internal.h"

#include <string.h>

struct job_node {
	uintptr_t job;
	uint32_t node;
};

/* What the newest node stands for. */
static int graph_name_node(struct build *b, enum ref_kind kind, const void *of)
{
	struct ds_graph *g = b->g;
	int err = array_grow((void **)&g->refs, &g->max_refs, g->nrefs + 1, sizeof(*g->refs));

	if (!err)
		g->refs[g->nrefs++] = (struct graph_ref){kind, of};
	return err;
}

int graph_add_node(struct build *b, uint64_t supply, enum ref_kind kind, const void *of,
		   uint32_t *ret)
{
	int64_t node = lineage_node(b->g->net, supply);

	*ret = node < 0 ? LINEAGE_NONE : (uint32_t)node;
	return node < 0 ? (int)node : graph_name_node(b, kind, of);
}

int graph_lead(struct build *b, uint32_t from, uint32_t to)
{
	return from == LINEAGE_NONE || to == LINEAGE_NONE
		   ? 0
		   : lineage_arc(b->g->net, from, to, LINEAGE_UNLIMITED);
}

uint32_t graph_node_of(const struct build *b, const struct m_subject *s)
{
	return b->g->subject_node[s->slot];
}

uint32_t graph_source_of(const struct build *b, const struct m_subject *s)
{
	return s->trusted ? LINEAGE_NONE : graph_node_of(b, s);
}

/* --- subjects and objects ------------------------------------------------ */

static int add_carried(struct build *b, const struct m_carried *list, uint32_t node)
{
	const struct m_carried *c = carried_of(list, b->g->dataset);

	return c ? lineage_held(b->g->net, node, c->is.bound, c->is.exposed) : 0;
}

/* Before anyone who holds some of it. */
static int add_past(struct build *b)
{
	uint64_t bytes = b->m->datasets[b->g->dataset].carried;
	int64_t node = bytes ? lineage_past(b->g->net, bytes) : 0;

	if (node < 0)
		return (int)node;
	return bytes ? graph_name_node(b, REF_PAST, NULL) : 0;
}

int graph_add_subject(struct build *b, const struct m_subject *s)
{
	uint32_t *node = &b->g->subject_node[s->slot];

	if (*node != LINEAGE_NONE)
		return 0;
	int err = graph_add_node(b, access_bytes(subject_access(s, b->g->dataset)), REF_SUBJECT, s, node);
	return err ? err : add_carried(b, s->carried, *node);
}

/* Every subject that holds the dataset, leading to one node. */
int graph_everyone(struct build *b, uint32_t *ret)
{
	int err = 0;

	if (b->everyone == LINEAGE_NONE) {
		err = graph_add_node(b, 0, REF_AUX, NULL, &b->everyone);
		for (const struct m_subject *s = b->m->first_subject; s && !err; s = s->next)
			err = graph_lead(b, graph_source_of(b, s), b->everyone);
	}
	*ret = b->everyone;
	return err;
}

/* Those it has all from, by birth or by a look into their memory, and itself. */
static int add_subject_and_sources(struct build *b, const struct m_subject *s)
{
	bool holds = subject_mask(s) & BIT(b->g->dataset);
	int err = 0;

	for (unsigned i = 0; i < s->nbirths && !err; i++) {
		if (s->births[i].mask & BIT(b->g->dataset)) {
			holds = true;
			err = graph_add_subject(b, s->births[i].from);
		}
	}
	for (const struct m_edge *e = s->edges; e && !err; e = e->subject_next) {
		if (e->source && edge_carries(e, b->g->dataset))
			err = graph_add_subject(b, e->source);
	}
	return err || !holds ? err : graph_add_subject(b, s);
}

static bool source_known(const struct m_subject *s, unsigned dataset)
{
	bool born = false;

	for (unsigned i = 0; i < s->nbirths; i++)
		born = born || s->births[i].mask & BIT(dataset);
	return born || subject_mask(s) & BIT(dataset);
}

/* Who passed on what it is not known to have was forgotten in the meantime: anyone can have passed
 * it on to him. */
static int lead_source(struct build *b, const struct m_subject *from, const struct m_subject *s)
{
	uint32_t holders;
	int err = 0;

	if (from->trusted)
		return 0;
	if (!source_known(from, b->g->dataset)) {
		err = graph_everyone(b, &holders);
		if (!err)
			err = graph_lead(b, holders, graph_node_of(b, s));
	}
	return err ? err : graph_lead(b, graph_node_of(b, from), graph_node_of(b, s));
}

static int lead_from_sources(struct build *b, const struct m_subject *s)
{
	int err = 0;

	for (unsigned i = 0; i < s->nbirths && !err; i++) {
		if (s->births[i].mask & BIT(b->g->dataset))
			err = lead_source(b, s->births[i].from, s);
	}
	for (const struct m_edge *e = s->edges; e && !err; e = e->subject_next) {
		if (e->source && edge_carries(e, b->g->dataset))
			err = lead_source(b, e->source, s);
	}
	return err;
}

static int add_subjects(struct build *b)
{
	int err = 0;

	for (const struct m_subject *s = b->m->first_subject; s && !err; s = s->next)
		err = add_subject_and_sources(b, s);
	for (const struct m_subject *s = b->m->first_subject; s && !err; s = s->next)
		err = lead_from_sources(b, s);
	return err;
}

static int job_node_get(struct build *b, const struct m_job *job, uint32_t *ret)
{
	uintptr_t key = (uintptr_t)job;
	struct job_node *j = hashmap_find(&b->jobs, &key);
	int err = 0;

	if (!j) {
		j = malloc(sizeof(*j));
		if (!j)
			return -ENOMEM;
		j->job = key;
		err = graph_add_node(b, 0, REF_AUX, NULL, &j->node);
		if (!err)
			err = hashmap_add(&b->jobs, j);
		if (err) {
			free(j);
			return err;
		}
	}
	*ret = j->node;
	return 0;
}

/* The node that the holders of a job lead to; where a job has none, that of everyone. */
int graph_job_holders(struct build *b, const struct m_job *job, uint32_t *ret)
{
	uintptr_t key = (uintptr_t)job;
	const struct job_node *found;
	uint32_t node;
	int err = 0;

	for (const struct m_subject *s = b->jobs_made ? NULL : b->m->first_subject; s && !err;
	     s = s->next) {
		if (graph_source_of(b, s) == LINEAGE_NONE)
			continue;
		err = job_node_get(b, s->job, &node);
		if (!err)
			err = graph_lead(b, graph_node_of(b, s), node);
	}
	if (err)
		return err;
	b->jobs_made = true;
	found = hashmap_find(&b->jobs, &key);
	if (!found)
		return graph_everyone(b, ret);
	*ret = found->node;
	return 0;
}

static int add_overflow(struct build *b)
{
	uint64_t bytes = b->m->datasets[b->g->dataset].overflow;
	uint32_t node;
	int err;

	if (!bytes)
		return 0;
	err = graph_add_node(b, bytes, REF_OVERFLOW, NULL, &node);
	for (const struct m_subject *s = b->m->first_subject; s && !err; s = s->next)
		err = graph_lead(b, node, graph_node_of(b, s));
	return err;
}

/* More came out of an object than can have gone in: a write is still under way, or what lay in it
 * is older than its taint. */
static int add_excess(struct build *b, const struct m_object *o, uint32_t object, uint64_t excess)
{
	uint32_t node, holders;
	int err = graph_add_node(b, 0, REF_AUX, NULL, &node);

	if (!err)
		err = lineage_arc(b->g->net, node, object, excess);
	for (const struct m_edge *e = o->edges; e && !err; e = e->other_next) {
		if (edge_writes(e)) {
			err = graph_lead(b, graph_source_of(b, e->subject), node);
			continue;
		}
		err = graph_job_holders(b, e->subject->job, &holders);
		if (!err)
			err = graph_lead(b, holders, node);
	}
	return err;
}

static uint64_t add_up(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

/* A message goes in as a whole, by a call that ends then; and others may send to the same socket, whose messages are
 * read there too. */
static bool of_messages(const struct m_object *o)
{
	return o->kind == OBJECT_QUEUE || o->what.dev == SL_DEV_POOL ||
	       (o->kind == OBJECT_SOCKET && o->what.dev & SL_DEV_MESSAGES && o->what.dev != SL_DEV_INLET);
}

/* Each byte of a pipe is read once. A file's can be read again and again, and most of them may be
 * older than its taint; a write that is under way is known when it returns. So it is with what a
 * daemon is asked and what a terminal shows: most of it is nobody's tagged bytes. */
static uint64_t excess_of(const struct m_object *o, unsigned dataset)
{
	const struct m_carried *held = carried_of(o->carried, dataset);
	uint64_t in = held ? held->is.bound : 0, out = 0;

	if (o->kind == OBJECT_FILE || o->kind == OBJECT_MEMORY || o->kind == OBJECT_SERVED ||
	    o->kind == OBJECT_TERMINAL || of_messages(o) || o->nsenders)
		return 0;
	for (const struct m_edge *e = o->edges; e; e = e->other_next) {
		uint64_t limit = edge_limit(e, dataset);

		if (edge_writes(e))
			in = add_up(in, limit);
		else
			out = add_up(out, limit);
	}
	return out > in ? out - in : 0;
}

static bool object_carries(struct build *b, const struct m_object *o)
{
	bool carries = carried_of(o->carried, b->g->dataset);

	for (const struct m_edge *e = o->edges; e; e = e->other_next) {
		b->g->waiting |= edge_awaits_name(b->m, e);
		carries = carries || edge_passes(b->m, e, b->g->dataset);
	}
	return carries;
}

static int add_object(struct build *b, const struct m_object *o)
{
	uint64_t excess;
	uint32_t node;
	int err = 0;

	if (!object_carries(b, o))
		return 0;
	err = graph_add_node(b, 0, REF_OBJECT, o, &node);
	if (err)
		return err;
	b->g->object_node[o->slot] = node;
	err = add_carried(b, o->carried, node);
	for (const struct m_edge *e = o->edges; e && !err; e = e->other_next) {
		uint32_t subject = graph_node_of(b, e->subject);
		uint64_t limit = edge_passes(b->m, e, b->g->dataset);

		if (subject == LINEAGE_NONE || (edge_writes(e) && e->subject->trusted))
			continue;
		if (edge_writes(e))
			err = lineage_arc(b->g->net, subject, node, limit);
		else
			err = lineage_arc(b->g->net, node, subject, limit);
	}
	excess = excess_of(o, b->g->dataset);
	return err || !excess ? err : add_excess(b, o, node, excess);
}

/* --- all of it ----------------------------------------------------------- */

/*
 * A dataset that does not change gives no more distinct bytes than it has. Whether it changed is
 * known only from scans: the cap holds while no scan found less than the one before, and nothing
 * was read since the last one began. A dataset that grows has been scanned at its present size or
 * is not capped; one that was replaced in place, piece for piece of the same length, between two
 * scans is not noticed.
 */
static uint64_t most_distinct(const struct m_dataset *d)
{
	return d->size && !d->shrank && d->quiet && d->read_at_scan == d->read ? d->size
									       : UINT64_MAX;
}

static uint32_t *no_nodes(size_t n)
{
	uint32_t *v = malloc((n + 1) * sizeof(*v));

	if (v)
		memset(v, 0xff, (n + 1) * sizeof(*v));
	return v;
}

static int prepare(struct build *b)
{
	const struct model *m = b->m;
	struct ds_graph *g = b->g;
	size_t processes = m->process_slots.count;

	g->net = lineage_new();
	g->subjects = m->subject_slots.count;
	g->objects = m->object_slots.count;
	g->flows = m->flow_slots.count;
	g->subject_node = no_nodes(m->subject_slots.count);
	g->object_node = no_nodes(m->object_slots.count);
	g->flow_node = no_nodes(m->flow_slots.count);
	b->range = no_nodes(processes);
	b->nearest = calloc(processes + 1, sizeof(*b->nearest));
	b->nearest_known = calloc(processes + 1, sizeof(*b->nearest_known));
	b->arrival = calloc(m->subject_slots.count + 1, sizeof(*b->arrival));
	b->jobs = HASHMAP_OF(struct job_node, job);
	b->everyone = LINEAGE_NONE;
	if (!g->net || !g->subject_node || !g->object_node || !g->flow_node || !b->range ||
	    !b->nearest || !b->nearest_known || !b->arrival)
		return -ENOMEM;
	return 0;
}

static void build_done(struct build *b)
{
	for (size_t i = 0; i < b->jobs.size; i++)
		free(b->jobs.slots[i].item);
	hashmap_free(&b->jobs);
	free(b->heritage);
	free(b->range);
	free(b->nearest);
	free(b->nearest_known);
	free(b->arrival);
}

static int build_all(struct build *b)
{
	int err = prepare(b);

	if (!err)
		err = add_past(b);
	if (!err)
		err = add_subjects(b);
	if (!err)
		err = add_overflow(b);
	for (const struct m_object *o = b->m->first_object; o && !err; o = o->next)
		err = add_object(b, o);
	if (!err)
		err = graph_add_flows(b);
	if (err)
		return err;
	b->g->reached = calloc(lineage_nodes(b->g->net) + 1, sizeof(*b->g->reached));
	return b->g->reached ? lineage_reach(b->g->net, b->g->reached) : -ENOMEM;
}

int ds_graph_build(const struct model *m, unsigned dataset, struct ds_graph **ret)
{
	struct ds_graph *g = calloc(1, sizeof(*g));
	struct build b = {.m = m, .g = g};
	int err;

	if (!g)
		return -ENOMEM;
	g->dataset = dataset;
	g->version = m->datasets[dataset].version;
	g->most = most_distinct(&m->datasets[dataset]);
	err = build_all(&b);
	build_done(&b);
	if (err) {
		ds_graph_free(g);
		return err;
	}
	*ret = g;
	return 0;
}
