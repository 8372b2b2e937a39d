/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* How many processes hold tagged bytes, by how many these are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/record_fixture.h"
#include "user/model_tainted.h"

#define MIB (1ULL << 20)

static void assert_count(const struct tainted_count *t, uint64_t below_64k, uint64_t below_1m, uint64_t below_64m, uint64_t more)
{
	assert_int_equal(t->by_volume[VOLUME_64K], below_64k);
	assert_int_equal(t->by_volume[VOLUME_1M], below_1m);
	assert_int_equal(t->by_volume[VOLUME_64M], below_64m);
	assert_int_equal(t->by_volume[VOLUME_MORE], more);
	assert_int_equal(t->subjects, below_64k + below_1m + below_64m + more);
}

static const struct tainted_count *of(const struct fixture *t, unsigned dataset)
{
	return &t->m->tainted[dataset];
}

static void counted(struct fixture *t)
{
	t->now += 100 * NSEC;
	assert_int_equal(rules_evaluate(t->m, t->now), 0);
}

static void test_by_volume(void **state)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	introduce(&t, 10, "trainer", "slurm:1");
	introduce(&t, 11, "logger", "slurm:1");
	introduce(&t, 12, "viewer", "slurm:1");
	introduce(&t, 13, "innocent", "slurm:1");
	counted(&t);
	assert_count(of(&t, SL_DATASETS_MAX), 0, 0, 0, 0);
	reads(&t, 10, 0, 64 * MIB);
	reads(&t, 12, 1, 64 * 1024 - 1);
	counted(&t);
	assert_count(of(&t, 0), 0, 0, 0, 1);
	assert_count(of(&t, 1), 1, 0, 0, 0);
	assert_count(of(&t, SL_DATASETS_MAX), 1, 0, 0, 1);
	/* what a pipe carried is all the next one has; both sets together make the sum */
	moves(&t, 10, 77, VIA_PIPE_WRITE, 1, 40000);
	moves(&t, 12, 77, VIA_PIPE_READ, 1, 40000);
	moves(&t, 10, 78, VIA_PIPE_WRITE, 1, MIB);
	moves(&t, 11, 78, VIA_PIPE_READ, 1, MIB);
	counted(&t);
	assert_count(of(&t, 0), 1, 0, 1, 1);
	assert_count(of(&t, SL_DATASETS_MAX), 0, 1, 1, 1);
	/* the dead hold nothing, nor does an image that another one took the place of */
	struct subject image = process(11), who = process(11);
	image.exec = 1;
	born(&t, who, image, 1, VIA_EXEC);
	assert_int_equal(model_set_exit(t.m, &(struct subject){4000 * NSEC + 12, 12, 0}, t.now), 0);
	counted(&t);
	assert_count(of(&t, 0), 0, 0, 1, 1);
	fixture_end(&t);
}

/* A chain of forks, each of which has all, and a crowd that has none. */
static void test_many(void **state)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	introduce(&t, 10, "first", "slurm:1");
	reads(&t, 10, 0, 500009);
	for (uint32_t pid = 11; pid < 1010; pid++)
		born(&t, process(pid - 1), process(pid), 1, VIA_FORK);
	counted(&t);
	assert_count(of(&t, 0), 0, 1000, 0, 0);
	fixture_end(&t);
}

static void test_record(void **state)
{
	struct health h = {.backend = "tracepoint"};
	struct fixture t;

	fixture_begin(&t, NULL);
	model_set_health(t.m, &h);
	json_t *all = shot(&t, "health");
	assert_null_at(json_object_get(all, "health"), "tainted", NULL);
	json_decref(all);
	introduce(&t, 10, "trainer", "slurm:1");
	reads(&t, 10, 0, 2 * MIB);
	counted(&t);
	all = shot(&t, "health");
	const json_t *tainted = json_object_get(json_object_get(all, "health"), "tainted");
	assert_int_equal(number(tainted, "processes", NULL), 1);
	assert_int_equal(number(tainted, "volumes", "below_64MiB"), 1);
	assert_int_equal(number(tainted, "volumes", "64MiB_or_more"), 0);
	assert_int_equal(number(json_object_get(tainted, "datasets"), "patients", "processes"), 1);
	assert_int_equal(json_object_size(json_object_get(tainted, "datasets")), 1);
	json_decref(all);
	fixture_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_by_volume),
	    cmocka_unit_test(test_many),
	    cmocka_unit_test(test_record),
	};

	return cmocka_run_group_tests_name("tainted", tests, NULL, NULL);
}
