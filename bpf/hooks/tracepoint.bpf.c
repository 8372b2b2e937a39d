// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * Set B: where trampolines are refused. System calls are looked at when they return, so that bytes are
 * what was returned and the descriptor's file, not the caller's memory, says what was read.
 */
#define SLUICE_CAST
#include "core/ledger.bpf.h"
#include "core/identity.bpf.h"
#include "core/calls.bpf.h"

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

	/* bpf_find_vma: 7c7e3d31e785, 5.17, as bpf_loop. It waits for no lock: a mapping it could not look at is counted. */
	if (!have_loop)
		return 0;
	if (bpf_find_vma(bpf_get_current_task_btf(), *at, mapping_found, &m, 0)) {
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
static __noinline int attached(__u64 task, __u64 at, __u64 call, __u8 op)
{
	if (!any_taint || (op == OP_IPC && (call & 0xffff) != SHMAT))
		return 0;
	return op == OP_IPC ? share(plain(task), task_mask(task), 0) : share_mapped(plain(task), at);
}

static __noinline int opened(__u64 task, long fd)
{
	__u64 file = file_of(task, fd);

	if (file)
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

static __noinline int socket_called(__u64 task, __u32 call, long ret)
{
	if (call == SYS_SOCKET && any_taint)
		return opened(task, ret);
	if (call == SYS_ACCEPT || call == SYS_ACCEPT4)
		return accepted(task, ret);
	return 0;
}

static __always_inline bool is_clone(struct pt_regs *regs, bool compat)
{
	__u32 request = regs_arg(regs, 1, compat);

	return request == FICLONE || request == FICLONERANGE;
}

/* Only what a tainted subject does, or what is done to one, matters. */
static __always_inline int tainted_call(__u64 task, struct pt_regs *regs, long ret, __u8 op, bool compat)
{
	if (op == OP_OPEN)
		return opened(task, ret);
	if (op == OP_PIPE)
		descriptors_added(task);
	else if (op == OP_PEEK)
		return peek_called(plain(task), regs_arg(regs, 0, compat));
	else if (op == OP_PTRACE)
		return ptrace_called(plain(task));
	return 0;
}

static __always_inline int rare_call(__u64 task, struct pt_regs *regs, long ret, __u8 op, bool compat)
{
	if (op == OP_IOCTL && !is_clone(regs, compat))
		return 0;
	if (op >= OP_SPLICE && op <= OP_IOCTL)
		return moved(task, regs, ret, op, compat);
	if (op == OP_MMAP || op == OP_REMAP || op == OP_REFILE)
		return mapped(task, regs, ret, op, compat);
	if (op == OP_SHMAT || op == OP_IPC)
		return attached(task, ret, regs_arg(regs, 0, compat), op);
	if (op == OP_ACCEPT)
		return accepted(task, ret);
	if (op == OP_SOCKETCALL)
		return socket_called(task, regs_arg(regs, 0, compat), ret);
	if (op == OP_MOVE)
		names_changed();
	else if (any_taint)
		return tainted_call(task, regs, ret, op, compat);
	return 0;
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(on_sys_exit, struct pt_regs *regs, long ret)
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

char LICENSE[] SEC("license") = "Dual MIT/GPL";
