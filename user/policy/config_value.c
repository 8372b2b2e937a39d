/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What a value may be, whatever its key: kinds, texts, numbers, sizes, times, lists, mappings. */
#include "user/policy/config_internal.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>

struct quoted quote(const char *text)
{
	struct quoted q;
	size_t len = strlen(text);
	size_t n = text_safe(q.s, sizeof(q.s) - 3, text, len);

	if (n < len && n >= sizeof(q.s) - 3 - 4)
		strcpy(q.s + n, "...");
	return q;
}

const char *kind_text(const struct ynode *n)
{
	if (n->kind != Y_TEXT)
		return n->kind == Y_LIST ? "a list" : "a mapping";
	return ynode_null(n) ? "nothing" : "a text";
}

/* --- the key path -------------------------------------------------------------- */

static size_t where_add(struct parse *p, const char *text)
{
	size_t was = p->where_len;
	size_t left = sizeof(p->where) - was;
	size_t n = strlen(text);

	n = MIN(n, left - 1);
	memcpy(p->where + was, text, n);
	p->where_len += n;
	p->where[p->where_len] = '\0';
	return was;
}

size_t where_push(struct parse *p, const char *key)
{
	char text[sizeof(struct quoted) + 2];

	snprintf(text, sizeof(text), "%s%s", p->where_len ? "." : "", quote(key).s);
	return where_add(p, text);
}

size_t where_push_index(struct parse *p, size_t i)
{
	char text[24];

	snprintf(text, sizeof(text), "[%zu]", i);
	return where_add(p, text);
}

void where_pop(struct parse *p, size_t len)
{
	p->where_len = len;
	p->where[len] = '\0';
}

/* --- did you mean -------------------------------------------------------------- */

#define WORD_MAX 32

static char lower(char c)
{
	return (char)tolower((unsigned char)c);
}

/* Edits between two words, a swap of neighbours being one; case counts for nothing. */
static size_t distance(const char *a, const char *b)
{
	size_t row[3][WORD_MAX + 1];
	size_t na = strlen(a), nb = strlen(b);

	if (na > WORD_MAX || nb > WORD_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= nb; j++)
		row[0][j] = j;
	for (size_t i = 1; i <= na; i++) {
		size_t *now = row[i % 3], *up = row[(i - 1) % 3], *up2 = row[(i + 1) % 3];

		now[0] = i;
		for (size_t j = 1; j <= nb; j++) {
			size_t d = up[j - 1] + (lower(a[i - 1]) != lower(b[j - 1]));

			d = MIN(d, up[j] + 1);
			d = MIN(d, now[j - 1] + 1);
			if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
			    lower(a[i - 2]) == lower(b[j - 1]))
				d = MIN(d, up2[j - 2] + 1);
			now[j] = d;
		}
	}
	return row[na % 3][nb];
}

const char *nearest_word(const char *text, const char *const *words, size_t nwords)
{
	const char *best = NULL;
	size_t least = SIZE_MAX;

	for (size_t i = 0; i < nwords; i++) {
		size_t d = distance(text, words[i]);
		size_t far = strlen(words[i]) / 3;

		if (d < least && d <= MAX(far, 1u)) {
			least = d;
			best = words[i];
		}
	}
	return best;
}

/* --- mappings ------------------------------------------------------------------ */

int want_kind(struct parse *p, const struct ynode *n, enum ykind kind, const char *example)
{
	if (n->kind == kind)
		return 0;
	return config_fail(p, n, "must be %s, not %s; write %s",
			   kind == Y_MAP ? "a mapping" : "a list", kind_text(n), example);
}

static int refuse_key(struct parse *p, const struct ynode *key, const struct field *f, size_t nf)
{
	const char *words[16];
	char list[160] = "";
	size_t len = 0;

	if (!strcmp(key->text, "<<"))
		return config_fail(p, key, "merge keys have no use here; write the keys out");
	nf = MIN(nf, ARRAY_SIZE(words));
	for (size_t i = 0; i < nf; i++) {
		words[i] = f[i].key;
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s", i ? ", " : "",
					f[i].key);
	}
	const char *near = nearest_word(key->text, words, nf);
	if (near)
		return config_fail(p, key, "unknown key; did you mean '%s'?", near);
	return config_fail(p, key, "unknown key; use one of: %s", list);
}

int check_key(struct parse *p, const struct ynode *map, size_t i)
{
	const struct ynode *key = map->v[i];

	if (key->kind != Y_TEXT)
		return config_fail(p, key, "a key must be a text, not %s; put it in quotes",
				   kind_text(key));
	for (size_t j = 0; j < i; j += 2)
		if (!strcmp(map->v[j]->text, key->text))
			return config_fail(p, key, "given twice (first on line %u); keep one",
					   map->v[j]->line);
	return 0;
}

static int field_parse(struct parse *p, const struct ynode *map, size_t i, const struct field *f,
		       size_t nf, void *obj)
{
	const struct ynode *key = map->v[i], *value = map->v[i + 1];
	size_t k = 0;
	int r = check_key(p, map, i);

	if (r < 0)
		return r;
	while (k < nf && strcmp(f[k].key, key->text))
		k++;
	if (k == nf)
		return refuse_key(p, key, f, nf);
	r = config_note_inactive(p, value);
	return r < 0 ? r : f[k].parse(p, value, (char *)obj + f[k].offset);
}

int map_parse(struct parse *p, const struct ynode *n, const struct field *f, size_t nf, void *obj)
{
	int r = want_kind(p, n, Y_MAP, "'key: value' lines below it, or { key: value }");

	for (size_t i = 0; !r && i < n->n; i += 2) {
		size_t was = where_push(p, n->v[i]->kind == Y_TEXT ? n->v[i]->text : "?");

		r = field_parse(p, n, i, f, nf, obj);
		if (!r)
			where_pop(p, was);
	}
	for (size_t i = 0; !r && i < nf; i++)
		if (f[i].required && !ynode_get(n, f[i].key))
			r = config_fail(p, n, "'%s' is missing; add it", f[i].key);
	return r;
}

/* --- texts --------------------------------------------------------------------- */

static bool has_control(const char *s)
{
	size_t left = strlen(s), k;
	uint32_t cp;

	for (; left; s += k, left -= k) {
		k = utf8_next(s, left, &cp);
		if (!k || cp < 0x20 || (cp >= 0x7f && cp < 0xa0))
			return true;
	}
	return false;
}

int parse_text(struct parse *p, const struct ynode *n, size_t max, char **ret)
{
	if (n->kind == Y_MAP)
		return config_fail(p, n,
				   "must be a text, not a mapping; put a text with { } in quotes");
	if (n->kind != Y_TEXT || ynode_null(n))
		return config_fail(p, n, "must be a text, not %s; give one value", kind_text(n));
	if (!*n->text)
		return config_fail(p, n, "is empty; give a value or remove the key");
	if (strlen(n->text) > max)
		return config_fail(p, n, "is longer than %zu bytes; shorten it", max);
	if (has_control(n->text))
		return config_fail(p, n, "'%s' holds a control character or line break; remove it",
				   quote(n->text).s);
	char *text = strdup(n->text);
	if (!text)
		return -ENOMEM;
	*ret = text;
	return 0;
}

int parse_bool(struct parse *p, const struct ynode *n, void *to)
{
	static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};

	for (size_t i = 0; n->kind == Y_TEXT && !n->quoted && i < ARRAY_SIZE(words); i++) {
		if (strcasecmp(n->text, words[i]))
			continue;
		*(bool *)to = i % 2;
		return 0;
	}
	return config_fail(p, n, "must be true or false%s; write one of them",
			   n->kind == Y_TEXT && n->quoted ? ", without quotes" : "");
}

int parse_word(struct parse *p, const struct ynode *n, const char *const *words, size_t nwords,
	       unsigned *ret)
{
	char list[80] = "";
	size_t len = 0;

	for (size_t i = 0; i < nwords; i++) {
		if (n->kind == Y_TEXT && !strcmp(n->text, words[i])) {
			*ret = (unsigned)i;
			return 0;
		}
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s",
					!i		  ? ""
					: i + 1 == nwords ? " or "
							  : ", ",
					words[i]);
	}
	if (n->kind != Y_TEXT || ynode_null(n))
		return config_fail(p, n, "must be a word, not %s; write %s", kind_text(n), list);
	return config_fail(p, n, "'%s' is not known; write %s", quote(n->text).s, list);
}

int path_normalise(char *path)
{
	char *w = path;

	if (*path != '/')
		return -EINVAL;
	for (const char *r = path; *r;) {
		size_t n;

		r += strspn(r, "/");
		n = strcspn(r, "/");
		if (n == 2 && !strncmp(r, "..", 2))
			return -EINVAL;
		if (n && !(n == 1 && *r == '.')) {
			*w++ = '/';
			memmove(w, r, n);
			w += n;
		}
		r += n;
	}
	if (w == path)
		*w++ = '/';
	*w = '\0';
	return 0;
}

int parse_path(struct parse *p, const struct ynode *n, void *to)
{
	_cleanup_free_ char *path = NULL;
	int r = parse_text(p, n, PATH_MAX - 1, &path);

	if (r < 0)
		return r;
	if (path_normalise(path) < 0)
		return config_fail(p, n, "'%s' is no absolute path; write it from /, without ..",
				   quote(n->text).s);
	*(char **)to = path;
	path = NULL;
	return 0;
}

/* --- figures ------------------------------------------------------------------- */

static int want_figure(struct parse *p, const struct ynode *n, const char *what,
		       const char *example)
{
	if (n->kind == Y_TEXT && !ynode_null(n))
		return 0;
	return config_fail(p, n, "must be a %s, not %s; write e.g. %s", what, kind_text(n),
			   example);
}

int parse_size(struct parse *p, const struct ynode *n, void *to)
{
	static const char example[] = "500, 64KiB, 1MiB or 1.5GiB";
	int r = want_figure(p, n, "size", example);

	if (r < 0)
		return r;
	r = size_parse(n->text, to);
	if (r == -ERANGE)
		return config_fail(p, n,
				   "'%s' is more than can be counted; write less than 16384PiB",
				   quote(n->text).s);
	if (r < 0)
		return config_fail(p, n, "'%s' is no size; write e.g. %s", quote(n->text).s,
				   example);
	return 0;
}

int parse_duration(struct parse *p, const struct ynode *n, uint64_t min, uint64_t max,
		   const char *range, uint64_t *ret)
{
	static const char example[] = "500ms, 1s, 15m, 24h or 30d";
	uint64_t ns = 0;
	int r = want_figure(p, n, "duration", example);

	if (r < 0)
		return r;
	r = duration_parse(n->text, &ns);
	if (r == -EINVAL)
		return config_fail(p, n, "'%s' is no duration; write e.g. %s", quote(n->text).s,
				   example);
	if (r < 0 || ns < min || ns > max)
		return config_fail(p, n, "%s is out of range; write %s", quote(n->text).s, range);
	*ret = ns;
	return 0;
}

int parse_number(struct parse *p, const struct ynode *n, unsigned min, unsigned max, unsigned *ret)
{
	const char *s = n->kind == Y_TEXT && !n->quoted ? n->text : "";
	unsigned v = 0;

	/* A leading 0 would be octal to some YAML readers and decimal to others. */
	bool good =
	    *s && strlen(s) <= 9 && strspn(s, "0123456789") == strlen(s) && (s[0] != '0' || !s[1]);
	for (; good && *s; s++)
		v = v * 10 + (unsigned)(*s - '0');
	if (!good || v < min || v > max)
		return config_fail(p, n,
				   "must be a number from %u to %u; write it in plain digits, "
				   "without quotes",
				   min, max);
	*ret = v;
	return 0;
}

/* --- lists --------------------------------------------------------------------- */

int parse_strings(struct parse *p, const struct ynode *n, const char *example,
		  int (*check)(struct parse *p, const struct ynode *n, char **text),
		  struct strings *ret)
{
	int r = want_kind(p, n, Y_LIST, example);

	if (r < 0)
		return r;
	if (n->n > CONFIG_LIST_MAX)
		return config_fail(p, n->v[CONFIG_LIST_MAX], "more than %d entries; use patterns",
				   CONFIG_LIST_MAX);
	ret->v = calloc(n->n ? n->n : 1, sizeof(*ret->v));
	if (!ret->v)
		return -ENOMEM;
	for (size_t i = 0; !r && i < n->n; i++) {
		size_t was = where_push_index(p, i);

		r = parse_text(p, n->v[i], PATH_MAX - 1, &ret->v[i]);
		if (r < 0)
			return r;
		ret->n = i + 1;
		r = check ? check(p, n->v[i], &ret->v[i]) : 0;
		if (!r)
			where_pop(p, was);
	}
	return r;
}

int parse_items(struct parse *p, const struct ynode *n, const char *example, size_t max,
		size_t size, int (*parse)(struct parse *p, const struct ynode *n, void *to),
		void **ret_items, size_t *ret_n)
{
	int r = want_kind(p, n, Y_LIST, example);
	char *items;

	if (r < 0)
		return r;
	if (n->n > max)
		return config_fail(p, n->v[max], "more than %zu entries; merge or remove some",
				   max);
	*ret_items = items = calloc(n->n ? n->n : 1, size);
	if (!items)
		return -ENOMEM;
	for (size_t i = 0; !r && i < n->n; i++) {
		size_t was = where_push_index(p, i);

		*ret_n = i + 1; /* first, so that a half-parsed item is given back too */
		r = parse(p, n->v[i], items + i * size);
		if (!r)
			where_pop(p, was);
	}
	return r;
}
