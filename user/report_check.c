/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What a record must have to be summed up: a file can say anything. */
#include "user/report_internal.h"

/* Is it there, and a figure or unknown? */
static bool is_count(const json_t *record, const char *key)
{
	const json_t *v = json_object_get(record, key);

	return json_is_null(v) || (json_is_integer(v) && json_integer_value(v) >= 0);
}

static bool is_name(const json_t *record, const char *key)
{
	const json_t *v = json_object_get(record, key);

	return json_is_null(v) || json_is_string(v);
}

static bool is_kind(const json_t *record, const char *key, bool list)
{
	const json_t *v = json_object_get(record, key);

	return list ? json_is_array(v) : json_is_null(v) || json_is_object(v);
}

/* Of a credential: no dataset's, and without bytes. */
static bool is_credential(const json_t *r)
{
	return json_is_object(json_object_get(r, "credential")) && json_is_null(json_object_get(r, "dataset")) &&
	       is_name(r, "job") && is_kind(r, "process", false);
}

bool report_access_good(const json_t *r)
{
	if (json_object_get(r, "credential"))
		return is_credential(r);
	return json_is_string(json_object_get(r, "dataset")) && is_name(r, "job") && is_kind(r, "process", false) &&
	       json_is_object(json_object_get(r, "bytes")) && is_count(r, "ops") && is_count(r, "files");
}

/* Its remote is null where flows had no room of their own, and are summed up. */
bool report_flow_good(const json_t *r)
{
	return is_kind(r, "process", false) && is_name(r, "job") && is_name(r, "proto") && is_kind(r, "remote", false) &&
	       is_count(r, "bytes_out") && is_count(r, "tainted_out") && is_kind(r, "datasets", true);
}

bool report_transfer_good(const json_t *r)
{
	return json_is_object(json_object_get(r, "from")) && json_is_object(json_object_get(r, "to")) &&
	       json_is_string(json_object_get(r, "via")) && is_count(r, "bytes") && is_kind(r, "datasets", true) &&
	       (!json_object_get(r, "declared") || is_kind(r, "declared", true)); /* an older monitor's has none */
}

bool report_finding_good(const json_t *r)
{
	return json_is_string(json_object_get(r, "id")) && json_is_string(json_object_get(r, "rule")) &&
	       is_name(r, "dataset") && is_name(r, "job") && is_kind(r, "chain", true);
}
