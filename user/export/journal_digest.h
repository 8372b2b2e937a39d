/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Digests have the members of CloudTrail's, so that its tools and people know them; `sluice` holds what those lack. */
#ifndef SLUICE_JOURNAL_DIGEST_H
#define SLUICE_JOURNAL_DIGEST_H

#include <jansson.h>

#include "user/export/journal_dir.h"
#include "user/export/journal_sign.h"

#define DIGEST_MAX (16u << 20)

/* A digest read from its file; texts are borrowed from `json`. */
struct digest {
	json_t *json;
	char hash[HASH_HEX + 1]; /* of the file */
	char *signature;	 /* hex */
	const char *object, *fingerprint, *start, *end;
	const char *previous, *previous_hash, *previous_signature; /* NULL: a starting one */
	const json_t *logs;
	uint64_t first_seq, last_seq; /* 0, 0: it covers nothing new */
};

/* -EBADMSG: it, or its signature's file, is not what it should be, *ret_why (static) says how; -ENOENT and the like: there
 * is none of the two. */
int digest_read(int dir, const char *name, struct digest *ret, const char **ret_why);
void digest_clear(struct digest *d);

/* The text that is signed, terminated, to be freed. NULL: no memory. */
char *digest_to_sign(const char *end, const char *bucket, const char *object, const char hash[static HASH_HEX + 1],
		     const char *previous_signature, size_t *ret_len);

/* Is the signature of this key? -EBADMSG. */
int digest_check(const struct digest *d, const struct checker *key);

/* "2026-11-20T23:12:46Z" */
char *digest_time(char buf[static TIME_LEN], const struct timespec *wall);

#endif
