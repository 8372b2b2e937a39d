/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/report_internal.h"

#include "user/policy/users.h"
#include "user/value_text.h"

static const char *const table_names[TABLES] = {"access", "destinations", "transfers"};

static int refuse(struct json_lines_why *why, const char *what)
{
	snprintf(why->text, sizeof(why->text), "%s", what);
	return -EINVAL;
}

/* --- findings, health -------------------------------------------------------------------------- */

static int take_finding(struct report *r, json_t *record)
{
	const char *id = report_text_at(record, "id"), *rule = report_text_at(record, "rule"),
		   *first = report_text_at(record, "first");
	_cleanup_free_ char *text = json_dumps(record, JSON_COMPACT);

	return text ? report_keep_finding(r, id, strlen(id), first, strlen(first), rule, strlen(rule), text, strlen(text))
		    : -ENOMEM;
}

static void take_health(struct report *r, const json_t *record)
{
	json_decref(r->gaps);
	r->gaps = json_incref(json_object_get(record, "gaps"));
	r->health_len = 0;
}

int report_note_health(struct report *r, const char *line, size_t len)
{
	char *more = realloc(r->health, len);

	if (!more)
		return -ENOMEM;
	memcpy(more, line, len);
	r->health = more;
	r->health_len = len;
	return 0;
}

/* Borrowed; NULL: none was told. */
static json_t *gaps(struct report *r)
{
	json_t *health = r->health_len ? json_loadb(r->health, r->health_len, 0, NULL) : NULL;

	if (health)
		take_health(r, health);
	json_decref(health);
	return r->gaps;
}

/* --- a record ------------------------------------------------------------------------------------ */

/* Numbers run on by one while a monitor runs, and begin anew with the next one. Of a journal its reader tells. */
void report_note_seq(struct report *r, int64_t seq)
{
	if (r->vouched)
		return;
	if (seq > 1 && r->seq > 0 && seq - r->seq > 1)
		r->missing += (uint64_t)(seq - r->seq - 1);
	r->seq = seq;
}

void report_note_time(struct report *r, const char *time, size_t len)
{
	len = MIN(len, (size_t)TIME_LEN - 1);
	if (!*r->first)
		snprintf(r->first, sizeof(r->first), "%.*s", (int)len, time);
	memcpy(r->last, time, len);
	r->last[len] = '\0';
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
	if (r->dataset && json_is_string(set) ? strcmp(r->dataset, json_string_value(set)) : r->dataset && !names(sets, r->dataset))
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

static bool is_summed(const char *type)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(kinds[i].type, type))
			return true;
	return false;
}

static int take_wanted(struct report *r, json_t *record, const char *type, const char *time)
{
	report_note_time(r, time, strlen(time));
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
	bool known =
	    type && (!strcmp(type, "health") || !strcmp(type, "policy") || !strcmp(type, "journal") || !strcmp(type, "digest"));

	if (json_integer_value(json_object_get(record, "v")) != 1)
		return refuse(ret_why, "no record of version 1: is this what `sluice run --events` wrote?");
	if (!type || !time || strlen(time) >= TIME_LEN || time_parse(time, &at) || !json_is_integer(json_object_get(record, "seq")))
		return refuse(ret_why, "a record without type, time or seq");
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(kinds[i].type, type))
			continue;
		known = true;
		if (!kinds[i].good(record)) {
			snprintf(ret_why->text, sizeof(ret_why->text),
				 "a record of type %s lacks a field, or one is of another kind", kinds[i].type);
			return -EINVAL;
		}
	}
	report_note_seq(r, json_integer_value(json_object_get(record, "seq")));
	r->lines++;
	r->unknown += !known;
	if (!strcmp(type, "health") && !(r->has_until && before(&r->until, &at)))
		take_health(r, record);
	if (!known || !is_summed(type) || !wanted(r, record, &at))
		return 0;
	return take_wanted(r, record, type, time);
}

int report_raw(void *arg, const char *line, size_t len)
{
	struct report *r = arg;
	int got = report_fast(r, line, len);

	r->lines += got == 1;
	return got;
}

int report_line(struct report *r, const char *line, size_t len)
{
	struct json_lines_why why;
	json_t *record;
	int err = report_raw(r, line, len);

	if (err)
		return err < 0 ? err : 0;
	record = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	err = json_is_object(record) ? report_take(r, record, &why) : -EINVAL;
	json_decref(record);
	if (err != -EINVAL)
		return err;
	r->damaged++;
	return 0;
}

void report_missed(struct report *r, uint64_t removed, uint64_t missing, uint64_t damaged)
{
	r->removed += removed;
	r->missing += missing;
	r->damaged += damaged;
}

/* --- life, and the whole --------------------------------------------------------------------------- */

static int copy(char **to, const char *text)
{
	*to = text ? strdup(text) : NULL;
	return text && !*to ? -ENOMEM : 0;
}

/* Texts of whole milliseconds with which those of records compare as the times do. */
static void bound_texts(struct report *r)
{
	struct timespec up = r->since;

	up.tv_nsec = (up.tv_nsec + 999999) / 1000000 * 1000000;
	if (up.tv_nsec >= (long)NSEC) {
		up.tv_sec++;
		up.tv_nsec = 0;
	}
	time_rfc3339(r->since_text, &up);
	time_rfc3339(r->until_text, &r->until);
}

int report_new(const struct report_wish *wish, struct report **ret)
{
	struct report *r = calloc(1, sizeof(*r));
	int err = r ? 0 : -ENOMEM;

	if (err)
		return err;
	r->rows_max = wish->rows ? wish->rows : REPORT_ROWS;
	r->vouched = wish->vouched;
	r->has_since = wish->since;
	r->has_until = wish->until;
	r->since = wish->since ? *wish->since : r->since;
	r->until = wish->until ? *wish->until : r->until;
	bound_texts(r);
	gethostname(r->host, sizeof(r->host) - 1);
	r->processes = HASHMAP_OF(struct report_process, key);
	r->finding_index = json_object();
	r->rules = json_object();
	r->key = malloc(REPORT_KEY_MAX);
	if (copy(&r->dataset, wish->dataset) || copy(&r->job, wish->job) || copy(&r->finding, wish->finding) ||
	    users_new(&r->users) || !r->finding_index || !r->rules || !r->key) {
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
	report_tables_free(r);
	report_findings_free(r);
	json_decref(r->gaps);
	free(r->health);
	tape_free(&r->tape);
	users_free(r->users);
	free(r->key);
	free(r->dataset);
	free(r->job);
	free(r->finding);
	free(r);
	return NULL;
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

static json_t *json_asked(const struct report *r)
{
	return json_pack("{s:o, s:o, s:o, s:o}", "dataset", json_text(r->dataset), "job", json_text(r->job), "since",
			 json_time(r->has_since, &r->since), "until", json_time(r->has_until, &r->until));
}

static json_t *json_records(const struct report *r, bool torn)
{
	return json_pack("{s:I, s:I, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:b}", "read", (json_int_t)r->lines, "used",
			 (json_int_t)r->records, "first", json_text(r->first), "last", json_text(r->last), "missing",
			 (json_int_t)r->missing, "damaged", (json_int_t)r->damaged, "removed", (json_int_t)r->removed, "unknown",
			 (json_int_t)r->unknown, "findings_left_out", (json_int_t)r->findings_left_out, "torn", (int)torn);
}

json_t *report_document(struct report *r, bool torn)
{
	struct timespec now;
	char time[TIME_LEN];
	json_t *d;

	clock_gettime(CLOCK_REALTIME, &now);
	d = json_pack("{s:i, s:s, s:s, s:o, s:o}", "v", 1, "type", "report", "time", time_rfc3339(time, &now), "asked",
		      json_asked(r), "records", json_records(r, torn));
	for (unsigned t = 0; d && t < TABLES; t++)
		json_object_set_new(d, table_names[t], r->job && t == TABLE_TRANSFERS ? json_null() : rows_json(r, (enum table)t));
	if (!d || json_object_set_new(d, "findings", report_findings_json(r)) || json_object_set_new(d, "left", left_json(r)) ||
	    json_object_set(d, "coverage", gaps(r) ? r->gaps : json_null())) {
		json_decref(d);
		return NULL;
	}
	return d;
}
