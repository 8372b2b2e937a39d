/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The bpf() calls on maps, as libbpf has them: 0, or a negative errno, which errno has too. While one runs, the kernel
 * runs no program of a perf event on that processor (bpf_disable_instrumentation(), include/linux/bpf.h), and those are
 * what a kernel that preempts tracepoints leaves us (user/preemption.h). A task preempted in such a call would make
 * everybody's calls there go unseen until its next turn: for its length the caller cannot be preempted.
 */
#ifndef SLUICE_MAP_CALL_H
#define SLUICE_MAP_CALL_H

#include <stdbool.h>
#include <stdint.h>

/* For the whole process: whether that is needed. */
void map_call_guard(bool on);

int map_lookup(int fd, const void *key, void *value);
int map_update(int fd, const void *key, const void *value, uint64_t flags);
int map_delete(int fd, const void *key);
int map_take(int fd, const void *key, void *value); /* lookup and delete in one, where the kernel has it */

#endif
