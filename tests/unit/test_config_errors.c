/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Everything a configuration can be refused for: where the message points, and what it says. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "user/policy/config.h"

/* Three good lines; what follows starts on line 4. */
#define GOOD "datasets:\n  - id: a\n    path: /d/a\n"

struct bad {
	const char *yaml;
	const char *at; /* line:column */
	const char *says;
};

static const struct bad shapes[] = {
    {"", "1:1", "says nothing; write what to watch"},
    {"# only a comment\n", "1:1", "says nothing"},
    {"---\n", "2:1", "says nothing"},
    {"- a\n", "1:1", "must be a mapping, not a list"},
    {"text\n", "1:1", "must be a mapping, not a text"},
    {"interval: 1s\n---\nb: 2\n", "2:1", "a second document; keep one"},
    {"interval: 1s\n--- !x\n", "2:1", "a second document"},
    {"interval: \"1s\n", "1:11", "close the quotes"},
    {"interval:\n\t1s\n", "2:1", "indent with spaces, not tabs"},
    {"jobs: [a, b\n", "2:1", "began on line 1, column 7"},
    {"jobs: [a, b\ninterval: 1s\n", "2:9", "close the list with ]"},
    {"journal: { dir: /a\ninterval: 1s\n", "2:9", "close the mapping with }"},
    {"jobs: a: b\n", "1:8", "quotes"},
    {"jobs: [*.example.org]\n", "1:8", "put a text that starts with * in quotes"},
    {"jobs: [*any]\n", "1:8", "an alias of an anchor that is not defined before"},
    {"jobs: &a [ *a ]\n", "1:12", "an alias of what it lies in"},
    {"jobs: !!python/object [a]\n", "1:7", "YAML tags have no use here"},
    {"interval: !!float 1s\n", "1:11", "YAML tags have no use here"},
    {"jobs: [[[[[[[[[[[[[[[[x]]]]]]]]]]]]]]]]\n", "1:22", "nested deeper"},
    {"jobs: [\"a\\0b\"]\n", "1:8", "a NUL byte inside a text"},
    {"jobs: [\"a\\nb\"]\n", "1:8", "jobs[0]: 'a?b' holds a control character"},
    {"jobs: [\"\\x9b31m\"]\n", "1:8", "jobs[0]: '?31m' holds a control character"},
    {"interval: 1s\n  jobs: [\"\xc3(\"]\n", "2:11", "is not UTF-8"},
    {"# \xc3\xa4\xc3\xb6 \xff\n", "1:6", "is not UTF-8"},
    {"# \xed\xa0\x80\n", "1:3", "is not UTF-8"},
    {"\xff\xfei\0n\0", "1:1", "is not UTF-8"},
    {"interval: 1s # \x07\n", "1:16", "a control character; remove it"},
    {"? [a]\n: b\n", "1:3", "a key must be a text, not a list"},
    {"<<: { interval: 1s }\n", "1:1", "merge keys have no use here"},
};

static const struct bad keys[] = {
    {"dataset: []\n", "1:1", "dataset: unknown key; did you mean 'datasets'?"},
    {"Interval: 1s\n", "1:1", "Interval: unknown key; did you mean 'interval'?"},
    {"intreval: 1s\n", "1:1", "did you mean 'interval'?"},
    {"colour: red\n", "1:1",
     "colour: unknown key; use one of: datasets, jobs, network, trusted, journal, export, state, "
     "interval"},
    {"\"\\e[31mx\": 1\n", "1:1", "?[31mx: unknown key"},
    {GOOD "    pth: /x\n", "4:5", "datasets[0].pth: unknown key; did you mean 'path'?"},
    {GOOD "    path: /x\n", "4:5", "datasets[0].path: given twice (first on line 3); keep one"},
    {"interval: 1s\ninterval: 1s\n", "2:1", "interval: given twice (first on line 1)"},
    {GOOD "    tags: { Owner: a, Owner: b }\n", "4:23", "datasets[0].tags.Owner: given twice"},
    {GOOD "    budget: { outside_vpc: 1, pre: 1h }\n", "4:31",
     "datasets[0].budget.pre: unknown key; did you mean 'per'?"},
    {"export:\n  cloudwatch: { loggroup: /x }\n", "2:17",
     "export.cloudwatch.loggroup: unknown key; did you mean 'log_group'?"},
    {"network: { vpc_cidr: [] }\n", "1:12", "did you mean 'vpc_cidrs'?"},
    {"network:\n  allow:\n    - { cird: 10.0.0.0/8 }\n", "3:9",
     "network.allow[0].cird: unknown key; did you mean 'cidr'?"},
    {"export: { security-hub: true }\n", "1:11", "did you mean 'security_hub'?"},
    {"journal: { size: 1GiB }\n", "1:12",
     "journal.size: unknown key; use one of: dir, max_size, retain"},
};

static const struct bad datasets[] = {
    {"datasets:\n", "1:10", "datasets: must be a list, not nothing"},
    {"datasets: { id: a }\n", "1:11", "datasets: must be a list, not a mapping"},
    {"datasets: [a]\n", "1:12", "datasets[0]: must be a mapping, not a text"},
    {"datasets:\n  - path: /d\n", "2:5", "datasets[0]: 'id' is missing; add it"},
    {"datasets:\n  - id: a\n", "2:5", "datasets[0]: 'path' is missing; add it"},
    {"datasets:\n  - id: Patients\n    path: /d\n", "2:9",
     "datasets[0].id: 'Patients' is no good id"},
    {"datasets:\n  - id: a/b\n", "2:9", "is no good id; use 1 to 63 of a-z 0-9 . _ -"},
    {"datasets:\n  - id: \"\"\n", "2:9", "datasets[0].id: is empty"},
    {"datasets:\n  - id: ~\n", "2:9", "datasets[0].id: must be a text, not nothing"},
    {"datasets:\n  - id: [a]\n", "2:9", "datasets[0].id: must be a text, not a list"},
    {"datasets:\n  - id: {a}\n", "2:9", "must be a text, not a mapping; put a text with { }"},
    {"datasets:\n  - id: "
     "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg\n",
     "2:9", "is no good id"},
    {GOOD "  - id: b\n    path: /d/b\n  - id: a\n    path: /d/c\n", "6:9",
     "datasets[2].id: duplicate id 'a' (first on line 2); give each dataset its own id"},
    {"datasets:\n  - id: a\n    path: data\n", "3:11",
     "datasets[0].path: 'data' is no absolute path"},
    {"datasets:\n  - id: a\n    path: /d/../e\n", "3:11", "without .."},
    {GOOD "  - id: b\n    path: /d/a/sub\n", "5:11",
     "datasets[1].path: '/d/a/sub' lies inside dataset 'a' (line 2); give each file"},
    {GOOD "  - id: b\n    path: //d/./a/\n", "5:11", "'/d/a' lies inside dataset 'a'"},
    {GOOD "  - id: b\n    path: /d\n", "5:11", "datasets[1].path: '/d' holds dataset 'a' (line 2)"},
    {GOOD "  - id: b\n    path: /\n", "5:11", "'/' holds dataset 'a'"},
    {GOOD "  - id: b\n    path: s3://bkt/x\n    mount: /d/a/m\n", "6:12",
     "datasets[1].mount: '/d/a/m' lies inside dataset 'a'"},
    {"datasets:\n  - { id: a, path: s3://bkt/x, mount: /m/1 }\n"
     "  - { id: b, path: s3://bkt/x/y, mount: /m/2 }\n",
     "3:20", "datasets[1].path: 's3://bkt/x/y' lies inside dataset 'a' (line 2); give each object"},
    {"datasets:\n  - { id: a, path: s3://bkt/x/, mount: /m/1 }\n"
     "  - { id: b, path: s3://bkt/, mount: /m/2 }\n",
     "3:20", "datasets[1].path: 's3://bkt/' holds dataset 'a'"},
    {"datasets:\n  - id: a\n    path: s3://bkt/x\n", "3:11",
     "datasets[0].path: 's3://bkt/x' needs 'mount'; add mount:"},
    {"datasets:\n  - id: a\n    path: s3://B/x\n", "3:11", "names no bucket"},
    {GOOD "    mount: /m\n", "4:12", "datasets[0].mount: goes only with an s3:// path; remove it"},
    {GOOD "    tags: [a]\n", "4:11", "datasets[0].tags: must be a mapping, not a list"},
    {GOOD "    tags: { DataType: }\n", "4:23",
     "datasets[0].tags.DataType: must be a text, not nothing"},
    {GOOD "    tags: { DataType: [PII] }\n", "4:23", "must be a text, not a list"},
    {GOOD "    readers: {}\n", "4:14", "datasets[0].readers: names no one"},
    {GOOD "    readers: { users: [] }\n", "4:23",
     "datasets[0].readers.users: is empty, which would"},
    {GOOD "    readers: { exe: [] }\n", "4:21", "datasets[0].readers.exe: is empty, which would"},
    {GOOD "    readers: { users: trainer }\n", "4:23", "datasets[0].readers.users: must be a list"},
    {GOOD "    readers: { jobs: [a, [b]] }\n", "4:26",
     "datasets[0].readers.jobs[1]: must be a text"},
    {GOOD "    readers: { exe: [python3*] }\n", "4:22",
     "datasets[0].readers.exe[0]: 'python3*' can match no executable"},
    {GOOD "    budget: { outside_vpc: 1MiB }\n", "4:13", "datasets[0].budget: 'per' is missing"},
    {GOOD "    budget: { per: 1h }\n", "4:13", "datasets[0].budget: 'outside_vpc' is missing"},
    {GOOD "    budget: 1MiB\n", "4:13", "datasets[0].budget: must be a mapping, not a text"},
    {GOOD "    budget: { outside_vpc: 1 MiB, per: 1h }\n", "4:28",
     "datasets[0].budget.outside_vpc: '1 MiB' is no size; write e.g. 500, 64KiB"},
    {GOOD "    budget: { outside_vpc: -1, per: 1h }\n", "4:28", "'-1' is no size"},
    {GOOD "    budget: { outside_vpc: [1], per: 1h }\n", "4:28", "must be a size, not a list"},
    {GOOD "    budget: { outside_vpc: 99999999TiB, per: 1h }\n", "4:28",
     "more than can be counted"},
    {GOOD "    budget: { outside_vpc: 1, per: 24 }\n", "4:36",
     "datasets[0].budget.per: '24' is no duration; write e.g. 500ms"},
    {GOOD "    budget: { outside_vpc: 1, per: 0h }\n", "4:36",
     "0h is out of range; write 1s to 366d"},
    {GOOD "    budget: { outside_vpc: 1, per: 999999999999d }\n", "4:36", "is out of range"},
    {GOOD "    mode: deny\n", "4:11",
     "datasets[0].mode: 'deny' is not known; write alert or block"},
    {GOOD "    mode: [block]\n", "4:11", "datasets[0].mode: must be a word, not a list"},
};

static const struct bad network[] = {
    {"network: auto\n", "1:10", "network: must be a mapping, not a text"},
    {"network: { vpc: on }\n", "1:17", "network.vpc: 'on' is not known; write off or auto"},
    {"network: { expect: none }\n", "1:20",
     "network.expect: 'none' is not known; write ml, tainted or all"},
    {"network: { aws_ranges: never }\n", "1:24", "write auto, off or the absolute path of a file"},
    {"network: { aws_ranges: }\n", "1:24", "network.aws_ranges: must be a text, not nothing"},
    {"network: { vpc_cidrs: 10.0.0.0/16 }\n", "1:23", "network.vpc_cidrs: must be a list"},
    {"network: { vpc_cidrs: [10.0.0.0/8, 10.0.0.1/16] }\n", "1:36",
     "network.vpc_cidrs[1]: '10.0.0.1/16' has host bits set; write 10.0.0.0/16"},
    {"network: { vpc_cidrs: [\"2001:db8::1/32\"] }\n", "1:24", "write 2001:db8::/32"},
    {"network: { vpc_cidrs: [10.0.0.0/33] }\n", "1:24",
     "'10.0.0.0/33' is no address range; write e.g. 10.0.0.0/16"},
    {"network: { vpc_cidrs: [10.0.0/24] }\n", "1:24", "is no address range"},
    {"network: { resolvers: 10.100.0.10 }\n", "1:23", "network.resolvers: must be a list"},
    {"network: { resolvers: [10.100.0.10, dns.example] }\n", "1:37",
     "network.resolvers[1]: 'dns.example' is no address; write one by itself, e.g. 10.100.0.10"},
    {"network: { resolvers: [10.100.0.10/32] }\n", "1:24", "'10.100.0.10/32' is no address"},
    {"network: { resolvers: [\"10.100.0.10:53\"] }\n", "1:24", "is no address"},
    {"network: { resolver: [10.100.0.10] }\n", "1:12", "did you mean 'resolvers'?"},
    {"network: { allow: [{}] }\n", "1:20", "network.allow[0]: would allow every destination"},
    {"network: { allow: [{ datasets: [a] }] }\n", "1:20", "would allow every destination"},
    {"network:\n  allow:\n    - { port: 443 }\n    - { port: 0 }\n", "4:15",
     "network.allow[1].port: must be a number from 1 to 65535"},
    {"network: { allow: [{ port: 65536 }] }\n", "1:28", "must be a number from 1 to 65535"},
    {"network: { allow: [{ port: 0443 }] }\n", "1:28", "must be a number from 1 to 65535"},
    {"network: { allow: [{ port: \"443\" }] }\n", "1:28", "without quotes"},
    {"network: { allow: [{ port: [443] }] }\n", "1:28", "must be a number"},
    {"network: { allow: [{ port: 99999999999999999999 }] }\n", "1:28", "must be a number"},
    {"network: { allow: [{ cidr: nowhere }] }\n", "1:28", "network.allow[0].cidr: 'nowhere' is no"},
    {"network: { allow: [{ name: \"*\" }] }\n", "1:28", "would allow every host"},
    {"network: { allow: [{ name: \"a*.example.org\" }] }\n", "1:28",
     "network.allow[0].name: 'a*.example.org' is no name or wildcard; * stands only"},
    {"network: { allow: [{ name: \"www.*.org\" }] }\n", "1:28", "is no name or wildcard"},
    {"network: { allow: [{ name: \"*.*.org\" }] }\n", "1:28", "is no name or wildcard"},
    {"network: { allow: [{ name: \"*.\" }] }\n", "1:28", "would allow every host"},
    {"network: { allow: [{ name: \"a?.org\" }] }\n", "1:28", "is no name or wildcard"},
    {"network: { allow: [{ name: a..org }] }\n", "1:28", "is no host name"},
    {"network: { allow: [{ name: -a.org }] }\n", "1:28", "is no host name"},
    {"network: { allow: [{ name: \"https://a.org\" }] }\n", "1:28", "is no host name"},
    {"network: { allow: [{ name: 10.0.0.1 }] }\n", "1:28",
     "is an address, not a name; write it as cidr:"},
    {"network: { allow: [{ name: \"\xc3\xa4.org\" }] }\n", "1:28", "write the name as xn--"},
    {"network: { allow: [{ bucket: My_Bucket }] }\n", "1:30", "'My_Bucket' is no bucket name"},
    {"network: { allow: [{ bucket: s3://b }] }\n", "1:30", "write the bare name"},
    {"network: { allow: [{ bucket: a..b }] }\n", "1:30", "is no bucket name"},
    {"network: { allow: [{ service: s3.amazonaws.com }] }\n", "1:31", "is no service"},
    {"network: { allow: [{ account: 12345 }] }\n", "1:31",
     "'12345' is no account; write its 12 digits"},
    {GOOD "network: { allow: [{ port: 1, datasets: [] }] }\n", "4:41", "is empty; name datasets"},
    {GOOD "network: { allow: [{ port: 1, datasets: [a, patience] }] }\n", "4:45",
     "network.allow[0].datasets[1]: 'patience' is no dataset's id; name one of datasets:"},
    {"network: { allow: [{ port: 1, datasets: [patinets] }] }\n"
     "datasets: [{ id: patients, path: /d }]\n",
     "1:42", "'patinets' is no dataset's id; did you mean 'patients'?"},
};

#define MASKED "  - id: m\n    path: /d/m\n"

static const struct bad derived[] = {
    {GOOD "    derived: [a]\n", "4:14", "datasets[0].derived: must be a mapping, not a list"},
    {GOOD "    derived: {}\n", "4:14", "datasets[0].derived: 'from' is missing; add it"},
    {GOOD "    derived: { form: [a] }\n", "4:16", "datasets[0].derived.form: unknown key; did you mean 'from'?"},
    {GOOD "    derived: { from: a }\n", "4:22", "datasets[0].derived.from: must be a list, not a text; write [ patients ]"},
    {GOOD "    derived: { from: [] }\n", "4:22", "datasets[0].derived.from: is empty; name the datasets"},
    {GOOD "    derived: { from: [[a]] }\n", "4:23", "datasets[0].derived.from[0]: must be a text"},
    {GOOD "    derived: { from: [a] }\n", "4:23", "datasets[0].derived.from[0]: 'a' is this dataset itself"},
    {GOOD MASKED "    derived: { from: [a, patience] }\n", "6:26",
     "datasets[1].derived.from[1]: 'patience' is no dataset's id; name one of datasets:"},
    {"datasets:\n  - id: patients\n    path: /d/a\n" MASKED "    derived: { from: [patinets] }\n", "6:23",
     "datasets[1].derived.from[0]: 'patinets' is no dataset's id; did you mean 'patients'?"},
    {GOOD MASKED "    derived: { from: [\"\\e[31m\"] }\n", "6:23", "datasets[1].derived.from[0]: '?[31m' holds a control"},
    {GOOD MASKED "    derived: { from: [a, a] }\n", "6:26", "datasets[1].derived.from[1]: 'a' is named twice; keep one"},
    {GOOD "    derived: { from: [m] }\n" MASKED "    derived: { from: [a] }\n", "4:23",
     "datasets[0].derived.from[0]: 'm' (line 5) is itself made from 'a'; a derivation leads one way"},
    {GOOD "    derived: { from: [n] }\n" MASKED "    derived: { from: [a] }\n"
     "  - id: n\n    path: /d/n\n    derived: { from: [m] }\n", "4:23",
     "datasets[0].derived.from[0]: 'n' (line 8) is itself made from 'a'"},
    {GOOD MASKED "    derived: { from: [a], writers: {} }\n", "6:36", "datasets[1].derived.writers: names no one"},
    {GOOD MASKED "    derived: { from: [a], writers: { users: [] } }\n", "6:45", "datasets[1].derived.writers.users: is empty"},
    {GOOD MASKED "    derived: { from: [a], writers: { exe: [python3] } }\n", "6:44",
     "datasets[1].derived.writers.exe[0]: 'python3' can match no executable"},
    {GOOD MASKED "    derived: { from: [a], writers: { user: [b] } }\n", "6:38", "unknown key; did you mean 'users'?"},
    /* as of any other two */
    {GOOD "  - id: m\n    path: /d/a/m\n    derived: { from: [a] }\n", "5:11", "'/d/a/m' lies inside dataset 'a'"},
    {GOOD "  - id: m\n    path: /d\n    derived: { from: [a] }\n", "5:11", "'/d' holds dataset 'a'"},
};

static const struct bad others[] = {
    {"jobs: slurm\n", "1:7", "jobs: must be a list, not a text; write [ \"slurm:train-*\" ]"},
    {"jobs: [a, ~]\n", "1:11", "jobs[1]: must be a text, not nothing"},
    {"trusted: [agent]\n", "1:11", "trusted[0]: 'agent' is no absolute path"},
    {"trusted: [/usr/bin/*]\n", "1:11", "trusted[0]: '/usr/bin/*' is a pattern"},
    {"journal: off\n", "1:10", "journal: must be a mapping, not a text"},
    {"journal: { dir: log }\n", "1:17", "journal.dir: 'log' is no absolute path"},
    {"journal: { max_size: big }\n", "1:22", "journal.max_size: 'big' is no size"},
    {"journal: { max_size: 1KiB }\n", "1:22", "1KiB holds no journal; write 64KiB or more"},
    {"journal: { retain: forever }\n", "1:20", "journal.retain: 'forever' is no duration"},
    {"export: { cloudwatch: }\n", "1:23", "export.cloudwatch: must be a mapping, not nothing"},
    {"export: { cloudwatch: maybe }\n", "1:23", "export.cloudwatch: must be true or false"},
    {"export: { cloudwatch: { log_group: \"/s/{instance}\" } }\n", "1:36",
     "export.cloudwatch.log_group: '{instance}' is no placeholder; use {instance_id}, {host}"},
    {"export: { cloudwatch: { log_group: /s/{instance} } }\n", "1:36", "is no placeholder"},
    {"export: { cloudwatch: { log_group: \"/s/}\" } }\n", "1:36", "'}' is no placeholder"},
    {"export: { cloudwatch: { log_group: \"a b\" } }\n", "1:36", "'a b' is no log group name"},
    {"export: { cloudwatch: { log_group: {host} } }\n", "1:36", "put a text with { } in quotes"},
    {"export: { cloudwatch: { log_group: aws/x } }\n", "1:36", "'aws/x' is AWS's own"},
    {"export: { cloudwatch: { namespace: AWS/EC2 } }\n", "1:36", "'AWS/EC2' is AWS's own"},
    {"export: { cloudwatch: { namespace: a*b } }\n", "1:36", "is no namespace"},
    {"export: { cloudwatch: { endpoint: logs.local } }\n", "1:35",
     "is no endpoint; write auto, or https"},
    {"export: { cloudwatch: { endpoint: \"https://u@h\" } }\n", "1:35", "is no endpoint"},
    {"export: { cloudwatch: { retain_days: 31 } }\n", "1:38",
     "export.cloudwatch.retain_days: CloudWatch keeps no group for 31 days; the next value it "
     "takes is 60"},
    {"export: { cloudwatch: { retain_days: 8 } }\n", "1:38", "is 14"},
    {"export: { cloudwatch: { retain_days: 3652 } }\n", "1:38", "is 3653"},
    {"export: { cloudwatch: { retain_days: 0 } }\n", "1:38", "must be a number from 1 to 3653"},
    {"state: off\nexport: { cloudwatch: true }\n", "1:8",
     "export.cloudwatch: needs a place to remember what was sent; remove `state: off`"},
    {"export: { security_hub: { endpoint: ftp://x } }\n", "1:37", "is no endpoint"},
    {"export: { security_hub: { region: x } }\n", "1:27", "export.security_hub.region: unknown key"},
    {"export: { security_hub: maybe }\n", "1:25", "export.security_hub: must be true or false"},
    {"export: { security_hub: \"true\" }\n", "1:25", "without quotes"},
    {"interval: 1\n", "1:11", "interval: '1' is no duration"},
    {"interval: 99ms\n", "1:11", "interval: 99ms is out of range; write 100ms to 60s"},
    {"interval: 61s\n", "1:11", "61s is out of range"},
    {"interval:\n  - 1s\n", "2:3", "interval: must be a duration, not a list"},
};

/* Messages go to a terminal and into JSON; line feeds only before an example. */
static bool fit_to_show(const char *text)
{
	size_t left = strlen(text), k;
	uint32_t cp;

	for (; left; text += k, left -= k) {
		k = utf8_next(text, left, &cp);
		if (!k || (cp < 0x20 && cp != '\n') || (cp >= 0x7f && cp < 0xa0))
			return false;
	}
	return true;
}

static void refused(const char *yaml, size_t len, const char *at, const char *says)
{
	struct config *const untouched = (void *)&shapes;
	struct config *c = untouched;
	struct config_error e = {""};
	char start[64];
	int r = config_parse(yaml, len, "t.yaml", false, &c, &e);

	snprintf(start, sizeof(start), "t.yaml:%s: ", at);
	if (r != -EINVAL || strncmp(e.text, start, strlen(start)) || !strstr(e.text, says))
		fail_msg("%.200s\ngave %d, \"%s\"\nnot \"%s... %s\"", yaml, r, e.text, start, says);
	assert_ptr_equal(c, untouched);
	assert_true(fit_to_show(e.text));
}

static void refuse_all(const struct bad *bad, size_t n)
{
	for (size_t i = 0; i < n; i++)
		refused(bad[i].yaml, strlen(bad[i].yaml), bad[i].at, bad[i].says);
}

static void test_shapes(void **state)
{
	refuse_all(shapes, ARRAY_SIZE(shapes));
}

static void test_keys(void **state)
{
	refuse_all(keys, ARRAY_SIZE(keys));
}

static void test_datasets(void **state)
{
	refuse_all(datasets, ARRAY_SIZE(datasets));
}

static void test_network(void **state)
{
	refuse_all(network, ARRAY_SIZE(network));
}

static void test_others(void **state)
{
	refuse_all(others, ARRAY_SIZE(others));
}

static void test_derived(void **state)
{
	refuse_all(derived, ARRAY_SIZE(derived));
}

static void test_nul_byte(void **state)
{
	refused("interval: 1s\n\0#", 15, "2:1", "a NUL byte; save the file as plain UTF-8 text");
}

/* A text with a line in it n times over, @ in it being its number; the caller frees it. */
static char *repeat(const char *head, size_t n, const char *line, const char *tail)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	fputs(head, f);
	for (size_t i = 0; i < n; i++)
		for (const char *c = line; *c; c++)
			*c == '@' ? fprintf(f, "%zu", i) : fputc(*c, f);
	fputs(tail, f);
	fclose(f);
	return text;
}

static void refused_many(const char *head, size_t n, const char *line, const char *tail,
			 const char *at, const char *says)
{
	_cleanup_free_ char *text = repeat(head, n, line, tail);

	refused(text, strlen(text), at, says);
}

static void test_limits(void **state)
{
	refused_many("datasets:\n", 65, "  - { id: d@, path: /d/@ }\n", "", "66:5",
		     "datasets: more than 64 entries");
	refused_many("datasets:\n  - id: a\n    path: /d\n    tags:\n", 51, "      k@: v@\n", "",
		     "55:7", "datasets[0].tags: more than 50 tags");
	refused_many("jobs:\n", 257, "  - j@\n", "", "258:5", "jobs: more than 256 entries");
	refused_many("network:\n  allow:\n", 1025, "    - { port: 1 }\n", "", "1027:7",
		     "network.allow: more than 1024 entries");
	refused_many("jobs: [", 70000, "@,", "]", "1:382096", "more values than any policy needs");
	refused_many("jobs: [", 257, "&a@ b@,", "]", "1:2604", "too many anchors");
	refused_many("", 17, "%TAG !a@ b\n", "--- {}", "17:1", "too many directives");
	refused_many("#", 100000, "@1234567890,", "\n", "1:1", "larger than 1 MiB");
	refused_many("jobs: ", 100000, "[", "", "1:22", "nested deeper");
	refused_many("jobs: [\"", 5000, "x", "\"]", "1:8", "jobs[0]: is longer than 4095 bytes");
}

/* Nine aliases of nine aliases of ...: a few hundred bytes that stand for a billion values. */
static void test_alias_bomb(void **state)
{
	refused("a: &a [x,x,x,x,x,x,x,x,x]\n"
		"b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
		"c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
		"d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
		"e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\n"
		"f: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n",
		26 + 5 * 35, "5:32", "stands for more values than any policy needs");
}

/* What is long or hostile is cut, and what matters most still stands in the message. */
static void test_long_names(void **state)
{
	_cleanup_free_ char *name = repeat("", 1000, "\xc3\xa4", "end.yaml");
	_cleanup_free_ char *yaml = repeat("\"", 300, "\xc3\xa4", "\": 1\n");
	struct config_error e;
	struct config *c;

	assert_int_equal(config_parse(yaml, strlen(yaml), name, false, &c, &e), -EINVAL);
	assert_non_null(strstr(e.text, "\xc3\xa4"
				       "end.yaml:1:1: \xc3\xa4"));
	assert_non_null(strstr(e.text, "...: unknown key; use one of"));
	assert_int_equal(strncmp(e.text, "...\xc3\xa4", 5), 0);
	assert_true(fit_to_show(e.text));

	assert_int_equal(config_parse("a: 1", 4, "\x1b[2J\xff", false, &c, &e), -EINVAL);
	assert_int_equal(strncmp(e.text, "?[2J?:1:1: a: unknown", 21), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_shapes),     cmocka_unit_test(test_keys),
	    cmocka_unit_test(test_datasets),   cmocka_unit_test(test_network),
	    cmocka_unit_test(test_others),     cmocka_unit_test(test_nul_byte),
	    cmocka_unit_test(test_derived),
	    cmocka_unit_test(test_limits),     cmocka_unit_test(test_alias_bomb),
	    cmocka_unit_test(test_long_names),
	};

	return cmocka_run_group_tests_name("config errors", tests, NULL, NULL);
}
