/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Channels that cannot be measured: which character devices are some, and how they are called. */
#ifndef SLUICE_CHARDEV_H
#define SLUICE_CHARDEV_H

#include "include/ledger.h"
#include "user/attach.h"

#define CHARDEV_ANY_MINOR 0xfffffU

/* Adds what /proc/devices (or, with `misc`, /proc/misc) names and is a way out or an accelerator to `ret` of `room` entries, from *n on:
 * device numbers as the kernel packs them (major << 20 | minor) with their enum channel or
 * SL_ACCELERATOR. What has no room, and lines
 * that are none, are left out; at most 1024 lines are read. */
struct chardev {
	uint32_t device;
	uint32_t kind;
};
void chardev_parse(FILE *f, bool misc, struct chardev *ret, size_t room, size_t *n);

/* Brings the engine's map up to date with what is there now: drivers come and go. Negative errno. */
int chardev_refresh(const struct engine *e);

/* "AF_PACKET socket", "TUN device", "core dump to a helper program", ...; `core_pattern` as
 * /proc/sys/kernel/core_pattern says, "" not known. */
#define CHANNEL_NAME_LEN 64
char *channel_name(char buf[static CHANNEL_NAME_LEN], uint32_t kind, uint32_t number, const char *core_pattern);

/* What is in /proc/sys/kernel/core_pattern; "" if that cannot be read. */
#define CORE_PATTERN_LEN 128
char *core_pattern_read(char buf[static CORE_PATTERN_LEN]);

#endif
