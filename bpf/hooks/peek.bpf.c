// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* Memory of one process in the hands of another: ptrace, process_vm_readv, core dumps. */
#define SLUICE_PLAIN
#include "core/ledger.bpf.h"
#include "core/calls.bpf.h"

#define TRACEES_WALKED 16
#define PTRACE_MODE_ATTACH 2
#define RADIX_BITS 6 /* XA_CHUNK_SHIFT; 4 on CONFIG_BASE_SMALL, which no server has */
#define RADIX_DEPTH 6

__noinline int ptrace_called(__u64 task)
{
	__u64 head, entry, leader;

	head = task + bpf_core_field_offset(struct task_struct, ptraced);
	READ_PROBE(entry, struct task_struct, task, ptraced.next);
	for (int i = 0; i < TRACEES_WALKED && entry && entry != head; i++) {
		leader = entry - bpf_core_field_offset(struct task_struct, ptrace_entry);
		peek(task, leader);
		READ_PROBE(entry, struct list_head, entry, next);
	}
	return 0;
}

/* The number's entry in a namespace's table: an xarray (95846ecf9dac, 4.15), walked from its root. */
static __noinline __u64 pid_find(__u64 ns, __u64 nr)
{
	__u64 node;
	__u8 shift = 0;

	READ_PROBE(node, struct pid_namespace, ns, idr.idr_rt.xa_head);
	for (int i = 0; i < RADIX_DEPTH; i++) {
		if ((node & 3) != 2)
			break; /* a pid, or nothing */
		node &= ~3ULL;
		READ_PROBE(shift, struct xa_node, node, shift);
		node += bpf_core_field_offset(struct xa_node, slots) + 8 * (nr >> (shift & 63) & ((1 << RADIX_BITS) - 1));
		if (bpf_probe_read_kernel(&node, sizeof(node), (void *)node))
			return 0;
	}
	return node & 3 ? 0 : node;
}

__noinline int peek_called(__u64 task, __u64 nr)
{
	__u64 pid, ns = 0, node, found;
	__u32 level, base;

	READ_PROBE(pid, struct task_struct, task, thread_pid);
	READ_PROBE(level, struct pid, pid, level);
	if (level > 32)
		return 0;
	node = pid + bpf_core_field_offset(struct pid, numbers) + level * bpf_core_type_size(struct upid);
	READ_PROBE(ns, struct upid, node, ns);
	READ_PROBE(base, struct pid_namespace, ns, idr.idr_base);
	pid = pid_find(ns, (__u32)nr - base);
	if (!pid)
		return 0;
	READ_PROBE(node, struct pid, pid, tasks[PIDTYPE_PID].first);
	if (!node)
		return 0;
	found = node - bpf_core_field_offset(struct task_struct, pid_links[PIDTYPE_PID]);
	return peek(task, found);
}

/* --- set A ------------------------------------------------------------------- */

/* ptrace, process_vm_readv, process_vm_writev, /proc/PID/mem and pidfd_getfd all ask here. */
SEC("?fexit/security_ptrace_access_check")
int BPF_PROG(a_ptrace, struct task_struct *child, unsigned int mode, int ret)
{
	if (ret || !(mode & PTRACE_MODE_ATTACH) || !any_taint)
		return 0;
	peek(current_task(), plain((__u64)child));
	return 0; /* nothing else is allowed; a global function's result could be anything */
}

SEC("?fexit/security_ptrace_traceme")
int BPF_PROG(a_traceme, struct task_struct *parent, int ret)
{
	if (!ret && any_taint)
		peek(current_task(), plain((__u64)parent));
	return 0;
}

/* The first bytes of a dump: whatever it goes into may hold all that the process held. */
SEC("?fentry/dump_emit")
int BPF_PROG(a_dump, struct coredump_params *cprm)
{
	struct edge_key key = {.via = VIA_DUMP};
	__u64 task, file, inode;
	__u16 mode;

	if (!any_taint)
		return 0;
	task = current_task();
	subject_of(task, &key.who);
	key.mask = subject_mask(&key.who);
	file = plain((__u64)cprm->file);
	if (!key.mask || !file)
		return 0;
	READ_PROBE(inode, struct file, file, f_inode);
	READ_PROBE(mode, struct inode, inode, i_mode);
	object_of(false, inode, &key.what);
	if ((mode & S_IFMT) == S_IFREG)
		file_add(inode, key.mask);
	else if ((mode & S_IFMT) == S_IFIFO)
		object_add(&key.what, key.mask, inode);
	else
		return 0;
	account_edge(&key, 0);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
