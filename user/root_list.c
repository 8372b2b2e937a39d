/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/root_list.h"

#include <string.h>

int root_list_add(struct root_list *l, const struct root_key *key, uint8_t tag, enum rank rank)
{
	for (size_t i = 0; i < l->n && l->n < 256; i++)
		if (!memcmp(&l->v[i].key, key, sizeof(*key)) && l->v[i].rank <= rank)
			return 0;
	if (l->n == SL_ROOTS_MAX)
		return -E2BIG;
	if (l->n == l->cap) {
		size_t more = l->cap ? 2 * l->cap : 16;
		struct root *v = reallocarray(l->v, more, sizeof(*v));

		if (!v)
			return -ENOMEM;
		l->v = v;
		l->cap = more;
	}
	l->v[l->n++] = (struct root){*key, tag, (uint8_t)rank};
	return 0;
}

static int by_key(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct root_key));
}

static int by_key_and_rank(const void *a, const void *b)
{
	const struct root *ra = a, *rb = b;
	int order = by_key(a, b);

	if (!order)
		order = ra->rank - rb->rank;
	return order ? order : ra->tag - rb->tag;
}

void root_list_sort(struct root_list *l)
{
	size_t w = 0;

	if (!l->n)
		return;
	qsort(l->v, l->n, sizeof(*l->v), by_key_and_rank);
	for (size_t i = 1; i < l->n; i++)
		if (by_key(&l->v[i], &l->v[w]))
			l->v[++w] = l->v[i];
	l->n = w + 1;
}

const struct root *root_list_find(const struct root_list *l, const struct root_key *key)
{
	return l->n ? bsearch(key, l->v, l->n, sizeof(*l->v), by_key) : NULL;
}

void root_list_clear(struct root_list *l)
{
	free(l->v);
	*l = (struct root_list){};
}

int root_list_copy(const struct root_list *l, struct root_list *ret)
{
	struct root *v = calloc(l->n + 1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	if (l->n)
		memcpy(v, l->v, l->n * sizeof(*v));
	*ret = (struct root_list){.v = v, .n = l->n, .cap = l->n + 1};
	return 0;
}
