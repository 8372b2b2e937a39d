/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* FILE is read, then N bytes go to SINK by one kind of call. `sent` is what these calls returned. */
#ifndef TESTS_WORK_PATHS_SEND_H
#define TESTS_WORK_PATHS_SEND_H

#include "tests/work/paths_identity.h"

#include <linux/errqueue.h>
#include <linux/tls.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#ifndef TCP_ULP
#define TCP_ULP 31
#endif
#ifndef SOL_TLS
#define SOL_TLS 282
#endif

/* One call for at most `n` bytes; 0: nothing now, ask again. */
typedef ssize_t (*send_fn)(int fd, size_t n);

static ssize_t send_write(int fd, size_t n)
{
	return write(fd, me.buffer, n);
}

static ssize_t send_send(int fd, size_t n)
{
	return send(fd, me.buffer, n, MSG_NOSIGNAL);
}

static void three_parts(struct iovec v[static 3], size_t n)
{
	v[0] = (struct iovec){me.buffer, n / 2};
	v[1] = (struct iovec){me.buffer + n / 2, n / 3};
	v[2] = (struct iovec){me.buffer + n / 2 + n / 3, n - n / 2 - n / 3};
}

static ssize_t send_writev(int fd, size_t n)
{
	struct iovec v[3];

	three_parts(v, n);
	return writev(fd, v, 3);
}

static ssize_t send_sendmsg(int fd, size_t n)
{
	struct iovec v[3];
	struct msghdr m = {.msg_iov = v, .msg_iovlen = 3};

	three_parts(v, n);
	return sendmsg(fd, &m, MSG_NOSIGNAL);
}

static ssize_t send_sendmmsg(int fd, size_t n)
{
	struct iovec v[3];
	struct mmsghdr m[3];
	ssize_t sum = 0;
	int done;

	three_parts(v, n);
	for (int i = 0; i < 3; i++)
		m[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &v[i], .msg_iovlen = 1}};
	done = sendmmsg(fd, m, 3, MSG_NOSIGNAL);
	for (int i = 0; i < done; i++)
		sum += m[i].msg_len;
	return done < 0 ? -1 : sum;
}

/* From a file of one's own, made of nothing: what leaves is not FILE, but could be for all one knows. */
static int plain_file(void)
{
	static int fd = -1;

	if (fd < 0) {
		fd = memfd_create("paths", MFD_CLOEXEC);
		if (fd < 0 || ftruncate(fd, BUFFER) < 0)
			die("memfd_create");
	}
	return fd;
}

static ssize_t send_sendfile(int fd, size_t n)
{
	off_t at = 0;

	return sendfile(fd, plain_file(), &at, n);
}

/* The tagged file itself, which never comes into this process's memory. */
static ssize_t send_sendfile_tagged(int fd, size_t n)
{
	static int in = -1;
	ssize_t done;

	if (in < 0)
		in = open_file();
	done = sendfile(fd, in, NULL, n);
	if (done > 0) {
		me.tally.bytes += (uint64_t)done;
		me.tally.ops++;
	}
	return done;
}

static int own_pipe(void)
{
	if (me.pipe[0] < 0 && pipe2(me.pipe, O_CLOEXEC) < 0)
		die("pipe");
	return me.pipe[1];
}

static ssize_t drain_to(int fd, int pipe_end, ssize_t n)
{
	for (ssize_t left = n, done; left > 0; left -= done) {
		done = splice(pipe_end, NULL, fd, NULL, (size_t)left, 0);
		if (done <= 0)
			return -1;
	}
	return n;
}

static ssize_t send_splice(int fd, size_t n)
{
	off64_t at = 0;
	int out = own_pipe();

	return drain_to(fd, me.pipe[0], splice(plain_file(), &at, out, NULL, n, 0));
}

static ssize_t send_splice_tagged(int fd, size_t n)
{
	static int in = -1;
	ssize_t got;
	int out = own_pipe();

	if (in < 0)
		in = open_file();
	got = splice(in, NULL, out, NULL, n, 0);
	if (got > 0) {
		me.tally.bytes += (uint64_t)got;
		me.tally.ops++;
	}
	return drain_to(fd, me.pipe[0], got);
}

static ssize_t send_vmsplice(int fd, size_t n)
{
	struct iovec v = {me.buffer, n};
	int out = own_pipe();

	return drain_to(fd, me.pipe[0], vmsplice(out, &v, 1, 0));
}

static ssize_t send_tee(int fd, size_t n)
{
	static int null = -1, again[2];
	off64_t at = 0;
	ssize_t got, twice;
	int out = own_pipe();

	if (null < 0) {
		null = open("/dev/null", O_WRONLY | O_CLOEXEC);
		if (pipe2(again, O_CLOEXEC) < 0)
			return -1;
	}
	got = splice(plain_file(), &at, out, NULL, MIN(n, (size_t)4096), 0);
	twice = got > 0 ? tee(me.pipe[0], again[1], (size_t)got, 0) : got;
	if (drain_to(null, me.pipe[0], got) < 0)
		return -1;
	return drain_to(fd, again[0], twice);
}

static int way_out(int fd, send_fn way)
{
	uint64_t left = amount();

	while (left) {
		ssize_t n = way(fd, (size_t)MIN(left, (uint64_t)CHUNK));

		if (n < 0)
			return -errno;
		me.sent += (uint64_t)n;
		left -= (uint64_t)n;
	}
	return 0;
}

static int send_by(int type, int protocol, send_fn way)
{
	int r = read_file(), fd;

	if (r < 0)
		return r;
	fd = dial(type, protocol);
	if (fd < 0)
		return fd;
	r = way_out(fd, way);
	close(fd);
	return r;
}

static int do_tcp_write(void) { return send_by(SOCK_STREAM, 0, send_write); }
static int do_tcp_send(void) { return send_by(SOCK_STREAM, 0, send_send); }
static int do_tcp_writev(void) { return send_by(SOCK_STREAM, 0, send_writev); }
static int do_tcp_sendmsg(void) { return send_by(SOCK_STREAM, 0, send_sendmsg); }
static int do_tcp_sendmmsg(void) { return send_by(SOCK_STREAM, 0, send_sendmmsg); }
static int do_tcp_sendfile(void) { return send_by(SOCK_STREAM, 0, send_sendfile); }
static int do_tcp_splice(void) { return send_by(SOCK_STREAM, 0, send_splice); }
static int do_tcp_vmsplice(void) { return send_by(SOCK_STREAM, 0, send_vmsplice); }
static int do_tcp_tee(void) { return send_by(SOCK_STREAM, 0, send_tee); }

static int do_mptcp(void)
{
	return send_by(SOCK_STREAM, IPPROTO_MPTCP, send_send);
}

/* Nothing but the kernel ever has the bytes; N at most, and no more than FILE holds. */
static int send_only(send_fn way)
{
	int fd = dial(SOCK_STREAM, 0), r;

	if (fd < 0)
		return fd;
	me.tally.files++;
	r = way_out(fd, way);
	close(fd);
	return r;
}

static int do_tcp_sendfile_tagged(void) { return send_only(send_sendfile_tagged); }
static int do_tcp_splice_tagged(void) { return send_only(send_splice_tagged); }

/* --- with a flag ------------------------------------------------------------------------------ */

static ssize_t send_zerocopy(int fd, size_t n)
{
	ssize_t done = send(fd, me.buffer, n, MSG_ZEROCOPY | MSG_NOSIGNAL);
	char room[256];
	struct msghdr m = {.msg_control = room, .msg_controllen = sizeof(room)};
	struct pollfd p = {.fd = fd};

	/* the pages are the kernel's until it says so; never longer than a second for each */
	if (done > 0 && poll(&p, 1, 1000) > 0)
		(void)!recvmsg(fd, &m, MSG_ERRQUEUE);
	return done;
}

static int do_tcp_zerocopy(void)
{
	int r = read_file(), fd, on = 1;

	if (r < 0)
		return r;
	fd = dial(SOCK_STREAM, 0);
	if (fd < 0)
		return fd;
	if (setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on)) < 0)
		return no_path("SO_ZEROCOPY");
	return way_out(fd, send_zerocopy);
}

/* No connect: the first bytes go with the SYN where a cookie is there, after it where not. */
static int do_tcp_fastopen(void)
{
	struct endpoint to;
	int r = read_file(), fd;
	ssize_t n;

	if (r < 0)
		return r;
	if (endpoint_parse(me.arg[1], &to) < 0)
		misuse("'%s' is not ADDR:PORT", me.arg[1]);
	fd = socket(to.sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	n = sendto(fd, me.buffer, (size_t)MIN(amount(), (uint64_t)1009), MSG_FASTOPEN | MSG_NOSIGNAL,
		   (struct sockaddr *)&to.sa, to.len);
	if (n < 0)
		return errno == EOPNOTSUPP ? no_path("net.ipv4.tcp_fastopen") : -errno;
	me.sent = (uint64_t)n;
	while (me.sent < amount()) {
		n = send(fd, me.buffer, (size_t)MIN(amount() - me.sent, (uint64_t)CHUNK), MSG_NOSIGNAL);
		if (n < 0)
			return -errno;
		me.sent += (uint64_t)n;
	}
	return 0;
}

/* Asks for far more than there is room for: what was asked and what was sent differ widely. */
static int do_tcp_flood(void)
{
	int r = read_file(), fd;
	uint64_t asked = 0, refused_calls = 0;

	if (r < 0)
		return r;
	fd = dial(SOCK_STREAM, 0);
	if (fd < 0)
		return fd;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (me.sent < amount()) {
		size_t n = (size_t)MIN((uint64_t)BUFFER, amount() - me.sent);
		ssize_t done = send(fd, me.buffer, n, MSG_NOSIGNAL);
		struct pollfd p = {.fd = fd, .events = POLLOUT};

		asked += n;
		if (done < 0 && errno != EAGAIN)
			return -errno;
		if (done > 0)
			me.sent += (uint64_t)done;
		if (done < 0 && ++refused_calls && poll(&p, 1, 10000) < 0)
			return -errno;
	}
	return asked > me.sent ? 0 : -ENODATA;
}

static int tls_keys(int fd)
{
	struct tls12_crypto_info_aes_gcm_128 keys = {
	    .info = {.version = TLS_1_2_VERSION, .cipher_type = TLS_CIPHER_AES_GCM_128}};

	if (setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")) < 0)
		return no_path("TCP_ULP tls");
	return setsockopt(fd, SOL_TLS, TLS_TX, &keys, sizeof(keys)) < 0 ? no_path("TLS_TX") : 0;
}

static int tls_by(send_fn way)
{
	int r = read_file(), fd;

	if (r < 0)
		return r;
	fd = dial(SOCK_STREAM, 0);
	if (fd < 0)
		return fd;
	r = tls_keys(fd);
	r = r < 0 ? r : way_out(fd, way);
	close(fd);
	return r;
}

static int do_ktls_send(void) { return tls_by(send_send); }
static int do_ktls_sendfile(void) { return tls_by(send_sendfile); }

#ifdef __x86_64__
/* write(2) of i386 on a socket. */
static int do_tcp_int80(void)
{
	char *low = mmap(NULL, LOW_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	int r = read_file(), fd;

	if (r < 0)
		return r;
	if (low == MAP_FAILED)
		return -errno;
	signal(SIGSEGV, refused);
	if (sigsetjmp(no_int80, 1)) {
		errno = ENOSYS;
		return no_path("int 0x80");
	}
	fd = dial(SOCK_STREAM, 0);
	while (fd >= 0 && me.sent < amount()) {
		long n = int80(4, fd, (long)low, (long)MIN(amount() - me.sent, (uint64_t)CHUNK));

		if (n < 0)
			return (int)n;
		me.sent += (uint64_t)n;
	}
	return fd < 0 ? fd : 0;
}
#else
static int do_tcp_int80(void)
{
	return do_int80();
}
#endif

/* --- datagrams: slowly enough that none is dropped ---------------------------------------------- */

static ssize_t datagram(int fd, size_t n)
{
	ssize_t done = send(fd, me.buffer, MIN(n, (size_t)1009), MSG_NOSIGNAL);

	pause_ns(200000);
	return done;
}

static ssize_t datagram_write(int fd, size_t n)
{
	ssize_t done = write(fd, me.buffer, MIN(n, (size_t)1009));

	pause_ns(200000);
	return done;
}

static ssize_t datagram_sendfile(int fd, size_t n)
{
	off_t at = 0;
	ssize_t done = sendfile(fd, plain_file(), &at, MIN(n, (size_t)1009));

	pause_ns(200000);
	return done;
}

static ssize_t datagram_segments(int fd, size_t n)
{
	ssize_t done = send(fd, me.buffer, MIN(n, (size_t)20011), MSG_NOSIGNAL);

	pause_ns(2000000);
	return done;
}

static int do_udp_send(void) { return send_by(SOCK_DGRAM, 0, datagram); }
static int do_udp_write(void) { return send_by(SOCK_DGRAM, 0, datagram_write); }
static int do_udp_sendfile(void) { return send_by(SOCK_DGRAM, 0, datagram_sendfile); }

static int do_udp_segments(void)
{
	int r = read_file(), fd, size = 1009;

	if (r < 0)
		return r;
	fd = dial(SOCK_DGRAM, 0);
	if (fd < 0)
		return fd;
	if (setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size)) < 0)
		return no_path("UDP_SEGMENT");
	return way_out(fd, datagram_segments);
}

static int do_udp_sendto(void)
{
	struct endpoint to;
	int r = read_file(), fd;

	if (r < 0)
		return r;
	if (endpoint_parse(me.arg[1], &to) < 0)
		misuse("'%s' is not ADDR:PORT", me.arg[1]);
	fd = socket(to.sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
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

#endif
