/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The steps an actor knows, each a function that returns 0 or a negative errno, and their table. */
#ifndef TESTS_WORK_ACTOR_VERBS_H
#define TESTS_WORK_ACTOR_VERBS_H

#include "tests/work/actor.h"

#include <sys/prctl.h>
#include <sys/wait.h>

typedef int (*verb_fn)(const char *slot, char *arg, struct truth *t);

/* Cuts ":N" off the end of `arg`, where it is there. */
static uint64_t cut_number(char *arg, uint64_t otherwise)
{
	char *colon = strrchr(arg, ':');
	uint64_t n;

	if (!colon || number_parse(colon + 1, &n) < 0)
		return otherwise;
	*colon = 0;
	return n;
}

static int read_file(const char *path, uint64_t most_bytes, struct truth *t)
{
	struct limits most = {.bytes = most_bytes, .ops = NO_LIMIT};
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	t->tally.files++;
	r = tally_read(&t->tally, me.via, fd, me.buffer, me.chunk ? me.chunk : 65536, 0, &most);
	close(fd);
	return r;
}

static int map_file(const char *path, struct truth *t)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len;
	void *map;
	int r;

	if (fd < 0)
		return -errno;
	t->tally.files++;
	r = tally_mmap(&t->tally, fd, 0, true, &map, &len);
	close(fd);
	return r;
}

static int do_read(const char *slot, char *arg, struct truth *t)
{
	uint64_t most = cut_number(arg, NO_LIMIT);
	struct paths files = {0};
	int r = paths_below(&files, arg);

	for (size_t i = 0; r == 0 && i < files.count; i++)
		r = me.via == VIA_MMAP ? map_file(files.name[i], t)
				       : read_file(files.name[i], most, t);
	paths_free(&files);
	return r;
}

static int do_mmap(const char *slot, char *arg, struct truth *t)
{
	return map_file(arg, t);
}

static int do_open(const char *slot, char *arg, struct truth *t)
{
	int fd = open(arg, O_RDWR);

	if (fd < 0)
		fd = open(arg, O_RDONLY);
	return fd < 0 ? -errno : slot_set(slot, fd, fd, 0);
}

/* From the position on, as the chosen call would, and moves the position. */
static int do_read_fd(const char *slot, char *arg, struct truth *t)
{
	struct slot *s = slot_find(slot);
	struct limits most = {.ops = NO_LIMIT};
	uint64_t before = t->tally.bytes;
	off_t at;
	int r;

	if (!s || s->rd < 0)
		return -EBADF;
	r = limit_parse(arg, &most.bytes);
	if (r < 0)
		return r;
	at = lseek(s->rd, 0, SEEK_CUR);
	r = tally_read(&t->tally, me.via, s->rd, me.buffer, me.chunk ? me.chunk : 65536,
		       at < 0 ? 0 : at, &most);
	if (at >= 0)
		lseek(s->rd, at + (off_t)(t->tally.bytes - before), SEEK_SET);
	return r;
}

static int do_map_fd(const char *slot, char *arg, struct truth *t)
{
	struct slot *s = slot_find(slot);
	size_t len;
	void *map;

	return !s || s->rd < 0 ? -EBADF : tally_mmap(&t->tally, s->rd, 0, true, &map, &len);
}

static int do_write(const char *slot, char *arg, struct truth *t)
{
	uint64_t n = cut_number(arg, NO_LIMIT);
	struct slot s = {.name = "", .rd = -1};
	int r;

	if (n == NO_LIMIT)
		return -EINVAL;
	s.wr = open(arg, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (s.wr < 0)
		return -errno;
	r = push(&s, n, t);
	close(s.wr);
	return r;
}

static int do_pipe(const char *slot, char *arg, struct truth *t)
{
	int fd[2];

	return pipe(fd) < 0 ? -errno : slot_set(slot, fd[0], fd[1], 0);
}

static int do_open_fifo(const char *slot, char *arg, struct truth *t)
{
	char *colon = strrchr(arg, ':');
	bool writes;
	int fd;

	if (!colon || (strcmp(colon, ":r") && strcmp(colon, ":w")))
		return -EINVAL;
	writes = colon[1] == 'w';
	*colon = 0;
	fd = open(arg, writes ? O_WRONLY : O_RDONLY);
	if (fd < 0)
		return -errno;
	return writes ? slot_set(slot, -1, fd, 0) : slot_set(slot, fd, -1, 0);
}

/* To the end means to everyone's end: ours would keep a pipe open for ever. */
static int do_pull(const char *slot, char *arg, struct truth *t)
{
	struct slot *s = slot_find(slot);
	uint64_t want;
	int r = limit_parse(arg, &want);

	if (r < 0 || !s)
		return r < 0 ? r : -EBADF;
	if (want == NO_LIMIT && s->wr >= 0 && s->wr != s->rd) {
		close(s->wr);
		s->wr = -1;
	}
	return pull(s, want, t);
}

static int do_push(const char *slot, char *arg, struct truth *t)
{
	struct slot *s = slot_find(slot);
	uint64_t n;

	if (number_parse(arg, &n) < 0)
		return -EINVAL;
	return s ? push(s, n, t) : -EBADF;
}

static int protocol_parse(char **arg, int *ret_type)
{
	if (!strncmp(*arg, "tcp:", 4))
		*ret_type = SOCK_STREAM;
	else if (!strncmp(*arg, "udp:", 4))
		*ret_type = SOCK_DGRAM;
	else
		return -EINVAL;
	*arg += 4;
	return 0;
}

static int socket_bound(int family, int type, const struct endpoint *local)
{
	int on = 1, fd = socket(family, type, 0);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (local && bind(fd, (const struct sockaddr *)&local->sa, local->len) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	return fd;
}

static int do_connect(const char *slot, char *arg, struct truth *t)
{
	struct endpoint to;
	int type, fd;

	if (protocol_parse(&arg, &type) < 0 || endpoint_parse(arg, &to) < 0)
		return -EINVAL;
	fd = socket_bound(to.sa.ss_family, type, me.bound ? &me.source : NULL);
	if (fd < 0)
		return fd;
	while (connect(fd, (struct sockaddr *)&to.sa, to.len) < 0) {
		int r = -errno;

		if (r == -EINTR)
			continue;
		close(fd);
		return r;
	}
	endpoint_local(t->local, fd);
	return slot_set(slot, fd, fd, type);
}

static int do_bind(const char *slot, char *arg, struct truth *t)
{
	struct endpoint at;
	int type, fd;

	if (protocol_parse(&arg, &type) < 0 || endpoint_parse(arg, &at) < 0)
		return -EINVAL;
	fd = socket_bound(at.sa.ss_family, type, &at);
	if (fd < 0)
		return fd;
	if (type == SOCK_STREAM && listen(fd, 4096) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	endpoint_local(t->local, fd);
	return slot_set(slot, fd, fd, type);
}

static int do_accept(const char *slot, char *arg, struct truth *t)
{
	struct slot *s = slot_find(*arg ? arg : "listen");
	int fd;

	if (!s)
		return -EBADF;
	do
		fd = accept(s->rd, NULL, NULL);
	while (fd < 0 && errno == EINTR);
	if (fd < 0)
		return -errno;
	endpoint_local(t->local, fd);
	return slot_set(slot, fd, fd, SOCK_STREAM);
}

static int do_sendto(const char *slot, char *arg, struct truth *t)
{
	uint64_t n = cut_number(arg, NO_LIMIT), done = 0, began = wall_ns();
	struct slot *s = slot_find(slot);
	struct endpoint to;
	int r;

	if (n == NO_LIMIT || endpoint_parse(arg, &to) < 0)
		return -EINVAL;
	if (!s || s->wr < 0) {
		int fd = socket_bound(to.sa.ss_family, SOCK_DGRAM, me.bound ? &me.source : NULL);

		r = fd < 0 ? fd : slot_set(slot, fd, fd, SOCK_DGRAM);
		if (r < 0)
			return r;
		s = slot_find(slot);
	}
	while (done < n) {
		ssize_t sent = sendto(s->wr, me.buffer, (size_t)MIN(n - done, chunk_for(s)),
				      MSG_NOSIGNAL, (struct sockaddr *)&to.sa, to.len);

		t->tally.calls++;
		if (sent < 0 && errno != EINTR)
			return -errno;
		if (sent < 0)
			continue;
		t->tally.ops++;
		t->tally.bytes += (uint64_t)sent;
		done += (uint64_t)sent;
		keep_rate(began, done);
	}
	endpoint_local(t->local, s->wr);
	return 0;
}

static int do_from(const char *slot, char *arg, struct truth *t)
{
	me.bound = *arg != 0;
	return me.bound ? endpoint_parse(arg, &me.source) : 0;
}

static int do_shutdown(const char *slot, char *arg, struct truth *t)
{
	struct slot *s = slot_find(slot);

	return !s ? -EBADF : shutdown(s->wr, SHUT_WR) < 0 ? -errno : 0;
}

static int do_close(const char *slot, char *arg, struct truth *t)
{
	struct slot *s = slot_find(slot);

	if (!s)
		return -EBADF;
	slot_shut(s);
	return 0;
}

static int do_close_write(const char *slot, char *arg, struct truth *t)
{
	struct slot *s = slot_find(slot);

	if (!s || s->wr < 0 || s->wr == s->rd)
		return -EBADF;
	close(s->wr);
	s->wr = -1;
	return 0;
}

static int do_close_read(const char *slot, char *arg, struct truth *t)
{
	struct slot *s = slot_find(slot);

	if (!s || s->rd < 0 || s->wr == s->rd)
		return -EBADF;
	close(s->rd);
	s->rd = -1;
	return 0;
}

/* "R" or "R,W": descriptors that were inherited. */
static int do_fd(const char *slot, char *arg, struct truth *t)
{
	int rd, wr, type = 0;
	socklen_t len = sizeof(type);
	char end;

	switch (sscanf(arg, "%d,%d%c", &rd, &wr, &end)) {
	case 1:
		wr = rd;
		break;
	case 2:
		break;
	default:
		return -EINVAL;
	}
	if (wr >= 0 && getsockopt(wr, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
		type = 0;
	return slot_set(slot, rd, wr, type);
}

static int do_chunk(const char *slot, char *arg, struct truth *t)
{
	uint64_t n;

	if (number_parse(arg, &n) < 0 || n > BUFFER)
		return -EINVAL;
	me.chunk = (size_t)n;
	return 0;
}

static int do_rate(const char *slot, char *arg, struct truth *t)
{
	return number_parse(arg, &me.rate);
}

static int do_via(const char *slot, char *arg, struct truth *t)
{
	return via_parse(arg, &me.via);
}

static int do_wait_line(const char *slot, char *arg, struct truth *t)
{
	line_wait();
	return 0;
}

static int do_say(const char *slot, char *arg, struct truth *t)
{
	struct text line = {0};

	text_add(&line, "%s", arg);
	text_out(STDOUT_FILENO, &line);
	return 0;
}

static int do_sleep(const char *slot, char *arg, struct truth *t)
{
	uint64_t ms;

	if (number_parse(arg, &ms) < 0)
		return -EINVAL;
	pause_ns(ms * 1000000);
	return 0;
}

static int do_hold(const char *slot, char *arg, struct truth *t)
{
	char *end;
	double s = strtod(arg, &end);

	if (end == arg || *end || !(s >= 0))
		return -EINVAL;
	pause_seconds(s);
	return 0;
}

static int do_comm(const char *slot, char *arg, struct truth *t)
{
	return prctl(PR_SET_NAME, arg) < 0 ? -errno : 0;
}

static int do_uid(const char *slot, char *arg, struct truth *t)
{
	uint64_t n;

	if (number_parse(arg, &n) < 0)
		return -EINVAL;
	return setresuid((uid_t)n, (uid_t)n, (uid_t)n) < 0 ? -errno : 0;
}

static int do_cd(const char *slot, char *arg, struct truth *t)
{
	return chdir(arg) < 0 ? -errno : 0;
}

static int do_chroot(const char *slot, char *arg, struct truth *t)
{
	return chroot(arg) < 0 || chdir("/") < 0 ? -errno : 0;
}

static void collect_children(void)
{
	int status;

	while (wait(&status) > 0)
		me.child_failed |= status != 0;
}

static int do_wait(const char *slot, char *arg, struct truth *t)
{
	collect_children();
	return 0;
}

static void finish(int status) __attribute__((noreturn));

static int do_exit(const char *slot, char *arg, struct truth *t)
{
	uint64_t code = 0;

	if (*arg && (number_parse(arg, &code) < 0 || code > 255))
		return -EINVAL;
	t->end_ns = clock_ns(CLOCK_REALTIME);
	finish((int)code);
}

/* One table: the word, the slot it uses unless @NAME says another, what it adds to, its help. */
static const struct verb {
	const char *name, *slot;
	enum total total;
	verb_fn run;
	const char *arg, *help;
} verbs[] = {
    {"read", "", T_READ, do_read, "PATH[:BYTES]", "a file, or every file below a directory"},
    {"mmap", "", T_READ, do_mmap, "PATH", "map it and touch each page; stays mapped"},
    {"write", "", T_WRITTEN, do_write, "PATH:N", "create or truncate, write N bytes"},
    {"open", "file", T_NONE, do_open, "PATH", "and keep it"},
    {"read-fd", "file", T_READ, do_read_fd, "[N]", "from what was opened, on from its position"},
    {"map-fd", "file", T_READ, do_map_fd, "", "map what was opened and touch each page"},
    {"write-fd", "file", T_WRITTEN, do_push, "N", "to what was opened"},
    {"pipe", "pipe", T_NONE, do_pipe, "", "make one"},
    {"write-pipe", "pipe", T_PIPE_WRITTEN, do_push, "N", ""},
    {"read-pipe", "pipe", T_PIPE_READ, do_pull, "[N]", "exactly N bytes, or to the end"},
    {"open-fifo", "fifo", T_NONE, do_open_fifo, "PATH:r|w", "waits for the other side"},
    {"write-fifo", "fifo", T_PIPE_WRITTEN, do_push, "N", ""},
    {"read-fifo", "fifo", T_PIPE_READ, do_pull, "[N]", "exactly N bytes, or to the end"},
    {"connect", "sock", T_NONE, do_connect, "tcp|udp:ADDR:PORT", "IPv6 in brackets"},
    {"from", "", T_NONE, do_from, "[ADDR:PORT]", "local end of the connections that follow"},
    {"send", "sock", T_SENT, do_push, "N", ""},
    {"recv", "sock", T_RECEIVED, do_pull, "[N]", "exactly N bytes (UDP: at least), or to the end"},
    {"sendto", "sock", T_SENT, do_sendto, "ADDR:PORT:N", "UDP, not connected"},
    {"shutdown", "sock", T_NONE, do_shutdown, "", "for writing"},
    {"close", "sock", T_NONE, do_close, "", "any slot; an open one is also closed when replaced"},
    {"close-write", "pipe", T_NONE, do_close_write, "", "one end of a pipe"},
    {"close-read", "pipe", T_NONE, do_close_read, "", "the other"},
    {"listen", "listen", T_NONE, do_bind, "tcp:ADDR:PORT", ""},
    {"accept", "sock", T_NONE, do_accept, "[SLOT]", "one connection of the listening slot"},
    {"bind", "sock", T_NONE, do_bind, "udp:ADDR:PORT", "a socket to recv from"},
    {"fd", "file", T_NONE, do_fd, "R[,W]", "take inherited descriptors as a slot"},
    {"chunk", "", T_NONE, do_chunk, "N", "bytes per call from here on, 1 to 1M; 0: 64K, UDP 1400"},
    {"rate", "", T_NONE, do_rate, "N", "bytes per second that writes and sends keep to; 0: none"},
    {"via", "", T_NONE, do_via, "CALL", "for read and read-fd: read, pread, readv, preadv, ..."},
    {"wait-line", "", T_NONE, do_wait_line, "", "until a line (or the end) comes on stdin"},
    {"say", "", T_NONE, do_say, "TEXT", "a line on stdout, e.g. say:ready"},
    {"sleep", "", T_NONE, do_sleep, "MS", ""},
    {"hold", "", T_NONE, do_hold, "SECONDS", "fractions allowed"},
    {"comm", "", T_NONE, do_comm, "NAME", "PR_SET_NAME"},
    {"uid", "", T_NONE, do_uid, "N", "all three user ids"},
    {"cd", "", T_NONE, do_cd, "DIR", ""},
    {"chroot", "", T_NONE, do_chroot, "DIR", ""},
    {"wait", "", T_NONE, do_wait, "", "for the children so far (the end of the list does too)"},
    {"exit", "", T_NONE, do_exit, "[CODE]", "at once, without waiting for children"},
};

#endif
