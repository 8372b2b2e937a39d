/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A hub on a thread of its own: whatever becomes of it, who writes the journal does not wait. */
#ifndef SLUICE_HUB_THREAD_H
#define SLUICE_HUB_THREAD_H

#include "user/export/hub.h"

struct hub_thread;

struct hub_thread_options { /* texts are copied */
	const char *journal, *state; /* as in hub.h */
	const char *endpoint; /* "auto", or a URL */
};

/* What aws_new(), hub_new() or pthread_create() say. */
int hub_thread_start(const struct hub_thread_options *options, struct hub_thread **ret);

/* Ends it; `patient`: what could wait is sent first, in a request of a second and a half. NULL, in any case: a thread that
 * cannot be ended in two seconds goes on until the process ends. */
struct hub_thread *hub_thread_stop(struct hub_thread *t, bool patient);

/* As of the end of its last step. */
void hub_thread_look(struct hub_thread *t, struct hub_told *ret);

#endif
