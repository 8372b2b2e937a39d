/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "user/tui/filter.h"

static json_t *item(void)
{
	json_t *all = json_loads("{\"process\": {\"pid\": 2120, \"comm\": \"sender\", \"uid\": 0, \"exe\": \"/usr/bin/sender\"},"
				 "\"job\": \"slurm:4242.0\", \"datasets\": [\"patients\", \"scans\"], \"proto\": \"tcp\","
				 "\"remote\": {\"addr\": \"203.0.113.202\", \"port\": 8443, \"class\": \"internet\", \"name\": null},"
				 "\"bytes_out\": 2097152, \"tainted_out\": 1048576, \"leak_bound\": null, \"encrypted\": false,"
				 "\"volume\": {\"patients\": 1000, \"scans\": 24}, \"severity\": \"medium\", \"alive\": true,"
				 "\"tags\": {\"DataType\": \"PII\"}, \"title\": \"it sent two words\"}",
				 0, NULL);

	assert_non_null(all);
	return all;
}

static void assert_filter(const char *text, bool expect)
{
	_cleanup_(filter_freep) struct filter *f = NULL;
	struct filter_error error = {0};
	json_t *one = item();

	if (filter_parse(text, &f, &error))
		fail_msg("%s: column %u: %s", text, error.column, error.text);
	if (filter_match(f, one, "tainted_out") != expect)
		fail_msg("%s: %s", text, expect ? "does not let it through" : "lets it through");
	json_decref(one);
}

static void assert_error(const char *text, unsigned column, const char *says)
{
	struct filter *f = NULL;
	struct filter_error error = {0};

	assert_int_equal(filter_parse(text, &f, &error), -EINVAL);
	assert_null(f);
	if (error.column != column || !strstr(error.text, says))
		fail_msg("%s: column %u, not %u: %s", text, error.column, column, error.text);
}

static void texts_are_found_in_their_fields(void **state)
{
	assert_filter("", true);
	assert_filter("  \t ", true);
	assert_filter("dataset:patients", true);
	assert_filter("dataset:SCANS", true);
	assert_filter("dataset:claims", false);
	assert_filter("dataset:claims,scans", true);
	assert_filter("class:internet", true);
	assert_filter("class=internet", true);
	assert_filter("class:inter", true);
	assert_filter("class:vpc,internet", true);
	assert_filter("job:slurm:4242.0", true); /* a colon in the value is part of it */
	assert_filter("job:slurm:*", true);
	assert_filter("job:slurm", true);
	assert_filter("job:4242.?", false); /* a pattern is one of the whole */
	assert_filter("exe:/usr/bin/*", true);
	assert_filter("tag:datatype=pii", true);
	assert_filter("proto:tcp process:sender alive:yes encrypted:no", true);
	assert_filter("proto:tcp process:loader", false);
}

static void numbers_that_name_something_fit_as_a_whole(void **state)
{
	assert_filter("pid:2120", true);
	assert_filter("pid:212", false);
	assert_filter("pid:1,2120", true);
	assert_filter("port:8443", true);
	assert_filter("port:84", false);
	assert_filter("uid:0", true);
	assert_filter("user:root", true);
	assert_filter("user:0", true);
	assert_filter("user:ro", false);
}

static void figures_are_compared(void **state)
{
	assert_filter(">1MiB", false); /* it is just that */
	assert_filter(">=1MiB", true);
	assert_filter(">1023KiB", true);
	assert_filter("<1MiB", false);
	assert_filter("<=1MiB", true);
	assert_filter("=1048576", true);
	assert_filter("out>1MiB", true);
	assert_filter("out:>1MiB", true);
	assert_filter("out>=2MiB out<=2MiB", true);
	assert_filter("out:2MiB", true);
	assert_filter("out=2MiB", true);
	assert_filter("out<2MiB", false);
	assert_filter("holds=1024", true); /* of all datasets together */
	assert_filter("severity>=medium", true);
	assert_filter("severity>medium", false);
	assert_filter("severity<high", true);
	assert_filter("severity:medium", true);
}

static bool lets_through(const char *text, const char *json)
{
	_cleanup_(filter_freep) struct filter *f = NULL;
	struct filter_error error;
	json_t *one = json_loads(json, 0, NULL);
	bool through;

	assert_non_null(one);
	assert_int_equal(filter_parse(text, &f, &error), 0);
	through = filter_match(f, one, NULL);
	json_decref(one);
	return through;
}

/* That a finding is of no dataset does not make its own id one. */
static void only_datasets_are_datasets_by_their_id(void **state)
{
	assert_true(lets_through("dataset:ab", "{\"id\": \"abc\"}"));
	assert_false(lets_through("dataset:ab", "{\"id\": \"f-00000000000000ab\", \"dataset\": null}"));
	assert_true(lets_through("!dataset:ab", "{\"id\": \"f-00000000000000ab\", \"dataset\": null}"));
}

static void the_greatest_sums_are_great(void **state)
{
	assert_true(lets_through("holds>16000PiB", "{\"volume\": {\"a\": 9223372036854775807, \"b\": 9223372036854775807,"
						   "\"c\": 9223372036854775807}}"));
}

static void what_is_unknown_holds_no_comparison(void **state)
{
	assert_filter("leak>0", false);
	assert_filter("leak<=1GiB", false);
	assert_filter("leak=0", false);
	assert_filter("read>=0", false); /* it has no such figure */
	assert_filter("name:x", false);
	assert_filter("!leak>0", true);
}

static void terms_are_negated_and_joined(void **state)
{
	assert_filter("!class:vpc", true);
	assert_filter("!class:internet", false);
	assert_filter("!!class:internet", true);
	assert_filter("!>1MiB", true);
	assert_filter("class:internet !dataset:claims >=1MiB", true);
	assert_filter("class:internet !dataset:scans", false);
}

static void words_are_found_anywhere(void **state)
{
	assert_filter("4242", true);
	assert_filter("\"two words\"", true);
	assert_filter("\"two  words\"", false);
	assert_filter("words two", true); /* two terms */
	assert_filter("2120", true);	  /* the process's number too */
	assert_filter("PII", true);
	assert_filter("patients", true);
	assert_filter("elsewhere", false);
	assert_filter("!elsewhere", true);
	assert_filter("\"a:b\"", false);
	assert_filter("dataset:\"patients\"", true);
	assert_filter("title", false); /* names of fields are no texts of the item */
}

static void errors_tell_the_column(void **state)
{
	assert_error("colour:red", 1, "no field 'colour'");
	assert_error("class:vpc colour:red", 11, "no field 'colour'");
	assert_error("ä colour:red", 3, "no field");
	assert_error("out>", 5, "a figure must stand here");
	assert_error("out>lots", 5, "'lots' is no figure");
	assert_error("out:lots", 5, "is no figure");
	assert_error("> 1MiB", 2, "a figure must stand here");
	assert_error(">99999999999999GiB", 2, "too large");
	assert_error("severity>bad", 10, "none of info");
	assert_error("class:", 7, "a text must stand here");
	assert_error("class>3", 6, "has no order");
	assert_error("a \"b c", 3, "not closed");
	assert_error("!", 2, "must follow");
	assert_error("a ! b", 4, "must follow");
	assert_error("job:\"\"", 5, "a text must stand");
}

static void too_much_is_refused(void **state)
{
	char text[FILTER_BYTES + 8];

	memset(text, 'a', sizeof(text));
	text[FILTER_BYTES] = '\0';
	assert_error(text, 1, "longer than");
	text[FILTER_BYTES - 1] = '\0';
	assert_filter(text, false);
	for (size_t i = 0; i < 33; i++)
		memcpy(text + 2 * i, "a ", 3);
	assert_error(text, 65, "more than 32 terms");
}

static void a_document_keeps_what_passes(void **state)
{
	_cleanup_(filter_freep) struct filter *f = NULL;
	struct filter_error error;
	json_t *d = json_pack("{s:s, s:[{s:s, s:i}, {s:s, s:i}, n]}", "type", "jobs", "items", "job", "a", "leak_bound", 1, "job", "b",
			      "leak_bound", 5);
	json_t *got;

	assert_int_equal(filter_parse(">=5", &f, &error), 0);
	got = filter_document(f, d, "leak_bound");
	assert_int_equal(json_array_size(json_object_get(got, "items")), 1);
	assert_int_equal(json_array_size(json_object_get(d, "items")), 3);
	assert_string_equal(json_string_value(json_object_get(got, "type")), "jobs");
	json_decref(got);
	got = filter_document(NULL, d, NULL);
	assert_true(json_equal(got, d));
	json_decref(got);
	json_decref(d);
}

static void errors_cannot_drive_a_terminal(void **state)
{
	struct filter *f = NULL;
	struct filter_error error;

	assert_int_equal(filter_parse("\033[2Jx:1", &f, &error), -EINVAL);
	assert_null(strchr(error.text, 033));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_are_found_in_their_fields),
		cmocka_unit_test(numbers_that_name_something_fit_as_a_whole),
		cmocka_unit_test(figures_are_compared),
		cmocka_unit_test(only_datasets_are_datasets_by_their_id),
		cmocka_unit_test(the_greatest_sums_are_great),
		cmocka_unit_test(what_is_unknown_holds_no_comparison),
		cmocka_unit_test(terms_are_negated_and_joined),
		cmocka_unit_test(words_are_found_anywhere),
		cmocka_unit_test(errors_tell_the_column),
		cmocka_unit_test(too_much_is_refused),
		cmocka_unit_test(a_document_keeps_what_passes),
		cmocka_unit_test(errors_cannot_drive_a_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
