/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Parts of a JSON document as short texts for people. */
#ifndef SLUICE_VALUE_TEXT_H
#define SLUICE_VALUE_TEXT_H

#include <jansson.h>
#include "user/util.h"

enum value_format {
	FORMAT_TEXT,  /* a string, or a number as it is */
	FORMAT_SIZE,  /* bytes, in IEC units */
	FORMAT_BOUND, /* bytes that are a bound, rounded up */
	FORMAT_COUNT, /* a whole number; of a list or an object its length */
	FORMAT_SHARE, /* 0.004 as 0.4 % */
	FORMAT_NAMES, /* a list's texts, an object's keys; "-" when empty */
	FORMAT_TAGS,  /* an object as KEY=VALUE */
	FORMAT_BOUNDS, /* an object of such as KEY 1.51 GiB */
	FORMAT_SIGNS, /* why a job is an ML job: "framework libx.so in python3[12]" */
	FORMAT_MOST,  /* a share that is a bound: "≤0.4 %" */
	FORMAT_USED,  /* what of a dataset was read: "3 of 7, 42.9 %" */
	FORMAT_USES,  /* an object of such: "KEY 3 of 7 files, ≤0.4 % of bytes" */
	FORMAT_YES,   /* yes or no */
	FORMAT_TIME,  /* the time of day, or the date when that is another than the document's; UTC
		       */
	FORMAT_PROCESS, /* comm[pid] */
	FORMAT_SUBJECT, /* the same of an item, or how many ended processes it stands for */
	FORMAT_REMOTE,	/* the name or address, and the port */
};

/* "process.pid" in nested objects; NULL: not there, or null. A path NULL is the object itself. */
const json_t *json_at(const json_t *object, const char *path);

/* The text, to be freed; NULL: unknown (or no memory). `now` is the document's time, for
 * FORMAT_TIME; may be NULL. */
char *value_text(const json_t *value, enum value_format format, const char *now);

/* "≤4.1 %", to be freed; NULL: it is no number (or no memory). */
char *share_at_most(double share);

#endif
