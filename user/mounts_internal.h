/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef SLUICE_MOUNTS_INTERNAL_H
#define SLUICE_MOUNTS_INTERNAL_H

#include "user/mounts.h"

/* "36 35 98:0 /root /where rw,noatime master:1 - ext4 /dev/sda1 rw", up to `end`; -EINVAL if it is not that. */
int mount_line_parse(const char *at, const char *end, struct mount_point *ret);

void mount_point_clear(struct mount_point *p);

#endif
