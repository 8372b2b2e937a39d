/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Connections and datagrams, over loopback and to ports of our own. */
#include "user/canary_steps.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

static char page[4096];
static int fds[2];
static struct sockaddr_storage there;
static socklen_t there_len;

static socklen_t loopback(int family, struct sockaddr_storage *ret)
{
	struct sockaddr_in *a = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *b = (struct sockaddr_in6 *)ret;

	memset(ret, 0, sizeof(*ret));
	if (family == AF_INET) {
		*a = (struct sockaddr_in){.sin_family = AF_INET,
					  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
		return sizeof(*a);
	}
	*b = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	return sizeof(*b);
}

static uint16_t port_of(int fd)
{
	struct sockaddr_storage a;
	socklen_t n = sizeof(a);

	if (getsockname(fd, (struct sockaddr *)&a, &n))
		return 0;
	return ntohs(a.ss_family == AF_INET ? ((struct sockaddr_in *)&a)->sin_port
					    : ((struct sockaddr_in6 *)&a)->sin6_port);
}

/* A socket on a loopback port of its own, whose address becomes `there`. Waits are bounded. */
static int receiver(struct canary *c, int family, int type)
{
	struct timeval limit = {(time_t)(c->limit_ns / NSEC),
				(suseconds_t)(c->limit_ns % NSEC / 1000)};
	int fd = socket(family, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return canary_refuse(c, "socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	there_len = loopback(family, &there);
	if (bind(fd, (struct sockaddr *)&there, there_len))
		return canary_refuse(c, "bind to loopback");
	there_len = sizeof(there);
	if (getsockname(fd, (struct sockaddr *)&there, &there_len))
		return canary_refuse(c, "getsockname");
	c->note->peer_port = port_of(fd);
	return fd;
}

static int bounded(struct canary *c, int fd)
{
	struct timeval limit = {(time_t)(c->limit_ns / NSEC),
				(suseconds_t)(c->limit_ns % NSEC / 1000)};

	return setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) ||
		       setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit))
		   ? canary_refuse(c, "setsockopt")
		   : 0;
}

static int receive_all(struct canary *c, int fd, size_t n)
{
	ssize_t got = recv(fd, page, n, MSG_WAITALL);

	if (got == (ssize_t)n)
		return 0;
	if (got >= 0)
		errno = ECONNRESET;
	return canary_refuse(c, "recv");
}

/* --- TCP ---------------------------------------------------------------------------------- */

#define TCP_THERE 1117
#define TCP_BACK 2017

/* The socket. */
static int accepted(struct canary *c)
{
	int fd = accept4(fds[0], NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return canary_refuse(c, "accept");
	int err = bounded(c, fd);
	return err ? err : fd;
}

static int accept_and_answer(struct canary *c)
{
	int fd = accepted(c);

	if (fd < 0)
		return fd;
	int err = receive_all(c, fd, TCP_THERE);
	return err ? err
		   : canary_bytes(c, 1, "send", send(fd, page, TCP_BACK, MSG_NOSIGNAL), TCP_BACK);
}

/* The socket. */
static int connected(struct canary *c)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), err;

	if (fd < 0)
		return canary_refuse(c, "socket");
	err = bounded(c, fd);
	if (err)
		return err;
	if (connect(fd, (struct sockaddr *)&there, there_len))
		return canary_refuse(c, "connect over loopback");
	c->note->port = port_of(fd);
	return fd;
}

static int connect_and_send(struct canary *c)
{
	int fd = connected(c), err;

	if (fd < 0)
		return fd;
	err = canary_bytes(c, 0, "send", send(fd, page, TCP_THERE, MSG_NOSIGNAL), TCP_THERE);
	return err ? err : receive_all(c, fd, TCP_BACK);
}

static int over_tcp(struct canary *c, int (*server)(struct canary *c), int (*client)(struct canary *c))
{
	int err;

	fds[0] = receiver(c, AF_INET, SOCK_STREAM);
	if (fds[0] < 0)
		return fds[0];
	if (listen(fds[0], 1))
		return canary_refuse(c, "listen");
	err = canary_start(c, 1, server);
	close(fds[0]); /* else accept() is this process's too */
	if (!err)
		err = client(c);
	return err ? err : canary_wait(c, 1);
}

int step_tcp(struct canary *c)
{
	return over_tcp(c, accept_and_answer, connect_and_send);
}

/* The sender tastes after it has connected; the receiver is tainted by what arrives. */
static int send_tasted(struct canary *c)
{
	int fd = connected(c), err;

	if (fd < 0)
		return fd;
	err = canary_taste(c);
	return err ? err : canary_bytes(c, 0, "send", send(fd, page, 1123, MSG_NOSIGNAL), 1123);
}

static int accept_and_read(struct canary *c)
{
	int fd = accepted(c);

	if (fd < 0)
		return fd;
	for (size_t left = 1123; left;) {
		ssize_t n = read(fd, page, left);

		if (n <= 0)
			return canary_refuse(c, "read");
		left -= (size_t)n;
	}
	c->note->bytes[1] = 1123;
	return 0;
}

int step_loopback(struct canary *c)
{
	return over_tcp(c, accept_and_read, send_tasted);
}

/* --- datagrams -------------------------------------------------------------------------------- */

static int sender(struct canary *c, int family)
{
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? canary_refuse(c, "socket") : fd;
}

#define TASTED_DATAGRAM 1151

static int receive_tasted(struct canary *c)
{
	return canary_bytes(c, 1, "recv", recv(fds[0], page, sizeof(page), 0), TASTED_DATAGRAM);
}

int step_loopback_datagram(struct canary *c)
{
	int fd, err;

	c->note->datagrams = true;
	fds[0] = receiver(c, AF_INET6, SOCK_DGRAM);
	if (fds[0] < 0)
		return fds[0];
	err = canary_start(c, 1, receive_tasted);
	close(fds[0]); /* else it is this process's too */
	fd = err ? -1 : sender(c, AF_INET6);
	if (fd < 0)
		return err ? err : fd;
	err = canary_taste(c);
	if (!err)
		err = canary_bytes(c, 0, "sendto over loopback",
				   sendto(fd, page, TASTED_DATAGRAM, 0, (struct sockaddr *)&there, there_len),
				   TASTED_DATAGRAM);
	if (!err)
		c->note->port = port_of(fd);
	return err ? err : canary_wait(c, 1);
}

int step_udp_create(struct canary *c)
{
	int fd = sender(c, AF_INET);

	return fd < 0 ? fd : 0;
}

int step_udp_release(struct canary *c)
{
	int fd = sender(c, AF_INET);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static int connect_datagram(struct canary *c)
{
	if (connect(fds[1], (struct sockaddr *)&there, there_len))
		return canary_refuse(c, "connect over loopback");
	return 0;
}

static int send_datagram(struct canary *c)
{
	ssize_t n = sendto(fds[1], page, 1129, 0, (struct sockaddr *)&there, there_len);

	if (n == 1129)
		c->note->port = port_of(fds[1]);
	return canary_bytes(c, 1, "sendto over loopback", n, 1129);
}

/* Made by one process, used by another: the second owns it from then on, and has no other. */
static int handed_on(struct canary *c, int family, int (*use)(struct canary *))
{
	c->note->datagrams = true;
	fds[0] = receiver(c, family, SOCK_DGRAM);
	if (fds[0] < 0)
		return fds[0];
	fds[1] = sender(c, family);
	return fds[1] < 0 ? fds[1] : canary_with(c, 1, use);
}

int step_udp_connect4(struct canary *c)
{
	return handed_on(c, AF_INET, connect_datagram);
}

int step_udp_connect6(struct canary *c)
{
	return handed_on(c, AF_INET6, connect_datagram);
}

static int send_and_receive(struct canary *c, int family)
{
	int err = handed_on(c, family, send_datagram);

	if (err)
		return err;
	return canary_bytes(c, 0, "recv", recv(fds[0], page, sizeof(page), 0), 1129);
}

int step_udp_send4(struct canary *c)
{
	return send_and_receive(c, AF_INET);
}

int step_udp_send6(struct canary *c)
{
	return send_and_receive(c, AF_INET6);
}

/* To where nobody listens, as if to a name server: of loopback nothing else is told. */
int step_first_words(struct canary *c)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(53), .sin_addr.s_addr = htonl(CANARY_NOWHERE)};
	int fd = sender(c, AF_INET);

	if (fd < 0)
		return fd;
	return canary_bytes(c, 0, "sendto over loopback", sendto(fd, page, 1171, 0, (struct sockaddr *)&to, sizeof(to)), 1171);
}
