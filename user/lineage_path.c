/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What reaches what, and the way that most bytes can have taken. */
#include "user/array.h"
#include "user/lineage_internal.h"

int lineage_reach(const struct lineage *l, bool *ret_reached)
{
	_cleanup_free_ uint32_t *queue = malloc((l->nnodes + 1) * sizeof(*queue));
	size_t filled = 0;

	if (!queue)
		return -ENOMEM;
	for (size_t i = 0; i < l->nnodes; i++) {
		ret_reached[i] = l->nodes[i].supply;
		if (ret_reached[i])
			queue[filled++] = (uint32_t)i;
	}
	for (size_t i = 0; i < filled; i++) {
		for (uint32_t a = l->nodes[queue[i]].first; a != LINEAGE_NONE;
		     a = l->arcs[a].next) {
			uint32_t to = l->arcs[a].to;

			if (!l->arcs[a].capacity || ret_reached[to])
				continue;
			ret_reached[to] = true;
			queue[filled++] = to;
		}
	}
	return 0;
}

struct heap_item {
	uint64_t width;
	uint32_t node;
};

struct heap {
	struct heap_item *items;
	size_t n, max;
};

static int heap_push(struct heap *h, uint64_t width, uint32_t node)
{
	int err = array_grow((void **)&h->items, &h->max, h->n + 1, sizeof(*h->items));
	size_t i = h->n;

	if (err)
		return err;
	h->n++;
	for (; i && h->items[(i - 1) / 2].width < width; i = (i - 1) / 2)
		h->items[i] = h->items[(i - 1) / 2];
	h->items[i] = (struct heap_item){width, node};
	return 0;
}

static struct heap_item heap_pop(struct heap *h)
{
	struct heap_item top = h->items[0], last = h->items[--h->n];
	size_t i = 0;

	for (size_t c = 1; c < h->n; c = 2 * i + 1) {
		if (c + 1 < h->n && h->items[c + 1].width > h->items[c].width)
			c++;
		if (h->items[c].width <= last.width)
			break;
		h->items[i] = h->items[c];
		i = c;
	}
	h->items[i] = last;
	return top;
}

static int widen(struct heap *h, uint64_t *width, uint32_t node, uint64_t w)
{
	if (w <= width[node])
		return 0;
	width[node] = w;
	return heap_push(h, w, node);
}

/* The widest bottleneck between any supply and any tap; 0: there is no way. */
static int widest_bottleneck(const struct lineage *l, const struct tap *taps, size_t n,
			     uint64_t *ret)
{
	_cleanup_free_ uint64_t *width = calloc(l->nnodes + 1, sizeof(*width));
	struct heap h = {0};
	uint64_t best = 0;
	int err = width ? 0 : -ENOMEM;

	for (size_t i = 0; i < n && !err; i++)
		err = widen(&h, width, taps[i].node, taps[i].limit);
	while (h.n && !err) {
		struct heap_item top = heap_pop(&h);
		const struct node *v = &l->nodes[top.node];

		if (top.width <= best)
			break;
		if (top.width < width[top.node])
			continue;
		best = MAX(best, MIN(top.width, v->supply));
		for (uint32_t a = v->first; a != LINEAGE_NONE && !err; a = l->arcs[a].next)
			err = widen(&h, width, l->arcs[a].to,
				    MIN(top.width, l->arcs[a ^ 1].capacity));
	}
	free(h.items);
	if (!err)
		*ret = best;
	return err;
}

/* Backward from the taps over what is at least `width` wide; returns the first node found with that
 * much supply, and in next[] the way from it. */
static uint32_t shortest_start(const struct lineage *l, const struct tap *taps, size_t n,
			       uint64_t width, uint32_t *next, uint32_t *queue)
{
	size_t filled = 0;

	for (size_t i = 0; i < n; i++) {
		if (taps[i].limit >= width && next[taps[i].node] == LINEAGE_NONE) {
			next[taps[i].node] = taps[i].node;
			queue[filled++] = taps[i].node;
		}
	}
	for (size_t i = 0; i < filled; i++) {
		const struct node *v = &l->nodes[queue[i]];

		if (v->supply >= width)
			return queue[i];
		for (uint32_t a = v->first; a != LINEAGE_NONE; a = l->arcs[a].next) {
			uint32_t u = l->arcs[a].to;

			if (l->arcs[a ^ 1].capacity < width || next[u] != LINEAGE_NONE)
				continue;
			next[u] = queue[i];
			queue[filled++] = u;
		}
	}
	return LINEAGE_NONE;
}

int lineage_widest(const struct lineage *l, const struct tap *taps, size_t n, uint32_t **ret_path,
		   size_t *ret_n)
{
	_cleanup_free_ uint32_t *next = malloc((l->nnodes + 1) * sizeof(*next));
	_cleanup_free_ uint32_t *queue = malloc((l->nnodes + 1) * sizeof(*queue));
	uint64_t width;
	size_t length = 0;
	int err;

	if (!next || !queue)
		return -ENOMEM;
	err = widest_bottleneck(l, taps, n, &width);
	if (err)
		return err;
	if (!width)
		return -ENOENT;
	for (size_t i = 0; i < l->nnodes; i++)
		next[i] = LINEAGE_NONE;

	uint32_t v = shortest_start(l, taps, n, width, next, queue);
	if (v == LINEAGE_NONE)
		return -ENOENT;
	queue[length++] = v;
	for (; next[v] != v; v = next[v])
		queue[length++] = next[v];
	*ret_path = queue;
	*ret_n = length;
	queue = NULL;
	return 0;
}
