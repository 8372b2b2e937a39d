/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * AWS signature version 4 in the Authorization header, of a request whose body is at hand. Pure. Facts: IAM User Guide, "Create a
 * signed AWS API request"; what that leaves open is as botocore does it.
 */
#ifndef SLUICE_SIGV4_H
#define SLUICE_SIGV4_H

#include "user/util.h"

#define SIGV4_HEADERS_MAX 16
#define SIGV4_QUERY_MAX 64
#define SIGV4_DATE_LEN 17 /* "20261126T191934Z" */
#define SIGV4_LEN 1024

struct sigv4_header {
	const char *name, *value; /* several of one name count in this order */
};

struct sigv4 {
	const char *access_key, *secret_key;
	const char *region, *service;
	const char *method;
	const char *path;  /* as sent: URL-encoded; NULL or "": "/" */
	const char *query; /* as sent, without the question mark; NULL: none */
	const struct sigv4_header *headers; /* all that are signed, in any order; host and x-amz-date are to be among them */
	size_t nheaders;
	const void *body;
	size_t len;
	char date[SIGV4_DATE_LEN]; /* by sigv4_date(); as in x-amz-date */
};

/* -ERANGE: a year that has not four digits. */
int sigv4_date(time_t t, char ret[static SIGV4_DATE_LEN]);

/* The value of the Authorization header. -EINVAL: too many headers or parameters, a query that is not URL-encoded, or no room;
 * -EIO: the library refuses. */
int sigv4_sign(const struct sigv4 *q, char ret[static SIGV4_LEN]);

#endif
