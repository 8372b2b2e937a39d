/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The collector's account of itself: owners, gaps, losses, how full maps are, what it costs. */
#ifndef SLUICE_COLLECT_HEALTH_H
#define SLUICE_COLLECT_HEALTH_H

#include "user/attach.h"
#include "user/model.h"

struct health_state {
	const char *backend;
	const char **owners, **gaps, **limits; /* NULL-terminated */
	char *facts[HOOK_KINDS]; /* that each program owns; NULL: none, or it is off */
	bool on[HOOK_KINDS], runs_counted;
	uint64_t misses[HOOK_KINDS]; /* before: the self-test's */
	uint32_t entries[ENGINE_MAPS]; /* counted while maps are read */
	uint64_t cpu_ns, cpu_at_ns;
	uint64_t map_bytes, blind_ns;
	uint64_t turned_away; /* flows without a record, at the last report */
	int ncpus;
};

/* -ENOMEM. */
int health_init(struct health_state *h, const struct engine *e, const struct plan *plan);
void health_done(struct health_state *h);

/* Counting starts anew. */
void health_begin(struct health_state *h);

/* Gives the model what is known now. */
void health_report(struct health_state *h, const struct engine *e, struct model *m, uint64_t now_ns, uint64_t late_ns);

#endif
