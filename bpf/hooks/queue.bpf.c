// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* Message queues, POSIX and System V: what set B calls, and set A's hooks. */
#define SLUICE_PLAIN
#include "core/queue.bpf.h"

__noinline __u64 queue_called(__u64 task, __u32 queue, __u64 bytes, __u32 op)
{
	if (op == OP_MQ_RECEIVE)
		return queue_received(task, queue, bytes);
	if (op == OP_MSGRCV)
		return msgqueue_received(task, queue, bytes);
	if (op == OP_MQ_SEND)
		queue_sent(task, queue, bytes, true);
	else
		msgqueue_sent(task, queue, bytes, true);
	return 0;
}

/* --- set A ------------------------------------------------------------------- */

static __always_inline void got(__u64 mask)
{
	if (mask)
		taint_task(plain(current_task()), mask, VIA_READ);
}

SEC("?fentry/do_mq_timedsend")
int BPF_PROG(a_queue_sends, int fd)
{
	if (any_taint)
		queue_sent(current_task(), fd, 0, false);
	return 0;
}

SEC("?fexit/do_mq_timedsend")
int BPF_PROG(a_queue_sent, int fd, void *msg, size_t len, unsigned int prio, void *timeout, int ret)
{
	if (!ret && any_taint)
		queue_sent(current_task(), fd, len, true);
	return 0;
}

SEC("?fexit/do_mq_timedreceive")
int BPF_PROG(a_queue_received, int fd, void *msg, size_t len, void *prio, void *timeout, int ret)
{
	if (ret >= 0 && any_taint)
		got(queue_received(current_task(), fd, ret));
	return 0;
}

SEC("?fentry/do_msgsnd")
int BPF_PROG(a_msgqueue_sends, int id)
{
	if (any_taint)
		msgqueue_sent(current_task(), id, 0, false);
	return 0;
}

SEC("?fexit/do_msgsnd")
int BPF_PROG(a_msgqueue_sent, int id, long type, void *text, size_t size, int flags, long ret)
{
	if (!ret && any_taint)
		msgqueue_sent(current_task(), id, size, true);
	return 0;
}

SEC("?fexit/do_msgrcv")
int BPF_PROG(a_msgqueue_received, int id, void *buf, size_t size, long type, int flags, void *handler, long ret)
{
	if (ret >= 0 && any_taint)
		got(msgqueue_received(current_task(), id, ret));
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
