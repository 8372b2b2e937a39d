/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Standard output, as the commands write to it. */
#ifndef SLUICE_SCREEN_H
#define SLUICE_SCREEN_H

#include <jansson.h>
#include "user/util.h"

/* Cells of a line: COLUMNS if set, else the terminal's; 0: no terminal, nothing need be cut. */
unsigned screen_width(void);

/* Prints one document over several lines and frees it; on a terminal everything beyond ASCII is
 * escaped. -ENOMEM also when `document` is NULL; -EIO. */
int screen_json(json_t *document);

#endif
