/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What replayed records are kept in; for replay_*.c alone. */
#ifndef SLUICE_REPLAY_TABLE_H
#define SLUICE_REPLAY_TABLE_H

#include "user/tui/replay_state.h"

/* The row of this hash, which is present from then on; *ret_fresh: it was not. -ENOSPC: there is no room for one more. */
int table_get(struct table *t, uint64_t hash, uint32_t *ret, bool *ret_fresh);
/* REPLAY_NONE: it is not present. */
uint32_t table_find(const struct table *t, uint64_t hash);
void table_free(struct table *t);

/* JSON text that is kept once. A text that is no JSON is -EINVAL; what there is no room for becomes REPLAY_NONE. */
struct replay_values *values_new(void);
struct replay_values *values_free(struct replay_values *v);
int values_get(struct replay_values *v, struct span text, uint32_t *ret);
/* A number that goes with the value; 0 until it is set. */
uint32_t *values_note(struct replay_values *v, uint32_t value);
uint32_t values_count(const struct replay_values *v);
json_t *values_json(const struct replay_values *v, uint32_t value);

/* A text with as many owners as hold it. */
struct blob *blob_new(struct span text);
struct blob *blob_ref(struct blob *b);
struct blob *blob_unref(struct blob *b);

#endif
