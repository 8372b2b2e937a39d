/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* AWS's ranges against the plain definition: many small files by chance, and the real one. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/aws_fixture.h"
#include "user/dest/ranges.h"

#define REAL "../shared/data/ip-ranges.json"

/* The rule as it is written, one entry after the other. */
struct plain {
	struct cidr prefix;
	const char *service;
};

static const char *plain_class(const struct plain *p, size_t n, const struct cidr *one)
{
	int named = -1, ec2 = -1, longest = -1;
	const char *service = NULL;

	for (size_t i = 0; i < n; i++) {
		int bits = p[i].prefix.bits;

		if (!prefix_holds(&p[i].prefix, one))
			continue;
		longest = MAX(longest, bits);
		if (!strcmp(p[i].service, "EC2")) {
			ec2 = MAX(ec2, bits);
		} else if (strcmp(p[i].service, "AMAZON") && bits >= named) {
			service = bits > named || strcmp(p[i].service, service) < 0 ? p[i].service : service;
			named = bits;
		}
	}
	if (longest < 0 || ec2 > named)
		return "internet";
	return named == longest ? service : "AMAZON";
}

static void check_plain(const struct classes *c, const struct plain *p, size_t n, const struct cidr *one)
{
	struct dest d = classes_find(c, one->addr, 443, IPPROTO_TCP);
	const char *got = d.class == CLASS_AWS ? d.service : class_name(d.class), *want = plain_class(p, n, one);
	char addr[ADDR_LEN];

	if (strcmp(got, want))
		fail_msg("%s is %s, expected %s", addr_text(addr, one->addr), got, want);
}

/* Prefixes among few addresses, so that they nest. */
static void one_random_file(unsigned *seed)
{
	static const char *const services[] = {"AMAZON", "EC2", "S3", "KMS"};
	_cleanup_(classes_freep) struct classes *c = NULL;
	_cleanup_free_ char *text = NULL;
	struct config config = {};
	struct plain p[12];
	size_t len;
	FILE *f = open_memstream(&text, &len);

	fprintf(f, "{" DATE "\"ipv6_prefixes\":[],\"prefixes\":[");
	for (unsigned i = 0; i < ARRAY_SIZE(p); i++) {
		unsigned bits = 28 + (unsigned)rand_r(seed) % 5, low = (unsigned)rand_r(seed) % 16 >> (32 - bits) << (32 - bits);
		char prefix[32];

		snprintf(prefix, sizeof(prefix), "52.0.0.%u/%u", low, bits);
		p[i] = (struct plain){at(prefix), services[(unsigned)rand_r(seed) % 4]};
		fprintf(f, "%s{\"ip_prefix\":\"%s\",\"service\":\"%s\",\"region\":\"r\"}", i ? "," : "", prefix,
			p[i].service);
	}
	fprintf(f, "]}");
	fclose(f);
	_cleanup_(aws_ranges_freep) struct aws_ranges *r = parse(text);
	assert_int_equal(classes_build(&config, r, NULL, 0, &c), 0);
	for (unsigned i = 0; i < 16; i++) {
		char addr[32];

		snprintf(addr, sizeof(addr), "52.0.0.%u", i);
		struct cidr one = at(addr);
		check_plain(c, p, ARRAY_SIZE(p), &one);
	}
}

static void test_random(void **state)
{
	unsigned seed = 11;

	for (unsigned i = 0; i < 2000; i++)
		one_random_file(&seed);
}

/* --- the real file -------------------------------------------------------------------------------- */

/* Text between quotes after `key` in an entry as AWS formats it: one field a line. */
static bool field_of(const char *line, const char *key, char to[static 64])
{
	char quoted[32];

	snprintf(quoted, sizeof(quoted), "\"%s\": \"", key);
	const char *start = strstr(line, quoted);
	return start && sscanf(start + strlen(quoted), "%63[^\"]", to) == 1;
}

struct line {
	char prefix[64], service[64];
};

static int by_text(const void *pa, const void *pb)
{
	return strcmp(((const struct line *)pa)->prefix, ((const struct line *)pb)->prefix);
}

/* Sorted, without a JSON parser. */
static size_t read_lines(struct line *to, size_t room)
{
	_cleanup_fclose_ FILE *f = fopen(REAL, "re");
	char line[256];
	size_t n = 0;

	while (fgets(line, sizeof(line), f)) {
		assert_true(n < room);
		if (field_of(line, "ip_prefix", to[n].prefix) || field_of(line, "ipv6_prefix", to[n].prefix))
			continue;
		n += field_of(line, "service", to[n].service);
	}
	qsort(to, n, sizeof(*to), by_text);
	return n;
}

static size_t count_prefixes(const struct line *v, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		kept += !i || strcmp(v[i - 1].prefix, v[i].prefix);
	return kept;
}

/* The first and the last address of some prefixes. */
static void check_real(const struct classes *c, const struct line *v, size_t n)
{
	_cleanup_free_ struct plain *p = calloc(n, sizeof(*p));

	for (size_t i = 0; i < n; i++)
		p[i] = (struct plain){at(v[i].prefix), v[i].service};
	for (size_t i = 0; i < n; i += 13) {
		struct cidr first = {.bits = 128}, last;

		memcpy(first.addr, p[i].prefix.addr, sizeof(first.addr));
		last = first;
		for (unsigned bit = p[i].prefix.bits; bit < 128; bit++)
			last.addr[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
		check_plain(c, p, n, &first);
		check_plain(c, p, n, &last);
	}
}

static void test_real_file(void **state)
{
	_cleanup_(aws_ranges_freep) struct aws_ranges *r = NULL;
	_cleanup_(classes_freep) struct classes *c = NULL;
	struct config config = {};
	struct aws_ranges_error e;

	if (access(REAL, R_OK)) {
		print_message("no " REAL " beside this tree\n");
		skip();
	}
	_cleanup_free_ struct line *v = calloc(AWS_RANGES_MAX, sizeof(*v));
	uint64_t before = now_boot_ns();
	assert_int_equal(aws_ranges_load(REAL, &r, &e), 0);
	assert_int_equal(classes_build(&config, r, NULL, 0, &c), 0);
	unsigned ms = (unsigned)((now_boot_ns() - before) / 1000000);
	size_t n = read_lines(v, AWS_RANGES_MAX);
	print_message("%zu entries, %zu prefixes, read and built in %u ms\n", n, r->source.prefixes, ms);
	assert_true(n > 10000);
	assert_int_equal(r->source.prefixes, count_prefixes(v, n));
	check_real(c, v, n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_random),
	    cmocka_unit_test(test_real_file),
	};

	return cmocka_run_group_tests_name("aws ranges, any", tests, NULL, NULL);
}
