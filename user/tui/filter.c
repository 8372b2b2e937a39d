/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/tui/filter.h"

#include <fnmatch.h>
#include <stdarg.h>
#include <string.h>

#include "user/tui/user_name.h"
#include "user/value_text.h"

#define TERMS_MAX 32
#define DEEPEST 8 /* of an item */

enum kind {
	KIND_TEXT,
	KIND_EXACT,    /* a number that names something */
	KIND_USER,
	KIND_FIGURE,
	KIND_SEVERITY,
	KIND_ANY,      /* of the whole item */
};

enum compare {
	COMPARE_CONTAINS,
	COMPARE_MORE,
	COMPARE_NOT_LESS,
	COMPARE_LESS,
	COMPARE_NOT_MORE,
	COMPARE_SAME,
};

struct key {
	const char *name;
	enum kind kind;
	const char *paths[4]; /* the first that the item has, known or not */
};

// clang-format off
static const struct key keys[] = {
	{"dataset",   KIND_TEXT,     {"dataset", "datasets", "id"}},
	{"job",       KIND_TEXT,     {"job", "jobs"}},
	{"user",      KIND_USER,     {"process.uid"}},
	{"uid",       KIND_EXACT,    {"process.uid"}},
	{"pid",       KIND_EXACT,    {"process.pid"}},
	{"process",   KIND_TEXT,     {"process.comm", "processes"}},
	{"exe",       KIND_TEXT,     {"process.exe"}},
	{"class",     KIND_TEXT,     {"remote.class"}},
	{"name",      KIND_TEXT,     {"remote.name", "name"}},
	{"addr",      KIND_TEXT,     {"remote.addr"}},
	{"port",      KIND_EXACT,    {"remote.port"}},
	{"bucket",    KIND_TEXT,     {"remote.bucket"}},
	{"service",   KIND_TEXT,     {"remote.service"}},
	{"proto",     KIND_TEXT,     {"proto"}},
	{"direction", KIND_TEXT,     {"direction"}},
	{"rule",      KIND_TEXT,     {"rule"}},
	{"severity",  KIND_SEVERITY, {"severity"}},
	{"tag",       KIND_TEXT,     {"tags"}},
	{"label",     KIND_TEXT,     {"job_labels"}},
	{"path",      KIND_TEXT,     {"path"}},
	{"allowed",   KIND_TEXT,     {"allowed"}},
	{"alive",     KIND_TEXT,     {"alive"}},
	{"ml",        KIND_TEXT,     {"ml"}},
	{"encrypted", KIND_TEXT,     {"encrypted"}},
	{"state",     KIND_TEXT,     {"state"}},
	{"read",      KIND_FIGURE,   {"bytes_read", "bytes.read"}},
	{"mapped",    KIND_FIGURE,   {"bytes.mmap"}},
	{"out",       KIND_FIGURE,   {"bytes_out"}},
	{"in",        KIND_FIGURE,   {"bytes_in"}},
	{"tainted",   KIND_FIGURE,   {"tainted_out"}},
	{"leak",      KIND_FIGURE,   {"leak_bound"}},
	{"exposed",   KIND_FIGURE,   {"exposed"}},
	{"outside",   KIND_FIGURE,   {"volume_outside"}},
	{"holds",     KIND_FIGURE,   {"volume"}},
	{"size",      KIND_FIGURE,   {"bytes_total"}},
	{"flows",     KIND_FIGURE,   {"flows"}},
	{"readers",   KIND_FIGURE,   {"readers"}},
	{"findings",  KIND_FIGURE,   {"findings"}},
	{"count",     KIND_FIGURE,   {"count"}},
};
// clang-format on

static const struct key any_key = {.name = "", .kind = KIND_ANY};
static const struct key main_key = {.name = "", .kind = KIND_FIGURE};

struct term {
	const struct key *key;
	bool not;
	enum compare compare;
	uint64_t figure; /* or the severity's rank */
	char *text;	 /* alternatives one after the other, each ended by '\0', an empty one last */
};

struct filter {
	struct term terms[TERMS_MAX];
	size_t n;
};

const char *filter_key(size_t i)
{
	return i < ARRAY_SIZE(keys) ? keys[i].name : NULL;
}

/* --- reading --------------------------------------------------------------------- */

struct reader {
	const char *text, *at;
	struct filter_error *error;
};

__attribute__((format(printf, 3, 4))) static int refuse(const struct reader *r, const char *at, const char *format, ...)
{
	struct filter_error e = {.column = 1};
	char raw[sizeof(e.text)];
	va_list ap;

	va_start(ap, format);
	vsnprintf(raw, sizeof(raw), format, ap);
	va_end(ap);
	text_safe(e.text, sizeof(e.text), raw, strlen(raw));
	for (const char *p = r->text; p < at; p++)
		e.column += (*p & 0xc0) != 0x80;
	*r->error = e;
	return -EINVAL;
}

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

static enum compare read_compare(struct reader *r)
{
	static const struct {
		const char *sign;
		enum compare compare;
	} signs[] = {
		{">=", COMPARE_NOT_LESS}, {"<=", COMPARE_NOT_MORE}, {">", COMPARE_MORE}, {"<", COMPARE_LESS}, {"=", COMPARE_SAME},
	};

	for (size_t i = 0; i < ARRAY_SIZE(signs); i++) {
		size_t n = strlen(signs[i].sign);

		if (!strncmp(r->at, signs[i].sign, n)) {
			r->at += n;
			return signs[i].compare;
		}
	}
	return COMPARE_CONTAINS;
}

/* Up to a blank outside of quotes; commas there make alternatives when `several`. */
static int read_text(struct reader *r, bool several, char **ret)
{
	const char *begin = r->at;
	char *text = malloc(strlen(begin) + 2), *w = text;
	bool quoted = false;
	const char *opened = begin;

	if (!text)
		return -ENOMEM;
	for (; *r->at && (quoted || !blank(*r->at)); r->at++) {
		if (*r->at == '"') {
			quoted = !quoted;
			opened = r->at;
		} else if (*r->at == ',' && several && !quoted) {
			if (w > text && w[-1])
				*w++ = '\0';
		} else {
			*w++ = *r->at;
		}
	}
	w[0] = w[1] = '\0';
	if (!quoted && *text) {
		*ret = text;
		return 0;
	}
	free(text);
	return quoted ? refuse(r, opened, "the quotation mark is not closed: put another at the end")
		      : refuse(r, begin, "a text must stand here");
}

static const char *const severities[] = {"info", "low", "medium", "high", "critical"};

static int severity_rank(const char *word)
{
	for (size_t i = 0; word && i < ARRAY_SIZE(severities); i++)
		if (!strcasecmp(word, severities[i]))
			return (int)i;
	return -1;
}

static int read_figure(struct reader *r, struct term *t)
{
	const char *begin = r->at;
	size_t n = strcspn(begin, " \t");
	char word[64];
	int rank, err;

	if (!n)
		return refuse(r, begin, t->key->kind == KIND_SEVERITY ? "a severity must stand here: info to critical"
								      : "a figure must stand here, as 1MiB or 20");
	snprintf(word, sizeof(word), "%.*s", (int)MIN(n, sizeof(word) - 1), begin);
	r->at += n;
	if (t->key->kind == KIND_SEVERITY) {
		rank = severity_rank(word);
		t->figure = (uint64_t)MAX(rank, 0);
		return rank >= 0 ? 0 : refuse(r, begin, "'%.40s' is none of info, low, medium, high, critical", word);
	}
	err = n < sizeof(word) ? size_parse(word, &t->figure) : -EINVAL;
	if (err == -ERANGE)
		return refuse(r, begin, "'%.40s' is too large", word);
	return err ? refuse(r, begin, "'%.40s' is no figure: write it as 20, 64KiB or 1.5GiB", word) : 0;
}

static const struct key *find_key(const char *name, size_t n)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (strlen(keys[i].name) == n && !strncasecmp(keys[i].name, name, n))
			return &keys[i];
	return NULL;
}

static bool ordered(const struct key *k)
{
	return k->kind == KIND_FIGURE || k->kind == KIND_SEVERITY;
}

/* After a key: ":text", ">1MiB", ":>1MiB". */
static int read_value(struct reader *r, struct term *t)
{
	const char *sign = r->at;
	bool colon = *r->at == ':';

	r->at += colon;
	t->compare = read_compare(r);
	if (t->compare == COMPARE_CONTAINS && t->key->kind == KIND_FIGURE)
		t->compare = COMPARE_SAME;
	if (t->compare != COMPARE_CONTAINS && ordered(t->key))
		return read_figure(r, t);
	if (t->compare != COMPARE_CONTAINS && t->compare != COMPARE_SAME)
		return refuse(r, sign, "%s is a text, which has no order: write %s:TEXT", t->key->name, t->key->name);
	t->compare = COMPARE_CONTAINS;
	return read_text(r, true, &t->text);
}

static int read_term(struct reader *r, struct term *t)
{
	const char *begin;
	size_t n;

	while (*r->at == '!') {
		t->not = !t->not;
		r->at++;
	}
	begin = r->at;
	if (!*begin || blank(*begin))
		return refuse(r, begin, "a term must follow the '!'");
	t->compare = read_compare(r);
	if (t->compare != COMPARE_CONTAINS) {
		t->key = &main_key;
		return read_figure(r, t);
	}
	n = strcspn(begin, " \t\":<>=");
	if (begin[n] && strchr(":<>=", begin[n])) {
		t->key = find_key(begin, n);
		if (!t->key)
			return refuse(r, begin, "there is no field '%.*s': see ? for all, or quote the text",
				      (int)MIN(n, (size_t)40), begin);
		r->at = begin + n;
		return read_value(r, t);
	}
	t->key = &any_key;
	return read_text(r, false, &t->text);
}

static int read_terms(struct reader *r, struct filter *f)
{
	int err = 0;

	while (!err) {
		while (blank(*r->at))
			r->at++;
		if (!*r->at)
			return 0;
		if (f->n == TERMS_MAX)
			return refuse(r, r->at, "there are more than %d terms", TERMS_MAX);
		err = read_term(r, &f->terms[f->n++]);
	}
	return err;
}

int filter_parse(const char *text, struct filter **ret, struct filter_error *ret_error)
{
	struct reader r = {.text = text, .at = text, .error = ret_error};
	struct filter *f;
	int err;

	if (strlen(text) >= FILTER_BYTES)
		return refuse(&r, text, "the filter is longer than %d bytes", FILTER_BYTES - 1);
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	err = read_terms(&r, f);
	if (err) {
		filter_free(f);
		return err;
	}
	*ret = f;
	return 0;
}

struct filter *filter_free(struct filter *f)
{
	for (size_t i = 0; f && i < f->n; i++)
		free(f->terms[i].text);
	free(f);
	return NULL;
}

/* --- matching -------------------------------------------------------------------- */

/* A pattern is one of the whole text. */
static bool text_fits(const char *text, const char *wanted)
{
	if (strpbrk(wanted, "*?"))
		return fnmatch(wanted, text, FNM_CASEFOLD) == 0;
	return strcasestr(text, wanted) != NULL;
}

static bool any_fits(const char *text, const char *wanted, bool whole)
{
	for (; text && *wanted; wanted += strlen(wanted) + 1)
		if (whole ? !strcmp(text, wanted) : text_fits(text, wanted))
			return true;
	return false;
}

static bool value_fits(const json_t *value, const char *wanted, bool whole)
{
	size_t i;
	const char *name;
	json_t *one;
	char text[512];

	if (json_is_string(value))
		return any_fits(json_string_value(value), wanted, whole);
	if (json_is_boolean(value))
		return any_fits(json_is_true(value) ? "yes" : "no", wanted, whole);
	if (json_is_integer(value)) {
		snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(value));
		return any_fits(text, wanted, whole);
	}
	json_array_foreach (value, i, one)
		if (json_is_string(one) && any_fits(json_string_value(one), wanted, whole))
			return true;
	json_object_foreach ((json_t *)value, name, one) {
		snprintf(text, sizeof(text), "%s=%s", name, json_is_string(one) ? json_string_value(one) : "");
		if (any_fits(text, wanted, whole))
			return true;
	}
	return false;
}

static bool user_fits(const json_t *uid, const char *wanted)
{
	const char *name = value_fits(uid, wanted, true) ? NULL : user_name(uid);

	return name ? any_fits(name, wanted, true) : value_fits(uid, wanted, true);
}

/* Of an object of bytes the sum of what is known. */
static bool figure_of(const json_t *value, uint64_t *ret)
{
	const char *name;
	json_t *one;
	bool known = false;

	*ret = 0;
	if (json_is_integer(value) && json_integer_value(value) >= 0) {
		*ret = (uint64_t)json_integer_value(value);
		return true;
	}
	json_object_foreach ((json_t *)value, name, one) {
		known = known || json_is_integer(one);
		if (__builtin_add_overflow(*ret, (uint64_t)MAX(json_integer_value(one), 0), ret))
			*ret = UINT64_MAX;
	}
	return known || (json_is_object(value) && !json_object_size(value));
}

static bool compares(uint64_t is, enum compare compare, uint64_t to)
{
	switch (compare) {
	case COMPARE_MORE:
		return is > to;
	case COMPARE_NOT_LESS:
		return is >= to;
	case COMPARE_LESS:
		return is < to;
	case COMPARE_NOT_MORE:
		return is <= to;
	default:
		return is == to;
	}
}

static bool contains(const json_t *value, const char *text, unsigned depth)
{
	size_t i;
	const char *name;
	json_t *one;

	if (json_is_string(value))
		return strcasestr(json_string_value(value), text);
	if (depth == DEEPEST)
		return false;
	json_array_foreach (value, i, one)
		if (contains(one, text, depth + 1))
			return true;
	json_object_foreach ((json_t *)value, name, one) {
		/* the names of datasets are keys only where figures stand beside them */
		if (depth && (json_is_integer(one) || json_is_object(one)) && strcasestr(name, text))
			return true;
		if (contains(one, text, depth + 1))
			return true;
	}
	return false;
}

bool filter_contains(const json_t *item, const char *text)
{
	const json_t *pid = json_at(item, "process.pid");
	char number[32];

	if (json_is_integer(pid)) {
		snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(pid));
		if (strstr(number, text))
			return true;
	}
	return contains(item, text, 0);
}

static bool holds(const struct term *t, const json_t *item, const char *figure)
{
	const char *const *paths = t->key == &main_key ? (const char *const[]){figure, NULL} : t->key->paths;
	const json_t *value = NULL;
	uint64_t n;

	if (t->key->kind == KIND_ANY)
		return filter_contains(item, t->text);
	for (size_t i = 0; i < ARRAY_SIZE(t->key->paths) && paths[i] && !value; i++) {
		value = json_at(item, paths[i]);
		if (!value && json_object_get(item, paths[i]))
			return false;
	}
	if (!value)
		return false;
	if (t->compare == COMPARE_CONTAINS)
		return t->key->kind == KIND_USER ? user_fits(value, t->text)
						 : value_fits(value, t->text, t->key->kind == KIND_EXACT);
	if (t->key->kind == KIND_SEVERITY) {
		int rank = severity_rank(json_string_value(value));

		return rank >= 0 && compares((uint64_t)rank, t->compare, t->figure);
	}
	return figure_of(value, &n) && compares(n, t->compare, t->figure);
}

bool filter_match(const struct filter *f, const json_t *item, const char *figure)
{
	for (size_t i = 0; f && i < f->n; i++)
		if (holds(&f->terms[i], item, figure) == f->terms[i].not)
			return false;
	return true;
}

json_t *filter_document(const struct filter *f, const json_t *document, const char *figure)
{
	json_t *items = json_object_get(document, "items"), *copy = json_copy((json_t *)document), *kept = json_array(), *one;
	size_t i;

	if (!copy || !kept || (json_is_array(items) && json_object_set(copy, "items", kept))) {
		json_decref(copy);
		json_decref(kept);
		return NULL;
	}
	json_array_foreach (items, i, one)
		if (filter_match(f, one, figure))
			json_array_append(kept, one);
	json_decref(kept);
	return copy;
}
