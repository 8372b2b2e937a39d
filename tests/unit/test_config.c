/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What a good configuration means, and the small matchers others build on. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "user/policy/config.h"

/* DESIGN.md, section 6, to the letter. */
static const char contract[] =
    "datasets:\n"
    "  - id: patients            # [a-z0-9._-]{1,63}\n"
    "    path: /data/patients    # a directory or a file; also s3:// prefix mapped by `mount:`\n"
    "    tags: { DataType: PII, Owner: radiology }\n"
    "    readers: { users: [trainer], jobs: [\"slurm:*\"], exe: [/usr/bin/python3*] }   # "
    "optional: anyone else is a finding\n"
    "    budget: { outside_vpc: 1MiB, per: 24h }\n"
    "    mode: alert             # alert | block\n"
    "jobs: [\"slurm:train-*\"]     # named as ML jobs, beside those found by their accelerator or "
    "framework\n"
    "network:\n"
    "  vpc: auto                 # auto = ask the instance metadata; off = only the CIDRs below\n"
    "  vpc_cidrs: [10.0.0.0/16]  # added to what auto finds: peered ranges\n"
    "  expect: ml                # who must not talk outside unasked: ml | tainted | all\n"
    "  aws_ranges: auto          # auto = AWS's published file, fetched daily and kept; or FILE; "
    "or off\n"
    "  allow:\n"
    "    - { name: \"*.example.org\", port: 443 }\n"
    "    - { bucket: approved-models }\n"
    "    - { cidr: 203.0.113.0/24 }\n"
    "trusted: [/usr/bin/amazon-cloudwatch-agent]   # by executable inode: receives data, passes no "
    "taint\n"
    "journal: { dir: /var/log/sluice, max_size: 1GiB, retain: 30d }\n"
    "export:\n"
    "  cloudwatch: { log_group: /sluice/{instance_id}, namespace: Sluice, endpoint: auto, "
    "retain_days: 30 }\n"
    "  security_hub: false\n"
    "interval: 1s\n";

static struct config *parse_len(const char *yaml, size_t len)
{
	struct config_error e = {""};
	struct config *c = NULL;

	if (config_parse(yaml, len, "t.yaml", false, &c, &e) < 0)
		fail_msg("refused: %s", e.text);
	assert_string_equal(e.text, "");
	return c;
}

static struct config *parse(const char *yaml)
{
	return parse_len(yaml, strlen(yaml));
}

static void assert_strings(const struct strings *s, size_t n, const char *const *want)
{
	assert_int_equal(s->n, n);
	for (size_t i = 0; i < n; i++)
		assert_string_equal(s->v[i], want[i]);
}

#define ASSERT_STRINGS(s, ...)                                                                     \
	do {                                                                                       \
		static const char *const want[] = {__VA_ARGS__};                                   \
		assert_strings(s, ARRAY_SIZE(want), want);                                         \
	} while (0)

/* --- the contract ------------------------------------------------------------------ */

static void assert_contract_dataset(const struct dataset_config *d)
{
	assert_string_equal(d->id, "patients");
	assert_string_equal(d->path, "/data/patients");
	assert_null(d->mount);
	assert_ptr_equal(d->root, d->path);
	assert_int_equal(d->ntags, 2);
	assert_string_equal(d->tags[0].key, "DataType");
	assert_string_equal(d->tags[0].value, "PII");
	assert_string_equal(d->tags[1].key, "Owner");
	assert_string_equal(d->tags[1].value, "radiology");
	assert_true(d->readers.set);
	ASSERT_STRINGS(&d->readers.users, "trainer");
	ASSERT_STRINGS(&d->readers.jobs, "slurm:*");
	ASSERT_STRINGS(&d->readers.exe, "/usr/bin/python3*");
	assert_true(d->budget.set);
	assert_int_equal(d->budget.outside_vpc, 1 << 20);
	assert_int_equal(d->budget.per_ns, 24 * 3600 * NSEC);
	assert_false(d->block);
	assert_int_equal(d->line, 2);
}

static void assert_contract_allow(const struct allow_rule *a)
{
	assert_string_equal(a[0].name, "*.example.org");
	assert_int_equal(a[0].port, 443);
	assert_false(a[0].has_cidr);
	assert_string_equal(a[1].bucket, "approved-models");
	assert_int_equal(a[1].port, 0);
	assert_true(a[2].has_cidr);
	assert_int_equal(a[2].cidr.bits, 96 + 24);
	assert_memory_equal(a[2].cidr.addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xcb\x00\x71\x00", 16);
	assert_null(a[2].name);
	assert_int_equal(a[2].datasets.n, 0);
	assert_int_equal(a[2].line, 17);
}

static void test_contract(void **state)
{
	_cleanup_(config_freep) struct config *c = parse(contract);

	assert_string_equal(c->file, "t.yaml");
	assert_int_equal(c->ndatasets, 1);
	assert_contract_dataset(&c->datasets[0]);
	ASSERT_STRINGS(&c->jobs, "slurm:train-*");
	assert_true(c->network.vpc_auto);
	assert_int_equal(c->network.nvpc_cidrs, 1);
	assert_int_equal(c->network.vpc_cidrs[0].bits, 96 + 16);
	assert_int_equal(c->network.expect, EXPECT_ML);
	assert_string_equal(c->network.aws_ranges, "auto");
	assert_int_equal(c->network.nallow, 3);
	assert_contract_allow(c->network.allow);
	ASSERT_STRINGS(&c->trusted, "/usr/bin/amazon-cloudwatch-agent");
	assert_string_equal(c->journal.dir, "/var/log/sluice");
	assert_int_equal(c->journal.max_size, 1 << 30);
	assert_int_equal(c->journal.retain_ns, 30 * 86400 * NSEC);
	assert_true(c->export.cloudwatch);
	assert_string_equal(c->export.log_group, "/sluice/{instance_id}");
	assert_string_equal(c->export.metric_namespace, "Sluice");
	assert_string_equal(c->export.endpoint, "auto");
	assert_int_equal(c->export.retain_days, 30);
	assert_false(c->export.security_hub);
	assert_int_equal(c->interval_ns, NSEC);
	assert_int_equal(c->inactive.n, 0);
}

/* --- what is not said ----------------------------------------------------------------- */

static void assert_defaults(const struct config *c)
{
	assert_int_equal(c->ndatasets, 0);
	assert_int_equal(c->jobs.n, 0);
	assert_true(c->network.vpc_auto);
	assert_int_equal(c->network.nvpc_cidrs, 0);
	assert_int_equal(c->network.nresolvers, 0);
	assert_int_equal(c->network.expect, EXPECT_ML);
	assert_string_equal(c->network.aws_ranges, "auto");
	assert_int_equal(c->network.nallow, 0);
	assert_int_equal(c->trusted.n, 0);
	assert_null(c->journal.dir);
	assert_int_equal(c->journal.max_size, 1 << 30);
	assert_int_equal(c->journal.retain_ns, 30 * 86400 * NSEC);
	assert_false(c->export.cloudwatch);
	assert_string_equal(c->export.log_group, "/sluice/{instance_id}");
	assert_string_equal(c->export.metric_namespace, "Sluice");
	assert_string_equal(c->export.endpoint, "auto");
	assert_int_equal(c->export.retain_days, 30);
	assert_false(c->export.security_hub);
	assert_int_equal(c->interval_ns, NSEC);
	assert_int_equal(c->inactive.n, 0);
}

static void test_defaults(void **state)
{
	_cleanup_(config_freep) struct config *built_in = NULL;
	_cleanup_(config_freep) struct config *c = parse("interval: 1s\n");
	_cleanup_(config_freep) struct config *empty = parse("{}\n");

	assert_int_equal(config_default(&built_in), 0);
	assert_defaults(built_in);
	assert_defaults(c);
	assert_defaults(empty);
	assert_non_null(built_in->file);
}

static void test_dataset_defaults(void **state)
{
	_cleanup_(config_freep) struct config *c = parse(CONFIG_EXAMPLE);
	const struct dataset_config *d = c->datasets;

	assert_int_equal(c->ndatasets, 1);
	assert_string_equal(d->path, "/data/patients");
	assert_false(d->readers.set);
	assert_int_equal(d->derived.from.n, 0);
	assert_false(d->budget.set);
	assert_false(d->block);
	assert_int_equal(c->inactive.n, 0);
}

static void test_section_defaults(void **state)
{
	_cleanup_(config_freep) struct config *c =
	    parse("journal: { retain: 1d }\nexport: { cloudwatch: { retain_days: 3653 } }\n");
	_cleanup_(config_freep) struct config *on = parse("export: { cloudwatch: true }\n");
	_cleanup_(config_freep) struct config *off = parse("export: { cloudwatch: off }\n");

	assert_string_equal(c->journal.dir, JOURNAL_DEFAULT_DIR);
	assert_int_equal(c->journal.max_size, 1 << 30);
	assert_int_equal(c->journal.retain_ns, 86400 * NSEC);
	assert_true(c->export.cloudwatch);
	assert_int_equal(c->export.retain_days, 3653);
	assert_string_equal(c->export.log_group, "/sluice/{instance_id}");
	assert_true(on->export.cloudwatch);
	assert_string_equal(on->journal.dir, JOURNAL_DEFAULT_DIR); /* which is what is exported */
	assert_false(off->export.cloudwatch);
	assert_null(off->journal.dir);
}

/* --- values ------------------------------------------------------------------------------ */

static void test_paths_are_normalised(void **state)
{
	static const char *const cases[][2] = {
	    {"/a/b", "/a/b"}, {"/a/b/", "/a/b"}, {"//a///b", "/a/b"},  {"/./a/./b/.", "/a/b"},
	    {"/", "/"},	      {"/.", "/"},	 {"/a/...", "/a/..."}, {"/a/..b", "/a/..b"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char yaml[128];

		snprintf(yaml, sizeof(yaml), "datasets: [{ id: a, path: '%s' }]", cases[i][0]);
		_cleanup_(config_freep) struct config *c = parse(yaml);
		assert_string_equal(c->datasets[0].path, cases[i][1]);
	}
}

static void test_s3(void **state)
{
	_cleanup_(config_freep) struct config *c =
	    parse("datasets:\n"
		  "  - { id: a, path: s3://bkt/scans/, mount: /mnt/scans/ }\n"
		  "  - { id: b, path: s3://bkt/scans2, mount: /mnt/scans2 }\n"
		  "  - { id: c, path: /mnt/scan }\n");

	assert_string_equal(c->datasets[0].path, "s3://bkt/scans/");
	assert_string_equal(c->datasets[0].mount, "/mnt/scans");
	assert_ptr_equal(c->datasets[0].root, c->datasets[0].mount);
	assert_ptr_equal(c->datasets[2].root, c->datasets[2].path);
}

static void test_allow(void **state)
{
	_cleanup_(config_freep) struct config *c =
	    parse("network:\n"
		  "  allow:\n"
		  "    - { name: API.Example.ORG. }\n"
		  "    - { service: s3, account: 012345678901, port: 65535 }\n"
		  "    - { cidr: '2001:db8::/32', datasets: [b, a] }\n"
		  "    - { port: 1 }\n"
		  "datasets: [{ id: a, path: /a }, { id: b, path: /b }]\n");
	const struct allow_rule *a = c->network.allow;

	assert_int_equal(c->network.nallow, 4);
	assert_string_equal(a[0].name, "api.example.org");
	assert_string_equal(a[1].service, "S3");
	assert_string_equal(a[1].account, "012345678901");
	assert_int_equal(a[1].port, 65535);
	assert_int_equal(a[2].cidr.bits, 32);
	ASSERT_STRINGS(&a[2].datasets, "b", "a");
	assert_int_equal(a[3].port, 1);
}

/* By service: by the ranges that tell it, wherever they stand, and by its names. */
static void test_allow_service(void **state)
{
	_cleanup_(config_freep) struct config *c =
	    parse("network: { allow: [{ service: bedrock-runtime }, { service: S3, bucket: own-bucket }], aws_ranges: /r/f }\n");
	_cleanup_(config_freep) struct config *off = parse("network: { allow: [{ service: s3 }], aws_ranges: off }\n");

	assert_string_equal(config_ranges_file(c), "/r/f");
	assert_string_equal(c->network.allow[0].service, "BEDROCK-RUNTIME");
	assert_string_equal(c->network.allow[1].bucket, "own-bucket");
	assert_int_equal(c->inactive.n, 0);
	assert_null(config_ranges_file(off));
	assert_int_equal(off->inactive.n, 0);
}

static void test_words(void **state)
{
	_cleanup_(config_freep) struct config *c =
	    parse("network: { vpc: off, aws_ranges: off, expect: all }\n"
		  "export: { security_hub: Yes }\n"
		  "interval: 100ms\n"
		  "trusted: []\n"
		  "datasets: [{ id: a, path: /a, mode: block }]\n");

	assert_false(c->network.vpc_auto);
	assert_string_equal(c->network.aws_ranges, "off");
	assert_int_equal(c->network.expect, EXPECT_ALL);
	assert_true(c->export.security_hub);
	assert_int_equal(c->interval_ns, NSEC / 10);
	assert_true(c->datasets[0].block);
	assert_string_equal(c->export.hub_endpoint, "auto");
	assert_string_equal(c->journal.dir, JOURNAL_DEFAULT_DIR); /* findings are imported from there */
	ASSERT_STRINGS(&c->inactive, "datasets[].mode: block");

	_cleanup_(config_freep) struct config *hub = parse("export: { security_hub: { endpoint: \"http://127.0.0.1:9\" } }\n");
	assert_true(hub->export.security_hub);
	assert_string_equal(hub->export.hub_endpoint, "http://127.0.0.1:9");

	_cleanup_(config_freep) struct config *t =
	    parse("network: { expect: tainted, aws_ranges: //r/./f }\ninterval: 60s\n");
	assert_int_equal(t->network.expect, EXPECT_TAINTED);
	assert_string_equal(t->network.aws_ranges, "/r/f");
	assert_int_equal(t->interval_ns, 60 * NSEC);
}

static void test_resolvers(void **state)
{
	_cleanup_(config_freep) struct config *c =
	    parse("network: { resolvers: [10.100.0.10, \"2001:db8::53\", \"::ffff:10.0.0.2\"] }\n");
	_cleanup_(config_freep) struct config *none = parse("network: { resolvers: [] }\n");

	assert_int_equal(c->network.nresolvers, 3);
	assert_memory_equal(c->network.resolvers[0].addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\x64\x00\x0a", 16);
	assert_memory_equal(c->network.resolvers[1].addr, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x53", 16);
	assert_memory_equal(c->network.resolvers[2].addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\x00\x00\x02", 16);
	assert_int_equal(c->inactive.n, 0);
	assert_int_equal(none->network.nresolvers, 0);
}

/* From one that only comes after it, and from one that is derived itself. */
static void test_derived(void **state)
{
	_cleanup_(config_freep) struct config *c =
	    parse("datasets:\n"
		  "  - { id: sums, path: /s, derived: { from: [masked, weather], writers: { users: [agg], exe: [/usr/bin/agg] } } }\n"
		  "  - { id: raw, path: /r }\n"
		  "  - { id: masked, path: /m, derived: { from: [raw] } }\n"
		  "  - { id: weather, path: /w }\n");

	ASSERT_STRINGS(&c->datasets[0].derived.from, "masked", "weather");
	assert_true(c->datasets[0].derived.writers.set);
	ASSERT_STRINGS(&c->datasets[0].derived.writers.users, "agg");
	ASSERT_STRINGS(&c->datasets[0].derived.writers.exe, "/usr/bin/agg");
	assert_int_equal(c->datasets[0].derived.writers.jobs.n, 0);
	assert_false(c->datasets[0].readers.set);
	ASSERT_STRINGS(&c->datasets[2].derived.from, "raw");
	assert_false(c->datasets[2].derived.writers.set);
	assert_int_equal(c->inactive.n, 0);
}

/* The ones CloudWatch's PutRetentionPolicy takes, and no other. */
static void test_retain_days(void **state)
{
	static const unsigned good[] = {1,    3,    5,	  7,	14,   30,  60,	90,
					120,  150,  180,  365,	400,  545, 731, 1096,
					1827, 2192, 2557, 2922, 3288, 3653};
	size_t next = 0;

	for (unsigned days = 1; days <= 3653; days++) {
		_cleanup_(config_freep) struct config *c = NULL;
		struct config_error e;
		char yaml[80];

		snprintf(yaml, sizeof(yaml), "export: { cloudwatch: { retain_days: %u } }", days);
		bool taken = !config_parse(yaml, strlen(yaml), "t", false, &c, &e);
		bool wanted = next < ARRAY_SIZE(good) && good[next] == days;
		assert_int_equal(taken, wanted);
		next += wanted;
	}
	assert_int_equal(next, ARRAY_SIZE(good));
}

static void test_log_group(void **state)
{
	static const char *const groups[] = {
	    "/sluice/{instance_id}",
	    "{account}/{region}",
	    "a{host}{region}b",
	    "/aws/x_y.z-1#2",
	};
	static const char *const forms[] = {
	    "export: { cloudwatch: { log_group: \"%s\" } }",
	    "export:\n  cloudwatch:\n    log_group: '%s'\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(forms); j++) {
			_cleanup_free_ char *yaml = NULL;
			const char *mark = strstr(forms[j], "%s");

			assert_true(asprintf(&yaml, "%.*s%s%s", (int)(mark - forms[j]), forms[j],
					     groups[i], mark + 2) > 0);
			_cleanup_(config_freep) struct config *c = parse(yaml);
			assert_string_equal(c->export.log_group, groups[i]);
		}
	}
}

/* Braces behind a text are part of it inside { } too; other braces keep YAML's meaning. */
static void test_bare_braces(void **state)
{
	_cleanup_(config_freep) struct config *c =
	    parse("export: {cloudwatch: {log_group: /s/{account}/{region}{host},retain_days: 1}}\n"
		  "datasets: [{id: a,path: /d-{x}},{id: b,path: \"/e{y}\"}] # {z}\n"
		  "jobs: [a{b}, 'c{d}', \"\\uf8f1\"]\n");

	assert_string_equal(c->export.log_group, "/s/{account}/{region}{host}");
	assert_int_equal(c->export.retain_days, 1);
	assert_string_equal(c->datasets[0].path, "/d-{x}");
	assert_string_equal(c->datasets[1].path, "/e{y}");

	/* The stand-ins themselves come through unharmed. */
	_cleanup_(config_freep) struct config *s =
	    parse("jobs: [\"\xef\xa3\xb1x\xef\xa3\xb2\", 'c{d}']\n");
	ASSERT_STRINGS(&s->jobs, "\xef\xa3\xb1x\xef\xa3\xb2", "c{d}");
}

static void test_yaml_forms(void **state)
{
	_cleanup_(config_freep) struct config *c =
	    parse("\xef\xbb\xbf%YAML 1.1\n"
		  "---\r\n"
		  "datasets:\n"
		  "- &one\n"
		  "  id: a\n"
		  "  path: \"/d/\\xe4\"\n"
		  "  tags: &t { Level: 3, \"Yes\": true, note: !!str null, q: 'null' }\n"
		  "- id: b\n"
		  "  path: /e\n"
		  "  tags: *t\n"
		  "jobs: &j [ x, y ]\n"
		  "trusted: [ ]\n"
		  "...\n");

	assert_string_equal(c->datasets[0].path, "/d/\xc3\xa4");
	assert_int_equal(c->datasets[1].ntags, 4);
	assert_string_equal(c->datasets[1].tags[0].value, "3");
	assert_string_equal(c->datasets[1].tags[1].key, "Yes");
	assert_string_equal(c->datasets[1].tags[1].value, "true");
	assert_string_equal(c->datasets[1].tags[2].value, "null");
	assert_string_equal(c->datasets[1].tags[3].value, "null");
	ASSERT_STRINGS(&c->jobs, "x", "y");
}

static void test_most_datasets(void **state)
{
	_cleanup_free_ char *yaml = NULL;
	size_t len;
	FILE *f = open_memstream(&yaml, &len);

	fputs("datasets:\n", f);
	for (int i = 0; i < SL_DATASETS_MAX; i++)
		fprintf(f, "  - { id: d%d, path: /d/%d }\n", i, i);
	fclose(f);
	_cleanup_(config_freep) struct config *c = parse(yaml);
	assert_int_equal(c->ndatasets, SL_DATASETS_MAX);
	assert_string_equal(c->datasets[63].id, "d63");
	assert_int_equal(c->datasets[63].line, 65);
}

/* As sha256sum has them. */
static void test_digest(void **state)
{
	_cleanup_(config_freep) struct config *none = NULL;
	_cleanup_(config_freep) struct config *c = parse("{}");
	_cleanup_(config_freep) struct config *d = parse("{}\n");

	assert_int_equal(config_default(&none), 0);
	assert_string_equal(none->digest,
			    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	assert_string_equal(c->digest,
			    "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
	assert_string_equal(d->digest,
			    "ca3d163bab055381827226140568f3bef7eaac187cebd76878e0b63e9e442356");
}

/* --- patterns ------------------------------------------------------------------------------ */

static bool matches(const char *pattern, const char *text)
{
	struct strings s = {.v = (char *[]){(char *)pattern}, .n = 1};

	return strings_match(&s, text);
}

static void test_patterns(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool match;
	} cases[] = {
	    {"slurm:*", "slurm:12.0", true},
	    {"slurm:train-*", "slurm:train-7", true},
	    {"slurm:train-*", "slurm:eval-7", false},
	    {"slurm:*", "k8s:slurm:1", false},
	    {"*", "anything/at all", true},
	    {"*", "", true},
	    {"", "", true},
	    {"", "x", false},
	    {"session:[0-9]", "session:7", true},
	    {"session:?", "session:77", false},
	    {"unit:a\\*", "unit:a*", true},
	    {"unit:a\\*", "unit:ab", false},
	    {"Trainer", "trainer", false},
	    {"/usr/bin/python3*", "/usr/bin/python3.11", true},
	    {"/usr/bin/python3*", "/usr/bin/python3", true},
	    {"/usr/bin/python3*", "/usr/bin/python3.d/evil", false},
	    {"/opt/*/bin/train", "/opt/v1/bin/train", true},
	    {"/opt/*/bin/train", "/opt/v1/x/bin/train", false},
	    {"*/bin/train", "/opt/v1/x/bin/train", true},
	    {"[", "[", true},
	    {"*\xff", "a\xff", true},
	    {"a*", "a\xff", true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (matches(cases[i].pattern, cases[i].text) != cases[i].match)
			fail_msg("'%s' on '%s'", cases[i].pattern, cases[i].text);

	const struct strings none = {0};
	const struct strings two = {.v = (char *[]){(char *)"a", (char *)"b*"}, .n = 2};
	assert_false(strings_match(&none, ""));
	assert_true(strings_match(&two, "bc"));
	assert_false(strings_match(&two, "c"));
}

/* A process chooses its own name: it must not be able to make matching slow. */
static void test_pattern_cost(void **state)
{
	char text[4096];
	uint64_t start = now_boot_ns();

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_false(matches("*a*a*a*a*a*a*a*a*a*a*a*a*b", text));
	assert_false(matches("/*a*a*a*a*a*a*a*a*a*a*a*a*b", text));
	assert_true(now_boot_ns() - start < 2 * NSEC);
}

/* --- CIDRs --------------------------------------------------------------------------------- */

static void test_cidr_parse(void **state)
{
	static const struct {
		const char *text, *addr;
		unsigned bits;
	} good[] = {
	    {"10.0.0.0/16", "::ffff:10.0.0.0", 112},
	    {"0.0.0.0/0", "::ffff:0.0.0.0", 96},
	    {"128.0.0.0/1", "::ffff:128.0.0.0", 97},
	    {"203.0.113.7/32", "::ffff:203.0.113.7", 128},
	    {"203.0.113.7", "::ffff:203.0.113.7", 128},
	    {"203.0.113.6/31", "::ffff:203.0.113.6", 127},
	    {"255.255.255.255", "::ffff:255.255.255.255", 128},
	    {"::/0", "::", 0},
	    {"8000::/1", "8000::", 1},
	    {"2001:db8::/32", "2001:db8::", 32},
	    {"2001:db8::1", "2001:db8::1", 128},
	    {"2001:db8::1/128", "2001:db8::1", 128},
	    {"2001:db8:0:4::/62", "2001:db8:0:4::", 62},
	    {"::ffff:10.0.0.0/104", "::ffff:10.0.0.0", 104},
	    {"::ffff:0:0/96", "::ffff:0:0", 96},
	};
	static const char *const bad[] = {
	    "",
	    "/",
	    "/8",
	    "10.0.0.0/",
	    "10.0.0.0/33",
	    "10.0.0.0/-1",
	    "10.0.0.0/+8",
	    "10.0.0.0/08",
	    "10.0.0.0/8 ",
	    " 10.0.0.0/8",
	    "10.0.0.0/8/8",
	    "10.0.0.0/255.0.0.0",
	    "10.0.0/24",
	    "10.0.0.0.0/8",
	    "010.0.0.0/8",
	    "256.0.0.0/8",
	    "10.0.0.1/31",
	    "10.0.0.1/0",
	    "10.1.0.0/15",
	    "::/129",
	    "::1/127",
	    "2001:db8::/28",
	    ":::/0",
	    "fe80::1%lo",
	    "::ffff:10.0.0.1/104",
	    "1::2::3",
	    "12345::/16",
	    "x",
	    "10.0.0.0/1e1",
	    "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:dddd:eeee/64",
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct cidr c;
		uint8_t want[16];

		if (cidr_parse(good[i].text, &c))
			fail_msg("refused %s", good[i].text);
		assert_int_equal(inet_pton(AF_INET6, good[i].addr, want), 1);
		assert_memory_equal(c.addr, want, 16);
		assert_int_equal(c.bits, good[i].bits);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct cidr c = {.bits = 77};

		if (cidr_parse(bad[i], &c) != -EINVAL)
			fail_msg("took '%s'", bad[i]);
		assert_int_equal(c.bits, 77);
	}
}

static void test_cidr_holds(void **state)
{
	static const struct {
		const char *cidr, *addr;
		bool held;
	} cases[] = {
	    {"10.0.0.0/16", "::ffff:10.0.0.0", true},
	    {"10.0.0.0/16", "::ffff:10.0.255.255", true},
	    {"10.0.0.0/16", "::ffff:10.1.0.0", false},
	    {"10.0.0.0/16", "10::", false},
	    {"172.16.0.0/12", "::ffff:172.31.255.255", true},
	    {"172.16.0.0/12", "::ffff:172.32.0.0", false},
	    {"0.0.0.0/0", "::ffff:255.1.2.3", true},
	    {"0.0.0.0/0", "2001:db8::1", false},
	    {"203.0.113.7/32", "::ffff:203.0.113.7", true},
	    {"203.0.113.7/32", "::ffff:203.0.113.6", false},
	    {"203.0.113.6/31", "::ffff:203.0.113.7", true},
	    {"::/0", "2001:db8::1", true},
	    {"::/0", "::1", true},
	    {"::/0", "::ffff:10.0.0.1", false},
	    {"::ffff:0:0/96", "::ffff:10.0.0.1", true},
	    {"::/1", "7fff::", true},
	    {"::/1", "8000::", false},
	    {"2001:db8::/32", "2001:db8:ffff::1", true},
	    {"2001:db8::/32", "2001:db9::", false},
	    {"2001:db8::1/128", "2001:db8::1", true},
	    {"2001:db8::1/128", "2001:db8::2", false},
	    {"2001:db8::/63", "2001:db8:0:1:ffff::", true},
	    {"2001:db8::/63", "2001:db8:0:2::", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cidr c;
		uint8_t addr[16];

		assert_int_equal(cidr_parse(cases[i].cidr, &c), 0);
		assert_int_equal(inet_pton(AF_INET6, cases[i].addr, addr), 1);
		if (cidr_holds(&c, addr) != cases[i].held)
			fail_msg("%s and %s", cases[i].cidr, cases[i].addr);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_contract),
	    cmocka_unit_test(test_defaults),
	    cmocka_unit_test(test_dataset_defaults),
	    cmocka_unit_test(test_section_defaults),
	    cmocka_unit_test(test_paths_are_normalised),
	    cmocka_unit_test(test_s3),
	    cmocka_unit_test(test_allow), cmocka_unit_test(test_allow_service),
	    cmocka_unit_test(test_words), cmocka_unit_test(test_resolvers),
	    cmocka_unit_test(test_derived),
	    cmocka_unit_test(test_retain_days),
	    cmocka_unit_test(test_log_group),
	    cmocka_unit_test(test_bare_braces),
	    cmocka_unit_test(test_yaml_forms),
	    cmocka_unit_test(test_most_datasets),
	    cmocka_unit_test(test_digest),
	    cmocka_unit_test(test_patterns),
	    cmocka_unit_test(test_pattern_cost),
	    cmocka_unit_test(test_cidr_parse),
	    cmocka_unit_test(test_cidr_holds),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
