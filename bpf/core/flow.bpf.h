/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Flows: what becomes of a socket when its state changes, when it is accepted, found or held. */
#ifndef SLUICE_FLOW_BPF_H
#define SLUICE_FLOW_BPF_H

#include "core/calls.bpf.h"
#include "core/channel.bpf.h"
#include "core/datagram.bpf.h"
#include "core/local.bpf.h"
#include "core/mptcp.bpf.h"
#include "core/tcp.bpf.h"

/* Where programs can be preempted two are told of each change: the second of them must not count an end again. */
static __always_inline bool end_was_told(__u64 typed)
{
	__u64 sk = plain(typed);
	volatile __u64 *seen = &closed_twice[sk >> 6 & 255];
	bool told = *seen == sk;

	if (!preempted)
		return false;
	*seen = told ? 0 : sk;
	return told;
}

/* Every change of a TCP socket's state, under the socket's lock. */
static __always_inline void tcp_state(__u64 sk, int old, int new)
{
	struct flow_key key = tcp_key(sk);
	__u64 mask = 0, leave;
	struct flow *f;
	struct tcp_count n;
	int met = 0;

	if (preempted && new == TCP_SYN_SENT) {
		f = bpf_map_lookup_elem(&flows, &key);
		if (f && f->state == TCP_SYN_SENT)
			return; /* told a second time */
	}
	if (new == TCP_CLOSE && end_was_told(sk))
		return;
	if (new == TCP_SYN_SENT) { /* in connect(): the caller is the owner, but of MPTCP's further subflows */
		tcp_make_way(sk);
		inlet_ends(plain(sk));
		leave = leave_by(current_task(), &mask);
		f = tcp_flow_new(sk, ROLE_CONNECT, leave, bpf_ktime_get_boot_ns());
		if (!f)
			flow_turned_away(mask);
		else if (!mptcp_own(sk, f))
			flow_own(f, current_task(), 0);
		return;
	}
	if (old == TCP_SYN_RECV && new == TCP_ESTABLISHED) {
		/* simultaneous open comes here too, and has its record */
		f = bpf_map_lookup_elem(&flows, &key);
		if (f && f->rport == tcp_rport(sk))
			return;
		tcp_make_way(sk);
		inlet_ends(plain(sk));
		/* in softirq: the owner comes with accept() */
		f = tcp_flow_new(sk, ROLE_ACCEPT, LEAVE_PLENTY, bpf_ktime_get_boot_ns());
		if (!f)
			flow_turned_away(0);
		mptcp_own(sk, f);
		if (stays_here(sk))
			local_open(plain(sk));
		return;
	}
	if (new == TCP_LISTEN || old == TCP_LISTEN || new == TCP_SYN_RECV)
		return;
	f = bpf_map_lookup_elem(&flows, &key);
	if (!f) {
		if (new == TCP_CLOSE)
			tcp_unknown_closed(sk, old);
		return;
	}
	if (tcp_unfilled(f))
		met = tcp_fill(sk, f, old);
	if (new == TCP_FIN_WAIT1 || new == TCP_LAST_ACK) {
		/* tcp_close_state() is set before tcp_send_fin(): all payload is queued, the FIN is not */
		tcp_read(sk, f->role, &n);
		if (f->queued_end == NOT_QUEUED_YET)
			f->queued_end = n.queued - tcp_again(sk); /* MPTCP lets go of it soon */
	}
	f->state = new;
	tcp_update(sk, f);
	if (!f->lport || new == TCP_ESTABLISHED)
		tcp_ends(sk, f);
	if (met || (new == TCP_ESTABLISHED && stays_here(sk)))
		local_open(plain(sk));
	if (new == TCP_CLOSE)
		tcp_flow_close(sk, f);
}

/* accept() gave the socket to `task`. */
static __always_inline void tcp_accepted(__u64 task, __u64 sk)
{
	struct flow_key key;
	__u16 proto;
	__u8 now;

	READ(proto, struct sock, sk, sk_protocol);
	if (proto == IPPROTO_MPTCP) {
		mptcp_taken(task, sk, false);
	} else if (is_datagram(proto)) {
		datagram_own(plain(sk), 0, plain(task));
	} else if (proto == IPPROTO_TCP) {
		/* Fast Open: accepted before the handshake is over */
		key = tcp_key(sk);
		READ(now, struct sock, sk, __sk_common.skc_state);
		if (now == TCP_SYN_RECV && !bpf_map_lookup_elem(&flows, &key))
			tcp_flow_new(sk, ROLE_ACCEPT, LEAVE_PLENTY, bpf_ktime_get_boot_ns());
		if (now == TCP_SYN_RECV)
			local_open(plain(sk));
		tcp_taken(task, sk);
	}
}

/* --- sockets in a descriptor table ------------------------------------------------ */

static __always_inline __u64 socket_of(__u64 file)
{
	__u64 socket, sk;

	READ(socket, struct file, file, private_data);
	if (!socket)
		return 0;
	READ(sk, struct socket, socket, sk);
	return sk;
}

/* A socket that existed before the monitor, or was obtained unseen. */
static __always_inline void socket_found(__u64 task, __u64 sk)
{
	__u16 family, proto;

	READ(family, struct sock, sk, __sk_common.skc_family);
	if (family != AF_INET && family != AF_INET6)
		return;
	READ(proto, struct sock, sk, sk_protocol);
	if (proto == IPPROTO_TCP)
		tcp_found(task, sk);
	else if (proto == IPPROTO_MPTCP)
		mptcp_taken(task, sk, true);
	else if (is_datagram(proto) && !bpf_map_lookup_elem(&socks, &sk))
		datagram_own(plain(sk), 0, plain(task));
}

/* A tainted subject holds this socket: from here on it may carry the subject's bytes. `task` is a plain address. */
static __always_inline void flow_mark(__u64 task, __u64 file, __u64 mask)
{
	__u64 sk = socket_of(file);
	__u16 family, proto;

	if (!sk)
		return;
	READ(family, struct sock, sk, __sk_common.skc_family);
	if (family == AF_UNIX) {
		unix_mark(plain(sk), mask);
		return;
	}
	if (family != AF_INET && family != AF_INET6) {
		family_mark(task, family, mask);
		return;
	}
	READ(proto, struct sock, sk, sk_protocol);
	if (proto == IPPROTO_TCP) {
		if (tcp_mark(task, sk, mask, 0))
			local_mark(plain(sk), mask);
	} else if (proto == IPPROTO_MPTCP) {
		mptcp_mark(task, sk, mask);
	} else if (is_datagram(proto)) {
		datagram_mark(task, sk, mask);
	} else {
		channel_add(task, CHANNEL_SOCKET, AF_SMC, mask); /* TCP that turns into RDMA */
	}
}

#endif
