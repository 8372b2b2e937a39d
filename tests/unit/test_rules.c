/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What becomes a finding, with which figures, and what does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pwd.h>

#include "tests/unit/model_fixture.h"
#include "user/policy/finding.h"
#include "user/policy/rules.h"
#include "user/policy/rules_internal.h"

#define OUTSIDE "203.0.113.9"

static void evaluate(struct fixture *t)
{
	t->now += NSEC;
	assert_int_equal(rules_evaluate(t->m, t->now), 0);
}

static unsigned findings(const struct fixture *t, enum rule rule)
{
	unsigned n = 0;

	for (const struct finding *f = t->m->findings->first; f; f = f->next)
		n += f->count && f->rule == rule;
	return n;
}

static struct finding *only(const struct fixture *t, enum rule rule)
{
	struct finding *found = NULL;

	assert_int_equal(findings(t, rule), 1);
	for (struct finding *f = t->m->findings->first; f; f = f->next)
		found = f->count && f->rule == rule ? f : found;
	return found;
}

/* One process that reads so much and sends so much. */
static struct flow read_and_send(struct fixture *t, uint64_t read, uint64_t sent, const char *addr)
{
	introduce(t, 10, "python3", "slurm:4242.0");
	reads(t, 10, 0, read);
	struct flow f = flow_to(t, 1, 10, addr, 443);
	flow_tainted_by(t, &f, 1, 0);
	sends(t, &f, sent, 5);
	return f;
}

/* --- exfil.volume -------------------------------------------------------- */

/* The ordinary layout: one reads and passes on by a pipe, another sends. */
static void test_main_job(void **state)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	introduce(&t, 10, "python3", "slurm:4242.0");
	introduce(&t, 11, "curl", "slurm:4242.0");
	reads(&t, 10, 0, 1048583);
	moves(&t, 10, 8123, VIA_PIPE_WRITE, 1, 65537);
	moves(&t, 11, 8123, VIA_PIPE_READ, 1, 65537);
	struct flow f = flow_to(&t, 1, 11, OUTSIDE, 443);
	flow_tainted_by(&t, &f, 1, 0);
	sends(&t, &f, 1048576, 99);
	evaluate(&t);

	const struct finding *x = only(&t, RULE_EXFIL_VOLUME);
	assert_int_equal(x->leak_bound, 65537);
	assert_int_equal(x->exposed, 1048583);
	assert_true(x->has_leak && x->has_exposed && x->has_remote);
	assert_string_equal(x->title, "slurm:4242.0 sent at most 64 KiB of patients (PII) to "
				      "203.0.113.9:443 outside the VPC");
	assert_string_equal(x->job, "slurm:4242.0");
	assert_int_equal(x->process->who.tgid, 11);
	assert_int_equal(x->severity, SEVERITY_LOW);
	assert_int_equal(x->count, 1);
	assert_int_equal(x->remote.port, 443);
	assert_int_equal(strlen(x->id), 18);
	assert_memory_equal(x->id, "f-", 2);

	static const struct hop expected[] = {
	    {(char *)"dataset patients", (char *)"process python3[10]", "read", 1048583, 0, true},
	    {(char *)"process python3[10]", (char *)"pipe:[8123]", "pipe_write", 65537, 0, true},
	    {(char *)"pipe:[8123]", (char *)"process curl[11]", "pipe_read", 65537, 0, true},
	    {(char *)"process curl[11]", (char *)"203.0.113.9:443", "tcp", 1048576, 0, true},
	};
	assert_int_equal(x->nchain, ARRAY_SIZE(expected));
	for (size_t i = 0; i < x->nchain; i++) {
		assert_string_equal(x->chain[i].from, expected[i].from);
		assert_string_equal(x->chain[i].to, expected[i].to);
		assert_string_equal(x->chain[i].via, expected[i].via);
		assert_int_equal(x->chain[i].bytes, expected[i].bytes);
		assert_true(x->chain[i].counted);
		assert_int_not_equal(x->chain[i].time_ns, 0);
	}
	fixture_end(&t);
}

static void test_fork_in_chain(void **state)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	introduce(&t, 10, "python3", "slurm:1");
	introduce(&t, 12, "python3", "slurm:1");
	reads(&t, 10, 0, 500);
	born(&t, process(10), process(12), 1, VIA_FORK);
	struct flow f = flow_to(&t, 1, 12, "2001:db8::5", 443);
	flow_tainted_by(&t, &f, 1, 0);
	sends(&t, &f, 70, 0);
	evaluate(&t);
	const struct finding *x = only(&t, RULE_EXFIL_VOLUME);
	assert_int_equal(x->leak_bound, 70);
	assert_int_equal(x->nchain, 3);
	assert_string_equal(x->chain[1].via, "fork");
	assert_false(x->chain[1].counted);
	assert_string_equal(x->chain[2].to, "[2001:db8::5]:443");
	fixture_end(&t);
}

static void test_first_byte(void **state)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	read_and_send(&t, 1000, 1, OUTSIDE);
	evaluate(&t);
	assert_int_equal(only(&t, RULE_EXFIL_VOLUME)->leak_bound, 1);
	assert_int_equal(only(&t, RULE_EXFIL_VOLUME)->severity, SEVERITY_INFO);
	fixture_end(&t);
}

static void test_inside(void **state)
{
	static const char *const inside[] = {"10.0.200.1", "127.0.0.1", "::1"};
	struct fixture t;

	for (size_t i = 0; i < ARRAY_SIZE(inside); i++) {
		fixture_begin(&t, NULL);
		read_and_send(&t, 1000, 500, inside[i]);
		evaluate(&t);
		evaluate(&t);
		assert_int_equal(t.m->findings->n, 0);
		fixture_end(&t);
	}
	/* A private address that is not the VPC's is outside. */
	fixture_begin(&t, NULL);
	read_and_send(&t, 1000, 500, "10.1.0.1");
	evaluate(&t);
	assert_int_equal(findings(&t, RULE_EXFIL_VOLUME), 1);
	fixture_end(&t);
}

static void test_severities(void **state)
{
	assert_int_equal(severity_of(0, 0), SEVERITY_INFO);
	assert_int_equal(severity_of((64 << 10) - 1, 0), SEVERITY_INFO);
	assert_int_equal(severity_of(64 << 10, 0), SEVERITY_LOW);
	assert_int_equal(severity_of((1 << 20) - 1, 0), SEVERITY_LOW);
	assert_int_equal(severity_of(1 << 20, 0), SEVERITY_MEDIUM);
	assert_int_equal(severity_of((64 << 20) - 1, 0), SEVERITY_MEDIUM);
	assert_int_equal(severity_of(64 << 20, 0), SEVERITY_HIGH);
	assert_int_equal(severity_of(1ULL << 50, 0), SEVERITY_HIGH);
	assert_int_equal(severity_of(100, 1000), SEVERITY_CRITICAL);
	assert_int_equal(severity_of(99, 1000), SEVERITY_INFO);
	assert_int_equal(severity_of(100, 1001), SEVERITY_INFO); /* a tenth is 100.1 */
	assert_int_equal(severity_of(101, 1001), SEVERITY_CRITICAL);
	assert_int_equal(severity_of(0, 5), SEVERITY_INFO);
}

/* Marked by the kernel because a holder could write to it, but no byte came that far. */
static void test_volume_zero(void **state)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	introduce(&t, 11, "curl", "slurm:1");
	struct taint held = {.mask = 1, .since_ns = t.now, .via = VIA_HELD, .used = 1};
	struct subject who = process(11);
	assert_int_equal(model_set_taint(t.m, &who, &held), 0);
	struct flow f = flow_to(&t, 1, 11, OUTSIDE, 443);
	flow_tainted_by(&t, &f, 1, 0);
	sends(&t, &f, 5000, 0);
	evaluate(&t);
	evaluate(&t);
	assert_int_equal(findings(&t, RULE_EXFIL_VOLUME), 0);
	assert_int_equal(flow_tainted(t.m->first_flow), 0);
	fixture_end(&t);
}

/* What left before the read is no tagged byte. */
static void test_sent_before(void **state)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	introduce(&t, 10, "python3", "slurm:1");
	reads(&t, 10, 0, 1000);
	struct flow f = flow_to(&t, 1, 10, OUTSIDE, 443);
	sends(&t, &f, 7000, 0);
	flow_tainted_by(&t, &f, 1, 7000);
	evaluate(&t);
	assert_int_equal(findings(&t, RULE_EXFIL_VOLUME), 0);
	sends(&t, &f, 7011, 0);
	evaluate(&t);
	assert_int_equal(only(&t, RULE_EXFIL_VOLUME)->leak_bound, 11);
	fixture_end(&t);
}

/* Repeats over many connections are one finding; other jobs, datasets and ends are others. */
static void test_grouping(void **state)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	for (uint32_t pid = 10; pid < 14; pid++) {
		introduce(&t, pid, "w", pid < 13 ? "slurm:1" : "slurm:2");
		reads(&t, pid, 0, 1000);
		struct flow f = flow_to(&t, pid, pid, OUTSIDE, 443);
		flow_tainted_by(&t, &f, 1, 0);
		sends(&t, &f, 100, 0);
	}
	evaluate(&t);
	assert_int_equal(findings(&t, RULE_EXFIL_VOLUME), 2);
	assert_int_equal(t.m->findings->first->leak_bound, 300);
	assert_int_equal(t.m->findings->first->exposed, 3000);
	struct flow f = flow_to(&t, 50, 10, OUTSIDE, 444);
	flow_tainted_by(&t, &f, 1, 0);
	sends(&t, &f, 1, 0);
	reads(&t, 10, 1, 40);
	struct flow g = flow_to(&t, 51, 10, OUTSIDE, 443);
	flow_tainted_by(&t, &g, 3, 0);
	sends(&t, &g, 60, 0);
	evaluate(&t);
	assert_int_equal(findings(&t, RULE_EXFIL_VOLUME), 4);
	for (const struct finding *x = t.m->findings->first; x; x = x->next) {
		if (x->dataset == 1)
			assert_int_equal(x->leak_bound, 40);
	}
	fixture_end(&t);
}

/* Each interval in which it grows counts once; the id stays. Reads after the last byte change
 * nothing. */
static void test_growth(void **state)
{
	struct fixture t;
	char id[FINDING_ID_LEN];

	fixture_begin(&t, NULL);
	struct flow f = read_and_send(&t, 1000, 10, OUTSIDE);
	evaluate(&t);
	struct finding *x = only(&t, RULE_EXFIL_VOLUME);
	uint64_t first = x->first_ns;
	memcpy(id, x->id, sizeof(id));
	for (int i = 0; i < 5; i++)
		evaluate(&t);
	assert_int_equal(x->count, 1);
	x->given = true;
	reads(&t, 10, 0, 900000);
	evaluate(&t);
	assert_int_equal(x->exposed, 1000);
	assert_int_equal(x->count, 1);
	assert_true(x->given);
	sends(&t, &f, 20, 5);
	evaluate(&t);
	assert_ptr_equal(only(&t, RULE_EXFIL_VOLUME), x);
	assert_int_equal(x->leak_bound, 20);
	assert_int_equal(x->exposed, 900000);
	assert_int_equal(x->count, 2);
	assert_false(x->given);
	assert_string_equal(x->id, id);
	assert_int_equal(x->first_ns, first);
	assert_int_equal(x->last_ns, t.now);
	fixture_end(&t);

	/* A second life of the monitor finds the same id, whatever number the dataset has. */
	fixture_begin(&t, "datasets:\n - { id: zebra, path: /z }\n - { id: patients, path: /p }\n"
			  "network: { vpc: off, vpc_cidrs: [10.0.0.0/16] }\n");
	introduce(&t, 77, "python3", "slurm:4242.0");
	reads(&t, 77, 1, 5);
	f = flow_to(&t, 9, 77, OUTSIDE, 443);
	flow_tainted_by(&t, &f, 2, 0);
	sends(&t, &f, 3, 0);
	evaluate(&t);
	assert_string_equal(only(&t, RULE_EXFIL_VOLUME)->id, id);
	fixture_end(&t);
}

/* A socket inherited over fork: the owner read ten bytes, its child a thousand. */
static void test_inherited_socket(void **state)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	introduce(&t, 10, "sh", "slurm:1");
	reads(&t, 10, 0, 10);
	struct flow f = flow_to(&t, 1, 10, OUTSIDE, 443);
	f.start_ns = 1;
	flow_tainted_by(&t, &f, 1, 0);
	introduce_as(&t, process(20), process(10), "cat", NULL, "slurm:1", 0);
	reads(&t, 20, 0, 1000);
	sends(&t, &f, 700, 0);
	evaluate(&t);
	assert_int_equal(only(&t, RULE_EXFIL_VOLUME)->leak_bound, 700);
	assert_int_equal(only(&t, RULE_EXFIL_VOLUME)->exposed, 1010);
	fixture_end(&t);

	/* A child that is older than the flow has no part in it. */
	fixture_begin(&t, NULL);
	introduce(&t, 10, "sh", "slurm:1");
	introduce_as(&t, process(20), process(10), "cat", NULL, "slurm:1", 0);
	reads(&t, 10, 0, 10);
	reads(&t, 20, 0, 1000);
	f = flow_to(&t, 1, 10, OUTSIDE, 443);
	flow_tainted_by(&t, &f, 1, 0);
	sends(&t, &f, 700, 0);
	evaluate(&t);
	assert_int_equal(only(&t, RULE_EXFIL_VOLUME)->leak_bound, 10);
	fixture_end(&t);
}

/* The owner never held what the flow is tainted with: somebody else sent. */
static void test_unknown_sender(void **state)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	introduce(&t, 10, "sh", "slurm:1");
	introduce(&t, 20, "cat", "slurm:1");
	reads(&t, 20, 0, 1000);
	struct flow f = flow_to(&t, 1, 10, OUTSIDE, 443);
	flow_tainted_by(&t, &f, 1, 0);
	sends(&t, &f, 700, 0);
	t.m->evaluated_ns = t.now - 1;
	evaluate(&t); /* the sender's own taint may be on its way */
	evaluate(&t);
	assert_int_equal(only(&t, RULE_EXFIL_VOLUME)->leak_bound, 700);
	fixture_end(&t);
}

/* cat's first write blocks, since the sender is slow: its bytes leave before the write is counted.
 */
static void test_write_under_way(void **state)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	introduce(&t, 10, "cat", "slurm:1");
	introduce(&t, 11, "slow", "slurm:1");
	reads(&t, 10, 0, 131072);
	moves(&t, 11, 5, VIA_PIPE_READ, 1, 300);
	struct flow f = flow_to(&t, 1, 11, OUTSIDE, 443);
	flow_tainted_by(&t, &f, 1, 0);
	sends(&t, &f, 200, 0);
	evaluate(&t);
	const struct finding *x = only(&t, RULE_EXFIL_VOLUME);
	assert_int_equal(x->leak_bound, 200);
	assert_int_equal(x->nchain, 4);
	assert_string_equal(x->chain[1].via, "pipe_write");
	assert_false(x->chain[1].counted);
	fixture_end(&t);
}

static void test_overflowed_reads(void **state)
{
	struct fixture t;
	struct overflow_key key = {.cgroup = 7, .dataset = 0, .kind = ACCESS_READ};

	fixture_begin(&t, NULL);
	introduce(&t, 10, "python3", "slurm:1");
	tainted(&t, process(10), 1);
	assert_int_equal(model_set_overflow(t.m, &key, &(struct overflow_val){4000, 2}), 0);
	struct flow f = flow_to(&t, 1, 10, OUTSIDE, 443);
	flow_tainted_by(&t, &f, 1, 0);
	sends(&t, &f, 9000, 0);
	evaluate(&t);
	const struct finding *x = only(&t, RULE_EXFIL_VOLUME);
	assert_int_equal(x->leak_bound, 4000);
	assert_int_equal(x->nchain, 2);
	assert_string_equal(x->chain[0].from, "dataset patients");
	assert_string_equal(x->chain[0].to, "process python3[10]");
	assert_int_equal(x->chain[0].bytes, 4000);
	fixture_end(&t);
}

/* Who sent is told an interval later: no finding without its job meanwhile. */
static void test_waits_for_name(void **state)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	reads(&t, 10, 0, 1000);
	struct flow f = flow_to(&t, 1, 10, OUTSIDE, 443);
	flow_tainted_by(&t, &f, 1, 0);
	sends(&t, &f, 100, 0);
	evaluate(&t);
	assert_int_equal(t.m->findings->n, 0);
	introduce(&t, 10, "python3", "slurm:9");
	evaluate(&t);
	assert_string_equal(only(&t, RULE_EXFIL_VOLUME)->job, "slurm:9");
	fixture_end(&t);

	/* But no longer than that. */
	fixture_begin(&t, NULL);
	reads(&t, 10, 0, 1000);
	f = flow_to(&t, 1, 10, OUTSIDE, 443);
	flow_tainted_by(&t, &f, 1, 0);
	sends(&t, &f, 100, 0);
	evaluate(&t);
	evaluate(&t);
	assert_null(only(&t, RULE_EXFIL_VOLUME)->job);
	assert_string_equal(
	    only(&t, RULE_EXFIL_VOLUME)->title,
	    "?[10] sent at most 100 B of patients (PII) to 203.0.113.9:443 outside the VPC");
	fixture_end(&t);
}

static void test_hostile_names(void **state)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	introduce(&t, 10, "ev\033[2Jil\xff", "slurm:\033]0;x\a");
	reads(&t, 10, 0, 1000);
	struct flow f = flow_to(&t, 1, 10, OUTSIDE, 443);
	flow_tainted_by(&t, &f, 1, 0);
	sends(&t, &f, 100, 0);
	evaluate(&t);
	const struct finding *x = only(&t, RULE_EXFIL_VOLUME);
	for (const char *p = x->title; *p; p++)
		assert_true(*p >= 0x20 && *p < 0x7f);
	for (const char *p = x->chain[1].from; *p; p++)
		assert_true(*p >= 0x20 && *p < 0x7f);
	fixture_end(&t);
}

/* --- what is allowed ----------------------------------------------------- */

static bool allowed_by(const char *allow, uint16_t port)
{
	char yaml[512];
	struct fixture t;

	snprintf(yaml, sizeof(yaml), "%s  allow:\n    - %s\n", default_policy, allow);
	fixture_begin(&t, yaml);
	introduce(&t, 10, "python3", "slurm:1");
	reads(&t, 10, 0, 1000);
	struct flow f = flow_to(&t, 1, 10, OUTSIDE, port);
	flow_tainted_by(&t, &f, 1, 0);
	sends(&t, &f, 100, 0);
	evaluate(&t);
	bool raised = findings(&t, RULE_EXFIL_VOLUME);
	fixture_end(&t);
	return !raised;
}

static void test_allowed(void **state)
{
	assert_true(allowed_by("{ cidr: 203.0.113.0/24 }", 443));
	assert_true(allowed_by("{ cidr: 203.0.113.9 }", 443));
	assert_true(allowed_by("{ cidr: 203.0.113.0/24, port: 443 }", 443));
	assert_false(allowed_by("{ cidr: 203.0.113.0/24, port: 443 }", 80));
	assert_false(allowed_by("{ cidr: 203.0.114.0/24 }", 443));
	assert_true(allowed_by("{ cidr: 203.0.113.0/24, datasets: [patients] }", 443));
	assert_false(allowed_by("{ cidr: 203.0.113.0/24, datasets: [weather] }", 443));
	/* Names and buckets are not known: such entries cover nothing. */
	assert_false(allowed_by("{ name: '*.example.org' }", 443));
	assert_false(allowed_by("{ bucket: approved-models }", 443));
	assert_false(allowed_by("{ cidr: 203.0.113.0/24, name: '*.example.org' }", 443));
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
	    x->title, "at most 1.0 KiB of patients left the VPC within 10m; its budget is 1.0 KiB");
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

/* When there are too many findings, what is left over is joined, and still complete. */
static void test_findings_run_out(void **state)
{
	struct fixture t;
	char addr[32];

	fixture_begin(&t, NULL);
	t.m->findings->most = 5;
	introduce(&t, 10, "crawler", "slurm:1");
	reads(&t, 10, 0, 1000000);
	for (unsigned i = 1; i <= 50; i++) {
		snprintf(addr, sizeof(addr), "203.0.113.%u", i);
		struct flow f = flow_to(&t, i, 10, addr, 443);
		flow_tainted_by(&t, &f, 1, 0);
		sends(&t, &f, 100, 0);
	}
	evaluate(&t);
	assert_int_equal(findings(&t, RULE_EXFIL_VOLUME), 6);
	const struct finding *others = t.m->findings->last;
	assert_false(others->has_remote);
	assert_int_equal(others->leak_bound, 4500);
	fixture_end(&t);
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
	    cmocka_unit_test(test_main_job),	     cmocka_unit_test(test_fork_in_chain),
	    cmocka_unit_test(test_first_byte),	     cmocka_unit_test(test_inside),
	    cmocka_unit_test(test_severities),	     cmocka_unit_test(test_volume_zero),
	    cmocka_unit_test(test_sent_before),	     cmocka_unit_test(test_grouping),
	    cmocka_unit_test(test_growth),	     cmocka_unit_test(test_inherited_socket),
	    cmocka_unit_test(test_unknown_sender),   cmocka_unit_test(test_write_under_way),
	    cmocka_unit_test(test_overflowed_reads), cmocka_unit_test(test_waits_for_name),
	    cmocka_unit_test(test_hostile_names),    cmocka_unit_test(test_allowed),
	    cmocka_unit_test(test_budget),	     cmocka_unit_test(test_budget_of_volume),
	    cmocka_unit_test(test_unexpected),	     cmocka_unit_test(test_findings_run_out),
	    cmocka_unit_test(test_readers),	     cmocka_unit_test(test_unknown_reader),
	    cmocka_unit_test(test_losses),	     cmocka_unit_test(test_every_loss_has_words),
	    cmocka_unit_test(test_late_and_blind),   cmocka_unit_test(test_model_full),
	    cmocka_unit_test(test_coverage),	     cmocka_unit_test(test_large_host),
	};

	return cmocka_run_group_tests_name("rules", tests, NULL, NULL);
}
