/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Who used a long-lived credential: credential.static, its records, and what is not known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/record_fixture.h"
#include "tests/unit/rules_fixture.h"
#include "user/model_credential.h"

#define TICK (10 * 1000000ULL)
#define MASKED "AKIA************MPLE"

/* As /proc tells of process(pid): to the tick. */
static struct credential_use opens(struct fixture *t, uint32_t pid, const char *job)
{
	uint64_t start = process(pid).start_ns;

	return (struct credential_use){
		.pid = pid, .start_ns = start - start % TICK, .span_ns = TICK, .when_ns = t->now, .opens = 1, .uid = 1000,
		.uid_known = true, .parent = 1, .comm = "aws", .exe = "/usr/bin/aws", .job = job, .kind = SECRET_AWS,
		.path = "/home/x/.aws/credentials", .key = MASKED,
	};
}

static void tell(struct fixture *t, struct credential_use use)
{
	assert_int_equal(model_set_credential_use(t->m, &use), 0);
}

static void accelerates(struct fixture *t, uint32_t pid)
{
	struct subject who = process(pid);

	assert_int_equal(model_set_ml(t->m, &who, ML_ACCELERATOR, "nvidia0"), 0);
}

static void test_tainted(void **state)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	introduce(&t, 10, "python3", "slurm:42.0");
	reads(&t, 10, 0, 4096);
	tell(&t, opens(&t, 10, "slurm:42.0"));
	evaluate(&t);
	struct finding *f = only(&t, RULE_CREDENTIAL_STATIC);
	assert_int_equal(f->severity, SEVERITY_HIGH);
	assert_string_equal(f->job, "slurm:42.0");
	assert_int_equal(f->process->who.tgid, 10);
	assert_false(f->has_leak);
	assert_string_equal(f->title, "slurm:42.0 uses a long-lived AWS key (" MASKED ") from /home/x/.aws/credentials; "
				      "use the instance's or pod's role instead");
	assert_string_equal(rule_mitre(f->rule)[0], "T1552.001");
	evaluate(&t);
	assert_int_equal(f->count, 1);
	tell(&t, opens(&t, 10, "slurm:42.0"));
	evaluate(&t);
	assert_int_equal(f->count, 2);
	assert_int_equal(findings(&t, RULE_MONITOR_GAP), 0);
	fixture_end(&t);
}

/* A helper of an ML job, of which the model knows nothing else. */
static void test_of_ml_job(void **state)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	introduce(&t, 10, "python3", "slurm:42.0");
	tell(&t, opens(&t, 77, "slurm:42.1"));
	evaluate(&t);
	assert_int_equal(findings(&t, RULE_CREDENTIAL_STATIC), 0);
	accelerates(&t, 10); /* later */
	evaluate(&t);
	struct finding *f = only(&t, RULE_CREDENTIAL_STATIC);
	assert_int_equal(f->severity, SEVERITY_MEDIUM);
	assert_null(f->process);
	assert_int_equal(f->by->pid, 77);
	assert_string_equal(f->by->comm, "aws");
	/* and then it turns out to hold tagged bytes */
	introduce(&t, 77, "aws", "slurm:42.1");
	reads(&t, 77, 0, 100);
	evaluate(&t);
	assert_int_equal(only(&t, RULE_CREDENTIAL_STATIC)->severity, SEVERITY_HIGH);
	assert_int_equal(f->process->who.tgid, 77);
	fixture_end(&t);
}

static void test_nobody_of_interest(void **state)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	introduce(&t, 10, "python3", "slurm:42.0");
	reads(&t, 10, 0, 4096);
	tell(&t, opens(&t, 11, "session:11"));
	evaluate(&t);
	/* another process of the same number */
	struct credential_use other = opens(&t, 10, "session:11");
	other.start_ns += NSEC;
	tell(&t, other);
	evaluate(&t);
	assert_int_equal(findings(&t, RULE_CREDENTIAL_STATIC), 0);
	fixture_end(&t);
}

static void test_tainted_later(void **state)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	introduce(&t, 10, "python3", "session:3");
	tell(&t, opens(&t, 10, "session:3"));
	evaluate(&t);
	evaluate(&t);
	assert_int_equal(findings(&t, RULE_CREDENTIAL_STATIC), 0);
	reads(&t, 10, 0, 4096);
	evaluate(&t);
	assert_int_equal(only(&t, RULE_CREDENTIAL_STATIC)->severity, SEVERITY_HIGH);
	fixture_end(&t);
}

/* By then it had ended; but the kernel had told of it before. */
static void test_gone_but_known(void **state)
{
	struct fixture t;
	struct subject who = process(10);

	fixture_begin(&t, NULL);
	introduce(&t, 10, "cat", "slurm:42.0");
	reads(&t, 10, 0, 4096);
	assert_int_equal(model_set_exit(t.m, &who, t.now), 0);
	struct credential_use use = {.pid = 10, .when_ns = t.now + 1000, .opens = 1, .kind = SECRET_NETRC, .path = "/n", .key = ""};
	tell(&t, use);
	evaluate(&t);
	assert_string_equal(only(&t, RULE_CREDENTIAL_STATIC)->title,
			    "slurm:42.0 uses a long-lived password from /n; use a token that ends with the job instead");
	assert_int_equal(findings(&t, RULE_MONITOR_GAP), 0);
	fixture_end(&t);
}

static void test_gone(void **state)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	struct credential_use use = {.pid = 10, .when_ns = t.now, .opens = 1, .kind = SECRET_NETRC, .path = "/n", .key = ""};
	tell(&t, use);
	for (unsigned i = 0; i < 5; i++)
		evaluate(&t);
	assert_int_equal(findings(&t, RULE_CREDENTIAL_STATIC), 0);
	struct finding *f = only(&t, RULE_MONITOR_GAP);
	assert_int_equal(f->severity, SEVERITY_LOW);
	assert_int_equal(f->seen, 1);
	assert_non_null(strstr(f->title, "had ended before"));
	fixture_end(&t);
}

static void test_environment(void **state)
{
	struct env_secrets env = {.key = MASKED, .path[ENV_NETRC] = "~/n", .path[ENV_HOME] = "/home/x"};
	struct credential_hint h;
	struct fixture t;

	fixture_begin(&t, NULL);
	for (uint32_t pid = 10; pid < 14; pid++) {
		struct subject who = process(pid);

		introduce(&t, pid, "python3", "slurm:42.0");
		tainted(&t, who, 1);
		assert_int_equal(model_set_environment(t.m, &who, &env), 0);
	}
	evaluate(&t);
	struct finding *f = only(&t, RULE_CREDENTIAL_STATIC);
	assert_non_null(strstr(f->title, "from its environment"));
	assert_int_equal(t.m->credentials->n, 1);
	assert_true(model_take_credential_hint(t.m, &h));
	assert_string_equal(h.path, "/home/x/n");
	assert_int_equal(h.kind, SECRET_NETRC);
	assert_int_equal(h.pid, 13);
	struct subject nobody = process(99);
	assert_int_equal(model_set_environment(t.m, &nobody, &env), -ENOENT);
	fixture_end(&t);
}

/* Whoever had a key first, and holds nothing, hides nobody who does; one finding tells of all of them. */
static void test_environment_of_the_tainted(void **state)
{
	struct env_secrets env = {.key = MASKED};
	struct fixture t;

	fixture_begin(&t, NULL);
	for (uint32_t pid = 10; pid < 14; pid++) {
		struct subject who = process(pid);

		introduce(&t, pid, "python3", "session:7");
		assert_int_equal(model_set_environment(t.m, &who, &env), 0);
	}
	evaluate(&t);
	assert_int_equal(findings(&t, RULE_CREDENTIAL_STATIC), 0);
	assert_int_equal(t.m->credentials->n, 1);
	for (uint32_t pid = 12; pid < 14; pid++) {
		reads(&t, pid, 0, 4096);
		evaluate(&t);
		assert_int_equal(only(&t, RULE_CREDENTIAL_STATIC)->process->who.tgid, 12);
		assert_int_equal(t.m->credentials->n, 2);
	}
	assert_int_equal(only(&t, RULE_CREDENTIAL_STATIC)->severity, SEVERITY_HIGH);
	fixture_end(&t);
}

static void test_bounded(void **state)
{
	struct fixture t;
	char path[64];

	fixture_begin(&t, NULL);
	introduce(&t, 10, "python3", "slurm:42.0");
	reads(&t, 10, 0, 4096);
	tell(&t, opens(&t, 10, "slurm:42.0"));
	evaluate(&t);
	for (unsigned i = 0; i < CREDENTIAL_USES_MAX + 100; i++) {
		struct credential_use use = opens(&t, 100000 + i, "session:9");

		snprintf(path, sizeof(path), "/home/%u/.netrc", i);
		use.path = path;
		tell(&t, use);
	}
	assert_int_equal(t.m->credentials->n, CREDENTIAL_USES_MAX);
	assert_true(credentials_lost(t.m, CREDENTIAL_LEFT) > 0);
	evaluate(&t);
	only(&t, RULE_CREDENTIAL_STATIC);
	only(&t, RULE_MONITOR_GAP);
	fixture_end(&t);
}

static void test_refused(void **state)
{
	static const char *const gaps[] = {"flow.raw: x", NULL};
	struct health h = {.backend = "tracepoint", .gaps = gaps, .cpu_share = 0};
	struct credential_state s = {.why = "the kernel refuses fanotify: Operation not permitted"};
	struct fixture t;

	fixture_begin(&t, NULL);
	model_set_health(t.m, &h);
	assert_true(model_owns_fact(t.m, "credential.files"));
	model_set_credential_state(t.m, &s);
	model_set_health(t.m, &h);
	assert_false(model_owns_fact(t.m, "credential.files"));
	assert_string_equal(t.m->gaps[1], "credential.files: the kernel refuses fanotify: Operation not permitted");
	introduce(&t, 10, "python3", "slurm:42.0");
	reads(&t, 10, 0, 4096);
	tell(&t, opens(&t, 10, "slurm:42.0"));
	evaluate(&t);
	assert_string_equal(only(&t, RULE_CREDENTIAL_STATIC)->coverage[0], "credential.files");
	s.why[0] = '\0';
	model_set_credential_state(t.m, &s);
	model_set_health(t.m, &h);
	assert_true(model_owns_fact(t.m, "credential.files"));
	fixture_end(&t);
}

/* --- records ------------------------------------------------------------- */

static const json_t *credential_record(const struct taker *to, size_t which)
{
	size_t i, n = 0;
	json_t *r;

	json_array_foreach (to->all, i, r)
		if (json_object_get(r, "credential") && n++ == which)
			return r;
	return NULL;
}

static void test_record(void **state)
{
	struct taker to = {.all = json_array()};
	struct fixture t;

	fixture_begin(&t, NULL);
	struct credential_use use = opens(&t, 10, "session:9");
	use.opens = 3;
	tell(&t, use);
	tick(&t, &to);
	tick(&t, &to);
	tell(&t, use);
	tick(&t, &to);
	const json_t *r = credential_record(&to, 0);
	assert_string_equal(json_string_value(json_object_get(r, "type")), "access");
	assert_true(json_is_null(json_object_get(r, "dataset")));
	assert_true(json_is_null(json_object_get(r, "bytes")));
	assert_true(json_is_null(json_object_get(r, "files")));
	assert_true(json_is_false(json_object_get(r, "exact")));
	assert_int_equal(number(r, "ops", NULL), 3);
	assert_int_equal(number(r, "process", "pid"), 10);
	assert_string_equal(json_string_value(json_object_get(r, "job")), "session:9");
	json_t *c = json_object_get(r, "credential");
	assert_string_equal(json_string_value(json_object_get(c, "kind")), "aws");
	assert_string_equal(json_string_value(json_object_get(c, "key")), MASKED);
	assert_int_equal(number(credential_record(&to, 1), "ops", NULL), 3);
	assert_null(credential_record(&to, 2));
	json_decref(to.all);
	fixture_end(&t);
}

static void test_sink_that_fails(void **state)
{
	struct taker to = {.all = json_array(), .fail = 2};
	struct fixture t;
	uint64_t ops = 0;

	fixture_begin(&t, NULL);
	for (unsigned i = 0; i < 20; i++) {
		tell(&t, opens(&t, 10 + i % 3, "session:9"));
		tick(&t, &to);
	}
	to.fail = 0;
	tick(&t, &to);
	for (size_t i = 0; credential_record(&to, i); i++)
		ops += number(credential_record(&to, i), "ops", NULL);
	assert_int_equal(ops, 20);
	json_decref(to.all);
	fixture_end(&t);
}

/* Nothing but its number is known, and nothing else is said. */
static void test_record_of_gone(void **state)
{
	struct taker to = {.all = json_array()};
	struct fixture t;

	fixture_begin(&t, NULL);
	struct credential_use use = {.pid = 10, .when_ns = t.now, .opens = 1, .kind = SECRET_NETRC, .path = "/n", .key = ""};
	tell(&t, use);
	for (unsigned i = 0; i < 5; i++)
		tick(&t, &to);
	const json_t *r = credential_record(&to, 0), *p = json_object_get(r, "process");
	assert_int_equal(number(r, "process", "pid"), 10);
	assert_true(json_is_null(json_object_get(p, "start")));
	assert_true(json_is_null(json_object_get(p, "comm")));
	assert_true(json_is_null(json_object_get(p, "uid")));
	assert_true(json_is_null(json_object_get(r, "job")));
	json_decref(to.all);
	fixture_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tainted),
		cmocka_unit_test(test_of_ml_job),
		cmocka_unit_test(test_nobody_of_interest),
		cmocka_unit_test(test_tainted_later),
		cmocka_unit_test(test_gone_but_known),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_environment_of_the_tainted),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_record),
		cmocka_unit_test(test_sink_that_fails),
		cmocka_unit_test(test_record_of_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
