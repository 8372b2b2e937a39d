/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Records of a span of time, summed up: who read which dataset, where it can have gone, what left, what was found. Memory
 * is bounded: what has no row of its own is summed in one for others.
 */
#ifndef SLUICE_REPORT_H
#define SLUICE_REPORT_H

#include <jansson.h>
#include "user/json_lines.h"

struct report_wish {
	const char *dataset, *job;	     /* NULL: any */
	const struct timespec *since, *until; /* NULL: open; by the time of the records */
	const char *finding;		     /* NULL: all; else only this one is kept */
	size_t rows;			     /* of one table at most; 0: REPORT_ROWS */
	bool vouched;			     /* records are of a journal: what is not wanted need not be looked at */
};

#define REPORT_ROWS 8192

struct report;

int report_new(const struct report_wish *wish, struct report **ret);
struct report *report_free(struct report *r);
static inline void report_freep(struct report **r)
{
	report_free(*r);
}

/* For json_lines_each(): `arg` is the report. Lines that are like one before are taken by report_raw() alone. */
int report_raw(void *arg, const char *line, size_t len);
int report_take(void *arg, json_t *record, struct json_lines_why *ret_why);

/* A record of a journal. One that is none counts as damaged. -ENOMEM. */
int report_line(struct report *r, const char *line, size_t len);
/* Records of a journal that are not there: removed before its first one, missing between others, unreadable. */
void report_missed(struct report *r, uint64_t removed, uint64_t missing, uint64_t damaged);

/* Was a finding of this rule among them, or of any rule if it is "any"? */
bool report_found(const struct report *r, const char *rule);

/* The finding of this id as last told, borrowed; NULL: there is none. */
json_t *report_finding(const struct report *r, const char *id);

/* {"v":1,"type":"report",...}, a new reference; NULL: no memory. `torn`: what was read ended in the middle of a line. */
json_t *report_document(struct report *r, bool torn);

/* The findings, in the order in which they were first told. A new reference; NULL: no memory. */
json_t *report_findings_json(struct report *r);

int report_text(const json_t *document, unsigned width, FILE *out);

/* The story of a finding: a list of lines, the chain's hops among them in plain words. NULL: no memory. */
json_t *report_story(const json_t *finding);

#endif
