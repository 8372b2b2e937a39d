/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Which name has which address: proofs, names to show, and what goes when there is no more room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "user/dest/names.h"

#define T0 (1000 * NSEC)
#define DAY (86400 * NSEC)

static const uint8_t *address(uint32_t number)
{
	static uint8_t addr[16];

	memset(addr, 0, sizeof(addr));
	addr[10] = addr[11] = 0xff;
	for (unsigned i = 0; i < 4; i++)
		addr[12 + i] = (uint8_t)(number >> (24 - 8 * i));
	return addr;
}

static struct names *begin(size_t most)
{
	struct names *n;

	assert_int_equal(names_new(most, &n), 0);
	return n;
}

static void learn(struct names *n, uint32_t netns, uint32_t addr, const char *name, bool believed, uint64_t now)
{
	assert_int_equal(names_learn(n, netns, address(addr), name, 30, believed, now), 0);
}

static void proofs(void **state)
{
	_cleanup_(names_freep) struct names *n = begin(64);

	assert_int_equal(names_check(n, "a.example", address(1), T0), NAME_UNSEEN);
	learn(n, 7, 1, "a.example", false, T0);
	assert_int_equal(names_check(n, "a.example", address(1), T0), NAME_HEARD);
	assert_int_equal(names_check(n, "a.example", address(2), T0), NAME_ELSEWHERE);
	assert_int_equal(names_check(n, "b.example", address(1), T0), NAME_UNSEEN);
	learn(n, 8, 1, "a.example", true, T0);
	assert_int_equal(names_check(n, "a.example", address(1), T0), NAME_PROVEN);
	assert_int_equal(names_check(n, "A.Example.", address(1), T0), NAME_PROVEN);
	assert_int_equal(names_check(n, "a.example", address(1), T0 + 2 * DAY), NAME_PROVEN);
	assert_int_equal(names_check(n, "a.example", address(1), T0 + 8 * DAY), NAME_HEARD);
	assert_int_equal(names_count(n).pairs, 2);
	assert_int_equal(names_count(n).believed, 1);
	/* What was believed once is so, whoever says it again. */
	learn(n, 8, 1, "a.example", false, T0 + 1);
	assert_int_equal(names_check(n, "a.example", address(1), T0), NAME_PROVEN);
	learn(n, 7, 1, "a.example", true, T0 + 8 * DAY);
	assert_int_equal(names_check(n, "a.example", address(1), T0 + 8 * DAY), NAME_PROVEN);
}

static void names_to_show(void **state)
{
	_cleanup_(names_freep) struct names *n = begin(64);
	bool sole = false;

	learn(n, 7, 1, "A.example", true, T0);
	assert_null(names_find(n, 8, address(1), T0, &sole));
	assert_string_equal(names_find(n, 7, address(1), T0, &sole), "a.example");
	assert_true(sole);
	assert_string_equal(names_find(n, 7, address(1), T0 + 90 * NSEC, &sole), "a.example");
	sole = true;
	assert_null(names_find(n, 7, address(1), T0 + 91 * NSEC, &sole));
	assert_true(sole); /* untouched */
	learn(n, 7, 1, "b.example", true, T0 + 80 * NSEC);
	assert_string_equal(names_find(n, 7, address(1), T0 + 80 * NSEC, &sole), "b.example");
	assert_false(sole);
	learn(n, 7, 1, "a.example", true, T0 + 85 * NSEC);
	assert_string_equal(names_find(n, 7, address(1), T0 + 85 * NSEC, &sole), "a.example");
	learn(n, 7, 1, "liar.example", false, T0 + 86 * NSEC);
	assert_string_equal(names_find(n, 7, address(1), T0 + 86 * NSEC, &sole), "a.example");
	assert_int_equal(names_learn(n, 7, address(2), "long.example", 3600, true, T0), 0);
	assert_string_equal(names_find(n, 7, address(2), T0 + 7200 * NSEC, &sole), "long.example");
	assert_null(names_find(n, 7, address(2), T0 + 7201 * NSEC, &sole));
}

static void no_names(void **state)
{
	_cleanup_(names_freep) struct names *n = begin(4);
	char text[300];

	assert_int_equal(names_learn(n, 1, address(1), "", 1, true, T0), -EINVAL);
	assert_int_equal(names_learn(n, 1, address(1), ".", 1, true, T0), -EINVAL);
	memset(text, 'a', sizeof(text));
	text[256] = '\0';
	assert_int_equal(names_learn(n, 1, address(1), text, 1, true, T0), -EINVAL);
	text[255] = '\0';
	assert_int_equal(names_learn(n, 1, address(1), text, UINT32_MAX, true, T0), 0);
	assert_int_equal(names_check(n, text, address(1), T0), NAME_PROVEN);
	assert_int_equal(names_count(n).pairs, 1);
}

static void learn_many(struct names *n, uint32_t netns, uint32_t from, uint32_t count, bool believed)
{
	for (uint32_t i = from; i < from + count; i++) {
		char name[32];

		snprintf(name, sizeof(name), "n%u.example", i);
		learn(n, netns, i, name, believed, T0 + i);
	}
}

/* A flood in one namespace pushes out itself, believed or not. */
static void floods_harm_themselves(void **state)
{
	_cleanup_(names_freep) struct names *n = begin(1024);

	learn_many(n, 1, 0, 100, true);
	learn_many(n, 2, 1000, 100, false);
	learn_many(n, 3, 10000, 100000, false);
	assert_int_equal(names_check(n, "n0.example", address(0), T0), NAME_PROVEN);
	assert_int_equal(names_check(n, "n1000.example", address(1000), T0), NAME_HEARD);
	assert_int_equal(names_count(n).pairs, 1024);
	assert_int_equal(names_count(n).evicted_believed, 0);
	learn_many(n, 4, 200000, 100000, true);
	assert_int_equal(names_check(n, "n0.example", address(0), T0), NAME_PROVEN);
	assert_int_equal(names_check(n, "n1000.example", address(1000), T0), NAME_UNSEEN);
	assert_int_equal(names_check(n, "n299999.example", address(299999), T0), NAME_PROVEN);
	assert_int_equal(names_count(n).believed, 1024);
	learn_many(n, 5, 400000, 10, false);
	assert_int_equal(names_count(n).left_out, 10);
	learn_many(n, 5, 400000, 10, true);
	assert_int_equal(names_check(n, "n400000.example", address(400000), T0), NAME_PROVEN);
	assert_int_equal(names_check(n, "n0.example", address(0), T0), NAME_PROVEN);
}

/* Said anew it is young again; the oldest goes. */
static void the_oldest_goes(void **state)
{
	_cleanup_(names_freep) struct names *n = begin(3);

	learn_many(n, 1, 1, 3, true);
	learn_many(n, 1, 1, 1, true);
	learn_many(n, 1, 4, 1, true);
	assert_int_equal(names_check(n, "n1.example", address(1), T0), NAME_PROVEN);
	assert_int_equal(names_check(n, "n2.example", address(2), T0), NAME_UNSEEN);
	assert_int_equal(names_check(n, "n3.example", address(3), T0), NAME_PROVEN);
	assert_int_equal(names_count(n).evicted, 1);
}

/* One pair at a time, against a plain list: nothing is left behind. */
static void anything_in_any_order(void **state)
{
	_cleanup_(names_freep) struct names *n = begin(50);
	uint32_t x = 12345;

	for (unsigned i = 0; i < 200000; i++) {
		char name[16];

		x = x * 1664525 + 1013904223;
		snprintf(name, sizeof(name), "%u.x", x >> 8 & 15);
		learn(n, x >> 12 & 7, x >> 16 & 15, name, x >> 20 & 1, T0 + i);
		assert_true(names_count(n).pairs <= 50);
		assert_true(names_check(n, name, address(x >> 16 & 15), T0 + i) >= NAME_ELSEWHERE ||
			    names_count(n).left_out);
	}
	assert_int_equal(names_count(n).pairs, 50);
}

static uint64_t lasts_ns(size_t most, uint32_t operations)
{
	_cleanup_(names_freep) struct names *n = begin(most);
	uint64_t start, end;
	bool sole;

	learn_many(n, 1, 0, (uint32_t)most, true);
	start = now_boot_ns();
	for (uint32_t i = 0; i < operations; i++) {
		char name[32];

		/* one namespace each, one address of all: the worst of every list */
		snprintf(name, sizeof(name), "m%u.example", i);
		learn(n, i, 5, name, i & 1, T0);
		names_check(n, name, address(5), T0);
		names_find(n, i, address(5), T0, &sole);
	}
	end = now_boot_ns();
	return end - start;
}

static void cost_does_not_grow_with_size(void **state)
{
	uint64_t small = lasts_ns(1024, 50000), big = lasts_ns(NAMES_MOST, 50000);

	print_message("an answer and two questions: %.1f us of 1024, %.1f us of 65536\n", (double)small / 50e6,
		      (double)big / 50e6);
	assert_true(big < 20 * small + 100000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(proofs),
	    cmocka_unit_test(names_to_show),
	    cmocka_unit_test(no_names),
	    cmocka_unit_test(floods_harm_themselves),
	    cmocka_unit_test(the_oldest_goes),
	    cmocka_unit_test(anything_in_any_order),
	    cmocka_unit_test(cost_does_not_grow_with_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
