/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Connections and datagrams that stay on this host: which flow comes in at which socket, and sockets that are gone. */
#include "user/collect_internal.h"

#include <bpf/bpf.h>
#include <string.h>

#include "user/map_call.h"

static int by_number(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static int remember_inlet(struct collector *c, uint64_t id)
{
	uint64_t *at;

	if (c->ninlets && c->inlets[c->ninlets - 1] == id)
		return 0;
	at = collect_grow((void **)&c->inlets, &c->inlets_cap, c->ninlets, sizeof(*at));
	if (!at)
		return -ENOMEM;
	*at = id;
	c->ninlets++;
	return 0;
}

static int take_link(void *arg, const void *record)
{
	struct collector *c = arg;
	struct link_key key;

	memcpy(&key, record, sizeof(key));
	int err = unless_full(model_set_link(c->model, &key));
	return err ? err : remember_inlet(c, key.inlet);
}

int collect_links(struct collector *c)
{
	return collect_dump(c, ITER_LINKS, sizeof(struct link_key) + sizeof(uint64_t), c->since_ns, take_link);
}

/* --- what is gone ------------------------------------------------------------------- */

static int tidy_link(void *arg, const void *record)
{
	struct collector *c = arg;
	struct link_key key;

	memcpy(&key, record, sizeof(key));
	if (bsearch(&key.flow, c->gone_flows, c->ngone, sizeof(key.flow), by_number))
		map_delete(engine_map_fd(c->engine, MAP_LINKS), &key);
	return 0;
}

int tidy_links(struct collector *c)
{
	return c->ninlets ? collect_dump(c, ITER_LINKS, sizeof(struct link_key) + sizeof(uint64_t), 0, tidy_link) : 0;
}

static bool held_open(const struct collector *c, uint64_t id)
{
	struct object what = {.ino = id, .dev = SL_DEV_INLET};

	return collect_held(c, &what);
}

/* Nobody had it at this look: is it gone? At the first it may have been on its way from one to another. */
static bool missed_twice(struct collector *c, uint64_t id, struct suspects *now)
{
	if (now->n < ARRAY_SIZE(now->id))
		now->id[now->n++] = id;
	for (size_t i = 0; i < c->suspects.n; i++)
		if (c->suspects.id[i] == id)
			return true;
	return false;
}

/* The ids of those that are there, sorted. A closed one with bytes left to read is there as long as somebody holds it;
 * `looked`: who holds what was just looked at. */
static int living_inlets(struct collector *c, bool looked, uint64_t **ret, size_t *ret_n)
{
	int fd = engine_map_fd(c->engine, MAP_INLETS);
	_cleanup_free_ uint64_t *v = calloc(SL_INLETS_MAX, sizeof(*v));
	uint64_t key, next;
	struct suspects now = {0};
	struct inlet in;
	size_t n = 0;

	if (!v)
		return -ENOMEM;
	bool more = !bpf_map_get_next_key(fd, NULL, &next);
	for (unsigned i = 0; more && i < 2 * SL_INLETS_MAX; i++) {
		key = next;
		more = !bpf_map_get_next_key(fd, &key, &next);
		if (map_lookup(fd, &key, &in))
			continue;
		if (looked && in.closed && !held_open(c, in.id) && missed_twice(c, in.id, &now))
			map_delete(fd, &key);
		else if (n < SL_INLETS_MAX)
			v[n++] = in.id;
	}
	if (looked)
		c->suspects = now;
	qsort(v, n, sizeof(*v), by_number);
	if (more)
		return -EAGAIN; /* they changed under the walk: next time */
	*ret = v;
	*ret_n = n;
	v = NULL;
	return 0;
}

static size_t unique(uint64_t *v, size_t n)
{
	size_t kept = 0;

	qsort(v, n, sizeof(*v), by_number);
	for (size_t i = 0; i < n; i++)
		if (!kept || v[kept - 1] != v[i])
			v[kept++] = v[i];
	return kept;
}

int forget_inlets(struct collector *c, bool looked)
{
	_cleanup_free_ uint64_t *living = NULL;
	_cleanup_free_ struct object *gone = NULL;
	size_t n = 0, ngone = 0, kept = 0;

	if (!c->ninlets)
		return 0;
	int err = living_inlets(c, looked, &living, &n);
	if (err)
		return err == -EAGAIN ? 0 : err;
	c->ninlets = unique(c->inlets, c->ninlets);
	gone = calloc(c->ninlets, sizeof(*gone));
	if (!gone)
		return -ENOMEM;
	for (size_t i = 0; i < c->ninlets; i++) {
		uint64_t id = c->inlets[i];

		if (n && bsearch(&id, living, n, sizeof(id), by_number))
			c->inlets[kept++] = id;
		else
			gone[ngone++] = (struct object){.ino = id, .dev = SL_DEV_INLET};
	}
	c->ninlets = kept;
	return objects_gone(c->engine, c->model, gone, ngone);
}
