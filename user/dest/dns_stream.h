/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Messages of DNS over TCP (RFC 1035, 4.2.2), each behind its length, in one direction of a connection: however they are cut into
 * segments, a message begins where the one before it ended, and nowhere else. What is in the middle of one, as the text of a
 * record, can look like another.
 */
#ifndef SLUICE_DNS_STREAM_H
#define SLUICE_DNS_STREAM_H

#include "user/util.h"

#define DNS_STREAM_KEPT 2048 /* of one message; what is behind is left out */

/* All zero: at its beginning. */
struct dns_stream {
	uint32_t next; /* number of the byte that is to come */
	bool lost;     /* where messages begin: something is missing */
	bool cut;      /* of this message not all is at `data` */
	uint8_t *data;
	size_t kept, room;
	uint8_t length[2];
	size_t seen; /* bytes of it, the length's too */
};

/* `cut`: only its first `n` bytes are there. */
typedef void (*dns_stream_take)(void *arg, const uint8_t *message, size_t n, bool cut);

/* A segment: `at` numbers its first byte, of whose `bytes` the first `kept` are at `data`. What was there before counts once. Each
 * message that is whole with it is taken. False: it is lost where messages begin, now or before. Without memory it becomes so. */
bool dns_stream_put(struct dns_stream *s, uint32_t at, const uint8_t *data, size_t kept, size_t bytes, dns_stream_take take, void *arg);

void dns_stream_done(struct dns_stream *s);

#endif
