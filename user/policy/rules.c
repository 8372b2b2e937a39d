/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/policy/rules.h"
#include "user/policy/rules_internal.h"

#include <string.h>

#include "user/model_graph.h"
#include "user/model_tainted.h"

enum severity severity_of(uint64_t bytes, uint64_t dataset_size)
{
	if (dataset_size && bytes >= dataset_size / 10 + !!(dataset_size % 10))
		return SEVERITY_CRITICAL;
	if (bytes < 64 << 10)
		return SEVERITY_INFO;
	if (bytes < 1 << 20)
		return SEVERITY_LOW;
	return bytes < 64 << 20 ? SEVERITY_MEDIUM : SEVERITY_HIGH;
}

char *dataset_label(char buf[static DATASET_LEN], const struct m_dataset *d)
{
	const char *type = NULL;

	for (size_t i = 0; i < d->ntags; i++) {
		if (!strcmp(d->tags[i].key, "DataType"))
			type = d->tags[i].value;
	}
	if (type && *type)
		snprintf(buf, DATASET_LEN, "%s (%.80s)", d->id, type);
	else
		snprintf(buf, DATASET_LEN, "%s", d->id);
	return buf;
}

char *actor_text(char buf[static JOB_LEN], const struct m_subject *s)
{
	char who[SUBJECT_LEN];

	if (s && s->job)
		snprintf(buf, JOB_LEN, "%s", s->job->name);
	else
		snprintf(buf, JOB_LEN, "%s", s ? subject_text(who, s) : "an unknown process");
	return buf;
}

bool wait_for_name(const struct judging *j, struct m_flow *f)
{
	uint64_t now = j->m->evaluations + 1;

	if (!f->who || f->who->known)
		return false;
	if (!f->waited)
		f->waited = now;
	return f->waited == now;
}

static bool is_service(const struct m_flow *f, const char *service)
{
	return f->dest.class == CLASS_AWS && f->dest.service && !strcasecmp(f->dest.service, service);
}

/* An entry that asks for something unknown about the flow does not match. */
static bool entry_covers(const struct allow_rule *a, const struct m_flow *f)
{
	if (a->name || a->bucket || a->account || (!a->has_cidr && !a->service))
		return false;
	return flow_has_remote(f) && (!a->port || a->port == f->f.rport) &&
	       (!a->has_cidr || cidr_holds(&a->cidr, f->f.raddr)) && (!a->service || is_service(f, a->service));
}

static bool entry_for(const struct model *m, const struct allow_rule *a, uint64_t mask)
{
	if (!a->datasets.n)
		return true;
	for (; mask; mask &= mask - 1) {
		const char *id = m->datasets[__builtin_ctzll(mask)].id;

		if (!id || !strings_match(&a->datasets, id))
			return false;
	}
	return true;
}

const struct allow_rule *flow_allow(const struct model *m, const struct m_flow *f, uint64_t mask)
{
	for (size_t i = 0; i < m->config->network.nallow; i++) {
		const struct allow_rule *a = &m->config->network.allow[i];

		if (entry_covers(a, f) && entry_for(m, a, mask))
			return a;
	}
	return NULL;
}

bool flow_allowed(const struct model *m, const struct m_flow *f, uint64_t mask)
{
	return flow_allow(m, f, mask);
}

/* Which datasets a byte of which can have reached each flow. */
static int note_reach(struct model *m)
{
	uint64_t wanted = 0;

	for (struct m_flow *f = m->first_flow; f; f = f->next)
		wanted |= flow_mask(f);
	for (unsigned d = 0; d < SL_DATASETS_MAX; d++) {
		struct ds_graph *g;

		if (!(wanted & BIT(d)))
			continue;
		int err = ds_graph_current(m, d, &g);
		if (err)
			return err;
		for (struct m_flow *f = m->first_flow; f; f = f->next) {
			if (ds_graph_reaches(g, f))
				f->reach |= BIT(d);
			else
				f->reach &= ~BIT(d);
		}
	}
	return 0;
}

int rules_evaluate(struct model *m, uint64_t now_ns)
{
	struct judging j = {.m = m, .now_ns = now_ns, .work = GRAPH_WORK};
	static int (*const judges[])(struct judging *) = {
	    judge_volume, judge_budgets, judge_unexpected, judge_readers, judge_channels,
	    judge_staging, judge_monitor,
	    judge_credentials,
	};
	int err = model_prune(m, now_ns);

	if (!err)
		err = note_reach(m);
	/* One rule's trouble does not silence the others. */
	for (size_t i = 0; i < ARRAY_SIZE(judges); i++) {
		int e = judges[i](&j);

		err = err ? err : e;
	}
	int e = model_count_tainted(m, now_ns);
	err = err ? err : e;
	for (struct m_flow *f = m->first_flow; f; f = f->next)
		f->closed_evaluations += f->closed && !f->folded;
	m->evaluated_ns = now_ns;
	m->evaluations++;
	return err;
}
