/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What the files of the viewer share. */
#ifndef SLUICE_TOP_INTERNAL_H
#define SLUICE_TOP_INTERNAL_H

#include "user/tui/header.h"
#include "user/tui/keys.h"
#include "user/tui/sheet.h"
#include "user/tui/term.h"
#include "user/tui/top.h"

#define WAYS_MAX 8 /* opened from one another */
#define SEARCH_BYTES 256
#define ROWS_FOR_HINTS 6

enum page_kind {
	PAGE_NONE,
	PAGE_ITEM,
	PAGE_HELP,
};

/* Lines over the whole table. */
struct page {
	enum page_kind kind;
	struct lines lines;
	struct lines shown; /* the same, broken where they do not fit */
	int shown_width;    /* 0: not made yet */
	size_t first, rows; /* the first line on the screen, and how many have room */
	uint64_t key;	    /* of the item */
	json_t *item;	    /* as last seen */
	bool ended;	    /* it is not in the documents any more */
};

enum prompt_kind {
	PROMPT_NONE,
	PROMPT_SEARCH,
	PROMPT_FILTER,
};

struct prompt {
	enum prompt_kind kind;
	char text[FILTER_BYTES], before[FILTER_BYTES];
	size_t len;
	uint64_t from; /* the row that was selected */
	struct filter_error error; /* column 0: none */
};

struct top {
	struct feed *feed;
	const struct top_options *options;
	struct data data;
	struct history history;
	uint64_t interval_ns;
	struct sheet base[VIEWS];
	struct keyset marks[VIEWS];
	size_t view; /* of base */
	struct sheet ways[WAYS_MAX];
	size_t nways;
	struct page page;
	struct prompt prompt;
	char search[SEARCH_BYTES];
	enum figures figures;
	char message[256];
	enum style message_style;
	bool remake, redraw, leave;
	int tab_x[VIEWS], tab_y; /* -1: not on the screen */
	int tab_end;
	uint64_t pressed_ns;	 /* the last press of the mouse, for double ones */
	size_t pressed_row;
};

/* --- top.c */
struct sheet *top_sheet(struct top *t);
const struct keyset *top_marks(struct top *t);
size_t top_view_number(const struct view_ops *v);
void top_wish(struct top *t); /* tells the feed what is looked at */
__attribute__((format(printf, 3, 4))) void top_say(struct top *t, enum style style, const char *format, ...);

/* --- top_act.c */
void top_key(struct top *t, const struct term_event *e);

/* --- top_prompt.c */
void prompt_open(struct top *t, enum prompt_kind kind);
void prompt_key(struct top *t, unsigned key);
void prompt_draw(const struct top *t, int y, int width);

/* --- top_page.c */
int page_open_item(struct top *t);
int page_open_help(struct top *t);
void page_close(struct page *p);
int page_make(struct top *t); /* after the documents changed */
bool page_act(struct top *t, enum action a); /* false: it is not the page's */
bool page_ignores(enum action a); /* it does nothing while a page is open, or only closes it */
void page_draw(struct top *t, int y, int rows, int width);
/* Lines of the selected row, for the pane below the table. */
void pane_draw(struct top *t, int y, int rows, int width);
int pane_rows(struct top *t, int room, int width);

/* --- top_draw.c */
void top_draw(struct top *t);

/* --- top_save.c */
int top_save(char *ret_name, size_t n);

#endif
