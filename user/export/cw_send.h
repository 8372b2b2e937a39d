/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The requests that the exporter makes of CloudWatch Logs, and what the answers say. */
#ifndef SLUICE_CW_SEND_H
#define SLUICE_CW_SEND_H

#include "user/export/aws.h"
#include "user/export/cw_batch.h"
#include "user/export/cw_cursor.h"

/* AWS as aws.h has it, or a test's. */
struct cw_wire {
	int (*call)(void *arg, const struct aws_request *q, struct aws_reply *ret);
	const char *(*region)(void *arg);  /* NULL: not known yet */
	const char *(*account)(void *arg); /* the same */
	const char *(*credential_source)(void *arg);
	int64_t (*credential_expiry)(void *arg);
	void *arg;
};

struct cw_said {
	enum aws_outcome outcome;
	bool maybe_done, too_long;
	long status;
	char error[64], message[256]; /* safe for a terminal */
	int64_t skew_ns;	      /* 0: not known */
	/* Of events, in the order of the request: these were not taken though the rest was. */
	size_t too_old_end, expired_end; /* [0, end) */
	size_t too_new_start;		 /* [start, n) */
};

/* 0: *ret says how it went; -ECANCELED, -ENOMEM. */
int cw_put(const struct cw_wire *w, const char *group, const char *stream, struct cw_batch *b, struct cw_said *ret);
int cw_make_group(const struct cw_wire *w, const char *group, struct cw_said *ret);
int cw_make_stream(const struct cw_wire *w, const char *group, const char *stream, struct cw_said *ret);
int cw_keep(const struct cw_wire *w, const char *group, unsigned days, struct cw_said *ret);

/* Did the intent's batch arrive? The newest events of its stream and time are looked at, page by page. *page is how many at a
 * time; it is halved when an answer is too long to be read. */
enum cw_found {
	CW_FOUND,
	CW_NOT_FOUND,
	CW_TOO_MANY, /* events of that time */
	CW_NOT_SAID, /* *ret says why */
};
#define CW_PAGE 100
int cw_find(const struct cw_wire *w, const struct cw_intent *i, unsigned *page, enum cw_found *ret_found, struct cw_said *ret);

/* "Log event too large: 292824 bytes exceeds limit of 262144", "Upload too large: ...": which, and the limit; false: it says
 * nothing of the kind. */
bool cw_limit_said(const char *message, bool *ret_of_event, uint64_t *ret_limit);

#endif
