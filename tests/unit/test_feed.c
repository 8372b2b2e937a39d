/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The viewer's side of a socket: a monitor that comes and goes, and what only claims to be one. */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>

#include "tests/unit/watch_fixture.h"
#include "user/tui/feed.h"

/* --- a monitor in a thread of its own --------------------------------------------------- */

static struct host {
	pthread_t thread;
	atomic_bool stop;
	atomic_uint ticks; /* to be made */
} host;

static void *run_host(void *arg)
{
	struct server *s = open_server();
	struct watch *w = offer(s);

	while (!host.stop) {
		turn(s, 5);
		if (host.ticks) {
			host.ticks--;
			tick(s);
		}
	}
	server_close(s);
	watch_free(w);
	return NULL;
}

static void start_host(void)
{
	host.stop = false;
	host.ticks = 0;
	assert_int_equal(pthread_create(&host.thread, NULL, run_host, NULL), 0);
	for (int i = 0; i < 1000 && access(path, F_OK); i++)
		poll(NULL, 0, 5);
}

static void stop_host(void)
{
	host.stop = true;
	pthread_join(host.thread, NULL);
}

/* What changed within the time; ends as soon as `until` did. */
static int steps(struct feed *f, int until, unsigned ms)
{
	int all = 0;

	for (uint64_t end = now_boot_ns() + ms * (NSEC / 1000); now_boot_ns() < end && (all & until) != until;) {
		struct pollfd p = {};
		int timeout;

		p.fd = feed_poll(f, &p.events, &timeout);
		poll(&p, 1, timeout < 0 ? 20 : MIN(timeout, 20));
		uint64_t start = now_boot_ns();
		int r = feed_step(f);
		assert_true(now_boot_ns() - start < 10 * NSEC); /* it does not block, however busy the machine is */
		if (r < 0)
			return r;
		all |= r;
	}
	return all;
}

#define JOBS (1 << FEED_JOBS)
#define FLOWS (1 << FEED_FLOWS)
#define HEALTH (1 << FEED_HEALTH)

static const json_t *item(const struct feed *f, enum feed_what what, size_t i)
{
	return json_array_get(json_object_get(feed_document(f, what), "items"), i);
}

static json_int_t bytes(const struct feed *f, size_t i)
{
	return json_integer_value(json_object_get(item(f, FEED_JOBS, i), "bytes_read"));
}

static void test_lives_with_a_monitor(void **state)
{
	struct feed_error e = {};
	struct feed *f = NULL;

	start_host();
	assert_int_equal(feed_open_socket(path, &f, &e), 0);
	assert_int_equal(feed_state(f), FEED_LIVE);
	assert_non_null(feed_document(f, FEED_HEALTH)); /* it speaks already */
	assert_null(feed_document(f, FEED_JOBS));
	feed_want(f, JOBS, 200000000);
	assert_true(steps(f, JOBS, 3000) & JOBS);
	assert_string_equal(json_string_value(json_object_get(feed_document(f, FEED_JOBS), "type")), "jobs");
	assert_int_equal(bytes(f, 2), 2);
	assert_true(isnan(feed_rate(f, FEED_JOBS, item(f, FEED_JOBS, 1), "bytes_read")));
	poll(NULL, 0, 250);
	host.ticks = 1;
	assert_true(steps(f, JOBS, 3000) & JOBS);
	assert_int_equal(bytes(f, 1), 11);
	double rate = feed_rate(f, FEED_JOBS, item(f, FEED_JOBS, 1), "bytes_read");
	assert_true(rate > 1 && rate < 60);
	assert_true(feed_age_ns(f) < NSEC);
	assert_string_equal(feed_why(f), "");
	/* another view: what is not wanted any more is let go */
	feed_want(f, FLOWS, 200000000);
	assert_null(feed_document(f, FEED_JOBS));
	assert_true(steps(f, FLOWS, 3000) & FLOWS);
	feed_want(f, FLOWS | JOBS, 200000000);
	assert_true(steps(f, JOBS, 3000) & JOBS);
	assert_int_equal(bytes(f, 1), 11);
	assert_non_null(feed_document(f, FEED_FLOWS)); /* this one went on */
	assert_false(feed_span(f, &(struct feed_span){0}));
	feed_close(f);
	stop_host();
}

static void test_monitor_restarts(void **state)
{
	struct feed_error e = {};
	struct feed *f = NULL;

	start_host();
	assert_int_equal(feed_open_socket(path, &f, &e), 0);
	feed_want(f, JOBS, 200000000);
	assert_true(steps(f, JOBS, 3000) & JOBS);
	stop_host();
	assert_int_equal(steps(f, JOBS, 1500), 0);
	assert_int_equal(feed_state(f), FEED_LOST);
	assert_non_null(strstr(feed_why(f), "ended or hung up"));
	assert_int_equal(bytes(f, 2), 2); /* what was known stays, */
	assert_true(feed_age_ns(f) > NSEC); /* and how old it is */
	start_host();
	assert_true(steps(f, JOBS | HEALTH, 20000) & JOBS);
	assert_int_equal(feed_state(f), FEED_LIVE);
	assert_string_equal(feed_why(f), "");
	assert_true(isnan(feed_rate(f, FEED_JOBS, item(f, FEED_JOBS, 1), "bytes_read")));
	assert_int_equal(json_array_size(json_object_get(feed_document(f, FEED_JOBS), "items")), 3);
	feed_close(f);
	stop_host();
}

/* Whatever is looked at while nobody tells anything, what was known last is there. */
static void test_looking_around_without_a_monitor(void **state)
{
	struct feed_error e = {};
	struct feed *f = NULL;

	start_host();
	assert_int_equal(feed_open_socket(path, &f, &e), 0);
	feed_want(f, JOBS, 200000000);
	assert_true(steps(f, JOBS, 3000) & JOBS);
	stop_host();
	assert_int_equal(steps(f, JOBS, 500), 0);
	assert_int_equal(feed_state(f), FEED_LOST);
	feed_want(f, FLOWS, 200000000);
	assert_null(feed_document(f, FEED_FLOWS));
	feed_want(f, JOBS, 200000000);
	assert_int_equal(bytes(f, 2), 2);
	/* one that is back tells what is wanted, and only that is kept */
	feed_want(f, FLOWS, 200000000);
	start_host();
	assert_true(steps(f, FLOWS, 20000) & FLOWS);
	assert_null(feed_document(f, FEED_JOBS));
	feed_close(f);
	stop_host();
}

static void test_nobody_there(void **state)
{
	struct feed_error e = {};
	struct feed *f = NULL;

	assert_int_equal(feed_open_socket(path, &f, &e), -ENOENT);
	assert_non_null(strstr(e.text, "no monitor is running"));
	assert_null(f);
}

/* --- what is no monitor ----------------------------------------------------------------------- */

static struct hostile {
	pthread_t thread;
	int listening;
	const char *first; /* said at once */
	const char *then;  /* and after that, again and again */
	size_t nthen;
	int delay_ms; /* before that */
	atomic_bool stop;
	atomic_uint connections;
	atomic_uint heard;
} hostile;

static void talk(int fd)
{
	char drop[4096];

	send(fd, hostile.first, strlen(hostile.first), MSG_NOSIGNAL);
	poll(NULL, 0, hostile.delay_ms);
	while (!hostile.stop) {
		if (hostile.then && send(fd, hostile.then, hostile.nthen, MSG_NOSIGNAL) < 0 && errno != EAGAIN)
			return;
		if (!hostile.then)
			poll(NULL, 0, 5);
		ssize_t n = recv(fd, drop, sizeof(drop), MSG_DONTWAIT);
		if (n == 0)
			return;
		for (ssize_t i = 0; i < n; i++)
			hostile.heard += drop[i] == '\n';
	}
}

static void *run_hostile(void *arg)
{
	while (!hostile.stop) {
		struct pollfd p = {.fd = hostile.listening, .events = POLLIN};

		if (poll(&p, 1, 20) != 1)
			continue;
		int fd = accept4(hostile.listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		hostile.connections++;
		talk(fd);
		close(fd);
	}
	return NULL;
}

static void start_hostile(const char *first, const char *then, size_t nthen)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	hostile = (struct hostile){.first = first, .then = then, .nthen = nthen};
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	hostile.listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(hostile.listening, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(hostile.listening, 4), 0);
	assert_int_equal(pthread_create(&hostile.thread, NULL, run_hostile, NULL), 0);
}

static void stop_hostile(void)
{
	hostile.stop = true;
	pthread_join(hostile.thread, NULL);
	close(hostile.listening);
	unlink(path);
}

#define GOOD "{\"watch\":\"health\",\"generation\":1,\"since\":0,\"at_ns\":1,\"time\":\"t\",\"added\":{\"health\":{}}}\n"

static void test_refused_at_once(void **state)
{
	static const struct {
		const char *says, *text;
	} cases[] = {
		{"{\"error\":\"too many clients \\u001b[31m are connected\"}\n", "too many clients"},
		{"{\"error\":\"a request says what to show\"}\n", "the monitor says: a request says what to show"},
		{"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak as a monitor does"},
		{"{\"watch\":\"health\"}\n", "does not speak as a monitor does"},
		{"{\"watch\":\"nothing\"}\n", "does not speak as a monitor does"},
		{"[]\n", "does not speak as a monitor does"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct feed_error e = {};
		struct feed *f = NULL;

		start_hostile(cases[i].says, NULL, 0);
		assert_true(feed_open_socket(path, &f, &e) < 0);
		if (!strstr(e.text, cases[i].text))
			fail_msg("%s", e.text);
		assert_null(strchr(e.text, '\x1b'));
		assert_null(f);
		stop_hostile();
	}
}

/* Nonsense after a good beginning: hung up, and looked for again each second, no more often. */
static void test_nonsense_later(void **state)
{
	struct feed_error e = {};
	struct feed *f = NULL;

	start_hostile(GOOD, "\x1b]0;title\x07\n", 11);
	hostile.delay_ms = 200;
	assert_int_equal(feed_open_socket(path, &f, &e), 0);
	for (int i = 0; i < 200 && feed_state(f) == FEED_LIVE; i++)
		steps(f, 0x10000, 20);
	assert_int_equal(feed_state(f), FEED_LOST);
	assert_non_null(strstr(feed_why(f), "does not speak"));
	assert_null(strchr(feed_why(f), '\x1b'));
	steps(f, 0x10000, 3500);
	assert_in_range(hostile.connections, 3, 5);
	feed_close(f);
	stop_hostile();
}

/* A line without end is not kept without end, and steps stay short meanwhile. */
static void test_endless_line(void **state)
{
	struct feed_error e = {};
	struct feed *f = NULL;
	char *much = malloc(1 << 20);

	memset(much, ' ', 1 << 20);
	start_hostile(GOOD, much, 1 << 20);
	assert_int_equal(feed_open_socket(path, &f, &e), 0);
	for (uint64_t end = now_boot_ns() + 30 * NSEC; feed_state(f) == FEED_LIVE && now_boot_ns() < end;)
		steps(f, 0x10000, 50);
	assert_int_equal(feed_state(f), FEED_LOST);
	assert_non_null(strstr(feed_why(f), "longer than 65 MiB"));
	stop_hostile();
	feed_close(f);
	free(much);
}

/* Changes that never fit are not asked for again without end. */
static void test_never_fits(void **state)
{
	static const char lie[] =
	    "{\"watch\":\"health\",\"generation\":9,\"since\":8,\"at_ns\":1,\"time\":\"t\",\"added\":{}}\n";
	struct feed_error e = {};
	struct feed *f = NULL;

	start_hostile(GOOD, lie, sizeof(lie) - 1);
	assert_int_equal(feed_open_socket(path, &f, &e), 0);
	steps(f, 0x10000, 2500);
	assert_int_equal(feed_state(f), FEED_LIVE);
	assert_in_range(hostile.heard, 2, 5);
	feed_close(f);
	stop_hostile();
}

/* Why one document is not told stays to be read while the others are. */
static void test_one_document_is_refused(void **state)
{
	static const char refusal[] = "{\"watch\":\"flows\",\"error\":\"there is too much of it\"}\n" GOOD;
	struct feed_error e = {};
	struct feed *f = NULL;

	start_hostile(GOOD, refusal, sizeof(refusal) - 1);
	hostile.delay_ms = 200;
	assert_int_equal(feed_open_socket(path, &f, &e), 0);
	feed_want(f, FLOWS, 200000000);
	assert_true(steps(f, HEALTH, 3000) & HEALTH);
	assert_non_null(strstr(feed_why(f), "flows: the monitor says: there is too much of it"));
	/* who looks elsewhere is not told any more */
	feed_want(f, JOBS, 200000000);
	assert_true(steps(f, HEALTH, 3000) & HEALTH);
	assert_string_equal(feed_why(f), "");
	feed_close(f);
	stop_hostile();
}

/* A monitor that does not read holds nobody up, however often something else is wanted. */
static void test_deaf(void **state)
{
	struct feed_error e = {};
	struct feed *f = NULL;

	start_hostile(GOOD, NULL, 0);
	assert_int_equal(feed_open_socket(path, &f, &e), 0);
	for (unsigned i = 0; i < 100000; i++) {
		feed_want(f, i & ((1u << FEED_WHATS) - 1), 100000000 + i);
		if (i % 16 == 0)
			assert_int_equal(feed_step(f), 0);
	}
	feed_close(f);
	stop_hostile();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lives_with_a_monitor, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_monitor_restarts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_looking_around_without_a_monitor, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_nobody_there, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refused_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_nonsense_later, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_endless_line, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_never_fits, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_one_document_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_deaf, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("feed", tests, NULL, NULL);
}
