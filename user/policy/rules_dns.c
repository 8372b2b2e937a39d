/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * dns.tunnel: questions of processes that held tagged bytes carry data to whoever answers for a domain. One finding per
 * dataset, job and domain; what counts are questions asked since the bytes came.
 *
 * Names are weighed, in shares of what is enough by itself, and the shares add up: bytes in labels that look encoded (those
 * of very long ones count double and four times, since nothing else is that long), names that differ by more than numbers,
 * all names. What is met again counts once. The more if most questions are of types that no one needs to find a server;
 * much less where a provider alone sees the questions, as with bucket names, or somebody whom network.allow names. See
 * user/dest/name_shape.h for the shapes and the providers.
 *
 * The bound is all that stands below the domain in all questions, repeated ones too: that they look like data makes the
 * finding, not the figure.
 */
#include "user/policy/rules_internal.h"

#include <string.h>

#include "user/model_dns.h"
#include "user/model_graph.h"

#define SETTLED 3	      /* evaluations without a question */
#define JUDGED_AT_ONCE 64     /* domains and datasets that make findings, per evaluation */
#define ENOUGH 1.0
#define CODED_POINTS 768.0    /* 24 names of 32 hex digits: more than the hashed names of one CDN or agent */
#define CODED_NAMES 6	      /* at least: of fewer any length may be chance */
#define SKELETONS 512.0
#define SKELETON_BYTES (16 * 1024.0)
#define NAMES 4096.0	      /* numbered hosts of a large cluster are names too */
#define NAME_BYTES (128 * 1024.0)
#define ODD_FACTOR 2.0
#define PROVIDER_FACTOR (1 / 16.0)

static double weigh(const struct model *m, const struct m_domain *d, const struct tally *t)
{
	double w = (double)t->skeletons / SKELETONS + (double)t->skeleton_bytes / SKELETON_BYTES;

	/* of many domains each has names of its own */
	if (strcmp(d->text, DOMAIN_OTHERS))
		w += (double)t->names / NAMES + (double)t->name_bytes / NAME_BYTES;
	if (t->coded_names >= CODED_NAMES)
		w += (double)t->coded_points / CODED_POINTS;
	if (t->names >= CODED_NAMES && t->odd * 2 >= t->questions)
		w *= ODD_FACTOR;
	if (!d->asked_out && (d->provider || domain_allowed(m, d->text, t->mask)))
		w *= PROVIDER_FACTOR;
	return w;
}

/* --- who asked, and what they hold ---------------------------------------- */

struct askers {
	const struct m_subject *v[DOMAIN_ASKERS];
	size_t n;
	bool all; /* none of them is forgotten */
};

static struct askers find_askers(const struct model *m, const struct m_domain *d, unsigned dataset)
{
	struct askers a = {.all = !d->more_askers};

	for (unsigned i = 0; i < d->naskers; i++) {
		const struct m_subject *s = subject_find(m, &d->askers[i]);

		a.all = a.all && s;
		if (s && (subject_mask(s) & BIT(dataset)))
			a.v[a.n++] = s;
	}
	return a;
}

/* What is held by those who are known, or, where others asked too, by anyone. */
static int find_leak(struct judging *j, struct ds_graph *g, const struct askers *a, struct leak *ret)
{
	uint64_t supply = ds_graph_supply(g);

	if (a->all)
		return ds_graph_held(g, a->v, a->n, &j->work, ret);
	*ret = (struct leak){.bound = supply, .exposed = supply, .exact = true};
	return 0;
}

/* --- the finding ---------------------------------------------------------- */

#define NAMES_LEN 160

/* Of a long domain the end, where its owner is. */
static char *names_text(char buf[static NAMES_LEN], const char *domain, uint64_t n, bool at_least)
{
	char safe[80];
	size_t len = strlen(domain), from = len < sizeof(safe) ? 0 : len - sizeof(safe) + 1;
	const char *more = at_least ? "at least " : "";

	text_safe(safe, sizeof(safe), domain + from, len - from);
	if (!strcmp(domain, DOMAIN_OTHERS))
		snprintf(buf, NAMES_LEN, "%s%llu names below many domains", more, (unsigned long long)n);
	else if (!*domain)
		snprintf(buf, NAMES_LEN, "%s%llu names without a domain", more, (unsigned long long)n);
	else
		snprintf(buf, NAMES_LEN, "%s%llu names below %s%s", more, (unsigned long long)n, from ? "..." : "", safe);
	return buf;
}

static int describe(struct judging *j, struct finding *f, const struct m_domain *d, const struct tally *t)
{
	const struct m_dataset *ds = &j->m->datasets[f->dataset];
	char actor[JOB_LEN], names[NAMES_LEN], size[SIZE_LEN], label[DATASET_LEN];
	enum severity severity = severity_of(f->leak_bound, ds->size);

	memcpy(f->remote.addr, d->resolver, sizeof(f->remote.addr));
	f->remote.port = d->port;
	f->remote.proto = d->proto;
	f->has_remote = true;
	f->severity = MAX(severity, SEVERITY_MEDIUM);
	return finding_title(f,
			     "%s asked for %s that look like data (%llu encoded, labels of up to %u characters): "
			     "they can carry at most %s of %s",
			     d->job ? d->job->name : actor_text(actor, f->process),
			     names_text(names, d->text, t->names, d->full), (unsigned long long)t->coded_names, t->longest,
			     size_iec_most(size, f->leak_bound), dataset_label(label, ds));
}

static int update(struct judging *j, struct finding *f, struct ds_graph *g, const struct m_domain *d, const struct tally *t,
		  const struct askers *a, const struct leak *leak)
{
	bool grew;
	char names[NAMES_LEN];
	int err;

	if (!take_leak(f, leak, &grew))
		return 0;
	f->given = false;
	err = finding_chain_to_names(j->m, f, g, a->v, a->n, names_text(names, d->text, t->names, d->full), t->bytes, t->since_ns);
	if (a->n && (!f->process || !f->nchain))
		finding_process(f, (struct m_subject *)a->v[0]);
	if (!err)
		err = describe(j, f, d, t);
	if (!err)
		err = finding_cover(j->m, f, NULL);
	if (grew)
		finding_grow(f, j->now_ns);
	return err;
}

/* A job may be forgotten, and what it asked for with it, and come again: that is added. */
static uint64_t bytes_of_all(struct finding *f, uint64_t bytes)
{
	if (bytes < f->sent)
		f->seen += f->sent;
	f->sent = bytes;
	return f->seen + bytes;
}

static int judge_suspect(struct judging *j, const struct finding_key *key, struct m_domain *d, const struct tally *t)
{
	struct askers a = find_askers(j->m, d, (unsigned)key->dataset);
	bool joined = !strcmp(key->about, ABOUT_OTHERS) && strcmp(d->text, DOMAIN_OTHERS);
	struct finding *f = finding_find(j->m, key);
	struct ds_graph *g;
	struct leak leak;
	int err = ds_graph_current(j->m, (unsigned)key->dataset, &g);

	if (!err)
		err = find_leak(j, g, &a, &leak);
	if (!err && !leak.bound)
		return 0;
	if (!err && !f)
		err = finding_get(j->m, key, j->now_ns, &f);
	if (err)
		return err;
	if (!leak.exact)
		d->idle = 0; /* again, with a new allowance */
	leak.bound = MIN(leak.bound, joined ? t->bytes : bytes_of_all(f, t->bytes));
	if (joined && leak.bound <= f->leak_bound && f->count)
		return 0; /* the worst of those joined is told */
	return update(j, f, g, d, t, &a, &leak);
}

static int judge_dataset(struct judging *j, struct m_domain *d, unsigned dataset, unsigned *left)
{
	struct tally t = domain_sum(d, dataset);
	struct finding_key key = {
	    .rule = RULE_DNS_TUNNEL,
	    .dataset = (int)dataset,
	    .job = d->job ? d->job->name : NULL,
	    .about = d->text,
	};

	if (!finding_find(j->m, &key) && weigh(j->m, d, &t) < ENOUGH)
		return 0;
	(*left)--;
	if (!finding_has_place(j->m, &key))
		key.about = ABOUT_OTHERS;
	return judge_suspect(j, &key, d, &t);
}

static int judge_domain(struct judging *j, struct m_domain *d, unsigned *left)
{
	int err = 0;

	for (uint64_t mask = domain_mask(d); mask && *left; mask &= mask - 1) {
		unsigned dataset = (unsigned)__builtin_ctzll(mask);
		int e = j->m->datasets[dataset].id ? judge_dataset(j, d, dataset, left) : 0;

		err = err ? err : e;
	}
	return err;
}

int judge_dns(struct judging *j)
{
	int err = questions_settle(j->m);
	unsigned left = JUDGED_AT_ONCE;

	for (struct m_domain *d = j->m->questions ? j->m->questions->first : NULL; d; d = d->next) {
		if (d->idle >= SETTLED)
			continue;
		int e = judge_domain(j, d, &left);
		err = err ? err : e;
		d->idle += left > 0; /* else again, when there is time */
	}
	return err;
}
