/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Findings to Security Hub: each under one Id, the newest state, none lost to failures, kills and other journals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/hub_world.h"

static void test_import_and_update(void **state)
{
	struct hub *h = start();

	journal_add("{\"v\":1,\"type\":\"health\"}");
	journal_finding(1, 1, "low");
	journal_finding(2, 2, "low");
	journal_finding(1, 3, "low");
	run(h, NSEC);
	assert_int_equal(service.calls, 1);
	assert_int_equal(service.imports, 2); /* of the first only the newest state */
	assert_int_equal(there(1), 3);
	assert_int_equal(there(2), 2);
	assert_int_equal(told(h).state, HUB_GOOD);
	assert_int_equal(told(h).imported, 2);
	journal_finding(1, 4, "low");
	journal_finding(1, 5, "low");
	run(h, HUB_UPDATE_NS / 2);
	assert_int_equal(there(1), 3);
	assert_int_equal(told(h).waiting, 1);
	run(h, HUB_UPDATE_NS);
	assert_int_equal(there(1), 5);
	assert_int_equal(service.calls, 2);
	assert_int_equal(told(h).updated, 1);
	assert_int_equal(told(h).waiting, 0);
	hub_free(h);
}

/* What became worse does not wait; and it is not said to be better later. */
static void test_severity(void **state)
{
	struct hub *h = start();

	journal_finding(1, 1, "low");
	run(h, NSEC);
	journal_finding(1, 2, "critical");
	journal_finding(1, 3, "low"); /* as of a monitor that was started again */
	run(h, 3 * NSEC);
	assert_int_equal(there(1), 3);
	const json_t *f = json_object_iter_value(json_object_iter(service.findings));
	assert_string_equal(text_of(f, "Severity.Label"), "CRITICAL");
	assert_string_equal(text_of(f, "Severity.Original"), "low");
	hub_free(h);
}

/* However the process ends, and whatever of the state was kept. */
static void test_again(void **state)
{
	struct hub *h = start();

	for (int i = 1; i <= 250; i++)
		journal_finding((unsigned)i, i, "low");
	run(h, 20 * NSEC);
	assert_int_equal(service.imports, 250);
	assert_int_equal(service.largest, 100);
	hub_free(h);
	h = start();
	run(h, 20 * NSEC);
	assert_int_equal(service.imports, 250);
	journal_finding(7, 1000, "low");
	journal_finding(999, 1001, "low");
	run(h, 3 * NSEC);
	assert_int_equal(there(7), 1000);
	assert_int_equal(there(999), 1001);
	assert_int_equal(service.imports, 252);
	assert_int_equal(told(h).missed, 0);
	hub_free(h);
}

/* One that waits holds the mark back; what was imported behind it is not imported again, and never an older state of it. */
static void test_mark_is_held_back(void **state)
{
	struct hub *h = start();

	service.bad = "/f-0000000000000001";
	service.code = "InternalException";
	journal_finding(1, 1, "low");
	journal_finding(2, 2, "low");
	run(h, 2 * NSEC);
	assert_int_equal(there(1), -1);
	assert_int_equal(there(2), 2);
	assert_int_equal(told(h).waiting, 1);
	hub_free(h);
	service.bad = NULL;
	h = start();
	journal_finding(1, 3, "low");
	run(h, 2 * NSEC);
	assert_int_equal(there(1), 3);
	assert_int_equal(service.imports, 2);
	hub_free(h);
}

static void test_some_fail(void **state)
{
	struct hub *h = start();

	service.bad = "/f-0000000000000002";
	service.code = "InvalidInput";
	for (int i = 1; i <= 3; i++)
		journal_finding((unsigned)i, i, "low");
	run(h, 10 * NSEC);
	assert_int_equal(there(1), 1);
	assert_int_equal(there(2), -1);
	assert_int_equal(there(3), 3);
	assert_int_equal(service.calls, 1); /* it would be wrong again */
	assert_int_equal(told(h).refused, 1);
	assert_int_equal(told(h).state, HUB_GOOD);
	assert_non_null(strstr(told(h).why, "InvalidInput"));
	service.code = "Something else";
	journal_finding(2, 4, "low");
	run(h, 600 * NSEC);
	assert_int_equal(told(h).refused, 2);
	assert_int_equal(service.calls, 6); /* five times, for who knows what it means */
	service.bad = NULL;
	journal_finding(2, 5, "low");
	run(h, 3 * NSEC);
	assert_int_equal(there(2), 5); /* a later state is tried anew */
	hub_free(h);
}

/* A request that is wrong as a whole: all but the one get there. */
static void test_poison(void **state)
{
	struct hub *h = start();

	service.poison = "/f-0000000000000021";
	for (int i = 1; i <= 100; i++)
		journal_finding((unsigned)i, i, "low");
	run(h, 60 * NSEC);
	for (unsigned i = 1; i <= 100; i++)
		assert_int_equal(there(i), i == 0x21 ? -1 : (int)i);
	assert_int_equal(told(h).refused, 1);
	assert_in_range(service.calls, 2, 40);
	hub_free(h);
}

static void test_failures(void **state)
{
	static const struct {
		enum aws_outcome outcome;
		const char *error;
		enum hub_state state;
		const char *why;
		unsigned most; /* calls in ten minutes */
	} rows[] = {
	    {AWS_AGAIN, "Couldn't connect", HUB_UNREACHABLE, "Couldn't connect", 20},
	    {AWS_THROTTLED, "TooManyRequestsException", HUB_THROTTLED, "TooManyRequests", 20},
	    {AWS_DENIED, "AccessDeniedException", HUB_DENIED, "securityhub:BatchImportFindings", 2},
	    {AWS_DENIED, "InvalidAccessException", HUB_NOT_ENABLED, "not enabled in eu-central-1 for account 123456789012", 2},
	    {AWS_REFUSED, "InvalidAccessException", HUB_NOT_ENABLED, "not enabled", 2},
	    {AWS_NO_CREDENTIALS, "", HUB_NO_CREDENTIALS, "no AWS credentials", 30},
	    {AWS_MISSING, "ResourceNotFoundException", HUB_UNREACHABLE, "ResourceNotFound", 20},
	    {AWS_REFUSED, "no endpoint", HUB_UNREACHABLE, "no endpoint", 20},
	    {AWS_REFUSED, "UnknownOperationException", HUB_UNREACHABLE, "UnknownOperation", 20},
	    {AWS_REFUSED, "HTTP status 404", HUB_UNREACHABLE, "404", 20},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct hub *h = start();
		unsigned before = service.calls;

		service.outcome = rows[i].outcome;
		service.error = rows[i].error;
		journal_finding(100 + (unsigned)i, 1, "low");
		run(h, 600 * NSEC);
		assert_in_range(service.calls - before, 1, rows[i].most);
		assert_int_equal(told(h).state, rows[i].state);
		assert_non_null(strstr(told(h).why, rows[i].why));
		assert_int_equal(told(h).waiting, 1);
		service.outcome = AWS_DONE;
		service.error = NULL;
		run(h, 1800 * NSEC);
		assert_int_equal(there(100 + (unsigned)i), 1);
		assert_int_equal(told(h).state, HUB_GOOD);
		assert_string_equal(told(h).why, "");
		hub_free(h);
	}
}

/* Answers that are none: nothing counts as imported. */
static void test_odd_answers(void **state)
{
	static const char *const odd[] = {
	    "{}",
	    "{\"SuccessCount\":1}",
	    "{\"SuccessCount\":\"1\",\"FailedCount\":0}",
	    "{\"SuccessCount\":0,\"FailedCount\":1,\"FailedFindings\":[]}",
	    "{\"SuccessCount\":0,\"FailedCount\":0,\"FailedFindings\":null}",
	    "{\"SuccessCount\":0,\"FailedCount\":1,\"FailedFindings\":[{\"Id\":\"another's\"},7,null]}"};

	for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
		struct hub *h = start();

		service.body = json_loads(odd[i], 0, NULL);
		journal_finding(1 + (unsigned)i, 1, "low");
		run(h, 60 * NSEC);
		assert_int_equal(told(h).imported, 0);
		assert_int_equal(told(h).waiting, 1);
		assert_int_equal(told(h).state, HUB_UNREACHABLE);
		json_decref(service.body);
		service.body = NULL;
		run(h, 300 * NSEC);
		assert_int_equal(there(1 + (unsigned)i), 1);
		hub_free(h);
	}
}

/* Another journal in the same place, shorter or longer than the old one. */
static void test_another_journal(void **state)
{
	for (int more = 0; more <= 30; more += 30) {
		struct hub *h = start();

		for (int i = 1; i <= 10; i++)
			journal_finding((unsigned)i, 10 + more + i, "low");
		run(h, 300 * NSEC);
		assert_int_equal(there(10), 20 + more);
		hub_free(h);
		journal_clear();
		h = start();
		run(h, 10 * NSEC); /* it is empty yet */
		for (int i = 1; i <= 3 + more; i++)
			journal_finding((unsigned)(i % 5), 100 + more + i, "low");
		run(h, 300 * NSEC);
		assert_int_equal(there((unsigned)(3 + more) % 5), 103 + 2 * more);
		assert_int_equal(there(1), more ? 161 : 101);
		assert_int_equal(told(h).missed, 0);
		hub_free(h);
		journal_clear();
	}
}

/* Retention was faster, or something is damaged: that is told. */
static void test_missed(void **state)
{
	struct hub *h = start();

	journal_finding(1, 1, "low");
	run(h, 3 * NSEC);
	hub_free(h);
	for (int i = 2; i <= 10; i++)
		journal_finding(2, i, "low");
	journal_cut(5);
	journal_add(NULL);
	journal_finding(3, 11, "low");
	h = start();
	run(h, 3 * NSEC);
	assert_int_equal(there(2), 10);
	assert_int_equal(there(3), 11);
	assert_int_equal(told(h).missed, 5);
	hub_free(h);
}

/* To another account all goes that the journal has. */
static void test_another_account(void **state)
{
	struct hub *h = start();

	journal_finding(1, 1, "low");
	run(h, 3 * NSEC);
	service.account = "210987654321";
	journal_finding(2, 2, "low");
	run(h, 10 * NSEC);
	assert_int_equal(there(1), 1);
	assert_int_equal(there(2), 2);
	service.account = NULL;
	journal_finding(3, 3, "low");
	run(h, 10 * NSEC);
	assert_int_equal(told(h).state, HUB_UNPLACED);
	service.account = "210987654321";
	run(h, 100 * NSEC);
	assert_int_equal(there(3), 3);
	hub_free(h);
}

/* The file is damaged, cut anywhere: it is as if there were none, and that is said. */
static void test_damaged_state(void **state)
{
	struct hub *h = start();
	char text[65536];
	size_t n;

	journal_finding(1, 1, "low");
	journal_finding(2, 2, "medium");
	run(h, 3 * NSEC);
	hub_free(h);
	FILE *f = fopen(state_file, "r");
	n = fread(text, 1, sizeof(text), f);
	fclose(f);
	assert_true(n > 100 && n < sizeof(text));
	for (size_t cut = 0; cut < n; cut++) {
		f = fopen(state_file, "w");
		fwrite(text, 1, cut, f);
		fclose(f);
		h = start();
		assert_non_null(strstr(told(h).why, "damaged"));
		hub_free(h);
	}
	f = fopen(state_file, "w");
	fwrite(text, 1, n, f);
	fclose(f);
	unsigned before = service.imports;
	h = start();
	assert_string_equal(told(h).why, "");
	run(h, 3 * NSEC);
	assert_int_equal(service.imports, before);
	hub_free(h);
}

static void test_no_journal(void **state)
{
	struct hub *h = start();

	journal.missing = true;
	run(h, 20 * NSEC);
	assert_int_equal(told(h).state, HUB_NO_JOURNAL);
	assert_non_null(strstr(told(h).why, "/journal"));
	journal.missing = false;
	journal_finding(1, 1, "low");
	run(h, 20 * NSEC);
	assert_int_equal(there(1), 1);
	assert_string_equal(told(h).why, "");
	hub_free(h);
}

/* At the end what waits for its time goes, by a short request; at most one. */
static void test_last(void **state)
{
	struct hub *h = start();

	journal_finding(1, 1, "low");
	run(h, NSEC);
	journal_finding(1, 2, "low");
	run(h, 3 * NSEC);
	assert_int_equal(there(1), 1);
	hub_step(h, now_ns, true);
	assert_int_equal(there(1), 2);
	assert_in_range(service.last_timeout, 1, 2000);
	journal_finding(1, 3, "low");
	hub_step(h, now_ns, true); /* at once after another request */
	assert_int_equal(there(1), 3);
	service.outcome = AWS_AGAIN;
	journal_finding(1, 4, "low");
	hub_step(h, now_ns, true);
	unsigned calls = service.calls;
	hub_step(h, now_ns, true); /* but not where one just failed */
	assert_int_equal(service.calls, calls);
	hub_free(h);
}

/* More findings than are kept in mind, and records that are none. */
static void test_bounded(void **state)
{
	struct hub *h = start();

	journal_add("{\"v\":1,\"type\":\"finding\"}");
	journal_add("{\"v\":1,\"type\":\"finding\",\"id\":7}");
	journal_add("\"finding\"");
	journal_add("{\"type\":\"access\",\"job\":\"finding\"}");
	for (unsigned i = 1; i <= 9000; i++)
		journal_finding(i, (int)i, "low");
	run(h, 600 * NSEC);
	for (unsigned i = 1; i <= 9000; i++)
		assert_int_equal(there(i), (int)i);
	assert_int_equal(service.imports, 9000);
	assert_int_equal(told(h).waiting, 0);
	hub_free(h);
}

#define WORLD(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WORLD(test_import_and_update), WORLD(test_severity), WORLD(test_again),	      WORLD(test_mark_is_held_back),
	    WORLD(test_some_fail),	   WORLD(test_poison),	 WORLD(test_failures),	      WORLD(test_odd_answers),
	    WORLD(test_another_journal),   WORLD(test_missed),	 WORLD(test_another_account), WORLD(test_damaged_state),
	    WORLD(test_no_journal),	   WORLD(test_last),	 WORLD(test_bounded),
	};

	return cmocka_run_group_tests_name("hub", tests, NULL, NULL);
}
