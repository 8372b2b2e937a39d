/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What is new since the last call, one record each. A figure counts as given only when the sink has
 * taken it. */
#include "user/export/record.h"
#include "user/export/record_fields.h"

#include <string.h>

#include "user/model_derived.h"
#include "user/model_graph.h"
#include "user/policy/rules.h"

#define HEALTH_EVERY_NS (10 * NSEC)

struct emission {
	struct model *m;
	const struct timespec *wall;
	record_sink sink;
	void *arg;
	int count;
	struct ds_graph *graphs[SL_DATASETS_MAX]; /* the model's, as far as asked for; of derivations */
};

/* 0: the sink has it. */
static int give(struct emission *e, const char *type, const struct field *fields,
		const struct subject_matter *s)
{
	json_t *record = e->sink ? record_head(e->m, type, e->wall, e->m->seq + 1) : NULL;
	int err = !e->sink ? 0 : record ? fields_add(record, fields, s) : -ENOMEM;

	if (!err && record)
		err = e->sink(e->arg, record);
	json_decref(record);
	if (err)
		return err;
	e->m->seq++;
	e->count++;
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

static int give_accesses(struct emission *e)
{
	for (struct m_subject *s = e->m->first_subject; s; s = s->next) {
		for (struct m_access *a = s->access; a; a = a->next) {
			struct subject_matter what = {.m = e->m, .subject = s, .access = a};

			if (!figures_added(a->kind, what.figures))
				continue;
			int err = give(e, "access", access_fields, &what);
			if (err)
				return err;
			figures_given(a->kind, what.figures);
		}
	}
	for (struct m_overflow *o = e->m->first_overflow; o; o = o->next) {
		struct subject_matter what = {.m = e->m, .overflow = o};

		if (!figures_added(o->kind, what.figures))
			continue;
		int err = give(e, "access", overflow_fields, &what);
		if (err)
			return err;
		figures_given(o->kind, what.figures);
	}
	return 0;
}

/* --- flows and transfers ------------------------------------------------- */

static int give_flows(struct emission *e)
{
	for (struct m_flow *f = e->m->first_flow; f; f = f->next) {
		uint64_t tainted = flow_tainted(f);
		struct subject_matter what = {
		    .m = e->m,
		    .subject = f->who,
		    .flow = f,
		    .out = f->out - MIN(f->out, f->given_out),
		    .in = f->in - MIN(f->in, f->given_in),
		    .tainted = tainted - MIN(tainted, f->given_tainted),
		};

		if (!f->filled || (f->given && !what.out && !what.in && !what.tainted))
			continue;
		int err = give(e, "flow", fields_of_flow(f), &what);
		if (err)
			return err;
		f->given = true;
		f->given_out += what.out;
		f->given_in += what.in;
		f->given_tainted += what.tainted;
	}
	return 0;
}

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

static int give_births(struct emission *e, struct m_subject *s)
{
	for (unsigned i = 0; i < s->nbirths; i++) {
		struct subject_matter what = {.m = e->m, .subject = s, .birth = &s->births[i]};

		if (s->births[i].given)
			continue;
		what.datasets = s->births[i].mask;
		int err = leave_out_derived(e, s, &what.datasets);
		if (!err && what.datasets)
			err = give(e, "transfer", birth_fields, &what);
		if (err)
			return err;
		s->births[i].given = true;
	}
	return 0;
}

static int give_edge(struct emission *e, struct m_edge *edge)
{
	for (unsigned i = 0; i < edge->ntransfers; i++) {
		struct m_transfer *t = &edge->transfers[i];
		struct figures all = account_total(&t->sum);
		struct subject_matter what = {
		    .m = e->m,
		    .edge = edge,
		    .transfer = t,
		    .bytes = all.bytes - MIN(all.bytes, t->sum.given.bytes),
		    .datasets = t->mask,
		};

		if (edge_unlimited(edge) ? all.ops <= t->sum.given.ops : !what.bytes)
			continue;
		int err = leave_out_derived(e, edge->subject, &what.datasets);
		if (!err && what.datasets)
			err = give(e, "transfer", transfer_fields, &what);
		if (err)
			return err;
		t->sum.given = all;
	}
	return 0;
}

static int give_transfers(struct emission *e)
{
	int err = 0;

	for (struct m_subject *s = e->m->first_subject; s && !err; s = s->next) {
		err = give_births(e, s);
		for (struct m_edge *edge = s->edges; edge && !err; edge = edge->subject_next)
			err = give_edge(e, edge);
	}
	return err;
}

/* --- findings and health ------------------------------------------------- */

static int give_findings(struct emission *e)
{
	for (struct finding *f = e->m->findings->first; f; f = f->next) {
		struct subject_matter what = {.m = e->m, .finding = f};

		if (f->given || !f->count)
			continue;
		int err = give(e, "finding", finding_fields, &what);
		if (err)
			return err;
		f->given = true;
	}
	return 0;
}

static uint64_t gaps_hash(const struct model *m)
{
	uint64_t h = 0;

	for (char *const *g = m->gaps; g && *g; g++)
		h = h * 31 + hashmap_hash(*g, strlen(*g));
	return h;
}

static int give_health(struct emission *e, uint64_t now_ns, bool final)
{
	struct model *m = e->m;
	struct subject_matter what = {.m = m};
	uint64_t gaps = gaps_hash(m);
	bool changed = !m->health_given || gaps != m->health_given_gaps ||
		       memcmp(m->health.losses, m->health_given_losses, sizeof(m->health.losses));

	if (!m->health_known ||
	    !(changed || final || now_ns >= m->health_given_ns + HEALTH_EVERY_NS))
		return 0;
	int err = give(e, "health", health_fields, &what);
	if (err)
		return err;
	m->health_given = true;
	m->health_given_ns = now_ns;
	m->health_given_gaps = gaps;
	memcpy(m->health_given_losses, m->health.losses, sizeof(m->health.losses));
	return 0;
}

int records_emit(struct model *m, uint64_t now_ns, const struct timespec *wall, bool final,
		 record_sink sink, void *arg)
{
	struct emission e = {.m = m, .wall = wall, .sink = sink, .arg = arg};
	int err = 0;

	model_set_clock(m, now_ns, wall);
	if (final) /* rules may have put something off to the next interval: there is none */
		err = rules_evaluate(m, now_ns);
	/* what a person waits for comes first: a flood of the rest may take longer than the sink has patience */
	if (!err)
		err = give_findings(&e);
	if (!err)
		err = give_health(&e, now_ns, final);
	if (!err)
		err = give_accesses(&e);
	if (!err)
		err = give_flows(&e);
	if (!err)
		err = give_transfers(&e);
	return err ? err : e.count;
}

int records_policy(struct model *m, const struct timespec *wall, record_sink sink, void *arg)
{
	struct emission e = {.m = m, .wall = wall, .sink = sink, .arg = arg};
	struct subject_matter what = {.m = m};

	return give(&e, "policy", policy_fields, &what);
}
