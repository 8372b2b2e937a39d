/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "user/dest/dns.h"

struct packet {
	uint8_t data[4096];
	size_t n;
};

static void put(struct packet *p, const void *data, size_t n)
{
	assert_true(p->n + n <= sizeof(p->data));
	memcpy(p->data + p->n, data, n);
	p->n += n;
}

static void put16(struct packet *p, unsigned v)
{
	put(p, (const uint8_t[]){(uint8_t)(v >> 8), (uint8_t)v}, 2);
}

static void put32(struct packet *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p, v & 0xffff);
}

/* "a.b" as labels, without compression. */
static void put_name(struct packet *p, const char *name)
{
	while (*name) {
		size_t n = strcspn(name, ".");

		put(p, (const uint8_t[]){(uint8_t)n}, 1);
		put(p, name, n);
		name += n + (name[n] == '.');
	}
	put(p, "", 1);
}

static void put_header(struct packet *p, unsigned flags, unsigned answers)
{
	p->n = 0;
	put16(p, 0x1234);
	put16(p, flags);
	put16(p, 1);
	put16(p, answers);
	put32(p, 0);
}

static void put_question(struct packet *p, const char *name, unsigned type)
{
	put_name(p, name);
	put16(p, type);
	put16(p, 1);
}

/* `owner` NULL: the question's, by a pointer. */
static void put_record(struct packet *p, const char *owner, unsigned type, uint32_t ttl, const void *data, size_t n)
{
	if (owner)
		put_name(p, owner);
	else
		put16(p, 0xc000 | 12);
	put16(p, type);
	put16(p, 1);
	put32(p, ttl);
	put16(p, (unsigned)n);
	put(p, data, n);
}

static void put_alias(struct packet *p, const char *owner, uint32_t ttl, const char *to)
{
	struct packet name = {.n = 0};

	put_name(&name, to);
	put_record(p, owner, 5, ttl, name.data, name.n);
}

static void assert_v4(const struct dns_address *a, const char last[static 4], uint32_t ttl)
{
	static const uint8_t head[12] = {[10] = 0xff, [11] = 0xff};

	assert_memory_equal(a->addr, head, 12);
	assert_memory_equal(a->addr + 12, last, 4);
	assert_int_equal(a->ttl_s, ttl);
}

static void addresses_of_a_name(void **state)
{
	static const uint8_t six[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};
	struct packet p;
	struct dns_message m;

	put_header(&p, 0x8180, 3);
	put_question(&p, "Example.ORG", 1);
	put_record(&p, NULL, 1, 60, "\xcb\x00\x71\x09", 4);
	put_record(&p, "EXAMPLE.org", 1, 30, "\xcb\x00\x71\x0a", 4);
	put_record(&p, NULL, 28, 7, six, 16);
	assert_int_equal(dns_parse(p.data, p.n, false, &m), 0);
	assert_true(m.answer && !m.truncated && !m.code);
	assert_string_equal(m.name, "example.org");
	assert_int_equal(m.type, 1);
	assert_int_equal(m.labels, 2);
	assert_int_equal(m.longest, 7);
	assert_int_equal(m.name_bytes, 12);
	assert_int_equal(m.naddresses, 3);
	assert_v4(&m.addresses[0], "\xcb\x00\x71\x09", 60);
	assert_v4(&m.addresses[1], "\xcb\x00\x71\x0a", 30);
	assert_memory_equal(m.addresses[2].addr, six, 16);
}

static void by_aliases(void **state)
{
	struct packet p;
	struct dns_message m;

	put_header(&p, 0x8180, 4);
	put_question(&p, "bkt.s3.eu-west-1.amazonaws.com", 1);
	put_alias(&p, NULL, 40000, "s3-r-w.eu-west-1.amazonaws.com");
	put_alias(&p, "s3-r-w.eu-west-1.amazonaws.com", 3, "edge.example");
	put_record(&p, "edge.example", 1, 60, "\xcb\x00\x71\x09", 4);
	put_record(&p, "stranger.example", 1, 60, "\x01\x02\x03\x04", 4); /* nobody asked for it */
	assert_int_equal(dns_parse(p.data, p.n, false, &m), 0);
	assert_string_equal(m.name, "bkt.s3.eu-west-1.amazonaws.com");
	assert_int_equal(m.naddresses, 1);
	assert_v4(&m.addresses[0], "\xcb\x00\x71\x09", 3);
}

static void questions(void **state)
{
	struct packet p;
	struct dns_message m;

	put_header(&p, 0x0100, 0);
	put_question(&p, "aGVsbG8gd29ybGQ.tunnel.example", 16);
	assert_int_equal(dns_parse(p.data, p.n, false, &m), 0);
	assert_true(!m.answer && m.type == 16 && m.longest == 15 && m.labels == 3);
	put_header(&p, 0x8183, 0); /* NXDOMAIN */
	put_question(&p, "none.example", 1);
	assert_int_equal(dns_parse(p.data, p.n, false, &m), 0);
	assert_int_equal(m.code, 3);
	put_header(&p, 0x0100, 0);
	put_question(&p, "a\x1b[31m\"b.example", 1);
	assert_int_equal(dns_parse(p.data, p.n, false, &m), 0);
	assert_string_equal(m.name, "a\\027\\09131m\\034b.example");
}

static void what_is_none(void **state)
{
	struct packet p;
	struct dns_message m = {.type = 77};

	put_header(&p, 0x8180, 1);
	put(&p, "\xc0\x0c", 2); /* a name that is itself */
	put32(&p, 0x00010001);
	assert_int_equal(dns_parse(p.data, p.n, false, &m), -EINVAL);
	put_header(&p, 0x8180, 1);
	put(&p, "\xc0\xff", 2); /* one behind it */
	put32(&p, 0x00010001);
	assert_int_equal(dns_parse(p.data, p.n, false, &m), -EINVAL);
	put_header(&p, 0x8180, 0);
	p.data[5] = 2; /* two questions */
	put_question(&p, "a.example", 1);
	assert_int_equal(dns_parse(p.data, p.n, false, &m), -EINVAL);
	put_header(&p, 0x2800, 0); /* an update */
	put_question(&p, "a.example", 1);
	assert_int_equal(dns_parse(p.data, p.n, false, &m), -EINVAL);
	for (size_t n = 0; n < p.n; n++)
		assert_int_equal(dns_parse(p.data, n, false, &m), -EINVAL);
	assert_int_equal(m.type, 77);
}

/* Of one that was cut what is there counts; aliases in a circle have an end; more addresses than there is room for too. */
static void cut_circular_and_many(void **state)
{
	struct packet p;
	struct dns_message m;

	put_header(&p, 0x8180, 2);
	put_question(&p, "a.example", 1);
	put_record(&p, NULL, 1, 60, "\xcb\x00\x71\x09", 4);
	put_record(&p, NULL, 1, 60, "\xcb\x00\x71\x0a", 4);
	assert_int_equal(dns_parse(p.data, p.n - 1, true, &m), 0);
	assert_true(m.truncated && m.naddresses == 1);
	put_header(&p, 0x8180, 3);
	put_question(&p, "a.example", 1);
	put_alias(&p, NULL, 1, "b.example");
	put_alias(&p, "b.example", 1, "a.example");
	put_alias(&p, "b.example", 1, "b.example");
	assert_int_equal(dns_parse(p.data, p.n, false, &m), 0);
	assert_int_equal(m.naddresses, 0);
	put_header(&p, 0x8180, 100);
	put_question(&p, "a.example", 1);
	for (unsigned i = 0; i < 100; i++)
		put_record(&p, NULL, 1, 60, "\xcb\x00\x71\x09", 4);
	assert_int_equal(dns_parse(p.data, p.n, false, &m), 0);
	assert_int_equal(m.naddresses, DNS_ADDRESSES_MAX);
}

static void anything_is_taken_or_refused(void **state)
{
	struct packet p;
	uint64_t rng = 88172645463325252ULL;
	unsigned taken = 0;

	for (unsigned i = 0; i < 60000; i++) {
		struct dns_message m;
		uint8_t *copy;

		put_header(&p, 0x8180, 4);
		put_question(&p, "bkt.s3.eu-west-1.amazonaws.com", 1);
		put_alias(&p, NULL, 40000, "s3-r-w.eu-west-1.amazonaws.com");
		put_alias(&p, "s3-r-w.eu-west-1.amazonaws.com", 3, "edge.example");
		put_record(&p, "edge.example", 1, 60, "\xcb\x00\x71\x09", 4);
		for (unsigned k = 0; k <= i % 5; k++) {
			rng ^= rng << 13;
			rng ^= rng >> 7;
			rng ^= rng << 17;
			p.data[rng % p.n] = (uint8_t)(rng >> 40);
		}
		size_t n = i % 2 ? p.n : rng % p.n;
		copy = malloc(n + 1);
		assert_non_null(copy);
		memcpy(copy, p.data, n);
		if (!dns_parse(copy, n, i % 3, &m)) {
			taken++;
			assert_true(strlen(m.name) < DNS_NAME_LEN && m.naddresses <= DNS_ADDRESSES_MAX);
			for (const char *c = m.name; *c; c++)
				assert_true(*c > ' ' && *c <= '~');
		}
		free(copy);
	}
	assert_true(taken > 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(addresses_of_a_name), cmocka_unit_test(by_aliases),
	    cmocka_unit_test(questions),	   cmocka_unit_test(what_is_none),
	    cmocka_unit_test(cut_circular_and_many), cmocka_unit_test(anything_is_taken_or_refused),
	};

	return cmocka_run_group_tests_name("dns", tests, NULL, NULL);
}
