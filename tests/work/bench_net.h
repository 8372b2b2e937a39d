/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The TCP workloads: one side here, the other a helper over loopback, or --peer. */
#ifndef TESTS_WORK_BENCH_NET_H
#define TESTS_WORK_BENCH_NET_H

#include "tests/work/bench.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/ioctl.h>

#define BULK (128 * 1024)
#define TINY 64
#define TINY_BATCH                                                                                 \
	64 /* sends before the receiver is waited for, or they would be merged on the way */

static struct {
	int fd; /* the connection of rr, bulk, tiny */
	struct endpoint to;
	char buffer[256 * 1024];
} net = {.fd = -1};

static inline int net_listen(const char *text)
{
	struct endpoint at;
	int on = 1, fd;

	if (endpoint_parse(text, &at) < 0)
		misuse("'%s' is not ADDR:PORT", text);
	fd = (int)must(socket(at.sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	must(bind(fd, (struct sockaddr *)&at.sa, at.len), text);
	must(listen(fd, 4096), "listen");
	return fd;
}

static inline int net_connect(void)
{
	int fd = (int)must(socket(net.to.sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");

	must(connect(fd, (struct sockaddr *)&net.to.sa, net.to.len), "connect");
	return fd;
}

static inline void net_no_delay(int fd)
{
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

/* The server's half: until the client closes. */
typedef void (*serve_fn)(int fd);

static inline void serve_echo(int fd)
{
	char b[8];
	ssize_t n;

	net_no_delay(fd);
	while ((n = recv(fd, b, sizeof(b), 0)) > 0)
		if (send(fd, b, (size_t)n, MSG_NOSIGNAL) != n)
			return;
}

static inline void serve_drain(int fd)
{
	while (recv(fd, net.buffer, sizeof(net.buffer), 0) > 0)
		;
}

static inline void serve_batches(int fd)
{
	size_t got = 0;
	ssize_t n;

	net_no_delay(fd);
	while ((n = recv(fd, net.buffer, sizeof(net.buffer), 0)) > 0) {
		got += (size_t)n;
		for (; got >= TINY * TINY_BATCH; got -= TINY * TINY_BATCH)
			if (send(fd, net.buffer, 1, MSG_NOSIGNAL) != 1)
				return;
	}
}

static inline void serve_nothing(int fd)
{
}

__attribute__((noreturn)) static inline void net_serve(int listener, serve_fn serve)
{
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0 && errno != EINTR && errno != ECONNABORTED)
			die("accept4");
		if (fd < 0)
			continue;
		serve(fd);
		close(fd);
	}
}

static inline void net_start_at(const char *at, serve_fn serve)
{
	int listener;

	if (run.peer) {
		if (endpoint_parse(run.peer, &net.to) < 0)
			misuse("--peer: '%s' is not ADDR:PORT", run.peer);
		return;
	}
	listener = net_listen(at);
	net.to.len = sizeof(net.to.sa);
	must(getsockname(listener, (struct sockaddr *)&net.to.sa, &net.to.len), "getsockname");
	if (helper_start())
		net_serve(listener, serve);
	close(listener);
}

static inline void net_start(serve_fn serve)
{
	net_start_at("127.0.0.1:0", serve);
}

static inline void rr_setup(void)
{
	net_start(serve_echo);
	net.fd = net_connect();
	net_no_delay(net.fd);
}

static inline void rr_step(void)
{
	for (int i = 0; i < 64; i++) {
		size_t want = 1 + (size_t)i % 7;

		if (send(net.fd, net.buffer, want, MSG_NOSIGNAL) != (ssize_t)want)
			die("send");
		run.bytes += want;
		while (want) {
			ssize_t n = must(recv(net.fd, net.buffer, want, 0), "recv");

			if (!n)
				quit(EXIT_SAD, "the peer has closed");
			want -= (size_t)n;
		}
		run.ops++;
	}
}

static inline void bulk_setup(void)
{
	net_start(serve_drain);
	net.fd = net_connect();
}

static inline void bulk_step(void)
{
	for (int i = 0; i < 16; i++) {
		run.bytes += (uint64_t)must(send(net.fd, net.buffer, BULK, MSG_NOSIGNAL), "send");
		run.ops++;
	}
}

static inline void tiny_setup(void)
{
	net_start(serve_batches);
	net.fd = net_connect();
	net_no_delay(net.fd);
}

static inline void tiny_step(void)
{
	for (int i = 0; i < TINY_BATCH; i++)
		if (must(send(net.fd, net.buffer, TINY, MSG_NOSIGNAL), "send") != TINY)
			quit(EXIT_SAD, "a short send");
	if (must(recv(net.fd, net.buffer, 1, 0), "recv") != 1)
		quit(EXIT_SAD, "the peer has closed");
	run.bytes += TINY * TINY_BATCH;
	run.ops += TINY_BATCH;
}

static inline void conn_setup(void)
{
	net_start(serve_nothing);
}

/* The server closes first: its end keeps the waiting state, so no local port is used up here,
 * and the client never runs ahead of the listener's queue. */
static inline void conn_step(void)
{
	for (int i = 0; i < 16; i++) {
		int fd = net_connect();

		if (recv(fd, net.buffer, 1, 0) != 0)
			quit(EXIT_SAD, "conn wants a peer that closes at once");
		close(fd);
		run.ops++;
	}
}

/* --- connections that have a name ---------------------------------------------------------- */

#define HELLO 517 /* as browsers and OpenSSL fill it up to */
#define HELLO_ANSWER 1021
#define ELSEWHERE "10.77.77.77"

/* A network namespace of its own, whose loopback has an address that does not look it. */
static inline void net_elsewhere(void)
{
	struct ifreq up = {.ifr_name = "lo"}, more = {.ifr_name = "lo:1"};
	struct sockaddr_in *in = (struct sockaddr_in *)&more.ifr_addr;
	int fd;

	if (unshare(CLONE_NEWNET) < 0)
		quit(EXIT_UNSUPPORTED, "unshare: %s", strerror(errno));
	fd = (int)must(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
	must(ioctl(fd, SIOCGIFFLAGS, &up), "lo");
	up.ifr_flags |= IFF_UP;
	must(ioctl(fd, SIOCSIFFLAGS, &up), "lo");
	in->sin_family = AF_INET;
	inet_pton(AF_INET, ELSEWHERE, &in->sin_addr);
	must(ioctl(fd, SIOCSIFADDR, &more), ELSEWHERE);
	close(fd);
}

/* A hello of TLS 1.2 for bench.example, its rest padding. */
static inline void hello_fill(void)
{
	static const unsigned char head[] = {22, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3};
	static const unsigned char body[] = {0, 0, 2, 0xc0, 0x2f, 1, 0, (HELLO - 52) >> 8, (HELLO - 52) & 255, 0, 0, 0, 18, 0, 16, 0, 0, 13};
	unsigned char *p = (unsigned char *)net.buffer;

	memset(p, 7, HELLO);
	memcpy(p, head, sizeof(head));
	p += sizeof(head) + 32;
	memcpy(p, body, sizeof(body));
	p += sizeof(body);
	memcpy(p, "bench.example", 13);
	p += 13;
	size_t left = (size_t)((unsigned char *)net.buffer + HELLO - p) - 4;
	p[0] = 0;
	p[1] = 21; /* RFC 7685 */
	p[2] = (unsigned char)(left >> 8);
	p[3] = (unsigned char)left;
	memset(p + 4, 0, left);
}

/* The server's hello, and a record of something sealed. */
static inline void serve_hello(int fd)
{
	static const unsigned char hello[] = {22, 3, 3, 0, 42, 2, 0, 0, 38, 3, 3}, end[] = {0, 0xc0, 0x2f, 0};
	static const unsigned char sealed[] = {23, 3, 3, (HELLO_ANSWER - 52) >> 8, (HELLO_ANSWER - 52) & 255};
	unsigned char answer[HELLO_ANSWER];

	memset(answer, 7, sizeof(answer));
	memcpy(answer, hello, sizeof(hello));
	memcpy(answer + 43, end, sizeof(end));
	memcpy(answer + 47, sealed, sizeof(sealed));
	if (recv(fd, net.buffer, HELLO, MSG_WAITALL) == HELLO)
		send(fd, answer, sizeof(answer), MSG_NOSIGNAL);
}

static inline void hello_setup(void)
{
	if (!run.peer)
		net_elsewhere();
	hello_fill();
	net_start_at(ELSEWHERE ":0", serve_hello);
}

static inline void hello_step(void)
{
	for (int i = 0; i < 16; i++) {
		int fd = net_connect();

		if (send(fd, net.buffer, HELLO, MSG_NOSIGNAL) != HELLO)
			die("send");
		while (must(recv(fd, net.buffer + HELLO, HELLO_ANSWER, 0), "recv"))
			;
		close(fd);
		run.bytes += HELLO;
		run.ops++;
	}
}

#endif
