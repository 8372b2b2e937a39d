/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The client against a monitor, none, and false ones. */
#include "tests/unit/server_fixture.h"

#include <grp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "user/client.h"

static atomic_bool loop_stop;

static void *loop(void *server)
{
	while (!loop_stop)
		turn(server, 20);
	return NULL;
}

static void test_client_asks(void **state)
{
	struct server *s = open_server();
	struct client *c = NULL;
	struct client_error e;
	pthread_t thread;
	json_t *reply = NULL, *request = json_pack("{s:s}", "show", "jobs");
	json_t *big = json_pack("{s:s}", "show", "big"), *none = json_pack("{s:n}", "show");

	loop_stop = false;
	big_bytes = 8 << 20;
	assert_int_equal(pthread_create(&thread, NULL, loop, s), 0);
	assert_int_equal(client_open(path, 60000, &c, &e), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(client_ask(c, request, 60000, &reply, &e), 0);
		assert_string_equal(json_string_value(json_object_get(reply, "type")), "jobs");
		json_decref(reply);
		assert_int_equal(client_ask(c, none, 60000, &reply, &e), -EREMOTEIO);
		assert_string_equal(e.text, "the monitor says: say what to show");
		assert_int_equal(client_ask(c, big, 60000, &reply, &e), 0);
		assert_int_equal(json_string_length(json_object_get(reply, "big")), big_bytes);
		json_decref(reply);
	}
	assert_null(client_close(c));
	assert_null(client_close(NULL));
	loop_stop = true;
	pthread_join(thread, NULL);
	server_close(s);
	json_decref(request);
	json_decref(big);
	json_decref(none);
}

static void test_client_without_monitor(void **state)
{
	struct client *c = (struct client *)-1;
	struct client_error e;
	char expect[256], longer[200];

	snprintf(expect, sizeof(expect),
		 "no monitor is running at %s: start one with `sudo sluice run`", path);
	assert_int_equal(client_open(path, 100, &c, &e), -ENOENT);
	assert_string_equal(e.text, expect);
	/* a dead one's file */
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	close(fd);
	assert_int_equal(client_open(path, 100, &c, &e), -ENOENT);
	assert_string_equal(e.text, expect);
	unlink(path);
	fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	close(fd);
	assert_int_equal(client_open(path, 100, &c, &e), -ENOTSOCK);
	assert_non_null(strstr(e.text, "is no socket"));
	unlink(path);
	memset(longer, '\x1b', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(client_open(longer, 100, &c, &e), -ENAMETOOLONG);
	assert_null(strchr(e.text, '\x1b'));
	assert_ptr_equal(c, (void *)-1);
}

static void test_client_without_rights(void **state)
{
	int status;

	if (geteuid() != 0)
		skip();
	struct server *s = open_server();
	assert_int_equal(chmod(dir, 0755), 0);
	for (int round = 0; round < 3; round++) {
		static const char *const expect[] = {"only its owner may ask", "group `daemon`",
						     "may not be entered"};
		pid_t pid;

		if (round == 1)
			assert_int_equal(chown(path, 0, getgrnam("daemon")->gr_gid), 0);
		else
			assert_int_equal(chown(path, 0, 0), 0);
		if (round == 2)
			assert_int_equal(chmod(dir, 0700), 0);
		pid = fork();
		if (pid == 0) {
			struct client *c;
			struct client_error e = {};

			if (setgid(65534) < 0 || setgroups(0, NULL) < 0 || setuid(65534) < 0)
				_exit(3);
			int r = client_open(path, 100, &c, &e);
			_exit(r != -EACCES ? 1 : strstr(e.text, expect[round]) ? 0 : 2);
		}
		waitpid(pid, &status, 0);
		assert_int_equal(status, 0);
	}
	server_close(s);
}

/* What a false or failing monitor may send. */
static const struct false_reply {
	const char *text;
	bool hang_up;
	int expect;
} false_replies[] = {
    {"", true, -ECONNRESET},
    {"{\"v\":1", true, -ECONNRESET},
    {"{\"v\":1", false, -ETIMEDOUT},
    {"", false, -ETIMEDOUT},
    {"[1]\n", false, -EPROTO},
    {"garbage\x1b[2J\n", false, -EPROTO},
    {"{\"a\":1}\n{\"b\":2}\n", false, -EPROTO},
    {"{\"error\":\"\\u001b[2Jbad\\u202e\"}\n", false, -EREMOTEIO},
    {"{\"error\":\"turned away\"}\n", true, -EREMOTEIO},
};

static void test_client_of_a_false_monitor(void **state)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	json_t *request = json_pack("{s:s}", "show", "jobs"), *reply = NULL;

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	assert_int_equal(bind(listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(listener, 4), 0);
	for (size_t i = 0; i < ARRAY_SIZE(false_replies); i++) {
		const struct false_reply *f = &false_replies[i];
		struct client *c;
		struct client_error e = {};

		assert_int_equal(client_open(path, 100, &c, &e), 0);
		int fd = accept(listener, NULL, NULL);
		if (*f->text)
			say(fd, f->text);
		if (f->hang_up)
			close(fd);
		uint64_t start = now_boot_ns();
		int r = client_ask(c, request, 150, &reply, &e);
		if (r != f->expect)
			fail_msg("reply %zu: %d, not %d", i, r, f->expect);
		assert_true(now_boot_ns() - start < NSEC);
		assert_true(*e.text && !strchr(e.text, '\x1b') && !strstr(e.text, "\u202e"));
		client_close(c);
		if (!f->hang_up)
			close(fd);
	}
	assert_null(reply);
	json_decref(request);
	close(listener);
	unlink(path);
}

static void *endless(void *fd)
{
	_cleanup_free_ char *text = malloc(1 << 20);

	memset(text, ' ', 1 << 20);
	while (send(*(int *)fd, text, 1 << 20, MSG_NOSIGNAL) > 0)
		;
	return NULL;
}

static void test_client_of_an_endless_reply(void **state)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	json_t *request = json_pack("{s:s}", "show", "jobs"), *reply = NULL;
	struct client *c;
	struct client_error e;
	pthread_t thread;

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	assert_int_equal(bind(listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(listener, 4), 0);
	assert_int_equal(client_open(path, 100, &c, &e), 0);
	int fd = accept(listener, NULL, NULL);
	assert_int_equal(pthread_create(&thread, NULL, endless, &fd), 0);
	assert_int_equal(client_ask(c, request, 30000, &reply, &e), -EFBIG);
	client_close(c);
	pthread_join(thread, NULL);
	close(fd);
	close(listener);
	unlink(path);
	json_decref(request);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_client_asks),
	    TEST(test_client_without_monitor),
	    TEST(test_client_without_rights),
	    TEST(test_client_of_a_false_monitor),
	    TEST(test_client_of_an_endless_reply),
	};

	return cmocka_run_group_tests_name("client", tests, NULL, NULL);
}
