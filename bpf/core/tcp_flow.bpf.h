/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * TCP flows, and what all flows have in common. Bytes are the socket's own counters, read when its
 * state changes and by a sweep; nothing is done per send.
 */
#ifndef SLUICE_TCP_FLOW_BPF_H
#define SLUICE_TCP_FLOW_BPF_H

#include "core/room.bpf.h"

#define AF_INET 2
#define AF_INET6 10
#define IPPROTO_ICMP 1
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define IPPROTO_SCTP 132
#define IPPROTO_UDPLITE 136
#define IPPROTO_RAW 255
#define IPPROTO_SMC 256
#define IPPROTO_MPTCP 262
#define SOCK_DONE_BIT 1 /* enum sock_flags: the peer's FIN was taken in */
#define NOT_QUEUED_YET (~0ULL)

/* include/net/tcp_states.h */
enum { TCP_ESTABLISHED = 1, TCP_SYN_SENT, TCP_SYN_RECV, TCP_FIN_WAIT1, TCP_FIN_WAIT2, TCP_TIME_WAIT,
       TCP_CLOSE, TCP_CLOSE_WAIT, TCP_LAST_ACK, TCP_LISTEN, TCP_CLOSING };

static const struct flow no_flow = {};

/* local.bpf.h. Plain addresses. */
int local_open(__u64 sk);
int local_mark(__u64 sk, __u64 mask);
int local_close(__u64 sk);

/* Can its other end be on this host, as far as the way out tells? Hardware has a parent; loopback, veth, bridges none. */
static __always_inline bool stays_here(__u64 sk)
{
	__u64 dst, dev, parent;

	READ_PROBE(dst, struct sock, sk, sk_dst_cache);
	if (!dst)
		return true;
	READ_PROBE(dev, struct dst_entry, dst, dev);
	READ_PROBE(parent, struct net_device, dev, dev.parent);
	return !parent;
}

static __always_inline __u16 ntohs(__u16 v)
{
	return __builtin_bswap16(v);
}

static __always_inline void mapped_v4(__u8 to[16], __u32 addr)
{
	__builtin_memset(to, 0, 10);
	to[10] = to[11] = 0xff;
	__builtin_memcpy(to + 12, &addr, 4);
}

static __always_inline bool is_kernel_thread(__u64 task)
{
	__u32 flags;

	READ_TASK(flags, struct task_struct, task, flags);
	return flags & PF_KTHREAD;
}

/* --- TCP --------------------------------------------------------------------- */

struct tcp_count {
	__u64 left;   /* payload given to the network at least once */
	__u64 queued; /* payload the application has handed over */
};

/*
 * bytes_acked and snd_una move together under the socket's lock, so the pair is read until it
 * held still. Of an outgoing connection the SYN is one of the bytes acknowledged
 * (tcp_snd_una_update, 0df48c26d841); of an accepted one it is not, as the child starts at
 * snd_una = isn + 1.
 */
static __always_inline void tcp_read(__u64 sk, __u8 role, struct tcp_count *n)
{
	__u64 acked = 0, syn = role == ROLE_CONNECT;
	__u32 una = 0, again, next, wrote;

	for (int i = 0; i < 3; i++) {
		READ(una, struct tcp_sock, sk, snd_una);
		READ(next, struct tcp_sock, sk, snd_nxt);
		READ(wrote, struct tcp_sock, sk, write_seq);
		READ(acked, struct tcp_sock, sk, bytes_acked);
		READ(again, struct tcp_sock, sk, snd_una);
		if (una == again)
			break;
	}
	n->left = acked + (__u32)(next - una);
	n->queued = acked + (__u32)(wrote - una);
	n->left -= n->left ? syn : 0;
	n->queued -= n->queued ? syn : 0;
}

/* bytes_received counts the peer's FIN (tcp_rcv_nxt_update, bdd1f9edacb5). */
static __always_inline __u64 tcp_in(__u64 sk)
{
	unsigned long flags;
	__u64 in;

	READ(in, struct tcp_sock, sk, bytes_received);
	READ(flags, struct sock, sk, __sk_common.skc_flags);
	return in - (in && (flags >> SOCK_DONE_BIT & 1));
}

static __always_inline __u16 tcp_rport(__u64 sk)
{
	__u16 port;

	READ(port, struct sock, sk, __sk_common.skc_dport);
	return ntohs(port);
}

static __always_inline void tcp_ends(__u64 addr, struct flow *f)
{
	struct sock *sk = (struct sock *)addr;

	READ(f->family, struct sock, addr, __sk_common.skc_family);
	READ(f->lport, struct sock, addr, __sk_common.skc_num);
	READ(f->rport, struct sock, addr, __sk_common.skc_dport);
	f->rport = ntohs(f->rport);
	if (f->family == AF_INET) {
		mapped_v4(f->laddr, BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr));
		mapped_v4(f->raddr, BPF_CORE_READ(sk, __sk_common.skc_daddr));
	} else {
		bpf_core_read(f->laddr, 16, &sk->__sk_common.skc_v6_rcv_saddr);
		bpf_core_read(f->raddr, 16, &sk->__sk_common.skc_v6_daddr);
	}
}

static __always_inline struct flow_key tcp_key(__u64 sk)
{
	struct flow_key key = {.sock = sk, .proto = IPPROTO_TCP};

	return key;
}

static __always_inline struct flow *tcp_flow(__u64 sk)
{
	struct flow_key key = tcp_key(sk);

	return bpf_map_lookup_elem(&flows, &key);
}

/* Ids need only differ: the moment, and which CPU. */
static __always_inline __u64 new_flow_id(void)
{
	return bpf_ktime_get_boot_ns() << 8 | (bpf_get_smp_processor_id() & 0xff);
}

/* Little stack, here and below: many calls lead here. */
static __always_inline void flow_taint_add(struct flow *f, __u64 mask, __u64 base)
{
	struct flow_taint val = {.base_out = base};

	if ((f->mask & mask) == mask)
		return;
	mask_add(&f->mask, mask);
	val.since_ns = bpf_ktime_get_boot_ns();
	if (bpf_map_update_elem(&flow_taints, f, &val, BPF_NOEXIST) && !bpf_map_lookup_elem(&flow_taints, f))
		lose(LOSS_FLOW_TAINT_FULL);
}

/* `task` holds the socket: it is the flow's subject, and what it may hold can be sent. */
static __always_inline void flow_own(struct flow *f, __u64 task, __u64 base)
{
	struct subject who;
	__u64 mask;

	subject_at(task, &who);
	f->who = who;
	f->cgroup = task_cgroup_id(task);
	announce(task, &who);
	mask = subject_mask(&who);
	if (mask)
		flow_taint_add(f, mask, base);
}

/* The connection a TCP socket is a subflow of; 0: none. */
static __always_inline __u64 mptcp_of(__u64 sk)
{
	__u64 subflow, msk = 0;
	bool is_mptcp;

	if (!bpf_core_field_exists(struct tcp_sock, is_mptcp))
		return 0;
	READ(is_mptcp, struct tcp_sock, sk, is_mptcp);
	if (!is_mptcp)
		return 0;
	READ(subflow, struct inet_connection_sock, sk, icsk_ulp_data);
	if (subflow)
		READ(msk, struct mptcp_subflow_context, subflow, conn);
	return msk;
}

/* What MPTCP sent again of a connection, over whatever subflow. */
static __always_inline __u64 mptcp_again(__u64 msk)
{
	__u64 n = 0;

	if (bpf_core_field_exists(struct mptcp_sock, bytes_retrans))
		READ(n, struct mptcp_sock, msk, bytes_retrans);
	return n;
}

/* The part of a subflow's bytes that is no new payload: all of the connection's is taken off its first one. */
static __always_inline __u64 tcp_again(__u64 sk)
{
	__u64 msk = mptcp_of(sk), first;

	if (!msk)
		return 0;
	READ(first, struct mptcp_sock, msk, first);
	return first == sk ? mptcp_again(msk) : 0;
}

static __always_inline void tcp_update(__u64 sk, struct flow *f)
{
	__u64 in = tcp_in(sk), again;
	struct tcp_count n;

	tcp_read(sk, f->role, &n);
	again = tcp_again(sk);
	n.left -= again < n.left ? again : n.left;
	if (n.left > f->queued_end)
		n.left = f->queued_end; /* the FIN */
	if (n.left > f->out || in > f->in)
		f->last_ns = bpf_ktime_get_boot_ns();
	if (n.left > f->out)
		f->out = n.left;
	if (in > f->in)
		f->in = in;
}

/* NULL: no room, or another was faster. start_ns 0: before now. It is told by its id, which comes last. */
static __always_inline struct flow *tcp_flow_new(__u64 sk, __u8 role, __u32 leave, __u64 start_ns)
{
	struct flow_key key = tcp_key(sk);
	struct flow *f;

	f = flow_put(&key, &no_flow, leave) ? bpf_map_lookup_elem(&flows, &key) : NULL;
	if (!f)
		return NULL;
	f->queued_end = NOT_QUEUED_YET;
	f->proto = IPPROTO_TCP;
	f->start_ns = start_ns;
	f->last_ns = bpf_ktime_get_boot_ns();
	f->role = role;
	f->netns = BPF_CORE_READ((struct sock *)sk, __sk_common.skc_net.net, ns.inum);
	tcp_ends(sk, f);
	READ(f->state, struct sock, sk, __sk_common.skc_state);
	f->id = new_flow_id();
	return f;
}

/* The record waits for the sweep under its id, which is no socket's address, so that the next socket there does not
 * take its place. */
static __noinline int tcp_flow_waits(struct flow_key *key, struct flow *f)
{
	struct flow_key aside = {.sock = f->id, .proto = IPPROTO_TCP};

	f->closed = FLOW_MOVING;
	if (!flow_put(&aside, f, f->mask ? LEAVE_NONE : LEAVE_SOME)) {
		flow_overflows(0, f->out - f->base_out);
		flow_overflows(1, f->in - f->base_in);
		flow_turned_away(f->mask);
	}
	flow_take(key);
	return 0;
}

/* A socket begins where another's end was missed. */
static __always_inline void tcp_make_way(__u64 sk)
{
	struct flow_key key = tcp_key(sk);
	struct flow *f = bpf_map_lookup_elem(&flows, &key);

	if (f && f->local)
		local_close(plain(sk));
	if (f)
		tcp_flow_waits(&key, f);
}

/* What a new flow of `task` must leave free, and (*mask) what it may carry: asked only when there is little. */
static __always_inline __u32 leave_by(__u64 task, __u64 *mask)
{
	struct subject who;

	if (!any_taint || flow_room(LEAVE_PLENTY))
		return LEAVE_PLENTY;
	subject_of(task, &who);
	*mask = subject_mask(&who);
	return *mask ? LEAVE_NONE : LEAVE_PLENTY;
}

/* The end: final figures go out by the ring; if it is full the entry stays for the sweep. */
static __always_inline void tcp_flow_close(__u64 sk, struct flow *f)
{
	struct flow_key key = tcp_key(sk);
	struct flow_event *ev;

	f->state = TCP_CLOSE;
	f->last_ns = bpf_ktime_get_boot_ns();
	if (f->local)
		local_close(plain(sk));
	ev = bpf_ringbuf_reserve(&events, sizeof(*ev), 0);
	if (!ev) {
		lose(LOSS_RING_FULL);
		tcp_flow_waits(&key, f);
		return;
	}
	ev->type = EVENT_FLOW_CLOSE;
	ev->pad = 0;
	ev->flow = *f;
	ev->flow.closed = FLOW_MOVING;
	bpf_ringbuf_submit(ev, ring_flags());
	flow_take(&key);
}

#endif
