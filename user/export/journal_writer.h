/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Carries out, in order and in a thread of its own, what a journal wants done in its directory: whoever makes records never
 * waits for a disk. What fails is tried again until it succeeds, so that nothing is lost when a full disk has room again;
 * meanwhile no more is taken than there is memory for.
 *
 * A regular file cannot be written without waiting (O_NONBLOCK means nothing there), and fdatasync(2) may take seconds where
 * checkpoints are written to the same disk. What is written reaches the disk (fdatasync) WRITER_SYNC_NS later at the latest,
 * at once where it is urgent, as findings are; before anything is removed, and before a segment's digest is written.
 */
#ifndef SLUICE_JOURNAL_WRITER_H
#define SLUICE_JOURNAL_WRITER_H

#include "user/export/journal_dir.h"
#include "user/export/journal_head.h"

#define WRITER_SYNC_NS (5 * NSEC)
#define WRITER_RETRY_NS NSEC
#define WRITER_ROOM (8u << 20) /* bytes that may wait */

struct journal_writer;

struct writer_state {
	int error;	      /* of what is tried again now; 0: none */
	size_t queued;	      /* bytes that wait */
	uint64_t failing_ns;  /* boot time since when; 0: nothing fails */
	uint64_t busy_ns;     /* boot time since when one thing is being done; 0: none is */
	uint64_t synced_seq;  /* the newest record that is on the disk for sure */
	unsigned sync_errors; /* the system said that data it had taken may be lost */
	unsigned vanished; /* segments that somebody removed while they were written */
	unsigned left;	      /* files that could not be removed */
};

/* `dir` is borrowed. `heads`: descriptors of journal_head_open(), or -1; owned from then on, also on failure. Lines go to
 * `append_to`, behind `last`; NULL: writer_segment() comes first. `room`: bytes that may wait, 0: WRITER_ROOM. -ENOMEM, what
 * open(2) and pthread_create(3) say. */
int writer_start(int dir, const int heads[static 2], const char *append_to, const struct journal_head *last, size_t room,
		 struct journal_writer **ret);

/* Is there room for so many bytes of a record? Control (segments, digests, removals) may exceed it a little. */
bool writer_has_room(struct journal_writer *w, size_t bytes);

/* From now on lines go to this segment, which is made. -ENOMEM, as all that follow: then nothing was changed. */
int writer_segment(struct journal_writer *w, const char *name);
/* One line, with its newline, and its number and hash. */
int writer_line(struct journal_writer *w, const char *line, size_t len, const struct journal_head *head, bool urgent);
/* The segment is whole: onto the disk with it. */
int writer_end_segment(struct journal_writer *w);
/* A small file, whole or not at all; what had its name is replaced. */
int writer_file(struct journal_writer *w, const char *name, const char *text, size_t len);
/* Once what was told before is on the disk. One that cannot be removed is counted and left. */
int writer_remove(struct journal_writer *w, const char *name);

void writer_wake(struct journal_writer *w);
void writer_look(struct journal_writer *w, struct writer_state *ret);

/* Nothing follows what was told: the head may say so once all of it is on the disk. */
void writer_closes(struct journal_writer *w);

/* Waits up to `timeout_ms` until all is written and synced. -EAGAIN or the error that stood in the way: what was left is
 * lost. The writer is gone in any case; while the disk does not answer its thread may go on to the end of the process. */
int writer_stop(struct journal_writer *w, unsigned timeout_ms);

#endif
