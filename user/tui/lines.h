/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A list of lines to be read: of an item, of the help. */
#ifndef SLUICE_TUI_LINES_H
#define SLUICE_TUI_LINES_H

#include <jansson.h>
#include "user/tui/theme.h"

struct line {
	char *text;
	size_t label; /* bytes at its start that are a label */
	unsigned hang; /* cells before what goes on below it */
	enum style style;
};

struct lines {
	struct line *v;
	size_t n, max;
	size_t left_out; /* for being too many */
};

/* -ENOMEM. */
__attribute__((format(printf, 3, 4))) int lines_add(struct lines *l, enum style style, const char *format, ...);
/* "label value", the values below each other when labels take no more than `column` cells. */
int lines_pair(struct lines *l, enum style style, unsigned column, const char *label, const char *value);
/* Everything in an item as "key: value", to be copied. */
int lines_item(struct lines *l, const json_t *item);
/* The hops of a finding, one below the other. */
int lines_chain(struct lines *l, const json_t *finding);
void lines_clear(struct lines *l);

#endif
