/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Walks of the datasets, on a thread of their own: how much they hold, and which files. */
#include "user/roots_internal.h"

#include <string.h>

static int identify_aside(void *arg, int fd, struct file_identity *ret)
{
	return engine_identify_aside(arg, fd, ret);
}

static int entered_dir(void *arg, unsigned depth, const char *name)
{
	struct roots *r = arg;

	return scan_list_entered(&r->walks[r->current].files, depth, name);
}

static int found_file(void *arg, unsigned depth, const char *name, int fd, const struct stat *st)
{
	struct roots *r = arg;

	return scan_list_file(&r->walks[r->current].files, depth, name, fd, st);
}

static int found_link(void *arg, int fd, const struct stat *st)
{
	struct roots *r = arg;
	struct file_identity id;

	if (engine_identify_aside(r->engine, fd, &id))
		return 0;
	struct root_key key = key_of(&id);
	const struct walk *w = &r->walks[r->current];
	int err = root_list_add(&r->fresh_links, &key, (uint8_t)(w->dataset + 1), w->rank);
	return err == -E2BIG ? 0 : err; /* the kernel still looks at a file's other names in its cache */
}

static void *walk_all(void *arg)
{
	static const struct scan_ops ops = {.linked = found_link, .entered = entered_dir, .file = found_file};
	struct roots *r = arg;
	size_t room = FILE_LIST_MAX;

	for (r->current = 0; r->current < r->nwalks && !r->cancel; r->current++) {
		struct walk *w = &r->walks[r->current];

		w->files.identify = identify_aside;
		w->files.arg = r->engine;
		w->err = file_list_new(room, &w->files.list);
		if (!w->err)
			w->err = scan_tree(w->root, &ops, r, &r->cancel, &w->found);
		if (!w->err)
			room -= MIN(w->files.list->n, room);
		if (!w->err && w->rank == RANK_GIVEN)
			w->untold = members_tell(engine_map_fd(r->engine, MAP_MEMBERS), w->files.list, (uint8_t)(w->dataset + 1));
	}
	r->done = true;
	return NULL;
}

void roots_drop_walks(struct roots *r)
{
	for (size_t i = 0; i < r->nwalks; i++) {
		file_list_free(r->walks[i].files.list);
		free(r->walks[i].root);
	}
	free(r->walks);
	r->walks = NULL;
	r->nwalks = 0;
}

int roots_scan(struct roots *r, const struct config *config, struct model *model)
{
	if (r->started)
		return -EBUSY;
	if (!config->ndatasets)
		return 0;
	r->walks = calloc(config->ndatasets, sizeof(*r->walks));
	if (!r->walks)
		return -ENOMEM;
	for (size_t i = 0; i < config->ndatasets; i++) {
		int number = model_dataset(model, config->datasets[i].id);
		struct walk *w = &r->walks[r->nwalks];

		w->root = number < 0 ? NULL : strdup(config->datasets[i].root);
		if (!w->root)
			continue;
		w->dataset = (unsigned)number;
		w->rank = config->datasets[i].derived.from.n ? RANK_DERIVED : RANK_GIVEN;
		model_begin_scan(model, w->dataset);
		r->nwalks++;
	}
	r->done = r->cancel = false;
	int err = pthread_create(&r->thread, NULL, walk_all, r);
	if (err) {
		roots_drop_walks(r);
		return -err;
	}
	r->started = true;
	return 0;
}

/* A size that lacks something would be too tight a bound. */
static bool whole(const struct scan_result *found)
{
	return found->exact && !found->unread && !found->deep;
}

/* Is it still this tree that the dataset consists of? */
static bool still_wanted(const struct walk *w, const struct config *config, const struct model *model)
{
	for (size_t i = 0; i < config->ndatasets; i++)
		if (!strcmp(config->datasets[i].root, w->root))
			return model_dataset(model, config->datasets[i].id) == (int)w->dataset;
	return false;
}

static void take_walk(struct walk *w, struct model *model)
{
	const struct scan_result *found = &w->found;

	model_set_dataset_size(model, w->dataset, whole(found) ? found->bytes : 0, whole(found) ? found->files : 0);
	model_set_dataset_files(model, w->dataset, w->files.list);
	w->files.list = NULL;
}

int roots_collect_scan(struct roots *r, const struct config *config, struct model *model)
{
	if (!r->started || !r->done)
		return roots_devices_changed(r);
	pthread_join(r->thread, NULL);
	r->started = false;
	r->took_ns = 0;
	r->untold = 0;
	for (size_t i = 0; i < r->nwalks; i++) {
		struct walk *w = &r->walks[i];

		r->took_ns += w->found.took_ns;
		if (!w->err && w->untold)
			r->untold = w->untold;
		if (!w->err && still_wanted(w, config, model))
			take_walk(w, model);
	}
	roots_drop_walks(r);
	free(r->links.v);
	r->links = r->fresh_links;
	r->fresh_links = (struct root_list){};
	return 1;
}

int roots_untold(const struct roots *r)
{
	return r->untold;
}

uint64_t roots_scan_took(const struct roots *r)
{
	return r->took_ns;
}
