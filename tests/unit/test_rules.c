/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* exfil.volume: what becomes a finding, with which figures, and what does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/rules_fixture.h"
#include "user/policy/rules_internal.h"

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
	assert_string_equal(x->title, "slurm:4242.0 sent at most 64.1 KiB of patients (PII) to "
				      "203.0.113.9:443 outside the VPC");
	assert_string_equal(x->job, "slurm:4242.0");
	assert_int_equal(x->process->who.tgid, 11);
	assert_int_equal(x->severity, SEVERITY_LOW);
	assert_int_equal(x->count, 1);
	assert_int_equal(x->remote.port, 443);
	assert_int_equal(strlen(x->id), 18);
	assert_memory_equal(x->id, "f-", 2);

	static const struct hop expected[] = {
	    {(char *)"dataset patients", (char *)"process python3[10]", "read", 1048583, 0, true, 0},
	    {(char *)"process python3[10]", (char *)"pipe:[8123]", "pipe_write", 65537, 0, true, 0},
	    {(char *)"pipe:[8123]", (char *)"process curl[11]", "pipe_read", 65537, 0, true, 0},
	    {(char *)"process curl[11]", (char *)"203.0.113.9:443", "tcp", 1048576, 0, true, 0},
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

/* One read from the pipe before this writer came to it: the way from here begins with the write, if more was read since. */
static void test_chain_in_order(void **state)
{
	for (unsigned since = 0; since < 2; since++) {
		struct fixture t;

		fixture_begin(&t, NULL);
		introduce(&t, 10, "python3", "slurm:1");
		introduce(&t, 11, "curl", "slurm:1");
		reads(&t, 10, 0, 1048583);
		uint64_t before = t.now;
		moves(&t, 11, 8123, VIA_PIPE_READ, 1, 1009);
		t.now += 5 * NSEC;
		moves(&t, 10, 8123, VIA_PIPE_WRITE, 1, 65537);
		uint64_t written = t.now;
		t.now += NSEC;
		struct edge_key key = {.who = process(11), .what = {.ino = 8123, .dev = 13}, .mask = 1, .via = VIA_PIPE_READ};
		struct edge_val val = {65537, 2, before, since ? t.now : before};
		assert_int_equal(model_set_edge(t.m, &key, &val), 0);
		struct flow f = flow_to(&t, 1, 11, OUTSIDE, 443);
		flow_tainted_by(&t, &f, 1, 0);
		sends(&t, &f, 70001, 0);
		evaluate(&t);
		const struct finding *x = only(&t, RULE_EXFIL_VOLUME);
		assert_int_equal(x->nchain, 4);
		assert_int_equal(x->chain[1].time_ns, written);
		assert_int_equal(x->chain[2].time_ns, since ? written : before);
		fixture_end(&t);
	}
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

/* A child that inherited what it holds and did nothing but send: its own taint is not told, its
 * parent is known. Others who hold the dataset have no part in it, and nothing has to be waited
 * for. */
static void test_sender_by_birth(void **state)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	introduce(&t, 10, "python3", "slurm:1");
	introduce(&t, 30, "other", "slurm:2");
	reads(&t, 10, 0, 300);
	reads(&t, 30, 0, 100000);
	t.now += NSEC;
	introduce_as(&t, process(20), process(10), "python3", NULL, "slurm:1", 0);
	struct flow f = flow_to(&t, 1, 20, OUTSIDE, 443);
	flow_tainted_by(&t, &f, 1, 0);
	sends(&t, &f, 7000, 0);
	evaluate(&t);
	assert_int_equal(only(&t, RULE_EXFIL_VOLUME)->leak_bound, 300);
	const struct finding *x = only(&t, RULE_EXFIL_VOLUME);
	assert_int_equal(x->exposed, 300);
	assert_int_equal(x->process->who.tgid, 20);
	assert_int_equal(x->nchain, 3);
	assert_string_equal(x->chain[1].via, "fork");
	assert_string_equal(x->chain[2].from, "process python3[20]");
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

static bool allowed_in(const char *ranges, const char *allow, uint16_t port)
{
	char yaml[512];
	struct fixture t;

	snprintf(yaml, sizeof(yaml), "%s  aws_ranges: /r/f\n  allow:\n    - %s\n", default_policy, allow);
	fixture_begin(&t, yaml);
	if (ranges)
		fixture_ranges(&t, ranges);
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

static bool allowed_by(const char *allow, uint16_t port)
{
	return allowed_in(NULL, allow, port);
}

static void test_allowed_by_service(void **state)
{
	static const char s3[] = RANGE("203.0.113.0/24", "S3"), ec2[] = RANGE("203.0.113.0/24", "EC2");

	assert_true(allowed_in(s3, "{ service: s3 }", 443));
	assert_true(allowed_in(s3, "{ service: S3, port: 443 }", 443));
	assert_false(allowed_in(s3, "{ service: S3, port: 443 }", 80));
	assert_true(allowed_in(s3, "{ service: S3, cidr: 203.0.113.0/28 }", 443));
	assert_false(allowed_in(s3, "{ service: S3, cidr: 203.0.113.16/28 }", 443));
	assert_false(allowed_in(s3, "{ service: S3, bucket: approved-models }", 443));
	assert_false(allowed_in(s3, "{ service: KMS }", 443));
	assert_false(allowed_in(ec2, "{ service: EC2 }", 443)); /* anybody's machine is no service */
	assert_false(allowed_in(NULL, "{ service: S3 }", 443));
	assert_true(allowed_in(s3, "{ port: 443 }", 443));
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
	/* Nothing is known of its name: such entries do not cover it. */
	assert_false(allowed_by("{ name: '*.example.org' }", 443));
	assert_false(allowed_by("{ bucket: approved-models }", 443));
	assert_false(allowed_by("{ cidr: 203.0.113.0/24, name: '*.example.org' }", 443));
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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_main_job),	    cmocka_unit_test(test_fork_in_chain),
	    cmocka_unit_test(test_chain_in_order),
	    cmocka_unit_test(test_first_byte),	    cmocka_unit_test(test_inside),
	    cmocka_unit_test(test_severities),	    cmocka_unit_test(test_volume_zero),
	    cmocka_unit_test(test_sent_before),	    cmocka_unit_test(test_grouping),
	    cmocka_unit_test(test_growth),	    cmocka_unit_test(test_inherited_socket),
	    cmocka_unit_test(test_unknown_sender),  cmocka_unit_test(test_sender_by_birth),
	    cmocka_unit_test(test_write_under_way), cmocka_unit_test(test_overflowed_reads),
	    cmocka_unit_test(test_waits_for_name),  cmocka_unit_test(test_hostile_names),
	    cmocka_unit_test(test_allowed), cmocka_unit_test(test_allowed_by_service),	    cmocka_unit_test(test_findings_run_out),
	};

	return cmocka_run_group_tests_name("rules", tests, NULL, NULL);
}
