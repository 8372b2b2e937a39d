/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The datasets as the kernel must know them: the inode of each root, of whatever is mounted below it,
 * and of each file with a second name (which may lie outside). Sizes come from the same walk of the tree.
 */
#ifndef SLUICE_ROOTS_H
#define SLUICE_ROOTS_H

#include "user/attach.h"
#include "user/model.h"
#include "user/policy/config.h"

struct roots;

/* -ENOMEM. The engine must outlive it. */
int roots_new(struct engine *engine, struct roots **ret);
struct roots *roots_free(struct roots *r);

/* Brings the kernel's table in line with the configuration (under the numbers the model gives its datasets) and the mounts
 * of now. *ret_missing: how many datasets' roots can't be opened at the moment; what was known of those stays. Errors are
 * those of the maps: -E2BIG when there are more roots than SL_ROOTS_MAX or more devices than SL_DEVICES_MAX. */
int roots_update(struct roots *r, const struct config *config, const struct model *model, unsigned *ret_missing);

/* Starts a walk of every dataset's tree in the background. -EBUSY: one is running. */
int roots_scan(struct roots *r, const struct config *config, struct model *model);

/* Takes over what a finished walk found; cheap when there is nothing. 1: hard links or devices may have changed, update the roots. */
int roots_collect_scan(struct roots *r, const struct config *config, struct model *model);

/* What the last walk of everything took, nanoseconds; 0 before the first. */
/* 0; or a negative errno: of the files that the last walks met not all are known to the kernel half, so that one moved out
 * of its dataset unread may be nobody's. -ENOSPC: there are too many. */
int roots_untold(const struct roots *r);

uint64_t roots_scan_took(const struct roots *r);

/* Becomes readable by priority (POLLPRI) when mounts change; -1 if that can't be watched. */
int roots_mounts_fd(const struct roots *r);

/* Becomes readable when any device comes, goes or changes; -1 if that can't be watched. */
int roots_devices_fd(const struct roots *r);

/* Empties it: true if a block device was among them, so that the roots want an update. */
bool roots_devices_changed(const struct roots *r);

#endif
