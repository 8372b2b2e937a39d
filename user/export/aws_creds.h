/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Credentials as they come, and for how long they do. Pure. */
#ifndef SLUICE_AWS_CREDS_H
#define SLUICE_AWS_CREDS_H

#include "user/util.h"

#define CREDS_ANSWER_MAX 65536 /* bytes that bring them */

/* In locked memory only. */
struct creds {
	char access[129], secret[257], token[16385]; /* token "": they are not temporary */
	int64_t expires_s; /* wall clock; 0: not known, or never */
};

/* -EINVAL: something is missing, or holds what no header may. */
int creds_check(const struct creds *c);

/* What the metadata service and the container's endpoint answer. -EINVAL: no JSON, or not all of it; -EACCES: it says a Code
 * other than Success. */
int creds_from_json(const char *text, size_t n, struct creds *ret);

/* STS's answer to `action`, XML or JSON. -EINVAL. */
int creds_from_sts(const char *action, const char *text, size_t n, struct creds *ret);

/* STS's answer to GetCallerIdentity, XML or JSON. -EINVAL. */
#define AWS_ACCOUNT_LEN 13
int account_from_sts(const char *text, size_t n, char ret[static AWS_ACCOUNT_LEN]);

/* "2026-11-26T20:19:34Z" or seconds since 1970, "1.79585634E9" too; 0: it is neither. */
int64_t creds_expiry(const char *text);

/* --- age ---------------------------------------------------------------------------------------- */

#define CREDS_ADVISED_S 900	/* before their end they should be renewed */
#define CREDS_UNKNOWN_S 3600	/* after so long, when the end is not known */

struct creds_age {
	int64_t expires_s;
	int64_t early_s; /* before the end: a quarter of their life, CREDS_ADVISED_S at most */
	uint64_t got_ns; /* boot time */
	bool ended_when_got; /* by our clock, which may be wrong; or AWS wants them to be used on */
};

enum creds_need {
	CREDS_FRESH,
	CREDS_ADVISED, /* to be renewed; those that are there still do */
	CREDS_ENDED,
};

struct creds_age creds_age_of(int64_t expires_s, int64_t now_s, uint64_t now_ns);
enum creds_need creds_need(const struct creds_age *a, int64_t now_s, uint64_t now_ns);

/* Until the next try to renew, after so many that failed (0: none did). Nanoseconds. */
uint64_t creds_pause(unsigned failures, uint64_t random);

#endif
