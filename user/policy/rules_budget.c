/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * budget.exceeded: what left the VPC of a dataset within its budget's period, allowed destinations
 * included. Of a window it is known how many bytes were sent in it that the dataset can account
 * for; distinct tagged bytes are at most these, and at most all that can have left at any time.
 */
#include "user/policy/rules_internal.h"

#include <string.h>

#include "user/array.h"
#include "user/model_graph.h"

/* The window is a ring of slots. The one that is half over counts in full: never too little. */
static void ring_advance(struct budget_ring *r, uint64_t per_ns, uint64_t now_ns)
{
	uint64_t slot_ns = per_ns / (BUDGET_SLOTS - 1) + 1;
	uint64_t now = now_ns / slot_ns;

	if (!r->started || r->slot_ns != slot_ns) {
		uint64_t kept = 0;

		for (unsigned i = 0; i < BUDGET_SLOTS; i++)
			kept += r->bytes[i];
		memset(r->bytes, 0, sizeof(r->bytes));
		r->bytes[now % BUDGET_SLOTS] = kept;
		r->slot_ns = slot_ns;
		r->last_slot = now;
		r->started = true;
	}
	for (unsigned i = 0; r->last_slot < now && i < BUDGET_SLOTS; i++)
		r->bytes[++r->last_slot % BUDGET_SLOTS] = 0;
	r->last_slot = MAX(r->last_slot, now);
}

static uint64_t ring_sum(const struct budget_ring *r)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < BUDGET_SLOTS; i++)
		sum += r->bytes[i];
	return sum;
}

/* Totals fall when a class changes; the ring takes in growth only. */
static bool ring_take(struct budget_ring *r, uint64_t total)
{
	bool grew = total > r->sent;

	if (grew)
		r->bytes[r->last_slot % BUDGET_SLOTS] += total - r->sent;
	r->sent = total;
	return grew;
}

static int outside_flows(const struct model *m, unsigned dataset, const struct m_flow ***ret,
			 size_t *ret_n, uint64_t *ret_sent)
{
	const struct m_flow **flows = NULL;
	size_t n = 0, max = 0;
	uint64_t sent = 0;

	for (const struct m_flow *f = m->first_flow; f; f = f->next) {
		if (!(f->reach & BIT(dataset)) || !flow_outside(f))
			continue;
		int err = array_grow((void **)&flows, &max, n + 1, sizeof(*flows));
		if (err) {
			free(flows);
			return err;
		}
		flows[n++] = f;
		sent += flow_sent(f, dataset);
	}
	*ret = flows;
	*ret_n = n;
	*ret_sent = sent;
	return 0;
}

static char *duration_text(char *buf, size_t n, uint64_t ns)
{
	static const struct {
		uint64_t ns;
		const char *unit;
	} units[] = {{86400 * NSEC, "d"}, {3600 * NSEC, "h"}, {60 * NSEC, "m"}, {NSEC, "s"}};

	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (ns >= units[i].ns && ns % units[i].ns == 0) {
			snprintf(buf, n, "%llu%s", (unsigned long long)(ns / units[i].ns),
				 units[i].unit);
			return buf;
		}
	}
	snprintf(buf, n, "%llums", (unsigned long long)(ns / 1000000));
	return buf;
}

static int raise_budget(struct judging *j, unsigned dataset, struct ds_graph *g,
			const struct m_flow *const *flows, size_t n, const struct leak *leak,
			uint64_t spent)
{
	const struct m_dataset *d = &j->m->datasets[dataset];
	struct finding_key key = {.rule = RULE_BUDGET_EXCEEDED, .dataset = (int)dataset};
	char label[DATASET_LEN], size[SIZE_LEN], limit[SIZE_LEN], per[32];
	struct finding *f;
	int err = finding_get(j->m, &key, j->now_ns, &f);

	if (err)
		return err;
	f->has_leak = f->has_exposed = true;
	f->leak_bound = spent;
	f->exposed = leak->exposed;
	f->severity = MAX(SEVERITY_HIGH, severity_of(spent, d->size));
	err = finding_chain(j->m, f, g, flows, n);
	if (!err)
		err = finding_title(f, "at most %s of %s left the VPC within %s; its budget is %s",
				    size_iec_most(size, spent), dataset_label(label, d),
				    duration_text(per, sizeof(per), d->config->budget.per_ns),
				    size_iec(limit, d->config->budget.outside_vpc));
	if (!err)
		err = finding_cover(j->m, f, NULL);
	finding_grow(f, j->now_ns);
	return err;
}

static int judge_budget(struct judging *j, unsigned dataset)
{
	struct m_dataset *d = &j->m->datasets[dataset];
	_cleanup_free_ const struct m_flow **flows = NULL;
	struct ds_graph *g;
	struct leak leak;
	uint64_t sent;
	size_t n;
	int err = outside_flows(j->m, dataset, &flows, &n, &sent);

	if (err)
		return err;
	ring_advance(&d->budget, d->config->budget.per_ns, j->now_ns);
	/* Also while it does not grow: what limited the bound then may be known better now. */
	bool grew = ring_take(&d->budget, sent);
	d->budget.idle = grew ? 0 : d->budget.idle + 1;
	uint64_t window = ring_sum(&d->budget);
	if (d->budget.idle >= 3 || window <= d->config->budget.outside_vpc)
		return 0;
	err = ds_graph_current(j->m, dataset, &g);
	if (!err)
		err = ds_graph_leak(g, flows, n, &j->work, &leak);
	if (err)
		return err;
	uint64_t spent = MIN(d->budget.before > UINT64_MAX - leak.bound ? UINT64_MAX : leak.bound + d->budget.before, window);
	if (spent <= d->config->budget.outside_vpc || (!grew && spent <= d->budget.judged))
		return 0;
	d->budget.judged = spent;
	return raise_budget(j, dataset, g, flows, n, &leak, spent);
}

int judge_budgets(struct judging *j)
{
	int err = 0;

	for (unsigned i = 0; i < SL_DATASETS_MAX; i++) {
		const struct m_dataset *d = &j->m->datasets[i];

		if (!d->id || !d->config || !d->config->budget.set)
			continue;
		int e = judge_budget(j, i);
		err = err ? err : e;
	}
	return err;
}
