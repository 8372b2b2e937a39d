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

bool take_leak(struct finding *f, const struct leak *leak, bool *ret_grew)
{
	bool had = f->count && leak->bound == f->leak_bound && leak->exposed == f->exposed;

	*ret_grew = !f->count || leak->bound > f->leak_bound || leak->exposed > f->exposed;
	f->rough = !leak->exact;
	f->has_leak = f->has_exposed = true;
	f->leak_bound = leak->bound;
	f->exposed = leak->exposed;
	return !had;
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

/* What it says first follows its first bytes at once; who waits with it is not waited for. */
#define SAID_WAIT_NS (3 * NSEC)

static bool waits_for_words(const struct judging *j, const struct m_flow *f)
{
	return f->said_waits && !f->closed && j->now_ns < f->f.start_ns + SAID_WAIT_NS;
}

bool wait_for_name(const struct judging *j, struct m_flow *f)
{
	uint64_t now = j->m->evaluations + 1;

	if (waits_for_words(j, f))
		return true;
	if (!f->who || f->who->known)
		return false;
	if (!f->waited)
		f->waited = now;
	return f->waited == now;
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
	    judge_volume, judge_buckets, judge_plaintext, judge_budgets, judge_unexpected, judge_readers,
	    judge_channels, judge_staging, judge_dns, judge_credentials, judge_monitor,
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
