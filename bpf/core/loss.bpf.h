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

#endif
