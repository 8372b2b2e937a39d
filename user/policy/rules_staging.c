/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * staging.copy: tagged bytes that can have been written to files outside the dataset which other
 * users, or other hosts, can read. One finding per dataset, job and directory, so that a thousand
 * checkpoints are one. What no other user can read, a private directory's files among it, makes
 * none; a file that cannot be found counts as readable. Nor does what is declared to be derived.
 */
#include "user/policy/rules_internal.h"

#include <string.h>

#include "user/array.h"
#include "user/model_carry.h"
#include "user/model_derived.h"
#include "user/model_graph.h"

#define SETTLED 3     /* evaluations without a write */
#define ELSEWHERE "?" /* for files without a known path */

/* One file and one dataset it may hold bytes of. */
struct staged {
	unsigned dataset;
	const char *job; /* of who wrote most; "" not known */
	const char *dir; /* not terminated */
	size_t dir_len;
	const struct m_object *object;
	const struct m_subject *writer;
	uint64_t written; /* bytes, and how often where these are not counted: it only grows */
};

static int by_place(const void *a, const void *b)
{
	const struct staged *x = a, *y = b;
	int c = (x->dataset > y->dataset) - (x->dataset < y->dataset);

	if (!c)
		c = strcmp(x->job, y->job);
	if (!c)
		c = (x->dir_len > y->dir_len) - (x->dir_len < y->dir_len);
	if (!c)
		c = memcmp(x->dir, y->dir, x->dir_len);
	return c ? c : (x->object->slot > y->object->slot) - (x->object->slot < y->object->slot);
}

static bool same_job(const struct staged *x, const struct staged *y)
{
	return x->dataset == y->dataset && !strcmp(x->job, y->job);
}

static bool same_place(const struct staged *x, const struct staged *y)
{
	return same_job(x, y) && x->dir_len == y->dir_len && !memcmp(x->dir, y->dir, x->dir_len);
}

static void find_dir(struct staged *s)
{
	const char *path = s->object->path, *slash = path ? strrchr(path, '/') : NULL;

	s->dir = slash ? path : ELSEWHERE;
	s->dir_len = slash ? MAX((size_t)(slash - path), (size_t)1) : strlen(ELSEWHERE);
}

/* Who wrote what of a dataset into the object; nothing: `written` stays 0. */
static void find_writers(const struct model *m, struct staged *s)
{
	const struct m_carried *before = carried_of(s->object->carried, s->dataset);
	uint64_t most = 0;

	s->written = before ? before->is.bound : 0;
	for (const struct m_edge *e = s->object->edges; e; e = e->other_next) {
		uint64_t n = 0;

		if (!edge_writes(e) || edge_declared(m, e) & BIT(s->dataset))
			continue;
		for (unsigned i = 0; i < e->ntransfers; i++) {
			struct figures all = account_total(&e->transfers[i].sum);

			if (e->transfers[i].mask & BIT(s->dataset))
				n += edge_unlimited(e) ? all.ops : all.bytes;
		}
		s->written += n;
		if (n > most) {
			most = n;
			s->writer = e->subject;
		}
	}
	s->job = s->writer && s->writer->job ? s->writer->job->name : "";
}

static uint64_t written_mask(const struct model *m, const struct m_object *o)
{
	uint64_t mask = o->told_open ? 0 : carried_mask(o->carried);

	for (const struct m_edge *e = o->edges; e; e = e->other_next) {
		for (unsigned i = 0; edge_writes(e) && i < e->ntransfers; i++)
			mask |= e->transfers[i].mask & ~edge_declared(m, e);
	}
	return mask;
}

static int collect(struct judging *j, struct staged **ret, size_t *ret_n)
{
	struct staged *all = NULL;
	size_t n = 0, max = 0;

	for (const struct m_object *o = j->m->first_object; o; o = o->next) {
		if ((o->kind && o->kind != OBJECT_FILE) || !o->placed || o->confined || o->gone)
			continue;
		for (uint64_t mask = written_mask(j->m, o); mask; mask &= mask - 1) {
			struct staged s = {.dataset = (unsigned)__builtin_ctzll(mask), .object = o};

			find_writers(j->m, &s);
			find_dir(&s);
			int err =
			    s.written ? array_grow((void **)&all, &max, n + 1, sizeof(*all)) : 0;
			if (err) {
				free(all);
				return err;
			}
			if (s.written)
				all[n++] = s;
		}
	}
	if (n)
		qsort(all, n, sizeof(*all), by_place);
	*ret = all;
	*ret_n = n;
	return 0;
}

/* Has this to be judged again? As in exfil.volume: while it grows, and a little longer. */
static bool moved(const struct model *m, struct finding *f, uint64_t written)
{
	unsigned scans = m->datasets[f->dataset].scans;
	bool measured = scans != f->scans;

	f->idle = written > f->sent ? 0 : f->idle + 1;
	f->sent = MAX(f->sent, written);
	f->scans = scans;
	return f->idle < SETTLED || f->rough || measured;
}

static int describe(struct judging *j, struct finding *f, const struct staged *files, size_t n)
{
	const struct m_dataset *d = &j->m->datasets[f->dataset];
	char actor[JOB_LEN], size[SIZE_LEN], label[DATASET_LEN], name[OBJECT_LEN];

	actor_text(actor, files->writer);
	size_iec_most(size, f->leak_bound);
	dataset_label(label, d);
	f->severity = severity_of(f->leak_bound, d->size);
	if (n == 1)
		return finding_title(f, "%s wrote at most %s of %s where others can read it: %s",
				     actor, size, label, object_text(name, files->object));
	return finding_title(
	    f, "%s wrote at most %s of %s where others can read it: %zu files in %.*s", actor, size,
	    label, n, (int)MIN(files->dir_len, (size_t)200), files->dir);
}

/* What was there once and is deleted by now was there: the bound does not fall again. */
static int update(struct judging *j, struct finding *f, struct ds_graph *g,
		  const struct staged *files, const struct m_object *const *objects, size_t n,
		  const struct leak *leak)
{
	bool grew = leak->bound > f->leak_bound || leak->exposed > f->exposed || !f->count;
	int err;

	f->rough = !leak->exact;
	if (!grew && f->severity == severity_of(f->leak_bound, j->m->datasets[f->dataset].size))
		return 0;
	f->has_leak = f->has_exposed = true;
	f->leak_bound = MAX(f->leak_bound, leak->bound);
	f->exposed = MAX(f->exposed, leak->exposed);
	f->given = false;
	err = finding_chain_to_objects(j->m, f, g, objects, n);
	if (!f->process && files->writer)
		finding_process(f, (struct m_subject *)files->writer);
	if (!err)
		err = describe(j, f, files, n);
	if (!err)
		err = finding_cover(j->m, f, NULL);
	if (grew)
		finding_grow(f, j->now_ns);
	return err;
}

static int judge_place(struct judging *j, const struct finding_key *key, const struct staged *files,
		       size_t n, const struct m_object **room)
{
	struct finding *f = finding_find(j->m, key);
	uint64_t written = 0;
	struct ds_graph *g;
	struct leak leak;
	int err;

	for (size_t i = 0; i < n; i++) {
		room[i] = files[i].object;
		written += files[i].written;
	}
	if (f && !moved(j->m, f, written))
		return 0;
	err = ds_graph_current(j->m, files->dataset, &g);
	if (!err)
		err = ds_graph_objects(g, room, n, &j->work, &leak);
	if (err || !leak.bound)
		return err;
	if (!f) {
		err = finding_get(j->m, key, j->now_ns, &f);
		if (err)
			return err;
		f->sent = written;
	}
	return update(j, f, g, files, room, n, &leak);
}

/* All that one job can have written of one dataset: by directory, as long as there is room for
 * findings. Those without are gathered at the front of `files`. */
static int judge_job(struct judging *j, struct staged *files, size_t n,
		     const struct m_object **room)
{
	struct finding_key key = {
	    .rule = RULE_STAGING_COPY,
	    .dataset = (int)files->dataset,
	    .job = *files->job ? files->job : NULL,
	};
	size_t end, nothers = 0;
	int err = 0;

	for (size_t i = 0; i < n && !err; i = end) {
		_cleanup_free_ char *dir = strndup(files[i].dir, files[i].dir_len);

		for (end = i; end < n && same_place(&files[i], &files[end]); end++)
			;
		if (!dir)
			return -ENOMEM;
		key.about = dir;
		if (finding_has_place(j->m, &key)) {
			err = judge_place(j, &key, &files[i], end - i, room);
			continue;
		}
		memmove(&files[nothers], &files[i], (end - i) * sizeof(*files));
		nothers += end - i;
	}
	key.about = ABOUT_OTHERS;
	return err || !nothers ? err : judge_place(j, &key, files, nothers, room);
}

int judge_staging(struct judging *j)
{
	_cleanup_free_ struct staged *all = NULL;
	_cleanup_free_ const struct m_object **room = NULL;
	size_t n, end;
	int err = collect(j, &all, &n);

	if (err || !n)
		return err;
	room = calloc(n, sizeof(*room));
	if (!room)
		return -ENOMEM;
	for (size_t i = 0; i < n && !err; i = end) {
		for (end = i; end < n && same_job(&all[i], &all[end]); end++)
			;
		err = judge_job(j, &all[i], end - i, room);
	}
	return err;
}
