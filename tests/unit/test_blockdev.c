/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/blockdev.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <cmocka.h>

/* A sysfs of our own. */
static char sys[64];

static void make_dirs(const char *path)
{
	char up[PATH_MAX];

	snprintf(up, sizeof(up), "%s", path);
	for (char *slash = strchr(up + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(up, 0700);
		*slash = '/';
	}
	mkdir(up, 0700);
}

__attribute__((format(printf, 2, 3))) static void put(const char *text, const char *format, ...)
{
	char path[PATH_MAX], dir[PATH_MAX];
	va_list ap;

	int n = snprintf(path, sizeof(path), "%s/", sys);
	va_start(ap, format);
	vsnprintf(path + n, sizeof(path) - (size_t)n, format, ap);
	va_end(ap);
	snprintf(dir, sizeof(dir), "%s", path);
	*strrchr(dir, '/') = '\0';
	make_dirs(dir);
	FILE *f = fopen(path, "we");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* place: "sda", or "sda/sda1" for what lies in it. */
static void device(const char *number, const char *place)
{
	char from[PATH_MAX], to[PATH_MAX], text[64];

	snprintf(text, sizeof(text), "%s\n", number);
	put(text, "devices/block/%s/dev", place);
	snprintf(from, sizeof(from), "%s/dev/block", sys);
	make_dirs(from);
	snprintf(from, sizeof(from), "%s/dev/block/%s", sys, number);
	snprintf(to, sizeof(to), "../../devices/block/%s", place);
	assert_int_equal(symlink(to, from), 0);
	if (strchr(place, '/'))
		put("1\n", "devices/block/%s/partition", place);
}

static void slave(const char *upper, const char *name, const char *number)
{
	char text[64];

	snprintf(text, sizeof(text), "%s\n", number);
	put(text, "devices/block/%s/slaves/%s/dev", upper, name);
}

static int setup(void **state)
{
	snprintf(sys, sizeof(sys), "/tmp/test-blockdev-XXXXXX");
	return mkdtemp(sys) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	return remove(path);
}

static int teardown(void **state)
{
	return nftw(sys, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static struct blockdevs b;

static struct blockdev *at(unsigned ma, unsigned mi)
{
	struct blockdev *d = blockdevs_find(&b, ma << 20 | mi);

	assert_non_null(d);
	return d;
}

static void read_all(void)
{
	blockdevs_clear(&b);
	assert_int_equal(blockdevs_read(sys, &b), 0);
}

static void test_partitions(void **state)
{
	device("8:0", "sda");
	device("8:1", "sda/sda1");
	device("8:2", "sda/sda2");
	device("8:16", "sdb");
	read_all();
	assert_int_equal(b.n, 4);
	assert_string_equal(at(8, 1)->name, "sda1");
	at(8, 1)->direct = 4;
	blockdevs_spread(&b);
	assert_int_equal(at(8, 1)->holds, 4);
	assert_int_equal(at(8, 0)->holds, 4);
	assert_int_equal(at(8, 2)->holds, 0);
	assert_int_equal(at(8, 16)->holds, 0);
	/* what lies on the whole disk is in its partitions only where they overlap: not at all */
	read_all();
	at(8, 0)->direct = 1;
	blockdevs_spread(&b);
	assert_int_equal(at(8, 1)->holds, 0);
}

static void test_raid_under_mapping(void **state)
{
	device("8:0", "sda");
	device("8:1", "sda/sda1");
	device("8:16", "sdb");
	device("8:17", "sdb/sdb1");
	device("9:0", "md0");
	device("253:0", "dm-0");
	slave("md0", "sda1", "8:1");
	slave("md0", "sdb1", "8:17");
	slave("dm-0", "md0", "9:0");
	put("CRYPT-LUKS2-0123-data\n", "devices/block/dm-0/dm/uuid");
	read_all();
	at(253, 0)->direct = 1;
	at(8, 1)->direct = 2; /* as a RAID that is read without its metadata would show */
	blockdevs_spread(&b);
	assert_int_equal(at(253, 0)->holds, 3);
	assert_int_equal(at(9, 0)->holds, 3);
	assert_int_equal(at(8, 17)->holds, 3);
	assert_int_equal(at(8, 0)->holds, 3);
	assert_int_equal(at(8, 16)->holds, 3);
}

#define VG "LVM-0123456789abcdefghijklmnopqrstuv0123456789abcdefghijklmnopqrstuv"

static void test_volumes(void **state)
{
	device("8:0", "sda");
	device("253:0", "dm-0"); /* the dataset's, with a snapshot */
	device("253:1", "dm-1"); /* what was in it before that */
	device("253:2", "dm-2"); /* the snapshot */
	device("253:3", "dm-3"); /* another volume */
	slave("dm-0", "dm-1", "253:1");
	slave("dm-2", "dm-1", "253:1");
	slave("dm-1", "sda", "8:0");
	slave("dm-3", "sda", "8:0");
	put(VG "\n", "devices/block/dm-0/dm/uuid");
	put(VG "-real\n", "devices/block/dm-1/dm/uuid");
	put(VG "\n", "devices/block/dm-2/dm/uuid");
	put(VG "\n", "devices/block/dm-3/dm/uuid");
	read_all();
	assert_false(at(253, 0)->layer);
	assert_true(at(253, 1)->layer);
	at(253, 0)->direct = 1;
	blockdevs_spread(&b);
	assert_int_equal(at(253, 1)->holds, 1);
	assert_int_equal(at(253, 2)->holds, 1);
	assert_int_equal(at(253, 3)->holds, 0);
	assert_int_equal(at(8, 0)->holds, 1);
}

/* Whoever maps the disk a second time sees it all; a partition that the mapper shows is but one of several. */
static void test_mapped_twice(void **state)
{
	device("8:0", "sda");
	device("253:0", "dm-0");
	device("253:1", "dm-1");
	device("253:2", "dm-2");
	slave("dm-0", "sda", "8:0");
	slave("dm-1", "sda", "8:0");
	slave("dm-2", "sda", "8:0");
	put("part2-mpath-3600508b400105e21\n", "devices/block/dm-2/dm/uuid");
	read_all();
	at(253, 0)->direct = 1;
	blockdevs_spread(&b);
	assert_int_equal(at(8, 0)->holds, 1);
	assert_int_equal(at(253, 1)->holds, 1);
	assert_int_equal(at(253, 2)->holds, 0);
}

static void test_images(void **state)
{
	device("8:0", "sda");
	device("8:1", "sda/sda1");
	device("7:0", "loop0");
	device("259:0", "loop0/loop0p1");
	device("7:1", "loop1");
	device("253:0", "dm-0");
	slave("dm-0", "loop0p1", "259:0");
	put("/data/x.img\n", "devices/block/loop0/loop/backing_file");
	put("/other/y.img (deleted)\n", "devices/block/loop1/loop/backing_file");
	read_all();
	assert_true(at(7, 0)->loop);
	assert_false(at(259, 0)->loop);
	assert_false(at(8, 0)->loop);
	at(7, 0)->image = 2;
	assert_int_equal(blockdevs_add_file(&b, 7u << 20, 8u << 20 | 1), 0);
	assert_int_equal(blockdevs_add_file(&b, 7u << 20 | 1, 8u << 20 | 1), 0);
	assert_int_equal(blockdevs_add_file(&b, 7u << 20, 99u << 20), 0);
	assert_int_equal(blockdevs_add_file(&b, 99u << 20, 8u << 20), 0);
	blockdevs_spread(&b);
	assert_int_equal(at(259, 0)->image, 2);
	assert_int_equal(at(253, 0)->image, 2);
	assert_int_equal(at(253, 0)->holds, 2);
	/* its bytes can be read from the disk too, but the disk is no image */
	assert_int_equal(at(8, 1)->holds, 2);
	assert_int_equal(at(8, 0)->holds, 2);
	assert_int_equal(at(8, 0)->image, 0);
	/* another image on the same disk */
	assert_int_equal(at(7, 1)->holds, 0);
}

static void test_ring(void **state)
{
	device("253:0", "dm-0");
	device("253:1", "dm-1");
	slave("dm-0", "dm-1", "253:1");
	slave("dm-1", "dm-0", "253:0");
	slave("dm-1", "dm-1", "253:1");
	read_all();
	assert_int_equal(b.nedges, 2);
	at(253, 0)->image = 1;
	at(253, 1)->direct = 2;
	blockdevs_spread(&b);
	assert_int_equal(at(253, 0)->holds, 3);
	assert_int_equal(at(253, 1)->holds, 3);
}

static void test_nonsense(void **state)
{
	static const char *const none[] = {"x", "8", "8:", ":1", "-1:2", "8:1x", "5000:1", "1:99999999", "99999999999:1"};

	blockdevs_clear(&b);
	assert_true(blockdevs_read("/nonexistent", &b) < 0);
	for (size_t i = 0; i < ARRAY_SIZE(none); i++)
		put("", "dev/block/%s/nothing", none[i]);
	device("8:0", "sda");
	device("8:1", "sda/sda1");
	slave("sda", "a", "garbage");
	slave("sda", "b", "77:7");
	put("garbage\n", "devices/block/sda/dev");
	read_all();
	assert_int_equal(b.n, 2);
	assert_int_equal(b.nedges, 0);
	blockdevs_spread(&b);
}

static void test_many(void **state)
{
	for (unsigned i = 0; i < BLOCKDEV_MAX + 7; i++)
		put("", "dev/block/7:%u/uevent", i);
	read_all();
	assert_int_equal(b.n, BLOCKDEV_MAX);
	assert_true(b.cut);
}

static int count(void *arg, uint32_t dev)
{
	unsigned *seen = arg;

	seen[0]++;
	seen[1] += dev;
	return 0;
}

static void test_btrfs(void **state)
{
	unsigned seen[2] = {};

	put("8:1\n", "fs/btrfs/0-1/devices/sda1/dev");
	put("8:17\n", "fs/btrfs/0-1/devices/sdb1/dev");
	put("8:33\n", "fs/btrfs/0-2/devices/sdc1/dev");
	put("", "fs/btrfs/features/x");
	assert_int_equal(blockdevs_btrfs(sys, 8u << 20 | 17, count, seen), 0);
	assert_int_equal(seen[0], 2);
	assert_int_equal(seen[1], 2 * (8u << 20) + 18);
	/* listed nowhere: itself */
	assert_int_equal(blockdevs_btrfs(sys, 8u << 20 | 49, count, seen), 0);
	assert_int_equal(seen[0], 3);
}

static void test_numbers(void **state)
{
	assert_int_equal(blockdev_pack(makedev(259, 1048575)), 259u << 20 | 1048575);
	assert_int_equal(blockdev_unpack(259u << 20 | 1048575), makedev(259, 1048575));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_partitions), TEST(test_raid_under_mapping), TEST(test_volumes), TEST(test_images), TEST(test_ring), TEST(test_mapped_twice),
		TEST(test_nonsense),   TEST(test_many),		      TEST(test_btrfs),	  TEST(test_numbers),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	blockdevs_clear(&b);
	return failed;
}
