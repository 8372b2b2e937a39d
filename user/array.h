/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef SLUICE_ARRAY_H
#define SLUICE_ARRAY_H

#include "user/util.h"

/* Makes room for `need` items in an array of *max; it at least doubles. -ENOMEM: nothing has
 * changed. */
static inline int array_grow(void **array, size_t *max, size_t need, size_t item)
{
	if (need <= *max)
		return 0;
	size_t more = MAX(*max ? *max * 2 : 64, need);
	void *p = reallocarray(*array, more, item);

	if (!p)
		return -ENOMEM;
	*array = p;
	*max = more;
	return 0;
}

#endif
