/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What is over is forgotten, or kept in less room, without changing a total or lowering a bound. */
#include "user/model_internal.h"

#include <netinet/in.h>

bool subject_gone(const struct m_subject *s, uint64_t now_ns)
{
	return s->dead && s->process && s->exit_ns + MODEL_FORGET_NS < now_ns;
}

/* Has every figure of it been given to a sink? */
static bool flow_given(const struct m_flow *f)
{
	return f->given && f->given_out >= f->out && f->given_in >= f->in &&
	       f->given_tainted >= flow_tainted(f);
}

/* Bytes that left and that a bound still has to account for. */
static bool flow_counts(const struct m_flow *f)
{
	return (flow_tainted(f) && flow_outside(f)) || flow_feeds(f);
}

static void flow_to_past(struct model *m, struct m_flow *f)
{
	if (f->who) {
		f->who->past.out += f->out;
		f->who->past.in += f->in;
		f->who->past.tainted += flow_tainted(f);
	}
	flow_drop(m, f);
}

/* Two evaluations see a closed flow before it is folded: the ledger read in the second one is
 * complete for it. A sink that takes nothing may hold it up for so long, then its figures wait in
 * the fold. */
static bool ready_to_fold(const struct m_flow *f, uint64_t now_ns)
{
	if (!f->closed || f->folded || f->closed_evaluations < 3)
		return false;
	if (f->f.proto == IPPROTO_TCP && !flow_drained(f))
		return false;
	return flow_given(f) || f->f.last_ns + MODEL_FORGET_NS < now_ns;
}

static int prune_flows(struct model *m, bool full, uint64_t now_ns)
{
	int err = 0;

	for (struct m_flow *f = m->first_flow, *next; f && !err; f = next) {
		next = f->next;
		if (!f->filled) {
			if (f->seen_ns + MODEL_FORGET_NS < now_ns)
				flow_drop(m, f);
			continue;
		}
		if (f->folded && !flow_counts(f) && flow_given(f) &&
		    (full || f->f.last_ns + MODEL_FORGET_NS < now_ns))
			flow_to_past(m, f);
		else if (ready_to_fold(f, now_ns))
			err = flow_fold(m, f);
	}
	return err;
}

static bool births_given(const struct m_subject *s)
{
	for (unsigned i = 0; i < s->nbirths; i++) {
		if (!s->births[i].given)
			return false;
	}
	return true;
}

static void prune_subjects(struct model *m, uint64_t now_ns)
{
	/* Newest first: children go before the parents they hold. */
	for (struct m_subject *s = m->last_subject, *prev; s; s = prev) {
		prev = s->prev;
		if (!subject_gone(s, now_ns) || s->access || s->carried || s->edges || s->looks || s->nflows ||
		    s->findings || s->children)
			continue;
		if (births_given(s) || s->exit_ns + 10 * MODEL_FORGET_NS < now_ns)
			subject_drop(m, s);
	}
}

/* What nobody read, or nobody but the only one who wrote it. */
static bool leads_nowhere(const struct m_object *o)
{
	bool was_read = false, written = false, one = true;

	for (const struct m_edge *e = o->edges; e; e = e->other_next) {
		if (!edge_settled(e) || !edge_given(e))
			return false;
		*(edge_writes(e) ? &written : &was_read) = true;
		one = one && e->subject == o->edges->subject;
	}
	return !was_read || (one && written && !o->carried);
}

static void prune_objects(struct model *m)
{
	for (struct m_object *o = m->first_object, *next; o; o = next) {
		next = o->next;
		if (o->gone && !o->nsenders && leads_nowhere(o))
			object_drop(m, o);
	}
}

int model_prune(struct model *m, uint64_t now_ns)
{
	bool full = m->nsubjects + m->nobjects + m->nflows > m->merge_above;
	int err;

	if (!full && m->pruned_ns && now_ns - m->pruned_ns < MODEL_PRUNE_NS)
		return 0;
	m->pruned_ns = now_ns;
	err = prune_flows(m, full, now_ns);
	if (err)
		return err;
	prune_objects(m);
	prune_subjects(m, now_ns);
	if (m->nsubjects + m->nobjects + m->nflows > m->merge_above)
		err = model_merge_files(m);
	if (!err && m->nsubjects + m->nobjects + m->nflows > m->merge_above)
		err = model_merge_dead(m, now_ns);
	return err;
}
