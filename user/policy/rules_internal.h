/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The rules one by one, for rules.c. Each brings its findings up to date; 0 or -ENOMEM. */
#ifndef SLUICE_RULES_INTERNAL_H
#define SLUICE_RULES_INTERNAL_H

#include "user/lineage.h"
#include "user/model_graph.h"
#include "user/policy/allow.h"
#include "user/policy/finding.h"

/* One evaluation. */
struct judging {
	struct model *m;
	uint64_t now_ns;
	uint64_t work; /* arcs that may still be looked at */
};

int judge_volume(struct judging *j);	 /* exfil.volume */
int judge_buckets(struct judging *j);	 /* s3.foreign-bucket */
int judge_plaintext(struct judging *j);	 /* egress.plaintext */
int judge_budgets(struct judging *j);	 /* budget.exceeded */
int judge_unexpected(struct judging *j); /* egress.unexpected */
int judge_readers(struct judging *j);	 /* access.unauthorized */
int judge_channels(struct judging *j);	 /* channel.unobservable */
int judge_staging(struct judging *j);	 /* staging.copy */
int judge_dns(struct judging *j);	 /* dns.tunnel */
int judge_credentials(struct judging *j); /* credential.static */
int judge_monitor(struct judging *j);	 /* monitor.gap */

/* Does an entry of network.allow cover the flow, for every dataset in `mask`? */
bool flow_allowed(const struct model *m, const struct m_flow *f, uint64_t mask);

/* Who has a flow is told by the collector, mostly in the same interval: rules wait one evaluation
 * for it, and a moment longer for what a hello says that is not all there. */
bool wait_for_name(const struct judging *j, struct m_flow *f);

/* The finding takes the bound over. False: it had it already. A bound that falls (its sender became known) is told, but is no
 * growth. */
bool take_leak(struct finding *f, const struct leak *leak, bool *ret_grew);

/* By what left at most, of a dataset of this size (0: not known). */
enum severity severity_of(uint64_t bytes, uint64_t dataset_size);

/* "patients (PII)". */
#define DATASET_LEN 160
char *dataset_label(char buf[static DATASET_LEN], const struct m_dataset *d);

/* Who a sentence is about: the job, else the process, else "an unknown process". */
char *actor_text(char buf[static JOB_LEN], const struct m_subject *s);

#endif
