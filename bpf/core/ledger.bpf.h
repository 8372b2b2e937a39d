/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What was read, and what went from one to another. Nothing here can lose a byte in silence. */
#ifndef SLUICE_LEDGER_BPF_H
#define SLUICE_LEDGER_BPF_H

#include "core/taint.bpf.h"

static const struct ledger_val no_access = {};
static const struct overflow_val no_overflow = {};

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

#define EEXIST 17

static __always_inline void tell_read(const struct subject *who, const struct object *what, __u32 dataset)
{
	struct file_read *r = bpf_ringbuf_reserve(&reads, sizeof(*r), 0);

	if (!r) {
		lose(LOSS_READ_UNTOLD);
		return;
	}
	r->who = *who;
	r->what = *what;
	r->dataset = dataset;
	r->pad = 0;
	bpf_ringbuf_submit(r, wake_once(&reads, SL_READS_BYTES, &reads_woken));
}

/* Out of line, so that account_read() does without its stack. */
static __noinline int touch_slowly(struct subject *who, __u64 inode, __u32 dataset)
{
	struct seen_key key = {.who = *who};
	__u8 one = 1;
	long err;

	object_of(TYPED, inode, &key.what);
	key.who.exec ^= dataset << 24;
	err = bpf_map_update_elem(&seen, &key, &one, BPF_NOEXIST);
	if (err != -EEXIST)
		tell_read(who, &key.what, dataset);
	return !err;
}

/* Is this the subject's first touch of this file as one of the dataset, as far as remembered? */
static __always_inline bool first_touch(struct subject *who, __u64 inode, __u32 dataset)
{
	struct object what;
	struct cpu_cache *c;
	__u32 zero = 0;
	__u64 sig, *slot;

	object_of(TYPED, inode, &what);
	sig = sl_mix(sl_mix(who->start_ns ^ who->tgid, who->exec ^ dataset << 24), sl_mix(what.ino, what.gen));
	c = bpf_map_lookup_elem(&cache, &zero);
	if (!c)
		return false;
	slot = &c->counted[sig >> (64 - SL_CACHE_BITS)];
	if (*slot == sig)
		return false;
	*slot = sig;
	return touch_slowly(who, inode, dataset);
}

/* The datasets that the task has to be tainted with. So do all below that return a mask. */
static __noinline __u64 account_read(__u64 task, __u64 inode, __u8 tag, __u16 kind, __u64 bytes)
{
	struct ledger_key key = {.dataset = tag - 1, .kind = kind};
	struct ledger_val *v;
	__u64 mask = 0;

	subject_of(task, &key.who);
	v = bpf_map_lookup_elem(&ledger, &key);
	if (!v) {
		bpf_map_update_elem(&ledger, &key, &no_access, BPF_NOEXIST);
		mask = news(&key.who, tag_bit(tag));
		v = bpf_map_lookup_elem(&ledger, &key);
		if (!v) {
			account_overflow(task, &key, bytes);
			return mask;
		}
		v->first_ns = bpf_ktime_get_boot_ns();
	}
	__sync_fetch_and_add(&v->bytes, bytes);
	__sync_fetch_and_add(&v->ops, 1);
	if (first_touch(&key.who, inode, key.dataset))
		__sync_fetch_and_add(&v->files, 1);
	v->last_ns = interval_ns;
	return mask;
}

static __always_inline __u64 task_mask(__u64 task)
{
	struct subject who;

	if (!any_taint)
		return 0;
	subject_of(task, &who);
	return subject_mask(&who);
}

/* --- what the hooks call ------------------------------------------------------ */

static __noinline __u64 pipe_read(__u64 task, __u64 inode, __u64 bytes)
{
	struct edge_key key = {.via = VIA_PIPE_READ};

	object_of(TYPED, inode, &key.what);
	key.mask = object_mask(&key.what);
	if (!key.mask)
		return 0;
	subject_of(task, &key.who);
	account_edge(&key, bytes);
	return news(&key.who, key.mask);
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
	object_add(&key.what, key.mask, inode);
	announce(task, &key.who);
	account_edge(&key, bytes);
	return 0;
}

#include "core/char.bpf.h"
#include "core/device.bpf.h"
#include "core/inlet.bpf.h"

/* A message may have brought descriptors. What a subject holds is marked as taint comes to it: here it may hold more than
 * before. A plain address; and of its own, for the stack's sake. */
int descriptors_received(__u64 task);

__weak __noinline int descriptors_received(__u64 task)
{
	struct subject who;
	__u64 mask;

	subject_at(task, &who);
	mask = subject_mask(&who);
	return mask ? mark_held(task, mask) : 0;
}

/* Set B: `n` bytes, or messages, went through a socket by a system call, or a request, of this kind (an OP_ of
 * is_socket_op()). In set A the functions that carry them have hooks of their own. */
static __noinline __u64 socket_passed(__u64 task, __u64 file, __u64 n, __u32 op)
{
	__u64 sk = socket_of(file);
	__u16 family;

	if (trampolines || !sk)
		return 0;
	READ(family, struct sock, sk, __sk_common.skc_family);
	if (family == AF_INET || family == AF_INET6)
		return is_receive_op(op) ? inlet_read(task, plain(sk), op == OP_RECVMMSG ? n * MESSAGE_MAX : n) : 0;
	if (family != AF_UNIX)
		return 0;
	if (is_receive_op(op) && op != OP_RECV)
		descriptors_received(plain(task));
	return unix_passed(plain(task), plain(sk), n, op);
}

/* A file that may hold tagged bytes though it is in no dataset, or in another one (`own`). */
static __noinline __u64 file_read(__u64 task, __u64 inode, __u64 bytes, __u64 own)
{
	struct edge_key key = {.via = VIA_FILE_READ};

	object_of(TYPED, inode, &key.what);
	key.mask = object_mask(&key.what) & ~own;
	if (!key.mask)
		return 0;
	subject_of(task, &key.who);
	account_edge(&key, bytes);
	return news(&key.who, key.mask);
}

static __noinline int file_write(__u64 task, __u64 inode, __u64 bytes, __u8 tag)
{
	struct edge_key key = {.via = VIA_FILE_WRITE, .own = own_of(tag)};
	struct taint *t;

	subject_of(task, &key.who);
	t = bpf_map_lookup_elem(&tainted, &key.who);
	if (!t)
		return 0;
	key.mask = t->mask & ~tag_bit(tag);
	if (!key.mask || !regular_mark(plain(inode), key.mask))
		return 0;
	t->used = 1;
	object_of(TYPED, inode, &key.what);
	announce(task, &key.who);
	account_edge(&key, bytes);
	return 0;
}

/* What is written into a dataset is part of it: only other datasets' bytes make a derived file of it. */
static __noinline int regular_write(__u64 task, __u64 file, __u64 inode, __u64 bytes)
{
	bool derived = false;
	unsigned long magic;
	__u64 sb;

	if (!task_mask(task))
		return 0;
	READ_IF(TYPED, sb, struct inode, inode, i_sb);
	READ_IF(TYPED, magic, struct super_block, sb, s_magic);
	if (magic == FUSE_SUPER_MAGIC)
		served_write(plain(task), plain(inode), bytes);
	else if (is_remote_fs(magic))
		remote_fs(plain(inode), magic);
	return file_write(task, inode, bytes, file_tag(file, inode, &derived));
}

/* /proc/PID/mem: an open file of it keeps the mm it is about. */
static __always_inline int memory_read(__u64 task, __u64 file)
{
	__u64 mm, owner = 0;

	READ(mm, struct file, file, private_data);
	if (mm && bpf_core_field_exists(struct mm_struct, owner))
		READ(owner, struct mm_struct, mm, owner);
	return owner ? peek(plain(task), plain(owner)) : 0;
}

/* *memory: it is a process's, see memory_read(). */
static __noinline __u64 regular_read(__u64 task, __u64 file, __u64 inode, __u64 bytes, bool *memory)
{
	bool derived = false;
	__u8 tag = file_tag(file, inode, &derived);
	__u64 mask = 0;

	if (is_dataset(tag))
		mask = account_read(task, inode, tag, ACCESS_READ, bytes);
	if (!any_taint)
		return mask;
	if (derived)
		mask |= file_read(task, inode, bytes, tag_bit(tag));
	*memory = tag == TAG_MEMORY;
	return mask;
}

/* `bytes` came out of an open file into a task's memory. */
static __always_inline void read_done(__u64 task, __u64 file, __u64 bytes)
{
	__u64 inode, mask = 0;
	bool memory = false;
	__u16 mode;

	READ_IF(TYPED, inode, struct file, file, f_inode);
	if (!inode)
		return;
	READ_IF(TYPED, mode, struct inode, inode, i_mode);
	mode &= S_IFMT;
	if (mode == S_IFREG)
		mask = regular_read(task, file, inode, bytes, &memory);
	else if (mode == S_IFIFO && any_taint)
		mask = pipe_read(task, inode, bytes);
	else if (mode == S_IFCHR && any_taint)
		mask = char_read(plain(task), plain(file), plain(inode), bytes);
	else if (mode == S_IFBLK)
		mask = device_read(task, inode, bytes);
	else if (mode == S_IFSOCK && any_taint)
		mask = socket_passed(task, file, bytes, OP_RECV);
	if (mask)
		taint_task(plain(task), mask, mode == S_IFIFO ? VIA_PIPE_READ : VIA_READ);
	if (memory)
		memory_read(task, file);
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
	mode &= S_IFMT;
	if (mode == S_IFREG)
		regular_write(task, file, inode, bytes);
	else if (mode == S_IFIFO)
		pipe_write(task, inode, bytes);
	else if (mode == S_IFCHR)
		char_write(plain(task), plain(file), plain(inode), bytes);
	else if (mode == S_IFSOCK)
		socket_passed(task, file, bytes, OP_SEND);
}

/* Are all pages of its mappings told? Not those of tmpfs (userfaultfd maps its pages too), hugetlbfs, DAX, and of file
 * systems with faults of their own: there a mapping counts in full. */
static __always_inline bool pages_told(__u64 inode)
{
	unsigned long magic;
	__u32 flags;
	__u64 sb;

	if (!fault_pages)
		return false;
	READ_IF(TYPED, flags, struct inode, inode, i_flags);
	READ_IF(TYPED, sb, struct inode, inode, i_sb);
	READ_IF(TYPED, magic, struct super_block, sb, s_magic);
	return !(flags & S_DAX) && (magic == EXT4_SUPER_MAGIC || magic == XFS_SUPER_MAGIC || magic == BTRFS_SUPER_MAGIC);
}

/* With an offset into a file, which has it always 0: others have the mapping too. What they write to it later is seen
 * in it, so that its length bounds nothing; map_shared() takes care of that. */
#define OF_SHARED 1

static __noinline __u64 regular_map(__u64 task, __u64 file, __u64 inode, __u64 length, __u64 offset)
{
	bool derived = false;
	__u64 size, mask = 0;
	__u8 tag;

	tag = file_tag(file, inode, &derived);
	derived = derived && any_taint && !(offset & OF_SHARED);
	offset &= ~(__u64)OF_SHARED;
	if (!is_dataset(tag) && !derived)
		return 0;
	READ_IF(TYPED, size, struct inode, inode, i_size);
	size = size > offset ? size - offset : 0;
	size = length < size ? length : size;
	if (is_dataset(tag))
		mask = account_read(task, inode, tag, ACCESS_MMAP, size);
	if (derived)
		mask |= file_read(task, inode, size, tag_bit(tag));
	return mask;
}

/* A file became visible in a task's memory: it may see at most so much of it. */
static __always_inline void map_done(__u64 task, __u64 file, __u64 length, __u64 offset)
{
	__u64 inode, mask = 0;
	__u16 mode;

	READ_IF(TYPED, inode, struct file, file, f_inode);
	if (!inode)
		return;
	READ_IF(TYPED, mode, struct inode, inode, i_mode);
	mode &= S_IFMT;
	if (mode == S_IFREG)
		mask = regular_map(task, file, inode, pages_told(inode) ? 0 : length, offset);
	else if (mode == S_IFBLK)
		mask = device_read(task, inode, length);
	if (mask)
		taint_task(plain(task), mask, VIA_READ);
}

/* The same, of a mapping that others may have too: bytes pass through it without a call. Only a tainted subject, or a
 * file that may hold tagged bytes, is worth a closer look. */
static __always_inline void map_shared(__u64 task, __u64 file, __u64 addr)
{
	struct object what;
	__u64 inode;

	if (!any_taint)
		return;
	READ_IF(TYPED, inode, struct file, file, f_inode);
	if (!inode)
		return;
	object_of(TYPED, inode, &what);
	if (task_mask(task) || derived_filter[sl_filter_slot(&what)])
		share_mapped(plain(task), addr);
}

/* A subject got a descriptor it had not: what it may hold can go there too. */
static __always_inline void descriptor_added(__u64 task, __u64 file)
{
	__u64 mask = task_mask(task);

	if (!mask)
		return;
	mark_file(plain(task), plain(file), mask);
	share_opened(plain(task), plain(file), mask);
}

/* The same where it is not known which: both ends of a new pipe. */
static __always_inline void descriptors_added(__u64 task)
{
	__u64 mask = task_mask(task);

	if (mask)
		mark_held(plain(task), mask);
}

/* A name of this file is about to be another one. */
static __always_inline void name_leaves(__u64 dentry, __u64 inode)
{
	struct object what;
	__u16 mode;

	if (!inode)
		return;
	READ_IF(TYPED, mode, struct inode, inode, i_mode);
	if ((mode & S_IFMT) != S_IFREG)
		return;
	object_of(TYPED, inode, &what);
	decide_tag(plain(dentry), plain(inode), what.ino, (__u64)what.gen << 32 | what.dev);
}

/* Names moved: what was decided by walking up may be wrong now. */
static __always_inline void names_changed(void)
{
	__sync_fetch_and_add(&tag_epoch, 1);
}

#endif
