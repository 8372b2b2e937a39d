/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The viewer on a terminal. It reads the documents of a feed; whose feed that is it does not care. */
#ifndef SLUICE_TOP_H
#define SLUICE_TOP_H

#include "user/tui/feed.h"

struct top_options {
	uint64_t interval_ns; /* between documents; 0: a second */
	bool ascii;	      /* no characters beyond ASCII, whatever the locale says */
	bool mono;	      /* no colours; so does NO_COLOR in the environment */
	const char *view;     /* the first one: "jobs", "processes", ...; NULL: jobs */
	const char *filter;   /* it begins with this; NULL: with none */
	const char *source;   /* what the feed is, for the header: "embedded", a file's name; NULL: nothing is said */
};

/* Whether standard input and output are a terminal that can be drawn on, and the filter and view are good. False: why not,
 * and what to do. */
bool top_can(const struct top_options *o, struct feed_error *ret_error);

/* Until the person leaves it, or SIGINT, SIGTERM, SIGHUP or the terminal's end do: 0. The feed stays the caller's.
 * -ENOTTY, -EINVAL: what top_can() tells; -ENOMEM; what feed_step() returned when it could not go on. The terminal and the
 * signal mask are as they were, in any case. */
int top_run(struct feed *f, const struct top_options *o);

#endif
