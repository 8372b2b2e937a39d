/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the walk of shared.bpf.h finds at a task: its files and mappings, and those of an address. Trees are probed without a
 * lock; the list of what was found and not yet looked at is the lane.
 */
#ifndef SLUICE_SHARE_FIND_BPF_H
#define SLUICE_SHARE_FIND_BPF_H

#include "core/ledger.bpf.h"

#define TMPFS_MAGIC 0x01021994
#define RAMFS_MAGIC 0x858458f6
#define HUGETLBFS_MAGIC 0x958458f6

#define DEPTHS 3 /* a walk may be interrupted by another, on top of the same task */

enum share_phase {
	PHASE_DONE,
	PHASE_TASK,	/* it is new */
	PHASE_FILES,	/* at: number of a descriptor; from: the table; end: its size */
	PHASE_MAPPINGS, /* at: address to look from */
	PHASE_KIN,	/* who traces it, or has the same memory */
	PHASE_THREADS,	/* at: node of a thread */
	PHASE_CHILDREN, /* from: node of a child of that thread */
	PHASE_OBJECT,	/* an inode that is new */
	PHASE_MAPPERS,	/* at: node of its tree of mappings, from: the node before */
};

static const struct share_lane no_lane = {};

static __always_inline bool share_room(struct share_lane *l)
{
	if (l->n < SL_SHARE_ITEMS)
		return true;
	l->cut = 1;
	return false;
}

static __always_inline void share_put(struct share_lane *l, __u64 who, __u64 mask, __u32 phase)
{
	struct share_item *i = &l->item[l->n & (SL_SHARE_ITEMS - 1)];

	i->who = who;
	i->mask = mask;
	i->phase = phase;
	i->at = 0;
	l->n++;
}

/* Of the dataset a file is in: known if anyone has opened it to read or map it. */
static __always_inline __u32 own_tag(struct object *what)
{
	struct root_key key = {.ino = what->ino, .dev = what->dev};
	struct inode_verdict *v = bpf_map_lookup_elem(&inodes, &key);

	return v && v->gen == what->gen && v->policy == policy_epoch ? own_of(v->tag) : 0;
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

/* l->what, this inode, may hold bytes of `mask`: whoever has it mapped is next. */
static __noinline int share_object(struct share_lane *l, __u64 inode, __u64 mask)
{
	struct object_taint *t;

	object_add(&l->what, mask, 0);
	derived_filter[sl_filter_slot(&l->what)] = 1;
	any_shared = 1;
	t = bpf_map_lookup_elem(&objects, &l->what);
	if (!t || !(mask & ~t->shared) || !share_room(l))
		return 0;
	t->mapped = inode | is_memory_fs(inode);
	t->since_ns = bpf_ktime_get_boot_ns();
	mask_add(&t->shared, mask);
	share_put(l, inode, mask, PHASE_OBJECT);
	return 0;
}

/* Between `task` and l->what, unless it is noted already. False: there is no such process. */
static __always_inline bool share_edge(struct share_lane *l, __u64 task, __u64 mask, __u32 via, __u32 own, __u64 bytes)
{
	subject_at(task, &l->key.who);
	l->key.what = l->what;
	l->key.mask = mask;
	l->key.via = via;
	l->key.own = own;
	if (!l->key.who.tgid)
		return false;
	if (!bpf_map_lookup_elem(&edges, &l->key))
		account_edge(&l->key, bytes);
	return true;
}

/* `task` has l->what in its memory. `bytes`: most that it can see of it, where that is known. */
static __always_inline void share_reader(struct share_lane *l, __u64 task, __u64 mask, __u32 via, __u64 bytes)
{
	if (share_room(l) && share_edge(l, task, mask, via, 0, bytes) && taint_add(&l->key.who, mask, via))
		share_put(l, task, mask, PHASE_TASK);
}

/* --- what a task has ------------------------------------------------------------------------ */

/* What the socket sent before counts as well: when the subject came by its bytes is not known. */
static __noinline int share_sent(__u64 file, __u64 mask)
{
	struct flow_key key;
	struct flow *f;
	__u64 inode, sk;
	__u16 mode;

	READ_PROBE(inode, struct file, file, f_inode);
	READ_PROBE(mode, struct inode, inode, i_mode);
	sk = (mode & S_IFMT) == S_IFSOCK ? socket_of(file) : 0;
	if (!sk)
		return 0;
	key = tcp_key(sk);
	f = bpf_map_lookup_elem(&flows, &key);
	if (f)
		flow_taint_add(f, mask, f->base_out);
	return 0;
}

/* A regular file, open for writing, that someone has mapped. */
static __noinline bool is_seen_in_memory(__u64 file)
{
	__u64 inode, mapping, root;
	__u32 fmode;
	__u16 mode;

	READ_PROBE(fmode, struct file, file, f_mode);
	READ_PROBE(inode, struct file, file, f_inode);
	READ_PROBE(mode, struct inode, inode, i_mode);
	if ((mode & S_IFMT) != S_IFREG || !(fmode & FMODE_WRITE))
		return false;
	READ_PROBE(mapping, struct inode, inode, i_mapping);
	READ_PROBE(root, struct address_space, mapping, i_mmap.rb_root.rb_node);
	return root && !is_kernel_fs(inode);
}

/* Who has a file mapped sees what is written to it by calls as well. */
static __noinline int share_file(struct share_lane *l, __u64 file, __u64 mask)
{
	__u64 inode;

	if (l->late)
		share_sent(file, mask);
	if (!is_seen_in_memory(file))
		return 0;
	READ_PROBE(inode, struct file, file, f_inode);
	object_of(false, inode, &l->what);
	if (same_object(&l->what, &spared))
		return 0;
	mask &= ~tag_bit(own_tag(&l->what));
	return mask ? share_object(l, inode, mask) : 0;
}

/* One mapping of a task. */
static __noinline int share_mapping(struct share_lane *l, __u64 task, __u64 mask, __u64 vma)
{
	__u64 file, inode, held;
	unsigned long flags;
	__u32 own;
	__u16 mode;

	READ_PROBE(flags, struct vm_area_struct, vma, vm_flags);
	READ_PROBE(file, struct vm_area_struct, vma, vm_file);
	if (!(flags & VM_MAYSHARE) || !file)
		return 0;
	READ_PROBE(inode, struct file, file, f_inode);
	READ_PROBE(mode, struct inode, inode, i_mode);
	if ((mode & S_IFMT) != S_IFREG)
		return 0;
	object_of(false, inode, &l->what);
	if (same_object(&l->what, &spared))
		return 0;
	own = own_tag(&l->what);
	held = object_mask(&l->what) & ~tag_bit(own);
	if (held)
		share_reader(l, task, held, VIA_SHARED_READ, 0);
	mask &= ~tag_bit(own);
	if (!mask || !(flags & VM_MAYWRITE) || is_kernel_fs(inode))
		return 0;
	share_object(l, inode, mask);
	share_edge(l, task, mask, VIA_SHARED_WRITE, own, 0);
	return 0;
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

static __always_inline __u64 tree_find(struct share_lane *l, __u64 mm, __u64 addr)
{
	__u64 node, vma, found = 0, start, end, behind = 0;

	READ_PROBE(node, struct mm_struct___rb, mm, mm_rb.rb_node);
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
	l->last = !found;
	l->next = behind;
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

/* One node down; l->max: the last address under it. Global, so that it is verified once and not for each level. */
__u64 maple_down(__u64 task, __u64 depth, __u64 entry, __u64 addr);

__weak __noinline __u64 maple_down(__u64 task, __u64 depth, __u64 entry, __u64 addr)
{
	__u32 type = entry >> 3 & 15, off = 0, end;
	struct share_key key = {task, depth};
	__u64 node = entry & ~255ULL, slot;
	struct share_lane *l = bpf_map_lookup_elem(&shares, &key);

	/* verified on kernels that have no such tree as well */
	if (!bpf_core_field_exists(struct mm_struct, mm_mt) || !l)
		return 0;
	l->pivot[14] = 0;
	if (type == MAPLE_ARANGE_64) {
		slot = node + bpf_core_field_offset(struct maple_arange_64, slot);
		bpf_probe_read_kernel(l->pivot, 9 * 8, (void *)(node + bpf_core_field_offset(struct maple_arange_64, pivot)));
	} else {
		slot = node + bpf_core_field_offset(struct maple_range_64, slot);
		bpf_probe_read_kernel(l->pivot, 15 * 8, (void *)(node + bpf_core_field_offset(struct maple_range_64, pivot)));
	}
	end = maple_end(l, node, type, l->max);
	for (__u32 k = 0; k < 15; k++)
		if (k >= end || l->pivot[k] >= addr)
			break;
		else
			off = k + 1;
	if (off < end && off < 15)
		l->max = l->pivot[off];
	bpf_probe_read_kernel(&slot, sizeof(slot), (void *)(slot + 8 * off));
	return slot;
}

static __always_inline __u64 maple_find(struct share_lane *l, __u64 mm, __u64 addr)
{
	__u32 type = MAPLE_RANGE_64;
	__u64 entry, of = 0;

	READ_PROBE(entry, struct mm_struct, mm, mm_mt.ma_root);
	l->max = ~0ULL;
	for (int i = 0; i < MAPLE_DEPTH && type >= MAPLE_RANGE_64 && entry > 4096; i++) {
		type = entry >> 3 & 15;
		if (type > MAPLE_ARANGE_64)
			return 0; /* it has just been freed */
		entry = maple_down(l->self.task, l->self.depth, entry, addr);
	}
	l->next = l->max + 1;
	l->last = !l->next;
	if (entry > 4096)
		READ_PROBE(of, struct vm_area_struct, entry, vm_mm);
	return of == mm ? entry : 0;
}

/* The mapping at this address, or behind it; 0: none there. l->next: where to look next. */
static __noinline __u64 mapping_find(struct share_lane *l, __u64 mm, __u64 addr)
{
	l->last = 1;
	if (!mm)
		return 0;
	if (bpf_core_field_exists(struct mm_struct, mm_mt))
		return maple_find(l, mm, addr);
	return tree_find(l, mm, addr);
}

#endif
