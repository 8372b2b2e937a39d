/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The trusted executables as they lie on disk, and the processes that claim to be them. */
#ifndef SLUICE_TRUST_H
#define SLUICE_TRUST_H

#include "user/attach.h"
#include "user/model.h"
#include "user/policy/config.h"

struct trust;

/* Takes the identity of each executable that the configuration trusts, from the kernel. -ENOMEM. */
int trust_load(struct engine *engine, const struct config *config, struct trust **ret);
struct trust *trust_free(struct trust *t);

/* Looks whether any was changed, replaced or removed since it was loaded: then it is trusted no more, until it is loaded
 * anew. Tells the model if anything is new. -ENOMEM. */
int trust_check(struct trust *t, struct model *m);

/* Is this process, living and not traced, in our own user namespace, and started without words to its dynamic linker? */
bool trust_vouch_process(const struct subject *who);

#endif
