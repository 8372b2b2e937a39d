/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What the import into Security Hub says of itself, for health records and `show health`. */
#ifndef SLUICE_HUB_TOLD_H
#define SLUICE_HUB_TOLD_H

#include "user/util.h"

enum hub_state {
	HUB_OFF, /* it is not configured */
	HUB_STARTING,
	HUB_GOOD,
	HUB_NOT_ENABLED, /* there is no Security Hub in this region of the account */
	HUB_DENIED,	 /* the credentials do not allow it */
	HUB_NO_CREDENTIALS,
	HUB_UNPLACED, /* region or account are not known */
	HUB_THROTTLED,
	HUB_UNREACHABLE,
	HUB_NO_JOURNAL, /* it cannot be read */
	HUB_STATES,
};

const char *hub_state_name(enum hub_state s); /* "good", "not_enabled", ... */

struct hub_told {
	enum hub_state state;
	char why[320];		    /* "": nothing is the matter; safe for a terminal */
	uint64_t imported, updated; /* since the start */
	uint64_t refused;	    /* states that Security Hub does not take, and were given up */
	uint64_t missed;  /* records of the journal that were gone or damaged before they were read: findings may be among them */
	uint64_t waiting; /* findings with a state to be imported */
	int64_t last_ns;  /* wall clock of the last import; 0: none since the start */
};

#endif
