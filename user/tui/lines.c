/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/tui/lines.h"

#include <stdarg.h>
#include <string.h>

#include "user/array.h"
#include "user/table_text.h"
#include "user/value_text.h"

#define LINES_MAX 2000
#define PATH_BYTES 256
#define DEEPEST 6
#define HOPS_MAX 64
#define TIME_AT 11 /* in an RFC 3339 time, the time of day */

static int put(struct lines *l, enum style style, size_t label, unsigned hang, char *text)
{
	int err = text ? 0 : -ENOMEM;

	if (!err && l->n == LINES_MAX) {
		l->left_out++;
		free(text);
		return 0;
	}
	if (!err)
		err = array_grow((void **)&l->v, &l->max, l->n + 1, sizeof(*l->v));
	if (err) {
		free(text);
		return err;
	}
	l->v[l->n++] = (struct line){.text = text, .label = label, .hang = hang, .style = style};
	return 0;
}

int lines_add(struct lines *l, enum style style, const char *format, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, format);
	int n = vasprintf(&text, format, ap);
	va_end(ap);
	return put(l, style, 0, 0, n < 0 ? NULL : text);
}

int lines_pair(struct lines *l, enum style style, unsigned column, const char *label, const char *value)
{
	unsigned wide = text_width(label);
	char *text = NULL;
	int n = asprintf(&text, "%s%*s %s", label, wide < column ? (int)(column - wide) : 0, "", value ? value : "?");

	return put(l, style, strlen(label), column ? MAX(wide, column) + 1 : 0, n < 0 ? NULL : text);
}

void lines_clear(struct lines *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i].text);
	free(l->v);
	*l = (struct lines){0};
}

/* --- an item, whole ------------------------------------------------------------ */

static bool all_plain(const json_t *list)
{
	size_t i;
	json_t *one;

	json_array_foreach (list, i, one)
		if (json_is_object(one) || json_is_array(one))
			return false;
	return true;
}

static int add_value(struct lines *l, const char *path, const json_t *value, unsigned depth);

static int add_members(struct lines *l, const char *path, const json_t *value, unsigned depth)
{
	char below[PATH_BYTES];
	const char *name;
	json_t *one;
	size_t i;
	int err = 0;

	json_object_foreach ((json_t *)value, name, one) {
		if (*name == '\001') /* ours: see data.c */
			continue;
		snprintf(below, sizeof(below), "%s%s%s", path, *path ? "." : "", name);
		err = err ? err : add_value(l, below, one, depth + 1);
	}
	json_array_foreach (value, i, one) {
		snprintf(below, sizeof(below), "%s[%zu]", path, i);
		err = err ? err : add_value(l, below, one, depth + 1);
	}
	return err;
}

/* What has bytes in its name is told in units too. */
static bool is_size(const char *path)
{
	static const char *const words[] = {"bytes", "leak_bound", "exposed", "tainted_out", "volume"};

	if (strstr(path, "share"))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strstr(path, words[i]))
			return true;
	return false;
}

static int add_text(struct lines *l, const char *path, const char *text)
{
	char label[PATH_BYTES + 2];

	snprintf(label, sizeof(label), "%s:", path);
	return lines_pair(l, STYLE_TEXT, 0, label, text);
}

static char *in_units(char buf[static SIZE_LEN], const char *path, uint64_t bytes)
{
	bool bound = strstr(path, "leak_bound") || strstr(path, "volume");

	return bound ? size_iec_most(buf, bytes) : size_iec(buf, bytes);
}

static int add_plain(struct lines *l, const char *path, const json_t *value)
{
	_cleanup_free_ char *text = value_text(value, json_is_array(value) ? FORMAT_NAMES : FORMAT_TEXT, NULL);
	_cleanup_free_ char *more = NULL;
	char size[SIZE_LEN];
	bool sized = json_is_integer(value) && json_integer_value(value) >= 1024 && is_size(path);

	if (sized && asprintf(&more, "%s (%s)", text ? text : "?", in_units(size, path, (uint64_t)json_integer_value(value))) < 0)
		return -ENOMEM;
	return add_text(l, path, json_is_null(value) ? "?" : more ? more : text);
}

static int add_value(struct lines *l, const char *path, const json_t *value, unsigned depth)
{
	bool deep = (json_is_object(value) && json_object_size(value)) || (json_is_array(value) && !all_plain(value));

	if (deep && depth < DEEPEST)
		return add_members(l, path, value, depth);
	if (json_is_object(value) || deep)
		return add_text(l, path, deep ? "…" : "-");
	return add_plain(l, path, value);
}

int lines_item(struct lines *l, const json_t *item)
{
	return add_members(l, "", item, 0);
}

/* --- a finding's chain ----------------------------------------------------------- */

/* The documents say what kind each end is; the sign before it says so here. */
static const char *end_name(const char *end)
{
	static const char *const kinds[] = {"process ", "file "};

	for (size_t i = 0; end && i < ARRAY_SIZE(kinds); i++)
		if (!strncmp(end, kinds[i], strlen(kinds[i])))
			return end + strlen(kinds[i]);
	return end ? end : "?";
}

static int add_hop(struct lines *l, const json_t *hop, bool last, unsigned names, enum style style)
{
	const char *to = end_name(json_string_value(json_at(hop, "to"))), *via = json_string_value(json_at(hop, "via"));
	const char *time = json_string_value(json_at(hop, "time"));
	_cleanup_free_ char *bytes = value_text(json_at(hop, "bytes"), FORMAT_SIZE, NULL);
	unsigned wide = text_width(to);
	char at[16] = "";

	if (time && strlen(time) > TIME_AT + 12)
		snprintf(at, sizeof(at), "%.12s", time + TIME_AT);
	/* cells, not bytes: what was not counted is a sign of two bytes */
	return lines_add(l, style, " %s─ %-12s %*s%s → %s%*s  %s", last ? "└" : "├", via ? via : "?",
			 (int)(9 - MIN(text_width(bytes ? bytes : "·"), 9u)), "", bytes ? bytes : "·", to,
			 wide < names ? (int)(names - wide) : 0, "", at);
}

int lines_chain(struct lines *l, const json_t *finding)
{
	const json_t *chain = json_at(finding, "chain");
	size_t n = json_array_size(chain), shown = MIN(n, (size_t)HOPS_MAX);
	const char *from = json_string_value(json_at(json_array_get(chain, 0), "from"));
	const char *class = json_string_value(json_at(finding, "remote.class"));
	unsigned names = 0;
	int err = n ? lines_add(l, STYLE_TAINT, " ● %s", from ? from : "?") : 0;

	for (size_t i = 0; i < shown; i++)
		names = MAX(names, text_width(end_name(json_string_value(json_at(json_array_get(chain, i), "to")))));
	for (size_t i = 0; i < shown && !err; i++) {
		bool last = i + 1 == n;

		err = add_hop(l, json_array_get(chain, i), last, MIN(names, 48u), last ? theme_class(class) : STYLE_TEXT);
	}
	if (!err && n > shown)
		err = lines_add(l, STYLE_DIM, "   … and %zu hops more", n - shown);
	return err;
}
