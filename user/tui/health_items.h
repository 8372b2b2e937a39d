/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What a health document tells, one fact a row, and in a few words what is not as it should be. */
#ifndef SLUICE_TUI_HEALTH_ITEMS_H
#define SLUICE_TUI_HEALTH_ITEMS_H

#include <jansson.h>
#include "user/util.h"

/* {"part", "name", "value", "state"}: states are "ok", "note", "warn", "bad". NULL: no memory. */
json_t *health_items(const json_t *document);
/* What wants a look comes first: the lower the sooner. */
unsigned health_rank(const json_t *item);

struct health_summary {
	bool known;
	uint64_t lost;	   /* skipped or dropped, of all kinds */
	bool lost_known;
	size_t kinds_lost;
	char kind[64];	   /* of the greatest loss */
	size_t gaps, parts; /* facts that are not measured, or in part */
	bool exporter_bad, journal_bad;
	bool late;
};
void health_sum(const json_t *document, struct health_summary *ret);

#endif
