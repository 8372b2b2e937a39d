/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <string.h>
#include <strings.h>

#include "user/dest/talk_internal.h"

#define TAG_MOST 32 /* of an IMAP command */

/* --- words that ask for TLS ------------------------------------------------------------------- */

static bool line_is(const char *line, size_t n, const char *word)
{
	return n == strlen(word) && !strncasecmp(line, word, n);
}

/* RFC 3207, 2595, 4217, 4642, 5804; IMAP puts a tag before it (RFC 9051). */
static bool line_asks(const char *line, size_t n)
{
	const char *space = n ? memchr(line, ' ', MIN(n, TAG_MOST)) : NULL;

	if (line_is(line, n, "STARTTLS") || line_is(line, n, "STLS") || line_is(line, n, "AUTH TLS") || line_is(line, n, "AUTH SSL"))
		return true;
	if (!space || space == line)
		return false;
	return line_is(space + 1, n - (size_t)(space + 1 - line), "STARTTLS");
}

/* Behind the first such line; 0: none. */
static size_t lines_ask(const char *p, size_t n)
{
	const char *end;

	for (size_t at = 0; at < n && (end = memchr(p + at, '\n', n - at)); at = (size_t)(end - p) + 1) {
		size_t len = (size_t)(end - p) - at;

		if (len && p[at + len - 1] == '\r')
			len--;
		if (line_asks(p + at, len))
			return (size_t)(end - p) + 1;
	}
	return 0;
}

/* XMPP's element (RFC 6120, 5.4.2), LDAP's operation (RFC 4511, 4.14.1). */
static size_t marks_ask(const char *p, size_t n)
{
	static const char *const marks[] = {"<starttls", "1.3.6.1.4.1.1466.20037"};
	size_t first = 0;

	for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
		const char *at = memmem(p, n, marks[i], strlen(marks[i]));
		size_t end = at ? (size_t)(at - p) + strlen(marks[i]) : 0;

		if (end && (!first || end < first))
			first = end;
	}
	return first;
}

/* Postgres: SSLRequest, alone or behind a GSSENCRequest. */
static size_t postgres_asks(const uint8_t *p, size_t n)
{
	static const uint8_t ssl[8] = {0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f}, gss[8] = {0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x30};

	if (n >= 8 && !memcmp(p, ssl, 8))
		return 8;
	return n >= 16 && !memcmp(p, gss, 8) && !memcmp(p + 8, ssl, 8) ? 16 : 0;
}

/* MySQL's SSLRequest: a packet of 32 bytes, numbered 1, whose capabilities have PROTOCOL_41 and SSL, and 23 zeros at its end. */
static size_t mysql_asks(const uint8_t *p, size_t n)
{
	static const uint8_t head[4] = {32, 0, 0, 1}, zeros[23];

	return n >= 36 && !memcmp(p, head, 4) && (p[5] & 0x0a) == 0x0a && !memcmp(p + 13, zeros, sizeof(zeros)) ? 36 : 0;
}

static size_t least(size_t a, size_t b)
{
	return a && b ? MIN(a, b) : a + b;
}

size_t turn_asked(const struct stream *s)
{
	for (unsigned i = 0; i < s->pieces.nruns; i++) {
		const struct piece_run *r = &s->pieces.runs[i];
		const uint8_t *p = s->pieces.data + r->from;
		size_t n = r->to - r->from, end = least(lines_ask((const char *)p, n), marks_ask((const char *)p, n));

		if (!r->from)
			end = least(end, least(postgres_asks(p, n), mysql_asks(p, n)));
		if (end)
			return r->from + end;
	}
	return 0;
}

/* --- the hellos behind them ------------------------------------------------------------------ */

static bool begins(const struct stream *s, size_t at, enum begin what, struct beginning *ret)
{
	struct view v = stream_view(s, at);
	struct beginning b;

	beginning_of(&v, &b);
	if (b.what == what)
		*ret = b;
	return b.what == what;
}

/* Whether a direction begins as `what` right at `after`, as where nobody waits for the answer, or with a segment behind it. */
static bool first_turn(const struct stream *s, size_t after, enum begin what, struct beginning *ret)
{
	size_t first = SIZE_MAX;

	if (begins(s, after, what, ret))
		return true;
	for (unsigned i = 0; i < s->nturns; i++)
		if (s->turns[i] > after && s->turns[i] < first && begins(s, s->turns[i], what, ret))
			first = s->turns[i];
	return first != SIZE_MAX;
}

void turn_find(const struct stream ways[2], bool out, size_t after, struct turn *ret)
{
	struct beginning b;

	*ret = (struct turn){.out = out};
	if (!first_turn(&ways[out], after, BEGIN_CLIENT, &b)) {
		ret->waiting = first_turn(&ways[out], after, BEGIN_HELLO_PART, &b);
		return;
	}
	ret->found = true;
	ret->hello = b.hello;
	if (first_turn(&ways[!out], 1, BEGIN_SERVER, &b)) {
		ret->agreed = true;
		ret->version = b.version;
	}
}
