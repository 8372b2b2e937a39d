/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Questions put to a dataset's network; user/model_graph_build.c makes it. */
#include "user/model_graph_internal.h"

#include <string.h>

struct ds_graph *ds_graph_free(struct ds_graph *g)
{
	if (g) {
		lineage_free(g->net);
		free(g->refs);
		free(g->subject_node);
		free(g->flow_node);
		free(g->object_node);
		free(g->reached);
		free(g);
	}
	return NULL;
}

bool ds_graph_good(const struct ds_graph *g, const struct model *m)
{
	return g && !g->waiting && g->version == m->datasets[g->dataset].version;
}

int ds_graph_current(struct model *m, unsigned dataset, struct ds_graph **ret)
{
	if (!ds_graph_good(m->graphs[dataset], m)) {
		struct ds_graph *g;
		int err = ds_graph_build(m, dataset, &g);

		if (err)
			return err;
		ds_graph_free(m->graphs[dataset]);
		m->graphs[dataset] = g;
	}
	*ret = m->graphs[dataset];
	return 0;
}

static uint32_t node_at(const uint32_t *nodes, uint32_t count, uint32_t slot)
{
	return slot < count ? nodes[slot] : LINEAGE_NONE;
}

/* Taps for those flows that have a node; *ret_n may be 0. */
static int taps_of(const struct ds_graph *g, const struct m_flow *const *flows, size_t n,
		   struct tap **ret, size_t *ret_n)
{
	struct tap *taps = calloc(n + 1, sizeof(*taps));
	size_t filled = 0;

	if (!taps)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		uint32_t node = node_at(g->flow_node, g->flows, flows[i]->slot);

		if (node != LINEAGE_NONE)
			taps[filled++] = (struct tap){node, flow_sent(flows[i], g->dataset)};
	}
	*ret = taps;
	*ret_n = filled;
	return 0;
}

static int leak_by(struct ds_graph *g, const struct tap *taps, size_t n, uint64_t *work, struct leak *ret)
{
	int err = lineage_leak(g->net, taps, n, work, ret);

	if (err)
		return err;
	ret->bound = MIN(ret->bound, g->most);
	ret->exposed = MIN(ret->exposed, g->most);
	return 0;
}

int ds_graph_leak(struct ds_graph *g, const struct m_flow *const *flows, size_t n, uint64_t *work,
		  struct leak *ret)
{
	_cleanup_free_ struct tap *taps = NULL;
	size_t ntaps;
	int err = taps_of(g, flows, n, &taps, &ntaps);

	return err ? err : leak_by(g, taps, ntaps, work, ret);
}

int ds_graph_volume(struct ds_graph *g, const struct m_subject *s, uint64_t *work, uint64_t *ret)
{
	struct tap tap = {node_at(g->subject_node, g->subjects, s->slot), LINEAGE_UNLIMITED};
	struct leak leak;
	int err;

	if (tap.node == LINEAGE_NONE) {
		*ret = 0;
		return 0;
	}
	err = lineage_leak(g->net, &tap, 1, work, &leak);
	if (!err)
		*ret = MIN(leak.bound, g->most);
	return err;
}

static int volumes_by(const struct ds_graph *g, const uint32_t *nodes, uint32_t count, uint64_t *ret, size_t n)
{
	_cleanup_free_ uint64_t *bound = calloc(lineage_nodes(g->net) + 1, sizeof(*bound));

	if (!bound)
		return -ENOMEM;
	lineage_bounds(g->net, bound);
	for (size_t slot = 0; slot < n; slot++) {
		uint32_t node = node_at(nodes, count, (uint32_t)slot);

		ret[slot] = node == LINEAGE_NONE ? 0 : MIN(bound[node], g->most);
	}
	return 0;
}

int ds_graph_volumes(const struct ds_graph *g, uint64_t *ret, size_t n)
{
	return volumes_by(g, g->subject_node, g->subjects, ret, n);
}

int ds_graph_object_volumes(const struct ds_graph *g, uint64_t *ret, size_t n)
{
	return volumes_by(g, g->object_node, g->objects, ret, n);
}

uint64_t ds_graph_supply(const struct ds_graph *g)
{
	uint64_t sum = 0;

	for (uint32_t v = 0; v < lineage_nodes(g->net); v++)
		if (__builtin_add_overflow(sum, lineage_supply_of(g->net, v), &sum))
			return g->most;
	return MIN(sum, g->most);
}

/* Without limit, where there is a node. */
static void add_tap(struct tap *taps, size_t *n, uint32_t node)
{
	if (node != LINEAGE_NONE)
		taps[(*n)++] = (struct tap){node, LINEAGE_UNLIMITED};
}

/* Those of them that have a node; *ret_n may be 0. */
static int object_taps(const struct ds_graph *g, const struct m_object *const *objects, size_t n,
		       struct tap **ret, size_t *ret_n)
{
	struct tap *taps = calloc(n + 1, sizeof(*taps));

	if (!taps)
		return -ENOMEM;
	*ret_n = 0;
	for (size_t i = 0; i < n; i++)
		add_tap(taps, ret_n, node_at(g->object_node, g->objects, objects[i]->slot));
	*ret = taps;
	return 0;
}

int ds_graph_objects(struct ds_graph *g, const struct m_object *const *objects, size_t n,
		     uint64_t *work, struct leak *ret)
{
	_cleanup_free_ struct tap *taps = NULL;
	size_t ntaps;
	int err = object_taps(g, objects, n, &taps, &ntaps);

	return err ? err : leak_by(g, taps, ntaps, work, ret);
}

bool ds_graph_holds(const struct ds_graph *g, const struct m_subject *s)
{
	uint32_t node = node_at(g->subject_node, g->subjects, s->slot);

	return node != LINEAGE_NONE && g->reached[node];
}

bool ds_graph_reaches(const struct ds_graph *g, const struct m_flow *f)
{
	uint32_t node = node_at(g->flow_node, g->flows, f->slot);

	return node != LINEAGE_NONE && g->reached[node];
}

static int path_to(struct ds_graph *g, const struct tap *taps, size_t n,
		   struct graph_ref **ret_path, size_t *ret_n)
{
	_cleanup_free_ uint32_t *nodes = NULL;
	size_t length, filled = 0;
	int err = lineage_widest(g->net, taps, n, &nodes, &length);

	if (err)
		return err;
	struct graph_ref *path = calloc(length + 1, sizeof(*path));
	if (!path)
		return -ENOMEM;
	for (size_t i = 0; i < length; i++) {
		const struct graph_ref *r = &g->refs[nodes[i]];

		/* a flow on the way is told of as what it comes in at */
		if (r->kind == REF_OBJECT && filled && path[filled - 1].kind == REF_FLOW)
			filled--;
		if (r->kind != REF_AUX)
			path[filled++] = *r;
	}
	*ret_path = path;
	*ret_n = filled;
	return 0;
}

int ds_graph_path(struct ds_graph *g, const struct m_flow *const *flows, size_t n,
		  struct graph_ref **ret_path, size_t *ret_n)
{
	_cleanup_free_ struct tap *taps = NULL;
	size_t ntaps;
	int err = taps_of(g, flows, n, &taps, &ntaps);

	return err ? err : path_to(g, taps, ntaps, ret_path, ret_n);
}

int ds_graph_objects_path(struct ds_graph *g, const struct m_object *const *objects, size_t n,
			  struct graph_ref **ret_path, size_t *ret_n)
{
	_cleanup_free_ struct tap *taps = NULL;
	size_t ntaps;
	int err = object_taps(g, objects, n, &taps, &ntaps);

	return err ? err : path_to(g, taps, ntaps, ret_path, ret_n);
}

static int holder_taps(const struct ds_graph *g, const struct m_subject *const *subjects, size_t n,
		       struct tap **ret, size_t *ret_n)
{
	struct tap *taps = calloc(n + 1, sizeof(*taps));

	if (!taps)
		return -ENOMEM;
	*ret_n = 0;
	for (size_t i = 0; i < n; i++)
		add_tap(taps, ret_n, node_at(g->subject_node, g->subjects, subjects[i]->slot));
	*ret = taps;
	return 0;
}

int ds_graph_held(struct ds_graph *g, const struct m_subject *const *subjects, size_t n,
		  uint64_t *work, struct leak *ret)
{
	_cleanup_free_ struct tap *taps = NULL;
	size_t ntaps;
	int err = holder_taps(g, subjects, n, &taps, &ntaps);

	return err ? err : leak_by(g, taps, ntaps, work, ret);
}

int ds_graph_held_path(struct ds_graph *g, const struct m_subject *const *subjects, size_t n,
		       struct graph_ref **ret_path, size_t *ret_n)
{
	_cleanup_free_ struct tap *taps = NULL;
	size_t ntaps;
	int err = holder_taps(g, subjects, n, &taps, &ntaps);

	return err ? err : path_to(g, taps, ntaps, ret_path, ret_n);
}

size_t ds_graph_arcs(const struct ds_graph *g)
{
	return lineage_arcs(g->net);
}
