/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/collect_internal.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <string.h>

#include "user/chardev.h"
#include "user/collect_channel.h"
#include "user/map_call.h"
#include "user/model_credential.h"

#define TIDY_NS (5 * NSEC)	/* how often what has ended is taken out of the kernel's maps */
#define EDGES_MANY 1024 /* that changed in one interval: maybe a flood of pipes, which do not wait either */
#define GONE_MAX (SL_FLOW_TAINT_MAX / 8) /* closed flows whose taint does not wait for its time to be taken out */

void *collect_grow(void **array, size_t *cap, size_t n, size_t size)
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

/* The connection by where it is mounted, if that can be seen from here. */
static void name_served(struct collector *c, const struct object *what)
{
	const char *path = net_mounts_path(c->net, what->dev);

	if (path)
		model_name_object(c->model, what, path, false);
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
	int err = unless_full(model_set_edge(c->model, &key, &val));
	if (!err && key.via == VIA_SERVED_WRITE)
		name_served(c, &key.what);
	return err ? err : unless_full(net_mounts_heard(c->net, &key, &val));
}

static int take_overflow(struct collector *c)
{
	int fd = engine_map_fd(c->engine, MAP_OVERFLOW), err = 0;
	struct overflow_key key, *at = NULL;
	struct overflow_val val;

	while (!err && !bpf_map_get_next_key(fd, at, &key)) {
		if (!map_lookup(fd, &key, &val) && val.ops)
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
	map_delete(engine_map_fd(t->c->engine, t->map), record);
	return 0;
}

static int settle_taint(struct collector *c, const void *record)
{
	return take_tainted(c, record);
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
		forget_dead(c, TIDY_NS);
	}
	if (!err)
		err = tidy_flow_taints(c);
	if (!err)
		err = forget_inlets(c, false);
	return err ? err : forget_dead_pipes(c);
}

static void take_labels(struct collector *c)
{
	struct env_secrets secrets;
	struct job_labels labels;
	struct subject who;

	while (labels_take(c->labels, &who, &labels, &secrets)) {
		model_set_labels(c->model, &who, &labels); /* of whom it no longer knows it needs none */
		model_set_environment(c->model, &who, &secrets);
	}
}

static void shared_gone(void *arg, const struct object *what)
{
	struct collector *c = arg;

	object_names_gone(c->names, what);
}

/* --- as a whole ---------------------------------------------------------------------- */

struct dump {
	struct collector *c;
	int (*take)(void *arg, const void *record);
};

static int dump_one(void *arg, const void *record)
{
	const struct dump *d = arg;

	if (++d->c->taken % 1024 == 0)
		collector_relieve(d->c);
	return d->take(d->c, record);
}

int collect_dump(struct collector *c, enum engine_iter it, size_t size, uint64_t since_ns,
		 int (*take)(void *, const void *))
{
	struct dump d = {c, take};

	engine_dump_since(c->engine, since_ns);
	return engine_iterate(c->engine, it, size, dump_one, &d);
}

static int dump(struct collector *c, enum engine_iter it, size_t size, int (*take)(void *, const void *))
{
	return collect_dump(c, it, size, c->since_ns, take);
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
		err = collect_links(c);
	if (!err)
		err = collect_flows(c);
	if (!err)
		err = collect_said(c);
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
	model_begin_look(c->model);
	engine_interval(c->engine, now_ns);
	err = collector_drain(c);
	if (!err)
		err = shared_look(c->engine, &c->shared, now_ns, shared_gone, c);
	if (!err)
		err = net_mounts_tick(c->net);
	if (!err)
		err = read_maps(c);
	take_labels(c);
	if (!err)
		err = object_names_tick(c->names, now_ns);
	if (!err)
		err = look_at_descriptors(c);
	health_report(&c->health, c->engine, c->model, now_ns, late_ns);
	if (!err && now_ns - c->tidied_ns >= TIDY_NS) {
		err = tidy(c);
		c->tidied_ns = now_ns;
	}
	if (!err && c->ngone > GONE_MAX)
		err = tidy_flow_taints(c);
	if (!err && c->health.entries[MAP_EDGES] > EDGES_MANY)
		err = forget_dead_pipes(c);
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
		err = engine_iterate(c->engine, ITER_FILES, 0, NULL, NULL);
	if (!err || err == -EOPNOTSUPP)
		err = collect_carriers(c);
	uint32_t *begun = engine_variable(c->engine, "begun", sizeof(*begun));
	if (begun)
		*begun = 1;
	c->begun_ns = c->now_ns;
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
	err = said_book_new(model, &c->said);
	if (!err)
		err = ring_open(c);
	if (!err)
		err = health_init(&c->health, engine, plan);
	if (!err)
		err = object_names_new(engine, model, &c->names);
	if (!err)
		err = labels_new("/proc", &c->labels);
	if (!err)
		err = net_mounts_new(model, engine_map_fd(engine, MAP_NET_DEVICES), &c->net);
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
	said_book_free(c->said);
	object_names_free(c->names);
	labels_free(c->labels);
	net_mounts_free(c->net);
	health_done(&c->health);
	free(c->closed);
	free(c->gone_flows);
	free(c->inlets);
	free(c->backlog.bytes);
	free(c->reads);
	free(c->held);
	free(c->held_before);
	free(c->dead_pipes);
	free(c);
	return NULL;
}
