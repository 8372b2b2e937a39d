/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Flows: live ones as the kernel counts them, closed ones folded by subject and remote end. */
#include "user/model_internal.h"
#include "user/net_server.h"

#include <netinet/in.h>
#include <string.h>

#include "user/dest/ranges.h"

#define FLOW_OVERFLOW_ID UINT64_MAX /* those of the kernel begin with a time */

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* A host that talks to its own address, in whatever namespace: no table knows that. But what has no answer anyone may send
 * from an address of IPv6 that is not his (IPV6_FREEBIND): it leaves. */
static bool to_itself(const struct flow *f)
{
	return (f->proto == IPPROTO_TCP || addr_is_v4(f->raddr)) && !net_proto_name(f->proto) &&
	       !memcmp(f->laddr, f->raddr, sizeof(f->raddr));
}

void flow_classify(const struct model *m, struct m_flow *f)
{
	if (!f->filled)
		return;
	/* very many ends, but those on this host are told apart */
	if (f->f.role == ROLE_OVERFLOW || (f->f.role == ROLE_MANY && !addr_is_v4(f->f.raddr))) {
		f->dest = (struct dest){.class = CLASS_UNKNOWN};
		return;
	}
	if (to_itself(&f->f))
		f->dest = (struct dest){.class = CLASS_HOST};
	else if (m->classes)
		f->dest = classes_find(m->classes, f->f.raddr, f->f.rport, f->f.proto);
	else
		f->dest = (struct dest){.class = CLASS_INTERNET};
}

static void flow_append(struct model *m, struct m_flow *f)
{
	f->prev = m->last_flow;
	*(f->prev ? &f->prev->next : &m->first_flow) = f;
	m->last_flow = f;
	m->nflows++;
}

int flow_get(struct model *m, uint64_t id, struct m_flow **ret)
{
	struct m_flow *f = hashmap_find(&m->flows, &id);
	int err;

	if (f) {
		*ret = f;
		return 0;
	}
	if (!id)
		return -EINVAL;
	if (id != FLOW_OVERFLOW_ID && m->nsubjects + m->nobjects + m->nflows >= m->nodes_max) {
		m->refused[REFUSED_FLOW]++;
		return -ENOSPC;
	}
	f = calloc(1, sizeof(*f));
	err = f ? slot_take(&m->flow_slots, &f->slot) : -ENOMEM;
	if (err) {
		free(f);
		return err;
	}
	f->id = id;
	err = hashmap_add(&m->flows, f);
	if (err) {
		slot_give(&m->flow_slots, f->slot);
		free(f);
		return err;
	}
	flow_append(m, f);
	*ret = f;
	return 0;
}

static void flow_leave(struct m_flow *f)
{
	if (!f->who)
		return;
	f->who->nflows--;
	if (!f->folded)
		f->who->nlive--;
}

static void disown_all(struct m_flow *f)
{
	for (unsigned i = 0; i < f->nowners; i++) {
		f->owners[i]->nflows--;
		f->owners[i]->nowned--;
	}
	free(f->owners);
	f->owners = NULL;
	f->nowners = 0;
}

void flow_drop(struct model *m, struct m_flow *f)
{
	model_touch(m, flow_mask(f));
	flow_leave(f);
	disown_all(f);
	flow_unlink(f);
	if (f->folded)
		hashmap_remove(&m->folds, &f->fold);
	else
		hashmap_remove(&m->flows, &f->id);
	*(f->prev ? &f->prev->next : &m->first_flow) = f->next;
	*(f->next ? &f->next->prev : &m->last_flow) = f->prev;
	m->nflows--;
	slot_give(&m->flow_slots, f->slot);
	said_unref(m, f->said);
	free(f->taints);
	free(f->sent);
	free(f);
}

/* Whoever had a datagram socket before could have sent what it sent. */
static int remember_owner(struct m_flow *f, struct m_subject *s)
{
	for (unsigned i = 0; i < f->nowners; i++) {
		if (f->owners[i] == s)
			return 0;
	}
	struct m_subject **p = reallocarray(f->owners, f->nowners + 1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	f->owners = p;
	p[f->nowners++] = s;
	s->nflows++;
	s->nowned++;
	return 0;
}

static int flow_set_who(struct model *m, struct m_flow *f, const struct subject *who)
{
	struct m_subject *s;
	int err;

	if (!who->tgid || (f->who && !memcmp(&f->who->who, who, sizeof(*who))))
		return 0;
	err = subject_get(m, who, &s);
	if (!err && f->who)
		err = remember_owner(f, f->who);
	if (err)
		return err;
	flow_leave(f);
	f->who = s;
	s->nflows++;
	s->nlive++;
	model_touch(m, f->f.mask);
	return 0;
}

/* It ended, and there is no room for it here: its bytes are told with those that had none in the kernel. */
static void flow_spill(struct model *m, const struct flow *flow)
{
	m->spilled.out += less(flow->out, flow->base_out);
	m->spilled.in += less(flow->in, flow->base_in);
	m->spilled_mask |= flow->mask;
}

/* What it can have carried to others has become more, or is known better. */
static bool fed_more(const struct m_flow *f, const struct flow *flow)
{
	return less(flow->out, flow->base_out) > f->out || (flow->closed && !f->closed);
}

int model_set_flow(struct model *m, const struct flow *flow)
{
	struct m_flow *f;
	int err = flow_get(m, flow->id, &f);

	if (err == -ENOSPC && flow->closed)
		flow_spill(m, flow);
	if (err)
		return err;
	err = flow_set_who(m, f, &flow->who);
	if (err && err != -ENOSPC)
		return err;

	bool first = !f->filled;
	bool moved = first || f->f.rport != flow->rport ||
		     memcmp(f->f.raddr, flow->raddr, sizeof(flow->raddr));
	uint64_t was = f->f.mask;

	if (first || was != flow->mask || f->f.passed != flow->passed || (f->ninlets && fed_more(f, flow)))
		model_touch(m, was | flow->mask | flow_mask(f));
	f->f = *flow;
	f->filled = true;
	f->out = MAX(f->out, less(flow->out, flow->base_out));
	f->in = MAX(f->in, less(flow->in, flow->base_in));
	f->closed = f->closed || flow->closed;
	f->looked = m->looks;
	if (first)
		f->seen_ns = flow->last_ns;
	if (moved)
		flow_classify(m, f);
	return err ? err : flow_name_inlets(f);
}

int model_set_flow_taint(struct model *m, const struct flow_taint_key *key,
			 const struct flow_taint *val)
{
	struct m_flow *f;
	int err = flow_get(m, key->id, &f);

	if (err)
		return err;
	if (!f->filled && !f->seen_ns)
		f->seen_ns = val->since_ns;
	for (unsigned i = 0; i < f->ntaints; i++) {
		if (f->taints[i].mask == key->mask)
			return 0;
	}
	struct m_flow_taint *p = reallocarray(f->taints, f->ntaints + 1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	f->taints = p;
	p[f->ntaints++] = (struct m_flow_taint){key->mask, val->base_out, val->since_ns};
	model_touch(m, key->mask);
	return 0;
}

int model_set_flow_overflow(struct model *m, uint64_t out, uint64_t in, uint64_t mask, uint64_t now_ns)
{
	struct flow all = {
	    .id = FLOW_OVERFLOW_ID,
	    .role = ROLE_OVERFLOW,
	    .start_ns = now_ns,
	    .last_ns = now_ns,
	    .out = out + m->spilled.out,
	    .in = in + m->spilled.in,
	    .mask = mask | m->spilled_mask,
	};
	struct flow_taint_key key = {.id = FLOW_OVERFLOW_ID};
	struct m_flow *f = hashmap_find(&m->flows, &key.id);
	struct flow_taint since = {.base_out = f ? f->out : 0, .since_ns = now_ns};

	if (!f && !all.out && !all.in)
		return 0;
	key.mask = all.mask & ~(f ? f->f.mask : 0);
	int err = key.mask ? model_set_flow_taint(m, &key, &since) : 0;

	return err ? err : model_set_flow(m, &all);
}

/* --- what a dataset can account for -------------------------------------- */

uint64_t flow_mask(const struct m_flow *f)
{
	uint64_t mask = f->f.mask;

	for (unsigned i = 0; i < f->ntaints; i++)
		mask |= f->taints[i].mask;
	return mask;
}

/* Where the kernel could not keep the moment of taint, all that was seen counts. */
static uint64_t base_of(const struct m_flow *f, unsigned dataset)
{
	uint64_t base = UINT64_MAX;

	for (unsigned i = 0; i < f->ntaints; i++) {
		if (f->taints[i].mask & BIT(dataset))
			base = MIN(base, f->taints[i].base_out);
	}
	return base == UINT64_MAX ? f->f.base_out : MAX(base, f->f.base_out);
}

static const struct m_sent *sent_of(const struct m_flow *f, unsigned dataset)
{
	for (unsigned i = 0; i < f->nsent; i++) {
		if (f->sent[i].dataset == dataset)
			return &f->sent[i];
	}
	return NULL;
}

uint64_t flow_sent(const struct m_flow *f, unsigned dataset)
{
	if (f->folded) {
		const struct m_sent *s = sent_of(f, dataset);

		return s ? s->bytes : 0;
	}
	if (!(flow_mask(f) & BIT(dataset)))
		return 0;
	return less(f->f.base_out + f->out, base_of(f, dataset));
}

uint64_t flow_since(const struct m_flow *f, unsigned dataset)
{
	uint64_t since = UINT64_MAX;

	if (f->folded) {
		const struct m_sent *s = sent_of(f, dataset);

		return s ? s->since_ns : UINT64_MAX;
	}
	if (!(flow_mask(f) & BIT(dataset)))
		return UINT64_MAX;
	for (unsigned i = 0; i < f->ntaints; i++) {
		if (f->taints[i].mask & BIT(dataset))
			since = MIN(since, f->taints[i].since_ns);
	}
	return since == UINT64_MAX ? f->f.start_ns : since;
}

uint64_t flow_tainted(const struct m_flow *f)
{
	uint64_t most = f->folded_tainted;

	for (uint64_t mask = f->reach; mask; mask &= mask - 1)
		most = MAX(most, flow_sent(f, (unsigned)__builtin_ctzll(mask)));
	return most;
}

/* --- folding ------------------------------------------------------------- */

static int add_sent(struct m_flow *to, unsigned dataset, uint64_t bytes, uint64_t since_ns)
{
	struct m_sent *s = (struct m_sent *)sent_of(to, dataset);

	if (!s) {
		s = reallocarray(to->sent, to->nsent + 1, sizeof(*s));
		if (!s)
			return -ENOMEM;
		to->sent = s;
		s = &to->sent[to->nsent++];
		*s = (struct m_sent){.dataset = (uint16_t)dataset, .since_ns = since_ns};
	}
	s->bytes += bytes;
	s->since_ns = MIN(s->since_ns, since_ns);
	return 0;
}

/* Who connects to a server of this host comes from another port each time: its answers are kept together. */
static uint16_t fold_port(const struct m_flow *f)
{
	return f->ninlets && f->f.role == ROLE_ACCEPT && f->dest.class == CLASS_HOST ? 0 : f->f.rport;
}

static int fold_get(struct model *m, const struct m_flow *like, struct m_subject *who,
		    struct m_flow **ret)
{
	struct m_flow key = {0}, *f;
	int err;

	key.fold.subject = (uintptr_t)who;
	key.fold.said = (uintptr_t)like->said;
	key.fold.rport = fold_port(like);
	key.fold.proto = like->f.proto;
	memcpy(key.fold.raddr, like->f.raddr, sizeof(key.fold.raddr));
	f = hashmap_find(&m->folds, &key.fold);
	if (f) {
		*ret = f;
		return 0;
	}
	f = malloc(sizeof(*f));
	if (!f)
		return -ENOMEM;
	*f = key;
	f->folded = f->filled = f->closed = true;
	f->f = like->f;
	f->f.rport = (uint16_t)key.fold.rport;
	f->f.id = 0;
	f->f.base_out = f->f.base_in = f->f.mask = 0;
	f->seen_ns = like->seen_ns;
	f->dest = like->dest;
	err = slot_take(&m->flow_slots, &f->slot);
	if (!err) {
		err = hashmap_add(&m->folds, f);
		if (err)
			slot_give(&m->flow_slots, f->slot);
	}
	if (err) {
		free(f);
		return err;
	}
	f->who = who;
	f->said = said_ref(like->said);
	if (who)
		who->nflows++;
	flow_append(m, f);
	*ret = f;
	return 0;
}

/* What it takes to fail is taken first: after the owners and the room for figures are there,
 * nothing fails. */
static int fold_into(struct m_flow *to, const struct m_flow *f)
{
	uint64_t mask = flow_mask(f);
	int err = 0;

	for (unsigned i = 0; i < f->nowners && !err; i++)
		err = f->owners[i] == to->who ? 0 : remember_owner(to, f->owners[i]);
	for (uint64_t left = mask; left && !err; left &= left - 1)
		err = add_sent(to, (unsigned)__builtin_ctzll(left), 0, UINT64_MAX);
	if (err)
		return err;
	for (uint64_t left = mask; left; left &= left - 1) {
		unsigned d = (unsigned)__builtin_ctzll(left);

		add_sent(to, d, flow_sent(f, d), flow_since(f, d));
	}
	to->f.mask |= mask;
	to->f.passed |= f->f.passed;
	to->reach |= f->reach;
	to->folded_tainted += flow_tainted(f);
	to->out += f->out;
	to->in += f->in;
	to->given_out += f->given_out;
	to->given_in += f->given_in;
	to->given_tainted += f->given_tainted;
	to->judged += f->judged;
	to->given = to->given || f->given;
	to->due_ns = due_of_both(to->due_ns, f->due_ns);
	to->f.start_ns = MIN(to->f.start_ns, f->f.role == ROLE_UNKNOWN ? 0 : f->f.start_ns);
	to->f.last_ns = MAX(to->f.last_ns, f->f.last_ns);
	return 0;
}

int flow_fold(struct model *m, struct m_flow *f)
{
	return flow_refold(m, f, f->who);
}

int flow_refold(struct model *m, struct m_flow *f, struct m_subject *who)
{
	struct m_flow *to;
	int err = fold_get(m, f, who, &to);

	if (!err)
		err = to == f ? 0 : flow_move_inlets(m, to, f);
	if (!err)
		err = to == f ? 0 : fold_into(to, f);
	if (err || to == f)
		return err;
	model_touch(m, flow_mask(f));
	flow_drop(m, f);
	return 0;
}
