/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Any bytes as what a client or a server of TLS or DTLS says first. */
#include <stdlib.h>
#include <string.h>

#include "user/dest/tls_hello.h"
#include "user/dest/tls_server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(enum tls_state s, const struct tls_hello *h, bool cut, bool dtls)
{
	uint16_t least = dtls ? 0xfefc : 0x0301, most = dtls ? 0xfeff : 0x0304;

	if (s != TLS_HELLO)
		return;
	if (!memchr(h->name, 0, sizeof(h->name)) || (!h->version && !cut) || (h->version && (h->version < least || h->version > most)))
		abort();
}

/* What is a hello stays the same hello, whatever comes behind it. */
static void check_longer(const uint8_t *data, size_t len, const struct tls_hello *whole)
{
	uint8_t *copy = malloc(len + 3);
	struct tls_hello h = {0};

	memcpy(copy, data, len);
	memset(copy + len, 0xee, 3);
	if (tls_hello_parse(copy, len + 3, &h) != TLS_HELLO || memcmp(&h, whole, sizeof(h)))
		abort();
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct tls_hello h = {0};
	uint16_t version = 0;
	enum tls_state s = tls_hello_parse(data, len, &h);

	check(s, &h, false, false);
	if (s == TLS_HELLO)
		check_longer(data, len, &h);
	if (s == TLS_HELLO && tls_server_parse(data, len, &version) == TLS_HELLO)
		abort();
	check(tls_hello_parse_cut(data, len, &h), &h, true, false);
	check(tls_hello_message(data, len, true, &h), &h, true, false);
	check(dtls_hello_parse(data, len, true, &h), &h, true, true);
	if (tls_server_parse(data, len, &version) == TLS_HELLO && (version < 0x0300 || version > 0x0304))
		abort();
	dtls_server_parse(data, len, false, &version);
	tls_is_alert(data, len);
	return 0;
}
