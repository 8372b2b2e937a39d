/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A view: a table of one document's items, or of what it makes of them. One file per view, with one struct view_ops; the
 * rest of the viewer knows no view by name. Nothing here draws.
 */
#ifndef SLUICE_TUI_VIEW_H
#define SLUICE_TUI_VIEW_H

#include "user/table_text.h"
#include "user/tui/feed.h"
#include "user/tui/lines.h"
#include "user/tui/theme.h"
#include "user/value_text.h"

/* What figures come first where there is no room for all. */
enum figures {
	FIGURES_TOTALS,
	FIGURES_RATES,
	FIGURES_BOUNDS,
	FIGURES,
};
#define IN_TOTALS (1u << FIGURES_TOTALS)
#define IN_RATES  (1u << FIGURES_RATES)
#define IN_BOUNDS (1u << FIGURES_BOUNDS)

#define VIEW_COLUMNS_MAX 24

/* A column is of a path and a format, or of functions of its own. */
struct column {
	const char *title;
	const char *path;
	enum value_format format;
	bool right;
	bool rate;	      /* of the path's number, per second */
	enum text_cut cut;
	unsigned least, most; /* cells; most 0: as least. Titles always fit */
	unsigned rank;	      /* the higher, the sooner it is left out; 0: never */
	unsigned figures;     /* IN_*; of others it is left out sooner. 0: all */
	const char *none;     /* for null where that means there is none, not that it is unknown */
	char *(*text)(const json_t *item, const char *now);	  /* to be freed; NULL: unknown */
	bool (*number)(const json_t *item, double *ret);	  /* to sort by; false: unknown */
	enum style (*style)(const json_t *item);
};

/* What a table was opened from: only items that belong to it are in the table. */
enum scope_kind {
	SCOPE_ALL,
	SCOPE_JOB,
	SCOPE_PROCESS,
	SCOPE_FLOW,
	SCOPE_DATASET,
	SCOPE_DESTINATION,
};

struct scope {
	enum scope_kind kind;
	json_t *item; /* a reference of ours, or NULL */
};

bool scope_has(const struct scope *s, const json_t *item);

struct view_ops {
	const char *name, *title;
	enum feed_what what;
	const struct column *columns;
	size_t ncolumns;
	size_t sort; /* the column by which it is sorted at first */
	bool ascending;
	const char *second; /* among equals by this number, the greatest first */
	const char *figure; /* that a bare comparison in a filter is about */
	const char *about;  /* what it answers, a few words */
	const char *empty;  /* what an empty table means */
	bool tree;	    /* items have parents */
	bool detail;	    /* is shown from the start */

	/* What it shows of the document: a new reference to an array. NULL: the document's items. */
	json_t *(*items)(const json_t *document);
	/* The same for the same thing in each document. */
	uint64_t (*key)(const json_t *item);
	/* The row as a word for the way back; to be freed. */
	char *(*name_of)(const json_t *item);
	/* What Enter opens; NULL: the item itself. */
	const struct view_ops *enter;
	enum scope_kind scope;
	/* Above the plain list of all that is known; NULL: nothing. */
	int (*detail_of)(struct lines *l, const json_t *item);
};

extern const struct view_ops view_jobs, view_processes, view_datasets, view_destinations, view_flows, view_findings, view_health;

#define VIEWS 7
extern const struct view_ops *const views[VIEWS]; /* in the order of their numbers */

/* --- what views share ---------------------------------------------------------- */

bool view_has_figures(const struct view_ops *v); /* columns that depend on enum figures */

uint64_t hash_start(void);
uint64_t hash_value(uint64_t hash, const json_t *value); /* a text or a number */

uint64_t process_hash(uint64_t hash, const json_t *process);
uint64_t remote_hash(uint64_t hash, const json_t *remote);

/* Of a sum or rate the whole bytes, as far as such a figure reaches. */
uint64_t bytes_of(double sum);
/* Of an object of bytes the sum; false: nothing of it is known. */
bool sum_of(const json_t *bytes, double *ret);

char *name_text(const char *text);		  /* a copy, NULL: unknown */
char *datasets_text(const json_t *list);	  /* "● a, b"; "-" */
char *user_text(const json_t *uid);		  /* its name here, or the number */

enum style style_tainted(const json_t *item);	  /* by `tainted_out` */
enum style style_class(const json_t *item);	  /* by `remote.class` */
bool class_number(const json_t *item, double *ret); /* the further out the greater */
enum style style_severity(const json_t *item);
enum style style_dim(const json_t *item);

#endif
