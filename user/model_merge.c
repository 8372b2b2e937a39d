/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A host that has run millions of short jobs must not need memory for each: the dead subjects of a
 * job become one. Making several nodes of a network one can only raise what flows through it, so
 * bounds stay bounds; sums stay sums. What is lost is who of the dead it was.
 */
#include "user/model_carry.h"
#include "user/model_derived.h"
#include "user/model_dns.h"

/* While the kernel still holds an entry of it, the collector may name it again. */
static bool all_settled(const struct m_subject *s)
{
	for (const struct m_access *a = s->access; a; a = a->next) {
		for (unsigned k = 0; k < ACCESS_KINDS; k++) {
			if (a->kind[k].live.bytes || a->kind[k].live.ops)
				return false;
		}
	}
	for (const struct m_edge *e = s->edges; e; e = e->subject_next) {
		if (!edge_settled(e))
			return false;
	}
	return true;
}

/* A child can have sent by its parent's sockets. The merged subject counts as a sender for all
 * flows of its own job, so only a parent with flows of another job stands in the way. */
static bool sent_for_another_job(const struct m_subject *s)
{
	for (const struct m_process *p = s->process->parent; p; p = p->parent) {
		for (const struct m_subject *i = p->images; i; i = i->next_image) {
			if (i->nflows && i->job != s->job)
				return true;
		}
	}
	return false;
}

static bool may_merge(const struct m_subject *s, uint64_t now_ns)
{
	return subject_gone(s, now_ns) && s->process && s->job && !s->nlive && !s->nowned &&
	       !s->findings && all_settled(s) && !sent_for_another_job(s);
}

static struct m_subject *merged_of(struct model *m, struct m_job *job)
{
	if (!job->merged)
		job->merged = subject_new_merged(m, job);
	return job->merged;
}

static int move_births(struct m_subject *s)
{
	struct m_subject *to = s->merged_into;

	while (s->nbirths) {
		struct m_birth *b = &s->births[s->nbirths - 1];
		struct m_subject *from = b->from->merged_into ? b->from->merged_into : b->from;
		int err = subject_add_birth(to, from, b->mask, b->via, b->since_ns);

		if (err)
			return err;
		b->from->children--;
		s->nbirths--;
	}
	return 0;
}

/* Births of the living that name the dead. */
static void rename_births(struct m_subject *s)
{
	for (unsigned i = 0; i < s->nbirths; i++) {
		struct m_subject *from = s->births[i].from;

		if (!from->merged_into)
			continue;
		s->births[i].from = from->merged_into;
		from->merged_into->children++;
		from->children--;
	}
}

static int move_accesses(struct m_subject *s)
{
	while (s->access) {
		struct m_access *from = s->access, *to;
		int err = access_get(s->merged_into, from->dataset, &to);

		if (err)
			return err;
		for (unsigned k = 0; k < ACCESS_KINDS; k++)
			account_move(&to->kind[k], &from->kind[k]);
		to->judged += from->judged;
		to->due_ns = due_of_both(to->due_ns, from->due_ns);
		s->access = from->next;
		free(from);
	}
	return 0;
}

static int move_edge(struct model *m, struct m_edge *from, struct m_subject *to,
		     struct m_object *object, struct m_subject *source)
{
	struct m_edge *e;
	/* what is no derivation by now is none ever after: who is merged has no name to be judged by */
	uint32_t own = to == from->subject || edge_declared(m, from) ? from->key.own : 0;
	int err = edge_get(m, to, object, source, from->key.via, own, &e);

	return err ? err : edge_move(m, from, e);
}

static int move_edges(struct model *m, struct m_subject *s)
{
	int err = 0;

	while (s->edges && !err) {
		struct m_edge *e = s->edges;

		if (e->source &&
		    (e->source == s->merged_into || e->source->merged_into == s->merged_into))
			edge_drop(m, e);
		else
			err = move_edge(m, e, s->merged_into, e->object, e->source);
	}
	return err;
}

/* Looks into it by others. One that the kernel still counts keeps its name. */
static int move_looks(struct model *m, struct m_subject *s)
{
	int err = 0;

	while (s->looks && !err) {
		struct m_edge *e = s->looks;

		if (e->subject == s->merged_into || e->subject->merged_into == s->merged_into)
			edge_drop(m, e);
		else if (edge_settled(e))
			err = move_edge(m, e, e->subject, NULL, s->merged_into);
		else
			edge_look_into(e, s->merged_into);
	}
	return err;
}

static int move_flows(struct model *m)
{
	int err = 0;

	for (struct m_flow *f = m->first_flow, *next; f && !err; f = next) {
		next = f->next;
		if (f->who && f->who->merged_into)
			err = flow_refold(m, f, f->who->merged_into);
	}
	return err;
}

static int merge_one(struct model *m, struct m_subject *s)
{
	struct m_subject *to = s->merged_into;
	int err = move_births(s);

	if (!err)
		err = move_accesses(s);
	if (!err)
		err = move_edges(m, s);
	if (!err)
		err = move_looks(m, s);
	if (err)
		return err;
	carried_move(&to->carried, &s->carried);
	asker_move(&to->asker, &s->asker);
	to->mask |= s->mask;
	to->derives |= s->derives;
	to->writes_inside |= s->writes_inside;
	to->exit_ns = MAX(to->exit_ns, s->exit_ns);
	to->merged++;
	return 0;
}

/* A pipe between the dead of one job leads from their common node to itself. A file can still be
 * read by others, and an inlet is fed by flows. */
static void drop_inner_objects(struct model *m)
{
	for (struct m_object *o = m->first_object, *next; o; o = next) {
		const struct m_subject *only = o->edges ? o->edges->subject : NULL;

		next = o->next;
		if (o->nsenders)
			continue;
		for (const struct m_edge *e = o->edges; e && only; e = e->other_next) {
			if (e->subject != only || only->process || !edge_given(e))
				only = NULL;
		}
		if (o->carried && !o->gone)
			continue;
		if (!o->edges || (only && ((o->kind && o->kind != OBJECT_FILE) || o->gone)))
			object_drop(m, o);
	}
}

/* --- files that are gone ------------------------------------------------- */

/* Without a write what was read is charged to others; see model_graph.h. */
static bool may_merge_file(const struct m_object *o)
{
	bool written = o->carried;

	if (!o->gone || o->merged || o->kind != OBJECT_FILE)
		return false;
	for (const struct m_edge *e = o->edges; e; e = e->other_next) {
		if (!edge_settled(e))
			return false;
		written = written || edge_writes(e);
	}
	return written;
}

static struct m_object *merged_files_of(struct model *m, struct m_job *job)
{
	struct m_object **merged = job ? &job->merged_files : &m->merged_files;

	if (!*merged) {
		*merged = object_new_merged(m);
		if (*merged && job) {
			(*merged)->job = job;
			job->refs++;
		}
	}
	return *merged;
}

static struct m_job *writer_job(const struct m_object *o)
{
	for (const struct m_edge *e = o->edges; e; e = e->other_next) {
		if (edge_writes(e))
			return e->subject->job;
	}
	return NULL;
}

static int merge_file(struct model *m, struct m_object *o)
{
	struct m_object *to = merged_files_of(m, writer_job(o));
	int err = to ? 0 : -ENOMEM;

	if (!err)
		to->merged++;
	if (!err)
		carried_move(&to->carried, &o->carried);
	while (o->edges && !err)
		err = move_edge(m, o->edges, o->edges->subject, to, NULL);
	if (!err)
		object_drop(m, o);
	return err;
}

int model_merge_files(struct model *m)
{
	struct m_object *last = m->last_object;
	int err = 0;

	for (struct m_object *o = m->first_object, *next; o && !err; o = next) {
		next = o == last ? NULL : o->next;
		if (may_merge_file(o))
			err = merge_file(m, o);
	}
	return err;
}

static int choose(struct model *m, uint64_t now_ns)
{
	struct m_subject *last = m->last_subject;

	for (struct m_subject *s = m->first_subject; s; s = s == last ? NULL : s->next) {
		if (!may_merge(s, now_ns))
			continue;
		s->merged_into = merged_of(m, s->job);
		if (!s->merged_into)
			return -ENOMEM;
	}
	return 0;
}

int model_merge_dead(struct model *m, uint64_t now_ns)
{
	int err = choose(m, now_ns);

	if (!err)
		err = move_flows(m);
	for (struct m_subject *s = m->first_subject; s; s = s->next) {
		if (!err && s->merged_into)
			err = merge_one(m, s);
		if (err && s->merged_into) {
			s->merged_into = NULL;
			m->refused[REFUSED_SUBJECT]++; /* some of it may have moved: bounds may be
							  low */
		}
	}
	for (struct m_subject *s = m->first_subject; s; s = s->next)
		rename_births(s);
	for (struct m_subject *s = m->first_subject, *next; s; s = next) {
		next = s->next;
		if (s->merged_into)
			subject_drop(m, s);
	}
	drop_inner_objects(m);
	model_touch(m, UINT64_MAX);
	return err;
}
