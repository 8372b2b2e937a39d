/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A batch at each of CloudWatch's limits, from both sides; the order and form of the request; what becomes of a record that is
 * too long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "user/export/cw_batch.h"
#include "user/export/cw_cursor.h"
#include "user/export/cw_send.h"

static const struct cw_limits limits = {CW_BATCH_BYTES, CW_BATCH_EVENTS, CW_EVENT_BYTES};

static int begin(void **state)
{
	*state = calloc(1, sizeof(struct cw_batch));
	return 0;
}

static int end(void **state)
{
	cw_batch_done(*state);
	free(*state);
	return 0;
}

static char *filled(size_t n)
{
	char *s = malloc(n + 1);

	memset(s, 'x', n);
	s[n] = '\0';
	return s;
}

static json_t *body(struct cw_batch *b)
{
	struct json_text text = {};
	json_t *o;

	assert_int_equal(cw_batch_body(b, "/g", "s", &text), 0);
	o = json_loadb(text.data, text.len, 0, NULL);
	assert_non_null(o);
	free(text.data);
	return o;
}

/* --- limits ------------------------------------------------------------------------------------------ */

/* 1,048,576 bytes of messages and 26 for each: 1,009 messages of 1,013 bytes, and one of all the rest. */
static void test_bytes(void **state)
{
	struct cw_batch *b = *state;
	_cleanup_free_ char *m = filled(1013);
	size_t sum = 0;

	for (unsigned i = 0; i < 1009; i++) {
		assert_true(cw_batch_fits(b, &limits, 1, 1013, i, i));
		assert_int_equal(cw_batch_add(b, i, i + 1, m, 1013), 0);
		sum += 1013 + 26;
	}
	assert_int_equal(b->bytes, sum);
	size_t left = 1048576 - sum;
	assert_true(cw_batch_fits(b, &limits, 1, left - 26, 0, 0));
	assert_false(cw_batch_fits(b, &limits, 1, left - 25, 0, 0));
	assert_true(cw_batch_fits(b, &limits, 7, left - 7 * 26, 0, 0));
	assert_false(cw_batch_fits(b, &limits, 7, left - 7 * 26 + 1, 0, 0));
	_cleanup_free_ char *rest = filled(left - 26);
	assert_int_equal(cw_batch_add(b, 5000, 5000, rest, left - 26), 0);
	assert_int_equal(b->bytes, 1048576);
	assert_false(cw_batch_fits(b, &limits, 1, 0, 0, 0));
}

/* Bytes of UTF-8 count, not characters, and not what escaping makes of them. */
static void test_bytes_are_utf8(void **state)
{
	struct cw_batch *b = *state;
	const char *m = "\"\xe2\x80\xa6\\\n\xc3\xbc\"";

	assert_int_equal(cw_batch_add(b, 1, 1, m, strlen(m)), 0);
	assert_int_equal(b->bytes, 9 + 26);
	json_t *o = body(b);
	assert_string_equal(json_string_value(json_object_get(json_array_get(json_object_get(o, "logEvents"), 0), "message")), m);
	json_decref(o);
}

static void test_count(void **state)
{
	struct cw_batch *b = *state;

	for (unsigned i = 0; i < 10000; i++) {
		assert_true(cw_batch_fits(b, &limits, 1, 2, 7, 7));
		assert_int_equal(cw_batch_add(b, 7, i + 1, "{}", 2), 0);
	}
	assert_false(cw_batch_fits(b, &limits, 1, 2, 7, 7));
	cw_batch_clear(b);
	assert_true(cw_batch_fits(b, &limits, 10000, 20000, 7, 7));
	assert_false(cw_batch_fits(b, &limits, 10001, 20002, 7, 7));
}

static void test_span(void **state)
{
	struct cw_batch *b = *state;
	const int64_t day = 86400000, at = 1795206495057;

	assert_true(cw_batch_fits(b, &limits, 1, 2, at, at)); /* of one event any time is good */
	assert_int_equal(cw_batch_add(b, at, 1, "{}", 2), 0);
	assert_true(cw_batch_fits(b, &limits, 1, 2, at + day - 1, at + day - 1));
	assert_false(cw_batch_fits(b, &limits, 1, 2, at + day, at + day));
	assert_true(cw_batch_fits(b, &limits, 1, 2, at - day + 1, at - day + 1));
	assert_false(cw_batch_fits(b, &limits, 1, 2, at - day, at - day));
	assert_int_equal(cw_batch_add(b, at - 7, 2, "{}", 2), 0);
	assert_false(cw_batch_fits(b, &limits, 1, 2, at - 7 + day, at - 7 + day));
	assert_int_equal(b->from_ms, at - 7);
	assert_int_equal(b->to_ms, at);
}

/* --- the request ---------------------------------------------------------------------------------------- */

static void test_order(void **state)
{
	static const int64_t times[] = {5, 3, 5, 4, 3, 5};
	static const char *const order[] = {"2", "5", "4", "1", "3", "6"};
	struct cw_batch *b = *state;
	size_t i;
	json_t *e;

	for (i = 0; i < ARRAY_SIZE(times); i++) {
		char m[2] = {(char)('1' + i)};

		assert_int_equal(cw_batch_add(b, times[i], i + 1, m, 1), 0);
	}
	for (unsigned twice = 0; twice < 2; twice++) { /* the same again is the same */
		json_t *o = body(b);
		assert_string_equal(json_string_value(json_object_get(o, "logGroupName")), "/g");
		assert_string_equal(json_string_value(json_object_get(o, "logStreamName")), "s");
		json_array_foreach (json_object_get(o, "logEvents"), i, e) {
			assert_string_equal(json_string_value(json_object_get(e, "message")), order[i]);
			assert_int_equal(json_integer_value(json_object_get(e, "timestamp")), 3 + (i > 1) + (i > 2));
			assert_int_equal(json_object_size(e), 2);
		}
		json_decref(o);
	}
}

/* The fullest there can be, all of it escaped, is no longer than a request may be. */
static void test_longest_body(void **state)
{
	struct cw_batch *b = *state;
	struct json_text text = {};
	char m[79];

	memset(m, '"', sizeof(m));
	for (unsigned i = 0; cw_batch_fits(b, &limits, 1, sizeof(m), 1795206495057, 1795206495057); i++)
		assert_int_equal(cw_batch_add(b, 1795206495057, i + 1, m, sizeof(m)), 0);
	assert_true(b->n > 9900);
	assert_int_equal(cw_batch_body(b, "/g", "s", &text), 0);
	assert_in_range(text.len, 1900000, 3 << 20);
	free(text.data);
}

static void test_clear_gives_back(void **state)
{
	struct cw_batch *b = *state;
	_cleanup_free_ char *m = filled(1000000);

	assert_int_equal(cw_batch_add(b, 1, 1, m, 1000000), 0);
	cw_batch_clear(b);
	assert_int_equal(b->n + b->bytes + b->text.size, 0);
	assert_int_equal(cw_batch_add(b, 2, 2, "{}", 2), 0);
	assert_int_equal(b->from_ms, 2);
}

/* --- records -------------------------------------------------------------------------------------------- */

static void test_line(void **state)
{
	static const char finding[] = "{\"type\":\"finding\",\"severity\":\"critical\",\"time\":\"2026-11-20T23:12:46.001Z\"}";
	static const char *const bad[] = {"", "[]", "1", "{", "{\"a\":\"\xff\"}", "null"};
	static const char medium[] = "{\"type\":\"finding\",\"severity\":\"medium\"}";
	static const char other[] = "{\"severity\":\"high\",\"type\":\"x\",\"time\":7}";
	struct cw_line l;

	assert_int_equal(cw_line_read(finding, strlen(finding), &l), 0);
	assert_true(l.timed && l.urgent);
	assert_int_equal(l.ms, 1795216366001);
	json_decref(l.record);
	assert_int_equal(cw_line_read(medium, strlen(medium), &l), 0);
	assert_false(l.timed || l.urgent);
	json_decref(l.record);
	assert_int_equal(cw_line_read(other, strlen(other), &l), 0);
	assert_false(l.timed || l.urgent);
	json_decref(l.record);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(cw_line_read(bad[i], strlen(bad[i]), &l), -EBADMSG);
	assert_int_equal(cw_line_read("{}\0", 3, &l), -EBADMSG);
}

static json_t *cut(const json_t *record, const char *text, size_t max)
{
	char *out;
	size_t len;

	assert_int_equal(cw_line_cut(record, text, strlen(text), max, &out, &len), 0);
	assert_int_equal(strlen(out), len);
	assert_true(len <= max);
	json_t *o = json_loads(out, 0, NULL);
	assert_non_null(o);
	free(out);
	return o;
}

static void test_cut(void **state)
{
	_cleanup_free_ char *long_one = filled(5003), *short_one = filled(997);
	json_t *record = json_pack("{s:i, s:s, s:s, s:i, s:{s:s}, s:s, s:s, s:[s]}", "v", 1, "type", "finding", "time",
				   "2026-11-20T23:12:46.001Z", "seq", 71, "host", "name", "gpu-7", "id", "f-1", "chain", long_one,
				   "short", short_one);
	_cleanup_free_ char *text = json_dumps(record, JSON_COMPACT);
	char digest[65];

	assert_int_equal(cw_digest(text, strlen(text), digest), 0);
	json_t *o = cut(record, text, 4099);
	assert_int_equal(json_integer_value(json_object_get(o, "v")), 1);
	assert_string_equal(json_string_value(json_object_get(o, "type")), "finding");
	assert_int_equal(json_integer_value(json_object_get(o, "seq")), 71);
	assert_string_equal(json_string_value(json_object_get(json_object_get(o, "host"), "name")), "gpu-7");
	assert_true(json_is_true(json_object_get(o, "truncated")));
	assert_int_equal(json_integer_value(json_object_get(o, "size")), strlen(text));
	assert_string_equal(json_string_value(json_object_get(o, "sha256")), digest);
	assert_string_equal(json_string_value(json_object_get(o, "id")), "f-1");
	assert_non_null(json_object_get(o, "short"));
	assert_string_equal(json_string_value(json_array_get(json_object_get(o, "left_out"), 0)), "chain");
	json_decref(o);
	o = cut(record, text, 307); /* less room: less is kept, and it is still a record */
	assert_int_equal(json_integer_value(json_object_get(o, "seq")), 71);
	assert_null(json_object_get(o, "short"));
	json_decref(o);
	char *out;
	size_t len;
	assert_int_equal(cw_line_cut(record, text, strlen(text), 101, &out, &len), -EFBIG);
	json_decref(record);
}

/* --- answers ---------------------------------------------------------------------------------------------- */

static void test_limits_said(void **state)
{
	static const char *const others[] = {"", "exceeds limit of 5", "Log event too large: 9 bytes exceeds limit of ",
					     "Log event too large: 9 bytes exceeds limit of 99999999999999999999999999",
					     "Log event too large: 9 bytes exceeds limit of -1", "Log event too large"};
	bool of_event = false;
	uint64_t limit = 0;

	assert_true(cw_limit_said("Log event too large: 292824 bytes exceeds limit of 262144", &of_event, &limit));
	assert_true(of_event);
	assert_int_equal(limit, 262144);
	assert_true(cw_limit_said("Upload too large: 1049882 bytes exceeds limit of 1048576", &of_event, &limit));
	assert_false(of_event);
	assert_int_equal(limit, 1048576);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_false(cw_limit_said(others[i], &of_event, &limit));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
	    TEST(test_bytes),	     TEST(test_bytes_are_utf8),	  TEST(test_count), TEST(test_span), TEST(test_order),
	    TEST(test_longest_body), TEST(test_clear_gives_back), TEST(test_line),  TEST(test_cut),  TEST(test_limits_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
