/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What a job asked for below one domain while it held tagged bytes. */
#include "user/model_dns.h"

#include <string.h>

#include "user/dest/name_shape.h"

#define SEEN_ALWAYS 128	      /* that each domain has room for, however many domains there are */
#define SEEN_OF_DOMAIN 8192   /* and at most */
#define SEEN_MAX (1u << 20)   /* of all: 32 MiB */
#define LONG_CODED 48	      /* bytes: longer than any digest in hex but those of 256 bits, which no label holds */
#define VERY_LONG_CODED 100

/* --- what was met before -------------------------------------------------- */

static struct seen *seen_slot(struct seen *v, size_t room, uint64_t hash)
{
	size_t i = hash >> 8 & (room - 1);

	while (v[i].hash && v[i].hash != hash)
		i = (i + 1) & (room - 1);
	return &v[i];
}

static int seen_grow(struct m_domain *d)
{
	size_t room = d->room ? d->room * 2 : 16;
	struct seen *v = calloc(room, sizeof(*v));

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < d->room; i++)
		if (d->seen[i].hash)
			*seen_slot(v, room, d->seen[i].hash) = d->seen[i];
	free(d->seen);
	d->seen = v;
	d->room = room;
	return 0;
}

/* The datasets for which it was not met before. What there is no room for counts as met. */
static int seen_add(struct questions *q, struct m_domain *d, uint64_t hash, uint64_t mask, uint64_t *ret_fresh)
{
	struct seen *s = d->room ? seen_slot(d->seen, d->room, hash | 1) : NULL;

	if (!s || !s->hash) {
		if (d->nseen >= SEEN_OF_DOMAIN || (d->nseen >= SEEN_ALWAYS && q->nseen >= SEEN_MAX)) {
			d->full = true;
			*ret_fresh = 0;
			return 0;
		}
		if ((d->nseen + 1) * 4 > d->room * 3) {
			int err = seen_grow(d);

			if (err)
				return err;
			s = seen_slot(d->seen, d->room, hash | 1);
		}
		*s = (struct seen){.hash = hash | 1};
		d->nseen++;
		q->nseen++;
	}
	*ret_fresh = mask & ~s->mask;
	s->mask |= mask;
	return 0;
}

/* --- domains -------------------------------------------------------------- */

void domain_free(struct questions *q, struct m_domain *d)
{
	bool others = !strcmp(d->text, DOMAIN_OTHERS);

	*d->at = d->next;
	if (d->next)
		d->next->at = d->at;
	*d->job_at = d->job_next;
	if (d->job_next)
		d->job_next->job_at = d->job_at;
	hashmap_remove(&q->by_key, &d->key);
	q->ndomains -= !others;
	*(d->job ? &d->job->ndomains : &q->nunknown) -= !others;
	q->nseen -= d->nseen;
	free(d->seen);
	free(d->text);
	free(d);
}

void domains_job_gone(struct model *m, struct m_job *job)
{
	while (job->domains)
		domain_free(m->questions, job->domains);
}

static void domain_link(struct questions *q, struct m_domain *d)
{
	struct m_domain **of_job = d->job ? &d->job->domains : &q->unknown;

	d->next = q->first;
	d->at = &q->first;
	if (d->next)
		d->next->at = &d->next;
	q->first = d;
	d->job_next = *of_job;
	d->job_at = of_job;
	if (d->job_next)
		d->job_next->job_at = &d->job_next;
	*of_job = d;
}

static int domain_new(struct questions *q, struct m_job *job, uint64_t hash, const char *text, struct m_domain **ret)
{
	struct m_domain *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->key.job = (uintptr_t)job;
	d->key.hash = hash;
	d->job = job;
	d->text = strdup(text);
	if (!d->text || hashmap_add(&q->by_key, d)) {
		free(d->text);
		free(d);
		return -ENOMEM;
	}
	domain_link(q, d);
	*ret = d;
	return 0;
}

static struct m_domain *domain_find(const struct questions *q, const struct m_job *job, uint64_t hash)
{
	struct m_domain key = {.key = {(uintptr_t)job, hash}};

	return hashmap_find(&q->by_key, &key.key);
}

/* Found or new; when there are too many, the one that stands for the rest. */
static int domain_get(struct questions *q, struct m_job *job, const char *text, struct m_domain **ret)
{
	uint64_t hash = hashmap_hash(text, strlen(text));
	unsigned *of_job = job ? &job->ndomains : &q->nunknown;
	struct m_domain *d = domain_find(q, job, hash);
	bool others = *of_job >= DOMAINS_OF_JOB || q->ndomains >= DOMAINS_MAX;

	if (!d && others) {
		text = DOMAIN_OTHERS;
		hash = hashmap_hash(text, strlen(text));
		d = domain_find(q, job, hash);
	}
	if (!d) {
		int err = domain_new(q, job, hash, text, &d);

		if (err)
			return err;
		*of_job += !others;
		q->ndomains += !others;
	}
	*ret = d;
	return 0;
}

/* --- counting ------------------------------------------------------------- */

/* With too many masks the last tally stands for several: it says too much of each dataset, never too little. */
static struct tally *tally_of(struct m_domain *d, uint64_t mask)
{
	for (unsigned i = 0; i < d->ntallies; i++)
		if (d->tallies[i].mask == mask)
			return &d->tallies[i];
	if (d->ntallies < DOMAIN_TALLIES)
		d->tallies[d->ntallies++].mask = mask;
	else
		d->tallies[DOMAIN_TALLIES - 1].mask |= mask;
	return &d->tallies[d->ntallies - 1];
}

static void note_asker(struct m_domain *d, const struct asked *a)
{
	memcpy(d->resolver, a->resolver, sizeof(d->resolver));
	d->port = a->port;
	d->proto = a->proto;
	d->idle = 0;
	for (unsigned i = 0; i < d->naskers; i++)
		if (!memcmp(&d->askers[i], &a->who, sizeof(a->who)))
			return;
	d->more_askers = d->more_askers || d->naskers == DOMAIN_ASKERS;
	d->askers[d->next_asker] = a->who; /* the last are known still when they are judged */
	d->next_asker = (d->next_asker + 1) % DOMAIN_ASKERS;
	d->naskers = MIN(d->naskers + 1, DOMAIN_ASKERS);
}

static bool is_odd(uint16_t type)
{
	switch (type) {
	case DNS_TYPE_A:
	case DNS_TYPE_AAAA:
	case DNS_TYPE_PTR:
	case DNS_TYPE_SVCB:
	case DNS_TYPE_HTTPS:
		return false;
	default:
		return true;
	}
}

static void count_question(struct m_domain *d, const struct asked *a, const struct name_shape *shape, uint64_t mask)
{
	struct tally *t = tally_of(d, mask);

	t->since_ns = t->questions ? MIN(t->since_ns, a->at_ns) : a->at_ns;
	t->last_ns = MAX(t->last_ns, a->at_ns);
	t->questions++;
	t->bytes += shape->below;
	t->odd += is_odd(a->type);
	t->longest = MAX(t->longest, a->longest);
}

static unsigned weight(size_t coded)
{
	return coded >= VERY_LONG_CODED ? 4 : coded >= LONG_CODED ? 2 : 1;
}

/* Of different kinds, so that a name is not taken for a skeleton. */
enum { SEEN_NAME = 0x11, SEEN_SKELETON = 0x2222, SEEN_CODED = 0x333333 };

static int count_fresh(struct questions *q, struct m_domain *d, const struct name_shape *shape, uint64_t mask)
{
	uint64_t fresh;
	int err = seen_add(q, d, shape->hash ^ SEEN_NAME, mask, &fresh);

	if (err || !fresh)
		return err;
	struct tally *t = tally_of(d, fresh);
	t->names++;
	t->name_bytes += shape->below;
	err = seen_add(q, d, shape->skeleton_hash ^ SEEN_SKELETON, mask, &fresh);
	if (!err && fresh) {
		t = tally_of(d, fresh);
		t->skeletons++;
		t->skeleton_bytes += shape->below;
	}
	if (!err && shape->coded)
		err = seen_add(q, d, shape->coded_hash ^ SEEN_CODED, mask, &fresh);
	if (!err && shape->coded && fresh) {
		t = tally_of(d, fresh);
		t->coded_names++;
		t->coded_bytes += shape->coded;
		t->coded_points += shape->coded * weight(shape->coded);
	}
	return err;
}

int domain_count(struct model *m, struct m_job *job, const struct asked *a, bool outside, uint64_t mask)
{
	struct questions *q = m->questions;
	struct name_shape shape;
	struct m_domain *d;
	int err;

	name_shape(a->name, &shape);
	if (shape.reach == NAME_INSIDE && !outside)
		return 0;
	err = domain_get(q, job, shape.domain, &d);
	if (err)
		return err;
	/* of many domains lumped together the domain says something too */
	if (!strcmp(d->text, DOMAIN_OTHERS))
		shape.below += strlen(shape.domain) + 1;
	else
		d->provider = shape.reach == NAME_PROVIDER;
	d->asked_out |= outside;
	note_asker(d, a);
	count_question(d, a, &shape, mask);
	return count_fresh(q, d, &shape, mask);
}

uint64_t domain_mask(const struct m_domain *d)
{
	uint64_t mask = 0;

	for (unsigned i = 0; i < d->ntallies; i++)
		mask |= d->tallies[i].mask;
	return mask;
}

struct tally domain_sum(const struct m_domain *d, unsigned dataset)
{
	struct tally sum = {.mask = BIT(dataset)};

	for (unsigned i = 0; i < d->ntallies; i++) {
		const struct tally *t = &d->tallies[i];

		if (!(t->mask & BIT(dataset)))
			continue;
		if (t->questions)
			sum.since_ns = sum.questions ? MIN(sum.since_ns, t->since_ns) : t->since_ns;
		sum.last_ns = MAX(sum.last_ns, t->last_ns);
		sum.questions += t->questions;
		sum.bytes += t->bytes;
		sum.odd += t->odd;
		sum.names += t->names;
		sum.name_bytes += t->name_bytes;
		sum.skeletons += t->skeletons;
		sum.skeleton_bytes += t->skeleton_bytes;
		sum.coded_names += t->coded_names;
		sum.coded_bytes += t->coded_bytes;
		sum.coded_points += t->coded_points;
		sum.longest = MAX(sum.longest, t->longest);
	}
	return sum;
}
