// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* What no event tells: the state at the start, live sockets, and what changed since the last look. */
#include "core/carry.bpf.h"
#include "core/ml.bpf.h"
#include "core/unix.bpf.h"

/* Of a unix socket both ends are named: the other one may be in no descriptor table yet. */
static __always_inline void name_unix(struct seq_file *seq, __u64 sk)
{
	struct unix_end end = {};

	if (unix_object(sk, &end))
		bpf_seq_write(seq, &end.what, sizeof(end.what));
}

static __noinline int find_inlet(struct seq_file *seq, __u64 sk)
{
	struct object what = {.dev = SL_DEV_INLET};
	struct inlet *in = inlet_filter[small_hash(sk)] ? bpf_map_lookup_elem(&inlets, &sk) : NULL;

	if (!in)
		return 0;
	what.ino = in->id;
	bpf_seq_write(seq, &what, sizeof(what));
	return 0;
}

static __always_inline void find_unix(struct seq_file *seq, __u64 sk)
{
	__u64 peer = unix_peer(sk);
	__u16 family;

	READ_PROBE(family, struct sock, sk, __sk_common.skc_family);
	if (family != AF_UNIX)
		return;
	name_unix(seq, sk);
	if (peer)
		name_unix(seq, peer);
}

/* Descriptors already open: sockets get their flow or their owner; pipes are named, so that user space
 * learns which of those it knows are gone. */
SEC("?iter/task_file")
int find_files(struct bpf_iter__task_file *ctx)
{
	__u64 task = (__u64)ctx->task, file = (__u64)ctx->file, inode, sk;
	__u16 mode;
	struct object what = {};

	if (!task || !file)
		return 0;
	READ(inode, struct file, file, f_inode);
	if (!inode)
		return 0;
	READ(mode, struct inode, inode, i_mode);
	if (((mode & S_IFMT) == S_IFIFO || (mode & S_IFMT) == S_IFREG) && any_taint) {
		object_of(false, inode, &what);
		if ((mode & S_IFMT) == S_IFIFO || bpf_map_lookup_elem(&objects, &what))
			bpf_seq_write(ctx->meta->seq, &what, sizeof(what));
	}
	if ((mode & S_IFMT) == S_IFCHR)
		ml_look(plain(task), plain(file), 0);
	if ((mode & S_IFMT) == S_IFCHR && any_taint && char_source(plain(file), plain(inode), &what)) {
		bpf_seq_write(ctx->meta->seq, &what, sizeof(what));
		if (what.gen == SL_GEN_SERVED)
			return 0;
		what.gen ^= AT_SLAVE; /* both ways are there as long as one end is open */
		bpf_seq_write(ctx->meta->seq, &what, sizeof(what));
	}
	if ((mode & S_IFMT) != S_IFSOCK)
		return 0;
	sk = socket_of(file);
	if (sk)
		socket_found(task, sk);
	if (sk)
		find_inlet(ctx->meta->seq, plain(sk));
	if (sk && any_taint)
		find_unix(ctx->meta->seq, plain(sk));
	return 0;
}

/* Files already mapped. */
SEC("?iter/task_vma")
int find_mappings(struct bpf_iter__task_vma *ctx)
{
	struct task_struct *task = ctx->task;
	struct vm_area_struct *vma = ctx->vma;
	__u64 file;

	if (!task || !vma || task->pid != task->tgid)
		return 0;
	file = (__u64)vma->vm_file;
	if (!file)
		return 0;
	map_done((__u64)task, file, vma->vm_end - vma->vm_start, vma->vm_pgoff << 12 | (vma->vm_flags & VM_MAYSHARE ? OF_SHARED : 0));
	ml_look(plain((__u64)task), plain(file), vma->vm_flags);
	return 0;
}

/* Whoever held tagged bytes under a monitor before this one. */
SEC("?iter/task")
int find_carriers(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	__u64 mask, addr;

	if (!task || task->pid != task->tgid)
		return 0;
	addr = plain((__u64)task);
	mask = take_up(addr);
	if (mask)
		taint_task(addr, mask, VIA_HELD);
	return 0;
}

/* Each flow's figures, brought up to date from its socket. */
SEC("?iter/bpf_map_elem")
int sweep_flows(struct bpf_iter__bpf_map_elem *ctx)
{
	struct flow_key *key = ctx->key;
	struct flow *f = ctx->value, *now;
	struct flow_key k;

	if (!key || !f || !f->id)
		return 0;
	k = *key;
	if (k.proto == IPPROTO_TCP)
		tcp_sweep(&k, f);
	if (f->closed == FLOW_MOVING && k.sock != f->id)
		return 0;
	if (bpf_seq_write(ctx->meta->seq, &k, sizeof(k)) || bpf_seq_write(ctx->meta->seq, f, sizeof(*f)))
		return 0; /* it comes again in the next part */
	if (f->closed == FLOW_MISSED) {
		now = bpf_map_lookup_elem(&flows, &k);
		if (now && now->id == f->id)
			flow_take(&k);
	}
	return 0;
}

/* Pipes that nobody has open any more. */
SEC("?iter/bpf_map_elem")
int find_dead_pipes(struct bpf_iter__bpf_map_elem *ctx)
{
	struct object *key = ctx->key, what;
	struct object_taint *t = ctx->value;

	if (!key || !t || !t->inode)
		return 0;
	what = *key;
	if (pipe_dead(&what, t->inode))
		bpf_seq_write(ctx->meta->seq, &what, sizeof(what));
	return 0;
}

/* Key and value of every entry of one map that is worth telling. */
#define DUMP(name, key_type, value_type, worth)                                                    \
	SEC("?iter/bpf_map_elem")                                                                  \
	int name(struct bpf_iter__bpf_map_elem *ctx)                                               \
	{                                                                                          \
		key_type *key = ctx->key;                                                          \
		value_type *v = ctx->value;                                                        \
                                                                                                   \
		if (!key || !v || !(worth))                                                        \
			return 0;                                                                  \
		bpf_seq_write(ctx->meta->seq, key, sizeof(*key));                                  \
		bpf_seq_write(ctx->meta->seq, v, sizeof(*v));                                      \
		return 0;                                                                          \
	}

DUMP(dump_ledger, struct ledger_key, struct ledger_val, v->last_ns >= dump_since_ns)
DUMP(dump_edges, struct edge_key, struct edge_val, v->last_ns >= dump_since_ns)
/* a taint that only just became `used` has an old time: all that count are given */
DUMP(dump_tainted, struct subject, struct taint, v->used || !dump_since_ns)
DUMP(dump_links, struct link_key, __u64, *v >= dump_since_ns)
DUMP(dump_flow_taints, struct flow_taint_key, struct flow_taint, v->since_ns >= dump_since_ns)

char LICENSE[] SEC("license") = "Dual MIT/GPL";
