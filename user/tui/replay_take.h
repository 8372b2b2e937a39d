/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Shared by the files that take records; for replay_take*.c alone. */
#ifndef SLUICE_REPLAY_TAKE_H
#define SLUICE_REPLAY_TAKE_H

#include "user/hashmap.h"
#include "user/tui/replay_table.h"

static inline int value(struct replay *r, const struct record_scan *s, const char *name, uint32_t *ret)
{
	return values_get(r->values, record_find(s, name), ret);
}

static inline uint64_t hash_span(struct span s)
{
	return s.p ? hashmap_hash(s.p, s.n) : 0;
}

/* Rows are the same if all of these are. */
static inline uint64_t hash_of(const uint64_t *parts, size_t n)
{
	return hashmap_hash(parts, n * sizeof(*parts));
}
#define HASH_OF(...) hash_of((const uint64_t[]){__VA_ARGS__}, sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

enum { OF_PROCESS = 1, OF_REST, OF_ACCESS, OF_FLOW, OF_FLOWS, OF_TRANSFER, OF_DATASET, OF_JOB, OF_FINDING };

/* The row of a job by its name's value, or of a dataset by its text. -ENOSPC, -ENOMEM; -EINVAL. */
int replay_job_get(struct replay *r, uint32_t name, uint32_t *ret);
int replay_dataset_get(struct replay *r, struct span id, uint32_t *ret);

/* One record of that type. -EINVAL, -ENOMEM, -ENOSPC. */
int replay_take_access(struct replay *r, const struct record_scan *s);
int replay_take_flow(struct replay *r, const struct record_scan *s);
int replay_take_transfer(struct replay *r, const struct record_scan *s);

#endif
