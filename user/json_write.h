/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * JSON text, compact, as json_dumps(JSON_COMPACT) has it byte for byte. jansson looks for cycles with a hash table per
 * dump and formats each number with printf(); what is written here is made here and is a tree, of which there is much.
 */
#ifndef SLUICE_JSON_WRITE_H
#define SLUICE_JSON_WRITE_H

#include <jansson.h>

#include "user/util.h"

#define JSON_WRITE_DEPTH 64 /* of what is nested */

struct json_text {
	char *data; /* not terminated; the owner frees it */
	size_t len, size;
	size_t max; /* it grows no further */
};

/* Appends. -ENOMEM; -EFBIG: beyond `max`; -EINVAL: nested too deeply. What was there stays, `len` with it. */
int json_write(struct json_text *to, const json_t *value);

/* The same of one string, which must be UTF-8, or number: where so much is written that making values first would cost. */
int json_write_text(struct json_text *to, const char *s);
int json_write_number(struct json_text *to, int64_t n);

/* Appends these bytes as they are. */
int json_write_raw(struct json_text *to, const char *data, size_t n);

#endif
