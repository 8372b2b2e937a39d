/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What a connection is, from its first bytes in both directions: packets may be missing, repeated, out of order, or cut. What
 * goes out decides, and what comes in can only agree: nobody makes this host's plain words count as encrypted by what he sends
 * to it. A talk is one socket's: of TCP or of UDP, never both. Memory: some 8 KiB a direction, none once settled.
 */
#ifndef SLUICE_TALK_H
#define SLUICE_TALK_H

#include "user/dest/http_head.h"
#include "user/dest/tls_hello.h"

enum talk_kind {
	TALK_UNKNOWN, /* nothing came, the start is missing, or what came could be the middle of anything */
	TALK_PLAIN,   /* none of the others */
	TALK_HTTP,
	TALK_TLS,
	TALK_DTLS,
	TALK_QUIC,
	TALK_SSH,
	TALK_WIREGUARD,
	TALK_KINDS,
};

struct talk_facts {
	enum talk_kind kind;
	bool client;   /* this host began: TLS, DTLS, QUIC, HTTP, SOCKS as their client, WireGuard as initiator; not told of SSH */
	bool settled;  /* nothing that may still come can change this: the talk can be freed */
	bool waiting;  /* the start of something known has come, but not all of it */
	bool starttls; /* it began in plain text, and then turned to TLS */
	bool proxied;  /* SOCKS, HTTP CONNECT, or a whole URL as the target: name is the target's, also where TLS came behind it */
	char name[TLS_NAME_LEN]; /* SNI or Host, lower case, no port; "": none */
	uint16_t version;	 /* of TLS and DTLS as on the wire: the agreed when `agreed`, else the highest offered; 0: not known */
	bool agreed;		 /* the server's hello was seen */
	bool encrypted_name;	 /* ECH was offered: the true name is not this one */
	bool strange_name;	 /* a name was given that is none, or more than one */
	char method[HTTP_METHOD_LEN]; /* of the first HTTP request; what came through TLS nobody sees */
	char path[HTTP_PATH_LEN];     /* its target without query, printable ASCII only, cut */
	bool imds_token;	      /* it carried X-aws-ec2-metadata-token */
};

struct talk;

/* -ENOMEM. */
int talk_new(struct talk **ret);
struct talk *talk_free(struct talk *t);
static inline void talk_freep(struct talk **t)
{
	talk_free(*t);
}

/* Where a direction begins, from its SYN: the sequence number behind it. Without this, what has the lowest number is taken for
 * the start, and noise there for the middle of anything. */
void talk_tcp_start(struct talk *t, bool out, uint32_t seq);

/* A segment: `seq` of its first byte, of whose `bytes` the first `kept` are at `data`. When memory runs out it counts as lost. */
void talk_tcp(struct talk *t, bool out, uint32_t seq, const uint8_t *data, size_t kept, size_t bytes);
void talk_udp(struct talk *t, bool out, const uint8_t *data, size_t kept, size_t bytes);

const struct talk_facts *talk_facts(const struct talk *t);

/* TLS, DTLS, QUIC, SSH, WireGuard. */
bool talk_encrypted(const struct talk_facts *f);

/* For people and records: "tls1.3" where that is agreed, "tls" where it is not known, "dtls", "quic", "ssh", "wireguard", "http",
 * "plain"; NULL: not known. Static. */
const char *talk_word(const struct talk_facts *f);

#endif
