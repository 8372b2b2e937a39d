/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Memory that several processes have: no call passes its bytes, so whoever has it is tainted in the moment in which
 * it may hold tagged ones. A subject that becomes tainted marks all files that it has mapped shared and writable;
 * all who have one of these mapped become tainted in turn, and so on. A list of what is still to be looked at takes the
 * place of recursion, and each step of the walk looks at one thing.
 *
 * No lock is taken: trees may change while they are walked, so every pointer is only probed, and the number of steps
 * is bounded. What is missed by that, user space finds by looking again (share_again(), share_look()); a subject found so
 * late is taken to have sent tagged bytes all along.
 */
#ifndef SLUICE_SHARED_BPF_H
#define SLUICE_SHARED_BPF_H

#include "core/ledger.bpf.h"


#define TMPFS_MAGIC 0x01021994
#define RAMFS_MAGIC 0x858458f6
#define HUGETLBFS_MAGIC 0x958458f6

#define DEPTHS 3		      /* a walk may be interrupted by another, on top of the same task */
#define ROOM_TASK (SL_SHARE_ITEMS / 2) /* objects have room when tasks have none: both make progress */
#define ROOM_OBJECT (SL_SHARE_ITEMS - 4)

enum share_phase {
	PHASE_NEXT,	/* takes the next item */
	PHASE_FILES,	/* at: number of a descriptor; from: the table; end: its size */
	PHASE_MAPPINGS, /* at: address to look from; from: that before; end: nothing is behind */
	PHASE_KIN,	/* who traces it, or has the same memory */
	PHASE_THREADS,	/* at: node of a thread */
	PHASE_CHILDREN, /* from: node of a child of that thread */
	PHASE_MAPPERS,	/* of an inode; at: node of its tree of mappings, from: the node before */
};

#define FROM_FILES 1   /* addresses are 0, or higher */
#define FROM_KIN ~0ULL /* there is no mapping */

static const struct share_lane no_lane = {};

static __always_inline bool share_room(struct share_lane *l, __u32 most)
{
	return l->n - l->head < most;
}

static __always_inline void share_put(struct share_lane *l, __u64 at, __u64 mask, __u64 from, __u64 object)
{
	struct share_item *i = &l->item[l->n & (SL_SHARE_ITEMS - 1)];

	i->at = at;
	i->mask = mask;
	i->from = from;
	i->object = object;
	l->n++;
}

/* The item at work waits until there is room again: the place it was taken from is free. */
static __always_inline void share_put_back(struct share_lane *l, __u64 from)
{
	share_put(l, l->now.at, l->now.mask, from, l->now.object);
	l->phase = PHASE_NEXT;
}

/* Of the dataset a file is in: known if anyone has opened it to read or map it. */
static __always_inline __u64 own_bit(struct object *what)
{
	struct root_key key = {.ino = what->ino, .dev = what->dev};
	struct inode_verdict *v = bpf_map_lookup_elem(&inodes, &key);

	return v && v->gen == what->gen && v->policy == policy_epoch ? tag_bit(v->tag) : 0;
}

static __always_inline bool same_object(struct object *a, struct object *b)
{
	return a->ino == b->ino && a->gen == b->gen && a->dev == b->dev;
}

/* Its inodes live as long as they have a name or a user. */
static __always_inline bool is_memory_fs(__u64 inode)
{
	unsigned long magic;
	__u64 sb;

	READ_PROBE(sb, struct inode, inode, i_sb);
	READ_PROBE(magic, struct super_block, sb, s_magic);
	return magic == TMPFS_MAGIC || magic == HUGETLBFS_MAGIC || magic == RAMFS_MAGIC;
}

/* l->what, this inode, may hold bytes of `mask`: whoever has it mapped is to be told. False: no room for that yet. */
static __noinline bool share_object(struct share_lane *l, __u64 inode, __u64 mask)
{
	struct object_taint *t;

	object_add(&l->what, mask);
	derived_filter[filter_slot(&l->what)] = 1;
	any_shared = 1;
	t = bpf_map_lookup_elem(&objects, &l->what);
	if (!t || !(mask & ~t->shared))
		return true;
	if (!share_room(l, ROOM_OBJECT))
		return false;
	t->inode = inode | is_memory_fs(inode);
	t->since_ns = bpf_ktime_get_boot_ns();
	mask_add(&t->shared, mask);
	share_put(l, inode, mask, 0, 1);
	return true;
}

/* Between `task` and l->what, unless it is noted already. False: there is no such process. */
static __always_inline bool share_edge(struct share_lane *l, __u64 task, __u64 mask, __u32 via, __u64 bytes)
{
	subject_at(task, &l->key.who);
	l->key.what = l->what;
	l->key.mask = mask;
	l->key.via = via;
	if (!l->key.who.tgid)
		return false;
	if (!bpf_map_lookup_elem(&edges, &l->key)) {
		announce(task, &l->key.who);
		account_edge(&l->key, bytes);
	}
	return true;
}

/* `task` has l->what in its memory. `bytes`: most that it can see of it, where that is known. False: no room. */
static __always_inline bool share_reader(struct share_lane *l, __u64 task, __u64 mask, __u32 via, __u64 bytes)
{
	if (!share_room(l, ROOM_TASK))
		return false;
	if (share_edge(l, task, mask, via, bytes) && taint_add(&l->key.who, mask, via))
		share_put(l, task, mask, FROM_FILES, 0);
	return true;
}

/* --- what a task has ------------------------------------------------------------------------ */

/* What the socket sent before counts as well: when the subject came by its bytes is not known. */
static __noinline int share_sent(__u64 file, __u64 mask)
{
	struct flow_key key;
	struct flow *f;
	__u64 sk;

	sk = socket_of(file);
	if (!sk)
		return 0;
	key = tcp_key(sk);
	f = bpf_map_lookup_elem(&flows, &key);
	if (f)
		flow_taint_add(f, mask, f->base_out);
	return 0;
}

/* Who has a file mapped sees what is written to it by calls as well. False: no room. */
static __noinline bool share_file(struct share_lane *l, __u64 file)
{
	__u64 inode, mapping, root, mask;
	__u32 fmode;
	__u16 mode;

	READ_PROBE(inode, struct file, file, f_inode);
	READ_PROBE(mode, struct inode, inode, i_mode);
	if (l->late && (mode & S_IFMT) == S_IFSOCK)
		share_sent(file, l->now.mask);
	READ_PROBE(fmode, struct file, file, f_mode);
	if ((mode & S_IFMT) != S_IFREG || !(fmode & FMODE_WRITE))
		return true;
	READ_PROBE(mapping, struct inode, inode, i_mapping);
	READ_PROBE(root, struct address_space, mapping, i_mmap.rb_root.rb_node);
	if (!root || is_kernel_fs(inode))
		return true;
	object_of(false, inode, &l->what);
	if (same_object(&l->what, &spared))
		return true;
	mask = l->now.mask & ~own_bit(&l->what);
	return !mask || share_object(l, inode, mask);
}

/* One mapping of a task. False: no room. */
static __noinline bool share_mapping(struct share_lane *l, __u64 vma)
{
	__u64 file, inode, own, held, mask;
	unsigned long flags;
	__u16 mode;

	READ_PROBE(flags, struct vm_area_struct, vma, vm_flags);
	READ_PROBE(file, struct vm_area_struct, vma, vm_file);
	if (!(flags & VM_MAYSHARE) || !file)
		return true;
	READ_PROBE(inode, struct file, file, f_inode);
	READ_PROBE(mode, struct inode, inode, i_mode);
	if ((mode & S_IFMT) != S_IFREG)
		return true;
	object_of(false, inode, &l->what);
	if (same_object(&l->what, &spared))
		return true;
	own = own_bit(&l->what);
	held = object_mask(&l->what) & ~own;
	if (held && !share_reader(l, l->now.at, held, VIA_SHARED_READ, 0))
		return false;
	mask = l->now.mask & ~own;
	if (!mask || !(flags & VM_MAYWRITE) || is_kernel_fs(inode))
		return true;
	if (!share_object(l, inode, mask))
		return false;
	share_edge(l, l->now.at, mask, VIA_SHARED_WRITE, 0);
	return true;
}

/* --- a task's mappings, by address ------------------------------------------------------------- */

/* up to 6.0; a maple tree since d4af56c5c7c6 ("mm: start tracking VMAs with maple tree"), 6.1 */
struct mm_struct___rb {
	struct rb_root mm_rb;
} __attribute__((preserve_access_index));
struct vm_area_struct___rb {
	struct rb_node vm_rb;
} __attribute__((preserve_access_index));

#define RB_DEPTH 40
#define MAPLE_DEPTH 8
#define MAPLE_RANGE_64 2
#define MAPLE_ARANGE_64 3

static __always_inline __u64 tree_find(struct share_lane *l, __u64 addr)
{
	__u64 node, vma, found = 0, start, end, behind = 0;

	READ_PROBE(node, struct mm_struct___rb, l->mm, mm_rb.rb_node);
	for (int i = 0; i < RB_DEPTH && node; i++) {
		vma = node - bpf_core_field_offset(struct vm_area_struct___rb, vm_rb);
		READ_PROBE(end, struct vm_area_struct, vma, vm_end);
		if (end <= addr) {
			READ_PROBE(node, struct rb_node, node, rb_right);
			continue;
		}
		found = vma;
		behind = end;
		READ_PROBE(start, struct vm_area_struct, vma, vm_start);
		if (start <= addr)
			break;
		READ_PROBE(node, struct rb_node, node, rb_left);
	}
	l->end = !found;
	l->at = behind;
	return found;
}

/* The last slot in use. A node that is full up has no place to note it (ma_data_end() in lib/maple_tree.c). */
static __always_inline __u32 maple_end(struct share_lane *l, __u64 node, __u32 type, __u64 max)
{
	__u8 end;

	if (type == MAPLE_ARANGE_64) {
		READ_PROBE(end, struct maple_arange_64, node, meta.end);
		return end;
	}
	if (l->pivot[14])
		return l->pivot[14] == max ? 14 : 15;
	READ_PROBE(end, struct maple_range_64, node, meta.end);
	return end;
}

/* One node down; *max: the last address under it. */
static __noinline __u64 maple_down(struct share_lane *l, __u64 entry, __u64 addr, __u64 *max)
{
	__u32 type = entry >> 3 & 15, off = 0, end;
	__u64 node = entry & ~255ULL, slot, last = *max;

	l->pivot[14] = 0;
	if (type == MAPLE_ARANGE_64) {
		slot = node + bpf_core_field_offset(struct maple_arange_64, slot);
		bpf_probe_read_kernel(l->pivot, 9 * 8, (void *)(node + bpf_core_field_offset(struct maple_arange_64, pivot)));
	} else {
		slot = node + bpf_core_field_offset(struct maple_range_64, slot);
		bpf_probe_read_kernel(l->pivot, 15 * 8, (void *)(node + bpf_core_field_offset(struct maple_range_64, pivot)));
	}
	end = maple_end(l, node, type, last);
	for (__u32 k = 0; k < 15; k++)
		if (k >= end || l->pivot[k] >= addr)
			break;
		else
			off = k + 1;
	if (off < end && off < 15)
		*max = l->pivot[off];
	bpf_probe_read_kernel(&slot, sizeof(slot), (void *)(slot + 8 * off));
	return slot;
}

static __always_inline __u64 maple_find(struct share_lane *l, __u64 addr)
{
	__u64 entry, mm = 0, max = ~0ULL;
	__u32 type = MAPLE_RANGE_64;

	READ_PROBE(entry, struct mm_struct, l->mm, mm_mt.ma_root);
	for (int i = 0; i < MAPLE_DEPTH && type >= MAPLE_RANGE_64 && entry > 4096; i++) {
		type = entry >> 3 & 15;
		if (type > MAPLE_ARANGE_64)
			return 0; /* it has just been freed */
		entry = maple_down(l, entry, addr, &max);
	}
	l->at = max + 1;
	l->end = !l->at;
	if (entry > 4096)
		READ_PROBE(mm, struct vm_area_struct, entry, vm_mm);
	return mm == l->mm ? entry : 0;
}

/* The mapping at this address, or behind it; 0: none there. l->at: where to look next. */
static __noinline __u64 mapping_find(struct share_lane *l, __u64 addr)
{
	l->end = 1;
	if (!l->mm)
		return 0;
	if (bpf_core_field_exists(struct mm_struct, mm_mt))
		return maple_find(l, addr);
	return tree_find(l, addr);
}

/* --- who has what ------------------------------------------------------------------------------- */

/* The mapping whose node this is. False: no room. */
static __noinline bool share_mapper(struct share_lane *l, __u64 node)
{
	__u64 vma = node - bpf_core_field_offset(struct vm_area_struct, shared.rb), mm, task, start, end;
	unsigned long flags;

	READ_PROBE(mm, struct vm_area_struct, vma, vm_mm);
	if (!mm)
		return true;
	READ_PROBE(task, struct mm_struct, mm, owner);
	if (!task)
		return true; /* it is ending */
	READ_PROBE(flags, struct vm_area_struct, vma, vm_flags);
	READ_PROBE(start, struct vm_area_struct, vma, vm_start);
	READ_PROBE(end, struct vm_area_struct, vma, vm_end);
	return share_reader(l, task, l->now.mask, flags & VM_MAYSHARE ? VIA_SHARED_READ : VIA_FILE_READ,
			    flags & VM_MAYSHARE ? 0 : end - start);
}

/* One node: a mapping when it is met from above, then on to its children, at last back up. */
static __always_inline void step_mappers(struct share_lane *l)
{
	__u64 node = l->at, up, left, right, next;

	READ_PROBE(up, struct rb_node, node, __rb_parent_color);
	READ_PROBE(left, struct rb_node, node, rb_left);
	READ_PROBE(right, struct rb_node, node, rb_right);
	up &= ~3ULL;
	next = up;
	if (l->from == up) {
		if (!share_mapper(l, node)) {
			share_put_back(l, 0);
			return;
		}
		next = left ? left : right ? right : up;
	} else if (l->from == left && right) {
		next = right;
	}
	l->from = node;
	l->at = next;
	if (!next)
		l->phase = PHASE_NEXT;
}

/* Whoever has the same memory, or looks into it, has all that the task at work has. False: no room. */
static __always_inline bool share_kin(struct share_lane *l, __u64 other)
{
	__u64 mask;

	if (!share_room(l, ROOM_TASK))
		return false;
	mask = note_peek(other, l->now.at);
	if (mask)
		share_put(l, other, mask, FROM_FILES, 0);
	return true;
}

static __always_inline bool same_memory(struct share_lane *l, __u64 task)
{
	__u64 mm = 0;

	if (task)
		READ_PROBE(mm, struct task_struct, task, mm);
	return mm && mm == l->mm;
}

/* Who else can have its memory: only if it has more users than the task has threads. */
static __always_inline bool has_company(struct share_lane *l)
{
	__u64 signal;
	int users, threads;

	if (!l->mm)
		return false;
	READ_PROBE(signal, struct task_struct, l->now.at, signal);
	READ_PROBE(threads, struct signal_struct, signal, nr_threads);
	READ_PROBE(users, struct mm_struct, l->mm, mm_users.counter);
	return users > threads;
}

/* --- steps ---------------------------------------------------------------------------------- */

static __always_inline void begin_task(struct share_lane *l)
{
	__u64 files, fdt;
	__u32 n = 0;

	READ_PROBE(l->mm, struct task_struct, l->now.at, mm);
	l->at = l->now.from;
	l->phase = PHASE_MAPPINGS;
	if (l->now.from != FROM_FILES)
		return;
	READ_PROBE(files, struct task_struct, l->now.at, files);
	l->at = 0;
	if (!files)
		return;
	READ_PROBE(fdt, struct files_struct, files, fdt);
	READ_PROBE(l->from, struct fdtable, fdt, fd);
	READ_PROBE(n, struct fdtable, fdt, max_fds);
	if (n > SL_FDS_WALKED) {
		lose(LOSS_FDS_DEEP);
		n = SL_FDS_WALKED;
	}
	l->end = n;
	l->phase = PHASE_FILES;
}

static __always_inline void begin_object(struct share_lane *l)
{
	__u64 mapping;

	object_of(false, l->now.at, &l->what);
	READ_PROBE(mapping, struct inode, l->now.at, i_mapping);
	READ_PROBE(l->at, struct address_space, mapping, i_mmap.rb_root.rb_node);
	l->from = 0;
	if (l->at)
		l->phase = PHASE_MAPPERS;
}

/* True: nothing is left. */
static __always_inline bool step_next(struct share_lane *l)
{
	if (l->head == l->n)
		return true;
	l->now = l->item[l->head & (SL_SHARE_ITEMS - 1)];
	l->head++;
	if (l->now.object)
		begin_object(l);
	else
		begin_task(l);
	return false;
}

static __always_inline void step_files(struct share_lane *l)
{
	__u64 file = 0;

	if (l->at >= l->end) {
		l->at = 0;
		l->phase = PHASE_MAPPINGS;
		return;
	}
	bpf_probe_read_kernel(&file, sizeof(file), (void *)(l->from + 8 * l->at));
	l->at++;
	if (!file)
		return;
	if (share_file(l, file))
		mark_file(l->now.at, file, l->now.mask);
	else
		share_put_back(l, FROM_FILES);
}

static __always_inline void step_mappings(struct share_lane *l)
{
	__u64 vma;

	l->from = l->at;
	vma = mapping_find(l, l->from);
	if (vma && !share_mapping(l, vma))
		share_put_back(l, l->from);
	else if (l->end)
		l->phase = PHASE_KIN;
}

/* An orphan's own parent is gone, so that only the memory's owner leads to it. */
static __always_inline void step_kin(struct share_lane *l)
{
	__u64 tracer, parent, owner = 0, signal;
	bool room = true;
	__u32 traced;

	READ_PROBE(traced, struct task_struct, l->now.at, ptrace);
	if (traced) {
		READ_PROBE(tracer, struct task_struct, l->now.at, parent);
		room = share_kin(l, tracer);
	}
	l->phase = PHASE_NEXT;
	if (room && has_company(l)) {
		READ_PROBE(parent, struct task_struct, l->now.at, real_parent);
		if (same_memory(l, parent))
			room = share_kin(l, parent);
		if (bpf_core_field_exists(struct mm_struct, owner))
			READ_PROBE(owner, struct mm_struct, l->mm, owner);
		if (owner && room)
			room = share_kin(l, owner);
		READ_PROBE(signal, struct task_struct, l->now.at, signal);
		READ_PROBE(l->at, struct signal_struct, signal, thread_head.next);
		l->phase = PHASE_THREADS;
	}
	if (!room)
		share_put_back(l, FROM_KIN);
}

static __always_inline void step_threads(struct share_lane *l)
{
	__u64 signal, task;

	READ_PROBE(signal, struct task_struct, l->now.at, signal);
	if (!l->at || l->at == signal + bpf_core_field_offset(struct signal_struct, thread_head)) {
		l->phase = PHASE_NEXT;
		return;
	}
	task = l->at - bpf_core_field_offset(struct task_struct, thread_node);
	READ_PROBE(l->from, struct task_struct, task, children.next);
	l->phase = PHASE_CHILDREN;
}

static __always_inline void step_children(struct share_lane *l)
{
	__u64 task = l->at - bpf_core_field_offset(struct task_struct, thread_node), child;

	if (!l->from || l->from == task + bpf_core_field_offset(struct task_struct, children)) {
		READ_PROBE(l->at, struct list_head, l->at, next);
		l->phase = PHASE_THREADS;
		return;
	}
	child = l->from - bpf_core_field_offset(struct task_struct, sibling);
	if (same_memory(l, child) && !share_kin(l, child)) {
		share_put_back(l, FROM_KIN);
		return;
	}
	READ_PROBE(l->from, struct list_head, l->from, next);
}

/* 1: done. */
static __always_inline int share_step(struct share_key *key)
{
	struct share_lane *l = bpf_map_lookup_elem(&shares, key);

	if (!l)
		return 1;
	switch (l->phase) {
	case PHASE_FILES:
		step_files(l);
		return 0;
	case PHASE_MAPPINGS:
		step_mappings(l);
		return 0;
	case PHASE_KIN:
		step_kin(l);
		return 0;
	case PHASE_THREADS:
		step_threads(l);
		return 0;
	case PHASE_CHILDREN:
		step_children(l);
		return 0;
	case PHASE_MAPPERS:
		step_mappers(l);
		return 0;
	default:
		return step_next(l);
	}
}

#ifdef SLUICE_OLD_KERNEL
/* Global, so that it is verified once and not in each round of the loop. */
int share_old_step(__u64 task, __u64 depth);

__noinline int share_old_step(__u64 task, __u64 depth)
{
	struct share_key key = {task, depth};

	return share_step(&key);
}

static __always_inline void share_steps(struct share_key *key)
{
	__u64 task = key->task, depth = key->depth;

	for (int i = 0; i < SL_SHARE_STEPS_OLD; i++)
		if (share_old_step(task, depth))
			break;
}
#else
static long share_next(__u32 i, struct share_key *key)
{
	return share_step(key);
}

static __always_inline void share_steps(struct share_key *key)
{
	bpf_loop(SL_SHARE_STEPS, share_next, key, 0);
}
#endif

/* --- beginning and end ------------------------------------------------------------------------- */

static __always_inline struct share_lane *lane_take(struct share_key *key)
{
	key->task = bpf_get_current_task();
	for (int i = 0; i < DEPTHS; i++) {
		key->depth = i;
		if (!bpf_map_update_elem(&shares, key, &no_lane, BPF_NOEXIST))
			return bpf_map_lookup_elem(&shares, key);
	}
	lose(LOSS_SHARE_CUT);
	return NULL;
}

static __always_inline void lane_run(struct share_key *key)
{
	struct share_lane *l;

	share_steps(key);
	l = bpf_map_lookup_elem(&shares, key);
	if (l && (l->phase || l->head != l->n))
		lose(LOSS_SHARE_CUT);
	bpf_map_delete_elem(&shares, key);
}

__noinline int share(__u64 at, __u64 mask, __u32 how)
{
	struct share_key key;
	struct share_lane *l = lane_take(&key);

	if (!l)
		return 0;
	l->late = how & SHARE_LATE;
	share_put(l, at, mask, mask ? FROM_FILES : 0, how & SHARE_OBJECT);
	lane_run(&key);
	return 0;
}

__noinline int share_mapped(__u64 task, __u64 addr)
{
	struct share_key key;
	struct share_lane *l;
	struct subject who;
	__u64 vma;

	subject_at(task, &who);
	l = lane_take(&key);
	if (!l)
		return 0;
	l->now.at = task;
	l->now.mask = subject_mask(&who);
	READ_PROBE(l->mm, struct task_struct, task, mm);
	vma = mapping_find(l, addr);
	if (vma)
		share_mapping(l, vma);
	else
		lose(LOSS_SHARE_CUT);
	lane_run(&key);
	return 0;
}

/* --- looking again ------------------------------------------------------------------------------ */

/* Has the inode that was at this address gone, for good? */
static __always_inline bool share_gone(struct object *what, __u64 inode)
{
	struct object now;
	__u32 nlink;
	int count;

	object_of(false, inode, &now);
	READ_PROBE(nlink, struct inode, inode, i_nlink);
	READ_PROBE(count, struct inode, inode, i_count.counter);
	return !same_object(&now, what) || (!nlink && !count);
}

#endif
