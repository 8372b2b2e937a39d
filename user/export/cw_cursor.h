/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * How far the exporter has come, kept over restarts. Before a batch is sent it is noted as an intent, together with how far
 * things will be once it has arrived; so whoever comes after a kill knows what to ask for, and goes on from either side. The file
 * has two places that are written in turn and in place: a torn write leaves the other one, and a full disk changes nothing.
 */
#ifndef SLUICE_CW_CURSOR_H
#define SLUICE_CW_CURSOR_H

#include "user/export/exporter_told.h"
#include "user/util.h"

#define CW_NAME_MAX 512 /* of a log group or stream */
#define CW_ANCHORS 8

struct cw_figures {
	uint64_t records; /* that arrived */
	uint64_t batches;
	uint64_t metrics; /* documents that arrived */
	uint64_t dropped[EXPORT_DROPPED_KINDS];
	uint64_t cut;	   /* records that arrived without some of their members */
	uint64_t retimed;  /* that arrived under another time than their own, which CloudWatch would not have taken */
	uint64_t repeated; /* that may have arrived twice */
};

/* Everything up to a record. */
struct cw_mark {
	uint64_t seq;	     /* the last record that is done with; 0: none */
	uint64_t minute_seq; /* the first record of the minute that metrics are being summed for; seq + 1: none */
	struct cw_figures n;
	struct cw_figures told; /* what the log itself was told of them */
	uint64_t told_seq;	/* and up to which record */
	uint64_t metered;	/* of dropped records, as the metrics told last */
};

/* A record that arrived, to know the journal again by. */
struct cw_anchor {
	uint64_t seq;
	char hash[65];
};

struct cw_intent {
	bool set;
	char group[CW_NAME_MAX + 1], stream[CW_NAME_MAX + 1];
	uint64_t first, last; /* records; first > last: none */
	uint64_t batch;
	int64_t from_ms, to_ms; /* events' times */
	int64_t sent_ms;	/* wall clock */
	struct cw_anchor anchor;
	struct cw_mark after;
};

struct cw_state {
	char id[9];	/* random: no two cursors write to one stream */
	char instance[64], hostname[65]; /* as known when the stream was named */
	char group[CW_NAME_MAX + 1], stream[CW_NAME_MAX + 1];
	struct cw_mark mark;
	struct cw_intent intent;
	struct cw_anchor anchors[CW_ANCHORS]; /* the newest first; seq 0: none */
	uint64_t event_max, batch_max;	      /* limits learned; 0: none but those that are documented */
	bool group_made;		      /* by this monitor */
	unsigned retain_days;		      /* that the group was told; 0: none */
};

struct cw_cursor;

/* `dir` as state_dir_open() takes it. -EBUSY: another exporter has it; -EPERM; else what the system says. *ret_state is what
 * was saved last; all 0 (id "") when nothing was, and *ret_lost then says whether there was something that cannot be read. */
int cw_cursor_open(const char *dir, const char *socket, struct cw_cursor **ret, struct cw_state *ret_state, bool *ret_lost);
struct cw_cursor *cw_cursor_close(struct cw_cursor *c);
static inline void cw_cursor_closep(struct cw_cursor **c)
{
	cw_cursor_close(*c);
}

/* On the disk when it returns 0. Else what the system says: what was saved before is still there. */
int cw_cursor_save(struct cw_cursor *c, const struct cw_state *s);

/* The batch of the intent has arrived. */
void cw_state_arrived(struct cw_state *s);

/* SHA-256, hex. -ENOMEM. */
int cw_digest(const char *text, size_t len, char ret[static 65]);

#endif
