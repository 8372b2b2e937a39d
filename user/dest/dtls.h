/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The first handshake message of a DTLS datagram (RFC 6347, 4.1 and 4.2.2). */
#ifndef SLUICE_DTLS_H
#define SLUICE_DTLS_H

#include "user/dest/tls_hello.h"

struct dtls_message {
	uint8_t type;
	size_t from, n;	     /* which bytes of the body are there */
	size_t whole;	     /* bytes of the body */
	const uint8_t *body; /* in what was given */
};

/* TLS_HELLO: *ret is filled; whether it is a hello, its type says. `cut`: the datagram was longer. */
enum tls_state dtls_message_take(const uint8_t *data, size_t n, bool cut, struct dtls_message *ret);

#endif
