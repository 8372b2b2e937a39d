// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * Set B: where trampolines are refused. System calls are looked at when they return, so that bytes are
 * what was returned and the descriptor's file, not the caller's memory, says what was read.
 */
#define SLUICE_CAST
#include "core/ledger.bpf.h"
#include "core/identity.bpf.h"

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

/* The rare calls, each out of line: stacks of a chain of calls add up. */
static __noinline int mapped(__u64 task, struct pt_regs *regs, bool compat)
{
	__u64 fd = (__u32)regs_arg(regs, 4, compat), file;

	if ((__s32)fd < 0)
		return 0; /* anonymous */
	file = file_of(task, fd);
	if (file)
		map_done(task, file, regs_arg(regs, 1, compat), 0);
	return 0;
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

static __always_inline int rare_call(__u64 task, struct pt_regs *regs, long ret, __u8 op, bool compat)
{
	if (op == OP_MMAP)
		return mapped(task, regs, compat);
	if (op == OP_ACCEPT)
		return accepted(task, ret);
	if (op == OP_MOVE)
		names_changed();
	else if (any_taint && op == OP_PIPE)
		descriptors_added(task);
	else if (any_taint && op == OP_OPEN)
		return opened(task, ret);
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
