/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/export/aws.h"

#include <string.h>

#include "user/dest/aws_partition.h"
#include "user/export/aws_error.h"
#include "user/export/aws_internal.h"
#include "user/imds.h"
#include "user/locked.h"

#define SKEW_S 240 /* AWS takes five minutes */
#define ACCOUNT_AGAIN_NS (60 * NSEC)

/* --- life --------------------------------------------------------------------------------------- */

int aws_new(const struct aws_options *options, struct aws **ret)
{
	struct aws *a = calloc(1, sizeof(*a));
	int err;

	if (!a)
		return -ENOMEM;
	a->stop = options->stop;
	a->reply = malloc(AWS_REPLY_MAX + 1);
	a->creds = locked_alloc(sizeof(*a->creds));
	err = a->reply && a->creds ? aws_settings(a, options) : -ENOMEM;
	if (!err)
		err = aws_http_new(a->stop, &a->http);
	if (err) {
		aws_free(a);
		return err;
	}
	*ret = a;
	return 0;
}

struct aws *aws_free(struct aws *a)
{
	if (!a)
		return NULL;
	aws_http_free(a->http);
	imds_close(a->imds);
	locked_free(a->creds);
	free(a->reply);
	free(a);
	return NULL;
}

/* --- what an answer says ------------------------------------------------------------------------ */

#define SHARED_LEAST 12 /* characters in a row that a message may not share with a secret */

/* AWS's words on a wrong signature repeat the request, with its token. */
static void blot_out(char *text, const char *secret)
{
	size_t n = strlen(secret), len = strlen(text);

	if (n < SHARED_LEAST)
		return;
	for (size_t i = 0; i + SHARED_LEAST <= len; i++) {
		const char *in = memmem(secret, n, text + i, SHARED_LEAST);
		size_t k = SHARED_LEAST;

		if (!in)
			continue;
		while (i + k < len && in[k] && in[k] == text[i + k])
			k++;
		memset(text + i, '*', k);
		i += k - 1;
	}
}

static void read_error(struct aws *a, const struct aws_http_answer *got, struct aws_reply *r)
{
	char name[AWS_ERROR_LEN], message[4096];

	aws_error_read(a->reply, got->len, name, message, sizeof(message));
	blot_out(message, a->creds->secret);
	blot_out(message, a->creds->token);
	text_safe(r->message, sizeof(r->message), message, strlen(message));
	snprintf(r->error, sizeof(r->error), "%s", *name ? name : got->error);
	if (!*r->error)
		snprintf(r->error, sizeof(r->error), "HTTP status %ld", got->status);
	wipe(message, sizeof(message));
}

static void say(struct aws_reply *r, enum aws_outcome outcome, const char *error, const char *message)
{
	r->outcome = outcome;
	text_safe(r->error, sizeof(r->error), error, strlen(error));
	text_safe(r->message, sizeof(r->message), message, strlen(message));
}

/* Only who names a request is AWS: what a proxy or a portal says of its own is no answer. */
static bool is_answer(const struct aws_http_answer *got, const struct aws_reply *r)
{
	return *got->request_id || (got->status >= 300 && strncmp(r->error, "HTTP status", 11));
}

static void not_aws(const struct aws_http_answer *got, struct aws_reply *r)
{
	char error[AWS_ERROR_LEN];

	snprintf(error, sizeof(error), "HTTP status %ld", got->status);
	say(r, AWS_AGAIN, got->status < 300 ? "no request id" : error, "what answers is not AWS: a proxy or a portal?");
}

static void read_body(struct aws *a, const struct aws_http_answer *got, struct aws_reply *r)
{
	size_t blank = 0;

	while (blank < got->len && strchr(" \t\r\n", a->reply[blank]) && a->reply[blank])
		blank++;
	r->body = json_loadb(a->reply, got->len, JSON_REJECT_DUPLICATES, NULL);
	if (r->body && !json_is_object(r->body)) {
		json_decref(r->body);
		r->body = NULL;
	}
	if (!r->body && blank < got->len) {
		say(r, AWS_AGAIN, "unreadable", "the answer is no JSON object");
		r->maybe_done = true;
	}
}

static void read_answer(struct aws *a, const struct aws_http_answer *got, struct aws_reply *r)
{
	r->status = got->status;
	if (!got->status) {
		say(r, AWS_AGAIN, got->why, got->why);
		r->maybe_done = got->maybe_sent;
		r->too_long = got->too_long;
		return;
	}
	if (got->date_s)
		r->skew_ns = (got->date_s - (int64_t)time(NULL)) * (int64_t)NSEC;
	if (got->status >= 400)
		read_error(a, got, r);
	else if (got->status >= 300)
		snprintf(r->error, sizeof(r->error), "HTTP status %ld", got->status);
	r->outcome = aws_outcome_of(got->status, r->error);
	if (!is_answer(got, r)) {
		r->maybe_done = !aws_surely_undone(got->status, r->error);
		if (r->outcome != AWS_THROTTLED)
			not_aws(got, r);
		return;
	}
	if (r->outcome == AWS_DONE)
		read_body(a, got, r);
	else if (r->outcome == AWS_AGAIN || r->outcome == AWS_THROTTLED)
		r->maybe_done = !aws_surely_undone(got->status, r->error);
}

void aws_reply_done(struct aws_reply *r)
{
	json_decref(r->body);
	r->body = NULL;
}

/* --- the clock ---------------------------------------------------------------------------------- */

bool aws_mend_clock(struct aws *a, const struct aws_http_answer *got, const char *error)
{
	int64_t off = got->date_s ? got->date_s - aws_now_s(a) : 0;

	if (!aws_error_of_time(error) || (off <= SKEW_S && off >= -SKEW_S))
		return false;
	a->clock_s += off;
	return true;
}

/* --- a call ------------------------------------------------------------------------------------- */

static bool is_sane(const struct aws_request *q)
{
	return q->service && strspn(q->service, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(q->service) && *q->service &&
	       q->len <= AWS_BODY_MAX && (q->body || !q->len) && (!q->path || q->path[0] == '/') &&
	       !(q->len && q->method && !strcmp(q->method, "GET"));
}

struct mended {
	bool clock, credentials;
};

/* After an error. True: the same once more, with a corrected clock or newer credentials; each is tried once. */
static bool mend(struct aws *a, const struct aws_http_answer *got, const char *error, struct mended *m)
{
	if (!m->clock && aws_mend_clock(a, got, error))
		return m->clock = true;
	if (!m->credentials && aws_error_of_credentials(error) && aws_credentials_force(a))
		return m->credentials = true;
	return false;
}

/* 1: the same once more. */
static int try_once(struct aws *a, const struct aws_request *q, struct mended *m, struct aws_reply *r)
{
	struct aws_http_answer got = {0};
	char why[AWS_WHY_LEN] = "";
	int err = aws_credentials_get(a);

	*r = (struct aws_reply){0};
	if (err == -ENOENT) {
		say(r, AWS_NO_CREDENTIALS, "no credentials", a->why);
		return 0;
	}
	if (!err)
		err = aws_send(a, &(struct aws_sending){q, a->creds, a->reply, AWS_REPLY_MAX + 1}, &got, why);
	if (err && *why) {
		say(r, err == -ENOENT ? AWS_NO_CREDENTIALS : AWS_REFUSED, "no endpoint", why);
		return 0;
	}
	if (err)
		return err;
	read_answer(a, &got, r);
	return r->outcome == AWS_DENIED && mend(a, &got, r->error, m);
}

int aws_call(struct aws *a, const struct aws_request *q, struct aws_reply *ret)
{
	struct aws_reply r;
	struct mended m = {0};
	int again;

	if (!is_sane(q))
		return -EINVAL;
	a->until_ns = now_boot_ns() + (q->timeout_ms ?: AWS_CALL_MS) * (NSEC / 1000);
	while ((again = try_once(a, q, &m, &r)) > 0)
		aws_reply_done(&r);
	if (again < 0)
		aws_reply_done(&r);
	else
		*ret = r;
	return again;
}

/* --- who and where ------------------------------------------------------------------------------ */

const char *aws_region(struct aws *a)
{
	return aws_know_region(a) ? a->region : NULL;
}

const char *aws_partition(struct aws *a)
{
	return aws_know_region(a) ? aws_partition_of(a->region)->name : "aws";
}

static void ask_account(struct aws *a)
{
	static const char form[] = "Action=GetCallerIdentity&Version=2011-06-15";
	struct aws_request q = {.service = "sts", .path = "/", .content_type = "application/x-www-form-urlencoded; charset=utf-8",
				.body = form, .len = sizeof(form) - 1, .timeout_ms = 10000};
	struct aws_http_answer got = {0};
	char why[AWS_WHY_LEN], error[AWS_ERROR_LEN] = "", message[8];
	struct mended m = {0};

	a->until_ns = now_boot_ns() + 10 * NSEC;
	do {
		if (aws_credentials_get(a) ||
		    aws_send(a, &(struct aws_sending){&q, a->creds, a->reply, AWS_REPLY_MAX + 1}, &got, why))
			return;
		if (got.status == 200) {
			account_from_sts(a->reply, got.len, a->account);
			return;
		}
		aws_error_read(a->reply, got.len, error, message, sizeof(message));
	} while (mend(a, &got, error, &m));
}

const char *aws_account(struct aws *a)
{
	if (!a->account[0] && now_boot_ns() >= a->account_ns) {
		a->account_ns = now_boot_ns() + ACCOUNT_AGAIN_NS;
		ask_account(a);
	}
	return a->account[0] ? a->account : NULL;
}
