/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* datasets[].derived: which datasets a dataset is made from, and by whom. */
#include "user/policy/config_internal.h"

#include <string.h>

static int parse_from(struct parse *p, const struct ynode *n, void *to)
{
	struct dataset_config *d = to;

	if (n->kind == Y_LIST && !n->n)
		return config_fail(p, n, "is empty; name the datasets that this one is made from, or remove 'derived'");
	p->from_at[d - p->c->datasets] = n;
	return parse_strings(p, n, "[ patients ]", NULL, &d->derived.from);
}

int parse_derived(struct parse *p, const struct ynode *n, void *to)
{
	static const struct field fields[] = {
	    {"from", parse_from, 0, true},
	    KEY("writers", struct dataset_config, derived.writers, parse_people),
	};

	return map_parse(p, n, fields, ARRAY_SIZE(fields), to);
}

int config_fail_unknown_dataset(struct parse *p, const struct ynode *at)
{
	const char *ids[SL_DATASETS_MAX], *near;

	for (size_t i = 0; i < p->c->ndatasets; i++)
		ids[i] = p->c->datasets[i].id;
	near = nearest_word(at->text, ids, p->c->ndatasets);
	return config_fail(p, at, "'%s' is no dataset's id; %s%s%s", quote(at->text).s,
			   near ? "did you mean '" : "name one of datasets:", near ? near : "", near ? "'?" : "");
}

static const struct dataset_config *find(const struct config *c, const char *id)
{
	for (size_t i = 0; i < c->ndatasets; i++)
		if (!strcmp(c->datasets[i].id, id))
			return &c->datasets[i];
	return NULL;
}

static void where_from(struct parse *p, size_t i, size_t j)
{
	snprintf(p->where, sizeof(p->where), "datasets[%zu].derived.from[%zu]", i, j);
}

static int check_from(struct parse *p, size_t i)
{
	const struct dataset_config *d = &p->c->datasets[i];
	const struct strings *from = &d->derived.from;

	for (size_t j = 0; j < from->n; j++) {
		const struct ynode *at = p->from_at[i]->v[j];

		where_from(p, i, j);
		if (!find(p->c, from->v[j]))
			return config_fail_unknown_dataset(p, at);
		if (!strcmp(from->v[j], d->id))
			return config_fail(p, at, "'%s' is this dataset itself; name what it is made from", d->id);
		for (size_t k = 0; k < j; k++)
			if (!strcmp(from->v[k], from->v[j]))
				return config_fail(p, at, "'%s' is named twice; keep one", from->v[j]);
	}
	return 0;
}

/* Every dataset that `d` is made from, directly or not. */
static void ancestors(const struct config *c, const struct dataset_config *d, bool found[])
{
	for (size_t i = 0; i < d->derived.from.n; i++) {
		const struct dataset_config *from = find(c, d->derived.from.v[i]);

		if (found[from - c->datasets])
			continue;
		found[from - c->datasets] = true;
		ancestors(c, from, found);
	}
}

/* In a circle bytes would lose their tag and still be the same. */
static int check_circle(struct parse *p, size_t i)
{
	const struct dataset_config *d = &p->c->datasets[i];

	for (size_t j = 0; j < d->derived.from.n; j++) {
		const struct dataset_config *from = find(p->c, d->derived.from.v[j]);
		bool found[SL_DATASETS_MAX] = {0};

		ancestors(p->c, from, found);
		if (!found[i])
			continue;
		where_from(p, i, j);
		return config_fail(p, p->from_at[i]->v[j],
				   "'%s' (line %u) is itself made from '%s'; a derivation leads one way: remove one of the two",
				   from->id, from->line, d->id);
	}
	return 0;
}

int config_check_derived(struct parse *p)
{
	int r = 0;

	for (size_t i = 0; i < p->c->ndatasets && !r; i++)
		r = check_from(p, i);
	for (size_t i = 0; i < p->c->ndatasets && !r; i++)
		r = check_circle(p, i);
	return r;
}
