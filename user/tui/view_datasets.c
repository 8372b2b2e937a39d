/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* How much of which dataset was read, by how many, and at most how much of it left. */
#include "user/tui/view.h"

#include <string.h>

static char *id_text(const json_t *item, const char *now)
{
	const char *id = json_string_value(json_at(item, "id"));
	char *text;

	return !id || asprintf(&text, "● %s", id) < 0 ? NULL : text;
}

static enum style id_style(const json_t *item)
{
	return STYLE_TAINT;
}

static enum style outside_style(const json_t *item)
{
	return json_integer_value(json_at(item, "volume_outside")) > 0 ? STYLE_OUTSIDE : STYLE_TEXT;
}

static enum style findings_style(const json_t *item)
{
	return json_integer_value(json_at(item, "findings")) > 0 ? STYLE_STRONG : STYLE_TEXT;
}

static bool share_number(const json_t *item, double *ret)
{
	const json_t *share = json_at(item, "used.bytes_share_most");

	*ret = json_number_value(share);
	return json_is_number(share);
}

/* What left, of the whole. */
static bool left_number(const json_t *item, double *ret)
{
	const json_t *out = json_at(item, "volume_outside"), *all = json_at(item, "bytes_total");

	if (!json_is_integer(out) || json_integer_value(all) <= 0)
		return false;
	*ret = (double)json_integer_value(out) / (double)json_integer_value(all);
	return true;
}

static char *left_text(const json_t *item, const char *now)
{
	double share;

	return left_number(item, &share) ? share_at_most(share) : NULL;
}

// clang-format off
static const struct column columns[] = {
	{.title = "DATASET", .path = "id", .least = 12, .most = 40, .text = id_text, .style = id_style},
	{.title = "TAGS", .path = "tags", .format = FORMAT_TAGS, .least = 12, .most = 40, .rank = 5},
	{.title = "SIZE", .path = "bytes_total", .format = FORMAT_SIZE, .right = true, .least = 8, .rank = 1},
	{.title = "READ", .path = "bytes_read", .format = FORMAT_SIZE, .right = true, .least = 8, .figures = IN_TOTALS},
	{.title = "READ/s", .path = "bytes_read", .rate = true, .right = true, .least = 8, .rank = 1, .figures = IN_RATES},
	{.title = "FILES READ", .path = "used", .format = FORMAT_USED, .right = true, .least = 15, .most = 24, .rank = 4},
	{.title = "OF BYTES", .path = "used.bytes_share_most", .format = FORMAT_MOST, .right = true, .least = 8, .rank = 2,
	 .number = share_number},
	{.title = "READERS", .path = "readers", .format = FORMAT_COUNT, .right = true, .least = 7, .rank = 2},
	{.title = "OUTSIDE", .path = "volume_outside", .format = FORMAT_BOUND, .right = true, .least = 8, .style = outside_style},
	{.title = "OUTSIDE/s", .path = "volume_outside", .rate = true, .right = true, .least = 9, .rank = 1, .figures = IN_RATES,
	 .style = outside_style},
	{.title = "OF IT", .path = "volume_outside", .right = true, .least = 8, .rank = 3, .figures = IN_BOUNDS, .text = left_text,
	 .number = left_number, .style = outside_style},
	{.title = "FINDINGS", .path = "findings", .format = FORMAT_COUNT, .right = true, .least = 8, .rank = 1,
	 .style = findings_style},
	{.title = "DERIVED FROM", .path = "derived.from", .format = FORMAT_NAMES, .least = 14, .most = 30, .rank = 7, .none = "-",
	 .style = style_dim},
	{.title = "PATH", .path = "path", .cut = CUT_START, .least = 14, .most = 60, .rank = 6, .style = style_dim},
};
// clang-format on

static uint64_t key(const json_t *item)
{
	return hash_value(hash_start(), json_object_get(item, "id"));
}

static char *name_of(const json_t *item)
{
	return name_text(json_string_value(json_at(item, "id")));
}

const struct view_ops view_datasets = {
	.name = "datasets",
	.title = "Datasets",
	.what = FEED_DATASETS,
	.columns = columns,
	.ncolumns = ARRAY_SIZE(columns),
	.sort = 8,
	.figure = "volume_outside",
	.second = "bytes_read",
	.about = "what was read of it, and at most what left",
	.empty = "no dataset is configured: see `datasets:` in the configuration",
	.key = key,
	.name_of = name_of,
	.enter = &view_processes,
	.scope = SCOPE_DATASET,
};
