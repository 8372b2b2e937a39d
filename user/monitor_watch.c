/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What viewers watch: the model's documents, made for all of them at once. */
#include "user/monitor_internal.h"

#include "user/snapshot.h"
#include "user/watch.h"

static uint64_t freshen(void *arg, uint64_t age_ns)
{
	struct monitor *m = arg;

	if (now_boot_ns() - m->ticked_ns > MAX(age_ns, MONITOR_FRESH_NS))
		monitor_tick(m, 0);
	return m->ticked_ns;
}

static int make(void *arg, enum watch_what what, struct watch_doc *to)
{
	const struct monitor *m = arg;
	struct timespec wall;

	clock_gettime(CLOCK_REALTIME, &wall);
	return snapshot_watch(m->model, watch_word(what), &wall, to);
}

int monitor_start_watch(struct monitor *m)
{
	struct watch_source source = {.freshen = freshen, .make = make, .arg = m, .interval_ns = m->interval_ns};

	m->watch = watch_new(&source);
	if (!m->watch)
		return -ENOMEM;
	server_offer(m->server, m->watch);
	return 0;
}

void monitor_stop_watch(struct monitor *m)
{
	m->watch = watch_free(m->watch);
}
