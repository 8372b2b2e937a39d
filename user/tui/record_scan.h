/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The members of a JSON object as pieces of its text, without values being made: most of a record is what an earlier one
 * said already. What is inside a value is not looked at; whoever makes something of it parses it.
 */
#ifndef SLUICE_RECORD_SCAN_H
#define SLUICE_RECORD_SCAN_H

#include <string.h>

#include "user/util.h"

#define RECORD_MEMBERS_MAX 48

struct span {
	const char *p; /* NULL: not there */
	size_t n;
};

struct record_scan {
	unsigned n;
	struct {
		struct span name, value; /* the name without its quotes, escapes as they are */
	} member[RECORD_MEMBERS_MAX];
};

/* -EINVAL: no object; -EFBIG: too many members. */
int record_scan(struct span text, struct record_scan *ret);

/* Of this name; its value, or one whose p is NULL. */
struct span record_find(const struct record_scan *s, const char *name);

static inline bool span_is(struct span s, const char *text)
{
	return s.p && s.n == strlen(text) && !memcmp(s.p, text, s.n);
}

static inline bool span_is_null(struct span s)
{
	return !s.p || span_is(s, "null");
}

/* A whole number of no sign. */
bool span_number(struct span s, uint64_t *ret);

/* A string's inside, as long as nothing in it is escaped. */
bool span_text(struct span s, struct span *ret);

#endif
