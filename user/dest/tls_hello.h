/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What a TLS client says first (RFC 8446, 5246, 6066): for whom it asks, and which versions it takes. From the first bytes of
 * a connection, however they were cut into segments and records; none of it is believed further than that it was said.
 */
#ifndef SLUICE_TLS_HELLO_H
#define SLUICE_TLS_HELLO_H

#include "user/util.h"

#define TLS_NAME_LEN 256

enum tls_state {
	TLS_MORE,  /* so far it looks like one, but it is not all there */
	TLS_OTHER, /* not TLS */
	TLS_HELLO, /* *ret is filled */
};

struct tls_hello {
	char name[TLS_NAME_LEN]; /* of server_name, lower case; "": none was given, or no host name */
	uint16_t version;	 /* the highest that is offered, 0x0301 to 0x0304 */
	bool encrypted_name;	 /* ECH: the true name is not this one */
	bool strange;		 /* a server_name that is no host name */
};

/* Outputs are untouched but for TLS_HELLO. */
enum tls_state tls_hello_parse(const uint8_t *data, size_t n, struct tls_hello *ret);

/* A host name as DNS has them: letters, digits, - and _, dots between labels. Copied in lower case. */
bool host_name_take(const uint8_t *data, size_t n, char ret[static TLS_NAME_LEN]);

#endif
