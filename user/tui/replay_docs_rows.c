/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Jobs, processes, datasets and destinations: sums over what records tell one by one. */
#include "user/tui/replay_docs_internal.h"

#include <string.h>

#include "user/hashmap.h"
#include "user/value_text.h"

#define RECEIVED_MAX 8 /* told of one process */
#define WRITERS_MAX 4  /* named of one object */
#define WHO_MAX 4      /* named of one destination */

/* --- processes ----------------------------------------------------------------------- */

static json_t *json_kinds(const struct making *m, const struct process_sum *sum)
{
	json_t *bytes = json_object();

	for (unsigned k = 0; bytes && k < m->r->nkinds; k++) {
		bool known = (sum->known | m->measured) & 1u << k;

		if (json_object_set_new(bytes, m->r->kinds[k], known ? replay_json_count(sum->bytes[k]) : json_null())) {
			json_decref(bytes);
			return NULL;
		}
	}
	return bytes;
}

static int append_process(json_t *list, const struct replay *r, uint32_t value)
{
	_cleanup_free_ char *name = value == REPLAY_NONE ? NULL : value_text(replay_value(r, value), FORMAT_PROCESS, NULL);

	return json_array_append_new(list, json_string(name ? name : "?"));
}

/* Who filled the object that it was read from, or the other process. */
static json_t *json_sources(const struct making *m, const struct transfer_key *k)
{
	json_t *list = json_array();
	int err = 0;

	if (list && k->from_process != REPLAY_NONE)
		err = append_process(list, m->r, k->from);
	else if (list && k->from != REPLAY_NONE)
		for (uint32_t w = m->writers[k->from]; w && !err && json_array_size(list) < WRITERS_MAX;
		     w = m->next_writer[w - 1]) {
			const struct transfer_key *from = replay_key(m->r, REPLAY_TRANSFERS, w - 1);

			if (from->from_process != REPLAY_NONE)
				err = append_process(list, m->r, from->from);
		}
	if (!err)
		return list;
	json_decref(list);
	return NULL;
}

/* "pipe:[17]", "file /ckpt/1", "file 8:1 inode 12" */
static json_t *json_object_text(const struct replay *r, const struct transfer_key *k)
{
	const json_t *o = k->from_process == REPLAY_NONE && k->from != REPLAY_NONE ? replay_value(r, k->from) : NULL;
	const char *name = json_string_value(json_at(o, "name")), *path = json_string_value(json_at(o, "path"));
	const char *kind = json_string_value(json_at(o, "kind"));
	json_int_t dev = json_integer_value(json_at(o, "dev"));

	if (!json_is_object(o))
		return json_null();
	if (name)
		return json_string(name);
	if (path)
		return json_sprintf("%s %s", kind ? kind : "file", path);
	return json_sprintf("%s %lld:%lld inode %lld", kind ? kind : "file", (long long)(dev >> 20), (long long)(dev & 0xfffff),
			    (long long)json_integer_value(json_at(o, "ino")));
}

static json_t *json_transfer(const struct making *m, uint32_t i)
{
	const struct transfer_key *k = replay_key(m->r, REPLAY_TRANSFERS, i);
	const struct transfer_row *t = replay_row(m->r, REPLAY_TRANSFERS, i);

	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "via", replay_json(m->r, k->via), "from", json_sources(m, k), "object",
			 json_object_text(m->r, k), "bytes", t->unlimited ? json_null() : replay_json_count(t->bytes), "datasets",
			 replay_json_datasets(m->r, t->datasets));
}

/* Puts it among the greatest so far; what came along by itself, of which no bytes are told, is greater than all. */
static unsigned rank(const struct replay *r, uint32_t best[RECEIVED_MAX], unsigned n, uint32_t i)
{
	const struct transfer_row *t = replay_row(r, REPLAY_TRANSFERS, i);
	uint64_t mine = t->unlimited ? UINT64_MAX : t->bytes;
	unsigned at = n;

	for (; at > 0; at--) {
		const struct transfer_row *other = replay_row(r, REPLAY_TRANSFERS, best[at - 1]);

		if ((other->unlimited ? UINT64_MAX : other->bytes) >= mine)
			break;
		if (at < RECEIVED_MAX)
			best[at] = best[at - 1];
	}
	if (at < RECEIVED_MAX)
		best[at] = i;
	return MIN(n + 1, (unsigned)RECEIVED_MAX);
}

static int add_received(const struct making *m, const struct process_sum *sum, json_t *item)
{
	uint32_t best[RECEIVED_MAX];
	unsigned n = 0, all = 0;
	json_t *list = json_array();
	int err = list ? 0 : -ENOMEM;

	for (uint32_t t = sum->transfers; t; t = m->next_transfer[t - 1], all++)
		n = rank(m->r, best, n, t - 1);
	for (unsigned i = 0; i < n && !err; i++)
		err = json_array_append_new(list, json_transfer(m, best[i])) ? -ENOMEM : 0;
	if (json_object_set_new(item, "received", list) || json_object_set_new(item, "received_more", replay_json_count(all - n)))
		return -ENOMEM;
	return err;
}

static json_t *json_process(const struct making *m, uint32_t i, const char *id)
{
	const struct process_row *p = replay_row(m->r, REPLAY_PROCESSES, i);
	const struct process_sum *sum = &m->sums[i];
	bool rest = p->process == REPLAY_NONE;
	json_t *item = json_pack("{s:s, s:o, s:n, s:o, s:o, s:o, s:n, s:o, s:o, s:n, s:o, s:o, s:n}", "id", id, "process",
				 replay_json(m->r, p->process), "image", "job", replay_json(m->r, p->job), "datasets",
				 replay_json_datasets(m->r, p->datasets), "bytes", json_kinds(m, sum), "volume", "bytes_out",
				 replay_json_count(sum->out), "tainted_out", replay_json_count(sum->tainted), "alive", "merged",
				 rest ? json_null() : json_integer(0), "job_labels", replay_json(m->r, p->labels), "dns");

	if (item && !add_received(m, sum, item))
		return item;
	json_decref(item);
	return NULL;
}

static uint64_t process_print(const struct making *m, const struct process_row *p, const struct process_sum *sum)
{
	uint64_t print = mix(mix((uint64_t)p->process << 32 | p->job, p->labels), p->datasets);

	for (unsigned k = 0; k < REPLAY_KINDS; k++)
		print = mix(print, sum->bytes[k]);
	print = mix(mix(mix(print, (uint64_t)(sum->known | m->measured) << 8 | m->r->nkinds), sum->out), sum->tainted);
	for (uint32_t t = sum->transfers; t; t = m->next_transfer[t - 1]) {
		const struct transfer_row *row = replay_row(m->r, REPLAY_TRANSFERS, t - 1);
		const struct transfer_key *k = replay_key(m->r, REPLAY_TRANSFERS, t - 1);

		print = mix(mix(print, row->bytes), row->datasets);
		if (k->from_process == REPLAY_NONE && k->from != REPLAY_NONE)
			print = mix(print, m->writers[k->from]);
	}
	return print;
}

int making_processes(const struct making *m, const struct making_doc *to)
{
	int err = 0;

	for (uint32_t i = 0; i < m->r->tables[REPLAY_PROCESSES].n && !err; i++) {
		const struct process_row *p = replay_row(m->r, REPLAY_PROCESSES, i);
		char id[16];

		if (!p->is.present || !making_changed(to, i, process_print(m, p, &m->sums[i])))
			continue;
		snprintf(id, sizeof(id), "%u", i);
		err = feed_doc_put(to->doc, id, json_process(m, i, id));
	}
	return err;
}

/* --- jobs ------------------------------------------------------------------------------ */

struct job_sum {
	uint64_t read, out, tainted, datasets;
};

static void sum_jobs(const struct making *m, struct job_sum *sums)
{
	const struct replay *r = m->r;

	for (uint32_t i = 0; i < r->tables[REPLAY_PROCESSES].n; i++) {
		const struct process_row *p = replay_row(r, REPLAY_PROCESSES, i);
		uint32_t j = p->is.present ? replay_job(r, p->job) : REPLAY_NONE;

		if (j == REPLAY_NONE)
			continue;
		for (unsigned k = 0; k < r->nkinds; k++)
			sums[j].read += m->sums[i].bytes[k];
		sums[j].datasets |= p->datasets;
	}
	for (uint32_t i = 0; i < r->tables[REPLAY_FLOWS].n; i++) {
		const struct flow_row *f = replay_row(r, REPLAY_FLOWS, i);
		uint32_t j = f->is.present ? replay_job(r, f->job) : REPLAY_NONE;

		if (j == REPLAY_NONE)
			continue;
		sums[j].out += f->out;
		sums[j].tainted += f->tainted;
		sums[j].datasets |= f->datasets;
	}
}

/* What a process says of its own place in the job is not the job's. */
static json_t *json_labels(const struct replay *r, uint32_t labels)
{
	json_t *all = labels == REPLAY_NONE ? json_null() : json_copy(replay_value(r, labels));

	json_object_del(all, "rank");
	json_object_del(all, "local_rank");
	return all;
}

static json_t *json_job(const struct replay *r, uint32_t i, const struct job_sum *sum)
{
	const struct job_key *k = replay_key(r, REPLAY_OF_JOBS, i);
	const struct job_row *j = replay_row(r, REPLAY_OF_JOBS, i);
	json_t *ml = j->ml == REPLAY_NONE ? json_null() : json_boolean(json_array_size(replay_value(r, j->ml)) > 0);

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:n, s:o, s:n, s:o, s:o, s:n}", "job", replay_json(r, k->name), "ml", ml,
			 "ml_reason", replay_json(r, j->ml), "job_labels", json_labels(r, j->labels), "datasets",
			 replay_json_datasets(r, sum->datasets), "processes", "bytes_read", replay_json_count(sum->read), "used",
			 "bytes_out", replay_json_count(sum->out), "tainted_out", replay_json_count(sum->tainted), "leak_bound");
}

int making_jobs(const struct making *m, const struct making_doc *to)
{
	const struct replay *r = m->r;
	_cleanup_free_ struct job_sum *sums = calloc(r->tables[REPLAY_OF_JOBS].n + 1, sizeof(*sums));
	int err = sums ? 0 : -ENOMEM;

	if (!err)
		sum_jobs(m, sums);
	for (uint32_t i = 0; i < r->tables[REPLAY_OF_JOBS].n && !err; i++) {
		const struct job_row *j = replay_row(r, REPLAY_OF_JOBS, i);
		const struct job_key *k = replay_key(r, REPLAY_OF_JOBS, i);
		const struct job_sum *s = &sums[i];
		uint64_t print =
		    mix(mix(mix(mix(mix(9, s->read), s->out), s->tainted), s->datasets), (uint64_t)j->labels << 32 | j->ml);

		if (!j->is.present || !making_changed(to, i, print))
			continue;
		const char *name = json_string_value(replay_value(r, k->name));
		err = feed_doc_put(to->doc, name ? name : "", json_job(r, i, s));
	}
	return err;
}

/* --- datasets ----------------------------------------------------------------------------- */

struct dataset_sum {
	uint64_t read, readers, findings;
};

static void sum_datasets(const struct making *m, struct dataset_sum *sums)
{
	const struct replay *r = m->r;

	for (uint32_t i = 0; i < r->tables[REPLAY_ACCESSES].n; i++) {
		const struct access_key *k = replay_key(r, REPLAY_ACCESSES, i);
		const struct access_row *a = replay_row(r, REPLAY_ACCESSES, i);
		uint64_t read = 0;

		for (unsigned n = 0; a->is.present && n < r->nkinds; n++)
			read += a->bytes[n];
		sums[k->dataset].read += read;
		sums[k->dataset].readers += read && k->process != REPLAY_NONE;
	}
	for (uint32_t i = 0; i < r->tables[REPLAY_OF_FINDINGS].n; i++) {
		const struct finding_row *f = replay_row(r, REPLAY_OF_FINDINGS, i);

		if (f->is.present && f->dataset != REPLAY_NONE)
			sums[f->dataset].findings++;
	}
}

static json_t *json_dataset(const struct replay *r, uint32_t i, const struct dataset_sum *sum)
{
	const struct dataset_key *k = replay_key(r, REPLAY_OF_DATASETS, i);
	const struct dataset_row *d = replay_row(r, REPLAY_OF_DATASETS, i);

	return json_pack("{s:o, s:n, s:o, s:n, s:n, s:o, s:n, s:n, s:o, s:n, s:o, s:n}", "id", replay_json(r, k->id), "path",
			 "tags", replay_json(r, d->tags), "bytes_total", "files_total", "bytes_read",
			 replay_json_count(sum->read), "files_read", "used", "readers",
			 d->unnamed ? json_null() : replay_json_count(sum->readers), "volume_outside", "findings",
			 replay_json_count(sum->findings), "derived");
}

int making_datasets(const struct making *m, const struct making_doc *to)
{
	const struct replay *r = m->r;
	_cleanup_free_ struct dataset_sum *sums = calloc(r->tables[REPLAY_OF_DATASETS].n + 1, sizeof(*sums));
	int err = sums ? 0 : -ENOMEM;

	if (!err)
		sum_datasets(m, sums);
	for (uint32_t i = 0; i < r->tables[REPLAY_OF_DATASETS].n && !err; i++) {
		const struct dataset_row *d = replay_row(r, REPLAY_OF_DATASETS, i);
		const struct dataset_key *k = replay_key(r, REPLAY_OF_DATASETS, i);
		uint64_t print = mix(mix(mix(11, sums[i].read), sums[i].readers), sums[i].findings);

		if (!d->is.present || !making_changed(to, i, mix(print, (uint64_t)d->unnamed << 32 | d->tags)))
			continue;
		const char *id = json_string_value(replay_value(r, k->id));
		err = feed_doc_put(to->doc, id ? id : "", json_dataset(r, i, &sums[i]));
	}
	return err;
}

/* --- destinations ------------------------------------------------------------------------------ */

struct end {
	uint64_t key; /* of remote, proto and direction */
	uint32_t first; /* its first flow: the place of its print, and its id */
	uint64_t out, in, tainted, datasets, flows;
	uint32_t who[WHO_MAX], jobs[WHO_MAX]; /* values */
	unsigned nwho, njobs;
	bool who_more, jobs_more, allowed, refused;
	uint32_t rule; /* value: that allows the first that is allowed */
};

/* A proxy goes on to what it is asked for. */
bool replay_is_outside(const json_t *remote)
{
	static const char *const inside[] = {"host", "vpc", "imds", "dns"};
	const char *class = json_string_value(json_at(remote, "class")),
		   *source = json_string_value(json_at(remote, "name_source"));

	if (class && source && !strcmp(class, "vpc") && !strcmp(source, "connect"))
		return true;
	for (size_t i = 0; class && i < ARRAY_SIZE(inside); i++)
		if (!strcmp(class, inside[i]))
			return false;
	return true;
}

static void note(uint32_t *list, unsigned *n, bool *more, uint32_t value)
{
	if (value == REPLAY_NONE)
		return;
	for (unsigned i = 0; i < *n; i++)
		if (list[i] == value)
			return;
	if (*n == WHO_MAX)
		*more = true;
	else
		list[(*n)++] = value;
}

static void add_flow(struct end *e, const struct flow_row *f)
{
	e->out += f->out;
	e->in += f->in;
	e->tainted += f->tainted;
	e->datasets |= f->datasets;
	e->flows++;
	note(e->who, &e->nwho, &e->who_more, f->whose);
	note(e->jobs, &e->njobs, &e->jobs_more, f->job);
	if (f->allowed != REPLAY_NONE && e->rule == REPLAY_NONE)
		e->rule = f->allowed;
	*(f->allowed == REPLAY_NONE ? &e->refused : &e->allowed) = true;
}

static int gather(const struct replay *r, struct hashmap *ends)
{
	for (uint32_t i = 0; i < r->tables[REPLAY_FLOWS].n; i++) {
		const struct flow_row *f = replay_row(r, REPLAY_FLOWS, i);
		const struct flow_key *k = replay_key(r, REPLAY_FLOWS, i);

		if (!f->is.present || f->end == REPLAY_NONE)
			continue;
		uint64_t key = (uint64_t)f->end << 32 | k->proto << 1 | flow_is_in(r, f);
		struct end *e = hashmap_find(ends, &key);
		if (!e) {
			e = calloc(1, sizeof(*e));
			if (!e)
				return -ENOMEM;
			e->key = key;
			e->first = i;
			e->rule = REPLAY_NONE;
			if (hashmap_add(ends, e)) {
				free(e);
				return -ENOMEM;
			}
		}
		add_flow(e, f);
	}
	return 0;
}

static json_t *json_names(const struct replay *r, const uint32_t *values, unsigned n, bool processes)
{
	json_t *list = json_array();
	int err = list ? 0 : -ENOMEM;

	for (unsigned i = 0; i < n && !err; i++)
		err = processes ? append_process(list, r, values[i]) : json_array_append(list, replay_value(r, values[i]));
	if (!err)
		return list;
	json_decref(list);
	return NULL;
}

/* Whether a bucket is allowed is not told of each flow. */
static bool is_bucket(const json_t *remote)
{
	const char *class = json_string_value(json_at(remote, "class")), *service = json_string_value(json_at(remote, "service"));

	return json_at(remote, "bucket") || json_at(remote, "access_point") || (class && !strncmp(class, "aws:S3:", 7)) ||
	       (service && !strncmp(service, "s3", 2));
}

static json_t *json_because(const struct replay *r, const struct end *e, const json_t *remote)
{
	const char *class = json_string_value(json_at(remote, "class")), *rule = json_string_value(replay_value(r, e->rule));

	if (is_bucket(remote))
		return json_null();
	if (!replay_is_outside(remote))
		return json_sprintf("%s is inside", class ? class : "?");
	if (!rule)
		return json_string("no entry of network.allow covers it");
	return e->refused ? json_sprintf("only in part by %s", rule) : json_string(rule);
}

static json_t *json_end(const struct replay *r, const struct end *e, const char *id)
{
	const struct flow_key *k = replay_key(r, REPLAY_FLOWS, e->first);
	const struct flow_row *f = replay_row(r, REPLAY_FLOWS, e->first);
	json_t *remote = replay_value(r, f->end);
	bool known = replay_is_outside(remote) && !is_bucket(remote);

	return json_pack("{s:s, s:O, s:o, s:o, s:o, s:n, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:b, s:o, s:o}", "id", id, "remote",
			 remote, "proto", replay_json(r, k->proto), "direction", replay_json(r, f->direction), "flows",
			 replay_json_count(e->flows), "live", "bytes_out", replay_json_count(e->out), "bytes_in", replay_json_count(e->in), "tainted_out",
			 replay_json_count(e->tainted), "datasets", replay_json_datasets(r, e->datasets), "processes",
			 json_names(r, e->who, e->nwho, true), "processes_more", e->who_more, "jobs",
			 json_names(r, e->jobs, e->njobs, false), "jobs_more", e->jobs_more, "allowed",
			 known ? json_boolean(!e->refused) : json_null(), "because", json_because(r, e, remote));
}

static uint64_t end_print(const struct end *e)
{
	uint64_t sum = mix(mix(mix(mix(mix(13, e->out), e->in), e->tainted), e->datasets), e->flows);

	for (unsigned i = 0; i < WHO_MAX; i++)
		sum = mix(sum, (uint64_t)e->who[i] << 32 | e->jobs[i]);
	return mix(mix(sum, e->key), (uint64_t)e->rule << 32 | e->refused << 2 | e->who_more << 1 | e->jobs_more);
}

int making_destinations(const struct making *m, const struct making_doc *to)
{
	struct hashmap ends = HASHMAP_OF(struct end, key);
	int err = gather(m->r, &ends);

	for (size_t i = 0; i < ends.size; i++) {
		struct end *e = ends.slots[i].item;
		char id[40];

		if (e && !err) {
			snprintf(id, sizeof(id), "%llx", (unsigned long long)e->key);
			if (making_changed(to, e->first, end_print(e)))
				err = feed_doc_put(to->doc, id, json_end(m->r, e, id));
			else
				feed_doc_touch(to->doc, id);
		}
		free(e);
	}
	hashmap_free(&ends);
	return err ? err : feed_doc_end(to->doc); /* an end that was given a name since is another */
}
