/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Which dataset an inode belongs to: by walking up from its names. Included by exactly
 * one object, the one that may name a kfunc; the others are linked to it.
 */
#ifndef SLUICE_IDENTITY_BPF_H
#define SLUICE_IDENTITY_BPF_H

#include "core/object.bpf.h"

#define ALIASES_WALKED 4

static __always_inline __u8 root_tag(__u64 ino, __u32 dev)
{
	struct root_key key = {.ino = ino, .dev = dev};
	__u8 *tag = bpf_map_lookup_elem(&roots, &key);

	return tag ? *tag : 0;
}

/* Up the tree of one superblock; the first root met decides. Global, so that it is verified once. */
int walk_up(__u64 dentry, __u64 dev);

__noinline int walk_up(__u64 dentry, __u64 dev)
{
	for (int i = 0; i < SL_WALK_DEPTH; i++) {
		__u64 inode, up, ino = 0;
		__u8 tag;

		READ(inode, struct dentry, dentry, d_inode);
		READ(up, struct dentry, dentry, d_parent);
		if (inode)
			READ(ino, struct inode, inode, i_ino);
		tag = ino ? root_tag(ino, dev) : 0;
		if (tag)
			return tag;
		if (up == dentry || !up)
			return 0;
		dentry = up;
	}
	lose(LOSS_WALK_DEEP);
	return 0;
}

/* A hard link outside the dataset is the same inode: look at its other names in the cache. */
static __noinline int walk_aliases(__u64 inode, __u32 dev)
{
	__u64 node;

	READ_PROBE(node, struct inode, inode, i_dentry.first);
	for (int i = 0; i < ALIASES_WALKED && node; i++) {
		int tag = walk_up(dentry_of_alias(node), dev);

		if (tag)
			return tag;
		READ_PROBE(node, struct hlist_node, node, next);
	}
	return 0;
}

__noinline int decide_tag(__u64 dentry, __u64 inode, __u64 ino, __u64 gen_dev)
{
	struct inode_verdict v = {.gen = gen_dev >> 32, .epoch = tag_epoch, .policy = policy_epoch}, *old;
	struct root_key key = {.ino = ino, .dev = gen_dev};
	__u32 nlink;
	int tag;

	if (!root_tag(0, key.dev))
		return 0; /* no dataset on this device */
	old = bpf_map_lookup_elem(&inodes, &key);
	if (old && old->gen == v.gen && old->policy == v.policy && (old->tag || old->epoch == v.epoch))
		return old->tag;
	tag = walk_up(dentry, key.dev);
	if (!tag) {
		READ(nlink, struct inode, inode, i_nlink);
		if (nlink > 1)
			tag = walk_aliases(inode, key.dev);
	}
	v.tag = tag;
	bpf_map_update_elem(&inodes, &key, &v, BPF_ANY);
	return tag;
}

#endif
