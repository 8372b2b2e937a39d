// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* Memory that several processes have, for both sets; and looking at it again. */
#define SLUICE_PLAIN
#include "core/shared.bpf.h"
#include "core/calls.bpf.h"

/* --- set A ------------------------------------------------------------------- */

#ifndef SLUICE_OLD_KERNEL
SEC("?fexit/do_shmat")
int BPF_PROG(a_shmat, int id, char *at, int flags, unsigned long *raddr, unsigned long align, long ret)
{
	__u64 addr = 0;

	if (!ret && any_taint && !bpf_probe_read_kernel(&addr, sizeof(addr), raddr))
		share_mapped(current_task(), addr);
	return 0;
}
#else
/* Up to bb6728d75611 ("bpf: Allow access to int pointer arguments in tracing programs"), 5.17, the address cannot be read. */
SEC("?fexit/do_shmat")
int BPF_PROG(a_shmat)
{
	if (any_taint)
		share_all(current_task());
	return 0;
}
#endif

/* --- what was missed ----------------------------------------------------------- */

/* Everyone who has a file mapped that may hold tagged bytes. Those that are gone are named. */
SEC("?iter/bpf_map_elem")
int share_again(struct bpf_iter__bpf_map_elem *ctx)
{
	struct object *key = ctx->key;
	struct object_taint *t = ctx->value;
	struct object what;
	__u64 inode, mask, needed;

	/* Without it (CONFIG_MEMCG) a mapping leads to nobody: refused then, so that the fact has no owner. */
	needed = bpf_core_field_offset(struct mm_struct, owner);
	asm volatile("" : : "r"(needed));
	if (!key || !t || !t->mapped)
		return 0;
	what = *key;
	inode = t->mapped & ~1ULL;
	mask = t->shared;
	if (share_gone(&what, inode)) {
		if (t->mapped & 1)
			bpf_seq_write(ctx->meta->seq, &what, sizeof(what));
		return 0;
	}
	if (t->since_ns >= dump_since_ns && mask)
		share(plain(inode), plain(mask), SHARE_OBJECT | SHARE_LATE);
	return 0;
}

/* All that tainted subjects have. */
SEC("?iter/task")
int share_look(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct subject who;
	__u64 mask, at;

	if (!task || !any_taint || task->pid != task->tgid)
		return 0;
	at = plain((__u64)task);
	subject_at(at, &who);
	mask = subject_mask(&who);
	if (mask)
		share(at, mask, SHARE_LATE);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
