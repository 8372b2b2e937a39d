/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * How much a dataset holds, and which of its files have further names. Regular files only, each
 * inode once however many of its names or mounts are met. Symbolic links below the root are never
 * followed; mounts are, for they belong to the dataset. Nothing is read but directories, and their
 * access times stay where the kernel allows it (O_NOATIME).
 */
#ifndef SLUICE_SCAN_H
#define SLUICE_SCAN_H

#include "user/util.h"

#include <stdatomic.h>
#include <sys/stat.h>

struct scan_ops {
	/* A regular file with more than one name, of which some may be outside: once for each, at
	 * the first name met. `fd` is O_PATH and closed afterwards, `st` is of it. An error ends
	 * the scan. May be NULL. */
	int (*linked)(void *arg, int fd, const struct stat *st);
	/* A directory is entered, at this depth below the root, which is the first and has depth 0. May be NULL, as may
	 * the next, which costs a descriptor for each file. */
	int (*entered)(void *arg, unsigned depth, const char *name);
	/* A file that counts, in the directory entered last at this depth; where it is the root its name is "". */
	int (*file)(void *arg, unsigned depth, const char *name, int fd, const struct stat *st);
};

struct scan_result {
	uint64_t bytes; /* sum of sizes as stat() gives them */
	uint64_t files;
	uint64_t dirs;
	uint64_t linked;  /* of the files, those with more than one name */
	uint64_t outside; /* of those, the ones with a name that was not met */
	uint64_t unread;  /* what could not be looked at: the figures lack it */
	uint64_t deep;	  /* directories not entered, SCAN_DEPTH levels below the root */
	bool exact;	  /* false: of more than SCAN_IDS_MAX some may count twice */
	uint64_t took_ns;
};

#define SCAN_DEPTH 256 /* one descriptor for each level */

/* Inodes remembered because they may be met again: those with several names, and all directories
 * where the tree has one file system mounted twice. 24 bytes each, in a table at most half full. */
#define SCAN_IDS_MAX (1 << 20)

/*
 * Walks on the calling thread, which keeps the lowest CPU and an idle IO priority from then on: call it on a
 * thread made for it. `root` may be a file; links in it are followed. `ops` may be NULL, as may
 * `cancel`, which is looked at before each entry. Negative errno of open(2) on the root, -ENOTDIR
 * when it is neither directory nor regular file, -ECANCELED, the callback's error, -EMFILE,
 * -ENOMEM. What vanishes meanwhile is not an error.
 */
int scan_tree(const char *root, const struct scan_ops *ops, void *arg, const atomic_bool *cancel,
	      struct scan_result *ret);

#endif
