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

/* Where a file lies; see file_key(). */
UNUSED static void name(struct fixture *t, uint64_t ino, const char *path, bool confined)
{
	struct edge_key key = file_key(1, ino, VIA_FILE_READ, 1);

	assert_int_equal(model_name_object(t->m, &key.what, path, confined), 0);
}

/* A hop as it should be. */
struct step {
	const char *from, *to, *via;
	int64_t bytes; /* -1: not counted */
};

UNUSED static void assert_chain(const struct finding *f, const struct step *expected, size_t n)
{
	assert_int_equal(f->nchain, n);
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(f->chain[i].from, expected[i].from);
		assert_string_equal(f->chain[i].to, expected[i].to);
		assert_string_equal(f->chain[i].via, expected[i].via);
		assert_int_equal(f->chain[i].counted, expected[i].bytes >= 0);
		if (expected[i].bytes >= 0)
			assert_int_equal(f->chain[i].bytes, expected[i].bytes);
		assert_int_not_equal(f->chain[i].time_ns, 0);
	}
}

#endif
