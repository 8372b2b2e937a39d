/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* AWS's file of ranges in little. Include after cmocka.h. */
#ifndef AWS_FIXTURE_H
#define AWS_FIXTURE_H

#include <string.h>

#include "user/dest/aws_ranges.h"
#include "user/dest/class.h"

#define UNUSED __attribute__((unused))

/* Short ways to write entries: V4("52.0.0.0/8", "S3", "eu-west-1"). */
#define ENTRY(key, prefix, service, region)                                                                            \
	"{\"" key "\":\"" prefix "\",\"region\":\"" region "\",\"service\":\"" service "\",\"network_border_group\":\"x\"}"
#define V4(prefix, service, region) ENTRY("ip_prefix", prefix, service, region)
#define V6(prefix, service, region) ENTRY("ipv6_prefix", prefix, service, region)
#define DATE "\"syncToken\":\"1\",\"createDate\":\"2026-08-22-21-17-05\","
#define DOC(v4, v6) "{" DATE "\"prefixes\":[" v4 "],\"ipv6_prefixes\":[" v6 "]}"

UNUSED static struct aws_ranges *parse(const char *text)
{
	struct aws_ranges *r = NULL;
	struct aws_ranges_error e = {""};

	if (aws_ranges_parse(text, strlen(text), "f.json", &r, &e))
		fail_msg("refused: %s", e.text);
	return r;
}

UNUSED static struct cidr at(const char *text)
{
	struct cidr c;

	if (cidr_parse(text, &c))
		fail_msg("'%s' is no prefix", text);
	return c;
}

#endif
