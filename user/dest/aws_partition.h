/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* AWS's partitions: what their regions and the names of their services are called. Facts: botocore's endpoints.json. Pure. */
#ifndef SLUICE_AWS_PARTITION_H
#define SLUICE_AWS_PARTITION_H

#include "user/util.h"

#define AWS_PARTITIONS 8

struct aws_partition {
	const char *name;	 /* "aws", "aws-cn" */
	const char *regions;	 /* how they begin */
	const char *suffixes[2]; /* of its services' names, with the dot: the plain ones and the dual-stack ones */
	bool dualstack;		 /* the latter are offered for more than S3 */
};

/* Two share their suffixes: which it is their regions tell. The last one's begin with nothing. */
extern const struct aws_partition aws_partitions[AWS_PARTITIONS];

/* What is not known is of "aws". */
const struct aws_partition *aws_partition_of(const char *region);

#endif
