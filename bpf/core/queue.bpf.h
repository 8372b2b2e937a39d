/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Message queues as carriers. A POSIX queue is an inode, marked like any file that is held for writing when its holder
 * becomes tainted. A System V queue is a number, which contains how often it was used before, in an IPC namespace. All
 * addresses are plain ones (SLUICE_PLAIN).
 */
#ifndef SLUICE_QUEUE_BPF_H
#define SLUICE_QUEUE_BPF_H

#include "core/calls.bpf.h"
#include "core/move.bpf.h"

/* The queue behind a descriptor; false: none. */
static __always_inline bool queue_object(__u64 task, __u32 fd, struct object *what)
{
	__u64 file = file_at(task, fd), inode = 0;

	if (file)
		READ_PROBE(inode, struct file, file, f_inode);
	if (!inode)
		return false;
	object_of(false, inode, what);
	return true;
}

static __always_inline void msgqueue_object(__u64 task, __u32 id, struct object *what)
{
	__u64 proxy, ns = 0;
	__u32 inum = 0;

	READ_PROBE(proxy, struct task_struct, task, nsproxy);
	if (proxy)
		READ_PROBE(ns, struct nsproxy, proxy, ipc_ns);
	if (ns)
		READ_PROBE(inum, struct ipc_namespace, ns, ns.inum);
	what->ino = (__u64)inum << 32 | id;
	what->dev = SL_DEV_MSGQUEUE;
	what->gen = 0;
}

static __noinline int queue_put(__u64 task, struct edge_key *key, __u64 bytes, bool done)
{
	struct taint *t;

	subject_at(task, &key->who);
	t = bpf_map_lookup_elem(&tainted, &key->who);
	if (!t)
		return 0;
	t->used = 1;
	key->mask = t->mask;
	object_add(&key->what, key->mask, 0);
	if (!done)
		return 0;
	announce(task, &key->who);
	account_edge(key, bytes);
	return 0;
}

static __noinline __u64 queue_got(__u64 task, struct edge_key *key, __u64 bytes)
{
	key->mask = object_mask(&key->what);
	if (!key->mask)
		return 0;
	subject_at(task, &key->who);
	account_edge(key, bytes);
	return news(&key->who, key->mask);
}

static __always_inline int queue_sent(__u64 task, __u32 fd, __u64 bytes, bool done)
{
	struct edge_key key = {.via = VIA_QUEUE_WRITE};

	return queue_object(task, fd, &key.what) ? queue_put(task, &key, bytes, done) : 0;
}

static __always_inline __u64 queue_received(__u64 task, __u32 fd, __u64 bytes)
{
	struct edge_key key = {.via = VIA_QUEUE_READ};

	return queue_object(task, fd, &key.what) ? queue_got(task, &key, bytes) : 0;
}

static __always_inline int msgqueue_sent(__u64 task, __u32 id, __u64 bytes, bool done)
{
	struct edge_key key = {.via = VIA_QUEUE_WRITE};

	msgqueue_object(task, id, &key.what);
	return queue_put(task, &key, bytes, done);
}

static __always_inline __u64 msgqueue_received(__u64 task, __u32 id, __u64 bytes)
{
	struct edge_key key = {.via = VIA_QUEUE_READ};

	msgqueue_object(task, id, &key.what);
	return queue_got(task, &key, bytes);
}

#endif
