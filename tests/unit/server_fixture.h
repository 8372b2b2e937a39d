/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A server in a directory of its own, turned by hand, and raw clients. */
#ifndef SERVER_FIXTURE_H
#define SERVER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "user/server.h"

static char dir[64], path[96];
static size_t big_bytes;
static unsigned answered, slow_ms;

/* {"show":X} gives {"type":X}; "big" gives big_bytes of text. */
static inline json_t *answer(void *arg, const json_t *request)
{
	const char *show = json_string_value(json_object_get(request, "show"));

	assert_ptr_equal(arg, dir);
	answered++;
	if (slow_ms)
		poll(NULL, 0, (int)slow_ms);
	if (!show)
		return json_pack("{s:s}", "error", "say what to show");
	if (strcmp(show, "nothing") == 0)
		return NULL;
	if (strcmp(show, "big"))
		return json_pack("{s:i,s:s}", "v", 1, "type", show);
	_cleanup_free_ char *text = malloc(big_bytes + 1);
	memset(text, 'x', big_bytes);
	text[big_bytes] = '\0';
	return json_pack("{s:s}", "big", text);
}

static inline struct server *open_server(void)
{
	struct server *s = NULL;

	assert_int_equal(server_open(path, answer, dir, &s), 0);
	return s;
}

/* One turn of a monitor's loop; returns how long it took to handle, in ms. */
static inline double turn(struct server *s, int wait_ms)
{
	struct pollfd fds[SERVER_FDS];
	size_t n = server_fds(s, fds);

	poll(fds, n, wait_ms);
	uint64_t start = now_boot_ns();
	server_handle(s, fds, n);
	return (double)(now_boot_ns() - start) / 1e6;
}

static inline void turns(struct server *s, unsigned ms)
{
	for (uint64_t end = now_boot_ns() + ms * (NSEC / 1000); now_boot_ns() < end;)
		turn(s, 5);
}

static inline int raw_connect(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

static inline void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* What came within the time, as text; "" is nothing; *ret_end: the server hung up. */
static inline char *hear(struct server *s, int fd, unsigned ms, bool *ret_end)
{
	static char text[100000];
	size_t len = 0;
	ssize_t n = -1;

	for (uint64_t end = now_boot_ns() + ms * (NSEC / 1000); now_boot_ns() < end && n != 0;) {
		turn(s, 5);
		n = recv(fd, text + len, sizeof(text) - 1 - len, 0);
		if (n > 0)
			len += (size_t)n;
		if (n < 0 && errno == ECONNRESET)
			n = 0;
		if (n > 0 && text[len - 1] == '\n' && !ret_end)
			break;
	}
	text[len] = '\0';
	if (ret_end)
		*ret_end = n == 0;
	return text;
}

static inline void assert_answers(struct server *s)
{
	int fd = raw_connect();

	say(fd, "{\"show\":\"flows\"}\n");
	assert_string_equal(hear(s, fd, 60000, NULL), "{\"v\":1,\"type\":\"flows\"}\n");
	close(fd);
	turns(s, 20);
}

static inline int set_up(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/sluice-server-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/s.sock", dir);
	return 0;
}

/* Fails where a test has left a temporary name behind. */
static inline int tear_down(void **state)
{
	return rmdir(dir);
}

#endif
