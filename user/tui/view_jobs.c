/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Which job holds which data, and what leaves it. */
#include "user/tui/view.h"

#include <string.h>

static char *job_text(const json_t *item, const char *now)
{
	const char *job = json_string_value(json_at(item, "job"));

	return strdup(job ? job : "? no job known");
}

static char *holds_text(const json_t *item, const char *now)
{
	return datasets_text(json_at(item, "datasets"));
}

static bool holds_number(const json_t *item, double *ret)
{
	*ret = (double)json_array_size(json_at(item, "datasets"));
	return true;
}

static enum style holds_style(const json_t *item)
{
	return json_array_size(json_at(item, "datasets")) ? STYLE_TAINT : STYLE_DIM;
}

static enum style leak_style(const json_t *item)
{
	return json_integer_value(json_at(item, "leak_bound")) > 0 ? STYLE_OUTSIDE : STYLE_TEXT;
}

/* Of all its datasets the greatest share that was read. */
static bool used_number(const json_t *item, double *ret)
{
	const char *name;
	json_t *used;
	bool known = false;

	json_object_foreach ((json_t *)json_at(item, "used"), name, used) {
		const json_t *share = json_at(used, "bytes_share_most");

		if (json_is_number(share) && (!known || json_number_value(share) > *ret)) {
			*ret = json_number_value(share);
			known = true;
		}
	}
	return known;
}

static char *used_text(const json_t *item, const char *now)
{
	double share;

	if (!json_object_size(json_at(item, "used")))
		return strdup("-");
	return used_number(item, &share) ? share_at_most(share) : NULL;
}

// clang-format off
static const struct column columns[] = {
	{.title = "JOB", .path = "job", .least = 16, .most = 60, .text = job_text},
	{.title = "ML", .path = "ml", .format = FORMAT_YES, .least = 3, .rank = 4},
	{.title = "HOLDS", .path = "datasets", .least = 12, .most = 40, .text = holds_text, .number = holds_number, .style = holds_style},
	{.title = "PROCS", .path = "processes", .format = FORMAT_COUNT, .right = true, .least = 5, .rank = 3},
	{.title = "READ", .path = "bytes_read", .format = FORMAT_SIZE, .right = true, .least = 8, .rank = 1, .figures = IN_TOTALS},
	{.title = "READ/s", .path = "bytes_read", .rate = true, .right = true, .least = 8, .rank = 1, .figures = IN_RATES},
	{.title = "OUT", .path = "bytes_out", .format = FORMAT_SIZE, .right = true, .least = 8, .rank = 2, .figures = IN_TOTALS},
	{.title = "OUT/s", .path = "bytes_out", .rate = true, .right = true, .least = 8, .rank = 2, .figures = IN_RATES},
	{.title = "TAINTED", .path = "tainted_out", .format = FORMAT_SIZE, .right = true, .least = 8, .rank = 1,
	 .figures = IN_TOTALS | IN_BOUNDS, .style = style_tainted},
	{.title = "TAINTED/s", .path = "tainted_out", .rate = true, .right = true, .least = 9, .rank = 1, .figures = IN_RATES,
	 .style = style_tainted},
	{.title = "LEAK BOUND", .path = "leak_bound", .format = FORMAT_BOUND, .right = true, .least = 10, .style = leak_style},
	{.title = "OF DATA", .path = "used", .right = true, .least = 8, .rank = 2, .figures = IN_BOUNDS, .text = used_text,
	 .number = used_number},
	{.title = "USED OF IT", .path = "used", .format = FORMAT_USES, .least = 20, .most = 60, .rank = 6, .style = style_dim},
	{.title = "BECAUSE OF", .path = "ml_reason", .format = FORMAT_SIGNS, .least = 16, .most = 48, .rank = 7, .style = style_dim},
	{.title = "CALLS ITSELF", .path = "job_labels", .format = FORMAT_TAGS, .least = 14, .most = 48, .rank = 5, .style = style_dim},
};
// clang-format on

static uint64_t key(const json_t *item)
{
	return hash_value(hash_start(), json_object_get(item, "job"));
}

static char *name_of(const json_t *item)
{
	return job_text(item, NULL);
}

const struct view_ops view_jobs = {
	.name = "jobs",
	.title = "Jobs",
	.what = FEED_JOBS,
	.columns = columns,
	.ncolumns = ARRAY_SIZE(columns),
	.sort = 10,
	.figure = "leak_bound",
	.second = "bytes_read",
	.about = "which job holds which data, and what leaves",
	.empty = "no job has read tagged data, nor sent anything",
	.key = key,
	.name_of = name_of,
	.enter = &view_processes,
	.scope = SCOPE_JOB,
};
