/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A table that a person looks at: a view, what of it is shown in which order, and where in it they are. */
#ifndef SLUICE_TUI_SHEET_H
#define SLUICE_TUI_SHEET_H

#include "user/tui/rows.h"

struct sheet {
	const struct view_ops *view;
	struct scope scope;
	char *name;	   /* of what it was opened from, for the way back; NULL: of nothing */
	char filter_text[FILTER_BYTES];
	struct filter *filter;
	size_t sort;
	bool reverse, tree, detail, follow, only_marked;
	bool find; /* what is selected is to be found by its key, as soon as there are rows */
	uint64_t *frozen; /* keys, while the order is frozen */
	size_t nfrozen, frozen_max;
	struct rows rows;
	size_t selected, first; /* the row, and the first on the screen */
	uint64_t selected_key;
	unsigned page;		/* rows on the screen, when last drawn */
	unsigned seen[VIEW_COLUMNS_MAX]; /* the widest text of each column so far, at this size */
	int drawn_width, drawn_rows;
	int title_x[VIEW_COLUMNS_MAX];	 /* where each title stands; -1: it is left out */
	int title_y, title_end;
};

void sheet_open(struct sheet *s, const struct view_ops *v);
void sheet_close(struct sheet *s);

/* After documents, order or filter changed. -ENOMEM. */
int sheet_make(struct sheet *s, const struct data *d, const struct keyset *marks);

/* NULL: the table is empty. */
const struct row *sheet_row(const struct sheet *s);
void sheet_select(struct sheet *s, size_t row);
/* The row with that key, where it is among the rows when they are made next. */
void sheet_find(struct sheet *s, uint64_t key);
/* Is this the one that is followed? */
bool sheet_follows(const struct sheet *s, size_t row);
/* -EINVAL: *ret_error says why, and nothing changes. */
int sheet_filter(struct sheet *s, const char *text, struct filter_error *ret_error);
/* -ENOMEM. */
int sheet_freeze(struct sheet *s, bool on);
/* The next row (or the one before) that contains the text, from the selected one on; false: there is none. */
bool sheet_search(struct sheet *s, const char *text, bool back, bool from_here);

struct sheet_drawing {
	int y, rows, width;
	enum figures figures;
	const struct data *data;
	const struct keyset *marks;
	const char *search; /* NULL: none */
	const char *now;
};
/* The titles and as many rows as have room. */
void sheet_draw(struct sheet *s, const struct sheet_drawing *d);
/* The column whose title is at x; ncolumns: none. */
size_t sheet_title_at(const struct sheet *s, int x);

#endif
