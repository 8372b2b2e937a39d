/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The same file by odd descriptors, the same bytes by odd descent, another process by the same number. */
#ifndef TESTS_WORK_PATHS_IDENTITY_H
#define TESTS_WORK_PATHS_IDENTITY_H

#include "tests/work/paths_memory.h"

#include <linux/sched.h>
#include <pthread.h>

#define FD_OFFERED 200

static int read_again(const char *name)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC), r;

	if (fd < 0)
		return -errno;
	me.tally.files++;
	r = read_from(fd);
	close(fd);
	return r;
}

/* --- descriptors ------------------------------------------------------------------------- */

static int do_o_path(void)
{
	int fd = open(me.arg[0], O_PATH | O_CLOEXEC);
	char name[64];

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	return fd < 0 ? -errno : read_again(name);
}

static int do_proc_fd(void)
{
	int fd = open_file();
	char name[64];

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	return fd < 0 ? fd : read_again(name);
}

static int do_handle(void)
{
	union {
		struct file_handle h;
		char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} u = {.h.handle_bytes = MAX_HANDLE_SZ};
	int mount, fd, r, any = open_file();

	if (any < 0)
		return any;
	if (name_to_handle_at(AT_FDCWD, me.arg[0], &u.h, &mount, 0) < 0)
		return no_path("name_to_handle_at");
	fd = open_by_handle_at(any, &u.h, O_RDONLY | O_CLOEXEC);
	close(any);
	if (fd < 0)
		return no_path("open_by_handle_at");
	me.tally.files++;
	r = read_from(fd);
	close(fd);
	return r;
}

static int pass_descriptor(int over, int fd)
{
	char one = 0, room[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec v = {&one, 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	return sendmsg(over, &m, 0) < 0 ? -errno : 0;
}

static int take_descriptor(int over)
{
	char one, room[CMSG_SPACE(sizeof(int))];
	struct iovec v = {&one, 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};
	struct cmsghdr *c;
	int fd;

	if (recvmsg(over, &m, MSG_CMSG_CLOEXEC) < 0)
		return -errno;
	c = CMSG_FIRSTHDR(&m);
	if (!c || c->cmsg_type != SCM_RIGHTS)
		return -EBADMSG;
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

/* Opened by one that never reads, read by one that never opens. */
static int passer(void)
{
	int fd = open_file();

	return fd < 0 ? fd : pass_descriptor(ends[1], fd);
}

static int receiver(void)
{
	int fd = take_descriptor(ends[0]);

	me.tally.files++;
	return fd < 0 ? fd : read_from(fd);
}

static int do_pass_file(void)
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	return then(part_run("passer", passer), part_run("reader", receiver));
}

/* A connected socket goes to a reader of FILE, who has no other way out. */
static int socket_passer(void)
{
	int fd = dial(SOCK_STREAM, 0);

	return fd < 0 ? fd : pass_descriptor(ends[1], fd);
}

static int socket_receiver(void)
{
	int r = read_file(), fd = take_descriptor(ends[0]);

	return r < 0 ? r : fd < 0 ? fd : send_plain(fd);
}

static int do_pass_socket(void)
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	return then(part_run("passer", socket_passer), part_run("sender", socket_receiver));
}

static int offerer(void)
{
	int fd = open_file();

	if (fd < 0 || dup2(fd, FD_OFFERED) < 0)
		return fd < 0 ? fd : -errno;
	hold_still();
	return 0;
}

static int getter(void)
{
	int pidfd = (int)syscall(SYS_pidfd_open, victim, 0), fd;

	if (pidfd < 0)
		return no_path("pidfd_open");
	fd = (int)syscall(SYS_pidfd_getfd, pidfd, FD_OFFERED, 0);
	if (fd < 0)
		return no_path("pidfd_getfd");
	me.tally.files++;
	return read_from(fd);
}

static int do_pidfd_getfd(void)
{
	int r;

	victim = part("offerer", offerer);
	r = part_holds(victim);
	if (r < 0)
		return r;
	r = part_run("reader", getter);
	return both(r, part_goes_on(victim));
}

/* --- descent ------------------------------------------------------------------------------- */

static int do_send(void)
{
	return send_out();
}

/* The child may only exec: the new image of this program is a part of its own. */
static int do_vfork(void)
{
	char *argv[] = {me.program, "-o", (char *)me.report_name, "send", "-", me.arg[1], me.arg[2], NULL};
	int r = read_file();
	pid_t pid;

	if (r < 0)
		return r;
	pid = vfork();
	if (pid == 0) {
		execv("/proc/self/exe", argv);
		_exit(EXIT_SAD);
	}
	return pid < 0 ? -errno : part_end(pid);
}

static pid_t clone_new(struct clone_args *args)
{
	args->exit_signal = SIGCHLD;
	return (pid_t)syscall(SYS_clone3, args, sizeof(*args));
}

static int do_clone3(void)
{
	struct clone_args args = {0};
	int r = read_file();
	pid_t pid;

	if (r < 0)
		return r;
	pid = clone_new(&args);
	if (pid == 0)
		play("sender", send_out);
	return pid < 0 ? no_path("clone3") : part_end(pid);
}

static void *reading_thread(void *ret)
{
	*(int *)ret = read_file();
	return NULL;
}

static int do_thread(void)
{
	pthread_t thread;
	int r = -EIO;

	if (pthread_create(&thread, NULL, reading_thread, &r))
		return -EAGAIN;
	pthread_join(thread, NULL);
	return both(r, r < 0 ? 0 : send_out());
}

/* Another process in the same memory: no byte is handed over, it is there. */
static int memory_mate(void *arg)
{
	return read_file() < 0 ? EXIT_SAD : 0;
}

static int do_clone_vm(void)
{
	static char stack[1 << 18] __attribute__((aligned(16)));
	pid_t pid = clone(memory_mate, stack + sizeof(stack), CLONE_VM | SIGCHLD, NULL);
	int r = pid < 0 ? -errno : part_end(pid);

	return both(r, r < 0 ? 0 : send_out());
}

/* Another process in the same descriptor table: it opens the way out after it was looked at. */
static int descriptor_mate(void *arg)
{
	int fd = dial(SOCK_STREAM, 0);

	return fd < 0 || dup2(fd, FD_OFFERED) < 0 ? EXIT_SAD : 0;
}

static int do_clone_files(void)
{
	static char stack[1 << 18] __attribute__((aligned(16)));
	int r = read_file();
	pid_t pid;

	if (r < 0)
		return r;
	pid = clone(descriptor_mate, stack + sizeof(stack), CLONE_FILES | SIGCHLD, NULL);
	r = pid < 0 ? -errno : part_end(pid);
	return both(r, r < 0 ? 0 : send_plain(FD_OFFERED));
}

/* --- the same number ------------------------------------------------------------------------- */

static int reads_and_ends(void)
{
	return read_file();
}

/* One reads and is gone; another, that never read, gets its number and sends. */
static int do_pid_again(void)
{
	for (int attempt = 0; attempt < 64; attempt++) {
		struct clone_args args = {0};
		pid_t reader = part("reader", reads_and_ends), pid;
		int r = part_end(reader);

		if (r < 0)
			return r;
		args.set_tid = (uint64_t)(uintptr_t)&reader;
		args.set_tid_size = 1;
		pid = clone_new(&args);
		if (pid == 0)
			play("sender", send_out);
		if (pid > 0)
			return part_end(pid);
		if (errno != EEXIST) /* somebody was quicker */
			return no_path("clone3 with a chosen number");
	}
	return -EEXIST;
}

#endif
