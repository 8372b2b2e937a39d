/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Shared by the files that sum records up. */
#ifndef SLUICE_REPORT_INTERNAL_H
#define SLUICE_REPORT_INTERNAL_H

#include <limits.h>

#include "user/hashmap.h"
#include "user/record_tape.h"
#include "user/report.h"

#define REPORT_KEY_MAX 65536 /* of a row; a record that would need a longer one is one of the others */

enum table { TABLE_ACCESS, TABLE_DESTINATIONS, TABLE_TRANSFERS, TABLES };

struct figure {
	enum { FIGURE_ABSENT, FIGURE_UNKNOWN, FIGURE_KNOWN } state;
	int64_t n;
};

enum figure_kind {
	FIGURE_OPS,
	FIGURE_FILES,
	FIGURE_BYTES_TOTAL,
	FIGURE_BYTES_OUT,
	FIGURE_TAINTED_OUT,
	FIGURE_BYTES,
	FIGURE_PROCESSES,
	FIGURES,
};

#define KINDS_MAX 16 /* of bytes */
#define KIND_LEN 32

struct process_key {
	uint64_t row;
	int64_t pid;
	char start[TIME_LEN]; /* zero behind its end */
};

struct report_process {
	struct process_key key;
};

/* Records that are alike. */
struct row {
	char *key;
	size_t key_len;
	uint64_t hash;
	uint64_t number;
	json_t *told; /* what does not add up, as the first of them says it */
	struct figure figures[FIGURES];
	struct {
		char name[KIND_LEN];
		struct figure sum;
	} kinds[KINDS_MAX];
	unsigned nkinds;
	enum { EXACT_ABSENT, EXACT_UNKNOWN, EXACT_YES, EXACT_NO } exact;
	bool others, processes_inexact;
	char first[TIME_LEN], last[TIME_LEN];
	struct process_key met; /* last */
};

struct rows {
	struct row **slots; /* by hash */
	size_t size;
	struct row **list; /* as they were met */
	size_t n, room;
	struct row *others; /* NULL: none yet */
};

/* A finding, as told last by one run of a monitor: another counts anew. */
struct told {
	char *id, *first, *text; /* text: the record */
	size_t len, room;
	json_t *record; /* NULL: not parsed yet */
};

struct report {
	char *dataset, *job, *finding;
	bool has_since, has_until, vouched;
	struct timespec since, until;
	char since_text[TIME_LEN], until_text[TIME_LEN];
	size_t rows_max;
	struct rows rows[TABLES];
	uint64_t rows_made;
	struct hashmap processes; /* struct report_process */
	struct told *findings;	  /* in their order */
	size_t nfindings, findings_room, finding_bytes;
	json_t *finding_index; /* "id\x1f first": its place in it */
	json_t *rules;	       /* how many of each rule */
	struct left {
		char *dataset;
		struct figure sum;
	} * left;
	size_t nleft;
	json_t *gaps; /* as last told; NULL: none. But: */
	char *health;
	size_t health_len; /* not 0: a record that was told since, and not parsed yet */
	struct users *users;
	char host[HOST_NAME_MAX + 1]; /* this one, whose users these are */
	int64_t seq;
	uint64_t lines, records, unknown, missing, damaged, removed, findings_left_out;
	char first[TIME_LEN], last[TIME_LEN];
	char good_time[TIME_LEN]; /* a text that is known to be one */
	struct tape tape;
	char *key; /* REPORT_KEY_MAX */
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

/* report_table.c */
struct row *row_find(const struct report *r, enum table t, const char *key, size_t len);
/* Found or new (then `told` is NULL); of a full table the row for others. NULL: no memory. */
struct row *row_get(struct report *r, enum table t, const char *key, size_t len);
bool rows_full(const struct report *r, enum table t);
void figure_add(struct figure *f, bool known, int64_t more);
struct figure *row_kind(struct row *row, const char *name, size_t len); /* NULL: no room */
/* One more process of the row, if it is one that was not met in it before. */
int row_process(struct report *r, struct row *row, int64_t pid, const char *start, size_t start_len);
void row_time(struct row *row, const char *time, size_t len);
/* A byte of a flow counts for each dataset that it can have carried. */
int left_add(struct report *r, const char *dataset, size_t len, bool known, int64_t more);
json_t *rows_json(const struct report *r, enum table t);
json_t *left_json(const struct report *r);
void report_tables_free(struct report *r);

/* report_finding.c */
int report_keep_finding(struct report *r, const char *id, size_t id_len, const char *first, size_t first_len, const char *rule,
			size_t rule_len, const char *text, size_t len);
void report_findings_free(struct report *r);

/* report_fast.c: 1: the line was taken; 0: it is one for the long way; -ENOMEM. */
int report_fast(struct report *r, const char *line, size_t len);

/* report.c */
void report_note_time(struct report *r, const char *time, size_t len);
void report_note_seq(struct report *r, int64_t seq);
int report_note_health(struct report *r, const char *line, size_t len);

/* A proxy goes on to what it is asked for. */
bool report_outside(const char *class, size_t class_len, const char *source, size_t source_len);

const char *report_text_at(const json_t *v, const char *path); /* "" if there is none */

#endif
