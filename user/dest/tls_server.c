/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/dest/tls_server.h"

#include <string.h>

#include "user/dest/bytes.h"
#include "user/dest/dtls.h"

#define RECORD_ALERT 21
#define EXT_VERSIONS 43
#define SESSION_MOST 32
#define VERIFY_REQUEST 3 /* RFC 6347 4.2.1 */

static bool is_version(uint32_t v, bool dtls)
{
	return dtls ? v == 0xfeff || v == 0xfefd || v == 0xfefc : v >= 0x0300 && v <= 0x0304;
}

/* Of all extensions only the one that overrides the message's own field. */
static bool take_extensions(struct bytes *b, bool dtls, uint16_t *version)
{
	struct bytes all = take_vector(b, 2);

	if (all.cut || b->n)
		return false;
	while (all.n) {
		uint32_t type = take(&all, 2);
		struct bytes ext = take_vector(&all, 2);

		if (ext.cut)
			return false;
		if (type != EXT_VERSIONS)
			continue;
		uint32_t v = take(&ext, 2);
		if (ext.cut || ext.n || !is_version(v, dtls))
			return false;
		*version = (uint16_t)v;
	}
	return true;
}

/* The message behind its header. */
static enum tls_state parse_server(struct bytes b, bool dtls, uint16_t *ret_version)
{
	uint32_t legacy = take(&b, 2);
	uint16_t version = (uint16_t)legacy;

	take_part(&b, 32);
	size_t session = take_vector(&b, 1).n;
	uint32_t cipher = take(&b, 2), compression = take(&b, 1);
	if (b.cut || !is_version(legacy, dtls) || legacy == 0x0304 || legacy == 0xfefc || session > SESSION_MOST || !cipher ||
	    TLS_IS_GREASE(cipher) || compression > 1)
		return TLS_OTHER;
	if (b.n && !take_extensions(&b, dtls, &version))
		return TLS_OTHER;
	*ret_version = version;
	return TLS_HELLO;
}

enum tls_state tls_server_message(const uint8_t *data, size_t n, uint16_t *ret_version)
{
	struct bytes b = {data, n, false};

	if (n && data[0] != TLS_SERVER_HELLO)
		return TLS_OTHER;
	if (n < 4)
		return TLS_MORE;
	take(&b, 1);
	size_t len = take(&b, 3);
	if (len > b.n)
		return TLS_MORE;
	b.n = len;
	return parse_server(b, false, ret_version);
}

enum tls_state tls_server_parse(const uint8_t *data, size_t n, uint16_t *ret_version)
{
	_cleanup_free_ uint8_t *message = malloc(n + 1);
	size_t len = 0;

	if (!message)
		return TLS_MORE;
	enum tls_state s = tls_join(data, n, TLS_SERVER_HELLO, message, &len);
	return s == TLS_HELLO ? tls_server_message(message, len, ret_version) : s;
}

enum tls_state dtls_server_parse(const uint8_t *data, size_t n, bool cut, uint16_t *ret_version)
{
	struct dtls_message m;
	enum tls_state s = dtls_message_take(data, n, cut, &m);

	if (s != TLS_HELLO)
		return s;
	if (m.type == VERIFY_REQUEST && !m.from && m.n >= 3 && m.body[0] == 0xfe && (size_t)m.body[2] + 3 == m.whole) {
		*ret_version = 0;
		return TLS_HELLO;
	}
	if (m.type != TLS_SERVER_HELLO)
		return TLS_OTHER;
	return m.from || m.n < m.whole ? TLS_MORE : parse_server((struct bytes){m.body, m.n, false}, true, ret_version);
}

bool tls_is_alert(const uint8_t *data, size_t n)
{
	return n >= 7 && data[0] == RECORD_ALERT && data[1] == 3 && data[2] <= 4 && !data[3] && data[4] == 2 &&
	       (data[5] == 1 || data[5] == 2);
}
