/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A report as tables for people. */
#include "user/report.h"

#include <string.h>

#include "user/export/finding_words.h"
#include "user/table_text.h"
#include "user/value_text.h"

#define FIELDS_MAX 12
#define STORIES 10 /* told in full */

struct field {
	const char *path; /* NULL: the row itself */
	enum value_format format;
	struct text_column column;
};

#define TEXT(p, f, t, l, d) {p, FORMAT_##f, {.title = t, .cut = CUT_END, .least = l, .drop = d}}
#define FIGURE(p, f, t, d) {p, FORMAT_##f, {.title = t, .right = true, .drop = d}}

// clang-format off
static const struct field access_fields[] = {
	TEXT("dataset",    TEXT,  "DATASET", 10, 0),
	TEXT("user",       TEXT,  "USER", 6, 0),
	FIGURE("uid",      TEXT,  "UID", 8),
	TEXT("job",        TEXT,  "JOB", 10, 2),
	TEXT("comm",       TEXT,  "PROGRAM", 8, 0),
	FIGURE("pid",      TEXT,  "PID", 7),
	FIGURE("processes", COUNT, "PROCESSES", 4),
	FIGURE("bytes_total", SIZE, "BYTES", 0),
	FIGURE("files",    COUNT, "FILES", 3),
	TEXT("exact",      YES,   "EXACT", 5, 0), /* a bound must not pass for a count where there is little room */
	TEXT("first",      TIME,  "FIRST", 8, 5),
	TEXT("last",       TIME,  "LAST", 8, 1),
};

static const struct field destination_fields[] = {
	TEXT("remote",       REMOTE, "DESTINATION", 16, 0),
	TEXT("remote.class", TEXT,   "CLASS", 6, 0),
	TEXT("outside",      YES,    "OUTSIDE", 3, 1),
	TEXT("proto",        TEXT,   "PROTO", 3, 6),
	TEXT("job",          TEXT,   "JOB", 10, 3),
	TEXT("comm",         TEXT,   "PROGRAM", 8, 2),
	TEXT("datasets",     NAMES,  "DATASETS", 8, 0),
	FIGURE("bytes_out",  SIZE,   "SENT", 5),
	FIGURE("tainted_out", SIZE,  "TAINTED", 0),
	TEXT("last",         TIME,   "LAST", 8, 4),
};

static const struct field transfer_fields[] = {
	TEXT("via",      TEXT,  "VIA", 8, 0),
	TEXT("from",     TEXT,  "FROM", 10, 0),
	TEXT("to",       TEXT,  "TO", 10, 0),
	TEXT("datasets", NAMES, "DATASETS", 8, 1),
	TEXT("declared", NAMES, "DECLARED", 8, 3),
	FIGURE("bytes",  SIZE,  "BYTES", 0),
	TEXT("last",     TIME,  "LAST", 8, 2),
};

static const struct field finding_fields[] = {
	TEXT("id",         TEXT, "FINDING", 18, 0),
	TEXT("severity",   TEXT, "SEVERITY", 8, 0),
	TEXT("rule",       TEXT, "RULE", 10, 0),
	TEXT("dataset",    TEXT, "DATASET", 8, 1),
	FIGURE("leak_bound", BOUND, "LEAK BOUND", 0),
	TEXT("job",        TEXT, "JOB", 10, 2),
	TEXT("last",       TIME, "LAST", 8, 3),
};
// clang-format on

static const struct section {
	const char *key, *title, *none;
	const struct field *fields;
	size_t n;
	const char *most; /* greatest first */
} sections[] = {
	{"access", "who read", "nobody read", access_fields, ARRAY_SIZE(access_fields), "bytes_total"},
	{"transfers", "handed over", "nothing was handed over", transfer_fields, ARRAY_SIZE(transfer_fields), "bytes"},
	{"destinations", "where it can have gone", "nothing tagged can have been sent", destination_fields,
	 ARRAY_SIZE(destination_fields), "tainted_out"},
	{"findings", "what was found", "nothing was found", finding_fields, ARRAY_SIZE(finding_fields), "leak_bound"},
};

static json_int_t figure(const json_t *row, const char *path)
{
	const json_t *v = json_at(row, path);

	return json_is_integer(v) ? json_integer_value(v) : -1;
}

/* A row and its place: what is alike stays in its order, so that the same is printed each time. */
struct placed {
	const json_t *row;
	size_t place;
};

static int compare(const void *a, const void *b, void *most)
{
	const struct placed *p = a, *q = b;
	json_int_t x = figure(p->row, most), y = figure(q->row, most);

	return x != y ? (x > y ? -1 : 1) : p->place < q->place ? -1 : p->place > q->place;
}

/* All of them, the greatest first. NULL: no memory. */
static struct placed *sorted(const json_t *rows, int (*order)(const void *, const void *, void *), const char *most)
{
	size_t n = json_array_size(rows);
	struct placed *list = calloc(MAX(n, (size_t)1), sizeof(*list));

	for (size_t i = 0; list && i < n; i++)
		list[i] = (struct placed){json_array_get(rows, i), i};
	if (list)
		qsort_r(list, n, sizeof(*list), order, (void *)most);
	return list;
}

/* The row of those that had no room says so in its first column. */
static int add_row(struct table_text *t, const struct section *s, const json_t *row, const char *now)
{
	bool others = json_is_true(json_at(row, "others"));
	char *cells[FIELDS_MAX];
	int r;

	for (size_t i = 0; i < s->n; i++) {
		const struct field *f = &s->fields[i];

		cells[i] = others && i == 0 ? strdup("(others)") : value_text(json_at(row, f->path), f->format, now);
		if (!cells[i] && !strcmp(f->path, "user")) /* not known here by name */
			cells[i] = value_text(json_at(row, "uid"), FORMAT_TEXT, NULL);
	}
	r = table_text_row(t, (const char *const *)cells);
	for (size_t i = 0; i < s->n; i++)
		free(cells[i]);
	return r;
}

static int print_section(const struct section *s, const json_t *rows, const char *now, unsigned width, FILE *out)
{
	struct text_column columns[FIELDS_MAX];
	_cleanup_(table_text_freep) struct table_text *t = NULL;
	size_t n = json_array_size(rows);
	_cleanup_free_ struct placed *list = sorted(rows, compare, s->most);
	int r;

	if (!list)
		return -ENOMEM;
	fprintf(out, "\n%s\n", n ? s->title : s->none);
	if (!n)
		return 0;
	for (size_t i = 0; i < s->n; i++)
		columns[i] = s->fields[i].column;
	r = table_text_new(columns, s->n, &t);
	for (size_t i = 0; i < n && r == 0; i++)
		r = add_row(t, s, list[i].row, now);
	if (r == 0)
		table_text_print(t, width, out);
	return r;
}

static int by_severity(const void *a, const void *b, void *most)
{
	int x = finding_severity(((const struct placed *)a)->row), y = finding_severity(((const struct placed *)b)->row);

	return x != y ? (x > y ? -1 : 1) : compare(a, b, most);
}

/* The worst of them in words. */
static int print_stories(const json_t *findings, FILE *out)
{
	_cleanup_free_ struct placed *list = sorted(findings, by_severity, "leak_bound");
	size_t n = json_array_size(findings), k;

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < MIN(n, (size_t)STORIES); i++) {
		json_t *lines = report_story(list[i].row), *line;

		if (!lines)
			return -ENOMEM;
		fputc('\n', out);
		json_array_foreach (lines, k, line)
			fprintf(out, "%s\n", json_string_value(line));
		json_decref(lines);
	}
	if (n > STORIES)
		fprintf(out, "\n%zu findings more: --finding ID tells each\n", n - STORIES);
	return 0;
}

static void print_left(const json_t *left, FILE *out)
{
	const char *id;
	json_t *bytes;

	if (!json_object_size(left))
		return;
	fprintf(out, "\nwhat left the VPC, at most (a byte counts for every dataset that it may be of)\n");
	json_object_foreach ((json_t *)left, id, bytes) {
		_cleanup_free_ char *size = value_text(bytes, FORMAT_SIZE, NULL);
		char safe[80];

		text_safe(safe, sizeof(safe), id, strlen(id));
		if (size)
			fprintf(out, "%s  %lld bytes (%s)\n", safe, (long long)json_integer_value(bytes), size);
		else
			fprintf(out, "%s  ?\n", safe);
	}
}

static void print_notes(const json_t *d, FILE *out)
{
	json_int_t missing = figure(d, "records.missing"), unknown = figure(d, "records.unknown");
	size_t gaps = json_array_size(json_at(d, "coverage"));

	fputc('\n', out);
	if (json_is_true(json_at(d, "records.torn")))
		fprintf(out, "the last line is torn, as a killed writer leaves it: it was left out\n");
	if (missing > 0)
		fprintf(out, "%lld records are missing between those that are there: figures may be too low\n", (long long)missing);
	if (figure(d, "records.damaged") > 0)
		fprintf(out, "%lld records are damaged and were left out: figures may be too low; `sluice verify` tells which\n",
			(long long)figure(d, "records.damaged"));
	if (figure(d, "records.removed") > 0)
		fprintf(out, "%lld older records are no longer in the journal\n", (long long)figure(d, "records.removed"));
	if (unknown > 0)
		fprintf(out, "%lld records are of types that this version does not know\n", (long long)unknown);
	if (figure(d, "records.findings_left_out") > 0)
		fprintf(out, "%lld findings more have no room here\n", (long long)figure(d, "records.findings_left_out"));
	if (gaps)
		fprintf(out, "%zu facts were not measured at the end: see `coverage` in --json\n", gaps);
}

int report_text(const json_t *d, unsigned width, FILE *out)
{
	_cleanup_free_ char *first = value_text(json_at(d, "records.first"), FORMAT_TEXT, NULL);
	_cleanup_free_ char *last = value_text(json_at(d, "records.last"), FORMAT_TEXT, NULL);
	const char *now = json_string_value(json_at(d, "records.last"));
	int r = 0;

	fprintf(out, "%lld of %lld records, from %s to %s\n", (long long)figure(d, "records.used"),
		(long long)figure(d, "records.read"), first ? first : "-", last ? last : "-");
	for (size_t i = 0; i < ARRAY_SIZE(sections) && r == 0; i++) {
		const json_t *rows = json_at(d, sections[i].key);

		if (rows)
			r = print_section(&sections[i], rows, now, width, out);
	}
	if (r == 0)
		r = print_stories(json_at(d, "findings"), out);
	if (r == 0) {
		print_left(json_at(d, "left"), out);
		print_notes(d, out);
	}
	return r;
}
