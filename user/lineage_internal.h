/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The network's insides, for lineage*.c alone. */
#ifndef SLUICE_LINEAGE_INTERNAL_H
#define SLUICE_LINEAGE_INTERNAL_H

#include "user/lineage.h"

struct arc {
	uint64_t capacity;
	uint64_t left;
	uint32_t to;
	uint32_t next; /* of the same tail; an arc and its reverse are neighbours, i ^ 1 */
	uint32_t next_in; /* of a reverse: of those whose arc leads to the same node */
	uint32_t next_here; /* of the same tail, in the question being answered */
};

struct node {
	uint64_t supply;
	uint64_t exposes; /* of the past's supply */
	uint64_t excess, drain;
	uint32_t first, first_in, first_here;
	uint32_t label, current;
	uint32_t next_active;
	uint32_t next_same, prev_same; /* nodes of one label */
};

struct lineage {
	struct node *nodes;
	struct arc *arcs;
	size_t nnodes, max_nodes, narcs, max_arcs;
	uint32_t past; /* LINEAGE_NONE: there is none */
	uint32_t *space; /* for one question after the other */
	size_t max_space;
};

#endif
