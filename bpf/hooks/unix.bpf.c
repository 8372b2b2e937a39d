// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* Unix sockets: what both sets call, and set A's hooks, on the functions that carry the bytes. */
#define SLUICE_PLAIN
#include "core/unix.bpf.h"

__noinline int unix_mark(__u64 sk, __u64 mask)
{
	return unix_marked(sk, mask);
}

__noinline __u64 unix_passed(__u64 task, __u64 sk, __u64 n, __u32 op)
{
	return unix_called(task, sk, n, op);
}

__noinline __u64 unix_holds(__u64 sk)
{
	struct unix_end end = {};
	__u16 family = 0;

	if (sk)
		READ_PROBE(family, struct sock, sk, __sk_common.skc_family);
	return family == AF_UNIX && unix_object(sk, &end) ? object_mask(&end.what) : 0;
}

/* --- set A ------------------------------------------------------------------- */

static __always_inline void sends(struct socket *sock)
{
	__u64 mask = task_mask(current_task());

	if (mask)
		unix_mark(plain((__u64)sock->sk), mask);
}

static __always_inline void sent(struct socket *sock, long bytes)
{
	if (bytes > 0 && any_taint)
		unix_wrote(current_task(), plain((__u64)sock->sk), bytes, false);
}

static __always_inline void received(struct socket *sock, long bytes)
{
	__u64 task, mask;

	if (bytes <= 0 || !any_taint)
		return;
	task = current_task();
	mask = unix_read(task, plain((__u64)sock->sk), bytes);
	if (mask)
		taint_task(task, mask, VIA_READ);
}

SEC("?fentry/unix_stream_sendmsg")
int BPF_PROG(a_unix_sends, struct socket *sock)
{
	sends(sock);
	return 0;
}

SEC("?fexit/unix_stream_sendmsg")
int BPF_PROG(a_unix_sent, struct socket *sock, void *msg, size_t len, int ret)
{
	sent(sock, ret);
	return 0;
}

/* Up to 6.4: a0dbf5f818f9 ("af_unix: Support MSG_SPLICE_PAGES"), 6.5, took it away. */
SEC("?fentry/unix_stream_sendpage")
int BPF_PROG(a_unix_page_goes, struct socket *sock)
{
	sends(sock);
	return 0;
}

SEC("?fexit/unix_stream_sendpage")
int BPF_PROG(a_unix_page, struct socket *sock, void *page, int offset, size_t size, int flags, long ret)
{
	sent(sock, (int)ret);
	return 0;
}

SEC("?fexit/unix_stream_recvmsg")
int BPF_PROG(a_unix_received, struct socket *sock, void *msg, size_t size, int flags, int ret)
{
	received(sock, ret);
	return 0;
}

SEC("?fexit/unix_stream_splice_read")
int BPF_PROG(a_unix_spliced, struct socket *sock, loff_t *pos, void *pipe, size_t size, unsigned int flags, long ret)
{
	received(sock, ret);
	return 0;
}

/* Sequenced packets go through the functions of datagrams, called from these. */
SEC("?fentry/unix_seqpacket_sendmsg")
int BPF_PROG(a_unix_packet_goes, struct socket *sock)
{
	sends(sock);
	return 0;
}

SEC("?fexit/unix_seqpacket_sendmsg")
int BPF_PROG(a_unix_packet_sent, struct socket *sock, void *msg, size_t len, int ret)
{
	sent(sock, ret);
	return 0;
}

SEC("?fexit/unix_seqpacket_recvmsg")
int BPF_PROG(a_unix_packet_received, struct socket *sock, void *msg, size_t size, int flags, int ret)
{
	received(sock, ret);
	return 0;
}

SEC("?fentry/security_unix_may_send")
int BPF_PROG(a_unix_addressed, struct socket *sock, struct socket *other)
{
	if (any_taint)
		unix_sends_to(current_task(), plain((__u64)other->sk));
	return 0;
}

SEC("?fexit/unix_dgram_sendmsg")
int BPF_PROG(a_unix_datagram_sent, struct socket *sock, void *msg, size_t len, int ret)
{
	if (ret > 0 && any_taint && sock->type == SOCK_DGRAM)
		unix_sent(current_task(), plain((__u64)sock->sk), ret);
	return 0;
}

SEC("?fexit/unix_dgram_recvmsg")
int BPF_PROG(a_unix_datagram_received, struct socket *sock, void *msg, size_t size, int flags, int ret)
{
	if (sock->type == SOCK_DGRAM)
		received(sock, ret);
	return 0;
}

static __always_inline void connected(struct socket *sock, int ret)
{
	if (!ret)
		sends(sock);
}

SEC("?fexit/unix_stream_connect")
int BPF_PROG(a_unix_connect, struct socket *sock, void *addr, int len, int flags, int ret)
{
	connected(sock, ret);
	return 0;
}

SEC("?fexit/unix_dgram_connect")
int BPF_PROG(a_unix_datagram_connect, struct socket *sock, void *addr, int len, int flags, int ret)
{
	connected(sock, ret);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
