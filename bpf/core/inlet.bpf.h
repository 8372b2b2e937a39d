/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Who reads at a socket what a tainted subject of this host sent there; for ledger.bpf.h alone. */
#ifndef SLUICE_INLET_BPF_H
#define SLUICE_INLET_BPF_H

#define MESSAGE_MAX 65535 /* of a call that only tells how many */

static __always_inline bool in_container(__u64 task)
{
	__u32 level;
	__u64 pid;

	READ_PROBE(pid, struct task_struct, task, thread_pid);
	READ_PROBE(level, struct pid, pid, level);
	return level;
}

static __always_inline struct inlet *inlet_of(__u64 task, __u64 *sk)
{
	struct inlet *in = inlet_filter[small_hash(*sk)] ? bpf_map_lookup_elem(&inlets, sk) : NULL;

	return in && (!in->far || in_container(task)) ? in : NULL;
}

static __noinline __u64 inlet_read(__u64 task, __u64 sk, __u64 bytes)
{
	struct edge_key key = {.via = VIA_LOCAL_READ, .what.dev = SL_DEV_INLET};
	struct inlet *in = inlet_of(task, &sk);

	if (!in)
		return 0;
	key.mask = in->mask;
	if (!key.mask)
		return 0;
	key.what.ino = in->id;
	subject_of(task, &key.who);
	account_edge(&key, bytes);
	return news(&key.who, key.mask);
}

/* `bytes` came out of the socket into a task's memory. */
static __always_inline void inlet_received(__u64 task, __u64 sk, __u64 bytes)
{
	__u64 mask = sk && inlet_filter[small_hash(sk)] ? inlet_read(task, sk, bytes) : 0;

	if (mask)
		taint_task(plain(task), mask, VIA_LOCAL_READ);
}

#endif
