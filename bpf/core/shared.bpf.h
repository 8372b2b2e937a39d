/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Memory that several processes have: no call passes its bytes, so whoever has it is tainted in the moment in which
 * it may hold tagged ones. A subject that becomes tainted marks all files that it has mapped shared and writable;
 * all who have one of these mapped become tainted in turn, and so on. A stack of what is being looked at takes the
 * place of recursion, and each step of the walk looks at one thing.
 *
 * No lock is taken: trees may change while they are walked, so every pointer is only probed, and the number of steps
 * is bounded. What is missed by that, user space finds by looking again (share_again(), share_look()); a subject found so
 * late is taken to have sent tagged bytes all along.
 */
#ifndef SLUICE_SHARED_BPF_H
#define SLUICE_SHARED_BPF_H

#include "core/share_find.bpf.h"

/* --- who has what ------------------------------------------------------------------------------- */

/* The mapping of `inode` whose node this is. */
static __noinline int share_mapper(struct share_lane *l, __u64 inode, __u64 mask, __u64 node)
{
	__u64 vma = node - bpf_core_field_offset(struct vm_area_struct, shared.rb), mm, task, start, end;
	unsigned long flags;

	if (!bpf_core_field_exists(struct mm_struct, owner))
		return 0;
	READ_PROBE(mm, struct vm_area_struct, vma, vm_mm);
	if (!mm)
		return 0;
	READ_PROBE(task, struct mm_struct, mm, owner);
	if (!task)
		return 0; /* it is ending */
	object_of(false, inode, &l->what);
	READ_PROBE(flags, struct vm_area_struct, vma, vm_flags);
	READ_PROBE(start, struct vm_area_struct, vma, vm_start);
	READ_PROBE(end, struct vm_area_struct, vma, vm_end);
	share_reader(l, task, mask, flags & VM_MAYSHARE ? VIA_SHARED_READ : VIA_FILE_READ,
		     flags & VM_MAYSHARE ? 0 : end - start);
	return 0;
}

/* Between two steps all that was found meanwhile is looked at: is the node still one of this inode's? */
static __always_inline bool still_maps(__u64 node, __u64 inode)
{
	__u64 vma = node - bpf_core_field_offset(struct vm_area_struct, shared.rb), file = 0, of = 0;

	READ_PROBE(file, struct vm_area_struct, vma, vm_file);
	if (file)
		READ_PROBE(of, struct file, file, f_inode);
	return of == inode;
}

static __always_inline void step_object(struct share_item *i)
{
	__u64 mapping;

	READ_PROBE(mapping, struct inode, i->who, i_mapping);
	READ_PROBE(i->at, struct address_space, mapping, i_mmap.rb_root.rb_node);
	i->from = 0;
	i->phase = i->at ? PHASE_MAPPERS : PHASE_DONE;
}

/* One node: a mapping when it is met from above, then on to its children, at last back up. */
static __always_inline void step_mappers(struct share_lane *l, struct share_item *i)
{
	__u64 node = i->at, from = i->from, up, left, right, next;

	if (!still_maps(node, i->who)) {
		i->phase = PHASE_OBJECT; /* from the beginning: who is tainted already is passed by */
		return;
	}
	READ_PROBE(up, struct rb_node, node, __rb_parent_color);
	READ_PROBE(left, struct rb_node, node, rb_left);
	READ_PROBE(right, struct rb_node, node, rb_right);
	up &= ~3ULL;
	next = up;
	if (from == up)
		next = left ? left : right ? right : up;
	else if (from == left && right)
		next = right;
	i->from = node;
	i->at = next;
	if (!next)
		i->phase = PHASE_DONE;
	if (from == up)
		share_mapper(l, i->who, i->mask, node);
}

/* --- the same memory ------------------------------------------------------------------------------ */

/* Whoever has the same memory, or looks into it, has all that the task has. */
static __always_inline void share_kin(struct share_lane *l, __u64 task, __u64 other)
{
	__u64 mask = share_room(l) ? note_peek(other, task) : 0;

	if (mask)
		share_put(l, other, mask, PHASE_TASK);
}

static __always_inline bool has_memory(__u64 task, __u64 mm)
{
	__u64 has = 0;

	if (task)
		READ_PROBE(has, struct task_struct, task, mm);
	return has && has == mm;
}

/* Can anyone else have its memory? Only if that has more users than the task has threads. */
static __always_inline bool has_company(__u64 task, __u64 mm)
{
	__u64 signal;
	int users, threads;

	if (!mm)
		return false;
	READ_PROBE(signal, struct task_struct, task, signal);
	READ_PROBE(threads, struct signal_struct, signal, nr_threads);
	READ_PROBE(users, struct mm_struct, mm, mm_users.counter);
	return users > threads;
}

/* An orphan's own parent is gone, so that only the memory's owner leads to it. */
static __always_inline void step_kin(struct share_lane *l, struct share_item *i)
{
	__u64 task = i->who, mm = i->mm, other = 0, signal;
	__u32 traced;

	i->phase = PHASE_DONE;
	READ_PROBE(traced, struct task_struct, task, ptrace);
	if (traced) {
		READ_PROBE(other, struct task_struct, task, parent);
		share_kin(l, task, other);
	}
	if (!has_company(task, mm))
		return;
	READ_PROBE(signal, struct task_struct, task, signal);
	READ_PROBE(i->at, struct signal_struct, signal, thread_head.next);
	i->phase = PHASE_THREADS;
	READ_PROBE(other, struct task_struct, task, real_parent);
	if (!has_memory(other, mm)) {
		other = 0;
		if (bpf_core_field_exists(struct mm_struct, owner))
			READ_PROBE(other, struct mm_struct, mm, owner);
	}
	if (other)
		share_kin(l, task, other);
}

static __always_inline void step_threads(struct share_item *i)
{
	__u64 signal, task;

	READ_PROBE(signal, struct task_struct, i->who, signal);
	if (!i->at || i->at == signal + bpf_core_field_offset(struct signal_struct, thread_head)) {
		i->phase = PHASE_DONE;
		return;
	}
	task = i->at - bpf_core_field_offset(struct task_struct, thread_node);
	READ_PROBE(i->from, struct task_struct, task, children.next);
	i->phase = PHASE_CHILDREN;
}

static __always_inline void step_children(struct share_lane *l, struct share_item *i)
{
	__u64 task = i->at - bpf_core_field_offset(struct task_struct, thread_node), child = i->from;

	if (!child || child == task + bpf_core_field_offset(struct task_struct, children)) {
		READ_PROBE(i->at, struct list_head, i->at, next);
		i->phase = PHASE_THREADS;
		return;
	}
	READ_PROBE(i->from, struct list_head, child, next);
	child -= bpf_core_field_offset(struct task_struct, sibling);
	if (has_memory(child, i->mm))
		share_kin(l, i->who, child);
}

/* --- steps ---------------------------------------------------------------------------------- */

/* A mask of 0: only its mappings are of interest. User space hears of it here, where the chain of calls is short. */
static __always_inline void step_task(struct share_lane *l, struct share_item *i)
{
	__u64 files, fdt;
	__u32 n = 0;

	if (i->mask) {
		subject_at(i->who, &l->key.who);
		announce(i->who, &l->key.who);
	}

	READ_PROBE(i->mm, struct task_struct, i->who, mm);
	i->at = 0;
	i->phase = PHASE_MAPPINGS;
	READ_PROBE(files, struct task_struct, i->who, files);
	if (!files || !i->mask)
		return;
	READ_PROBE(fdt, struct files_struct, files, fdt);
	READ_PROBE(i->from, struct fdtable, fdt, fd);
	READ_PROBE(n, struct fdtable, fdt, max_fds);
	if (n > SL_FDS_WALKED) {
		lose(LOSS_FDS_DEEP);
		n = SL_FDS_WALKED;
	}
	i->end = n;
	i->phase = PHASE_FILES;
}

static __always_inline void step_files(struct share_lane *l, struct share_item *i)
{
	__u64 file = 0;

	if (i->at >= i->end) {
		i->at = 0;
		i->phase = PHASE_MAPPINGS;
		return;
	}
	bpf_probe_read_kernel(&file, sizeof(file), (void *)(i->from + 8 * i->at));
	i->at++;
	if (!file)
		return;
	share_file(l, file, i->mask);
	mark_file(i->who, file, i->mask);
}

static __always_inline void step_mappings(struct share_lane *l, struct share_item *i)
{
	__u64 vma = mapping_find(l, i->mm, i->at);

	i->at = l->next;
	if (l->last)
		i->phase = PHASE_KIN;
	if (vma)
		share_mapping(l, i->who, i->mask, vma);
}

/* 1: nothing is left. */
static __always_inline int share_step(struct share_key *key)
{
	struct share_lane *l = bpf_map_lookup_elem(&shares, key);
	struct share_item *i;

	if (!l || !l->n)
		return 1;
	i = &l->item[(l->n - 1) & (SL_SHARE_ITEMS - 1)];
	switch (i->phase) {
	case PHASE_TASK:
		step_task(l, i);
		return 0;
	case PHASE_FILES:
		step_files(l, i);
		return 0;
	case PHASE_MAPPINGS:
		step_mappings(l, i);
		return 0;
	case PHASE_KIN:
		step_kin(l, i);
		return 0;
	case PHASE_THREADS:
		step_threads(i);
		return 0;
	case PHASE_CHILDREN:
		step_children(l, i);
		return 0;
	case PHASE_OBJECT:
		step_object(i);
		return 0;
	case PHASE_MAPPERS:
		step_mappers(l, i);
		return 0;
	default:
		l->n--;
		return 0;
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
	struct share_lane *l;

	key->task = bpf_get_current_task();
	for (int i = 0; i < DEPTHS; i++) {
		key->depth = i;
		if (bpf_map_update_elem(&shares, key, &no_lane, BPF_NOEXIST))
			continue;
		l = bpf_map_lookup_elem(&shares, key);
		if (l)
			l->self = *key;
		return l;
	}
	lose(LOSS_SHARE_CUT);
	return NULL;
}

static __always_inline void lane_run(struct share_key *key)
{
	struct share_lane *l;

	share_steps(key);
	l = bpf_map_lookup_elem(&shares, key);
	if (l && (l->cut || l->n))
		lose(LOSS_SHARE_CUT);
	bpf_map_delete_elem(&shares, key);
}

__noinline int share(__u64 at, __u64 mask, __u32 how)
{
	struct share_key key;
	struct share_lane *l = lane_take(&key);

	if (!l)
		return 0;
	l->late = !!(how & SHARE_LATE);
	share_put(l, at, mask, how & SHARE_OBJECT ? PHASE_OBJECT : PHASE_TASK);
	lane_run(&key);
	return 0;
}

__noinline int share_mapped(__u64 task, __u64 addr)
{
	struct share_key key;
	struct share_lane *l;
	struct subject who;
	__u64 vma, mm;

	subject_at(task, &who);
	READ_PROBE(mm, struct task_struct, task, mm);
	l = lane_take(&key);
	if (!l)
		return 0;
	vma = mapping_find(l, mm, addr);
	if (vma)
		share_mapping(l, task, subject_mask(&who), vma);
	else
		lose(LOSS_SHARE_CUT);
	lane_run(&key);
	return 0;
}

/* Who has the file mapped sees what will be written to it. */
__noinline int share_opened(__u64 task, __u64 file, __u64 mask)
{
	struct share_key key;
	struct share_lane *l;

	if (!is_seen_in_memory(file))
		return 0;
	l = lane_take(&key);
	if (!l)
		return 0;
	share_file(l, file, mask);
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
