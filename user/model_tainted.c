/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* How many processes may hold tagged bytes, and how many bytes: does taint spread? */
#include "user/model_tainted.h"

#include "user/model_graph.h"

#define PAUSE_NS_PER_NODE 100000ULL /* counting takes less than a hundredth of that for each node */

static const uint64_t class_ends[] = {64 << 10, 1 << 20, 64 << 20, UINT64_MAX};
_Static_assert(ARRAY_SIZE(class_ends) == VOLUME_CLASSES, "class_ends");

const char *volume_class_name(enum volume_class c)
{
	static const char *const names[VOLUME_CLASSES] = {"below_64KiB", "below_1MiB", "below_64MiB", "64MiB_or_more"};

	return names[c];
}

static void count(struct tainted_count *to, uint64_t volume)
{
	unsigned c = 0;

	while (c < VOLUME_CLASSES - 1 && volume >= class_ends[c])
		c++;
	to->subjects++;
	to->by_volume[c]++;
}

/* `sum`: by slot, over all datasets. */
static int count_dataset(struct model *m, unsigned dataset, uint64_t *sum)
{
	_cleanup_free_ uint64_t *volume = calloc(m->subject_slots.count + 1, sizeof(*volume));
	struct ds_graph *g;
	int err = volume ? ds_graph_current(m, dataset, &g) : -ENOMEM;

	if (!err)
		err = ds_graph_volumes(g, volume, m->subject_slots.count);
	for (const struct m_subject *s = err ? NULL : m->first_subject; s; s = s->next) {
		if (!(subject_mask(s) & BIT(dataset)) || !subject_alive(s))
			continue;
		count(&m->tainted[dataset], volume[s->slot]);
		if (__builtin_add_overflow(sum[s->slot], volume[s->slot], &sum[s->slot]))
			sum[s->slot] = UINT64_MAX;
	}
	return err;
}

int model_count_tainted(struct model *m, uint64_t now_ns)
{
	_cleanup_free_ uint64_t *sum = NULL;
	uint64_t held = 0;
	int err = 0;

	if (m->tainted_ns && now_ns - m->tainted_ns < PAUSE_NS_PER_NODE * (m->nsubjects + m->nobjects + m->nflows))
		return 0;
	sum = calloc(m->subject_slots.count + 1, sizeof(*sum));
	if (!sum)
		return -ENOMEM;
	for (unsigned d = 0; d <= SL_DATASETS_MAX; d++)
		m->tainted[d] = (struct tainted_count){0};
	for (const struct m_subject *s = m->first_subject; s; s = s->next)
		held |= subject_alive(s) ? subject_mask(s) : 0;
	for (unsigned d = 0; d < SL_DATASETS_MAX && !err; d++)
		err = held & BIT(d) ? count_dataset(m, d, sum) : 0;
	for (const struct m_subject *s = m->first_subject; s; s = s->next)
		if (subject_alive(s) && subject_mask(s))
			count(&m->tainted[SL_DATASETS_MAX], sum[s->slot]);
	m->tainted_ns = now_ns;
	return err;
}
