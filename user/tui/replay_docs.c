/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/tui/replay_docs_internal.h"

#include <string.h>

#include "user/hashmap.h"

struct replay_docs {
	struct prints prints[WATCH_WHATS];
};

struct replay_docs *replay_docs_new(void)
{
	return calloc(1, sizeof(struct replay_docs));
}

struct replay_docs *replay_docs_free(struct replay_docs *d)
{
	if (!d)
		return NULL;
	for (unsigned i = 0; i < WATCH_WHATS; i++)
		free(d->prints[i].v);
	free(d);
	return NULL;
}

void replay_docs_clear(struct replay_docs *d, struct feed_doc *const docs[WATCH_WHATS])
{
	for (unsigned i = 0; i < WATCH_WHATS; i++) {
		feed_doc_clear(docs[i]);
		if (d->prints[i].n)
			memset(d->prints[i].v, 0, d->prints[i].n * sizeof(uint64_t));
	}
}

static int more_prints(struct prints *p, size_t n)
{
	size_t max = p->n;
	int err = array_grow((void **)&p->v, &max, n, sizeof(*p->v));

	if (!err && max > p->n) {
		memset(p->v + p->n, 0, (max - p->n) * sizeof(*p->v));
		p->n = max;
	}
	return err;
}

bool making_changed(const struct making_doc *to, uint32_t row, uint64_t print)
{
	print |= 1;
	if (to->prints->v[row] == print)
		return false;
	to->prints->v[row] = print;
	return true;
}

/* --- values --------------------------------------------------------------------------- */

json_t *replay_json_count(uint64_t n)
{
	return json_integer((json_int_t)MIN(n, (uint64_t)INT64_MAX));
}

json_t *replay_json(const struct replay *r, uint32_t value)
{
	return json_incref(replay_value(r, value));
}

json_t *replay_json_datasets(const struct replay *r, uint64_t mask)
{
	json_t *list = json_array();

	for (; list && mask; mask &= mask - 1) {
		const struct dataset_key *k = replay_key(r, REPLAY_OF_DATASETS, (uint32_t)__builtin_ctzll(mask));

		if (json_array_append(list, replay_value(r, k->id))) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

/* --- flows, findings, health --------------------------------------------------------------- */

static uint64_t flow_print(const struct flow_row *f)
{
	uint64_t sum = mix(mix(mix(mix(7, f->out), f->in), f->tainted), f->datasets);

	sum = mix(sum, (uint64_t)f->whose << 32 | f->job);
	sum = mix(sum, (uint64_t)f->labels << 32 | f->remote);
	sum = mix(sum, (uint64_t)f->encrypted << 32 | f->starttls);
	return mix(sum, (uint64_t)f->allowed << 32 | f->direction);
}

static json_t *json_flow(const struct replay *r, const struct flow_key *k, const struct flow_row *f, const char *id)
{
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:n}", "id", id, "process",
			 replay_json(r, f->whose), "job", replay_json(r, f->job), "proto", replay_json(r, k->proto), "direction",
			 replay_json(r, f->direction), "local", replay_json(r, k->local), "remote", replay_json(r, f->remote), "bytes_out", replay_json_count(f->out),
			 "bytes_in", replay_json_count(f->in), "tainted_out", replay_json_count(f->tainted), "datasets",
			 replay_json_datasets(r, f->datasets), "encrypted", replay_json(r, f->encrypted), "starttls",
			 replay_json(r, f->starttls), "allowed", replay_json(r, f->allowed), "job_labels",
			 replay_json(r, f->labels), "alive");
}

static int making_flows(const struct making *m, const struct making_doc *to)
{
	int err = 0;

	for (uint32_t i = 0; i < m->r->tables[REPLAY_FLOWS].n && !err; i++) {
		const struct flow_row *f = replay_row(m->r, REPLAY_FLOWS, i);
		char id[16];

		if (!f->is.present || !making_changed(to, i, flow_print(f)))
			continue;
		snprintf(id, sizeof(id), "%u", i);
		err = feed_doc_put(to->doc, id, json_flow(m->r, replay_key(m->r, REPLAY_FLOWS, i), f, id));
	}
	return err;
}

/* A record without what all records have; NULL: no memory, or it is no JSON inside. */
static json_t *json_record(const struct blob *b)
{
	static const char *const head[] = {"v", "type", "time", "seq", "host", "since", "prev"};
	struct span text = blob_text(b);
	json_t *record = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, NULL);

	for (size_t i = 0; record && i < ARRAY_SIZE(head); i++)
		json_object_del(record, head[i]);
	return record;
}

/* Not by its place in memory, which another may have by now. */
static uint64_t record_print(const struct blob *b)
{
	struct span text = blob_text(b);

	return hashmap_hash(text.p, text.n);
}

/* One that is no JSON inside is not told. */
static int making_findings(const struct making *m, const struct making_doc *to)
{
	int err = 0;

	for (uint32_t i = 0; i < m->r->tables[REPLAY_OF_FINDINGS].n && !err; i++) {
		const struct finding_row *f = replay_row(m->r, REPLAY_OF_FINDINGS, i);
		const struct finding_key *k = replay_key(m->r, REPLAY_OF_FINDINGS, i);

		if (!f->is.present || !making_changed(to, i, record_print(f->record)))
			continue;
		json_t *item = json_record(f->record);
		if (item)
			err = feed_doc_put(to->doc, json_string_value(replay_value(m->r, k->id)), item);
	}
	return err;
}

static int making_health(const struct making *m, const struct making_doc *to)
{
	json_t *item = m->r->health ? json_record(m->r->health) : NULL;

	return item ? feed_doc_put(to->doc, "health", item) : 0;
}

/* --- all -------------------------------------------------------------------------------------- */

static const struct {
	int (*make)(const struct making *m, const struct making_doc *to);
	enum replay_table rows;
} makers[WATCH_WHATS] = {
	[WATCH_JOBS] = {making_jobs, REPLAY_OF_JOBS},
	[WATCH_PROCESSES] = {making_processes, REPLAY_PROCESSES},
	[WATCH_DATASETS] = {making_datasets, REPLAY_OF_DATASETS},
	[WATCH_DESTINATIONS] = {making_destinations, REPLAY_FLOWS}, /* the first flow to each */
	[WATCH_FLOWS] = {making_flows, REPLAY_FLOWS},
	[WATCH_FINDINGS] = {making_findings, REPLAY_OF_FINDINGS},
	[WATCH_HEALTH] = {making_health, REPLAY_OF_JOBS},
};

static void sum_processes(struct making *m)
{
	const struct replay *r = m->r;

	for (uint32_t i = 0; i < r->tables[REPLAY_ACCESSES].n; i++) {
		const struct access_key *k = replay_key(r, REPLAY_ACCESSES, i);
		const struct access_row *a = replay_row(r, REPLAY_ACCESSES, i);

		m->measured |= a->is.present ? a->known : 0;
		if (!a->is.present || k->process == REPLAY_NONE)
			continue;
		m->sums[k->process].known |= a->known;
		for (unsigned n = 0; n < r->nkinds; n++)
			m->sums[k->process].bytes[n] += a->bytes[n];
	}
	for (uint32_t i = 0; i < r->tables[REPLAY_FLOWS].n; i++) {
		const struct flow_row *f = replay_row(r, REPLAY_FLOWS, i);

		if (!f->is.present || f->process == REPLAY_NONE)
			continue;
		m->sums[f->process].out += f->out;
		m->sums[f->process].tainted += f->tainted;
	}
}

static void link_transfers(struct making *m)
{
	for (uint32_t i = 0; i < m->r->tables[REPLAY_TRANSFERS].n; i++) {
		const struct transfer_key *k = replay_key(m->r, REPLAY_TRANSFERS, i);
		const struct transfer_row *t = replay_row(m->r, REPLAY_TRANSFERS, i);

		if (!t->is.present || !t->datasets)
			continue;
		if (k->to != REPLAY_NONE) {
			m->next_transfer[i] = m->sums[k->to].transfers;
			m->sums[k->to].transfers = i + 1;
		} else if (k->target != REPLAY_NONE) {
			m->next_writer[i] = m->writers[k->target];
			m->writers[k->target] = i + 1;
		}
	}
}

static void making_end(struct making *m)
{
	free(m->sums);
	free(m->next_transfer);
	free(m->writers);
	free(m->next_writer);
}

static int making_begin(struct making *m)
{
	size_t n = m->r->tables[REPLAY_TRANSFERS].n + 1;

	m->sums = calloc(m->r->tables[REPLAY_PROCESSES].n + 1, sizeof(*m->sums));
	m->next_transfer = calloc(n, sizeof(*m->next_transfer));
	m->next_writer = calloc(n, sizeof(*m->next_writer));
	m->writers = calloc(replay_values(m->r) + 1, sizeof(*m->writers));
	if (!m->sums || !m->next_transfer || !m->next_writer || !m->writers)
		return -ENOMEM;
	sum_processes(m);
	link_transfers(m);
	return 0;
}

int replay_docs_update(struct replay_docs *d, const struct replay *r, unsigned whats, struct feed_doc *const docs[WATCH_WHATS],
		       int64_t at_ns)
{
	struct timespec wall = {at_ns / (int64_t)NSEC, at_ns % (int64_t)NSEC};
	struct making m = {.r = r};
	char time[TIME_LEN];
	int err = making_begin(&m);

	time_rfc3339(time, &wall);
	for (unsigned i = 0; i < WATCH_WHATS && !err; i++) {
		struct making_doc to = {docs[i], &d->prints[i]};

		if (!(whats & 1u << i))
			continue;
		if (!feed_doc_json(docs[i]) && d->prints[i].n)
			memset(d->prints[i].v, 0, d->prints[i].n * sizeof(uint64_t)); /* it was let go meanwhile */
		err = more_prints(&d->prints[i], r->tables[makers[i].rows].n);
		if (!err)
			err = feed_doc_begin(docs[i], (uint64_t)at_ns, time, replay_value(r, r->host));
		if (!err)
			err = makers[i].make(&m, &to);
	}
	making_end(&m);
	return err;
}
