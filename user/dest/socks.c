/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/dest/socks.h"

#include <arpa/inet.h>
#include <string.h>

#include "user/dest/bytes.h"

#define CONNECT 1
#define BY_PASSWORD 2 /* of version 5's methods */
#define USER_MOST 255 /* of version 4, where nothing says how long it may be */

enum address { ADDRESS_V4 = 1, ADDRESS_NAME = 3, ADDRESS_V6 = 4 };

static void take_name(struct bytes name, struct socks_request *r)
{
	r->strange = !host_name_take(name.p, name.n, r->host);
	if (r->strange)
		r->host[0] = '\0';
}

static void take_address(struct bytes b, int family, struct socks_request *r)
{
	inet_ntop(family, b.p, r->host, sizeof(r->host));
}

/* --- 5 --------------------------------------------------------------------------------------- */

static enum socks_state fits(const struct bytes *b)
{
	return b->cut ? SOCKS_MORE : SOCKS_OTHER;
}

/* Name and password, where the server asked for them. */
static void skip_password(struct bytes *b)
{
	struct bytes ahead = *b;

	if (take(&ahead, 1) != 1)
		return;
	*b = ahead;
	take_vector(b, 1);
	take_vector(b, 1);
}

static bool take_target(struct bytes *b, struct socks_request *r)
{
	enum address kind = take(b, 1);
	struct bytes host = {};

	if (kind == ADDRESS_NAME)
		host = take_vector(b, 1);
	else if (kind == ADDRESS_V4 || kind == ADDRESS_V6)
		host = take_part(b, kind == ADDRESS_V4 ? 4 : 16);
	else
		return false;
	take(b, 2);
	if (b->cut)
		return false;
	if (kind == ADDRESS_NAME)
		take_name(host, r);
	else
		take_address(host, kind == ADDRESS_V4 ? AF_INET : AF_INET6, r);
	return true;
}

static enum socks_state parse_5(struct bytes b, size_t n, struct socks_request *ret)
{
	struct socks_request r = {};
	uint32_t version, command, reserved;
	struct bytes methods = take_vector(&b, 1);

	if (!b.cut && !methods.n)
		return SOCKS_OTHER;
	if (!b.cut && memchr(methods.p, BY_PASSWORD, methods.n))
		skip_password(&b);
	version = take(&b, 1);
	command = take(&b, 1);
	reserved = take(&b, 1);
	if (b.cut)
		return SOCKS_MORE;
	if (version != 5 || command != CONNECT || reserved)
		return SOCKS_OTHER;
	if (!take_target(&b, &r))
		return fits(&b);
	r.len = n - b.n;
	*ret = r;
	return SOCKS_REQUEST;
}

/* --- 4 --------------------------------------------------------------------------------------- */

/* A text up to its zero. */
static struct bytes take_text(struct bytes *b, size_t most)
{
	const uint8_t *end = b->n ? memchr(b->p, 0, MIN(b->n, most + 1)) : NULL;
	struct bytes text = take_part(b, end ? (uint64_t)(end - b->p) : (uint64_t)b->n + 1);

	take(b, 1);
	return text;
}

static enum socks_state parse_4(struct bytes b, size_t n, struct socks_request *ret)
{
	struct socks_request r = {};
	uint32_t command = take(&b, 1), port = take(&b, 2);
	struct bytes address = take_part(&b, 4);

	if (b.cut)
		return SOCKS_MORE;
	if (command != CONNECT || !port)
		return SOCKS_OTHER;
	if (take_text(&b, USER_MOST).n > USER_MOST)
		return SOCKS_OTHER;
	/* 4a: a name follows where the address is 0.0.0.x */
	if (!address.p[0] && !address.p[1] && !address.p[2] && address.p[3])
		take_name(take_text(&b, TLS_NAME_LEN), &r);
	else
		take_address(address, AF_INET, &r);
	if (b.cut)
		return n > USER_MOST + TLS_NAME_LEN + 16 ? SOCKS_OTHER : SOCKS_MORE;
	r.len = n - b.n;
	*ret = r;
	return SOCKS_REQUEST;
}

enum socks_state socks_parse(const uint8_t *data, size_t n, struct socks_request *ret)
{
	struct bytes b = {data, n, false};

	switch (take(&b, 1)) {
	case 5:
		return parse_5(b, n, ret);
	case 4:
		return parse_4(b, n, ret);
	default:
		return SOCKS_OTHER;
	}
}

bool socks_answers(uint8_t version, const uint8_t *data, size_t n)
{
	if (version == 5)
		return n && data[0] == 5;
	return n && !data[0] && (n < 2 || (data[1] >= 0x5a && data[1] <= 0x5d));
}
