/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What this kernel allows, found by trying it. */
#ifndef SLUICE_PROBE_H
#define SLUICE_PROBE_H

#include "user/plan.h"

/* Loads and attaches every program alone, for a moment. Never fails: what can't be done is in the facts. */
void probe_kernel(struct facts *ret);

/* Path where cgroup v2 is mounted, from /proc/self/mountinfo; "" if nowhere. */
void probe_cgroup2(char *ret, size_t n);

#endif
