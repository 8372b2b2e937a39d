/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* One process reads FILE and hands PASS bytes to another that never had it, which sends N bytes to SINK. */
#ifndef TESTS_WORK_PATHS_RELAY_H
#define TESTS_WORK_PATHS_RELAY_H

#include "tests/work/paths_copy.h"

#include <mqueue.h>
#include <sched.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/shm.h>
#include <sys/un.h>
#include <termios.h>

#define PASS 70001
#define MESSAGE 8191
#define SHARED (1u << 20)

/* --- through a descriptor: [0] is the sender's end, [1] the source's -------------------- */

static int ends[2];
static part_fn source_way;

static int relay_source(void)
{
	int r;

	close(ends[0]);
	r = source_way();
	if (ends[1] >= 0)
		close(ends[1]);
	return r;
}

static int relay_sender(void)
{
	close(ends[1]);
	return pass_on_from(ends[0]);
}

static int relay(part_fn way)
{
	pid_t sender, source;

	source_way = way;
	sender = part("sender", relay_sender);
	source = part("source", relay_source);
	close(ends[0]);
	close(ends[1]);
	/* in this order, whatever fails: neither is left behind */
	int r = part_end(source);

	return both(r, part_end(sender));
}

static int read_and_put(void)
{
	return then(read_file(), put_all(ends[1], me.buffer, PASS));
}

static int relay_over(int made, part_fn way)
{
	return made < 0 ? no_path(me.path) : relay(way);
}

static int do_relay_pipe(void)
{
	return relay_over(pipe2(ends, O_CLOEXEC), read_and_put);
}

static int splice_to_end(void)
{
	int in = open_file();

	if (in < 0)
		return in;
	me.tally.files++;
	int r = splice_file(in, ends[1]);
	me.put = me.tally.bytes;
	return r;
}

static int do_relay_splice(void)
{
	return relay_over(pipe2(ends, O_CLOEXEC), splice_to_end);
}

/* The file goes into a pipe of one's own; what the other gets is a repetition by tee. */
static int tee_to_end(void)
{
	int in = open_file(), own[2], null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (in < 0 || null < 0 || pipe2(own, O_CLOEXEC) < 0)
		return in < 0 ? in : -errno;
	me.tally.files++;
	for (;;) {
		ssize_t n = splice(in, NULL, own[1], NULL, 4096, 0);
		ssize_t m = n > 0 ? tee(own[0], ends[1], (size_t)n, 0) : 0;

		if (n < 0 || m < 0)
			return -errno;
		if (!n)
			return 0;
		me.tally.ops++;
		me.tally.bytes += (uint64_t)n;
		me.put += (uint64_t)m;
		if (splice(own[0], NULL, null, NULL, (size_t)n, 0) != n)
			return -EIO;
	}
}

static int do_relay_tee(void)
{
	return relay_over(pipe2(ends, O_CLOEXEC), tee_to_end);
}

static int vmsplice_to_end(void)
{
	int r = read_file();

	for (size_t done = 0; r == 0 && done < PASS;) {
		struct iovec v = {me.buffer + done, PASS - done};
		ssize_t n = vmsplice(ends[1], &v, 1, 0);

		if (n < 0)
			return -errno;
		done += (size_t)n;
		me.put += (uint64_t)n;
	}
	return r;
}

static int do_relay_vmsplice(void)
{
	return relay_over(pipe2(ends, O_CLOEXEC), vmsplice_to_end);
}

static int do_relay_unix(void)
{
	return relay_over(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), read_and_put);
}

/* 1009 bytes a message; an empty one is the end. */
static int put_messages(void)
{
	int r = read_file();

	for (size_t done = 0; r == 0 && done < PASS;) {
		ssize_t n = send(ends[1], me.buffer, MIN((size_t)1009, PASS - done), 0);

		if (n < 0)
			return -errno;
		done += (size_t)n;
		me.put += (uint64_t)n;
	}
	return r;
}

static int do_relay_unix_message(void)
{
	return relay_over(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), put_messages);
}

static int sendfile_to_end(void)
{
	int in = open_file();
	ssize_t n;

	if (in < 0)
		return in;
	me.tally.files++;
	while ((n = sendfile(ends[1], in, NULL, CHUNK)) > 0) {
		me.tally.bytes += (uint64_t)n;
		me.put += (uint64_t)n;
	}
	return n < 0 ? -errno : 0;
}

static int do_relay_unix_sendfile(void)
{
	return relay_over(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), sendfile_to_end);
}

static int open_pty(void)
{
	struct termios raw;
	char name[64];

	ends[0] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (ends[0] < 0 || grantpt(ends[0]) < 0 || unlockpt(ends[0]) < 0 ||
	    ptsname_r(ends[0], name, sizeof(name)))
		return -1;
	ends[1] = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (ends[1] < 0 || tcgetattr(ends[1], &raw) < 0)
		return -1;
	cfmakeraw(&raw);
	return tcsetattr(ends[1], TCSANOW, &raw);
}

static int do_relay_pty(void)
{
	return relay_over(open_pty(), read_and_put);
}

/* Over 127.0.0.1, as to a proxy. */
static int loopback_sender(void)
{
	int fd = accept4(ends[0], NULL, NULL, SOCK_CLOEXEC);

	return fd < 0 ? -errno : pass_on_from(fd);
}

static int loopback_source(void)
{
	struct sockaddr_storage to;
	socklen_t len = sizeof(to);
	int fd, r;

	if (getsockname(ends[0], (struct sockaddr *)&to, &len) < 0)
		return -errno;
	fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, len) < 0)
		return -errno;
	r = then(read_file(), put_all(fd, me.buffer, PASS));
	close(fd);
	return r;
}

static int relay_loopback(struct sockaddr *at, socklen_t len)
{
	pid_t sender, source;
	int r;

	ends[0] = socket(at->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (ends[0] < 0 || bind(ends[0], at, len) < 0 || listen(ends[0], 1) < 0)
		return no_path("a listening socket");
	sender = part("sender", loopback_sender);
	source = part("source", loopback_source);
	close(ends[0]);
	r = part_end(source);
	return both(r, part_end(sender));
}

static int do_relay_loopback(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	return relay_loopback((struct sockaddr *)&at, sizeof(at));
}

/* A named service: an abstract name that ends with this process. */
static int do_relay_unix_service(void)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};

	snprintf(at.sun_path + 1, sizeof(at.sun_path) - 1, "sluice-paths-%d", getpid());
	return relay_loopback((struct sockaddr *)&at, sizeof(at));
}

/* --- through memory that both have --------------------------------------------------------- */

static char *shared;
static int shared_fd = -1, shared_id = -1;

static int shared_source(void)
{
	int r = read_file();

	if (r < 0)
		return r;
	if (shared_fd >= 0)
		shared = mmap(NULL, SHARED, PROT_READ | PROT_WRITE, MAP_SHARED, shared_fd, 0);
	if (shared_id >= 0)
		shared = shmat(shared_id, NULL, 0);
	if (shared == MAP_FAILED)
		return -errno;
	memcpy(shared, me.buffer, PASS);
	me.put = PASS;
	return 0;
}

static int shared_sender(void)
{
	if (shared_fd >= 0)
		shared = mmap(NULL, SHARED, PROT_READ, MAP_SHARED, shared_fd, 0);
	if (shared_id >= 0)
		shared = shmat(shared_id, NULL, SHM_RDONLY);
	if (shared == MAP_FAILED)
		return -errno;
	memcpy(me.buffer, shared, PASS);
	me.got = PASS;
	return send_out();
}

static int relay_shared(void)
{
	return then(part_run("source", shared_source), part_run("sender", shared_sender));
}

static int do_relay_anonymous(void)
{
	shared = mmap(NULL, SHARED, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return shared == MAP_FAILED ? -errno : relay_shared();
}

static int relay_shared_fd(int fd)
{
	shared_fd = fd;
	if (fd < 0 || ftruncate(fd, SHARED) < 0)
		return no_path(me.path);
	return relay_shared();
}

static int do_relay_memfd(void)
{
	return relay_shared_fd(memfd_create("paths", MFD_CLOEXEC));
}

static int do_relay_shm(void)
{
	char name[64];
	int r;

	snprintf(name, sizeof(name), "/sluice-paths-%d", getpid());
	r = relay_shared_fd(shm_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
	shm_unlink(name);
	return r;
}

static int do_relay_sysv(void)
{
	int r;

	shared_id = shmget(IPC_PRIVATE, SHARED, IPC_CREAT | 0600);
	if (shared_id < 0)
		return no_path("shmget");
	r = relay_shared();
	shmctl(shared_id, IPC_RMID, NULL);
	return r;
}

/* --- through a queue of the kernel ------------------------------------------------------------ */

static mqd_t queue;

static int queue_source(void)
{
	int r = read_file();

	for (size_t done = 0; r == 0 && done < PASS;) {
		size_t n = MIN((size_t)MESSAGE, PASS - done);

		if (mq_send(queue, me.buffer, n, 0) < 0)
			return -errno;
		done += n;
		me.put += n;
	}
	return r;
}

static int queue_sender(void)
{
	while (me.got < PASS) {
		ssize_t n = mq_receive(queue, me.buffer, BUFFER, NULL);

		if (n < 0)
			return -errno;
		me.got += (uint64_t)n;
	}
	return send_out();
}

static int do_relay_queue(void)
{
	struct mq_attr attr = {.mq_maxmsg = 10, .mq_msgsize = 8192};
	char name[64];
	int r;

	snprintf(name, sizeof(name), "/sluice-paths-%d", getpid());
	queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600, &attr);
	if (queue < 0)
		return no_path("mq_open");
	r = then(part_run("source", queue_source), part_run("sender", queue_sender));
	mq_unlink(name);
	return r;
}

static int message_source(void)
{
	struct {
		long type;
		char text[1009];
	} m = {.type = 1};
	int r = read_file();

	/* a queue holds 16 KiB by default */
	for (int i = 0; r == 0 && i < 13; i++) {
		if (msgsnd(shared_id, &m, sizeof(m.text), 0) < 0)
			return -errno;
		me.put += sizeof(m.text);
	}
	return r;
}

static int message_sender(void)
{
	struct {
		long type;
		char text[1009];
	} m;

	while (me.got < 13 * sizeof(m.text)) {
		ssize_t n = msgrcv(shared_id, &m, sizeof(m.text), 0, 0);

		if (n < 0)
			return -errno;
		me.got += (uint64_t)n;
	}
	return send_out();
}

static int do_relay_message(void)
{
	int r;

	shared_id = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
	if (shared_id < 0)
		return no_path("msgget");
	r = then(part_run("source", message_source), part_run("sender", message_sender));
	msgctl(shared_id, IPC_RMID, NULL);
	return r;
}

#endif
