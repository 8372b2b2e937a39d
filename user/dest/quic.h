/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The beginning of a QUIC connection, versions 1 (RFC 9000, 9001) and 2 (RFC 9369), out of its datagrams: whatever is taken from
 * a packet was authenticated first, with keys that follow from the packet itself: it is QUIC, but anyone may have sent it.
 */
#ifndef SLUICE_QUIC_H
#define SLUICE_QUIC_H

#include "user/dest/tls_hello.h"

#define QUIC_CRYPTO_MOST 4096 /* bytes of the handshake that are kept of each side */

enum quic_packet {
	QUIC_NONE,    /* nothing that a QUIC version can send first */
	QUIC_STRANGE, /* a long header that nothing can be said of: a version with other keys, a packet not of this connection */
	QUIC_LATER,   /* a long header of a known version, but no Initial: 0-RTT, Handshake, or cut */
	QUIC_INITIAL, /* an authentic Initial was in it */
	QUIC_RETRY,   /* an authentic answer: come again with this token */
	QUIC_VERSIONS /* answers this client: not with that version */
};

struct quic_facts {
	bool client, server;   /* an authentic Initial of it has come */
	bool out;	       /* the client's go out */
	bool retry, versions;  /* such an answer has come */
	uint32_t version;      /* of the client's last Initial; or the first that is not known; 0: none */
	bool unknown_version;
	bool hello;	       /* `from_client` is filled; else its message is not all there */
	bool no_hello;	       /* what the client said is none */
	struct tls_hello from_client;
	uint16_t agreed;       /* 0: the server's hello is not all there */
};

struct quic;

/* -ENOMEM. */
int quic_new(struct quic **ret);
struct quic *quic_free(struct quic *q);

/* One datagram, or what was kept of it. -ENOMEM; else what the most telling packet in it is. */
int quic_take(struct quic *q, bool out, const uint8_t *data, size_t n);

const struct quic_facts *quic_facts(const struct quic *q);

#endif
