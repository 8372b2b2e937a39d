/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What goes to CloudWatch Logs in one PutLogEvents: by its documented limits, in the order it wants. */
#ifndef SLUICE_CW_BATCH_H
#define SLUICE_CW_BATCH_H

#include <jansson.h>

#include "user/json_write.h"

/* AWS counts a message's UTF-8 bytes and 26 per event. */
#define CW_EVENT_OVERHEAD 26
#define CW_BATCH_BYTES 1048576
#define CW_BATCH_EVENTS 10000
#define CW_SPAN_MS (86400LL * 1000)
#define CW_EVENT_BYTES 1000000 /* of a message: what AWS takes since 2025, less a margin */

struct cw_limits {
	size_t bytes, events; /* of a batch */
	size_t event_bytes;   /* of a message, without overhead */
};

struct cw_event {
	int64_t ms;
	uint64_t seq; /* of a record; 0: the exporter's own */
	size_t at, len, order;
};

struct cw_batch {
	struct json_text text; /* messages, each with a NUL after it */
	struct cw_event *events;
	size_t n, room;
	size_t bytes; /* as AWS counts them */
	int64_t from_ms, to_ms;
};

void cw_batch_clear(struct cw_batch *b); /* empty, ready for more; gives memory back that was much */
void cw_batch_done(struct cw_batch *b);

/* Would `n` events of these times, messages of `bytes` together, go with what is there? */
bool cw_batch_fits(const struct cw_batch *b, const struct cw_limits *l, size_t n, size_t bytes, int64_t from_ms, int64_t to_ms);

/* `message` is UTF-8 without NUL. -ENOMEM: as it was. */
int cw_batch_add(struct cw_batch *b, int64_t ms, uint64_t seq, const char *message, size_t len);

/* The request, in order of time; of one time as they were added. -ENOMEM, -EFBIG. */
int cw_batch_body(struct cw_batch *b, const char *group, const char *stream, struct json_text *ret);

/* --- records ------------------------------------------------------------------------------- */

struct cw_line {
	json_t *record; /* the caller's */
	bool timed;
	int64_t ms;	/* 0 if not `timed` */
	bool urgent;	/* a finding that someone should see now */
};

/* -EBADMSG: no JSON object; -ENOMEM. */
int cw_line_read(const char *text, size_t len, struct cw_line *ret);

/* A record that is too long, with as much as fits: its head, "truncated": true, its size and its hash, and the members
 * that are short. The caller frees *ret. -ENOMEM; -EFBIG: not even that fits. */
int cw_line_cut(const json_t *record, const char *text, size_t len, size_t max, char **ret, size_t *ret_len);

#endif
