/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Pseudo-terminals: what is written at one end is read at the other, by sshd, tmux, script or a container's shim. A terminal
 * without another end (console, serial line) is no carrier: it ends at this host. Included by taint.bpf.h.
 */
#ifndef SLUICE_TTY_BPF_H
#define SLUICE_TTY_BPF_H

#define TTY_AUX_MAJOR 5 /* /dev/tty, /dev/console, /dev/ptmx */
#define PTMX_DEVICE (5 << 20 | 2)

/* include/uapi/linux/major.h: drivers, and devices of up to 8 majors */
#define PTY_MASTER_MAJOR 2
#define PTY_SLAVE_MAJOR 3
#define UNIX98_PTY_MASTER_MAJOR 128
#define UNIX98_PTY_SLAVE_MAJOR 136

enum pty_end { PTY_NONE = 0, PTY_MASTER = 1, PTY_SLAVE = 2 };

static __always_inline bool is_terminal(__u32 dev)
{
	__u32 major = dev >> 20;

	return major == TTY_AUX_MAJOR || (major >= UNIX98_PTY_MASTER_MAJOR && major < UNIX98_PTY_SLAVE_MAJOR + 8) ||
	       major == PTY_MASTER_MAJOR || major == PTY_SLAVE_MAJOR;
}

/* A pair by the inode of its slave, which both ends lead to; one of the legacy kind, which has none of its own, by number. */
static __always_inline void pty_name(__u64 slave, struct root_key *pair)
{
	__u64 dentry, inode = 0, sb;
	__u32 index;

	READ_PROBE(dentry, struct tty_struct, slave, driver_data);
	if (dentry)
		READ_PROBE(inode, struct dentry, dentry, d_inode);
	if (!inode) {
		READ_PROBE(index, struct tty_struct, slave, index);
		pair->ino = index;
		pair->dev = PTY_SLAVE_MAJOR << 20;
		return;
	}
	READ_PROBE(pair->ino, struct inode, inode, i_ino);
	READ_PROBE(sb, struct inode, inode, i_sb);
	READ_PROBE(pair->dev, struct super_block, sb, s_dev);
}

/* Which end of which pair an open terminal is. */
static __always_inline __u32 pty_of(__u64 file, struct root_key *pair)
{
	__u64 tty, driver, other;
	int major = 0;
	bool master;

	READ_PROBE(tty, struct file, file, private_data);
	READ_PROBE(tty, struct tty_file_private, tty, tty);
	READ_PROBE(driver, struct tty_struct, tty, driver);
	READ_PROBE(major, struct tty_driver, driver, major);
	master = major == UNIX98_PTY_MASTER_MAJOR || major == PTY_MASTER_MAJOR;
	if (!master && major != UNIX98_PTY_SLAVE_MAJOR && major != PTY_SLAVE_MAJOR)
		return PTY_NONE;
	READ_PROBE(other, struct tty_struct, tty, link);
	pty_name(master ? other : tty, pair);
	return master ? PTY_MASTER : PTY_SLAVE;
}

/* What waits to be read at the master. The kernel uses numbers again at once: `ptys` counts the pairs that had one. */
static __always_inline void pty_object(struct root_key *pair, struct object *what)
{
	__u32 *before = bpf_map_lookup_elem(&ptys, pair);

	what->ino = SL_NO_INODE | pair->ino;
	what->dev = pair->dev;
	what->gen = SL_GEN_TTY | (before ? (*before & SL_TTY_PAIRS) << 1 : 0);
}

#define AT_SLAVE 1 /* in an object's gen: it waits to be read there */

/* /dev/ptmx was opened: nothing was written to the new pair yet. A plain address. */
int pty_made(__u64 file);

__weak __noinline int pty_made(__u64 file)
{
	struct root_key pair = {};
	__u32 *before, one = 1;

	if (pty_of(file, &pair) != PTY_MASTER)
		return 0;
	before = bpf_map_lookup_elem(&ptys, &pair);
	if (before)
		++*before;
	else
		bpf_map_update_elem(&ptys, &pair, &one, BPF_NOEXIST);
	return 0;
}

static __always_inline bool pty_source(__u64 file, struct object *what)
{
	struct root_key pair = {};
	__u32 end = pty_of(file, &pair);

	if (!end)
		return false;
	pty_object(&pair, what);
	if (end == PTY_SLAVE)
		what->gen |= AT_SLAVE;
	return true;
}

/* A subject can write to this open character device. At a terminal what is typed comes back as an echo, too. */
int char_mark(__u64 file, __u64 inode, __u64 mask);

__weak __noinline int char_mark(__u64 file, __u64 inode, __u64 mask)
{
	struct root_key pair = {};
	struct object what;
	__u32 end, dev;

	READ_PROBE(dev, struct inode, inode, i_rdev);
	if (!is_terminal(dev))
		return 0;
	end = pty_of(file, &pair);
	if (!end)
		return 0;
	pty_object(&pair, &what);
	object_add(&what, mask, 0);
	if (end == PTY_SLAVE)
		return 0;
	what.gen |= AT_SLAVE;
	object_add(&what, mask, 0);
	return 0;
}

#endif
