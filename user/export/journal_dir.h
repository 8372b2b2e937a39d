/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What lies in a journal's directory:
 *   sluice-SEQ.jsonl          a segment; SEQ, 20 digits, is its first record's
 *   digest-SEQ-TIME.json      a digest; SEQ is the last record's that it or one before it covers
 *   digest-SEQ-TIME.json.sig  its signature, hex
 *   key-FINGERPRINT.pem       the public key of digests
 *   head                      the newest record that is on the disk for sure
 *   lock                      locked by the monitor that writes
 */
#ifndef SLUICE_JOURNAL_DIR_H
#define SLUICE_JOURNAL_DIR_H

#include "user/util.h"

#define JOURNAL_NAME 64 /* room for any of these names */
#define JOURNAL_HEAD "head"
#define JOURNAL_LOCK "lock"

struct journal_file {
	uint64_t seq;
	char name[JOURNAL_NAME];
};

struct journal_files {
	struct journal_file *v; /* by seq, then by name */
	size_t n, max;
};

struct journal_list {
	struct journal_files segments, digests, keys; /* keys: seq 0 */
};

/* Reads the directory anew. Other files are passed over. Errors of openat(2) and readdir(3). */
int journal_list_read(int dir, struct journal_list *ret);
/* Segments only: cheaper. */
int journal_segments_read(int dir, struct journal_files *ret);
void journal_list_free(struct journal_list *l);

void journal_segment_name(char ret[static JOURNAL_NAME], uint64_t first);
void journal_digest_name(char ret[static JOURNAL_NAME], uint64_t last, const struct timespec *wall);
void journal_key_name(char ret[static JOURNAL_NAME], const char *fingerprint);

/* A regular file that is opened for reading, no symlink; or a negative errno. *ret_size may be NULL. */
int journal_open_file(int dir, const char *name, uint64_t *ret_size);
/* Does this error say that something else has that name? */
bool journal_no_file(int err);

/* The whole of a small file, terminated, to be freed. -EFBIG: above `max`. */
int journal_read_file(int dir, const char *name, size_t max, char **ret, size_t *ret_len);

/* Up to n bytes at `offset`; fewer only at the end. Errors of pread(2). */
int journal_pread(int fd, void *to, size_t n, uint64_t offset, size_t *ret_len);

#endif
