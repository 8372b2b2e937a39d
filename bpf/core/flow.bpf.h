/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Flows. TCP bytes are the socket's own counters, read when its state changes
 * and by a sweep; nothing is done per send. Datagrams are counted one by one, at
 * the IP layer, where the socket's owner is already known.
 */
#ifndef SLUICE_FLOW_BPF_H
#define SLUICE_FLOW_BPF_H

#include "core/subject.bpf.h"

#define AF_INET 2
#define AF_INET6 10
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define SOCK_DONE_BIT 1 /* enum sock_flags: the peer's FIN was taken in */
#define NOT_QUEUED_YET (~0ULL)

/* include/net/tcp_states.h */
enum { TCP_ESTABLISHED = 1, TCP_SYN_SENT, TCP_SYN_RECV, TCP_FIN_WAIT1, TCP_FIN_WAIT2, TCP_TIME_WAIT,
       TCP_CLOSE, TCP_CLOSE_WAIT, TCP_LAST_ACK, TCP_LISTEN, TCP_CLOSING };

static const struct flow no_flow = {};

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

/* --- TCP --------------------------------------------------------------------- */

struct tcp_count {
	__u64 left;   /* payload given to the network at least once */
	__u64 queued; /* payload the application has handed over */
	__u64 in;
};

/*
 * bytes_acked and snd_una move together under the socket's lock, so the pair is read until it
 * held still. Of an outgoing connection the SYN is one of the bytes acknowledged
 * (tcp_snd_una_update, 0df48c26d841); of an accepted one it is not, as the child starts at
 * snd_una = isn + 1. bytes_received counts the peer's FIN (tcp_rcv_nxt_update, bdd1f9edacb5).
 */
static __always_inline void tcp_read(__u64 sk, __u8 role, struct tcp_count *n)
{
	__u64 acked = 0, syn = role == ROLE_CONNECT;
	__u32 una = 0, again, next, wrote;
	unsigned long flags;

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
	READ(n->in, struct tcp_sock, sk, bytes_received);
	READ(flags, struct sock, sk, __sk_common.skc_flags);
	n->in -= n->in && (flags >> SOCK_DONE_BIT & 1);
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

/* Ids need only differ: the moment, and which CPU. */
static __always_inline __u64 new_flow_id(void)
{
	return bpf_ktime_get_boot_ns() << 8 | (bpf_get_smp_processor_id() & 0xff);
}

static __always_inline struct flow *flow_new(struct flow_key *key)
{
	struct flow *f;

	bpf_map_update_elem(&flows, key, &no_flow, BPF_ANY);
	f = bpf_map_lookup_elem(&flows, key);
	if (!f) {
		lose(LOSS_FLOW_FULL);
		return NULL;
	}
	f->queued_end = NOT_QUEUED_YET;
	f->proto = key->proto;
	f->start_ns = bpf_ktime_get_boot_ns();
	f->last_ns = f->start_ns;
	return f;
}

static __always_inline void flow_taint_add(struct flow *f, __u64 mask, __u64 base)
{
	struct flow_taint_key key = {.id = f->id};
	struct flow_taint val = {.base_out = base};

	if ((f->mask & mask) == mask)
		return;
	mask_add(&f->mask, mask);
	key.mask = f->mask;
	val.since_ns = bpf_ktime_get_boot_ns();
	if (bpf_map_update_elem(&flow_taints, &key, &val, BPF_NOEXIST) && !bpf_map_lookup_elem(&flow_taints, &key))
		lose(LOSS_FLOW_TAINT_FULL);
}

/* `task` holds the socket: it is the flow's subject, and what it may hold can be sent. */
static __always_inline void flow_own(struct flow *f, __u64 task, __u64 base)
{
	struct subject who;
	__u64 mask;

	subject_of(task, &who);
	f->who = who;
	f->cgroup = task_cgroup_id(task);
	announce(task, &who);
	mask = subject_mask(&who);
	if (mask)
		flow_taint_add(f, mask, base);
}

static __always_inline void tcp_update(__u64 sk, struct flow *f)
{
	struct tcp_count n;

	tcp_read(sk, f->role, &n);
	if (n.left > f->queued_end)
		n.left = f->queued_end; /* the FIN */
	if (n.left > f->out || n.in > f->in)
		f->last_ns = bpf_ktime_get_boot_ns();
	if (n.left > f->out)
		f->out = n.left;
	if (n.in > f->in)
		f->in = n.in;
}

static __always_inline struct flow *tcp_flow_new(__u64 sk, __u8 role)
{
	struct flow_key key = tcp_key(sk);
	struct flow *f = flow_new(&key);

	if (!f)
		return NULL;
	f->role = role;
	f->netns = BPF_CORE_READ((struct sock *)sk, __sk_common.skc_net.net, ns.inum);
	tcp_ends(sk, f);
	READ(f->state, struct sock, sk, __sk_common.skc_state);
	f->id = new_flow_id();
	return f;
}

/* The end: final figures go out by the ring; if it is full the entry stays for the sweep. */
static __always_inline void tcp_flow_close(__u64 sk, struct flow *f)
{
	struct flow_key key = tcp_key(sk);
	struct flow_event *ev;

	f->state = TCP_CLOSE;
	f->last_ns = bpf_ktime_get_boot_ns();
	f->closed = 1;
	ev = bpf_ringbuf_reserve(&events, sizeof(*ev), 0);
	if (!ev) {
		lose(LOSS_RING_FULL);
		return;
	}
	ev->type = EVENT_FLOW_CLOSE;
	ev->pad = 0;
	ev->flow = *f;
	bpf_ringbuf_submit(ev, ring_flags());
	bpf_map_delete_elem(&flows, &key);
}

static __always_inline void tcp_unknown_closed(__u64 sk)
{
	struct tcp_count n;
	__u32 i = 0;
	__u64 *sum;

	tcp_read(sk, ROLE_UNKNOWN, &n);
	sum = bpf_map_lookup_elem(&flow_overflow, &i);
	if (sum)
		*sum += n.left;
	i = 1;
	sum = bpf_map_lookup_elem(&flow_overflow, &i);
	if (sum)
		*sum += n.in;
}

/* Every change of a TCP socket's state, under the socket's lock. */
static __always_inline void tcp_state(__u64 sk, int old, int new)
{
	struct flow_key key = tcp_key(sk);
	struct flow *f;
	struct tcp_count n;

	if (new == TCP_SYN_SENT) { /* in connect(): the caller is the owner */
		f = tcp_flow_new(sk, ROLE_CONNECT);
		if (f)
			flow_own(f, current_task(), 0);
		return;
	}
	if (old == TCP_SYN_RECV && new == TCP_ESTABLISHED) {
		/* simultaneous open comes here too, and has its record */
		if (!bpf_map_lookup_elem(&flows, &key))
			tcp_flow_new(sk, ROLE_ACCEPT); /* in softirq: the owner comes with accept() */
		return;
	}
	if (new == TCP_LISTEN || old == TCP_LISTEN || new == TCP_SYN_RECV)
		return;
	f = bpf_map_lookup_elem(&flows, &key);
	if (!f) {
		if (new == TCP_CLOSE)
			tcp_unknown_closed(sk);
		return;
	}
	if (new == TCP_FIN_WAIT1 || new == TCP_LAST_ACK) {
		/* tcp_close_state() is set before tcp_send_fin(): all payload is queued, the FIN is not */
		tcp_read(sk, f->role, &n);
		if (f->queued_end == NOT_QUEUED_YET)
			f->queued_end = n.queued;
	}
	f->state = new;
	tcp_update(sk, f);
	if (!f->lport || new == TCP_ESTABLISHED)
		tcp_ends(sk, f);
	if (new == TCP_CLOSE)
		tcp_flow_close(sk, f);
}

/* accept() gave the socket to `task`. */
static __always_inline void tcp_accepted(__u64 task, __u64 sk)
{
	struct flow_key key = tcp_key(sk);
	struct flow *f = bpf_map_lookup_elem(&flows, &key);

	if (f && !f->who.tgid)
		flow_own(f, task, 0);
}

/* A socket found in a task's table: one that existed before the monitor, or was accepted unseen. */
static __always_inline void tcp_found(__u64 task, __u64 sk)
{
	struct flow_key key = tcp_key(sk);
	struct flow *f = bpf_map_lookup_elem(&flows, &key);
	struct tcp_count n;
	__u8 state;

	READ(state, struct sock, sk, __sk_common.skc_state);
	if (state == TCP_CLOSE || state == TCP_LISTEN || state == TCP_TIME_WAIT)
		return;
	if (f) {
		if (!f->who.tgid)
			flow_own(f, task, 0);
		return;
	}
	f = tcp_flow_new(sk, ROLE_UNKNOWN);
	if (!f)
		return;
	tcp_read(sk, ROLE_UNKNOWN, &n);
	f->base_out = n.queued;
	f->base_in = n.in;
	f->out = n.queued;
	f->in = n.in;
	flow_own(f, task, n.queued);
}

/* Once a second, for each live flow. A record whose socket is closed or has become another one (the
 * tracepoint was missed: nested runs of one program are skipped, 05b24ff9b2cf) is closed as last seen. */
static __always_inline void tcp_sweep(struct flow_key *key, struct flow *f)
{
	struct flow now = {};
	__u8 state;

	if (f->closed || !f->id)
		return;
	READ(state, struct sock, key->sock, __sk_common.skc_state);
	tcp_ends(key->sock, &now);
	if (state == TCP_CLOSE || state == TCP_LISTEN || (f->lport && now.lport && now.lport != f->lport) ||
	    now.rport != f->rport) {
		f->closed = 1;
		return;
	}
	f->state = state;
	if (!f->lport)
		tcp_ends(key->sock, f);
	tcp_update(key->sock, f);
}

/* --- datagrams ----------------------------------------------------------------- */

static const struct sock_owner no_owner = {};

/* In process context: the caller owns what the socket sends next. */
static __always_inline void datagram_own(__u64 cookie, __u64 task)
{
	struct sock_owner *o = bpf_map_lookup_elem(&socks, &cookie);
	struct subject who;

	subject_of(task, &who);
	if (!o) {
		if (bpf_map_update_elem(&socks, &cookie, &no_owner, BPF_NOEXIST))
			lose(LOSS_FLOW_FULL);
		o = bpf_map_lookup_elem(&socks, &cookie);
		if (!o)
			return;
	} else if (o->who.tgid == who.tgid && o->who.start_ns == who.start_ns && o->who.exec == who.exec) {
		return;
	} else {
		mask_add(&o->mask, subject_mask(&o->who));
	}
	o->who = who;
	o->cgroup = task_cgroup_id(task);
	o->netns = BPF_CORE_READ((struct task_struct *)task, nsproxy, net_ns, ns.inum);
	announce(task, &who);
}

struct datagram {
	__u64 cookie;
	__u64 bytes;
	__u8 local[16];
	__u8 remote[16];
	__u16 lport;
	__u16 rport;
	__u8 family;
};

static __always_inline struct flow *datagram_flow(struct datagram *d)
{
	struct flow_key key = {.sock = d->cookie, .rport = d->rport, .proto = IPPROTO_UDP};
	struct sock_owner *o;
	struct flow *f;

	__builtin_memcpy(key.raddr, d->remote, 16);
	f = bpf_map_lookup_elem(&flows, &key);
	o = bpf_map_lookup_elem(&socks, &d->cookie);
	if (!f) {
		f = flow_new(&key);
		if (!f)
			return NULL;
		f->role = ROLE_DATAGRAM;
		f->family = d->family;
		f->lport = d->lport;
		f->rport = d->rport;
		__builtin_memcpy(f->laddr, d->local, 16);
		__builtin_memcpy(f->raddr, d->remote, 16);
		f->id = new_flow_id();
	}
	if (o) {
		__u64 mask = o->mask | subject_mask(&o->who);

		f->who = o->who;
		f->cgroup = o->cgroup;
		f->netns = o->netns;
		if (mask)
			flow_taint_add(f, mask, f->out);
	}
	return f;
}

static __always_inline void datagram_out(struct datagram *d)
{
	struct flow *f = datagram_flow(d);

	if (!f)
		return;
	__sync_fetch_and_add(&f->out, d->bytes);
	f->last_ns = interval_ns;
}

static __always_inline void datagram_in(struct datagram *d)
{
	struct flow *f = datagram_flow(d);

	if (!f)
		return;
	__sync_fetch_and_add(&f->in, d->bytes);
	f->last_ns = interval_ns;
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

/* A tainted subject holds this socket: from here on it may carry the subject's bytes. */
static __always_inline void flow_mark(__u64 file, __u64 mask)
{
	__u64 sk = socket_of(file), cookie;
	struct sock_owner *o;
	struct tcp_count n;
	struct flow_key key;
	struct flow *f;
	__u16 family, proto;

	if (!sk)
		return;
	READ(family, struct sock, sk, __sk_common.skc_family);
	if (family != AF_INET && family != AF_INET6)
		return;
	READ(proto, struct sock, sk, sk_protocol);
	if (proto == IPPROTO_UDP) {
		READ(cookie, struct sock, sk, __sk_common.skc_cookie.counter);
		o = cookie ? bpf_map_lookup_elem(&socks, &cookie) : NULL;
		if (o)
			mask_add(&o->mask, mask);
		return;
	}
	if (proto != IPPROTO_TCP)
		return;
	key = tcp_key(sk);
	f = bpf_map_lookup_elem(&flows, &key);
	if (!f || (f->mask & mask) == mask)
		return;
	tcp_read(sk, f->role, &n);
	flow_taint_add(f, mask, n.queued);
}

#endif
