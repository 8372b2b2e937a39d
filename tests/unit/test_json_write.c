/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What is written is what jansson would have written, byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <limits.h>
#include <string.h>

#include "user/json_write.h"

static void assert_same(const json_t *value)
{
	struct json_text to = {.max = SIZE_MAX};
	_cleanup_free_ char *expected = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

	assert_non_null(expected);
	assert_int_equal(json_write(&to, value), 0);
	assert_int_equal(to.len, strlen(expected));
	assert_memory_equal(to.data, expected, to.len);
	free(to.data);
}

static void assert_same_and_free(json_t *value)
{
	assert_non_null(value);
	assert_same(value);
	json_decref(value);
}

static void test_numbers(void **state)
{
	static const json_int_t integers[] = {0, 1, -1, 9, 10, 4096, LLONG_MAX, LLONG_MIN, LLONG_MIN + 1};
	static const double reals[] = {0, -0.0, 0.1, 1, 1e300, 5e-324, 0.046};

	for (size_t i = 0; i < ARRAY_SIZE(integers); i++)
		assert_same_and_free(json_integer(integers[i]));
	for (size_t i = 0; i < ARRAY_SIZE(reals); i++)
		assert_same_and_free(json_real(reals[i]));
}

static void test_strings(void **state)
{
	char all[0x7f];

	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (char)(i + 1);
	assert_same_and_free(json_stringn(all, sizeof(all)));
	assert_same_and_free(json_string(""));
	assert_same_and_free(json_string("/usr/bin/\"python3\"\\"));
	assert_same_and_free(json_string("M\xc3\xbcnchen \xe2\x82\xac \xf0\x9f\x90\x8d"));
	assert_same_and_free(json_stringn("a\0b", 3));
}

static void test_nested(void **state)
{
	assert_same_and_free(json_object());
	assert_same_and_free(json_array());
	assert_same_and_free(json_pack("{s:n, s:b, s:b, s:[i,i,[],{}], s:{s:{s:s}}}", "n", "t", 1, "f", 0, "list", 1, 2,
				       "zebra", "a\nkey", "x", "y"));
}

static json_t *random_value(unsigned depth)
{
	char text[8];
	json_t *v;

	switch (rand() % (depth ? 8 : 6)) {
	case 0:
		return json_null();
	case 1:
		return json_boolean(rand() % 2);
	case 2:
		return json_integer((json_int_t)(((uint64_t)rand() << 33 ^ (uint64_t)rand() << 16) >> rand() % 64));
	case 3:
		return json_real(rand() / 1e5);
	case 4:
	case 5:
		for (size_t i = 0; i < sizeof(text); i++)
			text[i] = (char)(rand() % 0x80);
		return json_stringn(text, (size_t)rand() % sizeof(text));
	case 6:
		v = json_array();
		for (int i = rand() % 4; i; i--)
			json_array_append_new(v, random_value(depth - 1));
		return v;
	default:
		v = json_object();
		for (int i = rand() % 12; i; i--) {
			snprintf(text, sizeof(text), "%x", (unsigned)rand() % 0xffff);
			json_object_set_new(v, text, random_value(depth - 1));
		}
		return v;
	}
}

static void test_anything(void **state)
{
	srand(7);
	for (int i = 0; i < 20000; i++)
		assert_same_and_free(random_value(4));
}

/* What is too long or too deep leaves what was there. */
static void test_refused(void **state)
{
	struct json_text to = {.max = 12};
	json_t *deep = json_array(), *long_one = json_string("0123456789"), *one = json_integer(1);

	for (unsigned i = 0; i < JSON_WRITE_DEPTH; i++)
		deep = json_pack("[o]", deep);
	assert_int_equal(json_write(&to, one), 0);
	assert_int_equal(json_write(&to, long_one), -EFBIG);
	assert_int_equal(json_write(&to, deep), -EFBIG);
	assert_int_equal(to.len, 1);
	to.max = SIZE_MAX;
	assert_int_equal(json_write(&to, deep), -EINVAL);
	assert_int_equal(json_write(&to, NULL), -EINVAL);
	assert_int_equal(to.len, 1);
	assert_int_equal(json_write(&to, json_array_get(deep, 0)), 0);
	assert_int_equal(json_write_raw(&to, "\n", 1), 0);
	assert_int_equal(to.len, 2 + 2 * JSON_WRITE_DEPTH);
	free(to.data);
	json_decref(deep);
	json_decref(long_one);
	json_decref(one);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_numbers), cmocka_unit_test(test_strings), cmocka_unit_test(test_nested),
	    cmocka_unit_test(test_anything), cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests_name("json_write", tests, NULL, NULL);
}
