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

/* A second name among what was derived makes no derivation of a file. */
static __always_inline bool is_derived(int tag)
{
	return derived_datasets & tag_bit(tag);
}

/* A hard link outside the dataset is the same inode: look at its other names in the cache. */
static __always_inline int walk_aliases(__u64 inode, __u32 dev)
{
	int derived = 0;
	__u64 node;

	READ_PROBE(node, struct inode, inode, i_dentry.first);
	for (int i = 0; i < ALIASES_WALKED && node; i++) {
		int tag = walk_up(dentry_of_alias(node), dev);

		if (tag && !is_derived(tag))
			return tag;
		if (tag)
			derived = tag;
		READ_PROBE(node, struct hlist_node, node, next);
	}
	return derived;
}

#define OVERLAYFS_SUPER_MAGIC 0x794c7630
#define PROC_SUPER_MAGIC 0x9fa0
#define OVERLAYS_NESTED 3

/* A file system in a dataset's image belongs to it as a whole, wherever it is mounted. */
static __always_inline int whole_tag(__u32 dev)
{
	__u8 tag = root_tag(0, dev);

	return tag & SL_ROOT_WHOLE ? tag & ~SL_ROOT_WHOLE : 0;
}

/* By its own name, or by another one: the name that was opened may belong to a layer above (overlayfs opens
 * lower files under the upper path), and a hard link outside the dataset is still the same inode. */
static __noinline int names_tag(__u64 dentry, __u64 inode, __u32 dev)
{
	__u64 named = 0;
	__u32 nlink;
	int tag = 0, other = 0;

	if (dentry)
		READ(named, struct dentry, dentry, d_inode);
	if (named == inode)
		tag = walk_up(dentry, dev);
	READ(nlink, struct inode, inode, i_nlink);
	if ((!tag || is_derived(tag)) && (nlink > 1 || named != inode))
		other = walk_aliases(inode, dev);
	tag = other ? other : tag;
	return tag ? tag : whole_tag(dev);
}

/* Is this address a regular file's inode? What is read before the answer may be anything. */
static __always_inline bool is_file_inode(__u64 inode)
{
	__u64 mapping = 0, host = 0;
	__u16 mode = 0;

	if (!inode)
		return false;
	READ_PROBE(mode, struct inode, inode, i_mode);
	READ_PROBE(mapping, struct inode, inode, i_mapping);
	READ_PROBE(host, struct address_space, mapping, host);
	return (mode & S_IFMT) == S_IFREG && host == inode;
}

static __always_inline __u64 inode_of_dentry(__u64 dentry)
{
	__u64 inode = 0;

	if (dentry)
		READ_PROBE(inode, struct dentry, dentry, d_inode);
	return is_file_inode(inode) ? inode : 0;
}

/*
 * The file under an overlay's inode, in its upper or its lower layer. struct ovl_inode is a module's own
 * type, so its tail is found by where it lies: behind the inode comes __upperdentry, then the lower layers:
 * `struct ovl_entry *oe` ("ovl: move ovl_entry into ovl_inode", 6.5: a count, then pairs of layer and dentry),
 * before that `struct ovl_path lowerpath` ("ovl: store lower path in ovl_inode", 6.0: layer, dentry), before
 * that `struct inode *lower`.
 */
static __noinline __u64 overlay_layer(__u64 inode, __u32 lower)
{
	__u64 tail = inode + bpf_core_type_size(struct inode), word[3] = {}, dentry = 0, found;

	if (bpf_probe_read_kernel(word, sizeof(word), (void *)tail))
		return 0;
	if (!lower)
		return inode_of_dentry(word[0]);
	bpf_probe_read_kernel(&dentry, sizeof(dentry), (void *)(word[1] + 16));
	found = inode_of_dentry(dentry);
	if (!found)
		found = inode_of_dentry(word[2]);
	if (!found && is_file_inode(word[1]))
		found = word[1];
	return found;
}

static __always_inline unsigned long magic_of(__u64 inode)
{
	unsigned long magic;
	__u64 sb;

	READ(sb, struct inode, inode, i_sb);
	READ(magic, struct super_block, sb, s_magic);
	return magic;
}

static __always_inline int layer_tag(__u64 inode)
{
	__u64 sb;
	__u32 dev;

	if (!inode)
		return 0;
	READ(sb, struct inode, inode, i_sb);
	READ(dev, struct super_block, sb, s_dev);
	return root_tag(0, dev) ? names_tag(0, inode, dev) : 0;
}

/* An overlay's file has the tag of what lies under it. One that was copied up keeps that of the lower file,
 * whose bytes it still may hold. */
static __noinline int overlay_tag(__u64 inode)
{
	for (int i = 0; i < OVERLAYS_NESTED; i++) {
		int tag = layer_tag(overlay_layer(inode, 0));

		if (tag)
			return tag;
		inode = overlay_layer(inode, 1);
		tag = layer_tag(inode);
		if (tag || !inode || magic_of(inode) != OVERLAYFS_SUPER_MAGIC)
			return tag;
	}
	return 0;
}

static __noinline int is_named_mem(__u64 dentry)
{
	char name[4] = {};
	__u64 at;

	READ_PROBE(at, struct dentry, dentry, d_name.name);
	if (bpf_probe_read_kernel_str(name, sizeof(name), (void *)at) != sizeof(name))
		return 0;
	return name[0] == 'm' && name[1] == 'e' && name[2] == 'm';
}

/* On a device without a dataset of its own. */
static __always_inline int elsewhere_tag(__u64 dentry, __u64 inode)
{
	unsigned long magic = magic_of(inode);

	if (magic == PROC_SUPER_MAGIC)
		return is_named_mem(dentry) ? TAG_MEMORY : 0;
	return magic == OVERLAYFS_SUPER_MAGIC ? overlay_tag(inode) : 0;
}

/* A file that a walk of its dataset met stays the dataset's, whatever became of its name before anybody read it. */
static __noinline int member_tag(struct root_key *key, __u32 gen)
{
	struct object what = {.ino = key->ino, .gen = gen, .dev = key->dev};
	__u8 *tag = bpf_map_lookup_elem(&members, &what);

	return tag && given_datasets & tag_bit(*tag) ? *tag : 0;
}

/* Of its own for the stack's sake, as member_tag() is. */
static __noinline int here_tag(__u64 dentry, __u64 inode, struct root_key *key, __u32 gen)
{
	int tag = names_tag(dentry, inode, key->dev), member;

	if (tag && !is_derived(tag))
		return tag;
	member = member_tag(key, gen);
	return member ? member : tag;
}

__noinline int decide_tag(__u64 dentry, __u64 inode, __u64 ino, __u64 gen_dev)
{
	struct inode_verdict v = {.gen = gen_dev >> 32, .epoch = tag_epoch, .policy = policy_epoch}, *old;
	struct root_key key = {.ino = ino, .dev = gen_dev};
	bool here = root_tag(0, key.dev);

	if (!here && magic_of(inode) != OVERLAYFS_SUPER_MAGIC)
		return elsewhere_tag(dentry, inode);
	old = bpf_map_lookup_elem(&inodes, &key);
	if (old && old->gen == v.gen && old->policy == v.policy && (old->tag || old->epoch == v.epoch))
		return old->tag;
	v.tag = here ? here_tag(dentry, inode, &key, v.gen) : 0;
	if (!v.tag)
		v.tag = elsewhere_tag(dentry, inode);
	bpf_map_update_elem(&inodes, &key, &v, BPF_ANY);
	return v.tag;
}

#endif
