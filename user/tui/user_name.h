/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef SLUICE_TUI_USER_NAME_H
#define SLUICE_TUI_USER_NAME_H

#include <jansson.h>
#include "user/util.h"

/* The name of a uid as the documents have it, or NULL: no number, or no name here. Each is asked for once; good until the
 * next call. */
const char *user_name(const json_t *uid);

#endif
