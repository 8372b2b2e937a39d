/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Opening a file for appending, without being led astray by someone else's symlink. */
#ifndef SLUICE_OPEN_APPEND_H
#define SLUICE_OPEN_APPEND_H

#include "user/util.h"

/* Opens for appending, O_CLOEXEC and O_NONBLOCK (-ENXIO: a FIFO nobody reads); made with `mode` if
 * missing. In a directory that all may write to, a symlink is not followed (-ELOOP) and a file must
 * be one's own (-EACCES). Returns the descriptor or a negative errno. */
int open_append(const char *path, unsigned mode);

#endif
