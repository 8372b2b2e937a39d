/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What fixtures of unit tests want of cmocka, where there is none. */
#ifndef SLUICE_NO_CMOCKA_H
#define SLUICE_NO_CMOCKA_H

#include <stdlib.h>
#include <string.h>

#define assert_true(x) ((x) ? (void)0 : abort())
#define assert_non_null(x) assert_true((x) != NULL)
#define assert_int_equal(a, b) assert_true((a) == (b))

#endif
