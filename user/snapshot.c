/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Totals so far, in the words of the records. */
#include "user/model_files.h"
#include "user/snapshot.h"
#include "user/model_derived.h"
#include "user/snapshot_internal.h"

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

static int append(json_t *items, json_t *item)
{
	return json_array_append_new(items, item) ? -ENOMEM : 0;
}

/* --- flows, findings ----------------------------------------------------- */

static int flow_items(struct snapshot_work *w, json_t *items)
{
	for (const struct m_flow *f = w->m->first_flow; f; f = f->next) {
		struct subject_matter what = {
		    .m = w->m,
		    .subject = f->who,
		    .flow = f,
		    .out = f->out,
		    .in = f->in,
		    .tainted = flow_tainted(f),
		};

		if (!f->filled)
			continue;
		json_t *item = json_object();
		if (!item || fields_add(item, fields_of_flow(f), &what) ||
		    json_object_set_new(item, "alive", json_boolean(!f->closed)) ||
		    append(items, json_incref(item))) {
			json_decref(item);
			return -ENOMEM;
		}
		json_decref(item);
	}
	return 0;
}

static int finding_items(struct snapshot_work *w, json_t *items)
{
	for (const struct finding *f = w->m->findings->first; f; f = f->next) {
		struct subject_matter what = {.m = w->m, .finding = f};
		json_t *item = f->count ? json_object() : NULL;

		if (!f->count)
			continue;
		if (!item || fields_add(item, finding_fields, &what)) {
			json_decref(item);
			return -ENOMEM;
		}
		if (append(items, item))
			return -ENOMEM;
	}
	return 0;
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

static int dataset_item(struct snapshot_work *w, unsigned i, json_t *items)
{
	const struct m_dataset *d = &w->m->datasets[i];
	struct files_figures files;
	uint64_t outside;
	int err = snapshot_outside(w, i, true, NULL, &outside);

	if (err)
		return err;
	files_figures(w->m, i, d->cover, d->read, &files);
	return append(items,
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

static int dataset_items(struct snapshot_work *w, json_t *items)
{
	int err = 0;

	for (unsigned i = 0; i < SL_DATASETS_MAX && !err; i++) {
		const struct m_dataset *d = &w->m->datasets[i];

		if (d->id && (d->config || d->read))
			err = dataset_item(w, i, items);
	}
	return err;
}

/* --- all ----------------------------------------------------------------- */

static const struct {
	const char *what;
	int (*items)(struct snapshot_work *w, json_t *items);
} kinds[] = {
    {"datasets", dataset_items}, {"jobs", job_items},	      {"processes", process_items},
    {"flows", flow_items},	 {"findings", finding_items}, {"destinations", destination_items},
};

static json_t *health_snapshot(const struct model *m, const struct timespec *wall)
{
	struct subject_matter what = {.m = m};
	json_t *all = record_head(m, "health", wall, 0);
	json_t *health = json_object();

	if (!all || !health || fields_add(health, health_fields, &what) ||
	    json_object_set(all, "health", health)) {
		json_decref(all);
		all = NULL;
	}
	json_decref(health);
	return all;
}

json_t *snapshot(const struct model *m, const char *what, const struct timespec *wall)
{
	struct snapshot_work w = {.m = m, .allowance = GRAPH_WORK};
	json_t *all = NULL, *items;
	int err = -ENOENT;

	if (!strcmp(what, "health"))
		return health_snapshot(m, wall);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(what, kinds[i].what))
			continue;
		all = record_head(m, what, wall, 0);
		items = json_array();
		err = all && !json_object_set_new(all, "items", items) ? kinds[i].items(&w, items)
								       : -ENOMEM;
	}
	for (unsigned i = 0; i < SL_DATASETS_MAX; i++)
		ds_graph_free(w.own[i]);
	if (err) {
		json_decref(all);
		return NULL;
	}
	return all;
}
