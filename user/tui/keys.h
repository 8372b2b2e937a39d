/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* One table: what a key does, and the words for it in the help and in the manual page. */
#ifndef SLUICE_TUI_KEYS_H
#define SLUICE_TUI_KEYS_H

#include "user/tui/term.h"

enum action {
	ACTION_NONE,
	ACTION_UP,
	ACTION_DOWN,
	ACTION_PAGE_UP,
	ACTION_PAGE_DOWN,
	ACTION_FIRST,
	ACTION_LAST,
	ACTION_ENTER,
	ACTION_BACK,
	ACTION_VIEW, /* the one with the key's number */
	ACTION_NEXT_VIEW,
	ACTION_PREVIOUS_VIEW,
	ACTION_SORT_LEFT,
	ACTION_SORT_RIGHT,
	ACTION_REVERSE,
	ACTION_FREEZE,
	ACTION_FIGURES,
	ACTION_TREE,
	ACTION_DETAIL,
	ACTION_SEARCH,
	ACTION_AGAIN,
	ACTION_AGAIN_BACK,
	ACTION_FILTER,
	ACTION_FOLLOW,
	ACTION_MARK,
	ACTION_UNMARK,
	ACTION_ONLY_MARKED,
	ACTION_PAUSE,
	ACTION_SLOWER,
	ACTION_FASTER,
	ACTION_SEEK_BACK,
	ACTION_SEEK_ON,
	ACTION_SPEED_LESS,
	ACTION_SPEED_MORE,
	ACTION_SAVE,
	ACTION_REPAINT,
	ACTION_HELP,
	ACTION_QUIT,
};

struct key_row {
	unsigned keys[4]; /* term_key or a character; 0 after the last */
	enum action action;
	const char *name;  /* as people write it: "Enter", "1 … 7" */
	const char *help;
	const char *hint;  /* in the last line, a word; NULL: not there */
	const char *section; /* of the help; NULL: as the one before */
};

extern const struct key_row key_rows[];
extern const size_t key_nrows;

enum action key_action(unsigned key);

/* The lists for the manual page, in mdoc(7). */
void keys_manual(FILE *out);

#endif
