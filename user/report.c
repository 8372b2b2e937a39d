/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/report.h"

#include <string.h>

#include "user/policy/users.h"
#include "user/value_text.h"

#define PROCESSES_MAX 262144 /* told apart, in all rows together */
#define FINDINGS_KEPT 4096

enum table { TABLE_ACCESS, TABLE_DESTINATIONS, TABLE_TRANSFERS, TABLES };
static const char *const table_names[TABLES] = {"access", "destinations", "transfers"};

struct report {
	char *dataset, *job, *finding;
	bool has_since, has_until;
	struct timespec since, until;
	size_t rows_max;
	json_t *rows[TABLES];	/* by key */
	json_t *processes;	/* "row's key, pid, start": set */
	json_t *findings, *rules; /* by id; how many of each rule */
	json_t *left;		/* by dataset */
	json_t *gaps;		/* as last told, or NULL */
	struct users *users;
	json_int_t seq;
	uint64_t records, unknown, missing, findings_left_out;
	char first[TIME_LEN], last[TIME_LEN];
};

/* --- what a record must be --------------------------------------------------------- */

static int refuse(struct json_lines_why *why, const char *what)
{
	snprintf(why->text, sizeof(why->text), "%s", what);
	return -EINVAL;
}

/* Is it there, and a figure or unknown? */
static bool is_count(const json_t *record, const char *key)
{
	const json_t *v = json_object_get(record, key);

	return json_is_null(v) || (json_is_integer(v) && json_integer_value(v) >= 0);
}

static bool is_name(const json_t *record, const char *key)
{
	const json_t *v = json_object_get(record, key);

	return json_is_null(v) || json_is_string(v);
}

static bool is_kind(const json_t *record, const char *key, bool list)
{
	const json_t *v = json_object_get(record, key);

	return list ? json_is_array(v) : json_is_null(v) || json_is_object(v);
}

static bool access_good(const json_t *r)
{
	return json_is_string(json_object_get(r, "dataset")) && is_name(r, "job") && is_kind(r, "process", false) &&
	       json_is_object(json_object_get(r, "bytes")) && is_count(r, "ops") && is_count(r, "files");
}

static bool flow_good(const json_t *r)
{
	return is_kind(r, "process", false) && is_name(r, "job") && is_name(r, "proto") &&
	       json_is_object(json_object_get(r, "remote")) && is_count(r, "bytes_out") && is_count(r, "tainted_out") &&
	       is_kind(r, "datasets", true);
}

static bool transfer_good(const json_t *r)
{
	return json_is_object(json_object_get(r, "from")) && json_is_object(json_object_get(r, "to")) &&
	       json_is_string(json_object_get(r, "via")) && is_count(r, "bytes") && is_kind(r, "datasets", true) &&
	       (!json_object_get(r, "declared") || is_kind(r, "declared", true)); /* an older monitor's has none */
}

static bool finding_good(const json_t *r)
{
	return json_is_string(json_object_get(r, "id")) && json_is_string(json_object_get(r, "rule")) &&
	       is_name(r, "dataset") && is_name(r, "job") && is_kind(r, "chain", true);
}

/* --- rows ------------------------------------------------------------------------------ */

static const char *text_at(const json_t *v, const char *path)
{
	const char *s = json_string_value(json_at(v, path));

	return s ? s : "";
}

static int set(json_t *to, const char *key, const json_t *value)
{
	return json_object_set(to, key, value ? (json_t *)value : json_null()) ? -ENOMEM : 0;
}

static int add_figure(json_t *row, const char *key, const json_t *more)
{
	json_t *had = json_object_get(row, key);
	json_int_t sum;

	if (!json_is_integer(more))
		return had ? 0 : set(row, key, NULL);
	if (__builtin_add_overflow(json_integer_value(had), json_integer_value(more), &sum))
		sum = INT64_MAX;
	return json_object_set_new(row, key, json_integer(sum)) ? -ENOMEM : 0;
}

/* Found or new; of a full table the row for others. NULL: no memory. */
static json_t *row_get(struct report *r, enum table t, const char *key, bool *ret_fresh)
{
	json_t *rows = r->rows[t], *row = json_object_get(rows, key);

	*ret_fresh = false;
	if (!row && json_object_size(rows) >= r->rows_max) {
		key = "others";
		row = json_object_get(rows, key);
		if (!row && (json_object_set_new(rows, key, json_pack("{s:b}", "others", 1)) ||
			     !(row = json_object_get(rows, key))))
			return NULL;
	}
	if (row)
		return row;
	*ret_fresh = true;
	return json_object_set_new(rows, key, json_object()) ? NULL : json_object_get(rows, key);
}

/* One more process of the row, if it is one that was not met in it before. */
static int count_process(struct report *r, json_t *row, const char *key, const json_t *process)
{
	_cleanup_free_ char *id = NULL;
	json_t *known;

	if (!json_is_object(process))
		return 0;
	if (asprintf(&id, "%s\x1f%lld\x1f%s", key, (long long)json_integer_value(json_at(process, "pid")),
		     text_at(process, "start")) < 0)
		return -ENOMEM;
	known = json_object_get(r->processes, id);
	if (known)
		return 0;
	if (json_object_size(r->processes) >= PROCESSES_MAX)
		return json_object_set_new(row, "processes_exact", json_false()) ? -ENOMEM : 0;
	if (json_object_set_new(r->processes, id, json_true()))
		return -ENOMEM;
	json_t *one = json_integer(1);
	int err = add_figure(row, "processes", one);

	json_decref(one);
	return err;
}

static int note_time(json_t *row, const json_t *record)
{
	int err = json_object_get(row, "first") ? 0 : set(row, "first", json_at(record, "time"));

	return err ? err : set(row, "last", json_at(record, "time"));
}

/* --- access ------------------------------------------------------------------------------ */

static int access_begin(struct report *r, json_t *row, const json_t *record)
{
	const json_t *uid = json_at(record, "process.uid");
	const char *name = json_is_integer(uid) && r->users ? users_name(r->users, (uint32_t)json_integer_value(uid)) : NULL;
	int err = set(row, "dataset", json_at(record, "dataset"));

	if (!err)
		err = set(row, "job", json_at(record, "job"));
	if (!err)
		err = set(row, "uid", uid);
	if (!err && json_object_set_new(row, "user", name ? json_string(name) : json_null()))
		err = -ENOMEM;
	if (!err)
		err = set(row, "exe", json_at(record, "process.exe"));
	if (!err)
		err = set(row, "comm", json_at(record, "process.comm"));
	if (!err)
		err = set(row, "pid", json_at(record, "process.pid"));
	return err ? err : json_object_set_new(row, "bytes", json_object());
}

static int access_add(json_t *row, const json_t *record)
{
	json_t *bytes = json_object_get(row, "bytes"), *more;
	const char *kind;
	int err = add_figure(row, "ops", json_object_get(record, "ops"));

	if (!err)
		err = add_figure(row, "files", json_object_get(record, "files"));
	json_object_foreach (json_object_get(record, "bytes"), kind, more) {
		if (!err && json_object_size(bytes) < 16)
			err = add_figure(bytes, kind, more);
		if (!err)
			err = add_figure(row, "bytes_total", more);
	}
	if (!err && (!json_object_get(row, "exact") || json_is_false(json_at(record, "exact"))))
		err = set(row, "exact", json_at(record, "exact"));
	return err ? err : note_time(row, record);
}

static int take_access(struct report *r, json_t *record)
{
	_cleanup_free_ char *key = NULL;
	const json_t *process = json_at(record, "process");
	const char *exe = text_at(process, "exe");
	json_t *row;
	bool fresh;
	int err;

	if (asprintf(&key, "%s\x1f%s\x1f%lld\x1f%s", text_at(record, "dataset"), text_at(record, "job"),
		     json_at(process, "uid") ? (long long)json_integer_value(json_at(process, "uid")) : -1LL,
		     *exe ? exe : text_at(process, "comm")) < 0)
		return -ENOMEM;
	row = row_get(r, TABLE_ACCESS, key, &fresh);
	if (!row)
		return -ENOMEM;
	err = fresh ? access_begin(r, row, record) : 0;
	if (!err && !json_object_get(row, "bytes"))
		err = json_object_set_new(row, "bytes", json_object()) ? -ENOMEM : 0;
	if (!err)
		err = access_add(row, record);
	return err ? err : count_process(r, row, key, process);
}

/* --- flows ---------------------------------------------------------------------------------- */

static bool is_outside(const json_t *remote)
{
	static const char *const inside[] = {"host", "vpc", "imds", "dns"};
	const char *class = text_at(remote, "class");

	for (size_t i = 0; i < ARRAY_SIZE(inside); i++)
		if (!strcmp(class, inside[i]))
			return false;
	return true;
}

/* A byte of a flow counts for each dataset that it can have carried. */
static int note_left(struct report *r, const json_t *record)
{
	const json_t *out = json_object_get(record, "tainted_out");
	size_t i;
	json_t *id;
	int err = 0;

	if (!is_outside(json_object_get(record, "remote")))
		return 0;
	json_array_foreach (json_object_get(record, "datasets"), i, id) {
		const char *name = json_string_value(id);

		if (!name || err || (r->dataset && strcmp(name, r->dataset)) ||
		    (!json_object_get(r->left, name) && json_object_size(r->left) >= r->rows_max))
			continue;
		err = add_figure(r->left, name, out);
	}
	return err;
}

static int flow_begin(json_t *row, const json_t *record)
{
	static const char *const copied[] = {"job", "proto", "remote", "datasets", "encrypted"};
	int err = json_object_set_new(row, "outside", json_boolean(is_outside(json_object_get(record, "remote"))));

	for (size_t i = 0; i < ARRAY_SIZE(copied) && !err; i++)
		err = set(row, copied[i], json_object_get(record, copied[i]));
	if (!err)
		err = set(row, "comm", json_at(record, "process.comm"));
	return err ? err : set(row, "pid", json_at(record, "process.pid"));
}

static int take_flow(struct report *r, json_t *record)
{
	_cleanup_free_ char *key = NULL, *sets = value_text(json_at(record, "datasets"), FORMAT_NAMES, NULL);
	const json_t *remote = json_object_get(record, "remote"), *port = json_at(remote, "port");
	json_t *row;
	bool fresh;
	int err;

	if (!json_array_size(json_at(record, "datasets")))
		return 0; /* nothing tagged can have gone there */
	if (asprintf(&key, "%s\x1f%s\x1f%s\x1f%lld\x1f%s\x1f%s", text_at(record, "job"), text_at(record, "proto"),
		     text_at(remote, "addr"), (long long)json_integer_value(port), text_at(remote, "name"),
		     sets ? sets : "") < 0)
		return -ENOMEM;
	row = row_get(r, TABLE_DESTINATIONS, key, &fresh);
	if (!row)
		return -ENOMEM;
	err = fresh ? flow_begin(row, record) : 0;
	if (!err)
		err = add_figure(row, "bytes_out", json_object_get(record, "bytes_out"));
	if (!err)
		err = add_figure(row, "tainted_out", json_object_get(record, "tainted_out"));
	if (!err)
		err = note_left(r, record);
	if (!err)
		err = note_time(row, record);
	return err ? err : count_process(r, row, key, json_at(record, "process"));
}

/* --- transfers -------------------------------------------------------------------------------- */

/* "loader", "pipe", "file /ckpt/1": alike ones are one. */
static char *end_text(const json_t *end)
{
	const char *path = json_string_value(json_at(end, "object.path"));
	const char *kind = json_string_value(json_at(end, "object.kind")), *name = text_at(end, "object.name");
	char *text;

	if (json_at(end, "object"))
		return asprintf(&text, "%.*s%s%s", kind ? 64 : (int)strcspn(name, ":"), kind ? kind : name, path ? " " : "",
				path ? path : "") < 0
			   ? NULL
			   : text;
	return strdup(json_at(end, "process") ? text_at(end, "process.comm") : "?");
}

static int take_transfer(struct report *r, json_t *record)
{
	_cleanup_free_ char *key = NULL, *sets = value_text(json_at(record, "datasets"), FORMAT_NAMES, NULL);
	_cleanup_free_ char *declared = value_text(json_at(record, "declared"), FORMAT_NAMES, NULL);
	_cleanup_free_ char *from = end_text(json_object_get(record, "from")), *to = end_text(json_object_get(record, "to"));
	json_t *row;
	bool fresh;
	int err = 0;

	if (r->job)
		return 0; /* a transfer is between processes: it is of no job */
	if (!from || !to ||
	    asprintf(&key, "%s\x1f%s\x1f%s\x1f%s\x1f%s", text_at(record, "via"), from, to, sets ? sets : "",
		     declared ? declared : "") < 0)
		return -ENOMEM;
	row = row_get(r, TABLE_TRANSFERS, key, &fresh);
	if (!row)
		return -ENOMEM;
	if (fresh && (json_object_set_new(row, "from", json_string(from)) || json_object_set_new(row, "to", json_string(to))))
		err = -ENOMEM;
	if (fresh && !err)
		err = set(row, "via", json_object_get(record, "via"));
	if (fresh && !err)
		err = set(row, "datasets", json_object_get(record, "datasets"));
	if (fresh && !err)
		err = set(row, "declared", json_object_get(record, "declared"));
	if (!err)
		err = add_figure(row, "bytes", json_object_get(record, "bytes"));
	return err ? err : note_time(row, record);
}

/* --- findings, health -------------------------------------------------------------------------- */

static int take_finding(struct report *r, json_t *record)
{
	const char *id = text_at(record, "id"), *rule = text_at(record, "rule");
	bool known = json_object_get(r->findings, id);
	json_t *one = json_integer(1);
	int err = 0;

	if (!known && json_object_size(r->rules) < 256)
		err = add_figure(r->rules, rule, one);
	json_decref(one);
	if (err || (r->finding && strcmp(r->finding, id)))
		return err;
	if (!known && json_object_size(r->findings) >= FINDINGS_KEPT) {
		r->findings_left_out++;
		return 0;
	}
	return set(r->findings, id, record);
}

static int take_health(struct report *r, const json_t *record)
{
	json_t *gaps = json_object_get(record, "gaps");

	json_decref(r->gaps);
	r->gaps = json_incref(gaps);
	return 0;
}

/* --- a record ------------------------------------------------------------------------------------ */

/* Numbers run on by one while a monitor runs, and begin anew with the next one. */
static void note_seq(struct report *r, const json_t *record)
{
	json_int_t seq = json_integer_value(json_object_get(record, "seq"));

	if (seq > 1 && r->seq && seq > r->seq + 1)
		r->missing += (uint64_t)(seq - r->seq - 1);
	r->seq = seq;
}

static bool before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

static bool names(const json_t *list, const char *id)
{
	size_t i;
	json_t *v;

	json_array_foreach (list, i, v)
		if (json_is_string(v) && !strcmp(json_string_value(v), id))
			return true;
	return false;
}

static bool wanted(const struct report *r, const json_t *record, const struct timespec *at)
{
	const json_t *set = json_at(record, "dataset"), *sets = json_at(record, "datasets");

	if ((r->has_since && before(at, &r->since)) || (r->has_until && before(&r->until, at)))
		return false;
	if (r->dataset && set ? strcmp(r->dataset, json_string_value(set)) : r->dataset && !names(sets, r->dataset))
		return false;
	return !r->job || json_object_get(record, "via") || !strcmp(r->job, text_at(record, "job"));
}

static const struct {
	const char *type;
	bool (*good)(const json_t *record);
	int (*take)(struct report *r, json_t *record);
} kinds[] = {
	{"access", access_good, take_access},
	{"flow", flow_good, take_flow},
	{"transfer", transfer_good, take_transfer},
	{"finding", finding_good, take_finding},
};

static int take_wanted(struct report *r, json_t *record, const char *type, const char *time)
{
	if (!*r->first)
		snprintf(r->first, sizeof(r->first), "%s", time);
	snprintf(r->last, sizeof(r->last), "%s", time);
	r->records++;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(kinds[i].type, type))
			return kinds[i].take(r, record);
	return 0;
}

int report_take(void *arg, json_t *record, struct json_lines_why *ret_why)
{
	const char *type = json_string_value(json_object_get(record, "type"));
	const char *time = json_string_value(json_object_get(record, "time"));
	struct report *r = arg;
	struct timespec at;
	bool known = type && (!strcmp(type, "health") || !strcmp(type, "policy"));

	if (json_integer_value(json_object_get(record, "v")) != 1)
		return refuse(ret_why, "no record of version 1: is this what `sluice run --events` wrote?");
	if (!type || !time || strlen(time) >= TIME_LEN || time_parse(time, &at) ||
	    !json_is_integer(json_object_get(record, "seq")))
		return refuse(ret_why, "a record without type, time or seq");
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(kinds[i].type, type))
			continue;
		known = true;
		if (!kinds[i].good(record)) {
			snprintf(ret_why->text, sizeof(ret_why->text), "a record of type %s lacks a field, or one is of another kind",
				 kinds[i].type);
			return -EINVAL;
		}
	}
	note_seq(r, record);
	r->unknown += !known;
	if (!strcmp(type, "health"))
		return take_health(r, record);
	if (!known || !strcmp(type, "policy") || !wanted(r, record, &at))
		return 0;
	return take_wanted(r, record, type, time);
}

/* --- life, and the whole --------------------------------------------------------------------------- */

static int copy(char **to, const char *text)
{
	*to = text ? strdup(text) : NULL;
	return text && !*to ? -ENOMEM : 0;
}

int report_new(const struct report_wish *wish, struct report **ret)
{
	struct report *r = calloc(1, sizeof(*r));
	int err = r ? 0 : -ENOMEM;

	if (err)
		return err;
	r->rows_max = wish->rows ? wish->rows : REPORT_ROWS;
	r->has_since = wish->since;
	r->has_until = wish->until;
	r->since = wish->since ? *wish->since : r->since;
	r->until = wish->until ? *wish->until : r->until;
	for (unsigned t = 0; t < TABLES; t++)
		r->rows[t] = json_object();
	r->processes = json_object();
	r->findings = json_object();
	r->rules = json_object();
	r->left = json_object();
	if (copy(&r->dataset, wish->dataset) || copy(&r->job, wish->job) || copy(&r->finding, wish->finding) ||
	    users_new(&r->users) || !r->rows[0] || !r->rows[1] || !r->rows[2] || !r->processes || !r->findings || !r->rules ||
	    !r->left) {
		report_free(r);
		return -ENOMEM;
	}
	*ret = r;
	return 0;
}

struct report *report_free(struct report *r)
{
	if (!r)
		return NULL;
	for (unsigned t = 0; t < TABLES; t++)
		json_decref(r->rows[t]);
	json_decref(r->processes);
	json_decref(r->findings);
	json_decref(r->rules);
	json_decref(r->left);
	json_decref(r->gaps);
	users_free(r->users);
	free(r->dataset);
	free(r->job);
	free(r->finding);
	free(r);
	return NULL;
}

bool report_found(const struct report *r, const char *rule)
{
	return !strcmp(rule, "any") ? json_object_size(r->rules) > 0 : json_object_get(r->rules, rule) != NULL;
}

json_t *report_finding(const struct report *r, const char *id)
{
	return json_object_get(r->findings, id);
}

static json_t *values(const json_t *object)
{
	json_t *list = json_array(), *v;
	const char *key;

	json_object_foreach ((json_t *)object, key, v)
		json_array_append(list, v);
	return list;
}

static json_t *json_time(bool given, const struct timespec *t)
{
	char text[TIME_LEN];

	return given ? json_string(time_rfc3339(text, t)) : json_null();
}

static json_t *json_text(const char *text)
{
	return text && *text ? json_string(text) : json_null();
}

json_t *report_document(const struct report *r, const struct json_lines_end *end)
{
	struct timespec now;
	char time[TIME_LEN];
	json_t *d;

	clock_gettime(CLOCK_REALTIME, &now);
	d = json_pack("{s:i, s:s, s:s, s:{s:o, s:o, s:o, s:o}, s:{s:I, s:I, s:o, s:o, s:I, s:I, s:I, s:b}}", "v", 1, "type",
		      "report", "time", time_rfc3339(time, &now), "asked", "dataset", json_text(r->dataset), "job",
		      json_text(r->job), "since", json_time(r->has_since, &r->since), "until",
		      json_time(r->has_until, &r->until), "records", "read", (json_int_t)end->lines, "used",
		      (json_int_t)r->records, "first", json_text(r->first), "last", json_text(r->last), "missing",
		      (json_int_t)r->missing, "unknown", (json_int_t)r->unknown, "findings_left_out",
		      (json_int_t)r->findings_left_out, "torn", (int)end->torn);
	for (unsigned t = 0; d && t < TABLES; t++)
		json_object_set_new(d, table_names[t], r->job && t == TABLE_TRANSFERS ? json_null() : values(r->rows[t]));
	if (!d || json_object_set_new(d, "findings", values(r->findings)) || json_object_set(d, "left", r->left) ||
	    json_object_set(d, "coverage", r->gaps ? r->gaps : json_null())) {
		json_decref(d);
		return NULL;
	}
	return d;
}
