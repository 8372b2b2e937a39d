/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What the files that print documents share. */
#ifndef SLUICE_SHOW_INTERNAL_H
#define SLUICE_SHOW_INTERNAL_H

#include <jansson.h>
#include "user/util.h"

#define NOTE_BYTES 1024

struct printer {
	const char *now; /* the document's time, or NULL */
	unsigned width;
	FILE *out;
};

/* -EPROTO: not of the form that a monitor gives. */
int show_health(const json_t *document, const struct printer *p);
int show_unread(const json_t *document, const struct printer *p);

#endif
