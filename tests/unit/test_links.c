/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Which devices are WireGuard's, by files like those of /sys, since few kernels that run tests have one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/unit/link_files.h"
#include "user/dest/links.h"

static void test_what_a_file_says(void **state)
{
	static const struct {
		const char *uevent;
		bool encrypts;
	} cases[] = {
		{"DEVTYPE=wireguard\nINTERFACE=lo\nIFINDEX=1\n", true},
		{"INTERFACE=lo\nIFINDEX=1\nDEVTYPE=wireguard", true},
		{"INTERFACE=lo\nIFINDEX=1\n", false},
		{"DEVTYPE=wireguard\nINTERFACE=lo\nIFINDEX=11\n", false}, /* another namespace's, or another by now */
		{"DEVTYPE=wireguard\nINTERFACE=lo\n", false},
		{"DEVTYPE=wireguardian\nIFINDEX=1\n", false},
		{"DEVTYPE=wlan\nIFINDEX=1\nX=DEVTYPE=wireguard\n", false},
		{"", false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char dir[] = LINK_FILES;
		struct links *l;

		link_file(dir, "lo", cases[i].uevent);
		assert_int_equal(links_new(dir, &l), 0);
		assert_int_equal(links_encrypts(l, if_nametoindex("lo"), NSEC), cases[i].encrypts);
		links_free(l);
		link_files_remove(dir, "lo");
	}
}

static void test_what_there_is_not(void **state)
{
	struct links *l;

	assert_int_equal(links_new("/nowhere", &l), 0);
	assert_false(links_encrypts(l, 0, NSEC));
	assert_false(links_encrypts(l, 1, NSEC));
	assert_false(links_encrypts(l, 0x7fffffff, NSEC));
	links_free(l);
	assert_int_equal(links_new("/sys/class/net", &l), 0);
	assert_false(links_encrypts(l, if_nametoindex("lo"), NSEC)); /* this machine's own */
	links_free(l);
}

/* A device may go, and another come in its place. */
static void test_kept_for_a_while(void **state)
{
	char dir[] = LINK_FILES;
	uint64_t now = 100 * NSEC;
	struct links *l;

	link_file(dir, "lo", "DEVTYPE=wireguard\nIFINDEX=1\n");
	assert_int_equal(links_new(dir, &l), 0);
	assert_true(links_encrypts(l, 1, now));
	link_files_remove(dir, "lo");
	assert_true(links_encrypts(l, 1, now + LINKS_FRESH_NS - 1));
	assert_false(links_encrypts(l, 1, now + LINKS_FRESH_NS));
	links_free(l);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_a_file_says),
		cmocka_unit_test(test_what_there_is_not),
		cmocka_unit_test(test_kept_for_a_while),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
