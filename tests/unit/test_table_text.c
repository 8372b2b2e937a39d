/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "user/table_text.h"

static const struct text_column columns[] = {
    {.title = "NAME", .cut = CUT_END, .least = 6},
    {.title = "PATH", .cut = CUT_START, .least = 8, .drop = 1},
    {.title = "READ", .right = true},
    {.title = "NOTE", .cut = CUT_END, .least = 4, .drop = 2},
};

#define ROW(t, ...) assert_int_equal(table_text_row(t, (const char *[]){__VA_ARGS__}), 0)

static struct table_text *new_table(void)
{
	struct table_text *t = NULL;

	assert_int_equal(table_text_new(columns, ARRAY_SIZE(columns), &t), 0);
	return t;
}

static char *print(const struct table_text *t, unsigned width)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	table_text_print(t, width, f);
	fclose(f);
	return text;
}

static void assert_prints(const struct table_text *t, unsigned width, const char *expect)
{
	_cleanup_free_ char *text = print(t, width);

	assert_string_equal(text, expect);
}

static void assert_fits(const char *text, unsigned width)
{
	_cleanup_free_ char *copy = strdup(text);

	for (char *line = strtok(copy, "\n"); line; line = strtok(NULL, "\n"))
		assert_true(text_width(line) <= width);
}

static void test_aligned(void **state)
{
	struct table_text *t = new_table();

	ROW(t, "patients", "/data/patients", "1.5 GiB", "");
	ROW(t, "x", "/d", "0 B", "yes");
	ROW(t, "unknown", NULL, NULL, NULL);
	assert_prints(t, 0,
		      "NAME      PATH               READ  NOTE\n"
		      "patients  /data/patients  1.5 GiB\n"
		      "x         /d                  0 B  yes\n"
		      "unknown   ?                     ?  ?\n");
	table_text_free(t);
}

static void test_empty(void **state)
{
	struct table_text *t = new_table();

	assert_prints(t, 80, "NAME  PATH  READ  NOTE\n");
	assert_null(table_text_free(t));
	assert_null(table_text_free(NULL));
	assert_int_equal(table_text_new(columns, 0, &t), -EINVAL);
	assert_int_equal(table_text_new(columns, 1000, &t), -EINVAL);
}

static void test_cut_to_width(void **state)
{
	struct table_text *t = new_table();

	ROW(t, "a-long-dataset-name", "/data/hospital/north/patients", "1.5 GiB", "remark");
	ROW(t, "b", "/d", "17 B", "");
	assert_prints(t, 44,
		      "NAME          PATH              READ  NOTE\n"
		      "a-long-data…  …rth/patients  1.5 GiB  remark\n"
		      "b             /d                17 B\n");
	for (unsigned width = 30; width < 80; width++) {
		_cleanup_free_ char *text = print(t, width);

		assert_fits(text, width);
		assert_non_null(strstr(text, "1.5 GiB")); /* a figure is never cut */
	}
	/* the least wanted columns go first, figures last of all */
	assert_prints(t, 26,
		      "NAME     PATH         READ\n"
		      "a-long…  …atients  1.5 GiB\n"
		      "b        /d           17 B\n");
	assert_prints(t, 20,
		      "NAME            READ\n"
		      "a-long-dat…  1.5 GiB\n"
		      "b               17 B\n");
	table_text_free(t);
}

static void test_notes(void **state)
{
	struct table_text *t = new_table();

	ROW(t, "a", "/d", "1 B", "");
	assert_int_equal(table_text_note(t, "    a remark that is longer than the table"), 0);
	ROW(t, "b", "/d", "2 B", "");
	assert_prints(t, 30,
		      "NAME  PATH  READ  NOTE\n"
		      "a     /d     1 B\n"
		      "    a remark that is longer t…\n"
		      "b     /d     2 B\n");
	table_text_free(t);
}

static void test_widths(void **state)
{
	char out[64];

	assert_int_equal(text_width(""), 0);
	assert_int_equal(text_width("abc"), 3);
	assert_int_equal(text_width("häß"), 3);
	assert_int_equal(text_width("データ"), 6);
	assert_int_equal(text_width("e\u0301"), 1);
	assert_int_equal(text_width("🔥"), 2);
	assert_int_equal(text_width("\xff\xfe"), 2);
	text_fit(out, sizeof(out), "データセット", 7, CUT_END);
	assert_string_equal(out, "データ…");
	text_fit(out, sizeof(out), "データセット", 6, CUT_END);
	assert_string_equal(out, "デー…");
	text_fit(out, sizeof(out), "データセット", 6, CUT_START);
	assert_string_equal(out, "…ット");
	text_fit(out, sizeof(out), "xe\u0301y", 2, CUT_START);
	assert_string_equal(out, "…y");
	text_fit(out, sizeof(out), "ae\u0301\u0301", 2, CUT_END);
	assert_string_equal(out, "ae\u0301\u0301");
	text_fit(out, sizeof(out), "abc", 1, CUT_END);
	assert_string_equal(out, "…");
	text_fit(out, sizeof(out), "abc", 0, CUT_END);
	assert_string_equal(out, "");
	text_fit(out, sizeof(out), "12345", 2, CUT_NEVER);
	assert_string_equal(out, "12345");
}

static void test_nothing_drives_the_terminal(void **state)
{
	struct table_text *t = new_table();
	char big[50000];

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	ROW(t, "\x1b[2J\x1b]0;x\a", "a\nb\tc\r",
	    "\u202e\xc2\x9b"
	    "2J",
	    "\xff\xc0\x80");
	ROW(t, big, big, "1 B", "\xe3\x83");
	assert_int_equal(table_text_note(t, "\x1b[31m\n"), 0);
	for (unsigned width = 0; width < 100; width += 33) {
		_cleanup_free_ char *text = print(t, width);
		unsigned newlines = 0;

		for (const char *s = text; *s;) {
			uint32_t cp;
			size_t n = utf8_next(s, strlen(s), &cp);

			assert_true(n > 0);
			newlines += cp == '\n';
			assert_true(cp == '\n' || (cp >= 0x20 && cp != 0x7f &&
						   !(cp >= 0x80 && cp < 0xa0) && cp != 0x202e));
			s += n;
		}
		assert_int_equal(newlines, 4);
		assert_true(strlen(text) < 20000);
	}
	table_text_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_aligned),	 cmocka_unit_test(test_empty),
	    cmocka_unit_test(test_cut_to_width), cmocka_unit_test(test_notes),
	    cmocka_unit_test(test_widths),	 cmocka_unit_test(test_nothing_drives_the_terminal),
	};

	return cmocka_run_group_tests_name("table_text", tests, NULL, NULL);
}
