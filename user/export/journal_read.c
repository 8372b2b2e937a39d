/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/export/journal_read.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "user/export/journal_dir.h"
#include "user/export/journal_scan.h"

#define SEGMENT_SECONDS 3600 /* so long a monitor writes to one */

struct journal_reader {
	int dir, fd;
	uint64_t first; /* of the segment at hand, or of what was passed over, by its name; 0: none yet */
	struct scan scan;
	uint64_t after; /* older ones were had before */
	uint64_t last;	/* the one before the next, as far as is known */
	struct journal_files files; /* as listed last: to list them for each would cost their square */
	size_t behind;		    /* the next of these */
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
	free(r->files.v);
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

static void forget_files(struct journal_reader *r)
{
	free(r->files.v);
	r->files = (struct journal_files){0};
	r->behind = 0;
}

static void leave_segment(struct journal_reader *r)
{
	closep(&r->fd);
	r->fd = -1;
	r->first = 0;
	forget_files(r);
}

static bool is_listed(struct journal_reader *r)
{
	while (r->behind < r->files.n && r->files.v[r->behind].seq <= r->first)
		r->behind++;
	return r->behind < r->files.n;
}

/* The first segment behind the one at hand: is there one? Looks anew where none is known. */
static int find_behind(struct journal_reader *r, bool *ret)
{
	int err = 0;

	if (!is_listed(r)) {
		forget_files(r);
		err = journal_segments_read(r->dir, &r->files);
	}
	if (!err)
		*ret = is_listed(r);
	return err;
}

/* 1: it is open now; 0: there is none; -EBADMSG: what has its name is no file, and is passed over. */
static int next_segment(struct journal_reader *r)
{
	bool is, again = true;
	int err = find_behind(r, &is);

	while (!err && is) {
		err = open_segment(r, &r->files.v[r->behind]);
		if (journal_no_file(err)) {
			r->first = r->files.v[r->behind].seq;
			return -EBADMSG;
		}
		if (err != -ENOENT)
			return err ? err : 1;
		r->behind++; /* retention was faster */
		is = is_listed(r);
		err = 0;
		if (!is && again) {
			again = false;
			err = find_behind(r, &is);
		}
	}
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
	bool is;
	int err = find_behind(r, &is);

	if (err || !is)
		return err; /* what it lacks now may still come */
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
	int got = r->fd >= 0 ? 1 : next_segment(r);

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
	struct timespec time, early = {since->tv_sec - SEGMENT_SECONDS, since->tv_nsec};
	bool older = false;
	size_t at = 0;

	/* the one before the first that begins an hour before `since` or later: a clock that is set back within a segment does
	 * not hide what stands before that in it */
	for (size_t i = 0; !err && i < f.n; i++) {
		bool known = begins(r, &f.v[i], &time);

		older = older || (known && is_before(&time, since));
		if (known && !is_before(&time, &early))
			break;
		at = i;
	}
	leave_segment(r);
	r->after = r->last = 0;
	if (!err && f.n) {
		err = open_segment(r, &f.v[at]);
		r->last = at || older ? f.v[at].seq - 1 : 0; /* else some of that time may be gone */
	}
	free(f.v);
	return err == -ENOENT ? 0 : err;
}
