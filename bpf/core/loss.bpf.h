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

/* Likewise of a ring that user space looks at less often: once when it is a quarter full, and then not again until it is emptied. */
static __always_inline __u64 wake_once(void *ring, __u64 size, volatile __u32 *woken)
{
	if (*woken || bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) <= size / 4)
		return BPF_RB_NO_WAKEUP;
	*woken = 1;
	return BPF_RB_FORCE_WAKEUP;
}

/* Once per interval: room is getting scarce. */
static __always_inline void crowd(void)
{
	struct crowd_event *ev;

	if (crowd_ns == interval_ns)
		return;
	crowd_ns = interval_ns;
	ev = bpf_ringbuf_reserve(&events, sizeof(*ev), 0);
	if (!ev)
		return; /* whoever filled it has woken user space */
	ev->type = EVENT_CROWD;
	ev->pad = 0;
	bpf_ringbuf_submit(ev, BPF_RB_FORCE_WAKEUP);
}

#endif
