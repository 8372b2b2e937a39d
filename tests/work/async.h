/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* io_uring and libaio by their system calls: a batch of requests, made and waited for. */
#ifndef TESTS_WORK_ASYNC_H
#define TESTS_WORK_ASYNC_H

#include "tests/work/work.h"

#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#define DEPTH_MAX 64
#define PARTS 3
#define NO_SLOT (-1)

/* what the header here may be too old to have */
#define OP_READ_MULTISHOT 49

enum engine_kind { ENGINE_URING, ENGINE_AIO };

struct options {
	const char *report;
	enum engine_kind engine;
	uint64_t size, count, procs, refused;
	uint32_t depth;
	int direct, vector, link, worker, sqpoll, fixed_files, fixed_buffers, open, open_direct, silent, pread,
	    multishot, thread, wait_stdin;
};

struct engine {
	char *buffer[DEPTH_MAX];
	uint32_t given[DEPTH_MAX]; /* of that slot's last read: what there is to write */
	struct iovec parts[DEPTH_MAX][PARTS];
	bool fixed;		   /* the file to be read is slot 0 of the ring's table */
	/* io_uring */
	int ring, sqpoll;
	_Atomic uint32_t *sq_tail, *sq_flags, *cq_head, *cq_tail;
	uint32_t *sq_array, sq_mask, cq_mask, pending;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
	/* libaio */
	aio_context_t context;
	struct iocb iocb[DEPTH_MAX];
	uint32_t queued;
};

static inline void buffers_open(struct engine *e, const struct options *o)
{
	*e = (struct engine){.ring = -1};
	for (uint32_t i = 0; i < o->depth; i++) {
		if (posix_memalign((void **)&e->buffer[i], 4096, o->size))
			die("posix_memalign");
		memset(e->buffer[i], 0, o->size);
		e->given[i] = (uint32_t)o->size;
	}
}

/* Three parts of unlike length; all in one for O_DIRECT, whose parts must be aligned. */
static inline uint32_t parts_fill(struct engine *e, const struct options *o, uint32_t i, size_t size)
{
	size_t a = size / 2, b = size / 3;
	char *p = e->buffer[i];

	if (o->direct) {
		e->parts[i][0] = (struct iovec){p, size};
		return 1;
	}
	e->parts[i][0] = (struct iovec){p, a};
	e->parts[i][1] = (struct iovec){p + a, b};
	e->parts[i][2] = (struct iovec){p + a + b, size - a - b};
	return PARTS;
}

static inline void completed(struct engine *e, const struct options *o, uint32_t i, bool write, int64_t res,
			     struct tally *t)
{
	t->calls += !o->silent; /* else its maker counts it, completed or not */
	if (res == -ECANCELED && o->link)
		res = 0; /* behind a short one */
	if (res == -EINVAL || res == -EOPNOTSUPP)
		quit(EXIT_UNSUPPORTED, "the request is not known here: %s", strerror((int)-res));
	if (res < 0)
		quit(EXIT_SAD, "request: %s", strerror((int)-res));
	if (!write && i < DEPTH_MAX)
		e->given[i] = (uint32_t)res;
	t->bytes += (uint64_t)res;
	t->ops += res > 0;
}

/* --- io_uring -------------------------------------------------------------------- */

static inline void *uring_map(struct engine *e, size_t len, off_t what)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, e->ring, what);

	if (p == MAP_FAILED)
		die("mmap of the ring");
	return p;
}

static inline void uring_fix(struct engine *e, unsigned int what, const void *arg, unsigned int n)
{
	if (syscall(SYS_io_uring_register, e->ring, what, arg, n) < 0)
		quit(EXIT_UNSUPPORTED, "io_uring_register: %s", strerror(errno));
}

static inline int uring_register(struct engine *e, int fd)
{
	uring_fix(e, IORING_REGISTER_FILES, &fd, 1);
	e->fixed = true;
	return 0;
}

static inline void uring_open(struct engine *e, const struct options *o)
{
	struct io_uring_params p = {.flags = o->sqpoll ? IORING_SETUP_SQPOLL : 0, .sq_thread_idle = 50};
	struct iovec all[DEPTH_MAX];
	char *sq, *cq;

	buffers_open(e, o);
	e->ring = (int)syscall(SYS_io_uring_setup, 2 * DEPTH_MAX, &p);
	if (e->ring < 0)
		quit(EXIT_UNSUPPORTED, "io_uring_setup: %s", strerror(errno));
	e->sqpoll = o->sqpoll;
	sq = uring_map(e, p.sq_off.array + p.sq_entries * sizeof(uint32_t), IORING_OFF_SQ_RING);
	cq = uring_map(e, p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe), IORING_OFF_CQ_RING);
	e->sqes = uring_map(e, p.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
	e->sq_tail = (_Atomic uint32_t *)(sq + p.sq_off.tail);
	e->sq_flags = (_Atomic uint32_t *)(sq + p.sq_off.flags);
	e->sq_mask = *(uint32_t *)(sq + p.sq_off.ring_mask);
	e->sq_array = (uint32_t *)(sq + p.sq_off.array);
	e->cq_head = (_Atomic uint32_t *)(cq + p.cq_off.head);
	e->cq_tail = (_Atomic uint32_t *)(cq + p.cq_off.tail);
	e->cq_mask = *(uint32_t *)(cq + p.cq_off.ring_mask);
	e->cqes = (struct io_uring_cqe *)(cq + p.cq_off.cqes);
	for (uint32_t i = 0; i < o->depth; i++)
		all[i] = (struct iovec){e->buffer[i], o->size};
	if (o->fixed_buffers)
		uring_fix(e, IORING_REGISTER_BUFFERS, all, o->depth);
}

static inline struct io_uring_sqe *uring_sqe(struct engine *e, uint8_t op, int fd, uint64_t user_data)
{
	uint32_t tail = atomic_load_explicit(e->sq_tail, memory_order_relaxed) + e->pending;
	struct io_uring_sqe *s = &e->sqes[tail & e->sq_mask];

	*s = (struct io_uring_sqe){.opcode = op, .fd = fd, .user_data = user_data};
	e->sq_array[tail & e->sq_mask] = tail & e->sq_mask;
	e->pending++;
	return s;
}

/* Gives the kernel what was added and waits until `n` completions are there. */
static inline void uring_enter(struct engine *e, uint32_t n)
{
	uint32_t made = e->pending, flags = IORING_ENTER_GETEVENTS;
	long r;

	atomic_fetch_add(e->sq_tail, made);
	e->pending = 0;
	if (e->sqpoll && atomic_load(e->sq_flags) & IORING_SQ_NEED_WAKEUP)
		flags |= IORING_ENTER_SQ_WAKEUP;
	do
		r = syscall(SYS_io_uring_enter, e->ring, made, n, flags, NULL, 0);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		die("io_uring_enter");
}

static inline struct io_uring_cqe uring_next(struct engine *e)
{
	uint32_t head = atomic_load_explicit(e->cq_head, memory_order_relaxed);
	struct io_uring_cqe c;

	while (head == atomic_load_explicit(e->cq_tail, memory_order_acquire))
		uring_enter(e, 1);
	c = e->cqes[head & e->cq_mask];
	atomic_store_explicit(e->cq_head, head + 1, memory_order_release);
	return c;
}

#define WRITTEN (1ULL << 32)
#define BARRIER (1ULL << 33)

static inline void uring_add(struct engine *e, const struct options *o, uint32_t i, bool write, int fd, uint64_t at,
			     bool last)
{
	static const uint8_t ops[2][3] = {{IORING_OP_READ, IORING_OP_READV, IORING_OP_READ_FIXED},
					  {IORING_OP_WRITE, IORING_OP_WRITEV, IORING_OP_WRITE_FIXED}};
	struct io_uring_sqe *s;
	uint32_t size = write ? e->given[i] : (uint32_t)o->size;

	s = uring_sqe(e, ops[write][o->vector ? 1 : o->fixed_buffers ? 2 : 0], fd, i | (write ? WRITTEN : 0));
	s->off = at;
	s->addr = o->vector ? (uintptr_t)e->parts[i] : (uintptr_t)e->buffer[i];
	s->len = o->vector ? parts_fill(e, o, i, size) : size;
	s->buf_index = o->fixed_buffers ? (uint16_t)i : 0;
	if (o->worker)
		s->flags |= IOSQE_ASYNC;
	if (o->link && !last)
		s->flags |= IOSQE_IO_LINK;
	if (e->fixed && !write)
		s->flags |= IOSQE_FIXED_FILE;
	if (o->silent)
		s->flags |= IOSQE_CQE_SKIP_SUCCESS;
}

/* Silent ones are over when a request that waits for all before it is. */
static inline void uring_finish(struct engine *e, const struct options *o, uint32_t n, struct tally *t)
{
	struct io_uring_cqe c;

	if (o->silent)
		uring_sqe(e, IORING_OP_NOP, -1, BARRIER)->flags = IOSQE_IO_DRAIN;
	uring_enter(e, o->silent ? 1 : n);
	for (uint32_t i = 0; i < n || o->silent; i++) {
		c = uring_next(e);
		if (c.user_data == BARRIER)
			break;
		completed(e, o, (uint32_t)c.user_data, c.user_data & WRITTEN, c.res, t);
	}
	if (o->silent)
		t->calls += n;
}

static inline int uring_one(struct engine *e)
{
	uring_enter(e, 1);
	return uring_next(e).res;
}

/* `direct`: into slot 0 of a table of one, and among no process's descriptors. */
static inline int uring_openat(struct engine *e, const char *path, int flags, bool direct)
{
	struct io_uring_sqe *s;
	int none = -1, r;

	if (direct)
		uring_fix(e, IORING_REGISTER_FILES, &none, 1);
	s = uring_sqe(e, IORING_OP_OPENAT, AT_FDCWD, 0);
	s->addr = (uintptr_t)path;
	s->open_flags = (uint32_t)flags;
	s->file_index = direct;
	r = uring_one(e);
	if (r < 0)
		quit(r == -EINVAL ? EXIT_UNSUPPORTED : EXIT_SAD, "openat: %s", strerror(-r));
	e->fixed = direct;
	return r;
}

static inline int uring_splice(struct engine *e, const struct options *o, int in, int64_t at, int out, bool fixed)
{
	struct io_uring_sqe *s = uring_sqe(e, IORING_OP_SPLICE, out, 0);
	int r;

	s->splice_fd_in = in;
	s->splice_off_in = (uint64_t)at;
	s->off = (uint64_t)-1;
	s->len = (uint32_t)o->size;
	s->splice_flags = fixed ? SPLICE_F_FD_IN_FIXED : 0;
	r = uring_one(e);
	if (r == -EINVAL)
		quit(EXIT_UNSUPPORTED, "no splice by io_uring here");
	return r;
}

/* One request that goes on reading into buffers it takes from a pool. */
static inline void uring_drain_multishot(struct engine *e, const struct options *o, int fd, struct tally *t)
{
	struct io_uring_cqe c = {.flags = 0};
	struct io_uring_sqe *s;

	for (;;) {
		if (!(c.flags & IORING_CQE_F_MORE)) {
			for (uint32_t i = 0; i < o->depth; i++) {
				s = uring_sqe(e, IORING_OP_PROVIDE_BUFFERS, 1, BARRIER);
				s->addr = (uintptr_t)e->buffer[i];
				s->len = (uint32_t)o->size;
				s->off = i;
			}
			uring_enter(e, o->depth);
			for (uint32_t i = 0; i < o->depth; i++)
				uring_next(e);
			s = uring_sqe(e, OP_READ_MULTISHOT, fd, 7);
			s->flags = IOSQE_BUFFER_SELECT;
			uring_enter(e, 1);
		}
		c = uring_next(e);
		if (c.res == 0)
			return;
		if (c.res != -ENOBUFS)
			completed(e, o, DEPTH_MAX, false, c.res, t);
	}
}

/* --- libaio ---------------------------------------------------------------------- */

static inline void aio_open(struct engine *e, const struct options *o)
{
	buffers_open(e, o);
	if (syscall(SYS_io_setup, o->depth, &e->context) < 0)
		quit(EXIT_UNSUPPORTED, "io_setup: %s", strerror(errno));
}

static inline void aio_add(struct engine *e, const struct options *o, uint32_t i, bool write, int fd, uint64_t at)
{
	uint32_t size = write ? e->given[i] : (uint32_t)o->size;
	struct iocb *b = &e->iocb[i];

	*b = (struct iocb){.aio_fildes = (uint32_t)fd, .aio_offset = (int64_t)at,
			   .aio_data = i | (write ? WRITTEN : 0)};
	if (o->vector) {
		b->aio_lio_opcode = write ? IOCB_CMD_PWRITEV : IOCB_CMD_PREADV;
		b->aio_nbytes = parts_fill(e, o, i, size);
		b->aio_buf = (uintptr_t)e->parts[i];
	} else {
		b->aio_lio_opcode = write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD;
		b->aio_nbytes = size;
		b->aio_buf = (uintptr_t)e->buffer[i];
	}
}

static inline void aio_finish(struct engine *e, uint32_t n, struct tally *t)
{
	static const struct options none;
	struct io_event done[DEPTH_MAX];
	struct iocb *list[DEPTH_MAX];
	long made = 0, r;

	for (uint32_t i = 0; i < n; i++)
		list[i] = &e->iocb[i];
	while (made < (long)n) {
		r = syscall(SYS_io_submit, e->context, (long)n - made, list + made);
		if (r <= 0)
			die("io_submit");
		made += r;
	}
	for (uint32_t got = 0; got < n; got += (uint32_t)r) {
		r = syscall(SYS_io_getevents, e->context, 1L, (long)(n - got), done, NULL);
		if (r <= 0)
			die("io_getevents");
		for (long i = 0; i < r; i++)
			completed(e, &none, (uint32_t)done[i].data, done[i].data & WRITTEN, done[i].res, t);
	}
}

/* A request that the kernel takes up and then refuses: its memory is no buffer. */
static inline void aio_refused(struct engine *e, const struct options *o, int fd)
{
	struct iocb *one = &e->iocb[0];

	if (o->engine != ENGINE_AIO)
		misuse("--refused: with --engine aio");
	*one = (struct iocb){.aio_fildes = (uint32_t)fd, .aio_lio_opcode = IOCB_CMD_PREADV, .aio_nbytes = 7,
			     .aio_buf = 4096};
	if (syscall(SYS_io_submit, e->context, 1L, &one) != -1)
		quit(EXIT_SAD, "a read into nowhere was accepted");
}

static inline void engine_close(struct engine *e)
{
	if (e->ring >= 0)
		close(e->ring);
	else
		syscall(SYS_io_destroy, e->context);
}

#endif
