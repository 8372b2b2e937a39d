/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Prefixes nest or are disjoint, so a sorted list of them unrolls into disjoint ranges in one
 * sweep; finding an address is then one binary search over the ranges' first addresses.
 */
#include "user/dest/ranges.h"

#include <endian.h>
#include <string.h>

typedef unsigned __int128 u128;

#define NO_ENTRY UINT32_MAX

struct sorted {
	u128 first, last;
	size_t at; /* in the caller's list */
	uint8_t bits, rank;
};

struct leaf {
	uint32_t value;
	uint8_t bits;
};

struct ranges {
	u128 *first;	 /* ascending; first[0] is 0 */
	uint32_t *owner; /* of the same range: index into leaf, or NO_ENTRY */
	struct leaf *leaf;
	size_t n;
};

static u128 key_of(const uint8_t addr[static 16])
{
	uint64_t hi, lo;

	memcpy(&hi, addr, 8);
	memcpy(&lo, addr + 8, 8);
	return (u128)be64toh(hi) << 64 | be64toh(lo);
}

static u128 host_mask(uint8_t bits)
{
	return bits >= 128 ? 0 : ~(u128)0 >> bits;
}

static int by_place(const void *pa, const void *pb)
{
	const struct sorted *a = pa, *b = pb;

	if (a->first != b->first)
		return a->first < b->first ? -1 : 1;
	if (a->bits != b->bits)
		return a->bits < b->bits ? -1 : 1;
	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	return a->at < b->at ? -1 : a->at > b->at;
}

static int sort_entries(const struct range_entry *entries, size_t n, struct sorted **ret,
			size_t *ret_n)
{
	struct sorted *s = calloc(n + 1, sizeof(*s));
	size_t kept = 0;

	if (!s)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		u128 mask = host_mask(entries[i].prefix.bits);
		u128 first = key_of(entries[i].prefix.addr) & ~mask;

		s[i] = (struct sorted){first, first | mask, i, entries[i].prefix.bits,
				       entries[i].rank};
	}
	qsort(s, n, sizeof(*s), by_place);
	for (size_t i = 0; i < n; i++)
		if (!kept || s[i].first != s[kept - 1].first || s[i].bits != s[kept - 1].bits)
			s[kept++] = s[i];
	*ret = s;
	*ret_n = kept;
	return 0;
}

/* From here on `owner` holds the addresses; what began at the same address is replaced. */
static void begin_range(struct ranges *r, u128 first, uint32_t owner)
{
	if (r->n && r->first[r->n - 1] == first)
		r->n--;
	r->first[r->n] = first;
	r->owner[r->n] = owner;
	r->n++;
}

/* Closes the open prefixes that end before `next`; what held them goes on after each. */
static unsigned close_before(struct ranges *r, const struct sorted *s, const uint32_t *open,
			     unsigned depth, u128 next)
{
	while (depth && s[open[depth - 1]].last < next) {
		u128 last = s[open[--depth]].last;

		begin_range(r, last + 1, depth ? open[depth - 1] : NO_ENTRY);
	}
	return depth;
}

static void unroll(struct ranges *r, const struct sorted *s, size_t n)
{
	uint32_t open[129]; /* nested prefixes have distinct lengths */
	unsigned depth = 0;

	begin_range(r, 0, NO_ENTRY);
	for (size_t i = 0; i < n; i++) {
		depth = close_before(r, s, open, depth, s[i].first);
		open[depth++] = (uint32_t)i;
		begin_range(r, s[i].first, (uint32_t)i);
	}
	close_before(r, s, open, depth, ~(u128)0);
}

static int ranges_alloc(size_t n, struct ranges **ret)
{
	_cleanup_(ranges_freep) struct ranges *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->first = calloc(2 * n + 2, sizeof(*r->first));
	r->owner = calloc(2 * n + 2, sizeof(*r->owner));
	r->leaf = calloc(n + 1, sizeof(*r->leaf));
	if (!r->first || !r->owner || !r->leaf)
		return -ENOMEM;
	*ret = r;
	r = NULL;
	return 0;
}

int ranges_build(const struct range_entry *entries, size_t n, struct ranges **ret)
{
	_cleanup_free_ struct sorted *s = NULL;
	struct ranges *r;
	size_t kept;
	int err;

	if (n >= NO_ENTRY / 2)
		return -EINVAL;
	for (size_t i = 0; i < n; i++)
		if (entries[i].prefix.bits > 128)
			return -EINVAL;
	err = sort_entries(entries, n, &s, &kept);
	if (err)
		return err;
	err = ranges_alloc(kept, &r);
	if (err)
		return err;
	for (size_t i = 0; i < kept; i++)
		r->leaf[i] = (struct leaf){entries[s[i].at].value, s[i].bits};
	unroll(r, s, kept);
	*ret = r;
	return 0;
}

struct ranges *ranges_free(struct ranges *r)
{
	if (!r)
		return NULL;
	free(r->first);
	free(r->owner);
	free(r->leaf);
	free(r);
	return NULL;
}

bool ranges_find(const struct ranges *r, const uint8_t addr[static 16], uint32_t *ret_value,
		 uint8_t *ret_bits)
{
	const u128 key = key_of(addr), *at = r->first;

	for (size_t n = r->n; n > 1;) {
		size_t half = n / 2;

		at += at[half] <= key ? half : 0;
		n -= half;
	}
	uint32_t owner = r->owner[at - r->first];
	if (owner == NO_ENTRY)
		return false;
	*ret_value = r->leaf[owner].value;
	*ret_bits = r->leaf[owner].bits;
	return true;
}

bool prefix_holds(const struct cidr *outer, const struct cidr *inner)
{
	return outer->bits <= inner->bits &&
	       !((key_of(outer->addr) ^ key_of(inner->addr)) & ~host_mask(outer->bits));
}

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

void addr_map_v4(uint8_t ret[static 16], const void *v4)
{
	memcpy(ret, mapped, sizeof(mapped));
	memcpy(ret + 12, v4, 4);
}

bool addr_is_v4(const uint8_t addr[static 16])
{
	return !memcmp(addr, mapped, sizeof(mapped));
}
