/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Room in the flow map. Flows that carry nothing tagged must not take it from those that may: they leave a quarter of
 * it, and half of that is for what is kept of many of them together. What finds no room at all is in the overflow
 * account.
 */
#ifndef SLUICE_ROOM_BPF_H
#define SLUICE_ROOM_BPF_H

#include "core/subject.bpf.h"

#define LEAVE_NONE 0 /* may carry tagged bytes */
#define LEAVE_SOME (flows_max / 8)
#define LEAVE_PLENTY (flows_max / 4)

/* Would so many records more fit? They may be counted out before they are counted in. */
static __always_inline bool flow_room(__u32 leave)
{
	return (__s64)(flows_made - flows_gone) + leave < flows_max;
}

/* False: no room, or the key has a record already. */
static __always_inline bool flow_put(struct flow_key *key, const struct flow *f, __u32 leave)
{
	if (!flow_room(leave) || bpf_map_update_elem(&flows, key, f, BPF_NOEXIST))
		return false;
	__sync_fetch_and_add(&flows_made, 1);
	return true;
}

static __always_inline void flow_take(struct flow_key *key)
{
	if (!bpf_map_delete_elem(&flows, key))
		__sync_fetch_and_add(&flows_gone, 1);
}

static __always_inline void flow_overflows(__u32 direction, __u64 bytes)
{
	__u64 *sum = bpf_map_lookup_elem(&flow_overflow, &direction);

	if (sum && bytes) /* an interrupt may come in between */
		__sync_fetch_and_add(sum, bytes);
}

/* There was no room for a flow that may carry these datasets. */
static __always_inline void flow_turned_away(__u64 mask)
{
	lose(LOSS_FLOW_FULL);
	strangers_count = 1;
	if (mask) {
		lose(LOSS_FLOW_TAINT_FULL);
		mask_add((__u64 *)&flow_overflow_mask, mask);
	}
	crowd();
}

#endif
