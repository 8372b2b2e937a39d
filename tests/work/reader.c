/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Reads files with one chosen call, in sizes and counts of one's choice, by any number of processes
 * and threads, and says how many bytes the calls returned.
 */
#include "tests/work/work.h"

#include <getopt.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

struct mapping {
	void *at;
	size_t len;
};

/* What a thread needs, and what it found. */
struct worker {
	pthread_t thread;
	int *fds; /* opened early, or NULL */
	char *buffer;
	struct tally tally;
	int error;
	const char *failed;
};

/* Shared with the forked processes through anonymous memory: a pipe would carry taint to the
 * parent. */
enum state { STATE_NEW, STATE_READY, STATE_DONE };

struct process {
	pid_t pid;
	_Atomic int state; /* enum state */
	bool dead;	   /* reaped by the parent */
	int error;
	char failed[256];
	struct tally tally;
	uint64_t cpu_ns, wall_ns;
};

struct board {
	sem_t news, start;
	struct process process[];
};

static struct {
	enum via via;
	size_t size;
	struct limits limits;
	unsigned int procs, threads;
	double hold;
	bool wait_stdin, open_first, exit_fast, direct;
	int fd, report;
	struct paths files;
} opt = {
    .size = 65536,
    .limits = {.bytes = NO_LIMIT, .ops = NO_LIMIT},
    .threads = 1,
    .fd = -1,
    .report = STDOUT_FILENO,
};

static const char usage[] =
    "usage: reader [options] PATH...     files, or directories whose files are all read\n"
    "  --via CALL       read (default), pread, readv, preadv, preadv2, mmap\n"
    "  --size BYTES     per call, any number (default 65536); for mmap the length mapped\n"
    "                   (default the whole file)\n"
    "  --count N        exactly N calls that return bytes, by each thread, from the start again\n"
    "                   at the end; default: every file once\n"
    "  --bytes N        at most N bytes of each file\n"
    "  --procs N        fork N processes; each does the whole\n"
    "  --threads N      in each process; each does the whole\n"
    "  --wait-stdin     print \"ready\", start when a line comes on stdin\n"
    "  --open-first     fork, open and (mmap) map before \"ready\"\n"
    "  --hold SECONDS   stay alive after the report, with maps and early descriptors kept\n"
    "  --pause-us N     between calls\n"
    "  --fd N           read the inherited descriptor N instead of PATH\n"
    "  --direct         O_DIRECT (--size must suit the device)\n"
    "  --exit-fast      _exit at once after the last byte, in a child, with nothing closed\n"
    "  -o FILE          append the report to FILE instead of stdout\n";

static size_t inputs(void)
{
	return opt.fd >= 0 ? 1 : opt.files.count;
}

static int input_open(size_t i)
{
	int fd;

	if (opt.fd >= 0)
		return opt.fd;
	fd = open(opt.files.name[i], O_RDONLY | O_CLOEXEC | (opt.direct ? O_DIRECT : 0));
	return fd < 0 ? -errno : fd;
}

static const char *input_name(size_t i)
{
	return opt.fd >= 0 ? "--fd" : opt.files.name[i];
}

static bool keeps_maps(void)
{
	return opt.hold > 0 || opt.open_first || opt.exit_fast;
}

static int worker_map(struct worker *w, int fd)
{
	struct mapping m;
	int r = tally_mmap(&w->tally, fd, opt.limits.bytes == NO_LIMIT ? 0 : opt.limits.bytes, true,
			   &m.at, &m.len);

	if (r == 0 && m.at && !keeps_maps())
		munmap(m.at, m.len);
	return r;
}

static int worker_input(struct worker *w, size_t i, bool again)
{
	struct limits most = opt.limits;
	int fd = w->fds ? w->fds[i] : input_open(i);
	int r;

	if (fd < 0)
		return fd;
	if (most.ops != NO_LIMIT)
		most.ops -= w->tally.ops;
	if (again && (w->fds || opt.fd >= 0) && lseek(fd, 0, SEEK_SET) < 0 && errno != ESPIPE)
		return -errno;
	if (opt.via == VIA_MMAP)
		r = worker_map(w, fd);
	else
		r = tally_read(&w->tally, opt.via, fd, w->buffer, opt.size, 0, &most);
	w->tally.files += !again;
	if (!w->fds && opt.fd < 0 && !opt.exit_fast)
		close(fd);
	return r;
}

static void *worker_run(void *arg)
{
	struct worker *w = arg;
	uint64_t before;
	bool again = false;

	do {
		before = w->tally.ops;
		for (size_t i = 0; i < inputs() && w->tally.ops < opt.limits.ops; i++) {
			w->error = worker_input(w, i, again);
			if (w->error < 0) {
				w->failed = input_name(i);
				return NULL;
			}
		}
		again = true;
	} while (opt.limits.ops != NO_LIMIT && w->tally.ops < opt.limits.ops &&
		 w->tally.ops != before);
	return NULL;
}

/* Mapping early means mapping without touching: pages are read when work starts. */
static void open_early(struct worker *w)
{
	w->fds = must_alloc(inputs() * sizeof(*w->fds));
	for (size_t i = 0; i < inputs(); i++) {
		w->fds[i] = input_open(i);
		if (w->fds[i] < 0) {
			errno = -w->fds[i];
			die(input_name(i));
		}
	}
}

struct early_map {
	volatile const char *at;
	size_t len;
};

static struct early_map *map_early(struct worker *w)
{
	struct early_map *maps = must_alloc(inputs() * sizeof(*maps));

	for (size_t i = 0; i < inputs(); i++) {
		void *at;
		int r = tally_mmap(&w->tally, w->fds[i],
				   opt.limits.bytes == NO_LIMIT ? 0 : opt.limits.bytes, false, &at,
				   &maps[i].len);

		if (r < 0) {
			errno = -r;
			die(input_name(i));
		}
		maps[i].at = at;
	}
	return maps;
}

static void touch_early(struct worker *w, const struct early_map *maps)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	for (size_t i = 0; i < inputs(); i++)
		for (size_t at = 0; at < maps[i].len; at += page) {
			(void)maps[i].at[at];
			w->tally.touched += MIN(page, maps[i].len - at);
		}
	w->tally.files = inputs();
}

static struct worker *workers_new(void)
{
	struct worker *w = must_alloc(opt.threads * sizeof(*w));

	for (unsigned int i = 0; i < opt.threads; i++) {
		if (posix_memalign((void **)&w[i].buffer, 4096, opt.size))
			die("posix_memalign");
		memset(w[i].buffer, 0, opt.size);
		if (opt.open_first)
			open_early(&w[i]);
	}
	return w;
}

static void workers_run(struct worker *w)
{
	for (unsigned int i = 1; i < opt.threads; i++)
		if ((errno = pthread_create(&w[i].thread, NULL, worker_run, &w[i])))
			die("pthread_create");
	worker_run(&w[0]);
	for (unsigned int i = 1; i < opt.threads; i++)
		pthread_join(w[i].thread, NULL);
}

static void workers_collect(const struct worker *w, struct process *p)
{
	for (unsigned int i = 0; i < opt.threads; i++) {
		tally_sum(&p->tally, &w[i].tally);
		if (w[i].error < 0 && !p->error) {
			p->error = -w[i].error;
			snprintf(p->failed, sizeof(p->failed), "%s", w[i].failed);
		}
	}
}

/* All one process does; waits for the start where the board says so. */
static void process_run(struct process *p, struct board *b)
{
	struct worker *w = workers_new();
	struct early_map *maps = NULL;
	uint64_t cpu, wall;

	if (opt.open_first && opt.via == VIA_MMAP)
		maps = map_early(&w[0]);
	if (b) {
		p->state = STATE_READY;
		sem_post(&b->news);
		while (sem_wait(&b->start) < 0 && errno == EINTR)
			;
	} else if (opt.wait_stdin && !opt.procs && opt.open_first) {
		line_out(STDOUT_FILENO, "ready\n", 6);
		line_wait();
	}
	p->pid = getpid();
	cpu = cpu_ns();
	wall = wall_ns();
	if (maps)
		touch_early(&w[0], maps);
	else
		workers_run(w);
	p->cpu_ns = cpu_ns() - cpu;
	p->wall_ns = wall_ns() - wall;
	workers_collect(w, p);
	p->state = STATE_DONE;
}

static void report(const struct process *p, unsigned int count, bool forked)
{
	struct process sum = {0};
	struct text t = {0};

	for (unsigned int i = 0; i < count; i++) {
		tally_sum(&sum.tally, &p[i].tally);
		sum.cpu_ns += p[i].cpu_ns;
		sum.wall_ns = MAX(sum.wall_ns, p[i].wall_ns);
		if (p[i].state != STATE_DONE && !sum.error) {
			sum.error = ECHILD;
			snprintf(sum.failed, sizeof(sum.failed), "process %d died", p[i].pid);
		}
		if (p[i].error && !sum.error) {
			sum.error = p[i].error;
			memcpy(sum.failed, p[i].failed, sizeof(sum.failed));
		}
	}
	text_add(&t, "{\"program\":\"reader\",\"pid\":%d,\"via\":\"%s\",\"size\":%zu,", getpid(),
		 via_names[opt.via], opt.size);
	tally_text(&t, &sum.tally);
	text_add(&t, ",\"cpu_ns\":%llu,\"wall_ns\":%llu,\"cpu_ns_per_op\":%.1f",
		 (unsigned long long)sum.cpu_ns, (unsigned long long)sum.wall_ns,
		 sum.tally.ops ? (double)sum.cpu_ns / (double)sum.tally.ops : 0.0);
	text_add(&t, ",\"threads\":%u,\"forked\":%s,\"processes\":[", opt.threads,
		 forked ? "true" : "false");
	for (unsigned int i = 0; i < count; i++) {
		text_add(&t, "%s{\"pid\":%d,", i ? "," : "", p[i].pid);
		tally_text(&t, &p[i].tally);
		text_add(&t, "}");
	}
	text_add(&t, "]");
	if (sum.error) {
		text_add(&t, ",\"error\":");
		text_quote(&t, strerror(sum.error));
		text_add(&t, ",\"failed\":");
		text_quote(&t, sum.failed);
	}
	text_add(&t, ",\"ok\":%s}", sum.error ? "false" : "true");
	text_out(opt.report, &t);
	if (sum.error)
		exit(EXIT_SAD);
}

static void child_run(struct board *b, struct process *p)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	process_run(p, b);
	sem_post(&b->news);
	if (opt.exit_fast)
		_exit(0);
	pause_seconds(opt.hold);
	exit(0);
}

static bool all_reached(const struct board *b, enum state state)
{
	for (unsigned int i = 0; i < opt.procs; i++)
		if (b->process[i].state < (int)state && !b->process[i].dead)
			return false;
	return true;
}

static void reap(struct board *b)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		for (unsigned int i = 0; i < opt.procs; i++)
			if (b->process[i].pid == pid)
				b->process[i].dead = true;
}

/* A child that died is not waited for; the report tells of it. */
static void wait_children(struct board *b, enum state state)
{
	while (!all_reached(b, state)) {
		uint64_t ns = clock_ns(CLOCK_REALTIME) + 50000000;
		struct timespec soon = {.tv_sec = (time_t)(ns / 1000000000u),
					.tv_nsec = (long)(ns % 1000000000u)};

		if (sem_timedwait(&b->news, &soon) < 0)
			reap(b);
	}
}

static struct board *board_new(void)
{
	size_t len = sizeof(struct board) + opt.procs * sizeof(struct process);
	struct board *b =
	    mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (b == MAP_FAILED)
		die("mmap");
	if (sem_init(&b->news, 1, 0) || sem_init(&b->start, 1, 0))
		die("sem_init");
	return b;
}

static void run_forked(void)
{
	struct board *b = board_new();

	for (unsigned int i = 0; i < opt.procs; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		b->process[i].pid = pid ? pid : getpid();
		if (pid == 0)
			child_run(b, &b->process[i]);
	}
	wait_children(b, STATE_READY);
	if (opt.wait_stdin && opt.open_first) {
		line_out(STDOUT_FILENO, "ready\n", 6);
		line_wait();
	}
	for (unsigned int i = 0; i < opt.procs; i++)
		sem_post(&b->start);
	wait_children(b, STATE_DONE);
	report(b->process, opt.procs, true);
	while (wait(NULL) > 0)
		;
}

static void run_alone(void)
{
	struct process p = {0};

	process_run(&p, NULL);
	report(&p, 1, false);
	pause_seconds(opt.hold);
}

enum {
	O_VIA = 256,
	O_SIZE,
	O_COUNT,
	O_BYTES,
	O_PROCS,
	O_THREADS,
	O_WAIT,
	O_OPEN,
	O_HOLD,
	O_PAUSE,
	O_FD,
	O_DIR,
	O_FAST
};

static const struct option options[] = {
    {"via", required_argument, NULL, O_VIA},
    {"size", required_argument, NULL, O_SIZE},
    {"count", required_argument, NULL, O_COUNT},
    {"bytes", required_argument, NULL, O_BYTES},
    {"procs", required_argument, NULL, O_PROCS},
    {"threads", required_argument, NULL, O_THREADS},
    {"wait-stdin", no_argument, NULL, O_WAIT},
    {"open-first", no_argument, NULL, O_OPEN},
    {"hold", required_argument, NULL, O_HOLD},
    {"pause-us", required_argument, NULL, O_PAUSE},
    {"fd", required_argument, NULL, O_FD},
    {"direct", no_argument, NULL, O_DIR},
    {"exit-fast", no_argument, NULL, O_FAST},
    {"help", no_argument, NULL, 'h'},
    {0},
};

static bool option_number(int c)
{
	switch (c) {
	case O_SIZE:
		opt.size = number(optarg, "--size");
		return true;
	case O_COUNT:
		opt.limits.ops = number(optarg, "--count");
		return true;
	case O_BYTES:
		opt.limits.bytes = number(optarg, "--bytes");
		return true;
	case O_PROCS:
		opt.procs = (unsigned int)number(optarg, "--procs");
		return true;
	case O_THREADS:
		opt.threads = (unsigned int)number(optarg, "--threads");
		return true;
	case O_PAUSE:
		opt.limits.pause_us = (unsigned int)number(optarg, "--pause-us");
		return true;
	case O_FD:
		opt.fd = (int)number(optarg, "--fd");
		return true;
	case O_HOLD:
		opt.hold = seconds(optarg, "--hold");
		return true;
	default:
		return false;
	}
}

static void option_other(int c)
{
	switch (c) {
	case O_VIA:
		if (via_parse(optarg, &opt.via) < 0)
			misuse("--via: '%s' is not read, pread, readv, preadv, preadv2 or mmap",
			       optarg);
		break;
	case O_WAIT:
		opt.wait_stdin = true;
		break;
	case O_OPEN:
		opt.open_first = true;
		break;
	case O_DIR:
		opt.direct = true;
		break;
	case O_FAST:
		opt.exit_fast = true;
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
}

static void parse(int argc, char **argv)
{
	bool sized = false;
	int c;

	while ((c = getopt_long(argc, argv, "o:h", options, NULL)) != -1) {
		sized |= c == O_SIZE;
		if (!option_number(c))
			option_other(c);
	}
	if (opt.via == VIA_MMAP && sized)
		opt.limits.bytes = MIN(opt.limits.bytes, (uint64_t)opt.size);
	if (opt.exit_fast && !opt.procs)
		opt.procs = 1;
	if (!opt.size || !opt.threads || opt.procs > 100000 || opt.threads > 10000)
		misuse("--size and --threads are at least 1, --procs at most 100000");
	if (opt.via == VIA_MMAP && opt.open_first && opt.threads > 1)
		misuse("--via mmap --open-first takes one thread");
	if ((opt.fd >= 0) == (optind < argc))
		misuse("needs PATH... or --fd N; see --help");
	for (int i = optind; i < argc; i++) {
		int r = paths_below(&opt.files, argv[i]);

		if (r < 0) {
			errno = -r;
			die(argv[i]);
		}
	}
	if (!inputs())
		misuse("no file below what was named");
}

int main(int argc, char **argv)
{
	raise_descriptors();
	parse(argc, argv);
	if (opt.wait_stdin && !opt.open_first) {
		line_out(STDOUT_FILENO, "ready\n", 6);
		line_wait();
	}
	if (opt.procs)
		run_forked();
	else
		run_alone();
	paths_free(&opt.files);
	return 0;
}
