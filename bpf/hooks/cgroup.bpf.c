// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* The network half, on the cgroup v2 root: who owns a socket that is not TCP, and what each of its packets carries. */
#include "core/ledger.bpf.h"
#include "core/said.bpf.h"

#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd
#define UDP_HEADER 8
#define SCTP_HEADER 12
#define SCTP_DATA 0
#define SCTP_DATA_HEADER 16
#define SCTP_I_DATA 64 /* RFC 8260 */
#define SCTP_I_DATA_HEADER 20
#define SCTP_CHUNKS 4096 /* of one byte each, in the largest packet */
#define SCTP_CHUNKS_WITHOUT_LOOP 64
#define IPV6_HEADER 40
#define IPV6_EXTENSIONS 6

static __always_inline int own(__u64 sk, __u64 cookie, __u32 protocol)
{
	if (sk && is_datagram(protocol))
		datagram_own(plain(sk), cookie, plain(current_task()));
	return 1;
}

SEC("?cgroup/sock_create")
int on_sock_create(struct bpf_sock *sk)
{
	return own((__u64)sk, bpf_get_socket_cookie(sk), sk->protocol);
}

SEC("?cgroup/connect4")
int on_connect4(struct bpf_sock_addr *ctx)
{
	return own((__u64)ctx->sk, bpf_get_socket_cookie(ctx), ctx->protocol);
}

SEC("?cgroup/connect6")
int on_connect6(struct bpf_sock_addr *ctx)
{
	return own((__u64)ctx->sk, bpf_get_socket_cookie(ctx), ctx->protocol);
}

SEC("?cgroup/sendmsg4")
int on_sendmsg4(struct bpf_sock_addr *ctx)
{
	return own((__u64)ctx->sk, bpf_get_socket_cookie(ctx), ctx->protocol);
}

SEC("?cgroup/sendmsg6")
int on_sendmsg6(struct bpf_sock_addr *ctx)
{
	return own((__u64)ctx->sk, bpf_get_socket_cookie(ctx), ctx->protocol);
}

SEC("?cgroup/sock_release")
int on_sock_release(struct bpf_sock *ctx)
{
	__u64 sk = plain((__u64)ctx);

	if (is_datagram(ctx->protocol)) {
		datagram_released(sk);
		inlet_ends(sk);
	}
	return 1;
}

/* --- packets ------------------------------------------------------------------------ */

/* Where IPv6's extension headers end, and what follows them. Where a header is not known, that is what follows. */
static __always_inline __u32 behind_v6(struct __sk_buff *skb, __u8 *next)
{
	__u32 at = IPV6_HEADER;
	__u8 head[2];

	if (bpf_skb_load_bytes(skb, 6, next, 1))
		return 0;
	for (int i = 0; i < IPV6_EXTENSIONS; i++) {
		/* hop-by-hop, routing, destination options; a fragment header has a fixed length */
		if (*next != 0 && *next != 43 && *next != 60 && *next != 44)
			break;
		if (bpf_skb_load_bytes(skb, at, head, 2))
			return 0;
		at += *next == 44 ? 8 : (head[1] + 1) * 8;
		*next = head[0];
	}
	return at;
}

/* Both ends; returns where the IP payload begins, 0 for what is no IP. */
static __always_inline __u32 ends_of(struct __sk_buff *skb, bool out, struct datagram *d)
{
	__u8 src[16], dst[16], byte;
	__u32 at, v4;

	if (skb->protocol == __builtin_bswap16(ETH_P_IP)) {
		if (bpf_skb_load_bytes(skb, 9, &d->proto, 1) || bpf_skb_load_bytes(skb, 0, &byte, 1))
			return 0;
		at = (byte & 0xf) * 4;
		bpf_skb_load_bytes(skb, 12, &v4, 4);
		mapped_v4(src, v4);
		bpf_skb_load_bytes(skb, 16, &v4, 4);
		mapped_v4(dst, v4);
		d->family = AF_INET;
	} else if (skb->protocol == __builtin_bswap16(ETH_P_IPV6)) {
		at = behind_v6(skb, &d->proto);
		if (!at || bpf_skb_load_bytes(skb, 8, src, 16) || bpf_skb_load_bytes(skb, 24, dst, 16))
			return 0;
		d->family = AF_INET6;
	} else {
		return 0;
	}
	__builtin_memcpy(d->local, out ? src : dst, 16);
	__builtin_memcpy(d->remote, out ? dst : src, 16);
	return at;
}

struct chunks {
	struct __sk_buff *skb;
	__u32 at, end;
	__u32 bytes; /* not known to be anything but payload */
};

static long one_chunk(__u32 i, struct chunks *c)
{
	__u32 length, beside, padding;
	__u8 head[4];

	if (c->at + 4 > c->end || bpf_skb_load_bytes(c->skb, c->at, head, 4))
		return 1;
	length = head[2] << 8 | head[3];
	if (length < 4)
		return 1;
	padding = -length & 3;
	beside = head[0] == SCTP_DATA ? SCTP_DATA_HEADER : head[0] == SCTP_I_DATA ? SCTP_I_DATA_HEADER : length;
	beside += padding;
	c->bytes -= beside < c->bytes ? beside : c->bytes;
	c->at += length + padding;
	return 0;
}

/* Begins with all of the packet and takes away what is no payload: should there be more chunks than are looked at, it
 * is an upper bound. (Nothing is compared with a constant here: 6.1 takes the callback to leave `c` alone.) */
static __noinline int sctp_payload(struct __sk_buff *skb, __u32 at)
{
	struct chunks c = {.skb = skb, .at = at + SCTP_HEADER, .end = skb->len};

	if (c.end < c.at)
		return 0;
	c.bytes = c.end - c.at;
	if (have_loop) {
		bpf_loop(SCTP_CHUNKS, one_chunk, &c, 0);
	} else {
		for (int i = 0; i < SCTP_CHUNKS_WITHOUT_LOOP; i++)
			if (one_chunk(i, &c))
				break;
	}
	return c.bytes;
}

/* Fills in ends and payload; false for what is not counted. */
static __always_inline bool datagram_of(struct __sk_buff *skb, struct bpf_sock *sk, bool out, struct datagram *d)
{
	__u32 at = ends_of(skb, out, d);
	bool sctp, ports;
	__u16 port[2];

	if (!at || skb->len < at)
		return false;
	ports = d->proto == IPPROTO_UDP || d->proto == IPPROTO_UDPLITE || d->proto == IPPROTO_SCTP;
	if (sk->type == SOCK_RAW) {
		if (ports || d->proto == IPPROTO_TCP)
			d->proto = IPPROTO_RAW;
		ports = false;
	}
	d->bytes = skb->len - at;
	if (!ports)
		return true;
	if (bpf_skb_load_bytes(skb, at, port, 4) || d->bytes < UDP_HEADER)
		return false;
	sctp = d->proto == IPPROTO_SCTP;
	d->bytes = sctp ? sctp_payload(skb, at) : d->bytes - UDP_HEADER;
	d->lport = ntohs(port[out ? 0 : 1]);
	d->rport = ntohs(port[out ? 1 : 0]);
	return true;
}

static __always_inline int segment(struct __sk_buff *skb, struct bpf_sock *sk, bool out)
{
	struct bpf_tcp_sock *t = bpf_tcp_sock(sk);
	struct datagram d = {};

	if (t && tcp_begins(sk, t, out))
		tcp_said(skb, sk, t, &d, ends_of(skb, out, &d), out);
	return 1;
}

static __always_inline int packet(struct __sk_buff *skb, bool out)
{
	struct bpf_sock *sk = skb->sk;
	struct datagram d = {};
	struct flow *f;

	if (sk)
		sk = bpf_sk_fullsock(sk);
	if (!sk)
		return 1;
	if (sk->protocol == IPPROTO_TCP)
		return segment(skb, sk, out);
	if (!datagram_of(skb, sk, out, &d))
		return 1;
	d.sk = plain((__u64)sk);
	d.gen = bpf_get_socket_cookie(skb);
	if (out) {
		f = datagram_out(&d);
		if (f)
			local_sent(&d, f);
	} else {
		f = datagram_in(&d);
		local_arrives(&d);
	}
	datagram_said(skb, &d, f, out);
	return 1;
}

SEC("?cgroup_skb/egress")
int on_egress(struct __sk_buff *skb)
{
	return packet(skb, true);
}

SEC("?cgroup_skb/ingress")
int on_ingress(struct __sk_buff *skb)
{
	return packet(skb, false);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
