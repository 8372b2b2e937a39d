/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Declared derivations: what a declared writer puts into a derived dataset holds no bytes of the datasets which that is
 * derived from. Decided here and not in the kernel, edge by edge, by the dataset that the file was in when it was written
 * to: what moved stays recorded, and when the declaration ends the bounds are as if it had never been.
 */
#ifndef SLUICE_MODEL_DERIVED_H
#define SLUICE_MODEL_DERIVED_H

#include "user/model_internal.h"

/* Before m->config changes, and behind the datasets' own renewal. */
void derived_policy(struct model *m, const struct config *config);
/* It writes into files of a dataset: who it is matters from now on. */
void derived_writer(struct model *m, struct m_subject *s);
/* Something about it became known. */
void derived_judge(struct model *m, struct m_subject *s);

/* The datasets that the edge's bytes are declared to be derived from, of those that its writer may hold. */
uint64_t edge_declared(const struct model *m, const struct m_edge *e);
/* Is that an assumption, until its writer's name comes? It comes within an interval or never. */
bool edge_awaits_name(const struct model *m, const struct m_edge *e);
/* As edge_limit(), of what is passed on: 0 of what is declared. */
uint64_t edge_passes(const struct model *m, const struct m_edge *e, unsigned dataset);

/* The edge goes: what it carried into a derived dataset stays counted. */
void derived_keep(struct model *m, const struct m_edge *e);
/* All that was written into a derived dataset by declared writers that may hold what it is derived from: bytes; ops: calls;
 * files: how often one was mapped, whose bytes are not known. */
struct figures derived_total(const struct model *m, unsigned dataset);

#endif
