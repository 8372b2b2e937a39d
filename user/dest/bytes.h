/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What is left to read of a hostile message, most significant byte first. Reading beyond its end leaves nothing, and `cut`. */
#ifndef SLUICE_BYTES_H
#define SLUICE_BYTES_H

#include "user/util.h"

struct bytes {
	const uint8_t *p;
	size_t n;
	bool cut;
};

static inline uint32_t take(struct bytes *b, unsigned width)
{
	uint32_t v = 0;

	if (b->n < width) {
		b->n = 0;
		b->cut = true;
		return 0;
	}
	for (unsigned i = 0; i < width; i++)
		v = v << 8 | b->p[i];
	b->p += width;
	b->n -= width;
	return v;
}

/* The next `len` bytes, or what there is of them. */
static inline struct bytes take_part(struct bytes *b, uint64_t len)
{
	struct bytes v = {b->p, (size_t)MIN(len, (uint64_t)b->n), b->cut || len > b->n};

	b->cut = v.cut;
	if (v.n) /* not of a null pointer */
		b->p += v.n;
	b->n -= v.n;
	return v;
}

/* A vector behind its length. */
static inline struct bytes take_vector(struct bytes *b, unsigned width)
{
	return take_part(b, take(b, width));
}

#endif
