// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* Set A: the functions that carry the bytes, and nothing else on the machine. */
#define SLUICE_TYPED_FILES
#include "core/ledger.bpf.h"
#include "core/ml.bpf.h"

SEC("?fexit/vfs_read")
int BPF_PROG(a_read, struct file *file, char *buf, unsigned long count, loff_t *pos, long ret)
{
	if (ret > 0)
		read_done(current_task(), (__u64)file, ret);
	return 0;
}

SEC("?fexit/vfs_readv")
int BPF_PROG(a_readv, struct file *file, void *vec, unsigned long vlen, loff_t *pos, int flags, long ret)
{
	if (ret > 0)
		read_done(current_task(), (__u64)file, ret);
	return 0;
}

/* Pipes have hooks of their own below: they are also written to by other ways. */
static __always_inline int written(struct file *file, long ret)
{
	__u16 mode;

	if (ret <= 0 || !any_taint)
		return 0;
	mode = file->f_inode->i_mode & S_IFMT;
	if (mode == S_IFREG || mode == S_IFCHR)
		write_done(current_task(), (__u64)file, ret);
	return 0;
}

SEC("?fexit/vfs_write")
int BPF_PROG(a_write, struct file *file, const char *buf, size_t count, loff_t *pos, long ret)
{
	return written(file, ret);
}

SEC("?fexit/vfs_writev")
int BPF_PROG(a_writev, struct file *file, void *vec, unsigned long vlen, loff_t *pos, int flags, long ret)
{
	return written(file, ret);
}

SEC("?fexit/pipe_write")
int BPF_PROG(a_pipe_write, struct kiocb *iocb, void *from, long ret)
{
	if (ret > 0)
		write_done(current_task(), (__u64)iocb->ki_filp, ret);
	return 0;
}

/* 262b2fa99cbe ("pipe: introduce struct file_operations pipeanon_fops"), 6.14 */
SEC("?fexit/anon_pipe_write")
int BPF_PROG(a_anon_pipe_write, struct kiocb *iocb, void *from, long ret)
{
	if (ret > 0)
		write_done(current_task(), (__u64)iocb->ki_filp, ret);
	return 0;
}

SEC("?fexit/vm_mmap_pgoff")
int BPF_PROG(a_mmap, struct file *file, unsigned long addr, unsigned long len, unsigned long prot,
	     unsigned long flag, unsigned long pgoff, unsigned long ret)
{
	if (!file || ret >= -4095UL)
		return 0;
	map_done(current_task(), (__u64)file, len, pgoff << 12 | (flag & MAP_SHARED ? OF_SHARED : 0));
	if (flag & MAP_SHARED)
		map_shared(current_task(), (__u64)file, ret);
	ml_look(plain(current_task()), plain((__u64)file), prot);
	return 0;
}

/* newsock is the second argument before and after 92ef0fd55ac8 ("net: change proto and proto_ops accept type"), 6.10 */
SEC("?fexit/inet_accept")
int BPF_PROG(a_accept, struct socket *sock, struct socket *newsock)
{
	__u64 sk = (__u64)newsock->sk;

	if (sk)
		tcp_accepted(current_task(), sk);
	return 0;
}

static __always_inline int message(struct socket *sock, int ret)
{
	if (ret > 0 && any_taint)
		inlet_received(current_task(), plain((__u64)sock->sk), ret);
	return 0;
}

/* Each message of every protocol over IP, by whatever call. */
SEC("?fexit/inet_recvmsg")
int BPF_PROG(a_recv, struct socket *sock, void *msg, size_t size, int flags, int ret)
{
	return message(sock, ret);
}

SEC("?fexit/inet6_recvmsg")
int BPF_PROG(a_recv6, struct socket *sock, void *msg, size_t size, int flags, int ret)
{
	return message(sock, ret);
}

SEC("?fentry/fd_install")
int BPF_PROG(a_fd_install, unsigned int fd, struct file *file)
{
	descriptor_added(current_task(), (__u64)file);
	return 0;
}

SEC("?fexit/ptmx_open")
int BPF_PROG(a_ptmx_open, struct inode *inode, struct file *file, int ret)
{
	if (!ret && any_taint)
		pty_made(plain((__u64)file));
	return 0;
}

SEC("?fexit/vfs_rename")
int BPF_PROG(a_rename)
{
	names_changed();
	return 0;
}

SEC("?fexit/vfs_link")
int BPF_PROG(a_link)
{
	names_changed();
	return 0;
}

/* A file's last look from where it belongs: what is decided here stays, though nobody has read it yet. */
SEC("?fentry/security_inode_rename")
int BPF_PROG(a_name_moves, struct inode *dir, struct dentry *dentry)
{
	name_leaves((__u64)dentry, (__u64)dentry->d_inode);
	return 0;
}

SEC("?fentry/security_inode_link")
int BPF_PROG(a_name_added, struct dentry *dentry)
{
	name_leaves((__u64)dentry, (__u64)dentry->d_inode);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
