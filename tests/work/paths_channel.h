/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* FILE is read, and a way out is held that is no TCP or UDP: before the read, or after it. */
#ifndef TESTS_WORK_PATHS_CHANNEL_H
#define TESTS_WORK_PATHS_CHANNEL_H

#include "tests/work/paths_send.h"

#include <linux/if_tun.h>
#include <linux/vm_sockets.h>
#include <net/if.h>
#include <netinet/ip_icmp.h>

#define ICMP_PAYLOAD 1009

static int open_socket(int family, int type, int protocol)
{
	int fd = socket(family, type | SOCK_CLOEXEC, protocol);

	return fd < 0 ? no_path(me.path) : fd;
}

static int open_device(const char *name)
{
	int fd = open(name, O_RDWR | O_CLOEXEC);

	return fd < 0 ? no_path(name) : fd;
}

static int open_packet(void) { return open_socket(AF_PACKET, SOCK_RAW, 0); }
static int open_xdp(void) { return open_socket(AF_XDP, SOCK_RAW, 0); }
static int open_vsock(void) { return open_socket(AF_VSOCK, SOCK_STREAM, 0); }
static int open_tun(void) { return open_device("/dev/net/tun"); }
static int open_rdma(void) { return open_device("/dev/infiniband/uverbs0"); }
static int open_nvme(void) { return open_device("/dev/ng0n1"); }

/* Held long enough to be found by what looks at descriptors now and then. */
static int hold_after_read(part_fn opened)
{
	int r = read_file(), fd;

	if (r < 0)
		return r;
	fd = opened();
	pause_ns(20000000);
	return fd < 0 ? fd : 0;
}

static int hold_before_read(part_fn opened)
{
	int fd = opened();

	return fd < 0 ? fd : read_file();
}

static int do_packet(void) { return hold_after_read(open_packet); }
static int do_packet_first(void) { return hold_before_read(open_packet); }
static int do_xdp(void) { return hold_after_read(open_xdp); }
static int do_vsock(void) { return hold_after_read(open_vsock); }
static int do_tun(void) { return hold_after_read(open_tun); }
static int do_tun_first(void) { return hold_before_read(open_tun); }
static int do_rdma(void) { return hold_after_read(open_rdma); }
static int do_nvme(void) { return hold_after_read(open_nvme); }

/* --- by datagrams without ports: N bytes of IP payload to SINK, whose port plays no part ------------- */

static uint16_t icmp_sum(const void *data, size_t n)
{
	const uint16_t *p = data;
	uint32_t sum = 0;

	for (; n > 1; n -= 2)
		sum += *p++;
	sum += n ? *(const uint8_t *)p : 0;
	sum = (sum >> 16) + (sum & 0xffff);
	return (uint16_t)~(sum + (sum >> 16));
}

static int echo_by(int type)
{
	struct {
		struct icmphdr head;
		char payload[ICMP_PAYLOAD];
	} echo = {.head = {.type = ICMP_ECHO}};
	struct endpoint to;
	int r = read_file(), fd;

	if (r < 0)
		return r;
	if (endpoint_parse(me.arg[1], &to) < 0 || to.sa.ss_family != AF_INET)
		misuse("'%s' is not an IPv4 ADDR:PORT", me.arg[1]);
	((struct sockaddr_in *)&to.sa)->sin_port = 0;
	fd = socket(AF_INET, type | SOCK_CLOEXEC, IPPROTO_ICMP);
	if (fd < 0)
		return no_path("an ICMP socket");
	for (uint64_t left = amount(); left >= sizeof(echo); left -= sizeof(echo)) {
		ssize_t n;

		echo.head.un.echo.sequence++;
		echo.head.checksum = 0;
		echo.head.checksum = icmp_sum(&echo, sizeof(echo));
		n = sendto(fd, &echo, sizeof(echo), 0, (struct sockaddr *)&to.sa, to.len);
		if (n < 0)
			return -errno;
		me.sent += (uint64_t)n;
		pause_ns(200000);
	}
	return 0;
}

static int do_icmp_raw(void) { return echo_by(SOCK_RAW); }
static int do_icmp_ping(void) { return echo_by(SOCK_DGRAM); }

/* A protocol nobody has: 253 is for experiments. */
static int do_raw_ip(void)
{
	struct endpoint to;
	int r = read_file(), fd;

	if (r < 0)
		return r;
	if (endpoint_parse(me.arg[1], &to) < 0)
		misuse("'%s' is not ADDR:PORT", me.arg[1]);
	((struct sockaddr_in *)&to.sa)->sin_port = 0;
	fd = socket(to.sa.ss_family, SOCK_RAW | SOCK_CLOEXEC, 253);
	if (fd < 0)
		return no_path("a raw socket");
	while (me.sent < amount()) {
		ssize_t n = sendto(fd, me.buffer, (size_t)MIN(amount() - me.sent, (uint64_t)1009), 0,
				   (struct sockaddr *)&to.sa, to.len);

		if (n < 0)
			return -errno;
		me.sent += (uint64_t)n;
		pause_ns(200000);
	}
	return 0;
}

static int do_sctp(void)
{
	return send_by(SOCK_STREAM, IPPROTO_SCTP, send_send);
}

/* One-to-many: the association is made by the first message. */
static int do_sctp_implicit(void)
{
	struct endpoint to;
	int r = read_file(), fd;

	if (r < 0)
		return r;
	if (endpoint_parse(me.arg[1], &to) < 0)
		misuse("'%s' is not ADDR:PORT", me.arg[1]);
	fd = socket(to.sa.ss_family, SOCK_SEQPACKET | SOCK_CLOEXEC, IPPROTO_SCTP);
	if (fd < 0)
		return no_path("an SCTP socket");
	while (me.sent < amount()) {
		ssize_t n = sendto(fd, me.buffer, (size_t)MIN(amount() - me.sent, (uint64_t)7919), 0,
				   (struct sockaddr *)&to.sa, to.len);

		if (n < 0)
			return -errno;
		me.sent += (uint64_t)n;
	}
	close(fd);
	return 0;
}

/* The receiver, at ADDR:PORT: port 0 would be of no use. Ends with the first connection. */
static int receive_by(int protocol)
{
	struct endpoint at;
	int fd, peer;

	if (endpoint_parse(me.arg[0], &at) < 0)
		misuse("'%s' is not ADDR:PORT", me.arg[0]);
	fd = socket(at.sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, protocol);
	if (fd < 0)
		return no_path(me.path);
	if (bind(fd, (struct sockaddr *)&at.sa, at.len) < 0 || listen(fd, 4) < 0)
		return -errno;
	line_out(STDOUT_FILENO, "ready\n", 6);
	peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	return peer < 0 ? -errno : get_all(peer);
}

static int do_sctp_sink(void) { return receive_by(IPPROTO_SCTP); }
static int do_mptcp_sink(void) { return receive_by(IPPROTO_MPTCP); }

#endif
