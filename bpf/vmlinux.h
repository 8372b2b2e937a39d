/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Only the kernel types that are read, with only the fields that are read: every
 * offset is relocated at load (CO-RE), so order and neighbours do not matter.
 * `make check-vmlinux` compares names and types with a running kernel's BTF.
 */
#ifndef __VMLINUX_H__
#define __VMLINUX_H__

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef __u16 __sum16;
typedef int pid_t;
typedef u32 dev_t;
typedef unsigned short umode_t;
typedef unsigned int fmode_t;
typedef long long loff_t;
typedef unsigned long size_t;
typedef _Bool bool;
enum { false = 0, true = 1 };
#define NULL ((void *)0)

/* uapi: constants, not relocated */
enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_RINGBUF = 27,
};
enum { BPF_ANY = 0, BPF_NOEXIST = 1, BPF_EXIST = 2 };
enum { BPF_RB_NO_WAKEUP = 1, BPF_RB_FORCE_WAKEUP = 2, BPF_RB_AVAIL_DATA = 0 };

struct bpf_sock {
	__u32 bound_dev_if;
	__u32 family;
	__u32 type;
	__u32 protocol;
	__u32 mark;
	__u32 priority;
	__u32 src_ip4;
	__u32 src_ip6[4];
	__u32 src_port;
	__u16 dst_port;
	__u16 pad;
	__u32 dst_ip4;
	__u32 dst_ip6[4];
	__u32 state;
	__s32 rx_queue_mapping;
};

struct bpf_tcp_sock {
	__u32 snd_cwnd;
	__u32 srtt_us;
	__u32 rtt_min;
	__u32 snd_ssthresh;
	__u32 rcv_nxt;
	__u32 snd_nxt;
	__u32 snd_una;
	__u32 mss_cache;
	__u32 ecn_flags;
	__u32 rate_delivered;
	__u32 rate_interval_us;
	__u32 packets_out;
	__u32 retrans_out;
	__u32 total_retrans;
	__u32 segs_in;
	__u32 data_segs_in;
	__u32 segs_out;
	__u32 data_segs_out;
	__u32 lost_out;
	__u32 sacked_out;
	__u64 bytes_received;
	__u64 bytes_acked;
};

struct bpf_sock_addr {
	__u32 user_family;
	__u32 user_ip4;
	__u32 user_ip6[4];
	__u32 user_port;
	__u32 family;
	__u32 type;
	__u32 protocol;
	__u32 msg_src_ip4;
	__u32 msg_src_ip6[4];
	union {
		struct bpf_sock *sk;
		__u64 sk_pad;
	} __attribute__((aligned(8)));
};

struct __sk_buff {
	__u32 len;
	__u32 pkt_type;
	__u32 mark;
	__u32 queue_mapping;
	__u32 protocol;
	__u32 vlan_present;
	__u32 vlan_tci;
	__u32 vlan_proto;
	__u32 priority;
	__u32 ingress_ifindex;
	__u32 ifindex;
	__u32 tc_index;
	__u32 cb[5];
	__u32 hash;
	__u32 tc_classid;
	__u32 data;
	__u32 data_end;
	__u32 napi_id;
	__u32 family;
	__u32 remote_ip4;
	__u32 local_ip4;
	__u32 remote_ip6[4];
	__u32 local_ip6[4];
	__u32 remote_port;
	__u32 local_port;
	__u32 data_meta;
	__u64 flow_keys;
	__u64 tstamp;
	__u32 wire_len;
	__u32 gso_segs;
	union {
		struct bpf_sock *sk;
		__u64 sk_pad;
	} __attribute__((aligned(8)));
	__u32 gso_size;
};

struct bpf_raw_tracepoint_args {
	__u64 args[0];
};

#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
#endif

#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long r10, r9, r8, cx, dx, si, di, bx, bp, orig_ax;
};
struct thread_info {
	unsigned long flags;
	u32 status;
};
#elif defined(__TARGET_ARCH_arm64)
struct user_pt_regs {
	__u64 regs[31];
	__u64 sp, pc, pstate;
};
struct pt_regs {
	union {
		struct user_pt_regs user_regs;
		struct {
			u64 regs[31];
			u64 sp, pc, pstate;
		};
	};
	u64 orig_x0;
	s32 syscallno;
};
struct thread_info {
	unsigned long flags;
};
#else
#error "no pt_regs for this architecture yet: add it here and in bpf/core/compat.bpf.h"
#endif

struct trace_event_raw_sys_exit {
	long id;
	long ret;
};
struct trace_event_raw_io_uring_complete {
	void *ctx;
	void *req;
	u64 user_data;
	int res;
};
struct trace_event_raw_io_uring_submit_req {
	void *req;
	u8 opcode;
	unsigned long long flags;
};

struct hlist_node {
	struct hlist_node *next;
};
struct list_head {
	struct list_head *next, *prev;
};
struct hlist_head {
	struct hlist_node *first;
};
typedef struct {
	int counter;
} atomic_t;
typedef struct {
	s64 counter;
} atomic64_t;
typedef struct {
	unsigned int val;
} kuid_t;

struct rb_node {
	unsigned long __rb_parent_color;
	struct rb_node *rb_right;
	struct rb_node *rb_left;
};
struct rb_root {
	struct rb_node *rb_node;
};
struct rb_root_cached {
	struct rb_root rb_root;
};

struct super_block {
	dev_t s_dev;
	unsigned long s_magic;
	void *s_fs_info;
};
struct pipe_inode_info;
struct inode {
	umode_t i_mode;
	struct super_block *i_sb;
	struct address_space *i_mapping;
	unsigned long i_ino;
	dev_t i_rdev;
	unsigned int i_nlink;
	atomic_t i_count;
	loff_t i_size;
	u32 i_generation;
	unsigned int i_flags;
	struct hlist_head i_dentry;
	struct pipe_inode_info *i_pipe;
};
struct address_space {
	struct inode *host;
	struct rb_root_cached i_mmap;
};
struct qstr {
	const unsigned char *name;
};
struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
};
struct vfsmount {
	struct dentry *mnt_root;
};
struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};
struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};
struct file {
	struct path f_path;
	struct inode *f_inode;
	fmode_t f_mode;
	void *private_data;
};
struct tty_driver {
	int major;
};
struct tty_struct {
	int index;
	struct tty_driver *driver;
	struct tty_struct *link;
	void *driver_data;
};
struct tty_file_private {
	struct tty_struct *tty;
};
struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};
struct files_struct {
	struct fdtable *fdt;
};
struct maple_tree {
	void *ma_root;
};
struct maple_metadata {
	unsigned char end;
};
struct maple_range_64 {
	unsigned long pivot[15];
	union {
		void *slot[16];
		struct {
			void *pad[15];
			struct maple_metadata meta;
		};
	};
};
struct maple_arange_64 {
	unsigned long pivot[9];
	void *slot[10];
	struct maple_metadata meta;
};
struct mm_struct {
	struct maple_tree mm_mt;
	atomic_t mm_users;
	struct task_struct *owner;
	struct file *exe_file;
};
struct vm_area_struct {
	unsigned long vm_start;
	unsigned long vm_end;
	unsigned long vm_flags;
	struct {
		struct rb_node rb;
	} shared;
	unsigned long vm_pgoff;
	struct mm_struct *vm_mm;
	struct file *vm_file;
};
struct vm_fault {
	struct vm_area_struct *vma;
	unsigned long address;
};
struct kiocb {
	struct file *ki_filp;
	loff_t ki_pos;
	int ki_flags;
};
struct iov_iter {
	bool data_source;
	size_t count;
};
struct iocb {
	__u64 aio_nbytes;
	__u16 aio_lio_opcode;
};
struct kioctx {
	unsigned long user_id;
	unsigned long mmap_base;
};
struct aio_kiocb {
	struct kioctx *ki_ctx;
};
struct io_rw {
	struct kiocb kiocb;
	u32 len;
};
struct io_splice {
	struct file *file_out;
	u64 len;
	int splice_fd_in;
	unsigned int flags;
};
struct io_open {
	u32 file_slot;
};
struct io_socket {
	u32 file_slot;
};
struct io_accept {
	u32 file_slot;
};
struct io_cqe {
	__u64 user_data;
	__s32 res;
	int fd;
};
struct io_uring_cqe {
	__u64 user_data;
	__s32 res;
};
struct io_ring_ctx;
struct io_kiocb {
	struct file *file;
	u8 opcode;
	u32 flags;
	struct io_cqe cqe;
	struct io_ring_ctx *ctx;
};
struct renamedata {
	struct dentry *old_dentry;
	struct dentry *new_dentry;
};

struct coredump_params {
	struct file *file;
};

struct ns_common {
	unsigned int inum;
};
struct user_namespace {
	int level;
};
struct net {
	struct user_namespace *user_ns;
	struct ns_common ns;
};
struct xarray {
	void *xa_head;
};
struct xa_node {
	unsigned char shift;
	void *slots[64];
};
struct idr {
	struct xarray idr_rt;
	unsigned int idr_base;
};
struct pid_namespace {
	struct idr idr;
	struct ns_common ns;
};
struct ipc_namespace {
	struct ns_common ns;
};
struct nsproxy {
	struct ipc_namespace *ipc_ns;
	struct pid_namespace *pid_ns_for_children;
	struct net *net_ns;
};
struct kernfs_node {
	const char *name;
	u64 id;
};
struct cgroup {
	struct kernfs_node *kn;
};
struct css_set {
	struct cgroup *dfl_cgrp;
};
struct cred {
	kuid_t uid;
};
struct upid {
	int nr;
	struct pid_namespace *ns;
};
struct pid {
	unsigned int level;
	struct hlist_head tasks[4];
	struct upid numbers[1];
};
enum pid_type { PIDTYPE_PID, PIDTYPE_TGID, PIDTYPE_PGID, PIDTYPE_SID };
struct signal_struct {
	atomic_t live;
	struct pid *pids[4];
	int group_exit_code;
	int nr_threads;
	struct list_head thread_head;
};
struct task_struct {
	struct thread_info thread_info;
	unsigned int flags;
	unsigned short migration_disabled;
	pid_t pid;
	pid_t tgid;
	struct task_struct *real_parent;
	struct list_head children;
	struct list_head sibling;
	struct task_struct *group_leader;
	struct list_head thread_node;
	unsigned int ptrace;
	struct task_struct *parent;
	struct list_head ptraced;
	struct list_head ptrace_entry;
	int exit_code;
	u64 start_boottime;
	u64 self_exec_id;
	struct pid *thread_pid;
	struct hlist_node pid_links[4];
	const struct cred *cred;
	char comm[16];
	struct files_struct *files;
	struct nsproxy *nsproxy;
	struct signal_struct *signal;
	struct mm_struct *mm;
	struct css_set *cgroups;
};

struct in6_addr {
	union {
		__u8 u6_addr8[16];
	} in6_u;
};
typedef struct {
	struct net *net;
} possible_net_t;
struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	unsigned char skc_state;
	possible_net_t skc_net;
	unsigned long skc_flags; /* sk_flags */
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	atomic64_t skc_cookie;
};
typedef struct {
	int owned;
} socket_lock_t;
struct device {
	struct device *parent;
};
struct net_device {
	struct device dev;
};
struct dst_entry {
	struct net_device *dev;
};
struct sock {
	struct dst_entry *sk_dst_cache;
	struct sock_common __sk_common;
	socket_lock_t sk_lock;
	u16 sk_type;
	u16 sk_protocol;
	int sk_sndbuf;
	struct socket *sk_socket;
};
struct tcp_sock {
	u64 bytes_received;
	u64 bytes_sent;
	u64 bytes_acked;
	u64 bytes_retrans;
	u32 snd_una;
	u32 snd_nxt;
	u32 write_seq;
	u32 copied_seq;
	u32 rcv_nxt;
	bool is_mptcp;
};
struct inet_connection_sock {
	void *icsk_ulp_data;
};
struct mptcp_sock {
	u64 write_seq;
	u64 snd_nxt;
	u64 bytes_retrans;
	struct list_head conn_list;
	struct sock *first;
};
struct mptcp_subflow_context {
	struct list_head node;
	struct sock *tcp_sock;
	struct sock *conn;
};
struct socket {
	short type;
	struct sock *sk;
};
struct socket_alloc {
	struct socket socket;
	struct inode vfs_inode;
};
struct unix_sock {
	void *addr;
	struct sock *peer;
};

struct seq_file;
struct bpf_map;
struct bpf_iter_meta {
	struct seq_file *seq;
	u64 session_id;
	u64 seq_num;
};
struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};
struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	u32 fd;
	struct file *file;
};
struct bpf_iter__task_vma {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	struct vm_area_struct *vma;
};
struct bpf_iter__bpf_map_elem {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	void *key;
	void *value;
};

#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute pop
#endif

#endif
