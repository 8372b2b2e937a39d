/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * How many distinct bytes of one dataset can have gone from where they were read to where they
 * left. Nodes are holders of bytes; a node's `supply` is what it read of the dataset itself; an
 * arc's capacity is how many bytes moved along it. A byte that left crossed every cut between the
 * dataset and the exit at least once, so the number of distinct bytes that left is at most the
 * smallest cut: the maximum flow. Cycles, repeated reads, copies kept by the sender and bytes split
 * over several ways are all covered by that one argument, whatever the order of events was.
 *
 * The network knows nothing of processes; user/model_graph.h builds it from the model.
 */
#ifndef SLUICE_LINEAGE_H
#define SLUICE_LINEAGE_H

#include "user/util.h"

#define LINEAGE_UNLIMITED UINT64_MAX
#define LINEAGE_NONE UINT32_MAX

struct lineage;

/* Bytes that left (or are asked about) at a node; UNLIMITED asks for the node's volume. */
struct tap {
	uint32_t node;
	uint64_t limit;
};

struct leak {
	uint64_t bound;	  /* at most so many distinct bytes reached the taps */
	uint64_t exposed; /* supply of every node from which a tap can be reached; of the past what they expose of it */
	bool exact; /* false: the allowance of work ran out and `bound` is only min(supply, limits)
		     */
};

struct lineage *lineage_new(void);
struct lineage *lineage_free(struct lineage *l);

/* The new node's number, from 0 up, or -ENOMEM. */
int64_t lineage_node(struct lineage *l, uint64_t supply);
void lineage_supply(struct lineage *l, uint32_t node, uint64_t more);
/*
 * One node may stand for all that was read before anything was counted, at most `supply` distinct bytes; of each holder it
 * is told by lineage_held() how many of these it has (`bound`) and how many they may stand for (`exposed`, no less): what
 * others hold of them is not exposed by it. Once, before lineage_held(). As lineage_node(). lineage_held(): -ENOMEM.
 */
int64_t lineage_past(struct lineage *l, uint64_t supply);
int lineage_held(struct lineage *l, uint32_t node, uint64_t bound, uint64_t exposed);
/* Arcs without capacity are left out. -ENOMEM. */
int lineage_arc(struct lineage *l, uint32_t from, uint32_t to, uint64_t capacity);

size_t lineage_nodes(const struct lineage *l);
size_t lineage_arcs(const struct lineage *l);
uint64_t lineage_supply_of(const struct lineage *l, uint32_t node);

/* `work` is an allowance, in arcs looked at, and is reduced by what was used. -ENOMEM. */
int lineage_leak(struct lineage *l, const struct tap *taps, size_t n, uint64_t *work,
		 struct leak *ret);

/* Sets ret_reached[node] for each node that a byte of the dataset can have reached. -ENOMEM. */
int lineage_reach(const struct lineage *l, bool *ret_reached);

/* At most so many bytes each node holds, into ret_bound[node]: looser than lineage_leak() of each, and for all of them in a
 * few looks at each arc. */
void lineage_bounds(const struct lineage *l, uint64_t *ret_bound);

/* The path with the widest bottleneck, the shortest of these, from a node with supply to a tap:
 * node numbers in *ret_path (the caller frees), the last one being the tap's node. -ENOENT: no way;
 * -ENOMEM. */
int lineage_widest(const struct lineage *l, const struct tap *taps, size_t n, uint32_t **ret_path,
		   size_t *ret_n);

#endif
