/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/export/sigv4.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "user/locked.h"

#define ALGORITHM "AWS4-HMAC-SHA256"
#define HASH 32
#define HEX (2 * HASH + 1)
#define PART_MAX 4096 /* of a query's parameter, encoded */
#define PATH_PARTS 64

int sigv4_date(time_t t, char ret[static SIGV4_DATE_LEN])
{
	struct tm tm;

	if (t < 0 || !gmtime_r(&t, &tm) || tm.tm_year > 9999 - 1900)
		return -ERANGE;
	strftime(ret, SIGV4_DATE_LEN, "%Y%m%dT%H%M%SZ", &tm);
	return 0;
}

/* --- what is hashed is never put together: it holds the session's token ------------------------- */

static void hex(const uint8_t *in, size_t n, char *ret)
{
	for (size_t i = 0; i < n; i++)
		snprintf(ret + 2 * i, 3, "%02x", in[i]);
}

struct sink {
	EVP_MD_CTX *md;
	bool bad;
};

static void put(struct sink *s, const char *text, size_t n)
{
	if (!EVP_DigestUpdate(s->md, text, n))
		s->bad = true;
}

static void put_text(struct sink *s, const char *text)
{
	put(s, text, strlen(text));
}

/* --- path ------------------------------------------------------------------------------------- */

static bool unreserved(unsigned char c)
{
	return isalnum(c) || c == '-' || c == '_' || c == '.' || c == '~';
}

/* Encoded once more: what AWS signs is the path as sent, taken as text. */
static void put_encoded(struct sink *s, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char code[4];

		if (unreserved((unsigned char)text[i])) {
			put(s, text + i, 1);
			continue;
		}
		snprintf(code, sizeof(code), "%%%02X", (unsigned char)text[i]);
		put(s, code, 3);
	}
}

/* Without empty parts, "." and what ".." takes back. */
static int put_path(struct sink *s, const char *path)
{
	const char *part[PATH_PARTS];
	size_t len[PATH_PARTS], n = 0, all = path ? strlen(path) : 0;

	for (const char *at = path; all && *at;) {
		size_t k = strcspn(at, "/");

		if (k == 2 && !memcmp(at, "..", 2))
			n -= n > 0;
		else if (k && !(k == 1 && *at == '.')) {
			if (n == PATH_PARTS)
				return -EINVAL;
			part[n] = at;
			len[n++] = k;
		}
		at += k + (at[k] == '/');
	}
	if (!n)
		put(s, "/", 1);
	for (size_t i = 0; i < n; i++) {
		put(s, "/", 1);
		put_encoded(s, part[i], len[i]);
	}
	if (n && path[all - 1] == '/')
		put(s, "/", 1);
	put(s, "\n", 1);
	return 0;
}

/* --- query ------------------------------------------------------------------------------------ */

struct parameter {
	char *name, *value;
};

static int hex_digit(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10 : -1;
}

/* One spelling for all that mean the same: %7E and ~, %2f and %2F. A new string; NULL: no memory, or it is not encoded. */
static char *encode_again(const char *text, size_t n)
{
	char *to = n < PART_MAX ? malloc(3 * n + 1) : NULL;
	size_t w = 0;

	for (size_t i = 0; to && i < n; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '%') {
			int a = i + 2 < n ? hex_digit(text[i + 1]) : -1, b = i + 2 < n ? hex_digit(text[i + 2]) : -1;

			if (a < 0 || b < 0) {
				free(to);
				return NULL;
			}
			c = (unsigned char)(a * 16 + b);
			i += 2;
		}
		if (unreserved(c))
			to[w++] = (char)c;
		else
			w += (size_t)sprintf(to + w, "%%%02X", c);
	}
	if (to)
		to[w] = '\0';
	return to;
}

static int parameter_compare(const void *a, const void *b)
{
	const struct parameter *x = a, *y = b;
	int names = strcmp(x->name, y->name);

	return names ? names : strcmp(x->value, y->value);
}

static int parameters_of(const char *query, struct parameter p[static SIGV4_QUERY_MAX], size_t *n)
{
	while (query && *query) {
		size_t all = strcspn(query, "&"), name = strcspn(query, "=&"), skip = name + (name < all);

		if (all) {
			if (*n == SIGV4_QUERY_MAX)
				return -EINVAL;
			p[*n] = (struct parameter){encode_again(query, name), encode_again(query + skip, all - skip)};
			(*n)++;
			if (!p[*n - 1].name || !p[*n - 1].value)
				return -EINVAL;
		}
		query += all + (query[all] == '&');
	}
	return 0;
}

static int put_query(struct sink *s, const char *query)
{
	struct parameter p[SIGV4_QUERY_MAX] = {0};
	size_t n = 0;
	int err = parameters_of(query, p, &n);

	if (!err)
		qsort(p, n, sizeof(*p), parameter_compare);
	for (size_t i = 0; i < n; i++) {
		if (!err) {
			put_text(s, i ? "&" : "");
			put_text(s, p[i].name);
			put_text(s, "=");
			put_text(s, p[i].value);
		}
		free(p[i].name);
		free(p[i].value);
	}
	put(s, "\n", 1);
	return err;
}

/* --- headers ---------------------------------------------------------------------------------- */

struct ordered {
	const struct sigv4_header *h[SIGV4_HEADERS_MAX];
	size_t n;
};

/* Stable: of one name the first comes first. */
static void insert(struct ordered *o, const struct sigv4_header *h)
{
	size_t i = o->n++;

	for (; i && strcasecmp(o->h[i - 1]->name, h->name) > 0; i--)
		o->h[i] = o->h[i - 1];
	o->h[i] = h;
}

static void put_lower(struct sink *s, const char *name)
{
	for (; *name; name++) {
		char c = (char)tolower((unsigned char)*name);

		put(s, &c, 1);
	}
}

/* Trimmed, and runs of blanks as one space. */
static void put_value(struct sink *s, const char *value)
{
	static const char blank[] = " \t\r\n\v\f";
	const char *gap = "";

	for (value += strspn(value, blank); *value; value += strspn(value, blank)) {
		size_t n = strcspn(value, blank);

		put_text(s, gap);
		put(s, value, n);
		value += n;
		gap = " ";
	}
}

static bool repeats(const struct ordered *o, size_t i)
{
	return i && !strcasecmp(o->h[i - 1]->name, o->h[i]->name);
}

static void put_headers(struct sink *s, const struct ordered *o)
{
	for (size_t i = 0; i < o->n; i++) {
		if (repeats(o, i))
			put(s, ",", 1);
		else {
			put_text(s, i ? "\n" : "");
			put_lower(s, o->h[i]->name);
			put(s, ":", 1);
		}
		put_value(s, o->h[i]->value);
	}
	put_text(s, o->n ? "\n\n" : "\n");
}

/* "content-type;host;x-amz-date" */
static int names_of(const struct ordered *o, char *ret, size_t room)
{
	size_t w = 0;

	for (size_t i = 0; i < o->n; i++) {
		size_t n = strlen(o->h[i]->name);

		if (repeats(o, i))
			continue;
		if (w + n + 2 > room)
			return -EINVAL;
		if (w)
			ret[w++] = ';';
		for (size_t k = 0; k < n; k++)
			ret[w++] = (char)tolower((unsigned char)o->h[i]->name[k]);
	}
	ret[w] = '\0';
	return 0;
}

/* --- together --------------------------------------------------------------------------------- */

static int hash_of(const void *data, size_t n, char ret[static HEX])
{
	uint8_t hash[HASH];

	if (!EVP_Digest(n ? data : "", n, hash, NULL, EVP_sha256(), NULL))
		return -EIO;
	hex(hash, HASH, ret);
	return 0;
}

static int put_request(struct sink *s, const struct sigv4 *q, const struct ordered *o, const char *names)
{
	char body[HEX];
	int err = hash_of(q->body, q->len, body);

	put_text(s, q->method);
	put(s, "\n", 1);
	if (!err)
		err = put_path(s, q->path);
	if (!err)
		err = put_query(s, q->query);
	if (err)
		return err;
	put_headers(s, o);
	put_text(s, names);
	put(s, "\n", 1);
	put_text(s, body);
	return s->bad ? -EIO : 0;
}

static int canonical_hash(const struct sigv4 *q, const struct ordered *o, const char *names, char ret[static HEX])
{
	struct sink s = {.md = EVP_MD_CTX_new()};
	uint8_t hash[HASH];
	int err = s.md && EVP_DigestInit_ex(s.md, EVP_sha256(), NULL) ? put_request(&s, q, o, names) : -EIO;

	if (!err && !EVP_DigestFinal_ex(s.md, hash, NULL))
		err = -EIO;
	if (!err)
		hex(hash, HASH, ret);
	EVP_MD_CTX_free(s.md);
	return err;
}

static int hmac(const void *key, size_t n, const char *text, uint8_t ret[static HASH])
{
	return HMAC(EVP_sha256(), key, (int)n, (const uint8_t *)text, strlen(text), ret, NULL) ? 0 : -EIO;
}

static int signature_of(const struct sigv4 *q, const char *day, const char *text, char ret[static HEX])
{
	uint8_t key[HASH], next[HASH];
	char first[512];
	int n = snprintf(first, sizeof(first), "AWS4%s", q->secret_key), err = n >= (int)sizeof(first) ? -EINVAL : 0;
	const char *const steps[] = {q->region, q->service, "aws4_request"};

	if (!err)
		err = hmac(first, (size_t)n, day, key);
	for (size_t i = 0; i < ARRAY_SIZE(steps) && !err; i++) {
		err = hmac(key, HASH, steps[i], next);
		memcpy(key, next, HASH);
	}
	if (!err)
		err = hmac(key, HASH, text, next);
	if (!err)
		hex(next, HASH, ret);
	wipe(first, sizeof(first));
	wipe(key, sizeof(key));
	wipe(next, sizeof(next));
	return err;
}

int sigv4_sign(const struct sigv4 *q, char ret[static SIGV4_LEN])
{
	struct ordered o = {0};
	char day[9] = "", names[512], request[HEX], scope[192], text[384], signature[HEX], out[SIGV4_LEN];
	int err;

	if (q->nheaders > SIGV4_HEADERS_MAX || strlen(q->date) != SIGV4_DATE_LEN - 1)
		return -EINVAL;
	for (size_t i = 0; i < q->nheaders; i++)
		insert(&o, &q->headers[i]);
	memcpy(day, q->date, 8);
	if (snprintf(scope, sizeof(scope), "%s/%s/%s/aws4_request", day, q->region, q->service) >= (int)sizeof(scope))
		return -EINVAL;
	err = names_of(&o, names, sizeof(names));
	if (!err)
		err = canonical_hash(q, &o, names, request);
	if (err)
		return err;
	snprintf(text, sizeof(text), ALGORITHM "\n%s\n%s\n%s", q->date, scope, request);
	err = signature_of(q, day, text, signature);
	if (!err && snprintf(out, sizeof(out), ALGORITHM " Credential=%s/%s, SignedHeaders=%s, Signature=%s", q->access_key, scope,
			     names, signature) >= (int)sizeof(out))
		err = -EINVAL;
	if (!err)
		memcpy(ret, out, sizeof(out));
	return err;
}
