/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What is not a TCP or UDP stream of bytes: SCTP, ICMP, raw IP; receivers that count; sockets and devices beside IP. */
#ifndef TESTS_WORK_PATHS_NET_IP_H
#define TESTS_WORK_PATHS_NET_IP_H

#include "tests/work/paths_net.h"

#include <arpa/inet.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/un.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

/* linux/sctp.h is not everywhere. */
#define SCTP_SOCKOPT_PEELOFF 102
struct peeloff {
	int32_t association;
	int sd;
};

static inline struct endpoint endpoint_must(const char *text)
{
	struct endpoint at;

	if (endpoint_parse(text, &at) < 0)
		misuse("'%s' is not ADDR:PORT (IPv6 in brackets)", text);
	return at;
}

static inline int socket_must(int family, int type, int protocol)
{
	return (int)must_know(socket(family, type | SOCK_CLOEXEC, protocol), "socket");
}

/* --- SCTP ---------------------------------------------------------------------------- */

static inline uint64_t sctp_pieces(int s, const struct endpoint *to, uint64_t n)
{
	uint64_t sent = 0;

	while (sent < n) {
		size_t some = (size_t)MIN((uint64_t)PIECE, n - sent);

		sent += must(to ? sendto(s, piece, some, 0, (const struct sockaddr *)&to->sa, to->len)
				: send(s, piece, some, 0),
			     "send over SCTP");
	}
	return sent;
}

/* One association of a one-to-many socket becomes a socket of its own. */
static inline int sctp_peeloff(int s)
{
	socklen_t len = sizeof(struct peeloff);
	uint32_t ids[9] = {0};
	socklen_t ids_len = sizeof(ids);
	struct peeloff arg;

	must(getsockopt(s, IPPROTO_SCTP, 29 /* SCTP_GET_ASSOC_ID_LIST */, ids, &ids_len), "SCTP_GET_ASSOC_ID_LIST");
	arg.association = (int32_t)ids[1];
	must(getsockopt(s, IPPROTO_SCTP, SCTP_SOCKOPT_PEELOFF, &arg, &len), "SCTP_SOCKOPT_PEELOFF");
	return arg.sd;
}

static inline uint64_t sctp_send(const char *how, const char *where, uint64_t first, uint64_t n, void (*between)(void))
{
	bool one = !strcmp(how, "connect"), peel = !strcmp(how, "peeloff");
	struct endpoint to = endpoint_must(where);
	int s = socket_must(to.sa.ss_family, one ? SOCK_STREAM : SOCK_SEQPACKET, IPPROTO_SCTP), all = s;
	uint64_t sent = 0;

	if (one)
		must(connect(s, (struct sockaddr *)&to.sa, to.len), "connect");
	if (first || peel)
		sent += sctp_pieces(s, one ? NULL : &to, first ? first : 1);
	if (peel)
		s = sctp_peeloff(all);
	between();
	sent += sctp_pieces(s, one || peel ? NULL : &to, n);
	if (s != all)
		close(s);
	close(all);
	return sent;
}

/* --- ICMP and raw IP ------------------------------------------------------------------- */

#define ECHO_DATA 1009

static inline struct endpoint host_must(const char *text)
{
	char with_port[128];

	snprintf(with_port, sizeof(with_port), strchr(text, ':') ? "[%s]:0" : "%s:0", text);
	return endpoint_must(with_port);
}

static inline uint16_t checksum(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < n; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	if (n & 1)
		sum += (uint32_t)p[n - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

/* `n` echo requests. What is returned is what the socket took: header and data. */
static inline uint64_t icmp_send(const char *how, const char *where, uint64_t n, void (*between)(void))
{
	struct endpoint to = host_must(where);
	bool six = to.sa.ss_family == AF_INET6;
	struct {
		struct icmphdr head;
		uint8_t data[ECHO_DATA];
	} __attribute__((packed)) packet = {.head.type = six ? ICMP6_ECHO_REQUEST : ICMP_ECHO};
	int s = (int)must(socket(to.sa.ss_family, !strcmp(how, "raw") ? SOCK_RAW : SOCK_DGRAM,
				 six ? IPPROTO_ICMPV6 : IPPROTO_ICMP),
			  "socket");
	uint64_t sent = 0;

	between();
	for (uint64_t i = 0; i < n; i++) {
		packet.head.un.echo.sequence = htons((uint16_t)i);
		packet.head.checksum = 0;
		if (!six)
			packet.head.checksum = checksum((uint8_t *)&packet, sizeof(packet));
		sent += must(sendto(s, &packet, sizeof(packet), 0, (struct sockaddr *)&to.sa, to.len), "sendto");
		pause_ns(1000000);
	}
	close(s);
	return sent;
}

static inline uint64_t raw_send(uint64_t protocol, const char *where, uint64_t n, void (*between)(void))
{
	struct endpoint to = host_must(where);
	int s = (int)must(socket(to.sa.ss_family, SOCK_RAW, (int)protocol), "socket");
	uint64_t sent = 0;

	between();
	while (sent < n) {
		size_t some = (size_t)MIN((uint64_t)1009, n - sent);

		sent += must(sendto(s, piece, some, 0, (struct sockaddr *)&to.sa, to.len), "sendto");
		pause_ns(1000000);
	}
	close(s);
	return sent;
}

/* `n` packets with IP header and all made here, of protocol UDP, so that they look like another socket's. Returns what
 * is behind the IP header. */
static inline uint64_t made_by_hand(const char *where, uint64_t n, void (*between)(void))
{
	struct endpoint to = host_must(where);
	struct {
		struct iphdr ip;
		struct udphdr udp;
		uint8_t data[1009];
	} __attribute__((packed)) p = {.ip = {.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP}};
	int s = (int)must(socket(AF_INET, SOCK_RAW, IPPROTO_RAW), "socket");
	uint64_t sent = 0;

	p.ip.daddr = ((struct sockaddr_in *)&to.sa)->sin_addr.s_addr;
	p.ip.tot_len = htons(sizeof(p));
	p.udp.uh_dport = htons(7919);
	p.udp.uh_ulen = htons(sizeof(p) - sizeof(p.ip));
	between();
	for (uint64_t i = 0; i < n; i++) {
		sent += must(sendto(s, &p, sizeof(p), 0, (struct sockaddr *)&to.sa, to.len), "sendto") - sizeof(p.ip);
		pause_ns(1000000);
	}
	close(s);
	return sent;
}

/* --- receivers ------------------------------------------------------------------------- */

static inline void say_ready(int s)
{
	struct text t = {0};
	char name[ENDPOINT_LEN];

	text_add(&t, "ready %s", endpoint_local(name, s));
	text_out(STDOUT_FILENO, &t);
}

/* What comes over connections, one at a time and each to its end, or in datagrams. */
static inline uint64_t receive(const char *how, const char *where, volatile sig_atomic_t *end)
{
	struct endpoint at = endpoint_must(where);
	bool lite = !strcmp(how, "lite"), sctp = !strcmp(how, "sctp");
	int s = socket_must(at.sa.ss_family, lite ? SOCK_DGRAM : sctp ? SOCK_SEQPACKET : SOCK_STREAM,
			    lite ? IPPROTO_UDPLITE : sctp ? IPPROTO_SCTP : IPPROTO_MPTCP);
	struct pollfd p[9] = {{.fd = s, .events = POLLIN}};
	static char buffer[1 << 17];
	int n = 1, room = 4 << 20, on = 1;
	uint64_t sum = 0;

	setsockopt(s, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	must(bind(s, (struct sockaddr *)&at.sa, at.len), "bind");
	if (!lite)
		must(listen(s, 16), "listen");
	say_ready(s);
	/* after the signal, until nothing comes any more: a sender may be gone while its socket still sends */
	for (int some; (some = poll(p, (nfds_t)n, 300)) || !*end;) {
		if (some < 0)
			continue; /* the signal */
		for (int i = n - 1; i >= 0; i--) {
			if (!p[i].revents)
				continue;
			if (!i && !lite && !sctp) {
				int c = accept(s, NULL, NULL);

				if (c >= 0 && n < 9)
					p[n++] = (struct pollfd){.fd = c, .events = POLLIN};
				continue;
			}
			ssize_t got = recv(p[i].fd, buffer, sizeof(buffer), MSG_DONTWAIT);

			if (got > 0)
				sum += (uint64_t)got;
			else if (i && (!got || errno != EAGAIN)) {
				close(p[i].fd);
				p[i] = p[--n];
			}
		}
	}
	return sum;
}

/* Payload of what comes from elsewhere by that protocol; of ICMP only echo requests, which are all that is sent. */
static inline uint64_t sniff(const char *protocol, const char *from, volatile sig_atomic_t *end)
{
	struct endpoint source = host_must(from);
	int number_of = (int)number(protocol, "PROTOCOL"), room = 4 << 20;
	bool six = source.sa.ss_family == AF_INET6;
	int s = (int)must(socket(source.sa.ss_family, SOCK_RAW, number_of), "socket");
	struct pollfd p = {.fd = s, .events = POLLIN};
	static uint8_t buffer[1 << 16];
	uint64_t sum = 0;

	setsockopt(s, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	say_ready(s);
	while (poll(&p, 1, *end ? 0 : 200) > 0 || !*end) {
		struct endpoint peer = {.len = sizeof(peer.sa)};
		ssize_t got = recvfrom(s, buffer, sizeof(buffer), MSG_DONTWAIT, (struct sockaddr *)&peer.sa, &peer.len);
		size_t head = six ? 0 : (size_t)(buffer[0] & 15) * 4;

		if (got <= (ssize_t)head)
			continue;
		if (six ? memcmp(&((struct sockaddr_in6 *)&peer.sa)->sin6_addr,
				 &((struct sockaddr_in6 *)&source.sa)->sin6_addr, 16)
			: ((struct sockaddr_in *)&peer.sa)->sin_addr.s_addr !=
				  ((struct sockaddr_in *)&source.sa)->sin_addr.s_addr)
			continue;
		if ((number_of == IPPROTO_ICMP && buffer[head] != ICMP_ECHO) ||
		    (number_of == IPPROTO_ICMPV6 && buffer[head] != ICMP6_ECHO_REQUEST))
			continue;
		sum += (size_t)got - head;
	}
	return sum;
}

/* --- beside IP --------------------------------------------------------------------------- */

static inline int tun_open(void)
{
	struct ifreq r = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		quit(EXIT_UNSUPPORTED, "/dev/net/tun: %s", strerror(errno));
	if (ioctl(fd, TUNSETIFF, &r) < 0)
		quit(EXIT_UNSUPPORTED, "TUNSETIFF: %s", strerror(errno));
	return fd;
}

static inline int channel_open(const char *kind)
{
	static const struct {
		const char *name;
		int family, type, protocol;
	} kinds[] = {
		{"packet", AF_PACKET, SOCK_RAW, 0},	{"xdp", 44, SOCK_RAW, 0}, {"vsock", 40, SOCK_STREAM, 0},
		{"netlink", AF_NETLINK, SOCK_RAW, 0},	{"unix", AF_UNIX, SOCK_STREAM, 0},
		{"alg", 38, SOCK_SEQPACKET, 0},		{"inet", AF_INET, SOCK_STREAM, 0},
	};

	if (!strcmp(kind, "tun"))
		return tun_open();
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(kinds[i].name, kind))
			return socket_must(kinds[i].family, kinds[i].type, kinds[i].protocol);
	misuse("no channel is called '%s'", kind);
}

#endif
