/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The short way of core/uring.bpf.h. Included by exactly one object, the one that may name a kfunc. */
#ifndef SLUICE_URING_READ_BPF_H
#define SLUICE_URING_READ_BPF_H

#include "core/ledger.bpf.h"
#include "core/uring.bpf.h"

/* Workers and the thread that polls the queue are threads of the process whose request it is: its subject is theirs. */
static __always_inline bool is_ours(__u64 req)
{
	__u64 task = 0, tctx;
	__s32 tgid;

	if (bpf_core_field_exists(struct io_kiocb___old, task)) {
		READ(task, struct io_kiocb___old, req, task);
	} else {
		READ(tctx, struct io_kiocb___new, req, tctx);
		if (tctx)
			READ(task, struct io_uring_task___new, tctx, task);
	}
	if (!task)
		return false;
	READ(tgid, struct task_struct, task, tgid);
	return tgid == (__s32)(bpf_get_current_pid_tgid() >> 32);
}

static __always_inline enum uring_want want_of_read(__u64 req)
{
	bool derived = false;
	__u64 file, inode;
	__u16 mode;
	__u8 tag;

	READ(file, struct io_kiocb, req, file);
	if (!file)
		return WANT_NOTHING;
	READ(inode, struct file, file, f_inode);
	if (!inode)
		return WANT_NOTHING;
	READ(mode, struct inode, inode, i_mode);
	if ((mode & S_IFMT) != S_IFREG)
		return WANT_CLOSER;
	tag = file_tag(file, inode, &derived);
	if (!tag && !(derived && any_taint))
		return WANT_NOTHING;
	return tag != TAG_MEMORY && is_ours(req) ? WANT_READ : WANT_CLOSER;
}

__noinline int uring_want(__u64 req)
{
	__s32 res;
	__u8 op;

	READ(op, struct io_kiocb, req, opcode);
	if (op >= URING_OPS || uring_kinds[op] == U_OTHER)
		return WANT_NOTHING;
	if (uring_kinds[op] != U_READ)
		return WANT_CLOSER;
	/* the request's own: the copy in the ring is memory that the process can write */
	READ(res, struct io_kiocb, req, cqe.res);
	return res > 0 ? want_of_read(req) : WANT_NOTHING;
}

__noinline __u64 uring_read(__u64 req)
{
	bool memory = false;
	__u64 file, inode;
	__s32 res;

	READ(res, struct io_kiocb, req, cqe.res);
	READ(file, struct io_kiocb, req, file);
	if (!file || res <= 0)
		return 0;
	READ(inode, struct file, file, f_inode);
	return inode ? regular_read(current_task(), file, inode, res, &memory) : 0;
}

#endif
