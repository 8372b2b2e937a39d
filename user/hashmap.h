/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A hash table of pointers to things that hold their own key: `key_size` bytes at `key_offset`,
 * compared as bytes, so padding inside a key must be zero. It owns only its slots.
 */
#ifndef SLUICE_HASHMAP_H
#define SLUICE_HASHMAP_H

#include "user/util.h"

struct hashmap {
	struct hashmap_slot {
		uint64_t hash;
		void *item; /* NULL: empty */
	} * slots;
	size_t size; /* 0 or a power of two */
	size_t used;
	size_t key_offset, key_size;
};

#define HASHMAP_OF(type, member)                                                                   \
	((struct hashmap){.key_offset = offsetof(type, member),                                    \
			  .key_size = sizeof(((type *)0)->member)})

void hashmap_free(struct hashmap *t);
void *hashmap_find(const struct hashmap *t, const void *key);
/* -EEXIST: an item with this key is there; -ENOMEM. */
int hashmap_add(struct hashmap *t, void *item);
/* Returns the item that had this key, or NULL. */
void *hashmap_remove(struct hashmap *t, const void *key);

/* SipHash-1-3 under a key drawn once per process: who chooses keys cannot choose their slots. */
uint64_t hashmap_hash(const void *data, size_t n);

#endif
