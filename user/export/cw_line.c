/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A journal's line as CloudWatch Logs is to have it. */
#include "user/export/cw_batch.h"

#include <string.h>

#include "user/export/cw_cursor.h"

#define MEMBER_MAX 4096 /* of what is kept of a record that is too long */
#define LEFT_OUT_MAX 64 /* members that are named */

static bool is_text(const json_t *record, const char *name, const char *text)
{
	const char *v = json_string_value(json_object_get(record, name));

	return v && !strcmp(v, text);
}

int cw_line_read(const char *text, size_t len, struct cw_line *ret)
{
	struct timespec wall;
	json_error_t why;
	json_t *record = memchr(text, '\0', len) ? NULL : json_loadb(text, len, 0, &why);

	if (!record)
		return memchr(text, '\0', len) || json_error_code(&why) != json_error_out_of_memory ? -EBADMSG : -ENOMEM;
	if (!json_is_object(record)) {
		json_decref(record);
		return -EBADMSG;
	}
	const char *time = json_string_value(json_object_get(record, "time"));
	*ret = (struct cw_line){.record = record};
	if (time && !time_parse(time, &wall) && wall.tv_sec >= 0) {
		ret->timed = true;
		ret->ms = wall.tv_sec * 1000 + wall.tv_nsec / 1000000;
	}
	ret->urgent = is_text(record, "type", "finding") &&
		      (is_text(record, "severity", "high") || is_text(record, "severity", "critical"));
	return 0;
}

/* --- too long ------------------------------------------------------------------------------ */

static bool in_head(const char *name)
{
	static const char *const head[] = {"v", "type", "time", "seq", "host"};

	for (size_t i = 0; i < ARRAY_SIZE(head); i++)
		if (!strcmp(name, head[i]))
			return true;
	return false;
}

static json_t *head_of(const json_t *record, const char *text, size_t len, bool host)
{
	static const char *const names[] = {"v", "type", "time", "seq", "host"};
	json_t *cut = json_object();
	char hash[65];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		json_t *v = json_object_get(record, names[i]);

		if (v && (host || i < 4))
			json_object_set(cut, names[i], v);
	}
	if (!cut || cw_digest(text, len, hash) || json_object_set_new(cut, "truncated", json_true()) ||
	    json_object_set_new(cut, "size", json_integer((json_int_t)len)) ||
	    json_object_set_new(cut, "sha256", json_string(hash))) {
		json_decref(cut);
		return NULL;
	}
	return cut;
}

static size_t size_of(const json_t *v)
{
	return json_dumpb(v, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY);
}

/* What is short is kept, what is long is named, as far as there is room. */
static int add_members(json_t *cut, const json_t *record, size_t room)
{
	json_t *left_out = json_array(), *v;
	const char *name;
	int err = left_out ? 0 : -ENOMEM;

	json_object_foreach ((json_t *)(uintptr_t)record, name, v) {
		size_t size = size_of(v) + strlen(name) * 6 + 4;

		if (err || in_head(name) || json_object_get(cut, name))
			continue;
		if (size <= MEMBER_MAX && size <= room) {
			err = json_object_set(cut, name, v) ? -ENOMEM : 0;
			room -= size;
		} else if (strlen(name) * 6 + 4 <= room && json_array_size(left_out) < LEFT_OUT_MAX) {
			err = json_array_append_new(left_out, json_string(name)) ? -ENOMEM : 0;
			room -= strlen(name) * 6 + 4;
		}
	}
	if (!err && json_object_set(cut, "left_out", left_out))
		err = -ENOMEM;
	json_decref(left_out);
	return err;
}

int cw_line_cut(const json_t *record, const char *text, size_t len, size_t max, char **ret, size_t *ret_len)
{
	json_t *cut = head_of(record, text, len, true);
	size_t head = cut ? size_of(cut) + sizeof(",\"left_out\":[]") : 0;
	int err = 0;

	if (cut && head > max) {
		json_decref(cut);
		cut = head_of(record, text, len, false);
		head = cut ? size_of(cut) + sizeof(",\"left_out\":[]") : 0;
	}
	if (cut)
		err = head > max ? -EFBIG : add_members(cut, record, max - head);
	char *out = cut && !err ? json_dumps(cut, JSON_COMPACT) : NULL;
	json_decref(cut);
	if (!out)
		return err ? err : -ENOMEM;
	*ret = out;
	*ret_len = strlen(out);
	return 0;
}
