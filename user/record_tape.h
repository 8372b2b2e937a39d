/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * One line of JSON as a list of its values in their order, made without copying any: where millions of records are summed up,
 * a tree for each would cost ten times as much. What is unusual is left to a parser that knows all of JSON.
 */
#ifndef SLUICE_RECORD_TAPE_H
#define SLUICE_RECORD_TAPE_H

#include <string.h>

#include "user/util.h"

enum tape_kind { TAPE_NULL, TAPE_FALSE, TAPE_TRUE, TAPE_NUMBER, TAPE_STRING, TAPE_OBJECT, TAPE_LIST };

struct tape_item {
	const char *key, *text; /* into the line, not terminated; key: NULL in a list; text: of a string */
	uint32_t key_len, len;
	uint32_t next; /* the index behind this one and all that is in it */
	uint8_t kind;
	int64_t number; /* of TAPE_NUMBER; of TAPE_LIST and TAPE_OBJECT how many are in it */
};

struct tape {
	struct tape_item *v; /* v[0] is the whole */
	size_t n, size;
};

void tape_free(struct tape *t);

/* True: the line is one JSON object, whole and well-formed, and *t has it. False: it may be one all the same: it has spaces, an
 * escape, a character beyond ASCII, a number that is no int64_t, a key twice, or is very deep; or there is no memory. */
bool tape_read(struct tape *t, const char *line, size_t len);

/* NULL: not there. `of` is an object on the tape, or NULL. */
const struct tape_item *tape_at(const struct tape *t, const struct tape_item *of, const char *key);

static inline bool tape_is(const struct tape_item *i, const char *text)
{
	return i && i->kind == TAPE_STRING && i->len == strlen(text) && !memcmp(i->text, text, i->len);
}

/* The values in an object or a list. */
#define tape_each(t, of, i)                                                                                                        \
	for (const struct tape_item *i = (of) + 1, *tape_end_ = (t)->v + (of)->next; i < tape_end_; i = (t)->v + i->next)

#endif
