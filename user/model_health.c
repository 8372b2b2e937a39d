/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The state of measurement itself, as the model keeps it. */
#include "user/model_internal.h"

#include <string.h>

#include "user/model_credential.h"

static char **strings_free(char **v)
{
	for (char **p = v; p && *p; p++)
		free(*p);
	free(v);
	return NULL;
}

static bool strings_same(char *const *a, const char *const *b)
{
	if (!a || !b)
		return !a && !b;
	for (; *a && *b; a++, b++) {
		if (strcmp(*a, *b))
			return false;
	}
	return !*a && !*b;
}

static char **strings_copy(const char *const *v)
{
	size_t n = 0;

	while (v && v[n])
		n++;
	char **copy = calloc(n + 1, sizeof(*copy));
	for (size_t i = 0; copy && i < n; i++) {
		copy[i] = strdup(v[i]);
		if (!copy[i])
			return strings_free(copy);
	}
	return copy;
}

/* Out of memory the old list is kept: it changes at most once per plan. */
static void strings_follow(char ***to, const char *const *from)
{
	char **copy = strings_same(*to, from) ? NULL : strings_copy(from);

	if (copy) {
		strings_free(*to);
		*to = copy;
	}
}

/* Of the kernel half, and the one that is not its. */
static void follow_gaps(struct model *m, const char *const *gaps)
{
	const char *const own = m->credentials->gap;
	size_t n = 0;

	while (gaps && gaps[n])
		n++;
	_cleanup_free_ const char **all = calloc(n + 2, sizeof(*all));
	if (!all)
		return;
	if (n)
		memcpy(all, gaps, n * sizeof(*all));
	all[n] = own;
	strings_follow(&m->gaps, all);
}

/* Is one of these facts, "a, b", about what is read? */
static bool counts_reads(const char *facts)
{
	while (facts && strncmp(facts, "read.", 5)) {
		facts = strchr(facts, ',');
		facts += facts ? 2 : 0;
	}
	return facts != NULL;
}

static void note_misses(struct model *m)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < m->health.nprograms; i++)
		if (m->health.programs[i].misses_known && counts_reads(m->health.programs[i].facts))
			sum += m->health.programs[i].misses;
	if (sum > m->read_misses)
		m->read_misses_ns = m->clock_ns;
	m->read_misses = sum;
}

static void backend_follow(struct model *m, const char *backend)
{
	char *copy = backend ? strdup(backend) : NULL;

	if (backend && !copy)
		return;
	free(m->backend);
	m->backend = copy;
}

void model_set_health(struct model *m, const struct health *h)
{
	m->health = *h;
	m->health.nfill = MIN(h->nfill, (unsigned)ARRAY_SIZE(h->fill));
	strings_follow(&m->owners, h->owners);
	follow_gaps(m, h->gaps);
	strings_follow(&m->limits, h->limits);
	backend_follow(m, h->backend);
	m->health.owners = (const char *const *)m->owners;
	m->health.gaps = (const char *const *)m->gaps;
	m->health.limits = (const char *const *)m->limits;
	m->health.nprograms = MIN(h->nprograms, (unsigned)HEALTH_PROGRAMS);
	m->health.backend = m->backend;
	note_misses(m);
	m->health_known = true;
	m->late_judged = false;
}

/* A fact that is named as a gap has no owner; one that was never named is taken to have one. */
bool model_owns_fact(const struct model *m, const char *fact)
{
	size_t n = strlen(fact);

	for (char *const *g = m->gaps; g && *g; g++) {
		if (!strncmp(*g, fact, n) && ((*g)[n] == ':' || (*g)[n] == '\0'))
			return false;
	}
	return true;
}

void health_free(struct model *m)
{
	strings_free(m->owners);
	strings_free(m->gaps);
	strings_free(m->limits);
	free(m->backend);
}

void model_set_journal(struct model *m, json_t *state)
{
	json_decref(m->journal);
	m->journal = state;
}
