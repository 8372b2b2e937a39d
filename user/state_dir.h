/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The directory for what one monitor leaves to the next. */
#ifndef SLUICE_STATE_DIR_H
#define SLUICE_STATE_DIR_H

#include <limits.h>

#include "user/util.h"

/* A descriptor, O_CLOEXEC; the directory is made where it is missing. -EPERM: others than this user can write there; else
 * what the system says. */
int state_dir_open(const char *dir);

/* One monitor has one socket: "/run/sluice.sock" and ".lineage" give "run-sluice.sock.lineage". Of a long path the end. */
void state_file_name(const char *socket, const char *suffix, char ret[static NAME_MAX + 1]);

#endif
