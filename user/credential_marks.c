/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/credential_marks.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/fanotify.h>

#include "user/credential_files.h"

/* Both: what was opened before the mark, or by another, is read later; what is mapped is only opened. */
#define USES (FAN_OPEN | FAN_ACCESS)

#ifndef FAN_REPORT_PIDFD
#define FAN_REPORT_PIDFD 0x80
#endif
#ifndef FAN_EVENT_INFO_TYPE_PIDFD
#define FAN_EVENT_INFO_TYPE_PIDFD 4
#endif

int credential_marks_open(bool *ret_pidfds)
{
	unsigned flags = FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK, mode = O_RDONLY | O_CLOEXEC | O_LARGEFILE | O_NOATIME;
	int fd = fanotify_init(flags | FAN_REPORT_PIDFD, mode);
	bool pidfds = fd >= 0;

	if (fd < 0 && errno == EINVAL) /* added in 5.15 */
		fd = fanotify_init(flags, mode);
	if (fd < 0)
		return -errno;
	*ret_pidfds = pidfds;
	return fd;
}

/* It stands behind the event, in a header of its own. */
int credential_marks_pidfd(const struct fanotify_event_metadata *e)
{
	const char *at = (const char *)e + e->metadata_len, *end = (const char *)e + e->event_len;
	struct {
		uint8_t type, pad;
		uint16_t len;
		int32_t pidfd;
	} info;

	while (at + sizeof(info) <= end) {
		memcpy(&info, at, sizeof(info));
		if (info.type == FAN_EVENT_INFO_TYPE_PIDFD)
			return info.pidfd;
		if (info.len < 4)
			return -1;
		at += info.len;
	}
	return -1;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool is_as_read(const struct credential_mark *f, const struct stat *st)
{
	return f->size == (uint64_t)st->st_size && same_time(&f->mtime, &st->st_mtim) && same_time(&f->ctime, &st->st_ctim);
}

/* Nothing of the text stays in memory of ours. */
static void examine(struct credential_marks *m, struct credential_mark *f, int fd, const struct stat *st)
{
	size_t n = 0;
	int err = credential_file_read(fd, m->buf, sizeof(m->buf), &n);

	f->size = (uint64_t)st->st_size;
	f->mtime = st->st_mtim;
	f->ctime = st->st_ctim;
	f->unread = err && err != -EFBIG && err != -ESTALE;
	f->holds = !err && secret_find(f->kind, m->buf, n, f->key);
	explicit_bzero(m->buf, n);
}

static char *path_of(int fd)
{
	char link[64], path[PATH_MAX];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0)
		return NULL;
	path[n] = '\0';
	return strdup(path);
}

static void rename_mark(struct credential_mark *f, enum secret_kind kind, int fd)
{
	char *path = path_of(fd);

	if (!path)
		return;
	free(f->path);
	f->path = path;
	f->kind = kind;
}

static void mark_free(struct credential_mark *f)
{
	free(f->path);
	free(f);
}

/* The one that was not met for longest: its name is gone, and maybe itself. */
static void make_room(struct credential_marks *m)
{
	struct credential_mark *oldest = NULL;

	for (size_t i = 0; i < m->files.size; i++) {
		struct credential_mark *f = m->files.slots[i].item;

		if (f && f->seen + 1 < m->scan && (!oldest || f->seen < oldest->seen))
			oldest = f;
	}
	if (oldest) {
		hashmap_remove(&m->files, &oldest->id);
		mark_free(oldest);
	}
}

static struct credential_mark *mark_new(struct credential_marks *m, enum secret_kind kind, int fd, const struct stat *st)
{
	struct credential_mark *f;

	if (m->files.used >= CREDENTIAL_FILES_MAX)
		make_room(m);
	f = m->files.used < CREDENTIAL_FILES_MAX ? calloc(1, sizeof(*f)) : NULL;
	if (!f)
		return NULL;
	f->id.dev = st->st_dev;
	f->id.ino = st->st_ino;
	rename_mark(f, kind, fd);
	if (f->path && !hashmap_add(&m->files, f))
		return f;
	mark_free(f);
	return NULL;
}

/* Again at each scan: an inode's number may be another's by now, and then the mark went with the old one. */
static int mark(const struct credential_marks *m, int fd)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (m->fan < 0)
		return 0;
	return fanotify_mark(m->fan, FAN_MARK_ADD, USES, AT_FDCWD, path) ? -errno : 0;
}

void credential_marks_add(struct credential_marks *m, enum secret_kind kind, int fd, const struct stat *st)
{
	struct {
		uint64_t dev, ino;
	} id = {st->st_dev, st->st_ino};
	struct credential_mark *f = hashmap_find(&m->files, &id);
	int err = mark(m, fd);

	m->refused = err ? err : m->refused;
	if (!f)
		f = mark_new(m, kind, fd, st);
	if (!f) {
		m->left++;
		return;
	}
	f->seen = m->scan;
	if (is_as_read(f, st))
		return;
	rename_mark(f, kind, fd); /* the number may be another file's now */
	examine(m, f, fd, st);
}

const struct credential_mark *credential_marks_opened(struct credential_marks *m, int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return NULL;
	struct {
		uint64_t dev, ino;
	} id = {st.st_dev, st.st_ino};
	struct credential_mark *f = hashmap_find(&m->files, &id);
	if (f && !is_as_read(f, &st))
		examine(m, f, fd, &st);
	return f && f->holds ? f : NULL;
}

void credential_marks_free(struct credential_marks *m)
{
	for (size_t i = 0; i < m->files.size; i++)
		if (m->files.slots[i].item)
			mark_free(m->files.slots[i].item);
	hashmap_free(&m->files);
}
