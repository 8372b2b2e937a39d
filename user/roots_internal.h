/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What the files that make up roots.h share. */
#ifndef SLUICE_ROOTS_INTERNAL_H
#define SLUICE_ROOTS_INTERNAL_H

#include "user/roots.h"

#include <pthread.h>
#include <stdatomic.h>

#include "user/members.h"
#include "user/root_list.h"
#include "user/scan_list.h"

/* One dataset's walk: asked for by the loop, filled in by the thread. */
struct walk {
	char *root;
	unsigned dataset;
	enum rank rank; /* of files with several names */
	struct scan_result found;
	struct scan_list files;
	int err, untold; /* untold: of members_tell() */
};

struct roots {
	struct engine *engine;
	int mounts_fd, devices_fd;
	struct root_list installed, links; /* links: found by the last walk */
	struct device_mask *devices;	   /* as the kernel has them */
	size_t ndevices;

	pthread_t thread;
	bool started;
	atomic_bool cancel, done;
	struct walk *walks;
	size_t nwalks, current;
	uint64_t took_ns;
	int untold; /* of the last walks, that was not 0 */
	struct root_list fresh_links; /* the thread's */
};

static inline struct root_key key_of(const struct file_identity *id)
{
	return (struct root_key){.ino = id->obj.ino, .dev = id->obj.dev};
}

void roots_drop_walks(struct roots *r);

#endif
