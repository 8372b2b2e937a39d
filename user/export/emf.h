/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Metrics in CloudWatch's embedded metric format, summed from the very records that are sent: one document per minute and set
 * of dimensions. What is summed depends on the records and their order alone, so that it can be summed again from the journal.
 */
#ifndef SLUICE_EMF_H
#define SLUICE_EMF_H

#include <jansson.h>

#include "user/json_write.h"

#define EMF_SETS_MAX 500     /* of dimensions in a minute; jobs and classes beyond go by "other" */
#define EMF_BYTES_MAX 900000 /* of a minute's documents */
#define EMF_MINUTE_MS 60000

struct emf;

int emf_new(struct emf **ret);
struct emf *emf_free(struct emf *e);
static inline void emf_freep(struct emf **e)
{
	emf_free(*e);
}

/* Would a record of this time be of another minute than those before? */
bool emf_other_minute(const struct emf *e, int64_t ms);
/* The first record of the minute, by number; 0: there is none yet. */
uint64_t emf_first(const struct emf *e);

/* Takes a record's figures; of another minute: emf_clear() comes first. -ENOMEM: some of it is left out. */
int emf_add(struct emf *e, const json_t *record, uint64_t seq, int64_t ms);
void emf_clear(struct emf *e);

/* What is not in records. */
struct emf_frame {
	const char *metric_namespace, *node;
	uint64_t batch;	      /* that carries the documents */
	uint64_t dropped;     /* records, since the last documents */
	uint64_t lag_seconds;
	int64_t latest_ms;    /* of the last record, as CloudWatch has it: the documents are of its minute */
	size_t max;	      /* bytes; EMF_BYTES_MAX or less, 8192 or more */
};

/* The minute's documents, one after the other, each with a NUL after it; *ret_n: how many. What would go beyond `max`
 * is left out, which the last one counts as SetsLeftOut. -ENOMEM. */
int emf_documents(const struct emf *e, const struct emf_frame *f, struct json_text *ret, size_t *ret_n);

#endif
