// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* The network half, on the cgroup v2 root: who owns a datagram socket, and what each datagram carries. */
#include "core/ledger.bpf.h"

#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd
#define SOCK_DGRAM 2
#define UDP_HEADER 8
#define IPV6_HEADER 40
#define IPV6_EXTENSIONS 6

static __always_inline int own(void *ctx, __u32 type)
{
	if (type == SOCK_DGRAM)
		datagram_own(bpf_get_socket_cookie(ctx), current_task());
	return 1;
}

SEC("?cgroup/sock_create")
int on_sock_create(struct bpf_sock *sk)
{
	return own(sk, sk->type);
}

SEC("?cgroup/connect4")
int on_connect4(struct bpf_sock_addr *ctx)
{
	return own(ctx, ctx->type);
}

SEC("?cgroup/connect6")
int on_connect6(struct bpf_sock_addr *ctx)
{
	return own(ctx, ctx->type);
}

SEC("?cgroup/sendmsg4")
int on_sendmsg4(struct bpf_sock_addr *ctx)
{
	return own(ctx, SOCK_DGRAM);
}

SEC("?cgroup/sendmsg6")
int on_sendmsg6(struct bpf_sock_addr *ctx)
{
	return own(ctx, SOCK_DGRAM);
}

SEC("?cgroup/sock_release")
int on_sock_release(struct bpf_sock *sk)
{
	__u64 cookie = bpf_get_socket_cookie(sk);

	if (sk->type == SOCK_DGRAM)
		bpf_map_delete_elem(&socks, &cookie);
	return 1;
}

/* Offset of the UDP header behind IPv6's extension headers, 0 if it is not UDP. */
static __always_inline __u32 udp_behind_v6(struct __sk_buff *skb)
{
	__u32 at = IPV6_HEADER;
	__u8 next, head[2];

	if (bpf_skb_load_bytes(skb, 6, &next, 1))
		return 0;
	for (int i = 0; i < IPV6_EXTENSIONS; i++) {
		if (next == IPPROTO_UDP)
			return at;
		/* hop-by-hop, routing, destination options; a fragment header has a fixed length */
		if (next != 0 && next != 43 && next != 60 && next != 44)
			return 0;
		if (bpf_skb_load_bytes(skb, at, head, 2))
			return 0;
		at += next == 44 ? 8 : (head[1] + 1) * 8;
		next = head[0];
	}
	return 0;
}

/* Fills in the ends and the payload of a datagram; false for anything else. */
static __always_inline bool datagram_of(struct __sk_buff *skb, bool out, struct datagram *d)
{
	__u8 src[16], dst[16];
	__u16 port[2];
	__u32 at, v4;
	__u8 byte;

	if (skb->protocol == __builtin_bswap16(ETH_P_IP)) {
		if (bpf_skb_load_bytes(skb, 9, &byte, 1) || byte != IPPROTO_UDP)
			return false;
		bpf_skb_load_bytes(skb, 0, &byte, 1);
		at = (byte & 0xf) * 4;
		bpf_skb_load_bytes(skb, 12, &v4, 4);
		mapped_v4(src, v4);
		bpf_skb_load_bytes(skb, 16, &v4, 4);
		mapped_v4(dst, v4);
		d->family = AF_INET;
	} else if (skb->protocol == __builtin_bswap16(ETH_P_IPV6)) {
		if (bpf_skb_load_bytes(skb, 6, &byte, 1) || byte == IPPROTO_TCP)
			return false;
		at = udp_behind_v6(skb);
		if (!at || bpf_skb_load_bytes(skb, 8, src, 16) || bpf_skb_load_bytes(skb, 24, dst, 16))
			return false;
		d->family = AF_INET6;
	} else {
		return false;
	}
	if (bpf_skb_load_bytes(skb, at, port, 4) || skb->len < at + UDP_HEADER)
		return false;
	d->bytes = skb->len - at - UDP_HEADER;
	__builtin_memcpy(d->local, out ? src : dst, 16);
	__builtin_memcpy(d->remote, out ? dst : src, 16);
	d->lport = ntohs(port[out ? 0 : 1]);
	d->rport = ntohs(port[out ? 1 : 0]);
	return true;
}

SEC("?cgroup_skb/egress")
int on_egress(struct __sk_buff *skb)
{
	struct datagram d = {};

	if (!datagram_of(skb, true, &d))
		return 1;
	d.cookie = bpf_get_socket_cookie(skb);
	datagram_out(&d);
	return 1;
}

SEC("?cgroup_skb/ingress")
int on_ingress(struct __sk_buff *skb)
{
	struct datagram d = {};

	if (!datagram_of(skb, false, &d))
		return 1;
	d.cookie = bpf_get_socket_cookie(skb);
	datagram_in(&d);
	return 1;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
