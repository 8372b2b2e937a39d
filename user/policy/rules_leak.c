/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Rules about flows that can have carried tagged bytes away: each has its bound, and those that are one to the rule have
 * one finding.
 *
 * A bound is judged when bytes left, and in the two evaluations after that, so that what was read
 * or passed on before them is complete; then it stays until more bytes leave. What is read later
 * cannot have left earlier.
 */
#include "user/policy/rules_leak.h"

#include <string.h>

#include "user/array.h"
#include "user/model_graph.h"

#define SETTLED 3 /* evaluations without a byte sent */

/* One flow and one dataset it can have carried. */
struct part {
	unsigned dataset;
	const char *job; /* "" not known */
	const struct m_flow *flow;
};

static int by_group(const void *a, const void *b, void *arg)
{
	const struct leak_rule *rule = arg;
	const struct part *x = a, *y = b;
	int c = (x->dataset > y->dataset) - (x->dataset < y->dataset);

	if (!c)
		c = strcmp(x->job, y->job);
	if (!c)
		c = rule->compare(x->flow, y->flow);
	return c ? c : (x->flow->slot > y->flow->slot) - (x->flow->slot < y->flow->slot);
}

static bool same_job(const struct part *x, const struct part *y)
{
	return x->dataset == y->dataset && !strcmp(x->job, y->job);
}

static bool same_group(const struct leak_rule *rule, const struct part *x, const struct part *y)
{
	return same_job(x, y) && !rule->compare(x->flow, y->flow);
}

static int collect(struct judging *j, const struct leak_rule *rule, struct part **ret, size_t *ret_n)
{
	struct part *all = NULL;
	size_t n = 0, max = 0;

	for (struct m_flow *f = j->m->first_flow; f; f = f->next) {
		if (!f->reach || !rule->about(f) || wait_for_name(j, f))
			continue;
		for (uint64_t mask = f->reach; mask; mask &= mask - 1) {
			unsigned d = (unsigned)__builtin_ctzll(mask);

			if (!flow_sent(f, d) || rule->allowed(j->m, f, BIT(d)))
				continue;
			int err = array_grow((void **)&all, &max, n + 1, sizeof(*all));
			if (err) {
				free(all);
				return err;
			}
			all[n++] =
			    (struct part){d, f->who && f->who->job ? f->who->job->name : "", f};
		}
	}
	if (n)
		qsort_r(all, n, sizeof(*all), by_group, (void *)rule);
	*ret = all;
	*ret_n = n;
	return 0;
}

static uint64_t sum_sent(const struct m_flow *const *flows, size_t n, unsigned dataset)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += flow_sent(flows[i], dataset);
	return sum;
}

/* Has this to be judged again? Counts how long nothing was sent. A new measure of the dataset changes
 * what the figures mean. */
static bool moved(const struct model *m, struct finding *f, uint64_t sent)
{
	unsigned scans = m->datasets[f->dataset].scans;
	bool measured = scans != f->scans;

	f->idle = sent > f->sent ? 0 : f->idle + 1;
	f->sent = sent;
	f->scans = scans;
	return f->idle < SETTLED || f->rough || measured;
}

static int describe(struct judging *j, const struct leak_rule *rule, struct finding *f, const struct m_flow *flow)
{
	const struct m_dataset *d = &j->m->datasets[f->dataset];
	struct leak_words w;
	char dest[DEST_TEXT_LEN];

	rule->dest(dest, flow);
	finding_remote(j->m, f, flow);
	f->severity = rule->severity(flow, severity_of(f->leak_bound, d->size));
	actor_text(w.actor, flow->who);
	size_iec_most(w.size, f->leak_bound);
	dataset_label(w.dataset, d);
	w.dest = f->joined ? "further destinations" : dest;
	return rule->title(f, &w);
}

static int update(struct judging *j, const struct leak_rule *rule, struct finding *f, struct ds_graph *g,
		  const struct m_flow *const *flows, size_t n, const struct leak *leak)
{
	bool grew, news = take_leak(f, leak, &grew);
	int err;

	if (!news && f->severity == rule->severity(flows[0], severity_of(f->leak_bound, j->m->datasets[f->dataset].size)))
		return 0;
	f->given = false;
	err = finding_chain(j->m, f, g, flows, n);
	if (!f->process && flows[0]->who)
		finding_process(f, flows[0]->who);
	if (!err)
		err = describe(j, rule, f, flows[0]);
	if (!err)
		err = finding_cover(j->m, f, NULL);
	if (grew)
		finding_grow(f, j->now_ns);
	return err;
}

static int judge_group(struct judging *j, const struct leak_rule *rule, const struct finding_key *key,
		       const struct m_flow *const *flows, size_t n)
{
	uint64_t sent = sum_sent(flows, n, (unsigned)key->dataset);
	struct finding *f = finding_find(j->m, key);
	struct ds_graph *g;
	struct leak leak;
	int err;

	if (f && !moved(j->m, f, sent))
		return 0;
	err = ds_graph_current(j->m, (unsigned)key->dataset, &g);
	if (!err)
		err = ds_graph_leak(g, flows, n, &j->work, &leak);
	if (err || !leak.bound)
		return err;
	if (!f) {
		err = finding_get(j->m, key, j->now_ns, &f);
		if (err)
			return err;
		f->sent = sent;
		f->joined = !strcmp(key->about, ABOUT_OTHERS);
		f->has_remote = !f->joined && flow_has_remote(flows[0]);
	}
	return update(j, rule, f, g, flows, n, &leak);
}

/* All that one job can have sent of one dataset: by remote end, as long as there is room for
 * findings. */
static int judge_job(struct judging *j, const struct leak_rule *rule, const struct part *all, size_t n,
		     const struct m_flow **flows, const struct m_flow **others)
{
	struct finding_key key = {
	    .rule = rule->rule,
	    .dataset = (int)all->dataset,
	    .job = *all->job ? all->job : NULL,
	};
	size_t end, nothers = 0;
	int err = 0;

	for (size_t i = 0; i < n && !err; i = end) {
		char about[DEST_LEN];

		for (end = i; end < n && same_group(rule, &all[i], &all[end]); end++)
			flows[end - i] = all[end].flow;
		key.about = rule->key(about, all[i].flow);
		if (finding_has_place(j->m, &key)) {
			err = judge_group(j, rule, &key, flows, end - i);
			continue;
		}
		memcpy(&others[nothers], flows, (end - i) * sizeof(*flows));
		nothers += end - i;
	}
	key.about = ABOUT_OTHERS;
	return err || !nothers ? err : judge_group(j, rule, &key, others, nothers);
}

int judge_leaks(struct judging *j, const struct leak_rule *rule)
{
	_cleanup_free_ struct part *all = NULL;
	_cleanup_free_ const struct m_flow **room = NULL;
	size_t n, end;
	int err = collect(j, rule, &all, &n);

	if (err || !n)
		return err;
	room = calloc(2 * n, sizeof(*room));
	if (!room)
		return -ENOMEM;
	for (size_t i = 0; i < n && !err; i = end) {
		for (end = i; end < n && same_job(&all[i], &all[end]); end++)
			;
		err = judge_job(j, rule, &all[i], end - i, room, room + n);
	}
	return err;
}
