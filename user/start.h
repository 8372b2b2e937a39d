/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* From a wish to programs at work. */
#ifndef SLUICE_START_H
#define SLUICE_START_H

#include "user/attach.h"

/* Loads what the wish asks for, and again without each program that is refused, so that what loads at once is verified
 * once. *ret_plan is what is on in the end, or the last that was tried; *ret_facts what was learnt. Errors: those of
 * plan_make(), -EINVAL when two programs would own one fact, else what the kernel said. */
int engine_start(enum wish wish, struct facts *ret_facts, struct plan *ret_plan, struct engine **ret);

/* Why it failed with `err`, and what would help. */
void engine_explain(const struct facts *facts, const struct plan *plan, int err, char *ret, size_t n);

#endif
