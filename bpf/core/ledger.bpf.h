/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What was read, and what went from one to another. Nothing here can lose a byte in silence. */
#ifndef SLUICE_LEDGER_BPF_H
#define SLUICE_LEDGER_BPF_H

#include "core/flow.bpf.h"
#include "core/object.bpf.h"
#include "core/subject.bpf.h"

static const struct ledger_val no_access = {};
static const struct overflow_val no_overflow = {};
static const struct edge_val no_edge = {};

/* --- taint reaches a subject ------------------------------------------------ */

static __always_inline void object_add(struct object *what, __u64 mask)
{
	struct object_taint *t = bpf_map_lookup_elem(&objects, what);
	struct object_taint born = {.mask = mask};

	if (t) {
		mask_add(&t->mask, mask);
		return;
	}
	born.since_ns = bpf_ktime_get_boot_ns();
	if (bpf_map_update_elem(&objects, what, &born, BPF_ANY))
		lose(LOSS_OBJECT_FULL);
}

struct held {
	__u64 fds; /* struct file ** */
	__u64 mask;
	__u32 n;
};

/* What a tainted subject can write to may carry its bytes from now on. */
static __always_inline void mark_file(__u64 file, __u64 mask)
{
	struct object what;
	__u64 inode;
	__u32 fmode;
	__u16 mode;

	READ(inode, struct file, file, f_inode);
	if (!inode)
		return;
	READ(mode, struct inode, inode, i_mode);
	if ((mode & S_IFMT) == S_IFSOCK) {
		flow_mark(file, mask);
	} else if ((mode & S_IFMT) == S_IFIFO) {
		READ(fmode, struct file, file, f_mode);
		object_of(false, inode, &what);
		if (fmode & FMODE_WRITE)
			object_add(&what, mask);
	}
}

static long mark_one(__u32 i, struct held *h)
{
	__u64 file = 0;

	if (i >= h->n)
		return 1;
	if (!bpf_probe_read_kernel(&file, sizeof(file), (void *)(h->fds + 8 * (__u64)i)) && file)
		mark_file(file, h->mask);
	return 0;
}

#define FDS_WITHOUT_LOOP 128

/* Before the subject returns to user mode with the bytes, every pipe and socket it could pass them
 * into is marked. A reader on another CPU can therefore not be faster than the mark. */
static __noinline int mark_held(__u64 task, __u64 mask)
{
	struct held h = {.mask = mask};
	__u64 files, fdt;
	__u32 n, i;

	READ_TASK(files, struct task_struct, task, files);
	if (!files)
		return 0;
	READ_TASK(fdt, struct files_struct, files, fdt);
	READ_TASK(h.fds, struct fdtable, fdt, fd);
	READ_TASK(n, struct fdtable, fdt, max_fds);
	h.n = n;
	if (have_loop) {
		bpf_loop(n < SL_FDS_WALKED ? n : SL_FDS_WALKED, mark_one, &h, 0);
		n = n > SL_FDS_WALKED;
	} else {
		for (i = 0; i < FDS_WITHOUT_LOOP; i++)
			if (mark_one(i, &h))
				break;
		n = n > FDS_WITHOUT_LOOP;
	}
	if (n)
		lose(LOSS_FDS_DEEP);
	return 0;
}

/* Out of line, like all that is rare: the stacks of a chain of calls add up to 512 bytes at most. */
static __noinline int become_tainted(__u64 task, struct subject *who, __u64 mask, __u32 via)
{
	struct taint *t = bpf_map_lookup_elem(&tainted, who);
	struct taint born = {.mask = mask, .via = via, .used = 1};

	if (t) {
		t->used = 1;
		if ((t->mask & mask) == mask)
			return 0;
		mask_add(&t->mask, mask);
		t->since_ns = bpf_ktime_get_boot_ns();
	} else {
		born.since_ns = bpf_ktime_get_boot_ns();
		if (bpf_map_update_elem(&tainted, who, &born, BPF_ANY))
			lose(LOSS_TAINT_FULL);
	}
	any_taint = 1;
	return mark_held(task, mask);
}

/* --- bytes ------------------------------------------------------------------ */

static __noinline int account_overflow(__u64 task, struct ledger_key *k, __u64 bytes)
{
	struct overflow_key key = {.dataset = k->dataset, .kind = k->kind};
	struct overflow_val *v;

	lose(LOSS_LEDGER_FULL);
	key.cgroup = task_cgroup_id(task);
	v = bpf_map_lookup_elem(&overflow, &key);
	if (!v) {
		if (bpf_map_update_elem(&overflow, &key, &no_overflow, BPF_NOEXIST)) {
			lose(LOSS_OVERFLOW_FULL);
			key.cgroup = 0; /* made by user space beforehand: always there */
		}
		v = bpf_map_lookup_elem(&overflow, &key);
		if (!v)
			return 0;
	}
	__sync_fetch_and_add(&v->bytes, bytes);
	__sync_fetch_and_add(&v->ops, 1);
	return 0;
}

/* Is this the subject's first touch of this file, as far as remembered? */
static __always_inline bool first_touch(struct subject *who, __u64 inode)
{
	struct seen_key key = {.who = *who};
	struct cpu_cache *c;
	__u32 zero = 0;
	__u8 one = 1;
	__u64 sig, *slot;

	object_of(TYPED, inode, &key.what);
	sig = mix(mix(who->start_ns ^ who->tgid, who->exec), mix(key.what.ino, key.what.gen));
	c = bpf_map_lookup_elem(&cache, &zero);
	if (!c)
		return false;
	slot = &c->counted[sig >> (64 - SL_CACHE_BITS)];
	if (*slot == sig)
		return false;
	*slot = sig;
	return !bpf_map_update_elem(&seen, &key, &one, BPF_NOEXIST);
}

static __noinline int account_read(__u64 task, __u64 inode, __u8 tag, __u16 kind, __u64 bytes)
{
	struct ledger_key key = {.dataset = tag - 1, .kind = kind};
	struct ledger_val *v;

	subject_of(task, &key.who);
	v = bpf_map_lookup_elem(&ledger, &key);
	if (!v) {
		bpf_map_update_elem(&ledger, &key, &no_access, BPF_NOEXIST);
		become_tainted(task, &key.who, 1ULL << ((tag - 1) & 63), VIA_READ);
		announce(task, &key.who);
		v = bpf_map_lookup_elem(&ledger, &key);
		if (!v) {
			account_overflow(task, &key, bytes);
			return 0;
		}
		v->first_ns = bpf_ktime_get_boot_ns();
	}
	__sync_fetch_and_add(&v->bytes, bytes);
	__sync_fetch_and_add(&v->ops, 1);
	if (first_touch(&key.who, inode))
		__sync_fetch_and_add(&v->files, 1);
	v->last_ns = interval_ns;
	return 0;
}

static __always_inline void account_edge(struct edge_key *key, __u64 bytes)
{
	struct edge_val *v = bpf_map_lookup_elem(&edges, key);

	if (!v) {
		bpf_map_update_elem(&edges, key, &no_edge, BPF_NOEXIST);
		v = bpf_map_lookup_elem(&edges, key);
		if (!v) {
			lose(LOSS_EDGE_FULL);
			return;
		}
		v->first_ns = bpf_ktime_get_boot_ns();
	}
	__sync_fetch_and_add(&v->bytes, bytes);
	__sync_fetch_and_add(&v->ops, 1);
	v->last_ns = interval_ns;
}

/* --- what the hooks call ------------------------------------------------------ */

static __noinline int pipe_read(__u64 task, __u64 inode, __u64 bytes)
{
	struct edge_key key = {.via = VIA_PIPE_READ};

	object_of(TYPED, inode, &key.what);
	key.mask = object_mask(&key.what);
	if (!key.mask)
		return 0;
	subject_of(task, &key.who);
	become_tainted(task, &key.who, key.mask, VIA_PIPE_READ);
	announce(task, &key.who);
	account_edge(&key, bytes);
	return 0;
}

static __noinline int pipe_write(__u64 task, __u64 inode, __u64 bytes)
{
	struct edge_key key = {.via = VIA_PIPE_WRITE};
	struct taint *t;

	subject_of(task, &key.who);
	t = bpf_map_lookup_elem(&tainted, &key.who);
	if (!t)
		return 0;
	t->used = 1;
	key.mask = t->mask;
	object_of(TYPED, inode, &key.what);
	object_add(&key.what, key.mask);
	announce(task, &key.who);
	account_edge(&key, bytes);
	return 0;
}

/* `bytes` came out of an open file into a task's memory. */
static __always_inline void read_done(__u64 task, __u64 file, __u64 bytes)
{
	__u64 inode;
	__u16 mode;
	__u8 tag;

	READ_IF(TYPED, inode, struct file, file, f_inode);
	if (!inode)
		return;
	READ_IF(TYPED, mode, struct inode, inode, i_mode);
	if ((mode & S_IFMT) == S_IFREG) {
		tag = file_tag(file, inode);
		if (tag)
			account_read(task, inode, tag, ACCESS_READ, bytes);
		return;
	}
	if ((mode & S_IFMT) == S_IFIFO && any_taint)
		pipe_read(task, inode, bytes);
}

/* `bytes` went from a task's memory into an open file. */
static __always_inline void write_done(__u64 task, __u64 file, __u64 bytes)
{
	__u64 inode;
	__u16 mode;

	if (!any_taint)
		return;
	READ_IF(TYPED, inode, struct file, file, f_inode);
	if (!inode)
		return;
	READ_IF(TYPED, mode, struct inode, inode, i_mode);
	if ((mode & S_IFMT) == S_IFIFO)
		pipe_write(task, inode, bytes);
}

/* A file became visible in a task's memory: it may see at most so much of it. */
static __always_inline void map_done(__u64 task, __u64 file, __u64 length, __u64 offset)
{
	__u64 inode, size;
	__u16 mode;
	__u8 tag;

	READ_IF(TYPED, inode, struct file, file, f_inode);
	if (!inode)
		return;
	READ_IF(TYPED, mode, struct inode, inode, i_mode);
	if ((mode & S_IFMT) != S_IFREG)
		return;
	tag = file_tag(file, inode);
	if (!tag)
		return;
	READ_IF(TYPED, size, struct inode, inode, i_size);
	size = size > offset ? size - offset : 0;
	account_read(task, inode, tag, ACCESS_MMAP, length < size ? length : size);
}

static __always_inline __u64 task_mask(__u64 task)
{
	struct subject who;

	if (!any_taint)
		return 0;
	subject_of(task, &who);
	return subject_mask(&who);
}

/* A subject got a descriptor it had not: what it may hold can go there too. */
static __always_inline void descriptor_added(__u64 task, __u64 file)
{
	__u64 mask = task_mask(task);

	if (mask)
		mark_file(file, mask);
}

/* The same where it is not known which: both ends of a new pipe. */
static __always_inline void descriptors_added(__u64 task)
{
	__u64 mask = task_mask(task);

	if (mask)
		mark_held(task, mask);
}

/* Names moved: what was decided by walking up may be wrong now. */
static __always_inline void names_changed(void)
{
	__sync_fetch_and_add(&tag_epoch, 1);
}

#endif
