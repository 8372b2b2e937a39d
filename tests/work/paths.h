/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the functions of `paths` share: the truth each process keeps of itself, and parts, which are
 * child processes. A process that may be tainted tells nobody anything but its exit status and its
 * line in the report: whoever coordinates parts must stay clean, or the path under test is not the
 * only way the bytes could have gone.
 */
#ifndef TESTS_WORK_PATHS_H
#define TESTS_WORK_PATHS_H

#include "tests/work/work.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define BUFFER (2u << 20)
#define CHUNK 65521
#define NO_PATH (-4096) /* this machine cannot do it: me.why says what is missing */

static struct {
	const char *path;
	char **arg;
	char *program;
	const char *report_name;
	int report;
	struct tally tally;	  /* of the dataset's file */
	uint64_t got, put, sent; /* from another process, to one, to the network */
	char why[160];
	char *buffer;
	size_t filled;
	int pipe[2];
} me = {.report = STDOUT_FILENO, .pipe = {-1, -1}};

static int no_path(const char *what)
{
	snprintf(me.why, sizeof(me.why), "%s: %s", what, strerror(errno));
	return NO_PATH;
}

/* --- telling --------------------------------------------------------------------- */

static void tell(const char *role, int r)
{
	struct text out = {0};

	text_add(&out, "{\"program\":\"paths\",\"path\":\"%s\",\"role\":\"%s\",\"pid\":%d,", me.path,
		 role, getpid());
	tally_text(&out, &me.tally);
	text_add(&out, ",\"got\":%llu,\"put\":%llu,\"sent\":%llu", (unsigned long long)me.got,
		 (unsigned long long)me.put, (unsigned long long)me.sent);
	if (r == NO_PATH || *me.why) {
		text_add(&out, ",\"why\":");
		text_quote(&out, me.why);
	}
	if (r < 0 && r != NO_PATH) {
		text_add(&out, ",\"errno\":%d,\"error\":", -r);
		text_quote(&out, strerror(-r));
	}
	text_add(&out, ",\"ok\":%s}", r < 0 ? "false" : "true");
	text_out(me.report, &out);
}

static int status_of(int r)
{
	return r == NO_PATH ? EXIT_UNSUPPORTED : r < 0 ? EXIT_SAD : 0;
}

static void forget(void)
{
	me.tally = (struct tally){0};
	me.got = me.put = me.sent = 0;
	*me.why = 0;
}

/* --- parts ----------------------------------------------------------------------- */

typedef int (*part_fn)(void);

__attribute__((noreturn)) static void play(const char *role, part_fn fn)
{
	int r;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	forget();
	r = fn();
	tell(role, r);
	_exit(status_of(r));
}

static pid_t part(const char *role, part_fn fn)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid == 0)
		play(role, fn);
	return pid;
}

static int part_end(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_UNSUPPORTED) {
		snprintf(me.why, sizeof(me.why), "see the part's own line");
		return NO_PATH;
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ECHILD;
}

static int part_run(const char *role, part_fn fn)
{
	return part_end(part(role, fn));
}

/* The part has done its work and stays as it is until it is continued. */
static void hold_still(void)
{
	raise(SIGSTOP);
}

static int part_holds(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, WUNTRACED) < 0)
		if (errno != EINTR)
			return -errno;
	if (WIFSTOPPED(status))
		return 0;
	return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_UNSUPPORTED ? NO_PATH : -ECHILD;
}

static int part_goes_on(pid_t pid)
{
	kill(pid, SIGCONT);
	return part_end(pid);
}

/* In this order, and the second only after the first. */
#define then(a, b) ({ int r_ = (a); r_ < 0 ? r_ : (b); })

/* First failure of two that have both come to their end. */
static int both(int a, int b)
{
	return a < 0 ? a : b;
}

/* --- bytes ------------------------------------------------------------------------- */

static int read_from(int fd)
{
	ssize_t n;

	for (me.filled = 0; me.filled < BUFFER; me.filled += (size_t)n) {
		n = read(fd, me.buffer + me.filled, MIN((size_t)CHUNK, BUFFER - me.filled));
		me.tally.calls++;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		me.tally.ops++;
		me.tally.bytes += (uint64_t)n;
	}
	return 0;
}

static int open_file(void)
{
	int fd = open(me.arg[0], O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* FILE, the first argument, into the buffer. */
static int read_file(void)
{
	int fd = open_file(), r;

	if (fd < 0)
		return fd;
	me.tally.files++;
	r = read_from(fd);
	close(fd);
	return r;
}

static int put_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t done = write(fd, p, n);

		if (done < 0)
			return -errno;
		me.put += (uint64_t)done;
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

static int get_all(int fd)
{
	ssize_t n;

	while ((n = read(fd, me.buffer, BUFFER)) > 0)
		me.got += (uint64_t)n;
	/* the other end of a pty says EIO when it is gone */
	return n < 0 && errno != EIO ? -errno : 0;
}

/* --- the way out: SINK and N are the second and third argument ------------------------ */

static int dial(int type, int protocol)
{
	struct endpoint to;
	int fd;

	if (endpoint_parse(me.arg[1], &to) < 0)
		misuse("'%s' is not ADDR:PORT", me.arg[1]);
	fd = socket(to.sa.ss_family, type | SOCK_CLOEXEC, protocol);
	if (fd < 0)
		return no_path("socket");
	if (connect(fd, (struct sockaddr *)&to.sa, to.len) < 0) {
		close(fd);
		return -errno;
	}
	return fd;
}

static uint64_t amount(void)
{
	return number(me.arg[2], "N");
}

static int send_plain(int fd)
{
	uint64_t left = amount();

	while (left) {
		ssize_t n = send(fd, me.buffer, (size_t)MIN(left, (uint64_t)CHUNK), MSG_NOSIGNAL);

		if (n < 0)
			return -errno;
		me.sent += (uint64_t)n;
		left -= (uint64_t)n;
	}
	return 0;
}

static int send_out(void)
{
	int fd = dial(SOCK_STREAM, 0), r;

	if (fd < 0)
		return fd;
	r = send_plain(fd);
	close(fd);
	return r;
}

/* Every relay's last hop: what came from the other process, then N bytes to SINK. */
static int pass_on_from(int fd)
{
	return then(get_all(fd), send_out());
}

#endif
