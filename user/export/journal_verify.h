/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Is a journal as its monitor wrote it? Reads all of it once; takes no lock and changes nothing. */
#ifndef SLUICE_JOURNAL_VERIFY_H
#define SLUICE_JOURNAL_VERIFY_H

#include <jansson.h>

#include "user/util.h"

#define VERIFY_PROBLEMS 1000 /* so many are told one by one; the others are counted */

struct verify_options {
	const char *dir;
	const char *state; /* where a copy of the head may be; NULL: nowhere */
	const char *key;   /* a file with the public key that signed, from elsewhere; NULL: those beside the digests */
};

struct verify_error {
	char text[256]; /* what and where, safe for a terminal */
};

/* *ret: {"v":1,"type":"verify","time",...,"dir","good","records":{...},"segments","bytes","digests":{...},"head":{...},
 * "removed":{...},"torn":[...],"problems":[{"kind","segment","line","seq","last_seq","time","digest_start","digest_end",
 * "text"}],"nproblems","limits":[text]}, "good" being whether there are no problems. An error: it could not be told,
 * *ret_error says why. */
int journal_verify(const struct verify_options *o, json_t **ret, struct verify_error *ret_error);

#endif
