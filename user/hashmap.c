/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/hashmap.h"

#include <string.h>
#include <sys/auxv.h>

struct sip {
	uint64_t v0, v1, v2, v3;
};

static uint64_t rotl(uint64_t x, unsigned b)
{
	return x << b | x >> (64 - b);
}

static void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v1 = rotl(s->v1, 13) ^ s->v0;
	s->v0 = rotl(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotl(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotl(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotl(s->v1, 17) ^ s->v2;
	s->v2 = rotl(s->v2, 32);
}

/* The 16 random bytes the kernel gives every process at start: no system call is needed. */
static const uint64_t *process_key(void)
{
	static uint64_t key[2];

	if (!(key[0] | key[1])) {
		const void *random = (const void *)getauxval(AT_RANDOM);

		if (random)
			memcpy(key, random, sizeof(key));
	}
	return key;
}

uint64_t hashmap_hash(const void *data, size_t n)
{
	const uint64_t *key = process_key();
	const unsigned char *p = data;
	struct sip s = {
	    key[0] ^ 0x736f6d6570736575ULL,
	    key[1] ^ 0x646f72616e646f6dULL,
	    key[0] ^ 0x6c7967656e657261ULL,
	    key[1] ^ 0x7465646279746573ULL,
	};
	uint64_t word, last = (uint64_t)n << 56;

	for (; n >= 8; n -= 8, p += 8) {
		memcpy(&word, p, 8);
		s.v3 ^= word;
		sip_round(&s);
		s.v0 ^= word;
	}
	for (size_t i = 0; i < n; i++)
		last |= (uint64_t)p[i] << (8 * i);
	s.v3 ^= last;
	sip_round(&s);
	s.v0 ^= last;
	s.v2 ^= 0xff;
	sip_round(&s);
	sip_round(&s);
	sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

void hashmap_free(struct hashmap *t)
{
	free(t->slots);
	t->slots = NULL;
	t->size = t->used = 0;
}

static const void *key_of(const struct hashmap *t, const void *item)
{
	return (const char *)item + t->key_offset;
}

/* The slot that holds the key, or the empty one where it would go. The table has room. */
static size_t probe(const struct hashmap *t, const void *key, uint64_t hash)
{
	size_t i = hash & (t->size - 1);

	for (;; i = (i + 1) & (t->size - 1)) {
		const struct hashmap_slot *s = &t->slots[i];

		if (!s->item)
			return i;
		if (s->hash == hash && !memcmp(key_of(t, s->item), key, t->key_size))
			return i;
	}
}

void *hashmap_find(const struct hashmap *t, const void *key)
{
	if (!t->used)
		return NULL;
	return t->slots[probe(t, key, hashmap_hash(key, t->key_size))].item;
}

static int hashmap_grow(struct hashmap *t)
{
	struct hashmap bigger = *t;

	bigger.size = t->size ? t->size * 2 : 16;
	bigger.slots = calloc(bigger.size, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < t->size; i++) {
		if (t->slots[i].item)
			bigger
			    .slots[probe(&bigger, key_of(t, t->slots[i].item), t->slots[i].hash)] =
			    t->slots[i];
	}
	free(t->slots);
	*t = bigger;
	return 0;
}

int hashmap_add(struct hashmap *t, void *item)
{
	const void *key = key_of(t, item);
	uint64_t hash = hashmap_hash(key, t->key_size);

	if ((t->used + 1) * 4 > t->size * 3) {
		int err = hashmap_grow(t);
		if (err)
			return err;
	}
	size_t i = probe(t, key, hash);
	if (t->slots[i].item)
		return -EEXIST;
	t->slots[i] = (struct hashmap_slot){hash, item};
	t->used++;
	return 0;
}

void *hashmap_remove(struct hashmap *t, const void *key)
{
	if (!t->used)
		return NULL;
	size_t mask = t->size - 1;
	size_t hole = probe(t, key, hashmap_hash(key, t->key_size));
	void *item = t->slots[hole].item;

	if (!item)
		return NULL;
	/* Close the gap, so that no chain of probes is cut: move back whatever may move. */
	for (size_t i = (hole + 1) & mask; t->slots[i].item; i = (i + 1) & mask) {
		size_t home = t->slots[i].hash & mask;

		if (((i - home) & mask) >= ((i - hole) & mask)) {
			t->slots[hole] = t->slots[i];
			hole = i;
		}
	}
	t->slots[hole].item = NULL;
	t->used--;
	return item;
}
