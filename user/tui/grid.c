/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/tui/grid.h"

static unsigned taken(const unsigned *widths, size_t n)
{
	unsigned sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += widths[i] ? widths[i] + (sum ? GRID_GAP : 0) : 0;
	return sum;
}

/* Of equal rank the last; none below `rank`. */
static bool leave_one_out(const struct grid_column *c, size_t n, unsigned rank, unsigned *widths)
{
	size_t worst = n;

	for (size_t i = 0; i < n; i++)
		if (widths[i] && c[i].rank >= rank && (worst == n || c[i].rank >= c[worst].rank))
			worst = i;
	if (worst == n)
		return false;
	widths[worst] = 0;
	return true;
}

static void cut_last(size_t n, unsigned width, unsigned *widths)
{
	for (size_t i = n; i-- > 0 && taken(widths, n) > width;) {
		unsigned over = taken(widths, n) - width;

		widths[i] = widths[i] > over ? widths[i] - over : 0;
	}
}

static bool widen_one(const struct grid_column *c, size_t n, unsigned *widths)
{
	size_t least = n;

	for (size_t i = 0; i < n; i++)
		if (widths[i] && widths[i] < c[i].want && (least == n || widths[i] < widths[least]))
			least = i;
	if (least == n)
		return false;
	widths[least]++;
	return true;
}

/* What the first column, which names the row, is short of. */
static unsigned first_lacks(const struct grid_column *c, const unsigned *widths)
{
	unsigned ease = MIN(c[0].want, 2 * c[0].least);

	return widths[0] && ease > widths[0] ? ease - widths[0] : 0;
}

void grid_layout(const struct grid_column *columns, size_t n, unsigned width, unsigned *ret_widths)
{
	for (size_t i = 0; i < n; i++)
		ret_widths[i] = columns[i].least;
	while (taken(ret_widths, n) > width && leave_one_out(columns, n, 1, ret_widths))
		;
	cut_last(n, width, ret_widths);
	while (taken(ret_widths, n) + first_lacks(columns, ret_widths) > width && leave_one_out(columns, n, GRID_RARE, ret_widths))
		;
	ret_widths[0] += MIN(first_lacks(columns, ret_widths), width - taken(ret_widths, n));
	for (unsigned left = width - taken(ret_widths, n); left && widen_one(columns, n, ret_widths); left--)
		;
}
