/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What a colour means: taint, class, severity, state. Each has a word or a sign beside it on the screen, so that nothing is
 * told by colour alone. */
#ifndef SLUICE_TUI_THEME_H
#define SLUICE_TUI_THEME_H

#include "user/util.h"

enum style {
	STYLE_TEXT,
	STYLE_DIM,    /* nothing, zero, what is only for reading along */
	STYLE_STRONG,
	STYLE_NAME,   /* the program's own */
	STYLE_HEAD,   /* of a column */
	STYLE_SORTED, /* of the column that is sorted by */
	STYLE_BAR,    /* the last line */
	STYLE_KEY,    /* a key in it */
	STYLE_TAB,
	STYLE_TAB_ON,
	STYLE_SELECTED,
	STYLE_MARKED,
	STYLE_FOUND,  /* what a search met */
	STYLE_TAINT,
	STYLE_OUTSIDE,
	STYLE_CLOUD,
	STYLE_INSIDE,
	STYLE_CRITICAL,
	STYLE_HIGH,
	STYLE_MEDIUM,
	STYLE_LOW,
	STYLE_INFO,
	STYLE_GOOD,
	STYLE_WARN,
	STYLE_BAD,
	STYLES,
};

enum theme_attr {
	ATTR_BOLD = 1,
	ATTR_DIM = 2,
	ATTR_UNDERLINE = 4,
	ATTR_REVERSE = 8,
};

#define COLOUR_OWN (-1) /* the terminal's */

struct theme_style {
	int rgb, rgb_back;   /* 0xrrggbb or COLOUR_OWN */
	short c256, b256;    /* of 256 */
	short c16, b16;	     /* of the first 8 */
	unsigned attr, mono; /* enum theme_attr, with colours and without */
};

extern const struct theme_style theme[STYLES];

/* By the words of the documents; NULL and what is not known: STYLE_TEXT. */
enum style theme_severity(const char *severity);
enum style theme_class(const char *class);

#endif
