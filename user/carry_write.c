/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/carry_state.h"

#include <string.h>

#include "user/export/record_fields.h"

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

/* Takes over the line; NULL: no memory. */
static int write_line(struct json_text *to, json_t *line)
{
	int err = line ? json_write(to, line) : -ENOMEM;

	json_decref(line);
	return err ? err : json_write_raw(to, "\n", 1);
}

int carry_write_head(struct json_text *to, const struct carry_head *h)
{
	return write_line(to, json_pack("{s:i, s:s, s:s, s:o, s:o}", "v", 1, "type", "lineage", "boot", h->boot, "boot_ns",
					number(h->boot_ns), "wall_offset", number((uint64_t)h->wall_offset)));
}

/* From the oldest slot that holds something on. */
static json_t *json_spent(const struct carried_dataset *d)
{
	json_t *list = json_array();

	for (unsigned i = 0; list && i < BUDGET_SLOTS; i++) {
		if (d->spent[i] && json_array_append_new(list, json_pack("[i, o]", (int)i, number(d->spent[i])))) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

int carry_write_set(struct json_text *to, const struct carry_set *s)
{
	const struct carried_dataset *d = &s->is;
	json_t *line = json_pack("{s:s, s:s, s:o, s:o, s:o, s:b}", "type", "dataset", "id", s->id, "total", number(MIN(d->total, (uint64_t)INT64_MAX)),
				 "size", number(d->size), "files", number(d->files), "shrank", d->shrank);
	int err = line && (!s->path || !json_object_set_new(line, "path", json_string(s->path))) ? 0 : -ENOMEM;

	if (!err && d->spent_slot_ns)
		err = json_object_set_new(line, "spent_slot_ns", number(d->spent_slot_ns)) ||
				      json_object_set_new(line, "spent_until_ns", number(d->spent_until_ns)) ||
				      json_object_set_new(line, "spent", json_spent(d))
			  ? -ENOMEM
			  : 0;
	if (!err)
		return write_line(to, line);
	json_decref(line);
	return err;
}

/* --- holders: of these there are many --------------------------------------------- */

static int put(struct json_text *to, const char *text)
{
	return json_write_raw(to, text, strlen(text));
}

/* `key` with what stands before it: {"ino": or ,"dev": */
static int put_number(struct json_text *to, const char *key, uint64_t n)
{
	int err = put(to, key);

	return err ? err : json_write_number(to, (int64_t)n);
}

/* Made safe, and so UTF-8. */
static int put_safe(struct json_text *to, const char *key, const char *text)
{
	char safe[4096];
	int err = put(to, key);

	text_safe(safe, sizeof(safe), text, strlen(text));
	return err ? err : json_write_text(to, safe);
}

static int put_hop(struct json_text *to, const struct hop *h, bool first)
{
	int err = put_safe(to, first ? "[" : ",[", h->from);

	if (!err)
		err = put_safe(to, ",", h->to);
	if (!err)
		err = put_safe(to, ",", h->via);
	if (!err)
		err = h->counted ? put_number(to, ",", h->bytes) : put(to, ",null");
	if (!err)
		err = put_number(to, ",", h->time_ns);
	return err ? err : put(to, "]");
}

static int put_way(struct json_text *to, const struct carried *c)
{
	int err = put(to, ",\"way\":[");

	for (size_t i = 0; i < MIN(c->nchain, (size_t)CARRY_HOPS_MAX) && !err; i++)
		err = put_hop(to, &c->chain[i], !i);
	return err ? err : put(to, "]");
}

static int put_hex(struct json_text *to, const char *key, const void *data, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	int err = put(to, key);

	if (!err)
		err = put(to, "\"");
	for (size_t i = 0; i < n && !err; i++) {
		unsigned char c = ((const unsigned char *)data)[i];

		err = json_write_raw(to, (const char[]){digits[c >> 4], digits[c & 15]}, 2);
	}
	return err ? err : put(to, "\"");
}

static bool is_utf8(const char *s)
{
	size_t left = strlen(s), n;
	uint32_t cp;

	while ((n = utf8_next(s, left, &cp))) {
		s += n;
		left -= n;
	}
	return !left;
}

/* A name is any bytes: what is no UTF-8 is written as hex, under another key. */
static int put_name(struct json_text *to, const char *name)
{
	int err;

	if (!name)
		return 0;
	if (!is_utf8(name))
		return put_hex(to, ",\"path_hex\":", name, strlen(name));
	err = put(to, ",\"path\":");
	return err ? err : json_write_text(to, name);
}

static int put_object(struct json_text *to, const struct carry_holder *h)
{
	int err = put_safe(to, "{\"type\":\"object\",\"kind\":", object_kind_name(h->kind));

	if (!err)
		err = put_number(to, ",\"ino\":", h->what.ino);
	if (!err)
		err = put_number(to, ",\"dev\":", h->what.dev);
	if (!err)
		err = put_number(to, ",\"gen\":", h->what.gen);
	if (!err)
		err = put_name(to, h->path);
	if (!err && h->open)
		err = put(to, ",\"open\":true");
	if (!err && h->pending)
		err = put(to, ",\"pending\":true");
	if (!err && h->inode)
		err = put_number(to, ",\"inode\":", h->inode);
	if (err || !h->handle.length)
		return err;
	err = put_number(to, ",\"handle_type\":", (uint64_t)h->handle.type);
	return err ? err : put_hex(to, ",\"handle\":", h->handle.bytes, h->handle.length);
}

static int put_process(struct json_text *to, const struct carry_holder *h)
{
	int err = put_number(to, "{\"type\":\"process\",\"start_ns\":", h->who.start_ns);

	if (!err)
		err = put_number(to, ",\"pid\":", h->who.tgid);
	return err ? err : put_number(to, ",\"exec\":", h->who.exec);
}

int carry_write_holder(struct json_text *to, const char *dataset, const struct carry_holder *h)
{
	size_t before = to->len;
	int err = h->is_object ? put_object(to, h) : put_process(to, h);

	if (!err)
		err = put_safe(to, ",\"dataset\":", dataset);
	if (!err)
		err = put_number(to, ",\"bound\":", MIN(h->is.bound, (uint64_t)INT64_MAX));
	if (!err)
		err = put_number(to, ",\"exposed\":", MIN(h->is.exposed, (uint64_t)INT64_MAX));
	if (!err)
		err = put_number(to, ",\"since_ns\":", h->is.since_ns);
	if (!err)
		err = put_way(to, &h->is);
	if (!err)
		err = put(to, "}\n");
	if (err)
		to->len = before;
	return err;
}

int carry_write_end(struct json_text *to, uint64_t holders)
{
	return write_line(to, json_pack("{s:s, s:o}", "type", "end", "holders", number(holders)));
}
