/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What an interval costs the model when very much goes on: CPU and memory, without a kernel.
 *
 * bench_model [PROCESSES [FILES]]: so many processes in forty jobs, half of them loader workers that read and write to a
 * pipe, half of them read there and send to this network or to outside; so many files in four datasets.
 */
#include <arpa/inet.h>
#include <err.h>
#include <jansson.h>
#include <netinet/in.h>
#include <string.h>

#include "user/dest/class.h"
#include "user/export/record.h"
#include "user/file_list.h"
#include "user/json_write.h"
#include "user/model_internal.h"
#include "user/pace.h"
#include "user/policy/config.h"
#include "user/policy/rules.h"
#include "user/snapshot.h"
#include "user/watch_doc.h"

#define DATASETS 4
#define JOBS 40
#define TICKS 5
#define BUDGET_MS 20 /* as the monitor has it */

static const char policy[] = "datasets:\n"
			     "  - { id: a, path: /data/a }\n"
			     "  - { id: b, path: /data/b }\n"
			     "  - { id: c, path: /data/c }\n"
			     "  - { id: d, path: /data/d }\n"
			     "network: { vpc: off, vpc_cidrs: [10.0.0.0/8] }\n";

struct bench {
	struct config *config;
	struct classes *classes;
	struct model *m;
	uint64_t now;
	uint32_t processes;
	uint64_t files;
	size_t records, record_bytes;
	struct json_text text;
	struct pace pace;
};

static void must(int e, const char *what)
{
	if (e)
		errx(1, "%s: %s", what, strerror(-e));
}

/* --- measuring ---------------------------------------------------------------- */

static double cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double rss_mib(void)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/statm", "re");
	unsigned long pages = 0;

	if (!f || fscanf(f, "%*u %lu", &pages) != 1)
		return 0;
	return (double)pages * (double)sysconf(_SC_PAGESIZE) / (1 << 20);
}

/* *at is when it began, and now when the next begins. */
static double lap(double *at)
{
	double now = cpu_ms(), took = now - *at;

	*at = now;
	return took;
}

/* --- what happens ---------------------------------------------------------------- */

static struct subject who_of(uint32_t i)
{
	return (struct subject){1000 * NSEC + i, i + 100, 1};
}

static struct object file_of(unsigned dataset, uint64_t i)
{
	return (struct object){.ino = i + 12, .dev = 8u << 20 | dataset, .gen = 77};
}

static void introduce_all(struct bench *b)
{
	char job[32];

	for (uint32_t i = 0; i < b->processes; i++) {
		struct subject_info info = {.who = who_of(i), .seen_ns = b->now, .uid = 1000, .uid_known = true, .comm = "python3",
					    .exe = "/usr/bin/python3", .job = job};

		snprintf(job, sizeof(job), "slurm:%u.0", i % JOBS);
		must(model_set_subject(b->m, &info), "subject");
	}
}

static void walk_one(struct bench *b, unsigned dataset)
{
	struct file_list *l;
	uint32_t root, dir = 0, number;
	char name[32];

	must(file_list_new(SIZE_MAX, &l), "list");
	must(file_list_dir(l, 0, "", &root), "list");
	for (uint64_t i = 0; i < b->files / DATASETS; i++) {
		struct object what = file_of(dataset, i);

		snprintf(name, sizeof(name), "shard-%06llu.tar", (unsigned long long)i);
		if (i % 250 == 0)
			must(file_list_dir(l, root, name, &dir), "list");
		must(file_list_add(l, &what, 100003, dir, name, &number), "list");
	}
	model_set_dataset_size(b->m, dataset, l->bytes, l->n);
	double at = cpu_ms();
	must(model_set_dataset_files(b->m, dataset, l), "list");
	printf("  taking over a walk of %zu files  %8.1f ms\n", (size_t)(b->files / DATASETS), lap(&at));
}

/* Every file by processes of three jobs. */
static void read_files(struct bench *b)
{
	for (uint64_t i = 0; i < 3 * b->files; i++) {
		struct object what = file_of((unsigned)(i % DATASETS), i / DATASETS % (b->files / DATASETS));
		struct subject who = who_of((uint32_t)(i / b->files + JOBS * (i % 100)) % b->processes);

		must(model_set_file_read(b->m, &who, (unsigned)(i % DATASETS), &what), "file read");
	}
}

static void tell_access(struct bench *b, uint32_t i, uint64_t round)
{
	struct ledger_key key = {.who = who_of(i), .dataset = (uint16_t)(i % DATASETS), .kind = ACCESS_READ};
	struct ledger_val val = {round * 1000003, round * 11, 20, b->now, b->now};
	struct taint t = {.mask = 1ULL << i % DATASETS, .since_ns = b->now, .via = VIA_READ, .used = 1};

	must(model_set_taint(b->m, &key.who, &t), "taint");
	must(model_set_access(b->m, &key, &val), "access");
}

static void tell_edge(struct bench *b, uint32_t i, uint64_t pipe, uint32_t via, uint64_t round)
{
	struct edge_key key = {.who = who_of(i), .what = {.ino = pipe, .dev = 13}, .mask = 1ULL << pipe % DATASETS, .via = via};
	struct edge_val val = {round * 500009, round * 7, b->now, b->now};
	struct taint t = {.mask = key.mask, .since_ns = b->now, .via = VIA_PIPE_READ, .used = 1};

	if (via == VIA_PIPE_READ)
		must(model_set_taint(b->m, &key.who, &t), "taint");
	must(model_set_edge(b->m, &key, &val), "edge");
}

static void tell_flow(struct bench *b, uint32_t i, uint64_t round)
{
	struct flow f = {.id = i + 1, .who = who_of(i), .start_ns = b->now - NSEC, .last_ns = b->now, .queued_end = ~0ULL,
			 .rport = 443, .lport = (uint16_t)(i % 50000), .proto = IPPROTO_TCP, .role = ROLE_CONNECT, .state = 1,
			 .out = round * 20011, .mask = 1ULL << (i + DATASETS - 1) % DATASETS};
	struct flow_taint_key key = {f.id, f.mask};
	struct flow_taint val = {0, b->now};

	f.raddr[10] = f.raddr[11] = f.laddr[10] = f.laddr[11] = 0xff;
	inet_pton(AF_INET, i / 2 % 19 ? "10.0.7.7" : "203.0.113.9", f.raddr + 12);
	must(model_set_flow_taint(b->m, &key, &val), "flow taint");
	must(model_set_flow(b->m, &f), "flow");
}

/* Every other process is a worker of one further on, which has of that pipe's dataset. */
static void tell_all(struct bench *b, uint64_t round)
{
	model_begin_look(b->m);
	for (uint32_t i = 0; i + 1 < b->processes; i += 2) {
		uint32_t trainer = (i + DATASETS) % b->processes | 1;

		tell_access(b, i, round);
		tell_edge(b, i, i, VIA_PIPE_WRITE, round);
		tell_edge(b, trainer, i, VIA_PIPE_READ, round);
		tell_flow(b, i + 1, round);
	}
}

static int take(void *arg, const json_t *record)
{
	struct bench *b = arg;

	b->text.len = 0;
	b->records++;
	must(json_write(&b->text, record), "text");
	b->record_bytes += b->text.len;
	return pace_spent(&b->pace);
}

/* `budget_ns` of processor time for totals, 0: all of them. */
static void tick(struct bench *b, uint64_t round, uint64_t budget_ns)
{
	double at = cpu_ms(), told, judged, given;
	struct timespec wall = {1800000000 + (time_t)round, 0};

	b->now += NSEC;
	b->records = b->record_bytes = 0;
	model_set_clock(b->m, b->now, &wall);
	tell_all(b, round);
	told = lap(&at);
	must(rules_evaluate(b->m, b->now), "rules");
	judged = lap(&at);
	pace_begin(&b->pace, budget_ns);
	if (records_emit(b->m, b->now, &wall, false, take, b) < 0)
		errx(1, "records");
	given = lap(&at);
	printf("interval %llu: told %6.1f ms, judged %6.1f ms; %5zu records, %.1f MiB in %6.1f ms, %5llu wait, the oldest for "
	       "%4.1f s; %6.1f ms in all; %.1f MiB resident\n",
	       (unsigned long long)round, told, judged, b->records, (double)b->record_bytes / (1 << 20), given,
	       (unsigned long long)b->m->records_waiting, (double)b->m->records_lag_ns / 1e9, told + judged + given, rss_mib());
}

static void show(struct bench *b)
{
	static const char *const words[] = {"datasets", "jobs", "processes", "flows", "findings", "health"};
	struct timespec wall = {1800000100, 0};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		double at = cpu_ms();

		json_decref(snapshot(b->m, words[i], &wall));
		printf("show %-10s %8.1f ms\n", words[i], lap(&at));
	}
	double at = cpu_ms();
	json_decref(snapshot_unread(b->m, "a", NULL, &wall));
	printf("show unread     %8.1f ms\n", lap(&at));
}

/* What a watched document costs per interval: first the whole, then while all is busy, then while nothing is. */
static void watch(struct bench *b)
{
	static const char *const words[] = {"jobs", "processes", "destinations", "flows", "findings"};
	struct timespec wall = {1800000200, 0};
	struct json_text text = {.max = SIZE_MAX};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		struct watch_doc *d = watch_doc_new(words[i], 0, SIZE_MAX);

		printf("watch %-12s", words[i]);
		for (uint64_t round = 0; round < 3; round++) {
			if (round == 1) {
				b->now += NSEC;
				model_set_clock(b->m, b->now, &wall);
				tell_all(b, 1000 + i);
				must(rules_evaluate(b->m, b->now), "rules");
			}
			double at = cpu_ms();
			must(snapshot_watch(b->m, words[i], &wall, d), "watch");
			text.len = 0;
			must(watch_doc_write(d, round, &text), "line");
			printf(" %s %6.1f ms %7.1f KiB", round == 0 ? "whole" : round == 1 ? "busy" : "idle", lap(&at),
			       (double)text.len / 1024);
		}
		printf("\n");
		watch_doc_free(d);
	}
	free(text.data);
}

int main(int argc, char **argv)
{
	struct bench b = {.now = 5000 * NSEC, .text.max = SIZE_MAX, .processes = argc > 1 ? (uint32_t)atoi(argv[1]) : 10000,
			  .files = argc > 2 ? strtoull(argv[2], NULL, 10) : 200000};
	struct config_error why = {0};
	struct health health = {.backend = "tracepoint"};

	if (config_parse(policy, strlen(policy), "bench", false, &b.config, &why))
		errx(1, "%s", why.text);
	must(classes_build(b.config, NULL, NULL, 0, &b.classes), "classes");
	must(model_new(b.config, b.classes, &b.m), "model");
	model_set_health(b.m, &health);
	double before = rss_mib(), at = cpu_ms();
	introduce_all(&b);
	printf("%u processes met: %.1f ms, %.1f MiB\n", b.processes, lap(&at), rss_mib() - before);
	before = rss_mib();
	for (unsigned d = 0; d < DATASETS; d++)
		walk_one(&b, d);
	at = cpu_ms();
	read_files(&b);
	printf("%llu first reads of %llu files: %.1f ms, %.1f MiB with the list\n", (unsigned long long)(3 * b.files),
	       (unsigned long long)b.files, lap(&at), rss_mib() - before);
	printf("the same once all were read:\n");
	for (unsigned d = 0; d < DATASETS; d++)
		walk_one(&b, d);
	printf("every record that is due:\n");
	for (uint64_t round = 1; round <= TICKS; round++)
		tick(&b, round, 0);
	printf("paced, %d ms for records:\n", BUDGET_MS);
	for (uint64_t round = TICKS + 1; round <= 4 * TICKS; round++)
		tick(&b, round, BUDGET_MS * 1000000);
	show(&b);
	watch(&b);
	free(b.text.data);
	model_free(b.m);
	classes_free(b.classes);
	config_free(b.config);
	return 0;
}
