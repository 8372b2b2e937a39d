/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/dest/tls_hello.h"

#include <ctype.h>
#include <string.h>

#include "user/dest/bytes.h"
#include "user/dest/dtls.h"

#define RECORD_HANDSHAKE 22
#define RECORD_MOST 16384
#define HELLO_MOST 65536 /* its length has 24 bits; nobody sends so much */
#define EXT_SERVER_NAME 0
#define EXT_VERSIONS 43
#define EXT_ECH 0xfe0d /* draft-ietf-tls-esni */

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

/* --- versions ------------------------------------------------------------------------------ */

static bool is_version(uint16_t v, bool dtls)
{
	return dtls ? v == 0xfeff || v == 0xfefd || v == 0xfefc : v >= 0x0301 && v <= 0x0304;
}

/* DTLS counts downward. */
static bool is_higher(uint16_t v, uint16_t than, bool dtls)
{
	return !than || (dtls ? v < than : v > than);
}

/* What the message's own field may say: later versions are only said in an extension. */
static bool is_legacy(uint16_t v, bool dtls)
{
	return is_version(v, dtls) && v != 0x0304 && v != 0xfefc;
}

/* --- extensions -------------------------------------------------------------------------- */

struct reading {
	struct tls_hello h;
	bool dtls, versions;
};

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

static void take_versions(struct bytes ext, struct reading *r)
{
	struct bytes list = take_vector(&ext, 1);

	r->versions = true;
	while (list.n >= 2) {
		uint16_t v = (uint16_t)take(&list, 2);

		if (!TLS_IS_GREASE(v) && is_version(v, r->dtls) && is_higher(v, r->h.version, r->dtls))
			r->h.version = v;
	}
}

static void take_extension(uint32_t type, struct bytes ext, struct reading *r)
{
	if (type == EXT_SERVER_NAME && !*r->h.name)
		take_names(ext, &r->h);
	else if (type == EXT_VERSIONS)
		take_versions(ext, r);
	else if (type == EXT_ECH)
		r->h.encrypted_name = true;
}

/* False: their lengths do not fit, which a cut does not excuse. */
static bool take_extensions(struct bytes *b, size_t missing, struct reading *r)
{
	size_t len = take(b, 2);
	struct bytes all = *b;

	if (b->cut || len != b->n + missing)
		return false;
	while (all.n && !all.cut) {
		uint32_t type = take(&all, 2);
		struct bytes ext = take_vector(&all, 2);

		if (!ext.cut)
			take_extension(type, ext, r);
	}
	return !all.cut || missing;
}

/* The message behind its header, of which `missing` bytes at the end are not there. */
static enum tls_state parse_hello(struct bytes b, size_t missing, bool dtls, struct tls_hello *ret)
{
	enum tls_state short_of = missing ? TLS_MORE : TLS_OTHER;
	struct reading r = {.dtls = dtls};

	r.h.version = (uint16_t)take(&b, 2);
	if (b.cut)
		return short_of;
	if (!is_legacy(r.h.version, dtls))
		return TLS_OTHER;
	take_part(&b, 32);  /* random */
	take_vector(&b, 1); /* session */
	if (dtls)
		take_vector(&b, 1); /* cookie */
	size_t ciphers = take_vector(&b, 2).n, compression = take_vector(&b, 1).n;
	if (b.cut || (missing && b.n < 2))
		return short_of;
	if (!ciphers || ciphers % 2 || !compression)
		return TLS_OTHER;
	if ((b.n || missing) && !take_extensions(&b, missing, &r))
		return TLS_OTHER;
	if (missing && !r.versions)
		r.h.version = 0;
	*ret = r.h;
	return TLS_HELLO;
}

enum tls_state tls_hello_message(const uint8_t *data, size_t n, bool cut, struct tls_hello *ret)
{
	struct bytes b = {data, n, false};

	if (n && data[0] != TLS_CLIENT_HELLO)
		return TLS_OTHER;
	if (n < 4)
		return TLS_MORE;
	take(&b, 1);
	size_t len = take(&b, 3);
	if (len > HELLO_MOST)
		return TLS_OTHER;
	if (b.n < len && !cut)
		return TLS_MORE;
	b.n = MIN(b.n, len);
	return parse_hello(b, len - b.n, false, ret);
}

enum tls_state dtls_hello_parse(const uint8_t *data, size_t n, bool cut, struct tls_hello *ret)
{
	struct dtls_message m;
	enum tls_state s = dtls_message_take(data, n, cut, &m);

	if (s != TLS_HELLO)
		return s;
	if (m.type != TLS_CLIENT_HELLO)
		return TLS_OTHER;
	return m.from ? TLS_MORE : parse_hello((struct bytes){m.body, m.n, false}, m.whole - m.n, true, ret);
}

/* --- records ------------------------------------------------------------------------------- */

/* One record's header; false: it is none of a handshake. */
static bool is_record(const uint8_t *p, size_t n)
{
	return p[0] == RECORD_HANDSHAKE && (n < 2 || p[1] == 3) && (n < 3 || p[2] <= 4);
}

/* Whether what is joined can be the message, and whether it is whole. */
static enum tls_state joined(const uint8_t *to, size_t *len, uint8_t type)
{
	if (*len && to[0] != type)
		return TLS_OTHER;
	if (*len < 4)
		return TLS_MORE;
	size_t whole = 4 + ((size_t)to[1] << 16 | (size_t)to[2] << 8 | to[3]);
	if (whole > HELLO_MOST)
		return TLS_OTHER;
	if (*len < whole)
		return TLS_MORE;
	*len = whole;
	return TLS_HELLO;
}

enum tls_state tls_join(const uint8_t *data, size_t n, uint8_t type, uint8_t *to, size_t *ret_len)
{
	enum tls_state s = TLS_MORE;
	size_t len = 0;

	while (n && s == TLS_MORE) {
		if (!is_record(data, n))
			return TLS_OTHER;
		if (n < 5)
			break;
		size_t body = (size_t)(data[3] << 8 | data[4]), part = MIN(body, n - 5);
		if (!body || body > RECORD_MOST)
			return TLS_OTHER;
		memcpy(to + len, data + 5, part);
		len += part;
		s = joined(to, &len, type);
		data += 5 + part;
		n -= 5 + part;
	}
	if (s != TLS_OTHER)
		*ret_len = len;
	return s;
}

static enum tls_state parse_records(const uint8_t *data, size_t n, bool cut, struct tls_hello *ret)
{
	_cleanup_free_ uint8_t *message = malloc(n + 1);
	size_t len = 0;

	if (!message)
		return TLS_MORE;
	enum tls_state s = tls_join(data, n, TLS_CLIENT_HELLO, message, &len);
	return s == TLS_OTHER ? s : tls_hello_message(message, len, cut, ret);
}

enum tls_state tls_hello_parse(const uint8_t *data, size_t n, struct tls_hello *ret)
{
	return parse_records(data, n, false, ret);
}

enum tls_state tls_hello_parse_cut(const uint8_t *data, size_t n, struct tls_hello *ret)
{
	return parse_records(data, n, true, ret);
}
