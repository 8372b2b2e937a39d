/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef SLUICE_THREAD_H
#define SLUICE_THREAD_H

#include <pthread.h>
#include "user/util.h"

/* The moment in `ns` by CLOCK_MONOTONIC, which nobody sets. */
struct timespec time_in(uint64_t ns);

/* Waits for its end; false: it did not come within `patience_ns`. */
bool thread_joined(pthread_t thread, uint64_t patience_ns);

#endif
