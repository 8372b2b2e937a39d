/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Where bytes go: of which class, by which name or to whose bucket, and whether that is allowed. */
#include "user/tui/view.h"

#include <string.h>

static char *direction_text(const json_t *item, const char *now)
{
	const char *direction = json_string_value(json_at(item, "direction"));

	return direction ? strdup(!strcmp(direction, "in") ? "← in" : "→ out") : NULL;
}

static char *allowed_text(const json_t *item, const char *now)
{
	const json_t *allowed = json_at(item, "allowed");

	return strdup(!allowed ? "-" : json_is_true(allowed) ? "yes" : "NO");
}

static enum style allowed_style(const json_t *item)
{
	const json_t *allowed = json_at(item, "allowed");

	return !allowed ? STYLE_DIM : json_is_true(allowed) ? STYLE_GOOD : STYLE_OUTSIDE;
}

static bool allowed_number(const json_t *item, double *ret)
{
	const json_t *allowed = json_at(item, "allowed");

	*ret = !allowed ? 0 : json_is_true(allowed) ? 1 : 2;
	return true;
}

static char *holds_text(const json_t *item, const char *now)
{
	return datasets_text(json_at(item, "datasets"));
}

static enum style holds_style(const json_t *item)
{
	return json_array_size(json_at(item, "datasets")) ? STYLE_TAINT : STYLE_DIM;
}

// clang-format off
static const struct column columns[] = {
	{.title = "DESTINATION", .path = "remote", .format = FORMAT_REMOTE, .least = 20, .most = 60},
	{.title = "CLASS", .path = "remote.class", .least = 8, .most = 20, .number = class_number,
	 .style = style_class},
	{.title = "ALLOWED", .path = "allowed", .least = 7, .text = allowed_text, .number = allowed_number, .style = allowed_style},
	{.title = "BUCKET", .path = "remote.bucket", .least = 10, .most = 40, .rank = 5, .none = "-"},
	{.title = "DATASETS", .path = "datasets", .least = 12, .most = 32, .rank = 2, .text = holds_text, .style = holds_style},
	{.title = "JOBS", .path = "jobs", .format = FORMAT_NAMES, .least = 12, .most = 40, .rank = 3},
	{.title = "PROCESSES", .path = "processes", .format = FORMAT_NAMES, .least = 14, .most = 40, .rank = 6, .style = style_dim},
	{.title = "DIR", .path = "direction", .least = 5, .rank = 7, .text = direction_text},
	{.title = "PROTO", .path = "proto", .least = 5, .rank = 8},
	{.title = "FLOWS", .path = "flows", .format = FORMAT_COUNT, .right = true, .least = 5, .rank = 5},
	{.title = "OUT", .path = "bytes_out", .format = FORMAT_SIZE, .right = true, .least = 8, .rank = 1, .figures = IN_TOTALS},
	{.title = "OUT/s", .path = "bytes_out", .rate = true, .right = true, .least = 8, .rank = 1, .figures = IN_RATES},
	{.title = "IN", .path = "bytes_in", .format = FORMAT_SIZE, .right = true, .least = 8, .rank = 4, .figures = IN_TOTALS},
	{.title = "IN/s", .path = "bytes_in", .rate = true, .right = true, .least = 8, .rank = 4, .figures = IN_RATES},
	{.title = "TAINTED", .path = "tainted_out", .format = FORMAT_SIZE, .right = true, .least = 8,
	 .figures = IN_TOTALS | IN_BOUNDS, .style = style_tainted},
	{.title = "TAINTED/s", .path = "tainted_out", .rate = true, .right = true, .least = 9, .rank = 1, .figures = IN_RATES,
	 .style = style_tainted},
	{.title = "BECAUSE", .path = "because", .least = 16, .most = 70, .rank = 4, .style = style_dim},
};
// clang-format on

static uint64_t key(const json_t *item)
{
	uint64_t h = remote_hash(hash_start(), json_object_get(item, "remote"));

	return hash_value(hash_value(h, json_object_get(item, "proto")), json_object_get(item, "direction"));
}

static char *name_of(const json_t *item)
{
	return value_text(json_at(item, "remote"), FORMAT_REMOTE, NULL);
}

const struct view_ops view_destinations = {
	.name = "destinations",
	.title = "Destinations",
	.what = FEED_DESTINATIONS,
	.columns = columns,
	.ncolumns = ARRAY_SIZE(columns),
	.sort = 2,
	.figure = "tainted_out",
	.second = "tainted_out",
	.about = "where bytes go, and whether that is allowed",
	.empty = "nothing was sent anywhere",
	.key = key,
	.name_of = name_of,
	.enter = &view_flows,
	.scope = SCOPE_DESTINATION,
};
