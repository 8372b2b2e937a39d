/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/show_text.h"

#include <stdarg.h>
#include <string.h>

#include "user/show_internal.h"
#include "user/table_text.h"
#include "user/value_text.h"

#define FIELDS_MAX 16
#define HOPS_MAX 64   /* drawn of one chain */
#define INDENT_MAX 24 /* a longer chain goes straight down from here */
#define GAPS_NAMED 4 /* with more of them a finding only counts them */

struct field {
	const char *path; /* NULL: the item itself */
	enum value_format format;
	struct text_column column;
	const char *none; /* for null where that means there is none, not that it is unknown */
};

#define TEXT_COLUMN(t, l, d)                                                                       \
	{                                                                                          \
		.title = t, .cut = CUT_END, .least = l, .drop = d                                  \
	}
#define PATH_COLUMN(t, l, d)                                                                       \
	{                                                                                          \
		.title = t, .cut = CUT_START, .least = l, .drop = d                                \
	}
#define FIGURE(t, d)                                                                               \
	{                                                                                          \
		.title = t, .right = true, .drop = d                                               \
	}

#define FIELD(p, f, c)                                                                             \
	{                                                                                          \
		.path = p, .format = FORMAT_##f, .column = c                                       \
	}
#define FIELD_OR_NONE(p, f, c)                                                                     \
	{                                                                                          \
		.path = p, .format = FORMAT_##f, .column = c, .none = "-"                          \
	}

// clang-format off
static const struct field dataset_fields[] = {
	FIELD("id",             TEXT,  TEXT_COLUMN("DATASET", 10, 0)),
	FIELD("path",           TEXT,  PATH_COLUMN("PATH", 12, 3)),
	FIELD("tags",           TAGS,  TEXT_COLUMN("TAGS", 12, 5)),
	FIELD("bytes_total",    SIZE,  FIGURE("SIZE", 0)),
	FIELD("bytes_read",     SIZE,  FIGURE("READ", 0)),
	FIELD("used",           USED,  FIGURE("FILES READ", 4)),
	FIELD("used.bytes_share_most", MOST, FIGURE("OF ITS BYTES", 6)),
	FIELD("readers",        COUNT, FIGURE("READERS", 2)),
	FIELD("volume_outside", BOUND, FIGURE("OUTSIDE", 0)),
	FIELD("findings",       COUNT, FIGURE("FINDINGS", 1)),
};

static const struct field job_fields[] = {
	FIELD("job",         TEXT,  TEXT_COLUMN("JOB", 16, 0)),
	FIELD("ml",          YES,   TEXT_COLUMN("ML", 3, 3)),
	FIELD("ml_reason",   SIGNS, TEXT_COLUMN("BECAUSE OF", 12, 5)),
	FIELD("job_labels",  TAGS,  TEXT_COLUMN("CALLS ITSELF", 12, 4)),
	FIELD("datasets",    NAMES, TEXT_COLUMN("DATASETS", 10, 1)),
	FIELD("processes",   COUNT, FIGURE("PROCESSES", 2)),
	FIELD("bytes_read",  SIZE,  FIGURE("READ", 0)),
	FIELD("used",        USES,  TEXT_COLUMN("USED OF IT", 16, 6)),
	FIELD("bytes_out",   SIZE,  FIGURE("OUT", 0)),
	FIELD("tainted_out", SIZE,  FIGURE("TAINTED OUT", 0)),
	FIELD("leak_bound",  BOUND, FIGURE("LEAK BOUND", 0)),
};

static const struct field process_fields[] = {
	FIELD(NULL,          SUBJECT, TEXT_COLUMN("PROCESS", 12, 0)),
	FIELD("process.uid", TEXT,    FIGURE("UID", 5)),
	FIELD("alive",       YES,     TEXT_COLUMN("ALIVE", 5, 4)),
	FIELD("job",         TEXT,    TEXT_COLUMN("JOB", 10, 3)),
	FIELD("process.exe", TEXT,    PATH_COLUMN("EXECUTABLE", 12, 6)),
	FIELD("bytes.read",  SIZE,    FIGURE("READ", 0)),
	FIELD("bytes.mmap",  SIZE,    FIGURE("MAPPED", 1)),
	FIELD("volume",      BOUNDS,  TEXT_COLUMN("MAY HOLD", 16, 0)),
	FIELD("tainted_out", SIZE,    FIGURE("TAINTED OUT", 2)),
};

static const struct field flow_fields[] = {
	FIELD("process",      PROCESS, TEXT_COLUMN("PROCESS", 12, 0)),
	FIELD("job",          TEXT,    TEXT_COLUMN("JOB", 10, 3)),
	FIELD("proto",        TEXT,    TEXT_COLUMN("PROTO", 5, 5)),
	FIELD("remote",       REMOTE,  TEXT_COLUMN("DESTINATION", 20, 0)),
	FIELD("remote.class", TEXT,    TEXT_COLUMN("CLASS", 8, 0)),
	FIELD("bytes_out",    SIZE,    FIGURE("OUT", 0)),
	FIELD("bytes_in",     SIZE,    FIGURE("IN", 2)),
	FIELD("tainted_out",  SIZE,    FIGURE("TAINTED OUT", 0)),
	FIELD("datasets",     NAMES,   TEXT_COLUMN("DATASETS", 10, 1)),
	FIELD("encrypted",    TEXT,    TEXT_COLUMN("ENCRYPTED", 9, 6)),
	FIELD("alive",        YES,     TEXT_COLUMN("ALIVE", 5, 4)),
};

static const struct field destination_fields[] = {
	FIELD("remote",       REMOTE,  TEXT_COLUMN("DESTINATION", 20, 0)),
	FIELD("remote.class", TEXT,    TEXT_COLUMN("CLASS", 8, 0)),
	FIELD("proto",        TEXT,    TEXT_COLUMN("PROTO", 5, 6)),
	FIELD("direction",    TEXT,    TEXT_COLUMN("DIR", 3, 5)),
	FIELD("jobs",         NAMES,   TEXT_COLUMN("JOBS", 10, 2)),
	FIELD("processes",    NAMES,   TEXT_COLUMN("PROCESSES", 12, 3)),
	FIELD("flows",        COUNT,   FIGURE("FLOWS", 4)),
	FIELD("bytes_out",    SIZE,    FIGURE("OUT", 0)),
	FIELD("bytes_in",     SIZE,    FIGURE("IN", 3)),
	FIELD("tainted_out",  SIZE,    FIGURE("TAINTED OUT", 0)),
	FIELD_OR_NONE("datasets", NAMES, TEXT_COLUMN("DATASETS", 10, 1)),
	FIELD_OR_NONE("allowed", YES,  TEXT_COLUMN("ALLOWED", 7, 0)),
	FIELD("because",      TEXT,    TEXT_COLUMN("BECAUSE", 16, 2)),
};

static const struct field finding_fields[] = {
	FIELD("severity",   TEXT,    TEXT_COLUMN("SEVERITY", 8, 0)),
	FIELD("rule",       TEXT,    TEXT_COLUMN("RULE", 12, 0)),
	FIELD_OR_NONE("dataset",    TEXT,    TEXT_COLUMN("DATASET", 8, 0)),
	FIELD("leak_bound", BOUND,   FIGURE("LEAK BOUND", 0)),
	FIELD("exposed",    SIZE,    FIGURE("EXPOSED", 2)),
	FIELD("process",    PROCESS, TEXT_COLUMN("PROCESS", 12, 1)),
	FIELD("job",        TEXT,    TEXT_COLUMN("JOB", 10, 4)),
	FIELD_OR_NONE("remote",     REMOTE,  TEXT_COLUMN("DESTINATION", 16, 0)),
	FIELD("count",      COUNT,   FIGURE("COUNT", 5)),
	FIELD("last",       TIME,    TEXT_COLUMN("LAST", 8, 3)),
	FIELD("id",         TEXT,    TEXT_COLUMN("ID", 18, 7)),
};
// clang-format on

static int dataset_notes(struct table_text *t, const json_t *item);
static int finding_notes(struct table_text *t, const json_t *item);
static int compare_severity(const json_t *a, const json_t *b);

static const struct view {
	const char *what;
	const struct field *fields;
	size_t nfields;
	int (*compare)(const json_t *a, const json_t *b); /* before the figures; NULL: none */
	const char *most[2]; /* then by these figures, greatest first */
	int (*notes)(struct table_text *t, const json_t *item);
} views[] = {
    {.what = "datasets",
     .fields = dataset_fields,
     .nfields = ARRAY_SIZE(dataset_fields),
     .notes = dataset_notes},
    {.what = "jobs",
     .fields = job_fields,
     .nfields = ARRAY_SIZE(job_fields),
     .most = {"leak_bound", "bytes_read"}},
    {.what = "processes",
     .fields = process_fields,
     .nfields = ARRAY_SIZE(process_fields),
     .most = {"tainted_out", "bytes.read"}},
    {.what = "flows",
     .fields = flow_fields,
     .nfields = ARRAY_SIZE(flow_fields),
     .most = {"tainted_out", "bytes_out"}},
    {.what = "destinations",
     .fields = destination_fields,
     .nfields = ARRAY_SIZE(destination_fields),
     .most = {"tainted_out", "bytes_out"}},
    {.what = "findings",
     .fields = finding_fields,
     .nfields = ARRAY_SIZE(finding_fields),
     .compare = compare_severity,
     .most = {"leak_bound", "count"},
     .notes = finding_notes},
};

#define FITS(table) _Static_assert(ARRAY_SIZE(table) <= FIELDS_MAX, "FIELDS_MAX")
FITS(dataset_fields);
FITS(job_fields);
FITS(process_fields);
FITS(flow_fields);
FITS(destination_fields);
FITS(finding_fields);

/* --- order ------------------------------------------------------------------ */

static int severity_rank(const json_t *finding)
{
	static const char *const words[] = {"info", "low", "medium", "high", "critical"};
	const char *s = json_string_value(json_at(finding, "severity"));

	for (size_t i = 0; s && i < ARRAY_SIZE(words); i++)
		if (strcmp(words[i], s) == 0)
			return (int)i;
	return -1;
}

/* Worst first. */
static int compare_severity(const json_t *a, const json_t *b)
{
	return severity_rank(b) - severity_rank(a);
}

/* An unknown figure comes after every known one. */
static json_int_t figure_rank(const json_t *item, const char *path)
{
	const json_t *v = json_at(item, path);

	return json_is_integer(v) ? json_integer_value(v) : -1;
}

struct ranked {
	const json_t *item;
	size_t place; /* as given: keeps equals in order */
};

static int compare_items(const void *x, const void *y, void *arg)
{
	const struct ranked *a = x, *b = y;
	const struct view *v = arg;
	int r = v->compare ? v->compare(a->item, b->item) : 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(v->most) && v->most[i]; i++) {
		json_int_t p = figure_rank(a->item, v->most[i]),
			   q = figure_rank(b->item, v->most[i]);

		r = p > q ? -1 : p < q;
	}
	return r ? r : a->place < b->place ? -1 : 1;
}

/* The items in the order of the view; NULL for want of memory. */
static struct ranked *rank_items(const struct view *v, const json_t *items)
{
	size_t n = json_array_size(items);
	struct ranked *list = calloc(MAX(n, (size_t)1), sizeof(*list));

	for (size_t i = 0; list && i < n; i++)
		list[i] = (struct ranked){json_array_get(items, i), i};
	if (list)
		qsort_r(list, n, sizeof(*list), compare_items, (void *)v);
	return list;
}

/* --- findings --------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static int note(struct table_text *t, const char *format, ...)
{
	char line[NOTE_BYTES];
	va_list ap;

	va_start(ap, format);
	vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	return table_text_note(t, line);
}

/* "└ pipe_write 40 KiB → pipe:[512]", one step further in than the hop before. */
static int hop_note(struct table_text *t, const json_t *hop, unsigned depth)
{
	_cleanup_free_ char *to = value_text(json_at(hop, "to"), FORMAT_TEXT, NULL);
	_cleanup_free_ char *via = value_text(json_at(hop, "via"), FORMAT_TEXT, NULL);
	_cleanup_free_ char *bytes = value_text(json_at(hop, "bytes"), FORMAT_SIZE, NULL);

	return note(t, "%*s└ %s%s%s → %s", (int)(4 + MIN(2 * depth, (unsigned)INDENT_MAX)), "",
		    via ? via : "?", bytes ? " " : "", bytes ? bytes : "", to ? to : "?");
}

static int chain_notes(struct table_text *t, const json_t *chain)
{
	_cleanup_free_ char *start =
	    value_text(json_at(json_array_get(chain, 0), "from"), FORMAT_TEXT, NULL);
	size_t n = json_array_size(chain);
	int r;

	if (n == 0)
		return 0;
	r = note(t, "    %s", start ? start : "?");
	for (size_t i = 0; r == 0 && i < MIN(n, (size_t)HOPS_MAX); i++)
		r = hop_note(t, json_array_get(chain, i), (unsigned)i);
	if (r == 0 && n > HOPS_MAX)
		r = note(t, "    … and %zu hops more: see --json", n - HOPS_MAX);
	return r;
}

static int coverage_note(struct table_text *t, const json_t *missing)
{
	_cleanup_free_ char *names = value_text(missing, FORMAT_NAMES, NULL);
	size_t n = json_array_size(missing);

	if (n == 0)
		return 0;
	if (n > GAPS_NAMED || !names)
		return note(
		    t, "    weakened by %zu gaps in what is measured: see `sluice show health`", n);
	return note(t, "    weakened by what is not measured: %s", names);
}

static int dataset_notes(struct table_text *t, const json_t *item)
{
	_cleanup_free_ char *from = value_text(json_at(item, "derived.from"), FORMAT_NAMES, NULL);
	_cleanup_free_ char *bytes = value_text(json_at(item, "derived.bytes"), FORMAT_SIZE, NULL);
	json_int_t mapped = json_integer_value(json_at(item, "derived.mapped"));

	if (!json_at(item, "derived") || !from || !bytes)
		return 0;
	return mapped ? note(t, "    derived from %s: %s written by whom it is declared of, and %lld mappings", from, bytes,
			     (long long)mapped)
		      : note(t, "    derived from %s: %s written by whom it is declared of", from, bytes);
}

static int finding_notes(struct table_text *t, const json_t *item)
{
	_cleanup_free_ char *title = value_text(json_at(item, "title"), FORMAT_TEXT, NULL);
	int r = 0;

	if (title)
		r = note(t, "    %s", title);
	if (r == 0)
		r = chain_notes(t, json_at(item, "chain"));
	return r == 0 ? coverage_note(t, json_at(item, "coverage")) : r;
}

/* --- tables ----------------------------------------------------------------- */

static int add_item(struct table_text *t, const struct view *v, const json_t *item, const char *now)
{
	char *cells[FIELDS_MAX];
	int r;

	for (size_t i = 0; i < v->nfields; i++) {
		const struct field *f = &v->fields[i];
		const json_t *value = json_at(item, f->path);

		cells[i] = !value && f->none ? strdup(f->none) : value_text(value, f->format, now);
	}
	r = table_text_row(t, (const char *const *)cells);
	for (size_t i = 0; i < v->nfields; i++)
		free(cells[i]);
	return r == 0 && v->notes ? v->notes(t, item) : r;
}

static int print_items(const struct view *v, const json_t *items, const struct printer *p)
{
	struct text_column columns[FIELDS_MAX];
	_cleanup_(table_text_freep) struct table_text *t = NULL;
	_cleanup_free_ struct ranked *list = rank_items(v, items);
	int r;

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < v->nfields; i++)
		columns[i] = v->fields[i].column;
	r = table_text_new(columns, v->nfields, &t);
	for (size_t i = 0; r == 0 && i < json_array_size(items); i++)
		r = add_item(t, v, list[i].item, p->now);
	if (r == 0)
		table_text_print(t, p->width, p->out);
	return r;
}

static int print_view(const struct view *v, const json_t *document, const struct printer *p)
{
	const json_t *items = json_at(document, "items");

	if (!json_is_array(items))
		return -EPROTO;
	if (json_array_size(items) > 0)
		return print_items(v, items, p);
	fprintf(p->out, "no %s\n", v->what);
	return 0;
}

/* --- a document ------------------------------------------------------------- */

int show_text(const char *what, const json_t *document, unsigned width, FILE *out)
{
	const char *type = json_string_value(json_at(document, "type"));
	const struct printer p = {
	    .now = json_string_value(json_at(document, "time")), .width = width, .out = out};

	if (strcmp(what, "unread") == 0)
		return type && strcmp(type, what) == 0 ? show_unread(document, &p) : -EPROTO;
	if (strcmp(what, "health") == 0)
		return type && strcmp(type, what) == 0 ? show_health(document, &p) : -EPROTO;
	for (size_t i = 0; i < ARRAY_SIZE(views); i++) {
		if (strcmp(views[i].what, what) == 0)
			return type && strcmp(type, what) == 0 ? print_view(&views[i], document, &p)
							       : -EPROTO;
	}
	return -EINVAL;
}

static bool item_time(const json_t *item, const char *path, struct timespec *ret)
{
	const char *text = json_string_value(json_at(item, path));

	return text && time_parse(text, ret) == 0;
}

static bool before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

/* Nothing begins before its process does, so that is a bound where there is no time of its own. */
static bool in_span(const json_t *item, const struct timespec *since, const struct timespec *until)
{
	struct timespec t;

	if (since && item_time(item, "last", &t) && before(&t, since))
		return false;
	if (until && (item_time(item, "first", &t) || item_time(item, "process.start", &t)) &&
	    before(until, &t))
		return false;
	return true;
}

void show_filter(json_t *document, const struct timespec *since, const struct timespec *until)
{
	json_t *items = json_object_get(document, "items"), *kept;
	size_t i;
	json_t *item;

	if (!json_is_array(items) || (!since && !until))
		return;
	kept = json_array();
	json_array_foreach (items, i, item)
		if (in_span(item, since, until))
			json_array_append(kept, item);
	json_object_set_new(document, "items", kept);
}
