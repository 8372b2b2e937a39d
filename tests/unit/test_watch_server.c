/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Clients that watch: what they are told and when, and that none of them holds the server up. */
#include "tests/unit/watch_fixture.h"

static json_t *parse(const char *text)
{
	json_t *v = json_loads(text, JSON_DISABLE_EOF_CHECK, NULL);

	assert_non_null(v);
	return v;
}

static json_int_t number(const char *line, const char *name)
{
	json_t *v = parse(line);
	json_int_t n = json_integer_value(json_object_get(v, name));

	assert_true(json_is_integer(json_object_get(v, name)));
	json_decref(v);
	return n;
}

static void test_whole_then_changes(void **state)
{
	struct server *s = open_server();
	struct watch *w = offer(s);
	int fd = raw_connect();

	say(fd, "{\"watch\":[\"jobs\"],\"interval_ms\":200}\n");
	char *line = hear(s, fd, 60000, NULL);
	assert_int_equal(number(line, "since"), 0);
	assert_non_null(strstr(line, "\"watch\":\"jobs\""));
	assert_non_null(strstr(line, "\"job 2\":{\"job\":\"job 2\",\"bytes_read\":2,\"pad\":\"\"}"));
	assert_non_null(strstr(line, "\"host\":{\"name\":\"gpu-7\"}"));
	json_int_t generation = number(line, "generation");
	assert_string_equal(hear(s, fd, 300, NULL), ""); /* nothing is new */
	turns(s, 30);
	tick(s);
	line = hear(s, fd, 60000, NULL);
	assert_int_equal(number(line, "since"), generation);
	assert_non_null(strstr(line, "\"added\":{},\"changed\":{\"job 0\":{\"bytes_read\":10},\"job 1\":{\"bytes_read\":11},"
				     "\"job 2\":{\"bytes_read\":12}},\"gone\":[]}"));
	assert_null(strstr(line, "host"));
	world.jobs = 2;
	turns(s, 200);
	tick(s);
	assert_non_null(strstr(hear(s, fd, 60000, NULL), "\"gone\":[\"job 2\"]}"));
	/* and it answers other questions meanwhile */
	say(fd, "{\"show\":\"flows\"}\n");
	assert_string_equal(hear(s, fd, 60000, NULL), "{\"v\":1,\"type\":\"flows\"}\n");
	/* enough of it */
	say(fd, "{\"watch\":[]}\n");
	assert_string_equal(hear(s, fd, 60000, NULL), "{\"watch\":[]}\n");
	turns(s, 200);
	tick(s);
	assert_string_equal(hear(s, fd, 300, NULL), "");
	close(fd);
	server_close(s);
	watch_free(w);
}

static void test_asking_again(void **state)
{
	struct server *s = open_server();
	struct watch *w = offer(s);
	int fd = raw_connect();

	say(fd, "{\"watch\":[\"jobs\",\"flows\"]}\n");
	char *lines = hear(s, fd, 60000, NULL);
	assert_non_null(strstr(lines, "\"jobs\""));
	assert_non_null(strstr(lines, "\"flows\""));
	world.told_ns = now_boot_ns();
	/* what it has already goes on, what it asks for again is whole, and what it had let go too */
	say(fd, "{\"watch\":[\"jobs\",\"flows\"],\"again\":[\"flows\"]}\n");
	lines = hear(s, fd, 60000, NULL);
	assert_non_null(strstr(lines, "{\"watch\":\"flows\",\"generation\":1,\"since\":0,"));
	assert_null(strstr(lines, "\"jobs\"")); /* nothing new of it yet */
	say(fd, "{\"watch\":[\"flows\"]}\n{\"watch\":[\"flows\",\"jobs\"]}\n");
	lines = hear(s, fd, 60000, NULL);
	assert_non_null(strstr(lines, "\"watch\":\"jobs\""));
	assert_int_equal(number(lines, "since"), 0);
	close(fd);
	server_close(s);
	watch_free(w);
}

static void test_wrong_requests(void **state)
{
	static const char *const wrong[] = {
		"{\"watch\":\"jobs\"}\n",
		"{\"watch\":[\"nothing\"]}\n",
		"{\"watch\":[1]}\n",
		"{\"watch\":{}}\n",
		"{\"watch\":[\"jobs\"],\"interval_ms\":99}\n",
		"{\"watch\":[\"jobs\"],\"interval_ms\":3600001}\n",
		"{\"watch\":[\"jobs\"],\"interval_ms\":1000.5}\n",
		"{\"watch\":[\"jobs\"],\"interval_ms\":\"1000\"}\n",
		"{\"watch\":[\"jobs\"],\"again\":\"jobs\"}\n",
		"{\"watch\":[\"jobs\"],\"again\":[\"x\"]}\n",
	};
	struct server *s = open_server();
	struct watch *w = offer(s);
	int fd = raw_connect();

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		say(fd, wrong[i]);
		assert_non_null(strstr(hear(s, fd, 60000, NULL), "{\"error\":\""));
	}
	assert_int_equal(world.made, 0);
	close(fd);
	server_close(s);
	watch_free(w);
}

/* Eight of them cost what one does. */
static void test_made_once_for_all(void **state)
{
	struct server *s = open_server();
	struct watch *w = offer(s);
	int fds[8];

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = raw_connect();
		say(fds[i], "{\"watch\":[\"jobs\"],\"interval_ms\":200}\n");
		assert_int_equal(number(hear(s, fds[i], 60000, NULL), "since"), 0);
	}
	assert_int_equal(world.made, 1);
	turns(s, 250);
	tick(s);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		assert_non_null(strstr(hear(s, fds[i], 60000, NULL), "\"job 1\":{\"bytes_read\":11}"));
	assert_int_equal(world.made, 2);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	turns(s, 50);
	server_close(s);
	watch_free(w);
}

/* It is told no more until it has read, and then what changed since what it has: nothing queues up. */
static void test_no_backlog(void **state)
{
	struct server *s = open_server();
	struct watch *w = offer(s);
	int slow = raw_connect(), quick = raw_connect();
	int unread;

	say(slow, "{\"watch\":[\"jobs\"],\"interval_ms\":200}\n");
	say(quick, "{\"watch\":[\"jobs\"],\"interval_ms\":200}\n");
	assert_int_equal(number(hear(s, quick, 60000, NULL), "since"), 0);
	turns(s, 50);
	for (int i = 0; i < 8; i++) {
		turns(s, 210);
		world.jobs = i < 7 ? 3 : 2;
		tick(s);
		hear(s, quick, 60000, NULL);
	}
	char *line = hear(s, slow, 60000, NULL); /* one line waited, no more */
	assert_int_equal(number(line, "since"), 0);
	assert_non_null(strstr(line, "\"bytes_read\":0"));
	assert_true(recv(slow, &unread, sizeof(unread), MSG_PEEK) < 0);
	json_int_t had = number(line, "generation");
	turns(s, 210);
	tick(s);
	line = hear(s, slow, 60000, NULL);
	assert_int_equal(number(line, "since"), had);
	assert_true(number(line, "generation") > had + 7);
	assert_non_null(strstr(line, "\"job 1\":{\"bytes_read\":91}"));
	assert_non_null(strstr(line, "\"gone\":[\"job 2\"]}"));
	close(slow);
	close(quick);
	server_close(s);
	watch_free(w);
}

/* One that does not even take what it was promised is dropped, as after any other answer. */
static void test_stuck_watcher_is_dropped(void **state)
{
	struct server *s = open_server();
	struct watch *w = offer(s);
	int stuck = raw_connect();

	world.jobs = 100;
	world.pad = 50000;
	say(stuck, "{\"watch\":[\"jobs\"],\"interval_ms\":100}\n");
	uint64_t start = now_boot_ns();
	struct pollfd p = {.fd = stuck, .events = POLLRDHUP};
	while (poll(&p, 1, 0) == 0 && now_boot_ns() - start < 40 * NSEC) {
		assert_true(turn(s, 100) < 20000);
		tick(s);
	}
	double seconds = (double)(now_boot_ns() - start) / 1e9;
	assert_true(seconds > 4.5 && seconds < 30);
	close(stuck);
	assert_answers(s);
	server_close(s);
	watch_free(w);
}

/* What takes long is done seldom: a fiftieth of a processor, however often it is asked for, and by whoever asks anew. */
static void test_share_of_time(void **state)
{
	struct server *s = open_server();
	struct watch *w = offer(s);
	int fd = raw_connect();
	uint64_t start, end;

	world.slow_ns = 5 * NSEC / 1000;
	say(fd, "{\"watch\":[\"jobs\"],\"interval_ms\":100}\n");
	hear(s, fd, 60000, NULL);
	start = now_boot_ns();
	world.made = 0;
	for (unsigned i = 0; (end = now_boot_ns()) - start < 3 * NSEC; i++) {
		char text[10000];

		if (i % 4 == 3)
			say(fd, i % 8 == 3 ? "{\"watch\":[]}\n" : "{\"watch\":[\"jobs\"],\"interval_ms\":100}\n");
		turn(s, 5);
		tick(s);
		(void)!recv(fd, text, sizeof(text), MSG_DONTWAIT);
	}
	assert_in_range(world.made, 3, 14);
	close(fd);
	server_close(s);
	watch_free(w);
}

/* Sooner than the source has something new by itself, it is asked for it. */
static void test_faster_than_the_source(void **state)
{
	struct server *s = open_server();
	struct watch *w = offer(s);
	int fd = raw_connect();
	unsigned lines = 0;

	say(fd, "{\"watch\":[\"jobs\"],\"interval_ms\":100}\n");
	uint64_t start = now_boot_ns();
	while (lines < 10 && now_boot_ns() - start < 60 * NSEC)
		lines += *hear(s, fd, 50, NULL) != '\0';
	assert_int_equal(lines, 10);
	assert_true(now_boot_ns() - start > 770 * (NSEC / 1000)); /* no more often than was asked */
	assert_true(world.freshened >= 7);
	close(fd);
	server_close(s);
	watch_free(w);
}

static void test_source_fails(void **state)
{
	struct server *s = open_server();
	struct watch *w = offer(s);
	int fd = raw_connect();

	world.fail = EFBIG;
	say(fd, "{\"watch\":[\"jobs\"],\"interval_ms\":200}\n");
	assert_string_equal(hear(s, fd, 60000, NULL),
			    "{\"watch\":\"jobs\",\"error\":\"there is too much of it: read the records instead\"}\n");
	turns(s, 210);
	tick(s);
	assert_string_equal(hear(s, fd, 300, NULL), ""); /* said once */
	world.fail = 0;
	turns(s, 210);
	tick(s);
	assert_int_equal(number(hear(s, fd, 60000, NULL), "since"), 0);
	close(fd);
	assert_answers(s);
	server_close(s);
	watch_free(w);
}

/* Who reads keeps his place, who does not makes room for others. */
static void test_places(void **state)
{
	struct server *s = open_server();
	struct watch *w = offer(s);
	int fds[SERVER_CLIENTS_MAX], one;
	bool end = false;

	if (geteuid() != 0)
		skip(); /* others may have but half of the places */
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = raw_connect();
		say(fds[i], "{\"watch\":[\"jobs\"],\"interval_ms\":3600000}\n");
		turns(s, 20);
		if (i)
			hear(s, fds[i], 60000, NULL); /* but the first */
	}
	turns(s, 5500);
	one = raw_connect();
	say(one, "{\"show\":\"flows\"}\n");
	assert_string_equal(hear(s, one, 60000, NULL), "{\"v\":1,\"type\":\"flows\"}\n");
	hear(s, fds[0], 300, &end);
	assert_true(end);
	int none = raw_connect();
	assert_non_null(strstr(hear(s, none, 300, NULL), "too many clients"));
	close(none);
	close(one);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	server_close(s);
	watch_free(w);
}

static void test_nothing_offered(void **state)
{
	struct server *s = open_server();
	int fd = raw_connect();

	say(fd, "{\"watch\":[\"jobs\"]}\n");
	assert_string_equal(hear(s, fd, 60000, NULL), "{\"error\":\"say what to show\"}\n");
	close(fd);
	server_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_whole_then_changes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_asking_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wrong_requests, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_made_once_for_all, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_backlog, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stuck_watcher_is_dropped, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_share_of_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_faster_than_the_source, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_source_fails, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_places, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_nothing_offered, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("watch_server", tests, NULL, NULL);
}
