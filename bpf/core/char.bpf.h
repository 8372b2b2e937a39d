/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Character devices that carry bytes from one process to another. All addresses are plain ones. Included by ledger.bpf.h. */
#ifndef SLUICE_CHAR_BPF_H
#define SLUICE_CHAR_BPF_H

/* What comes out of an open character device, as an object, and by which kind of edge; 0: nobody's bytes. */
static __noinline __u32 char_source(__u64 file, __u64 inode, struct object *what)
{
	__u32 dev;

	READ_PROBE(dev, struct inode, inode, i_rdev);
	if (dev == FUSE_DEVICE)
		return served_device(file, what) ? VIA_SERVED_READ : 0;
	return is_terminal(dev) && pty_source(file, what) ? VIA_TTY_READ : 0;
}

/* The datasets that bytes out of it may belong to. */
__u64 char_mask(__u64 file, __u64 inode);

__weak __noinline __u64 char_mask(__u64 file, __u64 inode)
{
	struct object what = {};

	return char_source(file, inode, &what) ? object_mask(&what) : 0;
}

/* As the functions of ledger.bpf.h that return a mask. */
__u64 char_read(__u64 task, __u64 file, __u64 inode, __u64 bytes);

__weak __noinline __u64 char_read(__u64 task, __u64 file, __u64 inode, __u64 bytes)
{
	struct edge_key key = {};

	key.via = char_source(file, inode, &key.what);
	if (!key.via)
		return 0;
	key.mask = object_mask(&key.what);
	if (!key.mask)
		return 0;
	subject_at(task, &key.who);
	account_edge(&key, bytes);
	return news(&key.who, key.mask);
}

/* `key` has all but the object. */
static __noinline int pty_write(__u64 file, struct edge_key *key, __u64 bytes)
{
	struct root_key pair = {};
	__u32 end = pty_of(file, &pair);

	if (!end)
		return 0;
	pty_object(&pair, &key->what);
	object_add(&key->what, key->mask, 0); /* typed: the echo */
	account_edge(key, bytes);
	if (end == PTY_SLAVE)
		return 1;
	key->what.gen |= AT_SLAVE;
	object_add(&key->what, key->mask, 0);
	account_edge(key, bytes);
	return 1;
}

int char_write(__u64 task, __u64 file, __u64 inode, __u64 bytes);

__weak __noinline int char_write(__u64 task, __u64 file, __u64 inode, __u64 bytes)
{
	struct edge_key key = {.via = VIA_TTY_WRITE};
	__u32 dev;

	READ_PROBE(dev, struct inode, inode, i_rdev);
	if (!is_terminal(dev))
		return 0;
	subject_at(task, &key.who);
	key.mask = subject_mask(&key.who);
	if (key.mask && pty_write(file, &key, bytes))
		announce(task, &key.who);
	return 0;
}

/* A tainted subject wrote to a file that a daemon serves. The connection carries what the file's own dataset has, too: it was
 * the daemon's to keep, but not to send. */
int served_write(__u64 task, __u64 inode, __u64 bytes);

__weak __noinline int served_write(__u64 task, __u64 inode, __u64 bytes)
{
	struct edge_key key = {.via = VIA_SERVED_WRITE};

	subject_at(task, &key.who);
	key.mask = subject_mask(&key.who);
	if (!key.mask || !served_file(inode, &key.what))
		return 0;
	object_add(&key.what, key.mask, 0);
	announce(task, &key.who);
	account_edge(&key, bytes);
	return 0;
}

#endif
