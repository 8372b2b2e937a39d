/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The rare half of the system calls, each function defined in one object and linked to the others. They take
 * plain addresses and numbers, so that each is verified once. */
#ifndef SLUICE_CALLS_BPF_H
#define SLUICE_CALLS_BPF_H

#include "core/maps.bpf.h"

/* include/uapi/linux/fs.h */
#define FICLONE 0x40049409
#define FICLONERANGE 0x4020940d

/* include/uapi/linux/ipc.h */
#define IPC_MSGSND 11
#define IPC_MSGRCV 12

/* include/uapi/linux/net.h */
#define SYS_SOCKET 1
#define SYS_CONNECT 3
#define SYS_ACCEPT 5
#define SYS_SOCKETPAIR 8
#define SYS_SEND 9
#define SYS_RECV 10
#define SYS_SENDTO 11
#define SYS_RECVFROM 12
#define SYS_SENDMSG 16
#define SYS_RECVMSG 17
#define SYS_ACCEPT4 18
#define SYS_RECVMMSG 19
#define SYS_SENDMMSG 20

/* include/uapi/linux/ipc.h */
#define SHMAT 21

/* move.bpf.c. Bytes went from one open file into another. */
int move_done(__u64 task, __u64 in_file, __u64 out_file, __u64 bytes);

/* The same by descriptors of `task`. */
int move_called(__u64 task, __u64 in_fd, __u64 out_fd, __u64 bytes);
int clone_called(__u64 task, __u64 request, __u64 fd, __u64 arg);
int vmsplice_called(__u64 task, __u64 fd, __u64 bytes);

/* unix.bpf.c. What is written on this socket may be of these datasets from now on. */
int unix_mark(__u64 sk, __u64 mask);

/* The datasets that what waits to be read from a socket may belong to; of one that is no unix socket none. */
__u64 unix_holds(__u64 sk);

/* Set B: as socket_passed(). Returns the datasets that `task` has to be tainted with. */
__u64 unix_passed(__u64 task, __u64 sk, __u64 n, __u32 op);

/* queue.bpf.c. Set B: a message of so many bytes went into a queue or came out of one. Returns the same. */
__u64 queue_called(__u64 task, __u32 queue, __u64 bytes, __u32 op);

/* peek.bpf.c. `task` gained access to the memory of a process, by its number as `task` counts them. */
int peek_called(__u64 task, __u64 pid);

/* `task` traces others. */
int ptrace_called(__u64 task);

#endif
