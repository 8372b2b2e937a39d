/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/tui/sheet.h"

#include <string.h>

#include "user/tui/grid.h"
#include "user/tui/term.h"

#define LEFT 1 /* the cell before the first column has the row's sign */
#define OTHER_FIGURES 20 /* added to the rank of columns that are not asked for */

struct cells {
	char *text[VIEW_COLUMNS_MAX];
};

static unsigned title_width(const struct sheet *s, size_t i)
{
	/* beside the sorted one stands a sign */
	return (unsigned)term_width(s->view->columns[i].title) + (i == s->sort ? 1 : 0);
}

static void lay_out(struct sheet *s, const struct sheet_drawing *d, unsigned widths[VIEW_COLUMNS_MAX])
{
	struct grid_column g[VIEW_COLUMNS_MAX];

	for (size_t i = 0; i < s->view->ncolumns; i++) {
		const struct column *c = &s->view->columns[i];
		unsigned title = title_width(s, i), most = MAX(MAX(c->most, c->least), title);
		bool other = c->figures && !(c->figures & (1u << d->figures)) && i != s->sort;

		g[i] = (struct grid_column){
			.least = MAX(c->least, title),
			.want = MIN(MAX(s->seen[i], title), most + (i == 0 && s->tree ? 2 * ROWS_DEEPEST : 0)),
			.rank = i == s->sort ? 0 : c->rank ? c->rank + (other ? OTHER_FIGURES : 0) : 0,
		};
	}
	grid_layout(g, s->view->ncolumns, (unsigned)MAX(d->width - LEFT, 0), widths);
}

/* --- titles ------------------------------------------------------------------------ */

static void draw_titles(struct sheet *s, const struct sheet_drawing *d, const unsigned *widths)
{
	int x = LEFT;

	s->title_y = d->y;
	term_fill(d->y, 0, d->width, STYLE_HEAD);
	for (size_t i = 0; i < s->view->ncolumns; i++) {
		const struct column *c = &s->view->columns[i];
		bool sorted = i == s->sort;
		char text[64];

		s->title_x[i] = -1;
		if (!widths[i])
			continue;
		snprintf(text, sizeof(text), "%s%s", c->title, !sorted ? "" : column_down(c) != s->reverse ? "▼" : "▲");
		s->title_x[i] = x;
		term_cell(&(struct term_cell){.y = d->y,
					      .x = x,
					      .width = (int)widths[i],
					      .style = sorted ? STYLE_SORTED : STYLE_HEAD,
					      .right = c->right,
					      .cut = CUT_END},
			  text);
		x += (int)widths[i] + GRID_GAP;
	}
	s->title_end = x - GRID_GAP;
}

/* --- rows --------------------------------------------------------------------------- */

/* The lines from those above. */
static char *branch(const struct row *r, const char *text)
{
	char *all, lines[ROWS_DEEPEST * 8] = "";
	size_t w = 0;

	for (unsigned i = 1; i < r->depth; i++)
		w += (size_t)snprintf(lines + w, sizeof(lines) - w, "%s", r->open & (1u << i) ? "│ " : "  ");
	if (r->depth)
		snprintf(lines + w, sizeof(lines) - w, "%s", r->last ? "└ " : "├ ");
	return asprintf(&all, "%s%s", lines, text) < 0 ? NULL : all;
}

static void fill_cells(struct sheet *s, const struct sheet_drawing *d, const struct row *r, const unsigned *widths,
		       struct cells *cells)
{
	for (size_t i = 0; i < s->view->ncolumns; i++) {
		if (!widths[i])
			continue;
		char *text = column_text(&s->view->columns[i], d->data, s->view->what, r->item, d->now);

		if (i == 0 && s->tree && r->depth) {
			char *with = branch(r, text ? text : "?");

			free(text);
			text = with;
		}
		cells->text[i] = text;
		s->seen[i] = MAX(s->seen[i], text ? (unsigned)term_width(text) : 1u);
	}
}

/* Nothing, and what is not known, stand back. */
static bool dull(const char *text)
{
	return !strcmp(text, "0 B") || !strcmp(text, "0") || !strcmp(text, "-") || !strcmp(text, "?") || !strcmp(text, "no");
}

static void draw_cells(const struct sheet *s, const struct row *r, int y, const unsigned *widths, const struct cells *cells)
{
	int x = LEFT;

	for (size_t i = 0; i < s->view->ncolumns; i++) {
		const struct column *c = &s->view->columns[i];
		const char *text = cells->text[i] ? cells->text[i] : "?";
		enum style style = c->style ? c->style(r->item) : STYLE_TEXT;

		if (!widths[i])
			continue;
		term_cell(&(struct term_cell){.y = y,
					      .x = x,
					      .width = (int)widths[i],
					      .style = dull(text) ? STYLE_DIM : style,
					      .right = c->right,
					      .cut = c->cut == CUT_START ? CUT_START : CUT_END},
			  text);
		x += (int)widths[i] + GRID_GAP;
	}
}

static void draw_sign(const struct sheet *s, const struct sheet_drawing *d, size_t at, int y)
{
	const struct row *r = &s->rows.v[at];

	if (d->marks->n && keyset_has(d->marks, rows_key(&s->rows, at)))
		term_text(y, 0, 1, STYLE_MARKED, "■");
	else if (d->search && *d->search && filter_contains(r->item, d->search))
		term_text(y, 0, 1, STYLE_FOUND, "›");
	else if (sheet_follows(s, at))
		term_text(y, 0, 1, STYLE_TEXT, "▶");
}

static void scroll_to(struct sheet *s, size_t page)
{
	size_t most = s->rows.n > page ? s->rows.n - page : 0;

	if (s->selected < s->first)
		s->first = s->selected;
	if (s->selected >= s->first + page)
		s->first = s->selected - page + 1;
	s->first = MIN(s->first, most);
}

void sheet_draw(struct sheet *s, const struct sheet_drawing *d)
{
	size_t page = (size_t)MAX(d->rows - 1, 0), shown;
	unsigned widths[VIEW_COLUMNS_MAX] = {0};
	_cleanup_free_ struct cells *cells = NULL;

	if (s->drawn_width != d->width || s->drawn_rows != d->rows)
		memset(s->seen, 0, sizeof(s->seen));
	s->drawn_width = d->width;
	s->drawn_rows = d->rows;
	s->page = (unsigned)MAX(page, (size_t)1);
	scroll_to(s, MAX(page, (size_t)1));
	shown = MIN(page, s->rows.n - MIN(s->first, s->rows.n));
	cells = calloc(MAX(shown, (size_t)1), sizeof(*cells));
	if (!cells)
		return;
	/* which columns have room does not depend on what is in them */
	lay_out(s, d, widths);
	for (size_t i = 0; i < shown; i++)
		fill_cells(s, d, &s->rows.v[s->first + i], widths, &cells[i]);
	lay_out(s, d, widths);
	draw_titles(s, d, widths);
	for (size_t i = 0; i < shown; i++) {
		const struct row *r = &s->rows.v[s->first + i];
		int y = d->y + 1 + (int)i;
		bool selected = s->first + i == s->selected;

		term_select(selected);
		if (selected)
			term_fill(y, 0, d->width, STYLE_SELECTED);
		draw_cells(s, r, y, widths, &cells[i]);
		draw_sign(s, d, s->first + i, y);
		term_select(false);
		for (size_t c = 0; c < s->view->ncolumns; c++)
			free(cells[i].text[c]);
	}
}
