/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Very many of one thing, as fast as it goes: what a monitor must stand without losing a byte. */
#include "tests/work/work.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define FILES_MAX 4096
#define PIPE_ROOM 65536
#define LOOPBACKS 61 /* addresses from 127.77.0.1 on in use: one has too few ports for a flood */

/* Written by all processes; shared memory, since a pipe would carry taint. */
struct sums {
	atomic_ullong done, read, out, in, failed, taint;
	atomic_int err;
};

struct worker {
	struct sums *s;
	uint64_t number, count; /* which one it is, how many it has to do */
	char *buffer;
};

static struct {
	uint64_t count, procs, size;
	const char *kind, *taint;
	uid_t uid;
	double hold, limit;
	bool wait_stdin, exec;
	int report, nfiles;
	char **files;
	uint64_t stop_ns;
} opt = {.count = 1000, .procs = 1, .size = 101, .limit = 120, .report = STDOUT_FILENO};

static const char usage[] =
    "usage: flood KIND [options] [FILE...]\n"
    "KIND:\n"
    "  opens      opens and closes the FILEs in turn\n"
    "  reads      preads of --size bytes from the FILEs in turn\n"
    "  forks      children of each process that end at once; --exec: they run /bin/true\n"
    "  connects   TCP connections to itself over 127.77.0.0/24, --size bytes through each\n"
    "  datagrams  UDP datagrams of --size bytes to ever new ports and addresses of 127.77.0.0/24\n"
    "  sockets    the same, each from a socket of its own\n"
    "  pipes      pipes, --size bytes through each\n"
    "  renames    renames of a file in directory FILE, to and fro\n"
    "  files      files in directory FILE, --size bytes written to each, then removed\n"
    "options:\n"
    "  --count N        in all (default 1000)\n"
    "  --procs P        processes that share them (default 1)\n"
    "  --size BYTES     see above (default 101)\n"
    "  --taint FILE     each process first reads FILE to its end\n"
    "  --uid N          as this user, after FILE is read\n"
    "  --limit SECONDS  stops then, however many are done (default 120)\n"
    "  --hold SECONDS   stays so long after the last\n"
    "  --exec           see forks\n"
    "  --wait-stdin     print \"ready\", start when a line comes on stdin\n"
    "  -o FILE          append the report to FILE instead of stdout\n";

static bool out_of_time(void)
{
	return wall_ns() >= opt.stop_ns;
}

/* The first reason is told; none ends the flood. */
static void failed(struct sums *s)
{
	int none = 0;

	atomic_compare_exchange_strong(&s->err, &none, errno);
	s->failed++;
}

static const char *file_of(uint64_t i)
{
	return opt.files[i % (uint64_t)opt.nfiles];
}

static void one_open(struct worker *w, uint64_t i)
{
	int fd = open(file_of(i), O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		failed(w->s);
		return;
	}
	close(fd);
	w->s->done++;
}

static void one_fork(struct worker *w, uint64_t i)
{
	pid_t pid;
	int status;

	while ((pid = fork()) < 0 && errno == EAGAIN && !out_of_time())
		pause_ns(1000000);
	if (pid < 0) {
		failed(w->s);
		return;
	}
	if (!pid) {
		if (opt.exec)
			execl("/bin/true", "true", (char *)NULL);
		_exit(opt.exec ? 127 : 0);
	}
	if (waitpid(pid, &status, 0) != pid || status)
		failed(w->s);
	else
		w->s->done++;
}

/* Through a pair of descriptors of our own, so never more than fits in between. */
static void pass(struct worker *w, int to, int from)
{
	ssize_t n = write(to, w->buffer, opt.size);
	size_t got = 0;

	if (n > 0)
		w->s->out += (uint64_t)n;
	if (n != (ssize_t)opt.size) {
		failed(w->s);
		return;
	}
	while (got < (size_t)n) {
		ssize_t r = read(from, w->buffer, opt.size);

		if (r <= 0) {
			failed(w->s);
			break;
		}
		got += (size_t)r;
	}
	w->s->in += got;
	w->s->done++;
}

static void one_pipe(struct worker *w, uint64_t i)
{
	int fd[2];

	if (pipe2(fd, O_CLOEXEC)) {
		failed(w->s);
		return;
	}
	pass(w, fd[1], fd[0]);
	close(fd[0]);
	close(fd[1]);
}

static struct sockaddr_in loopback(uint64_t i, uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};

	a.sin_addr.s_addr = htonl(0x7f4d0001 + (uint32_t)i);
	return a;
}

static void run_connects(struct worker *w)
{
	struct sockaddr_in any = {.sin_family = AF_INET}, to;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(any);

	if (listener < 0 || bind(listener, (struct sockaddr *)&any, len) || listen(listener, 16) ||
	    getsockname(listener, (struct sockaddr *)&any, &len))
		die("listen");
	for (uint64_t i = 0; i < w->count && !out_of_time(); i++) {
		int there, here = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		to = loopback(i % LOOPBACKS, ntohs(any.sin_port));
		if (here < 0 || connect(here, (struct sockaddr *)&to, sizeof(to))) {
			failed(w->s);
			close(here);
			continue;
		}
		there = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (there < 0)
			die("accept");
		pass(w, here, there);
		close(here);
		close(there);
	}
	close(listener);
}

static void datagram(struct worker *w, int fd, uint64_t i)
{
	/* nobody listens there: the kernel counts it as sent all the same */
	struct sockaddr_in to = loopback(i / 60000 % LOOPBACKS, (uint16_t)(1024 + i % 60000));
	ssize_t n = sendto(fd, w->buffer, opt.size, MSG_NOSIGNAL, (struct sockaddr *)&to, sizeof(to));

	/* an earlier one's refusal is told to a later one */
	if (n < 0 && errno == ECONNREFUSED)
		n = sendto(fd, w->buffer, opt.size, MSG_NOSIGNAL, (struct sockaddr *)&to, sizeof(to));
	if (n < 0) {
		failed(w->s);
		return;
	}
	w->s->out += (uint64_t)n;
	w->s->done++;
}

static void run_datagrams(struct worker *w)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket");
	for (uint64_t i = 0; i < w->count && !out_of_time(); i++)
		datagram(w, fd, w->number * w->count + i);
	pause_seconds(opt.hold);
	close(fd);
}

static void one_socket(struct worker *w, uint64_t i)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0) {
		failed(w->s);
		return;
	}
	datagram(w, fd, w->number * w->count + i);
	close(fd);
}

static void one_rename(struct worker *w, uint64_t i)
{
	char a[512], b[512];

	snprintf(a, sizeof(a), "%s/flood.%llu.a", file_of(0), (unsigned long long)w->number);
	snprintf(b, sizeof(b), "%s/flood.%llu.b", file_of(0), (unsigned long long)w->number);
	if (!i) {
		int fd = open(a, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

		if (fd < 0)
			die(a);
		close(fd);
	}
	if (rename(i & 1 ? b : a, i & 1 ? a : b))
		failed(w->s);
	else
		w->s->done++;
}

static void one_file(struct worker *w, uint64_t i)
{
	char name[512];
	ssize_t n;
	int fd;

	snprintf(name, sizeof(name), "%s/flood.%llu.%llu", file_of(0), (unsigned long long)w->number,
		 (unsigned long long)i);
	fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0) {
		failed(w->s);
		return;
	}
	n = write(fd, w->buffer, opt.size);
	if (n > 0)
		w->s->out += (uint64_t)n;
	close(fd);
	if (n != (ssize_t)opt.size || unlink(name))
		failed(w->s);
	else
		w->s->done++;
}

static void run_reads(struct worker *w)
{
	int *fd = must_alloc((size_t)opt.nfiles * sizeof(*fd));

	for (int i = 0; i < opt.nfiles; i++) {
		fd[i] = open(opt.files[i], O_RDONLY | O_CLOEXEC);
		if (fd[i] < 0)
			die(opt.files[i]);
	}
	for (uint64_t i = 0; i < w->count && ((i & 1023) || !out_of_time()); i++) {
		ssize_t n = pread(fd[i % (uint64_t)opt.nfiles], w->buffer, opt.size, 0);

		if (n <= 0) {
			failed(w->s);
			continue;
		}
		w->s->read += (uint64_t)n;
		w->s->done++;
	}
	for (int i = 0; i < opt.nfiles; i++)
		close(fd[i]);
	free(fd);
}

static const struct kind {
	const char *name;
	void (*one)(struct worker *w, uint64_t i);
	void (*run)(struct worker *w);
	bool files;
} kinds[] = {
    {"opens", one_open, NULL, true},	      {"reads", NULL, run_reads, true},
    {"forks", one_fork, NULL, false},	      {"connects", NULL, run_connects, false},
    {"datagrams", NULL, run_datagrams, false}, {"sockets", one_socket, NULL, false},
    {"pipes", one_pipe, NULL, false},	      {"renames", one_rename, NULL, true},
    {"files", one_file, NULL, true},
};

static const struct kind *kind_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	misuse("%s: no such kind; see --help", name);
}

static void read_tagged(struct worker *w)
{
	struct limits most = {.bytes = NO_LIMIT, .ops = NO_LIMIT};
	struct tally t = {0};
	int fd = open(opt.taint, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		die(opt.taint);
	if (tally_read(&t, VIA_READ, fd, w->buffer, PIPE_ROOM, 0, &most) < 0)
		die("read");
	close(fd);
	w->s->taint += t.bytes;
}

__attribute__((noreturn)) static void work(struct sums *s, const struct kind *k, uint64_t number)
{
	struct worker w = {.s = s, .number = number};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	w.count = opt.count / opt.procs + (number < opt.count % opt.procs);
	w.buffer = must_alloc(PIPE_ROOM);
	if (opt.taint)
		read_tagged(&w);
	if (opt.uid && (setgid(opt.uid) || setuid(opt.uid)))
		die("setuid");
	if (k->run)
		k->run(&w);
	else
		for (uint64_t i = 0; i < w.count && !out_of_time(); i++)
			k->one(&w, i);
	if (k->run != run_datagrams)
		pause_seconds(opt.hold);
	_exit(0);
}

static bool run_all(struct sums *s, const struct kind *k)
{
	bool good = true;
	int status;

	for (uint64_t i = 0; i < opt.procs; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (!pid)
			work(s, k, i);
	}
	for (uint64_t i = 0; i < opt.procs; i++)
		good = wait(&status) > 0 && !status && good;
	return good;
}

static bool report(const struct sums *s, bool good, uint64_t wall)
{
	bool ok = good && !s->failed && s->done == opt.count;
	struct text t = {0};

	text_add(&t, "{\"program\":\"flood\",\"pid\":%d,\"kind\":\"%s\",", getpid(), opt.kind);
	text_add(&t, "\"done\":%llu,\"failed\":%llu,\"errno\":%d,", (unsigned long long)s->done,
		 (unsigned long long)s->failed, s->err);
	text_add(&t, "\"read\":%llu,\"taint\":%llu,\"out\":%llu,\"in\":%llu,", (unsigned long long)s->read,
		 (unsigned long long)s->taint, (unsigned long long)s->out, (unsigned long long)s->in);
	text_add(&t, "\"cpu_ns\":%llu,\"wall_ns\":%llu,\"ok\":%s}",
		 (unsigned long long)(cpu_ns() + cpu_children_ns()), (unsigned long long)wall,
		 ok ? "true" : "false");
	text_out(opt.report, &t);
	return ok;
}

static void parse(int argc, char **argv)
{
	static const struct option options[] = {
	    {"count", required_argument, NULL, 'c'}, {"procs", required_argument, NULL, 'p'},
	    {"size", required_argument, NULL, 's'},  {"taint", required_argument, NULL, 't'},
	    {"uid", required_argument, NULL, 'u'},   {"limit", required_argument, NULL, 'l'},
	    {"hold", required_argument, NULL, 'H'},  {"exec", no_argument, NULL, 'e'},
	    {"wait-stdin", no_argument, NULL, 'w'},  {"help", no_argument, NULL, 'h'},
	    {0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "o:h", options, NULL)) != -1)
		switch (c) {
		case 'c':
			opt.count = number(optarg, "--count");
			break;
		case 'p':
			opt.procs = number(optarg, "--procs");
			break;
		case 's':
			opt.size = number(optarg, "--size");
			break;
		case 't':
			opt.taint = optarg;
			break;
		case 'u':
			opt.uid = (uid_t)number(optarg, "--uid");
			break;
		case 'l':
			opt.limit = seconds(optarg, "--limit");
			break;
		case 'H':
			opt.hold = seconds(optarg, "--hold");
			break;
		case 'e':
			opt.exec = true;
			break;
		case 'w':
			opt.wait_stdin = true;
			break;
		case 'o':
			opt.report = report_open(optarg);
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			fputs(usage, stderr);
			exit(EXIT_MISUSE);
		}
	if (optind == argc)
		misuse("no KIND; see --help");
	opt.kind = argv[optind++];
	opt.files = argv + optind;
	opt.nfiles = argc - optind;
	if (!opt.count || !opt.procs || !opt.size || opt.size > PIPE_ROOM || opt.nfiles > FILES_MAX)
		misuse("--count and --procs are at least 1, --size 1 to %d, FILEs at most %d", PIPE_ROOM, FILES_MAX);
}

int main(int argc, char **argv)
{
	const struct kind *k;
	struct sums *s;
	uint64_t began;
	bool good;

	parse(argc, argv);
	k = kind_of(opt.kind);
	if (k->files && !opt.nfiles)
		misuse("%s wants a FILE", opt.kind);
	raise_descriptors();
	s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s == MAP_FAILED)
		die("mmap");
	if (opt.wait_stdin) {
		line_out(STDOUT_FILENO, "ready\n", 6);
		line_wait();
	}
	began = wall_ns();
	opt.stop_ns = began + (uint64_t)(opt.limit * 1e9);
	good = run_all(s, k);
	return report(s, good, wall_ns() - began) ? 0 : EXIT_SAD;
}
