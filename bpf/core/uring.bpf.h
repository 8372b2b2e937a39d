/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What a request of io_uring is, and a short way through what is asked most: was this a read of a tagged file? */
#ifndef SLUICE_URING_BPF_H
#define SLUICE_URING_BPF_H

#include "core/compat.bpf.h"

enum uring_kind {
	U_OTHER = 0,
	U_READ,
	U_REPEAT, /* READ_MULTISHOT: a completion for each piece, of which only the last names the request */
	U_WRITE,
	U_SEND,
	U_SPLICE,
	U_TEE,
	U_NAMES,
	U_OPEN,
	U_SOCKET,
	U_ACCEPT,
	U_INSTALL, /* a file of the ring's own table gets a descriptor */
	U_PIPE,
	U_CONNECT,
	U_RECV, /* may give a completion for each piece, as U_REPEAT */
};

#define URING_OPS 64
#define URING_RECVMSG 10

/* enum io_uring_op, include/uapi/linux/io_uring.h */
static const __u8 uring_kinds[URING_OPS] = {
	[1] = U_READ,	  [4] = U_READ,	     [22] = U_READ,   [60] = U_READ,   [49] = U_REPEAT,
	[2] = U_WRITE,	  [5] = U_WRITE,     [23] = U_WRITE,  [61] = U_WRITE,
	[9] = U_SEND,	  [26] = U_SEND,     [47] = U_SEND,   [48] = U_SEND,
	[30] = U_SPLICE,  [33] = U_TEE,	     [35] = U_NAMES,  [39] = U_NAMES,
	[18] = U_OPEN,	  [28] = U_OPEN,     [45] = U_SOCKET, [13] = U_ACCEPT,
	[54] = U_INSTALL, [62] = U_PIPE,     [16] = U_CONNECT, [10] = U_RECV,  [27] = U_RECV,
};

/* The vectored ones carry a number of parts where the others have a length. */
#define URING_VECTORED (1ULL << 1 | 1ULL << 2 | 1ULL << 60 | 1ULL << 61)

/* IOSQE_*_BIT, which the request's flags begin with */
#define REQ_FIXED_FILE 1
#define REQ_BUFFER_SELECT (1 << 5)
#define REQ_CQE_SKIP (1 << 6)
#define SPLICE_FD_IN_FIXED (1u << 31)
#define CQE_HAS_BUFFER 1
#define MAX_RW_COUNT 0x7ffff000

/* b6f58a3f4aa8 ("io_uring: move struct io_kiocb from task_struct to io_uring_task"), 6.13 */
struct io_uring_task___new {
	struct task_struct *task;
} __attribute__((preserve_access_index));
struct io_kiocb___new {
	struct io_uring_task___new *tctx;
} __attribute__((preserve_access_index));
struct io_kiocb___old {
	struct task_struct *task;
} __attribute__((preserve_access_index));

static __always_inline __u64 uring_task(__u64 req)
{
	__u64 task = 0, tctx;

	if (bpf_core_field_exists(struct io_kiocb___old, task)) {
		READ_PROBE(task, struct io_kiocb___old, req, task);
		return task;
	}
	READ_PROBE(tctx, struct io_kiocb___new, req, tctx);
	if (tctx)
		READ_PROBE(task, struct io_uring_task___new, tctx, task);
	return task;
}

/* What a request that is done wants. */
enum uring_want {
	WANT_NOTHING,
	WANT_CLOSER, /* a look at all there is to it */
	WANT_READ,   /* uring_read(), and its reader is who runs */
};

/*
 * Nearly all requests are reads of files in no dataset, so these two are in the object that may name a kfunc: there
 * fields of a bare address are plain loads (have_cast). enum uring_want of a request that is done.
 */
int uring_want(__u64 req);

/* Accounts the read; the datasets that the task has to be tainted with. */
__u64 uring_read(__u64 req);

#endif
