/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/record_fixture.h"

/* Without a sink what happened counts as told: whoever listens later hears what comes from then on. */
static void test_nobody_listens(void **state)
{
	struct fixture t;
	struct taker to;

	begin(&t, &to);
	introduce(&t, 10, "python3", "slurm:1");
	reads(&t, 10, 0, 3000);
	assert_int_equal(rules_evaluate(t.m, t.now), 0);
	assert_int_equal(records_emit(t.m, t.now, &(struct timespec){1800000000, 0}, false, NULL, NULL), 1);
	assert_int_equal(tick(&t, &to), 0);
	reads(&t, 10, 0, 3007);
	assert_int_equal(tick(&t, &to), 1);
	assert_int_equal(number(json_array_get(to.all, 0), "bytes", "read"), 7);
	end(&t, &to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_nobody_listens),
	};

	return cmocka_run_group_tests_name("record sink", tests, NULL, NULL);
}
