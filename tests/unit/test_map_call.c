/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <sched.h>
#include <sys/resource.h>

#include "user/map_call.h"

#define NO_MAP (-1)

static int policy(void)
{
	return sched_getscheduler(0) & ~SCHED_RESET_ON_FORK;
}

/* The call itself fails, for there is no such map: its errno must come through, and the caller be as before. */
static void call_all(void)
{
	char key[8] = {}, value[8];

	errno = 0;
	assert_int_equal(map_lookup(NO_MAP, key, value), -EBADF);
	assert_int_equal(errno, EBADF);
	assert_int_equal(map_update(NO_MAP, key, value, 0), -EBADF);
	assert_int_equal(map_delete(NO_MAP, key), -EBADF);
	assert_int_equal(map_take(NO_MAP, key, value), -EBADF);
}

static void caller_is_as_before(void **state)
{
	(void)state;
	int nice = getpriority(PRIO_PROCESS, 0);

	for (int on = 0; on < 2; on++) {
		map_call_guard(on);
		call_all();
		assert_int_equal(policy(), SCHED_OTHER);
		assert_int_equal(getpriority(PRIO_PROCESS, 0), nice);
	}
	map_call_guard(false);
}

static void own_choice_stays(void **state)
{
	(void)state;
	struct sched_param wish = {.sched_priority = 7}, now = {}, none = {};

	if (sched_setscheduler(0, SCHED_RR, &wish))
		skip(); /* no real-time budget here, or no root */
	map_call_guard(true);
	call_all();
	map_call_guard(false);
	assert_int_equal(policy(), SCHED_RR);
	assert_int_equal(sched_getparam(0, &now), 0);
	assert_int_equal(now.sched_priority, 7);
	assert_int_equal(sched_setscheduler(0, SCHED_OTHER, &none), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(caller_is_as_before),
		cmocka_unit_test(own_choice_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
