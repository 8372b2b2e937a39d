/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The TCP workloads: one side here, the other a helper over loopback, or --peer. */
#ifndef TESTS_WORK_BENCH_NET_H
#define TESTS_WORK_BENCH_NET_H

#include "tests/work/bench.h"

#include <netinet/tcp.h>

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

static inline void net_start(serve_fn serve)
{
	int listener;

	if (run.peer) {
		if (endpoint_parse(run.peer, &net.to) < 0)
			misuse("--peer: '%s' is not ADDR:PORT", run.peer);
		return;
	}
	listener = net_listen("127.0.0.1:0");
	net.to.len = sizeof(net.to.sa);
	must(getsockname(listener, (struct sockaddr *)&net.to.sa, &net.to.len), "getsockname");
	if (helper_start())
		net_serve(listener, serve);
	close(listener);
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

#endif
