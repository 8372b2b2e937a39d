/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The monitor itself: one thread, one loop, everything in its place. */
#ifndef SLUICE_MONITOR_H
#define SLUICE_MONITOR_H

#include "user/args.h"
#include "user/policy/config.h"

/* Runs until a signal or the time is over. Takes `config`. Returns an exit status; says on stderr what went wrong. */
int monitor_run(const struct options *options, struct config *config);

#endif
