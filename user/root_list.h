/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Roots on their way into the kernel's table. */
#ifndef SLUICE_ROOT_LIST_H
#define SLUICE_ROOT_LIST_H

#include "include/ledger.h"
#include "user/util.h"

/* Of two on one inode the lower counts: what the configuration names or its trees hold, that of derived datasets' trees (a
 * second name there makes no derivation of a file), what images hold. */
enum rank { RANK_GIVEN, RANK_DERIVED, RANK_IMAGE, RANK_MARKER };

struct root {
	struct root_key key;
	uint8_t tag;
	uint8_t rank;
};

struct root_list {
	struct root *v;
	size_t n, cap;
};

/* -ENOMEM; -E2BIG: SL_ROOTS_MAX are in it. What is there already with a rank as good is passed over, if that is soon seen. */
int root_list_add(struct root_list *l, const struct root_key *key, uint8_t tag, enum rank rank);

/* Sorts by key, and leaves the best of each. */
void root_list_sort(struct root_list *l);

/* In a sorted list; NULL: not there. Valid until the list changes. */
const struct root *root_list_find(const struct root_list *l, const struct root_key *key);

/* -ENOMEM. */
int root_list_copy(const struct root_list *l, struct root_list *ret);
void root_list_clear(struct root_list *l);

#endif
