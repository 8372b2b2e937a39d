/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/collect.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <netinet/in.h>
#include <string.h>

#include "user/chardev.h"
#include "user/collect_channel.h"
#include "user/collect_health.h"
#include "user/collect_shared.h"
#include "user/hashmap.h"
#include "user/object_name.h"
#include "user/subjects.h"

#define GRACE_NS (2 * NSEC)	/* between an exit and the last late completion of its I/O */
#define TIDY_NS (5 * NSEC)	/* how often what has ended is taken out of the kernel's maps */
#define HEAL_NS (5 * NSEC)	/* how often descriptors are looked at for flows without owner */
#define OBJECTS_NS (30 * NSEC)	/* how often pipes that nobody holds are forgotten */
#define UDP_IDLE_NS (60 * NSEC) /* a datagram flow without traffic is over */
#define KNOWN_MAX 262144
#define IMAGES_BACK 16

/* A subject the model was told about, or one that has ended and waits to be taken out. */
struct known {
	struct subject who;
	uint64_t exit_ns; /* 0: alive as far as known */
	bool announced;	  /* by the kernel itself: better than what /proc says */
	struct known *next_dead;
};

struct closed_flow {
	struct flow flow;
	struct flow_key key;
	bool in_map; /* to be deleted there */
};

struct collector {
	struct engine *engine;
	struct model *model;
	struct object_names *names;
	struct ring_buffer *ring;
	struct hashmap known;
	struct known *dead; /* exited, not yet taken out */
	struct closed_flow *closed;
	size_t nclosed, closed_cap;
	uint64_t *gone_flows; /* ids whose taint records can go */
	size_t ngone, gone_cap;
	struct object *pipes, *pipes_before; /* pipes seen open by this look and the one before */
	size_t npipes, npipes_before, pipes_cap;
	struct health_state health;
	struct shared_state shared;
	uint64_t now_ns, before_ns, since_ns, tidied_ns, healed_ns, objects_ns, devices_ns;
	bool ownerless; /* a flow without owner was seen */
	int err;	/* first error met inside a callback */
};

/* Grows an array for one more item; NULL: no memory. */
static void *grow(void **array, size_t *cap, size_t n, size_t size)
{
	if (n == *cap) {
		size_t more = *cap ? 2 * *cap : 64;
		void *p = reallocarray(*array, more, size);

		if (!p)
			return NULL;
		*array = p;
		*cap = more;
	}
	return (char *)*array + n * size;
}

/* A full model leaves a thing out, counts it and makes a finding of it: not a reason to stop. */
static int unless_full(int err)
{
	return err == -ENOSPC ? 0 : err;
}

/* --- subjects ----------------------------------------------------------------- */

static struct known *remember(struct collector *c, const struct subject *who)
{
	struct known *k = hashmap_find(&c->known, who);

	if (k)
		return k;
	k = c->known.used < KNOWN_MAX ? calloc(1, sizeof(*k)) : NULL;
	if (!k)
		return NULL;
	k->who = *who;
	if (hashmap_add(&c->known, k)) {
		free(k);
		return NULL;
	}
	return k;
}

/* The model must have heard of everyone that a map names. The announcement may have come after the ring was
 * read; only without one is /proc asked, which may be too late. */
static void introduce(struct collector *c, const struct subject *who)
{
	if (!who->tgid || hashmap_find(&c->known, who))
		return;
	collector_drain(c);
	if (hashmap_find(&c->known, who))
		return;
	remember(c, who);
	int err = subjects_look_up(c->model, who, c->now_ns);
	if (unless_full(err) && err != -ESRCH && !c->err)
		c->err = err;
}

static void has_ended(struct collector *c, const struct subject *who, uint64_t when)
{
	struct known *k = remember(c, who);

	if (!k || k->exit_ns)
		return;
	k->exit_ns = when;
	k->next_dead = c->dead;
	c->dead = k;
	model_set_exit(c->model, who, when);
}

/* The process took its earlier images with it. Each exec adds one to the count that a fork copies, so only
 * those that are known are looked for, and not far back. */
static void all_images_ended(struct collector *c, const struct exit_event *ev)
{
	struct subject who = ev->who;

	has_ended(c, &who, ev->time_ns);
	for (int i = 0; i < IMAGES_BACK && who.exec; i++) {
		who.exec--;
		if (hashmap_find(&c->known, &who))
			has_ended(c, &who, ev->time_ns);
	}
}

/* --- the ring ------------------------------------------------------------------ */

static int keep_closed(struct collector *c, const struct flow *f, const struct flow_key *key)
{
	struct closed_flow *slot = grow((void **)&c->closed, &c->closed_cap, c->nclosed, sizeof(*slot));

	if (!slot)
		return -ENOMEM;
	slot->flow = *f;
	slot->flow.closed = 1;
	slot->in_map = key != NULL;
	if (key)
		slot->key = *key;
	c->nclosed++;
	return 0;
}

static int take_event(void *arg, void *data, size_t len)
{
	struct collector *c = arg;
	uint32_t type = len >= sizeof(type) ? *(uint32_t *)data : 0;
	int err = 0;

	if (type == EVENT_SUBJECT && len >= sizeof(struct subject_event)) {
		const struct subject_event *ev = data;
		struct known *k = remember(c, &ev->who);

		if (k && !k->announced)
			err = subjects_announced(c->model, ev, len);
		if (k)
			k->announced = true;
	} else if (type == EVENT_EXIT && len >= sizeof(struct exit_event)) {
		all_images_ended(c, data);
	} else if (type == EVENT_FLOW_CLOSE && len >= sizeof(struct flow_event)) {
		err = keep_closed(c, &((const struct flow_event *)data)->flow, NULL);
	}
	if (unless_full(err) && !c->err)
		c->err = err;
	return 0;
}

int collector_fd(const struct collector *c)
{
	return ring_buffer__epoll_fd(c->ring);
}

int collector_drain(struct collector *c)
{
	int n = ring_buffer__consume(c->ring);

	return n < 0 ? n : 0;
}

/* --- the maps ------------------------------------------------------------------ */

static int take_tainted(void *arg, const void *record)
{
	struct collector *c = arg;
	struct subject who;
	struct taint t;

	memcpy(&who, record, sizeof(who));
	memcpy(&t, (const char *)record + sizeof(who), sizeof(t));
	c->health.entries[MAP_TAINTED]++;
	if (t.via == VIA_FORK || t.via == VIA_EXEC)
		introduce(c, &t.from);
	introduce(c, &who);
	return unless_full(model_set_taint(c->model, &who, &t));
}

static int take_access(void *arg, const void *record)
{
	struct collector *c = arg;
	struct ledger_key key;
	struct ledger_val val;

	memcpy(&key, record, sizeof(key));
	memcpy(&val, (const char *)record + sizeof(key), sizeof(val));
	c->health.entries[MAP_LEDGER]++;
	val.last_ns = c->now_ns; /* as close as is known: within the interval */
	introduce(c, &key.who);
	return unless_full(model_set_access(c->model, &key, &val));
}

static int take_edge(void *arg, const void *record)
{
	struct collector *c = arg;
	struct edge_key key;
	struct edge_val val;

	memcpy(&key, record, sizeof(key));
	memcpy(&val, (const char *)record + sizeof(key), sizeof(val));
	c->health.entries[MAP_EDGES]++;
	val.last_ns = c->now_ns;
	introduce(c, &key.who);
	object_names_heard(c->names, &key);
	return unless_full(model_set_edge(c->model, &key, &val));
}

static int take_flow_taint(void *arg, const void *record)
{
	struct collector *c = arg;
	struct flow_taint_key key;
	struct flow_taint val;

	memcpy(&key, record, sizeof(key));
	memcpy(&val, (const char *)record + sizeof(key), sizeof(val));
	c->health.entries[MAP_FLOW_TAINTS]++;
	return unless_full(model_set_flow_taint(c->model, &key, &val));
}

/* A datagram flow has no last packet: it is over when its socket is gone or it has been silent. */
static bool datagram_over(const struct collector *c, const struct flow_key *key, const struct flow *f)
{
	struct sock_owner owner;

	if (key->proto == IPPROTO_TCP)
		return false;
	if (f->last_ns + UDP_IDLE_NS < c->now_ns)
		return true;
	if (!f->who.tgid)
		return false;
	return bpf_map_lookup_elem(engine_map_fd(c->engine, MAP_SOCKS), &key->sock, &owner) ||
	       (owner.gen && owner.gen != key->gen);
}

static int take_flow(void *arg, const void *record)
{
	struct collector *c = arg;
	struct flow_key key;
	struct flow f;

	memcpy(&key, record, sizeof(key));
	memcpy(&f, (const char *)record + sizeof(key), sizeof(f));
	c->health.entries[MAP_FLOWS]++;
	if (!f.who.tgid)
		c->ownerless = true;
	if (f.closed || datagram_over(c, &key, &f))
		return keep_closed(c, &f, &key);
	introduce(c, &f.who);
	return unless_full(model_set_flow(c->model, &f));
}

static int settle_flows(struct collector *c)
{
	int fd = engine_map_fd(c->engine, MAP_FLOWS);

	for (size_t i = 0; i < c->nclosed; i++) {
		struct closed_flow *f = &c->closed[i];
		uint64_t *gone;
		int err;

		introduce(c, &f->flow.who);
		err = unless_full(model_set_flow(c->model, &f->flow));
		if (err)
			return err;
		if (f->in_map)
			bpf_map_delete_elem(fd, &f->key);
		if (!f->flow.mask)
			continue;
		gone = grow((void **)&c->gone_flows, &c->gone_cap, c->ngone, sizeof(*gone));
		if (!gone)
			return -ENOMEM;
		*gone = f->flow.id;
		c->ngone++;
	}
	c->nclosed = 0;
	return 0;
}

static int take_overflow(struct collector *c)
{
	int fd = engine_map_fd(c->engine, MAP_OVERFLOW), err = 0;
	struct overflow_key key, *at = NULL;
	struct overflow_val val;

	while (!err && !bpf_map_get_next_key(fd, at, &key)) {
		if (!bpf_map_lookup_elem(fd, &key, &val) && val.ops)
			err = unless_full(model_set_overflow(c->model, &key, &val));
		at = &key;
	}
	return err;
}

/* --- taking out what has ended ---------------------------------------------------- */

struct tidy {
	struct collector *c;
	enum engine_map map;
	size_t key_size;
	int (*settle)(struct collector *c, const void *record);
};

static bool ready_to_go(struct collector *c, const struct subject *who)
{
	const struct known *k = hashmap_find(&c->known, who);

	return k && k->exit_ns && k->exit_ns + GRACE_NS < c->now_ns;
}

static bool channel_gone(void *arg, const struct subject *who)
{
	return ready_to_go(arg, who);
}

static void channel_introduce(void *arg, const struct subject *who)
{
	introduce(arg, who);
}

static int take_channels(struct collector *c)
{
	struct channel_look look = {channel_introduce, channel_gone, c};

	return channels_collect(c->engine, c->model, &look, c->now_ns, &c->devices_ns, &c->health.entries[MAP_CHANNELS]);
}

static int settle_access(struct collector *c, const void *record)
{
	struct ledger_key key;
	int err = take_access(c, record);

	memcpy(&key, record, sizeof(key));
	return err ? err : unless_full(model_settle_access(c->model, &key));
}

static int settle_edge(struct collector *c, const void *record)
{
	struct edge_key key;
	int err = take_edge(c, record);

	memcpy(&key, record, sizeof(key));
	return err ? err : unless_full(model_settle_edge(c->model, &key));
}

/* All three maps' keys begin with the subject. */
static int tidy_one(void *arg, const void *record)
{
	struct tidy *t = arg;
	struct subject who;

	memcpy(&who, record, sizeof(who));
	/* of the living the model must hear before the dead between them and their ancestors are forgotten */
	if (!ready_to_go(t->c, &who))
		return t->map == MAP_TAINTED ? take_tainted(t->c, record) : 0;
	int err = t->settle(t->c, record);
	if (err)
		return err;
	bpf_map_delete_elem(engine_map_fd(t->c->engine, t->map), record);
	return 0;
}

static int tidy_flow_taint(void *arg, const void *record)
{
	struct collector *c = arg;
	struct flow_taint_key key;

	memcpy(&key, record, sizeof(key));
	for (size_t i = 0; i < c->ngone; i++)
		if (c->gone_flows[i] == key.id)
			bpf_map_delete_elem(engine_map_fd(c->engine, MAP_FLOW_TAINTS), &key);
	return 0;
}

static int settle_taint(struct collector *c, const void *record)
{
	return take_tainted(c, record);
}

static void forget_dead(struct collector *c)
{
	struct known **at = &c->dead;

	while (*at) {
		struct known *k = *at;

		if (k->exit_ns + GRACE_NS + TIDY_NS >= c->now_ns) {
			at = &k->next_dead;
			continue;
		}
		*at = k->next_dead;
		hashmap_remove(&c->known, &k->who);
		free(k);
	}
}

static int tidy(struct collector *c)
{
	struct tidy access = {c, MAP_LEDGER, sizeof(struct ledger_key), settle_access};
	struct tidy edge = {c, MAP_EDGES, sizeof(struct edge_key), settle_edge};
	struct tidy taint = {c, MAP_TAINTED, sizeof(struct subject), settle_taint};
	int err = 0;

	if (c->dead) {
		engine_dump_since(c->engine, 0);
		err = engine_iterate(c->engine, ITER_LEDGER, sizeof(struct ledger_key) + sizeof(struct ledger_val),
				     tidy_one, &access);
		if (!err)
			err = engine_iterate(c->engine, ITER_EDGES, sizeof(struct edge_key) + sizeof(struct edge_val),
					     tidy_one, &edge);
		if (!err)
			err = engine_iterate(c->engine, ITER_TAINTED, sizeof(struct subject) + sizeof(struct taint),
					     tidy_one, &taint);
		forget_dead(c);
	}
	if (!err && c->ngone) {
		engine_dump_since(c->engine, 0);
		err = engine_iterate(c->engine, ITER_FLOW_TAINTS,
				     sizeof(struct flow_taint_key) + sizeof(struct flow_taint), tidy_flow_taint, c);
		c->ngone = 0;
	}
	return err;
}

/* --- descriptors ------------------------------------------------------------------- */

static int see_pipe(void *arg, const void *record)
{
	struct collector *c = arg;
	struct object *o = grow((void **)&c->pipes, &c->pipes_cap, c->npipes, sizeof(*o));

	if (!o)
		return -ENOMEM;
	memcpy(o, record, sizeof(*o));
	c->npipes++;
	return 0;
}

static int by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct object));
}

/* A pipe that no descriptor table holds at two looks in a row is gone, and with it what it held. */
static void forget_pipes(struct collector *c)
{
	int fd = engine_map_fd(c->engine, MAP_OBJECTS);
	struct object key, next, *at = NULL;
	struct object_taint val;

	qsort(c->pipes, c->npipes, sizeof(*c->pipes), by_bytes);
	bool more = !bpf_map_get_next_key(fd, at, &next);
	while (more) {
		key = next;
		more = !bpf_map_get_next_key(fd, &key, &next);
		if ((c->npipes && bsearch(&key, c->pipes, c->npipes, sizeof(key), by_bytes)) ||
		    (c->npipes_before && bsearch(&key, c->pipes_before, c->npipes_before, sizeof(key), by_bytes)))
			continue;
		/* of what is mapped descriptors tell nothing; the kernel half does */
		if (!bpf_map_lookup_elem(fd, &key, &val) && val.inode)
			continue;
		if (!object_names_keeps(c->names, &key))
			bpf_map_delete_elem(fd, &key);
	}
	free(c->pipes_before);
	c->pipes_before = c->pipes;
	c->npipes_before = c->npipes;
	c->pipes = NULL;
	c->npipes = c->pipes_cap = 0;
}

static void shared_gone(void *arg, const struct object *what)
{
	struct collector *c = arg;

	object_names_gone(c->names, what);
}

static int look_at_descriptors(struct collector *c)
{
	bool objects = c->now_ns - c->objects_ns >= OBJECTS_NS;

	if (!objects && !(c->ownerless && c->now_ns - c->healed_ns >= HEAL_NS))
		return 0;
	c->npipes = 0;
	int err = engine_iterate(c->engine, ITER_FILES, sizeof(struct object), see_pipe, c);
	c->healed_ns = c->now_ns;
	if (err || !objects)
		return err == -EOPNOTSUPP ? 0 : err;
	c->objects_ns = c->now_ns;
	forget_pipes(c);
	return 0;
}

/* --- as a whole ---------------------------------------------------------------------- */

static int dump(struct collector *c, enum engine_iter it, size_t size, int (*take)(void *, const void *))
{
	engine_dump_since(c->engine, c->since_ns);
	return engine_iterate(c->engine, it, size, take, c);
}

/* What closed is settled last: by then the taints and reads that led to it have been read. */
static int read_maps(struct collector *c)
{
	int err = dump(c, ITER_TAINTED, sizeof(struct subject) + sizeof(struct taint), take_tainted);

	if (!err)
		err = dump(c, ITER_LEDGER, sizeof(struct ledger_key) + sizeof(struct ledger_val), take_access);
	if (!err)
		err = dump(c, ITER_EDGES, sizeof(struct edge_key) + sizeof(struct edge_val), take_edge);
	if (!err)
		err = dump(c, ITER_FLOWS, sizeof(struct flow_key) + sizeof(struct flow), take_flow);
	if (!err)
		err = dump(c, ITER_FLOW_TAINTS, sizeof(struct flow_taint_key) + sizeof(struct flow_taint),
			   take_flow_taint);
	if (!err)
		err = settle_flows(c);
	if (!err)
		err = take_overflow(c);
	if (!err)
		err = take_channels(c);
	return err;
}

int collector_tick(struct collector *c, uint64_t now_ns, uint64_t late_ns)
{
	int err;

	c->now_ns = now_ns;
	c->err = 0;
	c->ownerless = false;
	health_begin(&c->health);
	engine_interval(c->engine, now_ns);
	err = collector_drain(c);
	if (!err)
		err = shared_look(c->engine, &c->shared, now_ns, shared_gone, c);
	if (!err)
		err = read_maps(c);
	if (!err)
		err = object_names_tick(c->names, now_ns);
	if (!err)
		err = look_at_descriptors(c);
	health_report(&c->health, c->engine, c->model, now_ns, late_ns);
	if (!err && now_ns - c->tidied_ns >= TIDY_NS) {
		err = tidy(c);
		c->tidied_ns = now_ns;
	}
	if (!err) {
		/* an interval is read at its end and once more, for what was being written just then */
		c->since_ns = c->before_ns;
		c->before_ns = now_ns;
	}
	return err ? err : c->err;
}

int collector_seed(struct collector *c)
{
	int err;

	c->now_ns = now_boot_ns();
	chardev_refresh(c->engine); /* before anyone can be found to be tainted */
	err = engine_iterate(c->engine, ITER_MAPPINGS, 0, NULL, NULL);
	if (!err || err == -EOPNOTSUPP)
		err = engine_iterate(c->engine, ITER_FILES, sizeof(struct object), see_pipe, c);
	c->npipes = 0;
	return err == -EOPNOTSUPP ? 0 : err;
}

void collector_blind(struct collector *c, uint64_t ns)
{
	c->health.blind_ns = ns;
}

int collector_new(struct engine *engine, struct model *model, const struct plan *plan, struct collector **ret)
{
	struct collector *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	c->engine = engine;
	c->model = model;
	c->known = HASHMAP_OF(struct known, who);
	c->ring = ring_buffer__new(engine_map_fd(engine, MAP_EVENTS), take_event, c, NULL);
	err = c->ring ? health_init(&c->health, engine, plan) : -errno;
	if (!err)
		err = object_names_new(engine, model, &c->names);
	if (err) {
		collector_free(c);
		return err;
	}
	c->objects_ns = c->tidied_ns = c->now_ns = c->shared.whole_ns = now_boot_ns();
	*ret = c;
	return 0;
}

struct collector *collector_free(struct collector *c)
{
	if (!c)
		return NULL;
	for (size_t i = 0; i < c->known.size; i++)
		free(c->known.slots[i].item);
	hashmap_free(&c->known);
	ring_buffer__free(c->ring);
	object_names_free(c->names);
	health_done(&c->health);
	free(c->closed);
	free(c->gone_flows);
	free(c->pipes);
	free(c->pipes_before);
	free(c);
	return NULL;
}
