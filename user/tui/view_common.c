/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/tui/view.h"

#include <string.h>

#include "user/tui/user_name.h"

const struct view_ops *const views[VIEWS] = {
	&view_jobs, &view_processes, &view_datasets, &view_destinations, &view_flows, &view_findings, &view_health,
};

bool view_has_figures(const struct view_ops *v)
{
	bool any = false;

	for (size_t i = 0; i < v->ncolumns; i++)
		any = any || v->columns[i].figures;
	return any;
}

/* --- keys -------------------------------------------------------------------------- */

#define FNV_START 14695981039346656037ULL
#define FNV_PRIME 1099511628211ULL

uint64_t hash_start(void)
{
	return FNV_START;
}

static uint64_t hash_bytes(uint64_t hash, const void *data, size_t n)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < n; i++)
		hash = (hash ^ p[i]) * FNV_PRIME;
	return (hash ^ 0xff) * FNV_PRIME; /* where one ends */
}

uint64_t hash_value(uint64_t hash, const json_t *value)
{
	json_int_t n;

	if (json_is_string(value))
		return hash_bytes(hash, json_string_value(value), json_string_length(value));
	n = json_is_integer(value) ? json_integer_value(value) : json_is_true(value) ? 1 : -1;
	return hash_bytes(hash, &n, sizeof(n));
}

uint64_t process_hash(uint64_t hash, const json_t *process)
{
	return hash_value(hash_value(hash, json_object_get(process, "pid")), json_object_get(process, "start"));
}

uint64_t remote_hash(uint64_t hash, const json_t *remote)
{
	static const char *const parts[] = {"addr", "port", "class", "name", "bucket"};

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		hash = hash_value(hash, json_object_get(remote, parts[i]));
	return hash;
}

/* --- scopes ---------------------------------------------------------------------- */

static bool same(const json_t *a, const json_t *b, const char *path)
{
	const json_t *x = json_at(a, path), *y = json_at(b, path);

	return x == y || (x && y && json_equal(x, y));
}

static bool among(const json_t *list, const char *text)
{
	size_t i;
	json_t *one;

	json_array_foreach (list, i, one)
		if (json_is_string(one) && !strcmp(json_string_value(one), text))
			return true;
	return false;
}

static bool named(const json_t *item, const char *one, const char *many, const char *text)
{
	const char *is = json_string_value(json_at(item, one));

	if (!text) /* of what belongs to none that is known */
		return !is && !json_array_size(json_at(item, many));
	return is ? !strcmp(is, text) : among(json_at(item, many), text);
}

static bool same_process(const json_t *a, const json_t *b)
{
	return json_at(a, "process") && same(a, b, "process.pid") && same(a, b, "process.start");
}

/* Those who came in are one destination whatever their ports. */
static bool same_end(const json_t *destination, const json_t *flow)
{
	return same(destination, flow, "remote.addr") && same(destination, flow, "proto") &&
	       same(destination, flow, "remote.name") &&
	       (!json_at(destination, "remote.port") || same(destination, flow, "remote.port"));
}

bool scope_has(const struct scope *s, const json_t *item)
{
	switch (s->kind) {
	case SCOPE_ALL:
		return true;
	case SCOPE_JOB:
		return named(item, "job", "jobs", json_string_value(json_at(s->item, "job")));
	case SCOPE_PROCESS:
		return same_process(s->item, item);
	case SCOPE_FLOW:
		return same_process(s->item, item) && (!json_at(item, "remote") || same(s->item, item, "remote.addr"));
	case SCOPE_DATASET:
		return named(item, "dataset", "datasets", json_string_value(json_at(s->item, "id")));
	case SCOPE_DESTINATION:
		return same_end(s->item, item);
	}
	return false;
}

/* --- texts and styles ---------------------------------------------------------- */

uint64_t bytes_of(double sum)
{
	return sum >= 0x1p64 ? UINT64_MAX : sum > 0 ? (uint64_t)(sum + 0.5) : 0;
}

bool sum_of(const json_t *bytes, double *ret)
{
	const char *name;
	json_t *one;
	bool known = json_is_object(bytes) && !json_object_size(bytes);
	double sum = 0;

	json_object_foreach ((json_t *)bytes, name, one) {
		known = known || json_is_integer(one);
		sum += (double)json_integer_value(one);
	}
	if (known)
		*ret = sum;
	return known;
}

char *name_text(const char *text)
{
	return text ? strdup(text) : NULL;
}

char *datasets_text(const json_t *list)
{
	_cleanup_free_ char *names = value_text(list, FORMAT_NAMES, NULL);
	char *text;

	if (!json_array_size(list))
		return names ? strdup(names) : NULL;
	return asprintf(&text, "● %s", names ? names : "?") < 0 ? NULL : text;
}

char *user_text(const json_t *uid)
{
	const char *name = user_name(uid);

	return name ? strdup(name) : value_text(uid, FORMAT_TEXT, NULL);
}

enum style style_tainted(const json_t *item)
{
	const json_t *n = json_at(item, "tainted_out");

	return json_integer_value(n) > 0 ? STYLE_TAINT : STYLE_TEXT;
}

enum style style_class(const json_t *item)
{
	return theme_class(json_string_value(json_at(item, "remote.class")));
}

bool class_number(const json_t *item, double *ret)
{
	const char *class = json_string_value(json_at(item, "remote.class"));

	switch (theme_class(class)) {
	case STYLE_OUTSIDE: /* each together */
		*ret = !strcmp(class, "internet") ? 5 : !strcmp(class, "private") ? 3 : 4;
		break;
	case STYLE_CLOUD:
		*ret = 2;
		break;
	default:
		*ret = class && !strcmp(class, "vpc");
	}
	return class;
}

enum style style_severity(const json_t *item)
{
	return theme_severity(json_string_value(json_at(item, "severity")));
}

enum style style_dim(const json_t *item)
{
	return STYLE_DIM;
}
