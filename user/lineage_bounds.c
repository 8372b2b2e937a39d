/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A bound for every node at once. */
#include "user/lineage_internal.h"

#define ROUNDS 16 /* each makes bounds tighter, one hop further; most are as they stay after two */

static uint64_t add(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

/* What it read itself and, from each neighbour, no more than moved nor than that one can have. Arcs with even numbers lead
 * from their tail. */
static uint64_t bound_of(const struct lineage *l, uint32_t v, const uint64_t *bound)
{
	uint64_t sum = l->nodes[v].supply;

	for (uint32_t a = l->nodes[v].first; a != LINEAGE_NONE; a = l->arcs[a].next) {
		if (a & 1)
			sum = add(sum, MIN(l->arcs[a ^ 1].capacity, bound[l->arcs[a].to]));
	}
	return sum;
}

void lineage_bounds(const struct lineage *l, uint64_t *ret_bound)
{
	uint64_t total = 0;
	bool tighter = true;

	for (uint32_t v = 0; v < l->nnodes; v++)
		total = add(total, l->nodes[v].supply);
	for (uint32_t v = 0; v < l->nnodes; v++)
		ret_bound[v] = total;
	for (unsigned round = 0; round < ROUNDS && tighter; round++) {
		tighter = false;
		for (uint32_t v = 0; v < l->nnodes; v++) {
			uint64_t bound = bound_of(l, v, ret_bound);

			if (bound >= ret_bound[v])
				continue;
			ret_bound[v] = bound;
			tighter = true;
		}
	}
}
