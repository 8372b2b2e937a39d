/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Who talks to what, connection by connection. */
#include "user/tui/view.h"

#include <string.h>

static char *holds_text(const json_t *item, const char *now)
{
	return datasets_text(json_at(item, "datasets"));
}

static enum style holds_style(const json_t *item)
{
	return json_array_size(json_at(item, "datasets")) ? STYLE_TAINT : STYLE_DIM;
}

static char *alive_text(const json_t *item, const char *now)
{
	const json_t *alive = json_at(item, "alive");

	return alive ? strdup(json_is_true(alive) ? "open" : "closed") : NULL;
}

static enum style alive_style(const json_t *item)
{
	return json_is_true(json_at(item, "alive")) ? STYLE_TEXT : STYLE_DIM;
}

static char *encrypted_text(const json_t *item, const char *now)
{
	const json_t *encrypted = json_at(item, "encrypted");

	return json_is_false(encrypted) ? strdup("NO") : value_text(encrypted, FORMAT_TEXT, now);
}

static enum style encrypted_style(const json_t *item)
{
	bool clear = json_is_false(json_at(item, "encrypted"));

	return clear && json_integer_value(json_at(item, "tainted_out")) > 0 ? STYLE_OUTSIDE : STYLE_TEXT;
}

static char *local_text(const json_t *item, const char *now)
{
	return value_text(json_at(item, "local"), FORMAT_REMOTE, NULL);
}

// clang-format off
static const struct column columns[] = {
	{.title = "PROCESS", .path = "process", .format = FORMAT_PROCESS, .least = 16, .most = 32, .style = alive_style},
	{.title = "JOB", .path = "job", .least = 12, .most = 40, .rank = 4},
	{.title = "PROTO", .path = "proto", .least = 5, .rank = 6},
	{.title = "DIR", .path = "direction", .least = 3, .rank = 6},
	{.title = "DESTINATION", .path = "remote", .format = FORMAT_REMOTE, .least = 20, .most = 60},
	{.title = "CLASS", .path = "remote.class", .least = 8, .most = 20, .number = class_number,
	 .style = style_class},
	{.title = "DATASETS", .path = "datasets", .least = 12, .most = 32, .rank = 3, .text = holds_text, .style = holds_style},
	{.title = "OUT", .path = "bytes_out", .format = FORMAT_SIZE, .right = true, .least = 8, .rank = 2, .figures = IN_TOTALS},
	{.title = "OUT/s", .path = "bytes_out", .rate = true, .right = true, .least = 8, .rank = 1, .figures = IN_RATES},
	{.title = "IN", .path = "bytes_in", .format = FORMAT_SIZE, .right = true, .least = 8, .rank = 5, .figures = IN_TOTALS},
	{.title = "IN/s", .path = "bytes_in", .rate = true, .right = true, .least = 8, .rank = 5, .figures = IN_RATES},
	{.title = "TAINTED", .path = "tainted_out", .format = FORMAT_SIZE, .right = true, .least = 8,
	 .figures = IN_TOTALS | IN_BOUNDS, .style = style_tainted},
	{.title = "TAINTED/s", .path = "tainted_out", .rate = true, .right = true, .least = 9, .rank = 1, .figures = IN_RATES,
	 .style = style_tainted},
	{.title = "ENCRYPTED", .path = "encrypted", .least = 9, .rank = 5, .text = encrypted_text, .style = encrypted_style},
	{.title = "STATE", .path = "alive", .least = 6, .rank = 6, .text = alive_text, .style = alive_style},
	{.title = "LOCAL", .path = "local", .least = 15, .most = 46, .rank = 7, .text = local_text, .style = style_dim},
};
// clang-format on

static uint64_t key(const json_t *item)
{
	uint64_t h = process_hash(hash_start(), json_object_get(item, "process"));
	const json_t *local = json_object_get(item, "local");

	h = remote_hash(h, json_object_get(item, "remote"));
	h = hash_value(hash_value(h, json_object_get(local, "addr")), json_object_get(local, "port"));
	return hash_value(h, json_object_get(item, "proto"));
}

static char *name_of(const json_t *item)
{
	return value_text(json_at(item, "remote"), FORMAT_REMOTE, NULL);
}

const struct view_ops view_flows = {
	.name = "flows",
	.title = "Flows",
	.what = FEED_FLOWS,
	.columns = columns,
	.ncolumns = ARRAY_SIZE(columns),
	.sort = 5,
	.figure = "tainted_out",
	.second = "tainted_out",
	.about = "who talks to what",
	.empty = "it sent nothing over a network",
	.key = key,
	.name_of = name_of,
	.enter = &view_findings,
	.scope = SCOPE_FLOW,
};
