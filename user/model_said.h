/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What a flow's first bytes say of its other end, and how far that can be believed. */
#ifndef SLUICE_MODEL_SAID_H
#define SLUICE_MODEL_SAID_H

#include "user/dest/aws_name.h"
#include "user/dest/tls_hello.h"

struct model;
struct m_flow;

enum name_source {
	NAME_FROM_NOTHING,
	NAME_FROM_SNI,	   /* TLS: what the client asks for */
	NAME_FROM_QUIC,	   /* the same in QUIC */
	NAME_FROM_HTTP,	   /* Host */
	NAME_FROM_CONNECT, /* what a proxy is asked for; the address is the proxy's */
	NAME_FROM_DNS,	   /* the address was given for this name, and for no other that is still good */
	NAME_SOURCES,
};

enum name_belief {
	BELIEF_NONE,	 /* there is no name */
	BELIEF_CLAIMED,	 /* only said: no answer of a name server was seen that would tell */
	BELIEF_FRONTED,	 /* said, but that name resolved to other addresses alone */
	BELIEF_PROXY,	 /* a proxy inside is asked for it, which looks it up itself */
	BELIEF_RESOLVED, /* that name resolved to this address, by a name server that the host is set up to ask */
	BELIEFS,
};

#define SPOKEN_DNS "dns"
#define SPOKEN_WIREGUARD "wireguard"

/* Zero behind the end of each text: it is a key. */
struct said_facts {
	char name[TLS_NAME_LEN]; /* lower case; "": none */
	char spoken[12];	 /* "tls1.3", "quic", "ssh", "http", "plain"; "": not known */
	uint8_t source;		 /* enum name_source */
	uint8_t belief;		 /* enum name_belief */
	uint8_t encrypted;
	uint8_t plain;	  /* known not to be */
	uint8_t starttls; /* encrypted, but it began in the clear */
	uint8_t hidden;	  /* the true name is encrypted (ECH) */
	uint8_t nameless; /* TLS that asks for no name */
	uint8_t proxied;  /* to a proxy, which goes on to what it is asked for */
};

/* One for all flows that say the same. */
struct m_said {
	struct said_facts facts; /* the key */
	struct aws_name aws;	 /* of the name */
	bool is_aws;
	unsigned refs;
};

/* `waiting`: more is to come at once, rules may wait a moment for it. -ENOENT: the flow is not known; -ENOSPC: there are too
 * many that differ, the flow stays as it was; -ENOMEM. */
int model_set_said(struct model *m, uint64_t flow, const struct said_facts *facts, bool waiting);

/* What is kept of first words and of DNS, and what there was no room for: totals since the start. */
struct said_figures {
	uint64_t conversations, names; /* kept now */
	uint64_t heard;		       /* packets that were looked into */
	uint64_t forgotten;	       /* conversations given up for want of room before they were whole, or told */
	uint64_t missed;	       /* questions to name servers that there was no room for */
};

/* One more user of it; NULL stays NULL. */
struct m_said *said_ref(struct m_said *s);
void said_unref(struct model *m, struct m_said *s);
/* All of them, whoever uses them still. */
void said_free(struct model *m);

/* Its name, "" without; is it proven, so that it stands for where the flow goes? */
const char *flow_name(const struct m_flow *f);
bool flow_name_proven(const struct m_flow *f);

/* Does it leave the VPC? Also by a proxy in it, which is there to go on. */
bool flow_outside(const struct m_flow *f);

const char *name_source_text(enum name_source s); /* NULL: none */
const char *name_belief_text(enum name_belief b); /* NULL: none */

/* The name and port of a flow whose name is proven, else its address and port: what it is one destination by. */
#define DEST_LEN (TLS_NAME_LEN + 8)
char *dest_about(char buf[static DEST_LEN], const struct m_flow *f);
/* For people: "bucket.s3.amazonaws.com (52.216.0.1:443)", without a name as flow_text(). */
#define DEST_TEXT_LEN (TLS_NAME_LEN + 96)
char *dest_text(char buf[static DEST_TEXT_LEN], const struct m_flow *f);

#endif
