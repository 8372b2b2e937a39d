/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The line in which a search or a filter is typed; it takes effect while it is. */
#include "user/tui/top_internal.h"

#include <string.h>

#define CTRL(c) ((c) & 0x1f)

void prompt_open(struct top *t, enum prompt_kind kind)
{
	struct prompt *p = &t->prompt;
	struct sheet *s = top_sheet(t);

	page_close(&t->page);
	*p = (struct prompt){.kind = kind, .from = s->selected_key};
	if (kind == PROMPT_FILTER)
		snprintf(p->text, sizeof(p->text), "%s", s->filter_text);
	snprintf(p->before, sizeof(p->before), "%s", kind == PROMPT_FILTER ? s->filter_text : t->search);
	p->len = strlen(p->text);
}

/* --- what is typed --------------------------------------------------------------- */

static size_t put_utf8(char *to, unsigned c)
{
	if (c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (char)(0xc0 | c >> 6);
		to[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		to[0] = (char)(0xe0 | c >> 12);
		to[1] = (char)(0x80 | (c >> 6 & 0x3f));
		to[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | c >> 18);
	to[1] = (char)(0x80 | (c >> 12 & 0x3f));
	to[2] = (char)(0x80 | (c >> 6 & 0x3f));
	to[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

static void drop_last(struct prompt *p)
{
	while (p->len && (p->text[p->len - 1] & 0xc0) == 0x80)
		p->len--;
	if (p->len)
		p->len--;
	p->text[p->len] = '\0';
}

static void drop_word(struct prompt *p)
{
	while (p->len && p->text[p->len - 1] == ' ')
		drop_last(p);
	while (p->len && p->text[p->len - 1] != ' ')
		drop_last(p);
}

/* False: the key changes nothing. */
static bool edit(struct prompt *p, unsigned key)
{
	size_t room = p->kind == PROMPT_SEARCH ? SEARCH_BYTES : sizeof(p->text);

	if (key == TERM_BACKSPACE || key == TERM_DELETE)
		drop_last(p);
	else if (key == CTRL('u'))
		p->text[p->len = 0] = '\0';
	else if (key == CTRL('w'))
		drop_word(p);
	else if (key >= ' ' && key < TERM_KEYS && (key < 0x7f || key >= 0xa0) && p->len + 5 < room)
		p->text[p->len += put_utf8(p->text + p->len, key)] = '\0';
	else
		return false;
	return true;
}

/* --- what comes of it ------------------------------------------------------------- */

static void apply_search(struct top *t, const char *text)
{
	struct sheet *s = top_sheet(t);
	size_t from = rows_find(&s->rows, t->prompt.from);

	snprintf(t->search, sizeof(t->search), "%.*s", (int)sizeof(t->search) - 1, text);
	if (from < s->rows.n)
		sheet_select(s, from);
	if (*text && !sheet_search(s, text, false, true))
		t->prompt.error = (struct filter_error){.column = 1, .text = "no row contains it"};
}

static void apply(struct top *t, const char *text)
{
	t->prompt.error.column = 0;
	if (t->prompt.kind == PROMPT_SEARCH) {
		apply_search(t, text);
	} else if (sheet_filter(top_sheet(t), text, &t->prompt.error) == 0) {
		t->prompt.error.column = 0;
		sheet_find(top_sheet(t), t->prompt.from);
	}
	t->remake = true;
}

static void finish(struct top *t)
{
	struct prompt *p = &t->prompt;

	if (p->kind == PROMPT_FILTER && p->error.column) /* until it is right, or given up */
		return;
	p->kind = PROMPT_NONE;
}

void prompt_key(struct top *t, unsigned key)
{
	struct prompt *p = &t->prompt;

	if (key == TERM_ESCAPE || key == CTRL('c')) {
		apply(t, p->before);
		p->kind = PROMPT_NONE;
	} else if (key == TERM_ENTER) {
		finish(t);
	} else if (edit(p, key)) {
		apply(t, p->text);
	}
}

void prompt_draw(const struct top *t, int y, int width)
{
	const struct prompt *p = &t->prompt;
	const char *label = p->kind == PROMPT_SEARCH ? " search: " : " filter: ";
	char error[sizeof(p->error.text) + 32] = "";
	int x, wide = term_width(p->text), room;

	if (p->error.column && p->kind == PROMPT_FILTER)
		snprintf(error, sizeof(error), "  (column %u is wrong)", p->error.column);
	else if (p->error.column)
		snprintf(error, sizeof(error), "  %s", p->error.text);
	x = term_text(y, 0, width, STYLE_KEY, label);
	room = MAX(width - x - 1, 0);
	/* of a long text its end is seen */
	if (wide > room) {
		term_cell(&(struct term_cell){.y = y, .x = x, .width = room, .style = STYLE_STRONG, .cut = CUT_START}, p->text);
		term_cursor(y, x + room);
		return;
	}
	x += term_text(y, x, room, STYLE_STRONG, p->text);
	term_text(y, x, width - x, STYLE_WARN, error);
	term_cursor(y, x);
}
