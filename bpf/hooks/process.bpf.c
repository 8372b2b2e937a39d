// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* Life and death of processes, TCP state: used with either hook set. */
#include "core/ledger.bpf.h"

SEC("?tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
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

SEC("?tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	if (any_taint)
		channel_core((__u64)task);
	subject_exit((__u64)task);
	return 0;
}

SEC("?tp_btf/inet_sock_set_state")
int BPF_PROG(on_tcp_state, struct sock *sk, int old, int new)
{
	__u16 proto;

	READ(proto, struct sock, sk, sk_protocol);
	if (proto == IPPROTO_TCP)
		tcp_state((__u64)sk, old, new);
	else if (proto == IPPROTO_MPTCP)
		mptcp_state((__u64)sk, new);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
