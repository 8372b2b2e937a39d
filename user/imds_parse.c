/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What the metadata service answers: on a network that someone else controls these may be anybody's words. */
#include "user/imds.h"

#include <jansson.h>
#include <string.h>

#include "user/array.h"

static bool known_block(const struct cidr *v, size_t n, const struct cidr *one)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].bits == one->bits && !memcmp(v[i].addr, one->addr, sizeof(one->addr)))
			return true;
	return false;
}

/* The next line into `ret`, without its end; false: there is none, or it is too long (then *ret_bad). */
static bool next_line(const char **at, char *ret, size_t n, bool *ret_bad)
{
	size_t len = strcspn(*at, "\n");

	if (!**at)
		return false;
	if (len >= n) {
		*ret_bad = true;
		return false;
	}
	memcpy(ret, *at, len);
	ret[len] = '\0';
	if (len && ret[len - 1] == '\r')
		ret[len - 1] = '\0';
	*at += len + ((*at)[len] == '\n');
	return true;
}

/* The whole of an address family is no VPC's. */
static bool is_block(const struct cidr *c)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	bool v4 = !memcmp(c->addr, mapped, sizeof(mapped));

	return c->bits >= (v4 ? 96 + 8 : 16);
}

int imds_add_blocks(struct imds_facts *f, const char *text)
{
	_cleanup_free_ struct cidr *v = NULL;
	size_t n = f->nblocks, max = 0;
	bool bad = false;
	char line[64];

	if (array_grow((void **)&v, &max, n + 1, sizeof(*v)))
		return -ENOMEM;
	if (n)
		memcpy(v, f->blocks, n * sizeof(*v));
	while (next_line(&text, line, sizeof(line), &bad)) {
		struct cidr one;

		if (!*line)
			continue;
		if (cidr_parse(line, &one) || !is_block(&one) || n >= IMDS_BLOCKS_MAX)
			return -EINVAL;
		if (known_block(v, n, &one))
			continue;
		if (array_grow((void **)&v, &max, n + 1, sizeof(*v)))
			return -ENOMEM;
		v[n++] = one;
	}
	if (bad)
		return -EINVAL;
	free(f->blocks);
	f->blocks = v;
	f->nblocks = n;
	v = NULL;
	return 0;
}

int imds_macs(const char *text, char ret[IMDS_INTERFACES_MAX][IMDS_MAC_LEN])
{
	bool bad = false;
	char line[32];
	int n = 0;

	while (next_line(&text, line, sizeof(line), &bad)) {
		size_t len = strlen(line);

		if (!len)
			continue;
		if (line[len - 1] == '/')
			line[--len] = '\0';
		if (len != IMDS_MAC_LEN - 1 || strspn(line, "0123456789abcdefABCDEF:") != len || n >= IMDS_INTERFACES_MAX)
			return -EINVAL;
		memcpy(ret[n++], line, len + 1);
	}
	return bad ? -EINVAL : n;
}

/* A word of letters, digits and dashes; what is missing stays empty. */
static int word_at(const json_t *v, const char *key, char ret[static IMDS_WORD_LEN])
{
	const json_t *at = json_object_get(v, key);
	const char *text = json_string_value(at);
	size_t n = text ? strlen(text) : 0;

	if (!at || json_is_null(at))
		return 0;
	if (!n || n >= IMDS_WORD_LEN || n != json_string_length(at) ||
	    strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") != n)
		return -EINVAL;
	memcpy(ret, text, n + 1);
	return 0;
}

int imds_identity(const char *text, struct imds_facts *f)
{
	struct imds_facts got = *f;
	json_t *v = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	int err = json_is_object(v) ? 0 : -EINVAL;

	if (!err)
		err = word_at(v, "instanceId", got.instance_id);
	if (!err)
		err = word_at(v, "region", got.region);
	if (!err)
		err = word_at(v, "accountId", got.account);
	json_decref(v);
	if (!err)
		*f = got;
	return err;
}
