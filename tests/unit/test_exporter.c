/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The exporter against a CloudWatch that keeps its own limits, fails in every way, and sees the exporter killed at any call. */
#include "tests/unit/cw_fixture.h"

#include <malloc.h>
#include <sys/wait.h>


static struct exporter *begin(const struct exporter_options *o)
{
	struct exporter *x = NULL;

	assert_int_equal(exporter_start(o, &x), 0);
	return x;
}

static struct exporter_told end(struct exporter *x)
{
	struct exporter_told t;

	assert_true(exporter_stop(x, 10 * NSEC, &t));
	return t;
}

/* Exports all there is, to the last word. */
static struct exporter_told run(void)
{
	struct exporter_options o = world_options();
	struct exporter *x = begin(&o);

	wait_idle(x);
	return end(x);
}

static uint64_t count(uint64_t from, uint64_t to, unsigned kind)
{
	uint64_t n = 0;

	for (uint64_t s = from; s <= to; s++) {
		unsigned k = s % 7 == 3 ? 1 : s % 11 == 5 ? 2 : 0;

		n += k == kind;
	}
	return n;
}

/* Each record once, and each of their figures in the metrics once. */
static void assert_all(uint64_t from, uint64_t to)
{
	assert_each_once(from, to);
	assert_int_equal(metric_sum("BytesRead"), 101 * count(from, to, 0));
	assert_int_equal(metric_sum("TaintedBytesOut"), 53 * count(from, to, 1));
}

/* --- the ordinary ------------------------------------------------------------------------------------------ */

static void test_all_arrives(void **state)
{
	journal_fill(1, 3001, now_ms() - 200000, 61);
	struct exporter_told t = run();

	assert_all(1, 3001);
	assert_int_equal(t.state, EXPORT_GOOD);
	assert_string_equal(t.why, "");
	assert_int_equal(t.sent, 3001);
	assert_true(t.lag_known && t.lag_ns_known);
	assert_int_equal(t.lag_records, 0);
	assert_int_equal(t.lag_ns, 0);
	assert_true(t.metrics > 0);
	assert_string_equal(cw->group_name, "/sluice/i-0abc");
	assert_int_equal(cw->kept_days, 30);
	assert_int_equal(strncmp(cw->streams[0], "i-0abc.", 7), 0);
	assert_int_equal(cw->nstreams, 1);
	assert_null(notice_at(0));
}

static void test_goes_on(void **state)
{
	int64_t now = now_ms();

	journal_fill(1, 501, now - 3000, 1);
	run();
	run();
	assert_all(1, 501);
	journal_fill(502, 1009, now, 0);
	run();
	assert_all(1, 1009);
	assert_int_equal(cw->nstreams, 1);
}

/* In the order of the journal, as long as the clock goes forward. */
static void test_in_order(void **state)
{
	int64_t last = 0;

	journal_fill(1, 4001, now_ms() - 5000, 1);
	run();
	for (size_t i = 0; i < cw->nevents; i++) {
		json_t *o = json_loads(cw->text + cw->events[i].at, 0, NULL);
		json_int_t seq = json_integer_value(json_object_get(o, "seq"));

		assert_true(!seq || seq == last + 1);
		last = seq ? seq : last;
		json_decref(o);
	}
	assert_int_equal(last, 4001);
}

static void test_urgent_at_once(void **state)
{
	struct exporter_options o = world_options();
	struct exporter *x;

	o.flush_ns = 3600 * NSEC;
	journal_fill(1, 17, now_ms(), 0);
	x = begin(&o);
	usleep(200000);
	assert_int_equal(cw->puts, 0);
	line_put(18, strdup("{\"v\":1,\"type\":\"finding\",\"time\":\"2026-11-20T23:12:46.001Z\",\"seq\":18,\"severity\":\"critical\"}"));
	free(fake_journal.v[17].text);
	struct timespec wall;
	char time[TIME_LEN];
	clock_gettime(CLOCK_REALTIME, &wall);
	if (asprintf(&fake_journal.v[17].text, "{\"v\":1,\"type\":\"finding\",\"time\":\"%s\",\"seq\":18,\"severity\":\"critical\"}",
		     time_rfc3339(time, &wall)) < 0)
		abort();
	wait_idle(x);
	assert_each_once(1, 18);
	end(x);
}

/* A day apart, back and forth: batches are cut, nothing is lost. */
static void test_clock_steps(void **state)
{
	int64_t now = now_ms();

	journal_fill(1, 101, now - 3 * 86400000LL, 1000);
	journal_fill(102, 211, now - 60000, 100);
	journal_fill(212, 307, now - 2 * 86400000LL - 3600000, 700);
	journal_fill(308, 401, now - 1000, 1);
	run();
	assert_all(1, 401);
}

static void test_future(void **state)
{
	journal_fill(1, 23, now_ms() + 5 * 3600000, 1);
	journal_fill(24, 47, now_ms(), 1);
	struct exporter_told t = run();

	assert_all(1, 47);
	assert_int_equal(t.retimed, 23);
	json_t *n = notice_at(0);
	assert_non_null(n);
	assert_int_equal(json_integer_value(json_object_get(n, "retimed")), 23);
	json_decref(n);
}

/* --- names ------------------------------------------------------------------------------------------------- */

static void test_group_name(void **state)
{
	struct exporter_options o = world_options();
	char host[65] = "", want[600];
	struct exporter *x;

	gethostname(host, sizeof(host) - 1);
	snprintf(want, sizeof(want), "/s/123456789012/eu-central-1/%s-%s.i-0abc_x", host, host);
	o.log_group = "/s/{account}/{region}/{host}-{hostname}.{instance_id}";
	o.instance_id = "i-0abc:x";
	journal_fill(1, 7, now_ms(), 0);
	x = begin(&o);
	wait_idle(x);
	end(x);
	assert_string_equal(cw->group_name, want);
}

/* A copy of the machine's disk is another machine's: it goes on from there, in a stream of its own. */
static void test_cloned(void **state)
{
	struct exporter_options o = world_options();
	struct exporter *x;

	journal_fill(1, 13, now_ms(), 0);
	run();
	setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
	o.instance_id = NULL; /* not to be had this time: it stays what it was */
	journal_fill(14, 23, now_ms(), 0);
	x = begin(&o);
	wait_idle(x);
	struct exporter_told t = end(x);
	assert_int_equal(cw->nstreams, 1);
	assert_string_equal(t.stream, cw->streams[0]);
	o.instance_id = "i-0def";
	journal_fill(24, 31, now_ms(), 0);
	x = begin(&o);
	wait_idle(x);
	end(x);
	assert_int_equal(cw->nstreams, 2);
	assert_int_equal(strncmp(cw->streams[1], "i-0def.", 7), 0);
	assert_each_once(1, 31);
}

/* --- failures ---------------------------------------------------------------------------------------------- */

static void test_faults(void **state)
{
	static const enum fault faults[] = {REFUSED_CONNECTION, LOST_BEFORE, LOST_AFTER, THROTTLED, DENIED};

	for (unsigned i = 0; i < ARRAY_SIZE(faults); i++) {
		for (unsigned at = 1; at <= 6; at++) {
			for (unsigned n = 1; n <= 3; n += 2) {
				assert_int_equal(world_begin(NULL), 0);
				cw->fault = faults[i];
				cw->fault_at = at;
				cw->fault_n = n;
				journal_fill(1, 97, now_ms() - 70000, 700);
				struct exporter_told t = run();

				assert_all(1, 97);
				assert_int_equal(t.repeated, 0);
				assert_true(t.retries > 0 || cw->calls < at + n || faults[i] == DENIED); /* of a right that is not needed */
				assert_int_equal(world_end(NULL), 0);
			}
		}
	}
	assert_int_equal(world_begin(NULL), 0);
}

/* Who may not ask sends again, and says so. */
static void test_unsure(void **state)
{
	cw->ask_denied = true;
	cw->fault = LOST_AFTER;
	cw->fault_puts = true;
	cw->fault_at = cw->fault_n = 1;
	journal_fill(1, 29, now_ms(), 0);
	struct exporter_told t = run();
	unsigned times[30];

	arrived_seqs(times, 30);
	for (unsigned s = 1; s < 30; s++)
		assert_int_equal(times[s], 2);
	assert_int_equal(t.repeated, 29);
	assert_non_null(strstr(t.last_error, "GetLogEvents"));
	json_t *n = notice_at(0);
	assert_non_null(n);
	assert_int_equal(json_integer_value(json_object_get(n, "maybe_repeated")), 29);
	json_decref(n);
}

static void put_long(uint64_t seq, size_t pad, const char *with);

/* Asking for a hundred records at a time gets an answer that is too long; for some of them it does not. */
static void test_asked_for_less(void **state)
{
	cw->fault = LOST_AFTER;
	cw->fault_puts = true;
	cw->fault_at = cw->fault_n = 1;
	for (uint64_t seq = 1; seq <= 20; seq++)
		put_long(seq, 40000, "\\\"");
	struct exporter_told t = run();

	assert_each_once(1, 20);
	assert_int_equal(t.repeated, 0);
	assert_true(cw->asks > 1);
}

/* Of one record alone, too: then it is sent again. */
static void test_never_answered(void **state)
{
	cw->fault = LOST_AFTER;
	cw->fault_puts = true;
	cw->fault_at = cw->fault_n = 1;
	put_long(1, 900000, "\\\"");
	struct exporter_told t = run();
	unsigned times[2];

	arrived_seqs(times, 2);
	assert_int_equal(times[1], 2);
	assert_int_equal(t.repeated, 1);
	assert_int_equal(t.sent, 1);
}

static void test_group_denied(void **state)
{
	struct exporter_options o = world_options();
	struct exporter_told t;

	cw->group_denied = true;
	journal_fill(1, 13, now_ms(), 0);
	struct exporter *x = begin(&o);
	for (unsigned i = 0; i < 5000 && (exporter_look(x, &t), t.state != EXPORT_STUCK); i++)
		usleep(1000);
	assert_int_equal(t.state, EXPORT_STUCK);
	assert_non_null(strstr(t.why, "/sluice/i-0abc"));
	assert_non_null(strstr(t.why, "logs:CreateLogGroup"));
	cw->group = true; /* someone made it */
	wait_idle(x);
	t = end(x);
	assert_int_equal(t.state, EXPORT_GOOD);
	assert_each_once(1, 13);
	assert_int_equal(cw->kept_days, 0); /* it is theirs */
}

static void test_keep_denied(void **state)
{
	cw->keep_denied = true;
	journal_fill(1, 13, now_ms(), 0);
	struct exporter_told t = run();

	assert_int_equal(t.state, EXPORT_GOOD);
	assert_non_null(strstr(t.last_error, "retention"));
	assert_each_once(1, 13);
}

/* The group is deleted while the exporter runs: the same batch again. */
static void test_group_deleted(void **state)
{
	struct exporter_options o = world_options();
	struct exporter *x;

	journal_fill(1, 13, now_ms(), 0);
	x = begin(&o);
	wait_idle(x);
	cw->group = false;
	cw->nstreams = 0;
	journal_fill(14, 31, now_ms(), 0);
	wait_idle(x);
	end(x);
	assert_each_once(1, 31);
}

/* --- what cannot arrive as it is ------------------------------------------------------------------------------ */

static void put_long(uint64_t seq, size_t pad, const char *with)
{
	struct timespec wall;
	char time[TIME_LEN], *text = malloc(pad + 512);
	int n;

	clock_gettime(CLOCK_REALTIME, &wall);
	n = sprintf(text, "{\"v\":1,\"type\":\"transfer\",\"time\":\"%s\",\"seq\":%lu,\"host\":" HOST ",\"short\":\"s\",\"pad\":\"",
		    time_rfc3339(time, &wall), seq);
	for (size_t i = 0; i < pad; i++)
		text[(size_t)n + i] = with[i % strlen(with)];
	strcpy(text + n + pad, "\"}");
	line_put(seq, text);
}

static void test_too_long(void **state)
{
	journal_fill(1, 7, now_ms(), 0);
	put_long(8, 1200007, "x");
	put_long(9, 999000, "x");
	journal_fill(10, 17, now_ms(), 0);
	struct exporter_told t = run();
	bool seen = false;

	assert_each_once(1, 17);
	assert_int_equal(t.cut, 1);
	for (size_t i = 0; i < cw->nevents; i++) {
		json_t *o = json_loads(cw->text + cw->events[i].at, 0, NULL);

		if (json_is_true(json_object_get(o, "truncated"))) {
			assert_int_equal(json_integer_value(json_object_get(o, "seq")), 8);
			assert_int_equal(json_integer_value(json_object_get(o, "size")), strlen(fake_journal.v[7].text));
			assert_int_equal(strlen(json_string_value(json_object_get(o, "sha256"))), 64);
			assert_string_equal(json_string_value(json_object_get(o, "short")), "s");
			assert_null(json_object_get(o, "pad"));
			seen = true;
		}
		json_decref(o);
	}
	assert_true(seen);
}

/* Where an event may still have 256 KB only. */
static void test_limit_learned(void **state)
{
	cw->event_limit = 262144;
	journal_fill(1, 7, now_ms(), 0);
	put_long(8, 400009, "x");
	journal_fill(9, 17, now_ms(), 0);
	put_long(18, 300007, "x");
	struct exporter_told t = run();

	assert_each_once(1, 18);
	assert_int_equal(t.cut, 2);
	unsigned puts = cw->puts;
	put_long(19, 300007, "x");
	run();
	assert_each_once(1, 19);
	assert_in_range(cw->puts, puts + 1, puts + 2); /* what was learned is kept */
}

static void test_poison(void **state)
{
	static const uint64_t bad[] = {1, 2, 500, 1009, 1013};

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		char poison[32];

		assert_int_equal(world_begin(NULL), 0);
		snprintf(poison, sizeof(poison), "\"seq\":%lu,", bad[i]);
		cw->poison = poison;
		journal_fill(1, 1013, now_ms() - 1000, 0);
		struct exporter_told t = run();
		unsigned times[1014];

		assert_int_equal(arrived_seqs(times, 1014), 1012);
		for (unsigned s = 1; s < 1014; s++)
			assert_int_equal(times[s], s != bad[i]);
		assert_int_equal(t.dropped[EXPORT_REFUSED], 1);
		assert_int_equal(t.sent, 1012);
		json_t *n = notice_at(0);
		assert_non_null(n);
		assert_int_equal(json_integer_value(json_object_get(json_object_get(n, "dropped"), "refused")), 1);
		assert_int_equal(json_integer_value(json_object_get(n, "last_seq")), bad[i]);
		assert_non_null(strstr(json_string_value(json_object_get(n, "why")), "something about it"));
		json_decref(n);
		assert_int_equal(metric_sum("BytesRead"), 101 * count(1, 1013, 0)); /* the figures are true all the same */
		assert_int_equal(world_end(NULL), 0);
	}
	assert_int_equal(world_begin(NULL), 0);
}

/* If nothing at all is taken, it is not the records' fault: none is given up. */
static void test_all_refused(void **state)
{
	struct exporter_options o = world_options();
	struct exporter_told t;

	journal_fill(1, 101, now_ms() - 1000, 0);
	cw->fault = BAD_REQUEST;
	cw->always = cw->fault_puts = true;
	cw->group = true;
	snprintf(cw->streams[0], 513, "x");
	cw->always = false;
	cw->fault_at = 1;
	cw->fault_n = 60;
	struct exporter *x = begin(&o);
	wait_idle(x);
	t = end(x);
	assert_each_once(1, 101);
	assert_int_equal(t.dropped[EXPORT_REFUSED], 0);
	assert_true(t.retries > 0);
}

static void test_gone(void **state)
{
	journal_fill(1, 211, now_ms() - 1000, 0);
	fake_journal.gone = 100;
	fake_journal.v[150].damaged = fake_journal.v[151].damaged = true;
	struct exporter_told t = run();
	unsigned times[212];

	assert_int_equal(arrived_seqs(times, 212), 109);
	assert_int_equal(t.dropped[EXPORT_GONE], 100);
	assert_int_equal(t.dropped[EXPORT_UNREADABLE], 2);
	json_t *n = notice_at(0);
	assert_non_null(n);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(n, "dropped"), "gone")), 100);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(n, "dropped"), "unreadable")), 2);
	assert_string_equal(json_string_value(json_object_get(json_object_get(n, "host"), "name")), "gpu-7");
	json_decref(n);
	assert_int_equal(metric_sum("RecordsDropped"), 102);
	assert_null(notice_at(1));
}

/* An alarm looks at the last minutes only: what was lost in an outage is told of one of those. */
static void test_gone_in_an_outage(void **state)
{
	int64_t now = now_ms();

	journal_fill(1, 61, now - 7200000, 1000);
	journal_fill(62, 101, now - 1000, 0);
	fake_journal.gone = 20;
	run();
	assert_int_equal(metric_sum("RecordsDropped"), 20);
	for (size_t i = 0; i < cw->nevents; i++) {
		json_t *o = json_loads(cw->text + cw->events[i].at, 0, NULL);

		if (json_integer_value(json_object_get(o, "RecordsDropped")))
			assert_true(json_integer_value(json_object_get(json_object_get(o, "_aws"), "Timestamp")) > now - 120000);
		json_decref(o);
	}
}

/* CloudWatch's clock is behind: it says itself which it left out. */
static void test_rejected(void **state)
{
	cw->keeps_ms = 3600000;
	journal_fill(1, 31, now_ms() - 7200000, 0);
	journal_fill(32, 67, now_ms() - 60000, 0);
	journal_fill(68, 71, now_ms() - 15 * 86400000LL, 0);
	struct exporter_told t = run();
	unsigned times[72];

	assert_int_equal(arrived_seqs(times, 72), 36);
	assert_int_equal(t.dropped[EXPORT_EXPIRED], 31);
	assert_int_equal(t.dropped[EXPORT_TOO_OLD], 4);
	assert_int_equal(t.sent, 36);
	json_t *n = notice_at(0), *more = notice_at(1);
	uint64_t told = 0;
	for (size_t i = 0;; i++) {
		json_t *o = notice_at(i);

		if (!o)
			break;
		const json_t *d = json_object_get(o, "dropped");
		told += (uint64_t)(json_integer_value(json_object_get(d, "expired")) + json_integer_value(json_object_get(d, "too_old")));
		json_decref(o);
	}
	assert_int_equal(told, 35);
	json_decref(n);
	json_decref(more);
}

/* This host's clock is five hours ahead: its events would all be too new. */
static void test_skew(void **state)
{
	cw->clock_ms = -5 * 3600000;
	journal_fill(1, 31, now_ms(), 0);
	struct exporter_told t = run();

	assert_all(1, 31);
	assert_int_equal(t.retimed, 31);
	assert_int_equal(t.dropped[EXPORT_TOO_NEW], 0);
	assert_in_range(metric_sum("ExportLagSeconds"), 0, 60);
}

/* And once someone sets it right, records have their own time again. */
static void test_skew_ends(void **state)
{
	struct exporter_options o = world_options();
	struct exporter *x;
	struct exporter_told t;
	uint64_t retimed;

	cw->clock_ms = -5 * 3600000;
	journal_fill(1, 31, now_ms(), 0);
	x = begin(&o);
	wait_idle(x);
	cw->clock_ms = 0;
	journal_fill(32, 47, now_ms(), 0); /* of this batch's answer it learns */
	wait_idle(x);
	exporter_look(x, &t);
	retimed = t.retimed;
	assert_in_range(retimed, 31, 47);
	journal_fill(48, 71, now_ms(), 0);
	wait_idle(x);
	t = end(x);
	assert_int_equal(t.retimed, retimed);
	assert_each_once(1, 71);
}

/* --- another journal --------------------------------------------------------------------------------------- */

static void test_journal_anew(void **state)
{
	journal_fill(1, 101, now_ms() - 2000, 0);
	run();
	size_t before = cw->nevents;
	lines_clear();
	journal_fill(1, 13, now_ms(), 0);
	run();
	unsigned times[102];

	arrived_seqs(times, 102);
	for (unsigned s = 1; s <= 101; s++)
		assert_int_equal(times[s], s <= 13 ? 2 : 1);
	assert_true(cw->nevents > before);
	json_t *n = notice_at(0);
	assert_non_null(n);
	assert_non_null(strstr(json_string_value(json_object_get(n, "remark")), "another journal"));
	json_decref(n);
}

/* The end of the journal went with the power, and its numbers are used again. */
static void test_journal_shorter(void **state)
{
	journal_fill(1, 101, now_ms() - 2000, 0);
	run();
	journal_fill(102, 131, now_ms() - 1000, 0);
	run();
	while (fake_journal.n > 101)
		free(fake_journal.v[--fake_journal.n].text);
	journal_fill(102, 113, now_ms(), 0);
	run();
	unsigned times[132];

	arrived_seqs(times, 132);
	for (unsigned s = 1; s <= 131; s++)
		assert_int_equal(times[s], s > 101 && s <= 113 ? 2 : 1);
	json_t *n = notice_at(0);
	assert_non_null(n);
	json_decref(n);
}

/* --- two of them --------------------------------------------------------------------------------------------- */

static void test_two_streams(void **state)
{
	struct exporter_options one = world_options(), two = world_options();
	struct exporter *a, *b, *c;
	struct exporter_told t;

	two.socket = "/run/u.sock";
	journal_fill(1, 11, now_ms(), 0);
	a = begin(&one);
	wait_idle(a);
	b = begin(&two);
	wait_idle(b);
	assert_int_equal(cw->nstreams, 2);
	assert_string_not_equal(cw->streams[0], cw->streams[1]);
	c = begin(&one); /* the same cursor */
	for (unsigned i = 0; i < 2000 && (exporter_look(c, &t), t.state != EXPORT_FAILING); i++)
		usleep(1000);
	assert_non_null(strstr(t.why, "another exporter"));
	end(a);
	wait_idle(c);
	end(b);
	end(c);
	assert_int_equal(cw->nstreams, 2);
}

/* --- killed at any call ---------------------------------------------------------------------------------------- */

static int run_child(void)
{
	pid_t child = fork();
	int status;

	if (!child) {
		struct exporter_options o = world_options();
		struct exporter *x = NULL;

		if (exporter_start(&o, &x))
			_exit(1);
		exporter_poke(x, 0);
		for (unsigned i = 0; i < 20000 && !exporter_idle(x); i++)
			usleep(500);
		exporter_stop(x, 10 * NSEC, NULL);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void kill_at(unsigned call, enum fault fault)
{
	int status, rounds = 0;

	assert_int_equal(world_begin(NULL), 0);
	cw->fault = fault;
	cw->fault_at = call;
	cw->fault_n = 1;
	journal_fill(1, 1511, now_ms() - 130000, 80);
	put_long(1512, 900001, "x");
	put_long(1513, 900001, "x");
	while ((status = run_child())) {
		assert_int_equal(status, 9);
		assert_true(++rounds < 3);
	}
	journal_fill(1514, 1531, now_ms(), 0);
	while ((status = run_child())) {
		assert_int_equal(status, 9);
		assert_true(++rounds < 3);
	}
	assert_each_once(1, 1531);
	assert_int_equal(metric_sum("BytesRead"), 101 * (count(1, 1511, 0) + count(1514, 1531, 0)));
	assert_int_equal(metric_sum("TaintedBytesOut"), 53 * (count(1, 1511, 1) + count(1514, 1531, 1)));
	assert_int_equal(world_end(NULL), 0);
}

/* After a kill the clock was set back: what is waited for is not its coming round again. */
static void test_clock_set_back(void **state)
{
	struct cw_cursor *cursor = NULL;
	struct cw_state s;
	bool lost;

	cw->fault = KILL_AFTER;
	cw->fault_puts = true;
	cw->fault_at = cw->fault_n = 1;
	journal_fill(1, 29, now_ms(), 0);
	assert_int_equal(run_child(), 9);
	assert_int_equal(cw_cursor_open(world_dir, "/run/t.sock", &cursor, &s, &lost), 0);
	assert_true(s.intent.set);
	s.intent.sent_ms += 3600000;
	assert_int_equal(cw_cursor_save(cursor, &s), 0);
	cw_cursor_close(cursor);
	struct exporter_told t = run();

	assert_each_once(1, 29);
	assert_int_equal(t.repeated, 0);
}

/* The power goes while a batch is on its way, and takes the records along that are not on the disk yet. */
static void test_journal_shorter_than_sent(void **state)
{
	journal_fill(1, 101, now_ms() - 2000, 0);
	run();
	cw->fault = KILL_AFTER;
	cw->fault_puts = true;
	cw->fault_at = cw->puts + 1;
	cw->fault_n = 1;
	journal_fill(102, 131, now_ms() - 1000, 0);
	assert_int_equal(run_child(), 9);
	while (fake_journal.n > 105)
		free(fake_journal.v[--fake_journal.n].text);
	journal_fill(106, 113, now_ms(), 0);
	struct exporter_told t = run();
	unsigned times[132];

	arrived_seqs(times, 132);
	for (unsigned s = 1; s <= 131; s++)
		assert_int_equal(times[s], s > 101 && s <= 113 ? 2 : 1);
	assert_int_equal(t.repeated, 30);
}

static void test_killed(void **state)
{
	for (unsigned call = 1; call <= 9; call++) {
		kill_at(call, KILL_BEFORE);
		kill_at(call, KILL_AFTER);
	}
	assert_int_equal(world_begin(NULL), 0);
}

/* --- nobody there ---------------------------------------------------------------------------------------------- */

/* Memory stays as it is while the journal grows, and all of it arrives afterwards. */
static void test_dead_endpoint(void **state)
{
	struct exporter_options o = world_options();
	struct exporter *x;
	struct exporter_told t;
	uint64_t seq = 1, began = now_boot_ns(), worst = 0;

	cw->fault = REFUSED_CONNECTION;
	cw->always = true;
	x = begin(&o);
	for (unsigned i = 0; i < 30; i++) {
		journal_fill(seq, seq + 999, now_ms(), 0);
		seq += 1000;
		uint64_t at = now_boot_ns();
		exporter_poke(x, seq - 1);
		worst = MAX(worst, now_boot_ns() - at);
		usleep(20000);
	}
	exporter_look(x, &t);
	assert_int_equal(t.state, EXPORT_FAILING);
	assert_true(t.lag_known);
	assert_int_equal(t.lag_records, 30000);
	assert_int_equal(t.sent, 0);
	assert_true(worst < NSEC); /* an answer would take much longer */
	assert_true(now_boot_ns() - began < 60 * NSEC);
	cw->always = false;
	wait_idle(x);
	end(x);
	assert_all(1, 30000);
}

static void test_stop_is_soon(void **state)
{
	struct exporter_options o = world_options();

	cw->fault = REFUSED_CONNECTION;
	cw->always = true;
	o.hurry = 1;
	journal_fill(1, 100, now_ms(), 0);
	struct exporter *x = begin(&o);
	usleep(50000);
	uint64_t at = now_boot_ns();
	assert_true(exporter_stop(x, NSEC / 2, NULL));
	assert_true(now_boot_ns() - at < 2 * NSEC);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, world_begin, world_end)
	const struct CMUnitTest tests[] = {
	    TEST(test_all_arrives),   TEST(test_goes_on),	  TEST(test_in_order),	   TEST(test_urgent_at_once),
	    TEST(test_group_name),    TEST(test_cloned),
	    TEST(test_clock_steps),   TEST(test_future),	  TEST(test_faults),	   TEST(test_unsure),
	    TEST(test_group_denied),  TEST(test_keep_denied),	  TEST(test_group_deleted), TEST(test_too_long),
	    TEST(test_limit_learned), TEST(test_poison),	  TEST(test_all_refused),  TEST(test_gone),
	    TEST(test_rejected),      TEST(test_skew),
	    TEST(test_skew_ends),		  TEST(test_journal_anew), TEST(test_journal_shorter),
	    TEST(test_two_streams),   TEST(test_killed),	  TEST(test_clock_set_back), TEST(test_journal_shorter_than_sent), TEST(test_gone_in_an_outage), TEST(test_asked_for_less), TEST(test_never_answered),
	      TEST(test_dead_endpoint), TEST(test_stop_is_soon),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
