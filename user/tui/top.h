/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* `sluice top`, once there is something to look at. */
#ifndef SLUICE_TOP_H
#define SLUICE_TOP_H

#include "user/tui/feed.h"

struct top_options {
	enum feed_what view; /* that is shown first */
	uint64_t interval_ns;
	bool json; /* in batches: documents instead of tables */
	uint64_t rounds; /* of batches */
	bool replay;
};

/* The viewer, on the terminal, until its user leaves. Borrows the feed. An exit status; what is the matter was said. */
int top_run(struct feed *f, const struct top_options *o);

/* Prints so many rounds of one view: of a monitor's documents one per interval, of a replay the last ones. Likewise. */
int top_batch(struct feed *f, const struct top_options *o);

#endif
