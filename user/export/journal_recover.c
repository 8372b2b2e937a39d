/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Taking up a journal where its last monitor left it, whatever stopped that. */
#include "user/export/journal_internal.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "user/array.h"
#include "user/export/journal_scan.h"

/* A segment that was read to its end. */
struct tail {
	struct segment s;
	struct journal_head head; /* its last good line; seq 0: none */
	uint64_t good_end;	  /* where that ends */
	uint64_t odd_seq;	  /* a record whose hash is not what the next one says, or known; 0: none */
	bool odd_after;		  /* what is no record, and yet records behind it */
};

/* --- one segment ----------------------------------------------------------------------- */

static bool is_other(const struct journal_known *known, const struct journal_head *head)
{
	for (size_t i = 0; i < known->n; i++)
		if (known->v[i].seq == head->seq && strcmp(known->v[i].hash, head->hash) != 0)
			return true;
	return false;
}

static void take_line(struct tail *t, struct hasher *h, const struct journal_line_parts *p, const char *line, size_t len,
		      const struct journal_known *known)
{
	bool first = !t->head.seq;

	if (first) {
		t->s.first = p->seq;
		memcpy(t->s.prev, p->prev, HASH_HEX);
		t->s.prev[HASH_HEX] = '\0';
		journal_line_time(p, t->s.first_time);
	} else if (!t->odd_seq && (p->seq != t->head.seq + 1 || memcmp(p->prev, t->head.hash, HASH_HEX) != 0)) {
		t->odd_seq = t->head.seq;
	}
	hasher_hex(h, line, len, t->head.hash);
	t->head.seq = p->seq;
	t->s.last = p->seq;
	journal_line_time(p, t->s.last_time);
	if (!t->odd_seq && is_other(known, &t->head))
		t->odd_seq = p->seq;
}

static int read_tail(struct journal *j, int fd, const struct journal_known *known, struct tail *ret)
{
	struct tail t = {0};
	struct scan s = {0};
	const char *line;
	size_t len;
	int got;

	scan_begin(&s, fd, 0);
	hasher_begin(&j->whole);
	while ((got = scan_next(&s, &line, &len)) > 0 || got == -EFBIG) {
		struct journal_line_parts p;

		if (got < 0 || !journal_line_parse(line, len, &p) || p.seq > JOURNAL_SEQ_MOST)
			continue;
		t.odd_after = t.odd_after || s.offset - len - 1 != t.good_end;
		t.good_end = s.offset;
		hasher_add(&j->whole, line, len + 1);
		take_line(&t, &j->line, &p, line, len, known);
	}
	scan_free(&s);
	if (!got)
		*ret = t;
	return got;
}

int journal_hash_file(int dir, const char *name, char ret[static HASH_HEX + 1])
{
	_cleanup_close_ int fd = journal_open_file(dir, name, NULL);
	_cleanup_free_ char *data = malloc(1u << 20);
	struct hasher h = {0};
	uint64_t at = 0;
	size_t n;
	int err = fd < 0 ? fd : data ? hasher_open(&h) : -ENOMEM;

	if (err)
		return err;
	while (!(err = journal_pread(fd, data, 1u << 20, at, &n)) && n) {
		hasher_add(&h, data, n);
		at += n;
	}
	hasher_end(&h, ret);
	hasher_close(&h);
	return err;
}

/* --- what is known of those before the last ---------------------------------------------- */

static int look_at_first_line(const struct journal *j, const char *name, struct segment *s)
{
	_cleanup_close_ int fd = journal_open_file(j->dir, name, &s->bytes);
	struct journal_line_parts p;
	struct scan scan = {0};
	const char *line;
	size_t len;
	int got;

	if (fd < 0)
		return fd;
	scan_begin(&scan, fd, 0);
	got = scan_next(&scan, &line, &len);
	if (got > 0 && journal_line_parse(line, len, &p)) {
		memcpy(s->prev, p.prev, HASH_HEX);
		s->prev[HASH_HEX] = '\0';
		journal_line_time(&p, s->first_time);
	}
	scan_free(&scan);
	return got < 0 && got != -EFBIG ? got : 0;
}

/* All but the last of the list; a segment's own last record is the one before the next's first. */
static int list_closed(struct journal *j, const struct journal_files *f)
{
	int err = 0;

	for (size_t i = 0; i + 1 < f->n && !err; i++) {
		struct segment s = {.first = f->v[i].seq, .last = f->v[i + 1].seq - 1};

		err = look_at_first_line(j, f->v[i].name, &s);
		if (!err)
			err = array_grow((void **)&j->closed, &j->max_closed, j->nclosed + 1, sizeof(*j->closed));
		if (!err) {
			j->closed[j->nclosed++] = s;
			j->bytes += s.bytes;
		}
	}
	for (size_t i = 0; i + 1 < j->nclosed && !err; i++)
		memcpy(j->closed[i].last_time, j->closed[i + 1].first_time, TIME_LEN);
	return err;
}

static uint64_t file_size(const struct journal *j, const char *name)
{
	struct stat st;

	return fstatat(j->dir, name, &st, AT_SYMLINK_NOFOLLOW) ? 0 : (uint64_t)st.st_size;
}

static int list_digests(struct journal *j, const struct journal_files *f)
{
	for (size_t i = 0; i < f->n; i++) {
		char sig[JOURNAL_NAME + 8];
		int err = array_grow((void **)&j->digests, &j->max_digests, j->ndigests + 1, sizeof(*j->digests));

		if (err)
			return err;
		snprintf(sig, sizeof(sig), "%s.sig", f->v[i].name);
		struct digest_file *d = &j->digests[j->ndigests++];
		*d = (struct digest_file){f->v[i], file_size(j, f->v[i].name) + file_size(j, sig)};
		j->bytes += d->bytes;
	}
	return 0;
}

const struct digest_file *journal_newest_digest(const struct journal *j, uint64_t seq)
{
	for (size_t i = j->ndigests; i > 0; i--)
		if (j->digests[i - 1].file.seq <= seq)
			return &j->digests[i - 1];
	return NULL;
}

/* --- the last --------------------------------------------------------------------------------- */

static void note_torn(struct journal *j, const char *name, uint64_t bytes, const char *hash, uint64_t after)
{
	journal_add_note(j, "journal",
			 json_pack("{s:s, s:s, s:I, s:s, s:I}", "event", "torn", "segment", name, "bytes", (json_int_t)bytes,
				   "hash", hash, "after", (json_int_t)after),
			 NULL);
}

/* What follows the last good line was written in part when its writer ended. */
static int cut(struct journal *j, const char *name, uint64_t from, uint64_t size, uint64_t after)
{
	_cleanup_close_ int fd = openat(j->dir, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_free_ char *data = malloc(1u << 20);
	char hash[HASH_HEX + 1];
	uint64_t at = from;
	size_t n;
	int err = fd < 0 ? -errno : data ? 0 : -ENOMEM;

	if (err)
		return err;
	hasher_begin(&j->line);
	while (at < size && !(err = journal_pread(fd, data, 1u << 20, at, &n)) && n) {
		hasher_add(&j->line, data, n);
		at += n;
	}
	hasher_end(&j->line, hash);
	if (err)
		return err;
	if (from ? ftruncate(fd, (off_t)from) : unlinkat(j->dir, name, 0))
		return -errno;
	if (fsync(from ? fd : j->dir) && errno != EINVAL)
		return -errno;
	if (size > from) /* an empty one was made, and no more */
		note_torn(j, name, size - from, hash, after);
	return 0;
}

static void note_odd(struct journal *j, const char *name, const struct tail *t)
{
	journal_add_note(j, "journal",
			 json_pack("{s:s, s:s, s:I}", "event", "altered", "segment", name, "record",
				   (json_int_t)(t->odd_seq ? t->odd_seq : t->head.seq)),
			 NULL);
}

/* The last segment; if it holds nothing good it goes, and the one before is the last. */
static int take_last(struct journal *j, struct journal_files *f, const struct journal_known *known, bool *ret_odd)
{
	while (f->n) {
		const struct journal_file *last = &f->v[f->n - 1];
		struct tail t;
		uint64_t size;
		_cleanup_close_ int fd = journal_open_file(j->dir, last->name, &size);
		int err = fd < 0 ? fd : read_tail(j, fd, known, &t);

		if (!err && (t.good_end < size || !t.head.seq))
			err = cut(j, last->name, t.good_end, size, t.head.seq ? t.head.seq : last->seq - 1);
		if (err)
			return err;
		if (!t.head.seq) {
			f->n--;
			continue;
		}
		if (t.odd_seq || t.odd_after)
			note_odd(j, last->name, &t);
		t.s.bytes = t.good_end;
		t.s.first = last->seq; /* its name, whatever its first line says */
		j->open = t.s;
		j->is_open = true;
		j->head = t.head;
		j->bytes += t.s.bytes;
		*ret_odd = t.odd_after;
		return 0;
	}
	return 0;
}

/* Behind the newest digest, the last segment is closed; so it is where something is wrong with it. */
static int close_last(struct journal *j)
{
	int err = array_grow((void **)&j->closed, &j->max_closed, j->nclosed + 1, sizeof(*j->closed));

	if (err)
		return err;
	j->closed[j->nclosed++] = j->open;
	j->is_open = false;
	return 0;
}

static void note_cut(struct journal *j, const struct journal_head *known)
{
	journal_add_note(j, "journal",
			 json_pack("{s:s, s:I, s:I}", "event", "cut", "first_seq", (json_int_t)(j->head.seq + 1), "last_seq",
				   (json_int_t)known->seq),
			 NULL);
}

/* The head beside the records can have been written with them: either may say that nothing was to follow. */
static void note_added(struct journal *j, const struct journal_known *known)
{
	const struct journal_head *end = NULL;

	for (size_t i = 0; i < known->n; i++)
		if (known->v[i].closed && known->v[i].seq < j->head.seq && (!end || known->v[i].seq < end->seq))
			end = &known->v[i];
	if (end)
		journal_add_note(j, "journal",
				 json_pack("{s:s, s:I, s:I}", "event", "added", "first_seq", (json_int_t)(end->seq + 1), "last_seq",
					   (json_int_t)j->head.seq),
				 NULL);
}

static int hash_uncovered(struct journal *j, uint64_t covered)
{
	int err = 0;

	for (size_t i = 0; i < j->nclosed && !err; i++) {
		char name[JOURNAL_NAME];

		if (j->closed[i].first <= covered)
			continue;
		journal_segment_name(name, j->closed[i].first);
		err = journal_hash_file(j->dir, name, j->closed[i].hash);
	}
	return err;
}

static void note_opened(struct journal *j, bool anchored)
{
	journal_add_note(j, "journal",
			 json_pack("{s:s, s:I, s:b, s:s}", "event", "opened", "after", (json_int_t)j->head.seq, "anchored",
				   (int)(anchored || !j->head.seq), "key", signer_fingerprint(j->signer)),
			 NULL);
}

static const struct journal_head *newest_of(const struct journal_known *known)
{
	const struct journal_head *newest = NULL;

	for (size_t i = 0; i < known->n; i++)
		if (!newest || known->v[i].seq >= newest->seq)
			newest = &known->v[i];
	return newest;
}

static int take_files(struct journal *j, struct journal_list *l, const struct journal_known *heads)
{
	const struct journal_head *known = newest_of(heads);
	const struct digest_file *newest;
	uint64_t covered;
	bool odd = false;
	int err = list_digests(j, &l->digests);

	if (!err)
		err = take_last(j, &l->segments, heads, &odd);
	if (!err)
		err = list_closed(j, &l->segments);
	if (err)
		return err;
	newest = journal_newest_digest(j, MAX(j->head.seq, known ? known->seq : 0));
	covered = newest ? newest->file.seq : 0;
	if (j->nclosed && j->is_open)
		memcpy(j->closed[j->nclosed - 1].last_time, j->open.first_time, TIME_LEN);
	/* records that are gone leave a hole in the numbers, and not the same number twice */
	bool lost = known && known->seq > j->head.seq;
	if (j->is_open && (lost || odd || j->open.last <= covered || j->open.bytes >= j->segment_max))
		err = close_last(j);
	if (!err)
		note_added(j, heads);
	if (!err && lost) {
		note_cut(j, known);
		j->head = *known;
		j->head.closed = false;
	}
	return err ? err : hash_uncovered(j, covered);
}

int journal_take_up(struct journal *j, const struct journal_known *known)
{
	struct journal_list l;
	int err = journal_list_read(j->dir, &l);

	if (err)
		return err;
	err = take_files(j, &l, known);
	journal_list_free(&l);
	if (!err)
		note_opened(j, known->n > 0);
	return err;
}
