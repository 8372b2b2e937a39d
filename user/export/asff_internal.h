/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Shared by the files that make ASFF. */
#ifndef SLUICE_ASFF_INTERNAL_H
#define SLUICE_ASFF_INTERNAL_H

#include "user/export/asff.h"

/* Takes `value` over; NULL: the key stays away. -ENOMEM. */
int asff_set(json_t *to, const char *key, json_t *value);

/* asff_parts.c: -ENOMEM. */
int asff_add_resources(json_t *finding, const json_t *record, const struct asff_place *place);
int asff_add_network(json_t *finding, const json_t *record);
int asff_add_process(json_t *finding, const json_t *record);
int asff_add_fields(json_t *finding, const json_t *record);

/* Takes the last hop of the chain out of the fields; false: there is none. */
bool asff_drop_hop(json_t *finding);

#endif
