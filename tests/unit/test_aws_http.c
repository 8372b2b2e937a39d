/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* One request and what can come of it, against a server of a few lines that says exactly what it is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>

#include "user/export/aws_http.h"

/* --- the server ------------------------------------------------------------------------------------ */

struct step {
	const char *answer; /* NULL: none */
	bool reset, close;  /* afterwards */
	size_t read;	    /* of the request before that; 0: all of it */
	unsigned late_ms;
};

struct server {
	int listener;
	pthread_t thread;
	const struct step *steps;
	size_t nsteps, done; /* requests */
	unsigned connections;
	char request[8192]; /* the last, its beginning */
	struct aws_url url;
};

/* The body's length, or -1 while the head is not whole. */
static long head_end(const char *text, size_t *ret_body)
{
	const char *end = strstr(text, "\r\n\r\n"), *n = strstr(text, "Content-Length: ");

	if (!end)
		return -1;
	*ret_body = n && n < end ? strtoul(n + 16, NULL, 10) : 0;
	return end + 4 - text;
}

static bool read_request(struct server *s, int fd, size_t most)
{
	size_t n = 0, body = 0;
	long head = -1;
	char skip[65536];

	for (;;) {
		bool keep = n + 1 < sizeof(s->request);
		ssize_t got = recv(fd, keep ? s->request + n : skip, keep ? sizeof(s->request) - 1 - n : sizeof(skip), 0);

		if (got <= 0)
			return n > 0;
		if (!n) /* until then the last one stays to be looked at */
			memset(s->request + got, 0, sizeof(s->request) - (size_t)got);
		n += (size_t)got;
		if (head < 0)
			head = head_end(s->request, &body);
		if ((most && n >= most) || (head >= 0 && n >= (size_t)head + body))
			return true;
	}
}

/* False: this connection has ended. */
static bool play(struct server *s, int fd)
{
	const struct step *t = &s->steps[s->done];

	if (!read_request(s, fd, t->read))
		return false;
	s->done++;
	usleep(t->late_ms * 1000);
	if (t->answer && send(fd, t->answer, strlen(t->answer), MSG_NOSIGNAL) < 0)
		return false;
	if (t->reset)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
	return !t->reset && !t->close;
}

static void *run(void *arg)
{
	struct server *s = arg;

	while (s->done < s->nsteps) {
		int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			break;
		s->connections++;
		while (s->done < s->nsteps && play(s, fd))
			;
		close(fd);
	}
	return NULL;
}

static void start(struct server *s, const struct step *steps, size_t n)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);

	*s = (struct server){.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
			     .steps = steps,
			     .nsteps = n,
			     .url = {.host = "127.0.0.1", .path = "/p?q=1"}};
	assert_true(!bind(s->listener, (struct sockaddr *)&a, sizeof(a)) && !listen(s->listener, 8) &&
		    !getsockname(s->listener, (struct sockaddr *)&a, &len));
	s->url.port = ntohs(a.sin_port);
	assert_int_equal(pthread_create(&s->thread, NULL, run, s), 0);
}

static void end(struct server *s)
{
	shutdown(s->listener, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->listener);
}

/* --- the client ------------------------------------------------------------------------------------- */

static struct aws_http *http;
static atomic_bool stop;
static char reply[4096];

static int set_up(void **state)
{
	return aws_http_new(&stop, &http);
}

static int tear_down(void **state)
{
	http = aws_http_free(http);
	return 0;
}

static int ask_with(const struct server *s, const void *body, size_t len, unsigned ms, struct aws_http_answer *ret)
{
	static const struct aws_http_header headers[] = {{"Content-Type", "text/x"}, {"X-Empty", ""}};
	struct aws_http_request q = {.url = &s->url,
				     .method = "POST",
				     .headers = headers,
				     .nheaders = 2,
				     .body = body,
				     .len = len,
				     .timeout_ms = ms,
				     .direct = true,
				     .to = reply,
				     .room = sizeof(reply)};

	return aws_http_send(http, &q, ret);
}

static void ask(const struct server *s, struct aws_http_answer *ret)
{
	*ret = (struct aws_http_answer){0};
	assert_int_equal(ask_with(s, "body", 4, 5000, ret), 0);
}

#define OK "HTTP/1.1 200 OK\r\nx-amzn-RequestId: id-1\r\nDate: Thu, 26 Nov 2026 19:19:34 GMT\r\nContent-Length: 2\r\n\r\n{}"

static void a_whole_answer(void **state)
{
	static const struct step steps[] = {
	    {.answer = "HTTP/1.1 100 Continue\r\nx-amzn-RequestId: no\r\nDate: x\r\n\r\n" OK},
	    {.answer = "HTTP/1.1 400 Bad\r\nX-AMZN-ERRORTYPE:  a#Throttling:http://x/ \r\nTransfer-Encoding: "
		       "chunked\r\n\r\n1\r\nx\r\n2\r\nyz\r\n0\r\n\r\n"},
	    {.answer = "HTTP/1.1 200 OK\r\nx-amzn-requestid: a\x1b[31mb\r\nDate: never\r\nContent-Length: 0\r\n\r\n",
	     .close = true},
	};
	struct server s;
	struct aws_http_answer a;

	start(&s, steps, ARRAY_SIZE(steps));
	ask(&s, &a);
	assert_int_equal(a.status, 200);
	assert_string_equal(reply, "{}");
	assert_string_equal(a.request_id, "id-1");
	assert_int_equal(a.date_s, 1795720774);
	assert_non_null(strstr(s.request, "POST /p?q=1 HTTP/1.1\r\n"));
	assert_non_null(strstr(s.request, "\r\nContent-Type: text/x\r\n"));
	assert_non_null(strstr(s.request, "\r\nX-Empty:"));
	assert_null(strstr(s.request, "Expect"));
	assert_null(strstr(s.request, "Accept"));
	ask(&s, &a);
	assert_int_equal(a.status, 400);
	assert_string_equal(reply, "xyz");
	assert_string_equal(a.error, "Throttling");
	assert_string_equal(a.request_id, "");
	ask(&s, &a);
	assert_string_equal(a.request_id, "a?[31mb");
	assert_int_equal(a.date_s, 0);
	assert_int_equal(s.connections, 1);
	end(&s);
}

/* What ends before its end is none; the request may have arrived. */
static void no_whole_answer(void **state)
{
	static char headers[70000];
	const struct step steps[] = {
	    {.close = true},
	    {.reset = true},
	    {.answer = "HTTP/1.1 200 OK\r\nx-amzn-RequestId: i\r\nContent-Length: 9\r\n\r\n{}", .close = true},
	    {.answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", .close = true},
	    {.answer = "HTTP/1.1 200 OK\r\nContent-", .close = true},
	    {.answer = "garbage\r\n\r\n", .close = true},
	    {.answer = headers, .close = true},
	    {.answer = "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", .late_ms = 0, .close = true},
	};
	struct server s;
	struct aws_http_answer a;

	strcpy(headers, "HTTP/1.1 200 OK\r\n");
	while (strlen(headers) < sizeof(headers) - 100)
		strcat(headers, "X-Y: zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz\r\n");
	strcat(headers, "\r\n");
	start(&s, steps, ARRAY_SIZE(steps));
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		ask(&s, &a);
		assert_int_equal(a.status, 0);
		assert_true(a.maybe_sent);
		assert_int_not_equal(a.why[0], 0);
		assert_int_equal(a.len, 0);
		assert_int_equal(reply[0], 0);
	}
	end(&s);
}

static void an_answer_that_is_too_long(void **state)
{
	static char text[8192];
	const struct step steps[] = {{.answer = text, .close = true}, {.answer = text + 4096, .close = true}};
	struct server s;
	struct aws_http_answer a;

	sprintf(text, "HTTP/1.1 200 OK\r\nContent-Length: 4096\r\n\r\n");
	memset(text + strlen(text), 'x', 4095 - strlen(text));
	start(&s, steps, 1);
	assert_int_equal(ask_with(&s, "b", 1, 0, &a), 0);
	assert_int_equal(a.status, 0); /* cut, and short of the room */
	end(&s);
	sprintf(text, "HTTP/1.1 200 OK\r\nContent-Length: 4096\r\n\r\n");
	memset(text + strlen(text), 'x', 4096);
	start(&s, steps, 1);
	assert_int_equal(ask_with(&s, "b", 1, 0, &a), 0);
	assert_int_equal(a.status, 0);
	assert_string_equal(a.why, "the answer is too long");
	end(&s);
}

/* On a connection that served before libcurl would send it once more by itself. */
static void nothing_is_sent_twice(void **state)
{
	static const struct step steps[] = {{.answer = OK}, {.answer = OK},  {.close = true},
					    {.answer = OK}, {.reset = true}, {.answer = OK, .close = true}};
	struct server s;
	struct aws_http_answer a;

	start(&s, steps, ARRAY_SIZE(steps));
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		ask(&s, &a);
		assert_int_equal(s.done, i + 1);
		assert_int_equal(a.status, steps[i].answer ? 200 : 0);
		assert_true(a.maybe_sent);
	}
	assert_in_range(s.connections, 3, 5); /* libcurl may make a new one before it finds that it cannot */
	end(&s);
}

static void a_part_of_a_request_is_none(void **state)
{
	static const struct step steps[] = {{.read = 100, .reset = true}};
	static char body[8 << 20];
	struct server s;
	struct aws_http_answer a;

	start(&s, steps, 1);
	assert_int_equal(ask_with(&s, body, sizeof(body), 5000, &a), 0);
	assert_int_equal(a.status, 0);
	assert_false(a.maybe_sent);
	end(&s);
	assert_int_equal(ask_with(&s, "b", 1, 5000, &a), 0); /* nobody listens any more */
	assert_int_equal(a.status, 0);
	assert_false(a.maybe_sent);
}

static void *stop_soon(void *arg)
{
	usleep(150000);
	atomic_store(&stop, true);
	return NULL;
}

static void late_answers(void **state)
{
	static const struct step steps[] = {{.answer = OK, .late_ms = 3000, .close = true},
					    {.answer = OK, .late_ms = 1200, .close = true}};
	struct server s;
	struct aws_http_answer a;
	pthread_t t;
	uint64_t from;

	start(&s, steps, ARRAY_SIZE(steps));
	assert_int_equal(ask_with(&s, "b", 1, 1000, &a), 0);
	assert_int_equal(a.status, 0);
	assert_true(a.maybe_sent);
	assert_int_equal(pthread_create(&t, NULL, stop_soon, NULL), 0);
	from = now_boot_ns();
	assert_int_equal(ask_with(&s, "b", 1, 5000, &a), -ECANCELED);
	assert_true(now_boot_ns() - from < 4 * NSEC);
	assert_int_equal(ask_with(&s, "b", 1, 5000, &a), -ECANCELED);
	pthread_join(t, NULL);
	atomic_store(&stop, false);
	end(&s);
}

static void what_no_header_may_hold(void **state)
{
	static const struct aws_http_header bad[] = {{"A", "b\r\nX: y"}, {"A\n", "b"}, {"A", "\x7f"}};
	struct server s = {.url = {.host = "127.0.0.1", .port = 1, .path = "/"}};
	struct aws_http_answer a;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct aws_http_request q = {
		    .url = &s.url, .method = "GET", .headers = &bad[i], .nheaders = 1, .to = reply, .room = 1};

		assert_int_equal(aws_http_send(http, &q, &a), -EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_whole_answer),
	    cmocka_unit_test(no_whole_answer),
	    cmocka_unit_test(an_answer_that_is_too_long),
	    cmocka_unit_test(nothing_is_sent_twice),
	    cmocka_unit_test(a_part_of_a_request_is_none),
	    cmocka_unit_test(late_answers),
	    cmocka_unit_test(what_no_header_may_hold),
	};

	return cmocka_run_group_tests_name("aws_http", tests, set_up, tear_down);
}
