/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The rows of a table: which items, in which order. */
#ifndef SLUICE_TUI_ROWS_H
#define SLUICE_TUI_ROWS_H

#include "user/tui/data.h"
#include "user/tui/filter.h"

#define ROWS_DEEPEST 12 /* further down nothing is moved to the right */

struct keyset {
	uint64_t *v; /* in order */
	size_t n, max;
};
bool keyset_has(const struct keyset *s, uint64_t key);
/* Puts it in, or takes it out when it is there. -ENOMEM, -E2BIG. */
int keyset_toggle(struct keyset *s, uint64_t key);
void keyset_clear(struct keyset *s);

struct row {
	const json_t *item;
	bool known;	  /* has it something to sort by? */
	double number;
	const char *text; /* when not NULL, instead of the number */
	char *owned;	  /* the text, when it is ours */
	double second;	  /* among equals, the greatest first */
	size_t place;	  /* among those; of a frozen order the place in it */
	unsigned depth;
	uint32_t open; /* of a tree: at these depths another one comes below */
	bool last;     /* under its parent */
};

struct rows {
	struct row *v;
	size_t n, max;
	size_t total; /* before the filter */
	const struct view_ops *view;
	json_t *items; /* that they point into: a reference of ours */
};

struct rows_order {
	const struct column *column;
	bool down;  /* the greatest first */
	bool tree;
	const uint64_t *frozen; /* keys in the order to keep; NULL: none */
	size_t nfrozen;
};

struct rows_wish {
	const struct view_ops *view;
	const struct scope *scope;
	const struct filter *filter;  /* NULL: none */
	const struct keyset *only;    /* NULL: all */
	struct rows_order order;
};

/* Good until the document changes. -ENOMEM: they are empty. */
int rows_make(struct rows *r, const struct data *d, const struct rows_wish *wish);
void rows_clear(struct rows *r);
/* Of the row at that place. It is reckoned each time: of most rows nobody asks. */
uint64_t rows_key(const struct rows *r, size_t at);
/* Its place; rows->n: it is not there. */
size_t rows_find(const struct rows *r, uint64_t key);

/* What stands in a cell, to be freed; NULL: unknown. */
char *column_text(const struct column *c, const struct data *d, enum feed_what what, const json_t *item, const char *now);
/* Are figures in it, which people want to see greatest first? */
bool column_down(const struct column *c);

#endif
