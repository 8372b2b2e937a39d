/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/tree.h"

#include <string.h>

#include "user/table_text.h"
#include "user/value_text.h"

#define DEEPEST 12	 /* further down nothing is moved to the right */
#define WAYS_MAX 4	 /* in which one process received, drawn */
#define NOTE_BYTES 1024
#define BRANCH_BYTES (DEEPEST * 8)

static const struct text_column columns[] = {
	{.title = "PROCESS", .cut = CUT_END, .least = 24},
	{.title = "JOB", .cut = CUT_END, .least = 8, .drop = 1},
	{.title = "UID", .right = true, .drop = 3},
	{.title = "READ", .right = true},
	{.title = "MAY HOLD", .cut = CUT_END, .least = 16},
	{.title = "SENT", .right = true, .drop = 2},
	{.title = "TAINTED OUT", .right = true},
};

struct shown {
	const json_t *item;
	unsigned depth;
	bool matters; /* it or something below it */
	bool more;    /* another comes after it under the same parent */
};

struct drawing {
	struct table_text *table;
	struct shown *v;
	size_t n;
	bool open[DEEPEST + 1]; /* at this depth another is to come */
};

/* --- which are drawn --------------------------------------------------------- */

static bool positive(const json_t *object)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)object, key, value)
		if (json_integer_value(value) > 0)
			return true;
	return false;
}

static bool holds(const json_t *item)
{
	return positive(json_at(item, "volume")) || positive(json_at(item, "bytes")) ||
	       json_integer_value(json_at(item, "tainted_out")) > 0 || json_array_size(json_at(item, "datasets"));
}

/* Backward: what is below comes after, and of its depth the next one that matters is known. */
static void mark(struct shown *v, size_t n)
{
	unsigned wanted = 0; /* an ancestor up to this depth has something below */

	for (size_t i = n; i-- > 0;) {
		v[i].matters = holds(v[i].item) || v[i].depth < wanted;
		if (v[i].matters)
			wanted = v[i].depth;
		else if (v[i].depth == 0)
			wanted = 0;
	}
}

/* Does a brother follow that is drawn? */
static void find_brothers(struct shown *v, size_t n)
{
	bool seen[DEEPEST + 1] = {0};

	for (size_t i = n; i-- > 0;) {
		unsigned d = MIN(v[i].depth, (unsigned)DEEPEST);

		if (!v[i].matters)
			continue;
		v[i].more = seen[d];
		seen[d] = true;
		for (unsigned deeper = d + 1; deeper <= DEEPEST; deeper++)
			seen[deeper] = false;
	}
}

/* --- one process --------------------------------------------------------------- */

/* The lines from those above; `own`: down to this one, else past it. */
static void branch(char buf[static BRANCH_BYTES], const struct drawing *d, const struct shown *s, bool own)
{
	unsigned depth = MIN(s->depth, (unsigned)DEEPEST);
	size_t w = 0;

	buf[0] = '\0';
	for (unsigned i = 1; i < depth; i++)
		w += (size_t)snprintf(buf + w, BRANCH_BYTES - w, "%s", d->open[i] ? "│ " : "  ");
	if (depth)
		snprintf(buf + w, BRANCH_BYTES - w, "%s", own ? (s->more ? "├ " : "└ ") : s->more ? "│ " : "  ");
}

static char *sum_text(const json_t *bytes)
{
	bool known = false;
	uint64_t sum = 0;
	const char *key;
	json_t *value;
	char text[SIZE_LEN];

	json_object_foreach ((json_t *)bytes, key, value) {
		known = known || json_is_integer(value);
		sum += (uint64_t)json_integer_value(value);
	}
	return known ? strdup(size_iec(text, sum)) : NULL;
}

/* Only what it can hold a byte of. */
static char *volumes_text(const json_t *volume)
{
	json_t *some = json_is_object(volume) ? json_copy((json_t *)volume) : NULL, *value;
	const char *key;
	void *next;
	char *text;

	if (!some)
		return NULL;
	json_object_foreach_safe (some, next, key, value)
		if (json_is_integer(value) && json_integer_value(value) == 0)
			json_object_del(some, key);
	text = value_text(some, FORMAT_BOUNDS, NULL);
	json_decref(some);
	return text;
}

static char *label(const struct drawing *d, const struct shown *s)
{
	_cleanup_free_ char *name = value_text(s->item, FORMAT_SUBJECT, NULL);
	const char *fate = json_is_false(json_at(s->item, "alive")) && json_at(s->item, "process") ? " (ended)" : "";
	char lines[BRANCH_BYTES], *text;

	branch(lines, d, s, true);
	return asprintf(&text, "%s%s%s", lines, name ? name : "?", fate) < 0 ? NULL : text;
}

static int add_row(const struct drawing *d, const struct shown *s)
{
	char *cells[ARRAY_SIZE(columns)] = {
		label(d, s),
		value_text(json_at(s->item, "job"), FORMAT_TEXT, NULL),
		value_text(json_at(s->item, "process.uid"), FORMAT_TEXT, NULL),
		sum_text(json_at(s->item, "bytes")),
		volumes_text(json_at(s->item, "volume")),
		value_text(json_at(s->item, "bytes_out"), FORMAT_SIZE, NULL),
		value_text(json_at(s->item, "tainted_out"), FORMAT_SIZE, NULL),
	};
	int r = table_text_row(d->table, (const char *const *)cells);

	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		free(cells[i]);
	return r;
}

/* "← pipe_read 488 KiB of patients from augment[229] by pipe:[6151]" */
static int add_way(const struct drawing *d, const char *lines, const json_t *way)
{
	_cleanup_free_ char *via = value_text(json_at(way, "via"), FORMAT_TEXT, NULL);
	_cleanup_free_ char *bytes = value_text(json_at(way, "bytes"), FORMAT_SIZE, NULL);
	_cleanup_free_ char *sets = value_text(json_at(way, "datasets"), FORMAT_NAMES, NULL);
	_cleanup_free_ char *from = value_text(json_at(way, "from"), FORMAT_NAMES, NULL);
	_cleanup_free_ char *object = value_text(json_at(way, "object"), FORMAT_TEXT, NULL);
	bool known = json_array_size(json_at(way, "from")) > 0;
	char text[NOTE_BYTES];

	snprintf(text, sizeof(text), "%s  ← %s%s%s of %s%s%s%s%s", lines, via ? via : "?", bytes ? " " : "",
		 bytes ? bytes : "", sets ? sets : "?", known ? " from " : "", known && from ? from : "",
		 object ? " by " : "", object ? object : "");
	return table_text_note(d->table, text);
}

static int add_ways(const struct drawing *d, const struct shown *s)
{
	const json_t *ways = json_at(s->item, "received");
	size_t n = json_array_size(ways), shown = MIN(n, (size_t)WAYS_MAX);
	json_int_t more = json_integer_value(json_at(s->item, "received_more")) + (json_int_t)(n - shown);
	char lines[BRANCH_BYTES], text[BRANCH_BYTES + 64];
	int r = 0;

	branch(lines, d, s, false);
	for (size_t i = 0; i < shown && r == 0; i++)
		r = add_way(d, lines, json_array_get(ways, i));
	if (r == 0 && more > 0) {
		snprintf(text, sizeof(text), "%s  ← and by %lld ways more: see --json", lines, (long long)more);
		r = table_text_note(d->table, text);
	}
	return r;
}

static int draw(struct drawing *d)
{
	int r = 0;

	for (size_t i = 0; i < d->n && r == 0; i++) {
		const struct shown *s = &d->v[i];

		if (!s->matters)
			continue;
		r = add_row(d, s);
		if (r == 0)
			r = add_ways(d, s);
		if (s->depth <= DEEPEST)
			d->open[s->depth] = s->more;
	}
	return r;
}

/* --- all ---------------------------------------------------------------------------- */

static int read_items(const json_t *items, struct shown *v)
{
	for (size_t i = 0; i < json_array_size(items); i++) {
		const json_t *item = json_array_get(items, i), *depth = json_at(item, "depth");

		if (!json_is_integer(depth) || json_integer_value(depth) < 0)
			return -EPROTO;
		v[i] = (struct shown){.item = item, .depth = (unsigned)MIN(json_integer_value(depth), 1 << 20)};
	}
	return 0;
}

int tree_text(const json_t *document, unsigned width, FILE *out)
{
	const json_t *items = json_at(document, "items");
	size_t n = json_array_size(items), left_out = 0;
	_cleanup_free_ struct shown *v = calloc(MAX(n, (size_t)1), sizeof(*v));
	_cleanup_(table_text_freep) struct table_text *table = NULL;
	struct drawing d = {.v = v, .n = n};
	int r = !json_is_array(items) ? -EPROTO : !v ? -ENOMEM : read_items(items, v);

	if (r == 0)
		r = table_text_new(columns, ARRAY_SIZE(columns), &table);
	if (r < 0)
		return r;
	mark(v, n);
	find_brothers(v, n);
	for (size_t i = 0; i < n; i++)
		left_out += !v[i].matters;
	d.table = table;
	r = draw(&d);
	if (r < 0)
		return r;
	if (left_out < n)
		table_text_print(table, width, out);
	else
		fprintf(out, "no process holds tagged bytes\n");
	if (left_out)
		fprintf(out, "%zu process%s more hold%s nothing\n", left_out, left_out == 1 ? "" : "es",
			left_out == 1 ? "s" : "");
	return 0;
}
