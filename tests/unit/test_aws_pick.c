/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* One string out of JSON or XML: what is found, what is refused, and that jansson sees the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <jansson.h>

#include "user/export/json_pick.h"
#include "user/export/xml_pick.h"

static const char *const a_path[] = {"a", NULL}, *const deep[] = {"r", "i", "a", NULL};

static void json_is_picked(void **state)
{
	static const struct {
		const char *text, *is;
	} t[] = {
	    {"{\"a\":\"x\"}", "x"},
	    {" { \"b\" : [1,{\"a\":2}] , \"a\" : \"x/+=\" } \n", "x/+="},
	    {"{\"a\":\"\"}", ""},
	    {"{\"a\":\"\\u00e9\\u2603\\ud83d\\udd12\\\"\\\\\\/\"}", "\xc3\xa9\xe2\x98\x83\xf0\x9f\x94\x92\"\\/"},
	    {"{\"\\u0061\":\"x\"}", "x"},
	    {"{\"a\":1.7958E+9}", "1.7958E+9"},
	    {"{\"a\":-0}", "-0"},
	    {"{\"b\":{\"a\":\"no\"},\"a\":\"yes\"}", "yes"},
	};
	char got[64];

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		assert_int_equal(json_pick(t[i].text, strlen(t[i].text), a_path, got, sizeof(got)), 0);
		assert_string_equal(got, t[i].is);
	}
	static const char nested[] = "{\"a\":\"no\",\"r\":{\"a\":\"no\",\"i\":{\"b\":1,\"a\":\"yes\"}}}";
	assert_int_equal(json_pick(nested, sizeof(nested) - 1, deep, got, sizeof(got)), 0);
	assert_string_equal(got, "yes");
}

static void json_is_refused(void **state)
{
	static const struct {
		const char *text;
		int err;
	} t[] = {
	    {"", -EINVAL},
	    {"[]", -EINVAL},
	    {"\"a\"", -EINVAL},
	    {"{\"a\":\"x\"", -EINVAL},
	    {"{\"a\":\"x\"} x", -EINVAL},
	    {"{\"a\":\"x\",}", -EINVAL},
	    {"{a:\"x\"}", -EINVAL},
	    {"{'a':'x'}", -EINVAL},
	    {"{\"a\":\"x\"}{\"a\":\"x\"}", -EINVAL},
	    {"{\"a\":\"x\",\"a\":\"y\"}", -EINVAL},
	    {"{\"a\":{}}", -EINVAL},
	    {"{\"a\":[\"x\"]}", -EINVAL},
	    {"{\"a\":true}", -EINVAL},
	    {"{\"a\":\"\\u0000\"}", -EINVAL},
	    {"{\"a\":\"\\n\"}", -EINVAL},
	    {"{\"a\":\"\n\"}", -EINVAL},
	    {"{\"a\":\"\\ud800\"}", -EINVAL},
	    {"{\"a\":\"\\x\"}", -EINVAL},
	    {"{\"a\":\"\xff\"}", -EINVAL},
	    {"{\"a\":01}", -EINVAL},
	    {"{\"a\":.5}", -EINVAL},
	    {"{\"a\":1.}", -EINVAL},
	    {"{\"a\":nul}", -EINVAL},
	    {"{\"a\":\"x\",\"b\":tru}", -EINVAL},
	    {"{\"b\":[1,]}", -EINVAL},
	    {"{\"b\":[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]}", -EINVAL},
	    {"{}", -ENOENT},
	    {"{\"a\":null}", -ENOENT},
	    {"{\"b\":\"x\"}", -ENOENT},
	    {"{\"A\":\"x\"}", -ENOENT},
	    {"{\"aa\":\"x\"}", -ENOENT},
	    {"{\"\":\"x\"}", -ENOENT},
	    {"{\"b\":{\"a\":\"x\"}}", -ENOENT},
	    {"{\"a\":\"12345678\"}", -E2BIG},
	};
	char got[8] = "before";

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		if (json_pick(t[i].text, strlen(t[i].text), a_path, got, sizeof(got)) != t[i].err)
			fail_msg("taken: %s", t[i].text);
		assert_string_equal(got, "before");
	}
}

/* Nothing that jansson refuses is taken, and both find the same. */
static void json_is_what_jansson_says(void **state)
{
	static const char seed[] = "{\"b\":[1,-2.5e3,true,null,{\"a\":\"\\u00e9\"}],\"a\":\"x\\\"y\",\"c\":{\"a\":\"z\"}}";
	uint64_t rng = 88172645463325252ULL, taken = 0;

	for (unsigned i = 0; i < 200000; i++) {
		char text[sizeof(seed)], got[64];

		memcpy(text, seed, sizeof(seed));
		for (unsigned k = 0; k < 1 + i % 3; k++) {
			rng ^= rng << 13;
			rng ^= rng >> 7;
			rng ^= rng << 17;
			text[rng % (sizeof(text) - 1)] = seed[(rng >> 20) % (sizeof(seed) - 1)];
		}
		int err = json_pick(text, sizeof(text) - 1, a_path, got, sizeof(got));
		json_t *v = json_loadb(text, sizeof(text) - 1, JSON_REJECT_DUPLICATES, NULL);
		const json_t *a = json_object_get(v, "a");
		if (!err && v && json_is_string(a)) {
			assert_string_equal(got, json_string_value(a));
			taken++;
		}
		if (v && json_is_string(a) && !strpbrk(json_string_value(a), "\n\t\r\b\f\x7f"))
			assert_int_equal(err, 0);
		json_decref(v);
	}
	assert_true(taken > 1000);
}

/* --- XML ------------------------------------------------------------------------------------------- */

#define HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"

static void xml_is_picked(void **state)
{
	static const struct {
		const char *text, *is;
	} t[] = {
	    {"<r><i><a>x</a></i></r>", "x"},
	    {HEAD "<r xmlns=\"https://x/\">\n<!-- <a> --><b><a>no</a></b>\n<i ><a k='v>'>x</a ></i></r>\n", "x"},
	    {"<r><a>no</a><i><b><a>no</a></b><a>y&amp;&lt;&gt;&quot;&apos;&#65;&#x42;</a></i></r>", "y&<>\"'AB"},
	    {"<r><i><a/></i></r>", ""},
	    {"<n:r xmlns:n='u'><n:i><n:a>x</n:a></n:i></n:r>", "x"},
	    {"<r><i/><i><a>x</a></i></r>", "x"},
	    {"<r><i><a>a<!-- c -->b</a></i></r>", "ab"},
	};
	char got[64];

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		if (xml_pick(t[i].text, strlen(t[i].text), deep, got, sizeof(got)))
			fail_msg("refused: %s", t[i].text);
		assert_string_equal(got, t[i].is);
	}
}

static void xml_is_refused(void **state)
{
	static const struct {
		const char *text;
		int err;
	} t[] = {
	    {"", -EINVAL},
	    {"x", -EINVAL},
	    {"<r>", -EINVAL},
	    {"<r><i><a>x</a></i>", -EINVAL},
	    {"<r><i><a>x</i></a></r>", -EINVAL},
	    {"<r><i><a>x</a></i></r><r/>", -EINVAL},
	    {"<r/>x", -EINVAL},
	    {"<r><i><a>x<b/></a></i></r>", -EINVAL},
	    {"<r><i><a>x</a><a>y</a></i></r>", -EINVAL},
	    {"<!DOCTYPE r [<!ENTITY e 'x'>]><r><i><a>&e;</a></i></r>", -EINVAL},
	    {"<r><i><a>&e;</a></i></r>", -EINVAL},
	    {"<r><i><a><![CDATA[x]]></a></i></r>", -EINVAL},
	    {"<r><i><a>&#0;</a></i></r>", -EINVAL},
	    {"<r><i><a>&#x1b;</a></i></r>", -EINVAL},
	    {"<r><i><a>\x1b</a></i></r>", -EINVAL},
	    {"<r><i><a>\xff</a></i></r>", -EINVAL},
	    {"<r><i><a k>x</a></i></r>", -EINVAL},
	    {"<r><i><a k=v>x</a></i></r>", -EINVAL},
	    {"< r/>", -EINVAL},
	    {"<r><!-- </r>", -EINVAL},
	    {"<r><r><r><r><r><r><r><r><r><r><r><r><r><r><r><r><r/></r></r></r></r></r></r></r></r></r></r></r></r></r></r></r></"
	     "r>",
	     -EINVAL},
	    {"<r/>", -ENOENT},
	    {"<i><r><a>x</a></r></i>", -ENOENT},
	    {"<r><b><i><a>x</a></i></b></r>", -ENOENT},
	    {"<r><a>x</a></r>", -ENOENT},
	    {"<r><i><A>x</A></i></r>", -ENOENT},
	    {"<r><i><a>12345678</a></i></r>", -E2BIG},
	};
	char got[8] = "before";

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		if (xml_pick(t[i].text, strlen(t[i].text), deep, got, sizeof(got)) != t[i].err)
			fail_msg("taken: %s", t[i].text);
		assert_string_equal(got, "before");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(json_is_picked), cmocka_unit_test(json_is_refused), cmocka_unit_test(json_is_what_jansson_says),
	    cmocka_unit_test(xml_is_picked),  cmocka_unit_test(xml_is_refused),
	};

	return cmocka_run_group_tests_name("aws_pick", tests, NULL, NULL);
}
