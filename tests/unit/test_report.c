/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "user/report.h"
#include "user/value_text.h"

static int take(struct report *r, json_t *record)
{
	struct json_lines_why why;
	int err = report_take(r, record, &why);

	json_decref(record);
	return err;
}

static json_t *access_record(int seq, int pid, const char *exe, int bytes)
{
	return json_pack("{s:i, s:s, s:s, s:i, s:s, s:n, s:{s:i, s:s, s:s, s:i}, s:{s:i, s:n}, s:i, s:i, s:b}", "v", 1, "type",
			 "access", "time", "2026-11-20T10:00:00.000Z", "seq", seq, "dataset", "patients", "job", "process", "pid",
			 pid, "start", "2026-11-20T09:00:00.000Z", "exe", exe, "uid", 4000000, "bytes", "read", bytes, "mmap",
			 "ops", 1, "files", 1, "exact", 1);
}

/* However many rows a file asks for, memory is bounded, and the sum is the same. */
static void test_bounded(void **state)
{
	struct report_wish wish = {.rows = 10};
	struct report *r;
	json_int_t sum = 0;
	size_t i;
	json_t *d, *row = NULL;

	assert_int_equal(report_new(&wish, &r), 0);
	for (int n = 1; n <= 1000; n++) {
		char exe[32];

		snprintf(exe, sizeof(exe), "/bin/%d", n);
		assert_int_equal(take(r, access_record(n, n, exe, 101)), 0);
	}
	d = report_document(r, false);
	assert_int_equal(json_array_size(json_object_get(d, "access")), 11);
	json_array_foreach (json_object_get(d, "access"), i, row)
		sum += json_integer_value(json_object_get(row, "bytes_total"));
	assert_int_equal(sum, 101000);
	assert_true(json_is_true(json_object_get(row, "others")));
	assert_int_equal(json_integer_value(json_object_get(row, "processes")), 990);
	json_decref(d);
	report_free(r);
}

/* A figure that nothing measured stays unknown, and one that overflows stays at the top. */
static void test_figures(void **state)
{
	struct report_wish wish = {0};
	struct report *r;
	json_t *d, *row, *huge = access_record(2, 1, "/bin/a", 0);

	assert_int_equal(report_new(&wish, &r), 0);
	json_object_set_new(json_object_get(huge, "bytes"), "read", json_integer(INT64_MAX));
	assert_int_equal(take(r, access_record(1, 1, "/bin/a", 3)), 0);
	assert_int_equal(take(r, huge), 0);
	d = report_document(r, false);
	row = json_array_get(json_object_get(d, "access"), 0);
	assert_true(json_is_null(json_object_get(json_object_get(row, "bytes"), "mmap")));
	assert_true(json_integer_value(json_object_get(row, "bytes_total")) == INT64_MAX);
	assert_int_equal(json_integer_value(json_object_get(row, "processes")), 1);
	json_decref(d);
	report_free(r);
}

static void test_refused(void **state)
{
	static const char *const needed[] = {"v", "type", "time", "seq", "dataset", "bytes", "ops", "files"};
	struct report_wish wish = {0};
	struct report *r;

	assert_int_equal(report_new(&wish, &r), 0);
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		json_t *record = access_record(1, 1, "/bin/a", 1);

		json_object_del(record, needed[i]);
		assert_int_equal(take(r, record), -EINVAL);
	}
	json_t *later = access_record(1, 1, "/bin/a", 1);
	json_object_set_new(later, "type", json_string("a-later-type"));
	assert_int_equal(take(r, later), 0);
	report_free(r);
}

static bool told(const json_t *story, const char *words)
{
	size_t i;
	json_t *line;

	json_array_foreach (story, i, line)
		if (strstr(json_string_value(line), words))
			return true;
	return false;
}

static void test_story(void **state)
{
	json_t *f = json_pack("{s:s, s:s, s:s, s:s, s:i, s:[{s:s,s:s,s:s,s:i,s:s}, {s:s,s:s,s:s,s:n,s:n}, {s:s,s:s,s:s,s:i,s:s}], s:[]}",
			      "id", "f-1", "rule", "exfil.volume", "severity", "low", "title", "x\033[2Jy", "leak_bound", 70001, "chain",
			      "from", "dataset p", "to", "process a[1]", "via", "read", "bytes", 70001, "time",
			      "2026-11-20T10:00:00.000Z", "from", "process a[1]", "to", "process b[2]", "via", "fork", "bytes", "time",
			      "from", "process b[2]", "to", "F T B", "via", "new_write", "bytes", 7, "time", "2026-11-20T10:00:01.000Z",
			      "coverage");
	json_t *story;

	assert_non_null(f);
	story = report_story(f);
	assert_true(told(story, "process a[1] read 68 KiB of dataset p (read)"));
	assert_true(told(story, "process a[1] started process b[2], which began with all that it held (fork)"));
	assert_true(told(story, "process b[2] wrote 7 B into F T B (new_write)"));
	assert_true(told(story, "x?[2Jy"));
	assert_true(told(story, "at most 70001 bytes"));
	json_decref(story);
	json_decref(f);
	f = json_object();
	story = report_story(f);
	assert_non_null(story);
	json_decref(story);
	json_decref(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_bounded),
	    cmocka_unit_test(test_figures),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_story),
	};

	return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
