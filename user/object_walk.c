/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/object_walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>

#include "user/array.h"

struct entry {
	uint64_t ino;
	char *path;
	bool dir;
};

struct object_walk {
	struct entry *entries; /* in the order met; directories are their own queue */
	size_t n, max;
	bool cut;
};

static int by_ino(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

static int add_entry(struct object_walk *w, const char *dir, const struct dirent *e)
{
	int err = array_grow((void **)&w->entries, &w->max, w->n + 1, sizeof(*w->entries));
	char *path;

	if (err)
		return err;
	if (asprintf(&path, "%s%s%s", dir, *dir ? "/" : "", e->d_name) < 0)
		return -ENOMEM;
	w->entries[w->n++] = (struct entry){e->d_ino, path, e->d_type == DT_DIR};
	return 0;
}

/* No link is followed and no mount is entered: what lies under one is not seen. */
static int open_below(int root, const char *path)
{
	struct open_how how = {
	    .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW,
	    .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};
	long fd = syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

static int read_dir(struct object_walk *w, int root, const char *path)
{
	int fd = open_below(root, path), err = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;

	if (!d) {
		err = fd < 0 ? fd : -errno;
		if (fd >= 0)
			close(fd);
		return err;
	}
	while (!err && !w->cut && (e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		if (w->n == OBJECT_WALK_MAX)
			w->cut = true;
		else
			err = add_entry(w, path, e);
	}
	closedir(d);
	return err;
}

int object_walk_new(int fd, struct object_walk **ret)
{
	struct object_walk *w = calloc(1, sizeof(*w));
	int err = w ? read_dir(w, fd, "") : -ENOMEM;

	for (size_t i = 0; !err && !w->cut && i < w->n; i++) {
		if (!w->entries[i].dir)
			continue;
		err = read_dir(w, fd, w->entries[i].path);
		/* gone meanwhile is gone; anything else may hide names */
		if (err && err != -ENOMEM) {
			w->cut = w->cut || err != -ENOENT;
			err = 0;
		}
	}
	if (err) {
		object_walk_free(w);
		return err;
	}
	if (w->n)
		qsort(w->entries, w->n, sizeof(*w->entries), by_ino);
	*ret = w;
	return 0;
}

struct object_walk *object_walk_free(struct object_walk *w)
{
	if (!w)
		return NULL;
	for (size_t i = 0; i < w->n; i++)
		free(w->entries[i].path);
	free(w->entries);
	free(w);
	return NULL;
}

const char *object_walk_find(const struct object_walk *w, uint64_t ino)
{
	const struct entry key = {.ino = ino};
	const struct entry *e = w->n ? bsearch(&key, w->entries, w->n, sizeof(key), by_ino) : NULL;

	return e ? e->path : NULL;
}

bool object_walk_whole(const struct object_walk *w)
{
	return !w->cut;
}
