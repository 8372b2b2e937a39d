/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Connections and datagrams that stay on this host. What a tainted subject sends comes in at the socket of the other
 * end, its inlet: who reads there may hold it. How much was sent the sending flow's own counters say, so that nothing
 * is done per send; user space joins the two by `links`.
 *
 * The other end of a connection is found by its addresses, which are ours swapped. That both ends can be on this host
 * the device tells that packets leave by: hardware has a parent, loopback, veth and bridges have none. Ends in two
 * network namespaces count where the receiver is in the monitor's own or the reading process in a PID namespace of its
 * own, as those of containers are: any other namespace stands for another host, and what goes there counts as sent
 * to its address.
 *
 * Of datagrams each tells its sender's end as it leaves and looks for it as it arrives.
 */
#ifndef SLUICE_LOCAL_BPF_H
#define SLUICE_LOCAL_BPF_H

#include <bpf/bpf_endian.h>
#include "core/datagram.bpf.h"
#include "core/mptcp.bpf.h"

static __always_inline __u32 small_hash(__u64 v)
{
	return (v * 0x9e3779b97f4a7c15ULL) >> 52;
}

static __always_inline __u32 netns_of(__u64 sk)
{
	return BPF_CORE_READ((struct sock *)sk, __sk_common.skc_net.net, ns.inum);
}

/* Addresses that no other namespace can be behind: loopback, and one that talks to itself. */
static __always_inline bool within(const struct end_key *k)
{
	const __u32 *l = (const __u32 *)k->laddr, *r = (const __u32 *)k->raddr;
	bool one = !l[0] && !l[1] && !l[2] && l[3] == bpf_htonl(1);
	bool v4 = !l[0] && !l[1] && l[2] == bpf_htonl(0xffff) && k->laddr[12] == 127;

	return one || v4 || (l[0] == r[0] && l[1] == r[1] && l[2] == r[2] && l[3] == r[3]);
}

static __always_inline void end_of(struct flow *f, bool other, struct end_key *k)
{
	__builtin_memset(k, 0, sizeof(*k));
	__builtin_memcpy(k->laddr, other ? f->raddr : f->laddr, 16);
	__builtin_memcpy(k->raddr, other ? f->laddr : f->raddr, 16);
	k->lport = other ? f->rport : f->lport;
	k->rport = other ? f->lport : f->rport;
	k->proto = f->proto;
	k->scope = within(k) ? f->netns : 0;
}

/* One after the other in one place: chains of calls that lead here have little stack left. */
struct inlet_work {
	__u64 sk;
	union {
		struct end_key key;
		struct inlet born;
		struct {
			struct link_key link;
			__u64 now;
		};
	};
};

static __always_inline void link_add(struct inlet_work *w, __u64 flow, __u64 inlet)
{
	w->link.flow = flow;
	w->link.inlet = inlet;
	if (bpf_map_lookup_elem(&links, &w->link))
		return;
	w->now = bpf_ktime_get_boot_ns();
	if (bpf_map_update_elem(&links, &w->link, &w->now, BPF_ANY))
		lose(LOSS_OBJECT_FULL);
}

static __always_inline struct inlet *inlet_get(struct inlet_work *w, bool far)
{
	struct inlet *in = bpf_map_lookup_elem(&inlets, &w->sk);

	if (in)
		return in;
	w->born.id = new_flow_id();
	w->born.mask = 0;
	w->born.far = far;
	w->born.closed = 0;
	bpf_map_update_elem(&inlets, &w->sk, &w->born, BPF_NOEXIST);
	in = bpf_map_lookup_elem(&inlets, &w->sk); /* another processor's may have been sooner */
	if (!in)
		lose(LOSS_OBJECT_FULL);
	return in;
}

/* What the flow sends from here on may be of these datasets; the socket w->sk is its other end. The link comes first:
 * user space sees no reader before it. */
static __always_inline void inlet_mark(struct inlet_work *w, __u64 flow, __u64 mask, bool far)
{
	struct inlet *in = inlet_get(w, far);

	if (!in)
		return;
	link_add(w, flow, in->id);
	mask_add(&in->mask, mask);
	inlet_filter[small_hash(w->sk)] = 1;
}

/* A connection's reader has the connection, not its subflow. */
static __always_inline __u64 read_at(__u64 sk)
{
	__u64 msk = mptcp_of(sk);

	return msk ? msk : sk;
}

static __always_inline bool is_far(__u32 receiver, __u32 sender)
{
	return receiver != sender && receiver != home_netns;
}

/* In tcp.bpf.h: the holders of a TCP socket may send bytes of these datasets. */
__weak __noinline int local_mark(__u64 sk, __u64 mask)
{
	struct flow *f = tcp_flow(sk);
	struct inlet_work w;
	struct end *e;

	if (!f || !f->local)
		return 0;
	end_of(f, true, &w.key);
	e = bpf_map_lookup_elem(&ends, &w.key);
	if (!e) /* it comes, and looks for this end: see local_meet() */
		return 0;
	w.sk = read_at(e->sock);
	inlet_mark(&w, f->id, mask, is_far(e->netns, f->netns));
	return 0;
}

/* Two ends have found each other. What either was tainted with before goes to the other. */
static __noinline int local_meet(struct flow *f, __u64 sk, struct end *e)
{
	struct flow *of = tcp_flow(e->sock);
	struct inlet_work w;

	if (!of || of->id != e->flow)
		return 0;
	if (of->mask) {
		w.sk = read_at(sk);
		inlet_mark(&w, of->id, of->mask, is_far(f->netns, of->netns));
	}
	if (f->mask) {
		w.sk = read_at(e->sock);
		inlet_mark(&w, f->id, f->mask, is_far(of->netns, f->netns));
	}
	return 0;
}

/* In tcp.bpf.h: a connection stands, or was found. */
__weak __noinline int local_open(__u64 sk)
{
	struct flow *f = tcp_flow(sk);
	struct end self = {.sock = sk};
	struct end_key key;
	struct end *e;

	if (!f || f->local)
		return 0;
	f->local = 1;
	self.flow = f->id;
	self.netns = f->netns;
	end_of(f, false, &key);
	if (bpf_map_update_elem(&ends, &key, &self, BPF_ANY)) {
		lose(LOSS_OBJECT_FULL);
		return 0;
	}
	end_of(f, true, &key);
	e = bpf_map_lookup_elem(&ends, &key);
	return e ? local_meet(f, sk, e) : 0;
}

/* Bytes that were received and not read: the peer's FIN is none. */
static __always_inline bool unread(__u64 sk)
{
	unsigned long flags;
	__u32 next, copied;

	READ_PROBE(next, struct tcp_sock, sk, rcv_nxt);
	READ_PROBE(copied, struct tcp_sock, sk, copied_seq);
	READ_PROBE(flags, struct sock, sk, __sk_common.skc_flags);
	return (__s32)(next - copied - (flags >> SOCK_DONE_BIT & 1)) > 0;
}

/* In tcp.bpf.h: it is closed. After a reset there may be bytes left to read: then the inlet stays until the
 * next socket at that address, or until user space finds that nobody holds it. */
__weak __noinline int local_close(__u64 sk)
{
	struct flow *f = tcp_flow(sk);
	struct inlet *in;
	struct end_key key;
	struct end *e;

	if (!f || !f->local)
		return 0;
	end_of(f, false, &key);
	e = bpf_map_lookup_elem(&ends, &key);
	if (e && e->sock == sk)
		bpf_map_delete_elem(&ends, &key);
	if (!inlet_filter[small_hash(sk)])
		return 0;
	in = bpf_map_lookup_elem(&inlets, &sk);
	if (in && unread(sk))
		in->closed = 1;
	else if (in)
		bpf_map_delete_elem(&inlets, &sk);
	return 0;
}

/* --- datagrams ------------------------------------------------------------------- */

static __always_inline bool has_ports(struct datagram *d)
{
	return d->proto == IPPROTO_UDP || d->proto == IPPROTO_UDPLITE || d->proto == IPPROTO_SCTP;
}

/* As the sender sees it. */
static __always_inline void sender_of(struct datagram *d, bool out, __u32 netns, struct end_key *k)
{
	__builtin_memset(k, 0, sizeof(*k));
	__builtin_memcpy(k->laddr, out ? d->local : d->remote, 16);
	__builtin_memcpy(k->raddr, out ? d->remote : d->local, 16);
	k->lport = out ? d->lport : d->rport;
	k->rport = out ? d->rport : d->lport;
	k->proto = d->proto;
	k->scope = within(k) ? netns : 0;
}

static __always_inline __u32 ports_hash(__u16 from, __u16 to)
{
	return small_hash((__u64)from << 16 | to);
}

static __noinline int sent_tell(struct datagram *d, struct flow *f)
{
	struct end self = {.sock = d->sk};
	struct end_key key;
	struct end *e;

	self.netns = netns_of(d->sk);
	sender_of(d, true, self.netns, &key);
	if (!f->mask) { /* another socket sends from there now */
		bpf_map_delete_elem(&senders, &key);
		return 0;
	}
	e = bpf_map_lookup_elem(&senders, &key);
	if (e && e->flow == f->id && e->mask == f->mask)
		return 0;
	self.flow = f->id;
	self.mask = f->mask;
	if (bpf_map_update_elem(&senders, &key, &self, BPF_ANY))
		lose(LOSS_OBJECT_FULL);
	sent_filter[ports_hash(d->lport, d->rport)] = 1;
	return 0;
}

static __noinline int sent_find(struct datagram *d)
{
	__u32 netns = netns_of(d->sk);
	struct inlet_work w;
	struct end *e;

	sender_of(d, false, netns, &w.key);
	e = bpf_map_lookup_elem(&senders, &w.key);
	if (!e)
		return 0;
	w.sk = d->sk;
	inlet_mark(&w, e->flow, e->mask, is_far(netns, e->netns));
	return 0;
}

static __always_inline void local_sent(struct datagram *d, struct flow *f)
{
	if (has_ports(d) && (f->mask || sent_filter[ports_hash(d->lport, d->rport)]))
		sent_tell(d, f);
}

static __always_inline void local_arrives(struct datagram *d)
{
	if (has_ports(d) && sent_filter[ports_hash(d->rport, d->lport)])
		sent_find(d);
}

/* The socket is no more, or another one begins at its address. */
static __always_inline void inlet_ends(__u64 sk)
{
	if (inlet_filter[small_hash(sk)])
		bpf_map_delete_elem(&inlets, &sk);
}

#endif
