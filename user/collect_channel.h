/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The collector's part about channels that cannot be measured. */
#ifndef SLUICE_COLLECT_CHANNEL_H
#define SLUICE_COLLECT_CHANNEL_H

#include "user/attach.h"
#include "user/model.h"

/* What the collector knows of subjects: called for each that has a channel. */
struct channel_look {
	void (*introduce)(void *arg, const struct subject *who);
	bool (*gone)(void *arg, const struct subject *who); /* ended, and nothing more is to be expected of it */
	void *arg;
};

/* Tells the model of every channel there is, and takes those of subjects that are gone out of the kernel. The kernel's
 * list of devices is brought up to date every few seconds; *refreshed_ns is when. *ret_entries: how many there were.
 * -ENOMEM. */
int channels_collect(const struct engine *e, struct model *m, const struct channel_look *look, uint64_t now_ns,
		     uint64_t *refreshed_ns, uint32_t *ret_entries);

#endif
