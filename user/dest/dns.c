/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/dest/dns.h"

#include <ctype.h>
#include <string.h>

#define HEADER 12
#define NAME_MOST 255 /* bytes, RFC 1035 2.3.4 */
#define LABEL_MOST 63
#define RECORDS_MOST 256 /* looked at in one message */
#define ALIASES_MOST 16
#define TYPE_CNAME 5
#define CLASS_IN 1

_Static_assert(DNS_NAME_LEN > 4 * NAME_MOST, "room for any name");

struct message {
	const uint8_t *p;
	size_t n;
};

/* A name as it was sent: labels behind their lengths, without the root's. */
struct name {
	uint8_t data[NAME_MOST];
	size_t n;
	unsigned labels, longest;
};

static uint16_t at16(const struct message *m, size_t at)
{
	return (uint16_t)(m->p[at] << 8 | m->p[at + 1]);
}

static uint32_t at32(const struct message *m, size_t at)
{
	return (uint32_t)at16(m, at) << 16 | at16(m, at + 2);
}

/* Pointers lead backward only, so that there is an end. False: it is none. */
static bool read_name(const struct message *m, size_t *at, struct name *ret)
{
	size_t from = *at, below = *at;
	bool jumped = false;
	struct name name = {.n = 0};

	for (;;) {
		if (from >= m->n)
			return false;
		uint8_t len = m->p[from];
		if (!len)
			break;
		if ((len & 0xc0) == 0xc0) {
			if (from + 1 >= m->n)
				return false;
			size_t to = (size_t)(len & 0x3f) << 8 | m->p[from + 1];
			if (to >= below)
				return false;
			if (!jumped)
				*at = from + 2;
			jumped = true;
			from = below = to;
			continue;
		}
		if (len > LABEL_MOST || from + 1 + len > m->n || name.n + 1 + len > sizeof(name.data))
			return false;
		memcpy(name.data + name.n, m->p + from, 1 + (size_t)len);
		name.n += 1 + (size_t)len;
		name.labels++;
		name.longest = MAX(name.longest, (unsigned)len);
		from += 1 + (size_t)len;
	}
	if (!jumped)
		*at = from + 1;
	*ret = name;
	return true;
}

static bool same_name(const struct name *a, const struct name *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (tolower(a->data[i]) != tolower(b->data[i]))
			return false;
	return true;
}

/* As zone files write it. */
static void name_text(const struct name *name, char ret[static DNS_NAME_LEN])
{
	size_t w = 0;

	for (size_t i = 0; i < name->n;) {
		size_t end = i + 1 + name->data[i];

		if (i && w < DNS_NAME_LEN - 1)
			ret[w++] = '.';
		for (i++; i < end; i++) {
			uint8_t c = name->data[i];
			char text[5];
			int n = isalnum(c) || c == '-' || c == '_' || c == '*' ? snprintf(text, sizeof(text), "%c", tolower(c))
								    : snprintf(text, sizeof(text), "\\%03u", c);

			if (w + (size_t)n >= DNS_NAME_LEN)
				break;
			memcpy(ret + w, text, (size_t)n);
			w += (size_t)n;
		}
		i = end;
	}
	ret[w] = '\0';
}

/* --- answers ------------------------------------------------------------------------------ */

/* Names that the question leads to so far: itself, then each alias. */
struct chain {
	struct name names[ALIASES_MOST];
	uint32_t ttl_s[ALIASES_MOST];
	unsigned n;
};

static int place_in(const struct chain *c, const struct name *name)
{
	for (unsigned i = 0; i < c->n; i++)
		if (same_name(&c->names[i], name))
			return (int)i;
	return -1;
}

static void add_alias(const struct message *m, size_t data, uint32_t ttl_s, int of, struct chain *c)
{
	struct name name;

	if (c->n == ALIASES_MOST || !read_name(m, &data, &name) || place_in(c, &name) >= 0)
		return;
	c->names[c->n] = name;
	c->ttl_s[c->n++] = MIN(ttl_s, c->ttl_s[of]);
}

static void add_address(const struct message *m, size_t data, uint16_t len, uint32_t ttl_s, struct dns_message *ret)
{
	struct dns_address *a = &ret->addresses[ret->naddresses];
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (ret->naddresses == DNS_ADDRESSES_MAX || (len != 4 && len != 16))
		return;
	memcpy(a->addr, mapped, sizeof(mapped));
	memcpy(a->addr + (len == 4 ? 12 : 0), m->p + data, len);
	a->ttl_s = ttl_s;
	ret->naddresses++;
}

/* False: the end, or no record. */
static bool read_record(const struct message *m, size_t *at, struct chain *c, struct dns_message *ret)
{
	struct name owner;
	int of;

	if (!read_name(m, at, &owner) || *at + 10 > m->n)
		return false;
	uint16_t type = at16(m, *at), class = at16(m, *at + 2), len = at16(m, *at + 8);
	uint32_t ttl_s = at32(m, *at + 4);
	size_t data = *at + 10;

	if (data + len > m->n)
		return false;
	*at = data + len;
	ttl_s = ttl_s > INT32_MAX ? 0 : ttl_s; /* RFC 2181, 8 */
	of = place_in(c, &owner);
	if (of < 0 || class != CLASS_IN)
		return true; /* about something that nobody asked for */
	if (type == TYPE_CNAME)
		add_alias(m, data, ttl_s, of, c);
	else if ((type == DNS_TYPE_A && len == 4) || (type == DNS_TYPE_AAAA && len == 16))
		add_address(m, data, len, MIN(ttl_s, c->ttl_s[of]), ret);
	return true;
}

int dns_parse(const uint8_t *data, size_t n, bool cut, struct dns_message *ret)
{
	_cleanup_free_ struct chain *c = calloc(1, sizeof(*c));
	struct message m = {data, n};
	struct dns_message got = {0};
	size_t at = HEADER;
	unsigned left;

	if (!c)
		return -ENOMEM;
	if (n < HEADER || at16(&m, 4) != 1 || (at16(&m, 2) & 0x7800) || !read_name(&m, &at, &c->names[0]) || at + 4 > n)
		return -EINVAL;
	c->n = 1;
	c->ttl_s[0] = UINT32_MAX;
	got.type = at16(&m, at);
	got.answer = at16(&m, 2) & 0x8000;
	got.truncated = cut || at16(&m, 2) & 0x0200;
	got.code = at16(&m, 2) & 15;
	got.name_bytes = c->names[0].n;
	got.labels = c->names[0].labels;
	got.longest = c->names[0].longest;
	name_text(&c->names[0], got.name);
	at += 4;
	left = got.answer ? MIN(at16(&m, 6), RECORDS_MOST) : 0;
	while (left-- && read_record(&m, &at, c, &got))
		;
	*ret = got;
	return 0;
}
