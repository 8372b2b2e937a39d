/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The lines at the top: the whole at a glance. */
#ifndef SLUICE_TUI_HEADER_H
#define SLUICE_TUI_HEADER_H

#include "user/tui/history.h"

struct header {
	const struct data *data;
	const struct history *history;
	uint64_t interval_ns;
	const char *source; /* NULL: nothing is said of it */
	int width;
};

#define HEADER_ROWS 4

/* Draws at most `rows` lines from the first of the screen on; returns how many. */
int header_draw(const struct header *h, int rows);

#endif
