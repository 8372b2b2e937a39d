/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The records of a run, replayed, tell what the monitor itself told at its end. */
#include "tests/unit/replay_fixture.h"
#include "tests/unit/record_fixture.h"

static unsigned seed = 11;

static unsigned some(unsigned below)
{
	return (unsigned)rand_r(&seed) % below;
}

#define PROCESSES 24
#define FLOWS 20

struct run {
	struct fixture t;
	struct taker to;
	uint64_t read[PROCESSES][2];
	uint64_t piped[PROCESSES];
	struct flow flow[FLOWS];
	uint64_t sent[FLOWS];
};

static void begin_run(struct run *r)
{
	char job[16];

	begin(&r->t, &r->to);
	for (uint32_t i = 0; i < PROCESSES; i++) {
		snprintf(job, sizeof(job), "slurm:%u", i % 4);
		introduce_as(&r->t, process(10 + i), i ? process(10) : (struct subject){0}, i % 2 ? "loader" : "python3",
			     "/usr/bin/python3", i % 7 == 6 ? NULL : job, 1000);
	}
	for (unsigned i = 0; i < FLOWS; i++) {
		static const char *const ends[] = {OUTSIDE, "10.0.0.7", "203.0.113.77", "2001:db8::1"};

		r->flow[i] = flow_to(&r->t, i + 1, 10 + i, ends[i % 4], i % 3 ? 443 : 80);
		if (i >= FLOWS - 6) { /* clients of ours, two of some */
			r->flow[i].role = ROLE_ACCEPT;
			r->flow[i].rport = (uint16_t)(50000 + i);
		}
		sends(&r->t, &r->flow[i], 0, 0);
	}
}

static void anything(struct run *r)
{
	uint32_t p = some(PROCESSES);
	unsigned d = some(2), f = some(FLOWS);

	switch (some(4)) {
	case 0:
		r->read[p][d] += 1 + some(100000);
		reads_kind(&r->t, process(10 + p), d, some(5) ? ACCESS_READ : ACCESS_MMAP, r->read[p][d]);
		tainted(&r->t, process(10 + p), BIT(d));
		break;
	case 1:
		r->piped[p] += 1 + some(5000);
		moves(&r->t, 10 + p, 70 + p % 3, p % 2 ? VIA_PIPE_WRITE : VIA_PIPE_READ, 1, r->piped[p]);
		break;
	case 2:
		flow_tainted_by(&r->t, &r->flow[f], BIT(d), r->sent[f]);
		break;
	default:
		r->sent[f] += 1 + some(9000);
		sends(&r->t, &r->flow[f], r->sent[f], r->sent[f] / 10);
	}
}

static void write_records(const struct taker *to)
{
	FILE *f = fopen(file, "we");
	size_t i;
	json_t *record;

	json_array_foreach (to->all, i, record) {
		json_dumpf(record, f, JSON_COMPACT);
		fputc('\n', f);
	}
	fclose(f);
}

/* --- comparing ---------------------------------------------------------------------------- */

static bool all_in(const json_t *a, const json_t *b)
{
	size_t i, k;
	json_t *x, *y;

	json_array_foreach ((json_t *)a, i, x) {
		bool found = false;

		json_array_foreach ((json_t *)b, k, y)
			found = found || json_equal(x, y);
		if (!found)
			return false;
	}
	return true;
}

/* A dataset that came too late for another byte to be sent is in no record. */
static bool same_set(const char *name, const json_t *is, const json_t *was)
{
	return json_is_array(is) && json_is_array(was) && all_in(was, is) && (!strcmp(name, "datasets") || all_in(is, was));
}

/* What both tell of a thing is the same, but that what a replay does not know is null. */
static void assert_agree(const char *what, const json_t *shown_item, const json_t *replayed, const char *const *known)
{
	const char *name;
	json_t *is;

	json_object_foreach ((json_t *)shown_item, name, is) {
		json_t *was = json_object_get(replayed, name);
		bool must = false;

		for (const char *const *k = known; *k; k++)
			must = must || !strcmp(*k, name);
		if (!was)
			fail_msg("%s has no %s", what, name);
		if (!strcmp(name, "id") || (json_is_null(was) && !must))
			continue;
		if (json_equal(is, was) || same_set(name, is, was))
			continue;
		if (!must && json_is_array(was)) /* of what came by pipes: which were counted is another test's affair */
			continue;
		_cleanup_free_ char *p = json_dumps(shown_item, 0), *q = json_dumps(replayed, 0);
		fail_msg("%s differ in %s:\n%s\n%s", what, name, p, q);
	}
	json_object_foreach ((json_t *)replayed, name, is)
		if (!json_object_get(shown_item, name))
			fail_msg("%s: the monitor knows no %s", what, name);
}

static const json_t *find_like(const json_t *list, const json_t *item, const char *const *members)
{
	size_t i;
	json_t *v;

	json_array_foreach ((json_t *)list, i, v) {
		bool same = true;

		for (const char *const *m = members; *m && same; m++)
			same = json_equal(json_object_get(v, *m), json_object_get(item, *m));
		if (same)
			return v;
	}
	return NULL;
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Each item of the monitor's is there; what never did anything tagged is in no record. */
static void assert_document(struct run *r, const struct feed *f, enum feed_what what, const char *const *by,
			    const char *const *known, bool all)
{
	json_t *shown_all = shot(&r->t, feed_word(what)), *list = json_object_get(shown_all, "items"), *item;
	size_t i, found = 0;

	json_array_foreach (list, i, item) {
		const json_t *replayed = find_like(items(f, what), item, by);
		_cleanup_free_ char *text = json_dumps(item, 0);

		if (!replayed && all)
			fail_msg("in no record: %s", text);
		if (!replayed)
			continue;
		assert_agree(feed_word(what), item, replayed, known);
		found++;
	}
	assert_int_equal(json_array_size(items(f, what)), found); /* and none besides */
	json_decref(shown_all);
}

static void test_same_as_shown(void **state)
{
	for (unsigned run = 0; run < 8; run++) {
		struct run r = {0};
		struct health h = {.backend = "trampoline", .cpu_share = 0.25};

		begin_run(&r);
		model_set_health(r.t.m, &h);
		for (unsigned s = 0; s < 40; s++) {
			for (unsigned i = some(12); i; i--)
				anything(&r);
			tick(&r.t, &r.to);
		}
		r.t.now += NSEC;
		assert_int_equal(rules_evaluate(r.t.m, r.t.now), 0);
		emit(&r.t, &r.to, true);
		write_records(&r.to);
		struct feed *f = replay(file);
		go_to_end(f);

		assert_document(&r, f, FEED_DATASETS, LIST("id"), LIST("bytes_read", "readers", "tags", "findings"), false);
		assert_true(json_array_size(items(f, FEED_DATASETS)) == 2);
		assert_document(&r, f, FEED_JOBS, LIST("job"),
				LIST("bytes_read", "bytes_out", "tainted_out", "datasets", "job_labels"), true);
		assert_document(&r, f, FEED_PROCESSES, LIST("process"), LIST("bytes", "bytes_out", "tainted_out", "datasets"),
				false);
		assert_true(json_array_size(items(f, FEED_PROCESSES)) > 10);
		assert_document(&r, f, FEED_FLOWS, LIST("local", "remote", "process"),
				LIST("bytes_out", "bytes_in", "tainted_out", "datasets", "job", "proto", "direction", "allowed"), true);
		assert_document(&r, f, FEED_DESTINATIONS, LIST("remote", "proto", "direction"),
				LIST("bytes_out", "bytes_in", "tainted_out", "datasets", "flows", "allowed", "because"), true);
		assert_document(&r, f, FEED_FINDINGS, LIST("id"),
				LIST("leak_bound", "exposed", "chain", "rule", "severity", "count", "last"), true);
		json_t *health = shot(&r.t, "health");
		json_object_set(json_object_get(health, "health"), "records_waiting",
				json_object_get(json_object_get(feed_document(f, FEED_HEALTH), "health"), "records_waiting"));
		json_object_set(json_object_get(health, "health"), "records_lag_ms",
				json_object_get(json_object_get(feed_document(f, FEED_HEALTH), "health"), "records_lag_ms"));
		assert_agree("health", json_object_get(health, "health"), json_object_get(feed_document(f, FEED_HEALTH), "health"),
			     LIST("backend", "losses", "cpu"));
		json_decref(health);
		feed_close(f);
		end(&r.t, &r.to);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_same_as_shown, make_file, remove_file),
	};

	return cmocka_run_group_tests_name("replay_same", tests, NULL, NULL);
}
