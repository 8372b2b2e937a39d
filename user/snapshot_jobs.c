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

int job_items(struct snapshot_work *w)
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
		const char *key = json_string_value(json_object_get(item, "job"));
		err = snapshot_take(w, key ? key : "", 0, item);
		if (err)
			return err;
	}
	return 0;
}

/* --- processes ----------------------------------------------------------- */

/* Of each dataset in `held`, in order of their numbers. */
static int volumes(struct snapshot_work *w, const struct m_subject *s, uint64_t held, uint64_t ret[SL_DATASETS_MAX])
{
	int err = 0;

	for (uint64_t mask = held; mask && !err; mask &= mask - 1) {
		unsigned d = (unsigned)__builtin_ctzll(mask);
		struct ds_graph *g;

		err = snapshot_graph(w, d, &g);
		if (!err)
			err = ds_graph_volume(g, s, &w->allowance, ret++);
	}
	return err;
}

static json_t *json_volumes(const struct model *m, uint64_t held, const uint64_t *volume)
{
	json_t *all = json_object();

	for (uint64_t mask = held; all && mask; mask &= mask - 1) {
		json_t *id = json_dataset(m, (unsigned)__builtin_ctzll(mask));

		if (!id || json_object_set_new(all, json_string_value(id), json_count(*volume++))) {
			json_decref(all);
			all = NULL;
		}
		json_decref(id);
	}
	return all;
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

/* What an item is made of. */
struct process_facts {
	const struct m_subject *s;
	uint64_t held;
	uint64_t volume[SL_DATASETS_MAX];
	struct figures bytes[ACCESS_KINDS];
	struct past sent;
};

static uint64_t process_print(const struct process_facts *f)
{
	const struct m_subject *s = f->s;
	struct print p = {3};

	print_subject(&p, s);
	print_add(&p, f->held);
	for (int i = 0; i < __builtin_popcountll(f->held); i++)
		print_add(&p, f->volume[i]);
	for (unsigned k = 0; k < ACCESS_KINDS; k++)
		print_add(&p, f->bytes[k].bytes);
	print_add(&p, f->sent.out);
	print_add(&p, f->sent.tainted);
	print_add(&p, (uint64_t)s->merged << 1 | subject_alive(s));
	if (s->asker) {
		print_add(&p, s->asker->questions);
		print_add(&p, s->asker->bytes);
	}
	print_received(&p, s);
	return p.sum;
}

static json_t *json_process_item(const struct model *m, const struct process_facts *f, const char *id)
{
	const struct m_subject *s = f->s;
	json_t *item = json_pack(
	    "{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:i, s:o, s:o}", "id", id, "process", json_process(m, s), "image",
	    json_count(s->who.exec), "job", json_job(s), "datasets", json_datasets(m, f->held), "bytes", json_bytes(m, f->bytes),
	    "volume", json_volumes(m, f->held, f->volume), "bytes_out", json_count(f->sent.out), "tainted_out",
	    json_count(f->sent.tainted), "alive", json_boolean(subject_alive(s)), "merged", (int)s->merged, "job_labels",
	    json_job_labels(s->job, s), "dns", json_dns(s->asker));

	if (item && !snapshot_received(m, s, f->held, item))
		return item;
	json_decref(item);
	return NULL;
}

static int process_item(struct snapshot_work *w, const struct m_subject *s, const struct past *sent)
{
	struct process_facts f = {.s = s, .sent = *sent};
	char id[64];
	int err = snapshot_holds(w, s, subject_mask(s), &f.held);

	if (!err)
		err = volumes(w, s, f.held, f.volume);
	if (err)
		return err;
	sum_accesses(s, f.bytes);
	snprintf(id, sizeof(id), "%u-%llu-%u", s->who.tgid, (unsigned long long)s->who.start_ns, s->who.exec);
	uint64_t print = process_print(&f);
	return snapshot_wants(w, id, print) ? snapshot_take(w, id, print, json_process_item(w->m, &f, id)) : 0;
}

int process_items(struct snapshot_work *w)
{
	_cleanup_free_ struct past *sent = sum_sent(w->m);
	int err = sent ? 0 : -ENOMEM;

	for (const struct m_subject *s = w->m->first_subject; s && !err; s = s->next)
		err = process_item(w, s, &sent[s->slot]);
	return err;
}
