/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * File systems that a process of this host serves (FUSE): what is written there is handed to it, at once or by a kernel thread
 * later. All that goes over one connection is one object, since a request names no writer. Included by taint.bpf.h.
 *
 * The types may be in a module that is loaded later than we are, so nothing of them can be relocated. The superblock's own data
 * begins with the connection's address since fcee216beb9c ("fuse: split fuse_mount off of fuse_conn"), 5.10. That of the daemon's
 * open device has the same address among its first words (struct fuse_dev), or, by 7.2, leads to what has it there (struct
 * fuse_chan); only an address met at a superblock is taken for one.
 */
#ifndef SLUICE_SERVED_BPF_H
#define SLUICE_SERVED_BPF_H

#define FUSE_SUPER_MAGIC 0x65735546
#define FUSE_DEVICE (10 << 20 | 229)
#define FUSE_WORDS 3

static __always_inline void served_object(__u32 dev, struct object *what)
{
	what->ino = SL_NO_INODE;
	what->dev = dev;
	what->gen = SL_GEN_SERVED;
}

/* The connection that this inode is read and written by. It goes by the device of the superblock it was first met at. */
static __always_inline bool served_file(__u64 inode, struct object *what)
{
	unsigned long magic;
	__u64 sb, data, connection = 0;
	__u32 dev, *known;

	READ_PROBE(sb, struct inode, inode, i_sb);
	READ_PROBE(magic, struct super_block, sb, s_magic);
	if (magic != FUSE_SUPER_MAGIC)
		return false;
	READ_PROBE(data, struct super_block, sb, s_fs_info);
	if (bpf_probe_read_kernel(&connection, sizeof(connection), (void *)data) || !connection)
		return false;
	known = bpf_map_lookup_elem(&connections, &connection);
	if (known) {
		dev = *known;
	} else {
		READ_PROBE(dev, struct super_block, sb, s_dev);
		bpf_map_update_elem(&connections, &connection, &dev, BPF_NOEXIST);
		any_served = 1;
	}
	served_object(dev, what);
	return true;
}

static __always_inline bool served_at(__u64 address, struct object *what)
{
	__u64 word = 0;
	__u32 *dev;

	bpf_probe_read_kernel(&word, sizeof(word), (void *)address);
	dev = word ? bpf_map_lookup_elem(&connections, &word) : NULL;
	if (!dev)
		return false;
	served_object(*dev, what);
	return true;
}

/* The connection whose requests come out of an open /dev/fuse; one that no tainted subject writes to is not known. */
static __noinline bool served_device(__u64 file, struct object *what)
{
	__u64 data, next;

	if (!any_served)
		return false;
	READ_PROBE(data, struct file, file, private_data);
	for (int i = 0; i < FUSE_WORDS; i++) {
		if (served_at(data + 8 * i, what))
			return true;
		next = 0;
		if (!bpf_probe_read_kernel(&next, sizeof(next), (void *)(data + 8 * i)) &&
		    (served_at(next, what) || served_at(next + 8, what)))
			return true;
	}
	return false;
}

/* A subject can write to the file of this inode: whoever serves it may get what the subject holds. A plain address. */
int served_mark(__u64 inode, __u64 mask);

__weak __noinline int served_mark(__u64 inode, __u64 mask)
{
	struct object what;

	if (served_file(inode, &what))
		object_add(&what, mask, 0);
	return 0;
}

/* File systems of another host: include/uapi/linux/magic.h. */
static __always_inline bool is_remote_fs(unsigned long magic)
{
	return magic == 0x6969 || magic == 0xff534d42 || magic == 0xfe534d42 || magic == 0x01021997 || /* NFS, SMB, 9p */
	       magic == 0x00c36400 || magic == 0x5346414f || magic == 0x0bd00bd0;	     /* Ceph, AFS, Lustre */
}

/* User space knows the server by what is mounted there; this is for where it cannot see that. A plain address. */
int remote_fs(__u64 inode, __u64 magic);

__weak __noinline int remote_fs(__u64 inode, __u64 magic)
{
	__u64 sb;
	__u32 dev;

	READ_PROBE(sb, struct inode, inode, i_sb);
	READ_PROBE(dev, struct super_block, sb, s_dev);
	if (!bpf_map_lookup_elem(&net_devices, &dev) && bpf_map_update_elem(&net_devices, &dev, &magic, BPF_ANY))
		lose(LOSS_OBJECT_FULL);
	return 0;
}

#endif
