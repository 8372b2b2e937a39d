/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/export/cw_send.h"

#include <string.h>

#define TARGET "Logs_20140328."
#define PAGES_MAX 200

static int call(const struct cw_wire *w, const char *target, const char *body, size_t len, struct cw_said *ret, json_t **ret_body)
{
	struct aws_request q = {.service = "logs", .path = "/", .target = target, .content_type = "application/x-amz-json-1.1",
				.body = body, .len = len};
	struct aws_reply r = {};
	int err = w->call(w->arg, &q, &r);

	if (err)
		return err;
	*ret = (struct cw_said){.outcome = r.outcome, .maybe_done = r.maybe_done, .too_long = r.too_long,
				.status = r.status, .skew_ns = r.skew_ns};
	snprintf(ret->error, sizeof(ret->error), "%s", r.error);
	snprintf(ret->message, sizeof(ret->message), "%s", r.message);
	if (ret_body)
		*ret_body = json_incref(r.body);
	aws_reply_done(&r);
	return 0;
}

/* Takes over `request`. */
static int call_json(const struct cw_wire *w, const char *target, json_t *request, struct cw_said *ret, json_t **ret_body)
{
	_cleanup_free_ char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;

	json_decref(request);
	return text ? call(w, target, text, strlen(text), ret, ret_body) : -ENOMEM;
}

/* --- putting ---------------------------------------------------------------------------------- */

/* An index into n events; -1 where none is told. */
static int64_t told_index(const json_t *info, const char *name, size_t n)
{
	const json_t *v = json_object_get(info, name);

	if (!json_is_integer(v) || json_integer_value(v) < 0)
		return -1;
	return MIN((int64_t)json_integer_value(v), (int64_t)n);
}

static void read_rejected(const json_t *body, size_t n, struct cw_said *to)
{
	const json_t *info = json_object_get(body, "rejectedLogEventsInfo");
	int64_t old = told_index(info, "tooOldLogEventEndIndex", n), expired = told_index(info, "expiredLogEventEndIndex", n);
	int64_t fresh = told_index(info, "tooNewLogEventStartIndex", n);

	to->too_old_end = old > 0 ? (size_t)old : 0;
	to->expired_end = expired > 0 ? (size_t)expired : 0;
	to->too_new_start = fresh >= 0 ? (size_t)fresh : n;
}

int cw_put(const struct cw_wire *w, const char *group, const char *stream, struct cw_batch *b, struct cw_said *ret)
{
	struct json_text body = {};
	json_t *answer = NULL;
	int err = cw_batch_body(b, group, stream, &body);

	if (!err)
		err = call(w, TARGET "PutLogEvents", body.data, body.len, ret, &answer);
	free(body.data);
	if (!err)
		read_rejected(ret->outcome == AWS_DONE ? answer : NULL, b->n, ret);
	json_decref(answer);
	return err;
}

bool cw_limit_said(const char *message, bool *ret_of_event, uint64_t *ret_limit)
{
	static const char words[] = "exceeds limit of ";
	const char *at = strstr(message, words);
	bool of_event = strstr(message, "event too large") || strstr(message, "Event too large");
	char *end;

	if (!at || (!of_event && !strstr(message, "pload too large")))
		return false;
	errno = 0;
	at += sizeof(words) - 1;
	unsigned long long limit = *at >= '0' && *at <= '9' ? strtoull(at, &end, 10) : 0;
	if (errno || limit < 1024)
		return false;
	*ret_of_event = of_event;
	*ret_limit = limit;
	return true;
}

/* --- making ------------------------------------------------------------------------------------ */

int cw_make_group(const struct cw_wire *w, const char *group, struct cw_said *ret)
{
	return call_json(w, TARGET "CreateLogGroup", json_pack("{s:s}", "logGroupName", group), ret, NULL);
}

int cw_make_stream(const struct cw_wire *w, const char *group, const char *stream, struct cw_said *ret)
{
	return call_json(w, TARGET "CreateLogStream", json_pack("{s:s, s:s}", "logGroupName", group, "logStreamName", stream), ret,
			 NULL);
}

int cw_keep(const struct cw_wire *w, const char *group, unsigned days, struct cw_said *ret)
{
	return call_json(w, TARGET "PutRetentionPolicy",
			 json_pack("{s:s, s:i}", "logGroupName", group, "retentionInDays", (int)days), ret, NULL);
}

/* --- asking ------------------------------------------------------------------------------------ */

static bool is_of(const struct cw_intent *i, const json_t *event)
{
	const char *text = json_string_value(json_object_get(event, "message"));
	json_t *message = text ? json_loads(text, 0, NULL) : NULL;
	const json_t *seq = json_object_get(message, "seq"), *batch = json_object_get(message, "batch");
	bool is = false;

	if (json_is_integer(seq))
		is = json_integer_value(seq) > 0 && (uint64_t)json_integer_value(seq) >= i->first &&
		     (uint64_t)json_integer_value(seq) <= i->last;
	else if (json_is_integer(batch))
		is = json_integer_value(batch) > 0 && (uint64_t)json_integer_value(batch) == i->batch;
	json_decref(message);
	return is;
}

static json_t *ask(const struct cw_intent *i, unsigned page, const char *token)
{
	json_t *q = json_pack("{s:s, s:s, s:I, s:I, s:i, s:b}", "logGroupName", i->group, "logStreamName", i->stream, "startTime",
			      (json_int_t)i->from_ms, "endTime", (json_int_t)i->to_ms + 1, "limit", (int)page, "startFromHead", 0);

	if (q && token && json_object_set_new(q, "nextToken", json_string(token))) {
		json_decref(q);
		return NULL;
	}
	return q;
}

/* One answer. True: there are older ones, behind *token. */
static bool look(const struct cw_intent *i, const json_t *body, char **token, enum cw_found *ret_found)
{
	const char *next = json_string_value(json_object_get(body, "nextBackwardToken"));
	size_t n;
	json_t *event;

	json_array_foreach (json_object_get(body, "events"), n, event) {
		if (is_of(i, event)) {
			*ret_found = CW_FOUND;
			return false;
		}
	}
	*ret_found = CW_NOT_FOUND;
	if (!next || (*token && !strcmp(*token, next)))
		return false; /* an empty page alone is not the end */
	char *copy = strdup(next);
	if (!copy) {
		*ret_found = CW_NOT_SAID;
		return false;
	}
	free(*token);
	*token = copy;
	return true;
}

int cw_find(const struct cw_wire *w, const struct cw_intent *i, unsigned *page, enum cw_found *ret_found, struct cw_said *ret)
{
	_cleanup_free_ char *token = NULL;
	bool more = true;

	for (unsigned pages = 0; more && pages < PAGES_MAX; pages++) {
		json_t *body = NULL;
		int err = call_json(w, TARGET "GetLogEvents", ask(i, *page, token), ret, &body);

		if (err)
			return err;
		bool understood = ret->outcome == AWS_DONE && json_is_array(json_object_get(body, "events"));
		if (understood)
			more = look(i, body, &token, ret_found);
		json_decref(body);
		if (ret->outcome == AWS_MISSING) {
			*ret_found = CW_NOT_FOUND;
			return 0;
		}
		if (!understood) {
			if ((ret->status == 200 || ret->too_long) && *page > 1)
				*page /= 2;
			*ret_found = CW_NOT_SAID;
			return 0;
		}
	}
	if (more)
		*ret_found = CW_TOO_MANY;
	return 0;
}
