/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/dest/aws_partition.h"

#include <string.h>

const struct aws_partition aws_partitions[AWS_PARTITIONS] = {
	{"aws-us-gov", "us-gov-", {".amazonaws.com", ".api.aws"}, true},
	{"aws-cn", "cn-", {".amazonaws.com.cn", ".api.amazonwebservices.com.cn"}, true},
	{"aws-eusc", "eusc-", {".amazonaws.eu", ".api.amazonwebservices.eu"}, false},
	{"aws-iso", "us-iso-", {".c2s.ic.gov", ".api.aws.ic.gov"}, false},
	{"aws-iso-b", "us-isob-", {".sc2s.sgov.gov", ".api.aws.scloud"}, false},
	{"aws-iso-e", "eu-isoe-", {".cloud.adc-e.uk", ".api.cloud-aws.adc-e.uk"}, false},
	{"aws-iso-f", "us-isof-", {".csp.hci.ic.gov", ".api.aws.hci.ic.gov"}, false},
	{"aws", "", {".amazonaws.com", ".api.aws"}, true},
};

const struct aws_partition *aws_partition_of(const char *region)
{
	const struct aws_partition *p = aws_partitions;

	while (strncmp(region, p->regions, strlen(p->regions)))
		p++;
	return p;
}
