/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What the figures of the header were over the last intervals. */
#ifndef SLUICE_TUI_HISTORY_H
#define SLUICE_TUI_HISTORY_H

#include "user/tui/data.h"

enum series {
	SERIES_READ, /* of tagged files */
	SERIES_INTERNET, /* tainted bytes to it, and so on */
	SERIES_PRIVATE,
	SERIES_AWS,
	SERIES_VPC,
	SERIES_UNOBSERVABLE,
	SERIES_OTHER,
	SERIES,
};

#define HISTORY_LENGTH 256

struct history {
	double total[SERIES];	       /* as last seen; NAN: unknown */
	double rate[SERIES];	       /* per second, over the last interval; NAN: unknown */
	float past[SERIES][HISTORY_LENGTH]; /* rates, a ring */
	unsigned n, at;		       /* samples, and where the next goes */
	double time;		       /* of the last sample, seconds; 0: none */
};

void history_start(struct history *h);
/* Takes the documents' figures, when their time has gone on by about an interval: not all of one interval are made in the
 * same instant. Where it went back it starts anew. */
void history_take(struct history *h, const struct data *d, uint64_t interval_ns);

/* The last `cells` rates as bars of one line, the newest on the right; UTF-8. A gap: not known. */
void history_bars(const struct history *h, enum series which, unsigned cells, char *ret, size_t n);

#endif
