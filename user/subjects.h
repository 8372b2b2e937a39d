/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Who a subject is, in words: from the kernel's announcement, else from /proc while it lives. */
#ifndef SLUICE_SUBJECTS_H
#define SLUICE_SUBJECTS_H

#include "include/ledger.h"
#include "user/job.h"
#include "user/model.h"

#define SUBJECT_PATH_LEN 4096

/* Hands what an announcement (of `len` bytes) says to the model; what was cut is asked of /proc. -EBADMSG: too short. */
int subjects_announced(struct model *m, const struct subject_event *ev, size_t len);

/* The same for a subject known only by its key, from /proc. -ESRCH: it is gone, or its PID is another's now; the model
 * then knows the bare key. */
int subjects_look_up(struct model *m, const struct subject *who, uint64_t now_ns);

/* 0: the process that has this PID now is the one that is meant; else -ESRCH or -EBADMSG. */
int subjects_verify(const struct subject *who);

/* A process as /proc tells of it now. */
struct process_words {
	uint64_t start_ns, span_ns; /* it began then or less than `span_ns` later, by CLOCK_BOOTTIME */
	uint32_t parent, session, uid;
	bool uid_known;
	char comm[SL_COMM_LEN + 1]; /* hostile, as is exe */
	char exe[SUBJECT_PATH_LEN]; /* "": not known */
	char job[JOB_LEN];	    /* "": not known */
};

/* Asks only /proc, so that any thread may. -ESRCH, -EBADMSG. */
int subjects_describe(uint32_t pid, struct process_words *ret);

/* The path the kernel collected, leaf first, as one text; false when it was cut. */
bool subjects_join(char *ret, size_t n, const char *parts, size_t part_len, unsigned count, bool cut);

#endif
