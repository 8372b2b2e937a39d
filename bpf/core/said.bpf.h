/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What is said first over a flow, for the name of its other end and whether it is encrypted; and what is asked of name
 * servers, and answered. Only the first packets of a connection are looked into, which its socket's own counters tell:
 * nothing is kept here, and each packet after them costs two comparisons. What is sent again is told again.
 */
#ifndef SLUICE_SAID_BPF_H
#define SLUICE_SAID_BPF_H

#include "core/datagram.bpf.h"

#define SAID_OUT 8192  /* of a connection's bytes: a hello of TLS, and what may come before it */
#define SAID_IN 2048   /* how the server answers to it */
#define SAID_SEGMENTS 32
#define SAID_SEGMENTED 4     /* datagrams of one packet */
#define SAID_PARTS 4         /* of one packet of DNS over TCP */
#define SAID_WHOLE (1 << 20) /* of such a connection's bytes; then as of others, for who moves files to that port */
#define SAID_DATAGRAMS 8192 /* of QUIC: a hello may need several packets */
#define PORT_DNS 53
#define QUIC_LONG 0x80 /* RFC 9000, 17.2: the header's form, which only the handshake's packets have */
#define TCP_HEADER 20
#define LOOPBACK_IFINDEX 1 /* include/net/flow.h */
#define TCP_FLAG_SYN 2

static __always_inline bool is_loopback(const __u8 addr[16])
{
	const __u32 *word = (const __u32 *)addr;
	bool mapped = !word[0] && !word[1] && word[2] == __builtin_bswap32(0xffff);

	return (mapped && addr[12] == 127) || (!word[0] && !word[1] && !word[2] && word[3] == __builtin_bswap32(1));
}

/* Made by whom the host is: the user namespace that owns it is the first one. And not by way of loopback from an address
 * that is none of it: somebody gave that to himself. */
static __always_inline bool hosts_space(struct __sk_buff *skb, __u64 sk, bool loopback)
{
	struct user_namespace *owner = BPF_CORE_READ((struct sock *)sk, __sk_common.skc_net.net, user_ns);

	return owner && !BPF_CORE_READ(owner, level) && (loopback || skb->ifindex != LOOPBACK_IFINDEX);
}

/* What user space is told beside the bytes. */
struct saying {
	struct flow *f;
	struct datagram *d;
	__u64 sk;
	__u32 at;     /* of the payload in the packet */
	__u32 before; /* of TCP */
	bool out;
	bool hosts; /* an answer by what the host itself set up */
};

static __always_inline void said_fill(struct __sk_buff *skb, struct said *s, const struct saying *w, __u32 kept)
{
	s->flow = w->f->id;
	s->who = w->f->who;
	s->netns = w->f->netns;
	s->at = w->before;
	s->bytes = w->d->bytes;
	s->kept = kept;
	s->rport = w->d->rport;
	__builtin_memcpy(s->raddr, w->d->remote, 16);
	s->proto = w->d->proto;
	s->out = w->out;
	s->hosts = w->hosts;
	s->pad = 0;
	s->ifindex = skb->ifindex;
}

/* Of `room` bytes, a power of two. The length is masked behind the compiler's back: verifiers before 6.2 do not follow its
 * comparisons (of 32 bits). */
static __always_inline void said_tell(struct __sk_buff *skb, const struct saying *w, const __u32 room)
{
	__u32 kept = w->d->bytes < room ? w->d->bytes : room, len = kept - 1;
	struct said *s = bpf_ringbuf_reserve(&said, sizeof(*s) + room, 0);

	if (!s) {
		lose(LOSS_SAID_UNTOLD);
		return;
	}
	said_fill(skb, s, w, kept);
	barrier_var(len);
	if (!kept || bpf_skb_load_bytes(skb, w->at, s->data, (len & (room - 1)) + 1))
		s->kept = 0;
	bpf_ringbuf_submit(s, wake_once(&said, SL_SAID_BYTES, &said_woken));
}

static __always_inline void said_by(struct __sk_buff *skb, const struct saying *w)
{
	if (w->d->bytes > SL_SAID_SHORT)
		said_tell(skb, w, SL_SAID_LEN);
	else
		said_tell(skb, w, SL_SAID_SHORT);
}

/* --- datagrams ------------------------------------------------------------------------- */

/* Its first packet, and those of QUIC's handshake. */
static __always_inline bool datagram_begins(struct __sk_buff *skb, const struct saying *w)
{
	__u64 before = w->f->out - w->d->bytes;
	__u8 first;

	if (!w->out || before >= SAID_DATAGRAMS || is_loopback(w->d->remote))
		return false;
	return !before || (!bpf_skb_load_bytes(skb, w->at, &first, 1) && first & QUIC_LONG);
}

/* Offloaded segmentation: one packet here, several on the wire, all but the last of gso_size (cf62089b0edd, 5.6). */
static __always_inline void datagrams_told(struct __sk_buff *skb, struct saying *w)
{
	__u32 rest = w->d->bytes, each = skb->gso_size;

	if (!each || each > rest)
		each = rest;
	for (int i = 0; i < SAID_SEGMENTED && rest; i++) {
		w->d->bytes = each < rest ? each : rest;
		said_by(skb, w);
		w->at += w->d->bytes;
		rest -= w->d->bytes;
	}
}

/* Counted already. */
static __always_inline void datagram_said(struct __sk_buff *skb, struct datagram *d, struct flow *f, bool out)
{
	struct saying w = {.f = f, .d = d, .sk = d->sk, .out = out};

	if (!f || d->proto != IPPROTO_UDP || !d->bytes)
		return;
	w.at = skb->len - d->bytes;
	if (d->rport == PORT_DNS)
		w.hosts = !out && hosts_space(skb, w.sk, is_loopback(d->remote));
	else if (!datagram_begins(skb, &w))
		return;
	datagrams_told(skb, &w);
}

/* --- TCP -------------------------------------------------------------------------------- */

/* Is its socket still near its beginning? Of DNS every segment is wanted. */
static __always_inline bool tcp_begins(struct bpf_sock *sk, const struct bpf_tcp_sock *t, bool out)
{
	if (sk->dst_port == __builtin_bswap16(PORT_DNS))
		return true;
	if (out)
		return t->bytes_acked < SAID_OUT && t->data_segs_out <= SAID_SEGMENTS;
	return t->bytes_received < SAID_IN && t->data_segs_in <= SAID_SEGMENTS;
}

/* The payload's number, its first byte as 0 would be that behind a SYN; as of the socket, see tcp_read(). */
static __always_inline __u32 tcp_number(const struct bpf_tcp_sock *t, const __u8 head[TCP_HEADER], bool out)
{
	__u32 seq;

	__builtin_memcpy(&seq, head + 4, 4);
	seq = __builtin_bswap32(seq) + !!(head[13] & TCP_FLAG_SYN); /* Fast Open: a SYN is a byte of its own */
	return out ? (__u32)t->bytes_acked + seq - t->snd_una : (__u32)t->bytes_received + seq - t->rcv_nxt;
}

/* Of what is asked of name servers all is wanted, of a packet that is several on the wire too: questions begin anywhere in it. */
static __always_inline void tcp_told(struct __sk_buff *skb, struct saying *w)
{
	__u32 rest = w->d->bytes;

	if (!w->out || w->d->rport != PORT_DNS || rest <= SL_SAID_LEN || w->before >= SAID_WHOLE) {
		said_by(skb, w);
		return;
	}
	for (int i = 0; i < SAID_PARTS && rest; i++) {
		w->d->bytes = rest < SL_SAID_LONG ? rest : SL_SAID_LONG;
		said_tell(skb, w, SL_SAID_LONG);
		w->at += w->d->bytes;
		w->before += w->d->bytes;
		rest -= w->d->bytes;
	}
}

/* Finds the payload behind TCP's header at `at`. False: there is none. */
static __always_inline bool tcp_payload(struct __sk_buff *skb, const struct bpf_tcp_sock *t, __u32 at, struct saying *w)
{
	__u8 head[TCP_HEADER];
	__u16 port[2];

	if (bpf_skb_load_bytes(skb, at, head, sizeof(head)))
		return false;
	w->at = at + (head[12] >> 4) * 4;
	if (w->at >= skb->len)
		return false;
	w->d->bytes = skb->len - w->at;
	__builtin_memcpy(port, head, 4);
	w->d->lport = ntohs(port[w->out ? 0 : 1]);
	w->d->rport = ntohs(port[w->out ? 1 : 0]);
	w->before = tcp_number(t, head, w->out);
	return true;
}

/* `at`: where the IP payload begins, 0: it is no IP. */
static __always_inline void tcp_said(struct __sk_buff *skb, struct bpf_sock *sk, const struct bpf_tcp_sock *t,
				     struct datagram *d, __u32 at, bool out)
{
	struct saying w = {.d = d, .sk = plain((__u64)sk), .out = out};

	if (!at || d->proto != IPPROTO_TCP || !tcp_payload(skb, t, at, &w))
		return;
	if (is_loopback(d->remote) && d->rport != PORT_DNS)
		return;
	w.f = tcp_flow(w.sk);
	if (!w.f)
		return;
	w.before -= out && w.f->role == ROLE_CONNECT;
	w.hosts = !out && d->rport == PORT_DNS && hosts_space(skb, w.sk, is_loopback(d->remote));
	tcp_told(skb, &w);
}

#endif
