/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/collect_health.h"

#include <bpf/libbpf.h>
#include <math.h>
#include <string.h>
#include <sys/resource.h>

#include "user/map_call.h"

/* These are read whole each time, so what was counted is what they hold. */
static const enum engine_map counted[] = {MAP_TAINTED, MAP_FLOWS, MAP_CHANNELS};

struct texts {
	const char **v;
	size_t n;
	int err;
};

static void add_text(struct texts *t, const char *name, const char *sep, const char *text)
{
	const char **more = reallocarray(t->v, t->n + 2, sizeof(*more));
	char *line = NULL;

	if (!more || asprintf(&line, "%s%s%s", name, sep, text) < 0) {
		t->v = more ? more : t->v;
		t->err = -ENOMEM;
		return;
	}
	t->v = more;
	t->v[t->n++] = line;
	t->v[t->n] = NULL;
}

static void add_gap(void *arg, enum fact f, const char *why)
{
	add_text(arg, fact_name(f), ": ", why);
}

/* --- programs --------------------------------------------------------------------- */

static int add_fact(char **facts, enum fact f)
{
	char *longer;

	if (asprintf(&longer, "%s%s%s", *facts ? *facts : "", *facts ? ", " : "", fact_name(f)) < 0)
		return -ENOMEM;
	free(*facts);
	*facts = longer;
	return 0;
}

/* Does the kernel count runs all the time? Else what stands there is of some moment only. */
static bool runs_are_counted(void)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/sys/kernel/bpf_stats_enabled", "re");
	int on = 0;

	return f && fscanf(f, "%d", &on) == 1 && on;
}

static int begin_programs(struct health_state *h, const struct engine *e, const struct plan *plan)
{
	struct program_count n;
	int err = 0;

	for (int f = 0; f < FACT_KINDS && !err; f++)
		if (plan->owner[f] >= 0)
			err = add_fact(&h->facts[plan->owner[f]], (enum fact)f);
	for (int p = 0; p < HOOK_KINDS; p++) {
		h->on[p] = plan->on[p];
		if (h->on[p] && !engine_count(e, (enum hook)p, &n))
			h->misses[p] = n.misses;
	}
	h->runs_counted = runs_are_counted();
	return err;
}

static void read_programs(const struct health_state *h, const struct engine *e, struct health *out)
{
	for (int p = 0; p < HOOK_KINDS && out->nprograms < HEALTH_PROGRAMS; p++) {
		struct program_health *to = &out->programs[out->nprograms];
		struct program_count n;

		if (!h->on[p] || engine_count(e, (enum hook)p, &n))
			continue;
		*to = (struct program_health){.name = hook_name((enum hook)p), .facts = h->facts[p], .runs = n.runs,
					      .runs_known = h->runs_counted, .misses = n.misses - h->misses[p],
					      .misses_known = n.misses_known};
		out->nprograms++;
	}
}

_Static_assert(HOOK_KINDS <= HEALTH_PROGRAMS, "HEALTH_PROGRAMS");

int health_init(struct health_state *h, const struct engine *e, const struct plan *plan)
{
	struct texts owners = {}, gaps = {}, limits = {};
	int err;

	h->backend = set_name(plan->set);
	h->ncpus = libbpf_num_possible_cpus();
	h->map_bytes = engine_map_bytes(e);
	for (int f = 0; f < FACT_KINDS; f++)
		if (plan->owner[f] >= 0)
			add_text(&owners, fact_name((enum fact)f), "=", hook_name((enum hook)plan->owner[f]));
	plan_gaps(plan, add_gap, &gaps);
	h->owners = owners.v;
	h->gaps = gaps.v;
	plan_limits(plan, add_gap, &limits);
	h->limits = limits.v;
	err = begin_programs(h, e, plan);
	if (!err)
		err = owners.err ? owners.err : gaps.err;
	return err ? err : limits.err;
}

static void free_texts(const char **v)
{
	for (const char **at = v; at && *at; at++)
		free((char *)*at);
	free(v);
}

void health_done(struct health_state *h)
{
	free_texts(h->owners);
	free_texts(h->gaps);
	free_texts(h->limits);
	for (int p = 0; p < HOOK_KINDS; p++)
		free(h->facts[p]);
}

void health_begin(struct health_state *h)
{
	memset(h->entries, 0, sizeof(h->entries));
}

static void read_losses(const struct health_state *h, const struct engine *e, uint64_t losses[LOSS_KINDS])
{
	_cleanup_free_ uint64_t *cpu = calloc((size_t)h->ncpus, sizeof(*cpu));

	for (uint32_t i = 0; cpu && i < LOSS_KINDS; i++) {
		if (map_lookup(engine_map_fd(e, MAP_LOSSES), &i, cpu))
			continue;
		for (int k = 0; k < h->ncpus; k++)
			losses[i] += cpu[k];
	}
}

/* Share of one core since the last report; NAN the first time. */
static double cpu_share(struct health_state *h, uint64_t now_ns)
{
	struct rusage use;
	double share = NAN;

	if (getrusage(RUSAGE_SELF, &use))
		return NAN;
	uint64_t cpu = ((uint64_t)use.ru_utime.tv_sec + (uint64_t)use.ru_stime.tv_sec) * NSEC +
		       ((uint64_t)use.ru_utime.tv_usec + (uint64_t)use.ru_stime.tv_usec) * 1000;
	if (h->cpu_at_ns && now_ns > h->cpu_at_ns)
		share = (double)(cpu - h->cpu_ns) / (double)(now_ns - h->cpu_at_ns);
	h->cpu_ns = cpu;
	h->cpu_at_ns = now_ns;
	return share;
}

static uint64_t resident(void)
{
	unsigned long pages = 0;
	_cleanup_fclose_ FILE *f = fopen("/proc/self/statm", "re");

	if (!f || fscanf(f, "%*u %lu", &pages) != 1)
		return 0;
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

void health_report(struct health_state *h, const struct engine *e, struct model *m, uint64_t now_ns, uint64_t late_ns)
{
	struct health out = {
		.backend = h->backend,
		.owners = h->owners,
		.gaps = h->gaps,
		.limits = h->limits,
		.cpu_share = cpu_share(h, now_ns),
		.rss_bytes = resident(),
		.map_bytes = h->map_bytes,
		.late_ns = late_ns,
		.blind_ns = h->blind_ns,
	};

	read_losses(h, e, out.losses);
	h->turned_away = out.losses[LOSS_FLOW_FULL];
	read_programs(h, e, &out);
	for (size_t i = 0; i < ARRAY_SIZE(counted); i++)
		out.fill[out.nfill++] = (struct map_fill){engine_map_name(counted[i]), h->entries[counted[i]],
							  engine_map_max(e, counted[i])};
	model_set_health(m, &out);
	h->blind_ns = 0;
}
