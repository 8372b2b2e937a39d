/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The mounts that make up a tree, in the calling process's mount namespace. */
#ifndef SLUICE_MOUNTS_H
#define SLUICE_MOUNTS_H

#include "user/util.h"

#include <sys/types.h>

struct mount_point {
	uint64_t id, parent; /* as STATX_MNT_ID gives it before unique ids */
	dev_t dev;	     /* of the superblock: stat() may show another on btrfs and overlayfs */
	char *root;	     /* the directory or file of that file system which is mounted */
	char *path;	     /* where, from the process's root; any byte but NUL */
	char *fstype, *source;
	char *options; /* of the file system, not of the mount */
};

/*
 * The mounts at or below `root` that a path lookup reaches now, sorted by path, so that a mount
 * comes after the one it lies in. Not reached, and so not given, is what a later mount at the same
 * point or over a directory above it hides; the mount that holds `root` is given only when it is
 * mounted right there. Symbolic links in `root` are followed. The caller frees with mounts_free().
 * Negative errno of open(2) on root (-ENOENT) or of reading mountinfo; -ENOMEM.
 */
int mounts_below(const char *root, struct mount_point **ret, size_t *ret_n);

/* The same from the text of a mountinfo file (len bytes, hostile; lines that are none are passed
 * over) and a real path, "/data/x". -ENOMEM. */
int mounts_parse(const char *text, size_t len, const char *root, struct mount_point **ret,
		 size_t *ret_n);

/* All mounts of the namespace, reached or not, in no order. Negative errno of reading mountinfo; -ENOMEM. */
int mounts_all(struct mount_point **ret, size_t *ret_n);

/* The same of another process's namespace. */
int mounts_of_process(uint32_t pid, struct mount_point **ret, size_t *ret_n);

void mounts_free(struct mount_point *mounts, size_t n);

/* A descriptor for poll(2) or epoll: POLLPRI|POLLERR (EPOLLPRI|EPOLLERR) when the caller's mount
 * namespace changed since it was opened or since the last poll that said so. The caller closes it.
 */
int mounts_watch_open(int *ret_fd);

/* Takes back a change that was told, and those up to now. Call it before mounts_below(): what
 * changes after it wakes again. True if something had changed that no poll had told. */
bool mounts_watch_rearm(int fd);

#endif
