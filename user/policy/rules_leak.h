/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What a rule about flows that can have carried tagged bytes says of itself. */
#ifndef SLUICE_RULES_LEAK_H
#define SLUICE_RULES_LEAK_H

#include "user/policy/rules_internal.h"

struct leak_words {
	char actor[JOB_LEN], size[SIZE_LEN], dataset[DATASET_LEN];
	const char *dest;
};

struct leak_rule {
	enum rule rule;
	bool (*about)(const struct m_flow *f); /* is the flow one of those it looks at? */
	bool (*allowed)(const struct model *m, const struct m_flow *f, uint64_t mask);
	int (*compare)(const struct m_flow *a, const struct m_flow *b); /* 0: they have one finding; an order */
	char *(*key)(char buf[static DEST_LEN], const struct m_flow *f); /* what makes it this one */
	char *(*dest)(char buf[static DEST_TEXT_LEN], const struct m_flow *f); /* in words */
	enum severity (*severity)(const struct m_flow *f, enum severity by_volume);
	int (*title)(struct finding *f, const struct leak_words *w);
};

/* Brings the rule's findings up to date. -ENOMEM. */
int judge_leaks(struct judging *j, const struct leak_rule *rule);

#endif
