/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Maximum flow by push-relabel, highest label first, with global relabelling and the gap rule;
 * only its first phase, since the value is wanted and not the flow. Chosen over augmenting paths
 * because a chain of ten thousand forks, each reading a little, makes these quadratic.
 *
 * Only nodes from which a tap can be reached take part, and of their arcs those between them, so a
 * small question about a large host costs little: a dataset that thousands read is one of a few nodes
 * and has a few arcs in each question about one of them. What a question changed is put back after it.
 */
#include "user/array.h"
#include "user/lineage_internal.h"


#define OUT UINT32_MAX /* a label: no tap can be reached any more */

/* One question being answered. */
struct run {
	struct lineage *l;
	uint32_t *seen; /* every node that takes part */
	uint32_t *queue;
	uint32_t *active, *same; /* heads by label */
	size_t nseen;
	uint32_t top; /* no active node has a higher label */
	uint64_t arrived, wanted;
	uint64_t looked, since_relabel;
};

static uint64_t add(uint64_t a, uint64_t b)
{
	uint64_t sum;

	/* One below UNLIMITED: a sum never turns into "no limit". */
	return __builtin_add_overflow(a, b, &sum) || sum == LINEAGE_UNLIMITED
		   ? LINEAGE_UNLIMITED - 1
		   : sum;
}

static uint64_t take(uint64_t from, uint64_t n)
{
	return from == LINEAGE_UNLIMITED ? from : from - n;
}

struct lineage *lineage_new(void)
{
	struct lineage *l = calloc(1, sizeof(*l));

	if (l)
		l->past = LINEAGE_NONE;
	return l;
}

struct lineage *lineage_free(struct lineage *l)
{
	if (l) {
		free(l->nodes);
		free(l->arcs);
		free(l->space);
		free(l);
	}
	return NULL;
}

int64_t lineage_node(struct lineage *l, uint64_t supply)
{
	if (l->nnodes >= LINEAGE_NONE - 1)
		return -ENOMEM;
	int err = array_grow((void **)&l->nodes, &l->max_nodes, l->nnodes + 1, sizeof(*l->nodes));

	if (err)
		return err;
	l->nodes[l->nnodes] = (struct node){
	    .supply = MIN(supply, LINEAGE_UNLIMITED - 1),
	    .first = LINEAGE_NONE,
	    .first_in = LINEAGE_NONE,
	    .label = OUT,
	};
	return (int64_t)l->nnodes++;
}

void lineage_supply(struct lineage *l, uint32_t node, uint64_t more)
{
	l->nodes[node].supply = add(l->nodes[node].supply, more);
}

static void put_arc(struct lineage *l, uint32_t from, uint32_t to, uint64_t capacity)
{
	l->arcs[l->narcs] = (struct arc){.capacity = capacity, .left = capacity, .to = to, .next = l->nodes[from].first};
	l->nodes[from].first = (uint32_t)l->narcs++;
}

int lineage_arc(struct lineage *l, uint32_t from, uint32_t to, uint64_t capacity)
{
	if (!capacity || from == to)
		return 0;
	if (l->narcs + 2 >= LINEAGE_NONE)
		return -ENOMEM;
	int err = array_grow((void **)&l->arcs, &l->max_arcs, l->narcs + 2, sizeof(*l->arcs));

	if (err)
		return err;
	put_arc(l, from, to, capacity);
	put_arc(l, to, from, 0);
	l->arcs[l->narcs - 1].next_in = l->nodes[to].first_in;
	l->nodes[to].first_in = (uint32_t)l->narcs - 1;
	return 0;
}

int64_t lineage_past(struct lineage *l, uint64_t supply)
{
	int64_t node = lineage_node(l, supply);

	if (node >= 0)
		l->past = (uint32_t)node;
	return node;
}

int lineage_held(struct lineage *l, uint32_t node, uint64_t bound, uint64_t exposed)
{
	struct node *v = &l->nodes[node];

	v->exposes = add(v->exposes, MAX(bound, exposed));
	return lineage_arc(l, l->past, node, bound);
}

size_t lineage_nodes(const struct lineage *l)
{
	return l->nnodes;
}

size_t lineage_arcs(const struct lineage *l)
{
	return l->narcs / 2;
}

uint64_t lineage_supply_of(const struct lineage *l, uint32_t node)
{
	return l->nodes[node].supply;
}

static void same_add(struct run *r, uint32_t v)
{
	struct node *nodes = r->l->nodes;
	uint32_t *head = &r->same[nodes[v].label];

	nodes[v].prev_same = LINEAGE_NONE;
	nodes[v].next_same = *head;
	if (*head != LINEAGE_NONE)
		nodes[*head].prev_same = v;
	*head = v;
}

static void same_remove(struct run *r, uint32_t v)
{
	struct node *nodes = r->l->nodes, *n = &nodes[v];

	if (n->prev_same == LINEAGE_NONE)
		r->same[n->label] = n->next_same;
	else
		nodes[n->prev_same].next_same = n->next_same;
	if (n->next_same != LINEAGE_NONE)
		nodes[n->next_same].prev_same = n->prev_same;
}

static void activate(struct run *r, uint32_t v)
{
	struct node *n = &r->l->nodes[v];

	n->next_active = r->active[n->label];
	r->active[n->label] = v;
	r->top = MAX(r->top, n->label);
}

static void join(struct run *r, uint32_t at)
{
	struct node *v = &r->l->nodes[at];

	if (v->label != OUT)
		return;
	v->label = 1;
	v->first_here = LINEAGE_NONE;
	r->seen[r->nseen++] = at;
}

static void join_arc(struct run *r, uint32_t tail, uint32_t a)
{
	struct node *v = &r->l->nodes[tail];

	r->l->arcs[a].next_here = v->first_here;
	v->first_here = a;
}

/* All from which a tap can be reached, and the arcs between them. */
static void join_all(struct run *r, const struct tap *taps, size_t n)
{
	struct arc *arcs = r->l->arcs;

	for (size_t i = 0; i < n; i++)
		if (r->l->nodes[taps[i].node].drain)
			join(r, taps[i].node);
	for (size_t i = 0; i < r->nseen; i++) {
		uint32_t v = r->seen[i];

		for (uint32_t a = r->l->nodes[v].first_in; a != LINEAGE_NONE; a = arcs[a].next_in) {
			r->looked++;
			join(r, arcs[a].to);
			join_arc(r, v, a);
			join_arc(r, arcs[a].to, a ^ 1);
		}
	}
}

/* Labels by distance to the nearest tap that still takes something. Returns how many have one;
 * they are in r->queue, nearest first. */
static size_t label_by_distance(struct run *r, const struct tap *taps, size_t n)
{
	struct node *nodes = r->l->nodes;
	const struct arc *arcs = r->l->arcs;
	size_t filled = 0;

	for (size_t i = 0; i < n; i++) {
		struct node *v = &nodes[taps[i].node];

		if (v->drain && v->label == OUT) {
			v->label = 1;
			r->queue[filled++] = taps[i].node;
		}
	}
	for (size_t i = 0; i < filled; i++) {
		const struct node *v = &nodes[r->queue[i]];

		for (uint32_t a = v->first_here; a != LINEAGE_NONE; a = arcs[a].next_here) {
			struct node *u = &nodes[arcs[a].to];

			r->looked++;
			if (u->label != OUT || !arcs[a ^ 1].left)
				continue;
			u->label = v->label + 1;
			r->queue[filled++] = arcs[a].to;
		}
	}
	return filled;
}

static void relabel_all(struct run *r, const struct tap *taps, size_t n)
{
	struct node *nodes = r->l->nodes;

	for (size_t i = 0; i < r->nseen; i++)
		nodes[r->seen[i]].label = OUT;
	for (size_t i = 0; i <= r->nseen + 1; i++)
		r->active[i] = r->same[i] = LINEAGE_NONE;
	r->top = 0;
	r->since_relabel = 0;

	size_t labelled = label_by_distance(r, taps, n);
	for (size_t i = 0; i < labelled; i++) {
		struct node *v = &nodes[r->queue[i]];

		v->current = v->first_here;
		same_add(r, r->queue[i]);
		if (v->excess)
			activate(r, r->queue[i]);
	}
}

static void push(struct run *r, struct node *v, uint32_t a)
{
	struct arc *arcs = r->l->arcs;
	struct node *w = &r->l->nodes[arcs[a].to];
	uint64_t moved = MIN(v->excess, arcs[a].left);
	bool idle = !w->excess;

	arcs[a].left = take(arcs[a].left, moved);
	if (arcs[a ^ 1].left != LINEAGE_UNLIMITED)
		arcs[a ^ 1].left = add(arcs[a ^ 1].left, moved);
	v->excess -= moved;
	w->excess = add(w->excess, moved);
	if (idle)
		activate(r, arcs[a].to);
}

static void push_out(struct run *r, struct node *v)
{
	uint64_t moved = MIN(v->excess, v->drain);

	v->drain = take(v->drain, moved);
	v->excess -= moved;
	r->arrived = add(r->arrived, moved);
}

/* When no node has label `empty`, none above it can reach a tap. */
static void close_gap(struct run *r, uint32_t empty)
{
	struct node *nodes = r->l->nodes;

	for (uint32_t k = empty + 1; k <= r->nseen && r->same[k] != LINEAGE_NONE; k++) {
		for (uint32_t v = r->same[k]; v != LINEAGE_NONE; v = nodes[v].next_same)
			nodes[v].label = OUT;
		r->same[k] = LINEAGE_NONE;
		r->active[k] = LINEAGE_NONE;
	}
}

/* Lifts v to just above its lowest neighbour; false when there is none in reach. */
static bool lift(struct run *r, uint32_t v)
{
	struct node *nodes = r->l->nodes;
	const struct arc *arcs = r->l->arcs;
	uint32_t was = nodes[v].label, lowest = OUT;

	for (uint32_t a = nodes[v].first_here; a != LINEAGE_NONE; a = arcs[a].next_here) {
		r->looked++;
		r->since_relabel++;
		if (arcs[a].left && nodes[arcs[a].to].label < lowest)
			lowest = nodes[arcs[a].to].label;
	}
	same_remove(r, v);
	nodes[v].label = OUT;
	if (r->same[was] == LINEAGE_NONE) {
		close_gap(r, was);
		return false;
	}
	if (lowest >= r->nseen)
		return false;
	nodes[v].label = lowest + 1;
	nodes[v].current = nodes[v].first_here;
	same_add(r, v);
	return true;
}

static void discharge(struct run *r, uint32_t at)
{
	struct node *nodes = r->l->nodes, *v = &nodes[at];
	const struct arc *arcs = r->l->arcs;

	do {
		if (v->label == 1 && v->drain)
			push_out(r, v);
		for (; v->excess && v->current != LINEAGE_NONE;
		     v->current = arcs[v->current].next_here) {
			const struct arc *a = &arcs[v->current];

			r->looked++;
			r->since_relabel++;
			if (a->left && nodes[a->to].label == v->label - 1)
				push(r, v, v->current);
			if (!v->excess)
				return;
		}
	} while (v->excess && lift(r, at));
}

/* Pops an active node of the highest label; entries whose node was lifted meanwhile are stale. */
static uint32_t next_active(struct run *r)
{
	struct node *nodes = r->l->nodes;

	for (; r->top; r->top--) {
		while (r->active[r->top] != LINEAGE_NONE) {
			uint32_t v = r->active[r->top];

			r->active[r->top] = nodes[v].next_active;
			if (nodes[v].label == r->top && nodes[v].excess)
				return v;
		}
	}
	return LINEAGE_NONE;
}

static bool saturate(struct run *r, const struct tap *taps, size_t n, uint64_t allowance)
{
	uint64_t relabel_after = 4 * r->nseen + r->looked;

	relabel_all(r, taps, n);
	while (r->arrived < r->wanted) {
		if (r->looked > allowance)
			return false;
		if (r->since_relabel > relabel_after)
			relabel_all(r, taps, n);
		uint32_t v = next_active(r);
		if (v == LINEAGE_NONE)
			return true;
		discharge(r, v);
	}
	return true;
}

/* Finds who takes part, their supply into *ret, and makes it excess. */
static void gather(struct run *r, const struct tap *taps, size_t n, struct leak *ret)
{
	struct node *nodes = r->l->nodes;
	uint64_t before = 0;

	for (size_t i = 0; i < n; i++) {
		struct node *v = &nodes[taps[i].node];

		v->drain = taps[i].limit == LINEAGE_UNLIMITED ? taps[i].limit
							      : add(v->drain, taps[i].limit);
		r->wanted = taps[i].limit == LINEAGE_UNLIMITED || r->wanted == LINEAGE_UNLIMITED
				? LINEAGE_UNLIMITED
				: add(r->wanted, taps[i].limit);
	}
	join_all(r, taps, n);
	for (size_t i = 0; i < r->nseen; i++) {
		struct node *v = &nodes[r->seen[i]];

		v->excess = v->supply;
		before = add(before, v->exposes);
		if (r->seen[i] != r->l->past)
			ret->exposed = add(ret->exposed, v->supply);
	}
	if (before)
		ret->exposed = add(ret->exposed, MIN(before, nodes[r->l->past].supply));
}

static void put_back(struct run *r, const struct tap *taps, size_t n)
{
	struct node *nodes = r->l->nodes;
	struct arc *arcs = r->l->arcs;

	for (size_t i = 0; i < r->nseen; i++) {
		struct node *v = &nodes[r->seen[i]];

		v->label = OUT;
		v->excess = 0;
		for (uint32_t a = v->first_here; a != LINEAGE_NONE; a = arcs[a].next_here)
			arcs[a].left = arcs[a].capacity;
	}
	for (size_t i = 0; i < n; i++)
		nodes[taps[i].node].drain = 0;
}

int lineage_leak(struct lineage *l, const struct tap *taps, size_t n, uint64_t *work,
		 struct leak *ret)
{
	size_t room = l->nnodes + 2;
	struct leak leak = {.exact = true};
	int err = array_grow((void **)&l->space, &l->max_space, 4 * room, sizeof(*l->space));

	if (err)
		return err;
	struct run r = {
	    .l = l,
	    .seen = l->space,
	    .queue = l->space + room,
	    .active = l->space + 2 * room,
	    .same = l->space + 3 * room,
	};

	gather(&r, taps, n, &leak);
	leak.exact = saturate(&r, taps, n, *work);
	leak.bound = leak.exact ? r.arrived : MIN(leak.exposed, r.wanted);
	put_back(&r, taps, n);
	*work -= MIN(*work, r.looked);
	*ret = leak;
	return 0;
}
