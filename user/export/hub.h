/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Findings of the journal to Security Hub: each under one Id, which later states of it update; none twice, none forgotten, and
 * of many states that come in a row the newest. What was imported is kept in a file, so that who is killed goes on where he
 * was. One thread uses a hub; a step blocks for one request at most.
 */
#ifndef SLUICE_HUB_H
#define SLUICE_HUB_H

#include "user/export/aws.h"
#include "user/export/hub_told.h"
#include "user/util.h"

#define HUB_UPDATE_NS (60 * NSEC) /* between two states of one finding, unless it became worse */

struct hub;

/* How AWS is asked: as in aws.h. */
struct hub_aws {
	int (*call)(void *arg, const struct aws_request *q, struct aws_reply *ret);
	const char *(*region)(void *arg);
	const char *(*account)(void *arg);
	const char *(*partition)(void *arg);
	void *arg;
};

struct hub_options {
	const char *journal; /* its directory, which may not be there yet */
	const char *state;   /* the file for what was imported; NULL: nothing is kept, and all is imported again */
	struct hub_aws aws;
	const atomic_bool *stop; /* true ends a step soon; may be NULL */
	unsigned hurry;		 /* all waits are divided by this; 0: 1 */
};

/* -ENOMEM. A file that cannot be read is as if there were none, which hub_tell() says. */
int hub_new(const struct hub_options *options, struct hub **ret);
struct hub *hub_free(struct hub *h);

/* Reads on in the journal and imports what is due, one request at most. Returns how long nothing need be done, ns. `last`: no
 * more is to follow, so what could wait is due; and the request has a second and a half. */
uint64_t hub_step(struct hub *h, uint64_t now_ns, bool last);

void hub_tell(const struct hub *h, struct hub_told *ret);

#endif
