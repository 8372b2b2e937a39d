/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What a name that is asked for looks like: under whose domain, and does what stands below it look like data? */
#ifndef SLUICE_NAME_SHAPE_H
#define SLUICE_NAME_SHAPE_H

#include "user/util.h"

/* Who gets to see the question. */
enum name_reach {
	NAME_ANYONE,   /* whoever registered the domain */
	NAME_PROVIDER, /* a company that gives names below its domain to everyone, but answers for all of them itself */
	NAME_INSIDE,   /* no server on the internet: cluster.local, ec2.internal and the like; addresses asked for their names */
};

struct name_shape {
	const char *domain; /* the end of the name: its last two labels, or three as in example.co.uk; "": it has none */
	enum name_reach reach;
	size_t below; /* bytes of what stands before it as they are sent, each label with its length */
	size_t coded; /* of these in labels that look like hex, base32, base64 or binary; */
	/* By the monitor's own key. */
	uint64_t coded_hash;	/* of these labels */
	uint64_t skeleton_hash; /* of what stands before the domain, each number in it the same */
	uint64_t hash;		/* of the name */
};

/* `name` as dns_parse() gives it; the shape borrows from it. */
void name_shape(const char *name, struct name_shape *ret);

#endif
