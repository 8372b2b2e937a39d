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
	if (gen && o->gen && o->gen != gen) {
		o->mask = 0; /* another socket, whose end was not seen */
		o->passed = 0;
		o->flows = 2;
	} else if (same_subject(&o->who, &who)) {
		return 0;
	} else if (o->who.tgid) {
		mask_add(&o->mask, subject_mask(&o->who));
	}
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

/* --- ends that are new -------------------------------------------------------------- */

#define ENDS_NS 60000000000ULL /* what a socket is allowed in this time; a silent flow is no longer kept */

/* May the socket have another record of its own? One that talks to very many must not take the room from all others;
 * once it is tainted it gets some more, for whom it talks to then is what matters. */
static __always_inline bool datagram_allowed(struct sock_owner *o, __u64 mask)
{
	__u32 *ends, most = flows_max / 8;

	if (!o)
		return true;
	if (interval_ns - o->counted_ns > ENDS_NS) {
		o->counted_ns = interval_ns;
		o->ends = 0;
		o->tainted_ends = 0;
	}
	ends = mask ? &o->tainted_ends : &o->ends;
	if (*ends >= most)
		return false;
	*ends += 1;
	return true;
}

static __always_inline void datagram_note(struct sock_owner *o, struct flow_key *key)
{
	if (!o)
		return;
	if (o->flows) {
		o->flows = 2;
		return;
	}
	o->flows = 1;
	o->proto = key->proto;
	o->rport = key->rport;
	__builtin_memcpy(o->raddr, key->raddr, 16);
}

/* What stands for very many ends: nothing, or 127.0.0.0 for those on this host. */
static __always_inline void datagram_many(struct flow_key *key)
{
	__u32 *word = (__u32 *)key->raddr;
	bool mapped = !word[0] && !word[1] && word[2] == __builtin_bswap32(0xffff) && key->raddr[12] == 127;
	bool own = !word[0] && !word[1] && !word[2] && word[3] == __builtin_bswap32(1);

	word[0] = word[1] = 0;
	word[2] = mapped || own ? __builtin_bswap32(0xffff) : 0;
	word[3] = mapped || own ? __builtin_bswap32(0x7f000000) : 0;
	key->rport = 0;
	key->many = 1;
}

static __always_inline bool flow_known(struct flow_key *key)
{
	return bpf_map_lookup_elem(&flows, key);
}

/* True: `key`, which may have become that of the socket's many ends, has a record now. */
static __noinline int datagram_met(struct datagram *d, struct flow_key *key, struct sock_owner *o, __u64 mask)
{
	struct flow f = {.role = ROLE_DATAGRAM, .queued_end = NOT_QUEUED_YET};

	f.id = new_flow_id();
	f.proto = key->proto;
	f.start_ns = bpf_ktime_get_boot_ns();
	f.last_ns = f.start_ns;
	f.family = d->family;
	f.lport = d->lport;
	f.rport = d->rport;
	__builtin_memcpy(f.laddr, d->local, 16);
	__builtin_memcpy(f.raddr, d->remote, 16);
	if (datagram_allowed(o, mask) && flow_put(key, &f, mask ? LEAVE_NONE : LEAVE_PLENTY)) {
		datagram_note(o, key);
		return 1;
	}
	if (flow_known(key)) /* another processor was faster */
		return 1;
	datagram_many(key);
	lose(LOSS_FLOW_FOLDED);
	if (flow_known(key))
		return 1;
	f.role = ROLE_MANY;
	f.rport = 0;
	__builtin_memcpy(f.raddr, key->raddr, 16);
	if (flow_put(key, &f, mask ? LEAVE_NONE : LEAVE_SOME)) {
		datagram_note(o, key);
		return 1;
	}
	if (flow_known(key))
		return 1;
	flow_turned_away(mask);
	return 0;
}

/* --- packets ------------------------------------------------------------------------- */

static __always_inline struct flow *datagram_counted(struct datagram *d, bool out)
{
	struct flow_key key = {.sock = d->sk, .gen = d->gen, .rport = d->rport, .proto = d->proto};
	struct sock_owner *o = datagram_owner(d, out);
	bool udp = d->proto == IPPROTO_UDP || d->proto == IPPROTO_UDPLITE;
	__u64 mask = o ? o->mask | subject_mask(&o->who) : 0;
	struct flow *f;

	__builtin_memcpy(key.raddr, d->remote, 16);
	f = bpf_map_lookup_elem(&flows, &key);
	if (!f) {
		/* the kernel's own sockets; SCTP's handshakes and acknowledgements */
		if (!udp && (!o || !d->bytes))
			return NULL;
		f = datagram_met(d, &key, o, mask) ? bpf_map_lookup_elem(&flows, &key) : NULL;
		if (!f) {
			flow_overflows(!out, d->bytes);
			return NULL;
		}
	}
	if (o) {
		f->who = o->who;
		f->cgroup = o->cgroup;
		f->netns = o->netns;
		f->passed |= o->passed;
		if (mask)
			flow_taint_add(f, mask, f->out);
	}
	if (d->bytes) /* the compiler makes an atomic OR of adding a constant 0: 981f94c3e921, 5.12 */
		__sync_fetch_and_add(out ? &f->out : &f->in, d->bytes);
	f->last_ns = interval_ns;
	return f;
}

static __always_inline struct flow *datagram_out(struct datagram *d)
{
	return datagram_counted(d, true);
}

static __always_inline struct flow *datagram_in(struct datagram *d)
{
	return datagram_counted(d, false);
}

/* Its only flow is over with it: like a connection's, the figures go out by the ring, and room is free at once. What
 * finds no place there, and what SCTP still sends, waits for the sweep. */
static __noinline int datagram_close(__u64 sk, struct sock_owner *o)
{
	struct flow_key key = {.sock = sk, .gen = o->gen, .rport = o->rport, .proto = o->proto};
	struct flow_event *ev;
	struct flow *f;

	__builtin_memcpy(key.raddr, o->raddr, 16);
	f = bpf_map_lookup_elem(&flows, &key);
	if (!f)
		return 0;
	ev = bpf_ringbuf_reserve(&events, sizeof(*ev), 0);
	if (!ev) {
		lose(LOSS_RING_FULL);
		return 0;
	}
	ev->type = EVENT_FLOW_CLOSE;
	ev->pad = 0;
	ev->flow = *f;
	ev->flow.closed = FLOW_MOVING;
	bpf_ringbuf_submit(ev, ring_flags());
	flow_take(&key);
	return 0;
}

static __always_inline void datagram_released(__u64 sk)
{
	struct sock_owner *o = bpf_map_lookup_elem(&socks, &sk);

	if (o && o->flows == 1 && o->proto != IPPROTO_SCTP)
		datagram_close(sk, o);
	bpf_map_delete_elem(&socks, &sk);
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
	} else if (!o->passed && !descends(task, &o->who, ~0ULL)) {
		o->passed = 1; /* of what it sends first its flows begin: too late to tell who inherited it */
	}
	mask_add(&o->mask, mask);
}

#endif
