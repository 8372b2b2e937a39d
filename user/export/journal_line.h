/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A line of a journal: a record whose first members stand in the contract's order and whose last is `prev`, the SHA-256
 * of the line before it. What is looked at most often is found without parsing JSON. */
#ifndef SLUICE_JOURNAL_LINE_H
#define SLUICE_JOURNAL_LINE_H

#include <openssl/evp.h>

#include "user/util.h"

#define HASH_HEX 64 /* digits of a SHA-256 */
/* What the first line of all has for `prev`. */
#define HASH_NONE "0000000000000000000000000000000000000000000000000000000000000000"

/* No monitor comes to this number in a thousand years: whoever made it up must not use up what numbers there are. */
#define JOURNAL_SEQ_MOST 1000000000000000

struct journal_line_parts {
	uint64_t seq;
	const char *type, *time, *prev; /* into the line, not terminated; prev: HASH_HEX digits */
	size_t type_len, time_len;
};

/* `text` without its newline. False: no record, or one that was damaged at its beginning or end. */
bool journal_line_parse(const char *text, size_t len, struct journal_line_parts *ret);

/* Is it of this type? */
bool journal_line_is(const struct journal_line_parts *p, const char *type);

/* The line's time as terminated text. */
char *journal_line_time(const struct journal_line_parts *p, char buf[static TIME_LEN]);

/* SHA-256, of one thing after another. */
struct hasher {
	EVP_MD *md;
	EVP_MD_CTX *ctx;
};

int hasher_open(struct hasher *h); /* -ENOMEM */
void hasher_close(struct hasher *h);
void hasher_begin(struct hasher *h);
void hasher_add(struct hasher *h, const void *data, size_t len);
/* Lower-case hex, terminated. */
void hasher_end(struct hasher *h, char ret[static HASH_HEX + 1]);
/* All of it at once. */
void hasher_hex(struct hasher *h, const void *data, size_t len, char ret[static HASH_HEX + 1]);

/* Lower-case hex of n bytes, terminated. */
void hex_text(const uint8_t *bytes, size_t n, char *ret);
/* The bytes of n hex digits (even, lower case only). -EINVAL. */
int hex_bytes(const char *hex, size_t n, uint8_t *ret);

#endif
