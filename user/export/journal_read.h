/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Reading a journal while its monitor writes it, or afterwards: whole records in order, never one that was written in
 * part. A reader takes no lock and changes nothing; what retention removes under it is told as a gap.
 */
#ifndef SLUICE_JOURNAL_READ_H
#define SLUICE_JOURNAL_READ_H

#include "user/util.h"

struct journal_reader;

struct journal_line {
	const char *text; /* one JSON object, without the newline; not NUL-terminated; valid until the next call */
	size_t len;
	uint64_t seq;	  /* 1 is the first of a journal; each one more than the last */
	uint64_t skipped; /* records before this one that are gone: removed by retention, or unreadable */
};

/* `dir` as in journal.dir. The reader stands before the first record that there is. -ENOENT: no such directory; an
 * empty one is none yet: 0. */
int journal_reader_open(const char *dir, struct journal_reader **ret);

struct journal_reader *journal_reader_close(struct journal_reader *r);
static inline void journal_reader_closep(struct journal_reader **r)
{
	journal_reader_close(*r);
}

/* The next record will be the first whose number is above `seq`; what is missing there is told by its `skipped`, counted
 * from seq + 1. 0, or what the system says. */
int journal_reader_after(struct journal_reader *r, uint64_t seq);

/* The next record will be in the segment that can hold the first of this time (wall clock): some older ones may come
 * first. Its `skipped` tells what is gone, if that can have been of this time. Costs a look at each segment, not at each
 * record. */
int journal_reader_at(struct journal_reader *r, const struct timespec *since);

/* 1: *ret is the next; 0: there is none (yet); -EBADMSG: the next is damaged, and was passed over: call again; else what
 * the system says. */
int journal_reader_next(struct journal_reader *r, struct journal_line *ret);

#endif
