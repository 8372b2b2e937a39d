/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Records: the contract's JSON Lines, made from the model once per interval. */
#ifndef SLUICE_RECORD_H
#define SLUICE_RECORD_H

#include <jansson.h>
#include "user/model.h"

/* Takes one record; the callee borrows it for the call. A negative errno means it was not taken,
 * and the same figures come again in the next interval: a sink that fails loses no byte. Above 0: it was taken, and there
 * is no room for more totals in this interval. */
typedef int (*record_sink)(void *arg, const json_t *record);

/* Gives the sink what changed since the last call: finding, health, then the totals: access, flow, transfer. Of these
 * whoever waited longest comes first; a record of more than one interval says `since` when. NULL: nobody listens, all of
 * it counts as given. `now_ns` is boot time, `wall` the same moment's wall clock. `final`: also give what a later call
 * would have waited for, room or not. Returns the number of records, or the sink's first error (the rest is kept
 * for the next call). */
int records_emit(struct model *m, uint64_t now_ns, const struct timespec *wall, bool final,
		 record_sink sink, void *arg);

/* A policy record for the configuration in force. */
int records_policy(struct model *m, const struct timespec *wall, record_sink sink, void *arg);

/* A record of this type with these members, borrowed. */
int records_note(struct model *m, const struct timespec *wall, const char *type, const json_t *members, record_sink sink,
		 void *arg);

#endif
