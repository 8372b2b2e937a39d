/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A finding's record as Security Hub takes it: the AWS Security Finding Format, version 2018-10-08. Pure: any JSON may be
 * given; every limit of the format is kept, by cutting at a character's end what is too long.
 */
#ifndef SLUICE_ASFF_H
#define SLUICE_ASFF_H

#include <jansson.h>
#include "user/util.h"

#define ASFF_BYTES_MAX 240000 /* of one finding */
#define ASFF_FIELDS_MAX 50    /* ProductFields */
#define ASFF_RESOURCES_MAX 32

struct asff_place {
	const char *partition; /* "aws" */
	const char *region, *account; /* of the credentials: where it is imported */
};

/* What earlier imports of the same finding said. */
struct asff_stamp {
	int64_t created_ms, updated_ms; /* since 1970 */
	int severity; /* the highest so far, as finding_severity() has it; -1: the record's */
	const char *id; /* NULL: asff_id() */
};

/* A new reference. -EINVAL: the record has no id, rule or time, or the place is not known; -ENOMEM. */
int asff_finding(const json_t *record, const struct asff_place *place, const struct asff_stamp *stamp, json_t **ret);

/* The same for all records of one finding, as long as its host's names stay. To be freed. -EINVAL: there is none; -ENOMEM. */
int asff_id(const json_t *record, const struct asff_place *place, char **ret);

#endif
