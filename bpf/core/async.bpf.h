/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Requests of io_uring, made now and done later. What counts is what the request itself says when it is done;
 * its subject is who made it, not who runs at that moment. All addresses are plain ones (SLUICE_PLAIN).
 */
#ifndef SLUICE_ASYNC_BPF_H
#define SLUICE_ASYNC_BPF_H

#include "core/calls.bpf.h"
#include "core/move.bpf.h"
#include "core/uring.bpf.h"

/* --- what a request is about ------------------------------------------------------- */

/* "io_uring/rsrc: unify file and buffer resource tables", 6.13: the slots of the ring's
 * own table are nodes; before, they are words. Low bits of the file's address are flags in both. */
struct io_rsrc_node___new {
	unsigned long file_ptr;
} __attribute__((preserve_access_index));
struct io_rsrc_data___new {
	unsigned int nr;
	struct io_rsrc_node___new **nodes;
} __attribute__((preserve_access_index));
struct io_file_table___new {
	struct io_rsrc_data___new data;
} __attribute__((preserve_access_index));
struct io_ring_ctx___new {
	struct io_file_table___new file_table;
} __attribute__((preserve_access_index));
struct io_file_table___old {
	void *files;
} __attribute__((preserve_access_index));
struct io_ring_ctx___old {
	struct io_file_table___old file_table;
	unsigned int nr_user_files;
} __attribute__((preserve_access_index));

#define FILE_FLAGS 7ULL

static __noinline __u64 fixed_file(__u64 req, __u32 slot)
{
	__u64 ring, table, node = 0, file = 0;
	__u32 n;

	READ_PROBE(ring, struct io_kiocb, req, ctx);
	if (bpf_core_field_exists(struct io_ring_ctx___old, nr_user_files)) {
		READ_PROBE(n, struct io_ring_ctx___old, ring, nr_user_files);
		READ_PROBE(table, struct io_ring_ctx___old, ring, file_table.files);
		if (slot < n)
			bpf_probe_read_kernel(&file, sizeof(file), (void *)(table + 8 * (__u64)slot));
		return file & ~FILE_FLAGS;
	}
	READ_PROBE(n, struct io_ring_ctx___new, ring, file_table.data.nr);
	READ_PROBE(table, struct io_ring_ctx___new, ring, file_table.data.nodes);
	if (slot < n)
		bpf_probe_read_kernel(&node, sizeof(node), (void *)(table + 8 * (__u64)slot));
	if (node)
		READ_PROBE(file, struct io_rsrc_node___new, node, file_ptr);
	return file & ~FILE_FLAGS;
}

/* The file of a request that has not been started: only its number is known by then. */
static __noinline __u64 uring_file(__u64 req, __u64 task, __u32 flags)
{
	__s32 fd;

	if (!bpf_core_field_exists(struct io_kiocb, cqe)) {
		READ_PROBE(task, struct io_kiocb, req, file); /* known from the start up to 5.17 */
		return task;
	}
	READ_PROBE(fd, struct io_kiocb, req, cqe.fd);
	return flags & REQ_FIXED_FILE ? fixed_file(req, fd) : file_at(task, (__u32)fd);
}

static __always_inline __u16 mode_of(__u64 file, __u64 *inode)
{
	__u16 mode;

	*inode = 0;
	READ_PROBE(*inode, struct file, file, f_inode);
	if (!*inode)
		return 0;
	READ_PROBE(mode, struct inode, *inode, i_mode);
	return mode & S_IFMT;
}

/* --- a request is done ----------------------------------------------- */

/* A socket that may be in no descriptor table, only in the ring's: no other hook knows who uses it. */
static __noinline int fixed_socket_used(__u64 task, __u64 file)
{
	__u64 sk = socket_of(file);
	__u64 mask;
	__u16 proto;

	if (!sk)
		return 0;
	READ_PROBE(proto, struct sock, sk, sk_protocol);
	if (proto != IPPROTO_TCP)
		return 0;
	tcp_accepted(task, sk);
	mask = task_mask(task);
	if (mask)
		flow_fed(file, mask);
	return 0;
}

static __noinline int uring_wrote(__u64 req, __u64 task, __u64 file, __u64 bytes)
{
	__u64 inode;
	__u32 flags;
	__u16 mode;

	READ_PROBE(flags, struct io_kiocb, req, flags);
	if (!file || (!any_taint && !(flags & REQ_FIXED_FILE)))
		return 0;
	mode = mode_of(file, &inode);
	if (mode == S_IFSOCK) {
		if (flags & REQ_FIXED_FILE)
			fixed_socket_used(task, file);
		if (any_taint)
			socket_passed(task, file, bytes, OP_SENDMSG);
		return 0;
	}
	if (mode == S_IFIFO && trampolines)
		return 0; /* a_pipe_write has seen it */
	write_done(task, file, bytes);
	return 0;
}

static __always_inline __u64 splice_source(__u64 req, __u64 task)
{
	__u32 flags;
	__s32 fd;

	READ_PROBE(flags, struct io_splice, req, flags);
	READ_PROBE(fd, struct io_splice, req, splice_fd_in);
	return flags & SPLICE_FD_IN_FIXED ? fixed_file(req, fd) : file_at(task, (__u32)fd);
}

/* Nonzero: the new file went into the ring's own table, not among the descriptors. */
static __always_inline __u32 uring_slot(__u64 req, __u8 kind)
{
	__u32 slot = 0;

	if (kind == U_OPEN)
		READ_PROBE(slot, struct io_open, req, file_slot);
	else if (kind == U_SOCKET)
		READ_PROBE(slot, struct io_socket, req, file_slot);
	else if (kind == U_ACCEPT)
		READ_PROBE(slot, struct io_accept, req, file_slot);
	return slot;
}

static __noinline int socket_accepted(__u64 task, __u64 file)
{
	__u64 inode, sk;
	__u16 proto;

	if (!file || mode_of(file, &inode) != S_IFSOCK)
		return 0;
	sk = socket_of(file);
	if (!sk)
		return 0;
	READ_PROBE(proto, struct sock, sk, sk_protocol);
	if (proto == IPPROTO_TCP)
		tcp_accepted(task, sk);
	return 0;
}

#define SLOT_ANY (~0u) /* IORING_FILE_INDEX_ALLOC: the result is the slot */

/* Set B: what system calls do, done by a request. In set A the same hooks see both. */
static __noinline int uring_called(__u64 req, __u64 task, __u8 kind, __s32 res)
{
	__u32 slot = uring_slot(req, kind);
	__u64 file;

	if (kind == U_NAMES) {
		names_changed();
		return 0;
	}
	if (kind == U_PIPE) {
		descriptors_added(task);
		return 0;
	}
	if (kind == U_CONNECT)
		READ_PROBE(file, struct io_kiocb, req, file);
	else
		file = slot ? fixed_file(req, slot == SLOT_ANY ? res : slot - 1) : file_at(task, res);
	if (!file)
		return 0;
	if (kind == U_ACCEPT)
		socket_accepted(task, file);
	descriptor_added(task, file);
	return 0;
}

static __noinline int repeat_ends(__u64 req)
{
	struct repeat_key key;

	READ_PROBE(key.ring, struct io_kiocb, req, ctx);
	READ_PROBE(key.user_data, struct io_kiocb, req, cqe.user_data);
	bpf_map_delete_elem(&repeats, &key);
	return 0;
}

static __always_inline void uring_received(__u64 task, __u64 file, __u64 bytes, bool message)
{
	__u64 mask = socket_passed(task, file, bytes, message ? OP_RECVMSG : OP_RECV);

	if (mask)
		taint_task(plain(task), mask, VIA_READ);
}

static __always_inline int uring_closer(__u64 req)
{
	__u64 task, file;
	__u8 op, kind;
	__s32 res;

	READ_PROBE(op, struct io_kiocb, req, opcode);
	kind = op < URING_OPS ? uring_kinds[op] : U_OTHER;
	if (kind == U_OTHER)
		return 0;
	if (kind == U_REPEAT || (kind == U_RECV && !trampolines))
		repeat_ends(req);
	/* the request's own: the copy in the ring is memory that the process can write */
	READ_PROBE(res, struct io_kiocb, req, cqe.res);
	if (res < 0 || (!res && kind < U_NAMES))
		return 0;
	task = uring_task(req);
	if (!task)
		return 0;
	READ_PROBE(file, struct io_kiocb, req, file);
	if (kind == U_READ || kind == U_REPEAT) {
		if (file)
			read_done(task, file, res);
	} else if (kind == U_RECV) {
		if (file && any_taint)
			uring_received(task, file, res, op == URING_RECVMSG);
	} else if (kind == U_WRITE || kind == U_SEND) {
		uring_wrote(req, task, file, res);
	} else if (!trampolines) {
		if (kind >= U_NAMES)
			uring_called(req, task, kind, res);
		else
			move_done(task, splice_source(req, task), file, res);
	}
	return 0;
}

static __always_inline int uring_done(__u64 req)
{
	int want = have_cast ? uring_want(req) : WANT_CLOSER;
	__u64 mask;

	if (want == WANT_CLOSER)
		return uring_closer(req);
	mask = want == WANT_READ ? uring_read(req) : 0;
	if (mask)
		taint_task(uring_task(req), mask, VIA_READ);
	return 0;
}

/* A completion beside that of the request, which it does not name: a piece that a repeating read gave, or
 * a connection that a repeating accept did. They run in the task that made the request. */
static __always_inline int uring_gave(__u64 ring, __u64 user_data, __s32 res, __u32 cqe_flags)
{
	struct repeat_key key = {.ring = ring, .user_data = user_data};
	__u64 task, *file;

	if (res < 0)
		return 0;
	task = plain(current_task());
	file = any_taint ? bpf_map_lookup_elem(&repeats, &key) : NULL;
	if (file)
		read_done(task, *file, res);
	else if (!trampolines && !(cqe_flags & CQE_HAS_BUFFER))
		socket_accepted(task, file_at(task, res));
	return 0;
}

/* --- a request is made ------------------------------------------------ */

/* At most so many bytes can it move. */
static __noinline __u64 uring_most(__u64 req, __u64 file, __u32 flags)
{
	__u64 most = MAX_RW_COUNT, inode, size;
	__u32 len;
	__s64 pos;
	__u8 op;

	READ_PROBE(op, struct io_kiocb, req, opcode);
	if (!(URING_VECTORED >> (op & 63) & 1) && !(flags & REQ_BUFFER_SELECT)) {
		READ_PROBE(len, struct io_rw, req, len);
		most = len;
	}
	if (mode_of(file, &inode) != S_IFREG || uring_kinds[op & (URING_OPS - 1)] != U_READ)
		return most;
	READ_PROBE(size, struct inode, inode, i_size);
	READ_PROBE(pos, struct io_rw, req, kiocb.ki_pos);
	if (pos > 0)
		size = size > (__u64)pos ? size - pos : 0;
	return most < size ? most : size;
}

/* The dataset of an open file, and above it whether the file may hold other bytes too. */
static __noinline __u32 dataset_of(__u64 file)
{
	bool derived = false;
	__u64 inode;
	__u8 tag;

	if (mode_of(file, &inode) != S_IFREG)
		return 0;
	tag = file_tag(file, inode, &derived);
	return is_dataset(tag) ? tag | derived << 8 : 0;
}

/* A read of which nothing will tell how much it gave. */
static __always_inline void read_asked(__u64 task, __u64 file, __u64 most)
{
	__u32 found = dataset_of(file);
	__u64 inode, mask;
	__u8 tag = found;

	if (!tag) {
		read_done(task, file, most);
		return;
	}
	READ_PROBE(inode, struct file, file, f_inode);
	mask = account_read(task, inode, tag, ACCESS_ASKED, most);
	if (found >> 8 && any_taint)
		mask |= file_read(task, inode, most, tag_bit(tag));
	if (mask)
		taint_task(plain(task), mask, VIA_READ);
}

static __always_inline bool pipe_is_seen(__u64 file)
{
	__u64 inode;

	return trampolines && mode_of(file, &inode) == S_IFIFO;
}

/* The stacks of calls are as deep as they may be: what follows has no frame of its own. */
static __always_inline int uring_asked(__u64 req, __u64 task, __u64 file, __u32 flags)
{
	__u64 most;
	__u8 op, kind;

	READ_PROBE(op, struct io_kiocb, req, opcode);
	kind = op < URING_OPS ? uring_kinds[op] : U_OTHER;
	if (file && any_taint && kind == U_RECV)
		read_done(task, file, MAX_RW_COUNT);
	if (!file || kind < U_READ || kind > U_TEE)
		return kind;
	if (kind == U_SPLICE || kind == U_TEE) {
		READ_PROBE(most, struct io_splice, req, len);
		if (most && !trampolines)
			move_done(task, splice_source(req, task), file, most);
		return kind;
	}
	most = uring_most(req, file, flags);
	if (most && kind == U_READ)
		read_asked(task, file, most);
	else if (most && kind == U_WRITE && !pipe_is_seen(file))
		write_done(task, file, most);
	else if (kind == U_SEND)
		write_done(task, file, MAX_RW_COUNT);
	return kind;
}

/* A ring's own files are not found among the descriptors when a subject becomes tainted, so each is marked
 * when something is about to go into it. */
static __noinline int uring_fixed(__u64 req, __u32 flags)
{
	__u64 task, mask, file;
	__u8 op, kind;

	READ_PROBE(op, struct io_kiocb, req, opcode);
	kind = op < URING_OPS ? uring_kinds[op] : U_OTHER;
	if (kind < U_WRITE || kind > U_TEE)
		return 0;
	task = uring_task(req);
	mask = task ? task_mask(task) : 0;
	file = mask ? uring_file(req, task, flags) : 0;
	if (file)
		mark_file(task, file, mask);
	return 0;
}

static __noinline int uring_hidden(__u64 req, __u64 task)
{
	__u64 mask = task_mask(task);
	__u8 op;

	if (!mask)
		return 0;
	READ_PROBE(op, struct io_kiocb, req, opcode);
	return channel_add(task, CHANNEL_URING, op, mask);
}

/* No completion is wanted: what the request moves is taken from what it asks for. */
static __always_inline int uring_silent(__u64 req, __u32 flags)
{
	__u64 task = uring_task(req);
	int kind;

	if (!task)
		return 0;
	kind = uring_asked(req, task, uring_file(req, task, flags), flags);
	return kind >= U_READ && kind <= U_TEE ? uring_hidden(req, task) : 0;
}

static __always_inline bool is_unix(__u64 file)
{
	__u64 inode, sk = mode_of(file, &inode) == S_IFSOCK ? socket_of(file) : 0;
	__u16 family = 0;

	if (sk)
		READ_PROBE(family, struct sock, sk, __sk_common.skc_family);
	return family == AF_UNIX;
}

static __noinline int repeat_begins(__u64 req, __u32 flags, bool only_unix)
{
	struct repeat_key key;
	__u64 task = uring_task(req), file;

	file = task ? uring_file(req, task, flags) : 0;
	if (!file || (only_unix && !is_unix(file)))
		return 0;
	READ_PROBE(key.ring, struct io_kiocb, req, ctx);
	READ_PROBE(key.user_data, struct io_kiocb, req, cqe.user_data);
	if (bpf_map_update_elem(&repeats, &key, &file, BPF_ANY))
		lose(LOSS_AIO_FULL);
	return 0;
}

static __always_inline void uring_made(__u64 req, __u32 flags, __u8 op)
{
	if (flags & REQ_FIXED_FILE && any_taint)
		uring_fixed(req, flags);
	if (flags & REQ_CQE_SKIP)
		uring_silent(req, flags);
	if (op < URING_OPS && (uring_kinds[op] == U_REPEAT || (uring_kinds[op] == U_RECV && !trampolines)))
		repeat_begins(req, flags, uring_kinds[op] == U_RECV);
}

/* Before 5.18 ("io-uring: Make tracepoints consistent") a completion names no request: all that can be had
 * is what was asked for. */
static __always_inline int uring_only_asked(__u64 req, __u32 flags)
{
	__u64 task = uring_task(req);

	if (!task)
		return 0;
	if (flags & REQ_FIXED_FILE && any_taint)
		uring_fixed(req, flags);
	uring_asked(req, task, uring_file(req, task, flags), flags);
	return 0;
}

#endif
