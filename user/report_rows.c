/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Records become rows: the long way, which knows all of JSON and begins each row. */
#include "user/report_internal.h"

#include "user/policy/users.h"
#include "user/value_text.h"

const char *report_text_at(const json_t *v, const char *path)
{
	const char *s = json_string_value(json_at(v, path));

	return s ? s : "";
}

static int set(json_t *to, const char *key, const json_t *value)
{
	return json_object_set(to, key, value ? (json_t *)value : json_null()) ? -ENOMEM : 0;
}

static void add(struct figure *f, const json_t *more)
{
	figure_add(f, json_is_integer(more), json_integer_value(more));
}

/* The parts of a key, each behind the one before. Longer than a key may be: it is cut, and one byte too long. */
static size_t key_of(char *key, const char *const *parts, size_t n)
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		size_t part = strlen(parts[i]);

		if (len + part + 1 > REPORT_KEY_MAX)
			return REPORT_KEY_MAX + 1;
		memcpy(key + len, parts[i], part);
		len += part;
		key[len++] = '\x1f';
	}
	return len;
}

/* A list's texts, joined. NULL: no memory. */
static char *joined(const json_t *list)
{
	char *text = NULL;
	size_t n, i;
	FILE *f = open_memstream(&text, &n);
	json_t *v;

	if (!f)
		return NULL;
	json_array_foreach (list, i, v)
		fprintf(f, "%s\x1e", json_string_value(v) ? json_string_value(v) : "");
	if (!fclose(f))
		return text;
	free(text);
	return NULL;
}

static int count_process(struct report *r, struct row *row, const json_t *process)
{
	const char *start = report_text_at(process, "start");

	return json_is_object(process) ? row_process(r, row, json_integer_value(json_at(process, "pid")), start, strlen(start)) : 0;
}

static void note_time(struct row *row, const json_t *record)
{
	const char *time = report_text_at(record, "time");

	row_time(row, time, strlen(time));
}

/* --- access ------------------------------------------------------------------------------ */

static int access_begin(struct report *r, struct row *row, const json_t *record)
{
	static const char *const copied[][2] = {{"dataset", "dataset"}, {"job", "job"}, {"uid", "process.uid"}};
	static const char *const more[][2] = {{"exe", "process.exe"}, {"comm", "process.comm"}, {"pid", "process.pid"}};
	const json_t *uid = json_at(record, "process.uid");
	bool here = !strcmp(report_text_at(record, "host.name"), r->host); /* another host's numbers are other users' */
	const char *name = here && json_is_integer(uid) ? users_name(r->users, (uint32_t)json_integer_value(uid)) : NULL;
	int err = 0;

	row->told = json_object();
	for (size_t i = 0; i < ARRAY_SIZE(copied) && !err; i++)
		err = set(row->told, copied[i][0], json_at(record, copied[i][1]));
	if (!err && json_object_set_new(row->told, "user", name ? json_string(name) : json_null()))
		err = -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(more) && !err; i++)
		err = set(row->told, more[i][0], json_at(record, more[i][1]));
	return err;
}

static void access_add(struct row *row, const json_t *record)
{
	const json_t *exact = json_object_get(record, "exact");
	const char *kind;
	json_t *more;

	add(&row->figures[FIGURE_OPS], json_object_get(record, "ops"));
	add(&row->figures[FIGURE_FILES], json_object_get(record, "files"));
	json_object_foreach (json_object_get(record, "bytes"), kind, more) {
		struct figure *f = row_kind(row, kind, strlen(kind));

		if (f)
			add(f, more);
		add(&row->figures[FIGURE_BYTES_TOTAL], more);
	}
	if (!row->exact || json_is_false(exact))
		row->exact = json_is_boolean(exact) ? (json_is_true(exact) ? EXACT_YES : EXACT_NO) : EXACT_UNKNOWN;
	note_time(row, record);
}

int report_take_access(struct report *r, json_t *record)
{
	const json_t *process = json_at(record, "process"), *uid = json_at(process, "uid");
	const char *exe = report_text_at(process, "exe");
	char number[24];
	const char *parts[] = {report_text_at(record, "dataset"), report_text_at(record, "job"), number,
			       *exe ? exe : report_text_at(process, "comm")};
	struct row *row;
	int err;

	if (json_object_get(record, "credential"))
		return 0; /* of no dataset; what it means is a finding */
	snprintf(number, sizeof(number), "%lld", uid ? (long long)json_integer_value(uid) : -1LL);
	row = row_get(r, TABLE_ACCESS, r->key, key_of(r->key, parts, ARRAY_SIZE(parts)));
	if (!row)
		return -ENOMEM;
	err = row->told ? 0 : access_begin(r, row, record);
	if (!err)
		access_add(row, record);
	return err ? err : count_process(r, row, process);
}

/* --- flows ---------------------------------------------------------------------------------- */

bool report_outside(const char *class, size_t class_len, const char *source, size_t source_len)
{
	static const char *const inside[] = {"host", "vpc", "imds", "dns"};

	if (class_len == 3 && !memcmp(class, "vpc", 3) && source_len == 7 && !memcmp(source, "connect", 7))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(inside); i++)
		if (strlen(inside[i]) == class_len && !memcmp(class, inside[i], class_len))
			return false;
	return true;
}

static bool is_outside(const json_t *remote)
{
	const char *class = report_text_at(remote, "class"), *source = report_text_at(remote, "name_source");

	return report_outside(class, strlen(class), source, strlen(source));
}

static int note_left(struct report *r, const json_t *record)
{
	const json_t *out = json_object_get(record, "tainted_out");
	size_t i;
	json_t *id;
	int err = 0;

	json_array_foreach (json_object_get(record, "datasets"), i, id) {
		const char *name = json_string_value(id);

		if (name && !err && (!r->dataset || !strcmp(name, r->dataset)))
			err = left_add(r, name, strlen(name), json_is_integer(out), json_integer_value(out));
	}
	return err;
}

static int flow_begin(struct row *row, const json_t *record, bool outside)
{
	static const char *const copied[] = {"job", "proto", "remote", "datasets", "encrypted"};
	int err;

	row->told = json_object();
	err = row->told ? 0 : -ENOMEM;
	if (!err && json_object_set_new(row->told, "outside", json_boolean(outside)))
		err = -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(copied) && !err; i++)
		err = set(row->told, copied[i], json_object_get(record, copied[i]));
	if (!err)
		err = set(row->told, "comm", json_at(record, "process.comm"));
	return err ? err : set(row->told, "pid", json_at(record, "process.pid"));
}

int report_take_flow(struct report *r, json_t *record)
{
	const json_t *remote = json_object_get(record, "remote");
	_cleanup_free_ char *sets = joined(json_at(record, "datasets"));
	bool outside = is_outside(remote);
	char port[24];
	/* an address can be of another class later, when the VPC's ranges are known: what left is not mixed with what did not */
	const char *parts[] = {report_text_at(record, "job"),  report_text_at(record, "proto"),
			       report_text_at(remote, "addr"), port,
			       report_text_at(remote, "name"), report_text_at(remote, "class"),
			       outside ? "1" : "0",	       sets};
	struct row *row;
	int err;

	if (!json_array_size(json_at(record, "datasets")))
		return 0; /* nothing tagged can have gone there */
	if (!sets)
		return -ENOMEM;
	snprintf(port, sizeof(port), "%lld", (long long)json_integer_value(json_at(remote, "port")));
	row = row_get(r, TABLE_DESTINATIONS, r->key, key_of(r->key, parts, ARRAY_SIZE(parts)));
	if (!row)
		return -ENOMEM;
	err = row->told ? 0 : flow_begin(row, record, outside);
	if (err)
		return err;
	add(&row->figures[FIGURE_BYTES_OUT], json_object_get(record, "bytes_out"));
	add(&row->figures[FIGURE_TAINTED_OUT], json_object_get(record, "tainted_out"));
	note_time(row, record);
	err = outside ? note_left(r, record) : 0;
	return err ? err : count_process(r, row, json_at(record, "process"));
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

static int transfer_begin(struct row *row, const json_t *record, const char *from, const char *to)
{
	static const char *const copied[] = {"via", "datasets", "declared"};
	int err;

	row->told = json_pack("{s:s, s:s}", "from", from, "to", to);
	err = row->told ? 0 : -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(copied) && !err; i++)
		err = set(row->told, copied[i], json_object_get(record, copied[i]));
	return err;
}

int report_take_transfer(struct report *r, json_t *record)
{
	_cleanup_free_ char *sets = joined(json_at(record, "datasets")), *declared = joined(json_at(record, "declared"));
	_cleanup_free_ char *from = end_text(json_object_get(record, "from")), *to = end_text(json_object_get(record, "to"));
	const char *parts[] = {report_text_at(record, "via"), from, to, sets, declared};
	struct row *row;
	int err;

	if (r->job)
		return 0; /* a transfer is between processes: it is of no job */
	if (!from || !to || !sets || !declared)
		return -ENOMEM;
	row = row_get(r, TABLE_TRANSFERS, r->key, key_of(r->key, parts, ARRAY_SIZE(parts)));
	if (!row)
		return -ENOMEM;
	err = row->told ? 0 : transfer_begin(row, record, from, to);
	if (err)
		return err;
	add(&row->figures[FIGURE_BYTES], json_object_get(record, "bytes"));
	note_time(row, record);
	return 0;
}
