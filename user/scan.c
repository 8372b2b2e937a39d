/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/scan.h"
#include "user/mounts.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define BATCH_LEN 32768

/* Of linux/ioprio.h, which older header packages lack. */
#define IOPRIO_WHO_PROCESS 1
#define IOPRIO_IDLE (3 << 13)

/* --- inodes that may be met again -------------------------------------------- */

struct id {
	uint64_t dev, ino; /* ino 0 with names 0: an empty place */
	uint32_t names;	   /* how many it has */
	uint32_t met;
};

struct ids {
	struct id *v; /* open addressing; a power of two places, half of them free */
	size_t places, n;
};

static struct id *place_of(const struct ids *s, uint64_t dev, uint64_t ino)
{
	uint64_t h = ino ^ dev * 0x9e3779b97f4a7c15u;

	h = (h ^ h >> 30) * 0xbf58476d1ce4e5b9u;
	h = (h ^ h >> 27) * 0x94d049bb133111ebu;
	for (size_t i = h ^ h >> 31;; i++) {
		struct id *id = &s->v[i & (s->places - 1)];

		if (!id->names || (id->dev == dev && id->ino == ino))
			return id;
	}
}

static int ids_grow(struct ids *s)
{
	struct ids bigger = {.places = s->places ? 2 * s->places : 1024, .n = s->n};

	bigger.v = calloc(bigger.places, sizeof(*bigger.v));
	if (!bigger.v)
		return -ENOMEM;
	for (size_t i = 0; i < s->places; i++)
		if (s->v[i].names)
			*place_of(&bigger, s->v[i].dev, s->v[i].ino) = s->v[i];
	free(s->v);
	*s = bigger;
	return 0;
}

static struct id *ids_find(const struct ids *s, uint64_t dev, uint64_t ino)
{
	struct id *id = s->places ? place_of(s, dev, ino) : NULL;

	return id && id->names ? id : NULL;
}

/* Its entry, added if it is not there yet. -ENOSPC when SCAN_IDS_MAX are, -ENOMEM. */
static int ids_get(struct ids *s, const struct stat *st, struct id **ret)
{
	struct id *id = ids_find(s, st->st_dev, st->st_ino);

	if (!id) {
		if (s->n == SCAN_IDS_MAX)
			return -ENOSPC;
		if (2 * s->n >= s->places && ids_grow(s))
			return -ENOMEM;
		id = place_of(s, st->st_dev, st->st_ino);
		*id = (struct id){st->st_dev, st->st_ino, MAX((uint32_t)st->st_nlink, 1u), 0};
		s->n++;
	}
	*ret = id;
	return 0;
}

/* --- the walk ------------------------------------------------------------------ */

struct level {
	int fd;
	char *
	    batch; /* directory entries, as the kernel gave them; kept for the next at this depth */
	size_t len, at;
};

struct walk {
	const struct scan_ops *ops;
	void *arg;
	const atomic_bool *cancel;
	struct scan_result result;
	struct ids ids;
	bool aliased; /* a file system is mounted here more than once: directories are met again too
		       */
	struct level level[SCAN_DEPTH];
	unsigned depth;
};

static void walk_free(struct walk **pw)
{
	struct walk *w = *pw;

	if (!w)
		return;
	while (w->depth)
		close(w->level[--w->depth].fd);
	for (unsigned i = 0; i < SCAN_DEPTH; i++)
		free(w->level[i].batch);
	free(w->ids.v);
	free(w);
}

/* An entry that went or changed since its name was read is no fault; lack of means ends the scan.
 */
static int pass_over(struct walk *w, int err)
{
	switch (err) {
	case -ENOENT:
	case -ELOOP:
	case -ENOTDIR:
		return 0;
	case -EMFILE:
	case -ENFILE:
	case -ENOMEM:
		return err;
	default:
		w->result.unread++;
		return 0;
	}
}

/* One name met in the walk. */
struct met {
	int fd; /* -1: nobody asked for it */
	const char *name;
	const struct stat *st;
};

static int count_file(struct walk *w, const struct met *f)
{
	w->result.files++;
	if (__builtin_add_overflow(w->result.bytes, (uint64_t)MAX(f->st->st_size, 0),
				   &w->result.bytes))
		w->result.bytes = UINT64_MAX;
	return f->fd >= 0 && w->ops && w->ops->file ? w->ops->file(w->arg, w->depth ? w->depth - 1 : 0, f->name, f->fd, f->st) : 0;
}

/* One name of a file that has more, or is mounted here once more. */
static int take_linked(struct walk *w, const struct met *f)
{
	struct id *id = NULL;
	int err = ids_get(&w->ids, f->st, &id);

	if (err == -ENOSPC)
		w->result.exact = false;
	else if (err)
		return err;
	else if (id->met++)
		return 0;
	err = count_file(w, f);
	if (err || f->st->st_nlink < 2)
		return err;
	w->result.linked++;
	return w->ops && w->ops->linked ? w->ops->linked(w->arg, f->fd, f->st) : 0;
}

static bool met_once(const struct walk *w, const struct stat *st)
{
	return st->st_nlink < 2 && !(w->aliased && ids_find(&w->ids, st->st_dev, st->st_ino));
}

static int take_path_fd(struct walk *w, int fd, const char *name)
{
	struct stat st;
	struct met f = {fd, name, &st};

	if (fstat(fd, &st))
		return pass_over(w, -errno);
	if (!S_ISREG(st.st_mode))
		return 0;
	return met_once(w, &st) ? count_file(w, &f) : take_linked(w, &f);
}

static int take_file(struct walk *w, int dir, const char *name, const struct stat *st)
{
	struct met f = {-1, name, st};

	if (met_once(w, st) && !(w->ops && w->ops->file))
		return count_file(w, &f);
	_cleanup_close_ int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? pass_over(w, -errno) : take_path_fd(w, fd, name);
}

static int open_dir(int at, const char *name)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(at, name, flags | O_NOATIME);

	if (fd < 0 && errno == EPERM) /* someone else's directory */
		fd = openat(at, name, flags);
	return fd < 0 ? -errno : fd;
}

/* Has this directory been walked by way of another mount? */
static int met_before(struct walk *w, int fd, bool *ret)
{
	struct stat st;
	struct id *id = NULL;
	int err = fstat(fd, &st) ? -errno : ids_get(&w->ids, &st, &id);

	if (err && err != -ENOSPC)
		return err;
	if (err)
		w->result.exact = false;
	*ret = id && id->met;
	if (id)
		id->met = id->names; /* of a directory's names none is elsewhere */
	return 0;
}

/* Takes over the descriptor. */
static int enter_fd(struct walk *w, int taken, const char *name)
{
	_cleanup_close_ int fd = taken;
	bool again = false;
	int err = w->aliased ? met_before(w, fd, &again) : 0;

	if (err)
		return pass_over(w, err);
	if (again)
		return 0;
	if (w->depth == SCAN_DEPTH) {
		w->result.deep++;
		return 0;
	}
	struct level *l = &w->level[w->depth];
	if (!l->batch)
		l->batch = malloc(BATCH_LEN);
	if (!l->batch)
		return -ENOMEM;
	l->fd = fd;
	l->len = l->at = 0;
	fd = -1;
	w->depth++;
	w->result.dirs++;
	return w->ops && w->ops->entered ? w->ops->entered(w->arg, w->depth - 1, name) : 0;
}

static int enter(struct walk *w, int dir, const char *name)
{
	int fd = open_dir(dir, name);

	return fd < 0 ? pass_over(w, fd) : enter_fd(w, fd, name);
}

static int take_entry(struct walk *w, int dir, const struct dirent64 *e)
{
	const char *name = e->d_name;
	struct stat st;

	if (!strcmp(name, ".") || !strcmp(name, "..") || strchr(name, '/'))
		return 0;
	if (e->d_type == DT_DIR)
		return enter(w, dir, name);
	if (e->d_type != DT_REG && e->d_type != DT_UNKNOWN)
		return 0;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT))
		return pass_over(w, -errno);
	if (S_ISDIR(st.st_mode))
		return enter(w, dir, name);
	return S_ISREG(st.st_mode) ? take_file(w, dir, name, &st) : 0;
}

/* The directory's next entry; NULL at its end. */
static const struct dirent64 *next_entry(struct walk *w, struct level *l)
{
	if (l->at == l->len) {
		ssize_t n = getdents64(l->fd, l->batch, BATCH_LEN);

		if (n < 0 && errno != ENOENT) /* what is left of it stays unread */
			w->result.unread++;
		if (n <= 0)
			return NULL;
		l->len = (size_t)n;
		l->at = 0;
	}
	const struct dirent64 *e = (const void *)(l->batch + l->at);
	l->at += e->d_reclen;
	return e;
}

static int walk_all(struct walk *w)
{
	int err = 0;

	while (w->depth && !err) {
		struct level *l = &w->level[w->depth - 1];
		const struct dirent64 *e = next_entry(w, l);

		if (e)
			err = take_entry(w, l->fd, e);
		else
			close(w->level[--w->depth].fd);
		if (!err && w->cancel && atomic_load_explicit(w->cancel, memory_order_relaxed))
			err = -ECANCELED;
	}
	return err;
}

static void count_outside(struct walk *w)
{
	for (size_t i = 0; i < w->ids.places; i++)
		w->result.outside +=
		    w->ids.v[i].names > 1 && w->ids.v[i].met && w->ids.v[i].met < w->ids.v[i].names;
}

/* --- mounts ----------------------------------------------------------------------- */

static int by_dev(const void *a, const void *b)
{
	const dev_t x = *(const dev_t *)a, y = *(const dev_t *)b;

	return x < y ? -1 : x > y;
}

/* A file that is mounted here counts as one with several names. */
static int note_mount(struct walk *w, const struct mount_point *m, dev_t *ret_dev)
{
	_cleanup_close_ int fd = open(m->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	struct id *id;

	if (fd < 0 || fstat(fd, &st))
		return 0;
	*ret_dev = st.st_dev;
	if (!strcmp(m->fstype, "btrfs")) /* its subvolumes are met without a mount as well */
		w->aliased = true;
	if (!S_ISREG(st.st_mode))
		return 0;
	int err = ids_get(&w->ids, &st, &id);
	return err == -ENOSPC ? 0 : err;
}

/* Is some file system in the tree by more than one mount? Only then directories are remembered. */
static int find_aliases(struct walk *w, const char *root, dev_t root_dev)
{
	struct mount_point *mounts = NULL;
	size_t n = 0;
	int err = mounts_below(root, &mounts, &n);

	if (err)
		return err == -ENOMEM ? err : 0;
	_cleanup_free_ dev_t *devs = calloc(n + 1, sizeof(*devs));
	err = devs ? 0 : -ENOMEM;
	if (devs)
		devs[n] = root_dev;
	for (size_t i = 0; i < n && !err; i++)
		err = note_mount(w, &mounts[i], &devs[i]);
	if (!err)
		qsort(devs, n + 1, sizeof(*devs), by_dev);
	for (size_t i = 1; i <= n && !err; i++)
		w->aliased |= devs[i] && devs[i] == devs[i - 1];
	mounts_free(mounts, n);
	return err;
}

/* --- the scan ------------------------------------------------------------------------ */

static int scan_dir(struct walk *w, const char *root, int path_fd, const struct stat *st)
{
	int err = find_aliases(w, root, st->st_dev);
	int fd = err ? err : open_dir(path_fd, ".");

	if (fd < 0)
		return fd;
	err = enter_fd(w, fd, "");
	return err ? err : walk_all(w);
}

/* None of it needs privilege; where it is refused the scan is only less polite. On a full machine SCHED_IDLE would hardly ever
 * have its turn: this is 1.5 % of one processor then. */
static void become_polite(void)
{
	const struct sched_param none = {};

	sched_setscheduler(0, SCHED_BATCH, &none);
	setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), 19);
	syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_IDLE);
}

int scan_tree(const char *root, const struct scan_ops *ops, void *arg, const atomic_bool *cancel,
	      struct scan_result *ret)
{
	_cleanup_(walk_free) struct walk *w = calloc(1, sizeof(*w));
	_cleanup_close_ int fd = open(root, O_PATH | O_CLOEXEC);
	uint64_t start = now_boot_ns();
	struct stat st;
	int err;

	if (fd < 0 || fstat(fd, &st))
		return -errno;
	if (!w)
		return -ENOMEM;
	become_polite();
	w->ops = ops;
	w->arg = arg;
	w->cancel = cancel;
	w->result.exact = true;
	if (S_ISDIR(st.st_mode))
		err = scan_dir(w, root, fd, &st);
	else
		err = S_ISREG(st.st_mode) ? take_path_fd(w, fd, "") : -ENOTDIR;
	if (err)
		return err;
	count_outside(w);
	w->result.took_ns = now_boot_ns() - start;
	*ret = w->result;
	return 0;
}
