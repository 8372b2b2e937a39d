/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/pace.h"

static uint64_t thread_cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * NSEC + (uint64_t)t.tv_nsec;
}

void pace_begin(struct pace *p, uint64_t budget_ns)
{
	*p = (struct pace){.until_ns = thread_cpu_ns() + budget_ns, .limited = budget_ns != 0};
}

bool pace_spent(struct pace *p)
{
	p->done++;
	return p->limited && p->done >= PACE_LEAST && p->done % PACE_LOOK == 0 && thread_cpu_ns() >= p->until_ns;
}
