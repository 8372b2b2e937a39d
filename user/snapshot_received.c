/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What a subject received of others, and by what: the greatest first. */
#include "user/snapshot_internal.h"

#include "user/array.h"
#include "user/model_carry.h"

#define RECEIVED_MAX 8 /* told of one subject */
#define WRITERS_MAX 4  /* named of one object */
#define EDGES_LOOKED_AT 256 /* of one object, for its writers */

struct received {
	uint64_t bytes; /* UINT64_MAX: all that the other held */
	uint64_t mask;
	uint32_t via; /* 0: held before this monitor began */
	const struct m_subject *from; /* NULL: by an object, or held before */
	const struct m_object *object;
};

struct received_list {
	struct received *v;
	size_t n, max;
};

static int add(struct received_list *l, struct received r)
{
	int err = array_grow((void **)&l->v, &l->max, l->n + 1, sizeof(*l->v));

	if (!err)
		l->v[l->n++] = r;
	return err;
}

static int gather(const struct m_subject *s, uint64_t held, struct received_list *l)
{
	int err = 0;

	for (unsigned i = 0; i < s->nbirths && !err; i++) {
		if (s->births[i].mask & held)
			err = add(l, (struct received){UINT64_MAX, s->births[i].mask & held, s->births[i].via,
						       s->births[i].from, NULL});
	}
	for (const struct m_carried *c = s->carried; c && !err; c = c->next) {
		if (BIT(c->dataset) & held)
			err = add(l, (struct received){c->is.bound, BIT(c->dataset), 0, NULL, NULL});
	}
	for (const struct m_edge *e = s->edges; e && !err; e = e->subject_next) {
		struct received r = {.via = (uint32_t)e->key.via, .from = e->source, .object = e->object};

		if (edge_writes(e))
			continue;
		for (unsigned i = 0; i < e->ntransfers; i++) {
			if (!(e->transfers[i].mask & held))
				continue;
			r.mask |= e->transfers[i].mask & held;
			r.bytes += account_total(&e->transfers[i].sum).bytes;
		}
		if (edge_unlimited(e))
			r.bytes = UINT64_MAX;
		err = r.mask ? add(l, r) : 0;
	}
	return err;
}

void print_received(struct print *p, const struct m_subject *s)
{
	print_add(p, s->nbirths);
	for (const struct m_carried *c = s->carried; c; c = c->next)
		print_add(p, c->is.bound);
	for (const struct m_edge *e = s->edges; e; e = e->subject_next) {
		if (edge_writes(e))
			continue;
		print_add(p, (uintptr_t)e);
		for (unsigned i = 0; i < e->ntransfers; i++)
			print_add(p, account_total(&e->transfers[i].sum).bytes);
	}
}

static int greatest_first(const void *a, const void *b)
{
	const struct received *x = a, *y = b;

	return x->bytes > y->bytes ? -1 : x->bytes < y->bytes;
}

static int append_subject(json_t *list, const struct m_subject *s)
{
	char text[SUBJECT_LEN];

	return json_array_append_new(list, json_safe(subject_text(text, s)));
}

/* Who filled the object: NULL for want of memory. */
static json_t *json_sources(const struct received *r)
{
	json_t *list = json_array();
	unsigned looked = 0;
	int err = 0;

	if (list && r->from)
		err = append_subject(list, r->from);
	for (const struct m_edge *e = list && r->object ? r->object->edges : NULL;
	     e && !err && looked++ < EDGES_LOOKED_AT && json_array_size(list) < WRITERS_MAX; e = e->other_next) {
		bool carried = false;

		for (unsigned i = 0; i < e->ntransfers; i++)
			carried = carried || e->transfers[i].mask & r->mask;
		if (carried && edge_writes(e))
			err = append_subject(list, e->subject);
	}
	for (unsigned i = 0; list && r->object && i < r->object->nsenders && !err && looked++ < EDGES_LOOKED_AT &&
			     json_array_size(list) < WRITERS_MAX; i++) {
		const struct m_flow *f = r->object->senders[i];

		if (f->who && flow_mask(f) & r->mask)
			err = append_subject(list, f->who);
	}
	if (!err)
		return list;
	json_decref(list);
	return NULL;
}

static json_t *json_one(const struct model *m, const struct received *r)
{
	char name[OBJECT_LEN];

	return json_pack("{s:s, s:o, s:o, s:o, s:o}", "via", r->via ? via_name((enum edge_via)r->via) : HOP_BEFORE, "from",
			 json_sources(r), "object",
			 json_safe(r->object ? object_text(name, r->object) : NULL), "bytes",
			 r->bytes == UINT64_MAX ? json_null() : json_count(r->bytes), "datasets",
			 json_datasets(m, r->mask));
}

int snapshot_received(const struct model *m, const struct m_subject *s, uint64_t held, json_t *item)
{
	struct received_list l = {0};
	int err = gather(s, held, &l);
	json_t *list = json_array();

	if (!err && l.n)
		qsort(l.v, l.n, sizeof(*l.v), greatest_first);
	for (size_t i = 0; i < MIN(l.n, (size_t)RECEIVED_MAX) && !err; i++)
		err = json_array_append_new(list, json_one(m, &l.v[i])) ? -ENOMEM : 0;
	size_t more = l.n - MIN(l.n, (size_t)RECEIVED_MAX);
	free(l.v);
	if (err) {
		json_decref(list);
		return err;
	}
	if (json_object_set_new(item, "received", list) ||
	    json_object_set_new(item, "received_more", json_count(more)))
		return -ENOMEM;
	return 0;
}
