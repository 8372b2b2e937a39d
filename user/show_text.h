/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A snapshot's document as text for people: one static table of columns per view. */
#ifndef SLUICE_SHOW_TEXT_H
#define SLUICE_SHOW_TEXT_H

#include <jansson.h>
#include "user/util.h"

/* Leaves in `document` only the items whose time from first to last touches the span; NULL: no
 * bound. Items without a time stay. */
void show_filter(json_t *document, const struct timespec *since, const struct timespec *until);

/* Prints the view `what` to `out`; `width` 0: as wide as it takes. -EPROTO: the document is not of
 * this kind; -EINVAL: no such view; -ENOMEM. */
int show_text(const char *what, const json_t *document, unsigned width, FILE *out);

#endif
