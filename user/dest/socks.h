/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What a SOCKS client says before its own data: 5 (RFC 1928, 1929), 4 and 4a (as OpenSSH and curl have them). */
#ifndef SLUICE_SOCKS_H
#define SLUICE_SOCKS_H

#include "user/dest/tls_hello.h"

enum socks_state {
	SOCKS_MORE,  /* all there is fits, but it is not all */
	SOCKS_OTHER, /* something else */
	SOCKS_REQUEST, /* to connect: *ret is filled */
};

struct socks_request {
	char host[TLS_NAME_LEN]; /* as text where it is an address; "": strange */
	bool strange;		 /* a host that is no name */
	size_t len;		 /* bytes up to the client's own data */
};

/* *ret is untouched but for SOCKS_REQUEST. */
enum socks_state socks_parse(const uint8_t *data, size_t n, struct socks_request *ret);

/* Whether `data`, some first bytes, begins as a server of that version answers. */
bool socks_answers(uint8_t version, const uint8_t *data, size_t n);

#endif
