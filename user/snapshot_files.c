/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* How much of a dataset was really read, and what of it never. */
#include "user/snapshot_internal.h"

#include <string.h>

#include "user/model_files.h"
#include "user/snapshot.h"

static json_t *count_if(bool known, uint64_t n)
{
	return known ? json_count(n) : json_null();
}

static json_t *share_if(bool known, uint64_t part, uint64_t whole)
{
	return known && whole ? json_real((double)part / (double)whole) : json_null();
}

json_t *snapshot_used(const struct files_figures *f)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "files_read", count_if(f->read || f->exact, f->read),
			 "files_total", count_if(f->measured, f->total), "files_unread", count_if(f->measured, f->unread),
			 "files_share", share_if(f->measured, f->total - f->unread, f->total), "bytes_most",
			 count_if(f->measured, f->bytes_most), "bytes_share_most",
			 share_if(f->measured, f->bytes_most, f->bytes_total), "exact", f->exact);
}

int snapshot_job_used(const struct model *m, const struct m_job *job, const uint64_t read[SL_DATASETS_MAX], json_t **ret)
{
	json_t *all = json_object();

	for (unsigned d = 0; all && d < SL_DATASETS_MAX; d++) {
		const struct m_cover *c = files_cover(m, job, d);
		struct files_figures f;

		if (!c && !read[d])
			continue;
		files_figures(m, d, c, read[d], &f);
		json_t *id = json_dataset(m, d);
		if (!id || json_object_set_new(all, json_string_value(id), snapshot_used(&f))) {
			json_decref(all);
			all = NULL;
		}
		json_decref(id);
	}
	*ret = all;
	return all ? 0 : -ENOMEM;
}

/* --- what nobody read --------------------------------------------------------- */

static json_t *unread_item(const struct file_list *l, uint32_t number)
{
	_cleanup_free_ char *path = file_list_path(l, number);

	return path ? json_pack("{s:o, s:o}", "path", json_safe(path), "size", json_count(l->v[number].size)) : NULL;
}

/* Names that could not be kept are left to the count of the rest. */
static json_t *unread_items(const struct file_list *l, const struct m_cover *c)
{
	json_t *items = json_array();

	for (uint32_t i = 0; items && l && i < l->n && json_array_size(items) < SNAPSHOT_UNREAD_MAX; i++) {
		json_t *item = files_was_read(c, i) ? NULL : unread_item(l, i);

		if (item && json_array_append_new(items, item)) {
			json_decref(items);
			return NULL;
		}
	}
	return items;
}

static uint64_t job_read(const struct model *m, const struct m_job *job, unsigned dataset)
{
	uint64_t sum = 0;

	for (const struct m_subject *s = m->first_subject; s; s = s->next)
		if (s->job == job)
			sum += access_bytes(subject_access(s, dataset));
	return sum;
}

static int find_job(const struct model *m, const char *name, const struct m_job **ret)
{
	struct m_job key = {0};

	if (strlen(name) >= sizeof(key.name))
		return -ENOENT;
	strcpy(key.name, name);
	*ret = hashmap_find(&m->jobs, key.name);
	return *ret ? 0 : -ENOENT;
}

static json_t *unread_of(const struct model *m, unsigned dataset, const struct m_job *job, const struct timespec *wall)
{
	const struct m_dataset *d = &m->datasets[dataset];
	const struct m_cover *c = job ? files_cover(m, job, dataset) : d->cover;
	json_t *all = record_head(m, "unread", wall, 0), *items = unread_items(d->list, c);
	struct files_figures f;

	files_figures(m, dataset, c, job ? job_read(m, job, dataset) : d->read, &f);
	uint64_t rest = f.measured ? f.unread - MIN(f.unread, (uint64_t)json_array_size(items)) : 0;
	json_t *more = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "dataset", json_safe(d->id), "path", json_safe(d->path),
				 "job", json_safe(job ? job->name : NULL), "used", snapshot_used(&f), "items", items, "rest",
				 count_if(f.measured, rest));

	if (!all || !more || json_object_update(all, more)) {
		json_decref(all);
		all = NULL;
	}
	json_decref(more);
	return all;
}

json_t *snapshot_unread(const struct model *m, const char *id, const char *job_name, const struct timespec *wall)
{
	int dataset = id ? model_dataset(m, id) : -ENOENT;
	const struct m_job *job = NULL;

	if (dataset < 0)
		return json_pack("{s:s}", "error", "no dataset has this id: see `sluice show datasets`");
	if (job_name && find_job(m, job_name, &job))
		return json_pack("{s:s}", "error", "no job has this name: see `sluice show jobs`");
	return unread_of(m, (unsigned)dataset, job, wall);
}
