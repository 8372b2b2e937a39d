/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Memory for secrets: never swapped and in no core dump as far as the system allows it, not seen by children, wiped before it is
 * given back.
 */
#ifndef SLUICE_LOCKED_H
#define SLUICE_LOCKED_H

#include "user/util.h"

/* Zeroed; whole pages. NULL: there is none. A system that refuses to lock it gives it all the same. */
void *locked_alloc(size_t n);
/* Accepts NULL, returns it. */
void *locked_free(void *p);
static inline void locked_freep(void *p)
{
	locked_free(*(void **)p);
}
#define _cleanup_locked_ _cleanup_(locked_freep)

/* Nothing of it is left, whatever the compiler thinks. */
void wipe(void *p, size_t n);

#endif
