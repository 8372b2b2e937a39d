/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Between the canaries (canary.c) and their owner (canaries.c): the memory they share, and waiting.
 */
#ifndef SLUICE_CANARY_INTERNAL_H
#define SLUICE_CANARY_INTERNAL_H

#include "user/canary.h"

enum phase { PHASE_BEGUN, PHASE_EARLY, PHASE_GO, PHASE_DONE, PHASE_END };

struct shared {
	_Atomic uint32_t phase; /* a futex */
	int32_t err;		/* why the preparation failed */
	uint64_t step_ns, total_ns;
	struct canary_note notes[CANARY_STEPS_MAX];
};

/* The process that keeps the others. */
struct keeper {
	struct shared *shared;
	struct canary canary;
	const struct canary_step *steps;
	size_t n;
	uint64_t end_ns;
};

/* In the keeper's process, a child of `monitor`. */
_Noreturn void keeper_run(struct keeper *k, pid_t monitor);

uint64_t now_mono_ns(void);
void futex_set(_Atomic uint32_t *at, uint32_t value);

/* Has this child ended? It is taken in then. */
bool child_ended(pid_t pid, int *ret_status);

/* Waits until *at is at least `value`. -ETIMEDOUT; -ECHILD: the child `pid` (0: none) ended first,
 * with *ret_status. */
int futex_reach(_Atomic uint32_t *at, uint32_t value, uint64_t limit_ns, pid_t pid,
		int *ret_status);

#endif
