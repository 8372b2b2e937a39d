/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Inside of talk: one direction's bytes, what they begin as, and the state of both. */
#ifndef SLUICE_TALK_INTERNAL_H
#define SLUICE_TALK_INTERNAL_H

#include "user/dest/pieces.h"
#include "user/dest/quic.h"
#include "user/dest/socks.h"
#include "user/dest/talk.h"

#define TALK_KEEP 8192 /* bytes of a direction */
#define TALK_TURNS 8

/* --- talk_stream.c: one direction of a TCP connection ------------------------------------- */

struct stream {
	struct pieces pieces;
	uint32_t first; /* sequence number of its first byte */
	bool started;
	bool told; /* first is the true one, not the lowest that was seen */
	bool full; /* bytes beyond what is kept have come */
	size_t cut[TALK_TURNS]; /* where the capture left something out */
	unsigned ncut;
	size_t turns[TALK_TURNS]; /* where segments begin as TLS handshakes do */
	unsigned nturns;
};

void stream_start(struct stream *s, uint32_t seq);
void stream_put(struct stream *s, uint32_t seq, const uint8_t *data, size_t kept, size_t bytes);

/* What there is from an offset on without a hole. */
struct view {
	const uint8_t *p;
	size_t n;
	bool cut;  /* what follows was left out, and will not come */
	bool hole; /* there are only later bytes */
	bool told; /* it is where the other side began to talk, or a segment began */
};

struct view stream_view(const struct stream *s, size_t from);

/* --- talk_begin.c: what a direction begins as ---------------------------------------------- */

enum begin {
	BEGIN_NONE,   /* no bytes */
	BEGIN_DIM,    /* the middle of something */
	BEGIN_PART,   /* of something known */
	BEGIN_HELLO_PART, /* of a TLS client's hello */
	BEGIN_CLIENT, /* TLS */
	BEGIN_SERVER, /* TLS */
	BEGIN_ALERT,  /* TLS */
	BEGIN_REQUEST,	/* HTTP */
	BEGIN_RESPONSE, /* HTTP */
	BEGIN_SSH,
	BEGIN_SOCKS, /* a client of it */
	BEGIN_OTHER,
};

struct beginning {
	enum begin what;
	struct tls_hello hello; /* BEGIN_CLIENT */
	uint16_t version;	/* BEGIN_SERVER */
	struct http_head head;	/* BEGIN_REQUEST */
	struct socks_request socks; /* BEGIN_SOCKS */
	uint8_t socks_version;	    /* BEGIN_SOCKS */
	bool token;		/* BEGIN_REQUEST: of the metadata service */
	bool sure;		/* BEGIN_SSH: its key exchange follows; BEGIN_OTHER: it is a beginning */
};

void beginning_of(const struct view *v, struct beginning *ret);

/* Bytes that look neither like text nor like a protocol's fields: encrypted, compressed, or pictures. */
bool is_noise(const uint8_t *p, size_t n);

/* --- talk_turn.c: from plain to TLS -------------------------------------------------------- */

/* Behind the first words that ask for it, as SMTP, IMAP, POP3, FTP, XMPP, LDAP, Postgres and MySQL have them; 0: none. */
size_t turn_asked(const struct stream *s);

struct turn {
	bool found;    /* `hello` is filled */
	bool waiting;  /* it has begun */
	bool out;      /* the client's way */
	bool agreed;
	uint16_t version;
	struct tls_hello hello;
};

/* What begins as a client's hello in that direction at or behind `after`, and what the other says to it. */
void turn_find(const struct stream ways[2], bool out, size_t after, struct turn *ret);

/* --- talk_tcp.c, talk_udp.c ------------------------------------------------------------------ */

struct datagrams {
	struct quic *quic;
	unsigned seen;
	uint32_t sender;     /* WireGuard: of the first message */
	bool begun, by_out;  /* WireGuard: it came, and which way it went */
	struct {
		bool seen;
		uint32_t receiver;
		uint64_t counter;
	} data[2]; /* WireGuard: the last of each direction */
};

struct talk {
	struct talk_facts facts;
	struct stream ways[2]; /* in, out */
	struct datagrams datagrams;
};

void facts_hello(struct talk_facts *f, const struct tls_hello *h);

/* Frees everything but the facts. */
void talk_settle(struct talk *t);

#endif
