/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/object_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "user/mounts.h"
#include "user/object_walk.h"

#define FDS_MAX 4096	   /* of one process, looked at for a file that it may have open */
#define MOUNTS_OPEN_MAX 64 /* at one time */

/* How handles of a file system are made, as its own export operations read them. */
enum handle_make {
	MAKE_NONE,    /* nothing that can be trusted: ESTALE may only mean "not cached" */
	MAKE_GENERIC, /* ino, generation: FILEID_INO32_GEN */
	MAKE_XFS,     /* ino (64 bits), generation: xfs_fid64 */
	MAKE_ASK,     /* has to be asked for while the file is open */
};

struct fs_kind {
	const char *name;
	enum handle_make make;
};

static const struct fs_kind fs_kinds[] = {
    {"ext2", MAKE_GENERIC}, {"ext3", MAKE_GENERIC}, {"ext4", MAKE_GENERIC}, {"f2fs", MAKE_GENERIC},
    {"xfs", MAKE_XFS},	    {"btrfs", MAKE_ASK},    {"tmpfs", MAKE_ASK},
};

/* Another host reads what is written there. */
static const char *const shared_fs[] = {
    "nfs",	 "nfs4",   "cifs",   "smb3", "smbfs", "9p",	  "ceph",
    "glusterfs", "lustre", "beegfs", "gpfs", "afs",   "virtiofs", "fuse",
};

struct opened {
	uint32_t dev;
	int fd;
	bool whole; /* it is the file system's root */
	struct object_walk *walk;
};

struct object_look {
	int (*identify)(void *arg, int fd, struct file_identity *ret);
	void *arg;
	struct mount_point *mounts;
	size_t nmounts;
	struct opened opened[MOUNTS_OPEN_MAX];
	size_t nopened;
};

void object_place_done(struct object_place *p)
{
	free(p->path);
	*p = (struct object_place){0};
}

/* --- file systems ----------------------------------------------------------------- */

static enum handle_make make_of(const char *fstype)
{
	for (size_t i = 0; i < ARRAY_SIZE(fs_kinds); i++)
		if (!strcmp(fs_kinds[i].name, fstype))
			return fs_kinds[i].make;
	return MAKE_NONE;
}

/* "fuse" stands for "fuse.sshfs" too, but not for "fuseblk", which is a local disk. */
static bool is_shared(const char *fstype)
{
	for (size_t i = 0; i < ARRAY_SIZE(shared_fs); i++) {
		size_t n = strlen(shared_fs[i]);

		if (!strncmp(fstype, shared_fs[i], n) && (!fstype[n] || fstype[n] == '.'))
			return true;
	}
	return false;
}

static uint32_t kernel_dev(dev_t dev)
{
	return (uint32_t)(major(dev) << 20 | minor(dev));
}

int object_look_begin(int (*identify)(void *arg, int fd, struct file_identity *ret), void *arg,
		      struct object_look **ret)
{
	struct object_look *l = calloc(1, sizeof(*l));
	int err = l ? mounts_below("/", &l->mounts, &l->nmounts) : -ENOMEM;

	if (err) {
		free(l);
		return err;
	}
	l->identify = identify;
	l->arg = arg;
	*ret = l;
	return 0;
}

struct object_look *object_look_end(struct object_look *l)
{
	if (!l)
		return NULL;
	for (size_t i = 0; i < l->nopened; i++) {
		close(l->opened[i].fd);
		object_walk_free(l->opened[i].walk);
	}
	mounts_free(l->mounts, l->nmounts);
	free(l);
	return NULL;
}

static const struct mount_point *mount_of(const struct object_look *l, uint32_t dev)
{
	for (size_t i = 0; i < l->nmounts; i++)
		if (kernel_dev(l->mounts[i].dev) == dev)
			return &l->mounts[i];
	return NULL;
}

static bool below(const char *path, const char *mount)
{
	size_t n = strlen(mount);

	return !strcmp(mount, "/") || (!strncmp(path, mount, n) && (path[n] == '/' || !path[n]));
}

/* Of mounts on one point the last is on top. */
bool object_look_local(const struct object_look *l, const char *path)
{
	const struct mount_point *deepest = NULL;

	for (size_t i = 0; i < l->nmounts; i++) {
		const struct mount_point *m = &l->mounts[i];

		if (below(path, m->path) && (!deepest || strlen(m->path) >= strlen(deepest->path)))
			deepest = m;
	}
	return deepest && make_of(deepest->fstype) != MAKE_NONE;
}

/* A directory of that file system; where it can be had its root, so that every file has a path
 * below. Only file systems whose handles are used are opened: another one's daemon or server may
 * not answer. */
static bool open_mount(const struct object_look *l, uint32_t dev, struct opened *ret)
{
	for (int whole = 1; whole >= 0; whole--) {
		for (size_t i = 0; i < l->nmounts; i++) {
			const struct mount_point *m = &l->mounts[i];

			if (kernel_dev(m->dev) != dev || (strcmp(m->root, "/") == 0) != whole)
				continue;
			int fd = open(m->path, O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC);
			if (fd < 0)
				continue;
			*ret = (struct opened){.dev = dev, .fd = fd, .whole = whole};
			return true;
		}
	}
	return false;
}

/* Owned by the look; NULL: none. */
static struct opened *opened_mount(struct object_look *l, uint32_t dev)
{
	for (size_t i = 0; i < l->nopened; i++)
		if (l->opened[i].dev == dev)
			return &l->opened[i];
	if (l->nopened == MOUNTS_OPEN_MAX || !open_mount(l, dev, &l->opened[l->nopened]))
		return NULL;
	return &l->opened[l->nopened++];
}

/* --- handles ----------------------------------------------------------------------- */

static void handle_put(struct object_handle *h, const void *data, unsigned n)
{
	memcpy(h->bytes + h->length, data, n);
	h->length += n;
}

static void handle_make(enum handle_make make, const struct object *what, struct object_handle *h)
{
	uint32_t ino = (uint32_t)what->ino;

	if (make == MAKE_GENERIC && what->ino == ino) {
		h->type = 1;
		handle_put(h, &ino, sizeof(ino));
		handle_put(h, &what->gen, sizeof(what->gen));
	} else if (make == MAKE_XFS) {
		h->type = 0x81;
		handle_put(h, &what->ino, sizeof(what->ino));
		handle_put(h, &what->gen, sizeof(what->gen));
	}
}

union handle_room {
	struct file_handle handle;
	char room[sizeof(struct file_handle) + OBJECT_HANDLE_MAX];
};

void object_handle_ask(int fd, struct object_handle *h)
{
	union handle_room r = {.handle.handle_bytes = OBJECT_HANDLE_MAX};
	int mount_id;

	if (name_to_handle_at(fd, "", &r.handle, &mount_id, AT_EMPTY_PATH) ||
	    r.handle.handle_bytes > OBJECT_HANDLE_MAX)
		return;
	h->type = r.handle.handle_type;
	h->length = 0;
	handle_put(h, r.handle.f_handle, r.handle.handle_bytes);
}

/* A descriptor that is only a name (O_PATH), or -ESTALE, or -EOPNOTSUPP. */
static int open_handle(struct object_look *l, const struct object *what,
		       const struct object_handle *h)
{
	union handle_room r = {.handle = {.handle_bytes = h->length, .handle_type = h->type}};
	const struct opened *at = opened_mount(l, what->dev);

	if (!at)
		return -EOPNOTSUPP;
	memcpy(r.handle.f_handle, h->bytes, h->length);
	int fd = open_by_handle_at(at->fd, &r.handle, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return errno == ESTALE ? -ESTALE : -EOPNOTSUPP;
	return fd;
}

static int same_object(struct object_look *l, int fd, const struct object *what)
{
	struct file_identity id;
	int err = l->identify(l->arg, fd, &id);

	if (err)
		return -EOPNOTSUPP;
	return memcmp(&id.obj, what, sizeof(*what)) ? -ESTALE : 0;
}

/* --- as long as a process has it open ------------------------------------------------ */

static int open_link(struct object_look *l, int dir, const char *name, const struct object *what)
{
	struct stat st;

	if (fstatat(dir, name, &st, 0) || !(S_ISREG(st.st_mode) || S_ISFIFO(st.st_mode)))
		return -ENOENT;
	int fd = openat(dir, name, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (!same_object(l, fd, what))
		return fd;
	close(fd);
	return -ENOENT;
}

/* *ret_text: the link's text, to be freed. */
static int open_of_process(struct object_look *l, uint32_t pid, const struct object *what,
			   char **ret_text)
{
	char path[64], text[PATH_MAX];
	int fd = -ENOENT;

	snprintf(path, sizeof(path), "/proc/%u/fd", pid);
	DIR *d = pid ? opendir(path) : NULL;
	for (unsigned n = 0; d && fd < 0 && n < FDS_MAX; n++) {
		const struct dirent *e = readdir(d);

		if (!e)
			break;
		if (e->d_name[0] == '.')
			continue;
		fd = open_link(l, dirfd(d), e->d_name, what);
		ssize_t len = fd < 0 ? -1 : readlinkat(dirfd(d), e->d_name, text, sizeof(text) - 1);
		if (len > 0 && text[0] == '/') {
			text[len] = '\0';
			*ret_text = strdup(text);
		}
	}
	if (d)
		closedir(d);
	return fd < 0 ? -EOPNOTSUPP : fd;
}

/* --- by its name, in memory ------------------------------------------------------------- */

/* -ESTALE: there is no name for it. */
static int open_by_walk(struct object_look *l, const struct object *what)
{
	struct opened *at = opened_mount(l, what->dev);
	int err = 0;

	if (!at || !at->whole)
		return -EOPNOTSUPP;
	if (!at->walk)
		err = object_walk_new(at->fd, &at->walk);
	if (err)
		return err == -ENOMEM ? err : -EOPNOTSUPP;
	const char *path = object_walk_find(at->walk, what->ino);
	int fd = path ? openat(at->fd, path, O_PATH | O_NOFOLLOW | O_CLOEXEC) : -1;
	if (fd < 0)
		return path || !object_walk_whole(at->walk) ? -EOPNOTSUPP : -ESTALE;
	if (!same_object(l, fd, what))
		return fd;
	close(fd);
	return object_walk_whole(at->walk) ? -ESTALE : -EOPNOTSUPP;
}

/* --- places -------------------------------------------------------------------------- */

bool object_confined(const char *path, unsigned mode)
{
	char above[PATH_MAX];
	struct stat st;

	if (!(mode & S_IROTH))
		return true;
	if (strlen(path) >= sizeof(above))
		return false;
	strcpy(above, path);
	for (char *slash = strrchr(above, '/'); slash && slash != above;
	     slash = strrchr(above, '/')) {
		*slash = '\0';
		if (!stat(above, &st) && !(st.st_mode & S_IXOTH))
			return true;
	}
	return false;
}

/* The name under which our own root leads to it; to be freed, or NULL. */
static char *path_of(int fd, const struct stat *st)
{
	char link[64], text[PATH_MAX];
	struct stat there;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t len = readlink(link, text, sizeof(text) - 1);
	if (len <= 0 || text[0] != '/')
		return NULL;
	text[len] = '\0';
	if (lstat(text, &there) || there.st_ino != st->st_ino || there.st_dev != st->st_dev)
		return NULL;
	return strdup(text);
}

static int place_of(const struct object_look *l, uint32_t dev, int fd, char *as_named,
		    struct object_place *ret)
{
	const struct mount_point *m = mount_of(l, dev);
	struct stat st;

	if (fstat(fd, &st)) {
		free(as_named);
		return -EOPNOTSUPP;
	}
	char *path = path_of(fd, &st);

	*ret = (struct object_place){.fifo = S_ISFIFO(st.st_mode)};
	if (!st.st_nlink)
		ret->confined = true;
	else if (!m || !is_shared(m->fstype))
		ret->confined = path ? object_confined(path, st.st_mode) : !(st.st_mode & S_IROTH);
	ret->path = path ? path : as_named;
	if (path)
		free(as_named);
	return 0;
}

/* Without a handle: *ret_text as in open_of_process(). */
static int open_otherwise(struct object_look *l, const struct object *what,
			  const struct object_user *user, bool in_memory, char **ret_text)
{
	int fd = in_memory ? open_by_walk(l, what) : -EOPNOTSUPP;

	if (fd == -ESTALE && !user->closed)
		return -ENOENT; /* it lives as long as someone has it open */
	return fd == -EOPNOTSUPP ? open_of_process(l, user->pid, what, ret_text) : fd;
}

int object_look_up(struct object_look *l, const struct object *what, const struct object_user *user,
		   struct object_handle *handle, struct object_place *ret)
{
	const struct mount_point *m = mount_of(l, what->dev);
	enum handle_make make = m ? make_of(m->fstype) : MAKE_NONE;
	char *text = NULL;

	if (!handle->length)
		handle_make(make, what, handle);
	bool by_handle = handle->length;
	_cleanup_close_ int fd =
	    by_handle ? open_handle(l, what, handle)
		      : open_otherwise(l, what, user, m && !strcmp(m->fstype, "tmpfs"), &text);

	if (fd < 0)
		return fd;
	int err = by_handle ? same_object(l, fd, what) : 0;
	if (err)
		return err;
	if (!by_handle && make != MAKE_NONE)
		object_handle_ask(fd, handle);
	return place_of(l, what->dev, fd, text, ret);
}
