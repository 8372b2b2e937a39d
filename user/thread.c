/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/thread.h"

struct timespec time_in(uint64_t ns)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += (time_t)(ns / NSEC);
	t.tv_nsec += (long)(ns % NSEC);
	if (t.tv_nsec >= (long)NSEC) {
		t.tv_sec++;
		t.tv_nsec -= (long)NSEC;
	}
	return t;
}

bool thread_joined(pthread_t thread, uint64_t patience_ns)
{
	struct timespec until = time_in(patience_ns);

	return !pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &until);
}
