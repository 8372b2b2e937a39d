/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/roots_internal.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "user/images.h"
#include "user/map_call.h"
#include "user/mounts.h"

#define ROUNDS 4 /* images within images that one update finds */

/* --- what should be registered -------------------------------------------------- */

static int add_path(struct roots *r, struct root_list *l, const char *path, uint8_t tag, enum rank rank)
{
	struct file_identity id;
	_cleanup_close_ int fd = open(path, O_PATH | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	int err = engine_identify(r->engine, fd, &id);
	if (err)
		return err;
	struct root_key key = key_of(&id);
	return root_list_add(l, &key, tag, rank);
}

/* What is mounted below a root belongs to it: a bind mount of a file or directory from elsewhere too. */
static int add_dataset(struct roots *r, struct root_list *l, const char *root, uint8_t tag)
{
	struct mount_point *mounts = NULL;
	size_t n = 0;
	int err = add_path(r, l, root, tag, RANK_GIVEN);

	if (err)
		return err;
	err = mounts_below(root, &mounts, &n);
	for (size_t i = 0; i < n && !err; i++) {
		err = add_path(r, l, mounts[i].path, tag, RANK_GIVEN);
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
		if (known->v[i].tag == tag && known->v[i].rank <= RANK_DERIVED)
			err = root_list_add(l, &known->v[i].key, tag, known->v[i].rank);
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
		err = root_list_add(l, &r->links.v[i].key, r->links.v[i].tag, r->links.v[i].rank);
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

		err = root_list_add(l, &marker, 1, RANK_MARKER);
	}
	return err;
}

/* New entries first: a verdict taken in between errs towards being watched. */
static int install(struct roots *r, const struct root_list *l, bool *changed)
{
	int fd = engine_map_fd(r->engine, MAP_ROOTS);

	for (size_t i = 0; i < l->n; i++) {
		const struct root *had = root_list_find(&r->installed, &l->v[i].key);

		if (had && had->tag == l->v[i].tag)
			continue;
		*changed = true;
		if (map_update(fd, &l->v[i].key, &l->v[i].tag, BPF_ANY))
			return -errno;
	}
	for (size_t i = 0; i < r->installed.n; i++) {
		if (root_list_find(l, &r->installed.v[i].key))
			continue;
		*changed = true;
		map_delete(fd, &r->installed.v[i].key);
	}
	return 0;
}

/* --- what lies under the datasets, and within them ------------------------------------ */

/* A dataset's file system counts once. */
static int file_systems(const struct root_list *l, struct fs_tag **ret, size_t *ret_n)
{
	struct fs_tag *v = calloc(l->n + 1, sizeof(*v));
	size_t n = 0, k;

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < l->n; i++) {
		for (k = 0; k < n && (v[k].dev != l->v[i].key.dev || v[k].tag != l->v[i].tag); k++)
			;
		if (k == n)
			v[n++] = (struct fs_tag){l->v[i].key.dev, l->v[i].tag};
	}
	*ret = v;
	*ret_n = n;
	return 0;
}

static int look_below(struct roots *r, const struct root_list *given, struct images *ret)
{
	_cleanup_free_ struct fs_tag *tags = NULL;
	size_t n = 0;
	int err = file_systems(given, &tags, &n);

	return err ? err : images_find(r->engine, tags, n, ret);
}

static int add_images(struct roots *r, struct root_list *l, const struct images *images)
{
	int err = 0;

	for (size_t i = 0; i < images->nroots && !err; i++) {
		const struct image_root *image = &images->roots[i];
		struct root_key whole = {.dev = image->dev};

		if (!image->path) {
			err = root_list_add(l, &whole, image->tag | SL_ROOT_WHOLE, RANK_IMAGE);
			continue;
		}
		err = add_path(r, l, image->path, image->tag, RANK_IMAGE);
		if (err != -ENOMEM && err != -E2BIG)
			err = 0; /* it went away meanwhile, or something hides it */
	}
	return err;
}

static const struct device_mask *device_find(const struct device_mask *v, size_t n, uint32_t dev)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].dev == dev)
			return &v[i];
	return NULL;
}

/* Gone ones make room first. */
static int install_devices(struct roots *r, struct images *images)
{
	int fd = engine_map_fd(r->engine, MAP_BLOCK_DEVICES), err = 0;

	for (size_t i = 0; i < r->ndevices; i++)
		if (!device_find(images->devices, images->ndevices, r->devices[i].dev))
			map_delete(fd, &r->devices[i].dev);
	for (size_t i = 0; i < images->ndevices; i++) {
		const struct device_mask *d = &images->devices[i], *had = device_find(r->devices, r->ndevices, d->dev);

		if (!(had && had->mask == d->mask) && map_update(fd, &d->dev, &d->mask, BPF_ANY))
			err = -errno;
	}
	free(r->devices);
	r->devices = images->devices;
	r->ndevices = err ? 0 : images->ndevices;
	images->devices = NULL;
	return err;
}

/* One look at all devices and images, and what follows from it. */
static int update_round(struct roots *r, const struct root_list *given, bool *ret_changed)
{
	_cleanup_(images_clear) struct images images = {};
	_cleanup_(root_list_clear) struct root_list l = {};
	bool changed = false;
	int err = look_below(r, given, &images);

	if (!err)
		err = root_list_copy(given, &l);
	if (!err)
		err = add_images(r, &l, &images);
	if (!err)
		err = add_markers(&l);
	root_list_sort(&l);
	if (!err)
		err = install_devices(r, &images);
	if (!err)
		err = install(r, &l, &changed);
	if (err)
		return err;
	root_list_clear(&r->installed);
	r->installed = l;
	l = (struct root_list){};
	if (changed)
		engine_policy_changed(r->engine);
	*ret_changed = changed;
	return 0;
}

/* Of two names of one file the kernel half takes the one that is not derived; and who was met in a walk is still its
 * dataset's while that is one. */
static void tell_datasets(struct roots *r, const struct config *config, const struct model *model)
{
	uint64_t *derived = engine_variable(r->engine, "derived_datasets", sizeof(*derived));
	uint64_t *given = engine_variable(r->engine, "given_datasets", sizeof(*given)), mask[2] = {};

	for (size_t i = 0; i < config->ndatasets; i++) {
		int number = model_dataset(model, config->datasets[i].id);

		if (number >= 0)
			mask[config->datasets[i].derived.from.n > 0] |= 1ULL << number;
	}
	if (!derived || !given || (*given == mask[0] && *derived == mask[1]))
		return;
	*given = mask[0];
	*derived = mask[1];
	engine_policy_changed(r->engine);
}

int roots_update(struct roots *r, const struct config *config, const struct model *model, unsigned *ret_missing)
{
	_cleanup_(root_list_clear) struct root_list given = {};
	unsigned missing = 0;
	bool changed = true;
	int err;

	if (r->mounts_fd >= 0)
		mounts_watch_rearm(r->mounts_fd);
	roots_devices_changed(r);
	tell_datasets(r, config, model);
	err = wanted(r, config, model, &given, &missing);
	for (unsigned round = 0; round < ROUNDS && changed && !err; round++)
		err = update_round(r, &given, &changed);
	if (!err)
		*ret_missing = missing;
	return err;
}

/* --- as a whole ------------------------------------------------------------------------- */

int roots_mounts_fd(const struct roots *r)
{
	return r->mounts_fd;
}

int roots_devices_fd(const struct roots *r)
{
	return r->devices_fd;
}

bool roots_devices_changed(const struct roots *r)
{
	return r->devices_fd >= 0 && images_watch_take(r->devices_fd);
}

int roots_new(struct engine *engine, struct roots **ret)
{
	struct roots *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->engine = engine;
	if (mounts_watch_open(&r->mounts_fd))
		r->mounts_fd = -1; /* then only looked at now and then */
	if (images_watch_open(&r->devices_fd))
		r->devices_fd = -1; /* likewise */
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
	roots_drop_walks(r);
	if (r->mounts_fd >= 0)
		close(r->mounts_fd);
	if (r->devices_fd >= 0)
		close(r->devices_fd);
	free(r->devices);
	free(r->installed.v);
	free(r->links.v);
	free(r->fresh_links.v);
	free(r);
	return NULL;
}
