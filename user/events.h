/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Records as JSON Lines in a file or on standard output. Lines are gathered and written with one
 * write(2) per batch. After an error nothing more is taken until the rest is written, so that
 * memory stays bounded and whoever makes records keeps the figures; a line that was written in part
 * is finished first. The caller ignores SIGPIPE and SIGXFSZ, so that these arrive as errors.
 */
#ifndef SLUICE_EVENTS_H
#define SLUICE_EVENTS_H

#include <jansson.h>
#include "user/util.h"

#define EVENTS_BATCH (1u << 20) /* gathered bytes that are written without waiting for a flush */
#define EVENTS_PATIENCE_MS 50	/* how long a flush waits for a slow reader of a pipe, at first */

struct events;

/* Opens `path` for appending, "-" for standard output; a new file gets mode 0640. A torn line that
 * a killed writer left at the file's end is removed. -ELOOP: a symlink in a directory that others
 * can write to; else errno of open(2). */
int events_open(const char *path, struct events **ret);

/* Takes one record, or a negative errno: not taken. */
int events_put(struct events *ev, const json_t *record);

/* Takes a line, with its newline, that is kept elsewhere too: for a slow reader up to EVENTS_COPY of them wait, and an error
 * stops nothing. -ENOBUFS: there is no more room, the line is not taken; -ENOMEM. */
#define EVENTS_COPY (8u << 20)
int events_copy(struct events *ev, const char *line, size_t len);

/* The same as a record_sink: `ev` is a struct events. */
int events_sink(void *ev, const json_t *record);

/* Writes what is gathered. -EAGAIN: the reader is slow; -ENOSPC, -EPIPE, ... Nothing is lost: call
 * again. */
int events_flush(struct events *ev);

/* Bytes taken and not yet written. */
size_t events_pending(const struct events *ev);

/* How long a flush waits for a reader that reads nothing; a longer time suits the last one. */
void events_patience(struct events *ev, unsigned timeout_ms);

/* Flushes and closes; `ev` is gone in any case. The flush's error: what was pending is lost. */
int events_close(struct events *ev);

#endif
