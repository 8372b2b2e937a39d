/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What flows say first, and name servers: kept until it is whole, and told to the model. */
#ifndef SLUICE_SAID_BOOK_H
#define SLUICE_SAID_BOOK_H

#include "include/ledger.h"
#include "user/model.h"
#include "user/model_said.h"

struct said_book;

/* -ENOMEM. */
int said_book_new(struct model *m, struct said_book **ret);
struct said_book *said_book_free(struct said_book *b);

/* A record of the ring, of `len` bytes. Touches nothing of the model. Without memory its flow stays without a name. */
void said_book_hear(struct said_book *b, const void *record, size_t len, uint64_t now_ns);

/* After the flows: what is new of those that the model knows, and what was asked of name servers. `introduce` makes sure that
 * the model knows a subject. -ENOMEM. */
int said_book_tell(struct said_book *b, void (*introduce)(void *arg, const struct subject *who), void *arg, uint64_t now_ns);

struct said_figures said_book_figures(const struct said_book *b);

#endif
