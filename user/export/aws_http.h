/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * One HTTP request and its answer, over libcurl: HTTP/1.1, connections kept, TLS checked, no redirects. Nothing is sent twice:
 * where libcurl would send again on a new connection what the old one may have delivered, it is told not to.
 */
#ifndef SLUICE_AWS_HTTP_H
#define SLUICE_AWS_HTTP_H

#include <stdatomic.h>
#include "user/export/aws_url.h"

#define AWS_HTTP_CONNECT_MS 5000u
#define AWS_HTTP_HEADERS_MAX 16
#define AWS_HTTP_ID_LEN 64

struct aws_http;

struct aws_http_header {
	const char *name, *value; /* neither holds a control character */
};

struct aws_http_request {
	const struct aws_url *url;
	const char *method;
	const struct aws_http_header *headers;
	size_t nheaders;
	const void *body; /* a GET has none */
	size_t len;
	unsigned connect_ms, timeout_ms; /* 0: AWS_HTTP_CONNECT_MS, 30000 */
	bool direct;	  /* never by way of a proxy */
	char *to;	  /* where the answer's body goes, ended by a NUL */
	size_t room;
};

struct aws_http_answer {
	long status; /* 0: no whole answer came, and `why` says it */
	size_t len;
	bool maybe_sent; /* all of the request may have arrived */
	bool too_long;	 /* an answer came that has no room */
	char request_id[AWS_HTTP_ID_LEN]; /* "": none; safe for a terminal */
	char error[AWS_HTTP_ID_LEN];	  /* of x-amzn-ErrorType, without what follows the name; "": none */
	int64_t date_s;			  /* the server's clock, wall; 0: not told */
	char why[128];			  /* libcurl's words, made safe; they name no path */
};

/* `stop` may be NULL. -ENOMEM. */
int aws_http_new(const atomic_bool *stop, struct aws_http **ret);
struct aws_http *aws_http_free(struct aws_http *h);

/* 0: *ret is filled, whatever came of it. -ECANCELED: told to stop; -ENOMEM; -EINVAL: a header or the URL cannot be sent. */
int aws_http_send(struct aws_http *h, const struct aws_http_request *q, struct aws_http_answer *ret);

#endif
