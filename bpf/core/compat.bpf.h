/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What differs between kernels and architectures, one getter each, under the
 * kernel commit that made the difference.
 */
#ifndef SLUICE_COMPAT_BPF_H
#define SLUICE_COMPAT_BPF_H

#include "core/maps.bpf.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

/*
 * Reading a field of a kernel struct. A pointer whose type the verifier knows is read by a plain
 * load; of a bare address it must be a bpf_probe_read_kernel(), many times dearer, or the address is
 * given its type by bpf_rdonly_cast (a35b9af4ec2c, 6.2). Only one object of those linked together may
 * name a kfunc (libbpf 1.1's linker looks for the size of the second mention), so the hottest has it.
 */
#define READ_DIRECT(dst, type, addr, field) ((dst) = (typeof(dst))((type *)(addr))->field)

#define READ_PROBE(dst, type, addr, field)                                                         \
	do {                                                                                       \
		__u64 __a = (__u64)(addr); /* else a field of our own in `addr` is relocated too */  \
		typeof(((type *)0)->field) __v;                                                    \
		bpf_core_read(&__v, sizeof(__v), &((type *)__a)->field);                           \
		(dst) = (typeof(dst))__v;                                                          \
	} while (0)

#if defined(SLUICE_CAST) && !defined(SLUICE_OLD_KERNEL)
extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym __weak;

#define READ(dst, type, addr, field)                                                               \
	do {                                                                                       \
		if (have_cast)                                                                     \
			READ_DIRECT(dst, type,                                                     \
				    bpf_rdonly_cast((void *)(addr), bpf_core_type_id_kernel(type)),  \
				    field);                                                        \
		else                                                                               \
			READ_PROBE(dst, type, addr, field);                                        \
	} while (0)
#else
#define READ READ_PROBE
#endif

/* From a task: typed wherever the kernel gives the current task typed. */
#ifdef SLUICE_PLAIN /* an object whose programs have only bare addresses */
#define TYPED_TASKS false
#else
#define TYPED_TASKS have_task_btf
#endif
#define READ_TASK(dst, type, addr, field)                                                          \
	do {                                                                                       \
		if (TYPED_TASKS)                                                                 \
			READ_DIRECT(dst, type, addr, field);                                       \
		else                                                                               \
			READ_PROBE(dst, type, addr, field);                                        \
	} while (0)

/* From a file or inode that the hook was given: typed under a trampoline. */
#ifdef SLUICE_TYPED_FILES
#define TYPED true
#else
#define TYPED false
#endif
#define READ_IF(typed, dst, type, addr, field)                                                     \
	do {                                                                                       \
		if (typed)                                                                         \
			READ_DIRECT(dst, type, addr, field);                                       \
		else                                                                               \
			READ(dst, type, addr, field);                                              \
	} while (0)

/* 633488947ef6 ("kernfs: Use RCU to access kernfs_node::parent"), 6.15 */
struct kernfs_node___new {
	struct kernfs_node___new *__parent;
} __attribute__((preserve_access_index));
struct kernfs_node___old {
	struct kernfs_node___old *parent;
} __attribute__((preserve_access_index));

static __always_inline __u64 kernfs_parent(__u64 kn)
{
	__u64 up = 0;

	if (bpf_core_field_exists(struct kernfs_node___new, __parent))
		bpf_core_read(&up, sizeof(up), &((struct kernfs_node___new *)kn)->__parent);
	else
		bpf_core_read(&up, sizeof(up), &((struct kernfs_node___old *)kn)->parent);
	return up;
}

/* d_alias left the union d_u for an unnamed one, 7.2 */
struct dentry___unnamed {
	struct hlist_node d_alias;
} __attribute__((preserve_access_index));
struct dentry___named {
	union {
		struct hlist_node d_alias;
	} d_u;
} __attribute__((preserve_access_index));

static __always_inline __u64 dentry_of_alias(__u64 node)
{
	if (bpf_core_field_exists(struct dentry___unnamed, d_alias))
		return node - bpf_core_field_offset(struct dentry___unnamed, d_alias);
	return node - bpf_core_field_offset(struct dentry___named, d_u.d_alias);
}

static __always_inline __u64 current_task(void)
{
	if (TYPED_TASKS)
		return (__u64)bpf_get_current_task_btf();
	return bpf_get_current_task();
}

/* What a system call is to us. */
enum syscall_op {
	OP_NONE = 0,
	OP_READ,   /* arg 0 is a descriptor, the result is bytes */
	OP_WRITE,  /* likewise */
	OP_MMAP,   /* length 1, descriptor 4 */
	OP_PIPE,   /* makes descriptors */
	OP_OPEN,   /* the result is a descriptor */
	OP_ACCEPT, /* likewise */
	OP_MOVE,   /* names changed: rename, link */
	OP_SPLICE, /* from descriptor 0 to 2, the result is bytes: splice, copy_file_range */
	OP_TEE,	   /* from 0 to 1 */
	OP_SENDFILE, /* from 1 to 0 */
	OP_VMSPLICE, /* memory into pipe 0, or out of it */
	OP_IOCTL,  /* request 1 on descriptor 0, argument 2 */
	OP_PEEK,   /* another process's memory, by process id 0: process_vm_readv, process_vm_writev */
	OP_PTRACE,
	OP_REMAP, /* from length 1 to 2, the result is where: mremap */
	OP_REFILE, /* length 1 at 0: remap_file_pages */
	OP_SOCKETCALL, /* i386: which socket call, 0 */
	OP_SHMAT, /* the result is where */
	OP_CONNECT, /* socket 0 */
	/* Through socket 0; the result is bytes, of the last of each kind it is messages. In this order. */
	OP_RECV,
	OP_RECVMSG, /* may bring descriptors */
	OP_RECVMMSG,
	OP_SEND,
	OP_SENDTO, /* address 4 */
	OP_SENDMSG, /* may have an address */
	OP_SENDMMSG,
	OP_MQ_SEND, /* to descriptor 0, length 2 */
	OP_MQ_RECEIVE, /* the result is bytes */
	OP_MSGSND, /* to System V's queue 0, length 2 */
	OP_MSGRCV,
	OP_IPC, /* i386: System V's calls, told apart by 0; queue 1, length 2 */
};

static __always_inline bool is_socket_op(__u8 op)
{
	return op >= OP_RECV && op <= OP_SENDMMSG;
}

static __always_inline bool is_receive_op(__u8 op)
{
	return op >= OP_RECV && op <= OP_RECVMMSG;
}

#define SYSCALLS 576

#if defined(__TARGET_ARCH_x86)

#define X32_BIT 0x40000000
#define TS_COMPAT 0x0002

static const __u8 op_of[SYSCALLS] = {
	[25] = OP_REMAP, [216] = OP_REFILE, [30] = OP_SHMAT,
	[0] = OP_READ, [17] = OP_READ, [19] = OP_READ, [295] = OP_READ, [327] = OP_READ,
	[1] = OP_WRITE, [20] = OP_WRITE, [328] = OP_WRITE,
	[18] = OP_WRITE, [296] = OP_WRITE,
	[9] = OP_MMAP, [22] = OP_PIPE, [293] = OP_PIPE,
	[2] = OP_OPEN, [85] = OP_OPEN, [257] = OP_OPEN, [437] = OP_OPEN,
	[304] = OP_OPEN, [41] = OP_OPEN, [438] = OP_OPEN,
	[43] = OP_ACCEPT, [288] = OP_ACCEPT, [42] = OP_CONNECT, [53] = OP_PIPE,
	[242] = OP_MQ_SEND, [243] = OP_MQ_RECEIVE, [69] = OP_MSGSND, [70] = OP_MSGRCV,
	[45] = OP_RECV, [47] = OP_RECVMSG, [299] = OP_RECVMMSG, [44] = OP_SENDTO, [46] = OP_SENDMSG, [307] = OP_SENDMMSG,
	[275] = OP_SPLICE, [326] = OP_SPLICE, [276] = OP_TEE, [40] = OP_SENDFILE, [278] = OP_VMSPLICE,
	[16] = OP_IOCTL, [310] = OP_PEEK, [311] = OP_PEEK, [101] = OP_PTRACE,
	[82] = OP_MOVE, [264] = OP_MOVE, [316] = OP_MOVE, [86] = OP_MOVE, [265] = OP_MOVE,
	/* x32 has numbers of its own for what carries an iovec */
	[515] = OP_READ, [534] = OP_READ, [546] = OP_READ, [516] = OP_WRITE, [535] = OP_WRITE, [547] = OP_WRITE,
	[514] = OP_IOCTL, [521] = OP_PTRACE, [532] = OP_VMSPLICE, [539] = OP_PEEK, [540] = OP_PEEK,
	[517] = OP_RECV, [519] = OP_RECVMSG, [537] = OP_RECVMMSG, [518] = OP_SENDMSG, [538] = OP_SENDMMSG,
};

static const __u8 op_of_compat[SYSCALLS] = {
	[163] = OP_REMAP, [257] = OP_REFILE, [397] = OP_SHMAT,
	[3] = OP_READ, [145] = OP_READ, [180] = OP_READ, [333] = OP_READ, [378] = OP_READ,
	[4] = OP_WRITE, [146] = OP_WRITE, [379] = OP_WRITE,
	[181] = OP_WRITE, [334] = OP_WRITE,
	[192] = OP_MMAP, [42] = OP_PIPE, [331] = OP_PIPE,
	[5] = OP_OPEN, [8] = OP_OPEN, [295] = OP_OPEN, [437] = OP_OPEN,
	[342] = OP_OPEN, [359] = OP_OPEN, [438] = OP_OPEN,
	[364] = OP_ACCEPT, [102] = OP_SOCKETCALL, [362] = OP_CONNECT, [360] = OP_PIPE,
	[279] = OP_MQ_SEND, [280] = OP_MQ_RECEIVE, [418] = OP_MQ_SEND, [419] = OP_MQ_RECEIVE,
	[400] = OP_MSGSND, [401] = OP_MSGRCV, [117] = OP_IPC,
	[371] = OP_RECV, [372] = OP_RECVMSG, [337] = OP_RECVMMSG, [417] = OP_RECVMMSG,
	[369] = OP_SENDTO, [370] = OP_SENDMSG, [345] = OP_SENDMMSG,
	[313] = OP_SPLICE, [377] = OP_SPLICE, [315] = OP_TEE, [187] = OP_SENDFILE, [239] = OP_SENDFILE,
	[316] = OP_VMSPLICE, [54] = OP_IOCTL, [347] = OP_PEEK, [348] = OP_PEEK, [26] = OP_PTRACE,
	[38] = OP_MOVE, [302] = OP_MOVE, [353] = OP_MOVE, [9] = OP_MOVE, [303] = OP_MOVE,
};

static __always_inline bool task_is_compat(__u64 task)
{
	__u32 status;

	READ_TASK(status, struct task_struct, task, thread_info.status);
	return status & TS_COMPAT;
}

static __always_inline __u32 regs_nr(struct pt_regs *regs)
{
	return (__u32)regs->orig_ax & ~X32_BIT;
}

static __always_inline __u64 regs_arg(struct pt_regs *regs, int n, bool compat)
{
	if (compat)
		return (__u32)(n == 0 ? regs->bx : n == 1 ? regs->cx : n == 2 ? regs->dx : n == 3 ? regs->si : regs->di);
	return n == 0 ? regs->di : n == 1 ? regs->si : n == 2 ? regs->dx : n == 3 ? regs->r10 : regs->r8;
}

#elif defined(__TARGET_ARCH_arm64)

static const __u8 op_of[SYSCALLS] = {
	[216] = OP_REMAP, [234] = OP_REFILE, [196] = OP_SHMAT,
	[63] = OP_READ, [65] = OP_READ, [67] = OP_READ, [69] = OP_READ, [286] = OP_READ,
	[64] = OP_WRITE, [66] = OP_WRITE, [287] = OP_WRITE,
	[68] = OP_WRITE, [70] = OP_WRITE,
	[222] = OP_MMAP, [59] = OP_PIPE,
	[56] = OP_OPEN, [437] = OP_OPEN,
	[265] = OP_OPEN, [198] = OP_OPEN, [438] = OP_OPEN,
	[202] = OP_ACCEPT, [242] = OP_ACCEPT, [203] = OP_CONNECT, [199] = OP_PIPE,
	[182] = OP_MQ_SEND, [183] = OP_MQ_RECEIVE, [189] = OP_MSGSND, [188] = OP_MSGRCV,
	[207] = OP_RECV, [212] = OP_RECVMSG, [243] = OP_RECVMMSG, [206] = OP_SENDTO, [211] = OP_SENDMSG, [269] = OP_SENDMMSG,
	[76] = OP_SPLICE, [285] = OP_SPLICE, [77] = OP_TEE, [71] = OP_SENDFILE, [75] = OP_VMSPLICE,
	[29] = OP_IOCTL, [270] = OP_PEEK, [271] = OP_PEEK, [117] = OP_PTRACE,
	[38] = OP_MOVE, [276] = OP_MOVE, [37] = OP_MOVE,
};

static const __u8 op_of_compat[SYSCALLS] = {
	[163] = OP_REMAP, [257] = OP_REFILE, [305] = OP_SHMAT,
	[3] = OP_READ, [145] = OP_READ, [180] = OP_READ, [361] = OP_READ, [392] = OP_READ,
	[4] = OP_WRITE, [146] = OP_WRITE, [393] = OP_WRITE,
	[181] = OP_WRITE, [362] = OP_WRITE,
	[192] = OP_MMAP, [42] = OP_PIPE, [359] = OP_PIPE,
	[5] = OP_OPEN, [8] = OP_OPEN, [322] = OP_OPEN, [437] = OP_OPEN,
	[371] = OP_OPEN, [281] = OP_OPEN, [438] = OP_OPEN,
	[285] = OP_ACCEPT, [366] = OP_ACCEPT, [283] = OP_CONNECT, [288] = OP_PIPE,
	[276] = OP_MQ_SEND, [277] = OP_MQ_RECEIVE, [418] = OP_MQ_SEND, [419] = OP_MQ_RECEIVE,
	[301] = OP_MSGSND, [302] = OP_MSGRCV,
	[291] = OP_RECV, [292] = OP_RECV, [297] = OP_RECVMSG, [365] = OP_RECVMMSG, [417] = OP_RECVMMSG,
	[289] = OP_SEND, [290] = OP_SENDTO, [296] = OP_SENDMSG, [374] = OP_SENDMMSG,
	[340] = OP_SPLICE, [391] = OP_SPLICE, [342] = OP_TEE, [187] = OP_SENDFILE, [239] = OP_SENDFILE,
	[343] = OP_VMSPLICE, [54] = OP_IOCTL, [376] = OP_PEEK, [377] = OP_PEEK, [26] = OP_PTRACE,
	[38] = OP_MOVE, [329] = OP_MOVE, [382] = OP_MOVE, [9] = OP_MOVE, [330] = OP_MOVE,
};

#define TIF_32BIT 22

static __always_inline bool task_is_compat(__u64 task)
{
	unsigned long flags;

	READ_TASK(flags, struct task_struct, task, thread_info.flags);
	return flags >> TIF_32BIT & 1;
}

static __always_inline __u32 regs_nr(struct pt_regs *regs)
{
	return regs->syscallno;
}

/* x0 already holds the result at exit; the entry value is kept in orig_x0 */
static __always_inline __u64 regs_arg(struct pt_regs *regs, int n, bool compat)
{
	__u64 v = n == 0 ? regs->orig_x0 : n == 1 ? regs->regs[1] : n == 2 ? regs->regs[2] : regs->regs[n];

	return compat ? (__u32)v : v;
}

#endif

#define MAP_SHARED 1 /* and of MAP_SHARED_VALIDATE */
#define VM_MAYWRITE 0x20
#define VM_MAYSHARE 0x80 /* MAP_SHARED; of a file open for reading only VM_SHARED is not set */

#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define S_IFREG 0100000
#define S_IFBLK 0060000
#define S_IFCHR 0020000
#define S_IFIFO 0010000
#define FMODE_WRITE 2
#define S_DAX (1 << 13)
#define EXT4_SUPER_MAGIC 0xef53
#define XFS_SUPER_MAGIC 0x58465342
#define BTRFS_SUPER_MAGIC 0x9123683e
#define PF_KTHREAD 0x00200000

#endif
