/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/map_call.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <sched.h>

static bool guarded;

struct guard {
	struct sched_param before;
	int policy; /* -1: as it was */
};

/* A user's own choice of a real-time policy is as good. Refused, as in a cgroup without real-time budget, the call is made
 * all the same: what goes unseen is told by recursion_misses. */
static struct guard guard_begin(void)
{
	struct sched_param now = {.sched_priority = 1};
	struct guard g = {.policy = guarded ? sched_getscheduler(0) : -1};
	int plain = g.policy & ~SCHED_RESET_ON_FORK;

	if (g.policy < 0 || plain == SCHED_FIFO || plain == SCHED_RR || plain == SCHED_DEADLINE ||
	    sched_getparam(0, &g.before) || sched_setscheduler(0, SCHED_FIFO, &now))
		g.policy = -1;
	return g;
}

static int guard_end(struct guard *g, int ret)
{
	int err = errno;

	if (g->policy >= 0)
		sched_setscheduler(0, g->policy, &g->before);
	errno = err;
	return ret;
}

void map_call_guard(bool on)
{
	guarded = on;
}

int map_lookup(int fd, const void *key, void *value)
{
	struct guard g = guard_begin();

	return guard_end(&g, bpf_map_lookup_elem(fd, key, value));
}

int map_update(int fd, const void *key, const void *value, uint64_t flags)
{
	struct guard g = guard_begin();

	return guard_end(&g, bpf_map_update_elem(fd, key, value, flags));
}

int map_delete(int fd, const void *key)
{
	struct guard g = guard_begin();

	return guard_end(&g, bpf_map_delete_elem(fd, key));
}

int map_take(int fd, const void *key, void *value)
{
	struct guard g = guard_begin();

	return guard_end(&g, bpf_map_lookup_and_delete_elem(fd, key, value));
}
