/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * AWS's published address ranges (ip-ranges.json) as entries of a table of classes.
 *
 * The file lists a prefix once per service. AMAZON is in nearly all of it and says nothing more than
 * who announces the prefix; EC2 means that anyone may have rented the address. Of an address,
 *
 * the longest prefix decides, by all services that the file lists for exactly that prefix;
 *
 * a service other than AMAZON and EC2 makes it that service's: aws. Of several the alphabetically
 * first, so that a record does not depend on the order of the file. This holds although EC2 is
 * listed for the same prefix, as it is for half of S3;
 *
 * else EC2 makes it somebody's machine: internet, inside a longer prefix of a service too;
 *
 * else it is AMAZON's alone: aws, service AMAZON. But where, of the prefixes around it, the longest
 * that is not AMAZON's alone is EC2's without any other service, it is internet: a part of EC2's
 * range that is listed once more does not leave it.
 *
 * Whose bucket, distribution or function it is that a service has at an address, no range tells.
 */
#ifndef SLUICE_AWS_RANGES_H
#define SLUICE_AWS_RANGES_H

#include "user/dest/table.h"

#define AWS_RANGES_BYTES_MAX (64u << 20)
#define AWS_RANGES_MAX (256u << 10) /* prefixes in the file, each once per service */
#define AWS_RANGES_NAMES_MAX 1024   /* different services and regions */

struct aws_ranges {
	struct ranges_source source;
	struct class_entry *entries; /* one per prefix: source.prefixes */
	char **names;		     /* what entries point to; sorted */
	size_t nnames;
};

/* "FILE:line:column: what is wrong with the JSON" or "FILE: prefixes[7].region: what, and what to do". */
struct aws_ranges_error {
	char text[384];
};

/* The file is hostile: all of it is checked, and it is taken whole or refused whole. -EINVAL, -ENOENT
 * and the like with *ret_error filled; -ENOMEM too. */
int aws_ranges_load(const char *file, struct aws_ranges **ret, struct aws_ranges_error *ret_error);

/* The same from memory; `file` stands for it in messages and in the source. */
int aws_ranges_parse(const char *text, size_t len, const char *file, struct aws_ranges **ret,
		     struct aws_ranges_error *ret_error);

struct aws_ranges *aws_ranges_free(struct aws_ranges *r);
static inline void aws_ranges_freep(struct aws_ranges **r)
{
	aws_ranges_free(*r);
}

#endif
