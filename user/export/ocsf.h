/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A finding's record as an event of the Open Cybersecurity Schema Framework, version 1.6.0: a Data Security Finding (2006), or
 * where it is about no dataset a Detection Finding (2004). What that schema has no place for is in `unmapped`, under the
 * record's own names. Pure: any JSON may be given; the same record gives the same event.
 */
#ifndef SLUICE_OCSF_H
#define SLUICE_OCSF_H

#include <jansson.h>
#include "user/util.h"

#define OCSF_VERSION "1.6.0"

/* A new reference. -EINVAL: the record has no id, rule or time; -ENOMEM. */
int ocsf_finding(const json_t *record, json_t **ret);

#endif
