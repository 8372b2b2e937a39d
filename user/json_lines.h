/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* JSON Lines, read one after the other in bounded memory. */
#ifndef SLUICE_JSON_LINES_H
#define SLUICE_JSON_LINES_H

#include <jansson.h>
#include "user/util.h"

#define JSON_LINE_MAX (16u << 20)

struct json_lines_end {
	uint64_t lines; /* that were handed over */
	bool torn;	/* the file ends in the middle of one, as a killed writer leaves it: that one was left out */
};

struct json_lines_error {
	char text[512]; /* "FILE:LINE:COLUMN: what", safe for a terminal */
};

/* What a line says, for `each` to refuse it with: -EINVAL and *ret_why filled. */
struct json_lines_why {
	char text[256];
};

/* Hands each line's value, an object, to `each`, which borrows it. `raw`, which may be NULL, is asked first with the text of
 * the line: 1: it took it; 0: it is to be parsed; else an error. `path` "-": standard input. -EINVAL: a line is not what it
 * should be; else what these two returned or the system says. */
int json_lines_each(const char *path, int (*raw)(void *arg, const char *line, size_t len),
		    int (*each)(void *arg, json_t *value, struct json_lines_why *ret_why), void *arg, struct json_lines_end *ret_end,
		    struct json_lines_error *ret_error);

#endif
