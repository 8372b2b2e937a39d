/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Taint reaches a subject, and at once all that it could pass its bytes into. */
#ifndef SLUICE_TAINT_BPF_H
#define SLUICE_TAINT_BPF_H

#include "core/channel.bpf.h"
#include "core/flow.bpf.h"
#include "core/object.bpf.h"
#include "core/subject.bpf.h"

static const struct edge_val no_edge = {};

/* `inode`: of a pipe or FIFO; 0: it is none. */
static __always_inline void object_add(struct object *what, __u64 mask, __u64 inode)
{
	struct object_taint *t = bpf_map_lookup_elem(&objects, what);
	struct object_taint born = {.mask = mask, .inode = inode};

	if (t) {
		mask_add(&t->mask, mask);
		if (inode && t->inode != inode)
			t->inode = inode;
		return;
	}
	born.since_ns = bpf_ktime_get_boot_ns();
	if (bpf_map_update_elem(&objects, what, &born, BPF_ANY)) {
		lose(LOSS_OBJECT_FULL);
		crowd();
	}
}

/* Has a pipe no end open any more, or is its inode another's by now? Then what was in it is gone. */
static __always_inline bool pipe_dead(struct object *what, __u64 inode)
{
	struct object now;
	__u64 pipe;

	object_of(false, inode, &now);
	if (now.ino != what->ino || now.dev != what->dev || now.gen != what->gen)
		return true;
	READ(pipe, struct inode, inode, i_pipe);
	return !pipe;
}

#include "core/served.bpf.h"
#include "core/tty.bpf.h"

struct held {
	__u64 fds; /* struct file ** */
	__u64 task;
	__u64 mask;
	__u32 n;
};

/* Files of the kernel's own making carry nobody's bytes. */
static __always_inline bool is_kernel_fs(__u64 inode)
{
	unsigned long magic;
	__u64 sb;

	READ(sb, struct inode, inode, i_sb);
	READ(magic, struct super_block, sb, s_magic);
	return magic == 0x9fa0 || magic == 0x62656572 || magic == 0x63677270 || /* proc, sysfs, cgroup2 */
	       magic == 0x74726163 || magic == 0x64626720 || magic == 0xcafe4a11 || /* tracefs, debugfs, bpf */
	       magic == 0x09041934; /* anon_inodefs: its one inode is a regular file since 6.16, and everybody's */
}

/* A regular file that may hold tagged bytes from now on. False: no file that keeps what is written. */
static __always_inline bool file_add(__u64 inode, __u64 mask)
{
	struct object what;

	object_of(false, inode, &what);
	if (!bpf_map_lookup_elem(&objects, &what) && is_kernel_fs(inode))
		return false;
	object_add(&what, mask, 0);
	derived_filter[sl_filter_slot(&what)] = 1;
	return true;
}

#define SLOT 1

/* What a tainted subject can write to may carry its bytes from now on. Plain addresses: of a struct file or, with SLOT
 * added, of the place in a descriptor table that holds one; for the stack's sake no other function does that. */
int mark_file(__u64 task, __u64 file, __u64 mask);

/* The stack of mark_file() is part of every chain of calls there is, so what has an object on it is not in there. */
int pipe_mark(__u64 inode, __u64 mask);

__weak __noinline int pipe_mark(__u64 inode, __u64 mask)
{
	struct object what;

	object_of(false, inode, &what);
	object_add(&what, mask, inode);
	return 0;
}

int regular_mark(__u64 inode, __u64 mask);

__weak __noinline int regular_mark(__u64 inode, __u64 mask)
{
	return file_add(inode, mask);
}

__weak __noinline int mark_file(__u64 task, __u64 file, __u64 mask)
{
	__u64 inode;
	__u32 fmode;
	__u16 mode;

	if (file & SLOT && bpf_probe_read_kernel(&file, sizeof(file), (void *)(file - SLOT)))
		return 0;
	if (!file)
		return 0;
	READ(inode, struct file, file, f_inode);
	if (!inode)
		return 0;
	READ(mode, struct inode, inode, i_mode);
	mode &= S_IFMT;
	if (mode == S_IFSOCK) {
		flow_mark(task, file, mask);
		return 0;
	}
	if (mode == S_IFCHR) {
		device_mark(task, inode, mask);
		char_mark(file, inode, mask);
		return 0;
	}
	READ(fmode, struct file, file, f_mode);
	if (!(fmode & FMODE_WRITE))
		return 0;
	if (mode == S_IFREG) {
		regular_mark(inode, mask);
		served_mark(inode, mask);
	} else if (mode == S_IFIFO) {
		pipe_mark(inode, mask);
	}
	return 0;
}

static long mark_one(__u32 i, struct held *h)
{
	if (i >= h->n)
		return 1;
	mark_file(h->task, h->fds + 8 * (__u64)i + SLOT, h->mask);
	return 0;
}

#define FDS_WITHOUT_LOOP 256

/* Before the subject returns to user mode with the bytes, every pipe and socket it could pass them
 * into is marked. A reader on another CPU can therefore not be faster than the mark. */
static __always_inline int mark_held(__u64 task, __u64 mask)
{
	__u64 files, fdt, fds;
	__u32 n, most = have_loop ? SL_FDS_WALKED : FDS_WITHOUT_LOOP;

	READ_PROBE(files, struct task_struct, task, files);
	if (!files)
		return 0;
	READ_PROBE(fdt, struct files_struct, files, fdt);
	READ_PROBE(fds, struct fdtable, fdt, fd);
	READ_PROBE(n, struct fdtable, fdt, max_fds);
	if (n > most) {
		lose(LOSS_FDS_DEEP);
		n = most;
	}
	if (have_loop) {
		struct held h = {.fds = fds, .task = task, .mask = mask, .n = n};

		bpf_loop(n, mark_one, &h, 0);
	} else {
		for (__u32 i = 0; i < FDS_WITHOUT_LOOP; i++) {
			if (i >= n)
				break;
			mark_file(task, fds + 8 * (__u64)i + SLOT, mask);
		}
	}
	return 0;
}

/* A subject may hold more than before, if the result says so; what it holds is not marked yet. */
static __noinline int taint_add(struct subject *who, __u64 mask, __u32 via)
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
	return 1;
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
	if (bytes) /* the compiler makes an atomic OR of adding a constant 0: 981f94c3e921, 5.12 */
		__sync_fetch_and_add(&v->bytes, bytes);
	__sync_fetch_and_add(&v->ops, 1);
	v->last_ns = interval_ns;
}

/* shared.bpf.c. What a tainted subject shares with others, and with whom: its memory, or a file that they have mapped. At
 * the depth of its callers, not below them. */
#define SHARE_OBJECT 1 /* `at` is an inode, else a task; mask 0: only what it has mapped is looked at */
#define SHARE_LATE 2   /* it was missed before: all that was sent since counts */
int share(__u64 at, __u64 mask, __u32 how);

/* A mapping was made at this address; a descriptor was obtained. */
int share_mapped(__u64 task, __u64 addr);
int share_opened(__u64 task, __u64 file, __u64 mask);

/* `reader` has access to the memory of `source`: what one may hold the other may too. The mask that is
 * new to the reader. */
static __noinline __u64 note_peek(__u64 reader, __u64 source)
{
	struct edge_key key = {.via = VIA_PEEK};
	struct subject *from = (struct subject *)&key.what;

	subject_at(source, from);
	key.mask = subject_mask(from);
	if (!key.mask)
		return 0;
	subject_at(reader, &key.who);
	if (key.who.tgid == from->tgid)
		return 0;
	account_edge(&key, 0);
	return taint_add(&key.who, key.mask, VIA_PEEK) ? key.mask : 0;
}

/* Who got more than it had: 1, the one; 2, the other; 3, both. Plain addresses. */
int peek_both(__u64 one, __u64 other);

__weak __noinline int peek_both(__u64 one, __u64 other)
{
	int got = note_peek(one, other) ? 1 : 0;
	struct subject who;

	if (note_peek(other, one))
		got += 2;
	if (!got)
		return 0;
	subject_at(one, &who);
	announce(one, &who);
	subject_at(other, &who);
	announce(other, &who);
	return got;
}

static __always_inline int share_all(__u64 task)
{
	struct subject who;

	subject_at(task, &who);
	return share(task, subject_mask(&who), 0);
}

/* Both ways: who can look into another process can write into it as well. */
static __always_inline int peek(__u64 one, __u64 other)
{
	int got = peek_both(one, other);

	if (got & 1)
		share_all(one);
	if (got & 2)
		share_all(other);
	return 0;
}

/* The rare half of what follows; `task` is a plain address. Nonzero: it had not all of it. */
int taint_one(__u64 task, __u64 mask, __u32 via);

__weak __noinline int taint_one(__u64 task, __u64 mask, __u32 via)
{
	struct subject who;

	subject_at(task, &who);
	announce(task, &who);
	if (!taint_add(&who, mask, via))
		return 0;
	mark_held(task, mask);
	return 1;
}

static __always_inline int taint_task(__u64 task, __u64 mask, __u32 via)
{
	return taint_one(task, mask, via) ? share(task, mask, 0) : 0;
}

/* What of `mask` the subject is not yet known to hold. */
static __always_inline __u64 missing(struct subject *who, __u64 mask)
{
	struct taint *t = bpf_map_lookup_elem(&tainted, who);

	if (!t)
		return mask;
	t->used = 1;
	return mask & ~t->mask;
}

/* The datasets that taint_task() has to be called with: what is new, or anything if user space has not heard of the
 * subject. The hook itself calls it: of a chain of calls there may be 8, with 512 bytes of stack together. */
static __always_inline __u64 news(struct subject *who, __u64 mask)
{
	__u64 more = missing(who, mask);

	return more || bpf_map_lookup_elem(&announced, who) ? more : mask;
}

static __always_inline void become_tainted(__u64 task, struct subject *who, __u64 mask, __u32 via)
{
	mask = missing(who, mask);
	if (mask)
		taint_task(plain(task), mask, via);
}

#endif
