/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Which names resolved to which addresses, as far as answers were seen. It holds so many pairs and no more. When it is full
 * those that are not believed go first, and of the network namespace that has most of them its oldest: whoever asks for a
 * million names pushes out its own.
 */
#ifndef SLUICE_NAMES_H
#define SLUICE_NAMES_H

#include "user/util.h"

#define NAMES_MOST 65536
#define NAME_PROOF_NS (7 * 86400 * NSEC) /* an answer proves as long, at most: connection pools, caches of a JVM */
#define NAME_GRACE_NS (60 * NSEC)	 /* an address goes by the name for so long, or another TTL, after the TTL */

struct names;

/* Of at most so many pairs of name and address. -ENOMEM. */
int names_new(size_t most, struct names **ret);
struct names *names_free(struct names *n);
static inline void names_freep(struct names **n)
{
	names_free(*n);
}

/*
 * An answer seen in network namespace `netns`: `name` (any case) has `addr`, IPv4 as ::ffff:a.b.c.d, for ttl_s. believed:
 * it came from a resolver that this host is set up to use; what was believed once stays so. Where all there is is
 * believed, one that is not is left out, which is counted. -EINVAL: no name; -ENOMEM.
 */
int names_learn(struct names *n, uint32_t netns, const uint8_t addr[static 16], const char *name, uint32_t ttl_s,
		bool believed, uint64_t now_ns);

enum name_proof {
	NAME_UNSEEN,	/* no answer for this name was seen at all */
	NAME_ELSEWHERE, /* it resolved, never to this address */
	NAME_HEARD,	/* to this address, by an answer that is not believed, or too long ago */
	NAME_PROVEN,
};

/* By answers in any namespace. */
enum name_proof names_check(const struct names *n, const char *name, const uint8_t addr[static 16], uint64_t now_ns);

/* The newest name of an address, as asked for in that namespace, that is not expired; a believed one before one that is
 * not. NULL: none. Good until the next names_learn(). *ret_sole: nothing there is known to have resolved to it by another. */
const char *names_find(const struct names *n, uint32_t netns, const uint8_t addr[static 16], uint64_t now_ns,
		       bool *ret_sole);

struct names_counts {
	size_t pairs, believed;
	uint64_t evicted, evicted_believed; /* since the start */
	uint64_t left_out;
};
struct names_counts names_count(const struct names *n);

#endif
