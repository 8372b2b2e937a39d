/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What a host name of AWS's says: which service, where, and of S3 whose bucket or access point. The forms are those of
 * botocore's endpoint rule sets; path style names no bucket.
 */
#ifndef SLUICE_AWS_NAME_H
#define SLUICE_AWS_NAME_H

#include "user/util.h"

#define AWS_WORD_LEN 64

enum s3_form {
	S3_NONE,	 /* not S3 */
	S3_BUCKET,	 /* virtual-hosted: the bucket is in the name */
	S3_PATH,	 /* path style: which bucket it is about the name does not say */
	S3_ACCESS_POINT, /* `resource` is its name, `account` its owner */
	S3_MULTI_REGION, /* a multi-region access point: `resource` is its alias */
	S3_OBJECT_LAMBDA,
	S3_OUTPOST,	 /* an access point on an outpost; or `resource` is a bucket's alias */
	S3_CONTROL,	 /* about buckets, not about what is in them */
};

struct aws_name {
	char service[AWS_WORD_LEN];  /* as the name has it: "s3", "sts", "logs", "ecr" */
	char region[AWS_WORD_LEN];   /* "": global, or not in the name */
	char resource[AWS_WORD_LEN]; /* bucket, access point or alias; "": none is named */
	char account[13];	     /* "": not in the name */
	enum s3_form form;
	bool private_link; /* by an interface endpoint's own name */
	const char *partition; /* "aws", "aws-cn"; static */
};

/* `host`: as asked for or as in SNI; case and a dot at its end do not matter. False: it is no name of AWS's. */
bool aws_name_parse(const char *host, struct aws_name *ret);

#endif
