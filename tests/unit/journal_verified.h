/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A small journal, and what verifying one says. */
#ifndef JOURNAL_VERIFIED_H
#define JOURNAL_VERIFIED_H

#include "tests/unit/journal_fixture.h"
#include "user/export/journal_verify.h"

USED static json_t *verified(const char *dir, const char *state, const char *key)
{
	struct verify_options o = {dir, state, key};
	struct verify_error why;
	json_t *d;

	if (journal_verify(&o, &d, &why))
		fail_msg("%s", why.text);
	assert_int_equal(json_is_true(json_object_get(d, "good")), json_integer_value(json_object_get(d, "nproblems")) == 0);
	return d;
}

USED static bool is_good(const struct fixture *t)
{
	json_t *d = verified(t->dir, t->state, NULL);
	bool good = json_is_true(json_object_get(d, "good"));

	json_decref(d);
	return good;
}

USED static void assert_good(const struct fixture *t)
{
	json_t *d = verified(t->dir, t->state, NULL);

	if (!json_is_true(json_object_get(d, "good")))
		fail_msg("%s", json_dumps(d, JSON_INDENT(1)));
	json_decref(d);
}

/* Is there a problem of this kind that names the record? seq 0: any. */
USED static void assert_found(const struct fixture *t, const char *kind, uint64_t seq)
{
	json_t *d = verified(t->dir, t->state, NULL), *p;
	bool found = false;
	size_t i;

	json_array_foreach (json_object_get(d, "problems"), i, p)
		found = found || (!strcmp(json_string_value(json_object_get(p, "kind")), kind) &&
				  (!seq || json_integer_value(json_object_get(p, "seq")) == (json_int_t)seq));
	if (!found)
		fail_msg("no %s at %d: %s", kind, (int)seq, json_dumps(d, JSON_INDENT(1)));
	json_decref(d);
}

/* Three hours, few records each, and the rest. */
USED static void small(struct fixture *t)
{
	begin(t);
	t->size = 3;
	open_journal(t);
	give_notes(t);
	for (int hour = 0; hour < 2; hour++) {
		fill(t, 2);
		step(t, 3601 * NSEC);
		t->wall.tv_sec++;
	}
	fill(t, 2);
	end_well(t);
	assert_good(t);
}

#endif
