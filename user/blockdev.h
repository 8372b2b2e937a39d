/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Which block devices hold bytes of which datasets: a partition's lie on its disk too, a mapped device's on what it is
 * mapped to, an image's on the device under the file system that its file is in. Read from sysfs.
 */
#ifndef SLUICE_BLOCKDEV_H
#define SLUICE_BLOCKDEV_H

#include "user/util.h"

#include <sys/types.h>

#define BLOCKDEV_MAX 4096
#define BLOCKDEV_EDGES_MAX 16384

/* A device number as the kernel packs it, and as user space has it. */
uint32_t blockdev_pack(dev_t dev);
dev_t blockdev_unpack(uint32_t dev);

struct blockdev {
	uint32_t dev;	 /* packed */
	char name[32];	 /* below /dev; '!' is '/' there */
	bool loop;	 /* has a file behind it */
	bool layer;	 /* LVM's own, under what is shown: a snapshot's origin, a pool */
	bool part;	 /* one of several that share what is below: a volume, a mapped partition */
	uint64_t direct; /* datasets of a file system right on it */
	uint64_t image;	 /* datasets whose files it is made of */
	uint64_t holds;	 /* datasets that reading it may give bytes of; after blockdev_spread() */
};

enum blockdev_relation { ON_DISK, ON_SLAVE, ON_FILE };

struct blockdevs {
	struct blockdev *v; /* sorted by dev */
	size_t n, room;
	struct blockdev_edge {
		uint32_t upper, lower; /* indices of v */
		enum blockdev_relation how;
	} *edges;
	size_t nedges, edges_room;
	bool cut; /* there are more than BLOCKDEV_MAX or BLOCKDEV_EDGES_MAX */
};

/* What sysfs, mounted at `sys`, shows now. Devices that vanish meanwhile are left out. Negative errno when
 * there is no dev/block in it; -ENOMEM. Given back by blockdevs_clear(), also after a failure. */
int blockdevs_read(const char *sys, struct blockdevs *ret);
void blockdevs_clear(struct blockdevs *b);

/* NULL: no such device. Valid until the next addition. */
struct blockdev *blockdevs_find(const struct blockdevs *b, uint32_t dev);

/* The loop device's file is in a file system on that device. Unknown devices are passed over. -ENOMEM. */
int blockdevs_add_file(struct blockdevs *b, uint32_t loop, uint32_t under);

/* From what was said of `direct` and `image` to what each holds. Ends on any graph, rings included. */
void blockdevs_spread(struct blockdevs *b);

/* The devices that make up the btrfs file system of which one is `dev`; `each` gets them packed, that one too
 * if it is not listed. A nonzero return of `each` ends it and is returned. */
int blockdevs_btrfs(const char *sys, uint32_t dev, int (*each)(void *arg, uint32_t dev), void *arg);

#endif
