/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Shared by the files that make up the exporter. */
#ifndef SLUICE_EXPORTER_INTERNAL_H
#define SLUICE_EXPORTER_INTERNAL_H

#include <pthread.h>

#include "user/export/backoff.h"
#include "user/export/emf.h"
#include "user/export/exporter.h"
#include "user/export/journal_read.h"
#include "user/imds.h"

#define NOTICE_BYTES 4096 /* room for what the exporter says of itself */

enum export_phase {
	PHASE_OPEN,   /* cursor, journal and names are to be found */
	PHASE_TARGET, /* group and stream are to be made */
	PHASE_READ,   /* records are gathered */
	PHASE_SEND,   /* the batch is to be sent */
	PHASE_ASK,    /* did it arrive? */
};

struct exporter {
	/* the caller's options */
	char *journal_dir, *state_dir, *socket, *log_group, *metric_namespace, *endpoint, *region, *instance_id;
	unsigned retain_days, hurry;
	uint64_t flush_ns, settle_ns;

	pthread_t thread;
	pthread_mutex_t lock; /* of what follows; never held while anything is waited for */
	pthread_cond_t wake;
	bool poked, closing, idle;
	uint64_t newest, told_newest; /* in the journal: now, and when `told` was written */
	struct exporter_told told;

	atomic_bool stop;

	/* the thread's own */
	enum export_phase phase;
	enum export_phase then; /* after PHASE_TARGET */
	struct cw_wire wire;
	struct aws *aws;
	struct cw_cursor *cursor;
	struct cw_state state;
	struct journal_reader *reader;
	struct emf *emf;
	int64_t minute_ms; /* of the minute's last event */
	json_t *host;	   /* as records have it */
	char node[65];
	int64_t skew_ns; /* AWS's clock less ours */
	const char *remark; /* static, for the next notice; NULL: none */

	struct cw_batch batch;
	struct cw_mark after; /* when the batch will have arrived */
	size_t items, cap;    /* of what is sent or dropped as one: a record, a minute's documents */
	uint64_t waiting_ns;  /* since when something waits; 0: nothing does */
	bool urgent, full, caught_up, sealed;
	struct journal_line line;
	bool held; /* `line` is the next to be taken */
	uint64_t damaged; /* lines before it */
	uint64_t read_seq; /* the last that was read; 0: none yet */
	struct cw_anchor anchor;
	int64_t oldest_ms; /* of the batch's first record */

	struct backoff backoff;
	uint64_t not_before_ns;
	uint64_t sent_ns; /* boot time: the batch, the last time */
	unsigned page, unread, asks;
	bool unsure;   /* whether the batch is there already */
	bool missing;  /* the group or stream was, the last time */
	char refused[320]; /* why the batch's only item was dropped; "": none was */
	uint64_t retries;
	enum export_state health;
	char why[400], last_error[400];
};

int64_t export_now_ms(const struct exporter *x); /* AWS's clock, as far as known */
int64_t export_local_ms(void);			    /* this host's, which records are told by */
bool export_closing(struct exporter *x);

/* exporter_names.c: what is called how. -EAGAIN: not known yet, x->why says what. */
int export_name(struct exporter *x);

/* exporter_read.c: from the journal into the batch. Negative: what the journal says, -ESTALE: it is
 * another one. */
int export_open_journal(struct exporter *x);
int export_gather(struct exporter *x);
void export_rewind(struct exporter *x); /* to what has arrived; the batch is gone */
bool export_untold(const struct exporter *x); /* is there anything to be said in the log itself? */
void export_waits(struct exporter *x);	     /* something does, from now on at the latest */
bool export_due(struct exporter *x, uint64_t now_ns);
/* The notice, if there is something to tell; x->state.intent. -ENOMEM. */
int export_seal(struct exporter *x);
/* The minute's documents, though the minute is not over. 1: they have no room in this batch. */
int export_close_minute(struct exporter *x);

/* exporter_send.c: what is to be asked of AWS now. The time until the next turn, ns. */
uint64_t export_step(struct exporter *x);
__attribute__((format(printf, 3, 4))) void export_trouble(struct exporter *x, enum export_state health, const char *format, ...);
void export_well(struct exporter *x);

#endif
