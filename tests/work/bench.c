/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * One workload for a given time, and the CPU it took per operation: this process's and, apart,
 * that of the other side or of the workers. scripts/bench.sh compares such runs.
 */
#include "tests/work/bench.h"
#include "tests/work/bench_net.h"
#include "tests/work/bench_uring.h"

#include <getopt.h>
#include <poll.h>

#define PAGE 4096u
#define BIG_FILES_MAX 1024u
#define BIG_BYTES (16u << 20)
#define MIB (1u << 20)

static char block[MIB] __attribute__((aligned(4096)));
static int big[BIG_FILES_MAX];
static unsigned int big_files = 64, small_files = 4000;
static int one = -1;

/* --- the data: made once, read by all -------------------------------------------- */

static char *data_path(const char *kind, unsigned int i)
{
	static char path[4096];

	snprintf(path, sizeof(path), "%s/%s%05u", run.dir, kind, i);
	return path;
}

static void scale(uint64_t n)
{
	if (!n || n > BIG_FILES_MAX / 16)
		misuse("--scale is 1 to %u", BIG_FILES_MAX / 16);
	big_files = 16 * (unsigned int)n;
	small_files = 1000 * (unsigned int)n;
}

/* Odd sizes of 50 to 150 KB. */
static size_t small_size(unsigned int i)
{
	return 50021 + i * 7919u % 99991u;
}

static void data_make(const char *path, size_t size)
{
	struct stat st;
	int fd;

	if (stat(path, &st) == 0 && (size_t)st.st_size == size)
		return;
	fd = (int)must(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644), path);
	for (size_t i = 0; i < sizeof(block) / sizeof(uint64_t); i++)
		((uint64_t *)block)[i] = dice();
	while (size)
		size -= (size_t)must(write(fd, block, MIN(size, sizeof(block))), path);
	close(fd);
}

static void data_read(const char *path)
{
	int fd = (int)must(open(path, O_RDONLY | O_CLOEXEC), path);

	while (must(read(fd, block, sizeof(block)), path) > 0)
		;
	close(fd);
}

/* Makes what is missing and brings all of it into the page cache. */
static void data_prepare(void)
{
	must(mkdir(run.dir, 0755) < 0 && errno != EEXIST ? -1 : 0, run.dir);
	for (unsigned int i = 0; i < big_files; i++) {
		data_make(data_path("big", i), BIG_BYTES);
		data_read(data_path("big", i));
	}
	for (unsigned int i = 0; i < small_files; i++) {
		data_make(data_path("small", i), small_size(i));
		data_read(data_path("small", i));
	}
	data_make(data_path("write", 0), BIG_BYTES);
	data_read(data_path("write", 0));
}

static int data_open(const char *kind, unsigned int i, int flags)
{
	const char *path = data_path(kind, i);
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		quit(EXIT_SAD, "%s: %s; run: bench prepare --dir %s", path, strerror(errno),
		     run.dir);
	return fd;
}

static void big_setup(void)
{
	for (unsigned int i = 0; i < big_files; i++)
		big[i] = data_open("big", i, O_RDONLY);
}

static void one_setup(void)
{
	one = data_open("big", 0, O_RDONLY);
}

static void write_setup(void)
{
	one = data_open("write", 0, O_WRONLY);
}

static void small_setup(void)
{
	close(data_open("small", small_files - 1, O_RDONLY));
}

/* --- the workloads: each step a batch, so that the clock costs nothing --------------- */

static void no_setup(void)
{
}

static void null_step(void)
{
	for (int i = 0; i < 4096; i++)
		syscall(SYS_getppid);
	run.ops += 4096;
}

static off_t random_page(void)
{
	return (off_t)(dice() % (BIG_BYTES / PAGE)) * PAGE;
}

static void pread_step(void)
{
	for (int i = 0; i < 512; i++)
		run.bytes += (uint64_t)must(
		    pread(big[dice() % big_files], block, PAGE, random_page()), "pread");
	run.ops += 512;
}

static void hotpread_step(void)
{
	for (int i = 0; i < 1024; i++)
		run.bytes += (uint64_t)must(pread(one, block, PAGE, 0), "pread");
	run.ops += 1024;
}

/* How a small file is read: by 64 KiB to its end. */
static uint64_t small_read(unsigned int i, int to)
{
	int fd = data_open("small", i, O_RDONLY);
	uint64_t bytes = 0;
	ssize_t n;

	while ((n = must(read(fd, block, 65536), "read")) > 0) {
		bytes += (uint64_t)n;
		for (ssize_t at = 0; to >= 0 && at < n;)
			at += must(write(to, block + at, (size_t)(n - at)), "write to a pipe");
	}
	close(fd);
	return bytes;
}

static void orc_step(void)
{
	for (int i = 0; i < 32; i++)
		run.bytes += small_read((unsigned int)(dice() % small_files), -1);
	run.ops += 32;
}

/* On and on through the big files, so that no processor cache holds them. */
static void seq_step(void)
{
	static uint64_t at;

	for (int i = 0; i < 8; i++, at += MIB)
		run.bytes += (uint64_t)must(
		    pread(big[at / BIG_BYTES % big_files], block, MIB, (off_t)(at % BIG_BYTES)),
		    "pread");
	run.ops += 8;
}

static void uring_setup(void)
{
	big_setup();
	uring_open();
}

static void uring_step(void)
{
	for (int i = 0; i < 16; i++) {
		for (unsigned int j = 0; j < URING_DEPTH; j++)
			uring_add_read(big[dice() % big_files], block + j * PAGE, PAGE,
				       (uint64_t)random_page());
		run.bytes += uring_finish(URING_DEPTH);
		run.ops += URING_DEPTH;
	}
}

/* An operation is one fault: the kernel maps 16 pages around each. */
static void mmap_step(void)
{
	volatile const char *p = mmap(NULL, BIG_BYTES, PROT_READ, MAP_SHARED, one, 0);

	if (p == MAP_FAILED)
		die("mmap");
	for (size_t i = 0; i < BIG_BYTES; i += 16 * PAGE) {
		(void)p[i];
		run.ops++;
	}
	run.bytes += BIG_BYTES;
	munmap((void *)p, BIG_BYTES);
}

static void write_step(void)
{
	static off_t at;

	for (int i = 0; i < 256; i++) {
		run.bytes += (uint64_t)must(pwrite(one, block, PAGE, at), "pwrite");
		at = (at + PAGE) % BIG_BYTES;
	}
	run.ops += 256;
}

/* --- loader: workers read files and hand them to the parent by pipes ------------------- */

static struct {
	struct pollfd pipe[HELPERS];
	atomic_ullong *files; /* shared with the workers */
} loader;

static void loader_setup(void)
{
	small_setup();
	loader.files = mmap(NULL, sizeof(*loader.files), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (loader.files == MAP_FAILED)
		die("mmap");
	for (unsigned int i = 0; i < HELPERS; i++) {
		int fd[2];

		must(pipe2(fd, O_CLOEXEC), "pipe2");
		if (helper_start())
			for (;;) {
				small_read((unsigned int)(dice() % small_files), fd[1]);
				++*loader.files;
			}
		close(fd[1]);
		loader.pipe[i] = (struct pollfd){.fd = fd[0], .events = POLLIN};
	}
}

static void loader_step(void)
{
	uint64_t before = *loader.files;

	for (int i = 0; i < 16; i++) {
		must(poll(loader.pipe, HELPERS, -1), "poll");
		for (unsigned int j = 0; j < HELPERS; j++) {
			if (!loader.pipe[j].revents)
				continue;
			run.bytes += (uint64_t)must(read(loader.pipe[j].fd, block, 65536), "read");
		}
	}
	run.ops += *loader.files - before;
}

/* --- the table, and running one of it ---------------------------------------------------- */

static const struct workload {
	const char *name;
	void (*setup)(void);
	void (*step)(void);
	serve_fn serve; /* what its other side does, where it has one */
	bool data;
	const char *help;
} workloads[] = {
    {"null", no_setup, null_step, NULL, false, "getppid"},
    {"pread", big_setup, pread_step, NULL, true, "4 KiB at random, all in the page cache"},
    {"hotpread", one_setup, hotpread_step, NULL, true, "4 KiB, one page"},
    {"orc", small_setup, orc_step, NULL, true, "open, read, close of files of about 100 KB"},
    {"seq", big_setup, seq_step, NULL, true, "1 MiB reads"},
    {"uring", uring_setup, uring_step, NULL, true, "4 KiB io_uring reads, 32 at a time"},
    {"mmap", one_setup, mmap_step, NULL, true, "map and touch; one fault"},
    {"write", write_setup, write_step, NULL, true, "4 KiB"},
    {"rr", rr_setup, rr_step, serve_echo, false, "TCP request and response of 1 to 7 bytes"},
    {"bulk", bulk_setup, bulk_step, serve_drain, false, "TCP, 128 KiB sends"},
    {"tiny", tiny_setup, tiny_step, serve_batches, false, "TCP, 64-byte sends, no delay"},
    {"conn", conn_setup, conn_step, serve_nothing, false, "TCP connect and close"},
    {"hello", hello_setup, hello_step, serve_hello, false, "TCP connect, a TLS hello, an answer, close, at an address off loopback"},
    {"loader", loader_setup, loader_step, NULL, true,
     "8 processes read files of about 100 KB, a parent takes them by pipes"},
};

static void usage(FILE *f)
{
	fputs("usage: bench prepare --dir DIR      make the files the others read\n"
	      "       bench NAME [options]\n"
	      "       bench NAME --serve ADDR:PORT the other side of a TCP workload, till killed\n"
	      "  --seconds S      measured, after a tenth of it unmeasured (default 0.5)\n"
	      "  --dir DIR        where the files are\n"
	      "  --scale N        how many: 1 is 16 files of 16 MiB and 1000 of about 100 KB,\n"
	      "                   0.35 GB in all (default 4)\n"
	      "  --peer ADDR:PORT another host's --serve instead of loopback\n"
	      "  --taint FILE     read FILE first\n"
	      "  -o FILE          append the report to FILE instead of stdout\n",
	      f);
	for (size_t i = 0; i < ARRAY_SIZE(workloads); i++)
		fprintf(f, "  %-16s %s\n", workloads[i].name, workloads[i].help);
}

static void run_for(const struct workload *w, double s)
{
	uint64_t deadline = wall_ns() + (uint64_t)(s * 1e9);

	do
		w->step();
	while (wall_ns() < deadline);
}

static void measure(const struct workload *w, int out)
{
	uint64_t cpu, peer, wall, unmeasured;
	struct text t = {0};
	double ops;

	w->setup();
	run_for(w, run.seconds / 10);
	unmeasured = run.bytes;
	run.ops = run.bytes = 0;
	peer = helpers_cpu_ns();
	cpu = cpu_ns();
	wall = wall_ns();
	run_for(w, run.seconds);
	wall = wall_ns() - wall;
	cpu = cpu_ns() - cpu;
	peer = helpers_cpu_ns() - peer;
	if (!run.ops)
		quit(EXIT_SAD, "%s: nothing was done in %g s", w->name, run.seconds);
	ops = (double)run.ops;
	text_add(&t, "{\"program\":\"bench\",\"bench\":\"%s\",\"pid\":%d,\"ops\":%llu,", w->name,
		 getpid(), (unsigned long long)run.ops);
	text_add(&t, "\"bytes\":%llu,\"bytes_before\":%llu,\"wall_ns\":%llu,\"cpu_ns\":%llu,",
		 (unsigned long long)run.bytes, (unsigned long long)unmeasured,
		 (unsigned long long)wall, (unsigned long long)cpu);
	text_add(&t, "\"cpu_ns_per_op\":%.2f,", (double)cpu / ops);
	if (run.helpers)
		text_add(&t, "\"peer_cpu_ns_per_op\":%.2f,", (double)peer / ops);
	else
		text_add(&t, "\"peer_cpu_ns_per_op\":null,");
	text_add(&t, "\"total_cpu_ns_per_op\":%.2f}", (double)(cpu + peer) / ops);
	helpers_end();
	text_out(out, &t);
}

struct options {
	const char *taint, *serve;
	int out;
};

static void parse(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {
	    {"scale", required_argument, NULL, 'n'}, {"seconds", required_argument, NULL, 's'},
	    {"dir", required_argument, NULL, 'd'},   {"peer", required_argument, NULL, 'p'},
	    {"serve", required_argument, NULL, 'S'}, {"taint", required_argument, NULL, 't'},
	    {"help", no_argument, NULL, 'h'},	     {0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "o:h", options, NULL)) != -1)
		switch (c) {
		case 's':
			run.seconds = seconds(optarg, "--seconds");
			break;
		case 'n':
			scale(number(optarg, "--scale"));
			break;
		case 'd':
			run.dir = optarg;
			break;
		case 'p':
			run.peer = optarg;
			break;
		case 'S':
			o->serve = optarg;
			break;
		case 't':
			o->taint = optarg;
			break;
		case 'o':
			o->out = report_open(optarg);
			break;
		case 'h':
			usage(stdout);
			exit(0);
		default:
			usage(stderr);
			exit(EXIT_MISUSE);
		}
	if (optind != argc - 1) {
		usage(stderr);
		exit(EXIT_MISUSE);
	}
}

static const struct workload *workload_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(workloads); i++)
		if (!strcmp(workloads[i].name, name))
			return &workloads[i];
	misuse("'%s' is no workload; see --help", name);
}

int main(int argc, char **argv)
{
	struct options o = {.out = STDOUT_FILENO};
	const struct workload *w;

	parse(argc, argv, &o);
	if (!strcmp(argv[optind], "prepare")) {
		if (!run.dir)
			misuse("prepare needs --dir");
		data_prepare();
		return 0;
	}
	w = workload_find(argv[optind]);
	if (o.serve && !w->serve)
		misuse("%s has no other side", w->name);
	if (o.serve) {
		int listener = net_listen(o.serve);

		line_out(STDOUT_FILENO, "ready\n", 6);
		net_serve(listener, w->serve);
	}
	if (w->data && !run.dir)
		misuse("%s needs --dir", w->name);
	if (o.taint)
		data_read(o.taint);
	measure(w, o.out);
	return 0;
}
