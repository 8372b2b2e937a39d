/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/scan.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <cmocka.h>

static char top[64]; /* holds "in", the dataset, and "out" */

static const char *at(const char *format, ...) __attribute__((format(printf, 1, 2)));
static const char *at(const char *format, ...)
{
	static char path[8][512];
	static unsigned next;
	char *p = path[next++ % ARRAY_SIZE(path)];
	va_list args;
	int n = snprintf(p, sizeof(path[0]), "%s/", top);

	va_start(args, format);
	vsnprintf(p + n, sizeof(path[0]) - (size_t)n, format, args);
	va_end(args);
	return p;
}

static void make_dir(const char *path)
{
	assert_int_equal(mkdir(path, 0755), 0);
}

static void make_file(const char *path, off_t size)
{
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, size), 0);
	close(fd);
}

static int set_up(void **state)
{
	strcpy(top, "/tmp/sluice-scan-XXXXXX");
	if (!mkdtemp(top))
		return -1;
	return mkdir(at("in"), 0755) || mkdir(at("out"), 0755);
}

static int tear_down(void **state)
{
	char line[128];

	snprintf(line, sizeof(line), "rm -rf '%s'", top);
	return system(line);
}

struct seen {
	unsigned n;
	ino_t ino[64];
	int error; /* to give back */
	int policy, nice, ioprio;
	atomic_bool *stop;
};

static int on_linked(void *arg, int fd, const struct stat *st)
{
	struct seen *s = arg;
	struct stat own;
	char c;

	assert_int_equal(fstat(fd, &own), 0);
	assert_int_equal(own.st_ino, st->st_ino);
	assert_int_equal(own.st_dev, st->st_dev);
	assert_int_equal(fcntl(fd, F_GETFL) & O_PATH, O_PATH);
	assert_int_equal(read(fd, &c, 1), -1);
	assert_true(s->n < ARRAY_SIZE(s->ino));
	s->ino[s->n++] = st->st_ino;
	s->policy = sched_getscheduler(0);
	s->nice = getpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid));
	s->ioprio = (int)syscall(SYS_ioprio_get, 1, 0);
	if (s->stop)
		atomic_store(s->stop, true);
	return s->error;
}

static const struct scan_ops ops = {.linked = on_linked};

static struct scan_result scan_in(struct seen *seen)
{
	struct scan_result r = {};

	assert_int_equal(scan_tree(at("in"), &ops, seen, NULL, &r), 0);
	return r;
}

static void test_counts(void **state)
{
	struct seen seen = {};

	make_file(at("in/a"), 7);
	make_file(at("in/empty"), 0);
	make_file(at("in/sparse"), (off_t)1 << 40);
	make_dir(at("in/d"));
	make_dir(at("in/d/e"));
	make_file(at("in/d/e/f"), 1009);
	make_file(at("out/secret"), 999999);
	assert_int_equal(mkfifo(at("in/fifo"), 0600), 0);
	assert_int_equal(symlink(at("out"), at("in/link-dir")), 0);
	assert_int_equal(symlink(at("out/secret"), at("in/link-file")), 0);
	assert_int_equal(symlink("..", at("in/d/up")), 0);

	struct scan_result r = scan_in(&seen);
	assert_int_equal(r.files, 4);
	assert_int_equal(r.bytes, 7 + 1009 + (1ULL << 40));
	assert_int_equal(r.dirs, 3);
	assert_int_equal(r.linked + r.outside + r.unread + r.deep + seen.n, 0);
	assert_true(r.exact);
	assert_true(r.took_ns > 0 && r.took_ns < 60 * NSEC);
}

static void test_roots(void **state)
{
	struct scan_result r = {};
	struct seen seen = {};

	make_file(at("in/a"), 7);
	assert_int_equal(link(at("in/a"), at("out/a")), 0);
	assert_int_equal(symlink(at("in"), at("out/in")), 0);
	assert_int_equal(mkfifo(at("out/fifo"), 0600), 0);
	assert_int_equal(scan_tree(at("in/a"), &ops, &seen, NULL, &r), 0);
	assert_int_equal(r.files, 1);
	assert_int_equal(r.bytes, 7);
	assert_int_equal(r.dirs, 0);
	assert_int_equal(r.outside, 1);
	assert_int_equal(seen.n, 1);
	assert_int_equal(scan_tree(at("out/in"), NULL, NULL, NULL, &r), 0);
	assert_int_equal(r.files, 1);
	memset(&r, 0x5a, sizeof(r));
	assert_int_equal(scan_tree(at("nothing"), NULL, NULL, NULL, &r), -ENOENT);
	assert_int_equal(scan_tree(at("out/fifo"), NULL, NULL, NULL, &r), -ENOTDIR);
	assert_int_equal(r.files, 0x5a5a5a5a5a5a5a5a);
}

static void test_links(void **state)
{
	struct seen seen = {};
	struct stat st;

	make_dir(at("in/d"));
	make_file(at("in/both"), 100);
	assert_int_equal(link(at("in/both"), at("in/d/both2")), 0);
	make_file(at("in/leads-out"), 10);
	assert_int_equal(link(at("in/leads-out"), at("out/name")), 0);
	assert_int_equal(link(at("in/leads-out"), at("in/d/again")), 0);
	make_file(at("in/single"), 1);

	struct scan_result r = scan_in(&seen);
	assert_int_equal(r.files, 3);
	assert_int_equal(r.bytes, 111);
	assert_int_equal(r.linked, 2);
	assert_int_equal(r.outside, 1);
	assert_int_equal(seen.n, 2);
	assert_int_not_equal(seen.ino[0], seen.ino[1]);
	assert_int_equal(stat(at("out/name"), &st), 0);
	assert_true(seen.ino[0] == st.st_ino || seen.ino[1] == st.st_ino);
}

static void test_many_links(void **state)
{
	struct scan_result r = {};

	for (int i = 0; i < 3000; i++) {
		make_file(at("in/f%d", i), 3);
		assert_int_equal(link(at("in/f%d", i), at("%s/g%d", i % 7 ? "in" : "out", i)), 0);
	}
	assert_int_equal(scan_tree(at("in"), NULL, NULL, NULL, &r), 0);
	assert_int_equal(r.files, 3000);
	assert_int_equal(r.bytes, 9000);
	assert_int_equal(r.linked, 3000);
	assert_int_equal(r.outside, (3000 + 6) / 7);
}

static void test_callback_and_cancel(void **state)
{
	struct seen seen = {.error = -EXDEV};
	atomic_bool stop = true;
	struct scan_result r = {.files = 5};

	make_file(at("in/a"), 7);
	assert_int_equal(link(at("in/a"), at("out/a")), 0);
	assert_int_equal(scan_tree(at("in"), &ops, &seen, NULL, &r), -EXDEV);
	assert_int_equal(scan_tree(at("in"), NULL, NULL, &stop, &r), -ECANCELED);
	stop = false;
	seen = (struct seen){.stop = &stop};
	assert_int_equal(scan_tree(at("in"), &ops, &seen, &stop, &r), -ECANCELED);
	assert_int_equal(r.files, 5);
}

static void test_depth(void **state)
{
	struct scan_result r = {};
	int dir = open(at("in"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	/* level 0 is the root; a file in the last that is entered, and one beyond */
	for (int i = 1; i <= SCAN_DEPTH; i++) {
		assert_int_equal(mkdirat(dir, "d", 0755), 0);
		int next = openat(dir, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		close(dir);
		dir = next;
		if (i >= SCAN_DEPTH - 1)
			close(openat(dir, "f", O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	}
	close(dir);
	assert_int_equal(scan_tree(at("in"), NULL, NULL, NULL, &r), 0);
	assert_int_equal(r.dirs, SCAN_DEPTH);
	assert_int_equal(r.deep, 1);
	assert_int_equal(r.files, 1);
}

static void test_names(void **state)
{
	struct scan_result r = {};
	char name[256];

	make_file(at("in/\n\x1b[2J\xff"), 1);
	make_file(at("in/..."), 2);
	make_file(at("in/ "), 4);
	make_file(at("in/.hidden"), 8);
	memset(name, 'n', 255);
	name[255] = '\0';
	make_file(at("in/%s", name), 16);
	assert_int_equal(scan_tree(at("in"), NULL, NULL, NULL, &r), 0);
	assert_int_equal(r.files, 5);
	assert_int_equal(r.bytes, 31);
}

static void test_access_time(void **state)
{
	const struct timespec old[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1500000000}};
	struct scan_result r = {};
	struct stat st;

	make_dir(at("in/d"));
	make_file(at("in/d/f"), 1);
	/* older than its change: relatime would renew it */
	assert_int_equal(utimensat(AT_FDCWD, at("in/d"), old, 0), 0);
	assert_int_equal(scan_tree(at("in"), NULL, NULL, NULL, &r), 0);
	assert_int_equal(r.files, 1);
	assert_int_equal(stat(at("in/d"), &st), 0);
	assert_int_equal(st.st_atime, 1000000000);
}

struct thread_scan {
	struct seen seen;
	struct scan_result result;
	int err;
};

static void *scan_main(void *arg)
{
	struct thread_scan *t = arg;

	t->err = scan_tree(at("in"), &ops, &t->seen, NULL, &t->result);
	return NULL;
}

/* The first of the tests, for later ones leave this thread like that. */
static void test_priority(void **state)
{
	struct thread_scan t = {};
	pthread_t thread;

	make_file(at("in/a"), 7);
	assert_int_equal(link(at("in/a"), at("out/a")), 0);
	assert_int_equal(pthread_create(&thread, NULL, scan_main, &t), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(t.err, 0);
	assert_int_equal(t.result.files, 1);
	assert_int_equal(t.seen.n, 1);
	assert_int_equal(t.seen.policy, SCHED_BATCH);
	assert_int_equal(t.seen.nice, 19);
	assert_int_equal(t.seen.ioprio >> 13, 3);
	assert_int_not_equal(sched_getscheduler(0), SCHED_BATCH);
	assert_int_not_equal(getpriority(PRIO_PROCESS, 0), 19);
}

enum { SWAPPED = 40 };

/* With the names of the directory already read, all of them come to lead outside. */
static int swap_all(void *arg, int fd, const struct stat *st)
{
	unsigned *calls = arg;

	for (int i = 0; i < SWAPPED && !*calls; i++) {
		assert_int_equal(rename(at("in/dir%d", i), at("gone/dir%d", i)), 0);
		assert_int_equal(symlink(at("out"), at("in/dir%d", i)), 0);
		assert_int_equal(rename(at("in/file%d", i), at("gone/file%d", i)), 0);
		assert_int_equal(symlink(at("out/huge"), at("in/file%d", i)), 0);
	}
	++*calls;
	return 0;
}

static void test_swapped_for_links(void **state)
{
	static const struct scan_ops swapping = {.linked = swap_all};
	struct scan_result r = {};
	unsigned calls = 0;

	make_dir(at("gone"));
	make_file(at("out/huge"), 1000000);
	for (int i = 0; i < SWAPPED; i++) {
		make_dir(at("in/dir%d", i));
		make_file(at("in/file%d", i), 1);
		make_file(at("in/linked%d", i), 0);
		assert_int_equal(link(at("in/linked%d", i), at("gone/linked%d", i)), 0);
	}
	assert_int_equal(scan_tree(at("in"), &swapping, &calls, NULL, &r), 0);
	assert_int_equal(calls, SWAPPED);
	assert_true(r.bytes < SWAPPED);
	assert_true(r.files < 2 * SWAPPED && r.dirs < 1 + SWAPPED);
	assert_int_equal(r.unread, 0);
}

/* --- mounts and rights ------------------------------------------------------------ */

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "line %d: %s\n", __LINE__, #condition);                    \
			return 1;                                                                  \
		}                                                                                  \
	} while (0)

static int mounted(void)
{
	struct scan_result r = {};

	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("t", at("in/m"), "tmpfs", 0, NULL))
		return 77;
	/* another file system is part of it */
	make_file(at("in/m/f"), 20);
	CHECK(scan_tree(at("in"), NULL, NULL, NULL, &r) == 0);
	CHECK(r.files == 2 && r.bytes == 25 && r.dirs == 3);
	/* so is a place outside that is bound into it */
	CHECK(mount(at("out"), at("in/b"), NULL, MS_BIND, NULL) == 0);
	CHECK(scan_tree(at("in"), NULL, NULL, NULL, &r) == 0);
	CHECK(r.files == 3 && r.bytes == 125);
	/* bound to itself, it counts once, whichever is met first */
	CHECK(umount(at("in/b")) == 0);
	CHECK(mount(at("in"), at("in/b"), NULL, MS_BIND | MS_REC, NULL) == 0);
	CHECK(scan_tree(at("in"), NULL, NULL, NULL, &r) == 0);
	CHECK(r.files == 2 && r.bytes == 25 && r.exact);
	CHECK(scan_tree(at("in/b"), NULL, NULL, NULL, &r) == 0);
	CHECK(r.files == 2 && r.bytes == 25);
	CHECK(umount2(at("in/b"), MNT_DETACH) == 0);
	/* a single file, bound in another place */
	make_file(at("in/place"), 0);
	CHECK(mount(at("in/f"), at("in/place"), NULL, MS_BIND, NULL) == 0);
	CHECK(scan_tree(at("in"), NULL, NULL, NULL, &r) == 0);
	CHECK(r.files == 2 && r.bytes == 25 && r.linked == 0);
	return 0;
}

static void run_alone(int (*f)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(f());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		print_message("skipped: not permitted here\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_mounts(void **state)
{
	if (geteuid() != 0) {
		print_message("skipped: mounting needs root\n");
		skip();
	}
	make_dir(at("in/m"));
	make_dir(at("in/b"));
	make_file(at("in/f"), 5);
	make_file(at("out/g"), 100);
	run_alone(mounted);
}

static int unprivileged(void)
{
	struct scan_result r = {};

	if (geteuid() == 0 && setresuid(65534, 65534, 65534))
		return 77;
	CHECK(scan_tree(at("in"), NULL, NULL, NULL, &r) == 0);
	CHECK(r.files == 1 && r.unread == 1 && r.dirs == 2);
	CHECK(scan_tree(at("in/closed"), NULL, NULL, NULL, &r) == -EACCES);
	return 0;
}

static void test_rights(void **state)
{
	make_dir(at("in/closed"));
	make_dir(at("in/open"));
	make_file(at("in/open/f"), 1);
	make_file(at("in/closed/f"), 1);
	assert_int_equal(chmod(at("in/closed"), 0), 0);
	assert_int_equal(chmod(top, 0755), 0);
	run_alone(unprivileged);
	assert_int_equal(chmod(at("in/closed"), 0700), 0);
}

#define SCAN_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCAN_TEST(test_priority),	 SCAN_TEST(test_counts),
	    SCAN_TEST(test_roots),	 SCAN_TEST(test_links),
	    SCAN_TEST(test_many_links),	 SCAN_TEST(test_callback_and_cancel),
	    SCAN_TEST(test_depth),	 SCAN_TEST(test_names),
	    SCAN_TEST(test_access_time), SCAN_TEST(test_swapped_for_links),
	    SCAN_TEST(test_mounts),	 SCAN_TEST(test_rights),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
