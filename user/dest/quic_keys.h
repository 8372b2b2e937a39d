/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Keys of QUIC's Initial packets, which anyone who sees the first one can derive (RFC 9001, 5; RFC 9369, 3.3). */
#ifndef SLUICE_QUIC_KEYS_H
#define SLUICE_QUIC_KEYS_H

#include "user/util.h"

#define QUIC_V1 0x00000001u
#define QUIC_V2 0x6b3343cfu
#define QUIC_ID_MOST 20
#define QUIC_TAG 16

struct quic_keys {
	uint8_t key[16], iv[12], hp[16];
};

bool quic_known_version(uint32_t version);

/* Of the client, or of the server, for the connection id that the client chose first. -ENOTSUP: of another version; -EIO. */
int quic_initial_keys(uint32_t version, const uint8_t *id, size_t n, bool server, struct quic_keys *ret);

/* A packet of `n` bytes whose number begins at `number_at`, opened into `to`, which has room for `n`. -EBADMSG: it was not made
 * with these keys, or not as Initials are; `to` is then undefined. */
int quic_open(const struct quic_keys *k, const uint8_t *packet, size_t n, size_t number_at, uint8_t *to, size_t *ret_len);

/* Whether this whole Retry packet is an answer to the client that chose the id. */
bool quic_retry_is_good(uint32_t version, const uint8_t *id, size_t nid, const uint8_t *packet, size_t n);

#endif
