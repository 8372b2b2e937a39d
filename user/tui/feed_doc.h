/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * One document as a feed keeps it: its items by their key, and what they were one interval before. What changes it comes
 * from a monitor (feed_doc_apply()) or from records (the rest).
 */
#ifndef SLUICE_FEED_DOC_H
#define SLUICE_FEED_DOC_H

#include <jansson.h>
#include "user/watch.h"

struct feed_doc;

/* NULL: no memory. */
struct feed_doc *feed_doc_new(enum watch_what what);
struct feed_doc *feed_doc_free(struct feed_doc *d);

/* NULL: there is none yet. Borrowed, until it changes. */
const json_t *feed_doc_json(const struct feed_doc *d);

/*
 * A line of watch_doc_write() that was `len` bytes long, of any content. 0; -ESTALE: it does not go with what there is, so
 * that the whole must be asked for; -EPROTO: it is no such line; -EFBIG: more items or bytes than any monitor sends without
 * telling the whole again: as -ESTALE. After an error the document stays as it is, or is none.
 */
int feed_doc_apply(struct feed_doc *d, json_t *line, size_t len);

/* The key of an item, made of its members; "" where it has none. */
const char *feed_doc_key(enum watch_what what, const json_t *item);

/* As feed_rate(). */
double feed_doc_rate(const struct feed_doc *d, const json_t *item, const char *path);

/* --- from records ------------------------------------------------------------------ */

/* What follows is one change at that time of the records. `time` is text and borrowed. `host` may be NULL: as it was. */
int feed_doc_begin(struct feed_doc *d, uint64_t at_ns, const char *time, const json_t *host);
/* Takes the item over; NULL: no memory. One of this key is replaced. */
int feed_doc_put(struct feed_doc *d, const char *key, json_t *item);
/* The item stays as it is. */
void feed_doc_touch(struct feed_doc *d, const char *key);
/* What was neither put nor touched since feed_doc_begin() is gone; where this is not called, all of it stays. -ENOMEM. */
int feed_doc_end(struct feed_doc *d);
/* Nothing stays, and no rate is known. */
void feed_doc_clear(struct feed_doc *d);

#endif
