/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Which rows a table has, in which order. The feed is this file's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "user/tui/health_items.h"
#include "user/tui/history.h"
#include "user/tui/sheet.h"

static json_t *documents[FEED_WHATS];
static double fixed_rate;

const char *feed_word(enum feed_what what)
{
	return "";
}

const json_t *feed_document(const struct feed *f, enum feed_what what)
{
	return documents[what];
}

double feed_rate(const struct feed *f, enum feed_what what, const json_t *item, const char *path)
{
	const json_t *pid = json_at(item, "process.pid");

	return json_integer_value(pid) == 3 ? NAN : fixed_rate * (double)json_integer_value(pid);
}

static int clear(void **state)
{
	for (size_t i = 0; i < FEED_WHATS; i++) {
		json_decref(documents[i]);
		documents[i] = NULL;
	}
	return 0;
}

#define START "2026-11-20T10:00:00.000Z"

static json_t *put(enum feed_what what, json_t *item)
{
	assert_non_null(item);
	if (!documents[what])
		documents[what] = json_pack("{s:s, s:[]}", "time", START, "items");
	json_array_append_new(json_object_get(documents[what], "items"), item);
	return item;
}

/* tainted negative: unknown */
static json_t *process(int pid, int parent, const char *comm, int tainted)
{
	json_t *item = put(FEED_PROCESSES,
			   json_pack("{s:{s:i, s:s, s:s, s:{s:i, s:s}}, s:s, s:i}", "process", "pid", pid, "start", START, "comm", comm,
				     "parent", "pid", parent, "start", START, "job", pid % 2 ? "odd" : "even", "image", 1));

	json_object_set_new(item, "tainted_out", tainted < 0 ? json_null() : json_integer(tainted));
	return item;
}

static const struct data data;
static const struct keyset no_marks;

/* "1 2 3": the processes in the order of the rows, with '.' for each step in. */
static void assert_rows(const struct sheet *s, const char *expect)
{
	char got[512] = "";
	size_t w = 0;

	for (size_t i = 0; i < s->rows.n; i++)
		w += (size_t)snprintf(got + w, sizeof(got) - w, "%s%.*s%lld", i ? " " : "", (int)s->rows.v[i].depth, "............",
				      (long long)json_integer_value(json_at(s->rows.v[i].item, "process.pid")));
	assert_string_equal(got, expect);
}

static size_t column(const struct view_ops *v, const char *title)
{
	size_t i = 0;

	while (strcmp(v->columns[i].title, title))
		i++;
	return i;
}

static void some_processes(void)
{
	process(1, 0, "b", 30);
	process(2, 1, "a", 10);
	process(3, 1, "d", -1);
	process(4, 2, "c", 20);
	process(5, 9, "e", 10);
}

static void figures_go_down_texts_go_up_unknown_comes_last(void **state)
{
	struct sheet s;

	some_processes();
	sheet_open(&s, &view_processes);
	s.sort = column(&view_processes, "TAINTED");
	assert_int_equal(sheet_make(&s, &data, &no_marks), 0);
	assert_rows(&s, "1 4 2 5 3");
	s.reverse = true;
	assert_int_equal(sheet_make(&s, &data, &no_marks), 0);
	assert_rows(&s, "2 5 4 1 3");
	s.reverse = false;
	s.sort = column(&view_processes, "PROCESS");
	assert_int_equal(sheet_make(&s, &data, &no_marks), 0);
	assert_rows(&s, "2 1 4 3 5");
	s.sort = column(&view_processes, "OUT/s");
	fixed_rate = 2;
	assert_int_equal(sheet_make(&s, &data, &no_marks), 0);
	assert_rows(&s, "5 4 2 1 3");
	sheet_close(&s);
}

static void every_column_of_every_view_sorts(void **state)
{
	some_processes();
	for (size_t v = 0; v < VIEWS; v++) {
		struct sheet s;

		if (views[v]->what != FEED_PROCESSES && views[v]->what != FEED_HEALTH)
			put(views[v]->what, json_pack("{s:s}", "id", "one"));
		sheet_open(&s, views[v]);
		for (s.sort = 0; s.sort < views[v]->ncolumns; s.sort++)
			assert_int_equal(sheet_make(&s, &data, &no_marks), 0);
		sheet_close(&s);
	}
}

static void children_stand_under_their_parents(void **state)
{
	struct sheet s;

	some_processes();
	process(6, 6, "own parent", 0);
	process(7, 8, "one of two", 0);
	process(8, 7, "who are each other's", 0);
	sheet_open(&s, &view_processes);
	s.tree = true;
	s.sort = column(&view_processes, "PROCESS");
	assert_int_equal(sheet_make(&s, &data, &no_marks), 0);
	/* 1 comes first for what is below it */
	assert_rows(&s, "1 .2 ..4 .3 5 6 7 .8");
	assert_true(s.rows.v[1].open == 0 || !s.rows.v[1].last);
	assert_true(s.rows.v[3].last);
	sheet_close(&s);
}

static void a_long_line_of_descent_is_drawn(void **state)
{
	struct sheet s;

	for (int i = 1; i <= 10000; i++)
		process(i, i - 1, "x", 0);
	sheet_open(&s, &view_processes);
	s.tree = true;
	assert_int_equal(sheet_make(&s, &data, &no_marks), 0);
	assert_int_equal(s.rows.n, 10000);
	assert_int_equal(s.rows.v[20].depth, ROWS_DEEPEST);
	sheet_close(&s);
}

static void a_frozen_order_stays_and_new_rows_come_last(void **state)
{
	struct sheet s;

	some_processes();
	sheet_open(&s, &view_processes);
	assert_int_equal(sheet_make(&s, &data, &no_marks), 0);
	assert_rows(&s, "1 4 2 5 3");
	assert_int_equal(sheet_freeze(&s, true), 0);
	json_object_set_new(json_array_get(json_object_get(documents[FEED_PROCESSES], "items"), 4), "tainted_out", json_integer(999));
	process(6, 1, "new", 5000);
	assert_int_equal(sheet_make(&s, &data, &no_marks), 0);
	assert_rows(&s, "1 4 2 5 3 6");
	assert_int_equal(sheet_freeze(&s, false), 0);
	assert_int_equal(sheet_make(&s, &data, &no_marks), 0);
	assert_rows(&s, "6 5 1 4 2 3");
	sheet_close(&s);
}

static void a_followed_row_is_found_again(void **state)
{
	struct sheet s;

	some_processes();
	sheet_open(&s, &view_processes);
	assert_int_equal(sheet_make(&s, &data, &no_marks), 0);
	sheet_select(&s, 2);
	s.follow = true;
	json_object_set_new(json_array_get(json_object_get(documents[FEED_PROCESSES], "items"), 1), "tainted_out", json_integer(999));
	assert_int_equal(sheet_make(&s, &data, &no_marks), 0);
	assert_rows(&s, "2 1 4 5 3");
	assert_int_equal(s.selected, 0);
	s.follow = false;
	sheet_select(&s, 4);
	json_array_remove(json_object_get(documents[FEED_PROCESSES], "items"), 0);
	assert_int_equal(sheet_make(&s, &data, &no_marks), 0);
	assert_int_equal(s.selected, 3); /* there is one row less */
	sheet_close(&s);
}

static void a_row_that_is_looked_for_is_waited_for(void **state)
{
	json_t *whole;
	struct sheet s;
	uint64_t key;

	some_processes();
	sheet_open(&s, &view_processes);
	assert_int_equal(sheet_make(&s, &data, &no_marks), 0);
	sheet_select(&s, 2);
	key = rows_key(&s.rows, 2);
	/* the document is gone for a while, and comes again in another order */
	whole = documents[FEED_PROCESSES];
	documents[FEED_PROCESSES] = NULL;
	sheet_find(&s, key);
	assert_int_equal(sheet_make(&s, &data, &no_marks), 0);
	documents[FEED_PROCESSES] = whole;
	json_object_set_new(json_array_get(json_object_get(whole, "items"), 4), "tainted_out", json_integer(999));
	assert_int_equal(sheet_make(&s, &data, &no_marks), 0);
	assert_rows(&s, "5 1 4 2 3");
	assert_int_equal(s.selected, 3);
	/* but once: it is not followed */
	json_object_set_new(json_array_get(json_object_get(whole, "items"), 4), "tainted_out", json_integer(0));
	assert_int_equal(sheet_make(&s, &data, &no_marks), 0);
	assert_rows(&s, "1 4 2 5 3");
	assert_int_equal(s.selected, 3);
	sheet_close(&s);
}

static void what_is_followed_has_its_sign_and_no_other(void **state)
{
	struct sheet s;

	some_processes();
	sheet_open(&s, &view_processes);
	assert_int_equal(sheet_make(&s, &data, &no_marks), 0);
	sheet_select(&s, 1);
	assert_false(sheet_follows(&s, 1));
	s.follow = true;
	assert_true(sheet_follows(&s, 1));
	assert_false(sheet_follows(&s, 0));
	json_array_remove(json_object_get(documents[FEED_PROCESSES], "items"), 3);
	assert_int_equal(sheet_make(&s, &data, &no_marks), 0);
	assert_rows(&s, "1 2 5 3");
	for (size_t i = 0; i < s.rows.n; i++)
		assert_false(sheet_follows(&s, i));
	sheet_close(&s);
}

static void classes_stand_together(void **state)
{
	static const char *const order[] = {"internet", "unobservable", "private", "aws:s3:eu-west-1", "vpc", "host"};
	double last = 9, n;

	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		json_t *item = json_pack("{s:{s:s}}", "remote", "class", order[i]);

		assert_true(class_number(item, &n));
		assert_true(n < last);
		last = n;
		json_decref(item);
	}
	assert_false(class_number(NULL, &n));
}

static void the_greatest_figures_are_told_as_such(void **state)
{
	const struct column *c = &view_processes.columns[column(&view_processes, "OUT/s")];
	json_t *item = process(10, 0, "much", 0);
	_cleanup_free_ char *rate = NULL, *sum = NULL;

	fixed_rate = 1e19; /* times ten: more than 64 bits hold */
	rate = column_text(c, &data, FEED_PROCESSES, item, NULL);
	assert_string_equal(rate, "16 EiB");
	json_object_set_new(item, "bytes", json_pack("{s:I, s:I, s:I}", "read", INT64_MAX, "mmap", INT64_MAX, "device", INT64_MAX));
	sum = column_text(&view_processes.columns[column(&view_processes, "READ")], &data, FEED_PROCESSES, item, NULL);
	assert_string_equal(sum, "16 EiB");
	assert_int_equal(bytes_of(-1), 0);
	assert_int_equal(bytes_of(0.6), 1);
}

static void bounds_are_never_told_as_less(void **state)
{
	json_t *item = json_pack("{s:i, s:I}", "volume_outside", 65000, "bytes_total", (json_int_t)512 << 20);
	const struct column *c = &view_datasets.columns[column(&view_datasets, "OF IT")];
	_cleanup_free_ char *some = column_text(c, &data, FEED_DATASETS, item, NULL), *none = NULL;

	assert_string_equal(some, "≤0.1 %");
	json_object_set_new(item, "volume_outside", json_integer(0));
	none = column_text(c, &data, FEED_DATASETS, item, NULL);
	assert_string_equal(none, "≤0.0 %");
	json_decref(item);
}

static void filters_and_marks_leave_rows_out(void **state)
{
	struct filter_error error;
	struct keyset marks = {0};
	struct sheet s;

	some_processes();
	sheet_open(&s, &view_processes);
	assert_int_equal(sheet_filter(&s, "job:odd >=10", &error), 0);
	assert_int_equal(sheet_make(&s, &data, &no_marks), 0);
	assert_rows(&s, "1 5");
	assert_int_equal(s.rows.total, 5);
	assert_int_equal(sheet_filter(&s, "nonsense:", &error), -EINVAL);
	assert_string_equal(s.filter_text, "job:odd >=10");
	assert_int_equal(keyset_toggle(&marks, rows_key(&s.rows, 1)), 0);
	s.only_marked = true;
	assert_int_equal(sheet_make(&s, &data, &marks), 0);
	assert_rows(&s, "5");
	assert_int_equal(keyset_toggle(&marks, rows_key(&s.rows, 0)), 0);
	assert_int_equal(marks.n, 0);
	keyset_clear(&marks);
	sheet_close(&s);
}

static void a_search_goes_round(void **state)
{
	struct sheet s;

	some_processes();
	sheet_open(&s, &view_processes);
	assert_int_equal(sheet_make(&s, &data, &no_marks), 0);
	assert_true(sheet_search(&s, "odd", false, true));
	assert_int_equal(s.selected, 0);
	assert_true(sheet_search(&s, "odd", false, false));
	assert_int_equal(s.selected, 3);
	assert_true(sheet_search(&s, "odd", false, false));
	assert_true(sheet_search(&s, "odd", false, false));
	assert_int_equal(s.selected, 0);
	assert_true(sheet_search(&s, "odd", true, false));
	assert_int_equal(s.selected, 4);
	assert_false(sheet_search(&s, "nowhere", false, false));
	assert_int_equal(s.selected, 4);
	sheet_close(&s);
}

/* --- scopes ------------------------------------------------------------------------------ */

static bool belongs(enum scope_kind kind, const char *from, const char *item)
{
	struct scope s = {.kind = kind, .item = json_loads(from, 0, NULL)};
	json_t *one = json_loads(item, 0, NULL);
	bool has;

	assert_non_null(s.item);
	assert_non_null(one);
	has = scope_has(&s, one);
	json_decref(s.item);
	json_decref(one);
	return has;
}

static void items_belong_to_what_they_were_opened_from(void **state)
{
	assert_true(belongs(SCOPE_JOB, "{\"job\":\"a\"}", "{\"job\":\"a\"}"));
	assert_true(belongs(SCOPE_JOB, "{\"job\":\"a\"}", "{\"jobs\":[\"b\",\"a\"]}"));
	assert_false(belongs(SCOPE_JOB, "{\"job\":\"a\"}", "{\"job\":\"ab\"}"));
	assert_false(belongs(SCOPE_JOB, "{\"job\":\"a\"}", "{\"job\":null}"));
	assert_true(belongs(SCOPE_JOB, "{\"job\":null}", "{\"job\":null}"));
	assert_false(belongs(SCOPE_JOB, "{\"job\":null}", "{\"job\":\"a\"}"));
	assert_true(belongs(SCOPE_PROCESS, "{\"process\":{\"pid\":1,\"start\":\"x\"}}", "{\"process\":{\"pid\":1,\"start\":\"x\",\"uid\":3}}"));
	/* a number that was used again */
	assert_false(belongs(SCOPE_PROCESS, "{\"process\":{\"pid\":1,\"start\":\"x\"}}", "{\"process\":{\"pid\":1,\"start\":\"y\"}}"));
	assert_false(belongs(SCOPE_PROCESS, "{\"process\":null}", "{\"process\":null}"));
	assert_true(belongs(SCOPE_DATASET, "{\"id\":\"p\"}", "{\"datasets\":[\"q\",\"p\"]}"));
	assert_true(belongs(SCOPE_DATASET, "{\"id\":\"p\"}", "{\"dataset\":\"p\"}"));
	assert_false(belongs(SCOPE_DATASET, "{\"id\":\"p\"}", "{\"dataset\":\"q\"}"));
	assert_true(belongs(SCOPE_DESTINATION, "{\"proto\":\"tcp\",\"remote\":{\"addr\":\"1.2.3.4\",\"port\":null}}",
			    "{\"proto\":\"tcp\",\"remote\":{\"addr\":\"1.2.3.4\",\"port\":9}}"));
	assert_false(belongs(SCOPE_DESTINATION, "{\"proto\":\"tcp\",\"remote\":{\"addr\":\"1.2.3.4\",\"port\":8}}",
			     "{\"proto\":\"tcp\",\"remote\":{\"addr\":\"1.2.3.4\",\"port\":9}}"));
}

/* --- the header -------------------------------------------------------------------------- */

static void totals(const char *time, json_int_t read, json_int_t internet, json_int_t s3)
{
	clear(NULL);
	put(FEED_DATASETS, json_pack("{s:I}", "bytes_read", read));
	put(FEED_DESTINATIONS, json_pack("{s:{s:s}, s:I}", "remote", "class", "internet", "tainted_out", internet));
	put(FEED_DESTINATIONS, json_pack("{s:{s:s}, s:I}", "remote", "class", "aws:s3:eu-west-1", "tainted_out", s3));
	json_object_set_new(documents[FEED_DATASETS], "time", json_string(time));
	json_object_set_new(documents[FEED_DESTINATIONS], "time", json_string(time));
}

static void rates_are_what_was_added_per_second(void **state)
{
	struct history h;
	char bars[64];

	history_start(&h);
	history_take(&h, &data, NSEC);
	assert_true(isnan(h.rate[SERIES_READ]));
	totals("2026-11-20T10:00:00.000Z", 1000, 10, 5);
	history_take(&h, &data, NSEC);
	assert_true(isnan(h.rate[SERIES_READ]));
	totals("2026-11-20T10:00:02.000Z", 3000, 10, 25);
	history_take(&h, &data, NSEC);
	assert_true(fabs(h.rate[SERIES_READ] - 1000) < 1);
	assert_true(h.rate[SERIES_INTERNET] == 0);
	assert_true(fabs(h.rate[SERIES_AWS] - 10) < 1);
	/* other documents of the same interval */
	totals("2026-11-20T10:00:02.100Z", 3500, 10, 25);
	history_take(&h, &data, NSEC);
	assert_int_equal(h.n, 1);
	/* what was forgotten is no negative rate, and not 0 either */
	totals("2026-11-20T10:00:03.000Z", 10, 20, 25);
	history_take(&h, &data, NSEC);
	assert_true(isnan(h.rate[SERIES_READ]));
	assert_true(fabs(h.rate[SERIES_INTERNET] - 10) < 1);
	history_bars(&h, SERIES_READ, 3, bars, sizeof(bars));
	assert_string_equal(bars, " █ ");
	history_bars(&h, SERIES_VPC, 3, bars, sizeof(bars));
	assert_string_equal(bars, " ▁▁");
	/* a replay that went back */
	totals("2026-11-20T09:00:00.000Z", 1, 1, 1);
	history_take(&h, &data, NSEC);
	assert_int_equal(h.n, 0);
}

static void the_worst_of_health_is_told(void **state)
{
	struct health_summary s;

	health_sum(NULL, &s);
	assert_false(s.known);
	documents[FEED_HEALTH] = json_loads("{\"health\": {\"losses\": {\"a\": 0, \"b\": 3, \"c\": 9}, \"gaps\": [\"x: y\"],"
					    "\"limits\": [], \"late_ms\": 2500, \"exporter\": {\"state\": \"stuck\"},"
					    "\"security_hub\": {\"state\": \"good\"}, \"journal\": {\"error\": \"no room\"}}}",
					    0, NULL);
	health_sum(documents[FEED_HEALTH], &s);
	assert_true(s.known && s.lost_known && s.late && s.exporter_bad && s.journal_bad);
	assert_int_equal(s.lost, 12);
	assert_int_equal(s.kinds_lost, 2);
	assert_string_equal(s.kind, "c");
	assert_int_equal(s.gaps, 1);
	json_t *items = health_items(documents[FEED_HEALTH]);
	assert_true(json_array_size(items) > 10);
	assert_string_equal(json_string_value(json_at(json_array_get(items, 0), "state")), "bad");
	json_decref(items);
}

static void standing_still_keeps_figures_and_rates(void **state)
{
	struct data d = {0};
	struct sheet s;
	const json_t *item;

	some_processes();
	fixed_rate = 2;
	assert_int_equal(data_stop(&d), 0);
	fixed_rate = 7;
	json_array_clear(json_object_get(documents[FEED_PROCESSES], "items"));
	sheet_open(&s, &view_processes);
	assert_int_equal(sheet_make(&s, &d, &no_marks), 0);
	assert_rows(&s, "1 4 2 5 3");
	item = s.rows.v[1].item;
	assert_true(fabs(data_rate(&d, FEED_PROCESSES, item, "bytes_out") - 8) < 0.1);
	assert_true(isnan(data_rate(&d, FEED_PROCESSES, s.rows.v[4].item, "bytes_out")));
	/* what nobody had asked for before is as it is when it comes, and stays so */
	assert_null(data_document(&d, FEED_FLOWS));
	assert_int_equal(data_fill(&d), 0);
	put(FEED_FLOWS, json_pack("{s:s}", "id", "f1"));
	assert_int_equal(data_fill(&d), 1);
	put(FEED_FLOWS, json_pack("{s:s}", "id", "f2"));
	assert_int_equal(data_fill(&d), 0);
	assert_int_equal(json_array_size(json_at(data_document(&d, FEED_FLOWS), "items")), 1);
	sheet_close(&s);
	data_go(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(figures_go_down_texts_go_up_unknown_comes_last, clear),
		cmocka_unit_test_teardown(every_column_of_every_view_sorts, clear),
		cmocka_unit_test_teardown(children_stand_under_their_parents, clear),
		cmocka_unit_test_teardown(a_long_line_of_descent_is_drawn, clear),
		cmocka_unit_test_teardown(a_frozen_order_stays_and_new_rows_come_last, clear),
		cmocka_unit_test_teardown(a_followed_row_is_found_again, clear),
		cmocka_unit_test_teardown(a_row_that_is_looked_for_is_waited_for, clear),
		cmocka_unit_test_teardown(what_is_followed_has_its_sign_and_no_other, clear),
		cmocka_unit_test(classes_stand_together),
		cmocka_unit_test_teardown(the_greatest_figures_are_told_as_such, clear),
		cmocka_unit_test(bounds_are_never_told_as_less),
		cmocka_unit_test_teardown(filters_and_marks_leave_rows_out, clear),
		cmocka_unit_test_teardown(a_search_goes_round, clear),
		cmocka_unit_test(items_belong_to_what_they_were_opened_from),
		cmocka_unit_test_teardown(rates_are_what_was_added_per_second, clear),
		cmocka_unit_test_teardown(the_worst_of_health_is_told, clear),
		cmocka_unit_test_teardown(standing_still_keeps_figures_and_rates, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
