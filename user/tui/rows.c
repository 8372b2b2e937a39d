/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/tui/rows.h"

#include <math.h>
#include <string.h>

#include "user/array.h"

#define KEYS_MAX 65536

/* --- sets of keys ---------------------------------------------------------------- */

static size_t keyset_at(const struct keyset *s, uint64_t key)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (s->v[mid] < key)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

bool keyset_has(const struct keyset *s, uint64_t key)
{
	size_t at = keyset_at(s, key);

	return at < s->n && s->v[at] == key;
}

int keyset_toggle(struct keyset *s, uint64_t key)
{
	size_t at = keyset_at(s, key);

	if (at < s->n && s->v[at] == key) {
		memmove(&s->v[at], &s->v[at + 1], (s->n - at - 1) * sizeof(*s->v));
		s->n--;
		return 0;
	}
	if (s->n == KEYS_MAX)
		return -E2BIG;
	if (array_grow((void **)&s->v, &s->max, s->n + 1, sizeof(*s->v)))
		return -ENOMEM;
	memmove(&s->v[at + 1], &s->v[at], (s->n - at) * sizeof(*s->v));
	s->v[at] = key;
	s->n++;
	return 0;
}

void keyset_clear(struct keyset *s)
{
	free(s->v);
	*s = (struct keyset){0};
}

/* --- cells ------------------------------------------------------------------------ */

static char *rate_text(double rate)
{
	char text[SIZE_LEN];

	return isfinite(rate) && rate >= 0 ? strdup(size_iec(text, bytes_of(rate))) : NULL;
}

char *column_text(const struct column *c, const struct data *d, enum feed_what what, const json_t *item, const char *now)
{
	const json_t *value;

	if (c->rate)
		return rate_text(data_rate(d, what, item, c->path));
	if (c->text)
		return c->text(item, now);
	value = json_at(item, c->path);
	return !value && c->none ? strdup(c->none) : value_text(value, c->format, now);
}

bool column_down(const struct column *c)
{
	return c->right || c->number;
}

static void rank_row(struct row *r, const struct column *c, const struct data *d, enum feed_what what)
{
	const json_t *value = json_at(r->item, c->path);

	if (c->rate) {
		r->number = data_rate(d, what, r->item, c->path);
		r->known = isfinite(r->number);
	} else if (c->number) {
		r->known = c->number(r->item, &r->number);
	} else if (json_is_string(value)) {
		r->text = json_string_value(value);
		r->known = true;
	} else if (json_is_number(value) || json_is_boolean(value)) {
		r->number = json_is_boolean(value) ? json_is_true(value) : json_number_value(value);
		r->known = true;
	} else if (value) {
		r->text = r->owned = column_text(c, d, what, r->item, NULL);
		r->known = r->owned;
	}
}

/* --- order ------------------------------------------------------------------------ */

/* What is unknown comes last, whichever way the rest goes. */
static int compare_rows(const void *x, const void *y, void *arg)
{
	const struct row *a = x, *b = y;
	bool down = *(const bool *)arg;
	int r = 0;

	if (a->known != b->known)
		return a->known ? -1 : 1;
	if (a->known && a->text && b->text)
		r = strcasecmp(a->text, b->text);
	else if (a->known && !a->text != !b->text)
		r = a->text ? 1 : -1;
	else if (a->known)
		r = a->number < b->number ? -1 : a->number > b->number;
	if (r)
		return down ? -r : r;
	if (a->second != b->second)
		return a->second > b->second ? -1 : 1;
	return a->place < b->place ? -1 : a->place > b->place;
}

static int compare_places(const void *x, const void *y)
{
	const struct row *a = x, *b = y;

	return a->place < b->place ? -1 : a->place > b->place;
}

struct spot {
	uint64_t key;
	size_t at;
};

static int compare_spots(const void *x, const void *y)
{
	const struct spot *a = x, *b = y;

	return a->key < b->key ? -1 : a->key > b->key ? 1 : a->at < b->at ? -1 : a->at > b->at;
}

static size_t spot_from(const struct spot *v, size_t n, uint64_t key)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (v[mid].key < key)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static size_t find_spot(const struct spot *v, size_t n, uint64_t key)
{
	size_t at = spot_from(v, n, key);

	return at < n && v[at].key == key ? v[at].at : SIZE_MAX;
}

/* They are in order already: those who had a place take it, the others follow. */
static int keep_frozen(struct rows *r, const struct rows_order *o)
{
	_cleanup_free_ struct spot *spots = malloc(MAX(o->nfrozen, (size_t)1) * sizeof(*spots));

	if (!spots)
		return -ENOMEM;
	for (size_t i = 0; i < o->nfrozen; i++)
		spots[i] = (struct spot){o->frozen[i], i};
	qsort(spots, o->nfrozen, sizeof(*spots), compare_spots);
	for (size_t i = 0; i < r->n; i++) {
		size_t at = find_spot(spots, o->nfrozen, rows_key(r, i));

		r->v[i].place = at != SIZE_MAX ? at : o->nfrozen + i;
	}
	qsort(r->v, r->n, sizeof(*r->v), compare_places);
	return 0;
}

/* --- trees ------------------------------------------------------------------------ */

struct tree {
	const struct rows *from;
	size_t *first, *next; /* children, and those beside them; SIZE_MAX: none */
	struct row *out;
	size_t n;
	bool *done;
};

static void put_below(struct tree *t, size_t i, unsigned depth, uint32_t open, bool last);

static void put_children(struct tree *t, size_t first, unsigned depth, uint32_t open)
{
	for (size_t i = first; i != SIZE_MAX; i = t->next[i])
		put_below(t, i, depth, open, t->next[i] == SIZE_MAX);
}

/* As deep as processes fork: children deeper than that stay at one depth, and beyond it the stack is not used up, since
 * they come as roots. */
#define RECURSION_MAX 4096

static void put_below(struct tree *t, size_t i, unsigned depth, uint32_t open, bool last)
{
	struct row *r;

	if (t->done[i] || depth > RECURSION_MAX)
		return;
	t->done[i] = true;
	r = &t->out[t->n++];
	*r = t->from->v[i];
	r->depth = MIN(depth, (unsigned)ROWS_DEEPEST);
	r->open = open;
	r->last = last;
	if (depth < ROWS_DEEPEST)
		open = last ? open & ~(1u << depth) : open | 1u << depth;
	put_children(t, t->first[i], depth + 1, open);
}

/* What is looked for stands near the beginning: to go through is faster than to reckon a hash. */
static const json_t *member(const json_t *object, const char *name)
{
	void *at = json_is_object(object) ? json_object_iter((json_t *)object) : NULL;

	while (at && strcmp(json_object_iter_key(at), name))
		at = json_object_iter_next((json_t *)object, at);
	return at ? json_object_iter_value(at) : NULL;
}

static uint64_t pid_of(const json_t *process)
{
	const json_t *pid = member(process, "pid");

	return json_is_integer(pid) ? (uint64_t)json_integer_value(pid) : UINT64_MAX;
}

/* Of several images of one process one is the parent; a number that was used again names another. */
static size_t find_parent(const struct rows *r, const struct spot *spots, const json_t *parent)
{
	uint64_t pid = pid_of(parent);
	const char *start = NULL;
	size_t found = SIZE_MAX;

	for (size_t i = spot_from(spots, r->n, pid); pid != UINT64_MAX && i < r->n && spots[i].key == pid; i++) {
		const char *its = json_string_value(member(member(r->v[spots[i].at].item, "process"), "start"));

		start = start ? start : json_string_value(member(parent, "start"));
		if (start && its && !strcmp(start, its))
			found = spots[i].at;
	}
	return found;
}

static int find_parents(const struct rows *r, size_t *parents)
{
	_cleanup_free_ struct spot *spots = malloc(MAX(r->n, (size_t)1) * sizeof(*spots));

	if (!spots)
		return -ENOMEM;
	for (size_t i = 0; i < r->n; i++)
		spots[i] = (struct spot){pid_of(member(r->v[i].item, "process")), i};
	qsort(spots, r->n, sizeof(*spots), compare_spots);
	for (size_t i = 0; i < r->n; i++) {
		size_t at = find_parent(r, spots, member(member(r->v[i].item, "process"), "parent"));

		parents[i] = at == i ? SIZE_MAX : at;
	}
	return 0;
}

/* Who has the foremost row anywhere below comes first. Rows are in order, so the first to come up to somebody is it. */
static void order_trees(const size_t *parents, size_t n, struct spot *spots)
{
	for (size_t i = 0; i < n; i++)
		spots[i] = (struct spot){.key = UINT64_MAX, .at = i};
	for (size_t i = 0; i < n; i++)
		for (size_t up = i; up != SIZE_MAX && spots[up].key == UINT64_MAX; up = parents[up])
			spots[up].key = i;
	qsort(spots, n, sizeof(*spots), compare_spots);
}

static void put_tree(struct tree *t, const size_t *parents, const struct spot *order)
{
	size_t n = t->from->n;

	for (size_t i = 0; i < n; i++)
		t->first[i] = t->next[i] = SIZE_MAX;
	for (size_t k = n; k-- > 0;) { /* backward, so that lists are in order */
		size_t i = order[k].at, parent = parents[i];

		if (parent == SIZE_MAX)
			continue;
		t->next[i] = t->first[parent];
		t->first[parent] = i;
	}
	for (size_t k = 0; k < n; k++)
		if (parents[order[k].at] == SIZE_MAX)
			put_below(t, order[k].at, 0, 0, true);
	for (size_t i = 0; i < n; i++) /* what is its own ancestor, by lies */
		put_below(t, i, 0, 0, true);
}

static int grow_tree(struct rows *r)
{
	_cleanup_free_ size_t *parents = malloc(MAX(r->n, (size_t)1) * sizeof(*parents));
	_cleanup_free_ size_t *first = malloc(MAX(r->n, (size_t)1) * sizeof(*first));
	_cleanup_free_ size_t *next = malloc(MAX(r->n, (size_t)1) * sizeof(*next));
	_cleanup_free_ struct spot *order = malloc(MAX(r->n, (size_t)1) * sizeof(*order));
	_cleanup_free_ bool *done = calloc(MAX(r->n, (size_t)1), sizeof(*done));
	struct row *out = malloc(MAX(r->max, (size_t)1) * sizeof(*out));
	struct tree t = {.from = r, .first = first, .next = next, .out = out, .done = done};
	int err = parents && first && next && order && done && out ? find_parents(r, parents) : -ENOMEM;

	if (err) {
		free(out);
		return err;
	}
	order_trees(parents, r->n, order);
	put_tree(&t, parents, order);
	free(r->v);
	r->v = out;
	return 0;
}

/* --- all --------------------------------------------------------------------------- */

void rows_clear(struct rows *r)
{
	for (size_t i = 0; i < r->n; i++)
		free(r->v[i].owned);
	free(r->v);
	json_decref(r->items);
	*r = (struct rows){0};
}

static void empty(struct rows *r)
{
	for (size_t i = 0; i < r->n; i++)
		free(r->v[i].owned);
	r->n = r->total = 0;
	json_decref(r->items);
	r->items = NULL;
}

static bool wanted(const struct rows_wish *w, const json_t *item)
{
	return (!w->only || keyset_has(w->only, w->view->key(item))) && filter_match(w->filter, item, w->view->figure);
}

static double second_of(const json_t *item, const char *path)
{
	const json_t *value = json_at(item, path);

	return json_is_number(value) ? json_number_value(value) : -1;
}

static int take_items(struct rows *r, const struct data *d, const struct rows_wish *w)
{
	size_t n = json_array_size(r->items);

	if (array_grow((void **)&r->v, &r->max, MAX(n, (size_t)1), sizeof(*r->v)))
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const json_t *item = json_array_get(r->items, i);
		struct row row = {.item = item, .place = i};

		if (!json_is_object(item) || !scope_has(w->scope, item))
			continue;
		r->total++;
		if (!wanted(w, item))
			continue;
		rank_row(&row, w->order.column, d, w->view->what);
		row.second = w->view->second ? second_of(item, w->view->second) : 0;
		r->v[r->n++] = row;
	}
	return 0;
}

int rows_make(struct rows *r, const struct data *d, const struct rows_wish *wish)
{
	const json_t *document = data_document(d, wish->view->what), *items = json_at(document, "items");
	bool down = wish->order.down;
	int err = 0;

	empty(r);
	r->view = wish->view;
	if (!document)
		return 0;
	if (wish->view->items)
		r->items = wish->view->items(document);
	else
		r->items = json_is_array(items) ? json_incref((json_t *)items) : NULL;
	err = take_items(r, d, wish);
	if (!err)
		qsort_r(r->v, r->n, sizeof(*r->v), compare_rows, &down);
	if (!err && wish->order.frozen)
		err = keep_frozen(r, &wish->order);
	if (!err && wish->order.tree)
		err = grow_tree(r);
	if (err)
		empty(r);
	return err;
}

uint64_t rows_key(const struct rows *r, size_t at)
{
	return r->view->key(r->v[at].item);
}

size_t rows_find(const struct rows *r, uint64_t key)
{
	size_t i = 0;

	while (i < r->n && rows_key(r, i) != key)
		i++;
	return i;
}
