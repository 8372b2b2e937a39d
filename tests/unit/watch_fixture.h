/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A server whose documents are made here: so many jobs with so many bytes each. */
#ifndef WATCH_FIXTURE_H
#define WATCH_FIXTURE_H

#include "tests/unit/server_fixture.h"
#include "user/watch.h"

#define INTERVAL_NS (NSEC / 5)

static struct world {
	unsigned jobs, made, fail;
	uint64_t bytes, told_ns, slow_ns, freshened;
	size_t pad; /* bytes of text per job */
} world;

static inline uint64_t freshen(void *arg, uint64_t age_ns)
{
	world.freshened++;
	if (now_boot_ns() - world.told_ns > age_ns)
		world.told_ns = now_boot_ns();
	return world.told_ns;
}

static inline int make(void *arg, enum watch_what what, struct watch_doc *to)
{
	_cleanup_free_ char *pad = calloc(1, world.pad + 1);
	json_t *time = json_string("2026-11-26T20:00:00.000Z"), *host = json_pack("{s:s}", "name", "gpu-7");
	int err = watch_doc_begin(to, world.told_ns, time, host);

	assert_ptr_equal(arg, &world);
	world.made++;
	memset(pad, 'x', world.pad);
	for (clock_t end = clock() + (clock_t)(world.slow_ns * CLOCKS_PER_SEC / NSEC); clock() < end;)
		;
	for (unsigned i = 0; i < (what == WATCH_HEALTH ? 1 : world.jobs) && !err; i++) {
		char key[32];

		snprintf(key, sizeof(key), what == WATCH_HEALTH ? "health" : "job %u", i);
		json_t *item = json_pack("{s:s, s:I, s:s}", what == WATCH_JOBS ? "job" : "id", key, "bytes_read",
					 (json_int_t)(world.bytes + i), "pad", pad);
		err = watch_doc_item(to, key, 0, item);
		json_decref(item);
	}
	if (!err)
		watch_doc_end(to);
	json_decref(time);
	json_decref(host);
	return world.fail ? -(int)world.fail : err;
}

static inline struct watch *offer(struct server *s)
{
	struct watch_source source = {freshen, make, &world, INTERVAL_NS};
	struct watch *w = watch_new(&source);

	world = (struct world){.jobs = 3, .told_ns = now_boot_ns()};
	server_offer(s, w);
	return w;
}

/* The source has something new. */
static inline void tick(struct server *s)
{
	world.bytes += 10;
	world.told_ns = now_boot_ns();
	server_ticked(s);
}

#endif
