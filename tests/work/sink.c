/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Counts payload bytes that arrive over TCP and UDP, per peer and in all: the receiver's own
 * word on what left. Prints "ready ADDR:PORT..." once it listens, one JSON line at the end.
 */
#include "tests/work/work.h"

#include <getopt.h>
#include <linux/tcp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

#define BUFFER (256 * 1024)
#define BATCH 64

enum kind { KIND_SIGNAL, KIND_LISTEN, KIND_STREAM, KIND_DATAGRAM };

struct port {
	enum kind kind;
	int fd;
	char local[ENDPOINT_LEN];
	struct peer *peer; /* KIND_STREAM */
};

/* One TCP connection, or one remote address of a UDP port. */
struct peer {
	struct port *port;
	struct endpoint from;
	bool udp, closed;
	bool heard_all; /* the peer has shut down its side */
	int error;
	uint64_t bytes, datagrams, sent, to_send;
	uint64_t kernel_received, kernel_acked; /* TCP_INFO, when the connection ended */
};

static struct {
	int epoll, report;
	bool info, summary;
	uint64_t send, expect;
	double idle;
	struct peer **peers;
	size_t peers_count, peers_room;
	uint64_t tcp_bytes, udp_bytes, datagrams, sent, first_ns, last_ns;
	char buffer[BUFFER];
} sink = {.report = STDOUT_FILENO, .expect = NO_LIMIT};

static const char usage[] =
    "usage: sink [--tcp ADDR:PORT]... [--udp ADDR:PORT]... [options]\n"
    "  --expect BYTES   end when so many payload bytes have arrived\n"
    "  --idle SECONDS   end when nothing happened for so long\n"
    "  --send BYTES     serve BYTES to each TCP client, then half-close;\n"
    "                   answer each datagram with BYTES\n"
    "  --info           add TCP_INFO bytes_received and bytes_acked (a FIN counts as one there)\n"
    "  --summary        totals only\n"
    "  -o FILE          append the report to FILE instead of stdout\n"
    "Ends on SIGTERM or SIGINT too. Port 0 takes a free one, shown after \"ready\".\n";

static void watch(struct port *p, uint32_t events, int op)
{
	struct epoll_event e = {.events = events, .data.ptr = p};

	if (epoll_ctl(sink.epoll, op, p->fd, &e) < 0)
		die("epoll_ctl");
}

static struct port *port_new(enum kind kind, int fd)
{
	struct port *p = must_alloc(sizeof(*p));

	p->kind = kind;
	p->fd = fd;
	return p;
}

static struct peer *peer_new(struct port *port, const struct endpoint *from, bool udp)
{
	struct peer *peer = must_alloc(sizeof(*peer));

	if (sink.peers_count == sink.peers_room) {
		sink.peers_room = sink.peers_room ? sink.peers_room * 2 : 64;
		sink.peers = realloc(sink.peers, sink.peers_room * sizeof(struct peer *));
		if (!sink.peers)
			die("realloc");
	}
	sink.peers[sink.peers_count++] = peer;
	peer->port = port;
	peer->from = *from;
	peer->udp = udp;
	return peer;
}

static struct port *listen_at(const char *text, int type)
{
	struct endpoint at;
	struct port *p;
	int on = 1, fd;

	if (endpoint_parse(text, &at) < 0)
		misuse("'%s' is not ADDR:PORT (IPv6 in brackets)", text);
	fd = socket(at.sa.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (at.sa.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&at.sa, at.len) < 0)
		die(text);
	if (type == SOCK_STREAM && listen(fd, 4096) < 0)
		die("listen");
	/* A burst must not be lost for want of a buffer, or the count would be too low. */
	if (type == SOCK_DGRAM) {
		int room = 64 << 20;

		if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0)
			setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	}
	p = port_new(type == SOCK_STREAM ? KIND_LISTEN : KIND_DATAGRAM, fd);
	endpoint_local(p->local, fd);
	watch(p, EPOLLIN, EPOLL_CTL_ADD);
	return p;
}

static void ask_kernel(struct peer *peer)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	if (getsockopt(peer->port->fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		return;
	peer->kernel_acked = info.tcpi_bytes_acked;
	peer->kernel_received = info.tcpi_bytes_received;
}

static void stream_close(struct peer *peer, int error)
{
	if (sink.info)
		ask_kernel(peer);
	peer->closed = true;
	peer->error = error;
	close(peer->port->fd);
	free(peer->port);
	peer->port = NULL;
}

/* Ready to write only matters while there is something left to serve. A peer that has said all it
 * has to say still gets the rest. */
static void stream_serve(struct peer *peer)
{
	struct port *p = peer->port;

	while (peer->to_send) {
		ssize_t n =
		    send(p->fd, sink.buffer, MIN(peer->to_send, (uint64_t)BUFFER), MSG_NOSIGNAL);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0) {
			stream_close(peer, errno);
			return;
		}
		peer->to_send -= (uint64_t)n;
		peer->sent += (uint64_t)n;
		sink.sent += (uint64_t)n;
	}
	if (peer->heard_all) {
		stream_close(peer, 0);
		return;
	}
	shutdown(p->fd, SHUT_WR);
	watch(p, EPOLLIN, EPOLL_CTL_MOD);
}

static void stream_read(struct peer *peer)
{
	for (;;) {
		ssize_t n = recv(peer->port->fd, sink.buffer, BUFFER, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n == 0 && peer->to_send) {
			peer->heard_all = true;
			watch(peer->port, EPOLLOUT, EPOLL_CTL_MOD);
			return;
		}
		if (n <= 0) {
			stream_close(peer, n < 0 ? errno : 0);
			return;
		}
		peer->bytes += (uint64_t)n;
		sink.tcp_bytes += (uint64_t)n;
	}
}

static void accept_all(struct port *listener)
{
	for (;;) {
		struct endpoint from = {.len = sizeof(from.sa)};
		int fd = accept4(listener->fd, (struct sockaddr *)&from.sa, &from.len,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct port *p;

		if (fd < 0 && (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR))
			return;
		if (fd < 0)
			die("accept4");
		p = port_new(KIND_STREAM, fd);
		memcpy(p->local, listener->local, sizeof(p->local));
		p->peer = peer_new(p, &from, false);
		p->peer->to_send = sink.send;
		watch(p, sink.send ? EPOLLIN | EPOLLOUT : EPOLLIN, EPOLL_CTL_ADD);
	}
}

static struct peer *datagram_peer(struct port *p, const struct endpoint *from)
{
	/* The newest first: a test's sender is nearly always the last one seen. */
	for (size_t i = sink.peers_count; i-- > 0;) {
		struct peer *peer = sink.peers[i];

		if (peer->udp && peer->port == p && peer->from.len == from->len &&
		    !memcmp(&peer->from.sa, &from->sa, from->len))
			return peer;
	}
	return peer_new(p, from, true);
}

static void datagrams_read(struct port *p)
{
	for (;;) {
		struct endpoint from = {.len = sizeof(from.sa)};
		ssize_t n =
		    recvfrom(p->fd, sink.buffer, BUFFER, 0, (struct sockaddr *)&from.sa, &from.len);
		struct peer *peer;

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0)
			die("recvfrom");
		peer = datagram_peer(p, &from);
		peer->bytes += (uint64_t)n;
		peer->datagrams++;
		sink.udp_bytes += (uint64_t)n;
		sink.datagrams++;
		if (!sink.send)
			continue;
		n = sendto(p->fd, sink.buffer, MIN(sink.send, (uint64_t)65507), 0,
			   (struct sockaddr *)&from.sa, from.len);
		if (n > 0) {
			peer->sent += (uint64_t)n;
			sink.sent += (uint64_t)n;
		}
	}
}

static void stream_event(struct port *p, uint32_t events)
{
	struct peer *peer = p->peer;

	if (events & EPOLLOUT)
		stream_serve(peer);
	if (!peer->closed && !peer->heard_all && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		stream_read(peer);
}

static void peer_text(struct text *t, const struct peer *peer)
{
	char from[ENDPOINT_LEN];

	text_add(t, "{\"proto\":\"%s\",\"peer\":\"%s\",\"bytes\":%llu,\"sent\":%llu",
		 peer->udp ? "udp" : "tcp", endpoint_text(from, &peer->from),
		 (unsigned long long)peer->bytes, (unsigned long long)peer->sent);
	if (peer->udp)
		text_add(t, ",\"datagrams\":%llu", (unsigned long long)peer->datagrams);
	else
		text_add(t, ",\"closed\":%s,\"error\":%d", peer->closed ? "true" : "false",
			 peer->error);
	if (sink.info && !peer->udp)
		text_add(t, ",\"info\":{\"bytes_received\":%llu,\"bytes_acked\":%llu}",
			 (unsigned long long)peer->kernel_received,
			 (unsigned long long)peer->kernel_acked);
	text_add(t, "}");
}

static void report(void)
{
	size_t tcp = 0;
	struct text t = {0};

	for (size_t i = 0; i < sink.peers_count; i++)
		tcp += !sink.peers[i]->udp;
	text_add(&t, "{\"program\":\"sink\",\"pid\":%d,\"bytes\":%llu,\"tcp_bytes\":%llu,",
		 getpid(), (unsigned long long)(sink.tcp_bytes + sink.udp_bytes),
		 (unsigned long long)sink.tcp_bytes);
	text_add(&t, "\"udp_bytes\":%llu,\"datagrams\":%llu,\"sent\":%llu,\"tcp_connections\":%zu,",
		 (unsigned long long)sink.udp_bytes, (unsigned long long)sink.datagrams,
		 (unsigned long long)sink.sent, tcp);
	text_add(&t, "\"wall_ns\":%llu,\"cpu_ns\":%llu",
		 (unsigned long long)(sink.last_ns - sink.first_ns), (unsigned long long)cpu_ns());
	text_add(&t, ",\"connections\":[");
	for (size_t i = 0; i < sink.peers_count && !sink.summary; i++) {
		struct peer *peer = sink.peers[i];

		if (sink.info && peer->port && !peer->udp)
			ask_kernel(peer);
		if (i)
			text_add(&t, ",");
		peer_text(&t, peer);
	}
	text_add(&t, "]}");
	text_out(sink.report, &t);
}

static void on_event(struct port *p, uint32_t events)
{
	switch (p->kind) {
	case KIND_LISTEN:
		accept_all(p);
		break;
	case KIND_STREAM:
		stream_event(p, events);
		break;
	case KIND_DATAGRAM:
		datagrams_read(p);
		break;
	case KIND_SIGNAL:
		break;
	}
}

static void serve(void)
{
	struct epoll_event events[BATCH];
	bool ending = false;
	int idle_ms = sink.idle ? (int)(sink.idle * 1000) : -1;

	/* After a signal, one look more without waiting: bytes that had arrived are counted. */
	while (sink.tcp_bytes + sink.udp_bytes < sink.expect) {
		int n = epoll_wait(sink.epoll, events, BATCH, ending ? 0 : idle_ms);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			die("epoll_wait");
		if (n == 0)
			return;
		for (int i = 0; i < n; i++) {
			struct port *p = events[i].data.ptr;

			if (p->kind == KIND_SIGNAL) {
				ending = true;
				epoll_ctl(sink.epoll, EPOLL_CTL_DEL, p->fd, NULL);
				continue;
			}
			sink.last_ns = wall_ns();
			if (!sink.first_ns)
				sink.first_ns = sink.last_ns;
			on_event(p, events[i].events);
		}
	}
}

static void watch_signals(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		die("signalfd");
	watch(port_new(KIND_SIGNAL, fd), EPOLLIN, EPOLL_CTL_ADD);
}

static void parse(int argc, char **argv, struct text *ready)
{
	static const struct option options[] = {
	    {"tcp", required_argument, NULL, 't'},
	    {"udp", required_argument, NULL, 'u'},
	    {"expect", required_argument, NULL, 'e'},
	    {"idle", required_argument, NULL, 'i'},
	    {"send", required_argument, NULL, 's'},
	    {"info", no_argument, NULL, 'I'},
	    {"summary", no_argument, NULL, 'S'},
	    {"help", no_argument, NULL, 'h'},
	    {0},
	};
	size_t listeners = 0;
	int c;

	while ((c = getopt_long(argc, argv, "o:h", options, NULL)) != -1)
		switch (c) {
		case 't':
		case 'u':
			text_add(ready, " %s",
				 listen_at(optarg, c == 't' ? SOCK_STREAM : SOCK_DGRAM)->local);
			listeners++;
			break;
		case 'e':
			sink.expect = number(optarg, "--expect");
			break;
		case 'i':
			sink.idle = seconds(optarg, "--idle");
			break;
		case 's':
			sink.send = number(optarg, "--send");
			break;
		case 'I':
			sink.info = true;
			break;
		case 'S':
			sink.summary = true;
			break;
		case 'o':
			sink.report = report_open(optarg);
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			fputs(usage, stderr);
			exit(EXIT_MISUSE);
		}
	if (!listeners || optind < argc)
		misuse("needs --tcp ADDR:PORT or --udp ADDR:PORT; see --help");
}

int main(int argc, char **argv)
{
	struct text ready = {0};

	raise_descriptors();
	sink.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (sink.epoll < 0)
		die("epoll_create1");
	watch_signals();
	text_add(&ready, "ready");
	parse(argc, argv, &ready);
	text_out(STDOUT_FILENO, &ready);
	serve();
	report();
	return 0;
}
