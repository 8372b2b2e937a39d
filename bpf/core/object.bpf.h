/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Objects: which dataset an inode belongs to, and what a pipe may hold.
 * A file belongs to a dataset when its inode, or a directory above any of its
 * names, is a root. Paths as text play no part.
 */
#ifndef SLUICE_OBJECT_BPF_H
#define SLUICE_OBJECT_BPF_H

#include "core/compat.bpf.h"
#include "core/loss.bpf.h"

static __always_inline void object_of(const bool typed, __u64 inode, struct object *what)
{
	__u64 sb;

	READ_IF(typed, what->ino, struct inode, inode, i_ino);
	READ_IF(typed, what->gen, struct inode, inode, i_generation);
	READ_IF(typed, sb, struct inode, inode, i_sb);
	READ_IF(typed, what->dev, struct super_block, sb, s_dev);
}

#define TAG_MEMORY 129 /* no dataset: /proc/PID/mem */

/* The long way, once per inode and epoch: dataset index + 1, 0, or TAG_MEMORY. In identity.bpf.h. */
int decide_tag(__u64 dentry, __u64 inode, __u64 ino, __u64 gen_dev);

static __always_inline bool is_dataset(__u8 tag)
{
	return tag && tag <= SL_DATASETS_MAX;
}

static __always_inline __u64 tag_bit(__u8 tag)
{
	return is_dataset(tag) ? 1ULL << ((tag - 1) & 63) : 0;
}

/* For struct edge_key, own. */
static __always_inline __u32 own_of(__u8 tag)
{
	return is_dataset(tag) ? tag : 0;
}

/* Dataset index + 1 of an open regular file, 0 for none. The last answers are kept per CPU, each in one
 * word (signature and tag together), so that a nested or preempting program can't tear one. `derived`: may
 * have been written by a subject that held tagged bytes. */
static __always_inline __u8 file_tag(__u64 file, __u64 inode, bool *derived)
{
	__u64 place, sig, *slot, dentry, addr, gen_dev;
	struct cpu_cache *c;
	struct object what;
	__u32 zero = 0;
	__u8 tag;

	c = bpf_map_lookup_elem(&cache, &zero);
	if (!c)
		return 0;
	object_of(TYPED, inode, &what);
	gen_dev = (__u64)what.gen << 32 | what.dev;
	place = sl_mix(what.ino, gen_dev);
	*derived = derived_filter[place >> 48];
	sig = sl_mix(place, (__u64)policy_epoch << 32 | tag_epoch);
	slot = &c->file[sig >> (64 - SL_CACHE_BITS)];
	if ((*slot ^ sig) < 256)
		return *slot ^ sig;
	/* a global function takes no typed pointers: fetch the addresses as plain numbers */
	READ_PROBE(dentry, struct file, file, f_path.dentry);
	READ_PROBE(addr, struct file, file, f_inode);
	tag = decide_tag(dentry, addr, what.ino, gen_dev);
	*slot = (sig & ~0xffULL) | ((sig ^ tag) & 0xff);
	return tag;
}

static __always_inline __u64 object_mask(struct object *what)
{
	struct object_taint *t = bpf_map_lookup_elem(&objects, what);

	return t ? t->mask : 0;
}

#endif
