/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The AWS client as a program of its own, for tests: one JSON object on each line of standard input is a question, one on each
 * of standard output its answer. Options are REGION and ENDPOINT, "-": none.
 *
 *	{"op":"call","service":"logs","target":"Logs_20140328.PutLogEvents","body":"{}"}
 *	{"op":"region"} {"op":"account"} {"op":"partition"} {"op":"credentials"} {"op":"endpoint","service":"logs","fips":true}
 *	{"op":"stop-in","ms":100}
 */
#include <jansson.h>
#include <pthread.h>
#include <string.h>

#include "user/dest/aws_partition.h"
#include "user/export/aws.h"
#include "user/export/aws_environment.h"
#include "user/export/aws_url.h"

static atomic_bool stop;

static const char *const outcomes[] = {
    [AWS_DONE] = "done",	   [AWS_AGAIN] = "again",     [AWS_THROTTLED] = "throttled", [AWS_DENIED] = "denied",
    [AWS_NO_CREDENTIALS] = "none", [AWS_MISSING] = "missing", [AWS_EXISTS] = "exists",	     [AWS_REFUSED] = "refused",
};

static const char *text_of(const json_t *q, const char *key)
{
	return json_string_value(json_object_get(q, key));
}

static json_t *credentials(struct aws *a)
{
	return json_pack("{s:s?,s:I}", "source", aws_credential_source(a), "expiry", (json_int_t)aws_credential_expiry(a));
}

/* "body" as it is, or so many bytes of "fill". */
static json_t *call(struct aws *a, const json_t *q)
{
	size_t fill = (size_t)json_integer_value(json_object_get(q, "fill"));
	_cleanup_free_ char *filled = fill ? malloc(fill) : NULL;
	const char *body = text_of(q, "body") ?: "";
	struct aws_request r = {.service = text_of(q, "service"),
				.method = text_of(q, "method"),
				.path = text_of(q, "path"),
				.target = text_of(q, "target"),
				.content_type = text_of(q, "content_type") ?: "application/x-amz-json-1.1",
				.body = body,
				.len = strlen(body),
				.timeout_ms = (unsigned)json_integer_value(json_object_get(q, "timeout_ms"))};
	struct aws_reply got;
	uint64_t from = now_boot_ns();
	json_t *out;
	int err;

	if (filled) {
		memset(filled, 'x', fill);
		r.body = filled;
		r.len = fill;
	}
	err = aws_call(a, &r, &got);
	if (err)
		return json_pack("{s:i,s:s,s:I}", "errno", -err, "text", strerror(-err), "ns",
				 (json_int_t)(now_boot_ns() - from));
	out = json_pack("{s:s,s:b,s:b,s:I,s:s,s:s,s:I,s:O?,s:o,s:I}", "outcome", outcomes[got.outcome], "maybe_done", got.maybe_done,
			"too_long", got.too_long,
			"status", (json_int_t)got.status, "error", got.error, "message", got.message, "skew_ns",
			(json_int_t)got.skew_ns, "body", got.body, "credentials", credentials(a), "ns",
			(json_int_t)(now_boot_ns() - from));
	aws_reply_done(&got);
	return out;
}

static json_t *endpoint(struct aws *a, const json_t *q)
{
	struct aws_endpoint_wish w = {text_of(q, "service"), text_of(q, "region"), json_is_true(json_object_get(q, "fips")),
				      json_is_true(json_object_get(q, "dualstack"))};
	struct aws_url u;
	char authority[AWS_AUTHORITY_LEN];
	int err = aws_endpoint_of(&w, &u);

	return err ? json_pack("{s:n}", "url")
		   : json_pack("{s:s+,s:s}", "url", u.tls ? "https://" : "http://", aws_url_authority(&u, authority), "partition",
			       aws_partition_of(w.region)->name);
}

static void *stopper(void *ms)
{
	usleep((useconds_t)(uintptr_t)ms * 1000);
	atomic_store(&stop, true);
	return NULL;
}

static json_t *stop_in(const json_t *q)
{
	pthread_t t;
	uintptr_t ms = (uintptr_t)json_integer_value(json_object_get(q, "ms"));

	if (!pthread_create(&t, NULL, stopper, (void *)ms))
		pthread_detach(t);
	return json_pack("{s:b}", "ok", true);
}

static json_t *answer(struct aws *a, const json_t *q)
{
	const char *op = text_of(q, "op") ?: "";

	if (!strcmp(op, "call"))
		return call(a, q);
	if (!strcmp(op, "credentials"))
		return credentials(a);
	if (!strcmp(op, "endpoint"))
		return endpoint(a, q);
	if (!strcmp(op, "stop-in"))
		return stop_in(q);
	if (!strcmp(op, "region"))
		return json_pack("{s:s?}", "region", aws_region(a));
	if (!strcmp(op, "account"))
		return json_pack("{s:s?}", "account", aws_account(a));
	if (!strcmp(op, "partition"))
		return json_pack("{s:s}", "partition", aws_partition(a));
	return json_pack("{s:s}", "bad", op);
}

static const char *option(const char *text)
{
	return text && strcmp(text, "-") ? text : NULL;
}

int main(int argc, char **argv)
{
	struct aws_options o = {
	    .region = argc > 1 ? option(argv[1]) : NULL, .endpoint = argc > 2 ? option(argv[2]) : NULL, .stop = &stop};
	_cleanup_(aws_freep) struct aws *a = NULL;
	_cleanup_free_ char *line = NULL;
	size_t room = 0;
	int err = aws_environment_take();

	if (!err)
		err = aws_new(&o, &a);
	if (err) {
		fprintf(stderr, "awscall: %s\n", strerror(-err));
		return 2;
	}
	while (getline(&line, &room, stdin) > 0) {
		json_t *q = json_loads(line, 0, NULL), *out = answer(a, q);

		json_dumpf(out, stdout, JSON_COMPACT);
		putchar('\n');
		fflush(stdout);
		json_decref(out);
		json_decref(q);
	}
	return 0;
}
