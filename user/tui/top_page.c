/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* An item with all that is known of it, and the help: lines in the place of the table, or below it. */
#include "user/tui/top_internal.h"

#include <string.h>

#define LABEL_COLUMN 18
#define PANE_LEAST 5

void page_close(struct page *p)
{
	lines_clear(&p->lines);
	lines_clear(&p->shown);
	json_decref(p->item);
	*p = (struct page){0};
}

/* --- an item ------------------------------------------------------------------------ */

static int make_item(const struct view_ops *v, const json_t *item, struct lines *l)
{
	int err = v->detail_of ? v->detail_of(l, item) : 0;

	if (!err && v->detail_of)
		err = lines_add(l, STYLE_TEXT, "%s", "");
	return err ? err : lines_item(l, item);
}

int page_open_item(struct top *t)
{
	struct sheet *s = top_sheet(t);

	if (!sheet_row(s))
		return 0;
	page_close(&t->page);
	t->page = (struct page){.kind = PAGE_ITEM, .key = rows_key(&s->rows, s->selected)};
	return page_make(t);
}

/* The item as it is now; what is gone stays as it was. */
static int renew_item(struct top *t)
{
	struct sheet *s = top_sheet(t);
	struct page *p = &t->page;
	size_t at = rows_find(&s->rows, p->key);

	p->ended = at == s->rows.n;
	if (p->ended)
		return 0;
	json_decref(p->item);
	p->item = json_deep_copy(s->rows.v[at].item);
	return p->item ? 0 : -ENOMEM;
}

int page_make(struct top *t)
{
	struct page *p = &t->page;
	int err;

	if (p->kind != PAGE_ITEM)
		return 0;
	err = renew_item(t);
	if (err)
		return err;
	lines_clear(&p->lines);
	p->shown_width = 0;
	return p->item ? make_item(top_sheet(t)->view, p->item, &p->lines) : 0;
}

/* --- the help ------------------------------------------------------------------------ */

static int add_keys(struct lines *l)
{
	int err = 0;

	for (size_t i = 0; i < key_nrows && !err; i++) {
		const struct key_row *k = &key_rows[i];

		if (k->section)
			err = lines_add(l, STYLE_HEAD, "%s%s", l->n ? " " : " ", k->section);
		if (k->name && !err) {
			char label[64];

			snprintf(label, sizeof(label), "   %s", k->name);
			err = lines_pair(l, STYLE_TEXT, LABEL_COLUMN, label, k->help);
		}
	}
	return err;
}

static int add_filters(struct lines *l)
{
	static const char *const rows[][2] = {
		{"   dataset:patients", "the field contains the text; with * or ? it is a pattern; a,b is either"},
		{"   tainted>1MiB", "a figure is more; also >= < <= =, in bytes or IEC units; severity>=high"},
		{"   >1MiB", "the figure that matters most here: what leaked, or left tainted"},
		{"   \"two words\"", "any text of the row contains it; so does a word alone"},
		{"   !class:vpc", "not so"},
	};
	char fields[512] = "";
	size_t w = 0;
	int err = lines_add(l, STYLE_HEAD, " Filters: terms that must all hold; what is unknown holds no comparison");

	for (size_t i = 0; i < ARRAY_SIZE(rows) && !err; i++)
		err = lines_pair(l, STYLE_TEXT, LABEL_COLUMN + 2, rows[i][0], rows[i][1]);
	for (size_t i = 0; filter_key(i) && !err; i++) {
		w += (size_t)snprintf(fields + w, sizeof(fields) - w, " %s", filter_key(i));
		if (w > 50 || !filter_key(i + 1)) {
			err = lines_pair(l, STYLE_TEXT, LABEL_COLUMN + 2, i < 12 ? "   fields" : "", fields + 1);
			w = 0;
		}
	}
	return err;
}

static int add_signs(struct lines *l)
{
	static const struct {
		enum style style;
		const char *label, *help;
	} rows[] = {
		{STYLE_TAINT, "   ●", "holds, or may hold, bytes of a tagged dataset; amber figures are tainted bytes"},
		{STYLE_TEXT, "   ?", "not known: never to be read as 0"},
		{STYLE_TEXT, "   ≤", "at most: a bound"},
		{STYLE_TEXT, "   ×", "the process has ended"},
		{STYLE_MARKED, "   ■ › ▶", "marked; met by the search; followed"},
		{STYLE_OUTSIDE, "   internet", "outside the VPC, as private and unobservable are"},
		{STYLE_CLOUD, "   aws:s3:…", "a service of the cloud, which may be anybody's account"},
		{STYLE_INSIDE, "   vpc host", "inside"},
	};
	int err = lines_add(l, STYLE_HEAD, " Signs");

	for (size_t i = 0; i < ARRAY_SIZE(rows) && !err; i++)
		err = lines_pair(l, rows[i].style, LABEL_COLUMN, rows[i].label, rows[i].help);
	return err;
}

int page_open_help(struct top *t)
{
	struct page *p = &t->page;
	int err;

	page_close(p);
	p->kind = PAGE_HELP;
	err = add_keys(&p->lines);
	if (!err)
		err = add_filters(&p->lines);
	if (!err)
		err = add_signs(&p->lines);
	if (err)
		page_close(p);
	return err;
}

/* --- moving in it ----------------------------------------------------------------------- */

static void scroll(struct page *p, long by)
{
	long most = p->shown.n > p->rows ? (long)(p->shown.n - p->rows) : 0, to = (long)p->first + by;

	p->first = (size_t)MAX(MIN(to, most), 0L);
}

bool page_ignores(enum action a)
{
	return a == ACTION_ENTER || a == ACTION_DETAIL || a == ACTION_FIGURES || a == ACTION_SORT_RIGHT;
}

bool page_act(struct top *t, enum action a)
{
	struct page *p = &t->page;
	long page = (long)MAX(p->rows, (size_t)2) - 1;

	switch (a) {
	case ACTION_UP:
		scroll(p, -1);
		return true;
	case ACTION_DOWN:
		scroll(p, 1);
		return true;
	case ACTION_PAGE_UP:
		scroll(p, -page);
		return true;
	case ACTION_PAGE_DOWN:
		scroll(p, page);
		return true;
	case ACTION_FIRST:
		p->first = 0;
		return true;
	case ACTION_LAST:
		scroll(p, (long)p->shown.n);
		return true;
	case ACTION_ENTER:
	case ACTION_BACK:
		page_close(p);
		return true;
	case ACTION_HELP:
		if (p->kind != PAGE_HELP)
			return false;
		page_close(p);
		return true;
	case ACTION_SAVE:
	case ACTION_PAUSE:
	case ACTION_REPAINT:
	case ACTION_QUIT:
	case ACTION_VIEW:
	case ACTION_NEXT_VIEW:
	case ACTION_PREVIOUS_VIEW:
	case ACTION_SLOWER:
	case ACTION_FASTER:
	case ACTION_SEEK_BACK:
	case ACTION_SEEK_ON:
	case ACTION_SPEED_LESS:
	case ACTION_SPEED_MORE:
	case ACTION_SEARCH:
	case ACTION_FILTER:
		return false;
	default: /* what is about the table would be done unseen */
		return true;
	}
}

/* --- drawing ------------------------------------------------------------------------------ */

static void draw_line(const struct line *l, int y, int width)
{
	char label[300];
	int x;

	if (!l->label) {
		term_cell(&(struct term_cell){.y = y, .width = width, .style = l->style, .cut = CUT_END}, l->text);
		return;
	}
	snprintf(label, sizeof(label), "%.*s", (int)MIN(l->label, sizeof(label) - 1), l->text);
	x = term_text(y, 0, width, l->style == STYLE_TEXT ? STYLE_DIM : l->style, label);
	term_cell(&(struct term_cell){.y = y, .x = x, .width = width - x, .style = STYLE_TEXT, .cut = CUT_END},
		  l->text + l->label);
}

/* Bytes of a text that take at most `width` cells. */
static size_t bytes_in(const char *text, int width)
{
	char one[8];
	size_t at = 0, k;
	uint32_t c;

	while (text[at]) {
		k = utf8_next(text + at, strnlen(text + at, 4), &c);
		k = k ? k : 1;
		snprintf(one, sizeof(one), "%.*s", (int)k, text + at);
		width -= term_width(one);
		if (width < 0 && at)
			break;
		at += k;
	}
	return at;
}

/* The same, up to a blank where there is one not far from the end. */
static size_t bytes_of_line(const char *text, int width)
{
	size_t n = bytes_in(text, width), at = n;

	while (text[n] && at > n / 2 && text[at - 1] != ' ')
		at--;
	return text[n] && at > n / 2 ? at : n;
}

/* A long text goes on below, so that all of it can be read and copied. */
static int break_line(struct lines *out, const struct line *l, int width)
{
	int hang = l->hang ? (int)l->hang : (int)strspn(l->text, " "), err = 0;
	const char *rest = l->text;
	size_t label = l->label, before;

	hang = hang < width / 2 ? hang : 0;
	do {
		int in = rest == l->text ? 0 : hang;
		size_t n = bytes_of_line(rest, width - in);

		before = out->n;
		err = lines_add(out, l->style, "%*s%.*s", in, "", (int)n, rest);
		if (out->n > before) /* else it was one too many */
			out->v[out->n - 1].label = MIN(label, n) + (size_t)in;
		label -= MIN(label, n);
		rest += n;
	} while (*rest && out->n > before);
	return err;
}

static int break_lines(struct lines *out, const struct lines *in, int width)
{
	int err = 0;

	lines_clear(out);
	for (size_t i = 0; i < in->n && !err; i++)
		err = break_line(out, &in->v[i], MAX(width, 1));
	out->left_out += in->left_out;
	return err;
}

static void draw_lines(const struct lines *l, size_t first, int y, int rows, int width)
{
	for (int i = 0; i < rows && first + (size_t)i < l->n; i++)
		draw_line(&l->v[first + (size_t)i], y + i, width);
}

static void draw_rule(int y, int width, const char *title, const char *right)
{
	int x = term_text(y, 0, width, STYLE_DIM, "──"), room;

	x += term_text(y, x, width - x, STYLE_STRONG, title);
	room = width - term_width(right);
	for (; x < room; x++)
		term_text(y, x, 1, STYLE_DIM, "─");
	if (room > 0 && *right)
		term_text(y, room, width - room, STYLE_DIM, right);
}

void page_draw(struct top *t, int y, int rows, int width)
{
	struct page *p = &t->page;
	_cleanup_free_ char *name = p->item ? top_sheet(t)->view->name_of(p->item) : NULL;
	char title[256], where[64];

	p->rows = (size_t)MAX(rows - 1, 0);
	if (p->shown_width != width)
		break_lines(&p->shown, &p->lines, width);
	p->shown_width = width;
	scroll(p, 0);
	if (p->kind == PAGE_HELP)
		snprintf(title, sizeof(title), " help ");
	else
		snprintf(title, sizeof(title), " %s%s ", name ? name : "?", p->ended ? ", as it was: it is gone" : "");
	snprintf(where, sizeof(where), " %zu–%zu of %zu%s ", MIN(p->first + 1, p->shown.n), MIN(p->first + p->rows, p->shown.n),
		 p->shown.n, p->shown.left_out ? ", the rest is left out" : "");
	draw_rule(y, width, title, where);
	draw_lines(&p->shown, p->first, y + 1, rows - 1, width);
}

static int make_pane(struct top *t, int width, struct lines *ret)
{
	const struct row *r = sheet_row(top_sheet(t));
	const struct view_ops *v = top_sheet(t)->view;
	struct lines l = {0};
	int err = 0;

	if (r)
		err = v->detail_of ? v->detail_of(&l, r->item) : lines_item(&l, r->item);
	if (!err)
		err = break_lines(ret, &l, width);
	lines_clear(&l);
	return err;
}

/* Half of the room, and what the rows do not need of the rest. */
int pane_rows(struct top *t, int room, int width)
{
	const struct sheet *s = top_sheet(t);
	struct lines l = {0};
	int rows = 0, most = MAX(room - 1 - (int)MIN(s->rows.n, (size_t)room), MAX(room / 2, PANE_LEAST));

	if (s->detail && room >= 2 * PANE_LEAST && make_pane(t, width, &l) == 0 && l.n)
		rows = MIN((int)l.n + 1, most);
	lines_clear(&l);
	return rows;
}

void pane_draw(struct top *t, int y, int rows, int width)
{
	const struct row *r = sheet_row(top_sheet(t));
	_cleanup_free_ char *name = r ? top_sheet(t)->view->name_of(r->item) : NULL;
	struct lines l = {0};
	char title[256], more[64] = "";

	snprintf(title, sizeof(title), " %s ", name ? name : "?");
	if (make_pane(t, width, &l) == 0) {
		size_t hidden = l.n - MIN(l.n, (size_t)(rows - 1));

		if (hidden)
			snprintf(more, sizeof(more), " %zu line%s more ", hidden, hidden == 1 ? "" : "s");
		draw_rule(y, width, title, more);
		draw_lines(&l, 0, y + 1, rows - 1, width);
	}
	lines_clear(&l);
}
