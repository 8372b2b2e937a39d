/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/credential_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <pwd.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "user/hashmap.h"

#define PASSWD_MAX (4u << 20)
#define HOMES_MAX 8192	     /* of the host */
#define ROOT_HOMES_MAX 64   /* of each other root */
#define VIEWS_MAX 512	     /* other roots, and users in other mount namespaces */

static const struct {
	const char *path; /* below a home */
	enum secret_kind kind;
} candidates[] = {
	{".aws/credentials", SECRET_AWS},
	{".aws/config", SECRET_AWS},
	{".netrc", SECRET_NETRC},
	{".git-credentials", SECRET_GIT},
	{".config/git/credentials", SECRET_GIT},
	{".kube/config", SECRET_KUBE},
	{".docker/config.json", SECRET_DOCKER},
	{".config/gcloud/application_default_credentials.json", SECRET_GCLOUD},
	{".huggingface/token", SECRET_HUGGINGFACE},
	{".cache/huggingface/token", SECRET_HUGGINGFACE},
};

/* --- safe opening ------------------------------------------------------------------------- */

/* Links are followed, but never out of the root: Kubernetes mounts a secret as a link beside its file. */
static int open_path(int root, const char *path)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	long fd = syscall(SYS_openat2, root, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

/* Of an O_PATH descriptor. That it is regular is known by then: opening it for reading waits for nobody. */
static int open_again(int fd)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int again = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOATIME);
	if (again < 0 && errno == EPERM) /* another's file, on a server that knows no root */
		again = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return again < 0 ? -errno : again;
}

static int read_whole(int fd, char *buf, size_t room, size_t *ret_len)
{
	size_t n = 0;

	while (n < room) {
		ssize_t r = pread(fd, buf + n, room - n, (off_t)n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (!r) {
			*ret_len = n;
			return 0;
		}
		n += (size_t)r;
	}
	return -EFBIG;
}

int credential_file_read(int fd, char *buf, size_t room, size_t *ret_len)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ESTALE;
	if ((uint64_t)st.st_size >= room)
		return -EFBIG;
	_cleanup_close_ int again = open_again(fd);
	return again < 0 ? again : read_whole(again, buf, room, ret_len);
}

/* Of the kernel's own files some do something when they are read, and show a size of zero, or lie in sysfs. */
static bool is_stored(int fd, const struct stat *st)
{
	struct statfs fs;

	return S_ISREG(st->st_mode) && st->st_size > 0 && st->st_size <= SECRET_FILE_MAX && !fstatfs(fd, &fs) &&
	       fs.f_type != PROC_SUPER_MAGIC && fs.f_type != SYSFS_MAGIC;
}

static void look_at(int root, const char *path, enum secret_kind kind, credential_each each, void *arg)
{
	_cleanup_close_ int fd = open_path(root, path);
	struct stat st;

	if (fd >= 0 && !fstat(fd, &st) && is_stored(fd, &st))
		each(arg, kind, fd, &st);
}

void credential_files_at(uint32_t pid, enum secret_kind kind, const char *path, credential_each each, void *arg)
{
	char name[64];

	snprintf(name, sizeof(name), "/proc/%u/root", pid);
	_cleanup_close_ int root = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root >= 0)
		look_at(root, path, kind, each, arg);
}

/* --- homes -------------------------------------------------------------------------------- */

static bool is_autofs(int fd)
{
	struct statfs fs;

	return !fstatfs(fd, &fs) && fs.f_type == AUTOFS_SUPER_MAGIC;
}

/* Is the name there already, so that looking it up makes nobody mount it? */
static bool listed(int dir, const char *name)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *e;
	bool found = false;

	if (!d && fd >= 0)
		close(fd);
	while (d && !found && (e = readdir(d)))
		found = !strcmp(e->d_name, name);
	if (d)
		closedir(d);
	return found;
}

/* A home that an automounter would have to mount first is nobody's at the moment. O_PATH alone mounts nothing that is
 * listed. */
static bool home_is_there(int root, const char *home)
{
	const char *slash = strrchr(home, '/');
	char above[PATH_MAX];

	snprintf(above, sizeof(above), "%.*s", (int)MAX(slash - home, 1), home);
	_cleanup_close_ int up = open_path(root, above);
	if (up < 0 || (is_autofs(up) && !listed(up, slash + 1)))
		return false;
	_cleanup_close_ int fd = open_path(root, home);
	struct stat st;
	return fd >= 0 && !is_autofs(fd) && !fstat(fd, &st) && S_ISDIR(st.st_mode);
}

static void look_in_home(int root, const char *home, credential_each each, void *arg)
{
	char path[PATH_MAX];

	if (home[0] != '/' || !home_is_there(root, home))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(candidates); i++)
		if (snprintf(path, sizeof(path), "%s/%s", home, candidates[i].path) < (int)sizeof(path))
			look_at(root, path, candidates[i].kind, each, arg);
}

/* --- passwd ------------------------------------------------------------------------------- */

struct home {
	uint32_t uid;
	const char *path; /* into the text */
};

struct homes {
	char *text;
	struct home *v;
	size_t n;
	bool cut; /* there are more */
};

static void homes_done(struct homes *h)
{
	free(h->text);
	free(h->v);
}

/* Takes the line apart in place: name:password:uid:gid:gecos:home:shell. */
static bool parse_line(char *line, struct home *ret)
{
	char *field[7], *at = line, *end = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(field); i++)
		field[i] = strsep(&at, ":");
	if (!field[5] || field[5][0] != '/' || strlen(field[5]) >= PATH_MAX - 64)
		return false;
	ret->uid = (uint32_t)strtoul(field[2], &end, 10);
	if (end == field[2] || *end)
		return false;
	ret->path = field[5];
	return true;
}

static bool has_home(const struct homes *h, const struct home *one)
{
	/* most services share the few of the first lines */
	for (size_t i = 0; i < MIN(h->n, (size_t)32); i++)
		if (!strcmp(h->v[i].path, one->path) && h->v[i].uid == one->uid)
			return true;
	return false;
}

static int homes_read(int root, const char *passwd, size_t most, struct homes *ret)
{
	_cleanup_close_ int fd = open_path(root, passwd);
	struct homes h = {.text = malloc(PASSWD_MAX)};
	char *line, *at = h.text;
	size_t len = 0;

	h.v = calloc(most, sizeof(*h.v));
	int err = !h.text || !h.v ? -ENOMEM : fd < 0 ? fd : credential_file_read(fd, h.text, PASSWD_MAX - 1, &len);
	if (err) {
		homes_done(&h);
		return err;
	}
	h.text[len] = '\0';
	while (h.n < most && (line = strsep(&at, "\n")))
		if (parse_line(line, &h.v[h.n]) && !has_home(&h, &h.v[h.n]))
			h.n++;
	h.cut = at && *at;
	*ret = h;
	return 0;
}

static void look_in_homes(int root, const struct homes *h, credential_each each, void *arg)
{
	for (size_t i = 0; i < h->n; i++)
		look_in_home(root, h->v[i].path, each, arg);
}

/* Of a user that no file names, the directory service may. */
static void look_in_home_of(int root, const struct homes *h, uint32_t uid, credential_each each, void *arg)
{
	struct passwd entry, *found = NULL;
	char buf[4096];
	bool any = false;

	for (size_t i = 0; i < h->n; i++) {
		if (h->v[i].uid != uid)
			continue;
		any = true;
		look_in_home(root, h->v[i].path, each, arg);
	}
	if (!any && !getpwuid_r(uid, &entry, buf, sizeof(buf), &found) && found)
		look_in_home(root, found->pw_dir, each, arg);
}

/* --- processes ---------------------------------------------------------------------------- */

/* How a process sees files. */
struct view {
	struct {
		uint64_t ns, dev, ino; /* the mount namespace, the root */
		uint64_t uid;	       /* 0 with another root: all of its homes */
	} key;
};

struct walk {
	struct view own;
	struct hashmap seen;
	bool cut; /* not all was looked at */
	struct homes homes;
	credential_each each;
	void *arg;
};

static bool view_of(const char *pid, struct view *ret)
{
	char path[64];
	struct stat ns, root, self;

	snprintf(path, sizeof(path), "/proc/%.12s/ns/mnt", pid);
	if (stat(path, &ns))
		return false;
	snprintf(path, sizeof(path), "/proc/%.12s/root/.", pid);
	if (stat(path, &root))
		return false;
	snprintf(path, sizeof(path), "/proc/%.12s", pid);
	if (stat(path, &self))
		return false;
	*ret = (struct view){.key = {ns.st_ino, root.st_dev, root.st_ino, self.st_uid}};
	return true;
}

static bool same_root(const struct view *a, const struct view *b)
{
	return a->key.dev == b->key.dev && a->key.ino == b->key.ino;
}

/* False: it was looked at, or there are too many. */
static bool is_new(struct walk *w, const struct view *v)
{
	if (hashmap_find(&w->seen, &v->key))
		return false;
	struct view *copy = w->seen.used < VIEWS_MAX ? malloc(sizeof(*copy)) : NULL;
	if (copy) {
		*copy = *v;
		if (!hashmap_add(&w->seen, copy))
			return true;
	}
	free(copy);
	w->cut = true;
	return false;
}

static void look_in_root(struct walk *w, int root)
{
	struct homes h;

	if (homes_read(root, PASSWD_DEFAULT, ROOT_HOMES_MAX, &h))
		return;
	look_in_homes(root, &h, w->each, w->arg);
	w->cut = w->cut || h.cut;
	homes_done(&h);
}

static void look_at_process(struct walk *w, const char *pid)
{
	char path[64];
	struct view v;

	if (!view_of(pid, &v))
		return;
	bool host_root = same_root(&v, &w->own);
	if (!host_root)
		v.key.uid = 0;
	if (!is_new(w, &v))
		return;
	snprintf(path, sizeof(path), "/proc/%.12s/root", pid);
	_cleanup_close_ int root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return;
	if (host_root)
		look_in_home_of(root, &w->homes, (uint32_t)v.key.uid, w->each, w->arg);
	else
		look_in_root(w, root);
}

static int look_at_processes(struct walk *w)
{
	DIR *d = opendir("/proc");
	const struct dirent *e;

	if (!d)
		return -errno;
	while ((e = readdir(d)))
		if (e->d_name[0] >= '1' && e->d_name[0] <= '9')
			look_at_process(w, e->d_name);
	closedir(d);
	return 0;
}

int credential_files_scan(const char *passwd, credential_each each, void *arg)
{
	struct walk w = {.seen = HASHMAP_OF(struct view, key), .each = each, .arg = arg};
	_cleanup_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int err = root < 0 ? -errno : homes_read(root, passwd, HOMES_MAX, &w.homes);

	if (err)
		return err;
	look_in_homes(root, &w.homes, each, arg);
	err = view_of("self", &w.own) ? look_at_processes(&w) : -ENOENT;
	for (size_t i = 0; i < w.seen.size; i++)
		free(w.seen.slots[i].item);
	hashmap_free(&w.seen);
	homes_done(&w.homes);
	return err || !(w.cut || w.homes.cut) ? err : -ENOSPC;
}

int credential_files_of_root(const char *root, const char *passwd, credential_each each, void *arg)
{
	_cleanup_close_ int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct homes h = {};
	int err = fd < 0 ? -errno : homes_read(fd, passwd, HOMES_MAX, &h);

	if (err)
		return err;
	look_in_homes(fd, &h, each, arg);
	homes_done(&h);
	return 0;
}
