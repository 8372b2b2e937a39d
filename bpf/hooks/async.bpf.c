// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* io_uring, for both sets, and libaio. */
#define SLUICE_PLAIN
#include "core/async.bpf.h"
#include "core/libaio.bpf.h"

/*
 * What a tracepoint is called with differs between kernels, so it is asked for by its prototype (of which
 * only the kinds of arguments are compared): the verifier then sees only the branch that fits.
 *   "io-uring: Make tracepoints consistent", 5.18: a completion names its request.
 *   by 6.18: the ring's entry instead of its fields.
 */
typedef void (*btf_trace_io_uring_complete___fields5)(void *, void *, void *, u64, int, unsigned int);
typedef void (*btf_trace_io_uring_complete___fields)(void *, void *, void *, u64, int, unsigned int, u64, u64);
typedef void (*btf_trace_io_uring_complete___entry)(void *, struct io_uring_cqe *, void *, struct io_uring_cqe *);
typedef void (*btf_trace_io_uring_submit_sqe___early)(void *, void *, void *, u8, u64, u32, bool, bool);

SEC("?tp_btf/io_uring_complete")
int on_uring_complete(unsigned long long *ctx)
{
	__u64 req;

	if (bpf_core_type_exists(btf_trace_io_uring_complete___entry)) {
		struct io_uring_cqe *entry = (void *)ctx[2];

		req = ctx[1];
		return req ? uring_done(req) : uring_gave(plain(ctx[0]), entry->user_data, entry->res, 0);
	}
	if (bpf_core_type_exists(btf_trace_io_uring_complete___fields) ||
	    bpf_core_type_exists(btf_trace_io_uring_complete___fields5)) {
		req = ctx[1];
		return req ? uring_done(req) : uring_gave(ctx[0], ctx[2], ctx[3], ctx[4]);
	}
	return ctx[15]; /* no request is named: refused, so that it owns no fact here */
}

SEC("?tp_btf/io_uring_submit_req")
int on_uring_submit(unsigned long long *ctx)
{
	struct io_kiocb *req = (void *)ctx[0];

	uring_made((__u64)req, req->flags, req->opcode);
	return 0;
}

/* The same tracepoint's name up to 6.1. */
SEC("?tp_btf/io_uring_submit_sqe")
int on_uring_submit_sqe(unsigned long long *ctx)
{
	struct io_kiocb *req;

	if (bpf_core_type_exists(btf_trace_io_uring_submit_sqe___early))
		return ctx[15];
	req = (void *)ctx[0];
	uring_made((__u64)req, req->flags, req->opcode);
	return 0;
}

SEC("?tp_btf/io_uring_submit_sqe")
int on_uring_asked(unsigned long long *ctx)
{
	if (!bpf_core_type_exists(btf_trace_io_uring_submit_sqe___early))
		return ctx[15];
	return uring_only_asked(ctx[1], ctx[4]);
}

#ifndef SLUICE_OLD_KERNEL
SEC("?tracepoint/io_uring/io_uring_complete")
int steady_uring_complete(struct trace_event_raw_io_uring_complete *ctx)
{
	__u64 req = (__u64)ctx->req;

	return req ? uring_done(req) : uring_gave((__u64)ctx->ctx, ctx->user_data, ctx->res, 0);
}

SEC("?tracepoint/io_uring/io_uring_submit_req")
int steady_uring_submit(struct trace_event_raw_io_uring_submit_req *ctx)
{
	uring_made((__u64)ctx->req, ctx->flags, ctx->opcode);
	return 0;
}
#endif

/* --- libaio ------------------------------------------------------------------- */

SEC("?fentry/aio_prep_rw")
int BPF_PROG(a_aio_submit, struct kiocb *kiocb, struct iocb *asked)
{
	__u16 op = asked->aio_lio_opcode; /* the kernel's copy of it */

	if (op == IOCB_CMD_PREAD || op == IOCB_CMD_PREADV || op == IOCB_CMD_PWRITE || op == IOCB_CMD_PWRITEV)
		aio_asked(plain((__u64)kiocb), plain((__u64)kiocb->ki_filp),
			  op == IOCB_CMD_PWRITE || op == IOCB_CMD_PWRITEV, 0, 0);
	return 0;
}

SEC("?fentry/aio_complete_rw")
int BPF_PROG(a_aio_complete, struct kiocb *kiocb, long res)
{
	aio_given(plain((__u64)kiocb), res);
	return 0;
}

/* from 6.6: "iomap: Add DIO tracepoints" */
SEC("?tp_btf/iomap_dio_rw_begin")
int BPF_PROG(b_aio_submit, struct kiocb *kiocb, struct iov_iter *iter, unsigned int flags, size_t done)
{
	__u64 address = plain((__u64)kiocb), file = plain((__u64)kiocb->ki_filp), most;

	if (!iter->count || !is_libaio(address))
		return 0;
	aio_missed(address);
	most = iter->data_source ? iter->count : aio_most(address, file, iter->count);
	if (most) /* behind the end nothing is read, and nothing tells that it is over */
		aio_asked(address, file, iter->data_source, done, most + done);
	return 0;
}

SEC("?tp_btf/iomap_dio_complete")
int BPF_PROG(b_aio_complete, struct kiocb *kiocb, int error, long res)
{
	__u64 address = plain((__u64)kiocb);

	if (bpf_map_lookup_elem(&aio, &address) && is_libaio(address))
		aio_given(address, res);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
