/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What a table of classes is made of: for those who bring further prefixes, such as AWS's ranges.
 */
#ifndef SLUICE_TABLE_H
#define SLUICE_TABLE_H

#include "user/dest/class.h"

/* CLASS_DNS marks a resolver: port 53 there is dns, the rest of it vpc. */
struct class_entry {
	struct cidr prefix;
	enum dest_class class;
	const char *service, *region; /* of CLASS_AWS; copied */
};

/* Of equal prefixes host wins over imds and dns, these over vpc, aws, private and internet in this
 * order; of equal classes the earlier entry. -EINVAL for a malformed prefix, -ENOMEM. */
int classes_from(const struct class_entry *entries, size_t n, struct classes **ret);

/* Notes where its ranges came from; copied. -ENOMEM. */
int classes_set_source(struct classes *c, const struct ranges_source *source);

/* Private to every network: RFC 1918, shared (100.64/10), ULA, site-local and link-local. */
bool addr_is_private(const uint8_t addr[static 16]);

#endif
