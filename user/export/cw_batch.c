/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/export/cw_batch.h"

#include <string.h>

#include "user/export/aws.h"

#define KEEP_BYTES (256u << 10) /* of memory, from one batch to the next */
#define KEEP_EVENTS 1024

void cw_batch_clear(struct cw_batch *b)
{
	if (b->text.size > KEEP_BYTES) {
		free(b->text.data);
		b->text = (struct json_text){};
	}
	if (b->room > KEEP_EVENTS) {
		free(b->events);
		b->events = NULL;
		b->room = 0;
	}
	b->text.len = 0;
	b->n = b->bytes = 0;
	b->from_ms = b->to_ms = 0;
}

void cw_batch_done(struct cw_batch *b)
{
	free(b->text.data);
	free(b->events);
	*b = (struct cw_batch){};
}

bool cw_batch_fits(const struct cw_batch *b, const struct cw_limits *l, size_t n, size_t bytes, int64_t from_ms, int64_t to_ms)
{
	if (b->n + n > l->events || b->bytes + bytes + n * CW_EVENT_OVERHEAD > l->bytes)
		return false;
	if (b->n) {
		from_ms = MIN(from_ms, b->from_ms);
		to_ms = MAX(to_ms, b->to_ms);
	}
	return to_ms - from_ms < CW_SPAN_MS;
}

static int make_room(struct cw_batch *b)
{
	if (b->n < b->room)
		return 0;
	size_t room = b->room ? b->room * 2 : 64;
	struct cw_event *events = reallocarray(b->events, room, sizeof(*events));

	if (!events)
		return -ENOMEM;
	b->events = events;
	b->room = room;
	return 0;
}

int cw_batch_add(struct cw_batch *b, int64_t ms, uint64_t seq, const char *message, size_t len)
{
	size_t at = b->text.len;
	int err = make_room(b);

	b->text.max = AWS_BODY_MAX;
	if (!err)
		err = json_write_raw(&b->text, message, len);
	if (!err)
		err = json_write_raw(&b->text, "", 1);
	if (err) {
		b->text.len = at;
		return err;
	}
	b->events[b->n] = (struct cw_event){.ms = ms, .seq = seq, .at = at, .len = len, .order = b->n};
	b->from_ms = b->n ? MIN(b->from_ms, ms) : ms;
	b->to_ms = b->n ? MAX(b->to_ms, ms) : ms;
	b->bytes += len + CW_EVENT_OVERHEAD;
	b->n++;
	return 0;
}

static int by_time(const void *a, const void *b)
{
	const struct cw_event *x = a, *y = b;

	if (x->ms != y->ms)
		return x->ms < y->ms ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static int put(struct json_text *to, const char *text)
{
	return json_write_raw(to, text, strlen(text));
}

static int put_event(struct json_text *to, const struct cw_batch *b, size_t i)
{
	int err = put(to, i ? ",{\"timestamp\":" : "{\"timestamp\":");

	if (!err)
		err = json_write_number(to, b->events[i].ms);
	if (!err)
		err = put(to, ",\"message\":");
	if (!err)
		err = json_write_text(to, b->text.data + b->events[i].at);
	return err ? err : put(to, "}");
}

int cw_batch_body(struct cw_batch *b, const char *group, const char *stream, struct json_text *ret)
{
	int err;

	qsort(b->events, b->n, sizeof(*b->events), by_time);
	ret->len = 0;
	ret->max = AWS_BODY_MAX;
	err = put(ret, "{\"logGroupName\":");
	if (!err)
		err = json_write_text(ret, group);
	if (!err)
		err = put(ret, ",\"logStreamName\":");
	if (!err)
		err = json_write_text(ret, stream);
	if (!err)
		err = put(ret, ",\"logEvents\":[");
	for (size_t i = 0; !err && i < b->n; i++)
		err = put_event(ret, b, i);
	return err ? err : put(ret, "]}");
}
