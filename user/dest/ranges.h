/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Prefixes to numbers: of the prefixes that hold an address the longest decides. */
#ifndef SLUICE_RANGES_H
#define SLUICE_RANGES_H

#include "user/policy/config.h"

struct ranges;

/* Bits of the prefix beyond its length are ignored. */
struct range_entry {
	struct cidr prefix;
	uint8_t
	    rank; /* of two entries with the same prefix the lower rank wins, then the earlier */
	uint32_t value;
};

/* The entries are copied. -EINVAL for a length above 128, -ENOMEM. */
int ranges_build(const struct range_entry *entries, size_t n, struct ranges **ret);
struct ranges *ranges_free(struct ranges *r);
static inline void ranges_freep(struct ranges **r)
{
	ranges_free(*r);
}

/* False when no prefix holds the address; else its value and the prefix's length. */
bool ranges_find(const struct ranges *r, const uint8_t addr[static 16], uint32_t *ret_value,
		 uint8_t *ret_bits);

/* Does `outer` hold every address of `inner`? */
bool prefix_holds(const struct cidr *outer, const struct cidr *inner);

/* ::ffff:a.b.c.d of an IPv4 address in network order. */
void addr_map_v4(uint8_t ret[static 16], const void *v4);
bool addr_is_v4(const uint8_t addr[static 16]);

#endif
