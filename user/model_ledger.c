/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The exact totals: what was read, what had no room, what moved between subjects and objects. */
#include "user/model_internal.h"

#include <string.h>

static void account_set(struct account *a, uint64_t bytes, uint64_t ops, uint64_t files,
			uint64_t first_ns, uint64_t last_ns)
{
	a->live = (struct figures){bytes, ops, files};
	a->first_ns = a->first_ns && a->first_ns < first_ns ? a->first_ns : first_ns;
	a->last_ns = MAX(a->last_ns, last_ns);
}

static void account_settle(struct account *a)
{
	a->settled = account_total(a);
	a->live = (struct figures){0};
}

void account_move(struct account *to, struct account *from)
{
	struct figures all = account_total(from);

	to->settled.bytes += all.bytes;
	to->settled.ops += all.ops;
	to->settled.files += all.files;
	to->given.bytes += from->given.bytes;
	to->given.ops += from->given.ops;
	to->given.files += from->given.files;
	to->first_ns = to->first_ns && (!from->first_ns || to->first_ns < from->first_ns)
			   ? to->first_ns
			   : from->first_ns;
	to->last_ns = MAX(to->last_ns, from->last_ns);
	*from = (struct account){0};
}

/* --- reads --------------------------------------------------------------- */

struct m_access *subject_access(const struct m_subject *s, unsigned dataset)
{
	struct m_access *a = s->access;

	while (a && a->dataset != dataset)
		a = a->next;
	return a;
}

int access_get(struct m_subject *s, unsigned dataset, struct m_access **ret)
{
	struct m_access *a = subject_access(s, dataset);

	if (!a) {
		a = calloc(1, sizeof(*a));
		if (!a)
			return -ENOMEM;
		a->dataset = (uint16_t)dataset;
		a->next = s->access;
		s->access = a;
	}
	*ret = a;
	return 0;
}

uint64_t access_bytes(const struct m_access *a)
{
	uint64_t sum = 0;

	for (unsigned k = 0; a && k < ACCESS_KINDS; k++)
		sum += account_total(&a->kind[k]).bytes;
	return sum;
}

static bool known_key(uint16_t dataset, uint16_t kind)
{
	return dataset < SL_DATASETS_MAX && kind && kind < ACCESS_KINDS;
}

int model_set_access(struct model *m, const struct ledger_key *key, const struct ledger_val *val)
{
	struct m_subject *s;
	struct m_access *a;
	int err = known_key(key->dataset, key->kind) ? 0 : -EINVAL;

	if (!err)
		err = subject_get(m, &key->who, &s);
	if (!err)
		err = access_get(s, key->dataset, &a);
	if (err)
		return err;

	struct account *sum = &a->kind[key->kind];
	uint64_t before = account_total(sum).bytes;

	account_set(sum, val->bytes, val->ops, val->files, val->first_ns, val->last_ns);
	uint64_t after = account_total(sum).bytes;
	if (after != before) {
		m->datasets[key->dataset].read += after - before;
		model_touch(m, BIT(key->dataset));
	}
	return 0;
}

int model_settle_access(struct model *m, const struct ledger_key *key)
{
	struct m_subject *s = subject_find(m, &key->who);
	struct m_access *a = s ? subject_access(s, key->dataset) : NULL;

	if (!a || !known_key(key->dataset, key->kind))
		return -ENOENT;
	account_settle(&a->kind[key->kind]);
	return 0;
}

int model_set_overflow(struct model *m, const struct overflow_key *key,
		       const struct overflow_val *val)
{
	struct m_overflow probe = {.key = {key->cgroup, key->dataset}}, *o;

	if (!known_key(key->dataset, key->kind))
		return -EINVAL;
	o = hashmap_find(&m->overflows, &probe.key);
	if (!o) {
		if (!val->bytes && !val->ops)
			return 0;
		o = malloc(sizeof(*o));
		if (!o)
			return -ENOMEM;
		*o = probe;
		int err = hashmap_add(&m->overflows, o);
		if (err) {
			free(o);
			return err;
		}
		o->next = m->first_overflow;
		m->first_overflow = o;
	}

	struct m_dataset *d = &m->datasets[key->dataset];
	uint64_t before = account_total(&o->kind[key->kind]).bytes;

	account_set(&o->kind[key->kind], val->bytes, val->ops, 0, 0, 0);
	if (val->bytes != before) {
		d->read += val->bytes - before;
		d->overflow += val->bytes - before;
		model_touch(m, BIT(key->dataset));
	}
	return 0;
}

/* --- objects and transfers ----------------------------------------------- */

static int object_get(struct model *m, const struct object *what, struct m_object **ret)
{
	struct m_object *o = hashmap_find(&m->objects, what);
	int err;

	if (o) {
		*ret = o;
		return 0;
	}
	if (m->nsubjects + m->nobjects + m->nflows >= m->nodes_max) {
		m->refused[REFUSED_OBJECT]++;
		return -ENOSPC;
	}
	o = calloc(1, sizeof(*o));
	err = o ? slot_take(&m->object_slots, &o->slot) : -ENOMEM;
	if (err) {
		free(o);
		return err;
	}
	o->what = *what;
	err = hashmap_add(&m->objects, o);
	if (err) {
		slot_give(&m->object_slots, o->slot);
		free(o);
		return err;
	}
	o->prev = m->last_object;
	*(o->prev ? &o->prev->next : &m->first_object) = o;
	m->last_object = o;
	m->nobjects++;
	*ret = o;
	return 0;
}

void object_drop(struct model *m, struct m_object *o)
{
	while (o->edges)
		edge_drop(m, o->edges);
	*(o->prev ? &o->prev->next : &m->first_object) = o->next;
	*(o->next ? &o->next->prev : &m->last_object) = o->prev;
	m->nobjects--;
	hashmap_remove(&m->objects, &o->what);
	slot_give(&m->object_slots, o->slot);
	free(o);
}

static struct m_edge *edge_find(const struct model *m, const struct subject *who,
				const struct object *what, uint32_t via)
{
	struct m_edge key = {.key = {*who, *what, via}};

	return hashmap_find(&m->edges, &key.key);
}

int edge_get(struct model *m, struct m_subject *s, struct m_object *o, uint32_t via,
	     struct m_edge **ret)
{
	struct m_edge *e = edge_find(m, &s->who, &o->what, via);
	int err;

	if (e) {
		*ret = e;
		return 0;
	}
	if (m->nedges >= MODEL_EDGES_MAX) {
		m->refused[REFUSED_EDGE]++;
		return -ENOSPC;
	}
	e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->key.who = s->who;
	e->key.what = o->what;
	e->key.via = via;
	err = hashmap_add(&m->edges, e);
	if (err) {
		free(e);
		return err;
	}
	e->subject = s;
	e->object = o;
	e->subject_next = s->edges;
	s->edges = e;
	e->object_next = o->edges;
	o->edges = e;
	m->nedges++;
	*ret = e;
	return 0;
}

void edge_drop(struct model *m, struct m_edge *e)
{
	struct m_edge **p;

	for (unsigned i = 0; i < e->ntransfers; i++)
		model_touch(m, e->transfers[i].mask);
	for (p = &e->subject->edges; *p != e; p = &(*p)->subject_next)
		;
	*p = e->subject_next;
	for (p = &e->object->edges; *p != e; p = &(*p)->object_next)
		;
	*p = e->object_next;
	hashmap_remove(&m->edges, &e->key);
	m->nedges--;
	free(e->transfers);
	free(e);
}

static struct m_transfer *transfer_find(const struct m_edge *e, uint64_t mask)
{
	for (unsigned i = 0; i < e->ntransfers; i++) {
		if (e->transfers[i].mask == mask)
			return &e->transfers[i];
	}
	return NULL;
}

int edge_transfer(struct m_edge *e, uint64_t mask, struct m_transfer **ret)
{
	struct m_transfer *t = transfer_find(e, mask);

	if (!t) {
		struct m_transfer *p = reallocarray(e->transfers, e->ntransfers + 1, sizeof(*p));

		if (!p)
			return -ENOMEM;
		e->transfers = p;
		t = &p[e->ntransfers++];
		*t = (struct m_transfer){.mask = mask};
	}
	*ret = t;
	return 0;
}

uint64_t edge_bytes(const struct m_edge *e, unsigned dataset)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < e->ntransfers; i++) {
		if (e->transfers[i].mask & BIT(dataset))
			sum += account_total(&e->transfers[i].sum).bytes;
	}
	return sum;
}

int model_set_edge(struct model *m, const struct edge_key *key, const struct edge_val *val)
{
	struct m_subject *s;
	struct m_object *o;
	struct m_edge *e;
	struct m_transfer *t;
	int err =
	    key->mask && (key->via == VIA_PIPE_WRITE || key->via == VIA_PIPE_READ) ? 0 : -EINVAL;

	if (!err)
		err = subject_get(m, &key->who, &s);
	if (!err)
		err = object_get(m, &key->what, &o);
	if (!err)
		err = edge_get(m, s, o, key->via, &e);
	if (!err)
		err = edge_transfer(e, key->mask, &t);
	if (err)
		return err;

	uint64_t before = account_total(&t->sum).bytes;

	account_set(&t->sum, val->bytes, val->ops, 0, val->first_ns, val->last_ns);
	if (account_total(&t->sum).bytes != before)
		model_touch(m, key->mask);
	return 0;
}

int model_settle_edge(struct model *m, const struct edge_key *key)
{
	struct m_edge *e = edge_find(m, &key->who, &key->what, key->via);
	struct m_transfer *t = e ? transfer_find(e, key->mask) : NULL;

	if (!t)
		return -ENOENT;
	account_settle(&t->sum);
	return 0;
}
