/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Sums as the model keeps them, and what records have told of them. */
#ifndef SLUICE_MODEL_ACCOUNT_H
#define SLUICE_MODEL_ACCOUNT_H

#include "user/util.h"

struct figures {
	uint64_t bytes, ops, files;
};

/* One account: what was settled and taken out of the kernel, what its live entry says, and what
 * records have been given of the sum. */
struct account {
	struct figures settled, live, given;
	uint64_t first_ns, last_ns;
};

static inline struct figures account_total(const struct account *a)
{
	return (struct figures){a->settled.bytes + a->live.bytes, a->settled.ops + a->live.ops,
				a->settled.files + a->live.files};
}

/* Payload of flows that are no longer kept one by one. */
struct past {
	uint64_t out, in, tainted;
};

/* Since when a record is due of two that become one; 0: of neither. */
static inline uint64_t due_of_both(uint64_t a, uint64_t b)
{
	return a && b ? MIN(a, b) : a | b;
}

#endif
