/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Judging a model, and looking at what was found. */
#ifndef RULES_FIXTURE_H
#define RULES_FIXTURE_H

#include "tests/unit/model_fixture.h"
#include "user/policy/finding.h"
#include "user/policy/rules.h"

#define OUTSIDE "203.0.113.9"

UNUSED static void evaluate(struct fixture *t)
{
	t->now += NSEC;
	assert_int_equal(rules_evaluate(t->m, t->now), 0);
}

UNUSED static unsigned findings(const struct fixture *t, enum rule rule)
{
	unsigned n = 0;

	for (const struct finding *f = t->m->findings->first; f; f = f->next)
		n += f->count && f->rule == rule;
	return n;
}

UNUSED static struct finding *only(const struct fixture *t, enum rule rule)
{
	struct finding *found = NULL;

	assert_int_equal(findings(t, rule), 1);
	for (struct finding *f = t->m->findings->first; f; f = f->next)
		found = f->count && f->rule == rule ? f : found;
	return found;
}

/* One process that reads so much and sends so much. */
UNUSED static struct flow read_and_send(struct fixture *t, uint64_t read, uint64_t sent,
					const char *addr)
{
	introduce(t, 10, "python3", "slurm:4242.0");
	reads(t, 10, 0, read);
	struct flow f = flow_to(t, 1, 10, addr, 443);
	flow_tainted_by(t, &f, 1, 0);
	sends(t, &f, sent, 5);
	return f;
}

#endif
