/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Which items are shown: terms with blanks between them, all of which must hold.
 *
 *   dataset:patients   a field contains the text; with * or ? it is a pattern; "a,b" is either
 *   tainted>1MiB       a figure, compared by > >= < <= =, in bytes or IEC units; severity>=high too
 *   >1MiB              the figure that matters most in the view
 *   word  "two words"  any text of the item contains it
 *   !term              the term does not hold
 *
 * What is not known holds no comparison. Letters' case does not matter.
 */
#ifndef SLUICE_TUI_FILTER_H
#define SLUICE_TUI_FILTER_H

#include <jansson.h>
#include "user/util.h"

#define FILTER_BYTES 1024 /* of a text, with its end */

struct filter;

struct filter_error {
	unsigned column; /* in characters, from 1 */
	char text[160];	 /* what is wrong and what to do; safe for a terminal */
};

/* -EINVAL: *ret_error says why; -ENOMEM. An empty text lets everything through. */
int filter_parse(const char *text, struct filter **ret, struct filter_error *ret_error);

/* `figure`: the path of what a bare comparison is about; may be NULL. */
bool filter_match(const struct filter *f, const json_t *item, const char *figure);

/* The document with only the items that are let through: a new reference; NULL: no memory. What has no items is the same. */
json_t *filter_document(const struct filter *f, const json_t *document, const char *figure);

/* Does any text in the item, or a key of its objects of datasets, contain `text`? */
bool filter_contains(const json_t *item, const char *text);

struct filter *filter_free(struct filter *f);
static inline void filter_freep(struct filter **f)
{
	filter_free(*f);
}

/* The words before ':' or a comparison, one after the other; NULL: no more. */
const char *filter_key(size_t i);

#endif
