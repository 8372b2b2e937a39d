/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Shared by the kinds of feed. */
#ifndef SLUICE_FEED_INTERNAL_H
#define SLUICE_FEED_INTERNAL_H

#include "user/tui/feed.h"
#include "user/tui/feed_doc.h"

struct feed_ops {
	void (*close)(struct feed *f); /* all but the base */
	void (*want)(struct feed *f);
	int (*poll)(const struct feed *f, short *ret_events, int *ret_timeout_ms);
	int (*step)(struct feed *f);
	enum feed_state (*state)(const struct feed *f);
	uint64_t (*age)(const struct feed *f);
	/* NULL: no replay */
	void (*span)(const struct feed *f, struct feed_span *ret);
	void (*pause)(struct feed *f, bool pause);
	void (*seek)(struct feed *f, const struct timespec *to);
	void (*speed)(struct feed *f, double speed);
};

/* The first member of each kind's own. */
struct feed {
	const struct feed_ops *ops;
	struct feed_doc *docs[FEED_WHATS];
	unsigned whats;
	uint64_t interval_ns;
	char why[sizeof(((struct feed_error *)0)->text)];
};

/* `f` is all zero; -ENOMEM. feed_close() ends it, whatever came of it. */
int feed_begin(struct feed *f, const struct feed_ops *ops);

/* For people, one line; returns `error`. */
__attribute__((format(printf, 3, 4))) int feed_fail(struct feed_error *ret_error, int error, const char *format, ...);
__attribute__((format(printf, 2, 3))) void feed_say_why(struct feed *f, const char *format, ...);

/* Watches over a socket that is there already; takes it over. `path` is where to look for it again. As feed_open_socket(). */
int feed_watch(int fd, const char *path, struct feed **ret, struct feed_error *ret_error);

#endif
