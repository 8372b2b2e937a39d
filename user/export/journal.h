/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The journal: records as lines of append-only segments, each with the hash of the one before, so that nobody changes,
 * removes or moves one without that being found. journal_dir.h says what lies where, journal_writer.h how it gets there.
 *
 * A segment ends when it is large enough, or an hour old; then a signed digest covers it. What the journal has to say of
 * itself (its start, a torn line, what retention removes, a new digest) it hands out as notes, which become records like all
 * others, with a number and a place in the chain.
 */
#ifndef SLUICE_JOURNAL_H
#define SLUICE_JOURNAL_H

#include <jansson.h>

#include "user/util.h"

#define JOURNAL_HOUR_NS (3600 * NSEC)

struct journal;

struct journal_options {
	const char *dir;   /* made with mode 0750 if missing; its parent must be there */
	const char *state; /* where the private key is kept, and a copy of the head; made with 0700 if missing. NULL: nothing is
			      kept, each start has a key of its own */
	const char *host;  /* its name, for digests */
	uint64_t max_size, retain_ns;
	size_t room; /* bytes that may wait for the disk; 0: the default */
};

struct journal_error {
	char text[512]; /* what, where and what to do; safe for a terminal */
};

/* Repairs what a crash left: a torn line is cut off, and said. -EBUSY: another monitor writes there; -EPERM: others could
 * write there; else what the system says. *ret_error is filled then; else it is "", or says what is not as it should be. */
int journal_open(const struct journal_options *o, const struct timespec *wall, uint64_t boot_ns, struct journal **ret,
		 struct journal_error *ret_error);

/* The newest record's number; 0: there is none. The next one must be one more. */
uint64_t journal_seq(const struct journal *j);

/* Takes a record. 0; 1: it did, and wants no more until journal_tick(). -EAGAIN: the disk is slow, -ENOSPC and the like: it
 * refuses, and there is no more memory for what waits: not taken. -EINVAL: its number is not the next. *ret_line: the line
 * with its newline, valid until the next call; may be NULL. */
int journal_put(struct journal *j, const json_t *record, const char **ret_line, size_t *ret_len);

/* Once per interval: hands over what waits, ends a segment that is old, makes digests, plans removals. */
void journal_tick(struct journal *j, const struct timespec *wall, uint64_t boot_ns);

/* What is to be recorded next of the journal itself, or NULL: its type and its members, borrowed. journal_noted(): a record
 * of it was taken. */
const json_t *journal_note(const struct journal *j, const char **ret_type);
void journal_noted(struct journal *j);

/* New bounds, from the next tick on. */
void journal_bounds(struct journal *j, uint64_t max_size, uint64_t retain_ns);

/* The last digest, over all that there is. Its note is still to be recorded. */
void journal_end(struct journal *j, const struct timespec *wall);

struct journal_state {
	int error;		    /* why nothing can be written now; -ETIMEDOUT: the disk does not answer; 0: all is well */
	bool refusing;		    /* there was no more room for what waits */
	uint64_t failing_ns;	    /* boot time since when; 0: not */
	uint64_t seq, synced_seq;   /* newest record; newest that is on the disk for sure */
	size_t queued;		    /* bytes that wait */
	uint64_t bytes, segments;   /* on the disk, with what waits */
	unsigned sync_errors, left; /* as in journal_writer.h */
	const char *key;	    /* fingerprint of the one that signs; "": none yet */
	char digest_time[TIME_LEN]; /* of the newest digest; "": none */
};
void journal_look(const struct journal *j, struct journal_state *ret);

const char *journal_path(const struct journal *j);

/* Waits up to `timeout_ms` for what is left to be written, and closes. The journal is gone in any case; an error: not all
 * was written. */
int journal_close(struct journal *j, unsigned timeout_ms);

#endif
