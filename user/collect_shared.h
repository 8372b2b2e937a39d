/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The collector's part about shared memory: what the kernel half could not finish is looked at again. */
#ifndef SLUICE_COLLECT_SHARED_H
#define SLUICE_COLLECT_SHARED_H

#include "user/attach.h"

struct shared_state {
	uint64_t cuts;	    /* walks that were cut short, as counted when the last look began */
	uint64_t looked_ns; /* when that was */
	uint64_t whole_ns;  /* when all was looked at, not only what had become shared since */
};

/* Once per interval, before the edges are read. Looks again at who has what lately became shared; at everything after a
 * walk was cut short, and every half a minute. `gone` hears of each object that is no more. */
int shared_look(struct engine *e, struct shared_state *s, uint64_t now_ns,
		void (*gone)(void *arg, const struct object *what), void *arg);

#endif
