/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Datasets against the file system: each root is there, and none holds another. */
#include "user/policy/config_internal.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

/* Is `inner` the normalised path `outer` or below it? */
static bool path_holds(const char *outer, const char *inner)
{
	size_t n = strlen(outer);

	if (!strcmp(outer, "/"))
		return *inner == '/';
	return !strncmp(outer, inner, n) && (!inner[n] || inner[n] == '/');
}

/* As path_holds() for "s3://bucket/prefix", where a trailing / changes nothing. */
static bool s3_holds(const char *outer, const char *inner)
{
	size_t n = strlen(outer);

	while (n > 5 && outer[n - 1] == '/')
		n--;
	return !strncmp(outer, inner, n) && (!inner[n] || inner[n] == '/');
}

static void where_root(struct parse *p, size_t i)
{
	snprintf(p->where, sizeof(p->where), "datasets[%zu].%s", i,
		 p->root_at[i] == p->path_at[i] ? "path" : "mount");
}

/* `i` comes after `j` in the file, so the message stands at i. */
static int refuse_root(struct parse *p, size_t i, size_t j, bool inside, const char *why)
{
	const struct dataset_config *d = &p->c->datasets[i], *other = &p->c->datasets[j];

	where_root(p, i);
	return config_fail(p, p->root_at[i],
			   "'%s' %s dataset '%s' (line %u)%s; give each file to one dataset only",
			   quote(d->root).s, inside ? "lies inside" : "holds", other->id,
			   other->line, why);
}

static int refuse_prefix(struct parse *p, size_t i, size_t j, bool inside)
{
	const struct dataset_config *d = &p->c->datasets[i], *other = &p->c->datasets[j];

	snprintf(p->where, sizeof(p->where), "datasets[%zu].path", i);
	return config_fail(p, p->path_at[i],
			   "'%s' %s dataset '%s' (line %u); give each object to one dataset only",
			   quote(d->path).s, inside ? "lies inside" : "holds", other->id,
			   other->line);
}

static int check_pair(struct parse *p, size_t i, size_t j)
{
	const struct dataset_config *a = &p->c->datasets[i], *b = &p->c->datasets[j];

	if (path_holds(b->root, a->root))
		return refuse_root(p, i, j, true, "");
	if (path_holds(a->root, b->root))
		return refuse_root(p, i, j, false, "");
	if (!a->mount || !b->mount)
		return 0;
	if (s3_holds(b->path, a->path))
		return refuse_prefix(p, i, j, true);
	if (s3_holds(a->path, b->path))
		return refuse_prefix(p, i, j, false);
	return 0;
}

int config_check_overlaps(struct parse *p)
{
	int r = 0;

	for (size_t i = 1; !r && i < p->c->ndatasets; i++)
		for (size_t j = 0; !r && j < i; j++)
			r = check_pair(p, i, j);
	return r;
}

/* --- as the file system has it ---------------------------------------------------- */

/* Where a root really is. A bind mount shows one tree under two names, so beside the path
 * there is the place within its file system, as /proc/self/mountinfo gives it. */
struct place {
	char *real;	 /* without symlinks */
	char *in_fs;	 /* path from the file system's own root, or NULL: not known */
	char device[24]; /* of in_fs: "259:1" */
	dev_t dev;
	ino_t ino;
};

static void place_clear(struct place *w)
{
	free(w->real);
	free(w->in_fs);
}

static int fd_mount_id(int fd, int *ret)
{
	char path[48], line[128];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "mnt_id: %d", ret) == 1)
			return 0;
	return -ENOENT;
}

/* mountinfo writes space, tab, newline and backslash as \ooo. */
static void unescape(char *s)
{
	char *w = s;

	for (; *s; w++) {
		unsigned c;

		if (*s == '\\' && sscanf(s + 1, "%3o", &c) == 1 && strspn(s + 1, "01234567") >= 3) {
			*w = (char)c;
			s += 4;
		} else {
			*w = *s++;
		}
	}
	*w = '\0';
}

/* "root" of a mount and what follows its mount point in `real`, joined. */
static char *join_in_fs(const char *root, const char *point, const char *real)
{
	const char *rest = strcmp(point, "/") ? real + strlen(point) : real;
	char *out;

	if (!path_holds(point, real) || *root != '/')
		return NULL;
	if (!*rest)
		return strdup(root);
	if (asprintf(&out, "%s%s", strcmp(root, "/") ? root : "", rest) < 0)
		return NULL;
	return out;
}

/* Best effort: where /proc is not to be had, symlinks and inodes still tell most. */
static void find_in_fs(struct place *w, int fd)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/mountinfo", "re");
	_cleanup_free_ char *line = NULL;
	size_t room = 0;
	int wanted;

	if (!f || fd_mount_id(fd, &wanted) < 0)
		return;
	while (getline(&line, &room, f) > 0) {
		char *save = NULL;
		char *id = strtok_r(line, " ", &save), *parent = strtok_r(NULL, " ", &save);
		char *device = strtok_r(NULL, " ", &save), *root = strtok_r(NULL, " ", &save);
		char *point = strtok_r(NULL, " ", &save);

		if (!parent || !point || strtol(id, NULL, 10) != wanted)
			continue;
		unescape(root);
		unescape(point);
		w->in_fs = join_in_fs(root, point, w->real);
		snprintf(w->device, sizeof(w->device), "%s", device);
		return;
	}
}

/* Reading is tried, not asked about: modes do not tell it all on a network file system. */
static int try_read(int path_fd, const struct stat *st, const char *path)
{
	_cleanup_close_ int fd = -1;

	if (S_ISDIR(st->st_mode))
		fd = openat(path_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	else if (S_ISREG(st->st_mode))
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	else
		return -EMEDIUMTYPE;
	return fd < 0 ? -errno : 0;
}

static int find_place(const char *path, struct place *ret)
{
	_cleanup_close_ int fd = open(path, O_PATH | O_CLOEXEC);
	struct place w = {0};
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	r = try_read(fd, &st, path);
	if (r < 0)
		return r;
	w.real = realpath(path, NULL);
	if (!w.real)
		return -errno;
	w.dev = st.st_dev;
	w.ino = st.st_ino;
	find_in_fs(&w, fd);
	*ret = w;
	return 0;
}

static int refuse_place(struct parse *p, const struct ynode *n, const char *path, int r)
{
	struct quoted q = quote(path);

	if (r == -ENOMEM)
		return r;
	if (r == -ENOENT || r == -ENOTDIR)
		return config_fail(
		    p, n, "'%s' does not exist; create or mount it, or correct the path", q.s);
	if (r == -EACCES || r == -EPERM)
		return config_fail(p, n, "'%s' may not be read; run as root, or give read access",
				   q.s);
	if (r == -EMEDIUMTYPE)
		return config_fail(p, n, "'%s' is neither a directory nor a regular file; name one",
				   q.s);
	return config_fail(p, n, "'%s' cannot be read: %s; mend that or correct the path", q.s,
			   strerror(-r));
}

/* Is `outer` the inode of `inner` or of a directory above it? */
static bool inode_above(const struct place *outer, const struct place *inner)
{
	_cleanup_free_ char *path = strdup(inner->real);
	struct stat st;

	while (path) {
		char *slash = strrchr(path, '/');

		if (!stat(*path ? path : "/", &st) && st.st_dev == outer->dev &&
		    st.st_ino == outer->ino)
			return true;
		if (!slash)
			break;
		*slash = '\0';
	}
	return false;
}

static bool place_holds(const struct place *outer, const struct place *inner)
{
	if (path_holds(outer->real, inner->real) || inode_above(outer, inner))
		return true;
	return outer->in_fs && inner->in_fs && !strcmp(outer->device, inner->device) &&
	       path_holds(outer->in_fs, inner->in_fs);
}

static int check_place_pair(struct parse *p, const struct place *w, size_t i, size_t j)
{
	static const char why[] = " by way of a link or mount";

	if (place_holds(&w[j], &w[i]))
		return refuse_root(p, i, j, true, why);
	if (place_holds(&w[i], &w[j]))
		return refuse_root(p, i, j, false, why);
	return 0;
}

int config_check_roots(struct parse *p)
{
	struct place w[SL_DATASETS_MAX] = {0};
	int r = 0;

	for (size_t i = 0; !r && i < p->c->ndatasets; i++) {
		const struct dataset_config *d = &p->c->datasets[i];

		where_root(p, i);
		r = find_place(d->root, &w[i]);
		if (r < 0)
			r = refuse_place(p, p->root_at[i], d->root, r);
		for (size_t j = 0; !r && j < i; j++)
			r = check_place_pair(p, w, i, j);
	}
	for (size_t i = 0; i < SL_DATASETS_MAX; i++)
		place_clear(&w[i]);
	return r;
}

int config_check_file(struct parse *p, const struct ynode *n, const char *path)
{
	_cleanup_close_ int fd = open(path, O_PATH | O_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		r = -errno;
	else
		r = S_ISREG(st.st_mode) ? try_read(fd, &st, path) : -EMEDIUMTYPE;
	if (r == -EMEDIUMTYPE)
		return config_fail(p, n, "'%s' is no regular file; name the file itself",
				   quote(path).s);
	return r < 0 ? refuse_place(p, n, path, r) : 0;
}
