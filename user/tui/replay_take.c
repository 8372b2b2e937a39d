/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* One record more: its figures are added to what they belong to. */
#include "user/tui/replay_take.h"

#include <string.h>

/* --- time --------------------------------------------------------------------------- */

static int parse_time(struct span text, int64_t *ret)
{
	struct timespec t;
	char copy[40];

	if (text.n >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	if (time_parse(copy, &t) || t.tv_sec < 0 || t.tv_sec > INT64_MAX / (int64_t)NSEC - 1)
		return -EINVAL;
	*ret = t.tv_sec * (int64_t)NSEC + t.tv_nsec;
	return 0;
}

/* Most records are of the same moment as the one before. */
static int take_time(struct replay *r, const struct record_scan *s, int64_t *ret)
{
	struct span text;
	int64_t ns;

	if (!span_text(record_find(s, "time"), &text))
		return -EINVAL;
	if (text.n == r->time_len && text.n && !memcmp(text.p, r->time_text, text.n)) {
		*ret = r->time_ns;
		return 0;
	}
	if (parse_time(text, &ns))
		return -EINVAL;
	memcpy(r->time_text, text.p, text.n);
	r->time_len = text.n;
	*ret = r->time_ns = ns;
	return 0;
}

int replay_time(struct span record, int64_t *ret_ns)
{
	struct span text;
	struct record_scan s;

	if (record_scan(record, &s) || !span_is(record_find(&s, "v"), "1") || !span_text(record_find(&s, "time"), &text))
		return -EINVAL;
	return parse_time(text, ret_ns);
}

/* --- findings, health --------------------------------------------------------------------------------- */

static int take_finding(struct replay *r, const struct record_scan *s, struct span record)
{
	uint32_t id, i, j, dataset = REPLAY_NONE, job, ml;
	bool fresh;
	int err = value(r, s, "id", &id);

	if (!err && (id == REPLAY_NONE || !json_is_string(replay_value(r, id))))
		return -EINVAL;
	if (!err && !span_is_null(record_find(s, "dataset")))
		err = replay_dataset_get(r, record_find(s, "dataset"), &dataset);
	if (!err)
		err = value(r, s, "job", &job);
	if (!err)
		err = value(r, s, "ml_reason", &ml);
	if (err && err != -ENOSPC)
		return err;
	struct blob *b = blob_new(record);
	if (!b)
		return -ENOMEM;
	err = table_get(&r->tables[REPLAY_OF_FINDINGS], HASH_OF(OF_FINDING, id), &i, &fresh);
	if (err) {
		blob_unref(b);
		return err == -ENOSPC ? 0 : err;
	}
	((struct finding_key *)replay_key(r, REPLAY_OF_FINDINGS, i))->id = id;
	struct finding_row *f = replay_row(r, REPLAY_OF_FINDINGS, i);
	blob_unref(f->record);
	f->record = b;
	f->dataset = dataset;
	if (job == REPLAY_NONE || ml == REPLAY_NONE || replay_job_get(r, job, &j))
		return 0;
	((struct job_row *)replay_row(r, REPLAY_OF_JOBS, j))->ml = ml;
	return 0;
}

static int take_health(struct replay *r, struct span record)
{
	struct blob *b = blob_new(record);

	if (!b)
		return -ENOMEM;
	blob_unref(r->health);
	r->health = b;
	return 0;
}

/* --- any record ------------------------------------------------------------------------------------------ */

/* A monitor that was started again counts from one. */
static void note_seq(struct replay *r, uint64_t seq)
{
	if (seq > r->seq + 1 && r->records)
		r->missing += seq - r->seq - 1;
	r->seq = seq;
}

static int take_by_type(struct replay *r, const struct record_scan *s, struct span record)
{
	struct span type = record_find(s, "type");

	if (span_is(type, "\"access\""))
		return replay_take_access(r, s);
	if (span_is(type, "\"flow\""))
		return replay_take_flow(r, s);
	if (span_is(type, "\"transfer\""))
		return replay_take_transfer(r, s);
	if (span_is(type, "\"finding\""))
		return take_finding(r, s, record);
	if (span_is(type, "\"health\""))
		return take_health(r, record);
	return type.p ? 0 : -EINVAL; /* a policy, or what a later version writes */
}

int replay_take(struct replay *r, struct span record, int64_t until_ns, int64_t *ret_ns)
{
	struct record_scan s;
	uint64_t seq;
	int64_t at;
	int err = record_scan(record, &s);

	if (err || !span_is(record_find(&s, "v"), "1") || !span_number(record_find(&s, "seq"), &seq) || take_time(r, &s, &at))
		return -EINVAL;
	*ret_ns = at = MAX(r->at_ns, at);
	if (at > until_ns)
		return 0;
	err = value(r, &s, "host", &r->host);
	if (!err)
		err = take_by_type(r, &s, record);
	if (err)
		return err == -ENOMEM ? err : -EINVAL;
	note_seq(r, seq);
	r->records++;
	r->at_ns = at;
	return 1;
}
