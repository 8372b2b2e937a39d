/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/open_append.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define LINKS_MAX 40 /* as many as the kernel follows */

struct walk {
	int dir; /* AT_FDCWD or an O_PATH descriptor */
	unsigned links;
	char rest[PATH_MAX];
};

static void walk_to(struct walk *w, int dir)
{
	if (w->dir >= 0)
		close(w->dir);
	w->dir = dir;
}

static void walk_end(struct walk *w)
{
	walk_to(w, AT_FDCWD);
}

/* Cuts the first component off w->rest; false: there was none. A path that ends in '/' has "." as
 * its last one. */
static bool next_part(struct walk *w, char part[static NAME_MAX + 1])
{
	size_t n = strcspn(w->rest, "/"), skip = strspn(w->rest + n, "/");

	if (n > NAME_MAX)
		return false;
	memcpy(part, w->rest, n);
	part[n] = '\0';
	if (skip && !w->rest[n + skip])
		memcpy(w->rest, ".", 2);
	else
		memmove(w->rest, w->rest + n + skip, strlen(w->rest + n + skip) + 1);
	return n > 0;
}

static int enter_root(struct walk *w)
{
	if (w->rest[0] != '/')
		return 0;
	int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	walk_to(w, fd);
	size_t n = strspn(w->rest, "/");
	memmove(w->rest, w->rest + n, strlen(w->rest + n) + 1);
	if (!w->rest[0])
		memcpy(w->rest, ".", 2);
	return 0;
}

static int others_may_write(int dir)
{
	struct stat st;
	int r = dir == AT_FDCWD ? stat(".", &st) : fstat(dir, &st);

	return r < 0 ? -errno : (st.st_mode & S_IWOTH) != 0;
}

/* Puts the link's text before the rest of the way. */
static int follow(struct walk *w, int link)
{
	char target[PATH_MAX];
	int r = others_may_write(w->dir);

	if (r < 0)
		return r;
	if (r > 0 || ++w->links > LINKS_MAX)
		return -ELOOP;
	ssize_t n = readlinkat(link, "", target, sizeof(target) - 1);
	if (n <= 0)
		return n < 0 ? -errno : -ENOENT;
	size_t rest = strlen(w->rest);
	if ((size_t)n + 1 + rest >= sizeof(w->rest))
		return -ENAMETOOLONG;
	memmove(w->rest + n + (rest > 0), w->rest, rest + 1);
	memcpy(w->rest, target, (size_t)n);
	if (rest)
		w->rest[n] = '/';
	return enter_root(w);
}

/* The links of /proc name what no path does: a pipe, a deleted file. Only the kernel can follow
 * these. */
static bool on_proc(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

static int open_last(int dir, const char *name, int nofollow, unsigned mode, int *ret_fd)
{
	int fd = openat(
	    dir, name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | nofollow,
	    mode);

	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

/* Where all may write, a file could have been laid out for us: by another user, or as a second name
 * of ours. */
static int may_be_trap(const struct walk *w, const struct stat *st)
{
	if (!S_ISREG(st->st_mode) || (st->st_uid == geteuid() && st->st_nlink == 1))
		return 0;
	return others_may_write(w->dir);
}

/* One component on. 0: at the end of the way, *ret_fd is open; 1: go on. */
static int step(struct walk *w, unsigned mode, int *ret_fd)
{
	char part[NAME_MAX + 1];
	struct stat st;
	int r;

	if (!next_part(w, part))
		return w->rest[0] ? -ENAMETOOLONG : -ENOENT;
	bool last = !w->rest[0];
	_cleanup_close_ int fd = openat(w->dir, part, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && last)
		return open_last(w->dir, part, O_NOFOLLOW, mode, ret_fd);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (S_ISLNK(st.st_mode) && !on_proc(fd)) {
		r = follow(w, fd);
		return r < 0 ? r : 1;
	}
	if (last) {
		r = may_be_trap(w, &st);
		if (r != 0)
			return r < 0 ? r : -EACCES;
		return open_last(w->dir, part, S_ISLNK(st.st_mode) ? 0 : O_NOFOLLOW, mode, ret_fd);
	}
	int dir = openat(w->dir, part,
			 O_PATH | O_DIRECTORY | O_CLOEXEC | (S_ISLNK(st.st_mode) ? 0 : O_NOFOLLOW));
	if (dir < 0)
		return -errno;
	walk_to(w, dir);
	return 1;
}

int open_append(const char *path, unsigned mode)
{
	_cleanup_(walk_end) struct walk w = {.dir = AT_FDCWD};
	size_t n = strlen(path);
	int r, fd = -1;

	if (n == 0)
		return -ENOENT;
	if (n >= sizeof(w.rest))
		return -ENAMETOOLONG;
	memcpy(w.rest, path, n + 1);
	r = enter_root(&w);
	if (r < 0)
		return r;
	do
		r = step(&w, mode, &fd);
	while (r > 0);
	return r < 0 ? r : fd;
}
