/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* One snapshot being made; for snapshot*.c alone. */
#ifndef SLUICE_SNAPSHOT_INTERNAL_H
#define SLUICE_SNAPSHOT_INTERNAL_H

#include "user/export/record_fields.h"
#include "user/model_graph.h"

struct snapshot_work {
	const struct model *m;
	struct ds_graph *own[SL_DATASETS_MAX]; /* where the model's own is out of date */
	uint64_t allowance;
};

int snapshot_graph(struct snapshot_work *w, unsigned dataset, struct ds_graph **ret);
int snapshot_outside(struct snapshot_work *w, unsigned dataset, bool any, const struct m_job *job,
		     uint64_t *ret);

/* Which of `mask` the subject can hold, but for what was lost on the way in a declared derivation. */
int snapshot_holds(struct snapshot_work *w, const struct m_subject *s, uint64_t mask, uint64_t *ret);
struct files_figures;
json_t *snapshot_used(const struct files_figures *f);
/* By dataset; `read`: bytes of each that the job read. -ENOMEM. */
int snapshot_job_used(const struct model *m, const struct m_job *job, const uint64_t read[SL_DATASETS_MAX], json_t **ret);

int job_items(struct snapshot_work *w, json_t *items);
int destination_items(struct snapshot_work *w, json_t *items);
int process_items(struct snapshot_work *w, json_t *items);
/* Adds "received" to a process's item, of these datasets, and how many ways in are not listed. -ENOMEM. */
int snapshot_received(const struct model *m, const struct m_subject *s, uint64_t held, json_t *item);

#endif
