/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Which process holds how much of which data, as a list or under those that it comes from. */
#include "user/tui/view.h"

#include <string.h>

static char *process_text(const json_t *item, const char *now)
{
	_cleanup_free_ char *name = value_text(item, FORMAT_SUBJECT, NULL);
	bool ended = json_is_false(json_at(item, "alive")) && json_at(item, "process");
	char *text;

	if (!name)
		return NULL;
	return asprintf(&text, "%s%s", name, ended ? " ×" : "") < 0 ? NULL : text;
}

static enum style process_style(const json_t *item)
{
	return json_is_false(json_at(item, "alive")) ? STYLE_DIM : STYLE_TEXT;
}

static char *user_name(const json_t *item, const char *now)
{
	return user_text(json_at(item, "process.uid"));
}

static bool read_number(const json_t *item, double *ret)
{
	return sum_of(json_at(item, "bytes"), ret);
}

static char *size_text(double bytes)
{
	char text[SIZE_LEN];

	return strdup(size_iec(text, bytes_of(bytes)));
}

static char *read_text(const json_t *item, const char *now)
{
	double sum;

	return read_number(item, &sum) ? size_text(sum) : NULL;
}

static bool holds_number(const json_t *item, double *ret)
{
	return sum_of(json_at(item, "volume"), ret);
}

/* Only what it can hold a byte of. */
static char *holds_text(const json_t *item, const char *now)
{
	const json_t *volume = json_at(item, "volume");
	_cleanup_free_ char *all = NULL;
	json_t *some, *value;
	const char *name;
	void *next;
	char *text;

	if (!json_is_object(volume))
		return NULL;
	some = json_copy((json_t *)volume);
	json_object_foreach_safe (some, next, name, value)
		if (json_is_integer(value) && json_integer_value(value) == 0)
			json_object_del(some, name);
	if (json_object_size(some))
		all = value_text(some, FORMAT_BOUNDS, NULL);
	json_decref(some);
	return asprintf(&text, "%s%s", all ? "● " : "-", all ? all : "") < 0 ? NULL : text;
}

static enum style holds_style(const json_t *item)
{
	double sum;

	return holds_number(item, &sum) && sum > 0 ? STYLE_TAINT : STYLE_DIM;
}

/* By what it came to it, the greatest first. */
static char *ways_text(const json_t *item, const char *now)
{
	const json_t *first = json_array_get(json_at(item, "received"), 0);
	size_t n = json_array_size(json_at(item, "received")) + (size_t)json_integer_value(json_at(item, "received_more"));
	_cleanup_free_ char *from = value_text(json_at(first, "from"), FORMAT_NAMES, NULL);
	const char *via = json_string_value(json_at(first, "via"));
	bool known = json_array_size(json_at(first, "from")) > 0;
	char more[32] = "", *text;

	if (!first)
		return strdup("-");
	if (n > 1)
		snprintf(more, sizeof(more), " +%zu", n - 1);
	return asprintf(&text, "%s%s%s%s", via ? via : "?", known ? " ← " : "", known && from ? from : "", more) < 0 ? NULL : text;
}

// clang-format off
static const struct column columns[] = {
	{.title = "PROCESS", .path = "process.comm", .least = 20, .most = 44, .text = process_text, .style = process_style},
	{.title = "USER", .path = "process.uid", .least = 6, .most = 16, .rank = 4, .text = user_name},
	{.title = "JOB", .path = "job", .least = 12, .most = 40, .rank = 3},
	{.title = "MAY HOLD", .path = "volume", .least = 18, .most = 44, .text = holds_text, .number = holds_number,
	 .style = holds_style},
	{.title = "READ", .path = "bytes", .right = true, .least = 8, .figures = IN_TOTALS, .rank = 1, .text = read_text,
	 .number = read_number},
	{.title = "READ/s", .path = "bytes.read", .rate = true, .right = true, .least = 8, .rank = 1, .figures = IN_RATES},
	{.title = "MAPPED", .path = "bytes.mmap", .format = FORMAT_SIZE, .right = true, .least = 8, .rank = 5, .figures = IN_TOTALS},
	{.title = "OUT", .path = "bytes_out", .format = FORMAT_SIZE, .right = true, .least = 8, .rank = 2, .figures = IN_TOTALS},
	{.title = "OUT/s", .path = "bytes_out", .rate = true, .right = true, .least = 8, .rank = 2, .figures = IN_RATES},
	{.title = "TAINTED", .path = "tainted_out", .format = FORMAT_SIZE, .right = true, .least = 8,
	 .figures = IN_TOTALS | IN_BOUNDS, .style = style_tainted},
	{.title = "TAINTED/s", .path = "tainted_out", .rate = true, .right = true, .least = 9, .rank = 1, .figures = IN_RATES,
	 .style = style_tainted},
	{.title = "RECEIVED BY", .path = "received", .least = 18, .most = 48, .rank = 6, .figures = IN_BOUNDS, .text = ways_text,
	 .style = style_dim},
	{.title = "DNS NAMES", .path = "dns.names", .format = FORMAT_COUNT, .right = true, .least = 9, .rank = 8, .none = "-"},
	{.title = "EXECUTABLE", .path = "process.exe", .cut = CUT_START, .least = 14, .most = 60, .rank = 7, .style = style_dim},
};
// clang-format on

static uint64_t key(const json_t *item)
{
	uint64_t h = process_hash(hash_start(), json_object_get(item, "process"));

	h = hash_value(h, json_object_get(item, "image"));
	return hash_value(h, json_at(item, "process") ? NULL : json_object_get(item, "job"));
}

static char *name_of(const json_t *item)
{
	return value_text(item, FORMAT_SUBJECT, NULL);
}

const struct view_ops view_processes = {
	.name = "processes",
	.title = "Processes",
	.what = FEED_PROCESSES,
	.columns = columns,
	.ncolumns = ARRAY_SIZE(columns),
	.sort = 9,
	.figure = "tainted_out",
	.second = "bytes.read",
	.about = "which process holds how much of which data",
	.empty = "no process here has read tagged data, nor sent anything",
	.tree = true,
	.key = key,
	.name_of = name_of,
	.enter = &view_flows,
	.scope = SCOPE_PROCESS,
};
