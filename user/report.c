/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/report_internal.h"

#include <string.h>

#include "user/policy/users.h"
#include "user/value_text.h"

#define FINDINGS_KEPT 4096

static const char *const table_names[TABLES] = {"access", "destinations", "transfers"};

static int refuse(struct json_lines_why *why, const char *what)
{
	snprintf(why->text, sizeof(why->text), "%s", what);
	return -EINVAL;
}

/* --- findings, health -------------------------------------------------------------------------- */

static int take_finding(struct report *r, json_t *record)
{
	const char *id = report_text_at(record, "id"), *rule = report_text_at(record, "rule");
	bool known = json_object_get(r->findings, id);
	json_t *one = json_integer(1);
	int err = 0;

	if (!known && json_object_size(r->rules) < 256)
		err = report_add_figure(r->rules, rule, one);
	json_decref(one);
	if (err || (r->finding && strcmp(r->finding, id)))
		return err;
	if (!known && json_object_size(r->findings) >= FINDINGS_KEPT) {
		r->findings_left_out++;
		return 0;
	}
	return report_set(r->findings, id, record);
}

static int take_health(struct report *r, const json_t *record)
{
	json_t *gaps = json_object_get(record, "gaps");

	json_decref(r->gaps);
	r->gaps = json_incref(gaps);
	return 0;
}

/* --- a record ------------------------------------------------------------------------------------ */

/* Numbers run on by one while a monitor runs, and begin anew with the next one. */
static void note_seq(struct report *r, const json_t *record)
{
	json_int_t seq = json_integer_value(json_object_get(record, "seq"));

	if (seq > 1 && r->seq && seq > r->seq + 1)
		r->missing += (uint64_t)(seq - r->seq - 1);
	r->seq = seq;
}

static bool before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

static bool names(const json_t *list, const char *id)
{
	size_t i;
	json_t *v;

	json_array_foreach (list, i, v)
		if (json_is_string(v) && !strcmp(json_string_value(v), id))
			return true;
	return false;
}

static bool wanted(const struct report *r, const json_t *record, const struct timespec *at)
{
	const json_t *set = json_at(record, "dataset"), *sets = json_at(record, "datasets");

	if ((r->has_since && before(at, &r->since)) || (r->has_until && before(&r->until, at)))
		return false;
	if (r->dataset && set ? strcmp(r->dataset, json_string_value(set)) : r->dataset && !names(sets, r->dataset))
		return false;
	return !r->job || json_object_get(record, "via") || !strcmp(r->job, report_text_at(record, "job"));
}

static const struct {
	const char *type;
	bool (*good)(const json_t *record);
	int (*take)(struct report *r, json_t *record);
} kinds[] = {
	{"access", report_access_good, report_take_access},
	{"flow", report_flow_good, report_take_flow},
	{"transfer", report_transfer_good, report_take_transfer},
	{"finding", report_finding_good, take_finding},
};

static int take_wanted(struct report *r, json_t *record, const char *type, const char *time)
{
	if (!*r->first)
		snprintf(r->first, sizeof(r->first), "%s", time);
	snprintf(r->last, sizeof(r->last), "%s", time);
	r->records++;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(kinds[i].type, type))
			return kinds[i].take(r, record);
	return 0;
}

int report_take(void *arg, json_t *record, struct json_lines_why *ret_why)
{
	const char *type = json_string_value(json_object_get(record, "type"));
	const char *time = json_string_value(json_object_get(record, "time"));
	struct report *r = arg;
	struct timespec at;
	bool own = type && (!strcmp(type, "policy") || !strcmp(type, "journal") || !strcmp(type, "digest"));
	bool known = own || (type && !strcmp(type, "health"));

	if (json_integer_value(json_object_get(record, "v")) != 1)
		return refuse(ret_why, "no record of version 1: is this what `sluice run --events` wrote?");
	if (!type || !time || strlen(time) >= TIME_LEN || time_parse(time, &at) ||
	    !json_is_integer(json_object_get(record, "seq")))
		return refuse(ret_why, "a record without type, time or seq");
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(kinds[i].type, type))
			continue;
		known = true;
		if (!kinds[i].good(record)) {
			snprintf(ret_why->text, sizeof(ret_why->text), "a record of type %s lacks a field, or one is of another kind",
				 kinds[i].type);
			return -EINVAL;
		}
	}
	note_seq(r, record);
	r->unknown += !known;
	if (!strcmp(type, "health"))
		return take_health(r, record);
	if (!known || own || !wanted(r, record, &at))
		return 0;
	return take_wanted(r, record, type, time);
}

/* --- life, and the whole --------------------------------------------------------------------------- */

static int copy(char **to, const char *text)
{
	*to = text ? strdup(text) : NULL;
	return text && !*to ? -ENOMEM : 0;
}

int report_new(const struct report_wish *wish, struct report **ret)
{
	struct report *r = calloc(1, sizeof(*r));
	int err = r ? 0 : -ENOMEM;

	if (err)
		return err;
	r->rows_max = wish->rows ? wish->rows : REPORT_ROWS;
	r->has_since = wish->since;
	r->has_until = wish->until;
	r->since = wish->since ? *wish->since : r->since;
	r->until = wish->until ? *wish->until : r->until;
	for (unsigned t = 0; t < TABLES; t++)
		r->rows[t] = json_object();
	r->processes = json_object();
	r->findings = json_object();
	r->rules = json_object();
	r->left = json_object();
	if (copy(&r->dataset, wish->dataset) || copy(&r->job, wish->job) || copy(&r->finding, wish->finding) ||
	    users_new(&r->users) || !r->rows[0] || !r->rows[1] || !r->rows[2] || !r->processes || !r->findings || !r->rules ||
	    !r->left) {
		report_free(r);
		return -ENOMEM;
	}
	*ret = r;
	return 0;
}

struct report *report_free(struct report *r)
{
	if (!r)
		return NULL;
	for (unsigned t = 0; t < TABLES; t++)
		json_decref(r->rows[t]);
	json_decref(r->processes);
	json_decref(r->findings);
	json_decref(r->rules);
	json_decref(r->left);
	json_decref(r->gaps);
	users_free(r->users);
	free(r->dataset);
	free(r->job);
	free(r->finding);
	free(r);
	return NULL;
}

bool report_found(const struct report *r, const char *rule)
{
	return !strcmp(rule, "any") ? json_object_size(r->rules) > 0 : json_object_get(r->rules, rule) != NULL;
}

json_t *report_finding(const struct report *r, const char *id)
{
	return json_object_get(r->findings, id);
}

static json_t *values(const json_t *object)
{
	json_t *list = json_array(), *v;
	const char *key;

	json_object_foreach ((json_t *)object, key, v)
		json_array_append(list, v);
	return list;
}

static json_t *json_time(bool given, const struct timespec *t)
{
	char text[TIME_LEN];

	return given ? json_string(time_rfc3339(text, t)) : json_null();
}

static json_t *json_text(const char *text)
{
	return text && *text ? json_string(text) : json_null();
}

json_t *report_document(const struct report *r, const struct json_lines_end *end)
{
	struct timespec now;
	char time[TIME_LEN];
	json_t *d;

	clock_gettime(CLOCK_REALTIME, &now);
	d = json_pack("{s:i, s:s, s:s, s:{s:o, s:o, s:o, s:o}, s:{s:I, s:I, s:o, s:o, s:I, s:I, s:I, s:b}}", "v", 1, "type",
		      "report", "time", time_rfc3339(time, &now), "asked", "dataset", json_text(r->dataset), "job",
		      json_text(r->job), "since", json_time(r->has_since, &r->since), "until",
		      json_time(r->has_until, &r->until), "records", "read", (json_int_t)end->lines, "used",
		      (json_int_t)r->records, "first", json_text(r->first), "last", json_text(r->last), "missing",
		      (json_int_t)r->missing, "unknown", (json_int_t)r->unknown, "findings_left_out",
		      (json_int_t)r->findings_left_out, "torn", (int)end->torn);
	for (unsigned t = 0; d && t < TABLES; t++)
		json_object_set_new(d, table_names[t], r->job && t == TABLE_TRANSFERS ? json_null() : values(r->rows[t]));
	if (!d || json_object_set_new(d, "findings", values(r->findings)) || json_object_set(d, "left", r->left) ||
	    json_object_set(d, "coverage", r->gaps ? r->gaps : json_null())) {
		json_decref(d);
		return NULL;
	}
	return d;
}
