/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What is new since the last call, one record each. A figure counts as given only when the sink has
 * taken it. */
#include "user/export/record_internal.h"

#include <string.h>

#include "user/policy/rules.h"

#define HEALTH_EVERY_NS (10 * NSEC)

void model_set_seq(struct model *m, uint64_t seq)
{
	m->seq = seq;
}

int record_give(struct emission *e, const char *type, const struct field *fields, const struct subject_matter *s)
{
	json_t *record = e->sink ? record_frame(type, json_incref(e->time), e->m->seq + 1, json_incref(e->host)) : NULL;
	int got = !e->sink ? 0 : record ? fields_add(record, fields, s) : -ENOMEM;

	if (!got && record && s->since_ns)
		got = json_object_set_new(record, "since", json_moment(e->m, s->since_ns, e->m->wall_offset)) ? -ENOMEM : 0;
	if (!got && record)
		got = e->sink(e->arg, record);
	json_decref(record);
	if (got < 0)
		return got;
	e->m->seq++;
	e->count++;
	return got;
}

static void emission_begin(struct emission *e)
{
	if (!e->sink)
		return;
	e->time = json_time(e->wall);
	e->host = json_host(e->m);
}

static void emission_end(struct emission *e)
{
	json_decref(e->time);
	json_decref(e->host);
	for (unsigned d = 0; d < SL_DATASETS_MAX; d++)
		json_decref(e->tags[d]);
}

/* --- findings and health ------------------------------------------------- */

static int give_findings(struct emission *e)
{
	for (struct finding *f = e->m->findings->first; f; f = f->next) {
		struct subject_matter what = {.m = e->m, .finding = f};

		if (f->given || !f->count)
			continue;
		int err = record_give(e, "finding", finding_fields, &what);
		if (err < 0)
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
	int err = record_give(e, "health", health_fields, &what);
	if (err < 0)
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
	emission_begin(&e);
	if (final) /* rules may have put something off to the next interval: there is none */
		err = rules_evaluate(m, now_ns);
	/* what a person waits for comes first: a flood of the rest may take longer than the sink has patience */
	if (!err)
		err = give_findings(&e);
	if (!err)
		err = give_health(&e, now_ns, final);
	if (!err)
		err = give_totals(&e, now_ns, final);
	emission_end(&e);
	return err ? err : e.count;
}

int records_policy(struct model *m, const struct timespec *wall, record_sink sink, void *arg)
{
	struct emission e = {.m = m, .wall = wall, .sink = sink, .arg = arg};
	struct subject_matter what = {.m = m};

	emission_begin(&e);
	int got = record_give(&e, "policy", policy_fields, &what);
	emission_end(&e);
	return MIN(got, 0);
}

int records_note(struct model *m, const struct timespec *wall, const char *type, const json_t *members, record_sink sink,
		 void *arg)
{
	json_t *record = record_head(m, type, wall, m->seq + 1);
	int got = record && !json_object_update(record, (json_t *)members) ? sink(arg, record) : -ENOMEM;

	json_decref(record);
	if (got >= 0)
		m->seq++;
	return MIN(got, 0);
}
