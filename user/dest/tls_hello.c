/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/dest/tls_hello.h"

#include <ctype.h>
#include <string.h>

#define RECORD_HANDSHAKE 22
#define CLIENT_HELLO 1
#define RECORD_MOST 16384
#define HELLO_MOST 65536 /* its length has 24 bits; nobody sends so much */
#define EXT_SERVER_NAME 0
#define EXT_VERSIONS 43
#define EXT_ECH 0xfe0d /* draft-ietf-tls-esni */
#define IS_GREASE(v) (((v) & 0x0f0f) == 0x0a0a && ((v) >> 8) == ((v) & 0xff)) /* RFC 8701 */

/* What is left to read. Reading beyond its end leaves nothing, and `cut`. */
struct bytes {
	const uint8_t *p;
	size_t n;
	bool cut;
};

static uint32_t take(struct bytes *b, unsigned width)
{
	uint32_t v = 0;

	if (b->n < width) {
		b->n = 0;
		b->cut = true;
		return 0;
	}
	for (unsigned i = 0; i < width; i++)
		v = v << 8 | b->p[i];
	b->p += width;
	b->n -= width;
	return v;
}

/* A vector behind its length. */
static struct bytes take_vector(struct bytes *b, unsigned width)
{
	size_t len = take(b, width);
	struct bytes v = {b->p, MIN(len, b->n), b->cut || len > b->n};

	if (v.cut)
		b->cut = true;
	b->p += v.n;
	b->n -= v.n;
	return v;
}

bool host_name_take(const uint8_t *data, size_t n, char ret[static TLS_NAME_LEN])
{
	bool dot = true;

	if (n && data[n - 1] == '.')
		n--;
	if (!n || n >= TLS_NAME_LEN)
		return false;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = data[i];

		if ((c == '.' && dot) || !(isalnum(c) || c == '-' || c == '_' || c == '.'))
			return false;
		dot = c == '.';
	}
	for (size_t i = 0; i < n; i++)
		ret[i] = (char)tolower(data[i]);
	ret[n] = '\0';
	return true;
}

/* --- extensions -------------------------------------------------------------------------- */

static void take_names(struct bytes ext, struct tls_hello *h)
{
	struct bytes list = take_vector(&ext, 2);

	while (list.n && !list.cut) {
		uint32_t type = take(&list, 1);
		struct bytes name = take_vector(&list, 2);

		if (type || name.cut)
			continue;
		if (!host_name_take(name.p, name.n, h->name))
			h->strange = true;
		return;
	}
}

static void take_versions(struct bytes ext, struct tls_hello *h)
{
	struct bytes list = take_vector(&ext, 1);

	while (list.n >= 2) {
		uint16_t v = (uint16_t)take(&list, 2);

		if (!IS_GREASE(v) && v >= 0x0301 && v <= 0x0304)
			h->version = MAX(h->version, v);
	}
}

static void take_extension(uint32_t type, struct bytes ext, struct tls_hello *h)
{
	if (type == EXT_SERVER_NAME && !*h->name)
		take_names(ext, h);
	else if (type == EXT_VERSIONS)
		take_versions(ext, h);
	else if (type == EXT_ECH)
		h->encrypted_name = true;
}

/* All of the message behind its header. */
static enum tls_state parse_hello(struct bytes b, struct tls_hello *ret)
{
	struct tls_hello h = {0};

	h.version = (uint16_t)take(&b, 2);
	if (h.version < 0x0301 || h.version > 0x0303 || b.n < 32)
		return TLS_OTHER;
	b.p += 32; /* random */
	b.n -= 32;
	take_vector(&b, 1); /* session */
	take_vector(&b, 2); /* ciphers */
	take_vector(&b, 1); /* compression */
	if (b.cut)
		return TLS_OTHER;
	if (b.n) {
		struct bytes all = take_vector(&b, 2);

		while (all.n && !all.cut) {
			uint32_t type = take(&all, 2);
			struct bytes ext = take_vector(&all, 2);

			if (!ext.cut)
				take_extension(type, ext, &h);
		}
		if (all.cut)
			return TLS_OTHER;
	}
	*ret = h;
	return TLS_HELLO;
}

/* --- records ------------------------------------------------------------------------------- */

/* One record's header; false: it is none of a handshake. */
static bool is_record(const uint8_t *p, size_t n)
{
	return p[0] == RECORD_HANDSHAKE && (n < 2 || p[1] == 3) && (n < 3 || p[2] <= 4);
}

/* The message's bytes out of the records, one after the other; *ret_more: what is there is not all. False: not TLS. */
static bool join(const uint8_t *data, size_t n, uint8_t *to, size_t room, size_t *ret_len, bool *ret_more)
{
	size_t len = 0;

	*ret_more = true;
	while (n && len < room) {
		size_t body;

		if (!is_record(data, n))
			return false;
		if (n < 5)
			break;
		body = (size_t)(data[3] << 8 | data[4]);
		if (!body || body > RECORD_MOST)
			return false;
		size_t part = MIN(MIN(body, n - 5), room - len);
		memcpy(to + len, data + 5, part);
		len += part;
		if (len >= 4) {
			size_t whole = 4 + ((size_t)to[1] << 16 | (size_t)to[2] << 8 | to[3]);

			if (to[0] != CLIENT_HELLO || whole > HELLO_MOST)
				return false;
			*ret_more = len < whole;
			if (!*ret_more) {
				len = whole;
				break;
			}
		}
		if (body > n - 5)
			break;
		data += 5 + body;
		n -= 5 + body;
	}
	*ret_len = len;
	return !(len && to[0] != CLIENT_HELLO);
}

enum tls_state tls_hello_parse(const uint8_t *data, size_t n, struct tls_hello *ret)
{
	_cleanup_free_ uint8_t *message = malloc(n + 1);
	size_t len = 0;
	bool more = true;

	if (!message || !join(data, n, message, n, &len, &more))
		return TLS_OTHER;
	if (more)
		return TLS_MORE;
	return parse_hello((struct bytes){message + 4, len - 4, false}, ret);
}
