/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Flows in a dataset's network, and who can have sent by them. */
#include "user/array.h"
#include "user/model_graph_internal.h"

/* Marks of one act of the kernel are not at one instant. */
#define SAME_MOMENT_NS (10 * 1000 * 1000ULL)

/* A subject with very many edges is asked for each of its flows. */
static uint64_t arrival_at(const struct build *b, const struct m_subject *s)
{
	uint64_t *known = &b->arrival[s->slot];

	if (!*known)
		*known = subject_arrival(s, b->g->dataset);
	return *known;
}

/* Of a flow older than the monitor the start is not known. */
static uint64_t start_of(const struct m_flow *f)
{
	return f->f.role == ROLE_UNKNOWN ? 0 : f->f.start_ns;
}

static int bequeath(struct build *b, const struct m_subject *owner, const struct m_flow *f,
		    uint32_t node)
{
	if (!owner->process)
		return 0;
	int err = array_grow((void **)&b->heritage, &b->max_heritage, b->nheritage + 1,
			     sizeof(*b->heritage));
	if (err)
		return err;
	b->heritage[b->nheritage++] = (struct heritage){
	    .process = owner->process,
	    .start_ns = start_of(f),
	    .flow = node,
	    .prefix = LINEAGE_NONE,
	    .earliest = UINT64_MAX,
	};
	return 0;
}

/* Arcs from an owner and the later images of its process. */
static int lead_images(struct build *b, const struct m_subject *owner, uint32_t node)
{
	int err = graph_lead(b, graph_source_of(b, owner), node);

	for (const struct m_subject *i = owner->process ? owner->process->images : NULL; i && !err;
	     i = i->next_image) {
		if (i->who.exec > owner->who.exec)
			err = graph_lead(b, graph_source_of(b, i), node);
	}
	return err;
}

static int lead_merged(struct build *b, const struct m_subject *owner, uint32_t node)
{
	uint32_t holders;
	int err;

	if (owner->process)
		return owner->job && owner->job->merged
			   ? graph_lead(b, graph_node_of(b, owner->job->merged), node)
			   : 0;
	err = graph_job_holders(b, owner->job, &holders);
	return err ? err : graph_lead(b, holders, node);
}

static int add_flow(struct build *b, const struct m_flow *f)
{
	uint32_t *node = &b->g->flow_node[f->slot];
	int err = graph_add_node(b, 0, REF_FLOW, f, node);

	for (unsigned i = 0; i <= f->nowners && !err; i++) {
		const struct m_subject *owner = i < f->nowners ? f->owners[i] : f->who;

		if (!owner)
			continue;
		err = lead_images(b, owner, *node);
		if (!err)
			err = lead_merged(b, owner, *node);
		if (!err)
			err = bequeath(b, owner, f, *node);
	}
	return err;
}

static int by_process_and_start(const void *a, const void *b)
{
	const struct heritage *x = a, *y = b;

	if (x->process->slot != y->process->slot)
		return x->process->slot < y->process->slot ? -1 : 1;
	return x->start_ns < y->start_ns ? -1 : x->start_ns > y->start_ns;
}

/* Per process a ladder of nodes: each leads to one flow and to the rung for the flows before it. */
static int make_ladders(struct build *b)
{
	int err = 0;

	if (b->nheritage)
		qsort(b->heritage, b->nheritage, sizeof(*b->heritage), by_process_and_start);
	for (size_t i = 0; i < b->nheritage && !err; i++) {
		struct heritage *h = &b->heritage[i];
		bool first = !i || h[-1].process != h->process;

		if (first)
			b->range[h->process->slot] = (uint32_t)i;
		err = graph_add_node(b, 0, REF_AUX, NULL, &h->prefix);
		if (!err)
			err = graph_lead(b, h->prefix, h->flow);
		if (!err && !first)
			err = graph_lead(b, h->prefix, h[-1].prefix);
	}
	return err;
}

static const struct m_process *nearest_with_flows(struct build *b, const struct m_process *p)
{
	const struct m_process *found = p;

	while (found && !b->nearest_known[found->slot] && b->range[found->slot] == LINEAGE_NONE)
		found = found->parent;
	if (found && b->nearest_known[found->slot])
		found = b->nearest[found->slot];
	for (; p && p != found && !b->nearest_known[p->slot]; p = p->parent) {
		b->nearest[p->slot] = found;
		b->nearest_known[p->slot] = true;
	}
	return found;
}

/* The last flow of `p` that started no later than `born_ns`; NULL: none did. */
static struct heritage *inherited(const struct build *b, const struct m_process *p,
				  uint64_t born_ns)
{
	struct heritage *last = NULL;
	size_t low = b->range[p->slot], high = b->nheritage;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		struct heritage *h = &b->heritage[mid];

		if (h->process == p && h->start_ns <= born_ns) {
			last = h;
			low = mid + 1;
		} else {
			high = mid;
		}
	}
	return last;
}

static int lead_descendants(struct build *b)
{
	int err = 0;

	for (const struct m_subject *s = b->nheritage ? b->m->first_subject : NULL; s && !err;
	     s = s->next) {
		const struct m_process *p =
		    s->process && graph_node_of(b, s) != LINEAGE_NONE ? s->process->parent : NULL;
		uint64_t arrival = UINT64_MAX;

		for (p = nearest_with_flows(b, p); p && !err;
		     p = nearest_with_flows(b, p->parent)) {
			struct heritage *h = inherited(b, p, s->process->id.start_ns);

			if (!h)
				continue;
			if (arrival == UINT64_MAX)
				arrival = arrival_at(b, s);
			h->earliest = MIN(h->earliest, arrival);
			err = graph_lead(b, graph_source_of(b, s), h->prefix);
		}
	}
	/* Who leads to a rung leads to those below it. */
	for (size_t i = b->nheritage; i-- > 1;) {
		struct heritage *h = &b->heritage[i];

		if (h[-1].process == h->process)
			h[-1].earliest = MIN(h[-1].earliest, h->earliest);
	}
	return err;
}

/* --- flows whose taint none of these explains ---------------------------- */

static bool explained_by_images(const struct build *b, const struct m_flow *f, uint64_t since_ns)
{
	for (unsigned i = 0; i <= f->nowners; i++) {
		const struct m_subject *owner = i < f->nowners ? f->owners[i] : f->who;

		if (!owner)
			continue;
		if (!owner->process || arrival_at(b, owner) <= since_ns)
			return true;
		for (const struct m_subject *s = owner->process->images; s; s = s->next_image) {
			if (s->who.exec > owner->who.exec &&
			    arrival_at(b, s) <= since_ns)
				return true;
		}
	}
	return false;
}

static bool explained_by_descendants(const struct build *b, uint32_t flow, uint64_t since_ns,
				     const struct m_flow *f)
{
	for (unsigned i = 0; i <= f->nowners; i++) {
		const struct m_subject *owner = i < f->nowners ? f->owners[i] : f->who;
		const struct m_process *p = owner ? owner->process : NULL;

		if (!p || b->range[p->slot] == LINEAGE_NONE)
			continue;
		/* Backward over those that started with it. */
		const struct heritage *first = &b->heritage[b->range[p->slot]];
		for (const struct heritage *h = inherited(b, p, start_of(f));
		     h && h >= first && h->start_ns == start_of(f); h--) {
			if (h->flow == flow && h->earliest <= since_ns)
				return true;
		}
	}
	return false;
}

/* What the owner was born with is told only once it did something else: it has what its earlier
 * images or its nearest ancestor held by then. *ret: there is one. */
static int lead_ancestor(struct build *b, const struct m_flow *f, uint32_t flow, uint64_t since_ns,
			 bool *ret)
{
	int err = 0;

	*ret = false;
	for (const struct m_process *p = f->who ? f->who->process : NULL; p && !*ret;
	     p = p->parent) {
		for (const struct m_subject *s = p->images; s && !err; s = s->next_image) {
			if (s == f->who || graph_node_of(b, s) == LINEAGE_NONE ||
			    arrival_at(b, s) > since_ns)
				continue;
			*ret = true;
			err = graph_add_subject(b, f->who);
			if (!err)
				err = graph_lead(b, graph_source_of(b, s), graph_node_of(b, f->who));
		}
	}
	return err || !*ret ? err : graph_lead(b, graph_source_of(b, f->who), flow);
}

static int explain(struct build *b, const struct m_flow *f)
{
	uint64_t since = flow_since(f, b->g->dataset);
	uint32_t flow = b->g->flow_node[f->slot], holders;
	uint64_t by = since > UINT64_MAX - SAME_MOMENT_NS ? since : since + SAME_MOMENT_NS;
	bool found = false;
	int err;

	if (f->f.passed) { /* whoever holds the dataset may have got the descriptor */
		err = graph_everyone(b, &holders);
		return err ? err : graph_lead(b, holders, flow);
	}
	if (explained_by_images(b, f, by) || explained_by_descendants(b, flow, by, f))
		return 0;
	err = lead_ancestor(b, f, flow, by, &found);
	if (err || found)
		return err;
	/* The kernel's tables are not read at one instant: the sender's taint may come with the
	 * next look. */
	if (since >= b->m->evaluated_ns) {
		b->g->waiting = true;
		return 0;
	}
	err = graph_everyone(b, &holders);
	return err ? err : graph_lead(b, holders, flow);
}

/* What it sends comes in at sockets of this host. Of one that was not told of in the last look, readers may know more
 * than it says itself. */
static int feed_inlets(struct build *b, const struct m_flow *f)
{
	bool late = f->ninlets && flow_late(b->m, f);
	int err = 0;

	for (unsigned i = 0; i < f->ninlets && !err; i++) {
		uint32_t inlet = b->g->object_node[f->inlets[i]->slot];

		if (inlet == LINEAGE_NONE)
			continue;
		b->g->waiting |= late;
		err = lineage_arc(b->g->net, b->g->flow_node[f->slot], inlet,
				  late ? LINEAGE_UNLIMITED : flow_sent(f, b->g->dataset));
	}
	return err;
}

int graph_add_flows(struct build *b)
{
	int err = 0;

	for (const struct m_flow *f = b->m->first_flow; f && !err; f = f->next) {
		if (f->filled && flow_mask(f) & BIT(b->g->dataset))
			err = add_flow(b, f);
	}
	if (!err)
		err = make_ladders(b);
	if (!err)
		err = lead_descendants(b);
	for (const struct m_flow *f = b->m->first_flow; f && !err; f = f->next) {
		if (b->g->flow_node[f->slot] != LINEAGE_NONE)
			err = explain(b, f);
		if (!err && b->g->flow_node[f->slot] != LINEAGE_NONE)
			err = feed_inlets(b, f);
	}
	return err;
}
