/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/events.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "user/json_write.h"
#include "user/open_append.h"

#define TORN_MAX (1u << 20) /* how far back the start of a torn line is looked for */

struct events {
	int fd;
	bool socket;
	int error; /* of the last flush; 0 none */
	unsigned patience_ms;
	struct json_text text; /* whole lines, the first of them perhaps written in part */
	size_t done;
};

/* --- opening ---------------------------------------------------------------- */

/* A description of our own: O_NONBLOCK on the given one would hit whoever shares it. */
static int open_stdout(bool *ret_socket)
{
	struct stat st;
	int fd;

	if (fstat(STDOUT_FILENO, &st) < 0)
		return -errno;
	*ret_socket = S_ISSOCK(st.st_mode);
	if (S_ISFIFO(st.st_mode)) {
		fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
		if (fd >= 0)
			return fd;
	}
	fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	return fd < 0 ? -errno : fd;
}

/* Bytes after the last newline; -E2BIG: more than a torn line would have. */
static ssize_t tail_length(int fd, off_t size, char *tail)
{
	size_t n = (size_t)MIN(size, (off_t)TORN_MAX);

	if (pread(fd, tail, n, size - (off_t)n) != (ssize_t)n)
		return -EIO;
	const char *end = memrchr(tail, '\n', n);
	if (!end && (off_t)n < size)
		return -E2BIG;
	size_t keep = end ? n - (size_t)(end + 1 - tail) : n;
	memmove(tail, tail + n - keep, keep);
	return (ssize_t)keep;
}

/* A killed writer may have left part of a record: it was never counted as written. Anything else
 * that lacks its newline is not ours to remove, and gets one. */
static int mend_tail(int fd)
{
	_cleanup_close_ int in = -1;
	_cleanup_free_ char *tail = NULL;
	char self[64];
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size == 0)
		return 0;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	in = open(self, O_RDONLY | O_CLOEXEC);
	if (in < 0)
		return 0; /* append-only by its rights: what stands there is its owner's */
	tail = malloc(TORN_MAX);
	if (!tail)
		return -ENOMEM;
	ssize_t n = tail_length(in, st.st_size, tail);
	if (n == 0)
		return 0;
	if (n > 0 && tail[0] == '{') {
		json_t *whole = json_loadb(tail, (size_t)n, 0, NULL);

		json_decref(whole);
		if (!whole && ftruncate(fd, st.st_size - n) == 0)
			return 0;
	}
	return write(fd, "\n", 1) == 1 ? 0 : -errno;
}

int events_open(const char *path, struct events **ret)
{
	_cleanup_close_ int fd = -1;
	bool socket = false;
	struct events *ev;
	int r;

	fd = strcmp(path, "-") == 0 ? open_stdout(&socket) : open_append(path, 0640);
	if (fd < 0)
		return fd;
	r = strcmp(path, "-") == 0 ? 0 : mend_tail(fd);
	if (r < 0)
		return r;
	ev = calloc(1, sizeof(*ev));
	if (!ev)
		return -ENOMEM;
	*ev = (struct events){.fd = fd, .socket = socket, .patience_ms = EVENTS_PATIENCE_MS,
			      .text.max = SIZE_MAX};
	fd = -1;
	*ret = ev;
	return 0;
}

/* --- writing ---------------------------------------------------------------- */

static ssize_t write_some(struct events *ev, size_t len)
{
	ssize_t n = ev->socket ? send(ev->fd, ev->text.data + ev->done, len, MSG_DONTWAIT | MSG_NOSIGNAL)
			       : write(ev->fd, ev->text.data + ev->done, len);

	return n < 0 ? -errno : n;
}

/* Forgets the lines that are out. One that is out in part stays, so that the rest still follows its
 * beginning. */
static void forget_written(struct events *ev)
{
	const char *end = ev->done ? memrchr(ev->text.data, '\n', ev->done) : NULL;
	size_t n = end ? (size_t)(end + 1 - ev->text.data) : 0;

	if (n == 0)
		return;
	memmove(ev->text.data, ev->text.data + n, ev->text.len - n);
	ev->text.len -= n;
	ev->done -= n;
}

static int wait_for_reader(const struct events *ev)
{
	struct pollfd p = {.fd = ev->fd, .events = POLLOUT};
	int r = poll(&p, 1, (int)MIN(ev->patience_ms, 600000u));

	return r > 0 ? 0 : -EAGAIN;
}

static int write_all(struct events *ev)
{
	while (ev->done < ev->text.len) {
		ssize_t n = write_some(ev, ev->text.len - ev->done);

		if (n > 0)
			ev->done += (size_t)n;
		if (n > 0 || n == -EINTR)
			continue;
		int r = n == -EAGAIN ? wait_for_reader(ev) : n == 0 ? -EIO : (int)n;
		if (r < 0)
			return r;
	}
	return 0;
}

int events_flush(struct events *ev)
{
	ev->error = write_all(ev);
	forget_written(ev);
	return ev->error;
}

int events_put(struct events *ev, const json_t *record)
{
	size_t before;
	int r = ev->error || ev->text.len >= EVENTS_BATCH ? events_flush(ev) : 0;

	if (r < 0)
		return r;
	before = ev->text.len;
	r = json_is_object(record) ? json_write(&ev->text, record) : -EINVAL;
	if (r == 0)
		r = json_write_raw(&ev->text, "\n", 1);
	if (r < 0)
		ev->text.len = before;
	return r;
}

int events_copy(struct events *ev, const char *line, size_t len)
{
	if (!ev->error && ev->text.len >= EVENTS_BATCH)
		events_flush(ev);
	return ev->text.len + len > EVENTS_COPY ? -ENOBUFS : json_write_raw(&ev->text, line, len);
}

int events_sink(void *ev, const json_t *record)
{
	return events_put(ev, record);
}

size_t events_pending(const struct events *ev)
{
	return ev->text.len - ev->done;
}

void events_patience(struct events *ev, unsigned timeout_ms)
{
	ev->patience_ms = timeout_ms;
}

int events_close(struct events *ev)
{
	int r;

	if (!ev)
		return 0;
	r = events_flush(ev);
	if (close(ev->fd) < 0 && r == 0 && errno != EINTR)
		r = -errno;
	free(ev->text.data);
	free(ev);
	return r;
}
