/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/tui/sheet.h"

#include <string.h>

#include "user/array.h"

void sheet_open(struct sheet *s, const struct view_ops *v)
{
	*s = (struct sheet){.view = v, .sort = v->sort, .detail = v->detail, .title_y = -1};
}

void sheet_close(struct sheet *s)
{
	filter_free(s->filter);
	json_decref(s->scope.item);
	free(s->name);
	free(s->frozen);
	rows_clear(&s->rows);
	*s = (struct sheet){0};
}

static void remember_frozen(struct sheet *s)
{
	if (!s->frozen || array_grow((void **)&s->frozen, &s->frozen_max, MAX(s->rows.n, (size_t)1), sizeof(*s->frozen)))
		return;
	for (size_t i = 0; i < s->rows.n; i++)
		s->frozen[i] = rows_key(&s->rows, i);
	s->nfrozen = s->rows.n;
}

static void place_selection(struct sheet *s)
{
	size_t n = s->rows.n, at = s->follow || s->find ? rows_find(&s->rows, s->selected_key) : n;

	if (!n) {
		s->selected = 0;
		return;
	}
	s->selected = MIN(at < n ? at : s->selected, n - 1);
	s->find = false;
	if (!s->follow || at < n)
		s->selected_key = rows_key(&s->rows, s->selected);
}

int sheet_make(struct sheet *s, const struct data *d, const struct keyset *marks)
{
	const struct column *c = &s->view->columns[s->sort];
	struct rows_wish wish = {
		.view = s->view,
		.scope = &s->scope,
		.filter = s->filter,
		.only = s->only_marked ? marks : NULL,
		.order = {.column = c,
			  .down = column_down(c) != s->reverse,
			  .tree = s->tree,
			  .frozen = s->frozen,
			  .nfrozen = s->nfrozen},
	};
	int err = rows_make(&s->rows, d, &wish);

	remember_frozen(s);
	place_selection(s);
	return err;
}

const struct row *sheet_row(const struct sheet *s)
{
	return s->selected < s->rows.n ? &s->rows.v[s->selected] : NULL;
}

void sheet_select(struct sheet *s, size_t row)
{
	if (!s->rows.n)
		return;
	s->selected = MIN(row, s->rows.n - 1);
	s->selected_key = rows_key(&s->rows, s->selected);
}

void sheet_find(struct sheet *s, uint64_t key)
{
	s->selected_key = key;
	s->find = true;
}

bool sheet_follows(const struct sheet *s, size_t row)
{
	return s->follow && row == s->selected && rows_key(&s->rows, row) == s->selected_key;
}

int sheet_filter(struct sheet *s, const char *text, struct filter_error *ret_error)
{
	struct filter *f = NULL;
	int err = filter_parse(text, &f, ret_error);

	if (err)
		return err;
	filter_free(s->filter);
	s->filter = f;
	snprintf(s->filter_text, sizeof(s->filter_text), "%s", text);
	return 0;
}

int sheet_freeze(struct sheet *s, bool on)
{
	if (!on) {
		free(s->frozen);
		s->frozen = NULL;
		s->nfrozen = s->frozen_max = 0;
		return 0;
	}
	if (array_grow((void **)&s->frozen, &s->frozen_max, MAX(s->rows.n, (size_t)1), sizeof(*s->frozen)))
		return -ENOMEM;
	remember_frozen(s);
	return 0;
}

bool sheet_search(struct sheet *s, const char *text, bool back, bool from_here)
{
	size_t n = s->rows.n;

	for (size_t i = from_here ? 0 : 1; i <= n && n; i++) {
		size_t at = back ? (s->selected + n - i % n) % n : (s->selected + i) % n;

		if (!filter_contains(s->rows.v[at].item, text))
			continue;
		sheet_select(s, at);
		return true;
	}
	return false;
}

size_t sheet_title_at(const struct sheet *s, int x)
{
	size_t found = s->view->ncolumns;

	for (size_t i = 0; i < s->view->ncolumns && x < s->title_end; i++)
		if (s->title_x[i] >= 0 && s->title_x[i] <= x)
			found = i;
	return found;
}
