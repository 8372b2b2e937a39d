/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Who opens files that hold long-lived credentials: by marks of fanotify(7) on their inodes, so that a file keeps its mark
 * under any name and all other files cost nothing. Nobody who opens one waits for us.
 *
 * A thread of its own looks, since homes may lie on servers that do not answer.
 */
#ifndef SLUICE_CREDENTIAL_WATCH_H
#define SLUICE_CREDENTIAL_WATCH_H

#include "user/model_credential.h"

struct credential_watch;

/* `passwd`: whose homes are looked at; must outlive all. Where the kernel refuses the marks that is told with the state.
 * -ENOMEM, -EAGAIN. */
int credential_watch_new(const char *passwd, struct credential_watch **ret);
struct credential_watch *credential_watch_free(struct credential_watch *w);

/* Never waits. With too many at once this one is left out. */
void credential_watch_hint(struct credential_watch *w, const struct credential_hint *h);

/* Waits until all that was opened before this call was seen, but no longer than so. */
void credential_watch_settle(struct credential_watch *w, unsigned ms);

/* What was seen since the last call, and how well, into the model. -ENOMEM. */
int credential_watch_take(struct credential_watch *w, struct model *m);

#endif
