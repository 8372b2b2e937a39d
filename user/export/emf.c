/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/export/emf.h"

#include <string.h>

#include "user/hashmap.h"

#define FINDINGS_MAX 10000 /* told apart in a minute */
#define OTHER "other"
#define NONE "none"
#define DATASETS_ROOM 64 /* sets that only have a dataset to tell them apart do not go by "other" */

enum set_kind { SET_READ, SET_OUT, SET_LEAK, SET_FINDINGS, SET_KINDS };

static const struct {
	const char *dimensions[3], *metric, *unit;
} kinds[SET_KINDS] = {
    [SET_READ] = {{"Dataset", "Job"}, "BytesRead", "Bytes"},
    [SET_OUT] = {{"Dataset", "Job", "DestinationClass"}, "TaintedBytesOut", "Bytes"},
    [SET_LEAK] = {{"Dataset"}, "LeakBound", "Bytes"},
    [SET_FINDINGS] = {{"Severity"}, "Findings", "Count"},
};

struct set {
	struct set_key {
		char values[3][256];
		char kind;
	} key;
	uint64_t sum;
	struct set *next;
};

struct seen {
	char id[64];
	struct seen *next;
};

struct emf {
	struct hashmap sets, findings;
	struct set *first, **end;
	struct seen *seen;
	uint64_t first_seq, last_seq;
	int64_t minute;
	uint64_t folded; /* figures that went by "other" */
	bool gaps_known;
	uint64_t gaps;
};

int emf_new(struct emf **ret)
{
	struct emf *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->sets = HASHMAP_OF(struct set, key);
	e->findings = HASHMAP_OF(struct seen, id);
	e->end = &e->first;
	*ret = e;
	return 0;
}

void emf_clear(struct emf *e)
{
	struct set *next;
	struct seen *later;

	for (struct set *s = e->first; s; s = next) {
		next = s->next;
		free(s);
	}
	for (struct seen *s = e->seen; s; s = later) {
		later = s->next;
		free(s);
	}
	hashmap_free(&e->sets);
	hashmap_free(&e->findings);
	*e = (struct emf){.sets = HASHMAP_OF(struct set, key), .findings = HASHMAP_OF(struct seen, id)};
	e->end = &e->first;
}

struct emf *emf_free(struct emf *e)
{
	if (!e)
		return NULL;
	emf_clear(e);
	free(e);
	return NULL;
}

static int64_t minute_of(int64_t ms)
{
	return ms / EMF_MINUTE_MS;
}

bool emf_other_minute(const struct emf *e, int64_t ms)
{
	return e->first_seq && e->minute != minute_of(ms);
}

uint64_t emf_first(const struct emf *e)
{
	return e->first_seq;
}

/* --- sums --------------------------------------------------------------------------------- */

/* CloudWatch takes printable ASCII that is not only blanks. */
static void dimension(char to[static 256], const char *text)
{
	size_t n = 0;
	bool ink = false;

	for (; text && *text && n < 255; text++) {
		unsigned char c = (unsigned char)*text;

		if ((c & 0xc0) == 0x80)
			continue; /* the rest of a character */
		to[n++] = c >= 0x20 && c < 0x7f ? (char)c : '?';
		ink = ink || c > 0x20;
	}
	memset(to + n, 0, 256 - n);
	if (!ink) {
		memset(to, 0, 256);
		strcpy(to, NONE);
	}
}

static struct set *add_set(struct emf *e, const struct set_key *key)
{
	struct set *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->key = *key;
	if (hashmap_add(&e->sets, s)) {
		free(s);
		return NULL;
	}
	*e->end = s;
	e->end = &s->next;
	return s;
}

static struct set *find_set(struct emf *e, enum set_kind kind, const char *a, const char *b, const char *c)
{
	struct set_key key = {.kind = (char)kind};
	struct set *s;

	dimension(key.values[0], a);
	if (b)
		dimension(key.values[1], b);
	if (c)
		dimension(key.values[2], c);
	s = hashmap_find(&e->sets, &key);
	if (s || e->sets.used < EMF_SETS_MAX)
		return s ? s : add_set(e, &key);
	e->folded++;
	for (size_t i = e->sets.used < EMF_SETS_MAX + DATASETS_ROOM ? 1 : 0; i < 3; i++) {
		if (key.values[i][0])
			dimension(key.values[i], OTHER);
	}
	s = hashmap_find(&e->sets, &key);
	return s ? s : add_set(e, &key);
}

static uint64_t count_of(const json_t *v)
{
	return json_is_integer(v) && json_integer_value(v) > 0 ? (uint64_t)json_integer_value(v) : 0;
}

static const char *text_of(const json_t *o, const char *name)
{
	return json_string_value(json_object_get(o, name));
}

static int add_to(struct set *s, uint64_t n)
{
	if (!s)
		return -ENOMEM;
	s->sum = n > UINT64_MAX - s->sum ? UINT64_MAX : s->sum + n;
	return 0;
}

static int add_access(struct emf *e, const json_t *r)
{
	uint64_t sum = 0;
	const char *kind;
	json_t *n;

	json_object_foreach (json_object_get(r, "bytes"), kind, n)
		sum += count_of(n);
	const char *job = text_of(r, "job");
	return sum ? add_to(find_set(e, SET_READ, text_of(r, "dataset"), job ? job : NONE, NULL), sum) : 0;
}

static int add_flow(struct emf *e, const json_t *r)
{
	uint64_t tainted = count_of(json_object_get(r, "tainted_out"));
	const char *job = text_of(r, "job"), *class = text_of(json_object_get(r, "remote"), "class");
	size_t i;
	json_t *d;
	int err = 0;

	if (!tainted)
		return 0;
	json_array_foreach (json_object_get(r, "datasets"), i, d) {
		int got = add_to(find_set(e, SET_OUT, json_string_value(d), job ? job : NONE, class ? class : NONE), tainted);

		err = err ? err : got;
	}
	return err;
}

/* Is this its first record of the minute? */
static bool first_of_minute(struct emf *e, const char *id)
{
	char key[64] = {};

	strncpy(key, id ? id : "", sizeof(key) - 1);
	if (hashmap_find(&e->findings, key))
		return false;
	struct seen *s = e->findings.used < FINDINGS_MAX ? calloc(1, sizeof(*s)) : NULL;
	if (!s)
		return true;
	memcpy(s->id, key, sizeof(key));
	if (hashmap_add(&e->findings, s)) {
		free(s);
		return true;
	}
	s->next = e->seen;
	e->seen = s;
	return true;
}

static int add_finding(struct emf *e, const json_t *r)
{
	const json_t *leak = json_object_get(r, "leak_bound");
	const char *dataset = text_of(r, "dataset");
	int err = 0;

	if (first_of_minute(e, text_of(r, "id")))
		err = add_to(find_set(e, SET_FINDINGS, text_of(r, "severity"), NULL, NULL), 1);
	if (!dataset || !json_is_integer(leak))
		return err;
	struct set *s = find_set(e, SET_LEAK, dataset, NULL, NULL);
	if (!s)
		return -ENOMEM;
	s->sum = MAX(s->sum, count_of(leak)); /* a total so far, of each finding */
	return err;
}

static void add_health(struct emf *e, const json_t *r)
{
	const json_t *gaps = json_object_get(r, "gaps");

	if (!json_is_array(gaps))
		return;
	e->gaps = MAX(e->gaps, (uint64_t)json_array_size(gaps));
	e->gaps_known = true;
}

int emf_add(struct emf *e, const json_t *r, uint64_t seq, int64_t ms)
{
	const char *type = text_of(r, "type");

	if (!e->first_seq) {
		e->first_seq = seq;
		e->minute = minute_of(ms);
	}
	e->last_seq = seq;
	if (!type)
		return 0;
	if (!strcmp(type, "access"))
		return add_access(e, r);
	if (!strcmp(type, "flow"))
		return add_flow(e, r);
	if (!strcmp(type, "finding"))
		return add_finding(e, r);
	if (!strcmp(type, "health"))
		add_health(e, r);
	return 0;
}

/* --- documents ------------------------------------------------------------------------------ */

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)MIN(n, (uint64_t)INT64_MAX));
}

/* {"_aws":...} and what all documents have; each figure by these dimensions, with Node and without. */
static json_t *begin(const struct emf *e, const struct emf_frame *f, const char *const *dimensions, json_t *metrics)
{
	json_t *with = json_array(), *without = json_array();
	int64_t ms = f->latest_ms - f->latest_ms % EMF_MINUTE_MS;

	for (size_t i = 0; i < 3 && dimensions[i]; i++) {
		json_array_append_new(with, json_string(dimensions[i]));
		json_array_append_new(without, json_string(dimensions[i]));
	}
	json_array_append_new(with, json_string("Node"));
	return json_pack("{s:{s:I, s:[{s:s, s:[o, o], s:o}]}, s:i, s:s, s:o, s:o, s:o, s:s}", "_aws", "Timestamp", (json_int_t)ms,
			 "CloudWatchMetrics", "Namespace", f->metric_namespace, "Dimensions", without, with, "Metrics", metrics,
			 "v", 1, "type", "metrics", "batch", number(f->batch), "first", number(e->first_seq), "last",
			 number(e->last_seq), "Node", f->node);
}

static json_t *metric(const char *name, const char *unit)
{
	return json_pack("{s:s, s:s}", "Name", name, "Unit", unit);
}

static int put_document(struct json_text *to, json_t *document, size_t *n)
{
	size_t before = to->len;
	int err = document ? json_write(to, document) : -ENOMEM;

	json_decref(document);
	if (!err)
		err = json_write_raw(to, "", 1);
	if (err)
		to->len = before;
	else
		(*n)++;
	return err;
}

static int put_set(const struct emf *e, const struct emf_frame *f, const struct set *s, struct json_text *to, size_t *n)
{
	enum set_kind k = (enum set_kind)s->key.kind;
	json_t *document = begin(e, f, kinds[k].dimensions, json_pack("[o]", metric(kinds[k].metric, kinds[k].unit)));

	for (size_t i = 0; document && i < 3 && kinds[k].dimensions[i]; i++)
		json_object_set_new(document, kinds[k].dimensions[i], json_string(s->key.values[i]));
	if (document)
		json_object_set_new(document, kinds[k].metric, number(s->sum));
	return put_document(to, document, n);
}

/* Of the host as a whole. */
static int put_own(const struct emf *e, const struct emf_frame *f, uint64_t left_out, struct json_text *to, size_t *n)
{
	const struct {
		const char *name, *unit;
		uint64_t value;
		bool known;
	} own[] = {
	    {"RecordsDropped", "Count", f->dropped, true},
	    {"ExportLagSeconds", "Seconds", f->lag_seconds, true},
	    {"Gaps", "Count", e->gaps, e->gaps_known},
	    {"FiguresFolded", "Count", e->folded, e->folded > 0},
	    {"SetsLeftOut", "Count", left_out, left_out > 0},
	};
	static const char *const none[1];
	json_t *metrics = json_array(), *document;

	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (own[i].known)
			json_array_append_new(metrics, metric(own[i].name, own[i].unit));
	document = begin(e, f, none, metrics);
	for (size_t i = 0; document && i < ARRAY_SIZE(own); i++)
		if (own[i].known)
			json_object_set_new(document, own[i].name, number(own[i].value));
	return put_document(to, document, n);
}

int emf_documents(const struct emf *e, const struct emf_frame *f, struct json_text *ret, size_t *ret_n)
{
	uint64_t left_out = 0;
	size_t n = 0;
	int err = 0;

	ret->len = 0;
	for (const struct set *s = e->first; s && !err; s = s->next) {
		ret->max = f->max - 4096; /* room for the last */
		err = put_set(e, f, s, ret, &n);
		if (err == -EFBIG) {
			left_out++;
			err = 0;
		}
	}
	ret->max = f->max;
	if (!err)
		err = put_own(e, f, left_out, ret, &n);
	if (err)
		return err;
	*ret_n = n;
	return 0;
}
