/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/tui/replay_state.h"

#include <string.h>

#include "user/hashmap.h"
#include "user/tui/replay_table.h"

#define ROWS_MAX 200000
#define FINDINGS_MAX 65536
#define JOBS_MAX 65536

static const struct table shapes[REPLAY_TABLES] = {
#define SHAPE(name, most) {.key_size = sizeof(struct name##_key), .state_size = sizeof(struct name##_row), .limit = most}
	[REPLAY_PROCESSES] = SHAPE(process, ROWS_MAX),	 [REPLAY_ACCESSES] = SHAPE(access, ROWS_MAX),
	[REPLAY_FLOWS] = SHAPE(flow, ROWS_MAX),		 [REPLAY_TRANSFERS] = SHAPE(transfer, ROWS_MAX),
	[REPLAY_OF_DATASETS] = SHAPE(dataset, 4096),	 [REPLAY_OF_JOBS] = SHAPE(job, JOBS_MAX),
	[REPLAY_OF_FINDINGS] = SHAPE(finding, FINDINGS_MAX),
};

int replay_new(struct replay **ret)
{
	struct replay *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	memcpy(r->tables, shapes, sizeof(shapes));
	r->host = REPLAY_NONE;
	r->at_ns = INT64_MIN;
	r->values = values_new();
	if (!r->values) {
		free(r);
		return -ENOMEM;
	}
	*ret = r;
	return 0;
}

json_t *replay_value(const struct replay *r, uint32_t value)
{
	return values_json(r->values, value);
}

uint32_t replay_values(const struct replay *r)
{
	return values_count(r->values);
}

/* --- marks -------------------------------------------------------------------------- */

struct replay_mark {
	struct {
		char *states;
		uint32_t n;
	} tables[REPLAY_TABLES];
	struct blob *health;
	uint32_t host;
	uint64_t records, missing, seq;
	int64_t at_ns;
};

static void refs_of_findings(char *states, uint32_t n, struct blob *(*change)(struct blob *))
{
	struct finding_row *f = (struct finding_row *)states;

	for (uint32_t i = 0; i < n; i++)
		change(f[i].record);
}

struct replay_mark *replay_mark_free(struct replay_mark *m)
{
	if (!m)
		return NULL;
	refs_of_findings(m->tables[REPLAY_OF_FINDINGS].states, m->tables[REPLAY_OF_FINDINGS].n, blob_unref);
	for (unsigned t = 0; t < REPLAY_TABLES; t++)
		free(m->tables[t].states);
	blob_unref(m->health);
	free(m);
	return NULL;
}

struct replay_mark *replay_mark(const struct replay *r)
{
	struct replay_mark *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	for (unsigned t = 0; t < REPLAY_TABLES; t++) {
		const struct table *from = &r->tables[t];
		size_t size = from->n * from->state_size;

		m->tables[t].states = malloc(size + 1);
		if (!m->tables[t].states)
			return replay_mark_free(m);
		if (size)
			memcpy(m->tables[t].states, from->states, size);
		m->tables[t].n = from->n;
		if (t == REPLAY_OF_FINDINGS)
			refs_of_findings(m->tables[t].states, from->n, blob_ref);
	}
	m->health = blob_ref(r->health);
	m->host = r->host;
	m->records = r->records;
	m->missing = r->missing;
	m->seq = r->seq;
	m->at_ns = r->at_ns;
	return m;
}

size_t replay_mark_size(const struct replay_mark *m)
{
	size_t sum = sizeof(*m);

	for (unsigned t = 0; t < REPLAY_TABLES; t++)
		sum += m->tables[t].n * shapes[t].state_size;
	return sum;
}

void replay_back(struct replay *r, const struct replay_mark *m)
{
	static const struct replay_mark start = {.host = REPLAY_NONE, .at_ns = INT64_MIN};
	const struct replay_mark *to = m ? m : &start;
	struct table *findings = &r->tables[REPLAY_OF_FINDINGS];

	refs_of_findings(to->tables[REPLAY_OF_FINDINGS].states, to->tables[REPLAY_OF_FINDINGS].n, blob_ref);
	refs_of_findings(findings->states, findings->n, blob_unref);
	for (unsigned t = 0; t < REPLAY_TABLES; t++) {
		struct table *is = &r->tables[t];
		size_t kept = to->tables[t].n * is->state_size;

		if (kept)
			memcpy(is->states, to->tables[t].states, kept);
		if (is->n)
			memset(is->states + kept, 0, is->n * is->state_size - kept);
	}
	blob_ref(to->health);
	blob_unref(r->health);
	r->health = to->health;
	r->host = to->host;
	r->records = to->records;
	r->missing = to->missing;
	r->seq = to->seq;
	r->at_ns = to->at_ns;
}

struct replay *replay_free(struct replay *r)
{
	if (!r)
		return NULL;
	replay_back(r, NULL);
	for (unsigned t = 0; t < REPLAY_TABLES; t++)
		table_free(&r->tables[t]);
	values_free(r->values);
	free(r);
	return NULL;
}
