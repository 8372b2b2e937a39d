/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Every file with a name in one file system that lives in memory: the only way to tell there what
 * is gone. */
#ifndef SLUICE_OBJECT_WALK_H
#define SLUICE_OBJECT_WALK_H

#include "user/util.h"

#define OBJECT_WALK_MAX 20000 /* names; beyond that a walk is not whole */

struct object_walk;

/* Below the directory `fd`, which must be the file system's root, without crossing into another.
 * -ENOMEM, or what openat2(2) and getdents say of the root. */
int object_walk_new(int fd, struct object_walk **ret);
struct object_walk *object_walk_free(struct object_walk *w);

/* A name for the inode number, relative to the root; NULL: none was met. Owned by the walk. */
const char *object_walk_find(const struct object_walk *w, uint64_t ino);

/* Was every name met? */
bool object_walk_whole(const struct object_walk *w);

#endif
