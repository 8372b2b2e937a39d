/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef SLUICE_PREEMPTION_H
#define SLUICE_PREEMPTION_H

#include <stdbool.h>

/* Does this kernel preempt BPF programs on tracepoints (f7d327654b88, "bpf: Have __bpf_trace_run() use
 * rcu_read_lock_dont_migrate()", 7.0)? Found by attaching one for a moment that looks. 0 or a negative errno. */
int preemption_find(bool *ret);

/* Does it preempt what runs in the kernel, programs on trampolines among them? By its own word: the mode it was booted with or
 * switched to; where that cannot be had (debugfs locked down), by how it was built. */
bool preemption_of_kernel(void);

/* The same of what they say: the text of sched/preempt in debugfs ("none (voluntary) full"; NULL: not known), and uname's
 * version ("#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2"). */
bool preemption_told(const char *modes, const char *version);

#endif
