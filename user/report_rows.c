/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Records become rows: those that are alike are one, and beyond the most there may be all others are. */
#include "user/report_internal.h"

#include <string.h>

#include "user/policy/users.h"
#include "user/value_text.h"

#define PROCESSES_MAX 262144 /* told apart, in all rows together */

const char *report_text_at(const json_t *v, const char *path)
{
	const char *s = json_string_value(json_at(v, path));

	return s ? s : "";
}

int report_set(json_t *to, const char *key, const json_t *value)
{
	return json_object_set(to, key, value ? (json_t *)value : json_null()) ? -ENOMEM : 0;
}

int report_add_figure(json_t *row, const char *key, const json_t *more)
{
	json_t *had = json_object_get(row, key);
	json_int_t sum;

	if (!json_is_integer(more))
		return had ? 0 : report_set(row, key, NULL);
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
		     report_text_at(process, "start")) < 0)
		return -ENOMEM;
	known = json_object_get(r->processes, id);
	if (known)
		return 0;
	if (json_object_size(r->processes) >= PROCESSES_MAX)
		return json_object_set_new(row, "processes_exact", json_false()) ? -ENOMEM : 0;
	if (json_object_set_new(r->processes, id, json_true()))
		return -ENOMEM;
	json_t *one = json_integer(1);
	int err = report_add_figure(row, "processes", one);

	json_decref(one);
	return err;
}

static int note_time(json_t *row, const json_t *record)
{
	int err = json_object_get(row, "first") ? 0 : report_set(row, "first", json_at(record, "time"));

	return err ? err : report_set(row, "last", json_at(record, "time"));
}

/* --- access ------------------------------------------------------------------------------ */

static int access_begin(struct report *r, json_t *row, const json_t *record)
{
	const json_t *uid = json_at(record, "process.uid");
	const char *name = json_is_integer(uid) && r->users ? users_name(r->users, (uint32_t)json_integer_value(uid)) : NULL;
	int err = report_set(row, "dataset", json_at(record, "dataset"));

	if (!err)
		err = report_set(row, "job", json_at(record, "job"));
	if (!err)
		err = report_set(row, "uid", uid);
	if (!err && json_object_set_new(row, "user", name ? json_string(name) : json_null()))
		err = -ENOMEM;
	if (!err)
		err = report_set(row, "exe", json_at(record, "process.exe"));
	if (!err)
		err = report_set(row, "comm", json_at(record, "process.comm"));
	if (!err)
		err = report_set(row, "pid", json_at(record, "process.pid"));
	return err ? err : json_object_set_new(row, "bytes", json_object());
}

static int access_add(json_t *row, const json_t *record)
{
	json_t *bytes = json_object_get(row, "bytes"), *more;
	const char *kind;
	int err = report_add_figure(row, "ops", json_object_get(record, "ops"));

	if (!err)
		err = report_add_figure(row, "files", json_object_get(record, "files"));
	json_object_foreach (json_object_get(record, "bytes"), kind, more) {
		if (!err && json_object_size(bytes) < 16)
			err = report_add_figure(bytes, kind, more);
		if (!err)
			err = report_add_figure(row, "bytes_total", more);
	}
	if (!err && (!json_object_get(row, "exact") || json_is_false(json_at(record, "exact"))))
		err = report_set(row, "exact", json_at(record, "exact"));
	return err ? err : note_time(row, record);
}

int report_take_access(struct report *r, json_t *record)
{
	_cleanup_free_ char *key = NULL;
	const json_t *process = json_at(record, "process");
	const char *exe = report_text_at(process, "exe");
	json_t *row;
	bool fresh;
	int err;

	if (json_object_get(record, "credential"))
		return 0; /* of no dataset; what it means is a finding */
	if (asprintf(&key, "%s\x1f%s\x1f%lld\x1f%s", report_text_at(record, "dataset"), report_text_at(record, "job"),
		     json_at(process, "uid") ? (long long)json_integer_value(json_at(process, "uid")) : -1LL,
		     *exe ? exe : report_text_at(process, "comm")) < 0)
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

/* A proxy goes on to what it is asked for. */
static bool is_outside(const json_t *remote)
{
	static const char *const inside[] = {"host", "vpc", "imds", "dns"};
	const char *class = report_text_at(remote, "class");

	if (!strcmp(class, "vpc") && !strcmp(report_text_at(remote, "name_source"), "connect"))
		return true;
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
		err = report_add_figure(r->left, name, out);
	}
	return err;
}

static int flow_begin(json_t *row, const json_t *record)
{
	static const char *const copied[] = {"job", "proto", "remote", "datasets", "encrypted"};
	int err = json_object_set_new(row, "outside", json_boolean(is_outside(json_object_get(record, "remote"))));

	for (size_t i = 0; i < ARRAY_SIZE(copied) && !err; i++)
		err = report_set(row, copied[i], json_object_get(record, copied[i]));
	if (!err)
		err = report_set(row, "comm", json_at(record, "process.comm"));
	return err ? err : report_set(row, "pid", json_at(record, "process.pid"));
}

int report_take_flow(struct report *r, json_t *record)
{
	_cleanup_free_ char *key = NULL, *sets = value_text(json_at(record, "datasets"), FORMAT_NAMES, NULL);
	const json_t *remote = json_object_get(record, "remote"), *port = json_at(remote, "port");
	json_t *row;
	bool fresh;
	int err;

	if (!json_array_size(json_at(record, "datasets")))
		return 0; /* nothing tagged can have gone there */
	if (asprintf(&key, "%s\x1f%s\x1f%s\x1f%lld\x1f%s\x1f%s", report_text_at(record, "job"), report_text_at(record, "proto"),
		     report_text_at(remote, "addr"), (long long)json_integer_value(port), report_text_at(remote, "name"),
		     sets ? sets : "") < 0)
		return -ENOMEM;
	row = row_get(r, TABLE_DESTINATIONS, key, &fresh);
	if (!row)
		return -ENOMEM;
	err = fresh ? flow_begin(row, record) : 0;
	if (!err)
		err = report_add_figure(row, "bytes_out", json_object_get(record, "bytes_out"));
	if (!err)
		err = report_add_figure(row, "tainted_out", json_object_get(record, "tainted_out"));
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
	const char *kind = json_string_value(json_at(end, "object.kind")), *name = report_text_at(end, "object.name");
	char *text;

	if (json_at(end, "object"))
		return asprintf(&text, "%.*s%s%s", kind ? 64 : (int)strcspn(name, ":"), kind ? kind : name, path ? " " : "",
				path ? path : "") < 0
			   ? NULL
			   : text;
	return strdup(json_at(end, "process") ? report_text_at(end, "process.comm") : "?");
}

int report_take_transfer(struct report *r, json_t *record)
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
	    asprintf(&key, "%s\x1f%s\x1f%s\x1f%s\x1f%s", report_text_at(record, "via"), from, to, sets ? sets : "",
		     declared ? declared : "") < 0)
		return -ENOMEM;
	row = row_get(r, TABLE_TRANSFERS, key, &fresh);
	if (!row)
		return -ENOMEM;
	if (fresh && (json_object_set_new(row, "from", json_string(from)) || json_object_set_new(row, "to", json_string(to))))
		err = -ENOMEM;
	if (fresh && !err)
		err = report_set(row, "via", json_object_get(record, "via"));
	if (fresh && !err)
		err = report_set(row, "datasets", json_object_get(record, "datasets"));
	if (fresh && !err)
		err = report_set(row, "declared", json_object_get(record, "declared"));
	if (!err)
		err = report_add_figure(row, "bytes", json_object_get(record, "bytes"));
	return err ? err : note_time(row, record);
}
