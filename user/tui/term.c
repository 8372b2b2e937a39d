/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/tui/term.h"

#include <langinfo.h>
#include <limits.h>
#include <locale.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <wchar.h>

#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <term.h>

/* <term.h> defines short names as macros. */
#undef columns
#undef lines
#undef tab

#define TEXT_BYTES 2048 /* of one text: no terminal is as wide */
#define MARKS_MAX 2	/* on one character */
#define ESCAPE_MS 50	/* between ESC and the rest of a key */
#define DIRECT_COLOURS (1 << 24)

static SCREEN *screen;
static bool ascii, coloured, selected, gone;
static attr_t attrs[STYLES];
static short pairs[STYLES];

/* --- what it can ------------------------------------------------------------ */

bool term_can(char *ret_why, size_t n)
{
	const char *name = getenv("TERM");
	bool moves;
	int err;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		snprintf(ret_why, n, "this is no terminal: print tables with --batch N, or ask with `sluice show`");
		return false;
	}
	if (!name || !*name || !strcmp(name, "dumb") || !strcmp(name, "unknown")) {
		snprintf(ret_why, n, "the terminal (TERM=%s) cannot be drawn on: set TERM, or print tables with --batch N",
			 name ? name : "");
		return false;
	}
	if (setupterm(NULL, STDOUT_FILENO, &err) != OK) {
		snprintf(ret_why, n, "nothing is known here of the terminal TERM=%s: try TERM=xterm-256color, or --batch N", name);
		return false;
	}
	moves = cursor_address;
	del_curterm(cur_term);
	if (moves)
		return true;
	snprintf(ret_why, n, "the terminal TERM=%s cannot move its cursor: set another TERM, or print tables with --batch N", name);
	return false;
}

/* A person's locale may not be installed on the host they come to. */
static void choose_locale(bool wish_ascii)
{
	static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
	const char *wanted = NULL;

	if (!setlocale(LC_CTYPE, "")) {
		for (size_t i = 0; i < ARRAY_SIZE(names) && (!wanted || !*wanted); i++)
			wanted = getenv(names[i]);
		if (wanted && (strcasestr(wanted, "utf-8") || strcasestr(wanted, "utf8")))
			(void)(setlocale(LC_CTYPE, "C.UTF-8") || setlocale(LC_CTYPE, "C.utf8"));
	}
	ascii = wish_ascii || strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
}

static void choose_style(enum style i)
{
	const struct theme_style *t = &theme[i];
	unsigned attr = coloured ? t->attr : t->mono;
	int fore, back;

	attrs[i] = (attr & ATTR_BOLD ? A_BOLD : 0) | (attr & ATTR_DIM ? A_DIM : 0) | (attr & ATTR_UNDERLINE ? A_UNDERLINE : 0) |
		   (attr & ATTR_REVERSE ? A_REVERSE : 0);
	pairs[i] = 0;
	if (!coloured)
		return;
	/* only where terminfo says so: not every terminal that boasts of it reads the same sequences, and the shades of 256
	 * are the same ones */
	if (COLORS >= DIRECT_COLOURS)
		fore = t->rgb, back = t->rgb_back;
	else if (COLORS >= 256)
		fore = t->c256, back = t->b256;
	else
		fore = t->c16, back = t->b16;
	/* grey is none of the first colours */
	if (COLORS < 256 && t->c256 == 244)
		attrs[i] |= A_DIM;
	pairs[i] = (short)(i + 1);
	if (init_extended_pair(i + 1, fore, back) == ERR)
		pairs[i] = 0;
}

static void choose_styles(bool mono)
{
	const char *none = getenv("NO_COLOR");

	coloured = !mono && !(none && *none) && has_colors() && start_color() == OK && use_default_colors() == OK && COLORS >= 8;
	for (enum style i = 0; i < STYLES; i++)
		choose_style(i);
}

int term_open(const struct term_options *o)
{
	choose_locale(o->ascii);
	screen = newterm(NULL, stdout, stdin);
	if (!screen)
		return -ENOTTY;
	gone = selected = false;
	set_escdelay(ESCAPE_MS);
	cbreak();
	noecho();
	nonl();
	intrflush(stdscr, FALSE);
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	leaveok(stdscr, FALSE);
	curs_set(0);
	choose_styles(o->mono);
	mouseinterval(0);
	mousemask(BUTTON1_PRESSED | BUTTON4_PRESSED | BUTTON5_PRESSED, NULL);
	return 0;
}

void term_close(void)
{
	if (!screen)
		return;
	mousemask(0, NULL);
	endwin();
	delscreen(screen);
	screen = NULL;
}

void term_resized(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row && size.ws_col)
		resizeterm(MIN(size.ws_row, 1000), MIN(size.ws_col, 1000));
	clearok(stdscr, TRUE);
}

void term_size(int *ret_rows, int *ret_columns)
{
	getmaxyx(stdscr, *ret_rows, *ret_columns);
}

bool term_ascii(void)
{
	return ascii;
}

/* --- keys --------------------------------------------------------------------- */

static const struct {
	unsigned from, to;
} keys[] = {
	{KEY_UP, TERM_UP},	   {KEY_DOWN, TERM_DOWN},	{KEY_LEFT, TERM_LEFT},	   {KEY_RIGHT, TERM_RIGHT},
	{KEY_PPAGE, TERM_PAGE_UP}, {KEY_NPAGE, TERM_PAGE_DOWN}, {KEY_HOME, TERM_HOME},	   {KEY_END, TERM_END},
	{KEY_ENTER, TERM_ENTER},   {KEY_BACKSPACE, TERM_BACKSPACE}, {KEY_DC, TERM_DELETE}, {KEY_BTAB, TERM_BACK_TAB},
	{KEY_F(1), TERM_F1},
};

static unsigned function_key(unsigned code)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (keys[i].from == code)
			return keys[i].to;
	return TERM_OTHER;
}

static unsigned character(unsigned code)
{
	switch (code) {
	case '\r':
	case '\n':
		return TERM_ENTER;
	case 27:
		return TERM_ESCAPE;
	case '\t':
		return TERM_TAB;
	case 8:
	case 127:
		return TERM_BACKSPACE;
	case 0:
		return TERM_OTHER;
	default:
		return code < 0x110000 ? code : TERM_OTHER;
	}
}

static unsigned mouse(struct term_event *e)
{
	MEVENT m;

	if (getmouse(&m) != OK)
		return TERM_OTHER;
	e->y = m.y;
	e->x = m.x;
	if (m.bstate & BUTTON4_PRESSED)
		return TERM_WHEEL_UP;
	if (m.bstate & BUTTON5_PRESSED)
		return TERM_WHEEL_DOWN;
	return m.bstate & BUTTON1_PRESSED ? TERM_PRESS : TERM_OTHER;
}

/* A terminal that is gone is readable for ever, and has no key. */
static void look_for_end(void)
{
	struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
	int n = 0;

	if (poll(&p, 1, 0) <= 0)
		return;
	if (p.revents & (POLLHUP | POLLERR | POLLNVAL) || (ioctl(STDIN_FILENO, FIONREAD, &n) < 0 && errno != ENOTTY))
		gone = true;
}

bool term_next(struct term_event *ret)
{
	wint_t c = 0;
	int r = get_wch(&c);

	*ret = (struct term_event){.y = -1, .x = -1};
	if (r == ERR) {
		look_for_end();
		return false;
	}
	if (r == KEY_CODE_YES)
		ret->key = c == KEY_MOUSE ? mouse(ret) : function_key(c);
	else
		ret->key = character(c);
	return true;
}

bool term_gone(void)
{
	return gone;
}

/* --- drawing ----------------------------------------------------------------- */

void term_clear(void)
{
	erase();
}

void term_flush(void)
{
	refresh();
}

void term_repaint(void)
{
	clearok(stdscr, TRUE);
}

void term_select(bool on)
{
	selected = on;
}

void term_cursor(int y, int x)
{
	curs_set(y >= 0);
	if (y >= 0)
		move(y, x);
}

/* Signs of ours, each for one of ASCII: widths stay. */
static wchar_t plain(wchar_t c)
{
	static const struct {
		wchar_t from, to;
	} signs[] = {
		{L'─', L'-'}, {L'│', L'|'}, {L'├', L'|'}, {L'└', L'`'}, {L'┌', L','}, {L'→', L'>'}, {L'←', L'<'}, {L'…', L'~'},
		{L'≤', L'<'}, {L'≥', L'>'}, {L'▼', L'v'}, {L'▲', L'^'}, {L'●', L'o'}, {L'■', L'*'}, {L'▶', L'>'}, {L'›', L'>'},
		{L'·', L'.'}, {L'▁', L'_'}, {L'▂', L'_'}, {L'▃', L'.'}, {L'▄', L'-'}, {L'▅', L'='}, {L'▆', L'+'}, {L'▇', L'*'},
		{L'█', L'#'}, {L'╵', L'|'}, {L'×', L'x'}, {L'═', L'='}, {L'░', L'.'}, {L'‖', L'"'}, {L'«', L'<'}, {L'»', L'>'},
		{L'–', L'-'},
	};

	for (size_t i = 0; i < ARRAY_SIZE(signs); i++)
		if (signs[i].from == c)
			return signs[i].to;
	return L'?';
}

/* Terminals do not agree on how wide these make the character before them. */
static bool unsteady(uint32_t c)
{
	return (c >= 0xfe00 && c <= 0xfe0f) || (c >= 0x1f1e6 && c <= 0x1f1ff) || (c >= 0x1f3fb && c <= 0x1f3ff) || c == 0x20e3;
}

/* As many characters as fit into `width` cells; returns them, *ret_cells what they take. */
static int wide(wchar_t *out, size_t room, int width, const char *text, int *ret_cells)
{
	char safe[TEXT_BYTES];
	size_t len = text_safe(safe, sizeof(safe), text, strnlen(text, TEXT_BYTES)), n = 0;
	int cells = 0, marks = 0;

	for (size_t i = 0, k; i < len; i += k) {
		uint32_t c = 0;

		k = utf8_next(safe + i, len - i, &c);
		if (!k)
			break;
		wchar_t put = c < 128 ? (wchar_t)c : unsteady(c) ? L'?' : ascii ? plain((wchar_t)c) : (wchar_t)c;
		int w = put < 128 ? 1 : wcwidth(put);

		if (w < 0) {
			put = L'?';
			w = 1;
		}
		marks = w ? 0 : marks + 1;
		if (cells + w > width || n >= room)
			break;
		if (w == 0 && (n == 0 || marks > MARKS_MAX)) /* nothing to stand on, or too high */
			continue;
		out[n++] = put;
		cells += w;
	}
	*ret_cells = cells;
	return (int)n;
}

static void set_style(enum style style)
{
	attr_t a = attrs[style];
	short pair = pairs[style];

	if (selected) {
		a = attrs[STYLE_SELECTED] | (a & (A_BOLD | A_UNDERLINE));
		pair = pairs[STYLE_SELECTED];
	}
	attr_set(a, pair, NULL);
}

int term_text(int y, int x, int width, enum style style, const char *text)
{
	wchar_t out[TEXT_BYTES];
	int rows, columns_, cells, n;

	getmaxyx(stdscr, rows, columns_);
	if (y < 0 || y >= rows || x < 0 || x >= columns_ || width <= 0)
		return 0;
	n = wide(out, ARRAY_SIZE(out), MIN(width, columns_ - x), text, &cells);
	if (n) {
		set_style(style);
		mvaddnwstr(y, x, out, n);
		attr_set(A_NORMAL, 0, NULL);
	}
	return cells;
}

void term_fill(int y, int x, int width, enum style style)
{
	int rows, columns_;

	getmaxyx(stdscr, rows, columns_);
	if (y < 0 || y >= rows || x < 0 || x >= columns_ || width <= 0)
		return;
	set_style(style);
	mvhline(y, x, ' ', MIN(width, columns_ - x));
	/* mvhline() draws with the attributes of its character only */
	mvchgat(y, x, MIN(width, columns_ - x), selected ? attrs[STYLE_SELECTED] : attrs[style],
		selected ? pairs[STYLE_SELECTED] : pairs[style], NULL);
	attr_set(A_NORMAL, 0, NULL);
}

/* From `in` to `out` so that it takes at most `width` cells; returns the characters. */
static int cut_wide(wchar_t *out, const wchar_t *in, int n, int cells, int width, enum text_cut cut)
{
	wchar_t sign = ascii ? L'~' : L'…';
	int from = 0, to = n, got = 0;

	if (cells <= width)
		return (int)(wmemcpy(out, in, (size_t)n) - out) + n;
	if (width <= 0)
		return 0;
	if (cut == CUT_START) {
		while (from < n && (cells > width - 1 || wcwidth(in[from]) == 0))
			cells -= wcwidth(in[from++]);
		out[got++] = sign;
	} else {
		while (to > 0 && cells > width - 1)
			cells -= wcwidth(in[--to]);
	}
	wmemcpy(out + got, in + from, (size_t)(to - from));
	got += to - from;
	if (cut != CUT_START)
		out[got++] = sign;
	return got;
}

void term_cell(const struct term_cell *c, const char *text)
{
	wchar_t all[TEXT_BYTES], out[TEXT_BYTES + 1];
	int rows, columns_, cells, n, width, taken = 0;

	getmaxyx(stdscr, rows, columns_);
	if (c->y < 0 || c->y >= rows || c->x < 0 || c->x >= columns_ || c->width <= 0)
		return;
	width = MIN(c->width, columns_ - c->x);
	n = wide(all, ARRAY_SIZE(all), TEXT_BYTES, text, &cells);
	n = cut_wide(out, all, n, cells, width, c->cut);
	for (int i = 0; i < n; i++)
		taken += MAX(wcwidth(out[i]), 0);
	term_fill(c->y, c->x, width, c->style);
	if (!n)
		return;
	set_style(c->style);
	mvaddnwstr(c->y, c->right ? c->x + width - taken : c->x, out, n);
	attr_set(A_NORMAL, 0, NULL);
}

int term_width(const char *text)
{
	wchar_t out[TEXT_BYTES];
	int cells;

	wide(out, ARRAY_SIZE(out), TEXT_BYTES, text, &cells);
	return cells;
}

void term_line(int y, char *ret, size_t n)
{
	wchar_t line[TEXT_BYTES];
	size_t len = 0;
	int got = mvinnwstr(y, 0, line, TEXT_BYTES - 1);
	mbstate_t state = {0};
	char one[MB_LEN_MAX];

	for (int i = 0; i < got; i++) {
		size_t k = wcrtomb(one, line[i], &state);

		if (k == (size_t)-1 || len + k >= n)
			break;
		memcpy(ret + len, one, k);
		len += k;
	}
	while (len && ret[len - 1] == ' ')
		len--;
	if (n)
		ret[len] = '\0';
}
