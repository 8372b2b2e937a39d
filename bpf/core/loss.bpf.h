/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Every skip and every drop, counted by its reason. */
#ifndef SLUICE_LOSS_BPF_H
#define SLUICE_LOSS_BPF_H

#include "core/maps.bpf.h"

static __always_inline void lose(enum loss why)
{
	__u32 i = why;
	__u64 *n = bpf_map_lookup_elem(&losses, &i);

	if (n)
		__sync_fetch_and_add(n, 1);
}

/* Events wait for the next tick; only a ring that fills up wakes the monitor before. */
static __always_inline __u64 ring_flags(void)
{
	return bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) > SL_RING_BYTES / 4 ? BPF_RB_FORCE_WAKEUP
									      : BPF_RB_NO_WAKEUP;
}

#endif
