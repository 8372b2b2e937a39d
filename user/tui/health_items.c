/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/tui/health_items.h"

#include <string.h>

#include "user/health_lines.h"

#define LATE_MS 2000
#define FULL 0.9  /* of a map */
#define TIGHT 0.7

static int add(json_t *list, const char *part, const char *name, const char *value, const char *state)
{
	return json_array_append_new(list, json_pack("{s:s, s:s, s:s?, s:s}", "part", part, "name", name ? name : "?", "value",
						     value, "state", state));
}

static const struct health_line more[] = {
	{"tainted processes", "tainted.processes", FORMAT_COUNT, ""},
	{"names known", "names.known", FORMAT_COUNT, ""},
};

static const char *own_state(const char *path, const json_t *value)
{
	json_int_t n = json_integer_value(value);

	if (!value)
		return "note";
	if (!strcmp(path, "late_ms"))
		return n >= LATE_MS ? "bad" : "ok";
	return !strcmp(path, "model.refused") && n > 0 ? "bad" : "ok";
}

static void add_own(json_t *list, const json_t *health, const struct health_line *lines, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const json_t *value = json_at(health, lines[i].path);
		_cleanup_free_ char *text = value_text(value, lines[i].format, NULL);
		char full[256];

		snprintf(full, sizeof(full), "%s%s", text ? text : "?", text ? lines[i].unit : "");
		add(list, "own", lines[i].label, full, own_state(lines[i].path, value));
	}
}

static void add_maps(json_t *list, const json_t *maps)
{
	for (size_t i = 0; i < json_array_size(maps); i++) {
		const json_t *map = json_array_get(maps, i), *most = json_at(map, "max"), *is = json_at(map, "entries");
		double share = json_integer_value(most) > 0 ? json_number_value(is) / json_number_value(most) : 0;
		char text[128] = "?";

		if (json_is_integer(is) && json_is_integer(most))
			snprintf(text, sizeof(text), "%5.1f %%  %lld of %lld", 100 * share, (long long)json_integer_value(is),
				 (long long)json_integer_value(most));
		add(list, "map", json_string_value(json_at(map, "name")), text,
		    share >= FULL ? "bad" : share >= TIGHT ? "warn" : "ok");
	}
}

static void add_losses(json_t *list, const json_t *losses)
{
	const char *kind;
	json_t *n;
	bool any = false;

	json_object_foreach ((json_t *)losses, kind, n) {
		_cleanup_free_ char *count = value_text(n, FORMAT_COUNT, NULL);

		if (json_is_integer(n) && json_integer_value(n) == 0)
			continue;
		any = true;
		add(list, "lost", kind, count, json_is_integer(n) ? "bad" : "note");
	}
	if (!any)
		add(list, "lost", "nothing", json_object_size(losses) ? "of any kind" : NULL, json_object_size(losses) ? "ok" : "note");
}

static void add_programs(json_t *list, const json_t *programs)
{
	for (size_t i = 0; i < json_array_size(programs); i++) {
		const json_t *one = json_array_get(programs, i), *missed = json_at(one, "recursion_misses");
		_cleanup_free_ char *times = value_text(missed, FORMAT_COUNT, NULL);
		char text[64];

		if (json_integer_value(missed) <= 0)
			continue;
		snprintf(text, sizeof(text), "did not run %s times", times ? times : "?");
		add(list, "lost", json_string_value(json_at(one, "name")), text, "bad");
	}
}

/* "fact: why", "fact=owner" */
static void add_facts(json_t *list, const char *part, const json_t *facts, char sign, const char *state)
{
	for (size_t i = 0; i < json_array_size(facts); i++) {
		const char *text = json_string_value(json_array_get(facts, i)), *at = text ? strchr(text, sign) : NULL;
		char name[128];

		if (!text)
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)MIN(at ? (size_t)(at - text) : strlen(text), sizeof(name) - 1), text);
		add(list, part, name, at ? at + 1 + strspn(at + 1, " ") : "", state);
	}
}

static void add_rest(json_t *list, const json_t *health)
{
	const json_t *trusted = json_at(health, "trusted"), *vpc = json_at(health, "vpc"), *ranges = json_at(health, "aws_ranges");
	_cleanup_free_ char *blocks = value_text(json_at(vpc, "blocks"), FORMAT_COUNT, NULL);
	_cleanup_free_ char *prefixes = value_text(json_at(ranges, "prefixes"), FORMAT_COUNT, NULL);
	const char *why = json_string_value(json_at(vpc, "why")), *source = json_string_value(json_at(vpc, "source"));
	char text[512];

	for (size_t i = 0; i < json_array_size(trusted); i++) {
		const json_t *one = json_array_get(trusted, i);
		const char *ended = json_string_value(json_at(one, "why_not"));

		add(list, "trusted", json_string_value(json_at(one, "path")), ended ? ended : "trusted", ended ? "warn" : "ok");
	}
	snprintf(text, sizeof(text), "%s blocks, by %s%s%s", blocks ? blocks : "?", source ? source : "?", why ? ": " : "",
		 why ? why : "");
	add(list, "network", "VPC", text, why ? "warn" : "ok");
	if (!ranges)
		return;
	why = json_string_value(json_at(ranges, "why"));
	snprintf(text, sizeof(text), "%s prefixes%s%s", prefixes ? prefixes : "?", why ? ", not fetched: " : "", why ? why : "");
	add(list, "network", "AWS ranges", text, why ? "warn" : "ok");
}

/* --- what carries records away ----------------------------------------------------------------- */

/* Each says by a word how it does, or what does not go. */
static bool carrier_bad(const json_t *one)
{
	static const char *const good[] = {"good", "ok", "starting", "idle", "off"};
	const char *state = json_string_value(json_at(one, "state"));

	if (!state)
		return json_at(one, "error");
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		if (!strcmp(state, good[i]))
			return false;
	return true;
}

/* What is not said of it is not known, or there is none of it: that makes no row. */
static void add_carrier(json_t *list, const char *part, const json_t *one)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)one, key, value) {
		bool tells = !strcmp(key, "state") || !strcmp(key, "why") || !strcmp(key, "error");
		_cleanup_free_ char *text =
			value_text(value, json_is_object(value) ? FORMAT_TAGS : json_is_array(value) ? FORMAT_NAMES : FORMAT_TEXT, NULL);

		if (text)
			add(list, part, key, text, tells && carrier_bad(one) ? "bad" : "ok");
	}
}

/* --- all ------------------------------------------------------------------------- */

#define RANKS 5

/* Then how the monitor does itself, what is measured in part, and last what is as it should be. */
unsigned health_rank(const json_t *item)
{
	const char *state = json_string_value(json_object_get(item, "state")), *part = json_string_value(json_object_get(item, "part"));

	if (!state || !part || !strcmp(state, "bad"))
		return 0;
	if (!strcmp(state, "warn"))
		return 1;
	if (!strcmp(part, "in part"))
		return 3;
	return !strcmp(part, "owner") ? 4 : 2;
}

static json_t *by_rank(const json_t *list)
{
	json_t *sorted = json_array();

	for (unsigned rank = 0; rank < RANKS; rank++)
		for (size_t i = 0; i < json_array_size(list); i++)
			if (health_rank(json_array_get(list, i)) == rank)
				json_array_append(sorted, json_array_get(list, i));
	return sorted;
}

json_t *health_items(const json_t *document)
{
	const json_t *health = json_at(document, "health");
	json_t *list = json_array(), *sorted;

	if (!list || !health)
		return list;
	add_own(list, health, health_lines, HEALTH_LINES);
	add_own(list, health, more, ARRAY_SIZE(more));
	add_carrier(list, "exporter", json_at(health, "exporter"));
	add_carrier(list, "security hub", json_at(health, "security_hub"));
	add_carrier(list, "journal", json_at(health, "journal"));
	add_losses(list, json_at(health, "losses"));
	add_programs(list, json_at(health, "programs"));
	add_facts(list, "not measured", json_at(health, "gaps"), ':', "warn");
	add_facts(list, "in part", json_at(health, "limits"), ':', "note");
	add_maps(list, json_at(health, "maps"));
	add_rest(list, health);
	add_facts(list, "owner", json_at(health, "owners"), '=', "ok");
	sorted = by_rank(list);
	json_decref(list);
	return sorted;
}

static void sum_losses(const json_t *losses, struct health_summary *s)
{
	const char *kind;
	json_t *n;
	json_int_t most = 0;

	json_object_foreach ((json_t *)losses, kind, n) {
		if (!json_is_integer(n))
			continue;
		s->lost_known = true;
		s->lost += (uint64_t)MAX(json_integer_value(n), 0);
		s->kinds_lost += json_integer_value(n) > 0;
		if (json_integer_value(n) > most) {
			most = json_integer_value(n);
			snprintf(s->kind, sizeof(s->kind), "%s", kind);
		}
	}
}

void health_sum(const json_t *document, struct health_summary *ret)
{
	const json_t *health = json_at(document, "health");
	struct health_summary s = {.known = health};

	sum_losses(json_at(health, "losses"), &s);
	s.gaps = json_array_size(json_at(health, "gaps"));
	s.parts = json_array_size(json_at(health, "limits"));
	s.late = json_integer_value(json_at(health, "late_ms")) >= LATE_MS;
	s.exporter_bad = carrier_bad(json_at(health, "exporter")) || carrier_bad(json_at(health, "security_hub"));
	s.journal_bad = carrier_bad(json_at(health, "journal"));
	*ret = s;
}
