/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A sign of life beside the socket, so that the next monitor knows since when nobody watched. A monitor
 * that ends well removes it; one that was killed leaves it.
 */
#ifndef SLUICE_ALIVE_H
#define SLUICE_ALIVE_H

#include "user/util.h"

struct alive;

/* Opens "<socket>.alive". *ret_blind_ns: time since the last sign of a monitor of this boot that did not end well, 0 if there
 * is none. Negative errno. */
int alive_open(const char *socket, uint64_t now_ns, struct alive **ret, uint64_t *ret_blind_ns);
void alive_beat(struct alive *a, uint64_t now_ns);
/* `well`: nothing went unwatched; the sign is removed. */
struct alive *alive_close(struct alive *a, bool well);

#endif
