/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * MPTCP. Its bytes are those of its subflows, which are TCP sockets and counted as such. What MPTCP itself sends again
 * is taken off its first subflow, where the kernel tells how much that is (38967f424b5b, 6.5); before, it counts again.
 * The descriptor holds the connection (protocol 262); a subflow is made by connect(), by the peer, or by a kernel
 * worker, and belongs to whoever has the connection.
 */
#ifndef SLUICE_MPTCP_BPF_H
#define SLUICE_MPTCP_BPF_H

#include "core/tcp.bpf.h"

#define MPTCP_SUBFLOWS 8 /* MPTCP_SUBFLOWS_MAX of the kernel's own path manager */

/* A further subflow belongs to the owner of the connection's first one, whoever makes it: mostly a kernel worker.
 * False: it is the first, or none at all. */
static __noinline int mptcp_own(__u64 sk, struct flow *f)
{
	__u64 msk = mptcp_of(sk), first;
	struct flow_key key;
	struct flow *of;

	if (!msk || !f)
		return 0;
	READ(first, struct mptcp_sock, msk, first);
	if (!first || first == sk)
		return 0;
	key = tcp_key(first);
	of = bpf_map_lookup_elem(&flows, &key);
	if (!of || !of->who.tgid)
		return is_kernel_thread(current_task()); /* it comes by mptcp_taken() */
	f->who = of->who;
	f->cgroup = of->cgroup;
	if (of->mask)
		flow_taint_add(f, of->mask, 0);
	return 1;
}

static __always_inline __u64 mptcp_first(__u64 msk, __u64 *head)
{
	__u64 node;

	*head = msk + bpf_core_field_offset(struct mptcp_sock, conn_list);
	READ(node, struct mptcp_sock, msk, conn_list.next);
	return node == *head ? 0 : node;
}

/* The subflow at *node, which moves on to the next, 0 after the last. */
static __always_inline __u64 mptcp_next(__u64 head, __u64 *node)
{
	__u64 subflow = *node - bpf_core_field_offset(struct mptcp_subflow_context, node), sk, next;

	READ(sk, struct mptcp_subflow_context, subflow, tcp_sock);
	READ(next, struct mptcp_subflow_context, subflow, node.next);
	*node = next == head ? 0 : next;
	return sk;
}

/* `task` holds the connection: it has all its subflows that have no owner yet. */
static __noinline int mptcp_taken(__u64 task, __u64 msk, bool found)
{
	__u64 head, node, sk;

	if (!bpf_core_field_exists(struct tcp_sock, is_mptcp))
		return 0;
	node = mptcp_first(msk, &head);
	for (int i = 0; i < MPTCP_SUBFLOWS && node; i++) {
		sk = mptcp_next(head, &node);
		if (sk && found)
			tcp_found(task, sk);
		else if (sk)
			tcp_taken(task, sk);
	}
	return 0;
}

/* What the application handed over and no subflow has got yet, known to belong to one only where there is one; less
 * what was sent again, which is no new payload. A difference that may be below zero. */
static __always_inline __u64 mptcp_waiting(__u64 msk, __u64 node)
{
	__u64 last, wrote, sent, again = mptcp_again(msk);

	READ(last, struct mptcp_sock, msk, conn_list.prev);
	if (last != node)
		return -again;
	READ(wrote, struct mptcp_sock, msk, write_seq);
	READ(sent, struct mptcp_sock, msk, snd_nxt);
	return (wrote > sent ? wrote - sent : 0) - again;
}

/* A tainted subject holds the connection. */
static __always_inline void mptcp_mark(__u64 task, __u64 msk, __u64 mask)
{
	__u64 head, node, sk, waiting;

	if (!bpf_core_field_exists(struct tcp_sock, is_mptcp))
		return;
	node = mptcp_first(msk, &head);
	waiting = mptcp_waiting(msk, node);
	for (int i = 0; i < MPTCP_SUBFLOWS && node; i++) {
		sk = mptcp_next(head, &node);
		if (sk && tcp_mark(task, sk, mask, waiting))
			local_mark(sk, mask);
	}
}

/* close() or shutdown() by the holder: whoever accepted it unseen is known now, at the latest. */
static __always_inline void mptcp_state(__u64 msk, int new)
{
	__u64 task = current_task();

	if ((new == TCP_FIN_WAIT1 || new == TCP_LAST_ACK) && !is_kernel_thread(task))
		mptcp_taken(task, msk, false);
}

#endif
