/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/model_derived.h"

#include "user/policy/people.h"

static const struct dataset_config *derived_config(const struct model *m, unsigned dataset)
{
	return m->datasets[dataset].from ? m->datasets[dataset].config : NULL;
}

/* --- who may ---------------------------------------------------------------- */

static uint64_t writer_of(const struct model *m, const struct m_subject *s)
{
	uint64_t mask = 0;

	for (unsigned d = 0; d < SL_DATASETS_MAX; d++) {
		const struct dataset_config *c = derived_config(m, d);
		const char *unknown;

		if (c && (!c->derived.writers.set || !people_lack(m, &c->derived.writers, s, &unknown)))
			mask |= BIT(d);
	}
	return mask;
}

/* Of those who were merged only the job is known; what they wrote undeclared is no longer told from other files. */
static uint64_t writers_of_all(const struct model *m)
{
	uint64_t mask = 0;

	for (unsigned d = 0; d < SL_DATASETS_MAX; d++) {
		const struct dataset_config *c = derived_config(m, d);

		if (c && !c->derived.writers.set)
			mask |= BIT(d);
	}
	return mask;
}

void derived_judge(struct model *m, struct m_subject *s)
{
	uint64_t was = s->derives;

	s->derives = s->process ? writer_of(m, s) : writers_of_all(m);
	if (s->derives != was)
		model_touch(m, m->derived_from);
}

void derived_writer(struct model *m, struct m_subject *s)
{
	if (s->writes_inside)
		return;
	s->writes_inside = true;
	derived_judge(m, s);
}

/* --- what is declared --------------------------------------------------------- */

static uint64_t from_of(const struct model *m, const struct dataset_config *c)
{
	uint64_t mask = 0;

	for (size_t i = 0; i < c->derived.from.n; i++) {
		int number = model_dataset(m, c->derived.from.v[i]);

		if (number >= 0)
			mask |= BIT(number);
	}
	return mask;
}

void derived_policy(struct model *m, const struct config *config)
{
	if (config == m->config) /* a new look at the network only */
		return;
	m->derived_from = 0;
	for (unsigned d = 0; d < SL_DATASETS_MAX; d++) {
		const struct dataset_config *c = m->datasets[d].config;

		m->datasets[d].from = c ? from_of(m, c) : 0;
		m->derived_from |= m->datasets[d].from;
	}
	for (struct m_subject *s = m->first_subject; s; s = s->next)
		if (s->writes_inside)
			derived_judge(m, s);
}

static uint64_t edge_from(const struct model *m, const struct m_edge *e)
{
	return e->key.own ? m->datasets[e->key.own - 1].from : 0;
}

bool edge_awaits_name(const struct model *m, const struct m_edge *e)
{
	const struct m_subject *s = e->subject;

	return edge_from(m, e) && !(s->derives & BIT(e->key.own - 1)) && s->process && !s->known &&
	       m->evaluations <= s->met;
}

uint64_t edge_declared(const struct model *m, const struct m_edge *e)
{
	uint64_t from = edge_from(m, e);

	if (!from || !(e->subject->derives & BIT(e->key.own - 1) || edge_awaits_name(m, e)))
		return 0;
	return from;
}

uint64_t edge_passes(const struct model *m, const struct m_edge *e, unsigned dataset)
{
	return edge_declared(m, e) & BIT(dataset) ? 0 : edge_limit(e, dataset);
}

/* --- how much it was ------------------------------------------------------------ */

static void add_declared(const struct model *m, const struct m_edge *e, struct figures *to)
{
	uint64_t declared = edge_declared(m, e);

	for (unsigned i = 0; declared && i < e->ntransfers; i++) {
		struct figures all = account_total(&e->transfers[i].sum);

		if (!(e->transfers[i].mask & declared))
			continue;
		to->bytes += all.bytes;
		*(edge_unlimited(e) ? &to->files : &to->ops) += all.ops;
	}
}

void derived_keep(struct model *m, const struct m_edge *e)
{
	if (e->key.own)
		add_declared(m, e, &m->datasets[e->key.own - 1].derived);
}

struct figures derived_total(const struct model *m, unsigned dataset)
{
	struct figures sum = m->datasets[dataset].derived;

	for (const struct m_object *o = m->first_object; o; o = o->next) {
		for (const struct m_edge *e = o->edges; e; e = e->other_next) {
			if (e->key.own == dataset + 1)
				add_declared(m, e, &sum);
		}
	}
	return sum;
}
