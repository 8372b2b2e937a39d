/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* AWS's published ranges: what an address comes to, and what is refused. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "tests/unit/aws_fixture.h"

static const char *class_of(const struct classes *c, const char *text, char buf[static 128])
{
	struct dest d = classes_find(c, at(text).addr, 443, IPPROTO_TCP);

	snprintf(buf, 128, "%s%s%s%s%s", class_name(d.class), d.service ? ":" : "", d.service ? d.service : "",
		 d.region ? ":" : "", d.region ? d.region : "");
	return buf;
}

struct expected {
	const char *addr, *class;
};

static void check(const char *text, struct cidr *vpc, size_t nvpc, const struct cidr *local, size_t nlocal,
		  const struct expected *e, size_t n)
{
	struct config config = {.network = {.vpc_cidrs = vpc, .nvpc_cidrs = nvpc}};
	_cleanup_(classes_freep) struct classes *c = NULL;
	struct aws_ranges *r = parse(text);

	assert_int_equal(classes_build(&config, r, local, nlocal, &c), 0);
	aws_ranges_free(r); /* the table keeps nothing of it */
	for (size_t i = 0; i < n; i++) {
		char buf[128];
		const char *got = class_of(c, e[i].addr, buf);

		if (strcmp(got, e[i].class))
			fail_msg("%s is %s, expected %s", e[i].addr, got, e[i].class);
	}
}

/* --- what an address comes to ------------------------------------------------------- */

static void test_services_of_one_prefix(void **state)
{
	static const char text[] =
	    DOC(V4("52.1.0.0/16", "AMAZON", "eu-west-1") "," V4("52.1.0.0/16", "S3", "eu-west-1") ","
		V4("52.2.0.0/16", "AMAZON", "eu-west-1") ","
		V4("52.3.0.0/16", "EC2", "eu-west-1") "," V4("52.3.0.0/16", "AMAZON", "eu-west-1") ","
		V4("52.4.0.0/16", "EC2", "eu-west-1") ","
		V4("52.5.0.0/16", "ZEBRA", "b") "," V4("52.5.0.0/16", "CLOUD9", "d") "," V4("52.5.0.0/16", "CLOUD9", "c") ","
		V4("52.6.0.0/16", "EC2", "r") "," V4("52.6.0.0/16", "S3", "r") "," V4("52.6.0.0/16", "AMAZON", "r") ","
		V4("52.7.0.0/16", "S3", "r") "," V4("52.7.0.0/16", "S3", "r") ","
		V4("52.8.0.0/16", "ec2", "r"), "");
	static const struct expected e[] = {
	    {"52.1.2.3", "aws:S3:eu-west-1"},
	    {"52.2.2.3", "aws:AMAZON:eu-west-1"},
	    {"52.3.2.3", "internet"},
	    {"52.4.2.3", "internet"},
	    {"52.5.2.3", "aws:CLOUD9:c"},
	    {"52.6.2.3", "aws:S3:r"}, /* its own service is listed for exactly this prefix */
	    {"52.7.2.3", "aws:S3:r"},
	    {"52.8.2.3", "internet"},
	    {"52.9.2.3", "internet"},
	    {"64:ff9b::52.1.2.3", "aws:S3:eu-west-1"},
	};

	check(text, NULL, 0, NULL, 0, e, ARRAY_SIZE(e));
}

static void test_nesting(void **state)
{
	static const char text[] =
	    DOC(V4("52.0.0.0/8", "AMAZON", "r") "," V4("52.1.0.0/16", "S3", "r") "," V4("52.1.1.0/24", "EC2", "r") ","
		/* inside EC2's inside S3's */
		V4("52.1.1.128/25", "AMAZON", "r") "," V4("52.1.1.192/26", "AMAZON", "r") ","
		V4("52.1.1.192/27", "EBS", "r") "," V4("52.1.1.192/28", "AMAZON", "r") ","
		/* EC2's around: AMAZON alone does not hide it, a service does */
		V4("54.0.0.0/8", "EC2", "r") "," V4("54.1.0.0/16", "AMAZON", "r") "," V4("54.1.1.0/24", "KMS", "r") ","
		V4("54.1.1.0/25", "EC2", "r") ","
		/* beside it, not in it */
		V4("55.0.0.0/16", "AMAZON", "r"), "");
	static const struct expected e[] = {
	    {"52.200.0.1", "aws:AMAZON:r"}, {"52.1.0.1", "aws:S3:r"},	{"52.1.1.1", "internet"},
	    {"52.1.1.129", "internet"},	    {"52.1.1.230", "internet"}, {"52.1.1.210", "aws:EBS:r"},
	    {"52.1.1.193", "aws:AMAZON:r"}, {"52.1.2.0", "aws:S3:r"},	{"54.9.9.9", "internet"},
	    {"54.1.2.1", "internet"},	    {"54.1.1.200", "aws:KMS:r"}, {"54.1.1.1", "internet"},
	    {"55.0.1.1", "aws:AMAZON:r"},   {"53.0.0.1", "internet"},
	};

	check(text, NULL, 0, NULL, 0, e, ARRAY_SIZE(e));
}

static void test_ipv6(void **state)
{
	static const char text[] =
	    DOC("", V6("2600:1f00::/24", "EC2", "r") "," V6("2600:1f00::/24", "AMAZON", "r") ","
		V6("2600:1f01:4000::/40", "S3", "us-east-1") "," V6("2600:1f02::/32", "AMAZON", "r") ","
		V6("2600:9000::/28", "CLOUDFRONT", "GLOBAL") "," V6("2600:9000:0:1::/64", "EC2", "r"));
	static const struct expected e[] = {
	    {"2600:1f00::1", "internet"},
	    {"2600:1f01:4000::1", "aws:S3:us-east-1"},
	    {"2600:1f01:4100::1", "internet"},
	    {"2600:1f02::1", "internet"},
	    {"2600:9000::1", "aws:CLOUDFRONT:GLOBAL"},
	    {"2600:9000:0:1::1", "internet"},
	    {"2600:1e00::1", "internet"},
	};

	check(text, NULL, 0, NULL, 0, e, ARRAY_SIZE(e));
}

/* The VPC has public addresses of its own, and this host one of AWS's. */
static void test_configured_wins(void **state)
{
	static const char text[] =
	    DOC(V4("52.0.0.0/8", "AMAZON", "r") "," V4("52.1.0.0/16", "EC2", "r") "," V4("52.1.7.0/24", "S3", "r") ","
		V4("52.2.0.0/16", "S3", "r") "," V4("52.2.9.9/32", "S3", "r") "," V4("10.1.0.0/16", "S3", "r"),
		V6("2600:1f00:1:2::/64", "S3", "r"));
	struct cidr vpc[] = {at("52.1.0.0/20"), at("10.0.0.0/8"), at("2600:1f00:1::/48")};
	const struct cidr local[] = {at("52.2.9.9"), at("52.2.1.1")};
	static const struct expected e[] = {
	    {"52.1.0.1", "vpc"},      {"52.1.7.1", "vpc"},  {"52.1.16.1", "internet"},
	    {"52.2.9.9", "host"},     {"52.2.1.1", "host"}, {"52.2.1.2", "aws:S3:r"},
	    {"10.1.1.1", "vpc"},      {"169.254.169.254", "imds"},
	    {"2600:1f00:1:2::1", "vpc"},
	};

	check(text, vpc, 3, local, 2, e, ARRAY_SIZE(e));
}

static void test_source(void **state)
{
	struct config config = {};
	_cleanup_(aws_ranges_freep) struct aws_ranges *r =
	    parse(DOC(V4("52.1.0.0/16", "AMAZON", "r") "," V4("52.1.0.0/16", "S3", "r"), V6("2600::/24", "S3", "r")));
	_cleanup_(classes_freep) struct classes *c = NULL, *none = NULL;

	assert_int_equal(classes_build(&config, r, NULL, 0, &c), 0);
	assert_int_equal(classes_build(&config, NULL, NULL, 0, &none), 0);
	assert_string_equal(classes_source(c)->file, "f.json");
	assert_string_equal(classes_source(c)->created, "2026-08-22T21:17:05.000Z");
	assert_int_equal(classes_source(c)->prefixes, 2);
	assert_null(classes_source(none));
	assert_null(classes_source(NULL));
	assert_null(aws_ranges_free(NULL));
}

/* --- what is refused -------------------------------------------------------------------- */

#define GOOD4 V4("52.1.0.0/16", "S3", "r")

static const struct {
	const char *text, *says;
} malformed[] = {
    {"", "f.json:1:1: "},
    {"{", "f.json:1:1: "},
    {"{\n  \"prefixes\": [,]}", "f.json:2:16: "},
    {DOC(GOOD4, "") "x", "f.json:1:"},
    {"{\"a\":1,\"a\":2}", "duplicate object key"},
    {"[]", "f.json: holds no JSON object; name AWS's ip-ranges.json"},
    {"{}", "createDate: not a time"},
    {"{\"createDate\":5}", "createDate: not a time"},
    {"{\"createDate\":\"2026-13-22-21-17-05\"}", "createDate: not a time"},
    {"{\"createDate\":\"2026-08-22T21:17:05\"}", "createDate: not a time"},
    {"{" DATE "\"prefixes\":[" GOOD4 "]}", "no list 'ipv6_prefixes' in it"},
    {"{" DATE "\"prefixes\":{},\"ipv6_prefixes\":[]}", "no list 'prefixes' in it"},
    {DOC("", ""), "not one prefix; fetch the file from AWS again"},
    {DOC(GOOD4 ",5", ""), "prefixes[1].ip_prefix: missing"},
    {DOC(GOOD4 ",{}", ""), "prefixes[1].ip_prefix: missing; it is to be an IPv4 range such as"},
    {DOC("{\"ip_prefix\":7}", ""), "prefixes[0].ip_prefix: this is not an IPv4 range"},
    {DOC(V4("52.1.0.0", "S3", "r"), ""), "prefixes[0].ip_prefix: '52.1.0.0' is not an IPv4 range"},
    {DOC(V4("52.1.0.1/16", "S3", "r"), ""), "'52.1.0.1/16' is not"},
    {DOC(V4("52.1.0.0/33", "S3", "r"), ""), "'52.1.0.0/33' is not"},
    {DOC(V4("52.1.0.0/", "S3", "r"), ""), "'52.1.0.0/' is not"},
    {DOC(V4("52.1.0/24", "S3", "r"), ""), "'52.1.0/24' is not"},
    {DOC(V4("2600::/24", "S3", "r"), ""), "'2600::/24' is not an IPv4 range"},
    {DOC("", V6("52.1.0.0/16", "S3", "r")), "ipv6_prefixes[0].ipv6_prefix: '52.1.0.0/16' is not an IPv6 range"},
    {DOC("", V6("2600::/129", "S3", "r")), "'2600::/129' is not"},
    {DOC("", V6("::ffff:52.1.0.0/112", "S3", "r")), "'::ffff:52.1.0.0/112' is not"},
    {DOC("", V6("::/0", "S3", "r")), "'::/0' is not an IPv6 range"},
    {DOC("", V6("2600::/24", "S3", "r") "," V4("2600::/24", "S3", "r")), "ipv6_prefixes[1].ipv6_prefix: missing"},
    {DOC(V4("52.1.0.0/16", "", "r"), ""), "prefixes[0].service: '' is not a name of up to 32"},
    {DOC(V4("52.1.0.0/16", "S 3", "r"), ""), "prefixes[0].service: 'S 3' is not"},
    {DOC(V4("52.1.0.0/16", "S3:x", "r"), ""), "prefixes[0].service: 'S3:x' is not"},
    {DOC(V4("52.1.0.0/16", "\\u001b[31m", "r"), ""), "prefixes[0].service: '?[31m' is not"},
    {DOC(V4("52.1.0.0/16", "S3", "r\303\251"), ""), "prefixes[0].region: 'r\303\251' is not"},
    {DOC(V4("52.1.0.0/16", "S3", "a23456789b123456789c123456789d123"), ""), "prefixes[0].region: 'a2"},
    {DOC("{\"ip_prefix\":\"52.1.0.0/16\",\"service\":\"S3\"}", ""), "prefixes[0].region: missing"},
    {DOC("{\"ip_prefix\":\"52.1.0.0/16\",\"service\":[],\"region\":\"r\"}", ""), "prefixes[0].service: this is not"},
};

static void test_malformed(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(malformed); i++) {
		struct aws_ranges *r = NULL;
		struct aws_ranges_error e = {""};

		assert_int_equal(aws_ranges_parse(malformed[i].text, strlen(malformed[i].text), "f.json", &r, &e), -EINVAL);
		assert_null(r);
		if (!strstr(e.text, malformed[i].says) || strncmp(e.text, "f.json:", 7))
			fail_msg("%zu: \"%s\" without \"%s\"", i, e.text, malformed[i].says);
	}
}

static void test_longest_name(void **state)
{
	static const struct expected e[] = {{"52.1.2.3", "aws:S3:a23456789-123456789_123456789d12"}};

	check(DOC(V4("52.1.0.0/16", "S3", "a23456789-123456789_123456789d12"), ""), NULL, 0, NULL, 0, e, 1);
}

/* --- bounds ---------------------------------------------------------------------------------- */

/* n prefixes, by number, of `names` services. */
static char *many(unsigned n, unsigned names, size_t *ret_len)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, ret_len);

	fprintf(f, "{" DATE "\"ipv6_prefixes\":[],\"prefixes\":[");
	for (unsigned i = 0; i < n; i++)
		fprintf(f, "%s{\"ip_prefix\":\"52.%u.%u.%u/32\",\"service\":\"S%u\",\"region\":\"r\"}", i ? "," : "", i >> 16,
			i >> 8 & 255, i & 255, i % names);
	fprintf(f, "]}");
	fclose(f);
	return text;
}

static void parse_many(unsigned n, unsigned names, const char *says)
{
	_cleanup_(aws_ranges_freep) struct aws_ranges *r = NULL;
	struct aws_ranges_error e = {""};
	size_t len;
	_cleanup_free_ char *text = many(n, names, &len);

	assert_int_equal(aws_ranges_parse(text, len, "f.json", &r, &e), says ? -EINVAL : 0);
	if (!says)
		assert_int_equal(r->source.prefixes, n);
	else if (!strstr(e.text, says))
		fail_msg("\"%s\" without \"%s\"", e.text, says);
}

static void test_bounds(void **state)
{
	parse_many(AWS_RANGES_MAX, AWS_RANGES_NAMES_MAX - 1, NULL);
	parse_many(AWS_RANGES_MAX + 1, 1, "more than 262144 prefixes");
	parse_many(AWS_RANGES_NAMES_MAX, AWS_RANGES_NAMES_MAX, "more than 1024 services and regions");
}

static void load_fails(const char *file, int want, const char *says)
{
	struct aws_ranges *r = NULL;
	struct aws_ranges_error e = {""};

	assert_int_equal(aws_ranges_load(file, &r, &e), want);
	assert_null(r);
	if (!strstr(e.text, says))
		fail_msg("\"%s\" without \"%s\"", e.text, says);
}

static void test_load(void **state)
{
	static const char text[] = DOC(GOOD4, "");
	_cleanup_(aws_ranges_freep) struct aws_ranges *r = NULL;
	_cleanup_close_ int fd = memfd_create("ranges", MFD_CLOEXEC);
	struct aws_ranges_error e;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	assert_int_equal(aws_ranges_load(path, &r, &e), 0);
	assert_string_equal(r->source.file, path);
	assert_int_equal(ftruncate(fd, AWS_RANGES_BYTES_MAX + 1), 0);
	load_fails(path, -EINVAL, ": larger than 64 MiB; name AWS's ip-ranges.json");
	load_fails("/nowhere/at/all", -ENOENT, "/nowhere/at/all: cannot be read: No such file or directory");
	load_fails("/dev/zero", -EINVAL, "/dev/zero: is no regular file");
	load_fails("/", -EINVAL, "/: is no regular file");
}

/* --- chance ------------------------------------------------------------------------------------ */

static void mutate(char *text, size_t *len, unsigned *seed)
{
	static const char likely[] = "\"{}[],:/.0129AE\\";
	unsigned changes = 1 + (unsigned)rand_r(seed) % 4;

	while (changes-- && *len) {
		size_t i = (unsigned)rand_r(seed) % *len;

		switch (rand_r(seed) % 4) {
		case 0:
			text[i] = (char)rand_r(seed);
			break;
		case 1:
			text[i] = likely[(unsigned)rand_r(seed) % (sizeof(likely) - 1)];
			break;
		case 2:
			memmove(text + i, text + i + 1, *len - i - 1);
			--*len;
			break;
		default:
			*len = rand_r(seed) % 8 ? *len : i;
		}
	}
}

static void test_mutations(void **state)
{
	static const char seed_text[] =
	    DOC(V4("52.0.0.0/8", "AMAZON", "r") "," V4("52.1.0.0/16", "S3", "r") "," V4("52.1.1.0/24", "EC2", "r") ","
		V4("52.1.1.128/25", "AMAZON", "r"), V6("2600:1f00::/24", "EC2", "r") "," V6("2600:1f01::/40", "S3", "r"));
	struct config config = {};
	unsigned seed = 7, taken = 0;

	for (unsigned i = 0; i < 4000; i++) {
		_cleanup_(aws_ranges_freep) struct aws_ranges *r = NULL;
		_cleanup_(classes_freep) struct classes *c = NULL;
		struct aws_ranges_error e = {""};
		size_t len = sizeof(seed_text) - 1;
		_cleanup_free_ char *text = malloc(len); /* without a terminator */

		memcpy(text, seed_text, len);
		mutate(text, &len, &seed);
		int err = aws_ranges_parse(text, len, "f.json", &r, &e);
		assert_true(!err || err == -EINVAL);
		assert_true(!err == !*e.text);
		taken += !err;
		if (!err)
			assert_int_equal(classes_build(&config, r, NULL, 0, &c), 0);
	}
	assert_in_range(taken, 100, 3900);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_services_of_one_prefix), cmocka_unit_test(test_nesting),
	    cmocka_unit_test(test_ipv6),		   cmocka_unit_test(test_configured_wins),
	    cmocka_unit_test(test_source),		   cmocka_unit_test(test_malformed),
	    cmocka_unit_test(test_longest_name),	   cmocka_unit_test(test_bounds),
	    cmocka_unit_test(test_load),		   cmocka_unit_test(test_mutations),
	};

	return cmocka_run_group_tests_name("aws ranges", tests, NULL, NULL);
}
