/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What this kernel allows, found by trying it. */
#ifndef SLUICE_PROBE_H
#define SLUICE_PROBE_H

#include "user/plan.h"

/* Loads and attaches every program for a moment. Never fails: what can't be done is in the facts. */
void probe_kernel(struct facts *ret);

/* What can be told without loading all of them; the rest is taken to load until it is refused: see start.h. */
void probe_guess(enum wish wish, struct facts *ret);

/* Path where cgroup v2 is mounted, from /proc/self/mountinfo; "" if nowhere. */
void probe_cgroup2(char *ret, size_t n);

#endif
