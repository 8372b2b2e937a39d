/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What the socket answers, and to whom: hostile clients included. */
#include "tests/unit/server_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>

/* --- requests ----------------------------------------------------------------- */

static void test_requests(void **state)
{
	struct server *s = open_server();
	int fd = raw_connect();

	/* in pieces, several at once, with spaces */
	say(fd, "{\"sh");
	assert_string_equal(hear(s, fd, 30, NULL), "");
	say(fd, "ow\":\"jobs\"}\n");
	assert_string_equal(hear(s, fd, 60000, NULL), "{\"v\":1,\"type\":\"jobs\"}\n");
	say(fd, "{\"show\":\"a\"}\n  {\"show\":\"b\"} \r\n{\"show\":\"c\"}");
	assert_string_equal(hear(s, fd, 60000, NULL), "{\"v\":1,\"type\":\"a\"}\n");
	assert_string_equal(hear(s, fd, 60000, NULL), "{\"v\":1,\"type\":\"b\"}\n");
	assert_string_equal(hear(s, fd, 30, NULL), "");
	shutdown(fd, SHUT_WR); /* ends the last line too */
	bool end = false;
	assert_string_equal(hear(s, fd, 60000, &end), "{\"v\":1,\"type\":\"c\"}\n");
	assert_true(end);
	close(fd);
	server_close(s);
}

static void test_wrong_requests(void **state)
{
	static const char *const wrong[] = {
	    "\n",
	    "nonsense\n",
	    "[1]\n",
	    "\"show\"\n",
	    "{\"show\":\"a\",\"show\":\"b\"}\n",
	    "{\"show\":\n",
	    "{\"show\":\"\\ud800\"}\n",
	    "{\"\xff\":1}\n",
	    "{\"show\":\"\\u0000\"}\n",
	    "{} {}\n",
	};
	struct server *s = open_server();
	int fd = raw_connect();

	answered = 0;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		say(fd, wrong[i]);
		assert_non_null(
		    strstr(hear(s, fd, 60000, NULL), "{\"error\":\"a request is one JSON object"));
	}
	assert_int_equal(answered, 0);
	say(fd, "{}\n");
	assert_string_equal(hear(s, fd, 60000, NULL), "{\"error\":\"say what to show\"}\n");
	say(fd, "{\"show\":\"nothing\"}\n");
	assert_non_null(strstr(hear(s, fd, 60000, NULL), "no memory left"));
	assert_int_equal(send(fd, "{}\0{}\n", 6, 0), 6);
	assert_non_null(strstr(hear(s, fd, 60000, NULL), "a request is one JSON object"));
	close(fd);
	server_close(s);
}

static void test_request_size(void **state)
{
	struct server *s = open_server();
	char line[2 * SERVER_REQUEST_MAX];
	bool end = false;
	int fd = raw_connect();

	/* the longest that is allowed */
	memset(line, ' ', sizeof(line));
	memcpy(line, "{\"show\":\"a\"}", 12);
	line[SERVER_REQUEST_MAX - 1] = '\n';
	assert_int_equal(send(fd, line, SERVER_REQUEST_MAX, 0), SERVER_REQUEST_MAX);
	assert_string_equal(hear(s, fd, 60000, NULL), "{\"v\":1,\"type\":\"a\"}\n");
	/* deepest nesting in that room */
	memset(line, '[', SERVER_REQUEST_MAX - 1);
	assert_int_equal(send(fd, line, SERVER_REQUEST_MAX, 0), SERVER_REQUEST_MAX);
	assert_non_null(strstr(hear(s, fd, 60000, NULL), "a request is one JSON object"));
	/* one more byte is refused, and the client gone */
	line[SERVER_REQUEST_MAX - 1] = ' ';
	assert_int_equal(send(fd, line, sizeof(line), 0), sizeof(line));
	assert_non_null(strstr(hear(s, fd, 60000, &end), "too long"));
	assert_true(end);
	close(fd);
	assert_answers(s);
	server_close(s);
}

static void test_garbage(void **state)
{
	struct server *s = open_server();
	unsigned seed = 7;

	for (int round = 0; round < 300; round++) {
		char junk[3000];
		int fd = raw_connect();
		size_t n = (size_t)rand_r(&seed) % sizeof(junk);

		for (size_t i = 0; i < n; i++)
			junk[i] =
			    (char)(rand_r(&seed) % 7 ? "{}[]\",:show1\\u\n"[rand_r(&seed) % 15]
						     : rand_r(&seed));
		(void)!send(fd, junk, n, MSG_NOSIGNAL);
		turn(s, 1);
		if (round % 3 == 0)
			shutdown(fd, SHUT_WR);
		turn(s, 1);
		close(fd);
	}
	turns(s, 50);
	assert_answers(s);
	server_close(s);
}

/* --- clients that do not behave -------------------------------------------------- */

static void test_stuck_reader_is_dropped(void **state)
{
	struct server *s = open_server();
	int stuck = raw_connect();

	big_bytes = 8 << 20;
	say(stuck, "{\"show\":\"big\"}\n");
	uint64_t start = now_boot_ns();
	turns(s, 500);
	assert_answers(s); /* others are served meanwhile */
	struct pollfd p = {.fd = stuck, .events = POLLRDHUP};
	while (poll(&p, 1, 0) == 0 && now_boot_ns() - start < 40 * NSEC)
		assert_true(turn(s, 100) < 20000);
	double seconds = (double)(now_boot_ns() - start) / 1e9;
	assert_true(seconds > 4.5 && seconds < 30);
	close(stuck);
	assert_answers(s);
	server_close(s);
}

static void test_large_reply_arrives_whole(void **state)
{
	struct server *s = open_server();
	_cleanup_free_ char *text = malloc(9 << 20);
	int fd = raw_connect();
	size_t len = 0;

	big_bytes = 8 << 20;
	say(fd, "{\"show\":\"big\"}\n");
	while (len < big_bytes + 11) {
		turn(s, 100);
		ssize_t n = recv(fd, text + len, (9 << 20) - len, 0);
		if (n > 0)
			len += (size_t)n;
		else
			assert_int_equal(errno, EAGAIN);
	}
	assert_int_equal(len, big_bytes + 11); /* {"big":"..."} and the newline */
	assert_int_equal(text[len - 1], '\n');
	say(fd, "{\"show\":\"again\"}\n");
	assert_string_equal(hear(s, fd, 60000, NULL), "{\"v\":1,\"type\":\"again\"}\n");
	close(fd);
	server_close(s);
}

/* Each reads a little of its reply every second, so that it is not dropped for being stuck: how long a large answer takes,
 * and so how long the server rests after it, is the machine's affair. Less than this is no progress: a unix socket can be
 * written to again when three quarters of what it holds are read. */
static void sip(const int *fds, size_t n)
{
	static char drop[256 << 10];
	static uint64_t next;

	if (now_boot_ns() < next)
		return;
	next = now_boot_ns() + NSEC;
	for (size_t i = 0; i < n; i++)
		(void)!recv(fds[i], drop, sizeof(drop), 0);
}

static void test_reply_bounds(void **state)
{
	struct server *s = open_server();
	int fds[3];

	big_bytes = SERVER_REPLY_MAX; /* with its frame just too large */
	fds[0] = raw_connect();
	say(fds[0], "{\"show\":\"big\"}\n");
	assert_non_null(strstr(hear(s, fds[0], 60000, NULL), "too large"));
	/* two fit in what all may hold together, the third does not */
	big_bytes = SERVER_REPLY_MAX - 100;
	fds[1] = raw_connect();
	fds[2] = raw_connect();
	say(fds[0], "{\"show\":\"big\"}\n");
	say(fds[1], "{\"show\":\"big\"}\n");
	answered = 0;
	const char *third = "";
	for (uint64_t end = now_boot_ns() + 60 * NSEC; answered < 2 && now_boot_ns() < end;) {
		turn(s, 5);
		sip(fds, 2);
	}
	assert_int_equal(answered, 2);
	say(fds[2], "{\"show\":\"big\"}\n");
	for (uint64_t end = now_boot_ns() + 60 * NSEC; !*third && now_boot_ns() < end;) {
		third = hear(s, fds[2], 100, NULL);
		sip(fds, 2);
	}
	assert_int_equal(answered, 3);
	assert_non_null(strstr(third, "too large just now"));
	close(fds[0]);
	close(fds[1]);
	say(fds[2], "{\"show\":\"x\"}\n"); /* once the server has rested from that */
	assert_string_equal(hear(s, fds[2], 60000, NULL), "{\"v\":1,\"type\":\"x\"}\n");
	assert_answers(s);
	close(fds[2]);
	server_close(s);
}

static void test_killed_clients(void **state)
{
	struct server *s = open_server();

	big_bytes = 4 << 20;
	for (int i = 0; i < 60; i++) {
		int fd = raw_connect();

		say(fd, i % 2 ? "{\"show\":\"big\"}\n" : "{\"show\":\"x\"}\n");
		if (i % 3)
			turn(s, 10);
		close(fd); /* before, while and after the reply is written: no SIGPIPE, no stuck
			      slot */
		if (i % 5)
			turn(s, 10);
	}
	assert_answers(s);
	server_close(s);
}

static void test_crowd(void **state)
{
	struct server *s = open_server();
	int fds[SERVER_CLIENTS_MAX], late;
	bool end;

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = raw_connect();
		turns(s, 8);
	}
	late = raw_connect();
	assert_non_null(strstr(hear(s, late, 300, &end), "too many clients"));
	assert_true(end);
	close(late);
	/* all are still there, in whatever order they ask */
	for (size_t i = ARRAY_SIZE(fds); i-- > 0;) {
		say(fds[i], "{\"show\":\"x\"}\n");
		assert_string_equal(hear(s, fds[i], 60000, NULL), "{\"v\":1,\"type\":\"x\"}\n");
	}
	/* after a while the one silent for longest makes room: the last, which asked first */
	turns(s, 5100);
	assert_answers(s);
	assert_string_equal(hear(s, fds[ARRAY_SIZE(fds) - 1], 100, &end), "");
	assert_true(end);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	server_close(s);
}

/* As a client of that user: the system tells the server who connected. */
static int connect_as(uid_t uid)
{
	int fd;

	assert_int_equal(seteuid(uid), 0);
	fd = raw_connect();
	assert_int_equal(seteuid(0), 0);
	return fd;
}

/* However many users take all the places that they get, root gets in. */
static void test_root_has_a_place(void **state)
{
	struct server *s;
	int fds[SERVER_CLIENTS_MAX], late;
	bool end;

	if (geteuid() != 0)
		skip();
	s = open_server();
	assert_int_equal(chmod(dir, 0755), 0);
	assert_int_equal(chmod(path, 0666), 0);
	for (size_t i = 0; i < ARRAY_SIZE(fds) - SERVER_CLIENTS_ROOT; i++) {
		fds[i] = connect_as(i < SERVER_CLIENTS_USER_MAX ? 60001 : 60002);
		turns(s, 8);
	}
	late = connect_as(60003);
	assert_non_null(strstr(hear(s, late, 300, &end), "too many clients"));
	assert_true(end);
	close(late);
	assert_answers(s);
	/* none of them is put out for it, nor comes root's own for theirs */
	late = raw_connect();
	turns(s, 5100);
	fds[ARRAY_SIZE(fds) - 1] = connect_as(60003);
	assert_string_equal(hear(s, late, 300, &end), "");
	assert_false(end);
	close(late);
	close(fds[ARRAY_SIZE(fds) - 1]);
	for (size_t i = 0; i < ARRAY_SIZE(fds) - SERVER_CLIENTS_ROOT; i++)
		close(fds[i]);
	server_close(s);
}

static void *flood(void *arg)
{
	atomic_bool *stop = arg;
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	while (!*stop) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

		if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
			for (int i = 0; i < 20; i++)
				(void)!send(fd, "{\"show\":\"x\"}\n", 13, MSG_NOSIGNAL);
		close(fd);
	}
	return NULL;
}

/* Whatever clients ask, the monitor keeps most of its time. */
static void test_flood_leaves_time(void **state)
{
	struct server *s = open_server();
	atomic_bool stop = false;
	pthread_t threads[2];
	double busy = 0;

	slow_ms = 10;
	int fds[4];
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = raw_connect();
		for (int k = 0; k < 50; k++)
			say(fds[i], "{\"show\":\"y\"}\n");
	}
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, flood, &stop), 0);
	uint64_t start = now_boot_ns();
	while (now_boot_ns() - start < 2 * NSEC)
		busy += turn(s, 100);
	double share = busy / ((double)(now_boot_ns() - start) / 1e6);
	stop = true;
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	slow_ms = 0;
	assert_true(share < 0.45); /* a quarter for answers; the machine's noise is not ours */
	turns(s, 100);
	assert_answers(s);
	server_close(s);
}

static void test_out_of_descriptors(void **state)
{
	struct server *s = open_server();
	struct rlimit old, none;
	int fd = raw_connect(), filler[64];
	size_t n = 0;

	getrlimit(RLIMIT_NOFILE, &old);
	none = (struct rlimit){.rlim_cur = 60, .rlim_max = old.rlim_max};
	do
		filler[n] = dup(fd);
	while (filler[n++] < 60);
	setrlimit(RLIMIT_NOFILE, &none);
	unsigned rounds = 0;
	for (uint64_t end = now_boot_ns() + NSEC / 2; now_boot_ns() < end; rounds++)
		turn(s, 50);
	setrlimit(RLIMIT_NOFILE, &old);
	while (n > 0)
		close(filler[--n]);
	assert_true(rounds < 50); /* no spinning on a listener that cannot accept */
	say(fd, "{\"show\":\"x\"}\n");
	assert_string_equal(hear(s, fd, 60000, NULL), "{\"v\":1,\"type\":\"x\"}\n");
	close(fd);
	server_close(s);
}

static void test_idle_costs_nothing(void **state)
{
	struct server *s = open_server();
	int half = raw_connect(), quiet = raw_connect();
	unsigned rounds = 0;

	say(half, "{\"show\":");
	turns(s, 50);
	for (uint64_t end = now_boot_ns() + NSEC / 2; now_boot_ns() < end; rounds++)
		turn(s, 250);
	assert_true(rounds <= 3);
	/* a client that will send no more and has asked nothing is let go */
	shutdown(quiet, SHUT_WR);
	bool end;
	hear(s, quiet, 200, &end);
	assert_true(end);
	close(half);
	close(quiet);
	server_close(s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_requests),
	    TEST(test_wrong_requests),
	    TEST(test_request_size),
	    TEST(test_garbage),
	    TEST(test_stuck_reader_is_dropped),
	    TEST(test_large_reply_arrives_whole),
	    TEST(test_reply_bounds),
	    TEST(test_killed_clients),
	    TEST(test_crowd),
	    TEST(test_root_has_a_place),
	    TEST(test_flood_leaves_time),
	    TEST(test_out_of_descriptors),
	    TEST(test_idle_costs_nothing),
	};

	return cmocka_run_group_tests_name("server", tests, NULL, NULL);
}
