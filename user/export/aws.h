/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Signed requests to AWS: credentials from where AWS's own clients take them, refreshed in time; signature version 4 of
 * our own; libcurl for the transport. One thread uses a client; calls block no longer than their time-out,
 * and some seconds more where the instance is asked for its role. Nothing secret
 * is logged, kept in readable memory longer than needed, or given to a process.
 */
#ifndef SLUICE_AWS_H
#define SLUICE_AWS_H

#include <jansson.h>
#include <stdatomic.h>
#include "user/util.h"

#define AWS_BODY_MAX (8u << 20)	 /* of a request */
#define AWS_REPLY_MAX (1u << 20) /* of a reply; a longer one is AWS_AGAIN */

struct aws;

struct aws_options {
	const char *region;   /* NULL: environment, shared configuration, else instance metadata */
	const char *endpoint; /* NULL or "auto": AWS's own, or the environment's; else "http[s]://host[:port]" for all services
			       * (tests, proxies), and one of an AWS service for that one alone */
	const atomic_bool *stop; /* true ends a call soon, as -ECANCELED; may be NULL */
};

int aws_new(const struct aws_options *options, struct aws **ret);
struct aws *aws_free(struct aws *a);
static inline void aws_freep(struct aws **a)
{
	aws_free(*a);
}

struct aws_request {
	const char *service;	  /* as signed, and the host's first label: "logs", "securityhub", "sts" */
	const char *method;	  /* NULL: POST */
	const char *path;	  /* "/", "/findings/import"; already URL-encoded */
	const char *target;	  /* X-Amz-Target, or NULL */
	const char *content_type; /* "application/x-amz-json-1.1" */
	const char *body;
	size_t len;
	unsigned timeout_ms; /* 0: 30000 */
};

enum aws_outcome {
	AWS_DONE,      /* 2xx, whole, with a request id */
	AWS_AGAIN,     /* no answer, a cut or late one, 5xx, a proxy's 200: later again, with back-off */
	AWS_THROTTLED, /* the same, and slower */
	AWS_DENIED,    /* credentials or rights; they were refreshed once if that could help: much later again */
	AWS_NO_CREDENTIALS, /* none found; nothing was sent */
	AWS_MISSING,   /* ResourceNotFoundException */
	AWS_EXISTS,    /* ResourceAlreadyExistsException */
	AWS_REFUSED,   /* the request is wrong, and would be wrong again */
};

struct aws_reply {
	enum aws_outcome outcome;
	bool maybe_done; /* AWS_AGAIN: it may have been carried out; false: it surely was not */
	bool too_long;	 /* AWS_AGAIN: the answer was, and would be again */
	long status;	 /* HTTP's; 0: none came */
	json_t *body;	 /* an object; NULL: none */
	char error[64];	 /* "ThrottlingException", or libcurl's words; safe for a terminal */
	char message[256]; /* safe for a terminal; holds no credential */
	int64_t skew_ns; /* the server's clock less ours; 0: not known */
};

/* One request and its answer. 0: *ret is filled; the caller calls aws_reply_done(). -ECANCELED; -ENOMEM; -EINVAL. */
int aws_call(struct aws *a, const struct aws_request *q, struct aws_reply *ret);
void aws_reply_done(struct aws_reply *r);

/* "eu-central-1"; NULL: not known (yet). */
const char *aws_region(struct aws *a);
/* "123456789012", by sts:GetCallerIdentity, asked once; NULL: not known (yet). */
const char *aws_account(struct aws *a);
/* "aws", "aws-cn", "aws-us-gov", ..., by the region. */
const char *aws_partition(struct aws *a);

/* Where the credentials in use came from: "environment", "profile", "web identity", "container", "instance"; NULL: none. */
const char *aws_credential_source(const struct aws *a);
/* When they end, seconds since 1970; 0: not known, or never. */
int64_t aws_credential_expiry(const struct aws *a);

#endif
