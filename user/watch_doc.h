/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A document of many items, kept as its text so that whoever had it earlier is told only what changed since. Each time it
 * is made it is a generation more; items are known by their key, and what changed of one by its members.
 */
#ifndef SLUICE_WATCH_DOC_H
#define SLUICE_WATCH_DOC_H

#include <jansson.h>
#include "user/json_write.h"

struct watch_doc;

/* Its generations come after `before`; its items take at most `max` bytes of text. NULL: no memory. */
struct watch_doc *watch_doc_new(const char *what, uint64_t before, size_t max);
struct watch_doc *watch_doc_free(struct watch_doc *d);
static inline void watch_doc_freep(struct watch_doc **d)
{
	watch_doc_free(*d);
}

/* A new generation: then each item that there is, in any order; those that are not met are gone at the end. `at_ns` is boot
 * time, `time` and `host` what the document says of itself; both are borrowed. -ENOMEM. */
int watch_doc_begin(struct watch_doc *d, uint64_t at_ns, const json_t *time, const json_t *host);

/* True: an item of this key is there and was made of this print, so that it need not be made again. Now and then it is to
 * be made all the same, in case a print misses something. */
bool watch_doc_same(struct watch_doc *d, const char *key, uint64_t print);

/* An object, borrowed. -ENOMEM; -EFBIG: there is no room for it: the document is of no more use then. A second item of
 * one key is one of its own. */
int watch_doc_item(struct watch_doc *d, const char *key, uint64_t print, const json_t *item);
void watch_doc_end(struct watch_doc *d);

uint64_t watch_doc_generation(const struct watch_doc *d);

/*
 * Appends a line: {"watch":WHAT,"generation":N,"since":M,"at_ns":...,"time":...,"host":{...},"added":{KEY:{...}},
 * "changed":{KEY:{MEMBER:...}},"gone":[KEY]}. Who had generation `since` and takes out what is gone, merges what changed,
 * then puts in what was added, has this one. A line whose "since" is 0 is whole: of an earlier document nothing stays.
 * `host` is there if it is new. As json_write().
 */
int watch_doc_write(const struct watch_doc *d, uint64_t since, struct json_text *to);

#endif
