/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Where in the journal a hub is, also when that is another one than before. */
#include "user/export/hub_internal.h"

#include <string.h>

#define LOOK 1000 /* records, between two looks at whether to stop */

static bool stopped(const struct hub *h)
{
	return h->options.stop && atomic_load(h->options.stop);
}

/* FNV-1a: two records of one number are told apart by it, not proven. */
static uint64_t sum_of(const struct journal_line *line)
{
	uint64_t sum = 0xcbf29ce484222325ULL;

	for (size_t i = 0; i < line->len; i++)
		sum = (sum ^ (unsigned char)line->text[i]) * 0x100000001b3ULL;
	return sum;
}

static void shut(struct hub *h)
{
	h->reader = journal_reader_close(h->reader);
}

/* What was imported stays so; but numbers begin anew. */
static void begin_anew(struct hub *h)
{
	h->read = h->cursor = 0;
	h->anchor.seq = 0;
	for (struct hub_finding *f = h->first; f; f = f->next)
		f->done = 0;
	h->changed = true;
}

/* 1: the journal is the one that was read; 0: another; -EAGAIN: it is empty, which tells nothing yet. */
static int is_known(struct hub *h)
{
	struct journal_line line;
	int r = journal_reader_after(h->reader, h->anchor.seq - 1);

	if (!r)
		r = journal_reader_next(h->reader, &line);
	if (r == 1)
		return line.seq > h->anchor.seq || sum_of(&line) == h->anchor.sum;
	if (r == -EBADMSG)
		return 1;
	if (r)
		return r;
	/* It ends before: is there anything? */
	shut(h);
	r = journal_reader_open(h->journal, &h->reader);
	if (!r)
		r = journal_reader_next(h->reader, &line);
	return r == 1 || r == -EBADMSG ? 0 : r ? r : -EAGAIN;
}

/* A reader stands where reading goes on. -EAGAIN: there is nothing to be read yet. */
static int open_reader(struct hub *h)
{
	int r = journal_reader_open(h->journal, &h->reader);

	if (r || !h->anchor.seq)
		return r;
	r = is_known(h);
	if (r < 0)
		return r;
	if (r == 0)
		begin_anew(h);
	shut(h);
	r = journal_reader_open(h->journal, &h->reader);
	if (!r && h->cursor)
		r = journal_reader_after(h->reader, h->cursor);
	h->read = MAX(h->read, h->cursor);
	return r;
}

static bool has_word(const struct journal_line *line)
{
	return memmem(line->text, line->len, "\"finding\"", 9);
}

/* 1: go on; 0: the end, for now. */
static int read_one(struct hub *h)
{
	struct journal_line line;
	int r = journal_reader_next(h->reader, &line), err;

	if (r == -EBADMSG) {
		h->told.missed++;
		return 1;
	}
	if (r != 1)
		return r;
	err = hub_take(h, &line);
	if (err)
		return err;
	if (h->read) /* what was removed before a first start was never missed */
		h->told.missed += line.skipped;
	if (has_word(&line)) {
		h->anchor.seq = line.seq;
		h->anchor.sum = sum_of(&line);
	}
	h->read = line.seq;
	h->changed = true;
	return 1;
}

int hub_read(struct hub *h)
{
	int r = h->reader ? 0 : open_reader(h);

	for (unsigned n = 1; !r; n++) {
		if (n % LOOK == 0 && stopped(h))
			return -ECANCELED;
		r = read_one(h);
		if (r == 0) {
			h->caught_up = true;
			return 0;
		}
		r = r == 1 ? 0 : r;
	}
	h->caught_up = false;
	if (r == -ENOSPC && h->reader) /* it must be given again */
		return journal_reader_after(h->reader, h->read);
	shut(h);
	return r == -EAGAIN ? 0 : r;
}
