/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Unix sockets as carriers. The object is what waits to be read from a socket, named by the reading socket's inode. A
 * connection that nobody has accepted yet has no socket at its far end: its object is named by the near end's inode, and
 * keeps that name when it is accepted (`unix_ends` remembers). All addresses are plain ones (SLUICE_PLAIN).
 */
#ifndef SLUICE_UNIX_BPF_H
#define SLUICE_UNIX_BPF_H

#include "core/calls.bpf.h"
#include "core/ledger.bpf.h"

#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define SOCK_SEQPACKET 5
#define SOCK_DEAD_BIT 0 /* enum sock_flags: closed */
#define MOST_PER_CALL (1ULL << 31) /* no call moves more than MAX_RW_COUNT */

/* 0: it has none, not yet or no more. */
static __always_inline __u64 unix_inode(__u64 sk)
{
	__u64 socket = 0;

	READ_PROBE(socket, struct sock, sk, sk_socket);
	if (!socket)
		return 0;
	return socket - bpf_core_field_offset(struct socket_alloc, socket) +
	       bpf_core_field_offset(struct socket_alloc, vfs_inode);
}

static __always_inline __u64 unix_peer(__u64 sk)
{
	__u64 peer = 0;

	READ_PROBE(peer, struct unix_sock, sk, peer);
	return peer;
}

static __always_inline __u16 unix_type(__u64 sk)
{
	__u16 type;

	READ_PROBE(type, struct sock, sk, sk_type);
	return type;
}

static __always_inline bool unix_closed(__u64 sk)
{
	unsigned long flags = 0;

	READ_PROBE(flags, struct sock, sk, __sk_common.skc_flags);
	return flags >> SOCK_DEAD_BIT & 1;
}

/* A name given before accept() is this socket's if it still tells of the same near end, as far as that can be seen. */
static __always_inline bool named_after(struct unix_end *e, __u64 sk)
{
	__u64 near = unix_peer(sk), ino;

	near = near ? unix_inode(near) : 0;
	if (!near)
		return true;
	READ_PROBE(ino, struct inode, near, i_ino);
	return e->what.ino == ino;
}

#define UNIX_KNOWN 1
#define UNIX_NEW 2 /* not in `unix_ends` */

/* What waits to be read from `sk`. 0: nobody knows any more. */
static __always_inline int unix_object(__u64 sk, struct unix_end *end)
{
	struct unix_end *e = bpf_map_lookup_elem(&unix_ends, &sk);
	__u64 inode = unix_inode(sk), ino = 0;

	if (!inode && e && (unix_closed(sk) || (!e->ino && named_after(e, sk)))) {
		*end = *e;
		return UNIX_KNOWN;
	}
	if (inode) {
		READ_PROBE(ino, struct inode, inode, i_ino);
		if (e && (e->ino == ino || (!e->ino && named_after(e, sk)))) {
			e->ino = ino;
			*end = *e;
			return UNIX_KNOWN;
		}
	} else {
		inode = unix_closed(sk) ? 0 : unix_peer(sk);
		inode = inode ? unix_inode(inode) : 0;
		if (!inode)
			return 0;
	}
	object_of(false, inode, &end->what);
	if (!ino)
		end->what.dev |= SL_DEV_FAR;
	if (unix_type(sk) != SOCK_STREAM)
		end->what.dev |= SL_DEV_MESSAGES;
	end->ino = ino;
	return UNIX_NEW;
}

/* From here on it may hold bytes of these. (Of a chain of calls there may be 8: that of a mark has no room for another.) */
static __always_inline int unix_object_add(__u64 sk, struct unix_end *end, __u64 mask)
{
	int found = unix_object(sk, end);

	if (!found)
		return 0;
	if (found == UNIX_NEW && bpf_map_update_elem(&unix_ends, &sk, end, BPF_ANY))
		lose(LOSS_OBJECT_FULL);
	object_add(&end->what, mask, 0);
	return 1;
}

static __always_inline void unix_pool(struct object *what)
{
	what->ino = 0;
	what->dev = SL_DEV_POOL;
	what->gen = 0;
}

/* A tainted subject holds this socket: what waits at its other end may be its bytes. Without one it can send to any
 * socket, which set B does not see. */
static __always_inline int unix_marked(__u64 sk, __u64 mask)
{
	__u64 peer = unix_peer(sk);
	struct unix_end end = {};

	if (peer)
		return unix_object_add(peer, &end, mask);
	if (trampolines || unix_type(sk) != SOCK_DGRAM)
		return 0;
	unix_pool(&end.what);
	object_add(&end.what, mask, 0);
	return 0;
}

/* --- bytes ------------------------------------------------------------------------ */

static __noinline __u64 unix_took_from(struct edge_key *key, __u64 bytes)
{
	key->mask = object_mask(&key->what);
	if (!key->mask)
		return 0;
	account_edge(key, bytes);
	return news(&key->who, key->mask);
}

static __always_inline bool unix_has_name(__u64 sk)
{
	__u64 addr = 0;

	READ_PROBE(addr, struct unix_sock, sk, addr);
	return addr;
}

/* `bytes` were read from `sk`. Who has no name is sent to by its peer only. Returns a mask. */
static __always_inline __u64 unix_read(__u64 task, __u64 sk, __u64 bytes)
{
	struct edge_key key = {.via = VIA_UNIX_READ};
	struct unix_end end = {};
	__u64 mask = 0;

	subject_at(task, &key.who);
	if (unix_object(sk, &end)) {
		key.what = end.what;
		mask = unix_took_from(&key, bytes);
	}
	if (trampolines || unix_type(sk) != SOCK_DGRAM || !unix_has_name(sk))
		return mask;
	unix_pool(&key.what);
	return mask | unix_took_from(&key, bytes);
}

/* The edge of a write, without its object. 0: nothing tagged can have been in it. */
static __noinline int unix_writer(__u64 task, struct edge_key *key)
{
	struct taint *t;

	subject_at(task, &key->who);
	t = bpf_map_lookup_elem(&tainted, &key->who);
	if (!t)
		return 0;
	t->used = 1;
	key->mask = t->mask;
	key->via = VIA_UNIX_WRITE;
	key->own = 0;
	announce(task, &key->who);
	return 1;
}

static __noinline int unix_add(__u64 sk, struct edge_key *key)
{
	struct unix_end end = {};

	if (!unix_object_add(sk, &end, key->mask))
		return 0;
	key->what = end.what;
	return 1;
}

/* Whatever was written on `sk`, which may have been addressed to another than its peer. */
static __always_inline int unix_wrote(__u64 task, __u64 sk, __u64 bytes, bool addressed)
{
	__u64 peer = unix_peer(sk);
	struct edge_key key;

	if (!unix_writer(task, &key))
		return 0;
	if (peer && unix_add(peer, &key))
		account_edge(&key, bytes);
	if (trampolines || unix_type(sk) != SOCK_DGRAM || (peer && !addressed))
		return 0;
	unix_pool(&key.what);
	object_add(&key.what, key.mask, 0);
	account_edge(&key, bytes);
	return 0;
}

/* --- set A: datagrams, whose receiver a hook of its own names -------------------------- */

/* `task` is about to send to this one. */
static __always_inline void unix_sends_to(__u64 task, __u64 receiver)
{
	struct edge_key key;
	__u64 id = bpf_get_current_pid_tgid();

	if (!unix_writer(task, &key) || !unix_add(receiver, &key))
		return;
	if (bpf_map_update_elem(&unix_to, &id, &key.what, BPF_ANY))
		lose(LOSS_EDGE_FULL);
}

static __always_inline void unix_sent(__u64 task, __u64 sk, __u64 bytes)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct object *what = bpf_map_lookup_elem(&unix_to, &id);
	struct edge_key key;

	if (!what) {
		unix_wrote(task, sk, bytes, false);
		return;
	}
	key.what = *what;
	bpf_map_delete_elem(&unix_to, &id);
	if (unix_writer(task, &key))
		account_edge(&key, bytes);
}

/* --- set B ------------------------------------------------------------------------ */

/* Of what went in messages that were not counted one by one: no more than so many bytes. A message is not longer than
 * its sender's buffer; a piece of a stream can be. */
static __always_inline __u64 unix_most(__u64 sk, __u64 messages, bool sent)
{
	int buffer = 0;

	if (sent && unix_type(sk) != SOCK_STREAM)
		READ_PROBE(buffer, struct sock, sk, sk_sndbuf);
	return messages * (buffer > 0 ? (__u64)buffer : MOST_PER_CALL);
}

static __always_inline __u64 unix_called(__u64 task, __u64 sk, __u64 n, __u32 op)
{
	if (is_receive_op(op))
		return unix_read(task, sk, op == OP_RECVMMSG ? unix_most(sk, n, false) : n);
	unix_wrote(task, sk, op == OP_SENDMMSG ? unix_most(sk, n, true) : n, op != OP_SEND);
	return 0;
}

#endif
