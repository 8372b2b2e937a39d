/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Is everything measured that should be, and what does that cost? */
#include "user/tui/view.h"

#include <string.h>

#include "user/tui/health_items.h"

static const struct {
	const char *word, *sign;
	enum style style;
} states[] = {
	{"bad", "BAD", STYLE_BAD}, {"warn", "gap", STYLE_WARN}, {"note", "part", STYLE_DIM}, {"ok", "ok", STYLE_GOOD},
};

static size_t state_of(const json_t *item)
{
	const char *state = json_string_value(json_at(item, "state"));
	size_t i = 0;

	while (state && i + 1 < ARRAY_SIZE(states) && strcmp(states[i].word, state))
		i++;
	return i;
}

/* "gap" is said of what is not measured; of others that want a look "look". */
static char *state_text(const json_t *item, const char *now)
{
	const char *part = json_string_value(json_at(item, "part"));
	size_t i = state_of(item);

	if (i == 1 && part && strcmp(part, "not measured"))
		return strdup("look");
	return strdup(i == 2 && part && strcmp(part, "in part") ? "?" : states[i].sign);
}

static enum style state_style(const json_t *item)
{
	return states[state_of(item)].style;
}

static bool state_number(const json_t *item, double *ret)
{
	*ret = -(double)health_rank(item);
	return true;
}

// clang-format off
static const struct column columns[] = {
	{.title = "STATE", .path = "state", .least = 5, .text = state_text, .number = state_number, .style = state_style},
	{.title = "PART", .path = "part", .least = 12, .style = style_dim},
	{.title = "WHAT", .path = "name", .least = 18, .most = 32},
	{.title = "HOW IT IS", .path = "value", .least = 30, .most = 220},
};
// clang-format on

static uint64_t key(const json_t *item)
{
	return hash_value(hash_value(hash_start(), json_object_get(item, "part")), json_object_get(item, "name"));
}

static char *name_of(const json_t *item)
{
	return name_text(json_string_value(json_at(item, "name")));
}

const struct view_ops view_health = {
	.name = "health",
	.title = "Health",
	.what = FEED_HEALTH,
	.columns = columns,
	.ncolumns = ARRAY_SIZE(columns),
	.sort = 0,
	.about = "is everything measured, and what does it cost",
	.empty = "nothing is known of the monitor yet",
	.items = health_items,
	.key = key,
	.name_of = name_of,
};
