/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/export/xml_pick.h"

#include <ctype.h>
#include <string.h>

#include "user/locked.h"

struct name {
	const char *at;
	size_t n;
};

struct scan {
	const char *at, *end;
	struct name open[XML_PICK_DEPTH];
	unsigned depth, matched; /* how many of the open ones are those of the path */
	const char *const *path;
	unsigned parts;
	char *ret;
	size_t room, len;
	unsigned found, roots;
	bool inside, bad, big; /* inside: of the element that is looked for */
};

static bool fail(struct scan *s)
{
	s->bad = true;
	return false;
}

static size_t left(const struct scan *s)
{
	return (size_t)(s->end - s->at);
}

static bool starts(const struct scan *s, const char *with)
{
	return left(s) >= strlen(with) && !memcmp(s->at, with, strlen(with));
}

static bool skip_past(struct scan *s, const char *mark)
{
	const char *p = memmem(s->at, left(s), mark, strlen(mark));

	if (!p)
		return fail(s);
	s->at = p + strlen(mark);
	return true;
}

static void blanks(struct scan *s)
{
	while (s->at < s->end && memchr(" \t\r\n", *s->at, 4))
		s->at++;
}

/* --- text ------------------------------------------------------------------------------------------ */

static void emit(struct scan *s, const char *bytes, size_t n)
{
	if (n == 1 && iscntrl((unsigned char)*bytes) && !memchr("\t\r\n", *bytes, 3))
		s->bad = true;
	if (s->len + n < s->room)
		memcpy(s->ret + s->len, bytes, n);
	else
		s->big = true;
	s->len += n;
}

static bool numeric(const char *text, size_t n, uint32_t *ret)
{
	bool is_hex = n > 1 && text[0] == 'x';
	uint32_t v = 0;

	if (n < 1 + (size_t)is_hex || n > 8)
		return false;
	for (size_t i = is_hex; i < n; i++) {
		int c = tolower((unsigned char)text[i]);

		if (is_hex ? !isxdigit(c) : !isdigit(c))
			return false;
		v = v * (is_hex ? 16 : 10) + (uint32_t)(isdigit(c) ? c - '0' : c - 'a' + 10);
	}
	*ret = v;
	return v > 0 && v < 0x80; /* base64, names and numbers: nothing else is escaped in what is asked for here */
}

static bool entity(struct scan *s)
{
	static const struct {
		const char *name;
		char is;
	} known[] = {{"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}};
	const char *semi = memchr(s->at, ';', MIN(left(s), (size_t)12)), *name = s->at + 1;
	size_t n = semi ? (size_t)(semi - name) : 0;
	uint32_t code;

	if (!n)
		return fail(s);
	s->at = semi + 1;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strlen(known[i].name) == n && !memcmp(known[i].name, name, n)) {
			if (s->inside)
				emit(s, &known[i].is, 1);
			return true;
		}
	if (*name != '#' || !numeric(name + 1, n - 1, &code))
		return s->inside ? fail(s) : *name == '#' || fail(s);
	if (s->inside)
		emit(s, (char[]){(char)code}, 1);
	return true;
}

static bool text_run(struct scan *s)
{
	while (s->at < s->end && *s->at != '<') {
		uint32_t cp;
		size_t n = utf8_next(s->at, left(s), &cp);

		if (!n || !cp || (!s->depth && !memchr(" \t\r\n", *s->at, 4)))
			return fail(s);
		if (*s->at == '&') {
			if (!entity(s))
				return false;
			continue;
		}
		if (s->inside)
			emit(s, s->at, n);
		s->at += n;
	}
	return true;
}

/* --- elements -------------------------------------------------------------------------------------- */

static bool name_char(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("_-.:", c)) || (unsigned char)c >= 0x80;
}

static bool read_name(struct scan *s, struct name *ret)
{
	const char *from = s->at;

	while (s->at < s->end && name_char(*s->at))
		s->at++;
	*ret = (struct name){from, (size_t)(s->at - from)};
	return ret->n > 0 || fail(s);
}

static struct name without_prefix(struct name n)
{
	const char *colon = memchr(n.at, ':', n.n);

	return colon ? (struct name){colon + 1, n.n - (size_t)(colon + 1 - n.at)} : n;
}

static bool same(struct name n, const char *word)
{
	return n.n == strlen(word) && !memcmp(n.at, word, n.n);
}

/* To the end of the tag; *ret_empty: it has no end tag. */
static bool attributes(struct scan *s, bool *ret_empty)
{
	for (;;) {
		struct name n;
		char quote;

		blanks(s);
		*ret_empty = starts(s, "/>");
		if (*ret_empty || starts(s, ">")) {
			s->at += *ret_empty ? 2 : 1;
			return true;
		}
		if (!read_name(s, &n))
			return false;
		blanks(s);
		if (!starts(s, "="))
			return fail(s);
		s->at++;
		blanks(s);
		if (!left(s) || (*s->at != '"' && *s->at != '\''))
			return fail(s);
		quote = *s->at++;
		while (s->at < s->end && *s->at != quote && *s->at != '<')
			s->at++;
		if (!left(s) || *s->at != quote)
			return fail(s);
		s->at++;
	}
}

static void close_element(struct scan *s)
{
	s->inside = false;
	s->depth--;
	if (s->matched > s->depth)
		s->matched = s->depth;
}

static bool open_element(struct scan *s)
{
	struct name n;
	bool empty;

	s->at++;
	if (!read_name(s, &n) || s->depth >= XML_PICK_DEPTH || s->inside || (!s->depth && s->roots++))
		return fail(s);
	if (s->matched == s->depth && s->depth < s->parts && same(without_prefix(n), s->path[s->depth]))
		s->matched++;
	s->open[s->depth++] = n;
	if (!attributes(s, &empty))
		return false;
	if (s->matched == s->parts && s->depth == s->parts) {
		s->inside = true;
		s->found++;
	}
	if (empty)
		close_element(s);
	return true;
}

static bool end_tag(struct scan *s)
{
	struct name n, was;

	s->at += 2;
	if (!read_name(s, &n) || !s->depth)
		return fail(s);
	was = s->open[s->depth - 1];
	blanks(s);
	if (was.n != n.n || memcmp(was.at, n.at, n.n) || !starts(s, ">"))
		return fail(s);
	s->at++;
	close_element(s);
	return true;
}

static bool markup(struct scan *s)
{
	if (starts(s, "<?"))
		return skip_past(s, "?>");
	if (starts(s, "<!--")) {
		s->at += 4;
		return skip_past(s, "-->");
	}
	if (starts(s, "<!"))
		return fail(s);
	return starts(s, "</") ? end_tag(s) : open_element(s);
}

int xml_pick(const char *text, size_t n, const char *const *path, char *ret, size_t room)
{
	char *to = room ? locked_alloc(room) : NULL;
	struct scan s = {.at = text, .end = text + n, .path = path, .ret = to, .room = room};
	int err;

	if (!to)
		return -ENOMEM;
	while (path[s.parts])
		s.parts++;
	while (s.at < s.end && text_run(&s))
		if (s.at < s.end && !markup(&s))
			break;
	err = s.bad || s.depth || s.roots != 1 || s.found > 1 ? -EINVAL : !s.found ? -ENOENT : s.big ? -E2BIG : 0;
	if (!err) {
		to[s.len] = '\0';
		memcpy(ret, to, s.len + 1);
	}
	locked_free(to);
	return err;
}
