/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Totals so far, in the words of the records. */
#include "user/model_files.h"
#include "user/snapshot.h"
#include "user/model_derived.h"
#include "user/snapshot_internal.h"
#include "user/watch_doc.h"

#include <string.h>

int snapshot_graph(struct snapshot_work *w, unsigned dataset, struct ds_graph **ret)
{
	if (ds_graph_good(w->m->graphs[dataset], w->m)) {
		*ret = w->m->graphs[dataset];
		return 0;
	}
	if (!w->own[dataset]) {
		int err = ds_graph_build(w->m, dataset, &w->own[dataset]);

		if (err)
			return err;
	}
	*ret = w->own[dataset];
	return 0;
}

int snapshot_holds(struct snapshot_work *w, const struct m_subject *s, uint64_t mask, uint64_t *ret)
{
	int err = 0;

	*ret = mask;
	for (mask &= w->m->derived_from; mask && !err; mask &= mask - 1) {
		struct ds_graph *g;

		err = snapshot_graph(w, (unsigned)__builtin_ctzll(mask), &g);
		if (!err && !ds_graph_holds(g, s))
			*ret &= ~(mask & -mask);
	}
	return err;
}

bool snapshot_wants(struct snapshot_work *w, const char *id, uint64_t print)
{
	return !w->doc || !print || !watch_doc_same(w->doc, id, print);
}

int snapshot_take(struct snapshot_work *w, const char *id, uint64_t print, json_t *item)
{
	if (!w->doc)
		return json_array_append_new(w->items, item) ? -ENOMEM : 0;
	int err = item ? watch_doc_item(w->doc, id, print, item) : -ENOMEM;

	json_decref(item);
	return err;
}

void print_text(struct print *p, const char *text)
{
	print_add(p, text ? hashmap_hash(text, strlen(text)) : 0);
}

void print_subject(struct print *p, const struct m_subject *s)
{
	print_add(p, s ? s->who.start_ns : 0);
	if (!s)
		return;
	print_add(p, (uint64_t)s->who.tgid << 32 | s->who.exec);
	print_add(p, (uint64_t)s->uid << 8 | s->uid_known << 2 | s->trusted << 1 | (s->process != NULL));
	print_add(p, (uint64_t)s->parent.tgid ^ s->parent.start_ns);
	print_add(p, (uint64_t)s->wall_offset);
	print_add(p, (uint64_t)s->rank << 32 | s->local_rank);
	print_text(p, s->comm);
	print_text(p, s->exe);
	print_text(p, s->job ? s->job->name : NULL);
	if (s->job && s->job->labels)
		print_add(p, hashmap_hash(s->job->labels, sizeof(*s->job->labels)));
}

/* --- flows, findings ----------------------------------------------------- */

/* Folded ones are what is common to them. */
static void flow_id(const struct m_flow *f, char ret[static 32])
{
	if (f->folded)
		snprintf(ret, 32, "many-%016llx", (unsigned long long)hashmap_hash(&f->fold, sizeof(f->fold)));
	else
		snprintf(ret, 32, "%llu", (unsigned long long)f->id);
}

static uint64_t flow_print(const struct m_flow *f, uint64_t tainted)
{
	struct print p = {1};

	print_subject(&p, f->who);
	print_add(&p, f->out);
	print_add(&p, f->in);
	print_add(&p, tainted);
	print_add(&p, f->reach);
	print_add(&p, (uint64_t)f->closed | (uint64_t)f->f.role << 8 | (uint64_t)f->dest.class << 16 | (uint64_t)f->f.rport << 32 |
			  (uint64_t)f->f.lport << 48);
	print_add(&p, (uintptr_t)f->dest.service);
	print_add(&p, hashmap_hash(f->f.raddr, sizeof(f->f.raddr)));
	if (f->said)
		print_add(&p, hashmap_hash(&f->said->facts, sizeof(f->said->facts)));
	return p.sum;
}

static int flow_items(struct snapshot_work *w)
{
	int err = 0;

	for (const struct m_flow *f = w->m->first_flow; f && !err; f = f->next) {
		struct subject_matter what = {
		    .m = w->m,
		    .subject = f->who,
		    .flow = f,
		    .out = f->out,
		    .in = f->in,
		    .tainted = flow_tainted(f),
		};
		uint64_t print = flow_print(f, what.tainted);
		char id[32];

		flow_id(f, id);
		if (!f->filled || !snapshot_wants(w, id, print))
			continue;
		json_t *item = JSON_OF({"id", json_string(id)});
		if (!item || fields_add(item, fields_of_flow(f), &what) ||
		    json_object_set_new(item, "alive", json_boolean(!f->closed))) {
			json_decref(item);
			return -ENOMEM;
		}
		err = snapshot_take(w, id, print, item);
	}
	return err;
}

static uint64_t finding_print(const struct finding *f)
{
	struct print p = {2};

	print_subject(&p, f->process);
	print_add(&p, f->count);
	print_add(&p, f->last_ns);
	print_add(&p, (uint64_t)f->wall_offset);
	print_add(&p, f->leak_bound);
	print_add(&p, f->exposed);
	print_add(&p, (uint64_t)f->severity << 32 | f->ncoverage);
	print_add(&p, f->nchain);
	for (size_t i = 0; i < f->nchain; i++)
		print_add(&p, f->chain[i].bytes);
	print_text(&p, f->title);
	if (f->remote.said)
		print_add(&p, hashmap_hash(&f->remote.said->facts, sizeof(f->remote.said->facts)));
	return p.sum;
}

static int finding_items(struct snapshot_work *w)
{
	int err = 0;

	for (const struct finding *f = w->m->findings->first; f && !err; f = f->next) {
		struct subject_matter what = {.m = w->m, .finding = f};
		uint64_t print = finding_print(f);

		if (!f->count || !snapshot_wants(w, f->id, print))
			continue;
		json_t *item = json_object();
		if (!item || fields_add(item, finding_fields, &what)) {
			json_decref(item);
			return -ENOMEM;
		}
		err = snapshot_take(w, f->id, print, item);
	}
	return err;
}

/* --- datasets ------------------------------------------------------------ */

/* At most how much of a dataset left by the flows to the outside, of one job or (any) of all. */
int snapshot_outside(struct snapshot_work *w, unsigned dataset, bool any, const struct m_job *job,
		     uint64_t *ret)
{
	_cleanup_free_ const struct m_flow **flows = calloc(w->m->nflows + 1, sizeof(*flows));
	struct ds_graph *g;
	struct leak leak;
	size_t n = 0;
	int err = flows ? 0 : -ENOMEM;

	for (const struct m_flow *f = err ? NULL : w->m->first_flow; f; f = f->next) {
		if ((f->reach & BIT(dataset)) && flow_outside(f) &&
		    (any || (f->who ? f->who->job : NULL) == job))
			flows[n++] = f;
	}
	if (!err && !n) {
		*ret = 0;
		return 0;
	}
	if (!err)
		err = snapshot_graph(w, dataset, &g);
	if (!err)
		err = ds_graph_leak(g, flows, n, &w->allowance, &leak);
	if (!err)
		*ret = leak.bound;
	return err;
}

static uint64_t findings_of(const struct model *m, unsigned dataset)
{
	uint64_t n = 0;

	for (const struct finding *f = m->findings->first; f; f = f->next)
		n += f->count && f->dataset == (int)dataset;
	return n;
}

static uint64_t count_readers(const struct model *m, unsigned dataset)
{
	uint64_t n = 0;

	for (const struct m_subject *s = m->first_subject; s; s = s->next)
		if (access_bytes(subject_access(s, dataset)))
			n += MAX(s->merged, 1);
	return n;
}

static json_t *known(uint64_t n)
{
	return n ? json_count(n) : json_null();
}

/* What declared writers put into it; null: it is not derived. */
static json_t *json_derived(const struct model *m, unsigned dataset)
{
	struct figures sum;

	if (!m->datasets[dataset].from)
		return json_null();
	sum = derived_total(m, dataset);
	return json_pack("{s:o, s:o, s:o, s:o}", "from", json_datasets(m, m->datasets[dataset].from), "bytes",
			 json_count(sum.bytes), "writes", json_count(sum.ops), "mapped", json_count(sum.files));
}

static int dataset_item(struct snapshot_work *w, unsigned i)
{
	const struct m_dataset *d = &w->m->datasets[i];
	struct files_figures files;
	uint64_t outside;
	int err = snapshot_outside(w, i, true, NULL, &outside);

	if (err)
		return err;
	files_figures(w->m, i, d->cover, d->read, &files);
	return snapshot_take(w, d->id, 0,
		      json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id",
				json_safe(d->id), "path", json_safe(d->path), "tags", json_tags(d),
				"bytes_total", known(d->size), "files_total", known(d->files),
				"bytes_read", json_count(d->read), "files_read",
				files.exact ? json_count(files.read) : json_null(), "used",
				snapshot_used(&files), "readers",
				json_count(count_readers(w->m, i)), "volume_outside",
				json_count(outside), "findings", json_count(findings_of(w->m, i)), "derived",
				json_derived(w->m, i)));
}

static int dataset_items(struct snapshot_work *w)
{
	int err = 0;

	for (unsigned i = 0; i < SL_DATASETS_MAX && !err; i++) {
		const struct m_dataset *d = &w->m->datasets[i];

		if (d->id && (d->config || d->read))
			err = dataset_item(w, i);
	}
	return err;
}

/* --- all ----------------------------------------------------------------- */

static const struct kind {
	const char *what;
	int (*items)(struct snapshot_work *w);
} kinds[] = {
    {"datasets", dataset_items}, {"jobs", job_items},	      {"processes", process_items},
    {"flows", flow_items},	 {"findings", finding_items}, {"destinations", destination_items},
};

static const struct kind *find_kind(const char *what)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(what, kinds[i].what))
			return &kinds[i];
	return NULL;
}

static int all_items(struct snapshot_work *w, const struct kind *k)
{
	int err = k->items(w);

	for (unsigned i = 0; i < SL_DATASETS_MAX; i++)
		ds_graph_free(w->own[i]);
	return err;
}

static json_t *json_health(const struct model *m)
{
	struct subject_matter what = {.m = m};
	json_t *health = json_object();

	if (health && !fields_add(health, health_fields, &what))
		return health;
	json_decref(health);
	return NULL;
}

json_t *snapshot(const struct model *m, const char *what, const struct timespec *wall)
{
	struct snapshot_work w = {.m = m, .allowance = GRAPH_WORK};
	const struct kind *k = find_kind(what);
	bool health = !strcmp(what, "health");
	json_t *all = k || health ? record_head(m, what, wall, 0) : NULL;

	if (!all)
		return NULL;
	w.items = health ? json_health(m) : json_array();
	if (!json_object_set_new(all, health ? "health" : "items", w.items) && (health || !all_items(&w, k)))
		return all;
	json_decref(all);
	return NULL;
}

int snapshot_watch(const struct model *m, const char *what, const struct timespec *wall, struct watch_doc *to)
{
	struct snapshot_work w = {.m = m, .doc = to, .allowance = GRAPH_WORK};
	const struct kind *k = find_kind(what);
	json_t *time = json_time(wall), *host = json_host(m);
	int err = time && host ? watch_doc_begin(to, m->clock_ns, time, host) : -ENOMEM;

	json_decref(time);
	json_decref(host);
	if (!err && k)
		err = all_items(&w, k);
	else if (!err)
		err = strcmp(what, "health") ? -ENOENT : snapshot_take(&w, what, 0, json_health(m));
	if (!err)
		watch_doc_end(to);
	return err;
}
