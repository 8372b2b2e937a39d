/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What the program understood of a configuration, for people and as JSON. */
#ifndef SLUICE_CONFIG_TEXT_H
#define SLUICE_CONFIG_TEXT_H

#include <jansson.h>
#include "user/policy/config.h"

/* Spelled as the file would; a new reference, or NULL for want of memory. */
json_t *config_json(const struct config *c);

/* Prints what config_json() gave; `width` 0: as wide as it takes. -ENOMEM. */
int config_print(const json_t *config, unsigned width, FILE *out);

/* "24h", "1500ms": the largest unit that says it without a fraction. */
#define DURATION_LEN 32
char *duration_text(char buf[static DURATION_LEN], uint64_t ns);

#endif
