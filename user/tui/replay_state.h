/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What records so far amount to: totals of processes, flows and transfers by what is the same in all of their records. Texts
 * are kept once and for good; figures can be put aside and taken up again, so that going back in time costs little.
 */
#ifndef SLUICE_REPLAY_STATE_H
#define SLUICE_REPLAY_STATE_H

#include <jansson.h>
#include "user/tui/record_scan.h"

#define REPLAY_NONE UINT32_MAX
#define REPLAY_KINDS 8	   /* of bytes read */
#define REPLAY_DATASETS 64 /* told apart in sets of them */

/* Rows of a table: what is the same for good begins with struct row_key, what changes with struct row_state. */
struct row_key {
	uint64_t hash;
};
struct row_state {
	bool present;
};

struct table {
	size_t key_size, state_size;
	char *keys, *states;
	uint32_t n, max; /* that were ever met */
	uint32_t limit;	 /* rows at most */
	uint32_t *slots; /* row plus one, by hash; 0: empty */
	size_t nslots;
};

struct process_key {
	struct row_key row;
};
struct process_row {
	struct row_state is;
	uint32_t process, job, labels; /* values; of the rest of a job `process` is none */
	uint64_t datasets;
};

struct access_key {
	struct row_key row;
	uint32_t process; /* none: nobody knows whose */
	uint32_t dataset;
};
struct access_row {
	struct row_state is;
	uint8_t known; /* kinds that a figure was told of */
	uint64_t bytes[REPLAY_KINDS];
};

struct flow_key {
	struct row_key row;
	uint32_t proto, local;
};
struct flow_row {
	struct row_state is;
	bool rest; /* of flows that there was no room for one by one */
	uint32_t process; /* row */
	uint32_t whose, job, labels, remote, direction, encrypted, starttls, allowed; /* values */
	uint32_t end; /* value: remote, without the port where that is a client's own */
	uint64_t out, in, tainted, datasets;
};

struct transfer_key {
	struct row_key row;
	uint32_t to;	    /* row of processes; none: to an object */
	uint32_t from_process; /* row; none: from an object */
	uint32_t via, from, target; /* values; target of one that goes to an object */
};
struct transfer_row {
	struct row_state is;
	bool unlimited;
	uint64_t bytes, datasets;
};

struct dataset_key {
	struct row_key row;
	uint32_t id; /* value */
};
struct dataset_row {
	struct row_state is;
	bool unnamed; /* some of its readers have no name */
	uint32_t tags;
};

struct job_key {
	struct row_key row;
	uint32_t name; /* value */
};
struct job_row {
	struct row_state is;
	uint32_t labels, ml; /* values */
	uint64_t findings;
};

struct blob;
struct finding_key {
	struct row_key row;
	uint32_t id;
};
struct finding_row {
	struct row_state is;
	uint32_t dataset; /* row */
	struct blob *record;
};

enum replay_table {
	REPLAY_PROCESSES,
	REPLAY_ACCESSES,
	REPLAY_FLOWS,
	REPLAY_TRANSFERS,
	REPLAY_OF_DATASETS,
	REPLAY_OF_JOBS,
	REPLAY_OF_FINDINGS,
	REPLAY_TABLES,
};

struct replay_values;

struct replay {
	struct replay_values *values;
	struct table tables[REPLAY_TABLES];
	char kinds[REPLAY_KINDS][16];
	unsigned nkinds;
	struct blob *health; /* the last record of it; NULL: none yet */
	uint32_t host;	     /* value */
	uint64_t records, missing; /* missing: by their numbers */
	uint64_t seq;
	int64_t at_ns; /* of the last record, wall clock; never goes back */
	char time_text[40];
	size_t time_len;
	int64_t time_ns; /* of the text above */
};

/* -ENOMEM */
int replay_new(struct replay **ret);
struct replay *replay_free(struct replay *r);
static inline void replay_freep(struct replay **r)
{
	replay_free(*r);
}

/* One record's text. *ret_ns: when it is of, which is its time, or the last one's where that is later. 1: taken; 0: it is of
 * after `until_ns`; -EINVAL: it is none, and counts for nothing; -ENOMEM. */
int replay_take(struct replay *r, struct span record, int64_t until_ns, int64_t *ret_ns);

/* Its time alone; -EINVAL. */
int replay_time(struct span record, int64_t *ret_ns);

/* Figures as they are now; NULL: no memory. */
struct replay_mark;
struct replay_mark *replay_mark(const struct replay *r);
size_t replay_mark_size(const struct replay_mark *m); /* bytes */
struct replay_mark *replay_mark_free(struct replay_mark *m);
/* As they were then, and before the first record with a mark NULL. */
void replay_back(struct replay *r, const struct replay_mark *m);

/* Borrowed; of REPLAY_NONE null. */
json_t *replay_value(const struct replay *r, uint32_t value);
uint32_t replay_values(const struct replay *r); /* there are, numbered from 0 */

static inline void *replay_row(const struct replay *r, enum replay_table t, uint32_t i)
{
	return r->tables[t].states + i * r->tables[t].state_size;
}
static inline const void *replay_key(const struct replay *r, enum replay_table t, uint32_t i)
{
	return r->tables[t].keys + i * r->tables[t].key_size;
}
static inline bool flow_is_in(const struct replay *r, const struct flow_row *f)
{
	const char *direction = json_string_value(replay_value(r, f->direction));

	return direction && !strcmp(direction, "in");
}
static inline bool replay_present(const struct replay *r, enum replay_table t, uint32_t i)
{
	return ((const struct row_state *)replay_row(r, t, i))->present;
}

/* The row of the job of this name; none: it is not among those that are told apart. */
uint32_t replay_job(const struct replay *r, uint32_t name);

struct span blob_text(const struct blob *b);

#endif
