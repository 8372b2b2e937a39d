/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* One making of documents; for replay_docs*.c alone. */
#ifndef SLUICE_REPLAY_DOCS_INTERNAL_H
#define SLUICE_REPLAY_DOCS_INTERNAL_H

#include "user/array.h"
#include "user/tui/replay_docs.h"

struct prints {
	uint64_t *v; /* of each row, as its item was made last; 0: it was not */
	size_t n;
};

/* Sums by process, and what is the same for all. */
struct process_sum {
	uint64_t bytes[REPLAY_KINDS], out, tainted;
	uint8_t known;
	uint32_t transfers; /* the last one to it, plus one */
};

struct making {
	const struct replay *r;
	struct process_sum *sums;
	uint32_t *next_transfer; /* of the same process, plus one */
	uint32_t *writers;	 /* by the value of an object: the last transfer to it, plus one */
	uint32_t *next_writer;
	uint8_t measured; /* kinds that any record tells a figure of */
};

/* Where all items go: made only if it is not what it was. */
struct making_doc {
	struct feed_doc *doc;
	struct prints *prints;
};

static inline uint64_t mix(uint64_t sum, uint64_t n)
{
	sum = (sum ^ n) * 0x9e3779b97f4a7c15ULL;
	return sum ^ sum >> 29;
}

/* Is the row's item another than it was? It is taken to be made then. */
bool making_changed(const struct making_doc *to, uint32_t row, uint64_t print);

json_t *replay_json_count(uint64_t n);
json_t *replay_json_datasets(const struct replay *r, uint64_t mask);
/* A new reference to a value. */
json_t *replay_json(const struct replay *r, uint32_t value);
bool replay_is_outside(const json_t *remote);

int making_processes(const struct making *m, const struct making_doc *to);
int making_destinations(const struct making *m, const struct making_doc *to);
int making_jobs(const struct making *m, const struct making_doc *to);
int making_datasets(const struct making *m, const struct making_doc *to);

#endif
