// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * Set B: where trampolines are refused. System calls are looked at when they return, so that bytes are
 * what was returned and the descriptor's file, not the caller's memory, says what was read.
 */
#define SLUICE_CAST
#include "core/ledger.bpf.h"
#include "core/identity.bpf.h"
#include "core/calls.bpf.h"
#include "core/ml.bpf.h"
#include "core/uring_read.bpf.h"

static __always_inline __u64 file_of(__u64 task, __u64 fd)
{
	__u64 files, fdt, fds, file = 0;
	__u32 max;

	READ_TASK(files, struct task_struct, task, files);
	if (!files)
		return 0;
	READ_TASK(fdt, struct files_struct, files, fdt);
	READ_TASK(max, struct fdtable, fdt, max_fds);
	READ_TASK(fds, struct fdtable, fdt, fd);
	if (fd >= max)
		return 0;
	fds += 8 * fd;
	/* a slot of the table, seen as a struct that begins with a struct file *: a plain load, and typed */
	if (have_cast)
		READ(file, struct kiocb, fds - bpf_core_field_offset(struct kiocb, ki_filp), ki_filp);
	else
		bpf_probe_read_kernel(&file, sizeof(file), (void *)fds);
	return file;
}

#ifndef SLUICE_OLD_KERNEL
struct mapping {
	__u64 file, start; /* start: of the file, were it mapped from there on */
};

static long mapping_found(struct task_struct *task, struct vm_area_struct *vma, struct mapping *m)
{
	m->file = (__u64)vma->vm_file;
	m->start = vma->vm_start - (vma->vm_pgoff << 12);
	return 0;
}
#endif

/* The file that is mapped at `at`; `at` becomes how far into it that is. Out of line, to be off the stack soon. */
static __noinline __u64 mapped_at(__u64 *at)
{
#ifndef SLUICE_OLD_KERNEL
	/* filled with something unknown: up to 6.1 the verifier takes it to stay what it was */
	struct mapping m = {.file = *at, .start = *at};

	/* bpf_find_vma: 7c7e3d31e785, 5.17, as bpf_loop. It waits for no lock: a mapping it could not look at is counted,
	 * but not of who holds nothing, and so maps nothing, of a dataset. */
	if (!have_loop)
		return 0;
	if (bpf_find_vma(bpf_get_current_task_btf(), *at, mapping_found, &m, 0)) {
		if (any_taint && task_mask(current_task()))
			lose(LOSS_NO_FILE);
		return 0;
	}
	*at -= m.start;
	return m.file;
#else
	return 0;
#endif
}

/* The rare calls, each out of line: stacks of a chain of calls add up. */
static __noinline int mapped(__u64 task, struct pt_regs *regs, __u64 at, __u8 op, bool compat)
{
	__u64 length = regs_arg(regs, 1, compat), start = at, file;

	if (op == OP_MMAP) {
		__u64 fd = (__u32)regs_arg(regs, 4, compat);

		file = (__s32)fd < 0 ? 0 : file_of(task, fd); /* -1: anonymous */
		at = 0;
		if (file)
			ml_look(plain(task), plain(file), regs_arg(regs, 2, compat));
	} else {
		if (op == OP_REMAP) {
			__u64 new = regs_arg(regs, 2, compat);

			if (new <= length)
				return 0;
			at += length; /* a length of 0 asks for a second mapping of the same */
			length = new - length;
		} else {
			at = regs_arg(regs, 0, compat);
		}
		file = mapped_at(&at);
	}
	if (!file)
		return 0;
	if (op == OP_MMAP && regs_arg(regs, 3, compat) & MAP_SHARED) {
		at |= OF_SHARED;
		map_shared(task, file, start);
	}
	map_done(task, file, length, at);
	return 0;
}

/* i386 has the address in the caller's memory, where another thread can change it. */
static __noinline int attached(__u64 task, __u64 at, __u8 op)
{
	if (!any_taint)
		return 0;
	return op == OP_IPC ? share(plain(task), task_mask(task), 0) : share_mapped(plain(task), at);
}

#define NR_PIDFD_GETFD 438 /* everywhere: gives a file that was opened before */

/* `made`: the file is new, too. */
static __noinline int opened(__u64 task, long fd, bool made)
{
	__u64 file = file_of(task, fd), inode;
	__u32 dev;

	if (!file)
		return 0;
	READ(inode, struct file, file, f_inode);
	READ(dev, struct inode, inode, i_rdev);
	if (made && dev == PTMX_DEVICE)
		pty_made(plain(file));
	descriptor_added(task, file);
	return 0;
}

static __noinline int accepted(__u64 task, long fd)
{
	__u64 file = file_of(task, fd), sk;
	__u16 proto;

	sk = file ? socket_of(file) : 0;
	if (!sk)
		return 0;
	READ(proto, struct sock, sk, sk_protocol);
	if (proto == IPPROTO_TCP)
		tcp_accepted(task, sk);
	else if (any_taint)
		descriptor_added(task, file);
	return 0;
}

/* From file to file. The rest of these calls is in other objects, which take plain numbers. */
static __always_inline int moved(__u64 task, struct pt_regs *regs, long ret, __u8 op, bool compat)
{
	__u64 a = regs_arg(regs, 0, compat), b = regs_arg(regs, 1, compat), c = regs_arg(regs, 2, compat);

	task = plain(task);
	if (op == OP_IOCTL)
		return clone_called(task, b, a, c);
	if (!ret)
		return 0;
	if (op == OP_SPLICE)
		return move_called(task, a, c, ret);
	if (op == OP_TEE)
		return move_called(task, a, b, ret);
	if (op == OP_SENDFILE)
		return move_called(task, b, a, ret);
	return vmsplice_called(task, a, ret);
}

/* Only once something is tainted. The file is asked for what it is: another thread may have replaced it. */
static __noinline int socket_used(__u64 task, __u64 fd, long ret, __u8 op)
{
	__u64 file = file_of(task, (__u32)fd), inode, mask;
	__u16 mode = 0;

	if (file)
		READ(inode, struct file, file, f_inode);
	if (file && inode)
		READ(mode, struct inode, inode, i_mode);
	if ((mode & S_IFMT) != S_IFSOCK) {
		if (ret || op != OP_RECV) /* a message without bytes may bring descriptors */
			lose(LOSS_NO_FILE);
		return 0;
	}
	mask = socket_passed(task, file, ret, op);
	return mask ? taint_task(plain(task), mask, VIA_READ) : 0;
}

/* i386's way to make all socket calls. Its arguments lie in the caller's memory: another thread of it could change
 * them before they are read here. */
static __noinline int socket_called(__u64 task, __u32 call, long ret, __u64 args)
{
	static const __u8 ops[] = {
		[SYS_SEND] = OP_SEND, [SYS_SENDTO] = OP_SENDMSG, [SYS_SENDMSG] = OP_SENDMSG, [SYS_SENDMMSG] = OP_SENDMMSG,
		[SYS_RECV] = OP_RECV, [SYS_RECVFROM] = OP_RECV, [SYS_RECVMSG] = OP_RECVMSG, [SYS_RECVMMSG] = OP_RECVMMSG,
	};
	__u32 fd = 0;

	if (call == SYS_SOCKET)
		return opened(task, ret, true);
	if (call == SYS_SOCKETPAIR) {
		descriptors_added(task);
		return 0;
	}
	if (call >= sizeof(ops) || bpf_probe_read_user(&fd, sizeof(fd), (void *)args))
		return 0;
	if (call == SYS_CONNECT)
		return opened(task, fd, false);
	return ops[call] ? socket_used(task, fd, ret, ops[call]) : 0;
}

static __always_inline bool is_clone(struct pt_regs *regs, bool compat)
{
	__u32 request = regs_arg(regs, 1, compat);

	return request == FICLONE || request == FICLONERANGE;
}

static __noinline int queue_used(__u64 task, struct pt_regs *regs, long ret, __u8 op, bool compat)
{
	__u64 call = regs_arg(regs, 0, compat), queue = call, mask;

	if (op == OP_IPC) {
		call &= 0xffff;
		op = call == IPC_MSGSND ? OP_MSGSND : OP_MSGRCV;
		queue = regs_arg(regs, 1, compat);
		if (call != IPC_MSGSND && call != IPC_MSGRCV)
			return 0;
	}
	if (op == OP_MQ_SEND || op == OP_MSGSND)
		ret = regs_arg(regs, 2, compat);
	mask = queue_called(plain(task), queue, ret, op);
	return mask ? taint_task(plain(task), mask, VIA_READ) : 0;
}

/* Only what a tainted subject does, or what is done to one, matters. */
static __always_inline int tainted_call(__u64 task, struct pt_regs *regs, long ret, __u8 op, bool compat)
{
	if (is_socket_op(op))
		return socket_used(task, regs_arg(regs, 0, compat), ret, op);
	if (op >= OP_MQ_SEND)
		return queue_used(task, regs, ret, op, compat);
	if (op == OP_OPEN)
		return opened(task, ret, regs_nr(regs) != NR_PIDFD_GETFD);
	if (op == OP_CONNECT)
		return opened(task, (__u32)regs_arg(regs, 0, compat), false);
	if (op == OP_PIPE)
		descriptors_added(task);
	else if (op == OP_PEEK)
		return peek_called(plain(task), regs_arg(regs, 0, compat));
	else if (op == OP_PTRACE)
		return ptrace_called(plain(task));
	return 0;
}

static __always_inline bool is_accept(__u32 call)
{
	return call == SYS_ACCEPT || call == SYS_ACCEPT4;
}

static __always_inline int rare_call(__u64 task, struct pt_regs *regs, long ret, __u8 op, bool compat)
{
	if (op == OP_IOCTL && !is_clone(regs, compat))
		return 0;
	if (is_socket_op(op))
		return any_taint ? tainted_call(task, regs, ret, op, compat) : 0;
	if (op >= OP_SPLICE && op <= OP_IOCTL)
		return moved(task, regs, ret, op, compat);
	if (op == OP_MMAP || op == OP_REMAP || op == OP_REFILE)
		return mapped(task, regs, ret, op, compat);
	if (op == OP_SHMAT || (op == OP_IPC && (regs_arg(regs, 0, compat) & 0xffff) == SHMAT))
		return attached(task, ret, op);
	if (op == OP_ACCEPT || (op == OP_SOCKETCALL && is_accept(regs_arg(regs, 0, compat))))
		return accepted(task, ret);
	if (op == OP_SOCKETCALL && any_taint)
		return socket_called(task, regs_arg(regs, 0, compat), ret, regs_arg(regs, 1, compat));
	if (op == OP_MOVE)
		names_changed();
	else if (any_taint)
		return tainted_call(task, regs, ret, op, compat);
	return 0;
}

static __always_inline int called(struct pt_regs *regs, long ret)
{
	__u32 nr = regs_nr(regs);
	__u64 task, file;
	bool compat;
	__u8 op;

	if (nr >= SYSCALLS || (ret < 0 && ret >= -4095))
		return 0;
	task = current_task();
	compat = task_is_compat(task);
	op = compat ? op_of_compat[nr] : op_of[nr];
	if (op == OP_NONE)
		return 0;
	if (op != OP_READ && op != OP_WRITE)
		return rare_call(task, regs, ret, op, compat);
	if (!ret || (op == OP_WRITE && !any_taint))
		return 0;
	file = file_of(task, (__u32)regs_arg(regs, 0, compat));
	if (!file)
		lose(LOSS_NO_FILE);
	else if (op == OP_READ)
		read_done(task, file, ret);
	else
		write_done(task, file, ret);
	return 0;
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(on_sys_exit, struct pt_regs *regs, long ret)
{
	return called(regs, ret);
}

#ifndef SLUICE_OLD_KERNEL
SEC("?tracepoint/raw_syscalls/sys_exit")
int steady_sys_exit(struct trace_event_raw_sys_exit *ctx)
{
	/* 5.15, before any kernel that wants this program: dd6e10fbd9fb */
	return called((struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf()), ctx->ret);
}
#endif

char LICENSE[] SEC("license") = "Dual MIT/GPL";
