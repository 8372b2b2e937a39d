/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Findings: what a person should act on. Evaluated once per interval over the whole model. */
#ifndef SLUICE_RULES_H
#define SLUICE_RULES_H

#include "user/model.h"

/* Brings the model's findings up to date. Bounded work; a finding's id stays the same while it
 * repeats. -ENOMEM. */
int rules_evaluate(struct model *m, uint64_t now_ns);

#endif
