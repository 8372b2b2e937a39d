/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Shared by the files that make records. */
#ifndef SLUICE_RECORD_INTERNAL_H
#define SLUICE_RECORD_INTERNAL_H

#include "user/export/record.h"
#include "user/export/record_fields.h"

struct ds_graph;

struct emission {
	struct model *m;
	const struct timespec *wall;
	record_sink sink;
	void *arg;
	int count;
	json_t *time, *host; /* the same in every record */
	json_t *tags[SL_DATASETS_MAX];
	struct ds_graph *graphs[SL_DATASETS_MAX]; /* the model's, as far as asked for; of derivations */
};

/* 0: the sink has it; above 0: it has, and has enough. */
int record_give(struct emission *e, const char *type, const struct field *fields, const struct subject_matter *s);

/* record_totals.c: accesses, flows and transfers. Whoever waited longest comes first; unless `all`, the rest waits when
 * the sink has enough. */
int give_totals(struct emission *e, uint64_t now_ns, bool all);

#endif
