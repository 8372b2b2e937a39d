/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Totals of an interval: of accesses, flows and transfers. There is one for each that anything was added to, so there can
 * be very many at once. Those that the sink has no room for grow in the model meanwhile, and go first the next time.
 */
#include "user/export/record_internal.h"

#include "user/array.h"
#include "user/model_credential.h"
#include "user/model_derived.h"
#include "user/model_graph.h"

/* A record to give. Nothing in the model moves while there is a list of these. */
struct due {
	int (*give)(struct emission *e, const struct due *d, uint64_t since_ns);
	struct m_subject *subject;
	void *what;	    /* an access, an overflow account, a flow, a birth or an edge */
	struct m_transfer *transfer; /* of an edge */
	uint64_t *due_ns;   /* where it is noted since when it waits */
	size_t order;	    /* in which it was met */
};

struct dues {
	struct due *v;
	size_t n, max;
	uint64_t began_ns; /* this interval */
	bool waited;	   /* some did already */
};

static int add(struct dues *l, struct due d)
{
	int err = array_grow((void **)&l->v, &l->max, l->n + 1, sizeof(*l->v));

	if (err)
		return err;
	if (!*d.due_ns)
		*d.due_ns = l->began_ns;
	l->waited = l->waited || *d.due_ns < l->began_ns;
	d.order = l->n;
	l->v[l->n++] = d;
	return 0;
}

/* --- accesses ------------------------------------------------------------ */

/* What was added since it was last given; false: nothing. */
static bool figures_added(const struct account accounts[ACCESS_KINDS],
			  struct figures ret[ACCESS_KINDS])
{
	bool any = false;

	for (unsigned k = 0; k < ACCESS_KINDS; k++) {
		struct figures all = account_total(&accounts[k]);
		const struct figures *given = &accounts[k].given;

		ret[k].bytes = all.bytes - MIN(all.bytes, given->bytes);
		ret[k].ops = all.ops - MIN(all.ops, given->ops);
		ret[k].files = all.files - MIN(all.files, given->files);
		any = any || ret[k].bytes || ret[k].ops || ret[k].files;
	}
	return any;
}

static void figures_given(struct account accounts[ACCESS_KINDS],
			  const struct figures added[ACCESS_KINDS])
{
	for (unsigned k = 0; k < ACCESS_KINDS; k++) {
		accounts[k].given.bytes += added[k].bytes;
		accounts[k].given.ops += added[k].ops;
		accounts[k].given.files += added[k].files;
	}
}

static json_t *tags_of(struct emission *e, uint64_t dataset)
{
	if (!e->tags[dataset])
		e->tags[dataset] = json_tags(&e->m->datasets[dataset]);
	return e->tags[dataset];
}

static int give_access(struct emission *e, const struct due *d, uint64_t since_ns)
{
	struct m_access *a = d->what;
	struct subject_matter what = {.m = e->m, .subject = d->subject, .access = a, .tags = tags_of(e, a->dataset),
				      .since_ns = since_ns};

	figures_added(a->kind, what.figures);
	int got = record_give(e, "access", access_fields, &what);
	if (got >= 0)
		figures_given(a->kind, what.figures);
	return got;
}

static int give_overflow(struct emission *e, const struct due *d, uint64_t since_ns)
{
	struct m_overflow *o = d->what;
	struct subject_matter what = {.m = e->m, .overflow = o, .tags = tags_of(e, o->key.dataset), .since_ns = since_ns};

	figures_added(o->kind, what.figures);
	int got = record_give(e, "access", overflow_fields, &what);
	if (got >= 0)
		figures_given(o->kind, what.figures);
	return got;
}

static int collect_accesses(struct dues *l, const struct model *m)
{
	struct figures added[ACCESS_KINDS];
	int err = 0;

	for (struct m_subject *s = m->first_subject; s; s = s->next) {
		for (struct m_access *a = s->access; a && !err; a = a->next) {
			if (figures_added(a->kind, added))
				err = add(l, (struct due){.give = give_access, .subject = s, .what = a, .due_ns = &a->due_ns});
		}
	}
	for (struct m_overflow *o = m->first_overflow; o && !err; o = o->next) {
		if (figures_added(o->kind, added))
			err = add(l, (struct due){.give = give_overflow, .what = o, .due_ns = &o->due_ns});
	}
	return err;
}

/* --- credentials --------------------------------------------------------- */

static int give_use(struct emission *e, const struct due *d, uint64_t since_ns)
{
	struct m_use *u = d->what;
	struct subject_matter what = {.m = e->m, .subject = u->subject, .use = u, .since_ns = since_ns};
	int got = record_give(e, "access", credential_fields, &what);

	if (got < 0)
		return got;
	u->recorded = true;
	u->given = u->opens;
	return got;
}

static int collect_uses(struct dues *l, const struct model *m)
{
	int err = 0;

	for (struct m_use *u = m->credentials->first; u && !err; u = u->next) {
		if (use_is_known(u) && (!u->recorded || u->opens > u->given))
			err = add(l, (struct due){.give = give_use, .what = u, .due_ns = &u->due_ns});
	}
	return err;
}

/* --- flows --------------------------------------------------------------- */

static struct subject_matter flow_added(const struct model *m, const struct m_flow *f)
{
	uint64_t tainted = flow_tainted(f);

	return (struct subject_matter){
	    .m = m,
	    .subject = f->who,
	    .flow = f,
	    .out = f->out - MIN(f->out, f->given_out),
	    .in = f->in - MIN(f->in, f->given_in),
	    .tainted = tainted - MIN(tainted, f->given_tainted),
	};
}

static int give_flow(struct emission *e, const struct due *d, uint64_t since_ns)
{
	struct m_flow *f = d->what;
	struct subject_matter what = flow_added(e->m, f);

	what.since_ns = since_ns;
	int got = record_give(e, "flow", fields_of_flow(f), &what);
	if (got < 0)
		return got;
	f->given = true;
	f->given_out += what.out;
	f->given_in += what.in;
	f->given_tainted += what.tainted;
	return got;
}

static int collect_flows(struct dues *l, const struct model *m)
{
	int err = 0;

	for (struct m_flow *f = m->first_flow; f && !err; f = f->next) {
		struct subject_matter what = flow_added(m, f);

		if (f->filled && (!f->given || what.out || what.in || what.tainted))
			err = add(l, (struct due){.give = give_flow, .what = f, .due_ns = &f->due_ns});
		else
			f->due_ns = 0; /* what it sent turned out to carry nothing */
	}
	return err;
}

/* --- transfers ----------------------------------------------------------- */

/* The kernel half marks readers of derived files with all that their writers held: who cannot have a byte of a dataset
 * for that reason passes none on either. */
static int leave_out_derived(struct emission *e, const struct m_subject *s, uint64_t *datasets)
{
	int err = 0;

	for (uint64_t mask = *datasets & e->m->derived_from; mask && !err; mask &= mask - 1) {
		unsigned d = (unsigned)__builtin_ctzll(mask);

		if (!e->graphs[d])
			err = ds_graph_current(e->m, d, &e->graphs[d]);
		if (!err && ds_graph_good(e->graphs[d], e->m) && !ds_graph_holds(e->graphs[d], s))
			*datasets &= ~BIT(d);
	}
	return err;
}

/* Of what moved no dataset, nothing is told. */
static int give_moved(struct emission *e, const struct field *fields, struct subject_matter *what)
{
	int err = leave_out_derived(e, what->subject, &what->datasets);

	return err || !what->datasets ? err : record_give(e, "transfer", fields, what);
}

static int give_birth(struct emission *e, const struct due *d, uint64_t since_ns)
{
	struct m_birth *b = d->what;
	struct subject_matter what = {.m = e->m, .subject = d->subject, .birth = b, .datasets = b->mask,
				      .since_ns = since_ns};
	int got = give_moved(e, birth_fields, &what);

	if (got >= 0)
		b->given = true;
	return got;
}

static uint64_t bytes_added(const struct m_transfer *t)
{
	uint64_t all = account_total(&t->sum).bytes;

	return all - MIN(all, t->sum.given.bytes);
}

static int give_transfer(struct emission *e, const struct due *d, uint64_t since_ns)
{
	struct m_transfer *t = d->transfer;
	struct subject_matter what = {.m = e->m, .subject = d->subject, .edge = d->what, .transfer = t,
				      .bytes = bytes_added(t), .datasets = t->mask, .since_ns = since_ns};
	int got = give_moved(e, transfer_fields, &what);

	if (got >= 0)
		t->sum.given = account_total(&t->sum);
	return got;
}

static int collect_births(struct dues *l, struct m_subject *s)
{
	int err = 0;

	for (struct m_birth *b = s->births; b < s->births + s->nbirths && !err; b++) {
		if (!b->given)
			err = add(l, (struct due){.give = give_birth, .subject = s, .what = b, .due_ns = &b->due_ns});
	}
	return err;
}

static int collect_edge(struct dues *l, struct m_subject *s, struct m_edge *edge)
{
	int err = 0;

	for (struct m_transfer *t = edge->transfers; t < edge->transfers + edge->ntransfers && !err; t++) {
		bool more = edge_unlimited(edge) ? account_total(&t->sum).ops > t->sum.given.ops : bytes_added(t) > 0;

		if (more)
			err = add(l, (struct due){.give = give_transfer, .subject = s, .what = edge, .transfer = t,
						  .due_ns = &t->due_ns});
	}
	return err;
}

static int collect_transfers(struct dues *l, const struct model *m)
{
	int err = 0;

	for (struct m_subject *s = m->first_subject; s && !err; s = s->next) {
		err = collect_births(l, s);
		for (struct m_edge *edge = s->edges; edge && !err; edge = edge->subject_next)
			err = collect_edge(l, s, edge);
	}
	return err;
}

/* --- all of them --------------------------------------------------------- */

static int by_wait(const void *a, const void *b)
{
	const struct due *x = a, *y = b;

	if (*x->due_ns != *y->due_ns)
		return *x->due_ns < *y->due_ns ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

static int collect(struct dues *l, const struct model *m)
{
	int err = collect_accesses(l, m);

	if (!err)
		err = collect_uses(l, m);
	if (!err)
		err = collect_flows(l, m);
	if (!err)
		err = collect_transfers(l, m);
	if (!err && l->waited)
		qsort(l->v, l->n, sizeof(*l->v), by_wait);
	return err;
}

static void note_waiting(struct model *m, const struct dues *l, size_t from, uint64_t now_ns)
{
	m->records_waiting = l->n - from;
	m->records_lag_ns = from < l->n ? now_ns - MIN(now_ns, *l->v[from].due_ns) : 0;
}

int give_totals(struct emission *e, uint64_t now_ns, bool all)
{
	struct dues l = {.began_ns = e->m->records_ns};
	int got = collect(&l, e->m);
	size_t i = 0;

	while (i < l.n && got >= 0 && (got == 0 || all)) {
		const struct due *d = &l.v[i];

		got = d->give(e, d, *d->due_ns < l.began_ns ? *d->due_ns : 0);
		if (got >= 0) {
			*d->due_ns = 0;
			i++;
		}
	}
	note_waiting(e->m, &l, i, now_ns);
	e->m->records_ns = now_ns;
	free(l.v);
	return MIN(got, 0);
}
