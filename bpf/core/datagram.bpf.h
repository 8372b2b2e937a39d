/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * All that is not TCP: UDP, UDP-Lite, SCTP, ICMP, raw IP. Counted packet by packet at the IP layer, where the socket
 * is known, and before fragmentation and segmentation. Sockets are named by their address in the kernel, which the
 * descriptor table and the packet both give; `gen`, of the socket's cookie, tells one from the next at an address.
 *
 * SCTP payload is that of its DATA chunks; what is sent again counts again. Of raw IP and ICMP it is all behind the
 * IP header. Of these only what someone's socket sent makes a flow: the kernel's own answers do not.
 */
#ifndef SLUICE_DATAGRAM_BPF_H
#define SLUICE_DATAGRAM_BPF_H

#include "core/tcp.bpf.h"

#define SOCK_RAW 3

static const struct sock_owner no_owner = {};

/* Protocols whose sockets are listed here; TCP and what is built on TCP sockets has flows from its state changes. */
static __always_inline bool is_datagram(__u32 protocol)
{
	return protocol != IPPROTO_TCP && protocol < IPPROTO_SMC;
}

static __always_inline struct sock_owner *datagram_listed(__u64 sk)
{
	struct sock_owner *o = bpf_map_lookup_elem(&socks, &sk);

	if (o)
		return o;
	if (bpf_map_update_elem(&socks, &sk, &no_owner, BPF_NOEXIST))
		lose(LOSS_FLOW_FULL);
	return bpf_map_lookup_elem(&socks, &sk);
}

static __always_inline bool same_subject(const struct subject *a, const struct subject *b)
{
	return a->tgid == b->tgid && a->start_ns == b->start_ns && a->exec == b->exec;
}

static __always_inline void datagram_set(struct sock_owner *o, __u64 sk, __u32 gen, __u64 task)
{
	o->gen = gen;
	o->cgroup = task_cgroup_id(task);
	o->netns = BPF_CORE_READ((struct sock *)sk, __sk_common.skc_net.net, ns.inum);
}

/* In process context: the caller owns what the socket sends next. gen 0: not known. Plain addresses. */
int datagram_own(__u64 sk, __u32 gen, __u64 task);

__weak __noinline int datagram_own(__u64 sk, __u32 gen, __u64 task)
{
	struct sock_owner *o = datagram_listed(sk);
	struct subject who;

	subject_at(task, &who);
	if (!o)
		return 0;
	if (gen && o->gen && o->gen != gen)
		o->mask = 0; /* another socket, whose end was not seen */
	else if (same_subject(&o->who, &who))
		return 0;
	else if (o->who.tgid)
		mask_add(&o->mask, subject_mask(&o->who));
	o->who = who;
	datagram_set(o, sk, gen, task);
	announce(task, &who);
	return 0;
}

struct datagram {
	__u64 sk;
	__u64 bytes;
	__u32 gen;
	__u16 lport;
	__u16 rport;
	__u8 local[16];
	__u8 remote[16];
	__u8 family;
	__u8 proto;
};

/* SCTP is the one here that can be accepted, which no hook of its own tells. It sends under the socket's lock, which
 * only a process takes: not an interrupt that happens to run on top of one. */
static __always_inline struct sock_owner *datagram_owner(struct datagram *d, bool out)
{
	struct sock_owner *o = bpf_map_lookup_elem(&socks, &d->sk);
	int owned;

	if (o && o->gen && o->gen != d->gen)
		o = NULL;
	if (o && !o->gen)
		o->gen = d->gen;
	if (o || !out || d->proto != IPPROTO_SCTP || !d->bytes)
		return o;
	READ(owned, struct sock, d->sk, sk_lock.owned);
	if (!owned)
		return NULL;
	datagram_own(d->sk, d->gen, plain(current_task()));
	return bpf_map_lookup_elem(&socks, &d->sk);
}

static __always_inline struct flow *datagram_flow(struct datagram *d, bool out)
{
	struct flow_key key = {.sock = d->sk, .gen = d->gen, .rport = d->rport, .proto = d->proto};
	struct sock_owner *o = datagram_owner(d, out);
	bool udp = d->proto == IPPROTO_UDP || d->proto == IPPROTO_UDPLITE;
	struct flow *f;

	__builtin_memcpy(key.raddr, d->remote, 16);
	f = bpf_map_lookup_elem(&flows, &key);
	if (!f) {
		/* the kernel's own sockets; SCTP's handshakes and acknowledgements */
		if (!udp && (!o || !d->bytes))
			return NULL;
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
	struct flow *f = datagram_flow(d, true);

	if (!f)
		return;
	__sync_fetch_and_add(&f->out, d->bytes);
	f->last_ns = interval_ns;
}

static __always_inline void datagram_in(struct datagram *d)
{
	struct flow *f = datagram_flow(d, false);

	if (!f)
		return;
	__sync_fetch_and_add(&f->in, d->bytes);
	f->last_ns = interval_ns;
}

/* A tainted subject holds the socket. Without an owner it was accepted, and this is the first to be seen with it.
 * (User space will look it up: the call chain is too deep here to announce it.) */
static __always_inline void datagram_mark(__u64 task, __u64 sk, __u64 mask)
{
	struct sock_owner *o = datagram_listed(sk);

	if (!o)
		return;
	if (!o->who.tgid) {
		subject_at(task, &o->who);
		datagram_set(o, sk, 0, task);
	}
	mask_add(&o->mask, mask);
}

#endif
