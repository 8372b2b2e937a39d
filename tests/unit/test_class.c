/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/dest/class.h"
#include "user/dest/ranges.h"
#include "user/dest/table.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static struct cidr prefix(const char *text, uint8_t bits)
{
	struct cidr c = {.bits = bits};
	uint8_t v4[4];

	if (inet_pton(AF_INET, text, v4) == 1) {
		addr_map_v4(c.addr, v4);
		c.bits = (uint8_t)(96 + bits);
	} else {
		assert_int_equal(inet_pton(AF_INET6, text, c.addr), 1);
	}
	return c;
}

static const char *class_at(const struct classes *c, const char *text, uint16_t port, uint8_t proto)
{
	struct cidr a = prefix(text, 0);

	return class_name(classes_find(c, a.addr, port, proto).class);
}

static struct classes *build(struct cidr *vpc, size_t nvpc, const struct cidr *local, size_t nlocal)
{
	struct config config = {};
	struct classes *c = NULL;

	config.network.vpc_cidrs = vpc;
	config.network.nvpc_cidrs = nvpc;
	assert_int_equal(classes_build(&config, NULL, local, nlocal, &c), 0);
	return c;
}

struct expect_class {
	const char *addr;
	const char *class; /* over TCP, port 443 */
};

static void check(const struct classes *c, const struct expect_class *e, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *got = class_at(c, e[i].addr, 443, IPPROTO_TCP);

		if (strcmp(got, e[i].class))
			fail_msg("%s is %s, expected %s", e[i].addr, got, e[i].class);
	}
}

static void test_without_vpc(void **state)
{
	static const struct expect_class e[] = {
	    {"127.0.0.1", "host"},
	    {"127.255.255.255", "host"},
	    {"126.255.255.255", "internet"},
	    {"128.0.0.0", "internet"},
	    {"::1", "host"},
	    {"::", "host"},
	    {"0.0.0.0", "host"},
	    {"0.0.0.1", "internet"},
	    {"::2", "internet"},
	    {"10.0.0.0", "private"},
	    {"10.255.255.255", "private"},
	    {"9.255.255.255", "internet"},
	    {"11.0.0.0", "internet"},
	    {"172.15.255.255", "internet"},
	    {"172.16.0.0", "private"},
	    {"172.31.255.255", "private"},
	    {"172.32.0.0", "internet"},
	    {"192.168.0.0", "private"},
	    {"192.169.0.0", "internet"},
	    {"100.63.255.255", "internet"},
	    {"100.64.0.0", "private"},
	    {"100.127.255.255", "private"},
	    {"100.128.0.0", "internet"},
	    {"169.254.1.1", "private"},
	    {"fc00::", "private"},
	    {"fdff:ffff::1", "private"},
	    {"fe00::1", "internet"},
	    {"fe80::1", "private"},
	    {"febf::1", "private"},
	    {"fec0::1", "private"},
	    {"203.0.113.9", "internet"},
	    {"198.18.0.1", "internet"},
	    {"2001:db8::1", "internet"},
	    {"8.8.8.8", "internet"},
	    {"255.255.255.254", "internet"},
	    {"ffff:ffff::1", "internet"},
	};
	struct classes *c = build(NULL, 0, NULL, 0);

	check(c, e, ARRAY_SIZE(e));
	classes_free(c);
}

static void test_amazon_addresses(void **state)
{
	static const struct expect_class e[] = {
	    {"169.254.169.254", "imds"},  {"fd00:ec2::254", "imds"},
	    {"169.254.170.2", "imds"},	  {"169.254.170.23", "imds"},
	    {"fd00:ec2::23", "imds"},	  {"169.254.169.123", "vpc"},
	    {"fd00:ec2::123", "vpc"},	  {"169.254.169.253", "vpc"},
	    {"fd00:ec2::253", "vpc"},	  {"169.254.169.252", "private"},
	    {"169.254.170.3", "private"}, {"fd00:ec2::24", "private"},
	};
	struct classes *c = build(NULL, 0, NULL, 0);

	check(c, e, ARRAY_SIZE(e));
	assert_string_equal(class_at(c, "169.254.169.253", 53, IPPROTO_UDP), "dns");
	assert_string_equal(class_at(c, "169.254.169.253", 53, IPPROTO_TCP), "dns");
	assert_string_equal(class_at(c, "fd00:ec2::253", 53, IPPROTO_UDP), "dns");
	assert_string_equal(class_at(c, "169.254.169.253", 53, IPPROTO_ICMP), "vpc");
	assert_string_equal(class_at(c, "169.254.169.254", 53, IPPROTO_UDP), "imds");
	assert_string_equal(class_at(c, "8.8.8.8", 53, IPPROTO_UDP), "internet");
	assert_string_equal(class_at(c, "127.0.0.53", 53, IPPROTO_UDP), "host");
	classes_free(c);
}

static void test_vpc(void **state)
{
	struct cidr vpc[] = {prefix("10.20.0.0", 16), prefix("100.64.0.0", 10),
			     prefix("2600:1f13:1:200::", 56), prefix("172.31.9.8", 31)};
	struct cidr local[] = {prefix("10.20.3.4", 32), prefix("192.0.2.7", 32)};
	static const struct expect_class e[] = {
	    {"10.20.255.255", "vpc"},
	    {"10.21.0.0", "private"},
	    {"10.20.3.4", "host"},
	    {"10.20.3.5", "vpc"},
	    {"192.0.2.7", "host"},
	    {"192.0.2.8", "internet"},
	    {"100.64.0.1", "vpc"},
	    {"100.127.255.255", "vpc"},
	    {"10.20.0.2", "vpc"},
	    {"172.31.9.9", "vpc"},
	    {"172.31.9.10", "private"},
	    {"2600:1f13:1:2ff::1", "vpc"},
	    {"2600:1f13:1:300::1", "internet"},
	    {"169.254.169.254", "imds"},
	};
	struct classes *c = build(vpc, ARRAY_SIZE(vpc), local, ARRAY_SIZE(local));

	check(c, e, ARRAY_SIZE(e));
	assert_string_equal(class_at(c, "10.20.0.2", 53, IPPROTO_UDP), "dns");
	assert_string_equal(class_at(c, "100.64.0.2", 53, IPPROTO_TCP), "dns");
	assert_string_equal(class_at(c, "10.20.0.3", 53, IPPROTO_UDP), "vpc");
	assert_string_equal(class_at(c, "172.31.9.10", 53, IPPROTO_UDP), "private");
	assert_string_equal(class_at(c, "2600:1f13:1:200::2", 53, IPPROTO_UDP), "vpc");
	classes_free(c);
}

static void test_own_resolver_is_host(void **state)
{
	struct cidr vpc[] = {prefix("10.20.0.0", 16)}, local[] = {prefix("10.20.0.2", 32)};
	struct classes *c = build(vpc, 1, local, 1);

	assert_string_equal(class_at(c, "10.20.0.2", 53, IPPROTO_UDP), "host");
	classes_free(c);
}

/* A range that swallows a private block owns it, though the block's prefix is longer. */
static void test_wide_vpc(void **state)
{
	struct cidr wide[] = {prefix("10.0.0.0", 7)}, all[] = {prefix("0.0.0.0", 0)};
	static const struct expect_class in_wide[] = {{"10.1.2.3", "vpc"},
						      {"11.1.2.3", "vpc"},
						      {"12.0.0.1", "internet"},
						      {"192.168.1.1", "private"}};
	static const struct expect_class in_all[] = {
	    {"8.8.8.8", "vpc"},		 {"192.168.1.1", "vpc"}, {"127.0.0.1", "host"},
	    {"169.254.169.254", "imds"}, {"fd12::1", "private"}, {"2001:db8::1", "internet"}};
	struct classes *c = build(wide, 1, NULL, 0);

	check(c, in_wide, ARRAY_SIZE(in_wide));
	classes_free(c);
	c = build(all, 1, NULL, 0);
	check(c, in_all, ARRAY_SIZE(in_all));
	classes_free(c);
}

static void test_multicast(void **state)
{
	struct cidr vpc[] = {prefix("10.20.0.0", 16)};
	static const struct expect_class known[] = {
	    {"224.0.0.251", "vpc"}, {"255.255.255.255", "vpc"}, {"ff02::fb", "vpc"},
	    {"ff12::1", "vpc"},	    {"10.20.255.255", "vpc"},	{"ff01::1", "host"},
	    {"ff11::1", "host"}};
	static const struct expect_class unknown[] = {
	    {"224.0.0.251", "private"},	    {"255.255.255.255", "private"}, {"ff02::fb", "private"},
	    {"239.255.255.250", "private"}, {"ff05::2", "private"},	    {"ff38::1", "private"},
	    {"224.0.1.1", "internet"},	    {"232.1.2.3", "internet"},	    {"ff0e::1", "internet"},
	    {"ff3e::1", "internet"}};
	struct classes *c = build(vpc, 1, NULL, 0);

	check(c, known, ARRAY_SIZE(known));
	classes_free(c);
	c = build(NULL, 0, NULL, 0);
	check(c, unknown, ARRAY_SIZE(unknown));
	classes_free(c);
}

static void test_embedded(void **state)
{
	struct cidr vpc[] = {prefix("10.20.0.0", 16)};
	struct cidr local[] = {prefix("10.20.3.4", 32), prefix("64:ff9b::505", 128)};
	static const struct expect_class e[] = {
	    {"64:ff9b::8.8.8.8", "internet"},
	    {"64:ff9b::10.20.9.9", "vpc"},
	    {"64:ff9b::192.168.1.1", "private"},
	    {"64:ff9b::127.0.0.1", "private"},
	    {"64:ff9b::169.254.169.254", "private"},
	    {"64:ff9b::10.20.3.4", "private"},
	    {"64:ff9b::5.5.5.5", "internet"},
	    {"64:ff9b::505", "host"}, /* a longer prefix of our own */
	    {"64:ff9b:1::10.20.9.9", "internet"},
	    {"64:ff9b:0:1::10.20.9.9", "internet"},
	    {"2002:a14:909::1", "internet"},
	    {"2001:0:a14:909::1", "internet"},
	    {"::10.20.9.9", "internet"},
	    {"::ffff:10.20.9.9", "vpc"},
	};
	struct classes *c = build(vpc, 1, local, 2);

	check(c, e, ARRAY_SIZE(e));
	assert_string_equal(class_at(c, "64:ff9b::10.20.0.2", 53, IPPROTO_UDP), "private");
	classes_free(c);
}

static void test_services(void **state)
{
	const struct class_entry e[] = {
	    {prefix("52.92.0.0", 16), CLASS_AWS, "S3", "us-west-2"},
	    {prefix("52.92.0.0", 16), CLASS_AWS, "AMAZON", "us-west-2"},
	    {prefix("52.0.0.0", 8), CLASS_AWS, "AMAZON", NULL},
	    {prefix("52.92.7.0", 24), CLASS_AWS, "S3", "us-west-2"},
	    {prefix("52.92.8.0", 24), CLASS_AWS, "EC2", "eu-west-1"},
	    {prefix("52.92.8.0", 24), CLASS_VPC, NULL, NULL},
	};
	struct classes *c = NULL;
	struct dest d;

	assert_int_equal(classes_from(e, ARRAY_SIZE(e), &c), 0);
	d = classes_find(c, prefix("52.92.1.1", 0).addr, 443, IPPROTO_TCP);
	assert_int_equal(d.class, CLASS_AWS);
	assert_string_equal(d.service, "S3");
	assert_string_equal(d.region, "us-west-2");
	d = classes_find(c, prefix("52.1.1.1", 0).addr, 443, IPPROTO_TCP);
	assert_string_equal(d.service, "AMAZON");
	assert_null(d.region);
	d = classes_find(c, prefix("52.92.8.1", 0).addr, 443, IPPROTO_TCP);
	assert_int_equal(d.class, CLASS_VPC);
	assert_null(d.service);
	classes_free(c);
}

/* The plain definition of longest prefix match, one prefix after the other. */
static bool slow_find(const struct range_entry *e, size_t n, const uint8_t *addr, uint32_t *ret)
{
	const struct range_entry *best = NULL;
	struct cidr one = {.bits = 128};

	memcpy(one.addr, addr, 16);
	for (size_t i = 0; i < n; i++) {
		const struct range_entry *x = &e[i];

		if (!prefix_holds(&x->prefix, &one))
			continue;
		if (!best || x->prefix.bits > best->prefix.bits ||
		    (x->prefix.bits == best->prefix.bits && x->rank < best->rank))
			best = x;
	}
	if (best)
		*ret = best->value;
	return best != NULL;
}

/* Few distinct bytes, so that prefixes nest, touch and repeat. */
static void random_addr(uint8_t addr[16], unsigned *seed)
{
	static const uint8_t bytes[] = {0x00, 0xff, 0x80, 0x7f, 0x01, 0xfe};

	for (int i = 0; i < 16; i++)
		addr[i] = bytes[(unsigned)rand_r(seed) % ARRAY_SIZE(bytes)];
	if (rand_r(seed) % 2)
		memset(addr, rand_r(seed) % 2 ? 0 : 0xff, 14);
}

static void test_against_definition(void **state)
{
	struct range_entry e[300];
	unsigned seed = 7, covered = 0;

	for (unsigned round = 0; round < 40; round++) {
		size_t n = (size_t)rand_r(&seed) % ARRAY_SIZE(e);
		struct ranges *r = NULL;

		for (size_t i = 0; i < n; i++) {
			random_addr(e[i].prefix.addr, &seed);
			e[i].prefix.bits = (uint8_t)(rand_r(&seed) % 129);
			e[i].rank = (uint8_t)(rand_r(&seed) % 3);
			e[i].value = (uint32_t)i;
		}
		assert_int_equal(ranges_build(e, n, &r), 0);
		for (unsigned i = 0; i < 2000; i++) {
			uint8_t addr[16], bits = 200;
			uint32_t got = 0, want = 0;

			random_addr(addr, &seed);
			if (n && i % 2) /* an edge of a prefix */
				memcpy(addr, e[i % n].prefix.addr, 16);
			bool found = ranges_find(r, addr, &got, &bits);
			assert_int_equal(found, slow_find(e, n, addr, &want));
			if (!found)
				continue;
			assert_int_equal(got, want);
			assert_int_equal(bits, e[want].prefix.bits);
			covered++;
		}
		ranges_free(r);
	}
	assert_true(covered > 10000);
}

static void test_malformed(void **state)
{
	struct cidr bad = {.bits = 129};
	struct config config = {};
	struct classes *c = NULL;

	assert_int_equal(classes_build(&config, NULL, &bad, 1, &c), -EINVAL);
	assert_null(c);
	assert_null(classes_free(NULL));
}

static void test_outside(void **state)
{
	assert_false(class_outside(CLASS_HOST));
	assert_false(class_outside(CLASS_VPC));
	assert_false(class_outside(CLASS_IMDS));
	assert_false(class_outside(CLASS_DNS));
	assert_true(class_outside(CLASS_PRIVATE));
	assert_true(class_outside(CLASS_INTERNET));
	assert_true(class_outside(CLASS_AWS));
	assert_true(class_outside(CLASS_UNOBSERVABLE));
	assert_true(class_outside(CLASS_UNKNOWN));
	for (int i = 0; i < CLASS_KINDS; i++)
		for (int j = 0; j < i; j++)
			assert_string_not_equal(class_name((enum dest_class)i),
						class_name((enum dest_class)j));
	assert_string_equal(class_name((enum dest_class)99), "unknown");
}

static void test_text(void **state)
{
	char buf[ADDR_LEN];

	assert_string_equal(addr_text(buf, prefix("10.0.0.7", 0).addr), "10.0.0.7");
	assert_string_equal(addr_text(buf, prefix("2001:db8::1", 0).addr), "2001:db8::1");
	assert_string_equal(
	    addr_text(buf, prefix("1111:2222:3333:4444:5555:6666:7777:8888", 0).addr),
	    "1111:2222:3333:4444:5555:6666:7777:8888");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_without_vpc),
	    cmocka_unit_test(test_amazon_addresses),
	    cmocka_unit_test(test_vpc),
	    cmocka_unit_test(test_own_resolver_is_host),
	    cmocka_unit_test(test_wide_vpc),
	    cmocka_unit_test(test_multicast),
	    cmocka_unit_test(test_embedded),
	    cmocka_unit_test(test_services),
	    cmocka_unit_test(test_against_definition),
	    cmocka_unit_test(test_malformed),
	    cmocka_unit_test(test_outside),
	    cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
