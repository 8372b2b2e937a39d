/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What is told of changes, put together again, is what there is: whoever missed whatever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "user/tui/feed_doc.h"

static unsigned seed = 20261126;

static unsigned some(unsigned below)
{
	return (unsigned)rand_r(&seed) % below;
}

/* --- random documents ----------------------------------------------------------------- */

static json_t *any_value(unsigned depth)
{
	static const char *const texts[] = {"", "a", "böse \"Zeile\"\n", "\x7f\\", "日本", "{\"added\":{}}"};
	json_t *v;

	switch (some(depth ? 8 : 6)) {
	case 0:
		return json_null();
	case 1:
		return json_boolean(some(2));
	case 2:
		return json_real((double)some(1000) / 7);
	case 3:
		return json_string(texts[some(ARRAY_SIZE(texts))]);
	case 4:
	case 5:
		return json_integer((json_int_t)some(3) - 1 + ((json_int_t)some(4) << 40));
	case 6:
		v = json_array();
		for (unsigned i = some(4); i; i--)
			json_array_append_new(v, any_value(depth - 1));
		return v;
	default:
		v = json_object();
		for (unsigned i = some(4); i; i--)
			json_object_set_new(v, texts[some(ARRAY_SIZE(texts))], any_value(depth - 1));
		return v;
	}
}

static json_t *any_item(void)
{
	static const char *const names[] = {"bytes", "datasets", "a b", "é", "id2"};
	json_t *item = json_object();

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (some(20))
			json_object_set_new(item, names[i], any_value(2));
	return item;
}

/* Some items come, some go, some change a little; others of the same key as one that is gone. */
static void change(json_t *items, unsigned most)
{
	for (unsigned i = some(most); i; i--) {
		char key[64];
		json_t *item;

		snprintf(key, sizeof(key), some(3) ? "item %u" : "\"key\"\n#%u", some(40));
		item = json_object_get(items, key);
		if (!item || !some(6))
			json_object_set_new(items, key, any_item());
		else if (!some(4))
			json_object_del(items, key);
		else
			json_object_set_new(item, some(2) ? "bytes" : "datasets", any_value(2));
	}
}

static void publish(struct watch_doc *d, json_t *items, uint64_t at, unsigned twins)
{
	json_t *time = json_sprintf("T%u", (unsigned)at), *host = json_pack("{s:i}", "n", (int)(at / 8)), *item;
	const char *key;

	assert_int_equal(watch_doc_begin(d, at, time, host), 0);
	json_object_foreach (items, key, item) {
		uint64_t print = some(2) ? (uint64_t)at : 1; /* 1: it must not matter that it stays */

		if (print != 1 && watch_doc_same(d, key, print))
			continue;
		assert_int_equal(watch_doc_item(d, key, print, item), 0);
		for (unsigned i = 0; i < twins; i++)
			assert_int_equal(watch_doc_item(d, key, 0, item), 0);
	}
	watch_doc_end(d);
	json_decref(time);
	json_decref(host);
}

/* --- clients ----------------------------------------------------------------------------- */

static size_t told;

static int tell(const struct watch_doc *d, uint64_t since, struct feed_doc *to)
{
	struct json_text text = {.max = SIZE_MAX};
	json_error_t e;

	assert_int_equal(watch_doc_write(d, since, &text), 0);
	assert_int_equal(text.data[text.len - 1], '\n');
	assert_null(memchr(text.data, '\n', text.len - 1));
	json_t *line = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, &e);
	if (!line)
		fail_msg("%s: %.*s", e.text, (int)text.len, text.data);
	int r = feed_doc_apply(to, line, text.len);
	told += text.len;
	json_decref(line);
	free(text.data);
	return r;
}

/* The same items, whatever their order. */
static void assert_same(const json_t *document, const json_t *items)
{
	size_t n = json_object_size(items), i;
	json_t *left = json_object_size(items) ? json_deep_copy(items) : json_object(), *item, *v;
	const char *key;
	void *tmp;

	assert_int_equal(json_array_size(json_object_get(document, "items")), n);
	json_array_foreach (json_object_get(document, "items"), i, item) {
		bool found = false;

		json_object_foreach_safe (left, tmp, key, v) {
			if (!found && json_equal(v, item)) {
				json_object_del(left, key);
				found = true;
			}
		}
		assert_true(found);
	}
	assert_int_equal(json_object_size(left), 0);
	json_decref(left);
}

#define CLIENTS 4

static void test_any_changes(void **state)
{
	for (unsigned run = 0; run < 30; run++) {
		uint64_t before = some(3) * 1000, has[CLIENTS] = {0};
		struct watch_doc *d = watch_doc_new("jobs", before, SIZE_MAX);
		struct feed_doc *c[CLIENTS];
		json_t *items = json_object();

		for (unsigned i = 0; i < CLIENTS; i++)
			c[i] = feed_doc_new(WATCH_JOBS);
		for (uint64_t at = 1; at < 120; at++) {
			char text[32];

			change(items, run % 3 ? 12 : 3);
			publish(d, items, at, 0);
			assert_int_equal(watch_doc_generation(d), before + at);
			for (unsigned i = 0; i < CLIENTS; i++) {
				if (i && some(4 * i))
					continue; /* it is slow */
				assert_int_equal(tell(d, has[i], c[i]), 0);
				has[i] = watch_doc_generation(d);
				assert_same(feed_doc_json(c[i]), items);
				snprintf(text, sizeof(text), "T%u", (unsigned)at);
				assert_string_equal(json_string_value(json_object_get(feed_doc_json(c[i]), "time")), text);
				assert_int_equal(
				    json_integer_value(json_object_get(json_object_get(feed_doc_json(c[i]), "host"), "n")),
				    at / 8);
			}
		}
		for (unsigned i = 0; i < CLIENTS; i++)
			feed_doc_free(c[i]);
		watch_doc_free(d);
		json_decref(items);
	}
}

/* Two of one key are two items. */
static void test_twins(void **state)
{
	struct watch_doc *d = watch_doc_new("jobs", 0, SIZE_MAX);
	struct feed_doc *c = feed_doc_new(WATCH_JOBS);
	json_t *items = json_pack("{s:{s:i}, s:{s:i}}", "a", "n", 1, "b", "n", 2);

	publish(d, items, 1, 2);
	assert_int_equal(tell(d, 0, c), 0);
	assert_int_equal(json_array_size(json_object_get(feed_doc_json(c), "items")), 6);
	publish(d, items, 2, 1);
	assert_int_equal(tell(d, 1, c), 0);
	assert_int_equal(json_array_size(json_object_get(feed_doc_json(c), "items")), 4);
	publish(d, items, 3, 0);
	assert_int_equal(tell(d, 2, c), 0);
	assert_same(feed_doc_json(c), items);
	json_decref(items);
	feed_doc_free(c);
	watch_doc_free(d);
}

/* What does not change costs nothing, and what does only itself. */
static void test_only_changes(void **state)
{
	struct watch_doc *d = watch_doc_new("jobs", 0, SIZE_MAX);
	struct feed_doc *c = feed_doc_new(WATCH_JOBS);
	json_t *items = json_object();
	char key[32];

	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "%d", i);
		json_object_set_new(items, key, json_pack("{s:i, s:s}", "n", i, "text", "which is long and stays as it is"));
	}
	publish(d, items, 1, 0);
	tell(d, 0, c);
	publish(d, items, 2, 0);
	told = 0;
	tell(d, 1, c);
	assert_true(told < 200);
	json_object_set_new(json_object_get(items, "7"), "n", json_integer(77));
	publish(d, items, 3, 0);
	told = 0;
	tell(d, 2, c);
	assert_true(told < 220);
	assert_same(feed_doc_json(c), items);
	json_decref(items);
	feed_doc_free(c);
	watch_doc_free(d);
}

/* A print says that an item is what it was; now and then it is made all the same. */
static void test_prints(void **state)
{
	struct watch_doc *d = watch_doc_new("jobs", 0, SIZE_MAX);
	json_t *time = json_null(), *host = json_object(), *item = json_pack("{s:i}", "n", 1);
	unsigned made = 0;

	for (uint64_t at = 1; at <= 100; at++) {
		assert_int_equal(watch_doc_begin(d, at, time, host), 0);
		if (!watch_doc_same(d, "a", 5)) {
			assert_int_equal(watch_doc_item(d, "a", 5, item), 0);
			made++;
		}
		assert_false(watch_doc_same(d, "a", 5)); /* it was met: this is another */
		watch_doc_end(d);
	}
	assert_true(made >= 2 && made <= 5);
	assert_int_equal(watch_doc_begin(d, 101, time, host), 0);
	assert_false(watch_doc_same(d, "a", 6));
	assert_false(watch_doc_same(d, "b", 5));
	watch_doc_end(d);
	json_decref(host);
	json_decref(item);
	watch_doc_free(d);
}

/* Whoever stayed away for longer than what is gone is remembered is told the whole. */
static void test_long_away(void **state)
{
	struct watch_doc *d = watch_doc_new("jobs", 0, SIZE_MAX);
	struct feed_doc *c = feed_doc_new(WATCH_JOBS), *steady = feed_doc_new(WATCH_JOBS);
	json_t *items = json_object();
	char key[32];

	json_object_set_new(items, "stays", json_object());
	publish(d, items, 1, 0);
	tell(d, 0, c);
	for (uint64_t at = 2; at < 30; at++) {
		json_object_clear(items);
		for (unsigned i = 0; i < 5000; i++) {
			snprintf(key, sizeof(key), "%u-%u", (unsigned)at, i);
			json_object_set_new(items, key, json_object());
		}
		publish(d, items, at, 0);
		assert_int_equal(tell(d, at > 2 ? at - 1 : 0, steady), 0);
	}
	assert_int_equal(tell(d, 1, c), 0);
	assert_same(feed_doc_json(c), items);
	assert_same(feed_doc_json(steady), items);
	json_decref(items);
	feed_doc_free(c);
	feed_doc_free(steady);
	watch_doc_free(d);
}

static void test_room(void **state)
{
	struct watch_doc *d = watch_doc_new("jobs", 0, 1000);
	json_t *time = json_null(), *host = json_object(), 
	       *item = json_pack("{s:s}", "n", "some hundred bytes of text, that is, not quite so many");
	char key[16];
	int err = 0;

	assert_int_equal(watch_doc_begin(d, 1, time, host), 0);
	for (unsigned i = 0; i < 100 && !err; i++) {
		snprintf(key, sizeof(key), "%u", i);
		err = watch_doc_item(d, key, 0, item);
	}
	assert_int_equal(err, -EFBIG);
	json_decref(host);
	json_decref(item);
	watch_doc_free(d);
}

/* --- clients that lost something, or hear nonsense --------------------------------------------- */

static int apply(struct feed_doc *d, const char *text)
{
	json_t *line = json_loads(text, 0, NULL);
	int r = feed_doc_apply(d, line, strlen(text));

	json_decref(line);
	return r;
}

static void test_loss(void **state)
{
	struct feed_doc *d = feed_doc_new(WATCH_JOBS);

#define HEAD(g, s) "{\"watch\":\"jobs\",\"generation\":" #g ",\"since\":" #s ",\"at_ns\":5,\"time\":\"t\","
	assert_int_equal(apply(d, HEAD(3, 2) "\"added\":{}}"), -ESTALE); /* there is nothing to go on from */
	assert_null(feed_doc_json(d));
	assert_int_equal(apply(d, HEAD(3, 0) "\"added\":{\"a\":{\"job\":\"a\",\"n\":1}}}"), 0);
	assert_int_equal(apply(d, HEAD(5, 4) "\"added\":{}}"), -ESTALE);
	assert_int_equal(apply(d, HEAD(2, 3) "\"added\":{}}"), -ESTALE);
	assert_int_equal(json_array_size(json_object_get(feed_doc_json(d), "items")), 1); /* as it was */
	assert_int_equal(apply(d, HEAD(4, 3) "\"added\":{},\"changed\":{\"a\":{\"n\":2}}}"), 0);
	assert_int_equal(apply(d, HEAD(5, 4) "\"added\":{},\"gone\":[\"nobody\",\"a\",\"a\"]}"), 0);
	assert_int_equal(json_array_size(json_object_get(feed_doc_json(d), "items")), 0);
	assert_int_equal(apply(d, HEAD(6, 5) "\"added\":{},\"changed\":{\"a\":{\"n\":2}}}"), -ESTALE);
	assert_int_equal(apply(d, HEAD(7, 0) "\"added\":{\"b\":{}}}"), 0);
	assert_int_equal(apply(d, HEAD(8, 7) "\"added\":{\"b\":{\"x\":1}},\"changed\":{\"b\":{\"n\":2}},\"gone\":[\"b\"]}"),
			 -ESTALE);
	feed_doc_free(d);
}

static void test_nonsense(void **state)
{
	static const char *const wrong[] = {
		"{}",
		"{\"watch\":\"jobs\"}",
		"{\"watch\":\"flows\",\"generation\":1,\"since\":0,\"at_ns\":1,\"time\":\"t\",\"added\":{}}",
		"{\"watch\":\"jobs\",\"generation\":-1,\"since\":0,\"at_ns\":1,\"time\":\"t\",\"added\":{}}",
		"{\"watch\":\"jobs\",\"generation\":1,\"since\":\"0\",\"at_ns\":1,\"time\":\"t\",\"added\":{}}",
		"{\"watch\":\"jobs\",\"generation\":1,\"since\":0,\"at_ns\":1.5,\"time\":\"t\",\"added\":{}}",
		"{\"watch\":\"jobs\",\"generation\":1,\"since\":0,\"at_ns\":1,\"time\":7,\"added\":{}}",
		"{\"watch\":\"jobs\",\"generation\":1,\"since\":0,\"at_ns\":1,\"time\":\"t\",\"added\":[]}",
		"{\"watch\":\"jobs\",\"generation\":1,\"since\":0,\"at_ns\":1,\"time\":\"t\",\"added\":{\"a\":1}}",
		"{\"watch\":\"jobs\",\"generation\":1,\"since\":0,\"at_ns\":1,\"time\":\"t\",\"added\":{},\"changed\":{\"a\":[]}}",
		"{\"watch\":\"jobs\",\"generation\":1,\"since\":0,\"at_ns\":1,\"time\":\"t\",\"added\":{},\"gone\":{}}",
		"{\"watch\":\"jobs\",\"generation\":1,\"since\":0,\"at_ns\":1,\"time\":\"t\",\"added\":{},\"gone\":[1]}",
		"{\"watch\":\"jobs\",\"generation\":1,\"since\":0,\"at_ns\":1,\"time\":\"t\",\"host\":1,\"added\":{}}",
	};
	struct feed_doc *d = feed_doc_new(WATCH_JOBS);

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(apply(d, wrong[i]), -EPROTO);
	assert_int_equal(feed_doc_apply(d, NULL, 0), -EPROTO);
	assert_null(feed_doc_json(d));
	feed_doc_free(d);
}

/* What is sent without end is not kept without end. */
static void test_bounds(void **state)
{
	struct feed_doc *d = feed_doc_new(WATCH_JOBS);
	uint64_t generation = 1;
	char text[200];
	int r = 0;

	assert_int_equal(apply(d, HEAD(1, 0) "\"added\":{}}"), 0);
	for (; generation < 100000 && !r; generation++) {
		snprintf(text, sizeof(text),
			 "{\"watch\":\"jobs\",\"generation\":%d,\"since\":%d,\"at_ns\":5,\"time\":\"t\",\"added\":{}}",
			 (int)generation + 1, (int)generation);
		json_t *line = json_loads(text, 0, NULL);
		r = feed_doc_apply(d, line, 1 << 20); /* as if it were so long */
		json_decref(line);
	}
	assert_int_equal(r, -EFBIG);
	assert_true(generation < 300);
	/* members of one item */
	assert_int_equal(apply(d, HEAD(1, 0) "\"added\":{\"a\":{}}}"), 0);
	for (int i = 1; i < 100 && !(r == -EFBIG && i > 1); i++) {
		snprintf(text, sizeof(text),
			 "{\"watch\":\"jobs\",\"generation\":%d,\"since\":%d,\"at_ns\":5,\"time\":\"t\",\"added\":{},\"changed\":"
			 "{\"a\":{"
			 "\"m%d\":1}}}",
			 i + 1, i, i);
		r = apply(d, text);
		generation = (uint64_t)i;
	}
	assert_int_equal(r, -EFBIG);
	assert_int_equal(generation, 65);
	feed_doc_free(d);
}

/* --- rates ------------------------------------------------------------------------------------------ */

static json_t *item_at(const struct feed_doc *d, size_t i)
{
	return json_array_get(json_object_get(feed_doc_json(d), "items"), i);
}

static void test_rates(void **state)
{
	struct feed_doc *d = feed_doc_new(WATCH_PROCESSES);

#define LINE(g, s, at, rest) \
	"{\"watch\":\"processes\",\"generation\":" #g ",\"since\":" #s ",\"at_ns\":" #at "000000000,\"time\":\"t\"," rest "}"
	apply(d, LINE(1, 0, 10, "\"added\":{\"a\":{\"id\":\"a\",\"bytes\":{\"read\":100,\"mmap\":null}},"
				"\"b\":{\"id\":\"b\",\"bytes\":{\"read\":5}}}"));
	assert_true(isnan(feed_doc_rate(d, item_at(d, 0), "bytes.read"))); /* there is nothing before */
	assert_int_equal(apply(d, LINE(2, 1, 12, "\"added\":{\"c\":{\"id\":\"c\",\"bytes\":{\"read\":8}}},"
						 "\"changed\":{\"a\":{\"bytes\":{\"read\":140,\"mmap\":7}}}")), 0);
	assert_true(feed_doc_rate(d, item_at(d, 0), "bytes.read") == 20);
	assert_true(isnan(feed_doc_rate(d, item_at(d, 0), "bytes.mmap"))); /* unknown before */
	assert_true(isnan(feed_doc_rate(d, item_at(d, 0), "bytes.device")));
	assert_true(isnan(feed_doc_rate(d, item_at(d, 0), "id")));
	assert_true(feed_doc_rate(d, item_at(d, 1), "bytes.read") == 0); /* it stood still */
	assert_true(feed_doc_rate(d, item_at(d, 2), "bytes.read") == 4); /* it was not there before */
	assert_true(isnan(feed_doc_rate(d, NULL, "bytes.read")));
	assert_int_equal(apply(d, LINE(3, 2, 13, "\"added\":{},\"changed\":{}")), 0);
	assert_true(feed_doc_rate(d, item_at(d, 0), "bytes.read") == 0);
	assert_int_equal(apply(d, LINE(4, 3, 14, "\"added\":{},\"changed\":{\"a\":{\"bytes\":{\"read\":3}}}")), 0);
	assert_true(isnan(feed_doc_rate(d, item_at(d, 0), "bytes.read"))); /* less than before is no rate */
	assert_int_equal(apply(d, LINE(5, 4, 14, "\"added\":{},\"changed\":{\"a\":{\"bytes\":{\"read\":9}}}")), 0);
	assert_true(isnan(feed_doc_rate(d, item_at(d, 0), "bytes.read"))); /* no time has gone by */
	assert_int_equal(apply(d, LINE(6, 4, 15, "\"added\":{}")), -ESTALE);
	apply(d, LINE(9, 0, 16, "\"added\":{\"a\":{\"id\":\"a\",\"bytes\":{\"read\":100}}}"));
	assert_true(isnan(feed_doc_rate(d, item_at(d, 0), "bytes.read"))); /* a monitor that began anew */
	feed_doc_free(d);
}

/* Items stay where they are: who holds on to one sees it change. */
static void test_items_stay(void **state)
{
	struct feed_doc *d = feed_doc_new(WATCH_JOBS);

	apply(d, HEAD(1, 0) "\"added\":{\"a\":{\"job\":\"a\",\"n\":1},\"b\":{\"job\":\"b\",\"n\":1}}}");
	const json_t *b = item_at(d, 1);
	assert_int_equal(apply(d, HEAD(2, 1) "\"added\":{\"b\":{\"job\":\"b\",\"n\":2}},\"gone\":[\"a\"]}"), 0);
	assert_ptr_equal(item_at(d, 0), b);
	assert_int_equal(json_integer_value(json_object_get(b, "n")), 2);
	feed_doc_free(d);
}

static void test_health(void **state)
{
	struct watch_doc *w = watch_doc_new("health", 0, SIZE_MAX);
	struct feed_doc *d = feed_doc_new(WATCH_HEALTH);
	json_t *items = json_pack("{s:{s:i, s:f}}", "health", "runs", 5, "cpu", 0.25);

	publish(w, items, 1, 0);
	assert_int_equal(tell(w, 0, d), 0);
	json_object_set_new(json_object_get(items, "health"), "runs", json_integer(9));
	publish(w, items, 1 + NSEC, 0);
	assert_int_equal(tell(w, 1, d), 0);
	assert_string_equal(json_string_value(json_object_get(feed_doc_json(d), "type")), "health");
	assert_true(json_equal(json_object_get(feed_doc_json(d), "health"), json_object_get(items, "health")));
	assert_null(json_object_get(feed_doc_json(d), "items"));
	assert_true(feed_doc_rate(d, NULL, "runs") == 4);
	json_decref(items);
	feed_doc_free(d);
	watch_doc_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_any_changes), cmocka_unit_test(test_twins),	 cmocka_unit_test(test_only_changes),
	    cmocka_unit_test(test_prints),	cmocka_unit_test(test_long_away), cmocka_unit_test(test_room),
	    cmocka_unit_test(test_loss),	cmocka_unit_test(test_nonsense), cmocka_unit_test(test_bounds),
	    cmocka_unit_test(test_rates),	cmocka_unit_test(test_items_stay), cmocka_unit_test(test_health),
	};

	return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
