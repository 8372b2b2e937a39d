/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What descriptors hold: pipes and files of the lineage, sockets without owner. */
#include "user/collect_internal.h"

#include <bpf/bpf.h>
#include <string.h>

#include "user/map_call.h"

#define HEAL_NS (5 * NSEC)     /* how often descriptors are looked at for flows without owner or record */
#define OBJECTS_NS (30 * NSEC) /* how often files that nobody has open are looked for */

static int by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct object));
}

/* --- pipes ------------------------------------------------------------------------- */

/* The last end of a FIFO may be closed and the first one opened meanwhile: they are looked at as files are. */
static int take_dead_pipe(void *arg, const void *record)
{
	struct collector *c = arg;
	struct object what, *o;

	memcpy(&what, record, sizeof(what));
	if (!object_names_pipe(c->names, &what))
		return 0;
	o = collect_grow((void **)&c->dead_pipes, &c->dead_pipes_cap, c->ndead_pipes, sizeof(*o));
	if (!o)
		return -ENOMEM;
	*o = what;
	c->ndead_pipes++;
	return 0;
}

int forget_dead_pipes(struct collector *c)
{
	c->ndead_pipes = 0;
	int err = collect_dump(c, ITER_DEAD_PIPES, sizeof(struct object), 0, take_dead_pipe);

	return err ? err : objects_gone(c->engine, c->model, c->dead_pipes, c->ndead_pipes);
}

/* --- files and FIFOs ------------------------------------------------------------------ */

static int see_held(void *arg, const void *record)
{
	struct collector *c = arg;
	struct object *o = collect_grow((void **)&c->held, &c->held_cap, c->nheld, sizeof(*o));

	if (!o)
		return -ENOMEM;
	memcpy(o, record, sizeof(*o));
	c->nheld++;
	return 0;
}

static bool among(const struct object *v, size_t n, const struct object *what)
{
	return n && bsearch(what, v, n, sizeof(*what), by_bytes);
}

/* After the look began: it may not have been there to be seen. Or mapped: of that descriptors tell nothing; the kernel half
 * does. */
static bool may_be_there(const struct collector *c, const struct object *what)
{
	struct object_taint t;

	return !map_lookup(engine_map_fd(c->engine, MAP_OBJECTS), what, &t) &&
	       (t.since_ns >= c->now_ns || t.mapped);
}

/* The kernel uses the connection's address again. */
static void forget_connection(struct collector *c, const struct object *what)
{
	int fd = engine_map_fd(c->engine, MAP_CONNECTIONS);
	uint64_t next, *at = NULL, key;
	uint32_t dev;

	if (what->gen != SL_GEN_SERVED)
		return;
	for (unsigned i = 0; i < SL_CONNECTIONS_MAX && !bpf_map_get_next_key(fd, at, &next); i++) {
		key = next;
		at = &key;
		if (!map_lookup(fd, &key, &dev) && dev == what->dev && !map_delete(fd, &key))
			return;
	}
}

/* A FIFO that no descriptor table holds at two looks in a row is gone, and with it what it held. */
static void forget_unheld(struct collector *c)
{
	int fd = engine_map_fd(c->engine, MAP_OBJECTS);
	struct object key, next, *at = NULL;

	qsort(c->held, c->nheld, sizeof(*c->held), by_bytes);
	bool more = !bpf_map_get_next_key(fd, at, &next);
	while (more) {
		key = next;
		more = !bpf_map_get_next_key(fd, &key, &next);
		if (object_names_pipe(c->names, &key) || among(c->held, c->nheld, &key) ||
		    among(c->held_before, c->nheld_before, &key))
			continue;
		if (may_be_there(c, &key) || object_names_keeps(c->names, &key))
			continue;
		map_delete(fd, &key);
		forget_connection(c, &key);
	}
	free(c->held_before);
	c->held_before = c->held;
	c->nheld_before = c->nheld;
	c->held = NULL;
	c->nheld = c->held_cap = 0;
}

/* A socket's reading end, as the kernel half keeps it. */
struct unix_name {
	struct object what;
	uint64_t ino; /* 0: nobody has accepted the connection yet */
};

/* The names of sockets' reading ends go with the sockets; those not accepted yet stay. Called behind forget_unheld(). */
static void forget_unix_ends(struct collector *c)
{
	int fd = engine_map_fd(c->engine, MAP_UNIX_ENDS);
	uint64_t key, next, *at = NULL;
	struct unix_name end;

	bool more = !bpf_map_get_next_key(fd, at, &next);
	while (more) {
		key = next;
		more = !bpf_map_get_next_key(fd, &key, &next);
		if (!map_lookup(fd, &key, &end) && end.ino &&
		    !among(c->held_before, c->nheld_before, &end.what) && !may_be_there(c, &end.what))
			map_delete(fd, &key);
	}
}

/* What went into a connection that nobody has accepted yet waits there, whether its writer lives or not. */
static int see_unaccepted(struct collector *c)
{
	int fd = engine_map_fd(c->engine, MAP_UNIX_ENDS), err = 0;
	uint64_t key, *at = NULL;
	struct unix_name end;

	while (!err && !bpf_map_get_next_key(fd, at, &key)) {
		if (!map_lookup(fd, &key, &end) && !end.ino)
			err = see_held(c, &end.what);
		at = &key;
	}
	return err;
}

bool collect_held(const struct collector *c, const struct object *what)
{
	return among(c->held, c->nheld, what) || among(c->held_before, c->nheld_before, what);
}

int look_at_descriptors(struct collector *c)
{
	bool objects = c->now_ns - c->objects_ns >= OBJECTS_NS;
	bool heal = c->ownerless || c->health.turned_away != c->healed_away;

	if (!objects && !(heal && c->now_ns - c->healed_ns >= HEAL_NS))
		return 0;
	c->nheld = 0;
	int err = engine_iterate(c->engine, ITER_FILES, sizeof(struct object), see_held, c);
	c->healed_ns = c->now_ns;
	c->healed_away = c->health.turned_away;
	if (err || !objects)
		return err == -EOPNOTSUPP ? 0 : err;
	c->objects_ns = c->now_ns;
	err = see_unaccepted(c);
	if (err)
		return err;
	forget_unheld(c);
	forget_unix_ends(c);
	return forget_inlets(c, true);
}
