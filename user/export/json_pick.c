/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/export/json_pick.h"

#include <ctype.h>
#include <string.h>

#include "user/locked.h"

#define NAME_MAX_LEN 64

struct scan {
	const char *at, *end;
	unsigned depth;
	char *ret;
	size_t room, len;
	int found; /* times */
	bool wrong; /* the member is there, and is not what it should be */
	bool big;
};

static bool value(struct scan *s, const char *const *want);

static void blanks(struct scan *s)
{
	while (s->at < s->end && memchr(" \t\r\n", *s->at, 4))
		s->at++;
}

static bool next_is(struct scan *s, char c)
{
	if (s->at >= s->end || *s->at != c)
		return false;
	s->at++;
	return true;
}

static bool word(struct scan *s, const char *text)
{
	size_t n = strlen(text);

	if ((size_t)(s->end - s->at) < n || memcmp(s->at, text, n))
		return false;
	s->at += n;
	return true;
}

/* --- strings ------------------------------------------------------------------------------------ */

/* Where a string goes; `room` 0: nowhere. */
struct out {
	char *to;
	size_t room, len;
	bool big, control;
};

static void emit(struct out *o, const char *bytes, size_t n)
{
	if (n == 1 && (iscntrl((unsigned char)*bytes) || !*bytes))
		o->control = true;
	if (o->len + n < o->room)
		memcpy(o->to + o->len, bytes, n);
	else
		o->big = true;
	o->len += n;
}

static void emit_code(struct out *o, uint32_t cp)
{
	char u[4];

	if (cp < 0x80)
		emit(o, (char[]){(char)cp}, 1);
	else if (cp < 0x800)
		emit(o, (char[]){(char)(0xc0 | cp >> 6), (char)(0x80 | (cp & 0x3f))}, 2);
	else if (cp < 0x10000)
		emit(o, (char[]){(char)(0xe0 | cp >> 12), (char)(0x80 | (cp >> 6 & 0x3f)), (char)(0x80 | (cp & 0x3f))}, 3);
	else {
		u[0] = (char)(0xf0 | cp >> 18);
		u[1] = (char)(0x80 | (cp >> 12 & 0x3f));
		u[2] = (char)(0x80 | (cp >> 6 & 0x3f));
		u[3] = (char)(0x80 | (cp & 0x3f));
		emit(o, u, 4);
	}
}

static bool four(struct scan *s, uint32_t *ret)
{
	uint32_t v = 0;

	if (s->end - s->at < 4)
		return false;
	for (int i = 0; i < 4; i++, s->at++) {
		char c = (char)tolower((unsigned char)*s->at);

		if (!isxdigit((unsigned char)c))
			return false;
		v = v * 16 + (uint32_t)(isdigit((unsigned char)c) ? c - '0' : c - 'a' + 10);
	}
	*ret = v;
	return true;
}

static bool unicode_escape(struct scan *s, struct out *o)
{
	uint32_t a, b;

	if (!four(s, &a) || (a >= 0xdc00 && a < 0xe000))
		return false;
	if (a >= 0xd800 && a < 0xdc00) {
		if (!word(s, "\\u") || !four(s, &b) || b < 0xdc00 || b >= 0xe000)
			return false;
		a = 0x10000 + ((a - 0xd800) << 10) + (b - 0xdc00);
	}
	emit_code(o, a);
	return true;
}

static bool escape(struct scan *s, struct out *o)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *k;

	if (next_is(s, 'u'))
		return unicode_escape(s, o);
	if (s->at >= s->end || !*s->at || !(k = strchr(from, *s->at)))
		return false;
	s->at++;
	emit(o, to + (k - from), 1);
	return true;
}

static bool string(struct scan *s, struct out *o)
{
	if (!next_is(s, '"'))
		return false;
	while (s->at < s->end && *s->at != '"') {
		uint32_t cp;
		size_t n = utf8_next(s->at, (size_t)(s->end - s->at), &cp);

		if (!n || cp < 0x20)
			return false;
		if (next_is(s, '\\')) {
			if (!escape(s, o))
				return false;
			continue;
		}
		emit(o, s->at, n);
		s->at += n;
	}
	return next_is(s, '"');
}

/* --- others --------------------------------------------------------------------------------------- */

static bool some_digits(struct scan *s)
{
	const char *from = s->at;

	while (s->at < s->end && isdigit((unsigned char)*s->at))
		s->at++;
	return s->at > from;
}

static bool number(struct scan *s)
{
	next_is(s, '-');
	if (!next_is(s, '0') && !some_digits(s))
		return false;
	if (next_is(s, '.') && !some_digits(s))
		return false;
	if (next_is(s, 'e') || next_is(s, 'E')) {
		if (!next_is(s, '+'))
			next_is(s, '-');
		return some_digits(s);
	}
	return true;
}

static bool array(struct scan *s)
{
	s->at++;
	blanks(s);
	if (next_is(s, ']'))
		return true;
	do {
		if (!value(s, NULL))
			return false;
		blanks(s);
	} while (next_is(s, ','));
	return next_is(s, ']');
}

static bool member(struct scan *s, const char *const *want)
{
	char name[NAME_MAX_LEN];
	struct out o = {.to = name, .room = sizeof(name)};

	blanks(s);
	if (!string(s, &o))
		return false;
	blanks(s);
	if (!next_is(s, ':'))
		return false;
	if (!want || o.big || strlen(*want) != o.len || memcmp(*want, name, o.len))
		want = NULL;
	return value(s, want ? want + 1 : NULL);
}

static bool object(struct scan *s, const char *const *want)
{
	s->at++;
	blanks(s);
	if (next_is(s, '}'))
		return true;
	do {
		if (!member(s, want))
			return false;
		blanks(s);
	} while (next_is(s, ','));
	return next_is(s, '}');
}

/* --- what is looked for ----------------------------------------------------------------------------- */

static void keep(struct scan *s, const struct out *o)
{
	s->found++;
	s->len = o->len;
	s->big |= o->big;
	s->wrong |= o->control;
}

static bool wanted_string(struct scan *s)
{
	struct out o = {.to = s->ret, .room = s->room};

	if (!string(s, &o))
		return false;
	keep(s, &o);
	return true;
}

static bool wanted_number(struct scan *s)
{
	struct out o = {.to = s->ret, .room = s->room};
	const char *from = s->at;

	if (!number(s))
		return false;
	emit(&o, from, (size_t)(s->at - from));
	keep(s, &o);
	return true;
}

/* `want`: what of the path is left below it; NULL: it is not on the path. */
static bool value(struct scan *s, const char *const *want)
{
	bool here = want && !*want, good;

	blanks(s);
	if (s->at >= s->end || s->depth >= JSON_PICK_DEPTH)
		return false;
	s->depth++;
	switch (*s->at) {
	case '{':
		s->wrong |= here;
		good = object(s, here ? NULL : want);
		break;
	case '[':
		s->wrong |= here;
		good = array(s);
		break;
	case '"':
		good = here ? wanted_string(s) : string(s, &(struct out){0});
		break;
	case 't':
	case 'f':
		s->wrong |= here;
		good = word(s, *s->at == 't' ? "true" : "false");
		break;
	case 'n':
		good = word(s, "null");
		break;
	default:
		good = here ? wanted_number(s) : number(s);
	}
	s->depth--;
	return good;
}

int json_pick(const char *text, size_t n, const char *const *path, char *ret, size_t room)
{
	char *to = room ? locked_alloc(room) : NULL;
	struct scan s = {.at = text, .end = text + n, .ret = to, .room = room};
	int err;

	if (!to)
		return -ENOMEM;
	blanks(&s);
	if (s.at >= s.end || *s.at != '{' || !value(&s, path))
		err = -EINVAL;
	else {
		blanks(&s);
		err = s.at < s.end || s.wrong || s.found > 1 ? -EINVAL : !s.found ? -ENOENT : s.big ? -E2BIG : 0;
	}
	if (!err) {
		to[s.len] = '\0';
		memcpy(ret, to, s.len + 1);
	}
	locked_free(to);
	return err;
}
