/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The directory, and whose it is now. */
#include "user/export/journal_internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

__attribute__((format(printf, 3, 4))) static int fail(struct journal_error *e, int err, const char *format, ...)
{
	char raw[sizeof(e->text)];
	va_list ap;

	va_start(ap, format);
	vsnprintf(raw, sizeof(raw), format, ap);
	va_end(ap);
	text_safe(e->text, sizeof(e->text), raw, strlen(raw));
	return err;
}

/* --- the directory ------------------------------------------------------------------- */

static int make_dir(const char *dir)
{
	const struct group *g = getgrnam("sluice");

	if (mkdir(dir, 0750))
		return errno == EEXIST ? 0 : -errno;
	if (g && geteuid() == 0 && chown(dir, (uid_t)-1, g->gr_gid))
		return -errno;
	return 0;
}

static int check_owner(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	return st.st_uid == geteuid() && !(st.st_mode & (S_IWGRP | S_IWOTH)) ? 0 : -EPERM;
}

static int open_dir(struct journal *j, const char *dir, struct journal_error *e)
{
	int err = make_dir(dir);

	if (err)
		return fail(e, err, "%s cannot be made: %s; give another place as journal.dir", dir, strerror(-err));
	j->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (j->dir < 0)
		return fail(e, -errno, "%s: %s; give another place as journal.dir", dir, strerror(errno));
	err = check_owner(j->dir);
	if (err)
		return fail(e, err,
			    "%s: others than its owner can write there, and a journal would prove nothing: chmod go-w '%s'",
			    dir, dir);
	j->path = realpath(dir, NULL);
	return j->path ? 0 : fail(e, -errno, "%s: %s", dir, strerror(errno));
}

/* By process: a child that outlives a killed monitor does not keep it. */
static int lock_dir(struct journal *j, struct journal_error *e)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	j->lock = openat(j->dir, JOURNAL_LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0640);
	if (j->lock < 0)
		return fail(e, -errno, "%s/" JOURNAL_LOCK ": %s", j->path, strerror(errno));
	if (fcntl(j->lock, F_SETLK, &whole) == 0)
		return 0;
	if (errno == EACCES || errno == EAGAIN)
		return fail(e, -EBUSY, "%s: another monitor writes its journal there: stop it, or give another journal.dir",
			    j->path);
	return fail(e, -errno, "%s/" JOURNAL_LOCK ": %s", j->path, strerror(errno));
}

/* What a crash left half written, before it had its name. */
static void sweep(const struct journal *j)
{
	int fd = openat(j->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;

	while (d && (e = readdir(d))) {
		size_t n = strlen(e->d_name);

		if (e->d_name[0] == '.' && n > 8 && !strcmp(e->d_name + n - 4, ".new"))
			unlinkat(j->dir, e->d_name, 0);
	}
	if (d)
		closedir(d);
	else if (fd >= 0)
		close(fd);
}

/* --- the key ------------------------------------------------------------------------------ */

static int open_key(struct journal *j, const char *state, struct journal_error *e)
{
	int err = signer_open(state, &j->signer);

	if (!err)
		return 0;
	if (err == -EPERM)
		return fail(e, err,
			    "%s: others can write there, or read the key of digests: chmod go-rwx '%s' '%s/" SIGN_KEY_FILE "'",
			    state, state, state);
	if (err == -EBADMSG)
		return fail(e, err, "%s/" SIGN_KEY_FILE " is no RSA key of 2048 bits or more: remove it, and a new one is made",
			    state);
	/* what cannot be kept is made anew each time: a monitor that runs is worth more than one chain of digests */
	fail(e, err, "%s/" SIGN_KEY_FILE ": %s: digests are signed with a key that ends with this monitor", state ? state : "",
	     strerror(-err));
	return signer_open(NULL, &j->signer);
}

static int put_public_key(struct journal *j)
{
	const char *pem = signer_public(j->signer);
	char name[JOURNAL_NAME];

	journal_key_name(name, signer_fingerprint(j->signer));
	return writer_file(j->writer, name, pem, strlen(pem));
}

/* --- the heads ---------------------------------------------------------------------------- */

/* From the beginning there is a whole one, and it says that more may follow, on the disk too; or none. */
static int open_head(const struct journal *j, int dir, const char *name)
{
	int fd = journal_head_open(dir, name);

	if (fd < 0 || (!journal_head_write(fd, &j->head) && !fdatasync(fd)))
		return fd;
	close(fd);
	unlinkat(dir, name, 0);
	return -1;
}

static void open_heads(const struct journal *j, const char *state, int ret[static 2])
{
	char name[JOURNAL_HEAD_NAME];

	journal_head_name(j->path, name);
	_cleanup_close_ int dir = state ? open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	ret[0] = open_head(j, j->dir, JOURNAL_HEAD);
	ret[1] = dir < 0 ? -1 : open_head(j, dir, name);
}

/* Both may be gone. */
static void read_heads(const struct journal *j, const char *state, struct journal_known *ret)
{
	struct journal_known k = {0};
	char name[JOURNAL_HEAD_NAME];

	journal_head_name(j->path, name);
	_cleanup_close_ int dir = state ? open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	k.n += !journal_head_read(j->dir, JOURNAL_HEAD, &k.v[k.n]);
	k.n += dir >= 0 && !journal_head_read(dir, name, &k.v[k.n]);
	*ret = k;
}

/* --- the whole ----------------------------------------------------------------------------- */

static int start_writer(struct journal *j, const struct journal_options *o, struct journal_error *e)
{
	char name[JOURNAL_NAME];
	int heads[2], err;

	if (j->is_open)
		journal_segment_name(name, j->open.first);
	open_heads(j, o->state, heads);
	err = writer_start(j->dir, heads, j->is_open ? name : NULL, &j->head, o->room, &j->writer);
	if (!err)
		err = put_public_key(j);
	return err ? fail(e, err, "%s: %s", j->path, strerror(-err)) : 0;
}

/* An hour since the last digest, however many monitors there were meanwhile. */
static void set_due(struct journal *j)
{
	struct timespec end;
	uint64_t ago = 0;

	if (j->seal.end[0] && !time_parse(j->seal.end, &end) && j->wall.tv_sec > end.tv_sec)
		ago = (uint64_t)(j->wall.tv_sec - end.tv_sec) * NSEC;
	j->due_ns = j->boot_ns + JOURNAL_HOUR_NS - MIN(ago, JOURNAL_HOUR_NS);
}

static int open_all(struct journal *j, const struct journal_options *o, struct journal_error *e)
{
	struct journal_known known;
	int err = open_dir(j, o->dir, e);

	if (!err)
		err = lock_dir(j, e);
	if (!err)
		err = open_key(j, o->state, e);
	if (err)
		return err;
	sweep(j);
	read_heads(j, o->state, &known);
	err = journal_take_up(j, &known);
	if (err)
		return fail(e, err, "%s cannot be taken up: %s; `sluice verify %s` names what is wrong with it", j->path, strerror(-err),
			    j->path);
	journal_resume_digests(j);
	set_due(j);
	return start_writer(j, o, e);
}

static int alloc(struct journal *j, const struct journal_options *o)
{
	int err = hasher_open(&j->line);

	if (!err)
		err = hasher_open(&j->whole);
	if (!err)
		j->host = strdup(o->host && *o->host ? o->host : "localhost");
	return err || j->host ? err : -ENOMEM;
}

int journal_open(const struct journal_options *o, const struct timespec *wall, uint64_t boot_ns, struct journal **ret,
		 struct journal_error *ret_error)
{
	struct journal *j = calloc(1, sizeof(*j));
	int err;

	if (!j)
		return fail(ret_error, -ENOMEM, "no memory");
	j->dir = j->lock = -1;
	j->wall = j->opened_wall = *wall;
	j->boot_ns = j->opened_ns = boot_ns;
	memcpy(j->head.hash, HASH_NONE, sizeof(j->head.hash));
	journal_bounds(j, o->max_size, o->retain_ns);
	err = alloc(j, o);
	err = err ? fail(ret_error, err, "no memory") : open_all(j, o, ret_error);
	if (err) {
		journal_close(j, 0);
		return err;
	}
	*ret = j;
	return 0;
}
