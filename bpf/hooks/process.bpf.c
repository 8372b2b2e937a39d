// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* Life and death of processes, TCP state: used with either hook set. */
#include "core/ledger.bpf.h"

SEC("?tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	subject_fork((__u64)parent, (__u64)child);
	return 0;
}

SEC("?tp_btf/sched_process_fork")
int BPF_PROG(again_fork, struct task_struct *parent, struct task_struct *child)
{
	subject_fork((__u64)parent, (__u64)child);
	return 0;
}

SEC("?tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task)
{
	subject_exec((__u64)task);
	return 0;
}

SEC("?tp_btf/sched_process_exec")
int BPF_PROG(again_exec, struct task_struct *task)
{
	subject_exec((__u64)task);
	return 0;
}

static __always_inline int exits(__u64 task)
{
	if (any_taint)
		channel_core(task);
	subject_exit(task);
	return 0;
}

SEC("?tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	return exits((__u64)task);
}

SEC("?tp_btf/sched_process_exit")
int BPF_PROG(again_exit, struct task_struct *task)
{
	return exits((__u64)task);
}

static __always_inline int state_changes(__u64 sk, int old, int new)
{
	__u16 proto;

	READ(proto, struct sock, sk, sk_protocol);
	if (proto == IPPROTO_TCP)
		tcp_state(sk, old, new);
	else if (proto == IPPROTO_MPTCP)
		mptcp_state(sk, new);
	return 0;
}

SEC("?tp_btf/inet_sock_set_state")
int BPF_PROG(on_tcp_state, struct sock *sk, int old, int new)
{
	return state_changes((__u64)sk, old, new);
}

SEC("?tp_btf/inet_sock_set_state")
int BPF_PROG(again_tcp_state, struct sock *sk, int old, int new)
{
	return state_changes((__u64)sk, old, new);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
