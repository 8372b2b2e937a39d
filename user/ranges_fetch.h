/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * AWS's published address ranges, fetched from where AWS publishes them once a day, on a thread of its own. What comes is
 * checked as a whole before it takes the place of what was there; what is there serves until then, after a restart too.
 */
#ifndef SLUICE_RANGES_FETCH_H
#define SLUICE_RANGES_FETCH_H

#include "user/util.h"

/* Or what SLUICE_AWS_RANGES_URL names instead, a mirror: https, or http where it is this host's loopback. */
#define RANGES_FETCH_URL "https://ip-ranges.amazonaws.com/ip-ranges.json"
#define RANGES_FETCH_FILE "ip-ranges.json"

struct ranges_fetch;

/* Into `dir`, which is there. -EINVAL: the URL is none of these; -ENOMEM; what pthread_create() says. */
int ranges_fetch_start(const char *dir, struct ranges_fetch **ret);
/* Waits for the thread, for two seconds at most. */
struct ranges_fetch *ranges_fetch_stop(struct ranges_fetch *f);

/* Readable once something was tried. */
int ranges_fetch_fd(const struct ranges_fetch *f);

/* Where the file is, or will be. Owned by the fetch. */
const char *ranges_fetch_path(const struct ranges_fetch *f);

/* What is wrong with the last try, made safe; "": nothing, or there was none yet. True: since the last time this was asked,
 * something was tried. */
#define RANGES_FETCH_WHY 512
bool ranges_fetch_look(struct ranges_fetch *f, char ret_why[static RANGES_FETCH_WHY]);

#endif
