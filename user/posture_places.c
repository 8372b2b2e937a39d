/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What a check says, and the checks of places that the configuration names. */
#include "user/posture_internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

/* --- words ------------------------------------------------------------------ */

void posture_found(struct posture_result *r, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(r->text, sizeof(r->text), format, ap);
	va_end(ap);
}

void posture_todo(struct posture_result *r, enum posture_state state, const char *format, ...)
{
	va_list ap;

	r->state = state;
	va_start(ap, format);
	vsnprintf(r->todo, sizeof(r->todo), format, ap);
	va_end(ap);
}

const char *posture_state_name(enum posture_state s)
{
	return s == POSTURE_OK ? "ok" : s == POSTURE_WARN ? "warn" : "fail";
}

/* --- places ----------------------------------------------------------------- */

/* What is free, and what the journal has of it already. */
static uint64_t room_for(const char *dir, const struct statvfs *fs)
{
	uint64_t sum = (uint64_t)fs->f_bavail * fs->f_frsize;
	DIR *d = opendir(dir);
	const struct dirent *e;
	struct stat st;

	while (d && (e = readdir(d)))
		if (!fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) && S_ISREG(st.st_mode))
			sum += (uint64_t)st.st_blocks * 512;
	if (d)
		closedir(d);
	return sum;
}

/* The dataset that holds it, by name; NULL: none does. */
static const char *dataset_around(const struct config *c, const char *dir)
{
	for (size_t i = 0; i < c->ndatasets; i++) {
		size_t n = strlen(c->datasets[i].root);

		if (!strncmp(dir, c->datasets[i].root, n) && (!dir[n] || dir[n] == '/'))
			return c->datasets[i].id;
	}
	return NULL;
}

void posture_journal(const struct posture *p, struct posture_result *r)
{
	const char *dir = p->config->journal.dir, *inside = dir ? dataset_around(p->config, dir) : NULL;
	struct statvfs fs;
	struct stat st;

	if (!dir) {
		posture_found(r, "none is configured");
	} else if (stat(dir, &st) < 0) {
		posture_found(r, "%s: %s", dir, strerror(errno));
		posture_todo(r, POSTURE_WARN, "mkdir -p -m 0750 '%s'", dir);
	} else if (!S_ISDIR(st.st_mode)) {
		posture_found(r, "%s is no directory", dir);
		posture_todo(r, POSTURE_FAIL, "give another place as journal.dir");
	} else if (faccessat(AT_FDCWD, dir, W_OK | X_OK, AT_EACCESS) < 0) {
		posture_found(r, "%s cannot be written: %s", dir, strerror(errno));
		posture_todo(r, POSTURE_FAIL, "run as root, or give another place as journal.dir");
	} else if (st.st_mode & (S_IWGRP | S_IWOTH)) {
		posture_found(r, "%s can be written by others than its owner (mode %04o): a journal there proves nothing", dir,
			      (unsigned)st.st_mode & 07777);
		posture_todo(r, POSTURE_FAIL, "chmod go-w '%s'", dir);
	} else if (inside) {
		posture_found(r, "%s lies in dataset %s", dir, inside);
		posture_todo(r, POSTURE_FAIL, "give another place as journal.dir");
	} else if (statvfs(dir, &fs) == 0 && room_for(dir, &fs) < p->config->journal.max_size) {
		char room[SIZE_LEN], want[SIZE_LEN];

		posture_found(r, "%s has room for %s, and journal.max_size is %s", dir, size_iec(room, room_for(dir, &fs)),
			      size_iec(want, p->config->journal.max_size));
		posture_todo(r, POSTURE_WARN, "make room, or lower journal.max_size");
	} else if (st.st_mode & S_IRWXO) {
		posture_found(r, "%s can be read by every user (mode %04o)", dir, (unsigned)st.st_mode & 07777);
		posture_todo(r, POSTURE_WARN, "chmod o-rwx '%s'", dir);
	} else if (!p->config->state) {
		posture_found(r, "%s; without `state` each start signs with a key of its own", dir);
	} else {
		posture_found(r, "%s", dir);
	}
}

static bool is_empty(const char *path)
{
	DIR *d = opendir(path);
	const struct dirent *e;
	unsigned n = 0;

	while (d && n < 3 && (e = readdir(d)))
		n++;
	if (d)
		closedir(d);
	return d && n < 3; /* . and .. */
}

/* May everybody come to it, through each directory above? */
static bool reached_by_all(const char *path)
{
	char up[PATH_MAX];
	struct stat st;

	snprintf(up, sizeof(up), "%s", path);
	for (char *slash; (slash = strrchr(up, '/')) && slash != up;) {
		*slash = '\0';
		if (stat(up, &st) < 0 || !(st.st_mode & S_IXOTH))
			return false;
	}
	return true;
}

void posture_dataset(const struct dataset_config *d, struct posture_result *r)
{
	struct stat st;
	mode_t read = 0;

	snprintf(r->name, sizeof(r->name), "dataset %s", d->id);
	if (stat(d->root, &st) < 0) {
		posture_found(r, "%s: %s", d->root, strerror(errno));
		posture_todo(r, POSTURE_FAIL, "mount it, or correct its path");
		return;
	}
	read = S_ISDIR(st.st_mode) ? S_IROTH | S_IXOTH : S_IROTH;
	if (faccessat(AT_FDCWD, d->root, S_ISDIR(st.st_mode) ? R_OK | X_OK : R_OK, AT_EACCESS) <
	    0) {
		posture_found(r, "%s cannot be read: %s", d->root, strerror(errno));
		posture_todo(r, POSTURE_FAIL, "run as root: sudo sluice check");
	} else if (S_ISDIR(st.st_mode) && is_empty(d->root)) {
		posture_found(r, "%s is empty", d->root);
		posture_todo(r, POSTURE_WARN, "mount what belongs there");
	} else if ((st.st_mode & S_IWOTH) && reached_by_all(d->root)) {
		posture_found(r, "%s may be changed by every user (mode %04o)", d->root,
			      (unsigned)st.st_mode & 07777);
		posture_todo(r, POSTURE_WARN, "chmod o-rwx '%s'", d->root);
	} else if ((st.st_mode & read) == read && reached_by_all(d->root)) {
		posture_found(r, "%s may be read by every user (mode %04o)", d->root,
			      (unsigned)st.st_mode & 07777);
		posture_todo(r, POSTURE_WARN, "chmod o-rwx '%s'", d->root);
	} else {
		posture_found(r, "%s", d->root);
	}
}
