/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Many short processes: forked, each perhaps reading a file or running another program, and gone.
 */
#include "tests/work/work.h"

#include <getopt.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/* Written by the children; shared memory, since a pipe would carry taint back. */
struct sums {
	atomic_ullong bytes, calls, ops, files, failed;
};

static struct {
	uint64_t count, parallel, size;
	const char *touch;
	bool exec, wait_stdin;
	double hold, again;
	int report;
} opt = {.count = 1000, .parallel = 16, .size = 65536, .report = STDOUT_FILENO};

static const char usage[] = "usage: forker [options]\n"
			    "  --count N        processes in all (default 1000)\n"
			    "  --parallel P     alive at once (default 16)\n"
			    "  --touch FILE     each opens FILE and reads it to the end\n"
			    "  --size BYTES     per read (default 65536)\n"
			    "  --exec           each then runs /bin/true, else _exit\n"
			    "  --hold SECONDS   each sleeps so long before it ends\n"
			    "  --again SECONDS  and reads FILE again every so often meanwhile\n"
			    "  --wait-stdin     print \"ready\", start when a line comes on stdin\n"
			    "  -o FILE          append the report to FILE instead of stdout\n";

static void child_touch(struct sums *s)
{
	struct limits most = {.bytes = NO_LIMIT, .ops = NO_LIMIT};
	struct tally t = {0};
	char *buffer = must_alloc(opt.size);
	int fd = open(opt.touch, O_RDONLY | O_CLOEXEC);
	int r = fd < 0 ? -errno : tally_read(&t, VIA_READ, fd, buffer, opt.size, 0, &most);

	s->files += fd >= 0;
	s->failed += r < 0;
	s->bytes += t.bytes;
	s->calls += t.calls;
	s->ops += t.ops;
}

__attribute__((noreturn)) static void child_run(struct sums *s)
{
	double left = opt.hold;

	/* Thousands of them without a parent would be a machine that nobody can work on. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (opt.touch)
		child_touch(s);
	for (; opt.again > 0 && opt.touch && left > opt.again; left -= opt.again) {
		pause_seconds(opt.again);
		child_touch(s);
	}
	pause_seconds(left);
	if (opt.exec) {
		execl("/bin/true", "true", (char *)NULL);
		_exit(127);
	}
	_exit(0);
}

static uint64_t reap_one(void)
{
	int status;

	if (wait(&status) < 0)
		die("wait");
	return status != 0;
}

static uint64_t run(struct sums *s)
{
	uint64_t alive = 0, bad = 0;

	for (uint64_t i = 0; i < opt.count; i++) {
		pid_t pid;

		if (alive == opt.parallel) {
			bad += reap_one();
			alive--;
		}
		/* No room for another process now: make some. */
		while ((pid = fork()) < 0 && errno == EAGAIN && alive) {
			bad += reap_one();
			alive--;
		}
		if (pid < 0)
			die("fork");
		if (pid == 0)
			child_run(s);
		alive++;
	}
	for (; alive; alive--)
		bad += reap_one();
	return bad;
}

static void report(const struct sums *s, uint64_t bad, uint64_t wall)
{
	uint64_t cpu = cpu_ns() + cpu_children_ns();
	bool ok = !bad && !s->failed;
	struct text t = {0};

	text_add(&t, "{\"program\":\"forker\",\"pid\":%d,\"processes\":%llu,\"bad_exits\":%llu,",
		 getpid(), (unsigned long long)opt.count, (unsigned long long)bad);
	text_add(&t, "\"bytes\":%llu,\"calls\":%llu,\"ops\":%llu,\"files\":%llu,\"failed\":%llu,",
		 (unsigned long long)s->bytes, (unsigned long long)s->calls,
		 (unsigned long long)s->ops, (unsigned long long)s->files,
		 (unsigned long long)s->failed);
	text_add(&t, "\"cpu_ns\":%llu,\"cpu_ns_per_op\":%.1f,\"wall_ns\":%llu,\"ok\":%s}",
		 (unsigned long long)cpu, (double)cpu / (double)opt.count, (unsigned long long)wall,
		 ok ? "true" : "false");
	text_out(opt.report, &t);
	if (!ok)
		exit(EXIT_SAD);
}

static void parse(int argc, char **argv)
{
	static const struct option options[] = {
	    {"count", required_argument, NULL, 'c'},
	    {"parallel", required_argument, NULL, 'p'},
	    {"touch", required_argument, NULL, 't'},
	    {"size", required_argument, NULL, 's'},
	    {"exec", no_argument, NULL, 'e'},
	    {"hold", required_argument, NULL, 'H'},
	    {"again", required_argument, NULL, 'a'},
	    {"wait-stdin", no_argument, NULL, 'w'},
	    {"help", no_argument, NULL, 'h'},
	    {0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "o:h", options, NULL)) != -1)
		switch (c) {
		case 'c':
			opt.count = number(optarg, "--count");
			break;
		case 'p':
			opt.parallel = number(optarg, "--parallel");
			break;
		case 't':
			opt.touch = optarg;
			break;
		case 's':
			opt.size = number(optarg, "--size");
			break;
		case 'e':
			opt.exec = true;
			break;
		case 'H':
			opt.hold = seconds(optarg, "--hold");
			break;
		case 'a':
			opt.again = seconds(optarg, "--again");
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
	if (!opt.count || !opt.parallel || !opt.size || optind < argc)
		misuse("--count, --parallel and --size are at least 1; see --help");
}

int main(int argc, char **argv)
{
	struct sums *s;
	uint64_t began, bad;

	parse(argc, argv);
	s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s == MAP_FAILED)
		die("mmap");
	if (opt.wait_stdin) {
		line_out(STDOUT_FILENO, "ready\n", 6);
		line_wait();
	}
	began = wall_ns();
	bad = run(s);
	report(s, bad, wall_ns() - began);
	return 0;
}
