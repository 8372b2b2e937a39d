/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The lines of a segment, one after the other, in bounded memory; also of one that grows. */
#ifndef SLUICE_JOURNAL_SCAN_H
#define SLUICE_JOURNAL_SCAN_H

#include "user/export/journal_line.h"

struct scan {
	int fd;		 /* borrowed */
	uint64_t offset; /* of the next line */
	char *data;
	size_t from, len, size;
	uint64_t rest; /* bytes behind the last newline, when it said that there is no more */
	bool skipping;
	struct hasher *whole; /* gets each byte that is read, once, if there is no more than one end; or NULL */
};

/* From `offset`, where a line begins. */
void scan_begin(struct scan *s, int fd, uint64_t offset);
void scan_free(struct scan *s);

/* 1: a line without its newline, which stands behind it; valid until the next call. 0: there is no whole one (yet). -EFBIG:
 * one is longer than JSON_LINE_MAX, and is passed over: call again. -ENOMEM, errors of pread(2). */
int scan_next(struct scan *s, const char **ret, size_t *ret_len);

#endif
