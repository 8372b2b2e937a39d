/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Rows: those that are alike are one, and beyond the most there may be all others are. */
#include "user/report_internal.h"

#include "user/array.h"

#define PROCESSES_MAX 262144 /* told apart, in all rows together */

/* --- figures ---------------------------------------------------------------------------- */

void figure_add(struct figure *f, bool known, int64_t more)
{
	if (!known) {
		if (f->state == FIGURE_ABSENT)
			f->state = FIGURE_UNKNOWN;
		return;
	}
	if (__builtin_add_overflow(f->n, more, &f->n))
		f->n = INT64_MAX;
	f->state = FIGURE_KNOWN;
}

static int put_figure(json_t *to, const char *key, const struct figure *f)
{
	json_t *v = f->state == FIGURE_KNOWN ? json_integer(f->n) : json_null();

	return f->state != FIGURE_ABSENT && json_object_set_new(to, key, v) ? -ENOMEM : 0;
}

struct figure *row_kind(struct row *row, const char *name, size_t len)
{
	if (len >= KIND_LEN)
		return NULL;
	for (unsigned i = 0; i < row->nkinds; i++)
		if (!memcmp(row->kinds[i].name, name, len) && !row->kinds[i].name[len])
			return &row->kinds[i].sum;
	if (row->nkinds == KINDS_MAX)
		return NULL;
	memcpy(row->kinds[row->nkinds].name, name, len);
	return &row->kinds[row->nkinds++].sum;
}

/* --- rows --------------------------------------------------------------------------------- */

static struct row **slot_of(const struct rows *rows, uint64_t hash, const char *key, size_t len)
{
	size_t i = hash & (rows->size - 1);

	while (rows->slots[i] &&
	       (rows->slots[i]->hash != hash || rows->slots[i]->key_len != len || memcmp(rows->slots[i]->key, key, len)))
		i = (i + 1) & (rows->size - 1);
	return &rows->slots[i];
}

struct row *row_find(const struct report *r, enum table t, const char *key, size_t len)
{
	const struct rows *rows = &r->rows[t];

	return rows->size ? *slot_of(rows, hashmap_hash(key, len), key, len) : NULL;
}

static int grow(struct rows *rows)
{
	size_t size = rows->size ? 2 * rows->size : 64;
	struct row **before = rows->slots, **slots = calloc(size, sizeof(struct row *));

	if (!slots)
		return -ENOMEM;
	rows->slots = slots;
	rows->size = size;
	free(before);
	for (size_t i = 0; i < rows->n; i++)
		if (!rows->list[i]->others)
			*slot_of(rows, rows->list[i]->hash, rows->list[i]->key, rows->list[i]->key_len) = rows->list[i];
	return 0;
}

static struct row *append(struct report *r, struct rows *rows)
{
	struct row *row =
	    array_grow((void **)&rows->list, &rows->room, rows->n + 1, sizeof(*rows->list)) ? NULL : calloc(1, sizeof(*row));

	if (!row)
		return NULL;
	row->number = ++r->rows_made;
	rows->list[rows->n++] = row;
	return row;
}

bool rows_full(const struct report *r, enum table t)
{
	return r->rows[t].n >= r->rows_max;
}

static struct row *others(struct report *r, struct rows *rows)
{
	if (rows->others)
		return rows->others;
	rows->others = append(r, rows);
	if (!rows->others)
		return NULL;
	rows->others->others = true;
	rows->others->told = json_pack("{s:b}", "others", 1);
	return rows->others->told ? rows->others : NULL;
}

struct row *row_get(struct report *r, enum table t, const char *key, size_t len)
{
	struct rows *rows = &r->rows[t];
	struct row *row = len <= REPORT_KEY_MAX ? row_find(r, t, key, len) : NULL;

	if (row)
		return row;
	if (rows_full(r, t) || len > REPORT_KEY_MAX)
		return others(r, rows);
	if (2 * (rows->n + 1) > rows->size && grow(rows))
		return NULL;
	char *copy = malloc(len + 1);
	row = copy ? append(r, rows) : NULL;
	if (!row) {
		free(copy);
		return NULL;
	}
	memcpy(copy, key, len);
	row->key = copy;
	row->key_len = len;
	row->hash = hashmap_hash(key, len);
	*slot_of(rows, row->hash, key, len) = row;
	return row;
}

void row_time(struct row *row, const char *time, size_t len)
{
	if (len >= TIME_LEN)
		return;
	if (!*row->first) {
		memcpy(row->first, time, len);
		row->first[len] = '\0';
	}
	memcpy(row->last, time, len);
	row->last[len] = '\0';
}

/* --- processes ------------------------------------------------------------------------------ */

int row_process(struct report *r, struct row *row, int64_t pid, const char *start, size_t start_len)
{
	struct process_key key = {.row = row->number, .pid = pid};
	struct report_process *p;

	memcpy(key.start, start, MIN(start_len, sizeof(key.start) - 1));
	if (!memcmp(&key, &row->met, sizeof(key)))
		return 0;
	row->met = key;
	if (hashmap_find(&r->processes, &key))
		return 0;
	if (r->processes.used >= PROCESSES_MAX) {
		row->processes_inexact = true;
		return 0;
	}
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->key = key;
	if (hashmap_add(&r->processes, p)) {
		free(p);
		return -ENOMEM;
	}
	figure_add(&row->figures[FIGURE_PROCESSES], true, 1);
	return 0;
}

/* --- what left --------------------------------------------------------------------------------- */

int left_add(struct report *r, const char *dataset, size_t len, bool known, int64_t more)
{
	size_t i = 0;

	while (i < r->nleft && (strncmp(r->left[i].dataset, dataset, len) || r->left[i].dataset[len]))
		i++;
	if (i == r->nleft) {
		struct left *left = i < r->rows_max ? reallocarray(r->left, i + 1, sizeof(*left)) : NULL;

		if (!left)
			return i < r->rows_max ? -ENOMEM : 0;
		r->left = left;
		left[i] = (struct left){.dataset = strndup(dataset, len)};
		if (!left[i].dataset)
			return -ENOMEM;
		r->nleft++;
	}
	figure_add(&r->left[i].sum, known, more);
	return 0;
}

json_t *left_json(const struct report *r)
{
	json_t *all = json_object();

	for (size_t i = 0; all && i < r->nleft; i++) {
		if (put_figure(all, r->left[i].dataset, &r->left[i].sum)) {
			json_decref(all);
			return NULL;
		}
	}
	return all;
}

/* --- out -------------------------------------------------------------------------------------- */

static json_t *kinds_json(const struct row *row)
{
	json_t *bytes = json_object();

	for (unsigned i = 0; bytes && i < row->nkinds; i++) {
		if (put_figure(bytes, row->kinds[i].name, &row->kinds[i].sum)) {
			json_decref(bytes);
			return NULL;
		}
	}
	return bytes;
}

static json_t *row_json(const struct row *row, enum table t)
{
	static const char *const names[FIGURES] = {
	    [FIGURE_OPS] = "ops",
	    [FIGURE_FILES] = "files",
	    [FIGURE_BYTES_TOTAL] = "bytes_total",
	    [FIGURE_BYTES_OUT] = "bytes_out",
	    [FIGURE_TAINTED_OUT] = "tainted_out",
	    [FIGURE_BYTES] = "bytes",
	    [FIGURE_PROCESSES] = "processes",
	};
	static const char *const exact[] = {[EXACT_UNKNOWN] = "n", [EXACT_YES] = "t", [EXACT_NO] = "f"};
	json_t *all = json_copy(row->told);
	int err = all ? 0 : -ENOMEM;

	if (!err && t == TABLE_ACCESS && json_object_set_new(all, "bytes", kinds_json(row)))
		err = -ENOMEM;
	for (unsigned i = 0; i < FIGURES && !err; i++)
		err = put_figure(all, names[i], &row->figures[i]);
	if (!err && row->exact &&
	    json_object_set_new(all, "exact", *exact[row->exact] == 'n' ? json_null() : json_boolean(*exact[row->exact] == 't')))
		err = -ENOMEM;
	if (!err && *row->first &&
	    (json_object_set_new(all, "first", json_string(row->first)) ||
	     json_object_set_new(all, "last", json_string(row->last))))
		err = -ENOMEM;
	if (!err && row->processes_inexact && json_object_set_new(all, "processes_exact", json_false()))
		err = -ENOMEM;
	if (!err)
		return all;
	json_decref(all);
	return NULL;
}

json_t *rows_json(const struct report *r, enum table t)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < r->rows[t].n; i++) {
		if (json_array_append_new(list, row_json(r->rows[t].list[i], t))) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

void report_tables_free(struct report *r)
{
	for (unsigned t = 0; t < TABLES; t++) {
		for (size_t i = 0; i < r->rows[t].n; i++) {
			json_decref(r->rows[t].list[i]->told);
			free(r->rows[t].list[i]->key);
			free(r->rows[t].list[i]);
		}
		free(r->rows[t].list);
		free(r->rows[t].slots);
	}
	for (size_t i = 0; i < r->processes.size; i++)
		free(r->processes.slots[i].item);
	hashmap_free(&r->processes);
	for (size_t i = 0; i < r->nleft; i++)
		free(r->left[i].dataset);
	free(r->left);
}
