/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Jobs and processes, with what they hold and what they sent. */
#include "user/model_dns.h"
#include "user/snapshot_internal.h"

#include <string.h>

struct job_sum {
	const struct m_job *job; /* NULL: not known */
	uint64_t mask, processes, read;
	uint64_t read_of[SL_DATASETS_MAX];
	struct past sent;
};

static int by_name(const void *a, const void *b)
{
	const struct job_sum *x = a, *y = b;

	if (!x->job || !y->job)
		return !x->job - !y->job;
	return strcmp(x->job->name, y->job->name);
}

static int by_job(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t)((const struct job_sum *)a)->job,
		  y = (uintptr_t)((const struct job_sum *)b)->job;

	return x < y ? -1 : x > y;
}

/* One entry per job, in the order of their addresses, to be found quickly; the last is for what has
 * none. */
static struct job_sum *list_jobs(const struct model *m, size_t *ret_n)
{
	struct job_sum *sums = calloc(m->jobs.used + 1, sizeof(*sums));
	size_t n = 0;

	if (!sums)
		return NULL;
	for (size_t i = 0; i < m->jobs.size; i++) {
		const struct m_job *job = m->jobs.slots[i].item;

		if (job)
			sums[n++] = (struct job_sum){.job = job, .sent = job->past};
	}
	sums[n++].job = NULL;
	qsort(sums, n, sizeof(*sums), by_job);
	*ret_n = n;
	return sums;
}

static struct job_sum *sum_of(struct job_sum *sums, size_t n, const struct m_subject *s)
{
	struct job_sum key = {.job = s ? s->job : NULL};

	return bsearch(&key, sums, n, sizeof(*sums), by_job);
}

static void past_sum(struct past *to, const struct past *more)
{
	to->out += more->out;
	to->in += more->in;
	to->tainted += more->tainted;
}

static void add_reads(struct job_sum *sum, const struct m_subject *s)
{
	for (const struct m_access *a = s->access; a; a = a->next) {
		uint64_t bytes = access_bytes(a);

		sum->read += bytes;
		sum->read_of[a->dataset] += bytes;
	}
}

static int sum_jobs(struct snapshot_work *w, struct job_sum *sums, size_t n)
{
	const struct model *m = w->m;

	for (const struct m_subject *s = m->first_subject; s; s = s->next) {
		struct job_sum *sum = sum_of(sums, n, s);
		uint64_t held;
		int err = snapshot_holds(w, s, subject_mask(s), &held);

		if (err)
			return err;
		sum->mask |= held;
		sum->processes += MAX(s->merged, 1);
		add_reads(sum, s);
		past_sum(&sum->sent, &s->past);
	}
	for (const struct m_flow *f = m->first_flow; f; f = f->next) {
		struct job_sum *sum = sum_of(sums, n, f->who);
		struct past sent = {f->out, f->in, flow_tainted(f)};

		sum->mask |= f->reach;
		past_sum(&sum->sent, &sent);
	}
	return 0;
}

/* A byte belongs to one dataset, so bounds add up; all of them together are no more than what was
 * sent since tainted. */
static int job_leak(struct snapshot_work *w, const struct job_sum *sum, uint64_t *ret)
{
	uint64_t all = 0;

	for (uint64_t mask = sum->mask; mask; mask &= mask - 1) {
		uint64_t bound;
		int err =
		    snapshot_outside(w, (unsigned)__builtin_ctzll(mask), false, sum->job, &bound);

		if (err)
			return err;
		all += bound;
	}
	*ret = MIN(all, sum->sent.tainted);
	return 0;
}

int job_items(struct snapshot_work *w, json_t *items)
{
	size_t n;
	_cleanup_free_ struct job_sum *sums = list_jobs(w->m, &n);

	if (!sums)
		return -ENOMEM;
	int r = sum_jobs(w, sums, n);
	if (r)
		return r;
	qsort(sums, n, sizeof(*sums), by_name);
	for (size_t i = 0; i < n; i++) {
		const struct job_sum *s = &sums[i];
		const char *name = s->job ? s->job->name : NULL;
		uint64_t bound;

		if (!s->job && !s->processes && !s->sent.out && !s->sent.in)
			continue;
		json_t *used;
		int err = job_leak(w, s, &bound);
		if (!err)
			err = snapshot_job_used(w->m, s->job, s->read_of, &used);
		if (err)
			return err;
		json_t *item = json_pack(
		    "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "job", json_safe(name), "ml",
		    json_boolean(job_is_ml(w->m, name)), "ml_reason", json_ml(w->m, name), "job_labels",
		    json_job_labels(s->job, NULL), "datasets", json_datasets(w->m, s->mask),
		    "processes", json_count(s->processes), "bytes_read", json_count(s->read), "used", used,
		    "bytes_out", json_count(s->sent.out), "tainted_out",
		    json_count(s->sent.tainted), "leak_bound", json_count(bound));
		if (json_array_append_new(items, item))
			return -ENOMEM;
	}
	return 0;
}

/* --- processes ----------------------------------------------------------- */

static int volumes(struct snapshot_work *w, const struct m_subject *s, uint64_t held, json_t **ret)
{
	json_t *all = json_object();
	int err = all ? 0 : -ENOMEM;

	for (uint64_t mask = held; mask && !err; mask &= mask - 1) {
		unsigned d = (unsigned)__builtin_ctzll(mask);
		struct ds_graph *g;
		uint64_t volume;

		err = snapshot_graph(w, d, &g);
		if (!err)
			err = ds_graph_volume(g, s, &w->allowance, &volume);
		json_t *id = err ? NULL : json_dataset(w->m, d);
		if (!err &&
		    (!id || json_object_set_new(all, json_string_value(id), json_count(volume))))
			err = -ENOMEM;
		json_decref(id);
	}
	if (err) {
		json_decref(all);
		return err;
	}
	*ret = all;
	return 0;
}

static void sum_accesses(const struct m_subject *s, struct figures sums[ACCESS_KINDS])
{
	for (const struct m_access *a = s->access; a; a = a->next) {
		for (unsigned k = 0; k < ACCESS_KINDS; k++)
			sums[k].bytes += account_total(&a->kind[k]).bytes;
	}
}

/* What each subject sent, by its slot. */
static struct past *sum_sent(const struct model *m)
{
	struct past *sent = calloc(m->subject_slots.count + 1, sizeof(*sent));

	for (const struct m_subject *s = sent ? m->first_subject : NULL; s; s = s->next)
		sent[s->slot] = s->past;
	for (const struct m_flow *f = sent ? m->first_flow : NULL; f; f = f->next) {
		struct past more = {f->out, f->in, flow_tainted(f)};

		if (f->who)
			past_sum(&sent[f->who->slot], &more);
	}
	return sent;
}

/* null: it asked for no name. */
static json_t *json_dns(const struct m_asker *a)
{
	return a ? json_pack("{s:o, s:o, s:o}", "questions", json_count(a->questions), "names",
			     json_count(distinct_count(&a->names)), "bytes", json_count(a->bytes))
		 : json_null();
}

int process_items(struct snapshot_work *w, json_t *items)
{
	_cleanup_free_ struct past *sent = sum_sent(w->m);

	if (!sent)
		return -ENOMEM;
	for (const struct m_subject *s = w->m->first_subject; s; s = s->next) {
		struct figures bytes[ACCESS_KINDS] = {0};
		json_t *volume;
		uint64_t held;
		int err = snapshot_holds(w, s, subject_mask(s), &held);

		if (!err)
			err = volumes(w, s, held, &volume);

		if (err)
			return err;
		sum_accesses(s, bytes);
		json_t *item = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:i, s:o, s:o}", "process",
					 json_process(w->m, s), "image", json_count(s->who.exec), "job", json_job(s), "datasets",
					 json_datasets(w->m, held), "bytes",
					 json_bytes(w->m, bytes), "volume", volume, "bytes_out",
					 json_count(sent[s->slot].out), "tainted_out",
					 json_count(sent[s->slot].tainted), "alive",
					 json_boolean(subject_alive(s)), "merged", (int)s->merged, "job_labels",
					 json_job_labels(s->job, s), "dns", json_dns(s->asker));
		if (json_array_append_new(items, item))
			return -ENOMEM;
		err = snapshot_received(w->m, s, held, item);
		if (err)
			return err;
	}
	return 0;
}
