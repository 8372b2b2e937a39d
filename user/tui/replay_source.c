/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/tui/replay_source.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "user/export/journal_read.h"
#include "user/json_lines.h"
#include "user/tui/feed_internal.h"
#include "user/tui/replay_state.h"

#define BUFFER (1u << 20)
#define FAR_AHEAD 4102444800 /* 2100: behind every record */

struct replay_source {
	int fd; /* -1: a journal */
	struct journal_reader *journal;
	uint64_t seq; /* of the record read last */
	uint64_t size, place; /* of the file; of the first byte in the buffer */
	char *buffer;
	size_t n, done, room; /* bytes in the buffer, that were handed over, that there is room for */
};

struct replay_source *replay_source_close(struct replay_source *s)
{
	if (!s)
		return NULL;
	closep(&s->fd);
	journal_reader_close(s->journal);
	free(s->buffer);
	free(s);
	return NULL;
}

/* --- a file --------------------------------------------------------------------------- */

static int more_room(struct replay_source *s)
{
	size_t room = MAX(2 * s->room, (size_t)BUFFER);
	char *more;

	if (s->room >= 2 * (size_t)JSON_LINE_MAX)
		return -EBADMSG;
	more = realloc(s->buffer, room);
	if (!more)
		return -ENOMEM;
	s->buffer = more;
	s->room = room;
	return 0;
}

/* 1: there is more in the buffer now; 0: no more in the file. */
static int fill(struct replay_source *s)
{
	struct stat st;
	ssize_t n;

	if (s->done) {
		memmove(s->buffer, s->buffer + s->done, s->n - s->done);
		s->place += s->done;
		s->n -= s->done;
		s->done = 0;
	}
	int err = s->n == s->room ? more_room(s) : 0;
	if (err)
		return err;
	n = pread(s->fd, s->buffer + s->n, s->room - s->n, (off_t)(s->place + s->n));
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if (n == 0 && fstat(s->fd, &st) == 0)
		s->size = (uint64_t)st.st_size;
	s->n += (size_t)n;
	return n > 0;
}

/* A line that is longer than any record: to its end nothing is kept. */
static int pass_over(struct replay_source *s)
{
	int got = 1;

	for (;;) {
		const char *end = memchr(s->buffer + s->done, '\n', s->n - s->done);

		s->done = end ? (size_t)(end - s->buffer) + 1 : s->n;
		if (end || got <= 0)
			return got < 0 ? got : -EBADMSG;
		got = fill(s);
	}
}

/* The last line has no end while it is being written, or was left so: that one is none. */
static int next_line(struct replay_source *s, struct span *ret)
{
	size_t looked = s->done;

	for (;;) {
		const char *end = s->n > looked ? memchr(s->buffer + looked, '\n', s->n - looked) : NULL;

		if (end) {
			*ret = (struct span){s->buffer + s->done, (size_t)(end - s->buffer) - s->done};
			s->done = (size_t)(end - s->buffer) + 1;
			return 1;
		}
		looked = s->n - s->done;
		int got = fill(s);
		if (got == -EBADMSG)
			return pass_over(s);
		if (got <= 0)
			return got;
	}
}

/* --- any ---------------------------------------------------------------------------------- */

int replay_source_next(struct replay_source *s, struct span *ret)
{
	struct journal_line line;
	int got;

	if (s->fd >= 0)
		return next_line(s, ret);
	got = journal_reader_next(s->journal, &line);
	if (got <= 0)
		return got;
	s->seq = line.seq;
	*ret = (struct span){line.text, line.len};
	return 1;
}

uint64_t replay_source_tell(const struct replay_source *s)
{
	return s->fd >= 0 ? s->place + s->done : s->seq;
}

int replay_source_seek(struct replay_source *s, uint64_t place)
{
	if (s->fd < 0) {
		s->seq = place;
		return journal_reader_after(s->journal, place);
	}
	if (place >= s->place && place <= s->place + s->n) {
		s->done = (size_t)(place - s->place);
		return 0;
	}
	s->place = place;
	s->n = s->done = 0;
	return 0;
}

double replay_source_part(const struct replay_source *s)
{
	uint64_t at = replay_source_tell(s);

	return s->fd >= 0 && s->size ? (double)MIN(at, s->size) / (double)s->size : 0;
}

/* The time of the next record that has one. */
static int next_time(struct replay_source *s, int64_t *ret)
{
	struct span record;
	int got;

	while ((got = replay_source_next(s, &record)) == 1 || got == -EBADMSG)
		if (got == 1 && replay_time(record, ret) == 0)
			return 1;
	return got;
}

/* The last one from here on. */
static int last_time(struct replay_source *s, int64_t *ret)
{
	int64_t at;
	int got, any = 0;

	while ((got = next_time(s, &at)) == 1) {
		*ret = any ? MAX(*ret, at) : at;
		any = 1;
	}
	return got < 0 ? got : any;
}

/* Further and further back from the end, until there is a record. */
static int last_of_file(struct replay_source *s, int64_t *ret)
{
	struct stat st;

	if (fstat(s->fd, &st) < 0)
		return -errno;
	s->size = (uint64_t)st.st_size;
	for (uint64_t back = 64 << 10;; back *= 8) {
		struct span cut;
		int got;

		replay_source_seek(s, s->size - MIN(back, s->size));
		got = back < s->size ? next_line(s, &cut) : 1; /* it begins in the middle of one */
		if (got > 0 || got == -EBADMSG)
			got = last_time(s, ret);
		if (got || back >= s->size)
			return got;
	}
}

static int last_of_journal(struct replay_source *s, int64_t *ret)
{
	int got = journal_reader_at(s->journal, &(struct timespec){.tv_sec = FAR_AHEAD});

	if (!got)
		got = last_time(s, ret);
	if (got)
		return got;
	got = journal_reader_after(s->journal, 0); /* the last segment is new, and empty */
	return got ? got : last_time(s, ret);
}

int replay_source_span(struct replay_source *s, int64_t *ret_first, int64_t *ret_last)
{
	uint64_t place = replay_source_tell(s);
	int64_t first, last;
	int got = replay_source_seek(s, 0);

	if (!got)
		got = next_time(s, &first);
	if (got > 0)
		got = s->fd >= 0 ? last_of_file(s, &last) : last_of_journal(s, &last);
	int err = replay_source_seek(s, place);
	if (got <= 0)
		return got ? got : -ENODATA;
	if (err)
		return err;
	*ret_first = first;
	*ret_last = MAX(first, last);
	return 0;
}

/* --- the start ----------------------------------------------------------------------------- */

static int open_path(const char *path, struct replay_source *s)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return journal_reader_open(path, &s->journal);
	if (!S_ISREG(st.st_mode))
		return -ESPIPE;
	s->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	s->size = (uint64_t)st.st_size;
	return s->fd < 0 ? -errno : 0;
}

/* Is it what it is taken for? Else nothing at all would be shown of it. */
static int look_at_first(struct replay_source *s, const char *path, struct feed_error *ret_error)
{
	struct span record;
	int64_t at;
	int got = replay_source_next(s, &record);

	if (got == 0)
		return feed_fail(ret_error, -ENODATA, "%s: there is no record in it", path);
	if (got == 1 && replay_time(record, &at))
		got = -EBADMSG;
	if (got == -EBADMSG && s->fd >= 0)
		return feed_fail(
		    ret_error, -EINVAL,
		    "%s:1:1: no record of version 1: give what `sluice run --events` wrote, or a journal's directory", path);
	if (got < 0 && got != -EBADMSG)
		return feed_fail(ret_error, got, "%s: %s", path, strerror(-got));
	return replay_source_seek(s, 0);
}

int replay_source_open(const char *path, struct replay_source **ret, struct feed_error *ret_error)
{
	struct replay_source *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return feed_fail(ret_error, -ENOMEM, "no memory");
	s->fd = -1;
	err = open_path(path, s);
	if (err == -ESPIPE)
		feed_fail(ret_error, err,
			  "%s: neither a file nor a journal's directory: what is replayed must be there to go back to", path);
	else if (err)
		feed_fail(ret_error, err, "%s: %s", path, strerror(-err));
	else
		err = look_at_first(s, path, ret_error);
	if (err) {
		replay_source_close(s);
		return err;
	}
	*ret = s;
	return 0;
}
