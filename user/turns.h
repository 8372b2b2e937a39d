/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A thread that does one thing again and again, with pauses that it chooses itself. */
#ifndef SLUICE_TURNS_H
#define SLUICE_TURNS_H

#include <pthread.h>

#include "user/util.h"

#define TURNS_NEVER UINT64_MAX

struct turns {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	uint64_t (*turn)(void *arg); /* how long until the next, ns; TURNS_NEVER: until it is poked */
	void *arg;
	bool poked, ended;
};

/* `turns` lives until turns_stop() and is not moved. The first turn is at once. What pthread_create() says. */
int turns_start(struct turns *t, uint64_t (*turn)(void *arg), void *arg);

/* Waits for the turn that is on, which is to look at turns_ended(); but no longer than a moment. False: it is still at work
 * (looking up a name cannot be interrupted), and goes on until the process ends: `turns` and what the turn uses must stay. */
bool turns_stop(struct turns *t);
bool turns_ended(struct turns *t);

/* The next turn comes a second from now; what else pokes it meanwhile is taken in. */
void turns_poke(struct turns *t);

#endif
