/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Questions, and random labels of names. Include after cmocka.h. */
#ifndef DNS_FIXTURE_H
#define DNS_FIXTURE_H

#include "tests/unit/rules_fixture.h"
#include "user/model_dns.h"

#define RESOLVER "10.0.0.2"

UNUSED static struct dns_message question_for(const char *name, uint16_t type)
{
	struct dns_message q = {.type = type, .labels = *name != '\0'};
	unsigned label = 0;

	snprintf(q.name, sizeof(q.name), "%s", name);
	for (const char *s = name; *s; s++) {
		label = *s == '.' ? 0 : label + 1;
		q.labels += *s == '.';
		q.name_bytes += *s != '.';
		q.longest = MAX(q.longest, label);
		s += *s == '\\' ? 3 : 0;
	}
	q.name_bytes += q.labels;
	return q;
}

UNUSED static void asks_of(struct fixture *t, struct subject who, const char *name, uint16_t type, const char *resolver)
{
	struct dns_message q = question_for(name, type);
	uint8_t addr[16] = {[10] = 0xff, [11] = 0xff};

	assert_int_equal(inet_pton(AF_INET, resolver, addr + 12), 1);
	assert_int_equal(model_set_question(t->m, &who, 0, &q, addr, 53, t->now), 0);
}

UNUSED static void asks(struct fixture *t, uint32_t pid, const char *name)
{
	asks_of(t, process(pid), name, DNS_TYPE_A, RESOLVER);
}

/* The same list in every run. */
UNUSED static uint32_t dice(uint32_t *seed, uint32_t sides)
{
	*seed = *seed * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)(*seed >> 4) * sides >> 28);
}

UNUSED static char *draw(char *to, uint32_t *seed, const char *alphabet, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = alphabet[dice(seed, (uint32_t)strlen(alphabet))];
	to[n] = '\0';
	return to;
}

#define HEX "0123456789abcdef"
#define BASE32 "abcdefghijklmnopqrstuvwxyz234567"
#define BASE36 "abcdefghijklmnopqrstuvwxyz0123456789"
#define BASE64 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz0123456789-_" /* letter case is lost on the way */
#define LETTERS "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

#endif
