/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Snapshots: totals so far, in the words of the records. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/dns_fixture.h"
#include "tests/unit/record_fixture.h"

/* --- snapshots ----------------------------------------------------------- */

static void test_snapshots(void **state)
{
	struct fixture t;
	struct health h = {.backend = "trampoline", .cpu_share = 0.1};

	fixture_begin(&t, NULL);
	model_set_health(t.m, &h);
	model_set_dataset_size(t.m, 0, 4096, 2);
	introduce(&t, 10, "python3", "slurm:1");
	introduce(&t, 11, "curl", "slurm:1");
	introduce(&t, 12, "sshd", "unit:ssh.service");
	reads(&t, 10, 0, 3000);
	assert_int_equal(model_set_file_read(t.m, &(struct subject){4000 * NSEC + 10, 10, 0}, 0, &(struct object){77, 8, 1}), 0);
	moves(&t, 10, 77, VIA_PIPE_WRITE, 1, 600);
	moves(&t, 11, 77, VIA_PIPE_READ, 1, 500);
	struct flow f = flow_to(&t, 1, 11, OUTSIDE, 443), g = flow_to(&t, 2, 12, "10.0.0.1", 22);
	flow_tainted_by(&t, &f, 1, 0);
	sends(&t, &f, 1700, 9);
	sends(&t, &g, 40, 4);
	assert_int_equal(rules_evaluate(t.m, t.now), 0);

	json_t *all = shot(&t, "datasets");
	const json_t *d = json_array_get(json_object_get(all, "items"), 0);
	assert_int_equal(json_array_size(json_object_get(all, "items")), 2);
	assert_string_equal(text(d, "id", NULL), "patients");
	assert_string_equal(text(d, "path", NULL), "/data/patients");
	assert_int_equal(number(d, "bytes_total", NULL), 4096);
	assert_int_equal(number(d, "files_total", NULL), 2);
	assert_int_equal(number(d, "bytes_read", NULL), 3000);
	assert_int_equal(number(d, "files_read", NULL), 1);
	assert_int_equal(number(d, "used", "files_read"), 1);
	assert_null_at(d, "used", "files_unread");
	assert_int_equal(number(d, "readers", NULL), 1);
	assert_int_equal(number(d, "volume_outside", NULL), 500);
	assert_int_equal(number(d, "findings", NULL), 1);
	d = json_array_get(json_object_get(all, "items"), 1);
	assert_null_at(d, "bytes_total", NULL);
	assert_int_equal(number(d, "volume_outside", NULL), 0);
	json_decref(all);

	all = shot(&t, "jobs");
	d = json_array_get(json_object_get(all, "items"), 0);
	assert_int_equal(json_array_size(json_object_get(all, "items")), 2);
	assert_string_equal(text(d, "job", NULL), "slurm:1");
	assert_true(json_is_false(json_object_get(d, "ml")));
	assert_int_equal(number(d, "processes", NULL), 2);
	assert_int_equal(number(d, "bytes_read", NULL), 3000);
	assert_int_equal(number(d, "bytes_out", NULL), 1700);
	assert_int_equal(number(d, "tainted_out", NULL), 1700);
	assert_int_equal(number(d, "leak_bound", NULL), 500);
	json_decref(all);

	asks(&t, 10, "a.b");
	asks(&t, 10, "a.c");
	asks(&t, 10, "a.b");
	all = shot(&t, "processes");
	d = json_array_get(json_object_get(all, "items"), 1);
	assert_int_equal(json_array_size(json_object_get(all, "items")), 3);
	assert_int_equal(number(d, "process", "pid"), 11);
	assert_int_equal(number(d, "volume", "patients"), 500);
	assert_true(json_is_true(json_object_get(d, "alive")));
	assert_true(json_is_null(json_object_get(d, "dns")));
	d = json_array_get(json_object_get(all, "items"), 0);
	assert_int_equal(number(d, "dns", "questions"), 3);
	assert_int_equal(number(d, "dns", "names"), 2);
	assert_int_equal(number(d, "dns", "bytes"), 12);
	assert_int_equal(number(d, "bytes", "read"), 3000);
	assert_int_equal(number(d, "volume", "patients"), 3000);
	json_decref(all);

	all = shot(&t, "flows");
	d = json_array_get(json_object_get(all, "items"), 0);
	assert_int_equal(number(d, "bytes_out", NULL), 1700);
	assert_int_equal(number(d, "tainted_out", NULL), 1700);
	assert_true(json_is_true(json_object_get(d, "alive")));
	d = json_array_get(json_object_get(all, "items"), 1);
	assert_int_equal(number(d, "tainted_out", NULL), 0);
	assert_string_equal(text(d, "remote", "class"), "vpc");
	json_decref(all);

	all = shot(&t, "findings");
	d = json_array_get(json_object_get(all, "items"), 0);
	assert_int_equal(number(d, "leak_bound", NULL), 500);
	assert_int_equal(json_array_size(json_object_get(d, "chain")), 4);
	json_decref(all);

	all = shot(&t, "health");
	assert_string_equal(text(all, "health", "backend"), "trampoline");
	json_decref(all);

	assert_null(snapshot(t.m, "nonsense", &(struct timespec){0}));
	/* A snapshot between a change and the next evaluation sees the change. */
	moves(&t, 11, 77, VIA_PIPE_READ, 1, 550);
	all = shot(&t, "datasets");
	assert_int_equal(
	    number(json_array_get(json_object_get(all, "items"), 0), "volume_outside", NULL), 550);
	json_decref(all);
	fixture_end(&t);
}

static void test_empty_snapshots(void **state)
{
	static const char *const words[] = {"datasets", "jobs", "processes", "flows", "findings"};
	struct fixture t;

	fixture_begin(&t, "interval: 1s\n");
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		json_t *all = shot(&t, words[i]);

		assert_int_equal(json_array_size(json_object_get(all, "items")), 0);
		json_decref(all);
	}
	json_decref(shot(&t, "health"));
	fixture_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_snapshots),
	    cmocka_unit_test(test_empty_snapshots),
	};

	return cmocka_run_group_tests_name("snapshot", tests, NULL, NULL);
}
