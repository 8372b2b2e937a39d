/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* One snapshot being made; for snapshot*.c alone. */
#ifndef SLUICE_SNAPSHOT_INTERNAL_H
#define SLUICE_SNAPSHOT_INTERNAL_H

#include "user/export/record_fields.h"
#include "user/model_graph.h"

struct watch_doc;

struct snapshot_work {
	const struct model *m;
	json_t *items;		/* where they go; */
	struct watch_doc *doc;	/* or here */
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

/* Is the item to be made? Not if it would be what it was; `print` tells of all that it is made of, 0: nothing is known of that. */
bool snapshot_wants(struct snapshot_work *w, const char *id, uint64_t print);
/* Takes the item over; NULL: there was no memory for it. */
int snapshot_take(struct snapshot_work *w, const char *id, uint64_t print, json_t *item);

/* What items are made of, into one number. */
struct print {
	uint64_t sum;
};
static inline void print_add(struct print *p, uint64_t n)
{
	p->sum = (p->sum ^ n) * 0x9e3779b97f4a7c15ULL;
	p->sum ^= p->sum >> 29;
}
void print_text(struct print *p, const char *text);
void print_subject(struct print *p, const struct m_subject *s); /* who it is, by name and job too; NULL: nobody */

int job_items(struct snapshot_work *w);
int destination_items(struct snapshot_work *w);
int process_items(struct snapshot_work *w);
/* What "received" is made of. */
void print_received(struct print *p, const struct m_subject *s);
/* Adds "received" to a process's item, of these datasets, and how many ways in are not listed. -ENOMEM. */
int snapshot_received(const struct model *m, const struct m_subject *s, uint64_t held, json_t *item);

#endif
