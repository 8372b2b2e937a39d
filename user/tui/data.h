/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The documents as they are shown: those of the feed, or, while the viewer stands still, copies of what they were. */
#ifndef SLUICE_TUI_DATA_H
#define SLUICE_TUI_DATA_H

#include "user/tui/view.h"

struct data {
	struct feed *feed;
	bool still;
	json_t *copies[FEED_WHATS]; /* while it stands still */
};

/* -ENOMEM: it goes on as before. Rates stay what they are now. */
int data_stop(struct data *d);
void data_go(struct data *d);
/* While it stands still: what there was no document of is as it is when the first one comes. 1: there is one more; 0; -ENOMEM. */
int data_fill(struct data *d);

const json_t *data_document(const struct data *d, enum feed_what what);
/* NAN: unknown. */
double data_rate(const struct data *d, enum feed_what what, const json_t *item, const char *path);

/* The newest time that a document has, as it stands there; NULL: none yet. */
const char *data_time(const struct data *d);

#endif
