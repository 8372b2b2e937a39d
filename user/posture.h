/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Is this host fit to be watched, and does it keep tagged bytes where they are seen? Only looks;
 * asks no network. */
#ifndef SLUICE_POSTURE_H
#define SLUICE_POSTURE_H

#include "user/policy/config.h"

enum posture_state { POSTURE_OK, POSTURE_WARN, POSTURE_FAIL };

struct posture_result {
	char name[96]; /* "swap", "dataset patients" */
	enum posture_state state;
	char text[320]; /* what was found; may hold hostile names */
	char todo[320]; /* what to do; "" when there is nothing */
};

#define POSTURE_MAX (32 + SL_DATASETS_MAX)

/* Fills `ret` and returns how many. `root` is put before /proc, /sys, /boot and /lib: "" but in
 * tests. */
size_t posture_check(const struct config *config, const char *root,
		     struct posture_result ret[static POSTURE_MAX]);

const char *posture_state_name(enum posture_state s);

#endif
