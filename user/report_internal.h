/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Shared by the files that sum records up. */
#ifndef SLUICE_REPORT_INTERNAL_H
#define SLUICE_REPORT_INTERNAL_H

#include "user/report.h"

enum table { TABLE_ACCESS, TABLE_DESTINATIONS, TABLE_TRANSFERS, TABLES };

struct report {
	char *dataset, *job, *finding;
	bool has_since, has_until;
	struct timespec since, until;
	size_t rows_max;
	json_t *rows[TABLES];	/* by key */
	json_t *processes;	/* "row's key, pid, start": set */
	json_t *findings, *rules; /* by id; how many of each rule */
	json_t *left;		/* by dataset */
	json_t *gaps;		/* as last told, or NULL */
	struct users *users;
	json_int_t seq;
	uint64_t records, unknown, missing, findings_left_out;
	char first[TIME_LEN], last[TIME_LEN];
};

/* report_check.c: has it what it must have? */
bool report_access_good(const json_t *record);
bool report_flow_good(const json_t *record);
bool report_transfer_good(const json_t *record);
bool report_finding_good(const json_t *record);

/* report_rows.c: into the rows. -ENOMEM. */
int report_take_access(struct report *r, json_t *record);
int report_take_flow(struct report *r, json_t *record);
int report_take_transfer(struct report *r, json_t *record);

const char *report_text_at(const json_t *v, const char *path); /* "" if there is none */
int report_set(json_t *to, const char *key, const json_t *value);
int report_add_figure(json_t *row, const char *key, const json_t *more);

#endif
