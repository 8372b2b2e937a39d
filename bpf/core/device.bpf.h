/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Reads of a block device instead of the files on it: how much of it was of a dataset nobody can say, so all
 * counts, for every dataset that has bytes there. Included by ledger.bpf.h.
 */
#ifndef SLUICE_DEVICE_BPF_H
#define SLUICE_DEVICE_BPF_H

struct device_walk {
	__u64 task;
	__u64 bytes;
	__u64 mask;
	struct ledger_key key;
};

/* Out of line: 5.10 takes a loop only whose last instruction is the jump back. */
static __noinline long device_add(__u32 i, struct device_walk *w)
{
	struct ledger_val *v;

	if (!(w->mask >> (i & 63) & 1))
		return 0;
	w->key.dataset = i;
	v = bpf_map_lookup_elem(&ledger, &w->key);
	if (!v) {
		bpf_map_update_elem(&ledger, &w->key, &no_access, BPF_NOEXIST);
		v = bpf_map_lookup_elem(&ledger, &w->key);
		if (!v) {
			account_overflow(w->task, &w->key, w->bytes);
			return 0;
		}
		v->first_ns = bpf_ktime_get_boot_ns();
	}
	__sync_fetch_and_add(&v->bytes, w->bytes);
	__sync_fetch_and_add(&v->ops, 1);
	v->last_ns = interval_ns;
	return 0;
}

/* `bytes` of the device that this inode is a node of reached a task. The loop sets nothing that is asked after it: each
 * round would be a state of its own to the verifier. Returns the datasets that the task has to be tainted with. */
static __noinline __u64 device_read(__u64 task, __u64 inode, __u64 bytes)
{
	struct device_walk w = {.task = task, .bytes = bytes, .key.kind = ACCESS_DEVICE};
	__u64 *holds;
	__u32 dev;

	READ_IF(TYPED, dev, struct inode, inode, i_rdev);
	holds = bpf_map_lookup_elem(&block_devices, &dev);
	if (!holds)
		return 0;
	w.mask = *holds;
	if (!w.mask)
		return 0;
	subject_of(task, &w.key.who);
	if (have_loop)
		bpf_loop(SL_DATASETS_MAX, device_add, &w, 0);
	else
		for (__u32 i = 0; i < SL_DATASETS_MAX; i++)
			device_add(i, &w);
	return news(&w.key.who, w.mask);
}

#endif
