/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/export/journal_read.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "user/export/journal_dir.h"
#include "user/export/journal_scan.h"

struct journal_reader {
	int dir, fd;
	uint64_t first; /* of the segment at hand, by its name; 0: none yet */
	struct scan scan;
	uint64_t after; /* older ones were had before */
	uint64_t last;	/* the one before the next, as far as is known */
};

int journal_reader_open(const char *dir, struct journal_reader **ret)
{
	struct journal_reader *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->fd = -1;
	r->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r->dir < 0) {
		int err = -errno;

		free(r);
		return err;
	}
	*ret = r;
	return 0;
}

struct journal_reader *journal_reader_close(struct journal_reader *r)
{
	if (!r)
		return NULL;
	scan_free(&r->scan);
	closep(&r->fd);
	close(r->dir);
	free(r);
	return NULL;
}

/* --- segments ------------------------------------------------------------------------- */

static int open_segment(struct journal_reader *r, const struct journal_file *f)
{
	int fd = journal_open_file(r->dir, f->name, NULL);

	if (fd < 0)
		return fd;
	closep(&r->fd);
	r->fd = fd;
	r->first = f->seq;
	scan_begin(&r->scan, fd, 0);
	return 0;
}

static void leave_segment(struct journal_reader *r)
{
	closep(&r->fd);
	r->fd = -1;
	r->first = 0;
}

/* The first segment behind the one at hand. 1: it is open now; 0: there is none. */
static int next_segment(struct journal_reader *r)
{
	struct journal_files f = {0};
	int err = journal_segments_read(r->dir, &f), got = 0;

	for (size_t i = 0; i < f.n && !err && !got; i++) {
		if (r->first && f.v[i].seq <= r->first)
			continue;
		err = open_segment(r, &f.v[i]);
		got = !err;
		if (err == -ENOENT)
			err = 0; /* retention was faster */
	}
	free(f.v);
	return err ? err : got;
}

/* Is there one behind it? Then what the one at hand lacks now it will always lack. */
static int is_last(struct journal_reader *r, bool *ret)
{
	struct journal_files f = {0};
	int err = journal_segments_read(r->dir, &f);

	if (!err)
		*ret = !f.n || f.v[f.n - 1].seq <= r->first;
	free(f.v);
	return err;
}

/* --- records ----------------------------------------------------------------------------- */

/* A monitor that starts cuts off what a crash left: what is appended then stands where that was. */
static bool was_cut(struct journal_reader *r)
{
	struct stat st;

	if (fstat(r->fd, &st) || (uint64_t)st.st_size >= r->scan.offset)
		return false;
	r->after = r->last;
	scan_begin(&r->scan, r->fd, 0);
	return true;
}

/* 1, 0: the end of this segment for now, -EBADMSG or an error. */
static int next_here(struct journal_reader *r, struct journal_line *ret)
{
	struct journal_line_parts p;
	const char *line;
	size_t len;
	int got;

	while ((got = scan_next(&r->scan, &line, &len)) > 0) {
		if (!journal_line_parse(line, len, &p))
			return -EBADMSG;
		if (p.seq <= r->after)
			continue;
		*ret = (struct journal_line){line, len, p.seq, p.seq > r->last ? p.seq - r->last - 1 : 0};
		r->last = p.seq;
		return 1;
	}
	if (got == 0 && was_cut(r))
		return next_here(r, ret);
	return got == -EFBIG ? -EBADMSG : got;
}

/* At the end of a segment. 1: the next one is open; 0: there is none; -EBADMSG: what this one ends with is no whole line. */
static int go_on(struct journal_reader *r, bool *looked)
{
	bool last;
	int err = is_last(r, &last);

	if (err || last)
		return err;
	if (!*looked) {
		*looked = true; /* what was written before the next one was begun */
		return 1;
	}
	*looked = false;
	bool torn = r->scan.rest > 0;
	int got = next_segment(r);

	return got > 0 && torn ? -EBADMSG : got;
}

int journal_reader_next(struct journal_reader *r, struct journal_line *ret)
{
	bool looked = false;
	int got = r->first ? 1 : next_segment(r);

	while (got > 0) {
		got = next_here(r, ret);
		if (got)
			return got;
		got = go_on(r, &looked);
	}
	return got;
}

/* --- where to begin ------------------------------------------------------------------------- */

int journal_reader_after(struct journal_reader *r, uint64_t seq)
{
	struct journal_files f = {0};
	int err = journal_segments_read(r->dir, &f);
	size_t at = 0;

	leave_segment(r);
	while (!err && at + 1 < f.n && f.v[at + 1].seq <= seq + 1)
		at++;
	if (!err && f.n)
		err = open_segment(r, &f.v[at]);
	free(f.v);
	if (err == -ENOENT)
		err = 0; /* it was just removed: then from the first that there is */
	if (!err)
		r->after = r->last = seq;
	return err;
}

/* When its first record was made; false: that cannot be told. */
static bool begins(struct journal_reader *r, const struct journal_file *f, struct timespec *ret)
{
	_cleanup_close_ int fd = journal_open_file(r->dir, f->name, NULL);
	struct journal_line_parts p;
	struct scan s = {0};
	char time[TIME_LEN];
	const char *line;
	size_t len;
	bool known;

	if (fd < 0)
		return false;
	scan_begin(&s, fd, 0);
	known = scan_next(&s, &line, &len) > 0 && journal_line_parse(line, len, &p) &&
		!time_parse(journal_line_time(&p, time), ret);
	scan_free(&s);
	return known;
}

static bool is_before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

int journal_reader_at(struct journal_reader *r, const struct timespec *since)
{
	struct journal_files f = {0};
	int err = journal_segments_read(r->dir, &f);
	struct timespec time;
	size_t at = 0;

	/* the one before the first that begins at `since` or later: a clock that was set back does not hide anything */
	for (size_t i = 0; !err && i < f.n; i++) {
		if (begins(r, &f.v[i], &time) && !is_before(&time, since))
			break;
		at = i;
	}
	leave_segment(r);
	r->after = r->last = 0;
	if (!err && f.n) {
		err = open_segment(r, &f.v[at]);
		r->last = f.v[at].seq - 1;
	}
	free(f.v);
	return err == -ENOENT ? 0 : err;
}
