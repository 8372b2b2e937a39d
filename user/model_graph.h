/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * One dataset's lineage as a network, built from the model: who read it, what moved between
 * subjects and objects, who was born with it, and which flows it can have left by.
 *
 * What moves is copied, never used up: of a file that holds n bytes each reader can have n, yet all
 * of them together no more than these n distinct ones, which is what the arcs into its node say. So
 * pipes and files are nodes of the same kind. Who looked into another's memory, or what a core dump
 * went into, has all that the other held. Whoever was born of a subject that was forgotten meanwhile
 * (it died, and of its child nothing was heard for long) can have it from every holder.
 *
 * Which subjects can have sent by a flow. The kernel names one owner and the datasets of all
 * holders:
 *  - the owner, later images of its process, earlier owners of a datagram socket;
 *  - every descendant of these born after the flow, since it inherited the descriptor;
 *  - where none of them held the dataset when the flow became tainted by it: the owner's earlier
 *    images, else its nearest tainted ancestor; failing that, every holder of the dataset;
 *  - these too where one was seen with the descriptor that did not inherit it from the owner.
 *
 * A write to a pipe is counted when it returns, but its reader can be faster. What was
 * read from an object beyond what was written is charged to the holders of the dataset in the
 * readers' jobs and to the object's known writers, up to that excess (whoever is dead may have left
 * a child that writes). While several write to one pipe at the same moment, without taking turns,
 * it is up to the pipe's buffer too small until these writes return. A file may hold much that is
 * older than its taint, and be read again and again: there a write counts when it returns, no sooner.
 *
 * What was held when this monitor began came from one node, the past, which has all that was read before.
 *
 * Reads without a subject (the overflow account) are charged to every holder. Each of these errs upward: a bound is never too
 * low for lack of knowing which it was.
 */
#ifndef SLUICE_MODEL_GRAPH_H
#define SLUICE_MODEL_GRAPH_H

#include "user/lineage.h"
#include "user/model_internal.h"

/* Arcs that may be looked at per evaluation and per snapshot, some 100 ms. */
#define GRAPH_WORK (20u << 20)

enum ref_kind { REF_AUX, REF_SUBJECT, REF_OBJECT, REF_FLOW, REF_OVERFLOW, REF_PAST };

struct graph_ref {
	enum ref_kind kind;
	const void *of; /* struct m_subject, m_object, m_flow; else NULL */
};

struct ds_graph;

/* -ENOMEM. The graph borrows from the model: it is good until the dataset's version changes. */
int ds_graph_build(const struct model *m, unsigned dataset, struct ds_graph **ret);
struct ds_graph *ds_graph_free(struct ds_graph *g);
static inline void ds_graph_freep(struct ds_graph **g)
{
	ds_graph_free(*g);
}

/* The model's own copy, built anew if something changed. */
int ds_graph_current(struct model *m, unsigned dataset, struct ds_graph **ret);

/* Does it still describe the model? */
bool ds_graph_good(const struct ds_graph *g, const struct model *m);

/* At most how many distinct bytes left by these flows, and what was exposed. */
int ds_graph_leak(struct ds_graph *g, const struct m_flow *const *flows, size_t n, uint64_t *work,
		  struct leak *ret);

/* At most how many distinct bytes the subject holds. */
int ds_graph_volume(struct ds_graph *g, const struct m_subject *s, uint64_t *work, uint64_t *ret);

/* The same of each subject below `n`, by its slot; looser, since it is for all of them. -ENOMEM. */
int ds_graph_volumes(const struct ds_graph *g, uint64_t *ret, size_t n);

/* The same of objects. */
int ds_graph_object_volumes(const struct ds_graph *g, uint64_t *ret, size_t n);

/* At most how many distinct bytes there are of it, wherever. */
uint64_t ds_graph_supply(const struct ds_graph *g);

/* At most how many distinct bytes these objects hold together, and what was exposed. */
int ds_graph_objects(struct ds_graph *g, const struct m_object *const *objects, size_t n,
		     uint64_t *work, struct leak *ret);

/* Can a byte of the dataset have reached it? */
bool ds_graph_reaches(const struct ds_graph *g, const struct m_flow *f);
bool ds_graph_holds(const struct ds_graph *g, const struct m_subject *s);

/* The widest way from the dataset to these flows, auxiliary nodes left out; the caller frees.
 * -ENOENT: there is none. */
int ds_graph_path(struct ds_graph *g, const struct m_flow *const *flows, size_t n,
		  struct graph_ref **ret_path, size_t *ret_n);
/* The same to objects. */
int ds_graph_objects_path(struct ds_graph *g, const struct m_object *const *objects, size_t n,
			  struct graph_ref **ret_path, size_t *ret_n);

/* At most how many distinct bytes these subjects hold together. */
int ds_graph_held(struct ds_graph *g, const struct m_subject *const *subjects, size_t n, uint64_t *work,
		  struct leak *ret);

/* The widest way to one of them. */
int ds_graph_held_path(struct ds_graph *g, const struct m_subject *const *subjects, size_t n,
		       struct graph_ref **ret_path, size_t *ret_n);

size_t ds_graph_arcs(const struct ds_graph *g);

#endif
