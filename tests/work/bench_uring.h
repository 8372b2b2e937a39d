/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* io_uring by its system calls alone: a ring of reads, submitted and reaped by the batch. */
#ifndef TESTS_WORK_BENCH_URING_H
#define TESTS_WORK_BENCH_URING_H

#include "tests/work/bench.h"

#include <linux/io_uring.h>
#include <sys/syscall.h>

#define URING_DEPTH 32

static struct {
	int fd;
	_Atomic uint32_t *sq_tail, *cq_head, *cq_tail;
	uint32_t *sq_array, sq_mask, cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
} uring;

static inline void *uring_map(size_t len, off_t what)
{
	void *p =
	    mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, uring.fd, what);

	if (p == MAP_FAILED)
		die("mmap of the ring");
	return p;
}

static inline void uring_open(void)
{
	struct io_uring_params p = {0};
	char *sq, *cq;

	uring.fd = (int)syscall(SYS_io_uring_setup, URING_DEPTH, &p);
	if (uring.fd < 0)
		quit(EXIT_UNSUPPORTED, "io_uring_setup: %s", strerror(errno));
	sq = uring_map(p.sq_off.array + p.sq_entries * sizeof(uint32_t), IORING_OFF_SQ_RING);
	cq = uring_map(p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe),
		       IORING_OFF_CQ_RING);
	uring.sqes = uring_map(p.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
	uring.sq_tail = (_Atomic uint32_t *)(sq + p.sq_off.tail);
	uring.sq_mask = *(uint32_t *)(sq + p.sq_off.ring_mask);
	uring.sq_array = (uint32_t *)(sq + p.sq_off.array);
	uring.cq_head = (_Atomic uint32_t *)(cq + p.cq_off.head);
	uring.cq_tail = (_Atomic uint32_t *)(cq + p.cq_off.tail);
	uring.cq_mask = *(uint32_t *)(cq + p.cq_off.ring_mask);
	uring.cqes = (struct io_uring_cqe *)(cq + p.cq_off.cqes);
}

static inline void uring_add_read(int fd, void *buffer, uint32_t len, uint64_t at)
{
	uint32_t tail = atomic_load_explicit(uring.sq_tail, memory_order_relaxed);
	struct io_uring_sqe *e = &uring.sqes[tail & uring.sq_mask];

	memset(e, 0, sizeof(*e));
	e->opcode = IORING_OP_READ;
	e->fd = fd;
	e->off = at;
	e->addr = (uint64_t)(uintptr_t)buffer;
	e->len = len;
	uring.sq_array[tail & uring.sq_mask] = tail & uring.sq_mask;
	atomic_store_explicit(uring.sq_tail, tail + 1, memory_order_release);
}

/* Submits `n` reads, waits for them all, returns the bytes read. */
static inline uint64_t uring_finish(unsigned int n)
{
	uint32_t head = atomic_load_explicit(uring.cq_head, memory_order_relaxed);
	uint64_t bytes = 0;
	long r;

	do
		r = syscall(SYS_io_uring_enter, uring.fd, n, n, IORING_ENTER_GETEVENTS, NULL, 0);
	while (r < 0 && errno == EINTR);
	if (r != (long)n)
		die("io_uring_enter");
	for (unsigned int i = 0; i < n; i++, head++) {
		while (head == atomic_load_explicit(uring.cq_tail, memory_order_acquire))
			;
		errno = -uring.cqes[head & uring.cq_mask].res;
		if (uring.cqes[head & uring.cq_mask].res == -EINVAL)
			quit(EXIT_UNSUPPORTED, "IORING_OP_READ is not known here");
		bytes += (uint64_t)must(uring.cqes[head & uring.cq_mask].res, "io_uring read");
	}
	atomic_store_explicit(uring.cq_head, head, memory_order_release);
	return bytes;
}

#endif
