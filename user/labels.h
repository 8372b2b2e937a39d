/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What a process says of itself in its environment: rank, stage, the job's name. Anyone can say anything there, so it
 * decorates and never decides.
 *
 * Reading it waits for the lock of that process's memory, which is held while a file system does not answer. So threads do it:
 * one, and a few more while some are held up.
 */
#ifndef SLUICE_LABELS_H
#define SLUICE_LABELS_H

#include "include/ledger.h"
#include "user/model.h"
#include "user/secret_file.h"

#define LABELS_ENVIRON_MAX 65536 /* read of one process */

struct labels;

/* `proc`: where a process's environment is found, "/proc"; must outlive all. -ENOMEM, -EAGAIN. */
int labels_new(const char *proc, struct labels **ret);
struct labels *labels_free(struct labels *l);

/* Never waits; with too many asked for at once this one is left out. */
void labels_ask(struct labels *l, const struct subject *who);

/* The next answer that says anything; false: there is none yet. */
bool labels_take(struct labels *l, struct subject *ret_who, struct job_labels *ret, struct env_secrets *ret_secrets);

/* From `n` bytes of an environment, which need not be terminated; a variable that was cut does not count. True: it says
 * anything. */
bool labels_parse(const char *env, size_t n, struct job_labels *ret);

#endif
