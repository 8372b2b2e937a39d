/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Does a packet to an address stay on this machine? Asked of the opening thread's namespace. */
#ifndef SLUICE_ROUTE_H
#define SLUICE_ROUTE_H

#include "user/util.h"

struct route;

/* Reads the list of links once. Errors as of netlink_dump(). */
int route_open(struct route **ret);
struct route *route_free(struct route *r);
static inline void route_freep(struct route **r)
{
	route_free(*r);
}

/* Is the address on-link behind a veth, or behind a bridge with nothing but veths and taps?
 * False too when there is no route to it or it cannot be asked. */
bool route_stays(struct route *r, const uint8_t addr[static 16]);

#endif
