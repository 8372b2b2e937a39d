/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What the exporter says of itself, for health records and `show health`. */
#ifndef SLUICE_EXPORTER_TOLD_H
#define SLUICE_EXPORTER_TOLD_H

#include "user/util.h"

enum export_dropped {
	EXPORT_GONE,	   /* the journal removed it before it was sent */
	EXPORT_UNREADABLE, /* damaged in the journal */
	EXPORT_TOO_OLD,	   /* for CloudWatch: 14 days */
	EXPORT_TOO_NEW,	   /* 2 hours in the future, by CloudWatch's clock */
	EXPORT_EXPIRED,	   /* older than the log group keeps */
	EXPORT_REFUSED,	   /* CloudWatch takes it in no form */
	EXPORT_DROPPED_KINDS,
};
const char *export_dropped_name(enum export_dropped d);

enum export_state {
	EXPORT_OFF, /* none is configured */
	EXPORT_STARTING,
	EXPORT_GOOD,
	EXPORT_FAILING, /* it is tried again: `why` */
	EXPORT_STUCK,	/* rights, credentials or configuration: `why` */
};
const char *export_state_name(enum export_state s);

/* Figures go on over restarts, but for `retries`. */
struct exporter_told {
	enum export_state state;
	char why[400]; /* safe for a terminal; "": nothing is wrong */
	char last_error[400]; /* the last there was, over or not; "": none */
	char group[513], stream[513]; /* "": not known yet */
	bool lag_known;
	uint64_t lag_records; /* in the journal and not there yet */
	uint64_t lag_ns;      /* the age of the oldest of them; 0: there are none */
	bool lag_ns_known;
	uint64_t sent, batches, metrics;
	uint64_t dropped[EXPORT_DROPPED_KINDS];
	uint64_t cut, retimed, repeated;
	uint64_t retries;
	char credentials[24]; /* where they come from; "": none */
	int64_t credentials_end; /* wall clock, seconds; 0: not known, or never */
};

#endif
