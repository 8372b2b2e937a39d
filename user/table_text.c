/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/table_text.h"

#include <string.h>

#define GAP 2
#define CELL_BYTES 1024 /* of one cell: more than any terminal is wide */
#define COLUMNS_MAX 24

struct line {
	bool note;
	char *cells[]; /* one per column, or the note alone */
};

struct table_text {
	const struct text_column *columns;
	size_t ncolumns;
	struct line **lines;
	size_t n, size;
};

/* --- text ------------------------------------------------------------------- */

static const struct {
	uint32_t first, last;
	unsigned width;
} odd_widths[] = {
    {0x0300, 0x036f, 0},   {0x0483, 0x0489, 0},	  {0x0591, 0x05bd, 0},	 {0x064b, 0x065f, 0},
    {0x0e31, 0x0e31, 0},   {0x0e34, 0x0e3a, 0},	  {0x0e47, 0x0e4e, 0},	 {0x1100, 0x115f, 2},
    {0x1ab0, 0x1aff, 0},   {0x1dc0, 0x1dff, 0},	  {0x20d0, 0x20ff, 0},	 {0x2e80, 0x303e, 2},
    {0x3041, 0xa4cf, 2},   {0xac00, 0xd7a3, 2},	  {0xf900, 0xfaff, 2},	 {0xfe00, 0xfe0f, 0},
    {0xfe20, 0xfe2f, 0},   {0xfe30, 0xfe6f, 2},	  {0xff00, 0xff60, 2},	 {0xffe0, 0xffe6, 2},
    {0x1f300, 0x1f64f, 2}, {0x1f680, 0x1f6ff, 2}, {0x1f900, 0x1f9ff, 2}, {0x20000, 0x3fffd, 2},
    {0xe0100, 0xe01ef, 0},
};

static unsigned char_width(uint32_t cp)
{
	for (size_t i = 0; i < ARRAY_SIZE(odd_widths); i++)
		if (cp >= odd_widths[i].first && cp <= odd_widths[i].last)
			return odd_widths[i].width;
	return 1;
}

/* Bytes of the next character, and its cells. What is no UTF-8 is one byte, one cell. */
static size_t next_char(const char *text, unsigned *ret_width)
{
	uint32_t cp;
	size_t n = utf8_next(text, strnlen(text, 4), &cp);

	*ret_width = n ? char_width(cp) : 1;
	return n ? n : 1;
}

unsigned text_width(const char *text)
{
	unsigned total = 0, w;

	while (*text) {
		text += next_char(text, &w);
		total += w;
	}
	return total;
}

/* Bytes from the start that take at most `width` cells. */
static size_t head(const char *text, unsigned width)
{
	size_t at = 0, n;
	unsigned w;

	while (text[at] && (n = next_char(text + at, &w)) && w <= width) {
		width -= w;
		at += n;
	}
	return at;
}

/* Where the end begins that takes at most `width` cells. */
static size_t tail(const char *text, unsigned width)
{
	unsigned total = text_width(text), w = 1;
	size_t at = 0, n;

	while (text[at] && (n = next_char(text + at, &w)) && (total > width || w == 0)) {
		at += n;
		total -= w;
	}
	return at;
}

size_t text_fit(char *out, size_t n, const char *in, unsigned width, enum text_cut cut)
{
	static const char dots[] = "…";

	if (text_width(in) <= width || cut == CUT_NEVER)
		return (size_t)snprintf(out, n, "%s", in);
	if (width == 0)
		return (size_t)snprintf(out, n, "%s", "");
	if (cut == CUT_START)
		return (size_t)snprintf(out, n, "%s%s", dots, in + tail(in, width - 1));
	return (size_t)snprintf(out, n, "%.*s%s", (int)head(in, width - 1), in, dots);
}

/* --- rows ------------------------------------------------------------------- */

int table_text_new(const struct text_column *columns, size_t n, struct table_text **ret)
{
	struct table_text *t;

	if (n == 0 || n > COLUMNS_MAX)
		return -EINVAL;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	*t = (struct table_text){.columns = columns, .ncolumns = n};
	*ret = t;
	return 0;
}

static void line_free(struct line *l, size_t cells)
{
	for (size_t i = 0; i < cells; i++)
		free(l->cells[i]);
	free(l);
}

static char *safe_copy(const char *text)
{
	char safe[CELL_BYTES];

	text_safe(safe, sizeof(safe), text, strlen(text));
	return strdup(safe);
}

static int add_line(struct table_text *t, const char *const *cells, size_t n, bool note)
{
	struct line *l;

	if (t->n == t->size) {
		size_t size = MAX(2 * t->size, (size_t)32);
		struct line **more = reallocarray(t->lines, size, sizeof(*more));

		if (!more)
			return -ENOMEM;
		t->lines = more;
		t->size = size;
	}
	l = calloc(1, sizeof(*l) + n * sizeof(l->cells[0]));
	if (!l)
		return -ENOMEM;
	l->note = note;
	for (size_t i = 0; i < n; i++) {
		l->cells[i] = safe_copy(cells[i] ? cells[i] : "?");
		if (!l->cells[i]) {
			line_free(l, i);
			return -ENOMEM;
		}
	}
	t->lines[t->n++] = l;
	return 0;
}

int table_text_row(struct table_text *t, const char *const *cells)
{
	return add_line(t, cells, t->ncolumns, false);
}

int table_text_note(struct table_text *t, const char *line)
{
	return add_line(t, &line, 1, true);
}

struct table_text *table_text_free(struct table_text *t)
{
	if (!t)
		return NULL;
	for (size_t i = 0; i < t->n; i++)
		line_free(t->lines[i], t->lines[i]->note ? 1 : t->ncolumns);
	free(t->lines);
	free(t);
	return NULL;
}

/* --- layout ----------------------------------------------------------------- */

struct layout {
	unsigned width[COLUMNS_MAX]; /* 0: left out */
};

static unsigned layout_total(const struct layout *l, size_t n)
{
	unsigned total = 0;

	for (size_t i = 0; i < n; i++)
		total += l->width[i] ? l->width[i] + GAP : 0;
	return total ? total - GAP : 0;
}

static void layout_natural(const struct table_text *t, struct layout *ret)
{
	for (size_t c = 0; c < t->ncolumns; c++)
		ret->width[c] = text_width(t->columns[c].title);
	for (size_t i = 0; i < t->n; i++) {
		for (size_t c = 0; c < t->ncolumns && !t->lines[i]->note; c++)
			ret->width[c] = MAX(ret->width[c], text_width(t->lines[i]->cells[c]));
	}
}

static unsigned least_width(const struct text_column *c)
{
	return MAX(c->least, text_width(c->title));
}

/* Takes cells from the widest column that can give any; false: none can. */
static bool shrink(const struct table_text *t, struct layout *l)
{
	size_t widest = t->ncolumns;

	for (size_t c = 0; c < t->ncolumns; c++) {
		if (t->columns[c].cut == CUT_NEVER || l->width[c] <= least_width(&t->columns[c]))
			continue;
		if (widest == t->ncolumns || l->width[c] > l->width[widest])
			widest = c;
	}
	if (widest == t->ncolumns)
		return false;
	l->width[widest]--;
	return true;
}

/* Leaves out the column that is missed least; false: all that are left must stay. */
static bool drop_column(const struct table_text *t, struct layout *l)
{
	size_t first = t->ncolumns;

	for (size_t c = 0; c < t->ncolumns; c++) {
		if (!l->width[c] || !t->columns[c].drop)
			continue;
		if (first == t->ncolumns || t->columns[c].drop > t->columns[first].drop)
			first = c;
	}
	if (first == t->ncolumns)
		return false;
	l->width[first] = 0;
	return true;
}

static struct layout layout_fit(const struct table_text *t, unsigned width)
{
	struct layout natural = {}, l;

	layout_natural(t, &natural);
	do {
		l = natural;
		while (width && layout_total(&l, t->ncolumns) > width && shrink(t, &l))
			;
	} while (width && layout_total(&l, t->ncolumns) > width && drop_column(t, &natural));
	return l;
}

static void print_cells(const struct table_text *t, const struct layout *l, char *const *cells,
			FILE *out)
{
	char text[CELL_BYTES + 8];
	unsigned pad = 0;

	for (size_t c = 0; c < t->ncolumns; c++) {
		if (!l->width[c])
			continue;
		text_fit(text, sizeof(text), cells[c], l->width[c], t->columns[c].cut);
		unsigned room = l->width[c] - MIN(text_width(text), l->width[c]);
		if (t->columns[c].right)
			pad += room;
		/* Padding waits for the next text, so that no line ends in blanks. */
		if (*text)
			fprintf(out, "%*s%s", (int)pad, "", text);
		pad = (*text ? 0 : pad) + GAP + (t->columns[c].right ? 0 : room);
	}
	fputc('\n', out);
}

void table_text_print(const struct table_text *t, unsigned width, FILE *out)
{
	struct layout l = layout_fit(t, width);
	char *titles[COLUMNS_MAX], text[CELL_BYTES + 8];

	for (size_t c = 0; c < t->ncolumns; c++)
		titles[c] = (char *)t->columns[c].title;
	print_cells(t, &l, titles, out);
	for (size_t i = 0; i < t->n; i++) {
		if (!t->lines[i]->note) {
			print_cells(t, &l, t->lines[i]->cells, out);
			continue;
		}
		text_fit(text, sizeof(text), t->lines[i]->cells[0], width ? width : CELL_BYTES,
			 CUT_END);
		fprintf(out, "%s\n", text);
	}
}
