/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Declared derivations: what holds no bytes of its source any more, and what still does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "rules_fixture.h"
#include "user/model_derived.h"
#include "user/model_graph.h"

enum { PATIENTS, WEATHER, MASKED, SUMS };

#define SOURCES                                                                                                        \
	"datasets:\n"                                                                                                  \
	" - { id: patients, path: /p }\n"                                                                              \
	" - { id: weather, path: /w }\n"
#define NETWORK "network: { vpc: off, vpc_cidrs: [10.0.0.0/16] }\n"

static const char anyone[] = SOURCES " - { id: masked, path: /m, derived: { from: [patients] } }\n"
				     " - { id: sums, path: /s, derived: { from: [masked] } }\n" NETWORK;
static const char python_of_masking[] =
    SOURCES " - { id: masked, path: /m, derived: { from: [patients],\n"
	    "     writers: { exe: [/usr/bin/python3*], users: [\"1000\"], jobs: [\"slurm:mask*\"] } } }\n" NETWORK;
static const char undeclared[] = SOURCES " - { id: masked, path: /m }\n" NETWORK;

static void reload(struct fixture *t, const char *yaml)
{
	struct config *old = t->config;

	t->config = parse(yaml);
	assert_int_equal(model_policy(t->m, t->config, t->classes), 0);
	config_free(old);
}

static void wrote(struct fixture *t, uint32_t pid, uint64_t ino, enum edge_via via, int own, uint64_t mask, uint64_t bytes)
{
	struct edge_key key = file_key(pid, ino, via, mask);
	struct edge_val val = {via == VIA_FILE_WRITE ? bytes : 0, 1, t->now, t->now};

	key.own = (uint32_t)(own + 1); /* -1: none */
	assert_int_equal(model_set_edge(t->m, &key, &val), 0);
}

static uint64_t held(struct fixture *t, uint32_t pid, unsigned dataset)
{
	struct subject who = process(pid);
	uint64_t work = GRAPH_WORK, volume;
	struct ds_graph *g;

	assert_int_equal(ds_graph_current(t->m, dataset, &g), 0);
	assert_int_equal(ds_graph_volume(g, subject_find(t->m, &who), &work, &volume), 0);
	return volume;
}

/* 10 reads patients and writes file 5, which 20 reads. */
static void pass_on(struct fixture *t, enum edge_via via, int own)
{
	introduce(t, 10, "mask", "slurm:mask.0");
	introduce(t, 20, "train", "slurm:train.0");
	reads(t, 10, PATIENTS, 70001);
	wrote(t, 10, 5, via, own, BIT(PATIENTS), 30011);
	if (own >= 0)
		reads(t, 20, (unsigned)own, 30011);
	files(t, 20, 5, VIA_FILE_READ, BIT(PATIENTS), 30011);
}

static void test_what_is_a_derivation(void **state)
{
	static const struct {
		const char *policy;
		enum edge_via via;
		int own;
		uint64_t passes;
	} rows[] = {
	    {anyone, VIA_FILE_WRITE, MASKED, 0},
	    {anyone, VIA_SHARED_WRITE, MASKED, 0},
	    {python_of_masking, VIA_FILE_WRITE, MASKED, 0},
	    {anyone, VIA_FILE_WRITE, -1, 30011},
	    {anyone, VIA_FILE_WRITE, WEATHER, 30011},
	    {anyone, VIA_FILE_WRITE, SUMS, 30011}, /* which is made from what is masked */
	    {undeclared, VIA_FILE_WRITE, MASKED, 30011},
	    {undeclared, VIA_SHARED_WRITE, MASKED, 30011},
	    {anyone, VIA_DUMP, -1, 30011}, /* the kernel half tells of no dataset there: a core dump is memory */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fixture t;

		fixture_begin(&t, rows[i].policy);
		pass_on(&t, rows[i].via, rows[i].own);
		assert_int_equal(held(&t, 10, PATIENTS), 70001);
		assert_int_equal(held(&t, 20, PATIENTS), rows[i].passes);
		if (rows[i].own == MASKED)
			assert_int_equal(held(&t, 20, MASKED), 30011);
		fixture_end(&t);
	}
}

static void assert_writer(const char *exe, const char *job, int uid, bool declared)
{
	struct fixture t;

	fixture_begin(&t, python_of_masking);
	pass_on(&t, VIA_FILE_WRITE, MASKED);
	introduce_as(&t, process(10), (struct subject){0}, "x", exe, job, uid);
	assert_int_equal(held(&t, 20, PATIENTS), declared ? 0 : 30011);
	fixture_end(&t);
}

static void test_writers(void **state)
{
	assert_writer("/usr/bin/python3.11", "slurm:mask.1", 1000, true);
	assert_writer("/usr/bin/perl", "slurm:mask.1", 1000, false);
	assert_writer("/usr/bin/python3.11", "slurm:train.1", 1000, false);
	assert_writer("/usr/bin/python3.11", "slurm:mask.1", 0, false);
}

/* Its name comes in the same interval or the next one; if it never comes it is none of the writers. */
static void test_unknown_writer(void **state)
{
	struct fixture t;

	fixture_begin(&t, python_of_masking);
	introduce(&t, 20, "train", "slurm:train.0");
	reads(&t, 10, PATIENTS, 70001);
	wrote(&t, 10, 5, VIA_FILE_WRITE, MASKED, BIT(PATIENTS), 30011);
	files(&t, 20, 5, VIA_FILE_READ, BIT(PATIENTS), 30011);
	assert_int_equal(held(&t, 20, PATIENTS), 0);
	evaluate(&t);
	assert_int_equal(held(&t, 20, PATIENTS), 30011);
	introduce(&t, 10, "mask", "slurm:mask.0");
	assert_int_equal(held(&t, 20, PATIENTS), 0);
	fixture_end(&t);
}

static void test_other_datasets_pass(void **state)
{
	struct fixture t;

	fixture_begin(&t, anyone);
	introduce(&t, 10, "mask", "slurm:mask.0");
	introduce(&t, 20, "train", "slurm:train.0");
	reads(&t, 10, PATIENTS, 70001);
	reads(&t, 10, WEATHER, 5003);
	wrote(&t, 10, 5, VIA_FILE_WRITE, MASKED, BIT(PATIENTS) | BIT(WEATHER), 30011);
	files(&t, 20, 5, VIA_FILE_READ, BIT(PATIENTS) | BIT(WEATHER), 30011);
	assert_int_equal(held(&t, 20, PATIENTS), 0);
	assert_int_equal(held(&t, 20, WEATHER), 5003);
	fixture_end(&t);
}

/* Of two writers one is declared; and who read both sides still holds both. */
static void test_mixed(void **state)
{
	struct fixture t;

	fixture_begin(&t, python_of_masking);
	pass_on(&t, VIA_FILE_WRITE, MASKED);
	introduce(&t, 11, "cp", "slurm:other.0");
	reads(&t, 11, PATIENTS, 70001);
	wrote(&t, 11, 5, VIA_FILE_WRITE, MASKED, BIT(PATIENTS), 401);
	assert_int_equal(held(&t, 20, PATIENTS), 401);
	reads(&t, 20, PATIENTS, 701);
	assert_int_equal(held(&t, 20, PATIENTS), 701 + 401);
	assert_int_equal(held(&t, 20, MASKED), 30011);
	fixture_end(&t);
}

/* What was written elsewhere is not derived for being renamed into the folder, and the other way round. */
static void test_rename(void **state)
{
	struct fixture t;

	fixture_begin(&t, anyone);
	pass_on(&t, VIA_FILE_WRITE, -1);
	wrote(&t, 10, 5, VIA_FILE_WRITE, MASKED, BIT(PATIENTS), 401);
	assert_int_equal(held(&t, 20, PATIENTS), 30011);
	fixture_end(&t);
}

/* patients, masked, sums: each step loses the tag of the one before, and nothing else does. */
static void test_chain(void **state)
{
	struct fixture t;

	fixture_begin(&t, anyone);
	pass_on(&t, VIA_FILE_WRITE, MASKED);
	introduce(&t, 30, "show", "slurm:show.0");
	wrote(&t, 20, 6, VIA_FILE_WRITE, SUMS, BIT(PATIENTS) | BIT(MASKED), 307);
	reads(&t, 30, SUMS, 307);
	files(&t, 30, 6, VIA_FILE_READ, BIT(PATIENTS) | BIT(MASKED), 307);
	assert_int_equal(held(&t, 30, SUMS), 307);
	assert_int_equal(held(&t, 30, MASKED), 0);
	assert_int_equal(held(&t, 30, PATIENTS), 0);
	wrote(&t, 10, 6, VIA_FILE_WRITE, SUMS, BIT(PATIENTS), 101); /* past the masking */
	assert_int_equal(held(&t, 30, PATIENTS), 101);
	fixture_end(&t);
}

/* --- what is found ---------------------------------------------------------- */

static void send_outside(struct fixture *t, uint32_t pid, uint64_t mask, uint64_t bytes)
{
	struct flow f = flow_to(t, pid, pid, OUTSIDE, 443);

	flow_tainted_by(t, &f, mask, 0);
	sends(t, &f, bytes, 0);
	evaluate(t);
}

static void test_findings(void **state)
{
	struct fixture t;
	const struct finding *f;

	fixture_begin(&t, anyone);
	pass_on(&t, VIA_FILE_WRITE, MASKED);
	name(&t, 5, "/m/out", false);
	send_outside(&t, 20, BIT(PATIENTS) | BIT(MASKED), 50021);
	f = only(&t, RULE_EXFIL_VOLUME);
	assert_int_equal(f->dataset, MASKED);
	assert_int_equal(f->leak_bound, 30011);
	assert_int_equal(findings(&t, RULE_STAGING_COPY), 0);
	assert_int_equal(t.m->first_flow->reach, BIT(MASKED));
	fixture_end(&t);
}

/* Others may see it there, and it goes on. */
static void test_undeclared_is_found(void **state)
{
	struct fixture t;

	fixture_begin(&t, python_of_masking);
	pass_on(&t, VIA_FILE_WRITE, MASKED);
	introduce_as(&t, process(10), (struct subject){0}, "cp", "/usr/bin/cp", "slurm:mask.0", 1000);
	name(&t, 5, "/m/out", false);
	send_outside(&t, 20, BIT(PATIENTS) | BIT(MASKED), 50021);
	assert_int_equal(findings(&t, RULE_EXFIL_VOLUME), 2);
	assert_int_equal(only(&t, RULE_STAGING_COPY)->leak_bound, 30011);
	assert_int_equal(only(&t, RULE_STAGING_COPY)->dataset, PATIENTS);
	fixture_end(&t);
}

/* The chain goes by the way that was not declared. */
static void test_chain_of_evidence(void **state)
{
	static const struct step steps[] = {
	    {"dataset patients", "process cp[11]", "read", 701},
	    {"process cp[11]", "file /m/out", "file_write", 401},
	    {"file /m/out", "process train[20]", "file_read", 30011},
	};
	struct fixture t;
	struct finding *f;

	fixture_begin(&t, python_of_masking);
	pass_on(&t, VIA_FILE_WRITE, MASKED);
	name(&t, 5, "/m/out", true);
	introduce(&t, 11, "cp", "slurm:other.0");
	reads(&t, 11, PATIENTS, 701);
	wrote(&t, 11, 5, VIA_FILE_WRITE, MASKED, BIT(PATIENTS), 401);
	send_outside(&t, 20, BIT(PATIENTS), 50021);
	f = only(&t, RULE_EXFIL_VOLUME);
	assert_int_equal(f->leak_bound, 401);
	f->nchain--; /* the last hop is the flow */
	assert_chain(f, steps, ARRAY_SIZE(steps));
	f->nchain++;
	fixture_end(&t);
}

/* Only what can still be in it matters to an entry of network.allow. */
static void test_allowed_for_what_is_derived(void **state)
{
	static const char policy[] =
	    SOURCES " - { id: masked, path: /m, derived: { from: [patients] } }\n"
		    "network: { vpc: off, expect: tainted, allow: [{ cidr: 203.0.113.0/24, datasets: [masked] }] }\n";
	struct fixture t;

	fixture_begin(&t, policy);
	pass_on(&t, VIA_FILE_WRITE, MASKED);
	send_outside(&t, 20, BIT(PATIENTS) | BIT(MASKED), 50021);
	assert_null(t.m->findings->first);
	send_outside(&t, 10, BIT(PATIENTS), 101);
	assert_int_equal(findings(&t, RULE_EXFIL_VOLUME), 1);
	assert_int_equal(findings(&t, RULE_EGRESS_UNEXPECTED), 1);
	fixture_end(&t);
}

/* --- over time ---------------------------------------------------------------- */

static void test_reload(void **state)
{
	struct fixture t;

	fixture_begin(&t, undeclared);
	pass_on(&t, VIA_FILE_WRITE, MASKED);
	assert_int_equal(held(&t, 20, PATIENTS), 30011);
	reload(&t, python_of_masking);
	assert_int_equal(held(&t, 20, PATIENTS), 0);
	reload(&t, anyone);
	assert_int_equal(held(&t, 20, PATIENTS), 0);
	reload(&t, SOURCES NETWORK); /* not even a dataset any more */
	assert_int_equal(held(&t, 20, PATIENTS), 30011);
	fixture_end(&t);
}

static void assert_counted(const struct fixture *t, uint64_t bytes, uint64_t writes, uint64_t mapped)
{
	struct figures sum = derived_total(t->m, MASKED);

	assert_int_equal(sum.bytes, bytes);
	assert_int_equal(sum.ops, writes);
	assert_int_equal(sum.files, mapped);
}

/* Never silent, and what was counted stays when its file is gone. */
static void test_counted(void **state)
{
	struct fixture t;
	struct edge_key key = file_key(10, 5, VIA_FILE_WRITE, BIT(PATIENTS));

	fixture_begin(&t, python_of_masking);
	assert_counted(&t, 0, 0, 0);
	pass_on(&t, VIA_FILE_WRITE, MASKED);
	wrote(&t, 10, 6, VIA_SHARED_WRITE, MASKED, BIT(PATIENTS), 0);
	wrote(&t, 10, 7, VIA_FILE_WRITE, -1, BIT(PATIENTS), 977);	/* elsewhere */
	wrote(&t, 10, 8, VIA_FILE_WRITE, MASKED, BIT(WEATHER), 991); /* nothing of it is declared */
	introduce(&t, 11, "cp", "slurm:other.0");
	reads(&t, 11, PATIENTS, 701);
	wrote(&t, 11, 5, VIA_FILE_WRITE, MASKED, BIT(PATIENTS), 401);
	assert_counted(&t, 30011, 1, 1);
	key.own = MASKED + 1;
	assert_int_equal(model_settle_edge(t.m, &key), 0);
	wrote(&t, 10, 5, VIA_FILE_WRITE, MASKED, BIT(PATIENTS), 89);
	assert_counted(&t, 30011 + 89, 2, 1);
	object_drop(t.m, hashmap_find(&t.m->objects, &key.what));
	assert_counted(&t, 30011 + 89, 2, 1);
	fixture_end(&t);
}

/* The dead of a job become one, whose edges keep what they are. */
static void test_merged(void **state)
{
	struct fixture t;
	struct subject dead[] = {process(10), process(11)};

	fixture_begin(&t, python_of_masking);
	pass_on(&t, VIA_FILE_WRITE, MASKED);
	introduce_as(&t, process(11), (struct subject){0}, "cp", "/usr/bin/cp", "slurm:mask.0", 1000);
	reads(&t, 11, PATIENTS, 70001);
	wrote(&t, 11, 6, VIA_FILE_WRITE, MASKED, BIT(PATIENTS), 401);
	introduce(&t, 21, "eval", "slurm:train.0");
	files(&t, 21, 6, VIA_FILE_READ, BIT(PATIENTS), 401);
	for (size_t i = 0; i < ARRAY_SIZE(dead); i++) {
		struct edge_key key = file_key(dead[i].tgid, 5 + i, VIA_FILE_WRITE, BIT(PATIENTS));
		struct ledger_key access = {.who = dead[i], .dataset = PATIENTS, .kind = ACCESS_READ};

		key.own = MASKED + 1;
		assert_int_equal(model_settle_edge(t.m, &key), 0);
		assert_int_equal(model_settle_access(t.m, &access), 0);
		assert_int_equal(model_set_exit(t.m, &dead[i], t.now), 0);
	}
	assert_int_equal(model_merge_dead(t.m, t.now + 10 * MODEL_FORGET_NS), 0);
	assert_null(subject_find(t.m, &dead[0]));
	assert_null(subject_find(t.m, &dead[1]));
	assert_int_equal(held(&t, 20, PATIENTS), 0);
	assert_int_equal(held(&t, 21, PATIENTS), 401);
	assert_counted(&t, 30011, 1, 0);
	reload(&t, python_of_masking); /* who they were is not known any more */
	assert_int_equal(held(&t, 20, PATIENTS), 30011);
	reload(&t, anyone);
	assert_int_equal(held(&t, 20, PATIENTS), 0);
	fixture_end(&t);
}

static void test_bad_number(void **state)
{
	struct fixture t;
	struct edge_key key = file_key(10, 5, VIA_FILE_WRITE, 1);
	struct edge_val val = {1, 1, 1, 1};

	fixture_begin(&t, anyone);
	key.own = SL_DATASETS_MAX + 1;
	assert_int_equal(model_set_edge(t.m, &key, &val), -EINVAL);
	key.own = SL_DATASETS_MAX; /* of a policy that was never loaded */
	assert_int_equal(model_set_edge(t.m, &key, &val), 0);
	assert_int_equal(derived_total(t.m, SL_DATASETS_MAX - 1).bytes, 0);
	fixture_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_is_a_derivation),
	    cmocka_unit_test(test_writers),
	    cmocka_unit_test(test_unknown_writer),
	    cmocka_unit_test(test_other_datasets_pass),
	    cmocka_unit_test(test_mixed),
	    cmocka_unit_test(test_rename),
	    cmocka_unit_test(test_chain),
	    cmocka_unit_test(test_findings),
	    cmocka_unit_test(test_undeclared_is_found),
	    cmocka_unit_test(test_chain_of_evidence),
	    cmocka_unit_test(test_allowed_for_what_is_derived),
	    cmocka_unit_test(test_reload),
	    cmocka_unit_test(test_counted),
	    cmocka_unit_test(test_merged),
	    cmocka_unit_test(test_bad_number),
	};

	return cmocka_run_group_tests_name("derived", tests, NULL, NULL);
}
