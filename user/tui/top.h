/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The viewer: on a terminal, or in batches of plain tables. It reads the documents of a feed, which stays the caller's. */
#ifndef SLUICE_TOP_H
#define SLUICE_TOP_H

#include "user/tui/feed.h"

struct top_options {
	enum feed_what view;  /* that is shown first */
	uint64_t interval_ns; /* between documents; 0: a second */
	const char *filter;   /* of the rows; NULL: none */
	const char *source;   /* what the feed is, for the header: "embedded", a file's name; NULL: nothing is said */
	bool ascii;	      /* no characters beyond ASCII, whatever the locale says */
	bool mono;	      /* no colours; so does NO_COLOR in the environment */
	/* of batches */
	bool json; /* documents instead of tables */
	uint64_t rounds;
	bool replay;
};

/* Whether standard input and output are a terminal that can be drawn on, and the filter is good. False: why not, and what
 * to do. */
bool top_can(const struct top_options *o, struct feed_error *ret_error);

/* Until the person leaves it, or a signal that ends programs or the terminal's end do: 0. -ENOTTY, -EINVAL: what top_can()
 * tells; -ENOMEM; what feed_step() returned when it could not go on. The terminal and the signal mask are as they were, in
 * any case. */
int top_run(struct feed *f, const struct top_options *o);

/* Prints so many rounds of one view: of a monitor's documents one per interval, of a replay the last ones. An exit status;
 * what is the matter was said. */
int top_batch(struct feed *f, const struct top_options *o);

#endif
