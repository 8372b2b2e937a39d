/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Accesses, flows and transfers: figures that are added to rows. */
#include "user/tui/replay_take.h"

#include <string.h>

#define REST_ROOM 70000 /* rows more than there is room for one by one: of what stands for the rest there are few */

static uint64_t add(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static uint64_t number(const struct record_scan *s, const char *name)
{
	uint64_t n;

	return span_number(record_find(s, name), &n) ? n : 0;
}

/* --- who and what ---------------------------------------------------------------------- */

uint32_t replay_job(const struct replay *r, uint32_t name)
{
	return table_find(&r->tables[REPLAY_OF_JOBS], HASH_OF(OF_JOB, name));
}

int replay_job_get(struct replay *r, uint32_t name, uint32_t *ret)
{
	bool fresh;
	int err = table_get(&r->tables[REPLAY_OF_JOBS], HASH_OF(OF_JOB, name), ret, &fresh);

	if (err || !fresh)
		return err;
	struct job_row *j = replay_row(r, REPLAY_OF_JOBS, *ret);
	((struct job_key *)replay_key(r, REPLAY_OF_JOBS, *ret))->name = name;
	j->labels = j->ml = REPLAY_NONE;
	return 0;
}

int replay_dataset_get(struct replay *r, struct span id, uint32_t *ret)
{
	uint32_t value;
	bool fresh;
	int err = span_is_null(id) ? -EINVAL : values_get(r->values, id, &value);

	if (err)
		return err;
	err = table_get(&r->tables[REPLAY_OF_DATASETS], HASH_OF(OF_DATASET, value), ret, &fresh);
	if (err || !fresh)
		return err;
	((struct dataset_key *)replay_key(r, REPLAY_OF_DATASETS, *ret))->id = value;
	((struct dataset_row *)replay_row(r, REPLAY_OF_DATASETS, *ret))->tags = REPLAY_NONE;
	return 0;
}

/* Of a list of their names; beyond the number that is told apart nothing is noted. */
static int dataset_mask(struct replay *r, struct span list, uint64_t *ret)
{
	*ret = 0;
	if (span_is_null(list))
		return 0;
	for (const char *p = list.p, *end = list.p + list.n; p < end; p++) {
		const char *from = p, *stop;
		uint32_t d;

		if (*p != '"')
			continue;
		stop = memchr(p + 1, '"', (size_t)(end - p - 1));
		if (!stop)
			return -EINVAL;
		int err = replay_dataset_get(r, (struct span){from, (size_t)(stop + 1 - from)}, &d);
		if (err && err != -ENOSPC)
			return err;
		if (!err && d < REPLAY_DATASETS)
			*ret |= 1ULL << d;
		p = stop;
	}
	return 0;
}

/* Who stands for the processes of a job that are not told apart. */
static int rest_get(struct replay *r, uint32_t job, uint32_t *ret)
{
	struct table *t = &r->tables[REPLAY_PROCESSES];
	bool fresh;

	t->limit += REST_ROOM;
	int err = table_get(t, HASH_OF(OF_REST, job), ret, &fresh);
	t->limit -= REST_ROOM;
	if (!err && fresh) {
		struct process_row *p = replay_row(r, REPLAY_PROCESSES, *ret);

		p->process = p->labels = REPLAY_NONE;
		p->job = job;
	}
	return err;
}

/* One is known by number, start and executable: the name may change, and a later image is another. */
static int process_get(struct replay *r, struct span text, uint32_t *ret, bool *ret_fresh)
{
	struct record_scan s;

	if (record_scan(text, &s))
		return -EINVAL;
	uint64_t key = HASH_OF(OF_PROCESS, hash_span(record_find(&s, "pid")), hash_span(record_find(&s, "start")),
			       hash_span(record_find(&s, "exe")));
	return table_get(&r->tables[REPLAY_PROCESSES], key, ret, ret_fresh);
}

/* The same text is the same row: it need not be looked into again. */
static int process_row_of(struct replay *r, struct span text, uint32_t job, uint32_t *ret, uint32_t *ret_value)
{
	bool fresh = false;
	int err = values_get(r->values, text, ret_value);

	if (err || *ret_value == REPLAY_NONE)
		return err ? err : rest_get(r, job, ret);
	uint32_t *note = values_note(r->values, *ret_value);
	*ret = *note - 1;
	if (!*note || !replay_present(r, REPLAY_PROCESSES, *ret))
		err = process_get(r, text, ret, &fresh);
	if (err == -ENOSPC)
		return rest_get(r, job, ret);
	if (err)
		return err;
	*note = *ret + 1;
	struct process_row *p = replay_row(r, REPLAY_PROCESSES, *ret);
	p->process = *ret_value;
	if (fresh)
		p->job = p->labels = REPLAY_NONE;
	return 0;
}

/* The record's, with what it says of its job; none: there is no room for it. */
static int process_of(struct replay *r, const struct record_scan *s, uint32_t *ret, uint32_t *ret_value)
{
	uint32_t job, labels, j;
	int err = value(r, s, "job", &job);

	if (!err)
		err = value(r, s, "job_labels", &labels);
	if (!err)
		err = replay_job_get(r, job, &j);
	if (err == -ENOSPC) { /* with those of which no job is known */
		job = labels = REPLAY_NONE;
		err = replay_job_get(r, job, &j);
	}
	if (!err)
		err = process_row_of(r, record_find(s, "process"), job, ret, ret_value);
	if (err == -ENOSPC)
		*ret = *ret_value = REPLAY_NONE;
	if (err)
		return err == -ENOSPC ? 0 : err;
	struct process_row *p = replay_row(r, REPLAY_PROCESSES, *ret);
	p->job = job;
	if (labels == REPLAY_NONE)
		return 0;
	((struct job_row *)replay_row(r, REPLAY_OF_JOBS, j))->labels = labels;
	p->labels = p->process == REPLAY_NONE ? p->labels : labels;
	return 0;
}

/* --- access -------------------------------------------------------------------------------- */

static bool is_plain(struct span name)
{
	for (size_t i = 0; i < name.n; i++)
		if ((name.p[i] < 'a' || name.p[i] > 'z') && name.p[i] != '_')
			return false;
	return name.n > 0;
}

static int kind_of(struct replay *r, struct span name)
{
	for (unsigned i = 0; i < r->nkinds; i++)
		if (span_is(name, r->kinds[i]))
			return (int)i;
	if (r->nkinds == REPLAY_KINDS || name.n >= sizeof(r->kinds[0]) || !is_plain(name))
		return -ENOSPC;
	memcpy(r->kinds[r->nkinds], name.p, name.n);
	r->kinds[r->nkinds][name.n] = '\0';
	return (int)r->nkinds++;
}

static void add_bytes(struct replay *r, struct access_row *a, const struct record_scan *bytes)
{
	for (unsigned i = 0; i < bytes->n; i++) {
		int kind = kind_of(r, bytes->member[i].name);
		uint64_t n;

		if (kind < 0 || !span_number(bytes->member[i].value, &n))
			continue;
		a->known |= (uint8_t)(1u << kind);
		a->bytes[kind] = add(a->bytes[kind], n);
	}
}

static int access_get(struct replay *r, uint32_t process, uint32_t dataset, uint32_t *ret)
{
	bool fresh;
	int err = table_get(&r->tables[REPLAY_ACCESSES], HASH_OF(OF_ACCESS, process, dataset), ret, &fresh);

	if (err || !fresh)
		return err;
	struct access_key *k = (struct access_key *)replay_key(r, REPLAY_ACCESSES, *ret);
	k->process = process;
	k->dataset = dataset;
	return 0;
}

int replay_take_access(struct replay *r, const struct record_scan *s)
{
	uint32_t process = REPLAY_NONE, whose = REPLAY_NONE, dataset, tags, a;
	struct record_scan bytes;
	int err;

	if (!span_is_null(record_find(s, "credential")))
		return 0; /* of no dataset; what it means is a finding */
	if (span_is_null(record_find(s, "bytes")) || record_scan(record_find(s, "bytes"), &bytes))
		return -EINVAL;
	err = replay_dataset_get(r, record_find(s, "dataset"), &dataset);
	if (!err)
		err = value(r, s, "tags", &tags);
	if (!err && !span_is(record_find(s, "overflow"), "true"))
		err = process_of(r, s, &process, &whose);
	if (!err)
		err = access_get(r, process, dataset, &a);
	if (err == -ENOSPC) { /* as one of nobody's */
		process = REPLAY_NONE;
		r->tables[REPLAY_ACCESSES].limit += REST_ROOM;
		err = access_get(r, process, dataset, &a);
		r->tables[REPLAY_ACCESSES].limit -= REST_ROOM;
	}
	if (err)
		return err;
	add_bytes(r, replay_row(r, REPLAY_ACCESSES, a), &bytes);
	struct dataset_row *d = replay_row(r, REPLAY_OF_DATASETS, dataset);
	d->tags = tags == REPLAY_NONE ? d->tags : tags;
	d->unnamed = d->unnamed || process == REPLAY_NONE || whose == REPLAY_NONE;
	if (process != REPLAY_NONE && dataset < REPLAY_DATASETS)
		((struct process_row *)replay_row(r, REPLAY_PROCESSES, process))->datasets |= 1ULL << dataset;
	return 0;
}

/* --- flows ------------------------------------------------------------------------------------ */

/* Its other end may be given a name later: by that it is no other flow. */
static int flow_get(struct replay *r, const struct record_scan *s, const struct record_scan *remote, uint32_t process,
		    uint32_t *ret, bool *ret_rest)
{
	struct table *t = &r->tables[REPLAY_FLOWS];
	uint64_t proto = hash_span(record_find(s, "proto")), local = hash_span(record_find(s, "local"));
	uint64_t addr = hash_span(record_find(remote, "addr")), port = hash_span(record_find(remote, "port"));
	uint64_t key = HASH_OF(OF_FLOW, process, proto, local, addr, port);
	bool fresh;
	int err = table_get(t, key, ret, &fresh);

	*ret_rest = err == -ENOSPC;
	if (err == -ENOSPC) {
		t->limit += REST_ROOM;
		err = table_get(t, HASH_OF(OF_FLOWS, hash_span(record_find(remote, "class"))), ret, &fresh);
		t->limit -= REST_ROOM;
	}
	if (err || !fresh)
		return err;
	struct flow_key *k = (struct flow_key *)replay_key(r, REPLAY_FLOWS, *ret);
	struct flow_row *f = replay_row(r, REPLAY_FLOWS, *ret);
	f->whose = f->job = f->labels = f->remote = f->direction = f->encrypted = f->starttls = f->allowed = REPLAY_NONE;
	k->proto = k->local = REPLAY_NONE;
	f->process = f->end = REPLAY_NONE;
	if (*ret_rest)
		return 0;
	err = value(r, s, "proto", &k->proto);
	return err ? err : value(r, s, "local", &k->local);
}

/* Of those who came in the port says nothing. */
static int flow_end(struct replay *r, struct flow_row *f)
{
	json_t *end = json_copy(replay_value(r, f->remote));
	_cleanup_free_ char *text = NULL;
	int err = json_is_object(end) && !json_object_set_new(end, "port", json_null()) ? 0 : -ENOMEM;

	if (!err)
		text = json_dumps(end, JSON_COMPACT);
	json_decref(end);
	return text ? values_get(r->values, (struct span){text, strlen(text)}, &f->end) : -ENOMEM;
}

static int flow_ends(struct replay *r, const struct record_scan *s, struct flow_row *f)
{
	uint32_t before = f->remote;
	int err = value(r, s, "remote", &f->remote);

	if (!err)
		err = value(r, s, "direction", &f->direction);
	if (err || (f->end != REPLAY_NONE && f->remote == before))
		return err;
	f->end = f->remote;
	return json_is_object(replay_value(r, f->remote)) && flow_is_in(r, f) ? flow_end(r, f) : 0;
}

static int describe_flow(struct replay *r, const struct record_scan *s, const struct record_scan *remote, bool rest,
			 struct flow_row *f)
{
	int err = 0;

	f->rest = rest;
	if (rest) { /* of the other end only the class is common to all of them */
		char text[256];
		struct span class = record_find(remote, "class");
		int n = snprintf(text, sizeof(text), "{\"addr\":null,\"port\":null,\"class\":%.*s}", (int)MIN(class.n, (size_t)160),
				 class.p ? class.p : "");

		err = values_get(r->values, (struct span){text, (size_t)n}, &f->remote);
		f->end = f->remote;
		return err;
	}
	err = value(r, s, "job", &f->job);
	if (!err)
		err = flow_ends(r, s, f);
	if (!err)
		err = value(r, s, "encrypted", &f->encrypted);
	if (!err)
		err = value(r, s, "starttls", &f->starttls);
	if (!err)
		err = value(r, s, "allowed", &f->allowed);
	return err ? err : value(r, s, "job_labels", &f->labels);
}

int replay_take_flow(struct replay *r, const struct record_scan *s)
{
	struct record_scan remote = {0};
	uint32_t process, whose, i;
	uint64_t datasets;
	bool rest;
	int err;

	if (!span_is_null(record_find(s, "remote")) && record_scan(record_find(s, "remote"), &remote))
		return -EINVAL;
	err = dataset_mask(r, record_find(s, "datasets"), &datasets);
	if (!err)
		err = process_of(r, s, &process, &whose);
	if (!err)
		err = flow_get(r, s, &remote, process, &i, &rest);
	if (!err)
		err = describe_flow(r, s, &remote, rest, replay_row(r, REPLAY_FLOWS, i));
	if (err)
		return err;
	struct flow_row *f = replay_row(r, REPLAY_FLOWS, i);
	f->process = rest ? REPLAY_NONE : process;
	f->whose = rest ? REPLAY_NONE : whose;
	f->out = add(f->out, number(s, "bytes_out"));
	f->in = add(f->in, number(s, "bytes_in"));
	f->tainted = add(f->tainted, number(s, "tainted_out"));
	f->datasets |= datasets;
	return 0;
}

/* --- transfers ----------------------------------------------------------------------------------- */

/* One end of it: a process's row, or none and the object's text. */
static int take_end(struct replay *r, struct span end, uint32_t *ret_process, uint32_t *ret_value)
{
	struct record_scan s;
	uint32_t whose;
	struct span process;
	int err;

	*ret_process = *ret_value = REPLAY_NONE;
	if (span_is_null(end) || record_scan(end, &s))
		return -EINVAL;
	process = record_find(&s, "process");
	if (!process.p)
		return value(r, &s, "object", ret_value);
	if (span_is_null(process))
		return 0; /* of several that were joined */
	err = process_row_of(r, process, REPLAY_NONE, ret_process, &whose);
	*ret_value = whose;
	return err;
}

int replay_take_transfer(struct replay *r, const struct record_scan *s)
{
	uint32_t from, from_text, to, to_text, via, i;
	uint64_t datasets, declared, bytes;
	bool fresh;
	int err = take_end(r, record_find(s, "from"), &from, &from_text);

	if (!err)
		err = take_end(r, record_find(s, "to"), &to, &to_text);
	if (!err)
		err = value(r, s, "via", &via);
	if (!err)
		err = dataset_mask(r, record_find(s, "datasets"), &datasets);
	if (!err)
		err = dataset_mask(r, record_find(s, "declared"), &declared);
	if (err)
		return err;
	if (from != REPLAY_NONE) /* who passes it on has it */
		((struct process_row *)replay_row(r, REPLAY_PROCESSES, from))->datasets |= datasets;
	if (to != REPLAY_NONE)
		((struct process_row *)replay_row(r, REPLAY_PROCESSES, to))->datasets |= datasets & ~declared;
	err = table_get(&r->tables[REPLAY_TRANSFERS],
			HASH_OF(OF_TRANSFER, via, from, from == REPLAY_NONE ? from_text : 0, to, to == REPLAY_NONE ? to_text : 0),
			&i, &fresh);
	if (err)
		return err == -ENOSPC ? 0 : err;
	struct transfer_key *k = (struct transfer_key *)replay_key(r, REPLAY_TRANSFERS, i);
	*k = (struct transfer_key){k->row, to, from, via, from_text, to_text};
	struct transfer_row *t = replay_row(r, REPLAY_TRANSFERS, i);
	if (span_number(record_find(s, "bytes"), &bytes))
		t->bytes = add(t->bytes, bytes);
	else
		t->unlimited = true;
	t->datasets |= datasets & ~declared;
	return 0;
}
