/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The thread that watches files of credentials, with real marks where the kernel lets us. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "tests/unit/model_fixture.h"
#include "user/credential_marks.h"
#include "user/credential_watch.h"

#define TEXT "machine a login b password c\n"

static char dir[64], passwd[128], file[128];
static int opened[2]; /* a child writes into it when it has */

static void put(const char *path, const char *text)
{
	_cleanup_fclose_ FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
}

static int begin(void **state)
{
	char line[256];

	snprintf(dir, sizeof(dir), "/tmp/sluice-unit-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(passwd, sizeof(passwd), "%s/passwd", dir);
	snprintf(file, sizeof(file), "%s/.netrc", dir);
	snprintf(line, sizeof(line), "a:x:4001:1::%s:/\n", dir);
	put(passwd, line);
	put(file, TEXT);
	assert_int_equal(pipe2(opened, O_CLOEXEC), 0);
	return 0;
}

static int end(void **state)
{
	close(opened[0]);
	close(opened[1]);
	unlink(file);
	unlink(passwd);
	rmdir(dir);
	return 0;
}

static bool refused(void)
{
	bool pidfds;
	_cleanup_close_ int fd = credential_marks_open(&pidfds);

	return fd < 0;
}

static void wait_for(struct fixture *t, struct credential_watch *w, bool (*met)(const struct fixture *t))
{
	for (unsigned i = 0; !met(t); i++) {
		assert_true(i < 6000);
		usleep(5000);
		assert_int_equal(credential_watch_take(w, t->m), 0);
	}
}

static bool holds_one(const struct fixture *t)
{
	return t->m->credentials->state.holding == 1;
}

static bool used(const struct fixture *t)
{
	return t->m->credentials->n == 1;
}

static pid_t open_by_child(unsigned times)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	for (unsigned i = 0; i < times; i++) {
		int fd = open(file, O_RDONLY | O_CLOEXEC);
		char c;

		if (fd < 0 || read(fd, &c, 1) != 1)
			_exit(1);
		close(fd);
	}
	if (write(opened[1], "", 1) == 1)
		pause();
	_exit(0);
}

static void test_use(void **state)
{
	struct credential_watch *w;
	struct fixture t;

	if (refused())
		skip();
	fixture_begin(&t, NULL);
	assert_int_equal(credential_watch_new(passwd, &w), 0);
	wait_for(&t, w, holds_one);
	pid_t pid = open_by_child(3);
	wait_for(&t, w, used);
	const struct m_use *u = t.m->credentials->first;
	assert_int_equal(u->by.pid, pid);
	assert_int_equal(u->by.parent, getpid());
	assert_true(u->by.start_ns && u->by.start_ns <= now_boot_ns());
	assert_int_equal(u->kind, SECRET_NETRC);
	assert_string_equal(u->path, file);
	assert_true(u->opens >= 1 && u->opens <= 3);
	assert_string_equal(t.m->credentials->state.why, "");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	credential_watch_free(w);
	fixture_end(&t);
}

/* At the end nothing that was opened before is left out. */
static void test_settles(void **state)
{
	struct credential_watch *w;
	struct fixture t;

	if (refused())
		skip();
	fixture_begin(&t, NULL);
	assert_int_equal(credential_watch_new(passwd, &w), 0);
	wait_for(&t, w, holds_one);
	for (unsigned i = 1; i < 20; i++) {
		pid_t pid = open_by_child(1);
		char c;

		assert_int_equal(read(opened[0], &c, 1), 1);
		credential_watch_settle(w, 10000);
		assert_int_equal(credential_watch_take(w, t.m), 0);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		assert_int_equal(t.m->credentials->n, i);
	}
	credential_watch_free(w);
	fixture_end(&t);
}

/* Our own opening is none. */
static void test_not_ours(void **state)
{
	struct credential_watch *w;
	struct fixture t;

	if (refused())
		skip();
	fixture_begin(&t, NULL);
	assert_int_equal(credential_watch_new(passwd, &w), 0);
	wait_for(&t, w, holds_one);
	_cleanup_close_ int fd = open(file, O_RDONLY | O_CLOEXEC);
	put(file, TEXT TEXT);
	usleep(100000);
	assert_int_equal(credential_watch_take(w, t.m), 0);
	assert_int_equal(t.m->credentials->n, 0);
	credential_watch_free(w);
	fixture_end(&t);
}

static void test_hint(void **state)
{
	struct credential_hint h = {.pid = (uint32_t)getpid(), .kind = SECRET_NETRC};
	struct credential_watch *w;
	struct fixture t;

	if (refused())
		skip();
	put(passwd, "");
	fixture_begin(&t, NULL);
	snprintf(h.path, sizeof(h.path), "%s", file);
	assert_int_equal(credential_watch_new(passwd, &w), 0);
	for (unsigned i = 0; i < 1000; i++)
		credential_watch_hint(w, &h); /* too many at once are left out */
	wait_for(&t, w, holds_one);
	credential_watch_free(w);
	fixture_end(&t);
}

static bool told_why(const struct fixture *t)
{
	return t->m->credentials->state.why[0];
}

static void test_without_passwd(void **state)
{
	struct credential_watch *w;
	struct fixture t;

	fixture_begin(&t, NULL);
	assert_int_equal(credential_watch_new("/nonexistent", &w), 0);
	wait_for(&t, w, told_why);
	assert_non_null(t.m->credentials->gap);
	credential_watch_free(w);
	fixture_end(&t);
}

static void test_ends_at_once(void **state)
{
	for (unsigned i = 0; i < 50; i++) {
		struct credential_watch *w;

		assert_int_equal(credential_watch_new(passwd, &w), 0);
		credential_watch_free(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_use, begin, end),
		cmocka_unit_test_setup_teardown(test_settles, begin, end),
		cmocka_unit_test_setup_teardown(test_not_ours, begin, end),
		cmocka_unit_test_setup_teardown(test_hint, begin, end),
		cmocka_unit_test_setup_teardown(test_without_passwd, begin, end),
		cmocka_unit_test_setup_teardown(test_ends_at_once, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
