/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Shared by the files that verify a journal. */
#ifndef SLUICE_JOURNAL_VERIFY_INTERNAL_H
#define SLUICE_JOURNAL_VERIFY_INTERNAL_H

#include "user/export/journal_digest.h"
#include "user/export/journal_head.h"
#include "user/export/journal_scan.h"
#include "user/export/journal_verify.h"

/* Where a record stands, or stood. */
struct place {
	const char *segment; /* borrowed; NULL: not known */
	uint64_t line;	     /* in it, from 1; 0: not known */
	uint64_t seq;	     /* 0: not known */
	char time[TIME_LEN]; /* as it says itself; "": not known */
};

/* A digest, as far as it is needed for the others. */
struct sealed {
	char name[JOURNAL_NAME], hash[HASH_HEX + 1];
	char start[TIME_LEN], end[TIME_LEN];
	char *signature;
	uint64_t first_seq, last_seq; /* 0: none */
	bool good;		      /* signed by a key that counts */
};

/* What a digest says of a segment. */
struct expected {
	uint64_t first; /* by its name */
	char hash[HASH_HEX + 1];
	size_t digest;
	bool met;
};

/* Names, kept sorted once they are all there. */
struct names {
	char (*v)[JOURNAL_NAME];
	size_t n, max;
};

/* What retention took at one time. */
struct removal {
	uint64_t first, last;
	uint64_t seq;		 /* of the record that says so */
	char hash[HASH_HEX + 1]; /* of the last record */
};

struct recorded_digest {
	char name[JOURNAL_NAME], hash[HASH_HEX + 1];
	char signature_head[33];
	struct place at;
};

struct verify {
	int dir, state;			 /* state: -1 where there is none */
	char outside[JOURNAL_HEAD_NAME]; /* the head's copy there */
	struct journal_list list;
	json_t *problems, *limits, *torn;
	uint64_t nproblems;
	/* digests */
	struct sealed *sealed;
	size_t nsealed, max_sealed;
	struct expected *expected; /* by `first` */
	size_t nexpected, max_expected;
	struct checker **keys;
	size_t nkeys;
	uint64_t signed_seq; /* the newest record that a good digest covers */
	/* what the chain says of itself */
	struct names removed; /* segments and digests that retention took */
	struct removal *removals;
	size_t nremovals, max_removals;
	struct recorded_digest *recorded;
	size_t nrecorded, max_recorded;
	/* the chain */
	struct hasher line, whole;
	uint64_t records, bytes, segments;
	struct place first, last;
	char first_prev[HASH_HEX + 1], last_hash[HASH_HEX + 1];
	uint64_t last_rest;	      /* bytes of a line without end, in the last segment */
	struct journal_head heads[2]; /* beside the journal, and outside of it */
	bool head_known[2], head_met[2];
};

enum { HEAD_HERE, HEAD_OUTSIDE };

/* journal_verify.c: `at` may be NULL. last_seq: the end of a range that begins at at->seq; 0: it is one record. */
__attribute__((format(printf, 5, 6))) void verify_problem(struct verify *v, const char *kind, const struct place *at,
							  uint64_t last_seq, const char *format, ...);
__attribute__((format(printf, 2, 3))) void verify_limit(struct verify *v, const char *format, ...);
int names_add(struct names *n, const char *name);
bool names_has(const struct names *n, const char *name);

/* journal_verify_chain.c: all segments. -ENOMEM, errors of the file system. */
int verify_chain(struct verify *v);

/* journal_verify_digest.c */
int verify_read_keys(struct verify *v, const char *file, struct verify_error *ret_error);
int verify_read_digests(struct verify *v);
void verify_segment_hash(struct verify *v, const struct journal_file *f, const char hash[static HASH_HEX + 1], uint64_t last);
/* After the chain: what should be there and is not. */
void verify_missing(struct verify *v);
const struct sealed *verify_digest_of(const struct verify *v, uint64_t seq);

#endif
