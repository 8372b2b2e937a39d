/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Shared by the files that make up the writer. */
#ifndef SLUICE_JOURNAL_WRITER_INTERNAL_H
#define SLUICE_JOURNAL_WRITER_INTERNAL_H

#include <pthread.h>
#include <sys/types.h>

#include "user/export/journal_writer.h"

enum op_kind { OP_SEGMENT, OP_LINES, OP_END_SEGMENT, OP_FILE, OP_REMOVE };

struct op {
	struct op *next;
	enum op_kind kind;
	char name[JOURNAL_NAME];
	char *data;
	size_t len, size, done;
	struct journal_head head; /* of the last line */
	bool urgent;
};

struct journal_writer {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	/* under the lock */
	struct op *first, *last;
	bool busy; /* `first` is being carried out */
	size_t room;
	bool ended, abandoned, closes;
	struct writer_state state;
	/* the thread's own */
	int dir, heads[2], segment;
	gid_t group; /* (gid_t)-1: as it comes */
	struct journal_head written;
	bool unsynced;
	uint64_t synced_ns;
};

/* journal_write.c: one step of the thread, without the lock. */
int writer_carry_out(struct journal_writer *w, struct op *op);
int writer_sync(struct journal_writer *w);
void writer_write_heads(struct journal_writer *w);

#endif
