/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* libaio: a request is made by io_submit, and done in the submitter, a worker or an interrupt. Addresses are plain ones. */
#ifndef SLUICE_LIBAIO_BPF_H
#define SLUICE_LIBAIO_BPF_H

#include "core/async.bpf.h"

enum aio_kind { AIO_FILE, AIO_DEVICE, AIO_PIPE, AIO_WRITE };

#define IOCB_CMD_PREAD 0
#define IOCB_CMD_PWRITE 1
#define IOCB_CMD_PREADV 7
#define IOCB_CMD_PWRITEV 8

static const struct aio_request no_request = {};

/*
 * io_submit's own, and nobody else's kiocb: behind it stands the context that io_setup made, whose id is the
 * address of its ring in the process. io_uring has there an address in the process, which is no kernel
 * address; a synchronous call has its own stack.
 */
static __always_inline bool is_libaio(__u64 kiocb)
{
	__u64 context = 0;
	unsigned long id = 0, base = 0;

	READ_PROBE(context, struct aio_kiocb, kiocb, ki_ctx);
	if ((__s64)context >= 0)
		return false;
	READ_PROBE(id, struct kioctx, context, user_id);
	READ_PROBE(base, struct kioctx, context, mmap_base);
	return id && id == base;
}

/* The datasets whose bytes a read of this file can give, by the kind of file. */
static __noinline int aio_read_kind(__u64 file, struct aio_request *r)
{
	bool derived = false;
	struct object what;
	__u64 inode, *holds;
	__u16 mode = mode_of(file, &inode);
	__u32 dev;

	if (mode == S_IFIFO) {
		r->what = AIO_PIPE;
		return 1;
	}
	if (mode == S_IFREG) {
		r->tag = file_tag(file, inode, &derived);
		if (derived && any_taint) {
			object_of(false, inode, &what);
			r->mask = object_mask(&what) & ~tag_bit(r->tag);
		}
		if (!is_dataset(r->tag))
			r->tag = 0;
		return r->tag || r->mask;
	}
	if (mode != S_IFBLK)
		return 0;
	r->what = AIO_DEVICE;
	READ_PROBE(dev, struct inode, inode, i_rdev);
	holds = bpf_map_lookup_elem(&block_devices, &dev);
	r->mask = holds ? *holds : 0;
	return r->mask != 0;
}

static __noinline int aio_write_kind(__u64 file, struct aio_request *r)
{
	bool derived = false;
	__u64 inode;
	__u16 mode = mode_of(file, &inode);

	r->what = AIO_WRITE;
	r->mask = subject_mask(&r->who);
	if (mode == S_IFREG) {
		r->own = own_of(file_tag(file, inode, &derived));
		r->mask &= ~tag_bit(r->own);
	} else if (mode != S_IFIFO || trampolines) { /* a_pipe_write sees it there */
		return 0;
	}
	return r->mask != 0;
}

/* Before the first byte arrives the subject is marked as one that may hold it; before the first byte
 * leaves, the file. */
static __always_inline int aio_mark(__u64 task, __u64 file, struct aio_request *r)
{
	__u64 mask = r->mask | tag_bit(r->tag);

	if (r->what == AIO_PIPE)
		return 0;
	announce(task, &r->who);
	if (r->what == AIO_WRITE)
		mark_file(task, file, r->mask);
	else
		taint_task(task, mask, r->tag || r->what == AIO_DEVICE ? VIA_READ : VIA_FILE_READ);
	return 0;
}

/* At most so much can be read from where the request begins. */
static __noinline __u64 aio_most(__u64 kiocb, __u64 file, __u64 count)
{
	__u64 inode, size;
	__s64 pos;

	if (mode_of(file, &inode) != S_IFREG)
		return count;
	READ_PROBE(size, struct inode, inode, i_size);
	READ_PROBE(pos, struct kiocb, kiocb, ki_pos);
	size = size > (__u64)pos ? size - pos : 0;
	return count < size ? count : size;
}

/* In the submitter. `done`: what an earlier attempt at the same request has moved. */
static __always_inline int aio_asked(__u64 kiocb, __u64 file, bool write, __u64 done, __u64 asked)
{
	struct aio_request r = no_request;
	__u64 task = plain(current_task());
	int wanted;

	subject_at(task, &r.who);
	wanted = write ? (any_taint ? aio_write_kind(file, &r) : 0) : aio_read_kind(file, &r);
	if (!wanted) {
		bpf_map_delete_elem(&aio, &kiocb); /* of a request that was refused and never completed */
		return 0;
	}
	r.done = done;
	r.asked = asked;
	r.cgroup = task_cgroup_id(task);
	aio_mark(task, file, &r);
	if (bpf_map_update_elem(&aio, &kiocb, &r, BPF_ANY))
		lose(LOSS_AIO_FULL);
	return 0;
}

static __noinline int aio_overflow(struct aio_request *r, struct ledger_key *k, __u64 bytes)
{
	struct overflow_key key = {.dataset = k->dataset, .kind = k->kind, .cgroup = r->cgroup};
	struct overflow_val *v;

	lose(LOSS_LEDGER_FULL);
	v = bpf_map_lookup_elem(&overflow, &key);
	if (!v) {
		if (bpf_map_update_elem(&overflow, &key, &no_overflow, BPF_NOEXIST)) {
			lose(LOSS_OVERFLOW_FULL);
			key.cgroup = 0;
		}
		v = bpf_map_lookup_elem(&overflow, &key);
		if (!v)
			return 0;
	}
	__sync_fetch_and_add(&v->bytes, bytes);
	__sync_fetch_and_add(&v->ops, 1);
	return 0;
}

/* As account_read(), for a subject that need not be running. */
static __noinline int aio_account(struct aio_request *r, __u32 dataset_kind, __u64 bytes, __u64 inode)
{
	struct ledger_key key = {.who = r->who, .dataset = dataset_kind >> 16, .kind = dataset_kind};
	struct ledger_val *v;

	v = bpf_map_lookup_elem(&ledger, &key);
	if (!v) {
		bpf_map_update_elem(&ledger, &key, &no_access, BPF_NOEXIST);
		v = bpf_map_lookup_elem(&ledger, &key);
		if (!v)
			return aio_overflow(r, &key, bytes);
		v->first_ns = bpf_ktime_get_boot_ns();
	}
	__sync_fetch_and_add(&v->bytes, bytes);
	__sync_fetch_and_add(&v->ops, 1);
	if (inode && first_touch(&key.who, inode, key.dataset))
		__sync_fetch_and_add(&v->files, 1);
	v->last_ns = interval_ns;
	return 0;
}

static __noinline int aio_device(struct aio_request *r, __u64 bytes)
{
	for (__u32 i = 0; i < SL_DATASETS_MAX; i++)
		if (r->mask >> i & 1)
			aio_account(r, i << 16 | ACCESS_DEVICE, bytes, 0);
	return 0;
}

static __noinline int aio_edge(struct aio_request *r, __u64 inode, __u64 bytes)
{
	struct edge_key key = {.who = r->who, .mask = r->mask, .own = r->own};

	key.via = r->what == AIO_WRITE ? VIA_FILE_WRITE : VIA_FILE_READ;
	object_of(false, inode, &key.what);
	account_edge(&key, bytes);
	return 0;
}

/* Wherever it completes: in the submitter, a worker or an interrupt. */
static __always_inline int aio_given(__u64 kiocb, __s64 res)
{
	struct aio_request *found = bpf_map_lookup_elem(&aio, &kiocb), r;
	__u64 file, inode;

	if (!found)
		return 0;
	r = *found;
	bpf_map_delete_elem(&aio, &kiocb);
	if (res <= 0 || (__u64)res <= r.done)
		return 0;
	res -= r.done;
	READ_PROBE(file, struct kiocb, kiocb, ki_filp);
	READ_PROBE(inode, struct file, file, f_inode);
	if (r.what == AIO_PIPE) {
		read_done(plain(current_task()), file, res);
		return 0;
	}
	if (r.what == AIO_DEVICE)
		return aio_device(&r, res);
	if (r.tag)
		aio_account(&r, (r.tag - 1) << 16 | ACCESS_READ, res, inode);
	if (r.mask)
		aio_edge(&r, inode, res);
	return 0;
}

/* A started request whose end was not seen, for a program is not run while it runs on the same CPU already
 * (05b24ff9b2cf): its memory is used for the next one now, so what it asked for is as near as can be told. */
static __always_inline void aio_missed(__u64 kiocb)
{
	struct aio_request *found = bpf_map_lookup_elem(&aio, &kiocb), r;

	if (!found || !found->asked)
		return;
	r = *found;
	bpf_map_delete_elem(&aio, &kiocb);
	if (r.what != AIO_FILE || !r.tag || r.asked <= r.done)
		return;
	lose(LOSS_READ_UNTOLD);
	aio_account(&r, (r.tag - 1) << 16 | ACCESS_ASKED, r.asked - r.done, 0);
}

#endif
