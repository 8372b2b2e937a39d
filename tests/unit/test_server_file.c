/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The socket's place in the file system. */
#include "tests/unit/server_fixture.h"

#include <grp.h>
#include <sys/wait.h>

static void test_file_rights(void **state)
{
	const struct group *g = getgrnam("sluice");
	mode_t old = umask(0);
	struct server *s = open_server();
	struct stat st;

	umask(old);
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0660);
	assert_int_equal(st.st_uid, geteuid());
	if (geteuid() == 0)
		assert_int_equal(st.st_gid, g ? g->gr_gid : 0);
	assert_answers(s);
	server_close(s);
	assert_int_equal(stat(path, &st), -1);
}

static void test_living_is_not_replaced(void **state)
{
	struct server *s = open_server(), *other = (struct server *)-1;
	struct stat before, after;

	stat(path, &before);
	assert_int_equal(server_open(path, answer, dir, &other), -EADDRINUSE);
	assert_ptr_equal(other, (void *)-1);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	/* nor when its backlog is full */
	int fds[64], n = 0;
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	for (; n < 64; n++) {
		fds[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (connect(fds[n], (struct sockaddr *)&addr, sizeof(addr)) < 0)
			break;
	}
	assert_true(n < 64 && errno == EAGAIN);
	assert_int_equal(server_open(path, answer, dir, &other), -EADDRINUSE);
	for (int i = 0; i <= n; i++)
		close(fds[i]);
	turns(s, 100);
	assert_answers(s);
	server_close(s);
}

static void test_dead_is_replaced(void **state)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	close(fd);
	assert_int_equal(access(path, F_OK), 0);
	struct server *s = open_server();
	assert_answers(s);
	server_close(s);
	assert_int_equal(access(path, F_OK), -1);
}

static void assert_left_alone(const char *what)
{
	struct server *s = NULL;
	struct stat before, after;

	assert_int_equal(lstat(path, &before), 0);
	if (server_open(path, answer, dir, &s) != -EEXIST)
		fail_msg("%s: not refused", what);
	assert_int_equal(lstat(path, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(before.st_size, after.st_size);
}

static void test_other_things_are_left_alone(void **state)
{
	_cleanup_close_ int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, "precious", 8), 8);
	assert_left_alone("file");
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_left_alone("directory");
	rmdir(path);
	assert_int_equal(symlink("/nowhere", path), 0);
	assert_left_alone("symlink");
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_left_alone("FIFO");
	unlink(path);
}

static void test_close_leaves_a_successor(void **state)
{
	struct server *s = open_server();

	unlink(path);
	struct server *second = open_server();
	server_close(s);
	assert_answers(second);
	server_close(second);
	assert_null(server_close(NULL));
}

static void test_bad_paths(void **state)
{
	struct server *s = NULL;
	char longer[200];

	memset(longer, 'a', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(server_open(longer, answer, dir, &s), -ENAMETOOLONG);
	assert_int_equal(server_open("", answer, dir, &s), -EINVAL);
	assert_int_equal(server_open("/nowhere/at/all", answer, dir, &s), -ENOENT);
	assert_null(s);
}

/* Of many monitors that start at once over a dead one's file, exactly one wins. */
static void test_race_has_one_winner(void **state)
{
	for (int round = 0; round < 20; round++) {
		struct sockaddr_un addr = {.sun_family = AF_UNIX};
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), go[2], winners = 0, status;
		pid_t pids[6];

		snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
		assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
		close(fd);
		assert_int_equal(pipe2(go, 0), 0);
		for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
			pids[i] = fork();
			if (pids[i] == 0) {
				struct server *s = NULL;
				char c;

				close(go[1]);
				(void)!read(go[0], &c, 1);
				int r = server_open(path, answer, dir, &s);
				/* the winner stays until all have tried */
				poll(NULL, 0, 60);
				server_close(s);
				_exit(r == 0 ? 0 : r == -EADDRINUSE ? 1 : 2);
			}
		}
		close(go[0]);
		close(go[1]);
		for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
			waitpid(pids[i], &status, 0);
			assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
			winners += WEXITSTATUS(status) == 0;
		}
		assert_int_equal(winners, 1);
		assert_int_equal(access(path, F_OK), -1);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_file_rights),
	    TEST(test_living_is_not_replaced),
	    TEST(test_dead_is_replaced),
	    TEST(test_other_things_are_left_alone),
	    TEST(test_close_leaves_a_successor),
	    TEST(test_bad_paths),
	    TEST(test_race_has_one_winner),
	};

	return cmocka_run_group_tests_name("server_file", tests, NULL, NULL);
}
