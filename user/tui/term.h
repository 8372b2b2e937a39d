/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The terminal: the only file that calls curses. Texts are UTF-8 and may be hostile: what could drive a terminal or turn the
 * direction of text is drawn as '?', and without UTF-8 signs of ours become ASCII ones of the same width. */
#ifndef SLUICE_TUI_TERM_H
#define SLUICE_TUI_TERM_H

#include "user/table_text.h"
#include "user/tui/theme.h"

enum term_key {
	TERM_NONE = 0, /* below this the key is a character: its code point */
	TERM_KEYS = 0x200000,
	TERM_UP,
	TERM_DOWN,
	TERM_LEFT,
	TERM_RIGHT,
	TERM_PAGE_UP,
	TERM_PAGE_DOWN,
	TERM_HOME,
	TERM_END,
	TERM_ENTER,
	TERM_ESCAPE,
	TERM_BACKSPACE,
	TERM_DELETE,
	TERM_TAB,
	TERM_BACK_TAB,
	TERM_F1,
	TERM_PRESS,  /* the mouse's first button, at term_key_at */
	TERM_WHEEL_UP,
	TERM_WHEEL_DOWN,
	TERM_OTHER,  /* a key that means nothing here */
};

struct term_event {
	unsigned key;
	int y, x; /* of the mouse */
};

struct term_options {
	bool ascii, mono;
};

/* Can it be drawn on? False: the reason, one line. */
bool term_can(char *ret_why, size_t n);

/* -ENOTTY, -ENOMEM. term_close() puts it back as it was. */
int term_open(const struct term_options *o);
void term_close(void);

/* As the terminal says now: to be called on SIGWINCH. */
void term_resized(void);
void term_size(int *ret_rows, int *ret_columns);
bool term_ascii(void);

/* The next key that was pressed; false: none is waiting. */
bool term_next(struct term_event *ret);
/* Has the terminal gone away? */
bool term_gone(void);

void term_clear(void);	 /* before all is drawn again */
void term_flush(void);	 /* what differs goes out */
void term_repaint(void); /* all of it, on the next flush */

/* At most `width` cells from (y, x), cut at a character's boundary; returns the cells taken. */
int term_text(int y, int x, int width, enum style style, const char *text);
/* The same, and blanks up to `width`; what does not fit is cut there, with a sign for it. */
struct term_cell {
	int y, x, width;
	enum style style;
	bool right;
	enum text_cut cut;
};
void term_cell(const struct term_cell *c, const char *text);
void term_fill(int y, int x, int width, enum style style);
/* While on, everything is drawn as a part of the selected row. */
void term_select(bool on);
/* The cursor, for a line that is typed; y < 0: none. */
void term_cursor(int y, int x);

/* Cells that term_text() would take. */
int term_width(const char *text);
/* One line of the screen as UTF-8 without blanks at its end. */
void term_line(int y, char *ret, size_t n);

#endif
