/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Ways for tagged bytes to go from one process to another. Who gets them is forked before the other
 * tastes. */
#include "user/canary_steps.h"

#include <fcntl.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/ptrace.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <termios.h>

static int ends[2]; /* of a pipe or socket pair: to read from, to write into */
static char page[4096];

static int nothing(struct canary *c)
{
	return 0;
}

int step_fork(struct canary *c)
{
	int err = canary_taste(c);

	return err ? err : canary_with(c, 1, nothing);
}

/* --- exec ----------------------------------------------------------------------------------- */

static void fill(int fd)
{
	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (write(fd, page, sizeof(page)) > 0)
		;
	while (write(fd, page, 1) > 0)
		;
	fcntl(fd, F_SETFL, 0);
}

/* The new image is this program again. It prints into a full pipe, and so stays to be looked at. */
static int exec_now(struct canary *c)
{
	char *argv[] = {"sluice", "--version", NULL}, *envp[] = {NULL};
	int err = canary_taste(c);

	if (err)
		return err;
	if (dup2(ends[1], STDOUT_FILENO) < 0)
		return canary_refuse(c, "dup2");
	execve("/proc/self/exe", argv, envp);
	return canary_refuse(c, "execve");
}

/* The second descriptor table entry is closed by exec: the reader then meets the end. */
int step_exec(struct canary *c)
{
	struct pollfd gone = {.events = POLLIN};
	int told[2];

	if (pipe2(ends, O_CLOEXEC) || pipe2(told, O_CLOEXEC))
		return canary_refuse(c, "pipe");
	fill(ends[1]);
	gone.fd = told[0];
	int err = canary_start(c, 1, exec_now);
	close(told[1]);
	if (!err && poll(&gone, 1, (int)(c->limit_ns / 1000000)) != 1) {
		errno = ETIMEDOUT;
		return canary_refuse(c, "execve");
	}
	return err ? err : c->note->err;
}

static int end_now(struct canary *c)
{
	canary_taste(c);
	atomic_store(&c->note->ready[1], 1);
	_exit(0);
}

int step_exit(struct canary *c)
{
	int status, err = canary_start(c, 1, end_now);

	if (err)
		return err;
	if (waitpid(c->note->pid[1], &status, 0) < 0)
		return canary_refuse(c, "waitpid");
	return c->note->err;
}

/* --- pipes ------------------------------------------------------------------------------------ */

static int read_pipe(struct canary *c)
{
	return canary_bytes(c, 1, "read", read(ends[0], page, sizeof(page)), 1091);
}

static int readv_pipe(struct canary *c)
{
	struct iovec v[2] = {{page, 500}, {page + 500, sizeof(page) - 500}};

	return canary_bytes(c, 1, "readv", readv(ends[0], v, 2), 1093);
}

static int through_pipe(struct canary *c, int (*reader)(struct canary *), size_t n)
{
	int err;

	if (pipe2(ends, O_CLOEXEC))
		return canary_refuse(c, "pipe");
	err = canary_start(c, 1, reader);
	if (!err)
		err = canary_taste(c);
	if (!err)
		err = canary_bytes(c, 0, "write", write(ends[1], page, n), n);
	return err ? err : canary_wait(c, 1);
}

int step_pipe(struct canary *c)
{
	return through_pipe(c, read_pipe, 1091);
}

int step_pipe_readv(struct canary *c)
{
	return through_pipe(c, readv_pipe, 1093);
}

int step_new_pipe(struct canary *c)
{
	int err = canary_taste(c);

	if (err)
		return err;
	if (pipe2(ends, O_CLOEXEC))
		return canary_refuse(c, "pipe");
	return canary_about(c, ends[1]);
}

int step_open_fifo(struct canary *c)
{
	int fd, err = canary_taste(c);

	if (err)
		return err;
	if (mkfifoat(c->out, "fifo", 0600))
		return canary_refuse(c, "mkfifo");
	fd = openat(c->out, "fifo", O_RDWR | O_CLOEXEC);
	return fd < 0 ? canary_refuse(c, "open") : canary_about(c, fd);
}

/* --- terminals --------------------------------------------------------------------------------- */

#define TTY_BYTES 241 /* less than a line holds: no write waits */

static int read_terminal(struct canary *c)
{
	size_t got = 0;

	while (got < TTY_BYTES) {
		ssize_t n = read(ends[0], page + got, TTY_BYTES - got);

		if (n <= 0)
			return canary_refuse(c, "read from a terminal");
		got += (size_t)n;
	}
	return canary_bytes(c, 1, "read", (ssize_t)got, TTY_BYTES);
}

/* As a shell's output comes to who holds the master. */
int step_terminal(struct canary *c)
{
	struct termios raw;
	char name[64];
	int err;

	ends[0] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (ends[0] < 0 || unlockpt(ends[0]) || ptsname_r(ends[0], name, sizeof(name)))
		return canary_refuse(c, "posix_openpt");
	ends[1] = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (ends[1] < 0 || tcgetattr(ends[1], &raw))
		return canary_refuse(c, "open a terminal");
	cfmakeraw(&raw);
	if (tcsetattr(ends[1], TCSANOW, &raw))
		return canary_refuse(c, "tcsetattr");
	err = canary_start(c, 1, read_terminal);
	if (!err)
		err = canary_taste(c);
	if (!err)
		err = canary_bytes(c, 0, "write", write(ends[1], page, TTY_BYTES), TTY_BYTES);
	return err ? err : canary_wait(c, 1);
}

/* --- another's memory ------------------------------------------------------------------------- */

/* The parent of both stays without taint; the one looked into has it. */
static int tasted(struct canary *c)
{
	return canary_taste(c);
}

static int peek(struct canary *c, int (*look)(struct canary *))
{
	int err = canary_with(c, 1, tasted);

	return err ? err : canary_with(c, 2, look);
}

static int look_vm(struct canary *c)
{
	char buf[64];
	struct iovec here = {buf, 61}, there = {page, 61};

	return canary_bytes(c, 2, "process_vm_readv",
			    process_vm_readv(c->note->pid[1], &here, 1, &there, 1, 0), 61);
}

static int look_ptrace(struct canary *c)
{
	int status;

	if (ptrace(PTRACE_ATTACH, c->note->pid[1], NULL, NULL))
		return canary_refuse(c, "ptrace");
	if (waitpid(c->note->pid[1], &status, __WALL) < 0)
		return canary_refuse(c, "waitpid");
	errno = 0;
	if (ptrace(PTRACE_PEEKDATA, c->note->pid[1], page, NULL) == -1 && errno)
		return canary_refuse(c, "ptrace");
	ptrace(PTRACE_DETACH, c->note->pid[1], NULL, NULL);
	return 0;
}

static int look_proc(struct canary *c)
{
	char buf[64], path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", c->note->pid[1]);
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return canary_refuse(c, "open /proc/PID/mem");
	return canary_bytes(c, 2, "pread", pread(fd, buf, 59, (off_t)(uintptr_t)page), 59);
}

int step_process_vm_readv(struct canary *c)
{
	return peek(c, look_vm);
}

int step_ptrace(struct canary *c)
{
	return peek(c, look_ptrace);
}

int step_proc_mem(struct canary *c)
{
	return peek(c, look_proc);
}

/* --- sockets, shared memory, files --------------------------------------------------------------
 */

static int read_unix(struct canary *c)
{
	return canary_bytes(c, 1, "recv", recv(ends[0], page, sizeof(page), 0), 1097);
}

int step_unix(struct canary *c)
{
	int err;

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends))
		return canary_refuse(c, "socketpair");
	err = canary_start(c, 1, read_unix);
	if (!err)
		err = canary_taste(c);
	if (!err)
		err = canary_bytes(c, 0, "send", send(ends[1], page, 1097, 0), 1097);
	return err ? err : canary_wait(c, 1);
}

static int read_unix_stream(struct canary *c)
{
	return canary_bytes(c, 1, "read", read(ends[0], page, sizeof(page)), 1117);
}

int step_unix_stream(struct canary *c)
{
	int err;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return canary_refuse(c, "socketpair");
	err = canary_start(c, 1, read_unix_stream);
	if (!err)
		err = canary_taste(c);
	if (!err)
		err = canary_bytes(c, 0, "write", write(ends[1], page, 1117), 1117);
	return err ? err : canary_wait(c, 1);
}

static struct {
	long type;
	char text[1123];
} message = {.type = 1};

static int receive_message(struct canary *c)
{
	ssize_t n = msgrcv(ends[0], &message, sizeof(message.text), 0, 0);

	return canary_bytes(c, 1, "msgrcv", n, sizeof(message.text));
}

/* The queue is gone whatever happens. */
int step_msgqueue(struct canary *c)
{
	ssize_t n;
	int err;

	ends[0] = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
	if (ends[0] < 0)
		return canary_refuse(c, "msgget");
	err = canary_start(c, 1, receive_message);
	if (!err)
		err = canary_taste(c);
	if (!err) {
		n = msgsnd(ends[0], &message, sizeof(message.text), 0);
		err = canary_bytes(c, 0, "msgsnd", n < 0 ? n : (ssize_t)sizeof(message.text), sizeof(message.text));
	}
	if (!err)
		err = canary_wait(c, 1);
	msgctl(ends[0], IPC_RMID, NULL);
	return err;
}

static int map_shared(struct canary *c)
{
	char *at = mmap(NULL, sizeof(page), PROT_READ | PROT_WRITE, MAP_SHARED, ends[0], 0);

	if (at == MAP_FAILED)
		return canary_refuse(c, "mmap");
	at[0] = 'c';
	return 0;
}

static int map_tasted(struct canary *c)
{
	int err = canary_taste(c);

	return err ? err : map_shared(c);
}

static int tasted_and_mapped(struct canary *c)
{
	int err = map_shared(c);

	return err ? err : canary_taste(c);
}

/* The third has tasted, the second only maps what the third has mapped. */
int step_shm(struct canary *c)
{
	int err;

	ends[0] = memfd_create("sluice-canary", MFD_CLOEXEC);
	if (ends[0] < 0 || ftruncate(ends[0], sizeof(page)))
		return canary_refuse(c, "memfd_create");
	err = canary_with(c, 2, map_tasted);
	return err ? err : canary_with(c, 1, map_shared);
}

/* The second makes no call after the third has tasted. */
int step_shm_before(struct canary *c)
{
	int err;

	ends[0] = memfd_create("sluice-canary", MFD_CLOEXEC);
	if (ends[0] < 0 || ftruncate(ends[0], sizeof(page)))
		return canary_refuse(c, "memfd_create");
	err = canary_with(c, 1, map_shared);
	return err ? err : canary_with(c, 2, tasted_and_mapped);
}

static int attach_shared(struct canary *c)
{
	return shmat(ends[0], NULL, 0) == (void *)-1 ? canary_refuse(c, "shmat") : 0;
}

static int attach_tasted(struct canary *c)
{
	int err = canary_taste(c);

	return err ? err : attach_shared(c);
}

int step_sysv(struct canary *c)
{
	int err;

	ends[0] = shmget(IPC_PRIVATE, sizeof(page), IPC_CREAT | 0600);
	if (ends[0] < 0)
		return canary_refuse(c, "shmget");
	err = canary_with(c, 2, attach_tasted);
	if (!err)
		err = canary_with(c, 1, attach_shared);
	shmctl(ends[0], IPC_RMID, NULL);
	return err;
}

static const char *derived_name;
static size_t derived_bytes;

static int read_derived(struct canary *c)
{
	int fd = openat(c->out, derived_name, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return canary_refuse(c, "open");
	return canary_bytes(c, 1, "read", read(fd, page, sizeof(page)), derived_bytes);
}

/* The third writes, the second reads; the first has tasted nothing. */
static int write_derived(struct canary *c)
{
	int fd, err = canary_taste(c);

	if (err)
		return err;
	fd = openat(c->out, derived_name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return canary_refuse(c, "open");
	err = canary_about(c, fd);
	if (err)
		return err;
	if (derived_bytes == 1103)
		return canary_bytes(c, 2, "write", write(fd, page, derived_bytes), derived_bytes);
	struct iovec v[2] = {{page, 100}, {page + 100, derived_bytes - 100}};
	return canary_bytes(c, 2, "writev", writev(fd, v, 2), derived_bytes);
}

static int derive(struct canary *c, const char *name, size_t n)
{
	int err;

	derived_name = name;
	derived_bytes = n;
	err = canary_with(c, 2, write_derived);
	return err ? err : canary_with(c, 1, read_derived);
}

int step_derived(struct canary *c)
{
	return derive(c, "derived", 1103);
}

int step_derivedv(struct canary *c)
{
	return derive(c, "derivedv", 1109);
}

/* No protocol: such a socket receives nothing, and nothing is sent. */
int step_packet(struct canary *c)
{
	int err = canary_taste(c);

	if (!err && socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0) < 0)
		return canary_refuse(c, "socket AF_PACKET");
	return err;
}
