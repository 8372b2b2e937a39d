/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Questions as they come: totals of each subject, and the wait until it is known what it held. */
#include "user/model_dns.h"

#include <math.h>
#include <netinet/in.h>
#include <string.h>

#define RANKS 1024
#define RELAY_NS (10 * NSEC)

/* --- how many different --------------------------------------------------- */

static void rank_add(struct distinct *d, uint64_t hash)
{
	uint8_t *r = &d->ranks[hash % RANKS];
	uint64_t rest = hash / RANKS;
	uint8_t rank = rest ? (uint8_t)(1 + __builtin_ctzll(rest)) : 57;

	*r = MAX(*r, rank);
}

/* Without memory the count stays at what it is. */
static void distinct_add(struct distinct *d, uint64_t hash)
{
	for (unsigned i = 0; !d->ranks && i < d->n; i++)
		if (d->few[i] == hash)
			return;
	if (!d->ranks && d->n < ARRAY_SIZE(d->few)) {
		d->few[d->n++] = hash;
		return;
	}
	if (!d->ranks) {
		d->ranks = calloc(RANKS, 1);
		for (unsigned i = 0; d->ranks && i < d->n; i++)
			rank_add(d, d->few[i]);
	}
	if (d->ranks)
		rank_add(d, hash);
}

static void distinct_merge(struct distinct *to, const struct distinct *from)
{
	for (unsigned i = 0; i < from->n; i++)
		distinct_add(to, from->few[i]);
	if (!from->ranks)
		return;
	if (!to->ranks) {
		to->ranks = calloc(RANKS, 1);
		for (unsigned i = 0; to->ranks && i < to->n; i++)
			rank_add(to, to->few[i]);
	}
	for (unsigned i = 0; to->ranks && i < RANKS; i++)
		to->ranks[i] = MAX(to->ranks[i], from->ranks[i]);
}

/* Flajolet and others, 2007; few of many ranks are counted by those that are empty. */
uint64_t distinct_count(const struct distinct *d)
{
	double sum = 0, estimate;
	unsigned empty = 0;

	if (!d->ranks)
		return d->n;
	for (unsigned i = 0; i < RANKS; i++) {
		sum += ldexp(1, -d->ranks[i]);
		empty += !d->ranks[i];
	}
	estimate = 0.7213 / (1 + 1.079 / RANKS) * RANKS * RANKS / sum;
	if (estimate < 2.5 * RANKS && empty)
		estimate = RANKS * log((double)RANKS / empty);
	return MAX((uint64_t)(estimate + 0.5), (uint64_t)d->n);
}

/* --- of a subject --------------------------------------------------------- */

void asker_free(struct m_asker *a)
{
	if (a) {
		free(a->names.ranks);
		free(a);
	}
}

void asker_move(struct m_asker **to, struct m_asker **from)
{
	if (!*to) {
		*to = *from;
	} else if (*from) {
		(*to)->questions += (*from)->questions;
		(*to)->bytes += (*from)->bytes;
		distinct_merge(&(*to)->names, &(*from)->names);
		asker_free(*from);
	}
	*from = NULL;
}

static int asker_count(struct m_subject *s, const struct dns_message *q, uint64_t hash)
{
	if (!s->asker)
		s->asker = calloc(1, sizeof(*s->asker));
	if (!s->asker)
		return -ENOMEM;
	s->asker->questions++;
	s->asker->bytes += q->name_bytes;
	distinct_add(&s->asker->names, hash);
	return 0;
}

/* --- those that wait ------------------------------------------------------ */

static int questions_get(struct model *m, struct questions **ret)
{
	if (!m->questions) {
		m->questions = calloc(1, sizeof(*m->questions));
		if (!m->questions)
			return -ENOMEM;
		m->questions->by_key = HASHMAP_OF(struct m_domain, key);
		m->questions->heard_by_hash = HASHMAP_OF(struct heard, hash);
	}
	*ret = m->questions;
	return 0;
}

struct questions *questions_free(struct questions *q)
{
	if (!q)
		return NULL;
	while (q->first)
		domain_free(q, q->first);
	for (struct asked *a = q->first_waiting, *next; a; a = next) {
		next = a->next;
		free(a);
	}
	hashmap_free(&q->by_key);
	hashmap_free(&q->heard_by_hash);
	free(q);
	return NULL;
}

static bool same_subject(const struct subject *a, const struct subject *b)
{
	return !memcmp(a, b, sizeof(*a));
}

/* What is known of a subject changes with the version of a dataset. */
static uint64_t versions(const struct model *m)
{
	uint64_t sum = 0;

	for (unsigned d = 0; d < SL_DATASETS_MAX; d++)
		sum += m->datasets[d].version;
	return sum;
}

/* It may have a hundred thousand edges, and ask for as many names. */
static const struct holding *holding_of(struct model *m, const struct m_subject *s)
{
	struct holding *h = &m->questions->holdings[s->who.tgid % ARRAY_SIZE(m->questions->holdings)];
	uint64_t now = versions(m);

	if (h->versions == now && same_subject(&h->who, &s->who))
		return h;
	*h = (struct holding){.who = s->who, .versions = now, .mask = subject_mask(s)};
	for (uint64_t mask = h->mask; mask; mask &= mask - 1) {
		unsigned d = (unsigned)__builtin_ctzll(mask);

		h->since_ns[d] = subject_arrival(s, d);
	}
	return h;
}

/* Which the subject held when it asked, as far as is known. */
static uint64_t held_at(struct model *m, const struct m_subject *s, uint64_t at_ns)
{
	const struct holding *h = holding_of(m, s);
	uint64_t held = 0;

	for (uint64_t mask = h->mask; mask; mask &= mask - 1) {
		unsigned d = (unsigned)__builtin_ctzll(mask);

		held |= h->since_ns[d] <= at_ns ? BIT(d) : 0;
	}
	return held;
}

/* A name that carries data is known to no other job unless that holds the data too, and is judged for it. */
static bool is_relay(const struct model *m, const struct m_subject *s, const struct asked *a)
{
	const struct heard *h = hashmap_find(&m->questions->heard_by_hash, &a->hash);
	const struct m_subject *first;

	if (!h || h->at_ns > a->at_ns || a->at_ns - h->at_ns > RELAY_NS || same_subject(&h->who, &a->who))
		return false;
	first = subject_find(m, &h->who);
	return first && first->job && first->job != s->job;
}

/* The oldest makes room. */
static int hear(struct questions *q, const struct asked *a)
{
	struct heard *h = hashmap_find(&q->heard_by_hash, &a->hash);

	if (h && a->at_ns - h->at_ns <= RELAY_NS)
		return 0;
	if (h)
		hashmap_remove(&q->heard_by_hash, &a->hash);
	h = &q->heard[q->next_heard++ % HEARD_MAX];
	if (hashmap_find(&q->heard_by_hash, &h->hash) == h)
		hashmap_remove(&q->heard_by_hash, &h->hash);
	*h = (struct heard){a->who, a->hash, a->at_ns};
	return hashmap_add(&q->heard_by_hash, h);
}

static bool sees_all(const struct model *m, const struct asked *a)
{
	enum dest_class class = m->classes ? classes_find(m->classes, a->resolver, a->port, a->proto).class : CLASS_UNKNOWN;

	return class == CLASS_INTERNET || class == CLASS_UNOBSERVABLE;
}

static int settle(struct model *m, const struct asked *a)
{
	const struct m_subject *s = subject_find(m, &a->who);
	uint64_t mask = s && !s->trusted ? held_at(m, s, a->at_ns) : 0;

	if (!mask)
		return 0;
	if (is_relay(m, s, a)) {
		m->questions->relayed++;
		return 0;
	}
	return domain_count(m, s->job, a, sees_all(m, a), mask);
}

static int settle_first(struct model *m)
{
	struct questions *q = m->questions;
	struct asked *a = q->first_waiting;
	int err = settle(m, a);

	q->first_waiting = a->next;
	if (!a->next)
		q->last_waiting = NULL;
	q->nwaiting--;
	free(a);
	return err;
}

int questions_settle(struct model *m)
{
	struct questions *q = m->questions;
	int err = 0;

	while (q && q->first_waiting && q->first_waiting->met < m->evaluations) {
		int e = settle_first(m);

		err = err ? err : e;
	}
	return err;
}

static int wait_for_settling(struct model *m, const struct asked *question, const char *name)
{
	struct questions *q = m->questions;
	size_t len = strlen(name);
	struct asked *a = malloc(sizeof(*a) + len + 1);
	int err = 0, heard;

	if (!a)
		return -ENOMEM;
	*a = *question;
	memcpy(a->name, name, len + 1);
	if (q->nwaiting >= QUESTIONS_WAITING_MAX)
		err = settle_first(m); /* by what is known of it now */
	*(q->last_waiting ? &q->last_waiting->next : &q->first_waiting) = a;
	q->last_waiting = a;
	q->nwaiting++;
	heard = hear(q, a);
	return err ? err : heard;
}

int model_set_question(struct model *m, const struct subject *who, uint64_t flow_id, const struct dns_message *q,
		       const uint8_t resolver[static 16], uint16_t port, uint64_t now_ns)
{
	const struct m_flow *flow = hashmap_find(&m->flows, &flow_id);
	struct asked a = {
	    .who = *who,
	    .at_ns = now_ns,
	    .met = m->evaluations,
	    .hash = hashmap_hash(q->name, strlen(q->name)),
	    .port = port,
	    .type = q->type,
	    .proto = flow && flow->filled ? flow->f.proto : IPPROTO_UDP,
	    .longest = q->longest,
	};
	struct questions *all;
	struct m_subject *s;
	int err = q->answer ? -EINVAL : questions_get(m, &all);

	if (!err)
		err = subject_get(m, who, &s);
	if (!err)
		err = asker_count(s, q, a.hash);
	if (err)
		return err;
	memcpy(a.resolver, resolver, sizeof(a.resolver));
	return wait_for_settling(m, &a, q->name);
}
