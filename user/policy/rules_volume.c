/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * exfil.volume: tagged bytes that can have left for where nobody allowed them to go.
 *
 * A bound is judged when bytes left, and in the two evaluations after that, so that what was read
 * or passed on before them is complete; then it stays until more bytes leave. What is read later
 * cannot have left earlier.
 */
#include "user/policy/rules_internal.h"

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

/* Flows without one remote end are no group with those that have one, whatever stands in its place. */
static int end_kind(const struct m_flow *f)
{
	return flow_has_remote(f) ? 0 : f->f.role;
}

static int by_group(const void *a, const void *b)
{
	const struct part *x = a, *y = b;
	int c = (x->dataset > y->dataset) - (x->dataset < y->dataset);

	if (!c)
		c = strcmp(x->job, y->job);
	if (!c)
		c = end_kind(x->flow) - end_kind(y->flow);
	if (!c)
		c = memcmp(x->flow->f.raddr, y->flow->f.raddr, sizeof(x->flow->f.raddr));
	if (!c)
		c = (x->flow->f.rport > y->flow->f.rport) - (x->flow->f.rport < y->flow->f.rport);
	return c ? c : (x->flow->slot > y->flow->slot) - (x->flow->slot < y->flow->slot);
}

static bool same_job(const struct part *x, const struct part *y)
{
	return x->dataset == y->dataset && !strcmp(x->job, y->job);
}

static bool same_group(const struct part *x, const struct part *y)
{
	return same_job(x, y) && end_kind(x->flow) == end_kind(y->flow) && x->flow->f.rport == y->flow->f.rport &&
	       !memcmp(x->flow->f.raddr, y->flow->f.raddr, sizeof(x->flow->f.raddr));
}

static int collect(struct judging *j, struct part **ret, size_t *ret_n)
{
	struct part *all = NULL;
	size_t n = 0, max = 0;

	for (struct m_flow *f = j->m->first_flow; f; f = f->next) {
		if (!f->reach || !class_outside(f->dest.class) || wait_for_name(j, f))
			continue;
		for (uint64_t mask = f->reach; mask; mask &= mask - 1) {
			unsigned d = (unsigned)__builtin_ctzll(mask);

			if (!flow_sent(f, d) || flow_allowed(j->m, f, BIT(d)))
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
		qsort(all, n, sizeof(*all), by_group);
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

static int describe_volume(struct judging *j, struct finding *f, const struct m_flow *flow)
{
	const struct m_dataset *d = &j->m->datasets[f->dataset];
	char actor[JOB_LEN], size[SIZE_LEN], label[DATASET_LEN], remote[REMOTE_LEN];

	flow_text(remote, flow);
	memcpy(f->remote.addr, flow->f.raddr, sizeof(f->remote.addr));
	f->remote.port = flow->f.rport;
	f->remote.proto = flow->f.proto;
	f->severity = severity_of(f->leak_bound, d->size);
	return finding_title(f, "%s sent at most %s of %s to %s outside the VPC",
			     actor_text(actor, flow->who), size_iec(size, f->leak_bound),
			     dataset_label(label, d),
			     f->has_remote || !flow_has_remote(flow) ? remote : "further destinations");
}

/* A bound that fell (the sender became known) is told, but is no growth. */
static int update_volume(struct judging *j, struct finding *f, struct ds_graph *g,
			 const struct m_flow *const *flows, size_t n, const struct leak *leak)
{
	bool grew = leak->bound > f->leak_bound || leak->exposed > f->exposed || !f->count;
	int err;

	f->rough = !leak->exact;
	if (!grew && leak->bound == f->leak_bound && leak->exposed == f->exposed &&
	    f->severity == severity_of(f->leak_bound, j->m->datasets[f->dataset].size))
		return 0;
	f->has_leak = f->has_exposed = true;
	f->leak_bound = leak->bound;
	f->exposed = leak->exposed;
	f->given = false;
	err = finding_chain(j->m, f, g, flows, n);
	if (!f->process && flows[0]->who)
		finding_process(f, flows[0]->who);
	if (!err)
		err = describe_volume(j, f, flows[0]);
	if (!err)
		err = finding_cover(j->m, f, NULL);
	if (grew)
		finding_grow(f, j->now_ns);
	return err;
}

static int judge_group(struct judging *j, const struct finding_key *key,
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
		f->has_remote = strcmp(key->about, ABOUT_OTHERS) && flow_has_remote(flows[0]);
	}
	return update_volume(j, f, g, flows, n, &leak);
}

/* All that one job can have sent of one dataset: by remote end, as long as there is room for
 * findings. */
static int judge_job(struct judging *j, const struct part *all, size_t n,
		     const struct m_flow **flows, const struct m_flow **others)
{
	struct finding_key key = {
	    .rule = RULE_EXFIL_VOLUME,
	    .dataset = (int)all->dataset,
	    .job = *all->job ? all->job : NULL,
	};
	size_t end, nothers = 0;
	int err = 0;

	for (size_t i = 0; i < n && !err; i = end) {
		char about[REMOTE_LEN];

		for (end = i; end < n && same_group(&all[i], &all[end]); end++)
			flows[end - i] = all[end].flow;
		key.about = flow_text(about, all[i].flow);
		if (finding_has_place(j->m, &key)) {
			err = judge_group(j, &key, flows, end - i);
			continue;
		}
		memcpy(&others[nothers], flows, (end - i) * sizeof(*flows));
		nothers += end - i;
	}
	key.about = ABOUT_OTHERS;
	return err || !nothers ? err : judge_group(j, &key, others, nothers);
}

int judge_volume(struct judging *j)
{
	_cleanup_free_ struct part *all = NULL;
	_cleanup_free_ const struct m_flow **room = NULL;
	size_t n, end;
	int err = collect(j, &all, &n);

	if (err || !n)
		return err;
	room = calloc(2 * n, sizeof(*room));
	if (!room)
		return -ENOMEM;
	for (size_t i = 0; i < n && !err; i = end) {
		for (end = i; end < n && same_job(&all[i], &all[end]); end++)
			;
		err = judge_job(j, &all[i], end - i, room, room + n);
	}
	return err;
}
