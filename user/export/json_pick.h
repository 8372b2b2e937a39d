/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * One string out of a JSON text, without a copy of any other: for answers that hold secrets, which are to lie nowhere but in locked
 * memory. The whole text must be JSON as RFC 8259 has it.
 */
#ifndef SLUICE_JSON_PICK_H
#define SLUICE_JSON_PICK_H

#include "user/util.h"

#define JSON_PICK_DEPTH 16

/* `path`: names of members from the outermost object on, ended by NULL. A string is given without escapes, a number as it is
 * written. -ENOENT: there is none, or it is null; -EINVAL: the text is no JSON object, the member is of another kind, stands
 * there twice or holds a control character; -E2BIG: it does not fit. */
int json_pick(const char *text, size_t n, const char *const *path, char *ret, size_t room);

#endif
