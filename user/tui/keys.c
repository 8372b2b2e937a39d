/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/tui/keys.h"

#include <stdio.h>

#define CTRL(c) ((c) & 0x1f)

// clang-format off
const struct key_row key_rows[] = {
	{.keys = {TERM_UP, 'k'}, .action = ACTION_UP, .name = "Up, k", .help = "the row above", .section = "Moving"},
	{.keys = {TERM_DOWN, 'j'}, .action = ACTION_DOWN, .name = "Down, j",
	 .help = "the row below; the mouse selects by a click, its wheel moves"},
	{.keys = {TERM_PAGE_UP, CTRL('b')}, .action = ACTION_PAGE_UP, .name = "PgUp, ^B", .help = "a screen up"},
	{.keys = {TERM_PAGE_DOWN, CTRL('f')}, .action = ACTION_PAGE_DOWN, .name = "PgDn, ^F", .help = "a screen down"},
	{.keys = {TERM_HOME, 'g'}, .action = ACTION_FIRST, .name = "Home, g", .help = "the first row"},
	{.keys = {TERM_END, 'G'}, .action = ACTION_LAST, .name = "End, G", .help = "the last row"},
	{.keys = {'1', '2', '3'}, .action = ACTION_VIEW, .name = "1 … 7",
	 .help = "the view of that number", .section = "Views"},
	{.keys = {'4', '5', '6', '7'}, .action = ACTION_VIEW},
	{.keys = {TERM_TAB}, .action = ACTION_NEXT_VIEW, .name = "Tab", .help = "the next view"},
	{.keys = {TERM_BACK_TAB}, .action = ACTION_PREVIOUS_VIEW, .name = "Shift-Tab", .help = "the view before"},
	{.keys = {TERM_ENTER, 'l'}, .action = ACTION_ENTER, .name = "Enter, l",
	 .help = "into the row: job, its processes, their flows, their findings, the whole item",
	 .hint = "open"},
	{.keys = {TERM_ESCAPE, TERM_BACKSPACE, 'h'}, .action = ACTION_BACK, .name = "Esc, h",
	 .help = "back; where there is no way back: the search off, then the filter", .hint = "back"},
	{.keys = {'d'}, .action = ACTION_DETAIL, .name = "d",
	 .help = "what is known of the row, below the table", .hint = "detail"},
	{.keys = {'t'}, .action = ACTION_TREE, .name = "t", .help = "processes under those that they come from, or as a list"},
	{.keys = {'b'}, .action = ACTION_FIGURES, .name = "b",
	 .help = "which figures come first: totals, rates, bounds of what leaked", .hint = "rates"},
	{.keys = {'<', TERM_LEFT, ','}, .action = ACTION_SORT_LEFT, .name = "<, Left",
	 .help = "sort by the column on the left; a click on a title sorts by it",
	 .section = "Order"},
	{.keys = {'>', TERM_RIGHT, '.'}, .action = ACTION_SORT_RIGHT, .name = ">, Right",
	 .help = "sort by the column on the right; one that had no room gets it", .hint = "sort"},
	{.keys = {'r'}, .action = ACTION_REVERSE, .name = "r", .help = "reverse the order"},
	{.keys = {'z'}, .action = ACTION_FREEZE, .name = "z",
	 .help = "freeze the order: rows stay where they are, new ones come last"},
	{.keys = {'/'}, .action = ACTION_SEARCH, .name = "/",
	 .help = "search while typing; a row that has the text anywhere", .hint = "search", .section = "Finding"},
	{.keys = {'n'}, .action = ACTION_AGAIN, .name = "n", .help = "the next row that the search meets"},
	{.keys = {'N'}, .action = ACTION_AGAIN_BACK, .name = "N", .help = "the one before"},
	{.keys = {'f', '\\'}, .action = ACTION_FILTER, .name = "f, \\",
	 .help = "only rows that a filter lets through: see below", .hint = "filter"},
	{.keys = {'F'}, .action = ACTION_FOLLOW, .name = "F", .help = "follow the row wherever the order puts it"},
	{.keys = {'m'}, .action = ACTION_MARK, .name = "m", .help = "mark the row, or take the mark off"},
	{.keys = {'M'}, .action = ACTION_UNMARK, .name = "M", .help = "take all marks off"},
	{.keys = {'o'}, .action = ACTION_ONLY_MARKED, .name = "o", .help = "only what is marked, or all"},
	{.keys = {'p', ' '}, .action = ACTION_PAUSE, .name = "p, Space",
	 .help = "stand still, and go on; a replay pauses and plays", .hint = "pause", .section = "Time"},
	{.keys = {'+', '='}, .action = ACTION_SLOWER, .name = "+", .help = "a longer interval"},
	{.keys = {'-'}, .action = ACTION_FASTER, .name = "-", .help = "a shorter interval"},
	{.keys = {'['}, .action = ACTION_SEEK_BACK, .name = "[", .help = "a replay: back by a thirtieth of it"},
	{.keys = {']'}, .action = ACTION_SEEK_ON, .name = "]", .help = "a replay: on by a thirtieth of it"},
	{.keys = {'{'}, .action = ACTION_SPEED_LESS, .name = "{", .help = "a replay: half as fast"},
	{.keys = {'}'}, .action = ACTION_SPEED_MORE, .name = "}", .help = "a replay: twice as fast"},
	{.keys = {'w'}, .action = ACTION_SAVE, .name = "w",
	 .help = "write the screen into a file in the working directory", .section = "Other"},
	{.keys = {CTRL('l')}, .action = ACTION_REPAINT, .name = "^L", .help = "draw everything again"},
	{.keys = {'?', TERM_F1}, .action = ACTION_HELP, .name = "?, F1", .help = "this help", .hint = "help"},
	{.keys = {'q', CTRL('c')}, .action = ACTION_QUIT, .name = "q, ^C", .help = "leave", .hint = "quit"},
};
// clang-format on

const size_t key_nrows = ARRAY_SIZE(key_rows);

enum action key_action(unsigned key)
{
	for (size_t i = 0; key && i < key_nrows; i++)
		for (size_t k = 0; k < ARRAY_SIZE(key_rows[i].keys); k++)
			if (key_rows[i].keys[k] == key)
				return key_rows[i].action;
	return ACTION_NONE;
}

static void roff(const char *text, FILE *out)
{
	for (; *text; text++) {
		if (*text == '\\')
			fputs("\\e", out);
		else if (*text == '^')
			fputs("\\(ha", out);
		else if (*text == '-')
			fputs("\\-", out);
		else
			fputc(*text, out);
	}
}

void keys_manual(FILE *out)
{
	bool open = false;

	for (size_t i = 0; i < key_nrows; i++) {
		if (!key_rows[i].name)
			continue;
		if (key_rows[i].section) {
			fprintf(out, "%s.Pp\n%s:\n.Bl -tag -compact -width Shift-Tab\n", open ? ".El\n" : "", key_rows[i].section);
			open = true;
		}
		/* what would be punctuation to mdoc is none after \& */
		fputs(".It Sy \"\\&", out);
		roff(key_rows[i].name, out);
		fputs("\"\n", out);
		roff(key_rows[i].help, out);
		fputs("\n", out);
	}
	fputs(".El\n", out);
}
