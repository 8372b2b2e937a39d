/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What the model keeps, what it forgets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/model_fixture.h"
#include "user/model_graph.h"
#include "user/policy/rules.h"

/* --- words --------------------------------------------------------------- */

static void test_names(void **state)
{
	for (unsigned l = 0; l < LOSS_KINDS; l++)
		assert_string_not_equal(loss_name(l), "unknown");
	for (unsigned v = VIA_READ; v < VIA_KINDS; v++)
		assert_string_not_equal(via_name(v), "unknown");
	for (unsigned k = ACCESS_READ; k < ACCESS_KINDS; k++)
		assert_string_not_equal(access_name(k), "unknown");
	assert_string_equal(access_name(ACCESS_READ), "read");
	assert_string_equal(access_name(ACCESS_MMAP), "mmap");
	assert_string_equal(access_name(0), "unknown");
	assert_string_equal(via_name(77), "unknown");
	assert_string_equal(loss_name(LOSS_KINDS), "unknown");
}

/* --- figures ------------------------------------------------------------- */

static void test_settling(void **state)
{
	struct fixture t;
	struct ledger_key key = {.who = process(10), .dataset = 0, .kind = ACCESS_READ};

	fixture_begin(&t, NULL);
	reads(&t, 10, 0, 1000);
	reads(&t, 10, 0, 1500);
	assert_int_equal(t.m->datasets[0].read, 1500);
	assert_int_equal(model_settle_access(t.m, &key), 0);
	assert_int_equal(t.m->datasets[0].read, 1500);
	reads(&t, 10, 0, 7);
	assert_int_equal(t.m->datasets[0].read, 1507);
	assert_int_equal(access_bytes(subject_access(subject_find(t.m, &key.who), 0)), 1507);
	key.who = process(11);
	assert_int_equal(model_settle_access(t.m, &key), -ENOENT);
	fixture_end(&t);
}

static void test_edges(void **state)
{
	struct fixture t;
	struct edge_key key = {
	    .who = process(10), .what = {.ino = 99, .dev = 13}, .mask = 1, .via = VIA_PIPE_WRITE};

	fixture_begin(&t, NULL);
	moves(&t, 10, 99, VIA_PIPE_WRITE, 1, 100);
	moves(&t, 10, 99, VIA_PIPE_WRITE, 3, 10);
	moves(&t, 10, 99, VIA_PIPE_WRITE, 2, 1);
	const struct m_edge *e = t.m->first_subject->edges;
	assert_int_equal(edge_bytes(e, 0), 110);
	assert_int_equal(edge_bytes(e, 1), 11);
	assert_int_equal(t.m->nedges, 1);
	assert_int_equal(model_settle_edge(t.m, &key), 0);
	moves(&t, 10, 99, VIA_PIPE_WRITE, 1, 5);
	assert_int_equal(edge_bytes(e, 0), 115);
	key.mask = 8;
	assert_int_equal(model_settle_edge(t.m, &key), -ENOENT);
	fixture_end(&t);
}

static void test_nonsense(void **state)
{
	struct fixture t;
	struct ledger_key key = {
	    .who = process(10), .dataset = SL_DATASETS_MAX, .kind = ACCESS_READ};
	struct ledger_val val = {1, 1, 1, 1, 1};
	struct edge_key edge = {.who = process(10), .mask = 0, .via = VIA_PIPE_READ};
	struct flow f = {0};

	fixture_begin(&t, NULL);
	assert_int_equal(model_set_access(t.m, &key, &val), -EINVAL);
	assert_int_equal(model_settle_access(t.m, &key), -ENOENT);
	key.dataset = 0;
	key.kind = ACCESS_KINDS;
	assert_int_equal(model_set_access(t.m, &key, &val), -EINVAL);
	key.kind = ACCESS_READ;
	key.who = (struct subject){0};
	assert_int_equal(model_set_access(t.m, &key, &val), -EINVAL);
	assert_int_equal(model_set_edge(t.m, &edge, &(struct edge_val){0}), -EINVAL);
	edge.mask = 1;
	static const uint32_t no_edge[] = {0, VIA_READ, VIA_FORK, VIA_EXEC, VIA_HELD, VIA_KINDS, UINT32_MAX};
	for (size_t i = 0; i < ARRAY_SIZE(no_edge); i++) {
		edge.via = no_edge[i];
		assert_int_equal(model_set_edge(t.m, &edge, &(struct edge_val){0}), -EINVAL);
	}
	assert_int_equal(model_name_object(t.m, &edge.what, "/x", true), -ENOENT);
	model_forget_object(t.m, &edge.what);
	assert_int_equal(model_set_flow(t.m, &f), -EINVAL);
	assert_int_equal(t.m->nsubjects + t.m->nobjects + t.m->nflows, 0);
	model_set_dataset_size(t.m, 9999, 1, 1);
	model_set_exit(t.m, &(struct subject){1, 2, 3}, 5);
	fixture_end(&t);
}

static void test_overflow(void **state)
{
	struct fixture t;
	struct overflow_key key = {.cgroup = 77, .dataset = 1, .kind = ACCESS_READ};

	fixture_begin(&t, NULL);
	assert_int_equal(model_set_overflow(t.m, &key, &(struct overflow_val){0, 0}), 0);
	assert_null(t.m->first_overflow);
	assert_int_equal(model_set_overflow(t.m, &key, &(struct overflow_val){100, 1}), 0);
	assert_int_equal(model_set_overflow(t.m, &key, &(struct overflow_val){150, 2}), 0);
	assert_int_equal(t.m->datasets[1].read, 150);
	assert_int_equal(t.m->datasets[1].overflow, 150);
	key.kind = 0;
	assert_int_equal(model_set_overflow(t.m, &key, &(struct overflow_val){150, 2}), -EINVAL);
	fixture_end(&t);
}

/* --- flows --------------------------------------------------------------- */

static void test_flow_sent(void **state)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	struct flow f = flow_to(&t, 5, 10, "203.0.113.9", 443);
	f.base_out = 1000; /* before the monitor */
	sends(&t, &f, 1500, 0);
	const struct m_flow *mf = t.m->first_flow;
	assert_int_equal(mf->out, 500);
	assert_int_equal(flow_sent(mf, 0), 0);
	flow_tainted_by(&t, &f, 1, 1600); /* 100 queued, not left yet */
	assert_int_equal(flow_sent(mf, 0), 0);
	sends(&t, &f, 1700, 0);
	assert_int_equal(flow_sent(mf, 0), 100);
	flow_tainted_by(&t, &f, 2, 1650);
	assert_int_equal(flow_sent(mf, 0), 100);
	assert_int_equal(flow_sent(mf, 1), 50);
	assert_int_equal(flow_sent(mf, 2), 0);
	/* A taint whose record was lost counts from the beginning. */
	f.mask |= 4;
	sends(&t, &f, 1700, 0);
	assert_int_equal(flow_sent(mf, 2), 700);
	/* Totals never go back. */
	sends(&t, &f, 1600, 0);
	assert_int_equal(mf->out, 700);
	fixture_end(&t);
}

/* The taint may be told before the flow itself; a taint alone is forgotten. */
static void test_flow_order(void **state)
{
	struct fixture t;
	struct flow_taint_key key = {8, 1};
	struct flow_taint val = {10, 5000 * NSEC};

	fixture_begin(&t, NULL);
	assert_int_equal(model_set_flow_taint(t.m, &key, &val), 0);
	struct flow f = flow_to(&t, 8, 10, "203.0.113.9", 443);
	f.mask = 1;
	sends(&t, &f, 30, 0);
	assert_int_equal(flow_sent(t.m->first_flow, 0), 20);
	key.id = 9;
	assert_int_equal(model_set_flow_taint(t.m, &key, &val), 0);
	assert_int_equal(t.m->nflows, 2);
	assert_int_equal(rules_evaluate(t.m, t.now + 100 * NSEC), 0);
	assert_int_equal(t.m->nflows, 1);
	fixture_end(&t);
}

/* --- policy -------------------------------------------------------------- */

static void test_numbers(void **state)
{
	struct fixture t;
	struct config *other =
	    parse("datasets:\n  - { id: weather, path: /w }\n  - { id: genomes, path: /g }\n");

	fixture_begin(&t, NULL);
	assert_int_equal(model_dataset(t.m, "patients"), 0);
	assert_int_equal(model_dataset(t.m, "weather"), 1);
	assert_int_equal(model_dataset(t.m, "nothing"), -ENOENT);
	reads(&t, 10, 1, 500);
	/* A number is kept over a new policy, wherever the dataset stands in the file. */
	assert_int_equal(model_policy(t.m, other, t.classes), 0);
	assert_int_equal(model_dataset(t.m, "weather"), 1);
	assert_int_equal(model_dataset(t.m, "patients"), 0);
	assert_int_equal(model_dataset(t.m, "genomes"), 2);
	assert_null(t.m->datasets[0].config);
	assert_string_equal(t.m->datasets[1].path, "/w");
	assert_int_equal(t.m->datasets[1].read, 500);
	assert_int_equal(model_policy(t.m, t.config, t.classes), 0);
	assert_non_null(t.m->datasets[0].config);
	fixture_end(&t);
	config_free(other);
}

static struct config *many_datasets(char prefix)
{
	static char yaml[SL_DATASETS_MAX * 40];
	size_t n = (size_t)snprintf(yaml, sizeof(yaml), "datasets:\n");

	for (int i = 0; i < 40; i++)
		n += (size_t)snprintf(yaml + n, sizeof(yaml) - n, " - { id: %c%d, path: /%c%d }\n",
				      prefix, i, prefix, i);
	return parse(yaml);
}

static void test_numbers_run_out(void **state)
{
	struct fixture t;
	struct config *a = many_datasets('a'), *b = many_datasets('b');

	fixture_begin(&t, NULL);
	assert_int_equal(model_policy(t.m, a, t.classes), 0);
	assert_int_equal(model_policy(t.m, b, t.classes), -ENOSPC);
	assert_ptr_equal(t.m->config, a);
	assert_int_equal(model_dataset(t.m, "b0"), -ENOENT);
	assert_int_equal(model_policy(t.m, t.config, t.classes), 0);
	fixture_end(&t);
	config_free(a);
	config_free(b);
}

static void test_jobs_that_are_ml(void **state)
{
	struct fixture t;

	fixture_begin(&t, "jobs: ['slurm:train-*']\n");
	assert_true(job_is_ml(t.m, "slurm:train-7"));
	assert_false(job_is_ml(t.m, "slurm:serve-7"));
	assert_false(job_is_ml(t.m, NULL));
	fixture_end(&t);
}

/* --- the dataset's size as a cap ----------------------------------------- */

static uint64_t volume(struct fixture *t, uint32_t pid)
{
	struct ds_graph *g;
	struct subject who = process(pid);
	uint64_t work = UINT64_MAX, v;

	assert_int_equal(ds_graph_current(t->m, 0, &g), 0);
	assert_int_equal(ds_graph_volume(g, subject_find(t->m, &who), &work, &v), 0);
	return v;
}

static void test_size_caps(void **state)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	reads(&t, 10, 0, 5000); /* five times 1000 */
	assert_int_equal(volume(&t, 10), 5000);
	model_begin_scan(t.m, 0);
	model_set_dataset_size(t.m, 0, 1000, 3);
	assert_int_equal(volume(&t, 10), 1000);
	/* Read on: the dataset may have grown meanwhile. */
	reads(&t, 10, 0, 6000);
	assert_int_equal(volume(&t, 10), 6000);
	/* Read while it was scanned. */
	model_begin_scan(t.m, 0);
	reads(&t, 10, 0, 6500);
	model_set_dataset_size(t.m, 0, 1000, 3);
	assert_int_equal(volume(&t, 10), 6500);
	/* Grown, and scanned in peace. */
	model_begin_scan(t.m, 0);
	model_set_dataset_size(t.m, 0, 2000, 4);
	assert_int_equal(volume(&t, 10), 2000);
	/* Something was taken away: how much there has been is not known any more. */
	model_begin_scan(t.m, 0);
	model_set_dataset_size(t.m, 0, 1500, 4);
	assert_int_equal(volume(&t, 10), 6500);
	model_begin_scan(t.m, 0);
	model_set_dataset_size(t.m, 0, 2500, 9);
	assert_int_equal(volume(&t, 10), 6500);
	fixture_end(&t);
}

static void test_size_without_begin(void **state)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	reads(&t, 10, 0, 5000);
	model_set_dataset_size(t.m, 0, 1000, 3);
	assert_int_equal(volume(&t, 10), 5000);
	model_set_dataset_size(t.m, 0, 1000, 3);
	assert_int_equal(volume(&t, 10), 1000);
	model_set_dataset_size(t.m, 0, 0, 0); /* unknown again */
	assert_int_equal(volume(&t, 10), 5000);
	fixture_end(&t);
}

/* --- forgetting ---------------------------------------------------------- */

static void pass(struct fixture *t, uint64_t seconds)
{
	t->now += seconds * NSEC;
	assert_int_equal(rules_evaluate(t->m, t->now), 0);
}

static void test_forgets_the_idle(void **state)
{
	struct fixture t;
	struct subject a = process(10), b = process(11), c = process(12);

	fixture_begin(&t, NULL);
	introduce(&t, 10, "a", "session:1");
	introduce_as(&t, b, a, "b", NULL, "session:1", 0);
	introduce(&t, 12, "c", "session:2");
	reads(&t, 12, 0, 100);
	for (int i = 0; i < 3; i++)
		model_set_exit(t.m, (struct subject[]){a, b, c} + i, t.now);
	pass(&t, 50);
	assert_int_equal(t.m->nsubjects, 3);
	pass(&t, 15);
	/* c read: it stays. */
	assert_int_equal(t.m->nsubjects, 1);
	assert_int_equal(t.m->processes.used, 1);
	assert_int_equal(t.m->jobs.used, 1);
	assert_non_null(subject_find(t.m, &c));
	fixture_end(&t);
}

/* A parent of the living stays as long as they need it. */
static void test_keeps_ancestors(void **state)
{
	struct fixture t;
	struct subject a = process(10), b = process(11);

	fixture_begin(&t, NULL);
	tainted(&t, a, 1);
	born(&t, a, b, 1, VIA_FORK);
	model_set_exit(t.m, &a, t.now);
	pass(&t, 100);
	assert_non_null(subject_find(t.m, &a));
	model_set_exit(t.m, &b, t.now);
	pass(&t, 700);
	pass(&t, 11);
	assert_int_equal(t.m->nsubjects, 0);
	fixture_end(&t);
}

static void test_folds_closed_flows(void **state)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	introduce(&t, 10, "a", "slurm:1");
	reads(&t, 10, 0, 1000);
	for (uint64_t id = 1; id <= 50; id++) {
		struct flow f = flow_to(&t, id, 10, id % 2 ? "203.0.113.9" : "10.0.3.3", 443);

		f.mask = 1;
		f.closed = 1;
		sends(&t, &f, 10, 1);
	}
	struct m_subject *s = t.m->first_subject;
	assert_int_equal(s->nlive, 50);
	for (int i = 0; i < 8; i++)
		pass(&t, 11);
	/* One fold for the outside, which bounds need; inside the VPC only the sum is kept. */
	assert_int_equal(s->nlive, 0);
	uint64_t out = s->past.out, tainted_out = s->past.tainted;
	for (const struct m_flow *f = t.m->first_flow; f; f = f->next) {
		assert_true(f->folded);
		out += f->out;
		tainted_out += flow_tainted(f);
	}
	assert_int_equal(out, 500);
	assert_int_equal(tainted_out, 500);
	assert_true(t.m->nflows <= 2);
	assert_int_equal(flow_sent(t.m->last_flow, 0) + flow_sent(t.m->first_flow, 0),
			 t.m->nflows == 2 ? 500 : 250);
	fixture_end(&t);
}

/* A datagram socket's earlier owner could have sent what it sent. */
static void test_earlier_owner(void **state)
{
	struct fixture t;
	struct ds_graph *g;
	struct leak leak;
	uint64_t work = UINT64_MAX;

	fixture_begin(&t, NULL);
	reads(&t, 10, 0, 1000);
	reads(&t, 11, 0, 3);
	struct flow f = flow_to(&t, 1, 10, "203.0.113.9", 53);
	f.proto = IPPROTO_UDP;
	flow_tainted_by(&t, &f, 1, 0);
	sends(&t, &f, 400, 0);
	f.who = process(11);
	sends(&t, &f, 410, 0);
	assert_int_equal(ds_graph_current(t.m, 0, &g), 0);
	const struct m_flow *mf = t.m->first_flow;
	assert_int_equal(ds_graph_leak(g, &mf, 1, &work, &leak), 0);
	assert_int_equal(leak.bound, 410);
	assert_int_equal(leak.exposed, 1003);
	fixture_end(&t);
}

/* --- a full model -------------------------------------------------------- */

static void test_full(void **state)
{
	struct fixture t;
	struct ledger_key key = {.dataset = 0, .kind = ACCESS_READ};
	struct ledger_val val = {1, 1, 1, 1, 1};

	fixture_begin(&t, NULL);
	t.m->nodes_max = 100;
	for (uint32_t pid = 1; pid <= 120; pid++) {
		key.who = process(pid);
		assert_int_equal(model_set_access(t.m, &key, &val), pid <= 100 ? 0 : -ENOSPC);
	}
	assert_int_equal(t.m->refused[REFUSED_SUBJECT], 20);
	struct flow f = flow_to(&t, 1, 500, "203.0.113.9", 53);
	assert_int_equal(model_set_flow(t.m, &f), -ENOSPC);
	assert_int_equal(t.m->refused[REFUSED_FLOW], 1);
	/* one that is over will not come again: its bytes are in the account of those that have no record */
	f.out = 131;
	f.in = 7;
	f.closed = 1;
	assert_int_equal(model_set_flow(t.m, &f), -ENOSPC);
	assert_int_equal(model_set_flow_overflow(t.m, 1009, 13, 0, t.now), 0);
	assert_int_equal(t.m->nflows, 1);
	assert_int_equal(t.m->first_flow->out, 1009 + 131);
	assert_int_equal(t.m->first_flow->in, 13 + 7);
	fixture_end(&t);
}

/* Of what had no record and may be tagged nobody knows who sent it, or where to: a bound all the same. */
static void test_flow_overflow(void **state)
{
	struct fixture t;
	struct ds_graph *g;
	struct leak leak;
	uint64_t work = UINT64_MAX;

	fixture_begin(&t, NULL);
	reads(&t, 10, 0, 300);
	assert_int_equal(model_set_flow_overflow(t.m, 0, 0, 0, t.now), 0);
	assert_null(t.m->first_flow); /* nothing to tell */
	assert_int_equal(model_set_flow_overflow(t.m, 1009, 0, 0, t.now), 0);
	const struct m_flow *f = t.m->first_flow;
	assert_int_equal(f->out, 1009);
	assert_false(flow_has_remote(f));
	assert_true(class_outside(f->dest.class));
	assert_int_equal(flow_mask(f), 0);
	/* what had left before is not charged with what came later */
	assert_int_equal(model_set_flow_overflow(t.m, 1109, 0, 1, t.now + NSEC), 0);
	assert_int_equal(flow_sent(f, 0), 100);
	assert_int_equal(model_set_flow_overflow(t.m, 1509, 0, 1, t.now + 2 * NSEC), 0);
	assert_int_equal(flow_sent(f, 0), 500);
	t.m->evaluated_ns = t.now + 3 * NSEC;
	assert_int_equal(ds_graph_current(t.m, 0, &g), 0);
	assert_int_equal(ds_graph_leak(g, &f, 1, &work, &leak), 0);
	assert_int_equal(leak.bound, 300);
	fixture_end(&t);
}

/* Thousands of short jobs later the totals are all there. */
static void test_merges_the_dead(void **state)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	t.m->merge_above = 500;
	for (uint32_t pid = 1; pid <= 3000; pid++) {
		struct subject who = process(pid);
		struct ledger_key key = {.who = who, .dataset = 0, .kind = ACCESS_READ};
		char job[32];

		snprintf(job, sizeof(job), "slurm:%u", pid % 3);
		introduce(&t, pid, "w", job);
		reads(&t, pid, 0, 100);
		struct flow f = flow_to(&t, pid, pid, "203.0.113.9", 443);
		f.mask = 1;
		f.closed = 1;
		sends(&t, &f, 10, 0);
		assert_int_equal(model_settle_access(t.m, &key), 0);
		model_set_exit(t.m, &who, t.now);
		if (pid % 50 == 0)
			pass(&t, 2);
	}
	for (int i = 0; i < 10; i++)
		pass(&t, 20);
	assert_true(t.m->nsubjects < 600);
	uint64_t read = 0, sent = 0, stood_for = 0;
	for (const struct m_subject *s = t.m->first_subject; s; s = s->next) {
		read += access_bytes(subject_access(s, 0));
		stood_for += MAX(s->merged, 1);
	}
	for (const struct m_flow *f = t.m->first_flow; f; f = f->next)
		sent += flow_sent(f, 0);
	assert_int_equal(read, 300000);
	assert_int_equal(sent, 30000);
	assert_int_equal(stood_for, 3000);
	assert_int_equal(t.m->refused[REFUSED_SUBJECT], 0);
	fixture_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_settling),
	    cmocka_unit_test(test_edges),
	    cmocka_unit_test(test_nonsense),
	    cmocka_unit_test(test_overflow), cmocka_unit_test(test_flow_overflow),
	    cmocka_unit_test(test_flow_sent),
	    cmocka_unit_test(test_flow_order),
	    cmocka_unit_test(test_numbers),
	    cmocka_unit_test(test_numbers_run_out),
	    cmocka_unit_test(test_jobs_that_are_ml),
	    cmocka_unit_test(test_size_caps),
	    cmocka_unit_test(test_size_without_begin),
	    cmocka_unit_test(test_forgets_the_idle),
	    cmocka_unit_test(test_keeps_ancestors),
	    cmocka_unit_test(test_folds_closed_flows),
	    cmocka_unit_test(test_earlier_owner),
	    cmocka_unit_test(test_full),
	    cmocka_unit_test(test_merges_the_dead),
	};

	return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
