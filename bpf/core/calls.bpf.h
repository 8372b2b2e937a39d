/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The rare half of the system calls, each function defined in one object and linked to the others. They take
 * plain addresses and numbers, so that each is verified once. */
#ifndef SLUICE_CALLS_BPF_H
#define SLUICE_CALLS_BPF_H

#include "core/maps.bpf.h"

/* include/uapi/linux/fs.h */
#define FICLONE 0x40049409
#define FICLONERANGE 0x4020940d

/* include/uapi/linux/net.h */
#define SYS_SOCKET 1
#define SYS_ACCEPT 5
#define SYS_ACCEPT4 18

/* include/uapi/linux/ipc.h */
#define SHMAT 21

/* move.bpf.c. Bytes went from one open file into another. */
int move_done(__u64 task, __u64 in_file, __u64 out_file, __u64 bytes);

/* The same by descriptors of `task`. */
int move_called(__u64 task, __u64 in_fd, __u64 out_fd, __u64 bytes);
int clone_called(__u64 task, __u64 request, __u64 fd, __u64 arg);
int vmsplice_called(__u64 task, __u64 fd, __u64 bytes);

/* peek.bpf.c. `task` gained access to the memory of a process, by its number as `task` counts them. */
int peek_called(__u64 task, __u64 pid);

/* `task` traces others. */
int ptrace_called(__u64 task);

#endif
