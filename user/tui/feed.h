/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Where the viewer's documents come from: a running monitor's socket, an embedded monitor, or a journal or file of records
 * that is replayed. What a view reads is the document that `sluice show WHAT --json` prints: one format for people's
 * scripts and for the screen. No call but feed_open_*() blocks.
 */
#ifndef SLUICE_FEED_H
#define SLUICE_FEED_H

#include <jansson.h>
#include "user/util.h"

enum feed_what {
	FEED_JOBS,
	FEED_PROCESSES,
	FEED_DATASETS,
	FEED_DESTINATIONS,
	FEED_FLOWS,
	FEED_FINDINGS,
	FEED_HEALTH,
	FEED_WHATS,
};

/* "jobs", "processes", ... */
const char *feed_word(enum feed_what what);

struct feed;

struct feed_error {
	char text[512]; /* one line: what is wrong and what to do; safe for a terminal */
};

/* -ENOENT: no monitor runs there; -EACCES: no member of the group; ... as client_open(). */
int feed_open_socket(const char *path, struct feed **ret, struct feed_error *ret_error);
/* A monitor of its own that lives as long as the feed, by the configuration and hook set of `o`, for want of a running one.
 * -EPERM: not root; -ECHILD: it ended, and why. */
struct options;
int feed_open_embedded(const struct options *o, struct feed **ret, struct feed_error *ret_error);
/* A file of records, or a journal's directory. */
int feed_open_replay(const char *path, struct feed **ret, struct feed_error *ret_error);
struct feed *feed_close(struct feed *f);
static inline void feed_closep(struct feed **f)
{
	feed_close(*f);
}

/* Which documents are wanted, one bit each (1u << FEED_JOBS), and how often, at least 100 ms. Health always is. */
void feed_want(struct feed *f, unsigned whats, uint64_t interval_ns);

/* To be polled for reading (and writing: *ret_events), with this time-out in milliseconds, -1 for none; then feed_step(). */
int feed_poll(const struct feed *f, short *ret_events, int *ret_timeout_ms);

/* Takes what is there. The documents that changed, one bit each; 0 none; a negative errno: it cannot go on. A monitor that
 * went away is no error: feed_state() tells, and the feed looks for it each second. */
int feed_step(struct feed *f);

/* As last heard, borrowed until the next feed_step(); NULL: nothing yet. Items keep the same identity (their key) from one
 * document to the next. */
const json_t *feed_document(const struct feed *f, enum feed_what what);

/* What was added per second, over the last interval, to a number of an item, by the item's key and the number's path
 * ("bytes.read"); NAN: not known yet. */
double feed_rate(const struct feed *f, enum feed_what what, const json_t *item, const char *path);

enum feed_state {
	FEED_LIVE,
	FEED_LOST,   /* the monitor went away: documents are as old as feed_age_ns() says */
	FEED_REPLAY,
	FEED_PAUSED, /* a replay that stands */
	FEED_ENDED,  /* a replay at its end */
};
enum feed_state feed_state(const struct feed *f);
/* What is the matter, one line that is safe for a terminal; "": nothing. */
const char *feed_why(const struct feed *f);
uint64_t feed_age_ns(const struct feed *f); /* since the newest document; UINT64_MAX: none yet */

/* Of a replay; of others they do nothing. Seeking is by the records' own time. */
struct feed_span {
	struct timespec first, last, now;
	double speed;
};
bool feed_span(const struct feed *f, struct feed_span *ret); /* false: no replay */
void feed_pause(struct feed *f, bool pause);
void feed_seek(struct feed *f, const struct timespec *to);
void feed_speed(struct feed *f, double speed); /* 1 as it was, 60 a minute in a second */

#endif
