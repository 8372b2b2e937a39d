/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Trusted executables: what they pass on is charged to nobody, and only while every condition holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "rules_fixture.h"
#include "user/model_graph.h"
#include "user/model_trust.h"

#define INO 77
#define DEV (8 << 20 | 1)
#define OWNER 990

static bool yes(const struct subject *who)
{
	return true;
}

static bool no(const struct subject *who)
{
	return false;
}

static void trust(struct fixture *t, const char *ended)
{
	struct trusted_file file = {.path = "/usr/bin/agent", .ino = INO, .dev = DEV, .owner = OWNER, .ended = ended};

	assert_int_equal(model_set_trusted(t->m, &file, 1, yes), 0);
}

static void agent(struct fixture *t, uint32_t pid, int uid, uint64_t ino, trust_vouch vouch)
{
	struct subject who = process(pid);

	introduce_as(t, who, (struct subject){0}, "agent", "/usr/bin/agent", "unit:agent.service", uid);
	model_set_executable(t->m, &who, ino, DEV, vouch);
}

static uint64_t held(struct fixture *t, uint32_t pid)
{
	struct subject who = process(pid);
	uint64_t work = GRAPH_WORK, volume;
	struct ds_graph *g;

	assert_int_equal(ds_graph_current(t->m, 0, &g), 0);
	assert_int_equal(ds_graph_volume(g, subject_find(t->m, &who), &work, &volume), 0);
	return volume;
}

/* Process 1 reads and hands 2 what it has by a pipe: what reaches 2? */
static void hand_over(struct fixture *t)
{
	reads(t, 1, 0, 70001);
	moves(t, 1, 5, VIA_PIPE_WRITE, BIT(0), 30011);
	introduce(t, 2, "next", "slurm:1");
	moves(t, 2, 5, VIA_PIPE_READ, BIT(0), 30011);
	born(t, process(1), process(3), BIT(0), VIA_FORK);
}

static void assert_passed(struct fixture *t, bool passed)
{
	assert_int_equal(held(t, 1), 70001);
	assert_int_equal(held(t, 2), passed ? 30011 : 0);
	assert_int_equal(held(t, 3), passed ? 70001 : 0);
}

static void with_agent(int uid, uint64_t ino, trust_vouch vouch, bool passed)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	trust(&t, NULL);
	agent(&t, 1, uid, ino, vouch);
	hand_over(&t);
	assert_passed(&t, passed);
	fixture_end(&t);
}

static void test_conditions(void **state)
{
	with_agent(0, INO, yes, false);
	with_agent(OWNER, INO, yes, false);
	with_agent(1000, INO, yes, true); /* could make it do as he likes */
	with_agent(-1, INO, yes, true);
	with_agent(0, INO + 1, yes, true);
	with_agent(0, INO, no, true);
	with_agent(0, INO, NULL, true);
}

/* All is recorded, so when trust ends the bounds are as if it had never been. */
static void test_end_of_trust(void **state)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	trust(&t, NULL);
	agent(&t, 1, 0, INO, yes);
	hand_over(&t);
	assert_passed(&t, false);
	trust(&t, "changed");
	assert_passed(&t, true);
	trust(&t, NULL);
	assert_passed(&t, false);
	assert_int_equal(model_set_trusted(t.m, NULL, 0, NULL), 0);
	assert_passed(&t, true);
	fixture_end(&t);
}

static void test_looked_into(void **state)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	trust(&t, NULL);
	agent(&t, 1, 0, INO, yes);
	hand_over(&t);
	looks(&t, 4, 1, BIT(0));
	assert_passed(&t, true);
	assert_int_equal(held(&t, 4), 70001);
	trust(&t, NULL); /* a reload does not mend it */
	assert_passed(&t, true);
	fixture_end(&t);
}

static void test_flows(void **state)
{
	struct fixture t;
	struct flow f;

	fixture_begin(&t, NULL);
	trust(&t, NULL);
	agent(&t, 1, 0, INO, yes);
	reads(&t, 1, 0, 70001);
	f = flow_to(&t, 9, 1, "203.0.113.9", 443);
	flow_tainted_by(&t, &f, BIT(0), 0);
	sends(&t, &f, 50021, 0);
	assert_int_equal(rules_evaluate(t.m, t.now), 0);
	assert_null(t.m->findings->first);
	assert_int_equal(flow_tainted(t.m->first_flow), 0);
	trust(&t, "replaced");
	assert_int_equal(rules_evaluate(t.m, t.now), 0);
	assert_non_null(t.m->findings->first);
	assert_int_equal(t.m->findings->first->leak_bound, 50021);
	fixture_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_conditions),
	    cmocka_unit_test(test_end_of_trust),
	    cmocka_unit_test(test_looked_into),
	    cmocka_unit_test(test_flows),
	};

	return cmocka_run_group_tests_name("trust", tests, NULL, NULL);
}
