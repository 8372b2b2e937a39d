/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Budgets, unexpected talk, foreign readers, gaps; and all rules against the clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pwd.h>

#include "tests/unit/rules_fixture.h"

/* --- a host that talks to itself ---------------------------------------- */

/* From an address to the same one. */
static unsigned sent_to_itself(const char *addr, uint8_t proto)
{
	struct fixture t;
	unsigned n;

	fixture_begin(&t, NULL);
	introduce(&t, 10, "python3", NULL);
	reads(&t, 10, 0, 1000);
	struct flow f = flow_to(&t, 1, 10, addr, 443);
	memcpy(f.laddr, f.raddr, sizeof(f.laddr));
	f.proto = proto;
	flow_tainted_by(&t, &f, 1, 0);
	sends(&t, &f, 100, 0);
	evaluate(&t);
	n = findings(&t, RULE_EXFIL_VOLUME);
	fixture_end(&t);
	return n;
}

/* Datagrams of IPv6 leave from whatever address their sender gives them, the receiver's too. */
static void test_talks_to_itself(void **state)
{
	assert_int_equal(sent_to_itself(OUTSIDE, IPPROTO_TCP), 0);
	assert_int_equal(sent_to_itself(OUTSIDE, IPPROTO_UDP), 0);
	assert_int_equal(sent_to_itself("2001:db8::9", IPPROTO_TCP), 0);
	assert_int_equal(sent_to_itself("2001:db8::9", IPPROTO_UDP), 1);
}

/* --- budget.exceeded ----------------------------------------------------- */

#define BUDGET                                                                                     \
	"datasets:\n - { id: patients, path: /p, budget: { outside_vpc: 1KiB, per: 10m } }\n"      \
	"network: { vpc: off, vpc_cidrs: [10.0.0.0/16], allow: [ { cidr: 203.0.113.0/24 } ] }\n"

static void test_budget(void **state)
{
	struct fixture t;

	fixture_begin(&t, BUDGET);
	struct flow f = read_and_send(&t, 100000, 1024, OUTSIDE);
	evaluate(&t);
	assert_int_equal(t.m->findings->n,
			 0); /* spent, not exceeded; and the destination is allowed */
	sends(&t, &f, 1025, 0);
	evaluate(&t);
	const struct finding *x = only(&t, RULE_BUDGET_EXCEEDED);
	assert_int_equal(x->leak_bound, 1025);
	assert_int_equal(x->count, 1);
	assert_null(x->job);
	assert_false(x->has_remote);
	assert_true(x->nchain == 2);
	assert_string_equal(
	    x->title, "at most 1.01 KiB of patients left the VPC within 10m; its budget is 1.0 KiB");
	evaluate(&t);
	assert_int_equal(x->count, 1);
	/* Ten minutes later the window is empty again. */
	t.now += 700 * NSEC;
	sends(&t, &f, 1025 + 1000, 0);
	evaluate(&t);
	assert_int_equal(x->count, 1);
	t.now += 300 * NSEC;
	sends(&t, &f, 1025 + 1000 + 25, 0);
	evaluate(&t);
	assert_int_equal(x->count, 2);
	assert_int_equal(x->leak_bound, 1025);
	fixture_end(&t);
}

/* Only what can be tagged is spent. */
static void test_budget_of_volume(void **state)
{
	struct fixture t;

	fixture_begin(&t, BUDGET);
	read_and_send(&t, 500, 1 << 20, OUTSIDE);
	evaluate(&t);
	assert_int_equal(findings(&t, RULE_BUDGET_EXCEEDED), 0);
	reads(&t, 10, 0, 5000);
	evaluate(&t);
	assert_int_equal(only(&t, RULE_BUDGET_EXCEEDED)->leak_bound, 5000);
	fixture_end(&t);
}

/* --- egress.unexpected --------------------------------------------------- */

static unsigned unexpected(const char *expect, const char *job, uint64_t mask, const char *addr,
			   uint64_t out)
{
	char yaml[512];
	struct fixture t;

	snprintf(yaml, sizeof(yaml),
		 "jobs: ['slurm:*']\n%s  expect: %s\n  allow:\n    - { cidr: 198.51.100.0/24 }\n",
		 default_policy, expect);
	fixture_begin(&t, yaml);
	introduce(&t, 10, "pip", job);
	if (mask)
		reads(&t, 10, 0, 10);
	struct flow f = flow_to(&t, 1, 10, addr, 443);
	f.state = out ? 1 : 2;
	f.mask = mask;
	sends(&t, &f, out, 0);
	evaluate(&t);
	unsigned n = findings(&t, RULE_EGRESS_UNEXPECTED);
	if (n) {
		const struct finding *x = only(&t, RULE_EGRESS_UNEXPECTED);

		assert_false(x->has_leak);
		assert_true(x->has_remote);
		assert_int_equal(x->dataset, -1);
		assert_int_equal(x->count, 1);
		sends(&t, &f, out + 5, 0);
		evaluate(&t);
		assert_int_equal(x->count, 2);
		evaluate(&t);
		assert_int_equal(x->count, 2);
	}
	fixture_end(&t);
	return n;
}

static void test_unexpected(void **state)
{
	assert_int_equal(unexpected("ml", "slurm:1", 0, OUTSIDE, 9), 1);
	assert_int_equal(unexpected("ml", "unit:apt.service", 0, OUTSIDE, 9), 0);
	assert_int_equal(unexpected("ml", "unit:apt.service", 1, OUTSIDE, 9), 0);
	assert_int_equal(unexpected("ml", "slurm:1", 0, "10.0.0.9", 9), 0);
	assert_int_equal(unexpected("ml", "slurm:1", 0, "198.51.100.1", 9), 0);
	assert_int_equal(unexpected("ml", "slurm:1", 0, OUTSIDE, 0), 0); /* never answered */
	assert_int_equal(unexpected("tainted", "slurm:1", 0, OUTSIDE, 9), 0);
	assert_int_equal(unexpected("tainted", "unit:apt.service", 1, OUTSIDE, 9), 1);
	assert_int_equal(unexpected("all", "unit:apt.service", 0, OUTSIDE, 9), 1);
}

/* Nobody may talk outside but the monitor, which asks for what it was told to. */
static void test_the_monitor_itself(void **state)
{
	char yaml[512];
	struct fixture t;

	snprintf(yaml, sizeof(yaml), "%s  expect: all\n", default_policy);
	for (uint32_t self = 9; self <= 10; self++) {
		fixture_begin(&t, yaml);
		model_set_self(t.m, self);
		introduce(&t, 10, "sluice", "unit:sluice.service");
		struct flow f = flow_to(&t, 1, 10, OUTSIDE, 443);
		f.state = 1;
		sends(&t, &f, 9, 0);
		evaluate(&t);
		assert_int_equal(findings(&t, RULE_EGRESS_UNEXPECTED), self == 10 ? 0 : 1);
		fixture_end(&t);
	}
}

/* --- access.unauthorized ------------------------------------------------- */

static const struct finding *unauthorized(struct fixture *t, const char *readers, int uid,
					  const char *exe, const char *job)
{
	char yaml[512];

	snprintf(yaml, sizeof(yaml), "datasets:\n - { id: patients, path: /p, readers: %s }\n",
		 readers);
	fixture_begin(t, yaml);
	introduce_as(t, process(10), (struct subject){0}, "cat", exe, job, uid);
	reads(t, 10, 0, 4096);
	evaluate(t);
	return findings(t, RULE_ACCESS_UNAUTHORIZED) ? only(t, RULE_ACCESS_UNAUTHORIZED) : NULL;
}

static bool refused(const char *readers, int uid, const char *exe, const char *job)
{
	struct fixture t;
	bool yes = unauthorized(&t, readers, uid, exe, job);

	fixture_end(&t);
	return yes;
}

static void test_readers(void **state)
{
	const struct passwd *root = getpwuid(0);

	assert_false(refused("{ users: ['0'] }", 0, NULL, NULL));
	assert_false(refused("{ users: ['7', '0'] }", 0, NULL, NULL));
	if (root && !strcmp(root->pw_name, "root"))
		assert_false(refused("{ users: [root] }", 0, NULL, NULL));
	assert_true(refused("{ users: [root] }", 4294967, NULL, NULL));
	assert_true(refused("{ users: ['1000'] }", 0, NULL, NULL));
	assert_false(refused("{ exe: ['/usr/bin/python3*'] }", 0, "/usr/bin/python3.11", NULL));
	assert_true(refused("{ exe: ['/usr/bin/python3*'] }", 0, "/usr/bin/cat", NULL));
	assert_false(refused("{ jobs: ['slurm:*'] }", 0, NULL, "slurm:1"));
	assert_true(refused("{ jobs: ['slurm:*'] }", 0, NULL, "session:1"));
	assert_true(refused("{ jobs: ['slurm:*'] }", 0, NULL, NULL));
	/* Every list that is there must match. */
	assert_true(refused("{ users: ['0'], exe: [/bin/cat] }", 0, "/bin/dd", NULL));
	assert_true(refused("{ users: ['1'], exe: [/bin/cat] }", 0, "/bin/cat", NULL));
	assert_false(refused("{ users: ['0'], exe: [/bin/cat] }", 0, "/bin/cat", NULL));
}

static void test_unknown_reader(void **state)
{
	struct fixture t;
	const struct finding *x = unauthorized(&t, "{ exe: [/bin/cat] }", 0, NULL, "session:1");

	assert_non_null(x);
	assert_int_equal(x->ncoverage, 1);
	assert_string_equal(x->coverage[0], "subject.exe");
	assert_int_equal(x->severity, SEVERITY_MEDIUM);
	assert_false(x->has_leak);
	assert_int_equal(x->exposed, 4096);
	assert_int_equal(x->process->who.tgid, 10);
	reads(&t, 10, 0, 5000);
	evaluate(&t);
	evaluate(&t);
	assert_int_equal(x->exposed, 5000);
	assert_int_equal(x->count, 2);
	fixture_end(&t);
}

/* --- monitor.gap --------------------------------------------------------- */

static void test_losses(void **state)
{
	struct fixture t;
	struct health h = {.backend = "tracepoint", .cpu_share = 0.01};

	fixture_begin(&t, NULL);
	model_set_health(t.m, &h);
	evaluate(&t);
	assert_int_equal(t.m->findings->n, 0);
	h.losses[LOSS_RING_FULL] = h.losses[LOSS_LEDGER_FULL] = h.losses[LOSS_OVERFLOW_FULL] =
	    9; /* totals stay exact */
	h.late_ns = 5 * NSEC;
	model_set_health(t.m, &h);
	evaluate(&t);
	assert_int_equal(t.m->findings->n, 0);
	h.losses[LOSS_TAINT_FULL] = 3;
	model_set_health(t.m, &h);
	evaluate(&t);
	const struct finding *x = only(&t, RULE_MONITOR_GAP);
	assert_string_equal(
	    x->title,
	    "the taint of processes could not be kept 3 times: leak bounds may be too low");
	evaluate(&t);
	assert_int_equal(x->count, 1);
	h.losses[LOSS_TAINT_FULL] = 5;
	model_set_health(t.m, &h);
	evaluate(&t);
	assert_int_equal(x->count, 2);
	assert_non_null(strstr(x->title, "kept 5 times"));

	/* It weakens what is said about volumes from now on. */
	read_and_send(&t, 1000, 10, OUTSIDE);
	evaluate(&t);
	const struct finding *v = only(&t, RULE_EXFIL_VOLUME);
	assert_int_equal(v->ncoverage, 1);
	assert_string_equal(v->coverage[0], "loss.taint_full");
	fixture_end(&t);
}

static void test_every_loss_has_words(void **state)
{
	for (unsigned l = 0; l < LOSS_KINDS; l++) {
		struct health h = {.cpu_share = 0};
		struct fixture t;

		if (!loss_weakens(l))
			continue;
		fixture_begin(&t, NULL);
		h.losses[l] = 1;
		model_set_health(t.m, &h);
		evaluate(&t);
		assert_true(strlen(only(&t, RULE_MONITOR_GAP)->title) > 20);
		fixture_end(&t);
	}
}

static void test_late_and_blind(void **state)
{
	struct fixture t;
	struct health h = {.late_ns = 6 * NSEC, .blind_ns = 12 * NSEC};

	fixture_begin(&t, NULL);
	model_set_health(t.m, &h);
	evaluate(&t);
	evaluate(&t); /* the same word is not judged twice */
	assert_int_equal(findings(&t, RULE_MONITOR_GAP), 2);
	for (const struct finding *x = t.m->findings->first; x; x = x->next)
		assert_int_equal(x->count, 1);
	model_set_health(t.m, &h);
	evaluate(&t);
	assert_int_equal(t.m->findings->first->count, 2); /* late again */
	assert_int_equal(t.m->findings->last->count, 1);
	assert_non_null(strstr(t.m->findings->last->title, "12.0 s"));
	fixture_end(&t);
}

static void test_model_full(void **state)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	t.m->nodes_max = 0;
	struct subject_info info = {.who = process(1)};
	assert_int_equal(model_set_subject(t.m, &info), -ENOSPC);
	evaluate(&t);
	assert_non_null(strstr(only(&t, RULE_MONITOR_GAP)->title, "1 times"));
	fixture_end(&t);
}

/* A fact whose owner does not see all of it weakens the same findings, and is told apart from one without. */
static void test_limits(void **state)
{
	static const char *const gaps[] = {"taint.shm: no hook", NULL};
	static const char *const limits[] = {"read.read: a thread", "read.read: another thing", "flow.sweep: ?", NULL};
	struct fixture t;
	struct health h = {.gaps = gaps, .limits = limits};

	fixture_begin(&t, "jobs: ['slurm:*']\ndatasets: [ { id: patients, path: /p } ]\n");
	model_set_health(t.m, &h);
	read_and_send(&t, 1000, 10, OUTSIDE);
	evaluate(&t);
	const struct finding *v = only(&t, RULE_EXFIL_VOLUME);
	assert_true(v->ncoverage >= 2);
	assert_string_equal(v->coverage[0], "taint.shm");
	assert_string_equal(v->coverage[1], "partly read.read");
	for (size_t i = 2; i < v->ncoverage; i++)
		assert_string_not_equal(v->coverage[i], "partly read.read");
	fixture_end(&t);
}

/* Only a program that owns a fact is missed; each miss is told once. */
static void test_misses(void **state)
{
	struct fixture t;
	struct health h = {.nprograms = 3,
			   .programs = {{.name = "dump_edges", .misses = 9, .misses_known = true},
					{.name = "a_read", .facts = "read.read, taint.pipe_read", .misses = 7, .misses_known = true},
					{.name = "a_readv", .facts = "read.readv", .misses = 7}}};

	fixture_begin(&t, "datasets: [ { id: patients, path: /p } ]\n");
	model_set_health(t.m, &h);
	evaluate(&t);
	evaluate(&t);
	const struct finding *f = only(&t, RULE_MONITOR_GAP);
	assert_int_equal(f->count, 1);
	assert_int_equal(f->seen, 7);
	assert_non_null(strstr(f->title, "a_read did not run 7 times"));
	assert_non_null(strstr(f->title, "read.read, taint.pipe_read"));
	h.programs[1].misses = 12;
	model_set_health(t.m, &h);
	evaluate(&t);
	assert_int_equal(only(&t, RULE_MONITOR_GAP)->seen, 12);
	fixture_end(&t);
}

static void test_coverage(void **state)
{
	static const char *const gaps[] = {"read.io_uring: not in this version",
					   "taint.shm: no hook", "flow.name: no", "identity.names",
					   NULL};
	struct fixture t;
	struct health h = {.gaps = gaps};

	fixture_begin(&t, "jobs: ['slurm:*']\ndatasets: [ { id: patients, path: /p, readers: { "
			  "users: ['5'] } } ]\n");
	model_set_health(t.m, &h);
	read_and_send(&t, 1000, 10, OUTSIDE);
	evaluate(&t);
	const struct finding *v = only(&t, RULE_EXFIL_VOLUME);
	assert_int_equal(v->ncoverage, 4);
	assert_string_equal(v->coverage[0], "read.io_uring");
	assert_string_equal(v->coverage[3], "identity.names");
	h.nprograms = 1;
	h.programs[0] = (struct program_health){.name = "a_read", .facts = "read.read", .misses = 2, .misses_known = true};
	model_set_health(t.m, &h);
	read_and_send(&t, 2000, 20, OUTSIDE);
	evaluate(&t);
	v = only(&t, RULE_EXFIL_VOLUME);
	assert_int_equal(v->ncoverage, 5);
	assert_string_equal(v->coverage[4], "missed.read");
	const struct finding *u = only(&t, RULE_EGRESS_UNEXPECTED);
	assert_int_equal(u->ncoverage, 1);
	assert_string_equal(u->coverage[0], "flow.name");
	assert_int_equal(only(&t, RULE_ACCESS_UNAUTHORIZED)->ncoverage, 2);
	assert_false(model_owns_fact(t.m, "read.io_uring"));
	assert_false(model_owns_fact(t.m, "identity.names"));
	assert_true(model_owns_fact(t.m, "read.io"));
	assert_true(model_owns_fact(t.m, "read.read"));
	fixture_end(&t);
}

/* --- against the clock --------------------------------------------------- */

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* 100 jobs of 99 workers with a pipe each to their trainer, which sends to the outside by 10
 * connections. */
static void test_large_host(void **state)
{
	struct fixture t;
	char job[32], addr[32];

	fixture_begin(&t, NULL);
	double t0 = now_ms();
	for (uint32_t j = 0; j < 100; j++) {
		uint32_t trainer = 100000 + j;

		snprintf(job, sizeof(job), "slurm:%u", j);
		introduce(&t, trainer, "trainer", job);
		for (uint32_t w = 0; w < 99; w++) {
			uint32_t pid = 200000 + j * 100 + w;

			introduce_as(&t, process(pid), process(trainer), "worker",
				     "/usr/bin/python3", job, 1000);
			reads(&t, pid, 0, 1 << 20);
			moves(&t, pid, pid, VIA_PIPE_WRITE, 1, 4096);
			moves(&t, trainer, pid, VIA_PIPE_READ, 1, 4096);
		}
		for (uint32_t c = 0; c < 10; c++) {
			snprintf(addr, sizeof(addr), "203.0.113.%u", c);
			struct flow f = flow_to(&t, 1 + j * 10 + c, trainer, addr, 443);
			flow_tainted_by(&t, &f, 1, 0);
			sends(&t, &f, 100000, 0);
		}
	}
	double t1 = now_ms();
	evaluate(&t);
	double t2 = now_ms();
	assert_int_equal(findings(&t, RULE_EXFIL_VOLUME), 1000);
	for (int i = 0; i < 4; i++)
		evaluate(&t);
	double t3 = now_ms();
	evaluate(&t);
	double t4 = now_ms();
	print_message("  %zu subjects, %zu transfers, %zu flows, 1000 findings: told in %.1f ms, "
		      "first judged in %.1f ms, quiet "
		      "in %.2f ms\n",
		      t.m->nsubjects, t.m->nedges, t.m->nflows, t1 - t0, t2 - t1, t4 - t3);
#ifndef __SANITIZE_ADDRESS__
	assert_true(t4 - t3 < 50);
	assert_true(t2 - t1 < 1000);
#endif
	fixture_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_talks_to_itself),
	    cmocka_unit_test(test_budget),
	    cmocka_unit_test(test_budget_of_volume),
	    cmocka_unit_test(test_unexpected),
	    cmocka_unit_test(test_the_monitor_itself),
	    cmocka_unit_test(test_readers),
	    cmocka_unit_test(test_unknown_reader),
	    cmocka_unit_test(test_losses),
	    cmocka_unit_test(test_every_loss_has_words),
	    cmocka_unit_test(test_late_and_blind),
	    cmocka_unit_test(test_model_full),
	    cmocka_unit_test(test_coverage),
    cmocka_unit_test(test_limits),
    cmocka_unit_test(test_misses),
	    cmocka_unit_test(test_large_host),
	};

	return cmocka_run_group_tests_name("rules_other", tests, NULL, NULL);
}
