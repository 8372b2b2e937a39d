/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/dest/http_head.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* Bytes of the message that belong together. */
struct span {
	const uint8_t *p;
	size_t n;
};

static bool is_word(struct span s, const char *word)
{
	return s.n == strlen(word) && !strncasecmp((const char *)s.p, word, s.n);
}

static bool is_token(uint8_t c)
{
	return isalnum(c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

/* The next line without its end; false: its end is not there. */
static bool next_line(struct span *left, struct span *ret)
{
	const uint8_t *end = left->n ? memchr(left->p, '\n', left->n) : NULL;

	if (!end)
		return false;
	size_t n = (size_t)(end - left->p);
	*ret = (struct span){left->p, n && left->p[n - 1] == '\r' ? n - 1 : n};
	left->p += n + 1;
	left->n -= n + 1;
	return true;
}

/* Up to the first `c`, which is left out too; all of it when there is none. */
static struct span cut_at(struct span *left, uint8_t c)
{
	const uint8_t *at = left->n ? memchr(left->p, c, left->n) : NULL;
	struct span s = {left->p, at ? (size_t)(at - left->p) : left->n};
	size_t used = s.n + (at ? 1 : 0);

	if (used)
		left->p += used;
	left->n -= used;
	return s;
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static struct span trimmed(struct span s)
{
	while (s.n && is_blank(*s.p))
		s = (struct span){s.p + 1, s.n - 1};
	while (s.n && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

/* What stands before the first blank, or behind the last, is taken off; the blanks about it too. */
static struct span first_word(struct span *line)
{
	struct span s = *line;

	s.n = 0;
	while (s.n < line->n && !is_blank(line->p[s.n]))
		s.n++;
	*line = trimmed((struct span){line->p + s.n, line->n - s.n});
	return s;
}

static struct span last_word(struct span *line)
{
	size_t n = line->n;

	while (n && !is_blank(line->p[n - 1]))
		n--;
	struct span s = {line->p + n, line->n - n};
	*line = trimmed((struct span){line->p, n});
	return s;
}

/* Servers and proxies take those that stand before a request (RFC 9112, 2.2). */
static void skip_empty_lines(struct span *left)
{
	while (left->n && (*left->p == '\n' || (*left->p == '\r' && (left->n == 1 || left->p[1] == '\n'))))
		*left = (struct span){left->p + 1, left->n - 1};
}

/* --- host ---------------------------------------------------------------------------------- */

static bool literal_take(struct span s, char ret[static TLS_NAME_LEN])
{
	if (!s.n || s.n >= TLS_NAME_LEN)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!isxdigit(s.p[i]) && s.p[i] != ':' && s.p[i] != '.')
			return false;
	for (size_t i = 0; i < s.n; i++)
		ret[i] = (char)tolower(s.p[i]);
	ret[s.n] = '\0';
	return true;
}

static bool is_port(struct span s)
{
	if (s.n > 5)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!isdigit(s.p[i]))
			return false;
	return true;
}

/* "name", "name:port", "[v6]:port". */
static bool host_take(struct span s, char ret[static TLS_NAME_LEN])
{
	char host[TLS_NAME_LEN];
	bool ok;

	if (s.n && s.p[0] == '[') {
		s.p++;
		s.n--;
		struct span address = cut_at(&s, ']');
		ok = literal_take(address, host) && (!s.n || s.p[0] == ':');
		if (ok)
			cut_at(&s, ':');
	} else {
		struct span name = cut_at(&s, ':');
		ok = host_name_take(name.p, name.n, host);
	}
	if (!ok || !is_port(s))
		return false;
	memcpy(ret, host, sizeof(host));
	return true;
}

/* A target's; what stands before an @ is someone's name and perhaps a password. */
static void take_authority(struct span s, struct http_head *h)
{
	const uint8_t *at = s.n ? memrchr(s.p, '@', s.n) : NULL;

	if (at) {
		h->strange = true;
		s.n -= (size_t)(at + 1 - s.p);
		s.p = at + 1;
	}
	if (!host_take(s, h->host))
		h->strange = true;
}

/* --- the first line ------------------------------------------------------------------------ */

static void take_path(struct span s, struct http_head *h)
{
	size_t w = 0;

	for (size_t i = 0; i < s.n && s.p[i] != '?' && s.p[i] != '#' && w < HTTP_PATH_LEN - 1; i++)
		if (isgraph(s.p[i]))
			h->path[w++] = (char)s.p[i];
	h->path[w] = '\0';
}

/* Behind "scheme://"; 0: the target is none. */
static size_t scheme_len(struct span s)
{
	size_t n = 0;

	while (n < s.n && (isalnum(s.p[n]) || strchr("+-.", s.p[n])) && s.p[n])
		n++;
	return n && s.n - n >= 3 && !memcmp(s.p + n, "://", 3) ? n + 3 : 0;
}

static void take_target(struct span target, struct http_head *h)
{
	size_t scheme = scheme_len(target);

	if (!strcasecmp(h->method, "CONNECT")) {
		h->connect = h->proxied = true;
		take_authority(target, h);
	} else if (scheme) {
		struct span rest = {target.p + scheme, target.n - scheme};
		size_t n = 0;

		while (n < rest.n && !strchr("/?#", rest.p[n]))
			n++;
		h->proxied = true;
		take_authority((struct span){rest.p, n}, h);
		take_path((struct span){rest.p + n, rest.n - n}, h);
		if (!*h->path)
			strcpy(h->path, "/");
	} else {
		take_path(target, h);
	}
}

static bool is_version(struct span s)
{
	return s.n == 8 && !memcmp(s.p, "HTTP/", 5) && (s.p[5] == '1' || s.p[5] == '2') && s.p[6] == '.' && isdigit(s.p[7]);
}

/* As proxies read it that mean well, such as Squid: in any case, with more blanks than one. */
static bool take_request(struct span line, struct http_head *h)
{
	struct span method = first_word(&line), version = last_word(&line), target = line;

	if (!method.n || method.n >= HTTP_METHOD_LEN || !target.n || !is_version(version))
		return false;
	for (size_t i = 0; i < method.n; i++)
		if (!is_token(method.p[i]))
			return false;
	memcpy(h->method, method.p, method.n);
	h->method[method.n] = '\0';
	take_target(target, h);
	return true;
}

/* --- fields -------------------------------------------------------------------------------- */

/* The target's own host goes before it (RFC 9112, 3.2.2). */
static void take_host(struct span value, unsigned nth, struct http_head *h)
{
	bool named = h->proxied || nth;

	if (nth)
		h->strange = true;
	if (value.n && !named && !host_take(value, h->host))
		h->strange = true;
}

static void take_fields(struct span left, const uint8_t *begin, struct http_head *h)
{
	unsigned hosts = 0;
	struct span line;

	while (next_line(&left, &line)) {
		if (!line.n) {
			h->len = (size_t)(left.p - begin);
			return;
		}
		if (line.p[0] == ' ' || line.p[0] == '\t') {
			h->strange = true;
			continue;
		}
		struct span name = cut_at(&line, ':');
		if (is_word(name, "Host"))
			take_host(trimmed(line), hosts++, h);
		else if (is_word(trimmed(name), "Host"))
			h->strange = true; /* "Host :": servers do not agree on it */
	}
}

/* --- all ----------------------------------------------------------------------------------- */

static bool usual_method(const uint8_t *data, size_t n)
{
	static const char *const usual[] = {"GET ", "HEAD ", "POST ", "PUT ", "DELETE ", "CONNECT ", "OPTIONS ", "TRACE ",
					    "PATCH ", "PROPFIND ", "REPORT ", "MKCOL ", "COPY ", "MOVE ", "LOCK ", "PRI "};

	for (size_t i = 0; i < ARRAY_SIZE(usual); i++)
		if (!strncasecmp((const char *)data, usual[i], MIN(n, strlen(usual[i]))))
			return true;
	return false;
}

enum http_state http_head_parse(const uint8_t *data, size_t n, struct http_head *ret)
{
	struct span left = {data, n}, line;
	struct http_head h = {0};

	skip_empty_lines(&left);
	if (!left.n)
		return HTTP_MORE;
	if (!next_line(&left, &line))
		return usual_method(left.p, left.n) ? HTTP_MORE : HTTP_OTHER;
	if (!take_request(line, &h))
		return HTTP_OTHER;
	take_fields(left, data, &h);
	*ret = h;
	return HTTP_REQUEST;
}

bool http_head_has(const uint8_t *data, size_t n, const char *field)
{
	struct span left = {data, n}, line;

	skip_empty_lines(&left);
	if (!next_line(&left, &line))
		return false;
	while (next_line(&left, &line) && line.n)
		if (is_word(trimmed(cut_at(&line, ':')), field))
			return true;
	return false;
}

bool http_is_response(const uint8_t *data, size_t n, bool *ret_more)
{
	static const char begin[] = "HTTP/1.";
	size_t k = MIN(n, sizeof(begin) - 1);

	*ret_more = false;
	if (!n || memcmp(data, begin, k))
		return false;
	*ret_more = n < 13;
	return n >= 13 && isdigit(data[7]) && data[8] == ' ' && isdigit(data[9]) && isdigit(data[10]) && isdigit(data[11]) &&
	       (data[12] == ' ' || data[12] == '\r' || data[12] == '\n');
}
