/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef SLUICE_MODEL_TAINTED_H
#define SLUICE_MODEL_TAINTED_H

#include "user/model_internal.h"

/* Counts anew who lives and may hold tagged bytes, and of how many; where there are very many, not every time. -ENOMEM. */
int model_count_tainted(struct model *m, uint64_t now_ns);

/* "below_1MiB" */
const char *volume_class_name(enum volume_class c);

#endif
