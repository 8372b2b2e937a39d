/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What goes over from one monitor to the next: of each subject that lives and each object that is there at most how many
 * bytes of a dataset they hold, and by what way these came to them. The next one's bounds begin there: all of it together
 * is no more than the distinct bytes that were read until then.
 */
#ifndef SLUICE_MODEL_CARRY_H
#define SLUICE_MODEL_CARRY_H

#include "user/model_graph.h"
#include "user/policy/finding.h"

#define CARRY_HOPS_MAX 64 /* of one way */

/* Times are boot times as of this boot; of one before it they wrap below 0. */
struct carried {
	uint64_t bound;	   /* distinct bytes, at most */
	uint64_t exposed;  /* that these may stand for, no less */
	uint64_t since_ns; /* when the first of them came */
	struct hop *chain; /* how, the dataset first */
	size_t nchain;
};

/* The same of one holder. */
struct m_carried {
	struct m_carried *next;
	unsigned dataset;
	struct carried is;
};

/* Of a dataset as a whole. */
struct carried_dataset {
	uint64_t total; /* distinct bytes that all holders have together, at most */
	uint64_t size, files; /* as last scanned; 0: not known */
	bool shrank;	      /* as in struct m_dataset */
	uint64_t spent_slot_ns; /* of its budget: bytes by time, the oldest slot first; 0: nothing */
	uint64_t spent[BUDGET_SLOTS];
	uint64_t spent_until_ns; /* where the last slot ends */
};

/* --- from the monitor before ------------------------------------------------- */

/* Once per dataset, before anything is read and before its holders are told of; a total of 0: it has none. */
void model_carry_dataset(struct model *m, unsigned dataset, const struct carried_dataset *d);

/* Takes over `c->chain`, also on failure. -ENOSPC, -ENOMEM; -EINVAL: nothing was carried of such a dataset. What the holder
 * has of it already is added to. */
int model_carry_subject(struct model *m, const struct subject *who, unsigned dataset, struct carried *c);
int model_carry_object(struct model *m, const struct object *what, enum object_kind kind, unsigned dataset, struct carried *c);
/* Where it lay then (copied; NULL: not known), and whether others could read it there and that was told. -ENOENT, -ENOMEM. */
int model_recall_object(struct model *m, const struct object *what, const char *path, bool told_open);

/* --- to the next one ---------------------------------------------------------- */

/* One holder and one dataset: a subject or an object. */
struct carry_item {
	const struct m_subject *subject;
	const struct m_object *object;
	unsigned dataset;
	struct carried is; /* lent */
};

/* Is it of a kind that outlives whoever filled it, and worth to be known again? */
bool object_lasts(const struct m_object *o);

/* Of a dataset all that holds something. `work` is an allowance as for lineage_leak(); when it is used up bounds are looser
 * and ways are left out. A nonzero return of `each` ends it and is returned. -ENOMEM. */
int model_carry_each(struct model *m, unsigned dataset, uint64_t *work,
		     int (*each)(void *arg, const struct carry_item *item), void *arg);
int model_carried(struct model *m, unsigned dataset, struct carried_dataset *ret);

/* --- for the model's own files --------------------------------------------------- */

const struct m_carried *carried_of(const struct m_carried *list, unsigned dataset);
uint64_t carried_mask(const struct m_carried *list);
struct m_carried *carried_free(struct m_carried *list);
/* Adds what `from` has to `to`, and empties it. */
void carried_move(struct m_carried **to, struct m_carried **from);

#endif
