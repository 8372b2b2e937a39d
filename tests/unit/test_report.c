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

static json_t *flow_record(int seq, const char *class, const char *source, json_t *tainted)
{
	return json_pack("{s:i, s:s, s:s, s:i, s:n, s:s, s:s, s:{s:s, s:i, s:s, s:n, s:s?}, s:i, s:o, s:[s]}", "v", 1, "type", "flow",
			 "time", "2026-11-20T10:00:00.000Z", "seq", seq, "process", "job", "j", "proto", "tcp", "remote", "addr",
			 "172.31.0.9", "port", 443, "class", class, "name", "name_source", source, "bytes_out", 100, "tainted_out",
			 tainted, "datasets", "patients");
}

/* An address that is another's later: what left is the sum of the rows that say so. */
static void test_class_of_an_end(void **state)
{
	static const char *const said[][2] = {{"private", NULL}, {"vpc", NULL}, {"vpc", "connect"}, {"private", NULL}, {"vpc", "sni"}};
	struct report_wish wish = {0};
	struct report *r;
	json_int_t out = 0, inside = 0;
	json_t *d, *row;
	size_t i;

	assert_int_equal(report_new(&wish, &r), 0);
	for (int n = 0; n < (int)ARRAY_SIZE(said); n++)
		assert_int_equal(take(r, flow_record(n + 1, said[n][0], said[n][1], json_integer(1 << n))), 0);
	d = report_document(r, false);
	json_array_foreach (json_object_get(d, "destinations"), i, row) {
		json_int_t more = json_integer_value(json_object_get(row, "tainted_out"));

		*(json_is_true(json_object_get(row, "outside")) ? &out : &inside) += more;
	}
	assert_int_equal(out, 1 + 4 + 8);
	assert_int_equal(inside, 2 + 16);
	assert_int_equal(json_integer_value(json_at(d, "left.patients")), out);
	json_decref(d);
	report_free(r);
}

static bool printed(const json_t *document, unsigned width, const char *words)
{
	char *text;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	assert_int_equal(report_text(document, width, f), 0);
	fclose(f);
	bool is = strstr(text, words);
	free(text);
	return is;
}

/* Flows that had no room of their own are summed up in one without a remote: it may be anywhere. */
static void test_flows_without_room(void **state)
{
	struct report_wish wish = {0};
	struct report *r;
	json_t *d, *all = flow_record(1, "x", NULL, json_integer(70));

	assert_int_equal(report_new(&wish, &r), 0);
	json_object_set_new(all, "remote", json_null());
	json_object_set_new(all, "overflow", json_true());
	assert_int_equal(take(r, all), 0);
	d = report_document(r, false);
	assert_int_equal(json_integer_value(json_at(d, "left.patients")), 70);
	assert_true(json_is_true(json_object_get(json_array_get(json_object_get(d, "destinations"), 0), "outside")));
	assert_true(printed(d, 200, "patients  70 bytes (70 B)"));
	json_decref(d);
	report_free(r);
}

/* What nothing measured is not none. */
static void test_unknown_is_not_none(void **state)
{
	struct report_wish wish = {0};
	struct report *r;
	json_t *d;

	assert_int_equal(report_new(&wish, &r), 0);
	assert_int_equal(take(r, flow_record(1, "internet", NULL, json_null())), 0);
	d = report_document(r, false);
	assert_true(printed(d, 200, "patients  ?\n"));
	assert_false(printed(d, 200, " 0 bytes"));
	json_decref(d);
	report_free(r);
}

/* A member that does not belong there, of a kind that it has nowhere. */
static void test_odd_member(void **state)
{
	struct report_wish wish = {.dataset = "patients"};
	json_t *odd = flow_record(1, "internet", NULL, json_integer(5)), *d;
	struct report *r;

	assert_int_equal(report_new(&wish, &r), 0);
	json_object_set_new(odd, "dataset", json_integer(5));
	assert_int_equal(take(r, odd), 0);
	d = report_document(r, false);
	assert_int_equal(json_integer_value(json_at(d, "left.patients")), 5);
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

/* In little room, too, a bound is none of the figures that are exact. */
static void test_exact_is_told(void **state)
{
	struct report_wish wish = {0};
	json_t *bound = access_record(1, 1, "/bin/a", 5), *d;
	struct report *r;

	assert_int_equal(report_new(&wish, &r), 0);
	json_object_set_new(bound, "exact", json_false());
	assert_int_equal(take(r, bound), 0);
	d = report_document(r, false);
	for (unsigned width = 40; width < 200; width += 20)
		assert_true(printed(d, width, "EXACT"));
	json_decref(d);
	report_free(r);
}

/* Numbers of users are names on their own host only. */
static void test_users_of_another_host(void **state)
{
	static const char elsewhere[] = "elsewhere.example";
	char here[256] = "";
	struct report_wish wish = {0};

	gethostname(here, sizeof(here) - 1);
	assert_string_not_equal(here, elsewhere);
	for (int other = 0; other < 2; other++) {
		json_t *record = access_record(1, 1, "/bin/a", 5), *d;
		struct report *r;

		assert_int_equal(report_new(&wish, &r), 0);
		json_object_set_new(json_object_get(record, "process"), "uid", json_integer(0));
		json_object_set_new(record, "host", json_pack("{s:s}", "name", other ? elsewhere : here));
		assert_int_equal(take(r, record), 0);
		d = report_document(r, false);
		const json_t *user = json_object_get(json_array_get(json_object_get(d, "access"), 0), "user");
		if (other)
			assert_true(json_is_null(user));
		else
			assert_string_equal(json_string_value(user), "root");
		json_decref(d);
		report_free(r);
	}
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
	    cmocka_unit_test(test_class_of_an_end),
	    cmocka_unit_test(test_flows_without_room),
	    cmocka_unit_test(test_unknown_is_not_none),
	    cmocka_unit_test(test_odd_member),
	    cmocka_unit_test(test_exact_is_told),
	    cmocka_unit_test(test_users_of_another_host),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_story),
	};

	return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
