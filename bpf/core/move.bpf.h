/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Bytes that go from one open file into another inside the kernel: splice, tee, sendfile, copy_file_range,
 * clone. The receiving end is marked before they move, where a hook is called then: a reader on another
 * CPU may have them before the call returns. All addresses are plain ones (SLUICE_PLAIN).
 */
#ifndef SLUICE_MOVE_BPF_H
#define SLUICE_MOVE_BPF_H

#include "core/calls.bpf.h"
#include "core/ledger.bpf.h"

static __always_inline __u64 file_at(__u64 task, __u64 fd)
{
	__u64 files, fdt, fds, file = 0;
	__u32 max;

	READ_PROBE(files, struct task_struct, task, files);
	if (!files)
		return 0;
	READ_PROBE(fdt, struct files_struct, files, fdt);
	READ_PROBE(max, struct fdtable, fdt, max_fds);
	READ_PROBE(fds, struct fdtable, fdt, fd);
	if (fd < max)
		bpf_probe_read_kernel(&file, sizeof(file), (void *)(fds + 8 * fd));
	return file;
}

/* The datasets that bytes out of this open file may belong to. */
static __always_inline __u64 file_mask(__u64 file, __u64 inode, __u16 mode)
{
	bool derived = false;
	struct object what;
	__u64 mask = 0;

	if (mode == S_IFREG) {
		mask = tag_bit(file_tag(file, inode, &derived));
		if (!derived)
			return mask;
	} else if (mode == S_IFCHR) {
		return any_taint ? char_mask(file, inode) : 0;
	} else if (mode != S_IFIFO && mode != S_IFSOCK) {
		return 0;
	}
	if (!any_taint)
		return mask;
	if (mode == S_IFSOCK)
		return unix_holds(socket_of(file));
	object_of(false, inode, &what);
	return mask | object_mask(&what);
}

/* A flow that is given bytes by this very call, and was not marked before it: all it sent may be of them. */
static __noinline int flow_fed(__u64 file, __u64 mask)
{
	__u64 sk = socket_of(file);
	struct flow_key key = tcp_key(sk);
	struct flow *f;

	f = sk ? bpf_map_lookup_elem(&flows, &key) : NULL;
	if (f)
		flow_taint_add(f, mask, f->base_out);
	return f && f->local ? local_mark(sk, mask) : 0;
}

/* What is waiting to be read from a socket may belong to these. */
static __noinline __u64 socket_mask(__u64 task, __u64 file)
{
	__u64 sk = any_taint ? socket_of(file) : 0;
	struct inlet *in = sk ? inlet_of(task, &sk) : NULL;

	return in ? in->mask : 0;
}

struct ends {
	__u64 in, out; /* inodes */
	__u16 in_mode, out_mode;
};

static __always_inline bool ends_of(__u64 in, __u64 out, struct ends *e)
{
	if (!in || !out)
		return false;
	READ_PROBE(e->in, struct file, in, f_inode);
	READ_PROBE(e->out, struct file, out, f_inode);
	if (!e->in || !e->out)
		return false;
	READ_PROBE(e->in_mode, struct inode, e->in, i_mode);
	READ_PROBE(e->out_mode, struct inode, e->out, i_mode);
	e->in_mode &= S_IFMT;
	e->out_mode &= S_IFMT;
	return true;
}

static __always_inline int begin_move(__u64 task, __u64 in, __u64 out)
{
	struct ends e;
	__u64 mask;

	if (!ends_of(in, out, &e))
		return 0;
	mask = e.in_mode == S_IFSOCK ? socket_mask(task, in) : file_mask(in, e.in, e.in_mode);
	if (!mask)
		return 0;
	taint_task(task, mask, e.in_mode == S_IFIFO ? VIA_PIPE_READ : VIA_READ);
	mark_file(task, out, mask);
	return 0;
}

static __always_inline int end_move(__u64 task, __u64 in, __u64 out, __u64 bytes)
{
	struct ends e;
	__u64 mask;

	if (!ends_of(in, out, &e))
		return 0;
	if (e.out_mode == S_IFSOCK) {
		mask = file_mask(in, e.in, e.in_mode);
		if (mask)
			flow_fed(out, mask);
	}
	if (trampolines && e.in_mode == S_IFSOCK && any_taint) /* no message is received */
		inlet_received(task, socket_of(in), bytes);
	read_done(task, in, bytes);
	write_done(task, out, bytes);
	return 0;
}

#endif
