/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What a person should act on, with the way that the bytes took. */
#include "user/tui/view.h"

#include <string.h>

#define GAPS_NAMED 4 /* with more of them they are only counted */

static bool severity_number(const json_t *item, double *ret)
{
	static const char *const words[] = {"info", "low", "medium", "high", "critical"};
	const char *word = json_string_value(json_at(item, "severity"));

	for (size_t i = 0; word && i < ARRAY_SIZE(words); i++) {
		if (!strcmp(words[i], word)) {
			*ret = (double)i;
			return true;
		}
	}
	return false;
}

static enum style dataset_style(const json_t *item)
{
	return json_at(item, "dataset") ? STYLE_TAINT : STYLE_DIM;
}

// clang-format off
static const struct column columns[] = {
	{.title = "SEVERITY", .path = "severity", .least = 8, .number = severity_number, .style = style_severity},
	{.title = "RULE", .path = "rule", .least = 17, .most = 22},
	{.title = "DATASET", .path = "dataset", .least = 9, .most = 32, .rank = 1, .none = "-", .style = dataset_style},
	{.title = "LEAK BOUND", .path = "leak_bound", .format = FORMAT_BOUND, .right = true, .least = 10},
	{.title = "EXPOSED", .path = "exposed", .format = FORMAT_SIZE, .right = true, .least = 8, .rank = 4, .figures = IN_BOUNDS},
	{.title = "PROCESS", .path = "process", .format = FORMAT_PROCESS, .least = 14, .most = 30, .rank = 3, .none = "-"},
	{.title = "JOB", .path = "job", .least = 12, .most = 40, .rank = 2, .none = "-"},
	{.title = "DESTINATION", .path = "remote", .format = FORMAT_REMOTE, .least = 20, .most = 50, .none = "-", .style = style_class},
	{.title = "COUNT", .path = "count", .format = FORMAT_COUNT, .right = true, .least = 5, .rank = 6},
	{.title = "FIRST", .path = "first", .format = FORMAT_TIME, .least = 10, .rank = 7},
	{.title = "LAST", .path = "last", .format = FORMAT_TIME, .least = 10, .rank = 5},
	{.title = "TITLE", .path = "title", .least = 30, .most = 90, .rank = 8, .style = style_dim},
};
// clang-format on

static uint64_t key(const json_t *item)
{
	return hash_value(hash_start(), json_object_get(item, "id"));
}

static char *name_of(const json_t *item)
{
	return name_text(json_string_value(json_at(item, "rule")));
}

static int add_coverage(struct lines *l, const json_t *item)
{
	const json_t *missing = json_at(item, "coverage");
	_cleanup_free_ char *names = value_text(missing, FORMAT_NAMES, NULL);
	size_t n = json_array_size(missing);

	if (!n)
		return 0;
	if (n > GAPS_NAMED || !names)
		return lines_add(l, STYLE_DIM, " weakened by %zu facts that are not measured in full: see Health", n);
	return lines_add(l, STYLE_DIM, " weakened by what is not measured: %s", names);
}

static int detail_of(struct lines *l, const json_t *item)
{
	const char *title = json_string_value(json_at(item, "title"));
	int err = lines_add(l, style_severity(item) == STYLE_CRITICAL ? STYLE_STRONG : style_severity(item), " %s",
			    title ? title : "?");

	if (!err)
		err = lines_chain(l, item);
	return err ? err : add_coverage(l, item);
}

const struct view_ops view_findings = {
	.name = "findings",
	.title = "Findings",
	.what = FEED_FINDINGS,
	.columns = columns,
	.ncolumns = ARRAY_SIZE(columns),
	.sort = 0,
	.figure = "leak_bound",
	.second = "leak_bound",
	.about = "what a person should act on",
	.empty = "nothing was found that a person should act on",
	.detail = true,
	.key = key,
	.name_of = name_of,
	.detail_of = detail_of,
};
