/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/roots.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

#include "user/mounts.h"
#include "user/scan.h"

struct root {
	struct root_key key;
	uint8_t tag;
};

struct root_list {
	struct root *v;
	size_t n, cap;
};

/* One dataset's walk: asked for by the loop, filled in by the thread. */
struct walk {
	char *root;
	unsigned dataset;
	struct scan_result found;
	int err;
};

struct roots {
	struct engine *engine;
	int mounts_fd;
	struct root_list installed, links; /* links: found by the last walk */

	pthread_t thread;
	bool started;
	atomic_bool cancel, done;
	struct walk *walks;
	size_t nwalks, current;
	uint64_t took_ns;
	struct root_list fresh_links; /* the thread's */
};

static int list_add(struct root_list *l, const struct root_key *key, uint8_t tag)
{
	for (size_t i = 0; i < l->n && l->n < 256; i++)
		if (!memcmp(&l->v[i].key, key, sizeof(*key)))
			return 0;
	if (l->n == SL_ROOTS_MAX)
		return -E2BIG;
	if (l->n == l->cap) {
		size_t more = l->cap ? 2 * l->cap : 16;
		struct root *v = reallocarray(l->v, more, sizeof(*v));

		if (!v)
			return -ENOMEM;
		l->v = v;
		l->cap = more;
	}
	l->v[l->n++] = (struct root){*key, tag};
	return 0;
}

static struct root_key key_of(const struct file_identity *id)
{
	return (struct root_key){.ino = id->obj.ino, .dev = id->obj.dev};
}

static int by_key(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct root_key));
}

static void sort_unique(struct root_list *l)
{
	size_t w = 0;

	if (!l->n)
		return;
	qsort(l->v, l->n, sizeof(*l->v), by_key);
	for (size_t i = 1; i < l->n; i++)
		if (by_key(&l->v[i], &l->v[w]))
			l->v[++w] = l->v[i];
	l->n = w + 1;
}

static const struct root *list_find(const struct root_list *l, const struct root_key *key)
{
	return l->n ? bsearch(key, l->v, l->n, sizeof(*l->v), by_key) : NULL;
}

/* --- what should be registered -------------------------------------------------- */

static int add_path(struct roots *r, struct root_list *l, const char *path, uint8_t tag)
{
	struct file_identity id;
	_cleanup_close_ int fd = open(path, O_PATH | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	int err = engine_identify(r->engine, fd, &id);
	if (err)
		return err;
	struct root_key key = key_of(&id);
	return list_add(l, &key, tag);
}

/* What is mounted below a root belongs to it: a bind mount of a file or directory from elsewhere too. */
static int add_dataset(struct roots *r, struct root_list *l, const char *root, uint8_t tag)
{
	struct mount_point *mounts = NULL;
	size_t n = 0;
	int err = add_path(r, l, root, tag);

	if (err)
		return err;
	err = mounts_below(root, &mounts, &n);
	for (size_t i = 0; i < n && !err; i++) {
		err = add_path(r, l, mounts[i].path, tag);
		if (err == -ENOENT || err == -EACCES || err == -ENOTDIR)
			err = 0; /* it went away meanwhile */
	}
	mounts_free(mounts, n);
	return err;
}

/* A root that can't be opened just now keeps what is known of it. */
static int keep_known(const struct root_list *known, struct root_list *l, uint8_t tag)
{
	int err = 0;

	for (size_t i = 0; i < known->n && !err; i++)
		if (known->v[i].tag == tag)
			err = list_add(l, &known->v[i].key, tag);
	return err;
}

static int wanted(struct roots *r, const struct config *config, const struct model *model, struct root_list *l,
		  unsigned *missing)
{
	int err = 0;

	for (size_t i = 0; i < config->ndatasets && !err; i++) {
		int number = model_dataset(model, config->datasets[i].id);

		if (number < 0)
			return number;
		err = add_dataset(r, l, config->datasets[i].root, (uint8_t)(number + 1));
		if (err == -ENOENT || err == -EACCES || err == -ENOTDIR || err == -ESTALE || err == -EIO) {
			++*missing;
			err = keep_known(&r->installed, l, (uint8_t)(number + 1));
		}
	}
	for (size_t i = 0; i < r->links.n && !err; i++)
		err = list_add(l, &r->links.v[i].key, r->links.v[i].tag);
	return err;
}

/* --- the kernel's table ------------------------------------------------------------ */

/* A device without roots is told from one with roots by its marker, inode 0. */
static int add_markers(struct root_list *l)
{
	size_t n = l->n;
	int err = 0;

	for (size_t i = 0; i < n && !err; i++) {
		struct root_key marker = {.dev = l->v[i].key.dev};

		err = list_add(l, &marker, 1);
	}
	return err;
}

/* New entries first: a verdict taken in between errs towards being watched. */
static int install(struct roots *r, const struct root_list *l, bool *changed)
{
	int fd = engine_map_fd(r->engine, MAP_ROOTS);

	for (size_t i = 0; i < l->n; i++) {
		const struct root *had = list_find(&r->installed, &l->v[i].key);

		if (had && had->tag == l->v[i].tag)
			continue;
		*changed = true;
		if (bpf_map_update_elem(fd, &l->v[i].key, &l->v[i].tag, BPF_ANY))
			return -errno;
	}
	for (size_t i = 0; i < r->installed.n; i++) {
		if (list_find(l, &r->installed.v[i].key))
			continue;
		*changed = true;
		bpf_map_delete_elem(fd, &r->installed.v[i].key);
	}
	return 0;
}

int roots_update(struct roots *r, const struct config *config, const struct model *model, unsigned *ret_missing)
{
	struct root_list l = {};
	unsigned missing = 0;
	bool changed = false;
	int err;

	if (r->mounts_fd >= 0)
		mounts_watch_rearm(r->mounts_fd);
	err = wanted(r, config, model, &l, &missing);
	if (!err)
		err = add_markers(&l);
	sort_unique(&l);
	if (!err)
		err = install(r, &l, &changed);
	if (err) {
		free(l.v);
		return err;
	}
	free(r->installed.v);
	r->installed = l;
	if (changed)
		engine_policy_changed(r->engine);
	*ret_missing = missing;
	return 0;
}

/* --- walks ---------------------------------------------------------------------------- */

static int found_link(void *arg, int fd, const struct stat *st)
{
	struct roots *r = arg;
	struct file_identity id;

	if (engine_identify(r->engine, fd, &id))
		return 0;
	struct root_key key = key_of(&id);
	int err = list_add(&r->fresh_links, &key, (uint8_t)(r->walks[r->current].dataset + 1));
	return err == -E2BIG ? 0 : err; /* the kernel still looks at a file's other names in its cache */
}

static void *walk_all(void *arg)
{
	static const struct scan_ops ops = {.linked = found_link};
	struct roots *r = arg;

	for (r->current = 0; r->current < r->nwalks && !r->cancel; r->current++) {
		struct walk *w = &r->walks[r->current];

		w->err = scan_tree(w->root, &ops, r, &r->cancel, &w->found);
	}
	r->done = true;
	return NULL;
}

static void drop_walks(struct roots *r)
{
	for (size_t i = 0; i < r->nwalks; i++)
		free(r->walks[i].root);
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
		model_begin_scan(model, w->dataset);
		r->nwalks++;
	}
	r->done = r->cancel = false;
	int err = pthread_create(&r->thread, NULL, walk_all, r);
	if (err) {
		drop_walks(r);
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

int roots_collect_scan(struct roots *r, struct model *model)
{
	if (!r->started || !r->done)
		return 0;
	pthread_join(r->thread, NULL);
	r->started = false;
	r->took_ns = 0;
	for (size_t i = 0; i < r->nwalks; i++) {
		const struct scan_result *found = &r->walks[i].found;

		r->took_ns += found->took_ns;
		if (!r->walks[i].err)
			model_set_dataset_size(model, r->walks[i].dataset, whole(found) ? found->bytes : 0,
					       whole(found) ? found->files : 0);
	}
	drop_walks(r);
	free(r->links.v);
	r->links = r->fresh_links;
	r->fresh_links = (struct root_list){};
	return 1;
}

/* --- as a whole ------------------------------------------------------------------------- */

uint64_t roots_scan_took(const struct roots *r)
{
	return r->took_ns;
}

int roots_mounts_fd(const struct roots *r)
{
	return r->mounts_fd;
}

int roots_new(struct engine *engine, struct roots **ret)
{
	struct roots *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->engine = engine;
	if (mounts_watch_open(&r->mounts_fd))
		r->mounts_fd = -1; /* then only looked at now and then */
	*ret = r;
	return 0;
}

struct roots *roots_free(struct roots *r)
{
	if (!r)
		return NULL;
	if (r->started) {
		r->cancel = true;
		pthread_join(r->thread, NULL);
	}
	drop_walks(r);
	if (r->mounts_fd >= 0)
		close(r->mounts_fd);
	free(r->installed.v);
	free(r->links.v);
	free(r->fresh_links.v);
	free(r);
	return NULL;
}
