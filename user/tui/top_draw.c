/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The screen from top to bottom. */
#include "user/tui/top_internal.h"

#include <string.h>

#define SMALLEST_ROWS 3
#define SMALLEST_COLUMNS 20
#define ROWS_FOR_HEADER 16 /* of all its lines */
#define ROWS_FOR_TABS 9
#define ROWS_FOR_BAR 11
#define HINTS_RIGHT 15 /* cells for help and quit */
#define WIDTH_FOR_BOTH 60 /* of these, and of what is the matter */

/* --- the views ------------------------------------------------------------------------ */

static void draw_tabs(struct top *t, int y, int width)
{
	size_t on = top_view_number(top_sheet(t)->view);
	int x = 0;

	t->tab_y = y;
	for (size_t i = 0; i < VIEWS; i++) {
		char text[32];

		snprintf(text, sizeof(text), " %zu %s ", i + 1, views[i]->title);
		t->tab_x[i] = x < width ? x : -1;
		x += term_text(y, x, width - x, i == on ? STYLE_TAB_ON : STYLE_TAB, text);
	}
	t->tab_end = x;
}

/* --- where one is, and how it is ordered ------------------------------------------------- */

static void put(char *text, size_t n, const char *word)
{
	size_t len = strlen(text);

	snprintf(text + len, n - len, "%s%s", len ? " · " : "", word);
}

static void ways_text(const struct top *t, char *text, size_t n)
{
	size_t w = 0;

	text[0] = '\0';
	if (t->nways)
		w = (size_t)snprintf(text, n, "%s", t->base[t->view].view->title);
	for (size_t i = 0; i < t->nways && w < n; i++)
		w += (size_t)snprintf(text + w, n - w, " › %s › %s", t->ways[i].name ? t->ways[i].name : "?",
				      t->ways[i].view->title);
}

static void order_text(struct top *t, char *text, size_t n)
{
	static const char *const figures[] = {"totals", "rates", "bounds"};
	struct sheet *s = top_sheet(t);
	const struct column *c = &s->view->columns[s->sort];
	char word[96];

	text[0] = '\0';
	if (s->rows.n != s->rows.total)
		snprintf(word, sizeof(word), "%zu of %zu", s->rows.n, s->rows.total);
	else if (s->view->items)
		snprintf(word, sizeof(word), "%zu facts", s->rows.n);
	else
		snprintf(word, sizeof(word), "%zu %s", s->rows.n, s->rows.n == 1 ? "row" : s->view->name);
	put(text, n, word);
	if (top_marks(t)->n) {
		snprintf(word, sizeof(word), "%zu marked", top_marks(t)->n);
		put(text, n, word);
	}
	if (view_has_figures(s->view))
		put(text, n, figures[t->figures]);
	if (s->follow)
		put(text, n, "following");
	snprintf(word, sizeof(word), "%s%s%s", s->frozen ? "frozen, " : "", c->title, column_down(c) != s->reverse ? "▼" : "▲");
	put(text, n, word);
}

/* What is wrong with the filter that is being typed: there is more room than beside it. */
static bool draw_error(const struct top *t, int y, int width)
{
	const struct filter_error *e = &t->prompt.error;
	char text[sizeof(e->text) + 32];

	if (t->prompt.kind != PROMPT_FILTER || !e->column)
		return false;
	snprintf(text, sizeof(text), "column %u: %s", e->column, e->text);
	term_cell(&(struct term_cell){.y = y, .x = 1, .width = width - 1, .style = STYLE_WARN, .cut = CUT_END}, text);
	return true;
}

static void draw_bar(struct top *t, int y, int width)
{
	const struct sheet *s = top_sheet(t);
	char order[256], ways[1024], filter[FILTER_BYTES + 16] = "";
	int x = 1, right;

	if (draw_error(t, y, width))
		return;
	order_text(t, order, sizeof(order));
	ways_text(t, ways, sizeof(ways));
	if (*s->filter_text)
		snprintf(filter, sizeof(filter), "%sfilter %s", *ways ? "  " : "", s->filter_text);
	right = MAX(width - term_width(order) - 1, 0);
	/* the end of a long way tells more than its beginning */
	if (*ways) {
		int room = MAX(right - x - 2 - MIN(term_width(filter), right / 2), 0), wide = MIN(term_width(ways), room);

		term_cell(&(struct term_cell){.y = y, .x = x, .width = wide, .style = STYLE_STRONG, .cut = CUT_START}, ways);
		x += wide;
	}
	if (*filter || !*ways)
		term_cell(&(struct term_cell){.y = y, .x = x, .width = right - x - 1, .style = *filter ? STYLE_WARN : STYLE_DIM,
					      .cut = CUT_END},
			  *filter ? filter : s->view->about);
	term_text(y, right, width - right, STYLE_DIM, order);
}

/* --- keys ------------------------------------------------------------------------------------ */

/* What the key would do now, a word; NULL: nothing that people need to be told. */
static const char *hint_of(const struct top *t, const struct key_row *k)
{
	static const char *const next[] = {"rates", "bounds", "totals"};

	if (t->page.kind && page_ignores(k->action))
		return NULL;
	if (k->action == ACTION_FIGURES)
		return view_has_figures(top_sheet((struct top *)t)->view) ? next[t->figures] : NULL;
	if (k->action == ACTION_PAUSE && (t->data.still || feed_state(t->feed) == FEED_PAUSED))
		return "go on";
	return k->hint;
}

/* Where it ends, if it has room. */
static int draw_hint(const struct key_row *k, const char *hint, int y, int x, int end)
{
	char name[16];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(k->name, ","), k->name);
	if (x + term_width(name) + 1 + term_width(hint) > end)
		return x;
	x += term_text(y, x, end - x, STYLE_KEY, name) + 1;
	return x + term_text(y, x, end - x, STYLE_BAR, hint) + 2;
}

static bool stands_right(const struct key_row *k)
{
	return k->action == ACTION_HELP || k->action == ACTION_QUIT;
}

/* How to get help and how to leave stand on the right. Returns where they begin. */
static int draw_ways_out(int y, int width)
{
	int x = MAX(width - HINTS_RIGHT, 0), begin = x;

	for (size_t i = 0; i < key_nrows; i++)
		if (stands_right(&key_rows[i]))
			x = draw_hint(&key_rows[i], key_rows[i].hint, y, x, width);
	return begin;
}

static void draw_hints(const struct top *t, int y, int end)
{
	int x = 1;

	for (size_t i = 0; i < key_nrows; i++) {
		const char *hint = stands_right(&key_rows[i]) ? NULL : hint_of(t, &key_rows[i]);

		x = hint ? draw_hint(&key_rows[i], hint, y, x, end) : x;
	}
}

/* What is the matter stays for long: where there is room, how to leave stays beside it. */
static void draw_last(const struct top *t, int y, int width)
{
	const char *why = feed_why(t->feed);
	struct term_cell c = {.y = y, .x = 1, .width = width - 1, .style = t->message_style, .cut = CUT_END};
	bool alone = *t->message || (*why && width < WIDTH_FOR_BOTH);
	int end = t->prompt.kind || alone ? width : draw_ways_out(y, width) - 1;

	if (t->prompt.kind) {
		prompt_draw(t, y, width);
	} else if (*t->message) {
		term_cell(&c, t->message);
	} else if (*why) {
		c.width = end - 1;
		c.style = STYLE_WARN;
		term_cell(&c, why);
	} else {
		draw_hints(t, y, end);
	}
}

/* --- the table --------------------------------------------------------------------------------- */

static void draw_empty(struct top *t, int y, int width)
{
	struct sheet *s = top_sheet(t);
	bool known = data_document(&t->data, s->view->what);
	struct feed_span span;
	char text[256];

	if (!known && feed_span(t->feed, &span))
		snprintf(text, sizeof(text), "reading the records");
	else if (!known && feed_state(t->feed) == FEED_LOST)
		snprintf(text, sizeof(text), "nobody asked for this before the monitor went away");
	else if (!known)
		snprintf(text, sizeof(text), "waiting for the first word of the monitor");
	else if (s->rows.total && s->only_marked && !*s->filter_text)
		snprintf(text, sizeof(text), "none of %zu is marked: o shows all", s->rows.total);
	else if (s->rows.total)
		snprintf(text, sizeof(text), "none of %zu pass: f changes the filter%s", s->rows.total,
			 t->nways || *t->search ? "" : ", Esc takes it off");
	else if (t->nways)
		snprintf(text, sizeof(text), "there are no %s here", s->view->name);
	else
		snprintf(text, sizeof(text), "%s", s->view->empty);
	term_cell(&(struct term_cell){.y = y, .x = 2, .width = width - 2, .style = STYLE_DIM, .cut = CUT_END}, text);
}

static void draw_table(struct top *t, int y, int rows, int width)
{
	struct sheet *s = top_sheet(t);
	int pane = pane_rows(t, rows, width);
	const struct sheet_drawing d = {
		.y = y,
		.rows = rows - pane,
		.width = width,
		.figures = t->figures,
		.data = &t->data,
		.marks = top_marks(t),
		.search = t->search,
		.now = data_time(&t->data),
	};

	sheet_draw(s, &d);
	if (!s->rows.n && d.rows > 1)
		draw_empty(t, y + 1, width);
	if (pane)
		pane_draw(t, y + d.rows, pane, width);
}

static void draw_body(struct top *t, int rows, int width)
{
	const struct header h = {.data = &t->data,
				 .history = &t->history,
				 .interval_ns = t->interval_ns,
				 .source = t->options->source,
				 .width = width};
	bool last = rows >= ROWS_FOR_HINTS || t->prompt.kind || *t->message;
	int y = header_draw(&h, rows >= ROWS_FOR_HEADER ? HEADER_ROWS : 1);

	t->tab_y = -1;
	if (rows >= ROWS_FOR_TABS)
		draw_tabs(t, y++, width);
	if (rows >= ROWS_FOR_BAR)
		draw_bar(t, y++, width);
	if (t->page.kind)
		page_draw(t, y, rows - y - last, width);
	else
		draw_table(t, y, rows - y - last, width);
	if (last)
		draw_last(t, rows - 1, width);
}

void top_draw(struct top *t)
{
	int rows, columns;

	term_size(&rows, &columns);
	term_clear();
	term_cursor(-1, 0);
	if (rows < SMALLEST_ROWS || columns < SMALLEST_COLUMNS)
		term_text(0, 0, columns, STYLE_WARN, "too small");
	else
		draw_body(t, rows, columns);
	term_flush();
}
