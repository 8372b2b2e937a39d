/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Taking records, and looking into JSON. */
#ifndef RECORD_FIXTURE_H
#define RECORD_FIXTURE_H

#include "tests/unit/model_fixture.h"
#include "user/export/record.h"
#include "user/policy/rules.h"
#include "user/snapshot.h"

#define OUTSIDE "203.0.113.9"

/* Takes records into an array; fails at every `fail`th when that is not 0. */
struct taker {
	json_t *all;
	unsigned asked, fail;
};

UNUSED static int take(void *arg, const json_t *record)
{
	struct taker *t = arg;

	t->asked++;
	if (t->fail && t->asked % t->fail == 0)
		return -ENOSPC;
	/* What cannot be written as JSON is no record. */
	char *text = json_dumps(record, JSON_COMPACT);
	assert_non_null(text);
	json_t *again = json_loads(text, 0, NULL);
	assert_non_null(again);
	assert_true(json_equal(again, record));
	free(text);
	assert_int_equal(json_array_append_new(t->all, again), 0);
	return 0;
}

UNUSED static int emit(struct fixture *t, struct taker *to, bool final)
{
	struct timespec wall = {1800000000 + (time_t)((t->now - 5000 * NSEC) / NSEC), 250000000};

	return records_emit(t->m, t->now, &wall, final, take, to);
}

UNUSED static int tick(struct fixture *t, struct taker *to)
{
	t->now += NSEC;
	assert_int_equal(rules_evaluate(t->m, t->now), 0);
	return emit(t, to, false);
}

UNUSED static uint64_t number(const json_t *record, const char *path, const char *inner)
{
	json_t *v = json_object_get(record, path);

	if (inner)
		v = json_object_get(v, inner);
	assert_true(json_is_integer(v));
	return (uint64_t)json_integer_value(v);
}

static const char *text(const json_t *record, const char *outer, const char *inner)
{
	json_t *v = json_object_get(record, outer);

	if (inner)
		v = json_object_get(v, inner);
	assert_true(json_is_string(v));
	return json_string_value(v);
}

UNUSED static void assert_null_at(const json_t *record, const char *outer, const char *inner)
{
	json_t *v = json_object_get(record, outer);

	if (inner)
		v = json_object_get(v, inner);
	assert_non_null(v);
	assert_true(json_is_null(v));
}

UNUSED static unsigned count_of(const struct taker *t, const char *type)
{
	size_t i;
	json_t *r;
	unsigned n = 0;

	json_array_foreach (t->all, i, r)
		n += !strcmp(text(r, "type", NULL), type);
	return n;
}

UNUSED static json_t *last_of(const struct taker *t, const char *type)
{
	size_t i;
	json_t *r, *last = NULL;

	json_array_foreach (t->all, i, r)
		last = strcmp(text(r, "type", NULL), type) ? last : r;
	assert_non_null(last);
	return last;
}

UNUSED static uint64_t sum_of(const struct taker *t, const char *type, const char *outer,
			      const char *inner)
{
	size_t i;
	json_t *r;
	uint64_t sum = 0;

	json_array_foreach (t->all, i, r)
		sum += strcmp(text(r, "type", NULL), type) ? 0 : number(r, outer, inner);
	return sum;
}

/* Exactly these fields, in this order, after those that all records have. */
UNUSED static void assert_fields(const json_t *record, const char *const *names)
{
	static const char *const head[] = {"v", "type", "time", "seq", "host"};
	const char *key;
	json_t *value;
	size_t i = 0;

	json_object_foreach ((json_t *)record, key, value) {
		const char *expected = i < ARRAY_SIZE(head) ? head[i] : names[i - ARRAY_SIZE(head)];

		assert_non_null(expected);
		assert_string_equal(key, expected);
		i++;
	}
	assert_null(names[i - ARRAY_SIZE(head)]);
}

#define FIELDS(...) ((const char *const[]){__VA_ARGS__, NULL})

UNUSED static void begin(struct fixture *t, struct taker *to)
{
	fixture_begin(t, NULL);
	*to = (struct taker){.all = json_array()};
}

UNUSED static void end(struct fixture *t, struct taker *to)
{
	json_decref(to->all);
	fixture_end(t);
}

UNUSED static json_t *shot(const struct fixture *t, const char *what)
{
	json_t *all = snapshot(t->m, what, &(struct timespec){1800000100, 0});

	assert_non_null(all);
	assert_int_equal(number(all, "v", NULL), 1);
	assert_string_equal(text(all, "type", NULL), what);
	assert_string_equal(text(all, "time", NULL), "2027-01-15T08:01:40.000Z");
	assert_string_equal(text(all, "host", "name"), "gpu-7");
	return all;
}

#endif
