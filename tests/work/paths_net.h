/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Ways to hand bytes to a stream socket, each returning what the system calls said was taken. */
#ifndef TESTS_WORK_PATHS_NET_H
#define TESTS_WORK_PATHS_NET_H

#include "tests/work/work.h"

#include <linux/errqueue.h>
#include <linux/io_uring.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>

#define PIECE 4099 /* a prime: what one call is asked to take */

static char piece[PIECE];

static inline size_t must(ssize_t n, const char *what)
{
	if (n < 0)
		die(what);
	return (size_t)n;
}

/* A kernel that does not know it at all is a skip. */
static inline size_t must_know(ssize_t n, const char *what)
{
	if (n < 0 && (errno == EOPNOTSUPP || errno == ENOSYS || errno == ENOPROTOOPT || errno == EPROTONOSUPPORT ||
		      errno == ESOCKTNOSUPPORT || errno == EAFNOSUPPORT || errno == EINVAL))
		quit(EXIT_UNSUPPORTED, "%s: %s", what, strerror(errno));
	return must(n, what);
}

/* `n` bytes of zeros without a name. */
static inline int zeros(uint64_t n)
{
	int fd = memfd_create("zeros", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)n) < 0)
		die("memfd_create");
	return fd;
}

static inline size_t by_write(int s, size_t n)
{
	return must(write(s, piece, n), "write");
}

static inline size_t by_send(int s, size_t n)
{
	return must(send(s, piece, n, MSG_NOSIGNAL), "send");
}

static inline size_t by_writev(int s, size_t n)
{
	struct iovec v[2] = {{piece, n / 3}, {piece, n - n / 3}};

	return must(writev(s, v, 2), "writev");
}

static inline size_t by_sendmsg(int s, size_t n)
{
	struct iovec v[2] = {{piece, n / 2}, {piece, n - n / 2}};
	struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};

	return must(sendmsg(s, &m, MSG_NOSIGNAL), "sendmsg");
}

static inline size_t by_sendmmsg(int s, size_t n)
{
	struct iovec v[2] = {{piece, n / 2}, {piece, n - n / 2}};
	struct mmsghdr m[2] = {{.msg_hdr = {.msg_iov = &v[0], .msg_iovlen = 1}},
			       {.msg_hdr = {.msg_iov = &v[1], .msg_iovlen = 1}}};
	size_t got = must(sendmmsg(s, m, 2, MSG_NOSIGNAL), "sendmmsg");

	return (got > 0 ? m[0].msg_len : 0) + (got > 1 ? m[1].msg_len : 0);
}

static inline size_t by_sendfile(int s, size_t n)
{
	int fd = zeros(n);
	size_t got = must(sendfile(s, fd, NULL, n), "sendfile");

	close(fd);
	return got;
}

/* The rest of a pipe into the socket. */
static inline size_t drain_pipe(int from, int s, size_t n)
{
	size_t got = 0;

	while (got < n)
		got += must(splice(from, NULL, s, NULL, n - got, 0), "splice to the socket");
	return got;
}

static inline size_t by_splice(int s, size_t n)
{
	int p[2], fd = zeros(n);

	must(pipe(p), "pipe");
	n = must(splice(fd, NULL, p[1], NULL, n, 0), "splice from a file");
	n = drain_pipe(p[0], s, n);
	close(p[0]);
	close(p[1]);
	close(fd);
	return n;
}

static inline size_t by_vmsplice(int s, size_t n)
{
	struct iovec v = {piece, n};
	int p[2];

	must(pipe(p), "pipe");
	n = drain_pipe(p[0], s, must(vmsplice(p[1], &v, 1, 0), "vmsplice"));
	close(p[0]);
	close(p[1]);
	return n;
}

static inline size_t by_tee(int s, size_t n)
{
	int a[2], b[2];

	must(pipe(a), "pipe");
	must(pipe(b), "pipe");
	n = must(write(a[1], piece, n), "write to a pipe");
	n = must(tee(a[0], b[1], n, 0), "tee");
	n = drain_pipe(b[0], s, n);
	for (int i = 0; i < 2; i++) {
		close(a[i]);
		close(b[i]);
	}
	return n;
}

/* Pages stay the socket's until the kernel says so. */
static inline size_t by_zerocopy(int s, size_t n)
{
	struct pollfd p = {.fd = s};
	char control[128];
	struct msghdr m = {.msg_control = control, .msg_controllen = sizeof(control)};
	int on = 1;
	size_t got;

	must_know(setsockopt(s, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on)), "SO_ZEROCOPY");
	got = must(send(s, piece, n, MSG_ZEROCOPY | MSG_NOSIGNAL), "send with MSG_ZEROCOPY");
	while (poll(&p, 1, 1000) == 1 && recvmsg(s, &m, MSG_ERRQUEUE) < 0 && errno == EAGAIN)
		;
	return got;
}

static inline void *ring_map(int fd, size_t len, off_t what)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, what);

	if (p == MAP_FAILED)
		die("mmap of the ring");
	return p;
}

/* One IORING_OP_SEND on a ring of its own. */
static inline size_t by_uring(int s, size_t n)
{
	struct io_uring_params p = {0};
	int fd = (int)must_know(syscall(SYS_io_uring_setup, 1, &p), "io_uring_setup");
	size_t sq_len = p.sq_off.array + p.sq_entries * sizeof(uint32_t);
	size_t cq_len = p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe);
	char *sq = ring_map(fd, sq_len, IORING_OFF_SQ_RING), *cq = ring_map(fd, cq_len, IORING_OFF_CQ_RING);
	struct io_uring_sqe *e = ring_map(fd, p.sq_entries * sizeof(*e), IORING_OFF_SQES);
	struct io_uring_cqe *done = (struct io_uring_cqe *)(cq + p.cq_off.cqes);
	int res;

	*e = (struct io_uring_sqe){.opcode = IORING_OP_SEND, .fd = s, .addr = (uintptr_t)piece, .len = (uint32_t)n};
	*(uint32_t *)(sq + p.sq_off.array) = 0;
	__atomic_store_n((uint32_t *)(sq + p.sq_off.tail), 1, __ATOMIC_RELEASE);
	must(syscall(SYS_io_uring_enter, fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0), "io_uring_enter");
	res = done->res;
	munmap(sq, sq_len);
	munmap(cq, cq_len);
	munmap(e, p.sq_entries * sizeof(*e));
	close(fd);
	errno = -res;
	return must(res < 0 ? -1 : res, "IORING_OP_SEND");
}

/* As much as goes in at once, far more than there is room for: most calls are refused, many take a part. */
static inline size_t by_flood(int s, size_t n)
{
	static char much[1 << 20];
	struct pollfd p = {.fd = s, .events = POLLOUT};
	size_t want = MIN(n, sizeof(much));
	ssize_t got;

	do {
		got = send(s, much, want, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (got < 0 && errno == EAGAIN)
			must(poll(&p, 1, 10000), "poll");
	} while (got < 0 && (errno == EAGAIN || errno == EINTR));
	return must(got, "send");
}

struct way {
	const char *name;
	size_t (*send)(int s, size_t n);
	size_t most; /* per call; 0: PIECE */
};

static const struct way ways[] = {
	{"write", by_write, 0},	      {"send", by_send, 0},	    {"writev", by_writev, 0},
	{"sendmsg", by_sendmsg, 0},   {"sendmmsg", by_sendmmsg, 0}, {"sendfile", by_sendfile, 65537},
	{"splice", by_splice, 16411}, {"vmsplice", by_vmsplice, 0}, {"tee", by_tee, 0},
	{"zerocopy", by_zerocopy, 0}, {"uring", by_uring, 0},	    {"flood", by_flood, 1 << 20},
};

static inline const struct way *way_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		if (!strcmp(ways[i].name, name))
			return &ways[i];
	misuse("no way to send is called '%s'", name);
}

/* `n` bytes by it; what was taken. */
static inline uint64_t send_all(int s, const struct way *way, uint64_t n)
{
	uint64_t sent = 0;

	while (sent < n)
		sent += way->send(s, (size_t)MIN(n - sent, (uint64_t)(way->most ? way->most : PIECE)));
	return sent;
}

#endif
