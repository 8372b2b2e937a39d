/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What health records say of the exporter. */
#include "user/export/record_fields.h"

#include "user/export/exporter_told.h"

static json_t *known(bool is, uint64_t n)
{
	return is ? json_count(n) : json_null();
}

static json_t *dropped(const struct exporter_told *t)
{
	json_t *o = json_object();

	for (enum export_dropped d = 0; o && d < EXPORT_DROPPED_KINDS; d++) {
		if (json_object_set_new(o, export_dropped_name(d), json_count(t->dropped[d]))) {
			json_decref(o);
			return NULL;
		}
	}
	return o;
}

static json_t *credentials(const struct exporter_told *t)
{
	struct timespec end = {.tv_sec = t->credentials_end};
	char text[TIME_LEN];

	return JSON_OF({"source", json_told(t->credentials)},
		       {"expire", t->credentials_end > 0 ? json_string(time_rfc3339(text, &end)) : json_null()});
}

json_t *json_exporter(const struct exporter_told *t)
{
	if (t->state == EXPORT_OFF)
		return json_null();
	return JSON_OF({"state", json_string(export_state_name(t->state))}, {"why", json_told(t->why)},
		       {"last_error", json_told(t->last_error)}, {"log_group", json_told(t->group)},
		       {"log_stream", json_told(t->stream)}, {"lag_records", known(t->lag_known, t->lag_records)},
		       {"lag_ms", known(t->lag_ns_known, t->lag_ns / 1000000)}, {"sent", json_count(t->sent)},
		       {"batches", json_count(t->batches)}, {"metrics", json_count(t->metrics)}, {"dropped", dropped(t)},
		       {"cut", json_count(t->cut)}, {"retimed", json_count(t->retimed)},
		       {"maybe_repeated", json_count(t->repeated)}, {"retries", json_count(t->retries)},
		       {"credentials", credentials(t)});
}
