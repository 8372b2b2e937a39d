/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What `show health` and the viewer's health view say alike, a line each. */
#ifndef SLUICE_HEALTH_LINES_H
#define SLUICE_HEALTH_LINES_H

#include "user/value_text.h"

#define HEALTH_LINES 13

struct health_line {
	const char *label, *path; /* in a health document */
	enum value_format format;
	const char *unit;
};
extern const struct health_line health_lines[HEALTH_LINES];

#endif
