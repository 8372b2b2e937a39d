/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The kernel half, loaded and attached as planned. Nothing else knows libbpf's objects. */
#ifndef SLUICE_ATTACH_H
#define SLUICE_ATTACH_H

#include "include/ledger.h"
#include "user/plan.h"

struct engine;

enum engine_map {
	MAP_LEDGER, MAP_OVERFLOW, MAP_TAINTED, MAP_OBJECTS, MAP_EDGES, MAP_FLOWS, MAP_FLOW_TAINTS, MAP_SOCKS,
	MAP_ROOTS, MAP_LOSSES, MAP_FLOW_OVERFLOW, MAP_EVENTS, MAP_BLOCK_DEVICES,
	MAP_CHAR_DEVICES, MAP_CHANNELS, MAP_CONNECTIONS, MAP_NET_DEVICES, MAP_UNIX_ENDS, MAP_LINKS, MAP_INLETS,
	MAP_READS, MAP_MEMBERS, MAP_CARRIERS, MAP_SAID,
	ENGINE_MAPS,
};

enum engine_iter {
	ITER_FILES, ITER_MAPPINGS, ITER_FLOWS, ITER_LEDGER, ITER_EDGES, ITER_TAINTED, ITER_FLOW_TAINTS,
	ITER_DEAD_PIPES, ITER_LINKS,
	ITER_CARRIERS, ITER_SHARED, ITER_SHARERS, /* see share_again(), share_look() in the kernel half */
	ENGINE_ITERS,
};

/* Loads and attaches what the plan has on. On failure *ret_bad is the hook (enum hook) that was refused, -1 if it was
 * something else. */
int engine_open(const struct plan *plan, struct engine **ret, int *ret_bad);
struct engine *engine_close(struct engine *e);

static inline void engine_closep(struct engine **e)
{
	engine_close(*e);
}

/* File descriptor of a map; owned by the engine. */
int engine_map_fd(const struct engine *e, enum engine_map m);
const char *engine_map_name(enum engine_map m);
uint32_t engine_map_max(const struct engine *e, enum engine_map m);

/* The same for any map of the kernel half; -ENOENT: it has none of that name. */
int engine_map_named(const struct engine *e, const char *name);

/* What the kernel counts of a program. */
struct program_count {
	uint64_t runs;	 /* only while the kernel counts runs: kernel.bpf_stats_enabled, or the self-test */
	uint64_t misses; /* runs that the kernel left out, the program being at work already */
	bool misses_known; /* 9ed9e9ba2337 ("bpf: Count the number of times recursion was prevented"), 5.12 */
};
/* -ENOENT: it is not loaded. */
int engine_count(const struct engine *e, enum hook h, struct program_count *ret);

/* Nobody holds tagged bytes: what programs keep of that beside the maps is as it was in the beginning. */
void engine_untaint(struct engine *e);

/* Memory of the monitor's own, by the descriptor of its file, that others have mapped without being passed bytes by that;
 * negative: none any more. -ENOENT: no such descriptor. */
int engine_spare(struct engine *e, int fd);

/* May any shared memory hold tagged bytes? */
bool engine_shares(const struct engine *e);

/* Kernel memory of all maps, bytes, as the kernel reports it; 0 unknown. */
uint64_t engine_map_bytes(const struct engine *e);

/* Asks the kernel which inode is behind a descriptor of the caller. -ENOENT: no such descriptor. */
int engine_identify(struct engine *e, int fd, struct file_identity *ret);

/* The same without the tag, for threads that the loop must not wait for. */
int engine_identify_aside(struct engine *e, int fd, struct file_identity *ret);

/* Runs an iterator to its end, handing over each record of `size` bytes; a nonzero return of `each` stops it
 * and is returned. -EIO: a record was cut. */
int engine_iterate(struct engine *e, enum engine_iter it, size_t size, int (*each)(void *arg, const void *record),
		   void *arg);

/* Begins an interval: what happens from here on carries this time. Iterators leave out what last changed in an
 * interval that began before `since_ns`. */
void engine_interval(struct engine *e, uint64_t boot_ns);
void engine_dump_since(struct engine *e, uint64_t since_ns);

/* A variable of the programs as they see it, NULL: there is none of that name and size. Owned by the engine. */
void *engine_variable(const struct engine *e, const char *name, size_t size);

/* Every verdict on an inode is taken anew. */
void engine_policy_changed(struct engine *e);

/* A descriptor of the v2 root: the mounted one, or a mount of our own that no path leads to. Negative errno. */
int cgroup2_open(const char *mounted);

#endif
