/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * channel.unobservable: a subject that may hold tagged bytes holds a way out whose bytes nothing here measures. All
 * that it, its later images and those born of it since may hold can have left there: they have the descriptor too.
 */
#include "user/policy/rules_internal.h"

#include "user/array.h"
#include "user/model_graph.h"

#define JUDGED_AT_ONCE 64 /* channels and datasets per evaluation; the rest waits for the next */

struct holders {
	const struct m_subject **v;
	size_t n, room;
};

static int add_holder(struct holders *h, const struct m_subject *s)
{
	int err = s->trusted ? 0 : array_grow((void **)&h->v, &h->room, h->n + 1, sizeof(*h->v));

	if (!err && !s->trusted)
		h->v[h->n++] = s;
	return err;
}

/* Was it born, directly or not, of the process while that had the channel? */
static bool born_with(const struct m_subject *s, const struct m_subject *owner, uint64_t since_ns)
{
	const struct m_process *p = s->process;

	for (; p && p->parent; p = p->parent) {
		if (p->parent == owner->process)
			return p->id.start_ns >= since_ns;
	}
	return false;
}

static int find_holders(const struct model *m, const struct m_subject *owner, const struct m_channel *c,
			struct holders *ret)
{
	int err = add_holder(ret, owner);

	/* memory that was dumped is that of one process */
	if (c->kind == CHANNEL_CORE || !owner->process)
		return err;
	for (const struct m_subject *s = m->first_subject; s && !err; s = s->next) {
		bool later = s->process == owner->process && s->who.exec > owner->who.exec;

		if (s != owner && s->process && (later || born_with(s, owner, c->first_ns)))
			err = add_holder(ret, s);
	}
	return err;
}

static int describe(const struct model *m, struct finding *f, const struct m_subject *s, const struct m_channel *c)
{
	char who[SUBJECT_LEN], size[SIZE_LEN], label[DATASET_LEN];

	dataset_label(label, &m->datasets[f->dataset]);
	size_iec_most(size, f->leak_bound);
	if (c->kind == CHANNEL_CORE)
		return finding_title(f, "the memory of %s, which may hold at most %s of %s, was written out: %s",
				     subject_text(who, s), size, label, c->name);
	return finding_title(f, "%s, which may hold at most %s of %s, has a way out that cannot be measured: %s",
			     subject_text(who, s), size, label, c->name);
}

static int update(struct judging *j, struct finding *f, struct ds_graph *g, const struct m_subject *s,
		  const struct m_channel *c, const struct holders *h, const struct leak *leak)
{
	bool grew;
	int err;

	if (!take_leak(f, leak, &grew))
		return 0;
	f->severity = SEVERITY_HIGH;
	f->given = false;
	err = finding_chain_to_channel(j->m, f, g, h->v, h->n, c);
	finding_process(f, (struct m_subject *)s);
	if (!err)
		err = describe(j->m, f, s, c);
	if (!err)
		err = finding_cover(j->m, f, NULL);
	if (grew)
		finding_grow(f, j->now_ns);
	return err;
}

/* One per subject, dataset and kind of channel; the same after the monitor was started anew. */
static int finding_for(struct judging *j, const struct m_subject *s, const struct m_channel *c, unsigned dataset,
		       const struct leak *leak, struct finding **ret)
{
	char about[128];
	struct finding_key key = {
		.rule = RULE_CHANNEL_UNOBSERVABLE,
		.dataset = (int)dataset,
		.job = s->job ? s->job->name : NULL,
		.about = about,
	};

	snprintf(about, sizeof(about), "%u:%u|%u:%llu:%u", c->kind, c->kind == CHANNEL_SOCKET ? c->number : 0,
		 s->who.tgid, (unsigned long long)s->who.start_ns, s->who.exec);
	if (!finding_has_place(j->m, &key))
		key.about = ABOUT_OTHERS;
	*ret = finding_find(j->m, &key);
	if (*ret && key.about != about && leak->bound <= (*ret)->leak_bound)
		*ret = NULL; /* the worst of those joined is told */
	else if (!*ret && leak->bound)
		return finding_get(j->m, &key, j->now_ns, ret);
	return 0;
}

static int judge_one(struct judging *j, const struct m_subject *s, struct m_channel *c, unsigned dataset)
{
	struct holders h = {0};
	struct finding *f = NULL;
	struct leak leak = {0};
	struct ds_graph *g;
	int err = ds_graph_current(j->m, dataset, &g);

	if (!err)
		err = find_holders(j->m, s, c, &h);
	if (!err)
		err = ds_graph_held(g, h.v, h.n, &j->work, &leak);
	if (!err)
		err = finding_for(j, s, c, dataset, &leak, &f);
	if (!err && f)
		err = update(j, f, g, s, c, &h, &leak);
	if (err || !leak.exact)
		c->judged[dataset] = 0; /* again, with a new allowance */
	free(h.v);
	return err;
}

static int judge_channel(struct judging *j, const struct m_subject *s, struct m_channel *c, unsigned *left)
{
	int err = 0;

	for (uint64_t mask = c->mask; mask && *left; mask &= mask - 1) {
		unsigned d = (unsigned)__builtin_ctzll(mask);
		const struct m_dataset *ds = &j->m->datasets[d];

		/* what a later policy dropped has no size and no name any more */
		if (!ds->id || c->judged[d] == ds->version + 1)
			continue;
		(*left)--;
		c->judged[d] = ds->version + 1;
		int e = judge_one(j, s, c, d);
		err = err ? err : e;
	}
	return err;
}

int judge_channels(struct judging *j)
{
	unsigned left = JUDGED_AT_ONCE;
	int err = 0;

	for (struct m_subject *s = j->m->first_subject; s && left; s = s->next) {
		for (struct m_channel *c = s->channels; c && left; c = c->next) {
			/* Who it is, is told mostly in the same interval. */
			if (!s->known && !c->waited) {
				c->waited = true;
				continue;
			}
			int e = judge_channel(j, s, c, &left);
			err = err ? err : e;
		}
	}
	return err;
}
