/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Flows that end at a socket of this host. What such a flow sends comes in there, as an object: between the two there is
 * no edge, for the flow's own counters say how much it was.
 */
#include "user/model_internal.h"

#include <string.h>

static struct object object_of_inlet(uint64_t id)
{
	return (struct object){.ino = id, .dev = SL_DEV_INLET};
}

static bool linked(const struct m_flow *f, const struct m_object *o)
{
	for (unsigned i = 0; i < f->ninlets; i++) {
		if (f->inlets[i] == o)
			return true;
	}
	return false;
}

/* Room at both sides is made first: after that nothing fails. */
static int link_up(struct m_flow *f, struct m_object *o)
{
	if (linked(f, o))
		return 0;
	struct m_object **inlets = reallocarray(f->inlets, f->ninlets + 1, sizeof(*inlets));
	if (!inlets)
		return -ENOMEM;
	f->inlets = inlets;
	struct m_flow **senders = reallocarray(o->senders, o->nsenders + 1, sizeof(*senders));
	if (!senders)
		return -ENOMEM;
	o->senders = senders;
	inlets[f->ninlets++] = o;
	senders[o->nsenders++] = f;
	return 0;
}

static void forget_sender(struct m_object *o, const struct m_flow *f)
{
	for (unsigned i = 0; i < o->nsenders; i++) {
		if (o->senders[i] == f) {
			o->senders[i] = o->senders[--o->nsenders];
			return;
		}
	}
}

void flow_unlink(struct m_flow *f)
{
	for (unsigned i = 0; i < f->ninlets; i++)
		forget_sender(f->inlets[i], f);
	free(f->inlets);
	f->inlets = NULL;
	f->ninlets = 0;
}

void object_unlink(struct m_object *o)
{
	for (unsigned i = 0; i < o->nsenders; i++) {
		struct m_flow *f = o->senders[i];

		for (unsigned k = 0; k < f->ninlets; k++) {
			if (f->inlets[k] == o)
				f->inlets[k--] = f->inlets[--f->ninlets];
		}
	}
	free(o->senders);
	o->senders = NULL;
	o->nsenders = 0;
}

/* An inlet is called by where its sender sent to. */
int flow_name_inlets(struct m_flow *f)
{
	char addr[ADDR_LEN], text[ADDR_LEN + 8];

	if (!f->filled || !f->ninlets)
		return 0;
	addr_text(addr, f->f.raddr);
	snprintf(text, sizeof(text), strchr(addr, ':') ? "[%s]:%u" : "%s:%u", addr, f->f.rport);
	for (unsigned i = 0; i < f->ninlets; i++) {
		struct m_object *o = f->inlets[i];

		if (!o->path)
			o->path = strdup(text);
		if (!o->path)
			return -ENOMEM;
	}
	return 0;
}

int model_set_link(struct model *m, const struct link_key *key)
{
	struct object what = object_of_inlet(key->inlet);
	struct m_object *o;
	struct m_flow *f;
	int err = flow_get(m, key->flow, &f);

	if (!err)
		err = object_get(m, &what, &o);
	if (err || linked(f, o))
		return err;
	o->kind = OBJECT_SOCKET;
	o->placed = true;
	err = link_up(f, o);
	if (err)
		return err;
	model_touch(m, flow_mask(f));
	return flow_name_inlets(f);
}

/* Did the last look not find it, and nobody tell yet how it ended? Then it may have sent more than is known. */
bool flow_late(const struct model *m, const struct m_flow *f)
{
	return !f->filled || (!f->closed && f->looked != m->looks);
}

void model_begin_look(struct model *m)
{
	m->looks++;
}

/* Can what it sent still be read, or was it? */
bool flow_feeds(const struct m_flow *f)
{
	for (unsigned i = 0; i < f->ninlets; i++) {
		if (!f->inlets[i]->gone || f->inlets[i]->edges)
			return true;
	}
	return false;
}

/* Nothing more will be read of what it sent over its connection. */
bool flow_drained(const struct m_flow *f)
{
	for (unsigned i = 0; i < f->ninlets; i++) {
		if (!f->inlets[i]->gone)
			return false;
	}
	return true;
}

/* --- folding ------------------------------------------------------------- */

static bool final(const struct m_object *o)
{
	for (const struct m_edge *e = o->edges; e; e = e->other_next) {
		if (!edge_settled(e))
			return false;
	}
	return o->gone;
}

static struct m_object *final_inlet(const struct m_flow *f)
{
	for (unsigned i = 0; i < f->ninlets; i++) {
		if (final(f->inlets[i]))
			return f->inlets[i];
	}
	return NULL;
}

static int take_edges(struct model *m, struct m_object *to, struct m_object *from)
{
	int err = 0;

	while (from->edges && !err) {
		struct m_edge *e = from->edges, *at;

		err = edge_get(m, e->subject, to, NULL, e->key.via, e->key.own, &at);
		if (!err)
			err = edge_move(m, e, at);
	}
	return err;
}

/* Making two nodes of a network one can only raise what flows through it. */
int flow_move_inlets(struct model *m, struct m_flow *to, struct m_flow *from)
{
	int err = 0;

	for (unsigned i = 0; i < from->ninlets && !err; i++) {
		struct m_object *o = from->inlets[i], *one = final_inlet(to);

		if (o->gone && !o->edges)
			continue;
		if (one && one != o && o->nsenders == 1 && final(o))
			err = take_edges(m, one, o);
		else
			err = link_up(to, o);
	}
	return err;
}
