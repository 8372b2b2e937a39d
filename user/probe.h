/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What this kernel allows, found by trying it. */
#ifndef SLUICE_PROBE_H
#define SLUICE_PROBE_H

#include "user/plan.h"

/* Loads and attaches every program alone, for a moment. Never fails: what can't be done is in the facts. */
void probe_kernel(struct facts *ret);

/* The same, leaving out what the wish has no use for: the tracepoints where trampolines will be taken, and the other
 * way round. What was not tried says -ECANCELED. */
void probe_wanted(enum wish wish, struct facts *ret);

/* Path where cgroup v2 is mounted, from /proc/self/mountinfo; "" if nowhere. */
void probe_cgroup2(char *ret, size_t n);

#endif
