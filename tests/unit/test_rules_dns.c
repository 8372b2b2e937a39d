/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* dns.tunnel: what hosts ask for day by day makes no finding, what carries data does, and what the finding says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/dns_names.h"

#define READ (1 << 20)
#define MOST_NAMES 8192

static void begin(struct fixture *t)
{
	fixture_begin(t, NULL);
	introduce(t, 10, "python3", "slurm:4242.0");
	reads(t, 10, 0, READ);
}

static void settle(struct fixture *t)
{
	evaluate(t);
	evaluate(t);
}

static unsigned found_of(name_maker make, uint32_t n, uint16_t type, const char *resolver)
{
	uint32_t seed = 1;
	struct fixture t;

	begin(&t);
	for (uint32_t i = 0; i < n; i++) {
		char name[300];

		make(name, i, &seed);
		asks_of(&t, process(10), name, type, resolver);
		if (type == DNS_TYPE_A)
			asks_of(&t, process(10), name, DNS_TYPE_AAAA, resolver);
		if (i % 100 == 99)
			evaluate(&t);
	}
	settle(&t);
	unsigned all = findings(&t, RULE_DNS_TUNNEL);
	fixture_end(&t);
	return all;
}

/* --- what is asked for day by day ----------------------------------------- */

static uint32_t names_until_found(name_maker make, uint16_t type, const char *resolver)
{
	uint32_t low = 0, high = MOST_NAMES;

	while (high - low > 1) {
		uint32_t middle = (low + high) / 2;

		*(found_of(make, middle, type, resolver) ? &high : &low) = middle;
	}
	return high;
}

struct list {
	const char *what;
	name_maker make;
	uint32_t n;
};

static void ordinary_names(void **state)
{
	static const struct list lists[] = {
	    {"S3 buckets", bucket, 500},      {"CDN of a provider", distribution, 400},
	    {"hashed CDN shards", shard, 20}, {"telemetry", telemetry, 2000},
	    {"Kubernetes", cluster, 5000},    {"reverse lookups", reverse, 5000},
	    {"EC2 names", ec2, 2000},	      {"package mirrors", packages, 3000},
	    {"HPC hosts", hosts_of_a_cluster, 1200}, {"crawled sites", crawl, 3000},
	    {"services", services, 300},
	};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		uint32_t n = names_until_found(lists[i].make, DNS_TYPE_A, RESOLVER);

		if (n < MOST_NAMES)
			print_message("%-34s found at name %u\n", lists[i].what, n);
		else
			print_message("%-34s not found by %u names\n", lists[i].what, MOST_NAMES);
		if (n <= lists[i].n)
			fail_msg("%s make a finding", lists[i].what);
	}
}

/* --- what carries data ---------------------------------------------------- */

static void tunnels(void **state)
{
	static const struct {
		struct list list; /* n: found by so many names at the latest */
		uint16_t type;
		const char *resolver;
	} lists[] = {
	    {{"hex, 30 a name", hex30, 26}, DNS_TYPE_A, RESOLVER},
	    {{"hex by a local resolver", hex30, 26}, DNS_TYPE_A, "127.0.0.53"},
	    {{"hex by TXT", hex30, 14}, 16, RESOLVER},
	    {{"base32, 52 a name", base32, 10}, DNS_TYPE_A, RESOLVER},
	    {{"base64, 40 a name", base64, 24}, DNS_TYPE_A, RESOLVER},
	    {{"letters, 40 a name", letters, 24}, DNS_TYPE_A, RESOLVER},
	    {{"digits, 30 a name", decimal, 30}, DNS_TYPE_A, RESOLVER},
	    {{"21 with hyphens", hyphens, 60}, DNS_TYPE_A, RESOLVER},
	    {{"5 a name", short_labels, 450}, DNS_TYPE_A, RESOLVER},
	    {{"words", in_words, 300}, DNS_TYPE_A, RESOLVER},
	    {{"iodine", iodine, 6}, 10, RESOLVER},
	    {{"iodine, raw", iodine_raw, 24}, 10, RESOLVER},
	    {{"dnscat2", dnscat, 10}, 16, RESOLVER},
	    {{"dnscat2 without a domain", dnscat_direct, 24}, 16, "203.0.113.53"},
	    {{"bucket names told to anyone", bucket, 250}, DNS_TYPE_A, "203.0.113.53"},
	    {{"a cluster's names told to anyone", cluster, 300}, DNS_TYPE_A, "203.0.113.53"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		uint32_t n = names_until_found(lists[i].list.make, lists[i].type, lists[i].resolver);

		print_message("%-34s found at name %u\n", lists[i].list.what, n);
		if (n > lists[i].list.n)
			fail_msg("%s: found too late", lists[i].list.what);
	}
}

/* --- the finding ---------------------------------------------------------- */

static void what_is_told(void **state)
{
	uint32_t seed = 1;
	struct fixture t;
	char name[300];

	begin(&t);
	asks(&t, 10, "www.evil.net");
	for (uint32_t i = 0; i < 40; i++) {
		hex30(name, i, &seed);
		asks(&t, 10, name);
	}
	settle(&t);
	const struct finding *f = only(&t, RULE_DNS_TUNNEL);
	static const struct step steps[] = {
	    {"dataset patients", "process python3[10]", "read", READ},
	    {"process python3[10]", "41 names below evil.net", "dns", 40 * 33 + 4},
	};
	assert_chain(f, steps, ARRAY_SIZE(steps));
	assert_int_equal(f->leak_bound, 40 * 33 + 4);
	assert_int_equal(f->exposed, READ);
	assert_int_equal(f->severity, SEVERITY_MEDIUM);
	assert_int_equal(f->process->who.tgid, 10);
	assert_string_equal(f->job, "slurm:4242.0");
	assert_true(f->has_remote);
	assert_int_equal(f->remote.port, 53);
	assert_memory_equal(f->remote.addr + 12, "\x0a\0\0\2", 4);
	assert_string_equal(f->title, "slurm:4242.0 asked for 41 names below evil.net that look like data (40 encoded, labels of up "
				      "to 30 characters): they can carry at most 1.30 KiB of patients (PII)");
	assert_string_equal(rule_name(f->rule), "dns.tunnel");
	assert_string_equal(rule_mitre(f->rule)[0], "T1048.003");
	assert_ptr_equal(hop_via("dns"), f->chain[1].via);
	evaluate(&t);
	evaluate(&t);
	evaluate(&t);
	assert_int_equal(f->count, 1);
	/* It goes on with anything below the domain. */
	asks(&t, 10, "www.evil.net");
	settle(&t);
	assert_int_equal(f->leak_bound, 40 * 33 + 8);
	assert_int_equal(f->count, 2);
	fixture_end(&t);
}

/* No more than was read, however long the names. */
static void bounded_by_what_is_held(void **state)
{
	uint32_t seed = 1;
	struct fixture t;
	char name[300];

	begin(&t);
	introduce(&t, 11, "python3", "slurm:1.0");
	reads(&t, 11, 1, 101);
	model_begin_scan(t.m, 1);
	for (uint32_t i = 0; i < 40; i++) {
		iodine(name, i, &seed);
		asks(&t, 11, name);
	}
	settle(&t);
	const struct finding *f = only(&t, RULE_DNS_TUNNEL);
	assert_int_equal(f->dataset, 1);
	assert_int_equal(f->leak_bound, 101);
	assert_int_equal(f->exposed, 101);
	fixture_end(&t);
}

/* One process for each name, dead and forgotten long before the last. */
static void one_process_per_name(void **state)
{
	uint32_t seed = 1;
	struct fixture t;
	char name[300];

	begin(&t);
	for (uint32_t i = 0; i < 60; i++) {
		struct subject who = process(100 + i);

		introduce_as(&t, who, process(10), "dig", "/usr/bin/dig", "slurm:4242.0", 1000);
		born(&t, process(10), who, 1, VIA_FORK);
		hex30(name, i, &seed);
		asks(&t, 100 + i, name);
		assert_int_equal(model_set_exit(t.m, &who, t.now), 0);
		settle(&t);
		t.now += 100 * NSEC;
		evaluate(&t);
	}
	settle(&t);
	struct subject early = process(110);
	assert_null(subject_find(t.m, &early));
	const struct finding *f = only(&t, RULE_DNS_TUNNEL);
	assert_int_equal(f->leak_bound, 60 * 33);
	static const char *const to[] = {"process python3[10]", "process dig[15", "60 names below evil.net"};
	assert_int_equal(f->nchain, ARRAY_SIZE(to));
	for (size_t i = 0; i < ARRAY_SIZE(to); i++)
		assert_int_equal(strncmp(f->chain[i].to, to[i], strlen(to[i])), 0);
	fixture_end(&t);
}

static void who_holds_nothing_tells_nothing(void **state)
{
	uint32_t seed = 1;
	struct fixture t;
	char name[300];

	begin(&t);
	introduce(&t, 11, "python3", "slurm:1.0");
	for (uint32_t i = 0; i < 100; i++) {
		iodine(name, i, &seed);
		asks(&t, 11, name);
	}
	settle(&t);
	/* what comes later was not in what was asked before */
	reads(&t, 11, 0, 1000);
	settle(&t);
	assert_int_equal(findings(&t, RULE_DNS_TUNNEL), 0);
	fixture_end(&t);
}

#define POLICY(allow) "datasets: [{id: patients, path: /data/patients}, {id: other, path: /data/other}]\nnetwork: {allow: [" allow "]}\n"

static unsigned shards_found(const char *policy)
{
	uint32_t seed = 1;
	struct fixture t;
	char name[300];

	fixture_begin(&t, policy);
	introduce(&t, 10, "python3", "slurm:4242.0");
	reads(&t, 10, 0, READ);
	for (uint32_t i = 0; i < 100; i++) {
		shard(name, i, &seed);
		asks(&t, 10, name);
	}
	settle(&t);
	unsigned n = findings(&t, RULE_DNS_TUNNEL);
	fixture_end(&t);
	return n;
}

/* Whoever may have the data by its own name need not be suspected of asking for it by others. */
static void who_is_allowed_by_name(void **state)
{
	assert_int_equal(shards_found(POLICY("")), 1);
	assert_int_equal(shards_found(POLICY("{name: '*.cdn.somewhere.io'}")), 0);
	assert_int_equal(shards_found(POLICY("{name: somewhere.io, port: 443}")), 0);
	assert_int_equal(shards_found(POLICY("{name: '*.cdn.somewhere.io', datasets: [patients]}")), 0);
	assert_int_equal(shards_found(POLICY("{name: '*.cdn.somewhere.io', datasets: [other]}")), 1);
	assert_int_equal(shards_found(POLICY("{name: '*.nosomewhere.io'}, {cidr: 203.0.113.0/24}")), 1);
}

static void one_per_dataset_job_and_domain(void **state)
{
	uint32_t seed = 1;
	struct fixture t;
	char name[300], id[FINDING_ID_LEN];

	begin(&t);
	reads(&t, 10, 1, 500);
	tainted(&t, process(10), 2);
	introduce(&t, 11, "python3", "slurm:1.0");
	reads(&t, 11, 0, 1000);
	for (uint32_t i = 0; i < 30; i++) {
		iodine(name, i, &seed);
		asks(&t, 10, name);
		iodine(name, i, &seed);
		asks(&t, 11, name);
		base32(name, i, &seed);
		asks(&t, 10, name);
	}
	settle(&t);
	assert_int_equal(findings(&t, RULE_DNS_TUNNEL), 5);
	strcpy(id, t.m->findings->first->id);
	fixture_end(&t);
	begin(&t); /* another monitor: the same words, the same id */
	for (uint32_t i = 0; i < 30; i++) {
		base32(name, i, &seed);
		asks(&t, 10, name);
		iodine(name, i, &seed);
		asks(&t, 10, name);
	}
	settle(&t);
	bool again = false;
	for (const struct finding *f = t.m->findings->first; f; f = f->next)
		again |= !strcmp(f->id, id);
	assert_true(again);
	fixture_end(&t);
}

/* More domains than there is room for findings: the worst of the rest is told. */
static void findings_are_bounded(void **state)
{
	uint32_t seed = 1;
	struct fixture t;
	char name[400], data[64];

	begin(&t);
	t.m->findings->most = 3;
	for (uint32_t d = 0; d < 20; d++)
		for (uint32_t i = 0; i < 10 + d; i++) {
			snprintf(name, sizeof(name), "%s.a.evil%u.net", draw(data, &seed, HEX, 63), d);
			asks(&t, 10, name);
		}
	settle(&t);
	assert_int_equal(findings(&t, RULE_DNS_TUNNEL), 4);
	fixture_end(&t);
}

static void hostile_domains(void **state)
{
	uint32_t seed = 1;
	struct fixture t;
	char name[900], data[64];

	begin(&t);
	for (uint32_t i = 0; i < 20; i++) {
		char *w = name + sprintf(name, "%s.", draw(data, &seed, HEX, 60));

		for (unsigned k = 0; k < 60; k++)
			w += sprintf(w, "\\027");
		strcpy(w, ".com");
		asks(&t, 10, name);
	}
	settle(&t);
	const struct finding *f = only(&t, RULE_DNS_TUNNEL);
	assert_int_equal(f->leak_bound, 20 * 61);
	assert_non_null(strstr(f->title, "20 names below ..."));
	assert_non_null(strstr(f->title, "\\027.com"));
	fixture_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ordinary_names),
	    cmocka_unit_test(tunnels),
	    cmocka_unit_test(what_is_told),
	    cmocka_unit_test(bounded_by_what_is_held),
	    cmocka_unit_test(one_process_per_name),
	    cmocka_unit_test(who_holds_nothing_tells_nothing),
	    cmocka_unit_test(who_is_allowed_by_name),
		cmocka_unit_test(one_per_dataset_job_and_domain),
	    cmocka_unit_test(findings_are_bounded),
	    cmocka_unit_test(hostile_domains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
