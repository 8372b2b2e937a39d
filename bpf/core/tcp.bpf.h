/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* TCP connections whose beginning was not seen, the sweep over those that were, and taint that comes to them. */
#ifndef SLUICE_TCP_BPF_H
#define SLUICE_TCP_BPF_H

#include "core/tcp_flow.bpf.h"

/* --- connections without a record ---------------------------------------------------- */

/* Has the application said that it is done? Then the FIN is the last of what is queued. */
static __always_inline bool tcp_shut(__u8 state)
{
	return state == TCP_FIN_WAIT1 || state == TCP_FIN_WAIT2 || state == TCP_CLOSING || state == TCP_LAST_ACK ||
	       state == TCP_TIME_WAIT;
}

/* Who opened it, when nobody saw it, and its payload so far: only of an outgoing connection the SYN is one of the bytes
 * acknowledged, of which the count of bytes sent knows nothing. */
static __always_inline __u8 tcp_late_read(__u64 sk, __u8 state, struct tcp_count *n)
{
	__u64 sent, again;

	tcp_read(sk, ROLE_ACCEPT, n);
	if (tcp_shut(state) && n->queued)
		n->queued--;
	if (n->left > n->queued)
		n->left = n->queued;
	READ(sent, struct tcp_sock, sk, bytes_sent);
	READ(again, struct tcp_sock, sk, bytes_retrans);
	if (n->left != sent - again + 1)
		return ROLE_ACCEPT;
	n->left--;
	n->queued--;
	return ROLE_CONNECT;
}

/* `state` is the one before it closed. At first these are connections of before, which nobody holds any more and which
 * could not be found. */
static __noinline int tcp_unknown_closed(__u64 sk, __u8 state)
{
	struct tcp_count n;
	__u64 again;

	if (!strangers_count)
		return 0;
	tcp_late_read(sk, state, &n);
	again = tcp_again(sk);
	flow_overflows(0, again < n.left ? n.left - again : 0);
	flow_overflows(1, tcp_in(sk));
	return 0;
}

/* A connection that had no room when it began, or whose beginning was not seen, in the hands of `task`. The rest of it
 * is filled in when it next changes its state or is swept: here the chain of calls is deep. */
static __always_inline struct flow *tcp_late(__u64 task, __u64 sk, __u32 leave)
{
	struct flow_key key = tcp_key(sk);
	struct flow *f;
	__u8 state;

	READ(state, struct sock, sk, __sk_common.skc_state);
	if (state == TCP_CLOSE || state == TCP_LISTEN || state == TCP_TIME_WAIT || !flow_put(&key, &no_flow, leave))
		return NULL;
	f = bpf_map_lookup_elem(&flows, &key);
	if (!f)
		return NULL;
	subject_at(task, &f->who);
	f->queued_end = NOT_QUEUED_YET;
	f->proto = IPPROTO_TCP;
	f->id = new_flow_id();
	return f;
}

static __always_inline bool tcp_unfilled(const struct flow *f)
{
	return !f->state;
}

/* `state`: of the socket, or before it closed. Nonzero: local_open() is to be called, from here were too deep. */
static __noinline int tcp_fill(__u64 sk, struct flow *f, __u8 state)
{
	struct tcp_count n;

	f->role = tcp_late_read(sk, state, &n);
	f->netns = BPF_CORE_READ((struct sock *)sk, __sk_common.skc_net.net, ns.inum);
	tcp_ends(sk, f);
	f->out = n.left;
	if (tcp_shut(state))
		f->queued_end = n.queued - tcp_again(sk);
	f->state = state;
	return state != TCP_CLOSE && state != TCP_TIME_WAIT && stays_here(sk);
}

/* The same, of one that `task` was found with: all that it sent may carry what `task` holds. */
static __always_inline void tcp_late_found(__u64 task, __u64 sk)
{
	struct subject who;
	struct flow *f;
	__u64 mask;

	subject_at(task, &who);
	mask = subject_mask(&who);
	f = tcp_late(task, sk, mask ? LEAVE_NONE : LEAVE_PLENTY);
	if (!f)
		return;
	announce(task, &who);
	if (mask)
		flow_taint_add(f, mask, 0);
}

/* `task` holds the socket; it becomes the owner where there is none. */
static __always_inline void tcp_taken(__u64 task, __u64 sk)
{
	struct flow *f = tcp_flow(sk);

	if (!f && begun)
		tcp_late_found(task, sk);
	if (!f || f->who.tgid)
		return;
	flow_own(f, task, 0);
	if (f->local && f->mask)
		local_mark(plain(sk), f->mask);
}

/* A socket found in a task's table: one that existed before the monitor, or was accepted unseen. */
static __noinline int tcp_found(__u64 task, __u64 sk)
{
	struct flow *f = tcp_flow(sk);
	struct tcp_count n;
	__u8 state;

	READ(state, struct sock, sk, __sk_common.skc_state);
	if (state == TCP_CLOSE || state == TCP_LISTEN || state == TCP_TIME_WAIT)
		return 0;
	if (f) {
		tcp_taken(task, sk);
		return 0;
	}
	if (begun) { /* had no room, or was in nobody's table yet: what it sent, it sent since */
		tcp_late_found(task, sk);
		return 0;
	}
	f = tcp_flow_new(sk, ROLE_UNKNOWN, LEAVE_PLENTY, bpf_ktime_get_boot_ns());
	if (!f) {
		flow_turned_away(0);
		return 0;
	}
	tcp_read(sk, ROLE_UNKNOWN, &n);
	n.queued -= tcp_again(sk);
	f->base_out = n.queued;
	f->base_in = tcp_in(sk);
	f->out = n.queued;
	f->in = f->base_in;
	flow_own(f, task, n.queued);
	if (stays_here(sk))
		local_open(plain(sk));
	return 0;
}

#define SURELY_NS 1000000000ULL /* for which a record is older than what connect() does after it was made */

/* Once a second, for each live flow. A record whose socket is closed or has become another one (the
 * tracepoint was missed: nested runs of one program are skipped, 05b24ff9b2cf) is closed as last seen. */
static __always_inline void tcp_sweep(struct flow_key *key, struct flow *f)
{
	struct flow now = {};
	bool other;
	__u8 state;

	if (f->closed || !f->id)
		return;
	READ(state, struct sock, key->sock, __sk_common.skc_state);
	if (tcp_unfilled(f) && tcp_fill(key->sock, f, state))
		local_open(plain(key->sock));
	tcp_ends(key->sock, &now);
	other = (f->lport && now.lport && now.lport != f->lport) || now.rport != f->rport;
	if (state == TCP_CLOSE || state == TCP_LISTEN || other) {
		if (!other)
			tcp_update(key->sock, f); /* its counters stay until the next socket takes its place */
		if (f->start_ns + SURELY_NS >= bpf_ktime_get_boot_ns())
			return;
		if (f->local)
			local_close(plain(key->sock));
		f->closed = FLOW_MISSED;
		return;
	}
	f->state = state;
	if (!f->lport)
		tcp_ends(key->sock, f);
	tcp_update(key->sock, f);
}

/* What the application handed over, read once more if something was acknowledged meanwhile. Such an acknowledgement
 * makes it too little: then too much counts as sent since, never too little. */
static __always_inline __u64 tcp_queued(__u64 sk, __u8 role)
{
	__u64 acked = 0, again;
	__u32 una = 0, wrote = 0;

	for (int i = 0; i < 2; i++) {
		READ(acked, struct tcp_sock, sk, bytes_acked);
		READ(una, struct tcp_sock, sk, snd_una);
		READ(wrote, struct tcp_sock, sk, write_seq);
		READ(again, struct tcp_sock, sk, bytes_acked);
		if (acked == again)
			break;
	}
	acked += (__u32)(wrote - una);
	return acked && role == ROLE_CONNECT ? acked - 1 : acked;
}

/* There was no room for it even so, or it is no connection. */
static __always_inline void tcp_missed(__u64 sk, __u64 mask)
{
	__u8 state;

	READ(state, struct sock, sk, __sk_common.skc_state);
	if (state != TCP_CLOSE && state != TCP_LISTEN && state != TCP_TIME_WAIT && !tcp_flow(sk))
		flow_turned_away(mask);
}

/* A tainted subject holds the socket: what the application hands over from here on may be its bytes. `queued`: what
 * it has handed over already and TCP has not got yet. Nonzero: local_mark() is to be called, from here were too deep. */
static __noinline int tcp_mark(__u64 task, __u64 sk, __u64 mask, __u64 queued)
{
	struct flow *f = tcp_flow(sk);

	if (f && !f->passed && f->who.tgid && !descends(task, &f->who, f->role == ROLE_UNKNOWN ? 0 : f->start_ns))
		f->passed = 1;
	if (!f) {
		f = tcp_late(task, sk, LEAVE_NONE);
		if (!f) {
			tcp_missed(sk, mask);
			return 0;
		}
		/* one byte too few is none too few: which role it has is not known yet */
		queued = flow_overflow_mask & mask ? 0 : tcp_queued(sk, ROLE_CONNECT) + queued;
	} else if ((f->mask & mask) != mask) {
		queued += tcp_queued(sk, tcp_unfilled(f) ? ROLE_CONNECT : f->role);
	} else {
		return 0;
	}
	flow_taint_add(f, mask, queued);
	return f->local;
}

#endif
