/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef SLUICE_CARRY_INTERNAL_H
#define SLUICE_CARRY_INTERNAL_H

#include "user/carry.h"
#include "user/carry_state.h"

struct carry {
	int dir;
	char *path, *dir_path;
	const char *name; /* in it */
	char boot[BOOT_ID_LEN + 1];
	struct carry_state *pending; /* files that were not found yet; NULL: none */
	uint64_t versions;	     /* of all datasets, as saved */
	uint64_t due_ns;
};

#endif
