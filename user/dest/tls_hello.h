/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What a TLS client says first (RFC 8446, 5246, 6066), and a DTLS client (RFC 6347, 9147): for whom it asks, and which versions
 * it takes. From the first bytes of a connection, however they were cut into segments and records; none of it is believed
 * further than that it was said.
 */
#ifndef SLUICE_TLS_HELLO_H
#define SLUICE_TLS_HELLO_H

#include "user/util.h"

#define TLS_NAME_LEN 256
#define TLS_CLIENT_HELLO 1
#define TLS_SERVER_HELLO 2
#define TLS_IS_GREASE(v) (((v) & 0x0f0f) == 0x0a0a && ((v) >> 8) == ((v) & 0xff)) /* RFC 8701 */

enum tls_state {
	TLS_MORE,  /* so far it looks like one, but it is not all there */
	TLS_OTHER, /* not TLS */
	TLS_HELLO, /* *ret is filled */
};

struct tls_hello {
	char name[TLS_NAME_LEN]; /* of server_name, lower case; "": none was given, or no host name */
	uint16_t version;	 /* the highest that is offered, 0x0301 to 0x0304, of DTLS 0xfeff to 0xfefc; 0: cut before it was said */
	bool encrypted_name;	 /* ECH: the true name is not this one */
	bool strange;		 /* a server_name that is no host name */
};

/* Outputs are untouched but for TLS_HELLO. */
enum tls_state tls_hello_parse(const uint8_t *data, size_t n, struct tls_hello *ret);

/* The same where nothing will come behind `n` bytes: a hello counts once its list of extensions has begun. */
enum tls_state tls_hello_parse_cut(const uint8_t *data, size_t n, struct tls_hello *ret);

/* The message alone, without records, as QUIC carries it. `cut`: no more will come. */
enum tls_state tls_hello_message(const uint8_t *data, size_t n, bool cut, struct tls_hello *ret);

/* One datagram of DTLS. Of a hello in fragments the first one counts, as cut; later ones are TLS_MORE. */
enum tls_state dtls_hello_parse(const uint8_t *data, size_t n, bool cut, struct tls_hello *ret);

/* The first handshake message out of its records into `to`, which has room for `n` bytes: TLS_HELLO when it is of this type and
 * all there. *ret_len is filled with what there is, but for TLS_OTHER. */
enum tls_state tls_join(const uint8_t *data, size_t n, uint8_t type, uint8_t *to, size_t *ret_len);

/* A host name as DNS has them: letters, digits, - and _, dots between labels. Copied in lower case. */
bool host_name_take(const uint8_t *data, size_t n, char ret[static TLS_NAME_LEN]);

#endif
