/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A dataset's network and what its nodes stand for; for model_graph*.c alone. */
#ifndef SLUICE_MODEL_GRAPH_INTERNAL_H
#define SLUICE_MODEL_GRAPH_INTERNAL_H

#include "user/model_graph.h"

struct ds_graph {
	unsigned dataset;
	uint64_t version;
	uint64_t most; /* no bound is above it: the dataset's size, where that may be used */
	bool waiting;  /* a flow's sender was not known yet: build again at the next evaluation */
	struct lineage *net;
	struct graph_ref *refs; /* by node */
	size_t nrefs, max_refs;
	uint32_t *subject_node, *object_node, *flow_node; /* by slot; LINEAGE_NONE */
	uint32_t subjects, objects, flows; /* slots there were; what came later has no part in it */
	bool *reached;		  /* by node */
};

/* A flow under a process that could have handed it down; sorted by process, then start. */
struct heritage {
	const struct m_process *process;
	uint64_t start_ns;
	uint32_t flow;	   /* node */
	uint32_t prefix;   /* leads to this and every earlier flow of the process */
	uint64_t earliest; /* arrival of the dataset at whoever leads here */
};

struct build {
	const struct model *m;
	struct ds_graph *g;
	struct heritage *heritage;
	size_t nheritage, max_heritage;
	/* By process slot: the first of its heritage; itself or the next above that has some. */
	uint32_t *range;
	const struct m_process **nearest;
	bool *nearest_known;
	uint64_t *arrival; /* by subject slot; 0: not asked yet */
	struct hashmap jobs; /* nodes fed by all holders of a job */
	bool jobs_made;
	uint32_t everyone;
};

int graph_add_node(struct build *b, uint64_t supply, enum ref_kind kind, const void *of,
		   uint32_t *ret);
/* A node for the subject, unless it has one. */
int graph_add_subject(struct build *b, const struct m_subject *s);
/* An arc without limit; nothing where one end is LINEAGE_NONE. */
int graph_lead(struct build *b, uint32_t from, uint32_t to);
uint32_t graph_node_of(const struct build *b, const struct m_subject *s);
/* The same of one that passes something on: LINEAGE_NONE of a trusted one. */
uint32_t graph_source_of(const struct build *b, const struct m_subject *s);
/* The node that every holder of the dataset leads to. */
int graph_everyone(struct build *b, uint32_t *ret);
/* The node that the holders of a job lead to; where a job has none, that of everyone. */
int graph_job_holders(struct build *b, const struct m_job *job, uint32_t *ret);
int graph_add_flows(struct build *b);

#endif
