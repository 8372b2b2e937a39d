/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/file_list.h"

#include <string.h>

#include "user/hashmap.h"

#define DEPTH_MAX 512 /* of a path put together again */

int file_list_new(size_t max, struct file_list **ret)
{
	struct file_list *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->max = MIN(max, (size_t)FILE_LIST_MAX);
	*ret = l;
	return 0;
}

struct file_list *file_list_free(struct file_list *l)
{
	if (!l)
		return NULL;
	free(l->v);
	free(l->slots);
	free(l->names);
	free(l->dirs);
	free(l);
	return NULL;
}

static int room(void *array, size_t *cap, size_t n, size_t size)
{
	void **at = array;
	size_t more = *cap ? *cap + *cap / 2 : 64;

	if (n <= *cap)
		return 0;
	more = MAX(more, n);
	void *p = reallocarray(*at, more, size);
	if (!p)
		return -ENOMEM;
	*at = p;
	*cap = more;
	return 0;
}

static int put_name(struct file_list *l, const char *name, uint32_t *ret)
{
	size_t len = strlen(name) + 1;

	if (l->names_used + len > FILE_LIST_NAMES_MAX)
		return -ENOSPC;
	if (room(&l->names, &l->names_cap, l->names_used + len, 1))
		return -ENOMEM;
	memcpy(l->names + l->names_used, name, len);
	*ret = (uint32_t)l->names_used;
	l->names_used += len;
	return 0;
}

int file_list_dir(struct file_list *l, uint32_t up, const char *name, uint32_t *ret)
{
	struct listed_dir dir = {.up = up};
	int err = put_name(l, name, &dir.name);

	if (!err)
		err = room(&l->dirs, &l->dirs_cap, l->ndirs + 1, sizeof(*l->dirs));
	if (err)
		return err;
	l->dirs[l->ndirs] = dir;
	*ret = (uint32_t)l->ndirs++;
	return 0;
}

/* --- by identity -------------------------------------------------------------- */

static uint32_t *slot_of(const struct file_list *l, const struct object *what)
{
	for (size_t i = hashmap_hash(what, sizeof(*what));; i++) {
		uint32_t *slot = &l->slots[i & (l->nslots - 1)];

		if (!*slot || !memcmp(&l->v[*slot - 1].what, what, sizeof(*what)))
			return slot;
	}
}

static int slots_grow(struct file_list *l)
{
	size_t more = l->nslots ? 2 * l->nslots : 64;
	uint32_t *slots = calloc(more, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	free(l->slots);
	l->slots = slots;
	l->nslots = more;
	for (size_t i = 0; i < l->n; i++)
		*slot_of(l, &l->v[i].what) = (uint32_t)i + 1;
	return 0;
}

int file_list_find(const struct file_list *l, const struct object *what, uint32_t *ret)
{
	uint32_t *slot = l && l->nslots ? slot_of(l, what) : NULL;

	if (!slot || !*slot)
		return -ENOENT;
	*ret = *slot - 1;
	return 0;
}

bool file_list_on(const struct file_list *l, uint32_t dev)
{
	for (size_t i = 0; i < l->ndevs; i++)
		if (l->devs[i] == dev)
			return true;
	return false;
}

static void note_dev(struct file_list *l, uint32_t dev)
{
	if (file_list_on(l, dev))
		return;
	if (l->ndevs == FILE_LIST_DEVS)
		l->more_devs = true;
	else
		l->devs[l->ndevs++] = dev;
}

int file_list_add(struct file_list *l, const struct object *what, uint64_t size, uint32_t dir, const char *name,
		  uint32_t *ret)
{
	struct listed_file f = {*what, size, FILE_LIST_NO_NAME, dir};
	int err = file_list_find(l, what, ret);

	if (!err)
		return 0;
	if (l->n == l->max)
		return -ENOSPC;
	if (2 * (l->n + 1) > l->nslots && slots_grow(l))
		return -ENOMEM;
	if (room(&l->v, &l->cap, l->n + 1, sizeof(*l->v)))
		return -ENOMEM;
	err = name ? put_name(l, name, &f.name) : 0;
	if (err == -ENOMEM)
		return err;
	/* the table is looked up by what stands in the array */
	*slot_of(l, what) = (uint32_t)l->n + 1;
	l->v[l->n] = f;
	note_dev(l, what->dev);
	if (__builtin_add_overflow(l->bytes, size, &l->bytes))
		l->bytes = UINT64_MAX;
	*ret = (uint32_t)l->n++;
	return 0;
}

/* --- names -------------------------------------------------------------------- */

char *file_list_path(const struct file_list *l, uint32_t number)
{
	const struct listed_file *f = &l->v[number];
	const char *part[DEPTH_MAX];
	size_t n = 0, len = 0;

	if (f->name == FILE_LIST_NO_NAME)
		return NULL;
	part[n++] = l->names + f->name;
	for (uint32_t d = f->dir; d && d < l->ndirs && n < DEPTH_MAX; d = l->dirs[d].up)
		part[n++] = l->names + l->dirs[d].name;
	for (size_t i = 0; i < n; i++)
		len += strlen(part[i]) + 1;
	char *path = malloc(len), *at = path;
	while (path && n) {
		at = stpcpy(at, part[--n]);
		if (n)
			*at++ = '/';
	}
	return path;
}
