/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Records as the contract has them, whose sums are totals whatever the sink does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "tests/unit/record_fixture.h"

/* --- one by one ---------------------------------------------------------- */

static void test_access(void **state)
{
	struct fixture t;
	struct taker to;

	begin(&t, &to);
	introduce_as(&t, process(10), process(9), "python3", "/usr/bin/python3.11", "slurm:4242.0",
		     1000);
	reads(&t, 10, 0, 5000);
	assert_int_equal(tick(&t, &to), 1);
	const json_t *r = last_of(&to, "access");
	assert_fields(
	    r, FIELDS("job", "process", "dataset", "tags", "bytes", "ops", "files", "exact", "job_labels"));
	assert_int_equal(number(r, "v", NULL), 1);
	assert_int_equal(number(r, "seq", NULL), 1);
	assert_string_equal(text(r, "time", NULL), "2027-01-15T08:00:01.250Z");
	assert_string_equal(text(r, "host", "name"), "gpu-7");
	assert_string_equal(text(r, "host", "boot_id"), "0a1b");
	assert_null_at(r, "host", "instance_id");
	assert_string_equal(text(r, "job", NULL), "slurm:4242.0");
	assert_int_equal(number(r, "process", "pid"), 10);
	assert_string_equal(text(r, "process", "start"),
			    "2027-01-15T07:43:20.000Z"); /* 1000 s before the clock was set */
	assert_string_equal(text(r, "process", "exe"), "/usr/bin/python3.11");
	assert_string_equal(text(r, "process", "comm"), "python3");
	assert_int_equal(number(r, "process", "uid"), 1000);
	assert_int_equal(number(json_object_get(r, "process"), "parent", "pid"), 9);
	assert_string_equal(text(r, "dataset", NULL), "patients");
	assert_string_equal(text(r, "tags", "DataType"), "PII");
	assert_string_equal(text(r, "tags", "Owner"), "radiology");
	assert_int_equal(number(r, "bytes", "read"), 5000);
	assert_int_equal(number(r, "bytes", "mmap"), 0);
	assert_int_equal(number(r, "ops", NULL), 2);
	assert_int_equal(number(r, "files", NULL), 1);
	assert_true(json_is_true(json_object_get(r, "exact")));

	/* Nothing new, no record; then what was added. */
	assert_int_equal(tick(&t, &to), 0);
	reads(&t, 10, 0, 5500);
	reads_kind(&t, process(10), 0, ACCESS_MMAP, 4096);
	assert_int_equal(tick(&t, &to), 1);
	r = last_of(&to, "access");
	assert_int_equal(number(r, "bytes", "read"), 500);
	assert_int_equal(number(r, "bytes", "mmap"), 4096);
	assert_true(json_is_false(json_object_get(r, "exact")));
	end(&t, &to);
}

static void test_exporter(void **state)
{
	struct fixture t;
	struct taker to;
	struct exporter_told told = {.state = EXPORT_FAILING, .why = "no \"answer\"", .group = "/sluice/i-1", .lag_known = true,
				     .lag_records = 61, .sent = 53, .dropped = {[EXPORT_GONE] = 7}, .credentials = "profile",
				     .credentials_end = 1800000000};

	begin(&t, &to);
	model_set_health(t.m, &(struct health){.cpu_share = NAN});
	model_set_exporter(t.m, &told);
	tick(&t, &to);
	const json_t *e = json_object_get(last_of(&to, "health"), "exporter");
	assert_string_equal(text(e, "state", NULL), "failing");
	assert_string_equal(text(e, "why", NULL), "no \"answer\"");
	assert_null_at(e, "last_error", NULL);
	assert_null_at(e, "log_stream", NULL);
	assert_int_equal(number(e, "lag_records", NULL), 61);
	assert_null_at(e, "lag_ms", NULL);
	assert_int_equal(number(e, "sent", NULL), 53);
	assert_int_equal(number(e, "dropped", "gone"), 7);
	assert_string_equal(text(e, "credentials", "source"), "profile");
	assert_string_equal(text(e, "credentials", "expire"), "2027-01-15T08:00:00.000Z");
	end(&t, &to);
}

static void test_hub(void **state)
{
	struct fixture t;
	struct taker to;
	struct hub_told told = {.state = HUB_NOT_ENABLED, .why = "enable it", .imported = 3, .updated = 5, .refused = 7, .missed = 11,
				.waiting = 13, .last_ns = 1800000000500000000};

	begin(&t, &to);
	model_set_health(t.m, &(struct health){.cpu_share = NAN});
	tick(&t, &to);
	assert_null_at(last_of(&to, "health"), "security_hub", NULL);
	model_set_hub(t.m, &told);
	t.now += 10 * NSEC;
	tick(&t, &to);
	const json_t *h = json_object_get(last_of(&to, "health"), "security_hub");
	assert_string_equal(text(h, "state", NULL), "not_enabled");
	assert_string_equal(text(h, "why", NULL), "enable it");
	assert_int_equal(number(h, "imported", NULL), 3);
	assert_int_equal(number(h, "updated", NULL), 5);
	assert_int_equal(number(h, "refused", NULL), 7);
	assert_int_equal(number(h, "missed", NULL), 11);
	assert_int_equal(number(h, "waiting", NULL), 13);
	assert_string_equal(text(h, "last", NULL), "2027-01-15T08:00:00.500Z");
	end(&t, &to);
}

/* What is not known is null, never 0. */
static void test_unknown(void **state)
{
	static const char *const gaps[] = {"read.mmap: no hook", NULL};
	struct fixture t;
	struct taker to;
	struct health h = {.gaps = gaps, .cpu_share = NAN};

	begin(&t, &to);
	model_set_health(t.m, &h);
	reads(&t, 10, 0, 5000);
	tick(&t, &to);
	const json_t *r = last_of(&to, "access");
	assert_null_at(r, "bytes", "mmap");
	assert_null_at(r, "job", NULL);
	assert_null_at(r, "process", "exe");
	assert_null_at(r, "process", "comm");
	assert_null_at(r, "process", "uid");
	assert_null_at(r, "process", "parent");
	r = last_of(&to, "health");
	assert_null_at(r, "backend", NULL);
	assert_null_at(r, "cpu", NULL);
	assert_null_at(r, "memory", "rss");
	assert_null_at(r, "exporter", NULL);
	end(&t, &to);
}

static void test_overflow(void **state)
{
	struct fixture t;
	struct taker to;
	struct overflow_key key = {.cgroup = 5, .dataset = 0, .kind = ACCESS_READ};

	begin(&t, &to);
	assert_int_equal(model_set_overflow(t.m, &key, &(struct overflow_val){700, 3}), 0);
	assert_int_equal(tick(&t, &to), 1);
	const json_t *r = last_of(&to, "access");
	assert_null_at(r, "process", NULL);
	assert_null_at(r, "job", NULL);
	assert_null_at(r, "files", NULL);
	assert_true(json_is_true(json_object_get(r, "overflow")));
	assert_int_equal(number(r, "bytes", "read"), 700);
	assert_int_equal(model_set_overflow(t.m, &key, &(struct overflow_val){750, 4}), 0);
	tick(&t, &to);
	assert_int_equal(sum_of(&to, "access", "bytes", "read"), 750);
	assert_int_equal(sum_of(&to, "access", "ops", NULL), 4);
	end(&t, &to);
}

/* Who sent to very many ends is known, where to is not; of what had no record at all nothing is but its size. */
static void test_flow_overflow(void **state)
{
	struct fixture t;
	struct taker to;

	begin(&t, &to);
	introduce(&t, 10, "python3", "slurm:1");
	struct flow f = flow_to(&t, 7, 10, "::", 0);
	f.role = ROLE_MANY;
	f.proto = IPPROTO_UDP;
	sends(&t, &f, 71, 3);
	tick(&t, &to);
	const json_t *r = last_of(&to, "flow");
	assert_true(json_is_true(json_object_get(r, "overflow")));
	assert_int_equal(number(r, "process", "pid"), 10);
	assert_null_at(r, "remote", "addr");
	assert_null_at(r, "remote", "port");
	assert_string_equal(text(r, "remote", "class"), "unknown");
	assert_int_equal(number(r, "bytes_out", NULL), 71);
	assert_int_equal(model_set_flow_overflow(t.m, 1009, 11, 0, t.now), 0);
	tick(&t, &to);
	r = last_of(&to, "flow");
	assert_true(json_is_true(json_object_get(r, "overflow")));
	assert_null_at(r, "process", NULL);
	assert_null_at(r, "remote", NULL);
	assert_null_at(r, "local", NULL);
	assert_null_at(r, "proto", NULL);
	assert_int_equal(number(r, "bytes_out", NULL), 1009);
	assert_int_equal(model_set_flow_overflow(t.m, 1013, 11, 0, t.now), 0);
	tick(&t, &to);
	assert_int_equal(sum_of(&to, "flow", "bytes_out", NULL), 71 + 1013);
	end(&t, &to);
}

static void test_flow_and_finding(void **state)
{
	struct fixture t;
	struct taker to;

	begin(&t, &to);
	introduce(&t, 10, "python3", "slurm:1");
	reads(&t, 10, 0, 1000);
	struct flow f = flow_to(&t, 7, 10, OUTSIDE, 443);
	sends(&t, &f, 50, 20);
	flow_tainted_by(&t, &f, 1, 50);
	sends(&t, &f, 90, 25);
	tick(&t, &to);
	const json_t *r = last_of(&to, "flow");
	assert_fields(r, FIELDS("process", "job", "proto", "direction", "local", "remote", "bytes_out",
				"bytes_in", "tainted_out", "datasets", "encrypted", "starttls", "allowed", "job_labels"));
	assert_string_equal(text(r, "proto", NULL), "tcp");
	assert_string_equal(text(r, "direction", NULL), "out");
	assert_string_equal(text(r, "local", "addr"), "10.0.0.5");
	assert_int_equal(number(r, "local", "port"), 40007);
	assert_string_equal(text(r, "remote", "addr"), OUTSIDE);
	assert_string_equal(text(r, "remote", "class"), "internet");
	assert_null_at(r, "remote", "name");
	assert_null_at(r, "remote", "name_source");
	assert_null_at(r, "remote", "bucket");
	assert_null_at(r, "encrypted", NULL);
	assert_int_equal(number(r, "bytes_out", NULL), 90);
	assert_int_equal(number(r, "bytes_in", NULL), 25);
	assert_int_equal(number(r, "tainted_out", NULL), 40);
	assert_string_equal(json_string_value(json_array_get(json_object_get(r, "datasets"), 0)),
			    "patients");

	r = last_of(&to, "finding");
	assert_fields(r, FIELDS("id", "rule", "severity", "title", "dataset", "leak_bound",
				"exposed", "process", "job", "remote", "chain", "coverage", "mitre",
				"first", "last", "count", "action", "job_labels", "ml_reason"));
	assert_string_equal(text(r, "rule", NULL), "exfil.volume");
	assert_string_equal(text(r, "severity", NULL), "info");
	assert_int_equal(number(r, "leak_bound", NULL), 40);
	assert_int_equal(number(r, "exposed", NULL), 1000);
	assert_int_equal(number(r, "process", "pid"), 10);
	assert_string_equal(text(r, "remote", "class"), "internet");
	assert_string_equal(text(r, "action", NULL), "alerted");
	assert_string_equal(text(r, "first", NULL), "2027-01-15T08:00:01.000Z");
	assert_int_equal(json_array_size(json_object_get(r, "mitre")), 2);
	const json_t *hop = json_array_get(json_object_get(r, "chain"), 1);
	assert_string_equal(text(hop, "from", NULL), "process python3[10]");
	assert_string_equal(text(hop, "to", NULL), "203.0.113.9:443");
	assert_string_equal(text(hop, "via", NULL), "tcp");
	assert_int_equal(number(hop, "bytes", NULL), 40);
	assert_string_equal(text(hop, "time", NULL), "2027-01-15T08:00:00.000Z");
	assert_int_equal(count_of(&to, "finding"), 1);

	/* It grows: given again, with totals so far; the flow gives what was added. */
	sends(&t, &f, 100, 25);
	tick(&t, &to);
	assert_int_equal(count_of(&to, "finding"), 2);
	assert_int_equal(number(last_of(&to, "finding"), "leak_bound", NULL), 50);
	assert_int_equal(number(last_of(&to, "finding"), "count", NULL), 2);
	assert_int_equal(sum_of(&to, "flow", "bytes_out", NULL), 100);
	assert_int_equal(sum_of(&to, "flow", "bytes_in", NULL), 25);
	assert_int_equal(sum_of(&to, "flow", "tainted_out", NULL), 50);
	for (int i = 0; i < 5; i++)
		tick(&t, &to);
	assert_int_equal(count_of(&to, "finding"), 2);
	assert_int_equal(count_of(&to, "flow"), 2);
	end(&t, &to);
}

/* A flow that sent nothing is told once: a destination is news. An unexpected one has no bound. */
static void test_empty_flow(void **state)
{
	struct fixture t;
	struct taker to = {.all = json_array()};

	fixture_begin(&t, "jobs: ['slurm:*']\n");
	introduce(&t, 10, "python3", "slurm:1");
	struct flow f = flow_to(&t, 7, 10, OUTSIDE, 443);
	sends(&t, &f, 0, 0);
	for (int i = 0; i < 3; i++)
		tick(&t, &to);
	assert_int_equal(count_of(&to, "flow"), 1);
	assert_int_equal(json_array_size(json_object_get(last_of(&to, "flow"), "datasets")), 0);
	const json_t *r = last_of(&to, "finding");
	assert_string_equal(text(r, "rule", NULL), "egress.unexpected");
	assert_null_at(r, "leak_bound", NULL);
	assert_null_at(r, "exposed", NULL);
	assert_null_at(r, "dataset", NULL);
	end(&t, &to);
}

static void test_transfers(void **state)
{
	struct fixture t;
	struct taker to;

	begin(&t, &to);
	introduce(&t, 10, "python3", "slurm:1");
	introduce(&t, 11, "curl", "slurm:1");
	reads(&t, 10, 0, 1000);
	born(&t, process(10), process(12), 1, VIA_FORK);
	moves(&t, 10, 77, VIA_PIPE_WRITE, 3, 60);
	moves(&t, 11, 77, VIA_PIPE_READ, 3, 50);
	tick(&t, &to);
	assert_int_equal(count_of(&to, "transfer"), 3);
	size_t i;
	json_t *r;
	json_array_foreach (to.all, i, r) {
		if (strcmp(text(r, "type", NULL), "transfer"))
			continue;
		assert_fields(r, FIELDS("from", "to", "via", "bytes", "datasets", "declared"));
		const char *via = text(r, "via", NULL);
		const json_t *from = json_object_get(r, "from"), *dest = json_object_get(r, "to");
		if (!strcmp(via, "fork")) {
			assert_int_equal(number(from, "process", "pid"), 10);
			assert_int_equal(number(dest, "process", "pid"), 12);
			assert_null_at(r, "bytes", NULL);
		} else if (!strcmp(via, "pipe_write")) {
			assert_int_equal(number(from, "process", "pid"), 10);
			assert_string_equal(text(dest, "object", "name"), "pipe:[77]");
			assert_int_equal(number(r, "bytes", NULL), 60);
			assert_int_equal(json_array_size(json_object_get(r, "datasets")), 2);
		} else {
			assert_string_equal(via, "pipe_read");
			assert_int_equal(number(dest, "process", "pid"), 11);
			assert_int_equal(number(r, "bytes", NULL), 50);
		}
	}
	moves(&t, 11, 77, VIA_PIPE_READ, 3, 55);
	tick(&t, &to);
	assert_int_equal(count_of(&to, "transfer"), 4);
	assert_int_equal(number(last_of(&to, "transfer"), "bytes", NULL), 5);
	end(&t, &to);
}

static void test_transfers_by_files_and_memory(void **state)
{
	struct fixture t;
	struct taker to;

	begin(&t, &to);
	introduce(&t, 10, "python3", "slurm:1");
	introduce(&t, 11, "cp", "slurm:1");
	reads(&t, 10, 0, 1000);
	files(&t, 10, 5, VIA_FILE_WRITE, 1, 60);
	struct edge_key key = file_key(10, 5, VIA_FILE_WRITE, 1);
	assert_int_equal(model_name_object(t.m, &key.what, "/srv/\033x", true), 0);
	tick(&t, &to);
	const json_t *r = last_of(&to, "transfer"), *end_of;
	assert_string_equal(text(r, "via", NULL), "file_write");
	assert_int_equal(number(r, "bytes", NULL), 60);
	assert_int_equal(number(json_object_get(r, "from"), "process", "pid"), 10);
	end_of = json_object_get(json_object_get(r, "to"), "object");
	assert_int_equal(json_object_size(end_of), 5); /* and gen */
	assert_string_equal(text(end_of, "kind", NULL), "file");
	assert_string_equal(text(end_of, "path", NULL), "/srv/?x");
	assert_int_equal(number(end_of, "ino", NULL), 5);
	assert_int_equal(number(end_of, "dev", NULL), 8 << 20 | 1);

	files(&t, 11, 6, VIA_FILE_READ, 1, 50);
	tick(&t, &to);
	r = last_of(&to, "transfer");
	assert_string_equal(text(r, "via", NULL), "file_read");
	assert_int_equal(number(json_object_get(r, "to"), "process", "pid"), 11);
	assert_null_at(json_object_get(json_object_get(r, "from"), "object"), "path", NULL);

	looks(&t, 11, 10, 1);
	tick(&t, &to);
	r = last_of(&to, "transfer");
	assert_string_equal(text(r, "via", NULL), "peek");
	assert_int_equal(number(json_object_get(r, "from"), "process", "pid"), 10);
	assert_int_equal(number(json_object_get(r, "to"), "process", "pid"), 11);
	assert_null_at(r, "bytes", NULL);

	files(&t, 10, 7, VIA_DUMP, 1, 1);
	tick(&t, &to);
	r = last_of(&to, "transfer");
	assert_string_equal(text(r, "via", NULL), "core_dump");
	assert_null_at(r, "bytes", NULL);
	assert_null_at(json_object_get(json_object_get(r, "to"), "object"), "kind", NULL);
	assert_int_equal(count_of(&to, "transfer"), 4);
	tick(&t, &to);
	assert_int_equal(count_of(&to, "transfer"), 4);
	end(&t, &to);
}

/* Every kind but what was really read is an upper bound. */
static void test_bounds_are_not_exact(void **state)
{
	struct fixture t;
	struct taker to;

	for (unsigned k = ACCESS_READ; k < ACCESS_KINDS; k++) {
		begin(&t, &to);
		introduce(&t, 10, "python3", "slurm:1");
		reads_kind(&t, process(10), 0, (enum access_kind)k, 4099);
		tick(&t, &to);
		const json_t *r = last_of(&to, "access");
		assert_int_equal(number(r, "bytes", access_name((enum access_kind)k)), 4099);
		assert_int_equal(json_is_true(json_object_get(r, "exact")), k == ACCESS_READ);
		end(&t, &to);
	}
}

/* A read that went uncounted may be anybody's: of that interval and the next, in which it may have ended. */
static void test_nothing_is_exact_where_reads_were_missed(void **state)
{
	static const bool exact[] = {true, false, false, true};
	struct health h = {.nprograms = 2,
			   .programs = {{.name = "on_fork", .facts = "taint.fork", .misses = 3, .misses_known = true},
					{.name = "a_read", .facts = "seed.files, read.read", .misses_known = true}}};
	struct fixture t;
	struct taker to;

	begin(&t, &to);
	introduce(&t, 10, "python3", "slurm:1");
	for (unsigned i = 0; i < ARRAY_SIZE(exact); i++) {
		reads(&t, 10, 0, 1009 * (i + 1));
		h.programs[1].misses = i > 0;
		model_set_clock(t.m, t.now + NSEC, &(struct timespec){1800000001 + i, 0});
		model_set_health(t.m, &h);
		tick(&t, &to);
		assert_int_equal(json_is_true(json_object_get(last_of(&to, "access"), "exact")), exact[i]);
	}
	end(&t, &to);
}

static void test_health(void **state)
{
	static const char *const owners[] = {"read.read=on_sys_exit", NULL};
	static const char *const gaps[] = {"taint.unix: no", NULL};
	struct fixture t;
	struct taker to;
	static const char *const limits[] = {"read.read: not all", NULL};
	struct health h = {.backend = "tracepoint",
			   .owners = owners,
			   .gaps = gaps,
			   .limits = limits,
			   .nprograms = 2,
			   .programs = {{.name = "a_read", .misses_known = true, .misses = 3},
					{.name = "a_readv", .runs_known = true, .runs = 11}},
			   .cpu_share = 0.004,
			   .rss_bytes = 9000,
			   .map_bytes = 8000,
			   .nfill = 1,
			   .fill = {{"ledger", 5, 65536}}};

	begin(&t, &to);
	assert_int_equal(tick(&t, &to), 0); /* nothing known yet */
	model_set_health(t.m, &h);
	tick(&t, &to);
	const json_t *r = last_of(&to, "health");
	assert_fields(r, FIELDS("backend", "owners", "gaps", "limits", "programs", "losses", "maps", "cpu", "memory",
				"model", "tainted", "channels", "trusted", "vpc", "aws_ranges", "names", "credentials", "late_ms",
				"records_waiting", "records_lag_ms", "journal",
				"exporter", "security_hub"));
	assert_string_equal(text(r, "backend", NULL), "tracepoint");
	assert_int_equal(number(r, "losses", "ring_full"), 0);
	assert_int_equal(json_object_size(json_object_get(r, "losses")), LOSS_KINDS);
	assert_int_equal(number(r, "memory", "rss"), 9000);
	assert_int_equal(json_array_size(json_object_get(r, "limits")), 1);
	const json_t *programs = json_object_get(r, "programs");
	assert_int_equal(number(json_array_get(programs, 0), "recursion_misses", NULL), 3);
	assert_true(json_is_null(json_object_get(json_array_get(programs, 0), "runs")));
	assert_int_equal(number(json_array_get(programs, 1), "runs", NULL), 11);
	assert_true(json_is_null(json_object_get(json_array_get(programs, 1), "recursion_misses")));
	assert_int_equal(number(json_array_get(json_object_get(r, "maps"), 0), "entries", NULL), 5);
	/* At most every ten seconds, */
	for (int i = 0; i < 9; i++)
		tick(&t, &to);
	assert_int_equal(count_of(&to, "health"), 1);
	tick(&t, &to);
	assert_int_equal(count_of(&to, "health"), 2);
	/* unless something is lost, or a gap opens, */
	h.losses[LOSS_RING_FULL] = 3;
	model_set_health(t.m, &h);
	tick(&t, &to);
	assert_int_equal(number(last_of(&to, "health"), "losses", "ring_full"), 3);
	h.gaps = NULL;
	model_set_health(t.m, &h);
	tick(&t, &to);
	assert_int_equal(count_of(&to, "health"), 4);
	tick(&t, &to);
	assert_int_equal(count_of(&to, "health"), 4);
	/* and at the end. */
	emit(&t, &to, true);
	assert_int_equal(count_of(&to, "health"), 5);
	end(&t, &to);
}

/* Service and region in flows and findings, by whatever table is in force; and how old that is. */
static void test_aws_ranges(void **state)
{
	struct fixture t;
	struct taker to;

	begin(&t, &to);
	introduce(&t, 10, "python3", "slurm:4242.0");
	reads(&t, 10, 0, 5000);
	struct flow f = flow_to(&t, 7, 10, "203.0.113.9", 443);
	flow_tainted_by(&t, &f, 1, 0);
	sends(&t, &f, 3000, 0);
	model_set_health(t.m, &(struct health){.cpu_share = NAN});
	tick(&t, &to);
	assert_string_equal(text(last_of(&to, "flow"), "remote", "class"), "internet");
	assert_null_at(last_of(&to, "health"), "aws_ranges", NULL);
	fixture_ranges(&t, RANGE("203.0.113.0/24", "AMAZON") "," RANGE("203.0.113.0/24", "S3"));
	sends(&t, &f, 4000, 0);
	tick(&t, &to);
	assert_string_equal(text(last_of(&to, "flow"), "remote", "class"), "aws:S3:eu-west-1");
	assert_string_equal(text(last_of(&to, "finding"), "remote", "class"), "aws:S3:eu-west-1");
	emit(&t, &to, true);
	assert_string_equal(text(last_of(&to, "health"), "aws_ranges", "file"), "ranges.json");
	assert_string_equal(text(last_of(&to, "health"), "aws_ranges", "created"), "2026-08-22T21:17:05.000Z");
	assert_int_equal(number(last_of(&to, "health"), "aws_ranges", "prefixes"), 1);
	/* The table before is gone: nothing may point into it. */
	fixture_ranges(&t, RANGE("203.0.113.0/24", "KMS"));
	sends(&t, &f, 5000, 0);
	tick(&t, &to);
	assert_string_equal(text(last_of(&to, "flow"), "remote", "class"), "aws:KMS:eu-west-1");
	end(&t, &to);
}

static void test_policy(void **state)
{
	struct fixture t;
	struct taker to;

	begin(&t, &to);
	assert_int_equal(records_policy(t.m, &(struct timespec){1800000000, 0}, take, &to), 0);
	const json_t *r = last_of(&to, "policy");
	assert_fields(r, FIELDS("digest", "file", "datasets", "inactive"));
	assert_string_equal(text(r, "digest", NULL), t.config->digest);
	assert_string_equal(text(r, "file", NULL), "test.yaml");
	assert_int_equal(json_array_size(json_object_get(r, "datasets")), 2);
	to.fail = 1;
	assert_int_equal(records_policy(t.m, &(struct timespec){1800000000, 0}, take, &to),
			 -ENOSPC);
	end(&t, &to);
}

/* The end gives what would have waited for the name of the sender. */
static void test_final(void **state)
{
	struct fixture t;
	struct taker to;

	begin(&t, &to);
	reads(&t, 10, 0, 1000);
	struct flow f = flow_to(&t, 7, 10, OUTSIDE, 443);
	flow_tainted_by(&t, &f, 1, 0);
	sends(&t, &f, 90, 25);
	t.now += NSEC;
	assert_int_equal(rules_evaluate(t.m, t.now), 0);
	assert_true(emit(&t, &to, true) > 0);
	assert_int_equal(count_of(&to, "finding"), 1);
	end(&t, &to);
}

/* --- sums ---------------------------------------------------------------- */

/* Whatever fails and whatever is settled, closed, folded, merged or forgotten: the sums are the
 * totals. */
static void sums_with(unsigned fail)
{
	struct fixture t;
	struct taker to;
	uint64_t read = 0, sent = 0, moved = 0;

	begin(&t, &to);
	to.fail = fail;
	t.m->merge_above = fail % 2 ? 0 : MODEL_MERGE_ABOVE;
	for (uint32_t round = 0; round < 300; round++) {
		uint32_t pid = 10 + round;
		struct subject who = process(pid);
		struct ledger_key key = {.who = who, .dataset = 0, .kind = ACCESS_READ};
		struct edge_key edge = {.who = who,
					.what = {.ino = round, .dev = 13},
					.mask = 1,
					.via = VIA_PIPE_WRITE};
		struct flow f = flow_to(&t, 1 + round, pid, round % 3 ? OUTSIDE : "10.0.1.1", 443);

		introduce(&t, pid, "w", round % 2 ? "slurm:1" : "slurm:2");
		reads(&t, pid, 0, 100 + round);
		moves(&t, pid, round, VIA_PIPE_WRITE, 1, 7);
		flow_tainted_by(&t, &f, 1, 0);
		sends(&t, &f, 11, 3);
		tick(&t, &to);
		reads(&t, pid, 0, 150 + round);
		f.closed = 1;
		sends(&t, &f, 17, 3);
		assert_int_equal(model_settle_access(t.m, &key), 0);
		assert_int_equal(model_settle_edge(t.m, &edge), 0);
		model_set_exit(t.m, &who, t.now);
		read += 150 + round;
		sent += 17;
		moved += 7;
	}
	for (int i = 0; i < 20; i++) {
		t.now += 20 * NSEC;
		tick(&t, &to);
	}
	to.fail = 0;
	assert_true(emit(&t, &to, true) >= 0);
	assert_int_equal(sum_of(&to, "access", "bytes", "read"), read);
	assert_int_equal(sum_of(&to, "flow", "bytes_out", NULL), sent);
	assert_int_equal(sum_of(&to, "flow", "tainted_out", NULL), sent);
	assert_int_equal(sum_of(&to, "transfer", "bytes", NULL), moved);
	if (t.m->merge_above == 0)
		assert_true(t.m->nsubjects < 20);

	/* One sequence without holes, also over failures. */
	size_t i;
	json_t *r;
	json_array_foreach (to.all, i, r)
		assert_int_equal(number(r, "seq", NULL), i + 1);
	end(&t, &to);
}

static void test_sums(void **state)
{
	sums_with(0);
	sums_with(2);
	sums_with(3);
	sums_with(7);
	sums_with(10);
}

/* What left by connections long closed and told still counts. */
static void test_closed_flows_count(void **state)
{
	struct fixture t;
	struct taker to;

	begin(&t, &to);
	introduce(&t, 10, "python3", "slurm:1");
	reads(&t, 10, 0, 1000);
	struct flow f = flow_to(&t, 7, 10, OUTSIDE, 443);
	flow_tainted_by(&t, &f, 1, 0);
	f.closed = 1;
	sends(&t, &f, 500, 25);
	for (int i = 0; i < 10; i++) {
		t.now += 30 * NSEC;
		tick(&t, &to);
	}
	assert_true(t.m->first_flow->folded);
	f = flow_to(&t, 8, 10, OUTSIDE, 443);
	flow_tainted_by(&t, &f, 1, 0);
	sends(&t, &f, 100, 0);
	tick(&t, &to);
	assert_int_equal(number(last_of(&to, "finding"), "leak_bound", NULL), 600);
	assert_int_equal(number(last_of(&to, "finding"), "count", NULL), 2);
	assert_int_equal(sum_of(&to, "flow", "tainted_out", NULL), 600);
	end(&t, &to);
}

static void test_failing_sink(void **state)
{
	struct fixture t;
	struct taker to;

	begin(&t, &to);
	reads(&t, 10, 0, 1000);
	to.fail = 1;
	assert_int_equal(tick(&t, &to), -ENOSPC);
	reads(&t, 10, 0, 1500);
	assert_int_equal(tick(&t, &to), -ENOSPC);
	assert_int_equal(json_array_size(to.all), 0);
	to.fail = 0;
	assert_int_equal(tick(&t, &to), 1);
	assert_int_equal(number(last_of(&to, "access"), "bytes", "read"), 1500);
	assert_int_equal(number(last_of(&to, "access"), "seq", NULL), 1);
	end(&t, &to);
}

/* The clock steps: a process keeps its start, so that records of one process can be joined. */
static void test_clock_step(void **state)
{
	struct fixture t;
	struct taker to;
	char before[64];

	begin(&t, &to);
	introduce(&t, 10, "python3", "slurm:1");
	reads(&t, 10, 0, 1000);
	tick(&t, &to);
	snprintf(before, sizeof(before), "%s", text(last_of(&to, "access"), "process", "start"));
	reads(&t, 10, 0, 2000);
	t.now += NSEC;
	assert_int_equal(
	    records_emit(t.m, t.now, &(struct timespec){1900000000, 0}, false, take, &to), 1);
	assert_string_equal(text(last_of(&to, "access"), "process", "start"), before);
	assert_string_equal(text(last_of(&to, "access"), "time", NULL), "2030-03-17T17:46:40.000Z");
	end(&t, &to);
}

/* Names from outside are never an obstacle to a record. */
static void test_hostile_names(void **state)
{
	struct fixture t;
	struct taker to;

	begin(&t, &to);
	introduce_as(&t, process(10), process(1), "\xff\xfe\033[0m", "/tmp/\xc3\x28/\"\\\n",
		     "slurm:\x80\x01", 0);
	reads(&t, 10, 0, 1000);
	struct flow f = flow_to(&t, 7, 10, OUTSIDE, 443);
	flow_tainted_by(&t, &f, 1, 0);
	sends(&t, &f, 90, 25);
	assert_true(tick(&t, &to) >= 3);
	assert_string_equal(text(last_of(&to, "access"), "process", "exe"), "/tmp/?(/\"\\?");
	json_decref(shot(&t, "processes"));
	json_decref(shot(&t, "jobs"));
	end(&t, &to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_access),
	    cmocka_unit_test(test_exporter),
	    cmocka_unit_test(test_hub),
	    cmocka_unit_test(test_unknown),
	    cmocka_unit_test(test_overflow), cmocka_unit_test(test_flow_overflow),
	    cmocka_unit_test(test_flow_and_finding),
	    cmocka_unit_test(test_empty_flow),
	    cmocka_unit_test(test_transfers),
	    cmocka_unit_test(test_transfers_by_files_and_memory),
	    cmocka_unit_test(test_bounds_are_not_exact),
	    cmocka_unit_test(test_nothing_is_exact_where_reads_were_missed),
	    cmocka_unit_test(test_health),
	    cmocka_unit_test(test_aws_ranges), cmocka_unit_test(test_policy),
	    cmocka_unit_test(test_final),
	    cmocka_unit_test(test_sums),
	    cmocka_unit_test(test_closed_flows_count),
	    cmocka_unit_test(test_failing_sink),
	    cmocka_unit_test(test_clock_step),
	    cmocka_unit_test(test_hostile_names),
	};

	return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
