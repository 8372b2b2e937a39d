/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef SLUICE_POSTURE_INTERNAL_H
#define SLUICE_POSTURE_INTERNAL_H

#include "user/posture.h"

struct posture {
	const struct config *config;
	const char *root;
};

__attribute__((format(printf, 2, 3))) void posture_found(struct posture_result *r,
							 const char *format, ...);
__attribute__((format(printf, 3, 4))) void
posture_todo(struct posture_result *r, enum posture_state state, const char *format, ...);

void posture_credentials(const struct posture *p, struct posture_result *r);
void posture_journal(const struct posture *p, struct posture_result *r);
void posture_dataset(const struct dataset_config *d, struct posture_result *r);

#endif
