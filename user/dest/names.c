/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/dest/names.h"

#include <ctype.h>
#include <string.h>

#include "user/hashmap.h"

#define NAME_LEN 256
#define LOOKED_AT 16 /* names of one address; who gives it more hides only its own */

struct name {
	uint64_t digest[2]; /* the key: under a secret of this process as good as the text */
	unsigned npairs;
	char text[];
};

/* An address in a namespace. */
struct place {
	struct {
		uint8_t addr[16];
		uint64_t netns;
	} key;
	struct pair *newest;
	unsigned npairs;
};

/* What all namespaces say of a name and an address. */
struct proof {
	struct {
		uint64_t name;
		uint8_t addr[16];
	} key;
	unsigned npairs, believed;
	uint64_t believed_ns;
};

struct pair {
	struct {
		uint64_t place, name;
	} key;
	struct place *place;
	struct name *name;
	struct proof *proof;
	struct space *space;
	struct pair *place_next, **place_at;
	struct pair *newer, *older;
	uint64_t expires_ns;
	bool believed;
};

/* A network namespace: its pairs by age, [1] the believed ones. */
struct space {
	uint64_t netns;
	struct queue {
		struct pair *oldest, *newest;
		size_t n;
		struct space *next, **at; /* of the namespaces with as many */
	} of[2];
};

struct names {
	struct hashmap names, places, proofs, pairs, spaces;
	/* Namespaces by how many pairs they have: whose turn it is must not take a search. */
	struct rank {
		struct space **of;
		size_t highest, n;
	} ranks[2];
	size_t most;
	struct names_counts counts;
};

int names_new(size_t most, struct names **ret)
{
	struct names *n = calloc(1, sizeof(*n));

	if (!n)
		return -ENOMEM;
	n->most = MAX(most, (size_t)1);
	n->names = HASHMAP_OF(struct name, digest);
	n->places = HASHMAP_OF(struct place, key);
	n->proofs = HASHMAP_OF(struct proof, key);
	n->pairs = HASHMAP_OF(struct pair, key);
	n->spaces = HASHMAP_OF(struct space, netns);
	for (unsigned b = 0; b < 2; b++)
		n->ranks[b].of = calloc(n->most + 1, sizeof(struct space *));
	if (!n->ranks[0].of || !n->ranks[1].of) {
		names_free(n);
		return -ENOMEM;
	}
	*ret = n;
	return 0;
}

/* --- by namespace --------------------------------------------------------- */

static void rank_leave(struct names *n, struct space *s, bool believed)
{
	struct rank *r = &n->ranks[believed];
	struct queue *q = &s->of[believed];

	if (!q->n)
		return;
	*q->at = q->next;
	if (q->next)
		q->next->of[believed].at = q->at;
	/* it moves by one: the next lower place is taken at once */
	if (r->highest == q->n && !r->of[q->n])
		r->highest--;
}

static void rank_enter(struct names *n, struct space *s, bool believed)
{
	struct rank *r = &n->ranks[believed];
	struct queue *q = &s->of[believed];

	if (!q->n)
		return;
	q->next = r->of[q->n];
	q->at = &r->of[q->n];
	*q->at = s;
	if (q->next)
		q->next->of[believed].at = &q->next;
	r->highest = MAX(r->highest, q->n);
}

static void queue_add(struct names *n, struct pair *p)
{
	struct queue *q = &p->space->of[p->believed];

	rank_leave(n, p->space, p->believed);
	p->newer = NULL;
	p->older = q->newest;
	*(q->newest ? &q->newest->newer : &q->oldest) = p;
	q->newest = p;
	q->n++;
	n->ranks[p->believed].n++;
	rank_enter(n, p->space, p->believed);
}

static void queue_remove(struct names *n, struct pair *p)
{
	struct queue *q = &p->space->of[p->believed];

	rank_leave(n, p->space, p->believed);
	*(p->newer ? &p->newer->older : &q->newest) = p->older;
	*(p->older ? &p->older->newer : &q->oldest) = p->newer;
	q->n--;
	n->ranks[p->believed].n--;
	rank_enter(n, p->space, p->believed);
}

/* --- by address ----------------------------------------------------------- */

static void place_add(struct pair *p)
{
	p->place_next = p->place->newest;
	p->place_at = &p->place->newest;
	if (p->place_next)
		p->place_next->place_at = &p->place_next;
	p->place->newest = p;
}

static void place_remove(struct pair *p)
{
	*p->place_at = p->place_next;
	if (p->place_next)
		p->place_next->place_at = p->place_at;
}

/* --- found or new --------------------------------------------------------- */

/* Lower case, without the root's dot. False: no name. */
static bool plain_name(const char *name, char ret[static NAME_LEN])
{
	size_t len = strnlen(name, NAME_LEN + 1);

	if (len && name[len - 1] == '.')
		len--;
	if (!len || len >= NAME_LEN)
		return false;
	for (size_t i = 0; i < len; i++)
		ret[i] = (char)tolower((unsigned char)name[i]);
	ret[len] = '\0';
	return true;
}

static void digest(const char *text, uint64_t ret[static 2])
{
	char salted[NAME_LEN + 1] = "\1";
	size_t len = strlen(text);

	memcpy(salted + 1, text, len);
	ret[0] = hashmap_hash(text, len);
	ret[1] = hashmap_hash(salted, len + 1);
}

static struct name *name_find(const struct names *n, const char *text)
{
	uint64_t key[2];

	digest(text, key);
	return hashmap_find(&n->names, key);
}

static void *add_or_free(struct hashmap *t, void *item)
{
	if (item && hashmap_add(t, item)) {
		free(item);
		return NULL;
	}
	return item;
}

static struct name *name_get(struct names *n, const char *text)
{
	struct name *name = name_find(n, text);
	size_t len = strlen(text);

	if (name)
		return name;
	name = calloc(1, sizeof(*name) + len + 1);
	if (!name)
		return NULL;
	digest(text, name->digest);
	memcpy(name->text, text, len);
	return add_or_free(&n->names, name);
}

static struct place *place_find(const struct names *n, uint32_t netns, const uint8_t addr[static 16])
{
	struct place key = {.key.netns = netns};

	memcpy(key.key.addr, addr, sizeof(key.key.addr));
	return hashmap_find(&n->places, &key.key);
}

static struct place *place_get(struct names *n, uint32_t netns, const uint8_t addr[static 16])
{
	struct place *place = place_find(n, netns, addr);

	if (place)
		return place;
	place = calloc(1, sizeof(*place));
	if (!place)
		return NULL;
	place->key.netns = netns;
	memcpy(place->key.addr, addr, sizeof(place->key.addr));
	return add_or_free(&n->places, place);
}

static struct proof *proof_find(const struct names *n, const struct name *name, const uint8_t addr[static 16])
{
	struct proof key = {.key.name = (uintptr_t)name};

	memcpy(key.key.addr, addr, sizeof(key.key.addr));
	return hashmap_find(&n->proofs, &key.key);
}

static struct proof *proof_get(struct names *n, const struct name *name, const uint8_t addr[static 16])
{
	struct proof *proof = proof_find(n, name, addr);

	if (proof)
		return proof;
	proof = calloc(1, sizeof(*proof));
	if (!proof)
		return NULL;
	proof->key.name = (uintptr_t)name;
	memcpy(proof->key.addr, addr, sizeof(proof->key.addr));
	return add_or_free(&n->proofs, proof);
}

static struct space *space_get(struct names *n, uint32_t netns)
{
	uint64_t key = netns;
	struct space *s = hashmap_find(&n->spaces, &key);

	if (s)
		return s;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->netns = netns;
	return add_or_free(&n->spaces, s);
}

/* Whatever no pair needs. */
static void drop_unused(struct names *n, struct name *name, struct place *place, struct proof *proof, struct space *space)
{
	if (proof && !proof->npairs) {
		hashmap_remove(&n->proofs, &proof->key);
		free(proof);
	}
	if (place && !place->npairs) {
		hashmap_remove(&n->places, &place->key);
		free(place);
	}
	if (name && !name->npairs) {
		hashmap_remove(&n->names, name->digest);
		free(name);
	}
	if (space && !space->of[0].n && !space->of[1].n) {
		hashmap_remove(&n->spaces, &space->netns);
		free(space);
	}
}

/* --- pairs ---------------------------------------------------------------- */

static void pair_drop(struct names *n, struct pair *p)
{
	queue_remove(n, p);
	place_remove(p);
	hashmap_remove(&n->pairs, &p->key);
	p->place->npairs--;
	p->name->npairs--;
	p->proof->npairs--;
	p->proof->believed -= p->believed;
	drop_unused(n, p->name, p->place, p->proof, p->space);
	free(p);
}

static struct pair *pair_find(const struct names *n, uint32_t netns, const uint8_t addr[static 16], const char *text)
{
	const struct place *place = place_find(n, netns, addr);
	const struct name *name = place ? name_find(n, text) : NULL;
	struct pair key = {.key = {(uintptr_t)place, (uintptr_t)name}};

	return name ? hashmap_find(&n->pairs, &key.key) : NULL;
}

static int pair_new(struct names *n, uint32_t netns, const uint8_t addr[static 16], const char *text, bool believed,
		    struct pair **ret)
{
	struct name *name = name_get(n, text);
	struct place *place = place_get(n, netns, addr);
	struct proof *proof = name ? proof_get(n, name, addr) : NULL;
	struct space *space = space_get(n, netns);
	struct pair *p = calloc(1, sizeof(*p));

	if (p)
		*p = (struct pair){.key = {(uintptr_t)place, (uintptr_t)name}, .place = place, .name = name, .proof = proof,
				   .space = space, .believed = believed};
	if (!name || !place || !proof || !space || !p || hashmap_add(&n->pairs, p)) {
		drop_unused(n, name, place, proof, space);
		free(p);
		return -ENOMEM;
	}
	name->npairs++;
	place->npairs++;
	proof->npairs++;
	proof->believed += believed;
	place_add(p);
	queue_add(n, p);
	*ret = p;
	return 0;
}

/* False: there is none for one that is believed no more than this. */
static bool make_room(struct names *n, bool believed)
{
	bool which = !n->ranks[0].n;
	const struct rank *r = &n->ranks[which];

	if (n->ranks[0].n + n->ranks[1].n < n->most)
		return true;
	if (which && !believed)
		return false;
	n->counts.evicted++;
	n->counts.evicted_believed += which;
	pair_drop(n, r->of[r->highest]->of[which].oldest);
	return true;
}

static void pair_renew(struct names *n, struct pair *p, bool believed)
{
	queue_remove(n, p);
	place_remove(p);
	p->proof->believed += believed && !p->believed;
	p->believed |= believed;
	place_add(p);
	queue_add(n, p);
}

int names_learn(struct names *n, uint32_t netns, const uint8_t addr[static 16], const char *name, uint32_t ttl_s,
		bool believed, uint64_t now_ns)
{
	char text[NAME_LEN];
	uint64_t ttl_ns = ttl_s * NSEC;

	if (!plain_name(name, text))
		return -EINVAL;
	struct pair *p = pair_find(n, netns, addr, text);
	if (p) {
		pair_renew(n, p, believed);
	} else if (make_room(n, believed)) {
		int err = pair_new(n, netns, addr, text, believed, &p);

		if (err)
			return err;
	} else {
		n->counts.left_out++;
		return 0;
	}
	p->expires_ns = MAX(p->expires_ns, now_ns + ttl_ns + MAX(ttl_ns, NAME_GRACE_NS));
	if (believed)
		p->proof->believed_ns = MAX(p->proof->believed_ns, now_ns);
	return 0;
}

enum name_proof names_check(const struct names *n, const char *name, const uint8_t addr[static 16], uint64_t now_ns)
{
	char text[NAME_LEN];
	const struct name *known = plain_name(name, text) ? name_find(n, text) : NULL;
	const struct proof *proof = known ? proof_find(n, known, addr) : NULL;

	if (!known)
		return NAME_UNSEEN;
	if (!proof)
		return NAME_ELSEWHERE;
	return proof->believed && now_ns <= proof->believed_ns + NAME_PROOF_NS ? NAME_PROVEN : NAME_HEARD;
}

const char *names_find(const struct names *n, uint32_t netns, const uint8_t addr[static 16], uint64_t now_ns,
		       bool *ret_sole)
{
	const struct place *place = place_find(n, netns, addr);
	const struct pair *best = NULL;
	unsigned left = LOOKED_AT;

	for (const struct pair *p = place ? place->newest : NULL; p && left--; p = p->place_next) {
		if (now_ns <= p->expires_ns && (!best || (p->believed && !best->believed)))
			best = p;
	}
	if (!best)
		return NULL;
	*ret_sole = place->npairs == 1;
	return best->name->text;
}

struct names_counts names_count(const struct names *n)
{
	struct names_counts c = n->counts;

	c.pairs = n->ranks[0].n + n->ranks[1].n;
	c.believed = n->ranks[1].n;
	return c;
}

struct names *names_free(struct names *n)
{
	if (!n)
		return NULL;
	for (unsigned b = 0; b < 2; b++) {
		struct rank *r = &n->ranks[b];

		while (r->n)
			pair_drop(n, r->of[r->highest]->of[b].oldest);
		free(r->of);
	}
	hashmap_free(&n->names);
	hashmap_free(&n->places);
	hashmap_free(&n->proofs);
	hashmap_free(&n->pairs);
	hashmap_free(&n->spaces);
	free(n);
	return NULL;
}
