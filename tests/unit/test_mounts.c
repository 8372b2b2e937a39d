/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/mounts.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <cmocka.h>

#define ROOT "25 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"

/* "id:path id:path " of what is found. */
static void expect_below(const char *text, const char *root, const char *expected)
{
	struct mount_point *m = NULL;
	size_t n = 0, at = 0;
	char got[1024] = "";

	assert_int_equal(mounts_parse(text, strlen(text), root, &m, &n), 0);
	for (size_t i = 0; i < n; i++)
		at += (size_t)snprintf(got + at, sizeof(got) - at, "%u:%s ", (unsigned)m[i].id,
				       m[i].path);
	mounts_free(m, n);
	assert_string_equal(got, expected);
}

static void test_below(void **state)
{
	static const char text[] =
	    ROOT "30 25 0:5 / /proc rw - proc proc rw\n"
		 "40 25 8:2 / /data rw shared:2 - xfs /dev/sdb rw\n"
		 "41 40 8:3 / /data/patients/x-rays rw - xfs /dev/sdc rw\n"
		 "42 41 8:4 / /data/patients/x-rays/deep/er rw - xfs /dev/sdd rw\n"
		 "43 40 8:5 / /data/patients2 rw - xfs /dev/sde rw\n"
		 "44 40 8:6 / /data/patients.old rw - xfs /dev/sdf rw\n";

	expect_below(text, "/data/patients",
		     "41:/data/patients/x-rays 42:/data/patients/x-rays/deep/er ");
	expect_below(text, "/data/patients/x-rays/deep", "42:/data/patients/x-rays/deep/er ");
	expect_below(text, "/data/patients2", "43:/data/patients2 ");
	expect_below(text, "/data/patient", "");
	expect_below(text, "/nowhere", "");
	expect_below(text, "/",
		     "25:/ 40:/data 44:/data/patients.old 41:/data/patients/x-rays "
		     "42:/data/patients/x-rays/deep/er 43:/data/patients2 30:/proc ");
}

static void test_fields(void **state)
{
	static const char text[] =
	    "25 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n"
	    "99 25 259:1048575 /sub\\040dir /a\\040b\\011c\\134d\\012e rw,noatime shared:1 "
	    "master:2 "
	    "propagate_from:3 unbindable future:9 - fuse.mount-s3 my\\043source rw,user_id=0\n";
	struct mount_point *m = NULL;
	size_t n = 0;

	assert_int_equal(mounts_parse(text, strlen(text), "/a b\tc\\d\ne", &m, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(m[0].id, 99);
	assert_int_equal(m[0].parent, 25);
	assert_int_equal(major(m[0].dev), 259);
	assert_int_equal(minor(m[0].dev), 1048575);
	assert_string_equal(m[0].root, "/sub dir");
	assert_string_equal(m[0].path, "/a b\tc\\d\ne");
	assert_string_equal(m[0].fstype, "fuse.mount-s3");
	assert_string_equal(m[0].source, "my#source");
	mounts_free(m, n);
}

static void test_overmounted(void **state)
{
	/* a mount on the root of another hides it and what is below */
	expect_below(ROOT "40 25 8:2 / /data rw - xfs b rw\n"
			  "41 40 8:3 / /data/p rw - xfs c rw\n"
			  "42 41 8:4 / /data/p/sub rw - xfs d rw\n"
			  "43 41 8:5 / /data/p rw - tmpfs e rw\n"
			  "44 43 8:6 / /data/p/new rw - tmpfs f rw\n",
		     "/data/p", "43:/data/p 44:/data/p/new ");
	/* three deep, and back to the middle */
	expect_below(ROOT "40 25 8:2 / /d rw - xfs b rw\n"
			  "41 40 8:3 / /d rw - xfs c rw\n"
			  "42 41 8:4 / /d rw - xfs d rw\n",
		     "/d", "42:/d ");
	/* a mount over a directory above the dataset */
	expect_below(ROOT "40 25 8:2 / /data rw - xfs b rw\n"
			  "41 40 8:3 / /data/p/x rw - xfs c rw\n"
			  "43 40 8:5 / /data rw - tmpfs e rw\n",
		     "/data/p", "");
	expect_below(ROOT "41 25 8:3 / /data/p/x rw - xfs c rw\n"
			  "43 25 8:5 / /data rw - tmpfs e rw\n"
			  "45 43 8:6 / /data/p/y rw - tmpfs e rw\n",
		     "/data/p", "45:/data/p/y ");
	/* the order of the lines is not the order of mounting where parents tell */
	expect_below("43 41 8:5 / /data/p rw - tmpfs e rw\n"
		     "41 40 8:3 / /data/p rw - xfs c rw\n"
		     "40 25 8:2 / /data rw - xfs b rw\n" ROOT,
		     "/data/p", "43:/data/p ");
	/* the same place twice on one parent: the later */
	expect_below(ROOT "41 25 8:3 / /p rw - xfs c rw\n"
			  "42 25 8:3 / /p rw - xfs c rw\n",
		     "/p", "42:/p ");
	/* over the process's own root: not seen */
	expect_below(ROOT "41 25 8:3 / / rw - tmpfs c rw\n"
			  "42 25 8:4 / /p rw - xfs d rw\n"
			  "43 41 8:5 / /p/q rw - xfs d rw\n",
		     "/", "25:/ 42:/p ");
	/* the mounted-on directory was deleted */
	expect_below(ROOT "41 25 8:3 / /p/gone//deleted rw - tmpfs c rw\n", "/p", "");
	/* in a chroot the root's own mount is not listed */
	expect_below("41 25 8:3 / /p rw - tmpfs c rw\n"
		     "42 41 8:3 / /p/q rw - tmpfs c rw\n"
		     "43 25 8:3 / /p/hidden rw - tmpfs c rw\n",
		     "/p", "41:/p 42:/p/q ");
}

static void test_hostile(void **state)
{
	static const char *const nonsense[] = {
	    "",
	    "\n\n",
	    " ",
	    "1",
	    "25 1 8:1 / /p",
	    "25 1 8:1 / /p rw",
	    "25 1 8:1 / /p rw x y z",
	    "x 1 8:1 / /p rw - a b c",
	    "25 1 8;1 / /p rw - a b c",
	    "25 1 8:1x / /p rw - a b c",
	    "25 1 :1 / /p rw - a b c",
	    "25 1 4294967296:1 / /p rw - a b c",
	    "99999999999999999999 1 8:1 / /p rw - a b c",
	    "-5 1 8:1 / /p rw - a b c",
	    "25 1 8:1 / p rw - a b c",
	    "25 1 8:1 /  rw - a b c",
	    "25 1 8:1 / /p rw -",
	};

	for (size_t i = 0; i < ARRAY_SIZE(nonsense); i++)
		expect_below(nonsense[i], "/", "");
	expect_below("junk\n" ROOT "junk", "/", "25:/ ");
	/* rings of parents */
	expect_below(
	    "5 6 8:1 / /p rw - a b c\n6 5 8:1 / /p rw - a b c\n7 6 8:1 / /p/q rw - a b c\n", "/",
	    "");
	expect_below("5 5 8:1 / /p rw - a b c\n", "/", "");
	/* escapes that are none, or cut */
	expect_below("25 1 8:1 / /a\\04 rw - a b c", "/", "25:/a\\04 ");
	expect_below("25 1 8:1 / /a\\400\\ rw - a b c", "/", "25:/a\\400\\ ");
}

static void test_self_parent(void **state)
{
	/* the root of all is its own parent */
	expect_below("1 1 0:1 / / rw - rootfs rootfs rw\n2 1 8:1 / /p rw - a b c\n", "/",
		     "1:/ 2:/p ");
}

/* Mutations of a true file: whatever comes of it, it ends, and within bounds. */
static void test_mutations(void **state)
{
	static const char seed_text[] = ROOT "40 25 8:2 / /data rw shared:2 - xfs /dev/sdb rw\n"
					     "41 40 8:3 / /data/p rw - xfs c rw\n"
					     "42 41 8:4 / /data/p/s\\040b rw - xfs d rw\n"
					     "43 41 8:5 / /data/p rw - tmpfs e rw\n";
	unsigned seed = 11;

	for (unsigned round = 0; round < 20000; round++) {
		size_t len = sizeof(seed_text) - 1, n = 0;
		char *text = malloc(len);
		struct mount_point *m = NULL;

		memcpy(text, seed_text, len);
		for (int i = rand_r(&seed) % 8; i >= 0; i--)
			text[(size_t)rand_r(&seed) % len] = (char)(rand_r(&seed) % 256);
		len -= (size_t)rand_r(&seed) % len;
		text = realloc(text, len); /* exact, for the sanitizer */
		assert_int_equal(mounts_parse(text, len, "/data", &m, &n), 0);
		assert_true(n <= 5);
		mounts_free(m, n);
		free(text);
	}
}

static void test_many(void **state)
{
	const size_t mounts = 20000;
	char *text = malloc(mounts * 96);
	size_t len = (size_t)sprintf(text, ROOT), n = 0;
	struct mount_point *m = NULL;
	uint64_t start;

	/* a chain: each on the one before */
	for (size_t i = 0; i < mounts; i++)
		len += (size_t)sprintf(text + len, "%zu %zu 0:9 / /d rw - tmpfs t rw\n", 100 + i,
				       i ? 99 + i : 25);
	start = now_boot_ns();
	assert_int_equal(mounts_parse(text, len, "/d", &m, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(m[0].id, 99 + mounts);
	mounts_free(m, n);
	assert_true(now_boot_ns() - start < 5 * NSEC);
	free(text);
}

/* --- real mounts, in a namespace of their own --------------------------------- */

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "line %d: %s\n", __LINE__, #condition);                    \
			return 1;                                                                  \
		}                                                                                  \
	} while (0)

static bool told(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLPRI};

	return poll(&p, 1, 0) == 1 && p.revents & (POLLPRI | POLLERR);
}

static int watched(const char *dir)
{
	struct epoll_event e = {.events = EPOLLPRI | EPOLLERR};
	int fd = -1, ep = epoll_create1(EPOLL_CLOEXEC);

	CHECK(ep >= 0 && mounts_watch_open(&fd) == 0);
	CHECK(!told(fd));
	CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) == 0);
	CHECK(epoll_wait(ep, &e, 1, 0) == 0);
	CHECK(mount("t", dir, "tmpfs", 0, NULL) == 0);
	CHECK(epoll_wait(ep, &e, 1, 1000) == 1);
	CHECK(epoll_wait(ep, &e, 1, 0) == 0);
	CHECK(umount(dir) == 0);
	CHECK(mounts_watch_rearm(fd));
	CHECK(!mounts_watch_rearm(fd) && !told(fd));
	CHECK(epoll_wait(ep, &e, 1, 0) == 0);
	CHECK(mount("t", dir, "tmpfs", 0, NULL) == 0 && told(fd) && umount(dir) == 0);
	close(fd);
	close(ep);
	return 0;
}

static int count_below(const char *root)
{
	struct mount_point *m;
	size_t n;

	if (mounts_below(root, &m, &n))
		return -1;
	mounts_free(m, n);
	return (int)n;
}

static int nested(const char *dir)
{
	char sub[256], odd[256], link[256];
	struct mount_point *m;
	struct stat st;
	size_t n;

	snprintf(sub, sizeof(sub), "%s/a", dir);
	snprintf(odd, sizeof(odd), "%s/a/o d\nd\\", dir);
	snprintf(link, sizeof(link), "%s.link", dir);
	CHECK(count_below(dir) == 0);
	CHECK(mkdir(sub, 0700) == 0 && mount("t", sub, "tmpfs", 0, NULL) == 0);
	CHECK(mkdir(odd, 0700) == 0 && mount("t", odd, "tmpfs", 0, NULL) == 0);
	CHECK(mounts_below(dir, &m, &n) == 0);
	CHECK(n == 2 && !strcmp(m[0].path, sub) && !strcmp(m[1].path, odd));
	CHECK(stat(odd, &st) == 0 && st.st_dev == m[1].dev && !strcmp(m[1].fstype, "tmpfs"));
	CHECK(m[1].parent == m[0].id);
	mounts_free(m, n);
	CHECK(symlink(dir, link) == 0 && count_below(link) == 2 && unlink(link) == 0);

	/* hidden by one on the same place, then by one above */
	CHECK(mount("t", sub, "tmpfs", 0, NULL) == 0 && count_below(dir) == 1);
	CHECK(umount(sub) == 0 && count_below(dir) == 2);
	CHECK(mount("t", dir, "tmpfs", 0, NULL) == 0 && count_below(dir) == 1);
	CHECK(count_below(sub) == -1);
	CHECK(umount(dir) == 0 && count_below(dir) == 2);

	/* moved away: the path is another */
	CHECK(umount(odd) == 0 && umount(sub) == 0 && count_below(dir) == 0 && rmdir(sub) == 0);
	return 0;
}

static int in_namespace(const char *dir)
{
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("t", dir, "tmpfs", 0, NULL))
		return 77;
	if (umount(dir))
		return 1;
	int wrong = watched(dir);
	return wrong ? wrong : nested(dir);
}

static void test_real(void **state)
{
	char dir[] = "/tmp/sluice-mounts-XXXXXX";
	int status;

	if (geteuid() != 0) {
		print_message("skipped: mounting needs root\n");
		skip();
	}
	assert_non_null(mkdtemp(dir));
	pid_t pid = fork();
	if (pid == 0)
		_exit(in_namespace(dir));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(rmdir(dir), 0);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		print_message("skipped: mounts cannot be made here\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_missing(void **state)
{
	struct mount_point *m = (void *)1;
	size_t n = 7;

	assert_int_equal(mounts_below("/nowhere/at/all", &m, &n), -ENOENT);
	assert_ptr_equal(m, (void *)1);
	assert_int_equal(n, 7);
	mounts_free(NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_below),	cmocka_unit_test(test_fields),
	    cmocka_unit_test(test_overmounted), cmocka_unit_test(test_hostile),
	    cmocka_unit_test(test_self_parent), cmocka_unit_test(test_mutations),
	    cmocka_unit_test(test_many),	cmocka_unit_test(test_real),
	    cmocka_unit_test(test_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
