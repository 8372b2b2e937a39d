/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Names of destinations: what they allow, whose bucket it is, what goes in the clear. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/rules_fixture.h"
#include "user/export/record_fields.h"
#include "user/policy/allow.h"

#define S3_RANGE RANGE("203.0.113.0/24", "S3")

struct words {
	const char *name, *spoken;
	enum name_source source;
	enum name_belief belief;
};

static struct said_facts facts_of(const struct words *w)
{
	struct said_facts f = {.source = (uint8_t)w->source, .belief = (uint8_t)w->belief};

	snprintf(f.name, sizeof(f.name), "%s", w->name ? w->name : "");
	snprintf(f.spoken, sizeof(f.spoken), "%s", w->spoken ? w->spoken : "");
	f.encrypted = w->spoken && (!strncmp(w->spoken, "tls", 3) || !strcmp(w->spoken, "ssh"));
	f.proxied = w->source == NAME_FROM_CONNECT;
	f.plain = w->spoken && (!strcmp(w->spoken, "plain") || !strcmp(w->spoken, "http"));
	return f;
}

static void says(struct fixture *t, uint64_t flow, struct words w)
{
	struct said_facts f = facts_of(&w);

	assert_int_equal(model_set_said(t->m, flow, &f, false), 0);
}

static void begin_with(struct fixture *t, const char *ranges, const char *network)
{
	char yaml[1024];

	snprintf(yaml, sizeof(yaml), "%s  aws_ranges: /r/f\n%s", default_policy, network ? network : "");
	fixture_begin(t, yaml);
	if (ranges)
		fixture_ranges(t, ranges);
	introduce(t, 10, "python3", "slurm:1");
	reads(t, 10, 0, 1000);
}

/* The process sends 100 bytes of what it read. */
static struct flow sent_to(struct fixture *t, uint64_t id, const char *addr, uint16_t port, struct words w)
{
	struct flow f = flow_to(t, id, 10, addr, port);

	flow_tainted_by(t, &f, 1, 0);
	sends(t, &f, 100, 0);
	says(t, id, w);
	return f;
}

/* --- what is allowed ----------------------------------------------------------------------- */

static bool allowed(const char *ranges, const char *entry, struct words w)
{
	char network[512];
	struct fixture t;

	snprintf(network, sizeof(network), "  allow:\n    - %s\n", entry);
	begin_with(&t, ranges, network);
	sent_to(&t, 1, OUTSIDE, 443, w);
	evaluate(&t);
	bool raised = findings(&t, RULE_EXFIL_VOLUME);
	fixture_end(&t);
	return !raised;
}

#define SNI(name, belief) ((struct words){name, "tls1.3", NAME_FROM_SNI, belief})

static void test_allowed_by_name(void **state)
{
	assert_true(allowed(NULL, "{ name: api.example.org }", SNI("api.example.org", BELIEF_RESOLVED)));
	assert_true(allowed(NULL, "{ name: '*.example.org' }", SNI("api.example.org", BELIEF_RESOLVED)));
	assert_true(allowed(NULL, "{ name: '*.example.org' }", SNI("a.b.example.org", BELIEF_RESOLVED)));
	assert_false(allowed(NULL, "{ name: '*.example.org' }", SNI("example.org", BELIEF_RESOLVED)));
	assert_false(allowed(NULL, "{ name: '*.example.org' }", SNI("evilexample.org", BELIEF_RESOLVED)));
	assert_false(allowed(NULL, "{ name: example.org }", SNI("api.example.org", BELIEF_RESOLVED)));
	assert_true(allowed(NULL, "{ name: api.example.org, port: 443 }", SNI("api.example.org", BELIEF_RESOLVED)));
	assert_false(allowed(NULL, "{ name: api.example.org, port: 80 }", SNI("api.example.org", BELIEF_RESOLVED)));
	/* anybody can say so in a hello */
	assert_false(allowed(NULL, "{ name: api.example.org }", SNI("api.example.org", BELIEF_CLAIMED)));
	assert_false(allowed(NULL, "{ name: api.example.org }", SNI("api.example.org", BELIEF_FRONTED)));
	assert_false(allowed(NULL, "{ name: api.example.org }", (struct words){0}));
}

#define BUCKET_NAME "approved-models.s3.eu-central-1.amazonaws.com"

static void test_allowed_by_bucket(void **state)
{
	static const char entry[] = "{ bucket: approved-models }";

	assert_true(allowed(S3_RANGE, entry, SNI(BUCKET_NAME, BELIEF_CLAIMED))); /* the address is S3's */
	assert_true(allowed(NULL, entry, SNI(BUCKET_NAME, BELIEF_RESOLVED)));
	assert_false(allowed(NULL, entry, SNI(BUCKET_NAME, BELIEF_CLAIMED))); /* somebody's machine that is asked for it */
	assert_false(allowed(S3_RANGE, entry, SNI(BUCKET_NAME, BELIEF_FRONTED)));
	assert_false(allowed(S3_RANGE, entry, SNI("thief.s3.eu-central-1.amazonaws.com", BELIEF_RESOLVED)));
	assert_false(allowed(S3_RANGE, entry, SNI("s3.eu-central-1.amazonaws.com", BELIEF_RESOLVED))); /* path style */
	/* an access point of that name is somebody else's */
	assert_false(allowed(S3_RANGE, entry,
			     SNI("approved-models-999999999999.s3-accesspoint.eu-central-1.amazonaws.com", BELIEF_RESOLVED)));
	assert_false(allowed(RANGE("203.0.113.0/24", "EC2"), entry, SNI(BUCKET_NAME, BELIEF_CLAIMED)));
	assert_true(allowed(RANGE("203.0.113.0/24", "AMAZON"), entry, SNI(BUCKET_NAME, BELIEF_CLAIMED)));
	/* not said by whoever sends, but that the address has it; or asked of a proxy */
	assert_false(allowed(S3_RANGE, entry, (struct words){BUCKET_NAME, "tls1.3", NAME_FROM_DNS, BELIEF_CLAIMED}));
	assert_true(allowed(S3_RANGE, entry, (struct words){BUCKET_NAME, "http", NAME_FROM_DNS, BELIEF_RESOLVED}));
	assert_false(allowed(S3_RANGE, entry, (struct words){BUCKET_NAME, "http", NAME_FROM_CONNECT, BELIEF_CLAIMED}));
}

/* In each of AWS's partitions another may have that name. */
static void test_bucket_of_a_partition(void **state)
{
	static const struct {
		const char *region, *name;
		bool allowed;
	} cases[] = {
		{"", BUCKET_NAME, true},
		{"", "approved-models.s3.cn-north-1.amazonaws.com.cn", true}, /* where we are is not known */
		{"eu-central-1", BUCKET_NAME, true},
		{"eu-central-1", "approved-models.s3.amazonaws.com", true},
		{"eu-central-1", "approved-models.s3.cn-north-1.amazonaws.com.cn", false},
		{"eu-central-1", "approved-models.s3.us-gov-west-1.amazonaws.com", false},
		{"eu-central-1", "approved-models.s3.eusc-de-east-1.amazonaws.eu", false},
		{"cn-north-1", "approved-models.s3.cn-northwest-1.amazonaws.com.cn", true},
		{"cn-north-1", "approved-models.s3.amazonaws.com", false},
		{"us-gov-west-1", "approved-models.s3.us-gov-east-1.amazonaws.com", true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct model_vpc vpc = {0};
		struct fixture t;

		begin_with(&t, NULL, "  allow:\n    - { bucket: approved-models }\n");
		snprintf(vpc.region, sizeof(vpc.region), "%s", cases[i].region);
		model_set_vpc(t.m, &vpc);
		sent_to(&t, 1, OUTSIDE, 443, SNI(cases[i].name, BELIEF_RESOLVED));
		evaluate(&t);
		assert_int_equal(findings(&t, RULE_EXFIL_VOLUME), !cases[i].allowed);
		assert_int_equal(findings(&t, RULE_S3_FOREIGN_BUCKET), !cases[i].allowed);
		fixture_end(&t);
	}
}

static void test_allowed_by_service_and_account(void **state)
{
	static const char ap[] = "models-123456789012.s3-accesspoint.eu-central-1.amazonaws.com";

	assert_true(allowed(RANGE("203.0.113.0/24", "AMAZON"), "{ service: sts }",
			    SNI("sts.eu-central-1.amazonaws.com", BELIEF_CLAIMED)));
	assert_true(allowed(NULL, "{ service: sts }", SNI("sts.eu-central-1.amazonaws.com", BELIEF_RESOLVED)));
	assert_false(allowed(NULL, "{ service: sts }", SNI("sts.eu-central-1.amazonaws.com", BELIEF_CLAIMED)));
	assert_false(allowed(RANGE("203.0.113.0/24", "AMAZON"), "{ service: sts }",
			     SNI("logs.eu-central-1.amazonaws.com", BELIEF_RESOLVED)));
	assert_true(allowed(S3_RANGE, "{ account: 123456789012 }", SNI(ap, BELIEF_RESOLVED)));
	assert_false(allowed(S3_RANGE, "{ account: 123456789013 }", SNI(ap, BELIEF_RESOLVED)));
	assert_false(allowed(S3_RANGE, "{ account: 123456789012, port: 80 }", SNI(ap, BELIEF_RESOLVED)));
	assert_true(allowed(RANGE("203.0.113.0/24", "AMAZON"), "{ service: ecr, account: 123456789012 }",
			    SNI("123456789012.dkr.ecr.eu-central-1.amazonaws.com", BELIEF_RESOLVED)));
}

/* --- one destination --------------------------------------------------------------------------- */

/* A service changes its addresses all the time; what is only claimed joins nothing. */
static void test_one_name_is_one_finding(void **state)
{
	struct fixture t;

	begin_with(&t, NULL, NULL);
	sent_to(&t, 1, "203.0.113.1", 443, SNI("up.example.net", BELIEF_RESOLVED));
	sent_to(&t, 2, "203.0.113.2", 443, SNI("up.example.net", BELIEF_RESOLVED));
	evaluate(&t);
	struct finding *f = only(&t, RULE_EXFIL_VOLUME);
	assert_int_equal(f->leak_bound, 200);
	assert_non_null(strstr(f->title, "up.example.net (203.0.113."));
	assert_string_equal(f->remote.said->facts.name, "up.example.net");
	sent_to(&t, 3, "203.0.113.3", 443, SNI("up.example.net", BELIEF_CLAIMED));
	sent_to(&t, 4, "203.0.113.4", 443, SNI("up.example.net", BELIEF_FRONTED));
	evaluate(&t);
	assert_int_equal(findings(&t, RULE_EXFIL_VOLUME), 3);
	fixture_end(&t);
}

/* Closed flows to one address that asked for different names stay apart. */
static void test_folds_keep_names_apart(void **state)
{
	struct fixture t;
	unsigned names = 0;

	begin_with(&t, NULL, NULL);
	for (uint64_t i = 1; i <= 6; i++) {
		struct flow f = sent_to(&t, i, OUTSIDE, 443, SNI(i & 1 ? "one.example.net" : "two.example.net", BELIEF_RESOLVED));

		f.closed = 1;
		assert_int_equal(model_set_flow(t.m, &f), 0);
	}
	for (unsigned i = 0; i < 6; i++)
		evaluate(&t);
	t.now += MODEL_FORGET_NS; /* nobody takes records here */
	evaluate(&t);
	for (const struct m_flow *f = t.m->first_flow; f; f = f->next) {
		assert_true(f->folded);
		assert_int_equal(f->out, 300);
		names += !strcmp(f->said->facts.name, "one.example.net") + !strcmp(f->said->facts.name, "two.example.net");
	}
	assert_int_equal(names, 2);
	assert_int_equal(findings(&t, RULE_EXFIL_VOLUME), 2);
	fixture_end(&t);
}

/* What is forgotten with the last flow that said it; an unknown flow takes nothing. */
static void test_kept_while_used(void **state)
{
	struct said_facts f = facts_of(&SNI("up.example.net", BELIEF_RESOLVED));
	struct fixture t;

	begin_with(&t, NULL, NULL);
	assert_int_equal(model_set_said(t.m, 99, &f, false), -ENOENT);
	struct flow flow = flow_to(&t, 1, 10, "10.0.0.9", 443);
	sends(&t, &flow, 1, 0);
	says(&t, 1, SNI("up.example.net", BELIEF_CLAIMED));
	says(&t, 1, SNI("up.example.net", BELIEF_RESOLVED));
	assert_int_equal(t.m->said.used, 1);
	flow_drop(t.m, t.m->first_flow);
	assert_int_equal(t.m->said.used, 0);
	fixture_end(&t);
}

/* A hello that is not all there is waited for, not for ever. */
static void test_waits_for_a_hello(void **state)
{
	struct said_facts half = {0};
	struct fixture t;

	begin_with(&t, NULL, "  allow:\n    - { name: api.example.org }\n");
	struct flow f = flow_to(&t, 1, 10, OUTSIDE, 443);
	f.start_ns = t.now;
	flow_tainted_by(&t, &f, 1, 0);
	sends(&t, &f, 100, 0);
	assert_int_equal(model_set_said(t.m, 1, &half, true), 0);
	evaluate(&t);
	assert_int_equal(findings(&t, RULE_EXFIL_VOLUME), 0);
	for (unsigned i = 0; i < 4; i++)
		evaluate(&t);
	assert_int_equal(findings(&t, RULE_EXFIL_VOLUME), 1);
	fixture_end(&t);
}

/* --- s3.foreign-bucket ----------------------------------------------------------------------------- */

static struct finding *foreign(struct fixture *t, const char *network, const char *addr, struct words w)
{
	begin_with(t, S3_RANGE, network);
	sent_to(t, 1, addr, 443, w);
	evaluate(t);
	return findings(t, RULE_S3_FOREIGN_BUCKET) ? only(t, RULE_S3_FOREIGN_BUCKET) : NULL;
}

static void test_foreign_bucket(void **state)
{
	static const char *const at[] = {OUTSIDE, "10.0.0.77", "192.168.3.4"}; /* S3's, an interface endpoint's, a proxy's */
	struct finding *f;
	struct fixture t;

	for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
		f = foreign(&t, "  allow:\n    - { bucket: approved-models }\n    - { cidr: 203.0.113.0/24 }\n    - { service: S3 }\n",
			    at[i], SNI("thief.s3.eu-central-1.amazonaws.com", BELIEF_RESOLVED));
		assert_non_null(f);
		assert_string_equal(f->title, "slurm:1 sent at most 100 B of patients (PII) to bucket thief, which nothing allows");
		assert_int_equal(f->leak_bound, 100);
		assert_int_equal(f->severity, SEVERITY_MEDIUM);
		assert_true(f->has_remote);
		fixture_end(&t);
	}
	f = foreign(&t, NULL, OUTSIDE, SNI("s3.eu-central-1.amazonaws.com", BELIEF_RESOLVED));
	assert_non_null(strstr(f->title, "to a bucket that s3.eu-central-1.amazonaws.com does not name"));
	fixture_end(&t);
	f = foreign(&t, NULL, OUTSIDE, SNI("x-999999999999.s3-accesspoint.eu-central-1.amazonaws.com", BELIEF_RESOLVED));
	assert_non_null(strstr(f->title, "to access point x of account 999999999999"));
	fixture_end(&t);
}

static void test_own_bucket(void **state)
{
	static const char *const allow[] = {"{ bucket: approved-models }", "{ name: '*.s3.eu-central-1.amazonaws.com' }",
					    "{ service: s3 }"};
	char network[256];
	struct fixture t;

	for (size_t i = 0; i < ARRAY_SIZE(allow); i++) {
		snprintf(network, sizeof(network), "  allow:\n    - %s\n", allow[i]);
		assert_null(foreign(&t, network, OUTSIDE, SNI(BUCKET_NAME, BELIEF_RESOLVED)));
		fixture_end(&t);
	}
	/* by address alone nobody's bucket is allowed */
	assert_non_null(foreign(&t, "  allow:\n    - { cidr: 0.0.0.0/0 }\n", OUTSIDE, SNI(BUCKET_NAME, BELIEF_RESOLVED)));
	assert_int_equal(findings(&t, RULE_EXFIL_VOLUME), 0);
	fixture_end(&t);
	/* no bucket at all; a question about buckets */
	assert_null(foreign(&t, NULL, OUTSIDE, SNI("sts.eu-central-1.amazonaws.com", BELIEF_RESOLVED)));
	fixture_end(&t);
	assert_null(foreign(&t, NULL, OUTSIDE, SNI("123456789012.s3-control.eu-central-1.amazonaws.com", BELIEF_RESOLVED)));
	fixture_end(&t);
}

/* S3's address without a name of AWS's: no more is known than that. */
static void test_unknown_bucket(void **state)
{
	static const struct words nameless[] = {{NULL, "tls1.3", 0, 0}, {"files.example.org", "tls1.3", NAME_FROM_SNI, BELIEF_RESOLVED}};
	struct finding *f;
	struct fixture t;

	for (size_t i = 0; i < ARRAY_SIZE(nameless); i++) {
		f = foreign(&t, "  allow:\n    - { bucket: approved-models }\n    - { service: S3 }\n", OUTSIDE, nameless[i]);
		assert_non_null(f);
		assert_non_null(strstr(f->title, "to a bucket that is not known, which nothing allows"));
		assert_int_equal(findings(&t, RULE_EXFIL_VOLUME), 0);
		fixture_end(&t);
	}
	assert_null(foreign(&t, "  allow:\n    - { service: S3 }\n", OUTSIDE, nameless[0]));
	fixture_end(&t);
}

/* At S3's address anyone can say that he means another service, or only to ask about buckets. */
static void test_another_service_at_s3(void **state)
{
	static const char *const names[] = {"sts.eu-central-1.amazonaws.com", "123456789012.s3-control.eu-central-1.amazonaws.com"};
	static const enum name_belief beliefs[] = {BELIEF_CLAIMED, BELIEF_FRONTED};
	struct fixture t;

	for (size_t i = 0; i < ARRAY_SIZE(names) * ARRAY_SIZE(beliefs); i++) {
		const struct finding *f = foreign(&t, "  allow:\n    - { bucket: approved-models }\n    - { service: S3 }\n", OUTSIDE,
						  SNI(names[i / 2], beliefs[i % 2]));

		assert_non_null(f);
		assert_non_null(strstr(f->title, "to a bucket that "));
		fixture_end(&t);
	}
}

/* Through a proxy in the VPC it leaves the VPC; one outside can be anybody's. */
static void test_proxied(void **state)
{
	static const struct {
		const char *addr, *allow;
		enum name_belief belief;
		bool raised;
	} cases[] = {
		{"10.0.0.9", "other.example.org", BELIEF_PROXY, true},
		{"10.0.0.9", "api.example.org", BELIEF_PROXY, false},
		{OUTSIDE, "api.example.org", BELIEF_CLAIMED, true},
		{"127.0.0.1", "other.example.org", BELIEF_PROXY, false}, /* what it sends on counts */
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct said_facts facts = facts_of(&(struct words){"api.example.org", "tls1.3", NAME_FROM_CONNECT, cases[i].belief});
		char network[128];
		struct fixture t;

		snprintf(network, sizeof(network), "  allow:\n    - { name: %s }\n", cases[i].allow);
		begin_with(&t, NULL, network);
		sent_to(&t, 1, cases[i].addr, 3128, SNI("x.example.org", BELIEF_CLAIMED));
		facts.proxied = true;
		assert_int_equal(model_set_said(t.m, 1, &facts, false), 0);
		evaluate(&t);
		assert_int_equal(findings(&t, RULE_EXFIL_VOLUME), cases[i].raised);
		if (cases[i].raised)
			assert_non_null(strstr(only(&t, RULE_EXFIL_VOLUME)->title, "to api.example.org (by way of "));
		fixture_end(&t);
	}
}

/* --- egress.plaintext ------------------------------------------------------------------------------- */

static unsigned in_the_clear(struct fixture *t, const char *addr, struct words w)
{
	begin_with(t, NULL, NULL);
	sent_to(t, 1, addr, 443, w);
	evaluate(t);
	return findings(t, RULE_EGRESS_PLAINTEXT);
}

static void test_plaintext(void **state)
{
	static const struct {
		const char *addr;
		struct words w;
		bool raised;
	} cases[] = {
		{OUTSIDE, {NULL, "plain", 0, 0}, true},
		{OUTSIDE, {"up.example.net", "http", NAME_FROM_HTTP, BELIEF_RESOLVED}, true},
		{"10.0.0.9", {NULL, "plain", 0, 0}, false},
		{"192.168.7.7", {NULL, "plain", 0, 0}, true}, /* the office */
		{OUTSIDE, {NULL, "tls1.3", 0, 0}, false},
		{OUTSIDE, {NULL, "ssh", 0, 0}, false},
		{OUTSIDE, {NULL, NULL, 0, 0}, false}, /* not known */
		{"127.0.0.1", {NULL, "plain", 0, 0}, false},
		{"169.254.169.254", {NULL, "http", 0, 0}, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fixture t;

		assert_int_equal(in_the_clear(&t, cases[i].addr, cases[i].w), cases[i].raised);
		fixture_end(&t);
	}
}

/* Allowed or not; ranks among themselves are none. */
static void test_plaintext_allowed(void **state)
{
	struct fixture t;

	begin_with(&t, NULL, "  allow:\n    - { cidr: 203.0.113.0/24 }\n");
	sent_to(&t, 1, "10.0.0.11", 29500, (struct words){NULL, "plain", 0, 0});
	evaluate(&t);
	assert_int_equal(findings(&t, RULE_EGRESS_PLAINTEXT), 0);
	sent_to(&t, 6, OUTSIDE, 80, (struct words){NULL, "http", 0, 0});
	evaluate(&t);
	const struct finding *f = only(&t, RULE_EGRESS_PLAINTEXT);
	assert_int_equal(f->leak_bound, 100);
	assert_int_equal(f->severity, SEVERITY_MEDIUM);
	assert_true(f->has_remote);
	assert_int_equal(findings(&t, RULE_EXFIL_VOLUME), 0);
	fixture_end(&t);
}

/* --- records ------------------------------------------------------------------------------------------ */

static void assert_text(const json_t *o, const char *key, const char *want)
{
	const json_t *v = json_object_get(o, key);

	if (want)
		assert_string_equal(json_string_value(v), want);
	else
		assert_true(json_is_null(v));
}

static void test_record(void **state)
{
	struct fixture t;

	begin_with(&t, S3_RANGE, NULL);
	sent_to(&t, 1, OUTSIDE, 443, SNI(BUCKET_NAME, BELIEF_RESOLVED));
	const struct m_flow *f = t.m->first_flow;
	json_t *r = json_remote(f->f.raddr, f->f.rport, &f->dest, f->said);

	assert_text(r, "name", BUCKET_NAME);
	assert_text(r, "name_source", "sni");
	assert_text(r, "name_belief", "resolved");
	assert_text(r, "name_note", NULL);
	assert_text(r, "service", "s3");
	assert_text(r, "bucket", "approved-models");
	assert_text(r, "access_point", NULL);
	assert_text(r, "account", NULL);
	assert_text(r, "class", "aws:S3:eu-west-1");
	json_decref(r);
	fixture_end(&t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_allowed_by_name),	   cmocka_unit_test(test_allowed_by_bucket),
		cmocka_unit_test(test_allowed_by_service_and_account), cmocka_unit_test(test_bucket_of_a_partition),
		cmocka_unit_test(test_one_name_is_one_finding), cmocka_unit_test(test_folds_keep_names_apart),
		cmocka_unit_test(test_kept_while_used),	   cmocka_unit_test(test_waits_for_a_hello),
		cmocka_unit_test(test_foreign_bucket),	   cmocka_unit_test(test_own_bucket),
		cmocka_unit_test(test_plaintext),	   cmocka_unit_test(test_plaintext_allowed),
		cmocka_unit_test(test_record),	   cmocka_unit_test(test_unknown_bucket),
		cmocka_unit_test(test_another_service_at_s3),
		cmocka_unit_test(test_proxied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
