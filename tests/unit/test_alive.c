/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "user/alive.h"

static char dir[64], socket_path[96], sign[112];

static int make_dir(void **state)
{
	strcpy(dir, "/tmp/sluice-alive-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(socket_path, sizeof(socket_path), "%s/s", dir);
	snprintf(sign, sizeof(sign), "%s.alive", socket_path);
	return 0;
}

static int remove_dir(void **state)
{
	unlink(sign);
	return rmdir(dir);
}

static void a_good_end_leaves_no_gap(void **state)
{
	struct alive *a;
	uint64_t blind = 99;

	assert_int_equal(alive_open(socket_path, 1000, &a, &blind), 0);
	assert_int_equal(blind, 0);
	alive_beat(a, 2000);
	alive_close(a, true);
	assert_int_equal(access(sign, F_OK), -1);
	assert_int_equal(alive_open(socket_path, 9000, &a, &blind), 0);
	assert_int_equal(blind, 0);
	alive_close(a, true);
}

static void a_kill_leaves_the_time_since(void **state)
{
	struct alive *a;
	uint64_t blind = 0;

	assert_int_equal(alive_open(socket_path, 1000, &a, &blind), 0);
	alive_beat(a, 2000);
	alive_beat(a, 5000000011);
	alive_close(a, false);
	assert_int_equal(alive_open(socket_path, 7000000022, &a, &blind), 0);
	assert_int_equal(blind, 2000000011);
	alive_close(a, true);
}

static void another_boot_is_no_gap(void **state)
{
	struct alive *a;
	uint64_t blind = 0;
	FILE *f = fopen(sign, "w");

	fputs("00000000-0000-0000-0000-000000000000 00000000000000000042\n", f);
	fclose(f);
	assert_int_equal(alive_open(socket_path, 7000, &a, &blind), 0);
	assert_int_equal(blind, 0);
	alive_close(a, true);
}

static void rubbish_and_links_are_survived(void **state)
{
	struct alive *a = NULL;
	uint64_t blind = 0;
	FILE *f = fopen(sign, "w");

	for (int i = 0; i < 5000; i++)
		fputc(i & 0xff, f);
	fclose(f);
	assert_int_equal(alive_open(socket_path, 7000, &a, &blind), 0);
	assert_int_equal(blind, 0);
	alive_close(a, true);
	assert_int_equal(symlink("/etc/passwd", sign), 0);
	assert_int_equal(alive_open(socket_path, 7000, &a, &blind), -ELOOP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_good_end_leaves_no_gap, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(a_kill_leaves_the_time_since, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(another_boot_is_no_gap, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(rubbish_and_links_are_survived, make_dir, remove_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
