/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/collect_shared.h"

#include <bpf/libbpf.h>
#include <string.h>

#include "user/map_call.h"

#define WHOLE_NS (30 * NSEC)
#define AGAIN_NS (2 * NSEC) /* and not more often than this, however often walks are cut short */

struct hearer {
	void (*gone)(void *arg, const struct object *what);
	void *arg;
};

static int count_cuts(const struct engine *e, uint64_t *ret)
{
	int cpus = libbpf_num_possible_cpus();
	uint32_t key = LOSS_SHARE_CUT;

	if (cpus < 0)
		return cpus;
	_cleanup_free_ uint64_t *n = calloc((size_t)cpus, sizeof(*n));
	if (!n)
		return -ENOMEM;
	if (map_lookup(engine_map_fd(e, MAP_LOSSES), &key, n))
		return -errno;
	for (*ret = 0; cpus > 0; cpus--)
		*ret += n[cpus - 1];
	return 0;
}

static int hear(void *arg, const void *record)
{
	const struct hearer *h = arg;
	struct object what;

	memcpy(&what, record, sizeof(what));
	h->gone(h->arg, &what);
	return 0;
}

/* A set of programs without these has named the gap. */
static int look(struct engine *e, enum engine_iter it, struct hearer *h)
{
	int err = engine_iterate(e, it, sizeof(struct object), hear, h);

	return err == -EOPNOTSUPP ? 0 : err;
}

int shared_look(struct engine *e, struct shared_state *s, uint64_t now_ns,
		void (*gone)(void *arg, const struct object *what), void *arg)
{
	struct hearer h = {gone, arg};
	uint64_t cuts = 0, since = s->looked_ns;
	bool whole;
	int err = count_cuts(e, &cuts);

	/* subjects that share a whole memory have no object */
	if (err || (!engine_shares(e) && cuts == s->cuts && now_ns - s->whole_ns < WHOLE_NS))
		return err;
	whole = now_ns - s->whole_ns >= (cuts != s->cuts ? AGAIN_NS : WHOLE_NS);
	s->looked_ns = now_ns;
	if (whole) {
		s->whole_ns = now_ns;
		s->cuts = cuts;
		err = look(e, ITER_SHARERS, &h);
	}
	engine_dump_since(e, whole ? 0 : since);
	return err ? err : look(e, ITER_SHARED, &h);
}
