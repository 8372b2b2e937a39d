/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The order of the tree; user/tree_text.c draws it. */
#include "user/tree.h"

#include <string.h>

#include "user/value_text.h"

struct node {
	json_t *item;
	const char *start; /* NULL: stands for ended processes */
	json_int_t pid, image;
	size_t place; /* as given */
	struct node *parent, *child, *last, *next;
	unsigned depth;
};

static int by_process(const struct node *a, const struct node *b)
{
	int c = !a->start - !b->start;

	if (!c && a->start)
		c = strcmp(a->start, b->start);
	return c ? c : (a->pid > b->pid) - (a->pid < b->pid);
}

static int by_image(const void *x, const void *y)
{
	const struct node *a = x, *b = y;
	int c = by_process(a, b);

	if (!c)
		c = (a->image > b->image) - (a->image < b->image);
	return c ? c : (a->place > b->place) - (a->place < b->place);
}

static struct node node_of(json_t *item, size_t place)
{
	return (struct node){
	    .item = item,
	    .start = json_string_value(json_at(item, "process.start")),
	    .pid = json_integer_value(json_at(item, "process.pid")),
	    .image = json_integer_value(json_at(item, "image")),
	    .place = place,
	};
}

/* The last image of the process that the item names as its parent. */
static struct node *parent_of(struct node *nodes, size_t n, const json_t *item)
{
	struct node want = {.start = json_string_value(json_at(item, "process.parent.start")),
			    .pid = json_integer_value(json_at(item, "process.parent.pid"))};
	size_t low = 0, high = n;

	if (!want.start)
		return NULL;
	while (low < high) { /* the first beyond */
		size_t mid = low + (high - low) / 2;

		if (by_process(&nodes[mid], &want) <= 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low && !by_process(&nodes[low - 1], &want) ? &nodes[low - 1] : NULL;
}

static bool below(const struct node *n, const struct node *top)
{
	for (; n; n = n->parent)
		if (n == top)
			return true;
	return false;
}

/* In the order of their starts, so children too come in it. */
static struct node *link_all(struct node *nodes, size_t n)
{
	struct node *root = NULL, **last_root = &root;

	for (size_t i = 0; i < n; i++) {
		struct node *at = &nodes[i];
		bool later_image = i && at->start && !by_process(&nodes[i - 1], at);
		struct node *parent = later_image ? &nodes[i - 1] : parent_of(nodes, n, at->item);

		at->parent = parent && !below(parent, at) ? parent : NULL;
		if (!at->parent) {
			*last_root = at;
			last_root = &at->next;
			continue;
		}
		*(at->parent->last ? &at->parent->last->next : &at->parent->child) = at;
		at->parent->last = at;
	}
	return root;
}

static const struct node *after(const struct node *n)
{
	if (n->child)
		return n->child;
	while (n && !n->next)
		n = n->parent;
	return n ? n->next : NULL;
}

static int append_sorted(const struct node *root, json_t *sorted)
{
	for (const struct node *n = root; n; n = after(n)) {
		unsigned depth = 0;

		for (const struct node *p = n->parent; p; p = p->parent)
			depth++;
		if (json_object_set_new(n->item, "depth", json_integer(depth)) || json_array_append(sorted, n->item))
			return -ENOMEM;
	}
	return 0;
}

int tree_sort(json_t *document)
{
	json_t *items = json_object_get(document, "items"), *sorted;
	size_t n = json_array_size(items);
	_cleanup_free_ struct node *nodes = calloc(MAX(n, (size_t)1), sizeof(*nodes));
	int err;

	if (!json_is_array(items))
		return -EPROTO;
	if (!nodes)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		json_t *item = json_array_get(items, i);

		if (!json_is_object(item))
			return -EPROTO;
		nodes[i] = node_of(item, i);
	}
	qsort(nodes, n, sizeof(*nodes), by_image);
	sorted = json_array();
	err = sorted ? append_sorted(link_all(nodes, n), sorted) : -ENOMEM;
	if (err) {
		json_decref(sorted);
		return err;
	}
	return json_object_set_new(document, "items", sorted) ? -ENOMEM : 0;
}
