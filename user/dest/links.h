/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Devices that encrypt whatever is sent by them: WireGuard's. What flows by way of one is plain to its socket, and is not on
 * the wire. Known of the network namespace that /sys belongs to; read there, since a question to rtnetlink would wait for
 * whoever holds its lock.
 */
#ifndef SLUICE_LINKS_H
#define SLUICE_LINKS_H

#include "user/util.h"

#define LINKS_FRESH_NS (10 * NSEC) /* so long what was read of a device is taken for true */

struct links;

/* `net` is /sys/class/net, or the like of it. -ENOMEM. */
int links_new(const char *net, struct links **ret);
struct links *links_free(struct links *l);

/* False also where it cannot be told. */
bool links_encrypts(struct links *l, uint32_t ifindex, uint64_t now_ns);

#endif
