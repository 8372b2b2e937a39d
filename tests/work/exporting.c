/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The journal and its exporter without the rest of the monitor: writes records as fast as it is told and exports them meanwhile,
 * until it is killed or all has arrived. Then it prints one JSON object: how the exporter was, and what it cost.
 *   exporting dir=D state=S endpoint=URL [group=G] [records=N] [rate=PER_SECOND] [seconds=AT_MOST] [flush=MS] [settle=MS] [hurry=N]
 *             [long=BYTES] [max=BYTES]
 * long: one of the records is so long. max: of the journal.
 */
#include <math.h>
#include <string.h>
#include <sys/resource.h>

#include "user/curl_begin.h"
#include "user/export/exporter.h"
#include "user/export/journal.h"
#include "user/export/record_fields.h"

#define TICK_NS (NSEC / 20)

struct run {
	const char *dir, *state, *endpoint, *group;
	uint64_t records, rate, seconds, flush_ms, settle_ms, hurry, filling, max_size;
	struct journal *journal;
	struct exporter *exporter;
	uint64_t seq, worst_tick_ns, late_ticks;
	json_t *host;
	long rss_first; /* KiB, once all is at work */
};

static bool read_argument(struct run *r, const char *a)
{
	const struct {
		const char *name;
		const char **text;
		uint64_t *number;
	} all[] = {
	    {"dir=", &r->dir, NULL},	      {"state=", &r->state, NULL},	    {"endpoint=", &r->endpoint, NULL},
	    {"group=", &r->group, NULL},      {"records=", NULL, &r->records},	    {"rate=", NULL, &r->rate},
	    {"seconds=", NULL, &r->seconds},  {"flush=", NULL, &r->flush_ms},	    {"settle=", NULL, &r->settle_ms},
	    {"hurry=", NULL, &r->hurry},	    {"long=", NULL, &r->filling},	    {"max=", NULL, &r->max_size},
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		size_t n = strlen(all[i].name);

		if (strncmp(a, all[i].name, n))
			continue;
		if (all[i].text)
			*all[i].text = a + n;
		else
			*all[i].number = strtoull(a + n, NULL, 10);
		return true;
	}
	return false;
}

/* --- records -------------------------------------------------------------------------------------- */

static json_t *body_of(uint64_t seq)
{
	if (seq % 7 == 3)
		return json_pack("{s:s, s:{s:s}, s:i, s:i, s:[s]}", "job", "slurm:1.0", "remote", "class", "internet", "tainted_out", 53,
				 "bytes_out", 61, "datasets", "patients");
	if (seq % 101 == 5)
		return json_pack("{s:s, s:s, s:s, s:i, s:s}", "id", "f-1", "severity", seq % 3 ? "high" : "low", "dataset", "patients",
				 "leak_bound", 4099, "title", "tagged bytes \xe2\x80\xa6 \"left\"\n");
	return json_pack("{s:s, s:s, s:{s:i, s:n}, s:s}", "job", "slurm:1.0", "dataset", "patients", "bytes", "read", 101, "mmap", "exe",
			 "/usr/bin/python3 \xc3\xbc\\");
}

static json_t *long_body(uint64_t n)
{
	char *text = malloc(n + 1);

	if (!text)
		abort();
	memset(text, 'x', n);
	text[n] = '\0';
	json_t *o = json_pack("{s:s}", "filling", text);
	free(text);
	return o;
}

static const char *type_of(uint64_t seq)
{
	return seq % 7 == 3 ? "flow" : seq % 101 == 5 ? "finding" : "access";
}

static int put(struct run *r, const char *type, const json_t *members)
{
	struct timespec wall;

	clock_gettime(CLOCK_REALTIME, &wall);
	json_t *record = record_frame(type, json_time(&wall), r->seq + 1, json_incref(r->host));
	if (!record || json_object_update(record, (json_t *)(uintptr_t)members))
		abort();
	int got = journal_put(r->journal, record, NULL, NULL);
	json_decref(record);
	r->seq += got >= 0;
	return got;
}

static void put_notes(struct run *r)
{
	const json_t *members;
	const char *type;

	while ((members = journal_note(r->journal, &type)) && put(r, type, members) >= 0)
		journal_noted(r->journal);
}

static void tick(struct run *r)
{
	uint64_t before = now_boot_ns();
	struct timespec wall;

	clock_gettime(CLOCK_REALTIME, &wall);
	journal_tick(r->journal, &wall, before);
	put_notes(r);
	exporter_poke(r->exporter, r->seq);
	r->worst_tick_ns = MAX(r->worst_tick_ns, now_boot_ns() - before);
	r->late_ticks += now_boot_ns() - before > TICK_NS;
}

/* --- the run ---------------------------------------------------------------------------------------- */

static long rss_kib(void)
{
	long pages = 0, all;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f && fscanf(f, "%ld %ld", &all, &pages) != 2)
		pages = 0;
	if (f)
		fclose(f);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void pause_until(uint64_t boot_ns)
{
	uint64_t now = now_boot_ns(), left = boot_ns > now ? boot_ns - now : 0;
	struct timespec t = {(time_t)(left / NSEC), (long)(left % NSEC)};

	nanosleep(&t, NULL);
}

static bool all_arrived(struct run *r)
{
	struct exporter_told t;

	exporter_look(r->exporter, &t);
	return exporter_idle(r->exporter) && t.lag_known && !t.lag_records && t.state == EXPORT_GOOD;
}

static bool work(struct run *r)
{
	uint64_t began = now_boot_ns(), end = began + r->seconds * NSEC, written = 0;

	for (uint64_t due = began;; due += TICK_NS) {
		uint64_t now = now_boot_ns(), want = r->rate ? MIN((now - began) * r->rate / NSEC, r->records) : r->records;

		if (written == r->records && all_arrived(r))
			return true;
		while (written < want) {
			json_t *members = written == 7 && r->filling ? long_body(r->filling) : body_of(r->seq + 1);
			int got = put(r, type_of(r->seq + 1), members);

			json_decref(members);
			if (got < 0)
				break;
			written++;
			if (got)
				break;
		}
		tick(r);
		if (!r->rss_first && now - began > NSEC)
			r->rss_first = rss_kib();
		if (now > end)
			return false;
		pause_until(due);
	}
}

static int begin(struct run *r)
{
	struct journal_options j = {.dir = r->dir, .state = r->state, .host = "gpu-7", .max_size = r->max_size,
				    .retain_ns = 30 * 86400 * NSEC};
	struct exporter_options x = {.journal_dir = r->dir, .state_dir = r->state, .socket = "/run/t.sock", .log_group = r->group,
				     .metric_namespace = "Sluice", .endpoint = r->endpoint, .retain_days = 30,
				     .instance_id = "i-0abc", .flush_ns = r->flush_ms * 1000000, .settle_ns = r->settle_ms * 1000000,
				     .hurry = (unsigned)r->hurry};
	struct journal_error why = {};
	struct timespec wall;

	clock_gettime(CLOCK_REALTIME, &wall);
	int err = curl_begin();
	if (!err)
		err = journal_open(&j, &wall, now_boot_ns(), &r->journal, &why);
	if (err) {
		fprintf(stderr, "exporting: %s: %s\n", strerror(-err), why.text);
		return err;
	}
	r->seq = journal_seq(r->journal);
	r->host = json_pack("{s:s, s:s}", "name", "gpu-7", "boot_id", "b");
	return exporter_start(&x, &r->exporter);
}

int main(int argc, char **argv)
{
	struct run r = {.group = "/sluice/{instance_id}", .seconds = 60, .flush_ms = 50, .settle_ms = 20, .hurry = 100,
			.max_size = 1 << 30};
	struct exporter_told told;
	struct timespec wall;

	for (int i = 1; i < argc; i++) {
		if (!read_argument(&r, argv[i])) {
			fprintf(stderr, "exporting: %s: no such argument\n", argv[i]);
			return 2;
		}
	}
	if (!r.dir || !r.state || !r.endpoint || begin(&r))
		return 2;
	bool all = work(&r);
	long rss = rss_kib();
	clock_gettime(CLOCK_REALTIME, &wall);
	journal_end(r.journal, &wall);
	put_notes(&r);
	int err = journal_close(r.journal, 5000);
	exporter_poke(r.exporter, r.seq);
	bool ended = exporter_stop(r.exporter, all ? 5 * NSEC : NSEC / 10, &told);
	json_t *o = json_pack("{s:b, s:b, s:i, s:I, s:I, s:I, s:I, s:I, s:o}", "all", all, "ended", ended, "journal", err, "seq",
			      (json_int_t)r.seq, "rss_first", (json_int_t)r.rss_first, "rss", (json_int_t)rss, "worst_tick_us",
			      (json_int_t)(r.worst_tick_ns / 1000), "late_ticks", (json_int_t)r.late_ticks, "exporter", json_exporter(&told));
	json_dumpf(o, stdout, JSON_COMPACT);
	printf("\n");
	json_decref(o);
	json_decref(r.host);
	return all && ended && !err ? 0 : 1;
}
