/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Documents that clients watch: {"watch":["jobs","flows"],"interval_ms":1000} and from then on a line of changes per document
 * and interval (watch_doc.h). Each document is made once for all that watch it, and making it takes at most a fiftieth of a
 * processor: where there is very much to tell, it is told less often, and the others as ever.
 */
#ifndef SLUICE_WATCH_H
#define SLUICE_WATCH_H

#include "user/watch_doc.h"

enum watch_what {
	WATCH_JOBS,
	WATCH_PROCESSES,
	WATCH_DATASETS,
	WATCH_DESTINATIONS,
	WATCH_FLOWS,
	WATCH_FINDINGS,
	WATCH_HEALTH,
	WATCH_WHATS,
};

/* "jobs", ... */
const char *watch_word(enum watch_what what);
/* -ENOENT */
int watch_parse(const char *word, enum watch_what *ret);

#define WATCH_INTERVAL_MIN_NS (NSEC / 10)
#define WATCH_INTERVAL_MAX_NS (3600 * NSEC)
#define WATCH_SHARE 50 /* of a processor, for each document, at most one part in so many */

/* Who makes the documents. */
struct watch_source {
	/* Sees to it that what is told is no older than this. Returns the moment that it is of: nothing is made anew of the same.
	 */
	uint64_t (*freshen)(void *arg, uint64_t age_ns);
	/* Gives the document's time, host and items to `to`, from watch_doc_begin() to watch_doc_end(). */
	int (*make)(void *arg, enum watch_what what, struct watch_doc *to);
	void *arg;
	uint64_t interval_ns; /* how often it has something new by itself, told by watch_ticked() */
};

struct watch;

/* NULL: no memory. */
struct watch *watch_new(const struct watch_source *source);
struct watch *watch_free(struct watch *w);

/* One client. All zero: it watches nothing. */
struct watcher {
	unsigned whats; /* a bit each */
	uint64_t interval_ns;
	uint64_t due_ns; /* when it is told next; 0: at once; UINT64_MAX: when the source ticks */
	uint64_t told_ns;
	uint64_t generation[WATCH_WHATS]; /* that it has; 0: none */
	bool failed[WATCH_WHATS];	  /* and that was said */
};

/* What the request asks for. What was watched before and still is goes on where it stood, but for what stands in "again".
 * -EINVAL: *ret_why says what is wrong. */
int watch_subscribe(const json_t *request, struct watcher *ret, const char **ret_why);

/* Documents that none of them watches any more are let go. */
void watch_keep(struct watch *w, unsigned whats);

/* Appends what is new for the watcher, as far as `text` has room: what has none is told as an error, and tried again. -ENOMEM. */
int watch_push(struct watch *w, struct watcher *to, uint64_t now, struct json_text *text);

/* The client has not read what it was told: it is told more in its next interval. */
void watch_skip(const struct watch *w, struct watcher *to, uint64_t now);

/* The source has something new: `to` may be due. */
void watch_ticked(const struct watch *w, struct watcher *to, uint64_t now);

#endif
