/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Records one after the other, of a file or of a journal that may still grow; any place can be come back to. */
#ifndef SLUICE_REPLAY_SOURCE_H
#define SLUICE_REPLAY_SOURCE_H

#include "user/tui/feed.h"
#include "user/tui/record_scan.h"

struct replay_source;

/* `path` is a file or a directory. As feed_open_replay(). */
int replay_source_open(const char *path, struct replay_source **ret, struct feed_error *ret_error);
struct replay_source *replay_source_close(struct replay_source *s);

/* 1: *ret is the next record's text, valid until the next call; 0: there is none (yet); -EBADMSG: the next one cannot be
 * read and was passed over; else what the system says. */
int replay_source_next(struct replay_source *s, struct span *ret);

/* Where the next record is, to come back to. */
uint64_t replay_source_tell(const struct replay_source *s);
int replay_source_seek(struct replay_source *s, uint64_t place);

/* The time of the first record and of the last, wall clock in nanoseconds. The place stays. -ENODATA: there is none. */
int replay_source_span(struct replay_source *s, int64_t *ret_first, int64_t *ret_last);

/* How far along the next record is, from 0 to 1. */
double replay_source_part(const struct replay_source *s);

#endif
