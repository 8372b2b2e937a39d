/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What health records say of the import into Security Hub. */
#include "user/export/record_fields.h"

#include "user/export/hub_told.h"

json_t *json_hub(const struct hub_told *t)
{
	struct timespec last = {(time_t)(t->last_ns / (int64_t)NSEC), (long)(t->last_ns % (int64_t)NSEC)};

	if (t->state == HUB_OFF)
		return json_null();
	return JSON_OF({"state", json_string(hub_state_name(t->state))}, {"why", json_told(t->why)},
		       {"imported", json_count(t->imported)}, {"updated", json_count(t->updated)},
		       {"refused", json_count(t->refused)}, {"missed", json_count(t->missed)}, {"waiting", json_count(t->waiting)},
		       {"last", t->last_ns ? json_time(&last) : json_null()});
}
