/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Work that may take so much processor time now, and goes on later. */
#ifndef SLUICE_PACE_H
#define SLUICE_PACE_H

#include "user/util.h"

#define PACE_LOOK 64	/* pieces between two looks at the clock */
#define PACE_LEAST 256	/* pieces that are done in any case, however long they take: there is always progress */

struct pace {
	uint64_t until_ns; /* of the thread's clock */
	unsigned done;	   /* pieces */
	bool limited;
};

/* From now on; `budget_ns` of this thread's processor time, 0: no limit. */
void pace_begin(struct pace *p, uint64_t budget_ns);

/* A piece is done: was it the last for now? */
bool pace_spent(struct pace *p);

#endif
