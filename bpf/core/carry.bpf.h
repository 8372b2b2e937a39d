/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Processes that held tagged bytes under a monitor before this one: taken up again at the start. */
#ifndef SLUICE_CARRY_BPF_H
#define SLUICE_CARRY_BPF_H

#include "core/taint.bpf.h"

/* Of the one that is known, or that it descends from, what it may hold; *from is that one's image. */
static __always_inline __u64 carrier_of(__u64 task, struct subject *from)
{
	__u64 born = ~0ULL;

	for (int i = 0; i < DESCENTS && task; i++) {
		struct carrier *c;

		subject_at(task, from);
		from->exec = 0;
		c = bpf_map_lookup_elem(&carriers, from);
		if (c) {
			from->exec = c->exec;
			return born >= c->since_ns ? c->mask : 0;
		}
		born = from->start_ns;
		READ_PROBE(task, struct task_struct, task, real_parent);
	}
	return 0;
}

/* Its taint, but for the mask itself, which taint_task() is to add: what it holds is marked by that. A plain address. */
static __noinline __u64 take_up(__u64 task)
{
	struct taint born = {.via = VIA_FORK, .used = 1};
	struct subject who;

	born.inherited = carrier_of(task, &born.from);
	if (!born.inherited)
		return 0;
	subject_at(task, &who);
	if (who.tgid == born.from.tgid && who.start_ns == born.from.start_ns) {
		if (who.exec == born.from.exec)
			return born.inherited; /* itself */
		born.via = VIA_EXEC;
	}
	born.since_ns = bpf_ktime_get_boot_ns();
	if (!bpf_map_lookup_elem(&tainted, &who) && bpf_map_update_elem(&tainted, &who, &born, BPF_NOEXIST))
		lose(LOSS_TAINT_FULL);
	return born.inherited;
}

#endif
