/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Does what is attached see anything? Canaries walk every path that has one; what they did is held
 * against what stands in the kernel's maps, to the byte. It is for the moment between attaching and
 * registering the first dataset: all that it leaves in the maps is cleared again.
 */
#ifndef SLUICE_SELFTEST_H
#define SLUICE_SELFTEST_H

#include "user/attach.h"
#include "user/plan.h"

enum proof {
	PROOF_NONE,	/* no canary is made for it */
	PROOF_UNOWNED,	/* a gap already */
	PROOF_UNTESTED, /* the path can't be walked here; neither a gap nor health */
	PROOF_FIRES,	/* its program ran; what it saw was not verified */
	PROOF_EXACT,	/* every figure came out as it should */
	PROOF_WRONG,	/* attached, but figures are not what they should be */
	PROOF_SILENT,	/* attached, and saw nothing */
	PROOF_KINDS,
};

#define SELFTEST_ROWS_MAX 64
#define SELFTEST_DETAIL 200

/* What became of one row of the table in selftest_table.c. */
struct selftest_row {
	const char *name;
	uint64_t facts;
	enum proof proof;
	uint64_t want, got; /* bytes, or 1 and 0 where it is no matter of bytes */
	bool bytes;
	char why[96]; /* PROOF_UNTESTED, PROOF_UNOWNED */
};

struct selftest {
	struct selftest_row rows[SELFTEST_ROWS_MAX];
	size_t nrows;
	enum proof fact[FACT_KINDS];
	char detail[FACT_KINDS][SELFTEST_DETAIL];
	bool counted;		   /* the kernel counted runs meanwhile */
	uint64_t runs[HOOK_KINDS]; /* of each program that is on */
	uint64_t took_ns;
	char why[96]; /* nothing was tested, and why; else "" */
};

/* Never fails: what can't be tested is told in *ret. `places` are directories to try,
 * NULL-terminated; NULL: the usual. */
void selftest_run(struct engine *e, const struct plan *plan, const char *const *places,
		  struct selftest *ret);

/* What is silent or wrong becomes a gap of the plan. */
void selftest_apply(const struct selftest *t, struct plan *plan);

/* "exact", "silent", "not tested", ... */
const char *proof_name(enum proof p);
bool proof_failed(enum proof p);

#endif
