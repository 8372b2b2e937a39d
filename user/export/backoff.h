/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* How long to wait before the next try: full jitter, so that hosts that failed together do not come back together. Pure. */
#ifndef SLUICE_BACKOFF_H
#define SLUICE_BACKOFF_H

#include "user/export/aws.h"

struct backoff {
	unsigned tries; /* that failed one after the other */
	enum aws_outcome last;
};

/* After a call ended so; 0: go on at once, and all is forgotten. `random`: any 64 bits. Nanoseconds. */
uint64_t backoff_next(struct backoff *b, enum aws_outcome outcome, uint64_t random);

/* The most that a wait after this outcome can be; 0: there is none. */
uint64_t backoff_cap(enum aws_outcome outcome);

/* 64 bits, good enough to spread hosts. */
uint64_t backoff_random(void);

#endif
