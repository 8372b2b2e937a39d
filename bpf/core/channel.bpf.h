/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Ways out that nothing here measures: that a subject with tagged bytes holds one is all that can be told. */
#ifndef SLUICE_CHANNEL_BPF_H
#define SLUICE_CHANNEL_BPF_H

#include "core/subject.bpf.h"

#define EVERY_MINOR 0xfffff

#define AF_UNIX 1
#define AF_KEY 15
#define AF_NETLINK 16
#define AF_PACKET 17
#define AF_ALG 38
#define AF_VSOCK 40
#define AF_SMC 43
#define AF_XDP 44

#define CORE_DUMPED 0x80 /* in an exit status */

static const struct channel_val no_channel = {};

/* `task` is a plain address here and below. */
int channel_add(__u64 task, __u32 kind, __u32 number, __u64 mask);

__weak __noinline int channel_add(__u64 task, __u32 kind, __u32 number, __u64 mask)
{
	struct channel_key key = {.kind = kind, .number = number};
	struct channel_val *v;

	subject_at(task, &key.who);
	v = bpf_map_lookup_elem(&channels, &key);
	if (!v) {
		bpf_map_update_elem(&channels, &key, &no_channel, BPF_NOEXIST);
		v = bpf_map_lookup_elem(&channels, &key);
		if (!v) {
			lose(LOSS_CHANNEL_FULL);
			return 0;
		}
		v->first_ns = bpf_ktime_get_boot_ns();
	}
	mask_add(&v->mask, mask);
	__sync_fetch_and_add(&v->opens, 1);
	v->last_ns = bpf_ktime_get_boot_ns();
	return 0;
}

/* A socket that is not IP in the hands of a tainted subject: every family is a way out but those that are known to end
 * on this host (AF_VSOCK is none of these: whoever listens may be the hypervisor or another guest). */
static __always_inline void family_mark(__u64 task, __u16 family, __u64 mask)
{
	__u32 kind = family == AF_PACKET ? CHANNEL_PACKET : family == AF_XDP ? CHANNEL_XDP
		     : family == AF_VSOCK ? CHANNEL_VSOCK : CHANNEL_SOCKET;

	if (family != AF_UNIX && family != AF_NETLINK && family != AF_KEY && family != AF_ALG)
		channel_add(task, kind, family, mask);
}

/* The last thread of a process that was dumped is ending: its memory lies in a file, or went to a helper. */
static __always_inline void channel_core(__u64 task)
{
	struct subject who;
	__u64 mask;
	__u32 code;

	code = BPF_CORE_READ((struct task_struct *)task, signal, group_exit_code);
	if (!(code & CORE_DUMPED) || BPF_CORE_READ((struct task_struct *)task, signal, live.counter) > 0)
		return;
	subject_of(task, &who);
	mask = subject_mask(&who);
	if (mask)
		channel_add(plain(task), CHANNEL_CORE, 0, mask);
}

/* A character device in the hands of a tainted subject: is it one of the ways out? */
static __always_inline void device_mark(__u64 task, __u64 inode, __u64 mask)
{
	__u32 dev, any, *kind;

	READ(dev, struct inode, inode, i_rdev);
	any = dev | EVERY_MINOR;
	kind = bpf_map_lookup_elem(&char_devices, &dev);
	if (!kind)
		kind = bpf_map_lookup_elem(&char_devices, &any);
	if (kind && *kind < CHANNEL_KINDS)
		channel_add(task, *kind, dev, mask);
}

#endif
