/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A host that has run millions of short jobs must not need memory for each: the dead subjects of a
 * job become one. Making several nodes of a network one can only raise what flows through it, so
 * bounds stay bounds; sums stay sums. What is lost is who of the dead it was.
 */
#include "user/model_internal.h"

static bool settled(const struct account *a)
{
	return !a->live.bytes && !a->live.ops;
}

/* While the kernel still holds an entry of it, the collector may name it again. */
static bool all_settled(const struct m_subject *s)
{
	for (const struct m_access *a = s->access; a; a = a->next) {
		for (unsigned k = 0; k < ACCESS_KINDS; k++) {
			if (!settled(&a->kind[k]))
				return false;
		}
	}
	for (const struct m_edge *e = s->edges; e; e = e->subject_next) {
		for (unsigned i = 0; i < e->ntransfers; i++) {
			if (!settled(&e->transfers[i].sum))
				return false;
		}
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
		s->access = from->next;
		free(from);
	}
	return 0;
}

static int move_edges(struct model *m, struct m_subject *s)
{
	while (s->edges) {
		struct m_edge *from = s->edges, *to;
		int err = edge_get(m, s->merged_into, from->object, (uint32_t)from->key.via, &to);

		for (unsigned i = 0; i < from->ntransfers && !err; i++) {
			struct m_transfer *t;

			err = edge_transfer(to, from->transfers[i].mask, &t);
			if (!err)
				account_move(&t->sum, &from->transfers[i].sum);
		}
		if (err)
			return err;
		edge_drop(m, from);
	}
	return 0;
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
	if (err)
		return err;
	to->mask |= s->mask;
	to->exit_ns = MAX(to->exit_ns, s->exit_ns);
	to->merged++;
	return 0;
}

/* A pipe between the dead of one job leads from their common node to itself. */
static void drop_inner_objects(struct model *m)
{
	for (struct m_object *o = m->first_object, *next; o; o = next) {
		const struct m_subject *only = o->edges ? o->edges->subject : NULL;

		next = o->next;
		for (const struct m_edge *e = o->edges; e && only; e = e->object_next) {
			if (e->subject != only || only->process)
				only = NULL;
			for (unsigned i = 0; i < e->ntransfers && only; i++) {
				struct figures all = account_total(&e->transfers[i].sum);

				if (e->transfers[i].sum.given.bytes < all.bytes)
					only = NULL;
			}
		}
		if (only || !o->edges)
			object_drop(m, o);
	}
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
