/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/client.h"

#include <grp.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define READ_STEP (256u << 10)
#define BACKLOG_WAIT_MS 20 /* between tries while the monitor has no time to accept */

struct client {
	int fd;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

__attribute__((format(printf, 3, 4))) static int fail(struct client_error *ret_error, int error,
						      const char *format, ...)
{
	char raw[sizeof(ret_error->text)];
	va_list ap;

	va_start(ap, format);
	vsnprintf(raw, sizeof(raw), format, ap);
	va_end(ap);
	text_safe(ret_error->text, sizeof(ret_error->text), raw, strlen(raw));
	return error;
}

static int no_monitor(struct client_error *ret_error, const char *path)
{
	return fail(ret_error, -ENOENT,
		    "no monitor is running at %s: start one with `sudo sluice run`", path);
}

static int no_permission(struct client_error *ret_error, const char *path)
{
	const struct group *g;
	struct stat st;

	if (stat(path, &st) < 0)
		return fail(ret_error, -EACCES,
			    "%s: its directory may not be entered: ask with sudo", path);
	if (st.st_gid == 0 || !(st.st_mode & S_IWGRP))
		return fail(ret_error, -EACCES,
			    "%s: only its owner may ask: use sudo, or create the group `sluice` "
			    "before the monitor "
			    "starts",
			    path);
	g = getgrgid(st.st_gid);
	if (!g)
		return fail(ret_error, -EACCES, "%s: only root and group %u may ask: use sudo",
			    path, (unsigned)st.st_gid);
	return fail(ret_error, -EACCES,
		    "%s: only root and group `%s` may ask: use sudo, or `sudo usermod -aG %s "
		    "$USER` and log in again",
		    path, g->gr_name, g->gr_name);
}

static int refused(struct client_error *ret_error, const char *path, int error)
{
	struct stat st;

	if (error == EACCES || error == EPERM)
		return no_permission(ret_error, path);
	if (error == ENOENT)
		return no_monitor(ret_error, path);
	if (error == ECONNREFUSED && stat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
		return fail(ret_error, -ENOTSOCK,
			    "%s is no socket: give the monitor's with --socket", path);
	if (error == ECONNREFUSED)
		return no_monitor(ret_error, path);
	return fail(ret_error, -error, "%s: %s", path, strerror(error));
}

static int late(struct client_error *ret_error, const char *path, unsigned timeout_ms)
{
	return fail(ret_error, -ETIMEDOUT,
		    "the monitor at %s did not answer within %u ms: it may be overloaded, "
		    "try again",
		    path, timeout_ms);
}

static int left_ms(uint64_t end_ns)
{
	uint64_t now = now_boot_ns();

	return now >= end_ns ? 0 : (int)MIN((end_ns - now) / 1000000 + 1, 600000);
}

/* A full backlog is EAGAIN at once, and no poll tells when it has room. */
static int connect_until(int fd, const struct sockaddr_un *addr, uint64_t end_ns)
{
	while (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0) {
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		if (left_ms(end_ns) == 0)
			return -ETIMEDOUT;
		poll(NULL, 0, MIN(left_ms(end_ns), BACKLOG_WAIT_MS));
	}
	return 0;
}

int client_open(const char *path, unsigned timeout_ms, struct client **ret,
		struct client_error *ret_error)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = -1;
	struct client *c;
	int r;

	if (!*path || strlen(path) >= sizeof(addr.sun_path))
		return fail(ret_error, -ENAMETOOLONG,
			    "%.60s...: a socket's path has 1 to %zu bytes", path,
			    sizeof(addr.sun_path) - 1);
	memcpy(addr.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail(ret_error, -errno, "no socket: %s", strerror(errno));
	r = connect_until(fd, &addr, now_boot_ns() + timeout_ms * (NSEC / 1000));
	if (r == -ETIMEDOUT)
		return late(ret_error, path, timeout_ms);
	if (r < 0)
		return refused(ret_error, path, -r);
	c = calloc(1, sizeof(*c));
	if (!c)
		return fail(ret_error, -ENOMEM, "no memory");
	c->fd = fd;
	memcpy(c->path, addr.sun_path, sizeof(c->path));
	fd = -1;
	*ret = c;
	return 0;
}

/* Waits until the socket is ready; -ETIMEDOUT. */
static int wait_for(int fd, short events, uint64_t end_ns)
{
	struct pollfd p = {.fd = fd, .events = events};
	int r;

	do {
		int left = left_ms(end_ns);

		if (left == 0)
			return -ETIMEDOUT;
		r = poll(&p, 1, left);
	} while (r == 0 || (r < 0 && errno == EINTR));
	return r < 0 ? -errno : 0;
}

static int send_all(int fd, const char *data, size_t len, uint64_t end_ns)
{
	while (len > 0) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n > 0) {
			data += n;
			len -= (size_t)n;
			continue;
		}
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		int r = wait_for(fd, POLLOUT, end_ns);
		if (r < 0)
			return r;
	}
	return 0;
}

/* One line without its end. */
static int receive_line(int fd, uint64_t end_ns, char **ret, size_t *ret_len)
{
	_cleanup_free_ char *line = NULL;
	size_t len = 0, size = 0;

	for (;;) {
		if (size - len < READ_STEP) {
			size = MAX(2 * size, (size_t)READ_STEP);
			if (size > CLIENT_REPLY_MAX + 2 * READ_STEP)
				size = CLIENT_REPLY_MAX + 2 * READ_STEP;
			char *more = realloc(line, size);
			if (!more)
				return -ENOMEM;
			line = more;
		}
		ssize_t n = recv(fd, line + len, READ_STEP, 0);
		if (n == 0)
			return -ECONNRESET;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (n < 0) {
			int r = wait_for(fd, POLLIN, end_ns);
			if (r < 0)
				return r;
			continue;
		}
		char *end = memchr(line + len, '\n', (size_t)n);
		len += (size_t)n;
		if (end && end + 1 != line + len)
			return -EPROTO; /* nobody asked for more */
		if (end) {
			*ret_len = len - 1;
			*ret = line;
			line = NULL;
			return 0;
		}
		if (len > CLIENT_REPLY_MAX)
			return -EFBIG;
		if (left_ms(end_ns) == 0)
			return -ETIMEDOUT;
	}
}

static int parse_reply(const char *line, size_t len, json_t **ret_reply,
		       struct client_error *ret_error)
{
	json_error_t e;
	json_t *reply = json_loadb(line, len, JSON_REJECT_DUPLICATES, &e);
	const char *text;

	if (!json_is_object(reply)) {
		json_decref(reply);
		return fail(ret_error, -EPROTO,
			    "what listens there does not speak as a monitor does");
	}
	text = json_string_value(json_object_get(reply, "error"));
	if (text) {
		fail(ret_error, 0, "the monitor says: %s", text);
		json_decref(reply);
		return -EREMOTEIO;
	}
	*ret_reply = reply;
	return 0;
}

static int broken(const struct client *c, int error, unsigned timeout_ms,
		  struct client_error *ret_error)
{
	if (error == -ETIMEDOUT)
		return late(ret_error, c->path, timeout_ms);
	if (error == -ECONNRESET || error == -EPIPE)
		return fail(ret_error, -ECONNRESET,
			    "the monitor at %s ended or hung up before it answered", c->path);
	if (error == -EFBIG)
		return fail(ret_error, error, "the answer is longer than %u MiB",
			    CLIENT_REPLY_MAX >> 20);
	if (error == -EPROTO)
		return fail(ret_error, error, "what listens at %s does not speak as a monitor does",
			    c->path);
	return fail(ret_error, error, "%s: %s", c->path, strerror(-error));
}

int client_ask(struct client *c, const json_t *request, unsigned timeout_ms, json_t **ret_reply,
	       struct client_error *ret_error)
{
	uint64_t end_ns = now_boot_ns() + timeout_ms * (NSEC / 1000);
	_cleanup_free_ char *text = json_dumps(request, JSON_COMPACT);
	_cleanup_free_ char *line = NULL;
	size_t len = 0;
	int r;

	if (!text)
		return fail(ret_error, -ENOMEM, "no memory");
	len = strlen(text);
	text[len] = '\n'; /* instead of the terminator: only bytes are sent */
	r = send_all(c->fd, text, len + 1, end_ns);
	if (r == 0 || r == -EPIPE)
		r = receive_line(c->fd, end_ns, &line, &len); /* one that turned us away said why */
	if (r < 0)
		return broken(c, r, timeout_ms, ret_error);
	return parse_reply(line, len, ret_reply, ret_error);
}

int client_release(struct client *c)
{
	int fd = c->fd;

	free(c);
	return fd;
}

struct client *client_close(struct client *c)
{
	if (!c)
		return NULL;
	close(c->fd);
	free(c);
	return NULL;
}
