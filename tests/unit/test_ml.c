/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Which jobs are ML jobs, why, for how long, and what follows from it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/record_fixture.h"
#include "tests/unit/rules_fixture.h"
#include "user/model_ml.h"

static void shows(struct fixture *t, uint32_t pid, enum ml_sign sign, const char *name)
{
	struct subject who = process(pid);

	assert_int_equal(model_set_ml(t->m, &who, sign, name), 0);
}

static void test_mark(void **state)
{
	struct fixture t;
	struct subject nobody = process(99);

	fixture_begin(&t, NULL);
	introduce(&t, 10, "python3", "k8s:a");
	introduce(&t, 11, "sh", "k8s:b");
	assert_false(job_is_ml(t.m, "k8s:a"));
	shows(&t, 10, ML_FRAMEWORK, "libtorch_cpu.so");
	shows(&t, 10, ML_FRAMEWORK, "libtorch.so");
	shows(&t, 10, ML_ACCELERATOR, "nvidia0");
	assert_true(job_is_ml(t.m, "k8s:a"));
	assert_false(job_is_ml(t.m, "k8s:b"));
	const struct m_ml *mark = ml_mark(t.m, "k8s:a");
	assert_string_equal(mark->sign[ML_FRAMEWORK].name, "libtorch_cpu.so"); /* the first */
	assert_string_equal(mark->sign[ML_FRAMEWORK].comm, "python3");
	assert_string_equal(mark->sign[ML_ACCELERATOR].name, "nvidia0");
	assert_int_equal(mark->sign[ML_ACCELERATOR].pid, 10);
	assert_int_equal(model_set_ml(t.m, &nobody, ML_FRAMEWORK, "x"), -ENOENT);
	nobody = process(10);
	assert_int_equal(model_set_ml(t.m, &nobody, ML_NAMED, "x"), -EINVAL);
	assert_int_equal(model_set_ml(t.m, &nobody, 77, "x"), -EINVAL);
	fixture_end(&t);
}

/* What one step computed its batch script can send. */
static void test_steps_are_one_job(void **state)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	introduce(&t, 10, "python3", "slurm:12.0");
	shows(&t, 10, ML_FRAMEWORK, "libtorch.so");
	assert_true(job_is_ml(t.m, "slurm:12.batch"));
	assert_true(job_is_ml(t.m, "slurm:12"));
	assert_false(job_is_ml(t.m, "slurm:123.0"));
	assert_false(job_is_ml(t.m, "slurm:1.0"));
	introduce(&t, 11, "a.service", "unit:a.b.service");
	shows(&t, 11, ML_FRAMEWORK, "libtorch.so");
	assert_false(job_is_ml(t.m, "unit:a"));
	fixture_end(&t);
}

static void dies(struct fixture *t, uint32_t pid)
{
	struct subject who = process(pid);

	assert_int_equal(model_set_exit(t->m, &who, t->now), 0);
}

/* The mark of a job stays when its processes have ended; a session's goes, since its number is soon another's. */
static void test_life(void **state)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	introduce(&t, 10, "python3", "slurm:12.0");
	introduce(&t, 11, "python3", "session:7");
	shows(&t, 10, ML_FRAMEWORK, "libtorch.so");
	shows(&t, 11, ML_FRAMEWORK, "libtorch.so");
	dies(&t, 10);
	dies(&t, 11);
	t.now += 20 * MODEL_FORGET_NS;
	assert_int_equal(model_prune(t.m, t.now), 0);
	assert_int_equal(t.m->nsubjects, 0);
	assert_true(job_is_ml(t.m, "slurm:12.batch"));
	assert_false(job_is_ml(t.m, "session:7"));
	fixture_end(&t);
}

static void test_bounded(void **state)
{
	struct fixture t;
	char job[64];

	fixture_begin(&t, NULL);
	for (uint32_t i = 0; i < ML_JOBS_MAX + 5; i++) {
		snprintf(job, sizeof(job), "slurm:%u.0", i);
		introduce(&t, 100 + i, "python3", job);
		shows(&t, 100 + i, ML_FRAMEWORK, "libtorch.so");
	}
	assert_int_equal(t.m->ml.used, ML_JOBS_MAX);
	assert_false(job_is_ml(t.m, "slurm:4.0"));
	assert_true(job_is_ml(t.m, "slurm:5.0"));
	assert_true(job_is_ml(t.m, "slurm:4100.0"));
	fixture_end(&t);
}

static const json_t *reason(const json_t *of, size_t i)
{
	return json_array_get(json_object_get(of, "ml_reason"), i);
}

static void test_reasons_are_told(void **state)
{
	struct fixture t;

	fixture_begin(&t, "jobs: ['slurm:1*']\nnetwork: { vpc: off }\n");
	introduce(&t, 10, "py\x1b", "slurm:12.0");
	introduce(&t, 11, "sh", "unit:a.service");
	shows(&t, 10, ML_FRAMEWORK, "libtorch\x1b[2J.so");
	shows(&t, 10, ML_ACCELERATOR, "");
	struct flow f = flow_to(&t, 1, 10, OUTSIDE, 443);
	sends(&t, &f, 10, 0);
	t.now += NSEC;
	assert_int_equal(rules_evaluate(t.m, t.now), 0);
	json_t *all = shot(&t, "jobs");
	const json_t *job = json_array_get(json_object_get(all, "items"), 0);
	assert_true(json_is_true(json_object_get(job, "ml")));
	assert_int_equal(json_array_size(json_object_get(job, "ml_reason")), 3);
	assert_string_equal(text(reason(job, 0), "sign", NULL), "accelerator");
	assert_string_equal(text(reason(job, 0), "name", NULL), "?");
	assert_string_equal(text(reason(job, 1), "sign", NULL), "framework");
	assert_string_equal(text(reason(job, 1), "name", NULL), "libtorch?[2J.so");
	assert_string_equal(text(reason(job, 1), "comm", NULL), "py?");
	assert_int_equal(number(reason(job, 1), "pid", NULL), 10);
	assert_string_equal(text(reason(job, 2), "sign", NULL), "named");
	assert_string_equal(text(reason(job, 2), "name", NULL), "slurm:1*");
	assert_true(json_is_null(json_object_get(reason(job, 2), "pid")));
	job = json_array_get(json_object_get(all, "items"), 1);
	assert_true(json_is_false(json_object_get(job, "ml")));
	assert_int_equal(json_array_size(json_object_get(job, "ml_reason")), 0);
	json_decref(all);
	all = shot(&t, "findings");
	const json_t *finding = json_array_get(json_object_get(all, "items"), 0);
	assert_string_equal(text(finding, "rule", NULL), "egress.unexpected");
	assert_string_equal(text(reason(finding, 1), "sign", NULL), "framework");
	json_decref(all);
	fixture_end(&t);
}

/* Its flow was there before it showed what it is. */
static void test_found_late(void **state)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	introduce(&t, 10, "python3", "session:7");
	struct flow f = flow_to(&t, 1, 10, OUTSIDE, 443);
	sends(&t, &f, 10, 0);
	for (unsigned i = 0; i < 3; i++)
		evaluate(&t);
	assert_int_equal(findings(&t, RULE_EGRESS_UNEXPECTED), 0);
	shows(&t, 10, ML_ACCELERATOR, "neuron0");
	evaluate(&t);
	assert_int_equal(only(&t, RULE_EGRESS_UNEXPECTED)->seen, 10);
	fixture_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_mark),    cmocka_unit_test(test_steps_are_one_job), cmocka_unit_test(test_life),
	    cmocka_unit_test(test_bounded), cmocka_unit_test(test_reasons_are_told),  cmocka_unit_test(test_found_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
