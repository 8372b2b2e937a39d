// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * Requests made now and done later, by io_uring and libaio, through their system calls alone. What it
 * reports is the sum of what the completions said.
 */
#include "tests/work/async.h"

#include <getopt.h>
#include <pthread.h>
#include <sys/wait.h>

static const char usage[] =
    "usage: async [-o REPORT] read [options] FILE         each request reads --size bytes, the next where it ends\n"
    "       async [-o REPORT] copy [options] FILE OUT     what was read is written to OUT in the same way\n"
    "       async [-o REPORT] relay [options] FILE        ... into a pipe, which a child reads in the same way\n"
    "       async [-o REPORT] splice [options] FILE OUT   FILE into a pipe into OUT, by io_uring\n"
    "  --engine uring|aio  --size N --count N --depth N  --direct --vector --link --worker --sqpoll\n"
    "  --fixed-files --fixed-buffers  --open (by a request) --open-direct (into the ring's table only)\n"
    "  --silent (no completion is asked for)  --refused N (requests that fail first)  --pread (as often beside)\n"
    "  --multishot (the pipe's reader)  --thread --procs N --wait-stdin\n";

static struct options o = {.engine = ENGINE_URING, .size = 4096, .count = 16, .depth = 8, .procs = 1};

/* --- one engine behind another -------------------------------------------------- */

static void engine_open(struct engine *e)
{
	if (o.engine == ENGINE_AIO)
		aio_open(e, &o);
	else
		uring_open(e, &o);
}

/* As many requests as there are slots, of `size` bytes each, from or to `at` on; waits for them all.
 * Returns what they moved. */
static uint64_t engine_run(struct engine *e, bool write, int fd, uint64_t at, uint32_t n, struct tally *t)
{
	uint64_t before = t->bytes;

	for (uint32_t i = 0; i < n; i++) {
		if (o.engine == ENGINE_AIO)
			aio_add(e, &o, i, write, fd, at + i * o.size);
		else
			uring_add(e, &o, i, write, fd, at + i * o.size, i + 1 == n);
	}
	if (o.engine == ENGINE_AIO)
		aio_finish(e, n, t);
	else
		uring_finish(e, &o, n, t);
	return t->bytes - before;
}

/* --- the work -------------------------------------------------------------------- */

static void report(const char *role, const struct tally *t, uint64_t beside)
{
	int fd = o.report ? report_open(o.report) : STDOUT_FILENO;
	struct text out = {0};

	text_add(&out, "{\"pid\":%d,\"role\":\"%s\",", getpid(), role);
	tally_text(&out, t);
	text_add(&out, ",\"pread\":%llu}", (unsigned long long)beside);
	text_out(fd, &out);
	if (o.report)
		close(fd);
}

static int file_open(struct engine *e, const char *path)
{
	int flags = O_RDONLY | (o.direct ? O_DIRECT : 0), fd;

	if (o.open)
		return uring_openat(e, path, flags, false);
	if (o.open_direct)
		return uring_openat(e, path, flags, true);
	fd = open(path, flags);
	if (fd < 0 && errno == EINVAL && o.direct)
		quit(EXIT_UNSUPPORTED, "%s: no O_DIRECT here", path);
	if (fd < 0)
		die(path);
	return o.fixed_files ? uring_register(e, fd) : fd;
}

struct job {
	const char *path, *out;
	struct tally read, wrote;
	uint64_t beside;
};

static void read_beside(struct job *j, uint64_t size)
{
	static _Thread_local char *buffer;
	int fd = open(j->path, O_RDONLY);
	ssize_t n;

	if (!buffer)
		buffer = must_alloc(o.size);
	n = fd < 0 ? -1 : pread(fd, buffer, o.size, (off_t)(size / 3));
	if (n < 0)
		die("pread");
	j->beside += (uint64_t)n;
	close(fd);
}

static void *read_file(void *data)
{
	struct job *j = data;
	struct engine e;
	struct stat st;
	int fd, out = -1;

	if (stat(j->path, &st) < 0)
		die(j->path);
	engine_open(&e);
	fd = file_open(&e, j->path);
	if (j->out) {
		out = open(j->out, O_WRONLY | O_CREAT | O_TRUNC, 0644);
		if (out < 0)
			die(j->out);
	}
	for (uint64_t left = o.refused; left; left--)
		aio_refused(&e, &o, fd);
	for (uint64_t left = o.count, at = 0; left;) {
		uint32_t n = (uint32_t)MIN(left, (uint64_t)o.depth);

		engine_run(&e, false, fd, at, n, &j->read);
		if (o.pread)
			read_beside(j, (uint64_t)st.st_size);
		if (out >= 0)
			engine_run(&e, true, out, at, n, &j->wrote);
		left -= n;
		at += n * o.size;
		if (at >= (uint64_t)st.st_size)
			at = 0;
	}
	engine_close(&e);
	return NULL;
}

static void do_read(struct job *j)
{
	pthread_t thread;

	if (!o.thread) {
		read_file(j);
	} else {
		if (pthread_create(&thread, NULL, read_file, j))
			die("pthread_create");
		pthread_join(thread, NULL);
	}
	report("read", &j->read, j->beside);
	if (j->out)
		report("write", &j->wrote, 0);
}

static int each_process(struct job *j)
{
	int status, bad = 0;

	if (o.procs == 1) {
		do_read(j);
		return 0;
	}
	for (uint64_t i = 0; i < o.procs; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (!pid) {
			do_read(j);
			exit(0);
		}
	}
	while (wait(&status) > 0)
		if (status)
			bad = WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_SAD;
	return bad;
}

/* The child's end of the relay: to the end of the pipe. */
static void drain(int fd)
{
	struct tally t = {0};
	struct engine e;

	engine_open(&e);
	if (o.multishot)
		uring_drain_multishot(&e, &o, fd, &t);
	else
		while (engine_run(&e, false, fd, 0, 1, &t))
			;
	report("drain", &t, 0);
}

static int relay(struct job *j)
{
	int ends[2], status, fd;
	struct engine e;
	pid_t pid;

	if (pipe(ends) < 0)
		die("pipe");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		close(ends[1]);
		drain(ends[0]);
		exit(0);
	}
	close(ends[0]);
	engine_open(&e);
	fd = file_open(&e, j->path);
	for (uint64_t i = 0; i < o.count; i++) {
		if (!engine_run(&e, false, fd, i * o.size, 1, &j->read))
			break;
		engine_run(&e, true, ends[1], 0, 1, &j->wrote);
	}
	report("read", &j->read, 0);
	report("write", &j->wrote, 0);
	engine_close(&e);
	close(ends[1]);
	if (waitpid(pid, &status, 0) < 0)
		die("waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_SAD;
}

static void splice_all(struct job *j)
{
	int ends[2], fd, out = open(j->out, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	struct engine e;
	int64_t n;

	if (out < 0)
		die(j->out);
	if (pipe(ends) < 0)
		die("pipe");
	engine_open(&e);
	fd = file_open(&e, j->path);
	for (uint64_t i = 0; i < o.count; i++) {
		n = uring_splice(&e, &o, fd, (int64_t)(i * o.size), ends[1], o.fixed_files);
		if (n <= 0)
			break;
		j->read.bytes += (uint64_t)n;
		j->read.ops++;
		for (int64_t left = n, m; left; left -= m) {
			m = uring_splice(&e, &o, ends[0], -1, out, false);
			if (m <= 0)
				die("splice into the file");
			j->wrote.bytes += (uint64_t)m;
			j->wrote.ops++;
		}
	}
	report("read", &j->read, 0);
	report("write", &j->wrote, 0);
	engine_close(&e);
}

/* --- the command line --------------------------------------------------------------- */

enum { OPT_ENGINE = 256, OPT_SIZE, OPT_COUNT, OPT_DEPTH, OPT_PROCS, OPT_REFUSED, OPT_HELP };

static const struct option words[] = {
    {"engine", required_argument, NULL, OPT_ENGINE},
    {"size", required_argument, NULL, OPT_SIZE},
    {"count", required_argument, NULL, OPT_COUNT},
    {"depth", required_argument, NULL, OPT_DEPTH},
    {"procs", required_argument, NULL, OPT_PROCS},
    {"refused", required_argument, NULL, OPT_REFUSED},
    {"direct", no_argument, &o.direct, 1},
    {"vector", no_argument, &o.vector, 1},
    {"link", no_argument, &o.link, 1},
    {"worker", no_argument, &o.worker, 1},
    {"sqpoll", no_argument, &o.sqpoll, 1},
    {"fixed-files", no_argument, &o.fixed_files, 1},
    {"fixed-buffers", no_argument, &o.fixed_buffers, 1},
    {"open", no_argument, &o.open, 1},
    {"open-direct", no_argument, &o.open_direct, 1},
    {"silent", no_argument, &o.silent, 1},
    {"pread", no_argument, &o.pread, 1},
    {"multishot", no_argument, &o.multishot, 1},
    {"thread", no_argument, &o.thread, 1},
    {"wait-stdin", no_argument, &o.wait_stdin, 1},
    {"help", no_argument, NULL, OPT_HELP},
    {0},
};

static void option(int c)
{
	switch (c) {
	case 0:
		return;
	case 'o':
		o.report = optarg;
		return;
	case OPT_ENGINE:
		if (strcmp(optarg, "uring") && strcmp(optarg, "aio"))
			misuse("--engine: uring or aio");
		o.engine = *optarg == 'a' ? ENGINE_AIO : ENGINE_URING;
		return;
	case OPT_SIZE:
		o.size = number(optarg, "--size");
		return;
	case OPT_COUNT:
		o.count = number(optarg, "--count");
		return;
	case OPT_DEPTH:
		o.depth = (uint32_t)number(optarg, "--depth");
		return;
	case OPT_PROCS:
		o.procs = number(optarg, "--procs");
		return;
	case OPT_REFUSED:
		o.refused = number(optarg, "--refused");
		return;
	case OPT_HELP:
		fputs(usage, stdout);
		exit(0);
	default:
		fputs(usage, stderr);
		exit(EXIT_MISUSE);
	}
}

int main(int argc, char **argv)
{
	struct job j = {0};
	const char *what;
	int c;

	while ((c = getopt_long(argc, argv, "o:", words, NULL)) >= 0)
		option(c);
	if (argc - optind < 2 || argc - optind > 3)
		option('?');
	if (!o.size || !o.count || !o.depth || o.depth > DEPTH_MAX || !o.procs || o.procs > 64)
		misuse("--size, --count, --depth (up to %d), --procs (up to 64)", DEPTH_MAX);
	what = argv[optind];
	j.path = argv[optind + 1];
	j.out = argv[optind + 2];
	if (o.wait_stdin) {
		line_out(STDOUT_FILENO, "ready\n", 6);
		if (!line_wait())
			misuse("--wait-stdin: no line");
	}
	if (!strcmp(what, "read") && !j.out)
		return each_process(&j);
	if (!strcmp(what, "copy") && j.out)
		return each_process(&j);
	if (!strcmp(what, "relay") && !j.out)
		return relay(&j);
	if (!strcmp(what, "splice") && j.out) {
		splice_all(&j);
		return 0;
	}
	option('?');
}
