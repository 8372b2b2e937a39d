/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Reads whose system call does not say how much was read. */
#include "user/canary_steps.h"

#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

/* --- io_uring, without its library ---------------------------------------------------------- */

struct ring {
	int fd;
	char *sq, *cq;
	struct io_uring_sqe *sqes;
	struct io_uring_params p;
};

static int ring_open(struct canary *c, struct ring *r)
{
	size_t sq, cq;

	memset(r, 0, sizeof(*r));
	r->fd = (int)syscall(SYS_io_uring_setup, 4, &r->p);
	if (r->fd < 0)
		return canary_refuse(c, "io_uring_setup");
	sq = r->p.sq_off.array + r->p.sq_entries * sizeof(uint32_t);
	cq = r->p.cq_off.cqes + r->p.cq_entries * sizeof(struct io_uring_cqe);
	r->sq = mmap(NULL, sq, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, IORING_OFF_SQ_RING);
	r->cq = mmap(NULL, cq, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, IORING_OFF_CQ_RING);
	r->sqes = mmap(NULL, r->p.sq_entries * sizeof(*r->sqes), PROT_READ | PROT_WRITE, MAP_SHARED,
		       r->fd, IORING_OFF_SQES);
	if (r->sq == MAP_FAILED || r->cq == MAP_FAILED || r->sqes == MAP_FAILED)
		return canary_refuse(c, "mmap of io_uring");
	return 0;
}

static int ring_read(struct canary *c, struct ring *r, char *buf, uint32_t n)
{
	_Atomic uint32_t *tail = (void *)(r->sq + r->p.sq_off.tail);
	uint32_t at = atomic_load(tail) & (r->p.sq_entries - 1);
	struct io_uring_cqe *cqe;

	r->sqes[at] = (struct io_uring_sqe){
	    .opcode = IORING_OP_READ, .fd = c->file, .addr = (uintptr_t)buf, .len = n, .off = 29};
	((uint32_t *)(r->sq + r->p.sq_off.array))[at] = at;
	atomic_fetch_add(tail, 1);
	if (syscall(SYS_io_uring_enter, r->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
		return canary_refuse(c, "io_uring_enter");
	cqe = (struct io_uring_cqe *)(r->cq + r->p.cq_off.cqes);
	if (cqe->res < 0)
		errno = -cqe->res;
	return canary_bytes(c, 0, "read by io_uring", cqe->res < 0 ? -1 : cqe->res, n);
}

int step_io_uring(struct canary *c)
{
	char buf[2048];
	struct ring r;
	int err = ring_open(c, &r);

	return err ? err : ring_read(c, &r, buf, 1087);
}

/* --- libaio, likewise ------------------------------------------------------------------------- */

/* In memory a direct read is an ordinary one. */
static bool on_a_device(int fd)
{
	struct statfs fs;

	return !fstatfs(fd, &fs) && fs.f_type != TMPFS_MAGIC && fs.f_type != RAMFS_MAGIC &&
	       fs.f_type != OVERLAYFS_SUPER_MAGIC;
}

int step_libaio(struct canary *c)
{
	_cleanup_close_ int fd = openat(c->in, "f", O_RDONLY | O_DIRECT | O_CLOEXEC);
	char *buf = mmap(NULL, 2 * CANARY_FILE_BYTES, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iocb cb = {.aio_lio_opcode = IOCB_CMD_PREAD,
			  .aio_buf = (uintptr_t)buf,
			  .aio_nbytes = 65536 + 4096};
	struct iocb *list[] = {&cb};
	struct timespec limit = {(time_t)(c->limit_ns / NSEC), (long)(c->limit_ns % NSEC)};
	aio_context_t ctx = 0;
	struct io_event done;

	if (fd < 0)
		return canary_refuse(c, "open with O_DIRECT");
	if (!on_a_device(fd)) {
		errno = EOPNOTSUPP;
		return canary_refuse(c, "direct I/O on a device");
	}
	if (buf == MAP_FAILED)
		return canary_refuse(c, "mmap");
	cb.aio_fildes = (uint32_t)fd;
	if (syscall(SYS_io_setup, 1, &ctx))
		return canary_refuse(c, "io_setup");
	if (syscall(SYS_io_submit, ctx, 1, list) != 1)
		return canary_refuse(c, "io_submit");
	if (syscall(SYS_io_getevents, ctx, 1, 1, &done, &limit) != 1)
		return canary_refuse(c, "io_getevents");
	if (done.res < 0)
		errno = (int)-done.res;
	return canary_bytes(c, 0, "io_submit", done.res < 0 ? -1 : (ssize_t)done.res,
			    CANARY_FILE_BYTES);
}
