/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Datasets seen from below and from within: the block devices that their bytes lie on, and the file systems that lie in
 * their files (disk images on loop devices).
 */
#ifndef SLUICE_IMAGES_H
#define SLUICE_IMAGES_H

#include "user/attach.h"

struct fs_tag {
	uint32_t dev; /* of a file system that holds a root, as the kernel packs it */
	uint8_t tag;  /* dataset index + 1 */
};

struct device_mask {
	uint32_t dev;
	uint64_t mask;
};

struct image_root {
	uint32_t dev;
	uint8_t tag;
	char *path; /* where that file system is mounted; NULL: all that is on the device */
};

struct images {
	struct device_mask *devices; /* of those that hold datasets */
	size_t ndevices;
	struct image_root *roots; /* of images */
	size_t nroots;
};

/* As things are now. Which dataset an image is in the kernel says, by the roots it was given last: an image within an image
 * is found when the outer one's file system has become a root. Not found are images in a file that no path or
 * handle leads to. -ENOMEM. Given back by images_clear(). */
int images_find(struct engine *engine, const struct fs_tag *tags, size_t n, struct images *ret);
void images_clear(struct images *i);

/* A descriptor that becomes readable when a block device comes, goes or gets another content. The caller closes it. */
int images_watch_open(int *ret_fd);

/* Takes what it says; true if there was something. */
bool images_watch_take(int fd);

#endif
