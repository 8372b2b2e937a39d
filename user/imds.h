/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the instance metadata service tells of this machine: its VPC's address blocks, of every interface, and who it is.
 * Version 2 only: a session token is asked for first, kept for its life and asked for anew when it is refused. Facts: EC2 User
 * Guide, "Use the Instance Metadata Service", "Instance metadata categories".
 */
#ifndef SLUICE_IMDS_H
#define SLUICE_IMDS_H

#include <stdatomic.h>
#include "user/policy/config.h"

#define IMDS_WORD_LEN 32
#define IMDS_BLOCKS_MAX 1024	/* of all interfaces */
#define IMDS_INTERFACES_MAX 256
#define IMDS_ANSWER_MAX 65536	/* bytes */

struct imds_facts {
	char instance_id[IMDS_WORD_LEN], region[IMDS_WORD_LEN], account[IMDS_WORD_LEN]; /* "": not told */
	char vpc_id[IMDS_WORD_LEN]; /* of the first interface */
	struct cidr *blocks;	    /* each once, in order of their text's appearance */
	size_t nblocks;
	unsigned interfaces;
};

void imds_facts_done(struct imds_facts *f);

enum imds_state {
	IMDS_UNKNOWN, /* not asked yet */
	IMDS_OK,
	IMDS_OFF,     /* AWS_EC2_METADATA_DISABLED says so */
	IMDS_NOT_EC2, /* this machine's firmware names another maker, or nobody answers */
	IMDS_HOPS,    /* it takes the connection and answers nothing: the answer's hop limit ends before it comes here */
	IMDS_REFUSED, /* 403: metadata are switched off for this instance */
	IMDS_BROKEN,  /* answers that make no sense */
};

/* One sentence for people: what is the matter and what to do; "" when it is OK. Static. */
const char *imds_state_text(enum imds_state s);
const char *imds_state_word(enum imds_state s); /* "ok", "off", "not-ec2", "hop-limit", "refused", "broken", "unknown" */

struct imds;

/* Reads where to ask from the environment (AWS_EC2_METADATA_SERVICE_ENDPOINT, _ENDPOINT_MODE, AWS_EC2_METADATA_DISABLED), as
 * AWS's own tools do. -EINVAL: the endpoint is no http URL; -ENOMEM. */
int imds_open(struct imds **ret);
struct imds *imds_close(struct imds *i);

/* Asks; takes up to some 5 seconds. *ret is filled only where IMDS_OK is returned; the caller ends it. On any thread, one at a
 * time. */
enum imds_state imds_ask(struct imds *i, struct imds_facts *ret);

/* One text, of a path from "/latest/" on, into `room` bytes; "" with IMDS_OK: there is none. Wiped of all but `ret`, since
 * credentials are such texts. Takes up to some 5 seconds; on any thread, one at a time. */
enum imds_state imds_read(struct imds *i, const char *path, char *ret, size_t room);

/* Both return soon, now and ever after. From another thread. */
void imds_abort(struct imds *i);
/* The same once *stop is true; it lives as long as `i`. */
void imds_stop_by(struct imds *i, const atomic_bool *stop);

/* --- answers, for tests ------------------------------------------------------------- */

/* A list of blocks, a line each, is added. -EINVAL: a line is none, or there are too many; nothing is added then. */
int imds_add_blocks(struct imds_facts *f, const char *text);

/* "0e:01:02:03:04:05/" lines into `ret`, without the slash; how many. -EINVAL. */
#define IMDS_MAC_LEN 18
int imds_macs(const char *text, char ret[IMDS_INTERFACES_MAX][IMDS_MAC_LEN]);

/* The identity document: JSON. -EINVAL. */
int imds_identity(const char *text, struct imds_facts *f);

#endif
