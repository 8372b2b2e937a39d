/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/record_tape.h"

#define DEPTH_MAX 16
#define ITEMS_MAX 65536

struct reading {
	struct tape *t;
	const char *at, *end;
};

void tape_free(struct tape *t)
{
	free(t->v);
	*t = (struct tape){0};
}

static struct tape_item *add(struct tape *t)
{
	if (t->n == t->size) {
		size_t size = t->size ? 2 * t->size : 256;
		struct tape_item *v = t->n < ITEMS_MAX ? reallocarray(t->v, size, sizeof(*v)) : NULL;

		if (!v)
			return NULL;
		t->v = v;
		t->size = size;
	}
	return &t->v[t->n++];
}

static bool take(struct reading *r, char c)
{
	if (r->at == r->end || *r->at != c)
		return false;
	r->at++;
	return true;
}

#define EACH(byte) (0x0101010101010101ULL * (byte))

/* The high bit of each of eight bytes that is zero; above the first such one others may have it, too. */
static uint64_t zeros(uint64_t x)
{
	return (x - EACH(1)) & ~x & EACH(0x80);
}

/* Of eight bytes none that ends a text, or is no ASCII that one sees. */
static bool all_plain(const char *s)
{
	uint64_t x;

	memcpy(&x, s, sizeof(x));
	return !((x & EACH(0x80)) | ((x - EACH(' ')) & ~x & EACH(0x80)) | zeros(x ^ EACH('"')) | zeros(x ^ EACH('\\')) |
		 zeros(x ^ EACH(0x7f)));
}

/* Behind its opening quote. */
static bool read_text(struct reading *r, const char **ret, uint32_t *ret_len)
{
	const char *from = r->at;

	while (r->end - r->at >= 8 && all_plain(r->at))
		r->at += 8;
	while (r->at < r->end && *r->at != '"' && *r->at != '\\' && *r->at >= ' ' && *r->at <= '~')
		r->at++;
	*ret = from;
	*ret_len = (uint32_t)(r->at - from);
	return take(r, '"');
}

/* Up to eighteen digits: more could be too large. */
static bool read_number(struct reading *r, struct tape_item *i)
{
	bool minus = take(r, '-');
	const char *from = r->at;
	int64_t n = 0;

	while (r->at < r->end && *r->at >= '0' && *r->at <= '9' && r->at - from < 18)
		n = n * 10 + (*r->at++ - '0');
	i->kind = TAPE_NUMBER;
	i->number = minus ? -n : n;
	return r->at > from && (*from != '0' || r->at == from + 1) && r->at < r->end &&
	       (*r->at == ',' || *r->at == '}' || *r->at == ']');
}

static bool read_word(struct reading *r, struct tape_item *i, const char *word, enum tape_kind kind)
{
	size_t n = strlen(word);

	if ((size_t)(r->end - r->at) < n || memcmp(r->at, word, n))
		return false;
	r->at += n;
	i->kind = (uint8_t)kind;
	return true;
}

/* `seen` has a bit for each length and first letter: only where one is met again all keys are compared. */
static bool is_twice(const struct tape *t, size_t object, size_t item, uint64_t *seen)
{
	const struct tape_item *fresh = &t->v[item];
	uint64_t bit = 1ULL << ((fresh->key_len * 7 + (fresh->key_len ? (unsigned char)fresh->key[fresh->key_len - 1] : 0)) % 64);

	if (!(*seen & bit)) {
		*seen |= bit;
		return false;
	}
	for (size_t i = object + 1; i < item; i = t->v[i].next)
		if (t->v[i].key_len == fresh->key_len && !memcmp(t->v[i].key, fresh->key, fresh->key_len))
			return true;
	return false;
}

static bool read_value(struct reading *r, size_t item, unsigned depth);

static bool read_members(struct reading *r, size_t object, unsigned depth)
{
	uint64_t seen = 0;
	int64_t n = 0;

	r->t->v[object].kind = TAPE_OBJECT;
	if (take(r, '}'))
		goto end;
	do {
		size_t item = r->t->n;
		struct tape_item *i = add(r->t);

		if (!i)
			return false;
		*i = (struct tape_item){0};
		if (!take(r, '"') || !read_text(r, &i->key, &i->key_len) || !take(r, ':') || is_twice(r->t, object, item, &seen) ||
		    !read_value(r, item, depth))
			return false;
		n++;
	} while (take(r, ','));
	if (!take(r, '}'))
		return false;
end:
	r->t->v[object].number = n;
	return true;
}

static bool read_elements(struct reading *r, size_t list, unsigned depth)
{
	int64_t n = 0;

	r->t->v[list].kind = TAPE_LIST;
	if (take(r, ']'))
		goto end;
	do {
		size_t item = r->t->n;
		struct tape_item *i = add(r->t);

		if (!i)
			return false;
		*i = (struct tape_item){0};
		if (!read_value(r, item, depth))
			return false;
		n++;
	} while (take(r, ','));
	if (!take(r, ']'))
		return false;
end:
	r->t->v[list].number = n;
	return true;
}

/* Into v[item], which is there. The list may move. */
static bool read_value(struct reading *r, size_t item, unsigned depth)
{
	struct tape_item *i = &r->t->v[item];
	bool good;

	if (r->at == r->end || depth >= DEPTH_MAX)
		return false;
	switch (*r->at) {
	case '"':
		r->at++;
		i->kind = TAPE_STRING;
		good = read_text(r, &i->text, &i->len);
		break;
	case '{':
		r->at++;
		good = read_members(r, item, depth + 1);
		break;
	case '[':
		r->at++;
		good = read_elements(r, item, depth + 1);
		break;
	case 'n':
		good = read_word(r, i, "null", TAPE_NULL);
		break;
	case 't':
		good = read_word(r, i, "true", TAPE_TRUE);
		break;
	case 'f':
		good = read_word(r, i, "false", TAPE_FALSE);
		break;
	default:
		good = read_number(r, i);
	}
	r->t->v[item].next = (uint32_t)r->t->n;
	return good;
}

bool tape_read(struct tape *t, const char *line, size_t len)
{
	struct reading r = {t, line, line + len};
	struct tape_item *i;

	t->n = 0;
	i = len < UINT32_MAX && len && *line == '{' ? add(t) : NULL;
	if (!i)
		return false;
	*i = (struct tape_item){0};
	return read_value(&r, 0, 0) && r.at == r.end;
}

const struct tape_item *tape_at(const struct tape *t, const struct tape_item *of, const char *key)
{
	size_t n = strlen(key);

	if (!of || of->kind != TAPE_OBJECT)
		return NULL;
	tape_each(t, of, i) if (i->key_len == n && !memcmp(i->key, key, n)) return i;
	return NULL;
}
