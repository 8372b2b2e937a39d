/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What the ring tells: who is of interest, who ended, which flows closed. */
#include "user/collect_internal.h"

#include <bpf/libbpf.h>
#include <string.h>

#include "user/subjects.h"

#define GRACE_NS (2 * NSEC) /* between an exit and the last late completion of its I/O */
#define KNOWN_MAX 262144
#define IMAGES_BACK 16
#define BACKLOG_MAX (32u << 20) /* of the ring's, not looked at yet */
#define READS_MAX (1u << 18)	/* likewise of the ring of files read */
#define READS_KEPT 16384	/* room for so many is not given back */

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

/* The announcement may have come after the ring was read; only without one is /proc asked, which may be too late. */
void introduce(struct collector *c, const struct subject *who)
{
	if (!who->tgid || hashmap_find(&c->known, who))
		return;
	collector_drain(c);
	if (hashmap_find(&c->known, who))
		return;
	remember(c, who);
	int err = subjects_look_up(c->model, who, c->now_ns);
	labels_ask(c->labels, who);
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

bool ready_to_go(struct collector *c, const struct subject *who)
{
	const struct known *k = hashmap_find(&c->known, who);

	return k && k->exit_ns && k->exit_ns + GRACE_NS < c->now_ns;
}

void forget_dead(struct collector *c, uint64_t since_ns)
{
	struct known **at = &c->dead;

	while (*at) {
		struct known *k = *at;

		if (k->exit_ns + GRACE_NS + since_ns >= c->now_ns) {
			at = &k->next_dead;
			continue;
		}
		*at = k->next_dead;
		int err = net_mounts_ended(c->net, &k->who);
		if (unless_full(err) && !c->err)
			c->err = err;
		hashmap_remove(&c->known, &k->who);
		free(k);
	}
}

/* --- the ring ------------------------------------------------------------------ */

/* It was announced just before; where the ring had no room for that, /proc may still know it. */
static int take_sign(struct collector *c, const struct ml_event *ev)
{
	struct subject who = ev->who;
	int err = 0;

	if (!hashmap_find(&c->known, &who)) {
		remember(c, &who);
		err = subjects_look_up(c->model, &who, c->now_ns);
	}
	if (!err)
		err = model_set_ml(c->model, &who, ev->sign, ev->name);
	return err == -ENOENT || err == -ESRCH ? 0 : err;
}

static int take_event(struct collector *c, const void *data, size_t len)
{
	uint32_t type = len >= sizeof(type) ? *(const uint32_t *)data : 0;
	int err = 0;

	if (type == EVENT_SUBJECT && len >= sizeof(struct subject_event)) {
		const struct subject_event *ev = data;
		struct known *k = remember(c, &ev->who);

		if (k && !k->announced)
			err = subjects_announced(c->model, ev, len);
		if (k)
			k->announced = true;
		labels_ask(c->labels, &ev->who);
	} else if (type == EVENT_EXIT && len >= sizeof(struct exit_event)) {
		all_images_ended(c, data);
	} else if (type == EVENT_FLOW_CLOSE && len >= sizeof(struct flow_event)) {
		err = keep_closed(c, &((const struct flow_event *)data)->flow, NULL);
	} else if (type == EVENT_ML && len >= sizeof(struct ml_event)) {
		err = take_sign(c, data);
	} else if (type == EVENT_CROWD) {
		c->crowded = true;
	}
	if (unless_full(err) && !c->err)
		c->err = err;
	return 0;
}

/* --- the ring when there is no time ---------------------------------------------------- */

/* Each behind its length, in whole words: what is in it is looked at in place. */
static size_t aside_size(uint64_t len)
{
	return sizeof(uint64_t) + ((len + 7) & ~7ULL);
}

static int set_aside(struct backlog *b, const void *data, size_t len)
{
	uint64_t n = len;
	size_t size = aside_size(n);

	if (b->used + size > b->size) {
		size_t more = MAX(2 * b->size, b->used + size + 65536);
		char *p = realloc(b->bytes, more);

		if (!p)
			return -ENOMEM;
		b->bytes = p;
		b->size = more;
	}
	memcpy(b->bytes + b->used, &n, sizeof(n));
	memcpy(b->bytes + b->used + sizeof(n), data, len);
	b->used += size;
	return b->used > BACKLOG_MAX ? -ENOSPC : 0; /* the ring keeps the rest */
}

static int on_event(void *arg, void *data, size_t len)
{
	struct collector *c = arg;
	int err = c->relieving ? set_aside(&c->backlog, data, len) : take_event(c, data, len);

	/* without memory it is looked at now */
	return err == -ENOMEM ? take_event(c, data, len) : err;
}

/* Before, not after: what comes meanwhile may wake us once more. */
static int consume(struct collector *c)
{
	__atomic_store_n(c->reads_woken, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(c->said_woken, 0, __ATOMIC_SEQ_CST);
	return ring_buffer__consume(c->ring);
}

void collector_relieve(struct collector *c)
{
	if (c->relieving || c->backlog.used > BACKLOG_MAX)
		return;
	c->relieving = true;
	consume(c);
	c->relieving = false;
}

static void take_backlog(struct collector *c)
{
	struct backlog b = c->backlog;
	uint64_t n;

	c->backlog = (struct backlog){};
	for (size_t at = 0; at < b.used; at += aside_size(n)) {
		memcpy(&n, b.bytes + at, sizeof(n));
		take_event(c, b.bytes + at + sizeof(n), n);
	}
	free(b.bytes);
}

/* --- files read -------------------------------------------------------------------------- */

static int on_read(void *arg, void *data, size_t len)
{
	struct collector *c = arg;
	struct file_read *to;

	if (len < sizeof(*to))
		return 0;
	to = collect_grow((void **)&c->reads, &c->reads_cap, c->nreads, sizeof(*to));
	if (!to) {
		model_miss_file_read(c->model);
		return 0;
	}
	memcpy(to, data, sizeof(*to));
	c->nreads++;
	return c->nreads > READS_MAX ? -ENOSPC : 0; /* the ring keeps the rest */
}

static int on_said(void *arg, void *data, size_t len)
{
	struct collector *c = arg;

	said_book_hear(c->said, data, len, c->now_ns);
	return 0;
}

/* Whoever reads was announced before. Introducing someone drains the rings, so that more may come meanwhile. */
static void take_reads(struct collector *c)
{
	if (c->taking_reads)
		return;
	c->taking_reads = true;
	for (size_t i = 0; i < c->nreads; i++) {
		struct file_read r = c->reads[i];

		introduce(c, &r.who);
		if (model_set_file_read(c->model, &r.who, r.dataset, &r.what))
			model_miss_file_read(c->model);
	}
	c->nreads = 0;
	if (c->reads_cap > READS_KEPT) {
		free(c->reads);
		c->reads = NULL;
		c->reads_cap = 0;
	}
	c->taking_reads = false;
}

int collector_fd(const struct collector *c)
{
	return ring_buffer__epoll_fd(c->ring);
}

int collector_drain(struct collector *c)
{
	take_backlog(c);
	int n = consume(c);

	take_reads(c);
	return n < 0 && n != -ENOSPC ? n : 0;
}

bool collector_crowded(struct collector *c)
{
	bool crowded = c->crowded;

	c->crowded = false;
	return crowded;
}

int ring_open(struct collector *c)
{
	c->ring = ring_buffer__new(engine_map_fd(c->engine, MAP_EVENTS), on_event, c, NULL);
	if (!c->ring)
		return -errno;
	c->reads_woken = engine_variable(c->engine, "reads_woken", sizeof(*c->reads_woken));
	c->said_woken = engine_variable(c->engine, "said_woken", sizeof(*c->said_woken));
	if (!c->reads_woken || !c->said_woken)
		return -ENOENT;
	int err = ring_buffer__add(c->ring, engine_map_fd(c->engine, MAP_READS), on_read, c);
	return err ? err : ring_buffer__add(c->ring, engine_map_fd(c->engine, MAP_SAID), on_said, c);
}
