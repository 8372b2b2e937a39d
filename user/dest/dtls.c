/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/dest/dtls.h"

#include "user/dest/bytes.h"

#define RECORD_HANDSHAKE 22
#define BODY_MOST 65536

/* Behind the record's header: type, length, number, and which fragment of it this is. */
static enum tls_state take_fragment(struct bytes record, bool cut, struct dtls_message *ret)
{
	struct dtls_message m = {0};

	m.type = (uint8_t)take(&record, 1);
	m.whole = take(&record, 3);
	take(&record, 2);
	m.from = take(&record, 3);
	size_t len = take(&record, 3);
	if (record.cut)
		return cut ? TLS_MORE : TLS_OTHER;
	if (m.whole > BODY_MOST || m.from > m.whole || len > m.whole - m.from || (len > record.n && !cut))
		return TLS_OTHER;
	m.body = record.p;
	m.n = MIN(len, record.n);
	*ret = m;
	return TLS_HELLO;
}

enum tls_state dtls_message_take(const uint8_t *data, size_t n, bool cut, struct dtls_message *ret)
{
	struct bytes b = {data, n, false};
	uint32_t type = take(&b, 1), version = take(&b, 2), epoch = take(&b, 2);

	take(&b, 2); /* number, six bytes */
	take(&b, 4);
	struct bytes record = take_vector(&b, 2);
	if (type != RECORD_HANDSHAKE || (version != 0xfeff && version != 0xfefd) || epoch || (record.cut && !cut))
		return TLS_OTHER;
	record.cut = false;
	return take_fragment(record, cut, ret);
}
