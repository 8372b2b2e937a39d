/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The VPC as the metadata service tells it, asked on a thread of its own: at the start, when this host's addresses change, and
 * every few minutes. What was told once holds until something else is told. */
#ifndef SLUICE_VPC_H
#define SLUICE_VPC_H

#include "user/imds.h"

struct vpc;

/* -ENOMEM, -EINVAL as imds_open(); or what pthread_create() says. */
int vpc_start(struct vpc **ret);
/* Waits for the thread, which is told to make an end: for a moment, or up to a second while it is asking. */
struct vpc *vpc_stop(struct vpc *v);

/* Readable once there is news. */
int vpc_fd(const struct vpc *v);

struct vpc_news {
	enum imds_state state;
	struct imds_facts facts; /* as told last; empty: never */
	uint64_t told_ns;	 /* when that was, boot time; 0: never */
};

/* What is known now, copied: vpc_news_done() it. -ENOMEM. */
int vpc_look(struct vpc *v, struct vpc_news *ret);
void vpc_news_done(struct vpc_news *n);

/* Interfaces changed: ask again soon. */
void vpc_poke(struct vpc *v);

#endif
