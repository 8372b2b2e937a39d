/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A bounded stretch of bytes that comes in pieces, in any order, more than once. What came first stays. */
#ifndef SLUICE_PIECES_H
#define SLUICE_PIECES_H

#include "user/util.h"

#define PIECES_MAX 16 /* runs with holes between them; a piece that would make more is left out */

struct pieces {
	uint8_t *data;
	size_t room, most; /* bytes; `most` is the caller's */
	struct piece_run {
		size_t from, to;
	} runs[PIECES_MAX]; /* ascending, apart from each other */
	unsigned nruns;
};

/* What lies beyond `most` is left out. -ENOMEM, -ENOSPC: too many holes; nothing has changed. */
int pieces_put(struct pieces *p, size_t at, const uint8_t *data, size_t n);

/* Everything moves up by so much, so that there is room before it; what moves beyond `most` is lost. -ENOMEM. */
int pieces_shift(struct pieces *p, size_t by);

/* How many bytes there are without a hole from here on. */
size_t pieces_at(const struct pieces *p, size_t at);

void pieces_done(struct pieces *p);

#endif
