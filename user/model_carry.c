/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/model_carry.h"

#include <string.h>

/* --- what is held -------------------------------------------------------------- */

const struct m_carried *carried_of(const struct m_carried *list, unsigned dataset)
{
	while (list && list->dataset != dataset)
		list = list->next;
	return list;
}

uint64_t carried_mask(const struct m_carried *list)
{
	uint64_t mask = 0;

	for (; list; list = list->next)
		mask |= BIT(list->dataset);
	return mask;
}

struct m_carried *carried_free(struct m_carried *list)
{
	while (list) {
		struct m_carried *next = list->next;

		chain_free(list->is.chain, list->is.nchain);
		free(list);
		list = next;
	}
	return NULL;
}

static uint64_t add_up(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

/* Of two ways the one by which more came. */
static void carried_add(struct carried *to, struct carried *more)
{
	if (more->bound > to->bound) {
		struct hop *chain = to->chain;
		size_t n = to->nchain;

		to->chain = more->chain;
		to->nchain = more->nchain;
		more->chain = chain;
		more->nchain = n;
	}
	to->bound = add_up(to->bound, more->bound);
	to->exposed = add_up(to->exposed, more->exposed);
	to->since_ns = (int64_t)more->since_ns < (int64_t)to->since_ns ? more->since_ns : to->since_ns;
	chain_free(more->chain, more->nchain);
	more->chain = NULL;
	more->nchain = 0;
}

void carried_move(struct m_carried **to, struct m_carried **from)
{
	while (*from) {
		struct m_carried *c = *from, *have = (struct m_carried *)carried_of(*to, c->dataset);

		*from = c->next;
		if (have) {
			carried_add(&have->is, &c->is);
			free(c);
			continue;
		}
		c->next = *to;
		*to = c;
	}
}

static int carry(struct model *m, struct m_carried **list, unsigned dataset, struct carried *c)
{
	struct m_carried *one = calloc(1, sizeof(*one));

	if (!one)
		return -ENOMEM;
	*one = (struct m_carried){.dataset = dataset, .is = *c};
	one->is.exposed = MAX(c->exposed, c->bound);
	c->chain = NULL;
	c->nchain = 0;
	carried_move(list, &one);
	model_touch(m, BIT(dataset));
	return 0;
}

static int check(const struct model *m, unsigned dataset, const struct carried *c)
{
	return dataset < SL_DATASETS_MAX && m->datasets[dataset].carried && c->bound ? 0 : -EINVAL;
}

static int done(struct carried *c, int err)
{
	chain_free(c->chain, c->nchain);
	c->chain = NULL;
	c->nchain = 0;
	return err;
}

int model_carry_subject(struct model *m, const struct subject *who, unsigned dataset, struct carried *c)
{
	struct m_subject *s;
	int err = check(m, dataset, c);

	if (!err)
		err = subject_get(m, who, &s);
	return done(c, err ? err : carry(m, &s->carried, dataset, c));
}

int model_carry_object(struct model *m, const struct object *what, enum object_kind kind, unsigned dataset, struct carried *c)
{
	struct m_object *o;
	int err = check(m, dataset, c);

	if (!err)
		err = object_get(m, what, &o);
	if (!err && !o->kind)
		o->kind = kind;
	return done(c, err ? err : carry(m, &o->carried, dataset, c));
}

int model_recall_object(struct model *m, const struct object *what, const char *path, bool told_open)
{
	struct m_object *o = hashmap_find(&m->objects, what);

	if (!o)
		return -ENOENT;
	o->told_open = told_open;
	if (!path || o->path)
		return 0;
	o->path = strdup(path);
	return o->path ? 0 : -ENOMEM;
}

/* --- datasets ---------------------------------------------------------------------- */

/* By the time that went by since: what is older than the window is out of it. */
static void spent_take(struct budget_ring *r, const struct carried_dataset *c, uint64_t now_ns)
{
	int64_t age = (int64_t)(now_ns - c->spent_until_ns);

	if (!c->spent_slot_ns)
		return;
	uint64_t slots = age > 0 ? (uint64_t)age / c->spent_slot_ns : 0;
	r->slot_ns = c->spent_slot_ns;
	r->last_slot = now_ns / r->slot_ns;
	for (uint64_t i = 0; i + slots < BUDGET_SLOTS; i++) {
		uint64_t spent = c->spent[BUDGET_SLOTS - 1 - i];

		r->bytes[(r->last_slot - slots - i) % BUDGET_SLOTS] = spent;
		r->before = add_up(r->before, spent);
	}
	r->started = true;
}

void model_carry_dataset(struct model *m, unsigned dataset, const struct carried_dataset *c)
{
	struct m_dataset *d = &m->datasets[dataset];

	d->carried = c->total;
	d->size = c->size;
	d->files = c->files;
	d->shrank = c->shrank;
	spent_take(&d->budget, c, m->clock_ns);
	model_touch(m, BIT(dataset));
}

static void spent_give(const struct budget_ring *r, struct carried_dataset *c)
{
	if (!r->started)
		return;
	c->spent_slot_ns = r->slot_ns;
	c->spent_until_ns = (r->last_slot + 1) * r->slot_ns;
	for (unsigned i = 0; i < BUDGET_SLOTS; i++)
		c->spent[i] = r->bytes[(r->last_slot + 1 + i) % BUDGET_SLOTS];
}

int model_carried(struct model *m, unsigned dataset, struct carried_dataset *ret)
{
	const struct m_dataset *d = &m->datasets[dataset];
	struct ds_graph *g;
	int err = ds_graph_current(m, dataset, &g);

	if (err)
		return err;
	*ret = (struct carried_dataset){
		.total = ds_graph_supply(g), .size = d->size, .files = d->files, .shrank = d->shrank};
	spent_give(&d->budget, ret);
	return 0;
}

/* --- holders ------------------------------------------------------------------------- */

bool object_lasts(const struct m_object *o)
{
	switch (o->kind) {
	case OBJECT_UNKNOWN:
	case OBJECT_FILE:
	case OBJECT_PIPE:
	case OBJECT_MEMORY:
	case OBJECT_QUEUE:
		return !o->gone && !o->merged;
	default:
		return false;
	}
}

struct holders {
	struct model *m;
	unsigned dataset;
	struct ds_graph *g;
	uint64_t all;	 /* that there is */
	uint64_t *bound; /* by slot */
	uint64_t *work;
	int (*each)(void *arg, const struct carry_item *item);
	void *arg;
};

/* A child inherits from what its parent's image before held as well. */
static uint64_t process_arrival(const struct m_subject *s, unsigned dataset)
{
	uint64_t first = subject_arrival(s, dataset);

	for (const struct m_subject *i = s->process ? s->process->images : NULL; i; i = i->next_image)
		first = MIN(first, subject_arrival(i, dataset));
	return first;
}

static uint64_t object_arrival(const struct m_object *o, unsigned dataset)
{
	const struct m_carried *c = carried_of(o->carried, dataset);
	uint64_t first = UINT64_MAX;

	if (c)
		return c->is.since_ns;
	for (const struct m_edge *e = o->edges; e; e = e->other_next) {
		for (unsigned i = 0; edge_writes(e) && i < e->ntransfers; i++) {
			if (e->transfers[i].mask & BIT(dataset))
				first = MIN(first, e->transfers[i].sum.first_ns);
		}
	}
	return first == UINT64_MAX ? 0 : first;
}

static int leak_of(struct holders *h, const struct carry_item *item, struct leak *ret)
{
	return item->object ? ds_graph_objects(h->g, &item->object, 1, h->work, ret)
			    : ds_graph_held(h->g, &item->subject, 1, h->work, ret);
}

static int chain_of(struct holders *h, struct carry_item *item)
{
	int err = item->object ? chain_to_object(h->m, h->dataset, h->g, item->object, &item->is.chain, &item->is.nchain)
			       : chain_to_subject(h->m, h->dataset, h->g, item->subject, &item->is.chain, &item->is.nchain);

	*h->work -= MIN(*h->work, ds_graph_arcs(h->g) + 64);
	return err == -ENOENT ? 0 : err;
}

/* Without allowance the bound is looser, and of what is exposed it is only known that it is no more than all. */
static int measure(struct holders *h, struct carry_item *item)
{
	struct leak leak;
	int err = *h->work ? leak_of(h, item, &leak) : 1;

	if (err)
		return err < 0 ? err : 0;
	item->is.bound = MIN(item->is.bound, leak.bound);
	item->is.exposed = leak.exposed;
	return *h->work && item->is.bound ? chain_of(h, item) : 0;
}

static int give(struct holders *h, struct carry_item *item, uint64_t loose, uint64_t since_ns)
{
	item->dataset = h->dataset;
	item->is = (struct carried){.bound = loose, .exposed = h->all, .since_ns = since_ns};
	int err = measure(h, item);

	if (!err && item->is.bound)
		err = h->each(h->arg, item);
	chain_free(item->is.chain, item->is.nchain);
	return err;
}

static int give_objects(struct holders *h)
{
	int err = ds_graph_object_volumes(h->g, h->bound, h->m->object_slots.count);

	for (const struct m_object *o = h->m->first_object; o && !err; o = o->next) {
		struct carry_item item = {.object = o};

		if (object_lasts(o) && h->bound[o->slot])
			err = give(h, &item, h->bound[o->slot], object_arrival(o, h->dataset));
	}
	return err;
}

static int give_subjects(struct holders *h)
{
	int err = ds_graph_volumes(h->g, h->bound, h->m->subject_slots.count);

	for (const struct m_subject *s = h->m->first_subject; s && !err; s = s->next) {
		struct carry_item item = {.subject = s};

		if (subject_alive(s) && h->bound[s->slot])
			err = give(h, &item, h->bound[s->slot], process_arrival(s, h->dataset));
	}
	return err;
}

int model_carry_each(struct model *m, unsigned dataset, uint64_t *work,
		     int (*each)(void *arg, const struct carry_item *item), void *arg)
{
	size_t slots = MAX(m->object_slots.count, m->subject_slots.count);
	_cleanup_free_ uint64_t *bound = calloc(slots + 1, sizeof(*bound));
	struct holders h = {.m = m, .dataset = dataset, .bound = bound, .work = work, .each = each, .arg = arg};
	int err = bound ? ds_graph_current(m, dataset, &h.g) : -ENOMEM;

	if (!err)
		h.all = ds_graph_supply(h.g);
	if (!err)
		err = give_objects(&h);
	return err ? err : give_subjects(&h);
}
