/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A finding's record in the words that formats of others ask for. Pure: any JSON may be given. */
#ifndef SLUICE_FINDING_WORDS_H
#define SLUICE_FINDING_WORDS_H

#include <jansson.h>
#include "user/util.h"

/* 0: info to 4: critical; -1: none of them. */
int finding_severity(const json_t *record);

/* What to do about findings of this rule; NULL: it is not known. */
const char *finding_advice(const char *rule);

/* What happened, to whom, how it came there and what weakens it, in sentences; safe, to be freed. NULL: no memory. */
char *finding_description(const json_t *record);

/* The host: its instance's id, else its name, else "unknown". Borrowed. */
const char *finding_host(const json_t *record);

/* Milliseconds since 1970 of an RFC 3339 text at `path`; -1: there is none. */
int64_t finding_time(const json_t *record, const char *path);

/* Is there anything in it to be seen? NULL: no. */
bool words_any(const char *text);

/* As much of it as `most` characters hold, safe; NULL: there is nothing in it, or no memory. */
json_t *words_cut(const char *text, size_t most);

#endif
