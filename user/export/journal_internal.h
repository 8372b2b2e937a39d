/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Shared by the files that make up the journal's writing half. */
#ifndef SLUICE_JOURNAL_INTERNAL_H
#define SLUICE_JOURNAL_INTERNAL_H

#include "user/export/journal.h"
#include "user/export/journal_digest.h"
#include "user/export/journal_writer.h"
#include "user/json_write.h"

struct segment {
	uint64_t first, last; /* last 0: none yet */
	uint64_t bytes;
	char prev[HASH_HEX + 1]; /* of its first line */
	char first_time[TIME_LEN], last_time[TIME_LEN];
	char hash[HASH_HEX + 1]; /* of the whole; "": a digest of an earlier run has it */
};

struct digest_file {
	struct journal_file file;
	uint64_t bytes; /* with its signature */
};

/* What is known from before: by the head beside the records, and by its copy outside. */
struct journal_known {
	struct journal_head v[2];
	size_t n;
};

struct note {
	const char *type;
	json_t *members;
	json_t *remove; /* names of files that go once this is recorded; NULL: none */
};

#define NOTES_MAX 64

/* The newest digest, which the next one follows. */
struct seal {
	char name[JOURNAL_NAME]; /* "": the next one starts a chain, because: */
	const char *why;	 /* static */
	char hash[HASH_HEX + 1], signature[SIGN_HEX_MAX + 1], end[TIME_LEN];
	uint64_t covered; /* records up to this one are in digests */
};

/* A segment is this part of the journal, within bounds. */
#define SEGMENT_PART 16
#define SEGMENT_LEAST (8u << 10)
#define SEGMENT_MOST (64u << 20)

struct journal {
	char *path, *host;
	int dir, lock;
	uint64_t max_size, retain_ns, segment_max;
	struct journal_writer *writer;
	struct journal_head head; /* the newest line */
	struct json_text text;	  /* a line being made */
	struct hasher line, whole;
	struct segment *closed; /* oldest first */
	size_t nclosed, max_closed;
	struct segment open;
	bool is_open;
	struct digest_file *digests; /* oldest first */
	size_t ndigests, max_digests;
	uint64_t bytes; /* of all of these */
	struct signer *signer;
	struct seal seal;
	struct note notes[NOTES_MAX];
	size_t nnotes;
	bool removing; /* a note says so */
	/* clocks: as of the last tick, and of the opening */
	struct timespec wall, opened_wall;
	uint64_t boot_ns, opened_ns, due_ns; /* due: the next digest */
	/* trouble */
	unsigned vanished; /* segments, as noted */
	int error;
	bool refusing, refused;
	uint64_t failing_ns;
	struct timespec failing_wall;
};

/* journal.c */
/* Takes over `members` and `remove`. What there is no room or memory for is not noted: -ENOMEM. */
int journal_add_note(struct journal *j, const char *type, json_t *members, json_t *remove);
/* The open segment, if any, becomes the newest closed one. */
int journal_end_segment(struct journal *j);

/* journal_keep.c */
void journal_plan_removal(struct journal *j);

/* journal_seal.c: a digest over what none covers yet, signed, into the queue; its note. -ENOMEM, -EIO: no signature. */
int journal_make_digest(struct journal *j);
/* Goes on behind the newest digest there is, if it is good. */
void journal_resume_digests(struct journal *j);

/* journal_recover.c: the newest one whose name does not say more than there can be: records up to `seq`. NULL: none. */
const struct digest_file *journal_newest_digest(const struct journal *j, uint64_t seq);
/* Finds where the journal stands, and repairs its end. */
int journal_take_up(struct journal *j, const struct journal_known *known);
int journal_hash_file(int dir, const char *name, char ret[static HASH_HEX + 1]);

#endif
