/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* How wide each column is. */
#ifndef SLUICE_TUI_GRID_H
#define SLUICE_TUI_GRID_H

#include "user/util.h"

#define GRID_GAP 2
#define GRID_RARE 5 /* columns from this rank on go before the first one is cut short */

struct grid_column {
	unsigned least; /* cells without which it is left out */
	unsigned want;	/* that its texts take; what is beyond is cut */
	unsigned rank;	/* the highest is left out first; 0: never */
};

/* *ret_widths: one per column; 0: left out. Together with gaps of GRID_GAP they take no more than `width`: where not even
 * those of rank 0 have room, the last of them are cut, then left out. What is left over goes to the first, which names the row,
 * up to twice its least; then to who wants it, the narrowest first. */
void grid_layout(const struct grid_column *columns, size_t n, unsigned width, unsigned *ret_widths);

#endif
