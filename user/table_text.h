/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Aligned tables for people. Widths are terminal cells, not bytes; no cell drives it. */
#ifndef SLUICE_TABLE_TEXT_H
#define SLUICE_TABLE_TEXT_H

#include "user/util.h"

enum text_cut {
	CUT_NEVER, /* figures: a cut one would lie */
	CUT_END,
	CUT_START, /* paths: the end tells more */
};

struct text_column {
	const char *title;
	bool right;
	enum text_cut cut;
	unsigned least; /* cells that are kept when it is cut */
	unsigned drop;	/* left out when the table is too wide, highest first; 0: never */
};

struct table_text;

/* `columns` must outlive the table. -ENOMEM. */
int table_text_new(const struct text_column *columns, size_t n, struct table_text **ret);

/* One text per column, copied and made safe; NULL is shown as "?". -ENOMEM. */
int table_text_row(struct table_text *t, const char *const *cells);

/* A line under the last row, outside of the columns. -ENOMEM. */
int table_text_note(struct table_text *t, const char *line);

/* `width` 0: as wide as it takes. Write errors are left in `out` (ferror). */
void table_text_print(const struct table_text *t, unsigned width, FILE *out);

struct table_text *table_text_free(struct table_text *t);
static inline void table_text_freep(struct table_text **t)
{
	table_text_free(*t);
}

/* Cells that valid UTF-8 takes on a terminal; wide characters two, combining ones none. */
unsigned text_width(const char *text);

/* Copies `in` so that it takes at most `width` cells, with "…" in the place of what was cut.
 * Returns the bytes. */
size_t text_fit(char *out, size_t n, const char *in, unsigned width, enum text_cut cut);

#endif
