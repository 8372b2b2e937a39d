// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* Bytes that go from file to file inside the kernel, for both sets. */
#define SLUICE_PLAIN
#include "core/move.bpf.h"
#include "core/calls.bpf.h"

/* --- for other hooks --------------------------------------------------------- */

__noinline int move_done(__u64 task, __u64 in, __u64 out, __u64 bytes)
{
	return end_move(task, in, out, bytes);
}


/* struct file_clone_range, include/uapi/linux/fs.h, without its end, for the stack's sake */
struct clone_range {
	__s64 src_fd;
	__u64 src_offset;
	__u64 src_length;
};

/* A clone shares blocks: what the source has from `offset` on is in the copy now. */
static __always_inline int cloned(__u64 task, __u64 in, __u64 out, __u64 offset, __u64 length)
{
	__u64 inode = 0, size = 0;

	if (!in)
		return 0;
	READ_PROBE(inode, struct file, in, f_inode);
	READ_PROBE(size, struct inode, inode, i_size);
	size = size > offset ? size - offset : 0;
	if (!length || length > size)
		length = size;
	return length ? end_move(task, in, out, length) : 0;
}

__noinline int clone_called(__u64 task, __u64 request, __u64 fd, __u64 arg)
{
	struct clone_range range = {.src_fd = (__s32)arg};

	if ((__u32)request == FICLONERANGE)
		bpf_probe_read_user(&range, sizeof(range), (void *)arg);
	return cloned(task, file_at(task, (__u32)range.src_fd), file_at(task, (__u32)fd), range.src_offset,
		      range.src_length);
}

__noinline int move_called(__u64 task, __u64 in_fd, __u64 out_fd, __u64 bytes)
{
	return end_move(task, file_at(task, (__u32)in_fd), file_at(task, (__u32)out_fd), bytes);
}

/* Memory into a pipe, or out of one: the end of the pipe tells. */
__noinline int vmsplice_called(__u64 task, __u64 fd, __u64 bytes)
{
	__u64 file = file_at(task, (__u32)fd);
	__u32 mode = 0;

	if (!file)
		return 0;
	READ_PROBE(mode, struct file, file, f_mode);
	if (mode & FMODE_WRITE)
		write_done(task, file, bytes);
	else
		read_done(task, file, bytes);
	return 0;
}

/* --- set B: before the bytes move -------------------------------------------- */

/* as /sys/kernel/tracing/events/syscalls/sys_enter_splice/format has it */
struct call_begins {
	__u64 common;
	__s32 nr, unused;
	__u64 args[6];
};

static __always_inline int begins(__u32 in_fd, __u32 out_fd)
{
	__u64 task = current_task();

	return begin_move(task, file_at(task, in_fd), file_at(task, out_fd));
}

/* One for all four calls (SL_ALSO_AT): what it walks takes the kernel long to verify. */
SEC("?tracepoint/syscalls/sys_enter_splice")
int enter_move(struct call_begins *ctx)
{
	__u32 a = ctx->args[0], b = ctx->args[1], c = ctx->args[2];
	__u32 nr = ctx->nr;
	__u8 op = nr < SYSCALLS ? op_of[nr] : OP_NONE;

	begins(op == OP_SENDFILE ? b : a, op == OP_SENDFILE ? a : op == OP_TEE ? b : c);
	return 0;
}

/* --- set A ------------------------------------------------------------------- */

SEC("?fentry/do_splice")
int BPF_PROG(a_splice_begins, struct file *in, loff_t *off_in, struct file *out)
{
	begin_move(current_task(), plain((__u64)in), plain((__u64)out));
	return 0;
}

SEC("?fexit/do_splice")
int BPF_PROG(a_splice, struct file *in, loff_t *off_in, struct file *out, loff_t *off_out, size_t len,
	     unsigned int flags, long ret)
{
	if (ret > 0)
		end_move(current_task(), plain((__u64)in), plain((__u64)out), ret);
	return 0;
}

SEC("?fentry/do_tee")
int BPF_PROG(a_tee_begins, struct file *in, struct file *out)
{
	begin_move(current_task(), plain((__u64)in), plain((__u64)out));
	return 0;
}

SEC("?fexit/do_tee")
int BPF_PROG(a_tee, struct file *in, struct file *out, size_t len, unsigned int flags, long ret)
{
	if (ret > 0)
		end_move(current_task(), plain((__u64)in), plain((__u64)out), ret);
	return 0;
}

SEC("?fentry/do_sendfile")
int BPF_PROG(a_sendfile_begins, int out_fd, int in_fd)
{
	begins(in_fd, out_fd);
	return 0;
}

SEC("?fexit/do_sendfile")
int BPF_PROG(a_sendfile, int out_fd, int in_fd, loff_t *pos, size_t count, loff_t max, long ret)
{
	if (ret > 0)
		move_called(current_task(), in_fd, out_fd, ret);
	return 0;
}

SEC("?fentry/vfs_copy_file_range")
int BPF_PROG(a_copy_begins, struct file *in, loff_t pos_in, struct file *out)
{
	begin_move(current_task(), plain((__u64)in), plain((__u64)out));
	return 0;
}

SEC("?fexit/vfs_copy_file_range")
int BPF_PROG(a_copy, struct file *in, loff_t pos_in, struct file *out, loff_t pos_out, size_t len,
	     unsigned int flags, long ret)
{
	if (ret > 0)
		end_move(current_task(), plain((__u64)in), plain((__u64)out), ret);
	return 0;
}

SEC("?fexit/vfs_clone_file_range")
int BPF_PROG(a_clone, struct file *in, loff_t pos_in, struct file *out, loff_t pos_out, loff_t len,
	     unsigned int flags, loff_t ret)
{
	if (ret > 0)
		end_move(current_task(), plain((__u64)in), plain((__u64)out), ret);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
