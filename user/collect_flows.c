/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Flows: live, closed, and those for which the kernel half had no room. */
#include "user/collect_internal.h"

#include <bpf/libbpf.h>
#include <netinet/in.h>
#include <string.h>

#include "user/map_call.h"

#define UDP_IDLE_NS (60 * NSEC)	     /* a datagram flow without traffic is over */
#define STRANGERS_NS (60 * NSEC)     /* from when on connections without a record count: see tcp_unknown_closed() */

int keep_closed(struct collector *c, const struct flow *f, const struct flow_key *key)
{
	struct closed_flow *slot = collect_grow((void **)&c->closed, &c->closed_cap, c->nclosed, sizeof(*slot));

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

	if (f->last_ns + UDP_IDLE_NS < c->now_ns)
		return true;
	if (!f->who.tgid)
		return false;
	return map_lookup(engine_map_fd(c->engine, MAP_SOCKS), &key->sock, &owner) ||
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
	/* under a socket's address is the record of whatever socket is there by now: the sweep itself took out this one */
	if (key.proto == IPPROTO_TCP && f.closed)
		return keep_closed(c, &f, key.sock == f.id ? &key : NULL);
	if (key.proto != IPPROTO_TCP && datagram_over(c, &key, &f))
		return keep_closed(c, &f, &key);
	introduce(c, &f.who);
	return unless_full(model_set_flow(c->model, &f));
}

/* --- closed ------------------------------------------------------------------------ */

/* Both at once, since 3e87f192b405 ("bpf: Add lookup_and_delete_elem support to hashtab"), 5.14. */
static int take_out(struct collector *c, const struct flow_key *key, struct flow *ret)
{
	uint64_t *gone = engine_variable(c->engine, "flows_gone", sizeof(*gone));
	int fd = engine_map_fd(c->engine, MAP_FLOWS), err;

	err = map_take(fd, key, ret) ? -errno : 0;
	if (err && err != -ENOENT) {
		err = map_lookup(fd, key, ret) ? -errno : 0;
		if (!err)
			err = map_delete(fd, key) ? -errno : 0;
	}
	if (!err && gone)
		__atomic_fetch_add(gone, 1, __ATOMIC_RELAXED);
	return err;
}

static int settle_flow(struct collector *c, const struct closed_flow *closed)
{
	struct flow f = closed->flow;
	bool last = true;

	if (closed->in_map) {
		/* if it is not there, it ended with its socket, and the ring tells */
		last = !take_out(c, &closed->key, &f);
		f.closed = last;
	}
	introduce(c, &f.who);
	int err = unless_full(model_set_flow(c->model, &f));
	if (err || !f.mask || !last)
		return err;
	uint64_t *gone = collect_grow((void **)&c->gone_flows, &c->gone_cap, c->ngone, sizeof(*gone));
	if (!gone)
		return -ENOMEM;
	*gone = f.id;
	c->ngone++;
	return 0;
}

/* The first `n`: more may come meanwhile, whose taint was not read yet. */
static int settle_flows(struct collector *c, size_t n)
{
	size_t done = 0;
	int err = 0;

	for (; done < n && !err; done++) {
		struct closed_flow f = c->closed[done];

		err = settle_flow(c, &f);
		if (++c->taken % 256 == 0)
			collector_relieve(c);
	}
	if (done)
		memmove(c->closed, c->closed + done, (c->nclosed - done) * sizeof(*c->closed));
	c->nclosed -= done;
	return err;
}

/* --- without a record ---------------------------------------------------------------- */

static uint64_t overflowed(const struct collector *c, uint32_t direction)
{
	int n = libbpf_num_possible_cpus();
	_cleanup_free_ uint64_t *cpu = n > 0 ? calloc((size_t)n, sizeof(*cpu)) : NULL;
	uint64_t sum = 0;

	if (!cpu || map_lookup(engine_map_fd(c->engine, MAP_FLOW_OVERFLOW), &direction, cpu))
		return 0;
	for (int i = 0; i < n; i++)
		sum += cpu[i];
	return sum;
}

static int take_flow_overflow(struct collector *c)
{
	const uint64_t *mask = engine_variable(c->engine, "flow_overflow_mask", sizeof(*mask));
	uint32_t *strangers = engine_variable(c->engine, "strangers_count", sizeof(*strangers));

	if (strangers && c->begun_ns && c->now_ns - c->begun_ns > STRANGERS_NS)
		*strangers = 1;
	/* the mask first: bytes that came with it are not told without it */
	uint64_t held = mask ? __atomic_load_n(mask, __ATOMIC_ACQUIRE) : 0;
	return model_set_flow_overflow(c->model, overflowed(c, 0), overflowed(c, 1), held, c->now_ns);
}

/* --- how many there are --------------------------------------------------------------- */

struct flow_count {
	uint64_t *made, *gone;
	uint64_t made_before, gone_before;
};

static struct flow_count count_begin(const struct collector *c)
{
	struct flow_count n = {
		.made = engine_variable(c->engine, "flows_made", sizeof(*n.made)),
		.gone = engine_variable(c->engine, "flows_gone", sizeof(*n.gone)),
	};

	if (n.made && n.gone) {
		n.gone_before = __atomic_load_n(n.gone, __ATOMIC_ACQUIRE);
		n.made_before = __atomic_load_n(n.made, __ATOMIC_ACQUIRE);
	}
	return n;
}

/* Should the kernel half's own count ever be wrong, it is put right when twice nothing moved meanwhile. */
static void count_end(struct collector *c, const struct flow_count *n)
{
	if (!n->made || !n->gone || *n->made != n->made_before || *n->gone != n->gone_before)
		return;
	int64_t drift = (int64_t)(n->made_before - n->gone_before) - (int64_t)c->health.entries[MAP_FLOWS];

	if (drift && drift == c->flows_drift) {
		__atomic_fetch_add(drift > 0 ? n->gone : n->made, (uint64_t)(drift > 0 ? drift : -drift), __ATOMIC_RELAXED);
		drift = 0;
	}
	c->flows_drift = drift;
}

int collect_flows(struct collector *c)
{
	size_t closed = c->nclosed;
	struct flow_count count = count_begin(c);
	int err = collect_dump(c, ITER_FLOWS, sizeof(struct flow_key) + sizeof(struct flow), c->since_ns, take_flow);

	if (err)
		return err;
	count_end(c, &count);
	/* those that the sweep found come last, and their taint is older than this */
	closed = MAX(closed, c->nclosed);
	err = collect_dump(c, ITER_FLOW_TAINTS, sizeof(struct flow_taint_key) + sizeof(struct flow_taint), c->since_ns,
			   take_flow_taint);
	if (!err)
		err = settle_flows(c, closed);
	return err ? err : take_flow_overflow(c);
}

/* --- what they said -------------------------------------------------------------------- */

static void introduce_one(void *arg, const struct subject *who)
{
	introduce(arg, who);
}

/* Bytes that the look at the flows counted were told by the ring before them. */
int collect_said(struct collector *c)
{
	int err = collector_drain(c);

	return err ? err : said_book_tell(c->said, introduce_one, c, c->now_ns);
}

/* --- taint of what is closed ------------------------------------------------------------ */

static int by_id(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static int tidy_flow_taint(void *arg, const void *record)
{
	struct collector *c = arg;
	struct flow_taint_key key;

	memcpy(&key, record, sizeof(key));
	if (bsearch(&key.id, c->gone_flows, c->ngone, sizeof(key.id), by_id))
		map_delete(engine_map_fd(c->engine, MAP_FLOW_TAINTS), &key);
	return 0;
}

int tidy_flow_taints(struct collector *c)
{
	if (!c->ngone)
		return 0;
	qsort(c->gone_flows, c->ngone, sizeof(*c->gone_flows), by_id);
	int err = collect_dump(c, ITER_FLOW_TAINTS, sizeof(struct flow_taint_key) + sizeof(struct flow_taint), 0,
			       tidy_flow_taint);
	if (!err)
		err = tidy_links(c);
	c->ngone = 0;
	return err;
}
