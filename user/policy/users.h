/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Names of users. The one place that asks the system's user database; each uid is asked for once.
 */
#ifndef SLUICE_USERS_H
#define SLUICE_USERS_H

#include "user/policy/config.h"
#include "user/util.h"

struct users;

int users_new(struct users **ret);
struct users *users_free(struct users *u);

/* NULL: no such user, or the database could not be asked. Good until the next call. */
const char *users_name(struct users *u, uint32_t uid);

/* Does a pattern match the user's name, or its number in decimal? */
bool users_match(struct users *u, const struct strings *patterns, uint32_t uid);

#endif
