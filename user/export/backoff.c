/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/export/backoff.h"

#include <sys/random.h>

#define MS (NSEC / 1000)

/* A wait is at least `least`, and drawn from nothing to base * 2^tries, `cap` at most. Rights do not come back in seconds, but
 * a person who mends them does not want to wait for an hour. */
static const struct {
	uint64_t least, base, cap;
} kinds[] = {
    [AWS_DONE] = {0, 0, 0},
    [AWS_AGAIN] = {50 * MS, NSEC, 20 * NSEC},
    [AWS_THROTTLED] = {500 * MS, 2 * NSEC, 60 * NSEC},
    [AWS_DENIED] = {10 * NSEC, 30 * NSEC, 600 * NSEC},
    [AWS_NO_CREDENTIALS] = {5 * NSEC, 10 * NSEC, 300 * NSEC},
    [AWS_MISSING] = {0, 0, 0}, /* the caller makes it, or takes it as refused */
    [AWS_EXISTS] = {0, 0, 0},
    [AWS_REFUSED] = {0, 0, 0},
};

uint64_t backoff_cap(enum aws_outcome outcome)
{
	return kinds[outcome].cap;
}

/* A part of `most`, as `random` is one of 2^64. */
static uint64_t part_of(uint64_t most, uint64_t random)
{
	return (uint64_t)(((unsigned __int128)most * random) >> 64);
}

uint64_t backoff_next(struct backoff *b, enum aws_outcome outcome, uint64_t random)
{
	uint64_t most, wait;

	if (!kinds[outcome].cap) {
		*b = (struct backoff){.last = outcome};
		return 0;
	}
	if (b->last != outcome)
		b->tries = 0; /* another trouble has another pace */
	b->last = outcome;
	most = b->tries < 16 ? MIN(kinds[outcome].base << b->tries, kinds[outcome].cap) : kinds[outcome].cap;
	if (b->tries < 16)
		b->tries++;
	wait = part_of(most, random);
	return MAX(wait, kinds[outcome].least);
}

uint64_t backoff_random(void)
{
	uint64_t random = 0;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
		random = now_boot_ns() * 0x9e3779b97f4a7c15ULL;
	return random;
}
