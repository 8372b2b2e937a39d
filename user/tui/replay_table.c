/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/tui/replay_table.h"

#include <string.h>

#include "user/hashmap.h"

#define VALUES_MAX (4u << 20)
#define VALUES_BYTES_MAX ((size_t)1 << 30)

/* --- rows ------------------------------------------------------------------------- */

static uint64_t hash_at(const struct table *t, uint32_t i)
{
	return ((const struct row_key *)(t->keys + i * t->key_size))->hash;
}

/* Where the hash is, or where it would go. */
static size_t slot_of(const struct table *t, uint64_t hash)
{
	size_t i = hash & (t->nslots - 1);

	while (t->slots[i] && hash_at(t, t->slots[i] - 1) != hash)
		i = (i + 1) & (t->nslots - 1);
	return i;
}

static int more_slots(struct table *t)
{
	size_t n = MAX(2 * t->nslots, (size_t)256);
	uint32_t *slots = calloc(n, sizeof(*slots)), *old = t->slots;

	if (!slots)
		return -ENOMEM;
	t->slots = slots;
	t->nslots = n;
	for (uint32_t i = 0; i < t->n; i++)
		t->slots[slot_of(t, hash_at(t, i))] = i + 1;
	free(old);
	return 0;
}

static int more_rows(struct table *t)
{
	uint32_t max = MAX(2 * t->max, 64u);
	char *keys = reallocarray(t->keys, max, t->key_size);

	if (!keys)
		return -ENOMEM;
	t->keys = keys;
	char *states = reallocarray(t->states, max, t->state_size);
	if (!states)
		return -ENOMEM;
	t->states = states;
	t->max = max;
	return 0;
}

int table_get(struct table *t, uint64_t hash, uint32_t *ret, bool *ret_fresh)
{
	int err = 2 * (size_t)t->n >= t->nslots ? more_slots(t) : 0;
	size_t slot;
	uint32_t i;

	if (err)
		return err;
	slot = slot_of(t, hash);
	if (!t->slots[slot]) {
		if (t->n >= t->limit)
			return -ENOSPC;
		err = t->n == t->max ? more_rows(t) : 0;
		if (err)
			return err;
		memset(t->keys + t->n * t->key_size, 0, t->key_size);
		memset(t->states + t->n * t->state_size, 0, t->state_size);
		((struct row_key *)(t->keys + t->n * t->key_size))->hash = hash;
		t->slots[slot] = ++t->n;
	}
	i = t->slots[slot] - 1;
	struct row_state *is = (struct row_state *)(t->states + i * t->state_size);
	*ret_fresh = !is->present;
	is->present = true;
	*ret = i;
	return 0;
}

uint32_t table_find(const struct table *t, uint64_t hash)
{
	size_t slot = t->nslots ? slot_of(t, hash) : 0;

	if (!t->nslots || !t->slots[slot])
		return REPLAY_NONE;
	uint32_t i = t->slots[slot] - 1;
	return ((const struct row_state *)(t->states + i * t->state_size))->present ? i : REPLAY_NONE;
}

void table_free(struct table *t)
{
	free(t->keys);
	free(t->states);
	free(t->slots);
}

/* --- values ----------------------------------------------------------------------- */

struct value_key {
	struct row_key row;
};
struct value_row {
	struct row_state is;
	json_t *json;
	uint32_t note;
};

struct replay_values {
	struct table table;
	size_t bytes;
};

struct replay_values *values_new(void)
{
	struct replay_values *v = calloc(1, sizeof(*v));

	if (v)
		v->table = (struct table){
		    .key_size = sizeof(struct value_key), .state_size = sizeof(struct value_row), .limit = VALUES_MAX};
	return v;
}

static struct value_row *value_at(const struct replay_values *v, uint32_t i)
{
	return (struct value_row *)(v->table.states + i * sizeof(struct value_row));
}

struct replay_values *values_free(struct replay_values *v)
{
	if (!v)
		return NULL;
	for (uint32_t i = 0; i < v->table.n; i++)
		json_decref(value_at(v, i)->json);
	table_free(&v->table);
	free(v);
	return NULL;
}

int values_get(struct replay_values *v, struct span text, uint32_t *ret)
{
	uint32_t i;
	bool fresh;
	int err;

	if (span_is_null(text)) {
		*ret = REPLAY_NONE;
		return 0;
	}
	err = v->bytes > VALUES_BYTES_MAX ? -ENOSPC : table_get(&v->table, hashmap_hash(text.p, text.n), &i, &fresh);
	if (err == -ENOSPC) {
		*ret = REPLAY_NONE;
		return 0;
	}
	if (err)
		return err;
	if (fresh) {
		v->bytes += text.n;
		value_at(v, i)->json = json_loadb(text.p, text.n, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
	}
	if (!value_at(v, i)->json)
		return -EINVAL;
	*ret = i;
	return 0;
}

uint32_t *values_note(struct replay_values *v, uint32_t value)
{
	return &value_at(v, value)->note;
}

uint32_t values_count(const struct replay_values *v)
{
	return v->table.n;
}

json_t *values_json(const struct replay_values *v, uint32_t value)
{
	return value == REPLAY_NONE ? json_null() : value_at(v, value)->json;
}

/* --- texts -------------------------------------------------------------------------- */

struct blob {
	unsigned refs;
	size_t n;
	char text[];
};

struct blob *blob_new(struct span text)
{
	struct blob *b = malloc(sizeof(*b) + text.n);

	if (!b)
		return NULL;
	b->refs = 1;
	b->n = text.n;
	memcpy(b->text, text.p, text.n);
	return b;
}

struct blob *blob_ref(struct blob *b)
{
	if (b)
		b->refs++;
	return b;
}

struct blob *blob_unref(struct blob *b)
{
	if (b && !--b->refs)
		free(b);
	return NULL;
}

struct span blob_text(const struct blob *b)
{
	return b ? (struct span){b->text, b->n} : (struct span){0};
}
