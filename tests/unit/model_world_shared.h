/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Memory that processes of the small world share. Part of model_world.h. */
#ifndef MODEL_WORLD_SHARED_H
#define MODEL_WORLD_SHARED_H

static void note_once(struct world *w, struct actor *a, struct transfer *t, uint64_t mask)
{
	for (unsigned i = 0; i < MASKS; i++) {
		if (t[i].mask == mask)
			return;
	}
	announce(w, a);
	count(t, mask, 1);
}

/* One look at all who have it; true: someone or something came to hold more. */
static bool share_once(struct world *w, unsigned s)
{
	uint64_t *mask = &w->memory[s].mask, before = *mask;
	bool more = false;

	for (unsigned i = 0; i < w->actors; i++) {
		struct actor *a = &w->actor[i];

		if (a->dead || a->replaced || !a->map[s])
			continue;
		if (a->taint.mask) {
			*mask |= a->taint.mask;
			note_once(w, a, a->store[s], a->taint.mask);
		}
		if (!*mask)
			continue;
		more = more || (a->taint.mask & *mask) != *mask;
		note_once(w, a, a->look[s], *mask);
		become_tainted(w, a, *mask, VIA_SHARED_READ);
	}
	return more || *mask != before;
}

/* What the kernel half does in the moment in which anyone becomes tainted. */
static void share(struct world *w)
{
	bool more = true;

	while (more) {
		more = false;
		for (unsigned s = 0; s < MEMORIES; s++)
			more = share_once(w, s) || more;
	}
}

static void do_map(struct world *w, struct actor *a)
{
	if (!below(3))
		a->map[below(MEMORIES)] = true;
}

static void do_store(struct world *w, struct actor *a)
{
	unsigned s = below(MEMORIES), n = 1 + below(20);

	if (!a->map[s])
		return;
	for (unsigned i = 0; i < n; i++)
		w->memory[s].content[below(MEMORY_BYTES)] = some_byte(a);
}

static void do_look(struct world *w, struct actor *a)
{
	unsigned s = below(MEMORIES), n = 1 + below(20);

	if (!a->map[s])
		return;
	for (unsigned i = 0; i < n; i++) {
		struct byte b = w->memory[s].content[below(MEMORY_BYTES)];

		if (b.dataset != JUNK)
			a->holds[b.dataset][b.id] = true;
	}
}

#endif
