/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/export/journal_line.h"

#include <string.h>

#define TYPE_MAX 32
#define TAIL ",\"prev\":\""
#define TAIL_LEN (sizeof(TAIL) - 1 + HASH_HEX + 2) /* with its "} */

/* --- the line ------------------------------------------------------------------ */

static bool skip(const char **at, const char *end, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(end - *at) < n || memcmp(*at, word, n) != 0)
		return false;
	*at += n;
	return true;
}

static bool is_hex(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f')))
			return false;
	return true;
}

/* What stands before the next quote, of these characters. */
static bool word(const char **at, const char *end, const char *of, size_t max, const char **ret, size_t *ret_len)
{
	const char *from = *at;

	while (*at < end && (size_t)(*at - from) < max && **at && strchr(of, **at))
		++*at;
	*ret = from;
	*ret_len = (size_t)(*at - from);
	return *at > from;
}

static bool number(const char **at, const char *end, uint64_t *ret)
{
	const char *from = *at;
	uint64_t n = 0;

	while (*at < end && **at >= '0' && **at <= '9' && *at - from < 18)
		n = n * 10 + (uint64_t)(*(*at)++ - '0');
	*ret = n;
	return *at > from && *from != '0';
}

bool journal_line_parse(const char *text, size_t len, struct journal_line_parts *ret)
{
	struct journal_line_parts p;
	const char *at = text, *end = text + len, *tail = end - TAIL_LEN;

	if (len < TAIL_LEN || memcmp(tail, TAIL, sizeof(TAIL) - 1) != 0 || memcmp(end - 2, "\"}", 2) != 0)
		return false;
	p.prev = tail + sizeof(TAIL) - 1;
	if (!is_hex(p.prev, HASH_HEX) || !skip(&at, tail, "{\"v\":1,\"type\":\"") ||
	    !word(&at, tail, "abcdefghijklmnopqrstuvwxyz_.-", TYPE_MAX, &p.type, &p.type_len) ||
	    !skip(&at, tail, "\",\"time\":\"") || !word(&at, tail, "0123456789-+:.TZ", TIME_LEN - 1, &p.time, &p.time_len) ||
	    !skip(&at, tail, "\",\"seq\":") || !number(&at, tail, &p.seq) || at > tail || *at != ',')
		return false;
	*ret = p;
	return true;
}

bool journal_line_is(const struct journal_line_parts *p, const char *type)
{
	return p->type_len == strlen(type) && memcmp(p->type, type, p->type_len) == 0;
}

char *journal_line_time(const struct journal_line_parts *p, char buf[static TIME_LEN])
{
	snprintf(buf, TIME_LEN, "%.*s", (int)p->time_len, p->time);
	return buf;
}

/* --- hashes ---------------------------------------------------------------------- */

int hasher_open(struct hasher *h)
{
	h->md = EVP_MD_fetch(NULL, "SHA256", NULL);
	h->ctx = EVP_MD_CTX_new();
	if (h->md && h->ctx && EVP_DigestInit_ex2(h->ctx, h->md, NULL) == 1)
		return 0;
	hasher_close(h);
	return -ENOMEM;
}

void hasher_close(struct hasher *h)
{
	EVP_MD_CTX_free(h->ctx);
	EVP_MD_free(h->md);
	*h = (struct hasher){0};
}

/* None of these can fail once the context is there: SHA-256 takes any bytes. */
void hasher_begin(struct hasher *h)
{
	EVP_DigestInit_ex2(h->ctx, NULL, NULL);
}

void hasher_add(struct hasher *h, const void *data, size_t len)
{
	EVP_DigestUpdate(h->ctx, data, len);
}

void hasher_end(struct hasher *h, char ret[static HASH_HEX + 1])
{
	uint8_t sum[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	EVP_DigestFinal_ex(h->ctx, sum, &n);
	hex_text(sum, HASH_HEX / 2, ret);
}

void hasher_hex(struct hasher *h, const void *data, size_t len, char ret[static HASH_HEX + 1])
{
	hasher_begin(h);
	hasher_add(h, data, len);
	hasher_end(h, ret);
}

void hex_text(const uint8_t *bytes, size_t n, char *ret)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		ret[2 * i] = digits[bytes[i] >> 4];
		ret[2 * i + 1] = digits[bytes[i] & 15];
	}
	ret[2 * n] = '\0';
}

int hex_bytes(const char *hex, size_t n, uint8_t *ret)
{
	if (n % 2 || !is_hex(hex, n))
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		uint8_t v = (uint8_t)(hex[i] <= '9' ? hex[i] - '0' : hex[i] - 'a' + 10);

		ret[i / 2] = (uint8_t)(i % 2 ? ret[i / 2] | v : v << 4);
	}
	return 0;
}
