/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What stands of the canaries in the kernel's maps, and taking it out of there. */
#include "user/selftest_internal.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <netinet/in.h>
#include <string.h>

#include "user/map_call.h"

#define WALK_MAX (4 * SL_LEDGER_MAX) /* a walk over a map that changes may begin again */
#define ROW_MAX 512

static int add(void **v, size_t *n, size_t size, const void *row)
{
	void *more;

	if (*n >= EVIDENCE_MAX)
		return 0;
	more = reallocarray(*v, *n + 1, size);
	if (!more)
		return -ENOMEM;
	memcpy((char *)more + *n * size, row, size);
	*v = more;
	++*n;
	return 0;
}

#define ADD(list, row) add((void **)&(list).v, &(list).n, sizeof(*(list).v), row)

void evidence_free(struct evidence *ev)
{
#define X(field, type) free(ev->field.v);
	EVIDENCE_LISTS(X)
#undef X
	memset(ev, 0, sizeof(*ev));
}

/* --- walking a map ---------------------------------------------------------------------------- */

typedef int row_fn(void *arg, const void *key, const void *value);

/* Calls `each` for every entry; the key after is known before, so that `each` may delete this one.
 */
static int walk(int fd, size_t key_size, row_fn *each, void *arg)
{
	uint8_t key[ROW_MAX], next[ROW_MAX], value[ROW_MAX];
	int err = 0;
	bool more;

	if (fd < 0)
		return 0; /* the object for this kernel has no such map */
	more = !bpf_map_get_next_key(fd, NULL, next);
	for (size_t i = 0; more && !err && i < WALK_MAX; i++) {
		memcpy(key, next, key_size);
		more = !bpf_map_get_next_key(fd, key, next);
		if (!map_lookup(fd, key, value))
			err = each(arg, key, value);
	}
	return err;
}

struct reading {
	const struct canary_ids *ids;
	struct evidence *ev;
};

static bool ours(const struct canary_ids *ids, const struct subject *who)
{
	return canaries_own(ids->canaries, who->tgid);
}

static bool our_flow(const struct canary_ids *ids, const struct flow *f)
{
	if (ours(ids, &f->who))
		return true;
	for (size_t i = 0; i < ids->n; i++) {
		const struct canary_note *n = ids->notes[i];

		if (n->port && n->peer_port &&
		    (flow_is(f, f->proto, n->port, n->peer_port) ||
		     flow_is(f, f->proto, n->peer_port, n->port)))
			return true;
	}
	return false;
}

static int row_access(void *arg, const void *key, const void *value)
{
	struct reading *r = arg;
	struct seen_access row;

	memcpy(&row.key, key, sizeof(row.key));
	memcpy(&row.val, value, sizeof(row.val));
	return ours(r->ids, &row.key.who) ? ADD(r->ev->ledger, &row) : 0;
}

static int row_taint(void *arg, const void *key, const void *value)
{
	struct reading *r = arg;
	struct seen_taint row;

	memcpy(&row.who, key, sizeof(row.who));
	memcpy(&row.taint, value, sizeof(row.taint));
	return ours(r->ids, &row.who) ? ADD(r->ev->tainted, &row) : 0;
}

static int row_object(void *arg, const void *key, const void *value)
{
	struct reading *r = arg;
	struct seen_object row;

	memcpy(&row.what, key, sizeof(row.what));
	memcpy(&row.taint, value, sizeof(row.taint));
	return ADD(r->ev->objects, &row);
}

static int row_edge(void *arg, const void *key, const void *value)
{
	struct reading *r = arg;
	struct seen_edge row;

	memcpy(&row.key, key, sizeof(row.key));
	memcpy(&row.val, value, sizeof(row.val));
	return ours(r->ids, &row.key.who) ? ADD(r->ev->edges, &row) : 0;
}

static int row_channel(void *arg, const void *key, const void *value)
{
	struct reading *r = arg;
	struct seen_channel row;

	memcpy(&row.key, key, sizeof(row.key));
	memcpy(&row.val, value, sizeof(row.val));
	return ours(r->ids, &row.key.who) ? ADD(r->ev->channels, &row) : 0;
}

static int row_flow(void *arg, const void *record)
{
	struct reading *r = arg;
	struct flow f;

	memcpy(&f, (const char *)record + sizeof(struct flow_key), sizeof(f));
	return our_flow(r->ids, &f) ? ADD(r->ev->flows, &f) : 0;
}

static int row_held(void *arg, const void *record)
{
	struct reading *r = arg;

	return ADD(r->ev->held, record);
}

static int row_owner(void *arg, const void *key, const void *value)
{
	struct reading *r = arg;
	struct sock_owner row;

	memcpy(&row, value, sizeof(row));
	return ours(r->ids, &row.who) ? ADD(r->ev->owners, &row) : 0;
}

int evidence_read(struct engine *e, const struct canary_ids *ids, struct evidence *ret)
{
	struct reading r = {ids, ret};
	int err;

	err = walk(engine_map_fd(e, MAP_LEDGER), sizeof(struct ledger_key), row_access, &r);
	if (!err)
		err = walk(engine_map_fd(e, MAP_TAINTED), sizeof(struct subject), row_taint, &r);
	if (!err)
		err = walk(engine_map_fd(e, MAP_OBJECTS), sizeof(struct object), row_object, &r);
	if (!err)
		err = walk(engine_map_fd(e, MAP_EDGES), sizeof(struct edge_key), row_edge, &r);
	if (!err)
		err = walk(engine_map_named(e, "channels"), sizeof(struct channel_key), row_channel,
			   &r);
	if (!err)
		err = walk(engine_map_fd(e, MAP_SOCKS), sizeof(uint64_t), row_owner, &r);
	if (!err)
		err = engine_iterate(e, ITER_FLOWS, sizeof(struct flow_key) + sizeof(struct flow),
				     row_flow, &r);
	if (err && err != -EOPNOTSUPP)
		return err;
	err = engine_iterate(e, ITER_FILES, sizeof(struct object), row_held, &r);
	return err == -EOPNOTSUPP ? 0 : err;
}

/* --- the ring ------------------------------------------------------------------------------------
 */

static int take_event(void *arg, void *data, size_t len)
{
	struct evidence *ev = arg;
	uint32_t type = len >= sizeof(type) ? *(uint32_t *)data : 0;

	if (type == EVENT_EXIT && len >= sizeof(struct exit_event))
		return ADD(ev->ended, &((struct exit_event *)data)->who);
	if (type == EVENT_FLOW_CLOSE && len >= sizeof(struct flow_event))
		return ADD(ev->closed, &((struct flow_event *)data)->flow);
	return 0;
}

static int take_said(void *arg, void *data, size_t len)
{
	struct evidence *ev = arg;

	return len >= sizeof(struct said) ? ADD(ev->said, data) : 0;
}

int evidence_drain(struct engine *e, struct evidence *ev)
{
	struct ring_buffer *ring =
	    ring_buffer__new(engine_map_fd(e, MAP_EVENTS), take_event, ev, NULL);
	int n;

	if (!ring)
		return -errno;
	n = ring_buffer__add(ring, engine_map_fd(e, MAP_SAID), take_said, ev);
	if (!n)
		n = ring_buffer__consume(ring);
	ring_buffer__free(ring);
	return n < 0 ? n : 0;
}

/* --- taking it out
 * -------------------------------------------------------------------------------- */

struct clearing {
	const struct canary_ids *ids;
	int fd;
};

static int clear_any(void *arg, const void *key, const void *value)
{
	const struct clearing *c = arg;

	map_delete(c->fd, key);
	return 0;
}

static int clear_flow(void *arg, const void *key, const void *value)
{
	const struct clearing *c = arg;
	struct flow f;

	memcpy(&f, value, sizeof(f));
	if (our_flow(c->ids, &f))
		map_delete(c->fd, key);
	return 0;
}

static int clear_owner(void *arg, const void *key, const void *value)
{
	const struct clearing *c = arg;
	struct sock_owner o;

	memcpy(&o, value, sizeof(o));
	if (ours(c->ids, &o.who))
		map_delete(c->fd, key);
	return 0;
}

/* The accounts of last resort stay, as nothing. */
static int clear_overflow(void *arg, const void *key, const void *value)
{
	static const struct overflow_val none;
	const struct clearing *c = arg;
	struct overflow_key k;

	memcpy(&k, key, sizeof(k));
	if (k.cgroup)
		map_delete(c->fd, &k);
	else
		map_update(c->fd, &k, &none, BPF_EXIST);
	return 0;
}

static int forget_read(void *arg, void *data, size_t len)
{
	return 0;
}

static void clear_reads(struct engine *e)
{
	struct ring_buffer *ring = ring_buffer__new(engine_map_fd(e, MAP_READS), forget_read, NULL, NULL);

	if (ring)
		ring_buffer__consume(ring);
	ring_buffer__free(ring);
}

static void clear_losses(struct engine *e)
{
	int ncpus = libbpf_num_possible_cpus();
	_cleanup_free_ uint64_t *none = ncpus > 0 ? calloc((size_t)ncpus, sizeof(*none)) : NULL;

	for (uint32_t i = 0; none && i < LOSS_KINDS; i++)
		map_update(engine_map_fd(e, MAP_LOSSES), &i, none, BPF_EXIST);
}

void evidence_clear(struct engine *e, const struct canary_ids *ids)
{
	/* nothing but the canaries' directory was registered: whatever these hold goes back to it
	 */
	static const struct {
		const char *name;
		size_t key_size;
		row_fn *clear;
	} maps[] = {
	    {"ledger", sizeof(struct ledger_key), clear_any},
	    {"tainted", sizeof(struct subject), clear_any},
	    {"objects", sizeof(struct object), clear_any},
	    {"edges", sizeof(struct edge_key), clear_any},
	    {"channels", sizeof(struct channel_key), clear_any},
	    {"flow_taints", sizeof(struct flow_taint_key), clear_any},
	    {"announced", sizeof(struct subject), clear_any},
	    {"overflow", sizeof(struct overflow_key), clear_overflow},
	    {"flows", sizeof(struct flow_key), clear_flow},
	    {"socks", sizeof(uint64_t), clear_owner},
	};

	engine_untaint(e);
	for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
		struct clearing c = {ids, engine_map_named(e, maps[i].name)};

		walk(c.fd, maps[i].key_size, maps[i].clear, &c);
	}
	clear_reads(e);
	clear_losses(e);
}
