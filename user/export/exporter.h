/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Records and metrics to CloudWatch Logs. The journal is the spool: a thread of its own reads it at its own pace and keeps in a
 * cursor how far it has come, so nothing that happens here can hold up whoever writes the journal. Each record arrives once, over
 * kills and lost answers too; what cannot arrive is counted, and told in the log itself.
 */
#ifndef SLUICE_EXPORTER_H
#define SLUICE_EXPORTER_H

#include "user/export/cw_send.h"
#include "user/export/exporter_told.h"
#include "user/util.h"

struct exporter;

struct exporter_options { /* texts are copied */
	const char *journal_dir, *state_dir, *socket;
	const char *log_group; /* with placeholders: {instance_id}, {host}, {hostname}, {account}, {region} */
	const char *metric_namespace;
	const char *endpoint; /* "auto", or a URL */
	const char *region;   /* NULL: as aws.h finds it */
	unsigned retain_days;
	const char *instance_id; /* NULL: the metadata service is asked */
	const struct cw_wire *wire; /* NULL: AWS; it outlives the exporter */
	uint64_t flush_ns;  /* how old a waiting record gets; 0: 5 s */
	uint64_t settle_ns; /* until what was sent can be seen there; 0: 3 s */
	unsigned hurry;	    /* waits after failures are divided by this; 0: 1 */
};

/* Starts the thread, which reports troubles by exporter_look(). -ENOMEM, or what pthread_create() says. */
int exporter_start(const struct exporter_options *options, struct exporter **ret);

/* Gives it that long to send what the journal holds, and ends it. False: it could not be ended (looking up a name cannot be
 * interrupted) and goes on until the process ends; it holds the cursor until then. `ret_told`, which may
 * be NULL: how far it came. */
bool exporter_stop(struct exporter *x, uint64_t patience_ns, struct exporter_told *ret_told);

/* It has sent all that the journal holds, and waits. Only for tests. */
bool exporter_idle(struct exporter *x);

/* There may be new records; `newest` is the number of the last, 0: not known. Cheap. */
void exporter_poke(struct exporter *x, uint64_t newest);

void exporter_look(struct exporter *x, struct exporter_told *ret);

#endif
