/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What a TLS server says first: which version it agrees to (RFC 8446 4.1.3 and 4.2.1, HelloRetryRequest too; RFC 5246, 6347). */
#ifndef SLUICE_TLS_SERVER_H
#define SLUICE_TLS_SERVER_H

#include "user/dest/tls_hello.h"

/* *ret_version: 0x0300 to 0x0304, of DTLS 0xfeff to 0xfefc; untouched but for TLS_HELLO. */
enum tls_state tls_server_parse(const uint8_t *data, size_t n, uint16_t *ret_version);

/* The message alone, without records, as QUIC carries it. */
enum tls_state tls_server_message(const uint8_t *data, size_t n, uint16_t *ret_version);

/* One datagram of DTLS. *ret_version is 0 where it is a HelloVerifyRequest, which agrees to nothing. */
enum tls_state dtls_server_parse(const uint8_t *data, size_t n, bool cut, uint16_t *ret_version);

/* An alert of the handshake, in the clear, all of it. */
bool tls_is_alert(const uint8_t *data, size_t n);

#endif
