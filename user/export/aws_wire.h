/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* AWS itself as the exporters' other end. */
#ifndef SLUICE_AWS_WIRE_H
#define SLUICE_AWS_WIRE_H

#include "user/export/cw_send.h"

/* `a` outlives it. */
struct cw_wire aws_wire(struct aws *a);

#endif
