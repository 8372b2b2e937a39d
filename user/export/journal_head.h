/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The head: number and hash of the newest record that is on the disk for sure. It lies in one block that is written over
 * in place, so that a full disk does not stop it, and a crash leaves the old one or the new one.
 */
#ifndef SLUICE_JOURNAL_HEAD_H
#define SLUICE_JOURNAL_HEAD_H

#include "user/export/journal_line.h"

#define JOURNAL_HEAD_SIZE 256

struct journal_head {
	uint64_t seq;		 /* 0: nothing was written yet */
	char hash[HASH_HEX + 1]; /* of its line */
	bool closed;		 /* its monitor ended well: nothing may follow */
};

void journal_head_format(const struct journal_head *h, char ret[static JOURNAL_HEAD_SIZE]);

/* Exactly what journal_head_format() made; -EBADMSG: anything else. */
int journal_head_parse(const char *text, size_t len, struct journal_head *ret);

/* -ENOENT; -EBADMSG; what else the system says. */
int journal_head_read(int dir, const char *name, struct journal_head *ret);

/* Opens it for writing, made with mode 0640 if missing. A descriptor or a negative errno. */
int journal_head_open(int dir, const char *name);
int journal_head_write(int fd, const struct journal_head *h);

/* The copy outside of the journal's directory, in the one for state: its name for this journal, an absolute path. */
#define JOURNAL_HEAD_NAME 256
void journal_head_name(const char *path, char ret[static JOURNAL_HEAD_NAME]);

#endif
