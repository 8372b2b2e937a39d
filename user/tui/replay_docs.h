/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Documents of replayed records, in the form that a monitor has. What records do not tell is null. */
#ifndef SLUICE_REPLAY_DOCS_H
#define SLUICE_REPLAY_DOCS_H

#include "user/tui/feed_doc.h"
#include "user/tui/replay_state.h"

struct replay_docs;

/* NULL: no memory. */
struct replay_docs *replay_docs_new(void);
struct replay_docs *replay_docs_free(struct replay_docs *d);

/* Brings these documents up to where the records are; `at_ns` is the moment by their time. -ENOMEM. */
int replay_docs_update(struct replay_docs *d, const struct replay *r, unsigned whats, struct feed_doc *const docs[WATCH_WHATS],
		       int64_t at_ns);

/* They are made anew from what was taken back. */
void replay_docs_clear(struct replay_docs *d, struct feed_doc *const docs[WATCH_WHATS]);

#endif
