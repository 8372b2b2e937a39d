/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Totals that the sink has no room for wait: none is lost, none told twice, and nobody waits for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/record_fixture.h"
#include "user/pace.h"

#define CROWD 50 /* processes */

/* Says after `room` records of one call that it has enough; 0: never. */
struct narrow {
	struct fixture t;
	struct taker to;
	unsigned room, taken;
};

static int take_some(void *arg, const json_t *record)
{
	struct narrow *n = arg;
	int err = take(&n->to, record);

	return err ? err : n->room && ++n->taken >= n->room;
}

static int emit_some(struct narrow *n, bool final)
{
	struct timespec wall = {1800000000 + (time_t)((n->t.now - 5000 * NSEC) / NSEC), 0};

	n->taken = 0;
	return records_emit(n->t.m, n->t.now, &wall, final, take_some, n);
}

static int tick_some(struct narrow *n)
{
	n->t.now += NSEC;
	assert_int_equal(rules_evaluate(n->t.m, n->t.now), 0);
	return emit_some(n, false);
}

static void narrow_begin(struct narrow *n, unsigned room)
{
	*n = (struct narrow){.room = room};
	begin(&n->t, &n->to);
}

static void narrow_end(struct narrow *n)
{
	end(&n->t, &n->to);
}

/* Everyone has read so much by now. */
static void all_read(struct narrow *n, uint64_t bytes)
{
	for (uint32_t pid = 1; pid <= CROWD; pid++)
		reads(&n->t, pid, 0, bytes);
}

static json_t *record_at(const struct narrow *n, size_t i)
{
	return json_array_get(n->to.all, i);
}

static uint32_t pid_of(const json_t *record)
{
	return (uint32_t)number(record, "process", "pid");
}

/* --- who comes when ------------------------------------------------------- */

static void test_longest_wait_first(void **state)
{
	struct narrow n;

	narrow_begin(&n, 7);
	all_read(&n, 1000);
	assert_int_equal(tick_some(&n), 7);
	for (uint32_t pid = 1; pid <= 7; pid++)
		reads(&n.t, pid, 0, 2000); /* these were told of already: they stand behind the rest */
	for (unsigned told = 7; told < CROWD; told += 7)
		assert_int_equal(tick_some(&n), 7);
	for (uint32_t i = 0; i < CROWD; i++)
		assert_int_equal(pid_of(record_at(&n, i)), i + 1);
	assert_int_equal(tick_some(&n), 1);
	assert_int_equal(tick_some(&n), 0);
	assert_int_equal(sum_of(&n.to, "access", "bytes", "read"), CROWD * 1000 + 7 * 1000);
	narrow_end(&n);
}

/* However busy the others are: CROWD of them, and seven places. */
static void test_nobody_starves(void **state)
{
	struct narrow n;
	unsigned last[CROWD + 1] = {0}, longest = (CROWD + 6) / 7;

	narrow_begin(&n, 7);
	for (unsigned round = 1; round <= 100; round++) {
		all_read(&n, round * 100);
		assert_int_equal(tick_some(&n), 7);
		for (size_t i = json_array_size(n.to.all) - 7; i < json_array_size(n.to.all); i++) {
			uint32_t pid = pid_of(record_at(&n, i));

			assert_true(round - last[pid] <= longest);
			last[pid] = round;
		}
	}
	for (uint32_t pid = 1; pid <= CROWD; pid++)
		assert_true(100 - last[pid] <= longest);
	narrow_end(&n);
}

/* Kinds wait in one row: many accesses don't keep a flow or a transfer from its turn. */
static void test_kinds_share(void **state)
{
	struct narrow n;
	unsigned rounds = 0;

	narrow_begin(&n, 10);
	struct flow f = flow_to(&n.t, 7, 3, "10.0.1.1", 443);
	sends(&n.t, &f, 90, 25);
	moves(&n.t, 4, 99, VIA_PIPE_WRITE, 1, 7);
	do {
		all_read(&n, ++rounds * 100);
		tick_some(&n);
	} while ((!count_of(&n.to, "flow") || !count_of(&n.to, "transfer")) && rounds < 100);
	assert_int_equal(rounds, (CROWD + 2 + 9) / 10);
	narrow_end(&n);
}

static void test_findings_do_not_wait(void **state)
{
	struct narrow n;

	narrow_begin(&n, 1);
	all_read(&n, 1000);
	assert_int_equal(tick_some(&n), 1);
	for (uint64_t i = 1; i <= 3; i++) {
		struct flow f = flow_to(&n.t, i, (uint32_t)(CROWD - i), i == 1 ? "203.0.113.1" : i == 2 ? "203.0.113.2" : "203.0.113.3",
					443);

		introduce(&n.t, (uint32_t)(CROWD - i), "python3", "slurm:1");
		f.mask = 1;
		sends(&n.t, &f, 500, 0);
	}
	model_set_health(n.t.m, &(struct health){.cpu_share = 0.5});
	assert_true(tick_some(&n) >= 3);
	assert_true(count_of(&n.to, "finding") >= 3);
	assert_int_equal(count_of(&n.to, "health"), 1);
	assert_int_equal(count_of(&n.to, "access"), 2); /* and there is progress in spite of them */
	narrow_end(&n);
}

/* --- what a record covers ---------------------------------------------------- */

/* A record says since when if that is longer ago than an interval; each begins where the last of the same one ended. */
static void test_since(void **state)
{
	struct narrow n;
	const char *until[CROWD + 1] = {0};
	unsigned with = 0;
	size_t i;
	json_t *r;

	narrow_begin(&n, 7);
	tick_some(&n);
	for (unsigned round = 1; round <= 60; round++) {
		n.room = round < 50 ? 7 : 0;
		all_read(&n, round * 100);
		tick_some(&n);
	}
	json_array_foreach (n.to.all, i, r) {
		uint32_t pid = pid_of(r);
		bool late = json_object_get(r, "since");

		with += late;
		if (late && until[pid])
			assert_string_equal(text(r, "since", NULL), until[pid]);
		else if (late)
			assert_string_equal(text(r, "since", NULL), "2027-01-15T08:00:01.000Z");
		else
			assert_true(number(r, "bytes", "read") == 100);
		until[pid] = text(r, "time", NULL);
	}
	assert_true(with > 300);
	assert_null(json_object_get(record_at(&n, json_array_size(n.to.all) - 1), "since"));
	narrow_end(&n);
}

/* What a sink refused covers more than an interval as well. */
static void test_since_after_failure(void **state)
{
	struct narrow n;

	narrow_begin(&n, 0);
	tick_some(&n);
	reads(&n.t, 10, 0, 1000);
	n.to.fail = 1;
	assert_int_equal(tick_some(&n), -ENOSPC);
	assert_int_equal(n.t.m->records_waiting, 1);
	n.to.fail = 0;
	assert_int_equal(tick_some(&n), 1);
	assert_string_equal(text(record_at(&n, 0), "since", NULL), "2027-01-15T08:00:01.000Z");
	assert_string_equal(text(record_at(&n, 0), "time", NULL), "2027-01-15T08:00:03.000Z");
	narrow_end(&n);
}

static void test_health_tells(void **state)
{
	struct narrow n;

	narrow_begin(&n, 10);
	model_set_health(n.t.m, &(struct health){.cpu_share = 0.5});
	tick_some(&n);
	assert_int_equal(number(last_of(&n.to, "health"), "records_waiting", NULL), 0);
	assert_int_equal(number(last_of(&n.to, "health"), "records_lag_ms", NULL), 0);
	all_read(&n, 1000);
	tick_some(&n);
	tick_some(&n);
	json_t *shown = shot(&n.t, "health");
	assert_int_equal(number(json_object_get(shown, "health"), "records_waiting", NULL), CROWD - 20);
	assert_int_equal(number(json_object_get(shown, "health"), "records_lag_ms", NULL), 2000);
	json_decref(shown);
	n.room = 0;
	tick_some(&n);
	shown = shot(&n.t, "health");
	assert_int_equal(number(json_object_get(shown, "health"), "records_waiting", NULL), 0);
	assert_int_equal(number(json_object_get(shown, "health"), "records_lag_ms", NULL), 0);
	json_decref(shown);
	narrow_end(&n);
}

/* --- sums ------------------------------------------------------------------- */

struct activity {
	uint64_t read[CROWD + 1], moved[CROWD + 1], out[CROWD + 1], in[CROWD + 1];
	struct flow flow[CROWD + 1];
	uint64_t nflows;
};

static void act(struct narrow *n, struct activity *a, uint32_t pid)
{
	struct subject who = process(pid);
	struct ledger_key key = {.who = who, .dataset = 0, .kind = ACCESS_READ};
	struct edge_key edge = {.who = who, .what = {.ino = pid, .dev = 13}, .mask = 1, .via = VIA_PIPE_WRITE};

	switch (rand() % 5) {
	case 0:
	case 1:
		reads(&n->t, pid, 0, a->read[pid] += (uint64_t)rand() % 10000 + 1);
		break;
	case 2:
		moves(&n->t, pid, pid, VIA_PIPE_WRITE, 1, a->moved[pid] += (uint64_t)rand() % 1000 + 1);
		break;
	case 3:
		if (!a->flow[pid].id)
			a->flow[pid] = flow_to(&n->t, ++a->nflows, pid, pid % 3 ? OUTSIDE : "10.0.1.1", 443);
		a->flow[pid].mask = 1;
		a->out[pid] += (uint64_t)rand() % 1000;
		a->in[pid] += (uint64_t)rand() % 1000;
		sends(&n->t, &a->flow[pid], a->out[pid], a->in[pid]);
		break;
	default:
		if (rand() % 20)
			break;
		if (a->flow[pid].id) {
			a->flow[pid].closed = 1;
			sends(&n->t, &a->flow[pid], a->out[pid], a->in[pid]);
		}
		model_settle_access(n->t.m, &key);
		model_settle_edge(n->t.m, &edge);
		model_set_exit(n->t.m, &who, n->t.now);
		a->read[pid] = a->moved[pid] = a->out[pid] = a->in[pid] = 0;
		a->flow[pid] = (struct flow){0};
	}
}

/* Totals by the kernel's count: what was settled, and what an account has now. */
static void random_activity(unsigned seed, bool crowded, unsigned fail)
{
	static struct activity a;
	uint64_t read = 0, moved = 0, out = 0, in = 0;
	struct narrow n;

	a = (struct activity){0};
	srand(seed);
	narrow_begin(&n, 1);
	n.t.m->merge_above = crowded ? 0 : MODEL_MERGE_ABOVE;
	for (unsigned round = 0; round < 300; round++) {
		for (uint32_t pid = 1; pid <= CROWD; pid++) {
			uint64_t before[] = {a.read[pid], a.moved[pid], a.out[pid], a.in[pid]};

			act(&n, &a, pid);
			read += a.read[pid] > before[0] ? a.read[pid] - before[0] : 0;
			moved += a.moved[pid] > before[1] ? a.moved[pid] - before[1] : 0;
			out += a.out[pid] > before[2] ? a.out[pid] - before[2] : 0;
			in += a.in[pid] > before[3] ? a.in[pid] - before[3] : 0;
		}
		n.room = (unsigned)rand() % 12 + 1;
		n.to.fail = fail && rand() % 4 == 0 ? fail : 0;
		n.t.now += (uint64_t)rand() % 3 * NSEC;
		tick_some(&n);
	}
	n.to.fail = 0;
	n.room = 1;
	assert_true(emit_some(&n, true) >= 0);
	assert_int_equal(n.t.m->records_waiting, 0);
	assert_int_equal(sum_of(&n.to, "access", "bytes", "read"), read);
	assert_int_equal(sum_of(&n.to, "transfer", "bytes", NULL), moved);
	assert_int_equal(sum_of(&n.to, "flow", "bytes_out", NULL), out);
	assert_int_equal(sum_of(&n.to, "flow", "bytes_in", NULL), in);
	for (size_t i = 0; i < json_array_size(n.to.all); i++)
		assert_int_equal(number(record_at(&n, i), "seq", NULL), i + 1);
	narrow_end(&n);
}

static void test_sums(void **state)
{
	for (unsigned seed = 1; seed <= 8; seed++)
		random_activity(seed, seed % 2, seed % 3 ? 0 : 5);
}

/* --- the end, of them and of the monitor --------------------------------------- */

/* The last call writes all, whatever the sink says. */
static void test_final(void **state)
{
	struct narrow n;

	narrow_begin(&n, 1);
	all_read(&n, 1000);
	assert_int_equal(tick_some(&n), 1);
	assert_int_equal(emit_some(&n, true), CROWD - 1);
	assert_int_equal(sum_of(&n.to, "access", "bytes", "read"), CROWD * 1000);
	assert_int_equal(emit_some(&n, true), 0);
	narrow_end(&n);
}

/* Who has ended is kept, each under its own name, until it was told. */
static void test_the_ended_wait(void **state)
{
	struct narrow n;
	unsigned of_pipe = 0;

	narrow_begin(&n, 1);
	for (uint32_t pid = 1; pid <= CROWD; pid++) {
		struct subject who = process(pid);
		struct ledger_key key = {.who = who, .dataset = 0, .kind = ACCESS_READ};
		struct edge_key edge = {.who = who, .what = {.ino = pid, .dev = 13}, .mask = 1, .via = VIA_PIPE_WRITE};
		struct flow f = flow_to(&n.t, pid, pid, "10.0.1.1", 443);

		introduce(&n.t, pid, "w", "slurm:1");
		reads(&n.t, pid, 0, 1000);
		moves(&n.t, pid, pid, VIA_PIPE_WRITE, 1, 7);
		f.closed = 1;
		sends(&n.t, &f, 11, 3);
		assert_int_equal(model_settle_access(n.t.m, &key), 0);
		assert_int_equal(model_settle_edge(n.t.m, &edge), 0);
		model_forget_object(n.t.m, &edge.what);
		model_set_exit(n.t.m, &who, n.t.now);
	}
	n.room = 3;
	for (unsigned i = 0; i < CROWD; i++)
		assert_int_equal(tick_some(&n), 3);
	assert_int_equal(tick_some(&n), 0);
	assert_int_equal(count_of(&n.to, "access"), CROWD);
	assert_int_equal(count_of(&n.to, "flow"), CROWD);
	assert_int_equal(count_of(&n.to, "transfer"), CROWD);
	for (size_t i = 0; i < json_array_size(n.to.all); i++) {
		if (!strcmp(text(record_at(&n, i), "type", NULL), "transfer"))
			of_pipe++;
		else
			assert_true(pid_of(record_at(&n, i)) > 0);
		if (!strcmp(text(record_at(&n, i), "type", NULL), "flow"))
			assert_true(number(record_at(&n, i), "local", "port") > 0); /* not folded yet */
	}
	assert_int_equal(of_pipe, CROWD);
	/* and then it may be forgotten */
	for (unsigned i = 0; i < 10; i++) {
		n.t.now += 60 * NSEC;
		tick_some(&n);
	}
	assert_int_equal(n.t.m->nflows, 0);
	assert_int_equal(n.t.m->nobjects, 0);
	narrow_end(&n);
}

/* --- time ------------------------------------------------------------------- */

static void test_pace(void **state)
{
	struct pace p;
	unsigned done = 1;

	pace_begin(&p, 0);
	for (unsigned i = 0; i < 10000; i++)
		assert_false(pace_spent(&p));
	pace_begin(&p, 1);
	while (!pace_spent(&p))
		done++;
	assert_int_equal(done, PACE_LEAST);
	pace_begin(&p, 3600 * NSEC);
	for (unsigned i = 0; i < 10000; i++)
		assert_false(pace_spent(&p));
	pace_begin(&p, 2000000);
	for (done = 1; !pace_spent(&p); done++)
		;
	assert_true(done > PACE_LEAST);
	assert_int_equal(done % PACE_LOOK, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_longest_wait_first),
	    cmocka_unit_test(test_nobody_starves),
	    cmocka_unit_test(test_kinds_share),
	    cmocka_unit_test(test_findings_do_not_wait),
	    cmocka_unit_test(test_since),
	    cmocka_unit_test(test_since_after_failure),
	    cmocka_unit_test(test_health_tells),
	    cmocka_unit_test(test_sums),
	    cmocka_unit_test(test_final),
	    cmocka_unit_test(test_the_ended_wait),
	    cmocka_unit_test(test_pace),
	};

	return cmocka_run_group_tests_name("record pace", tests, NULL, NULL);
}
