/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Objects, and what moved between them and subjects. */
#include "user/model_carry.h"
#include "user/model_derived.h"

#include <string.h>

/* --- objects ------------------------------------------------------------- */

static int object_add(struct model *m, const struct object *what, struct m_object **ret)
{
	struct m_object *o = calloc(1, sizeof(*o));
	int err = o ? slot_take(&m->object_slots, &o->slot) : -ENOMEM;

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

int object_get(struct model *m, const struct object *what, struct m_object **ret)
{
	struct m_object *o = hashmap_find(&m->objects, what);

	if (o) {
		*ret = o;
		return 0;
	}
	if (m->nsubjects + m->nobjects + m->nflows >= m->nodes_max) {
		m->refused[REFUSED_OBJECT]++;
		return -ENOSPC;
	}
	return object_add(m, what, ret);
}

/* No device has this number, so its key is nobody else's. */
struct m_object *object_new_merged(struct model *m)
{
	struct object what = {.ino = ++m->merged_objects, .dev = UINT32_MAX};
	struct m_object *o;

	if (object_add(m, &what, &o))
		return NULL;
	o->kind = OBJECT_FILE;
	o->gone = true;
	return o;
}

void object_drop(struct model *m, struct m_object *o)
{
	while (o->edges)
		edge_drop(m, o->edges);
	model_touch(m, carried_mask(o->carried));
	carried_free(o->carried);
	if (o->merged)
		*(o->job ? &o->job->merged_files : &m->merged_files) = NULL;
	job_unref(m, o->job);
	*(o->prev ? &o->prev->next : &m->first_object) = o->next;
	*(o->next ? &o->next->prev : &m->last_object) = o->prev;
	m->nobjects--;
	hashmap_remove(&m->objects, &o->what);
	slot_give(&m->object_slots, o->slot);
	object_unlink(o);
	free(o->path);
	free(o);
}

int model_name_object(struct model *m, const struct object *what, const char *path, bool confined)
{
	struct m_object *o = hashmap_find(&m->objects, what);
	char *copy;

	if (!o)
		return -ENOENT;
	o->placed = true;
	o->confined = confined;
	if (!path || (o->path && !strcmp(o->path, path)))
		return 0;
	copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	free(o->path);
	o->path = copy;
	return 0;
}

void model_forget_object(struct model *m, const struct object *what)
{
	struct m_object *o = hashmap_find(&m->objects, what);

	if (o)
		o->gone = true;
}

/* A core dump may go to either; what comes after it tells. */
static void object_learn(struct m_object *o, uint32_t via)
{
	enum object_kind kind = via_traits(via)->kind;

	/* a file that is mapped as well stays one: it has a place, and others may read it there */
	if (kind && !(kind == OBJECT_MEMORY && o->kind == OBJECT_FILE))
		o->kind = kind;
}

/* --- edges --------------------------------------------------------------- */

static struct m_edge *edge_find(const struct model *m, const struct edge_key *key)
{
	struct m_edge like = {.key = {key->who, key->what, key->via, key->own}};

	return hashmap_find(&m->edges, &like.key);
}

/* The subject in the place of an object's name, as the kernel gives it for a look. */
static struct object subject_as_object(const struct subject *who)
{
	struct object what;

	memcpy(&what, who, sizeof(what));
	return what;
}

static void link_other(struct m_edge *e)
{
	struct m_edge **others = e->object ? &e->object->edges : &e->source->looks;

	e->other_next = *others;
	e->other_at = others;
	if (*others)
		(*others)->other_at = &e->other_next;
	*others = e;
}

static void unlink_other(struct m_edge *e)
{
	*e->other_at = e->other_next;
	if (e->other_next)
		e->other_next->other_at = e->other_at;
}

static void edge_link(struct m_edge *e)
{
	e->subject_next = e->subject->edges;
	e->subject_at = &e->subject->edges;
	if (e->subject_next)
		e->subject_next->subject_at = &e->subject_next;
	e->subject->edges = e;
	link_other(e);
}

void edge_look_into(struct m_edge *e, struct m_subject *source)
{
	unlink_other(e);
	e->source = source;
	link_other(e);
}

static int edge_add(struct model *m, const struct m_edge *like, struct m_edge **ret)
{
	struct m_edge *e;
	int err;

	if (m->nedges >= MODEL_EDGES_MAX) {
		m->refused[REFUSED_EDGE]++;
		return -ENOSPC;
	}
	e = malloc(sizeof(*e));
	if (!e)
		return -ENOMEM;
	*e = *like;
	err = hashmap_add(&m->edges, e);
	if (err) {
		free(e);
		return err;
	}
	edge_link(e);
	m->nedges++;
	*ret = e;
	return 0;
}

int edge_get(struct model *m, struct m_subject *s, struct m_object *o, struct m_subject *source,
	     uint32_t via, uint32_t own, struct m_edge **ret)
{
	struct m_edge like = {.subject = s, .object = o, .source = source}, *e;

	like.key.who = s->who;
	like.key.what = o ? o->what : subject_as_object(&source->who);
	like.key.via = via;
	like.key.own = own;
	e = hashmap_find(&m->edges, &like.key);
	if (!e)
		return edge_add(m, &like, ret);
	*ret = e;
	return 0;
}

void edge_drop(struct model *m, struct m_edge *e)
{
	derived_keep(m, e);
	for (unsigned i = 0; i < e->ntransfers; i++)
		model_touch(m, e->transfers[i].mask);
	*e->subject_at = e->subject_next;
	if (e->subject_next)
		e->subject_next->subject_at = e->subject_at;
	unlink_other(e);
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

bool edge_carries(const struct m_edge *e, unsigned dataset)
{
	for (unsigned i = 0; i < e->ntransfers; i++) {
		if (e->transfers[i].mask & BIT(dataset))
			return true;
	}
	return false;
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

uint64_t edge_limit(const struct m_edge *e, unsigned dataset)
{
	if (!edge_unlimited(e))
		return edge_bytes(e, dataset);
	return edge_carries(e, dataset) ? UINT64_MAX : 0;
}

bool edge_settled(const struct m_edge *e)
{
	for (unsigned i = 0; i < e->ntransfers; i++) {
		if (e->transfers[i].sum.live.bytes || e->transfers[i].sum.live.ops)
			return false;
	}
	return true;
}

bool edge_given(const struct m_edge *e)
{
	for (unsigned i = 0; i < e->ntransfers; i++) {
		const struct account *a = &e->transfers[i].sum;
		struct figures all = account_total(a);

		if (edge_unlimited(e) ? a->given.ops < all.ops : a->given.bytes < all.bytes)
			return false;
	}
	return true;
}

int edge_move(struct model *m, struct m_edge *from, struct m_edge *to)
{
	for (unsigned i = 0; i < from->ntransfers; i++) {
		struct m_transfer *t;
		int err = edge_transfer(to, from->transfers[i].mask, &t);

		if (err)
			return err;
		account_move(&t->sum, &from->transfers[i].sum);
		t->due_ns = due_of_both(t->due_ns, from->transfers[i].due_ns);
	}
	edge_drop(m, from);
	return 0;
}

/* --- what the kernel counted --------------------------------------------- */

static bool via_has_edge(uint32_t via)
{
	return via > VIA_EXEC && via < VIA_KINDS && via != VIA_HELD;
}

static int look_get(struct model *m, struct m_subject *s, const struct edge_key *key,
		    struct m_edge **ret)
{
	struct m_subject *source;
	struct subject who;
	int err;

	memcpy(&who, &key->what, sizeof(who));
	err = subject_get(m, &who, &source);
	if (err)
		return err;
	if (source == s)
		return -EINVAL;
	err = edge_get(m, s, NULL, source, key->via, 0, ret);
	if (!err)
		subject_looked_into(m, source);
	return err;
}

static int passage_get(struct model *m, struct m_subject *s, const struct edge_key *key,
		       struct m_edge **ret)
{
	struct m_object *o;
	int err = object_get(m, &key->what, &o);

	if (err)
		return err;
	object_learn(o, key->via);
	if (key->own)
		derived_writer(m, s);
	return edge_get(m, s, o, NULL, key->via, key->own, ret);
}

int model_set_edge(struct model *m, const struct edge_key *key, const struct edge_val *val)
{
	struct m_edge *e = edge_find(m, key);
	unsigned known = e ? e->ntransfers : 0;
	struct m_subject *s;
	struct m_transfer *t;
	int err = key->mask && via_has_edge(key->via) && key->own <= SL_DATASETS_MAX ? 0 : -EINVAL;

	/* One that is known needs neither end looked up: both may be called otherwise since. */
	if (!err && !e) {
		err = subject_get(m, &key->who, &s);
		if (!err)
			err = key->via == VIA_PEEK ? look_get(m, s, key, &e)
						   : passage_get(m, s, key, &e);
	}
	if (!err)
		err = edge_transfer(e, key->mask, &t);
	if (err)
		return err;

	uint64_t before = account_total(&t->sum).bytes;

	account_set(&t->sum, val->bytes, val->ops, 0, val->first_ns, val->last_ns);
	if (edge_unlimited(e) ? e->ntransfers > known : account_total(&t->sum).bytes != before)
		model_touch(m, key->mask);
	return 0;
}

int model_settle_edge(struct model *m, const struct edge_key *key)
{
	struct m_edge *e = edge_find(m, key);
	struct m_transfer *t = e ? transfer_find(e, key->mask) : NULL;

	if (!t)
		return -ENOENT;
	account_settle(&t->sum);
	return 0;
}
