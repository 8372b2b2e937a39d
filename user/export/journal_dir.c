/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/export/journal_dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "user/array.h"

#define SEGMENT_HEAD "sluice-"
#define SEGMENT_TAIL ".jsonl"
#define DIGEST_HEAD "digest-"
#define DIGEST_TAIL ".json"
#define KEY_HEAD "key-"
#define KEY_TAIL ".pem"
#define SEQ_DIGITS 20
#define FILES_MAX 1000000 /* more than any journal has: something else fills the directory */

/* --- names ----------------------------------------------------------------------- */

static bool framed(const char *name, const char *head, const char *tail)
{
	size_t n = strlen(name), h = strlen(head), t = strlen(tail);

	return n > h + t && n < JOURNAL_NAME && !strncmp(name, head, h) && !strcmp(name + n - t, tail);
}

static bool seq_of(const char *digits, uint64_t *ret)
{
	uint64_t seq = 0;

	for (int i = 0; i < SEQ_DIGITS; i++) {
		if (digits[i] < '0' || digits[i] > '9' || seq > (UINT64_MAX - 9) / 10)
			return false;
		seq = seq * 10 + (uint64_t)(digits[i] - '0');
	}
	*ret = seq;
	return true;
}

static bool is_segment(const char *name, uint64_t *ret_seq)
{
	return framed(name, SEGMENT_HEAD, SEGMENT_TAIL) &&
	       strlen(name) == strlen(SEGMENT_HEAD) + SEQ_DIGITS + strlen(SEGMENT_TAIL) &&
	       seq_of(name + strlen(SEGMENT_HEAD), ret_seq) && *ret_seq > 0;
}

static bool is_digest(const char *name, uint64_t *ret_seq)
{
	return framed(name, DIGEST_HEAD, DIGEST_TAIL) && strlen(name) > strlen(DIGEST_HEAD) + SEQ_DIGITS &&
	       seq_of(name + strlen(DIGEST_HEAD), ret_seq);
}

void journal_segment_name(char ret[static JOURNAL_NAME], uint64_t first)
{
	snprintf(ret, JOURNAL_NAME, SEGMENT_HEAD "%020" PRIu64 SEGMENT_TAIL, first);
}

void journal_digest_name(char ret[static JOURNAL_NAME], uint64_t last, const struct timespec *wall)
{
	struct tm tm = {0};
	char time[24];

	gmtime_r(&wall->tv_sec, &tm);
	if (!strftime(time, sizeof(time), "%Y%m%dT%H%M%SZ", &tm))
		time[0] = '\0';
	snprintf(ret, JOURNAL_NAME, DIGEST_HEAD "%020" PRIu64 "-%s" DIGEST_TAIL, last, time);
}

void journal_key_name(char ret[static JOURNAL_NAME], const char *fingerprint)
{
	snprintf(ret, JOURNAL_NAME, KEY_HEAD "%.16s" KEY_TAIL, fingerprint);
}

/* --- the directory ------------------------------------------------------------------ */

static int add(struct journal_files *to, const char *name, uint64_t seq)
{
	int err = to->n < FILES_MAX ? array_grow((void **)&to->v, &to->max, to->n + 1, sizeof(*to->v)) : -E2BIG;

	if (err)
		return err;
	to->v[to->n].seq = seq;
	snprintf(to->v[to->n++].name, JOURNAL_NAME, "%s", name);
	return 0;
}

static int sort_in(struct journal_list *l, const char *name)
{
	uint64_t seq = 0;

	if (is_segment(name, &seq))
		return add(&l->segments, name, seq);
	if (is_digest(name, &seq))
		return add(&l->digests, name, seq);
	if (framed(name, KEY_HEAD, KEY_TAIL))
		return add(&l->keys, name, 0);
	return 0;
}

static int by_seq(const void *a, const void *b)
{
	const struct journal_file *x = a, *y = b;

	if (x->seq != y->seq)
		return x->seq < y->seq ? -1 : 1;
	return strcmp(x->name, y->name);
}

static void sort(struct journal_files *f)
{
	if (f->n)
		qsort(f->v, f->n, sizeof(*f->v), by_seq);
}

void journal_list_free(struct journal_list *l)
{
	free(l->segments.v);
	free(l->digests.v);
	free(l->keys.v);
	*l = (struct journal_list){0};
}

int journal_list_read(int dir, struct journal_list *ret)
{
	struct journal_list l = {0};
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;

	if (!d) {
		err = -errno;
		if (fd >= 0)
			close(fd);
		return err;
	}
	while (!err && (errno = 0, e = readdir(d)))
		err = sort_in(&l, e->d_name);
	if (!err)
		err = -errno;
	closedir(d);
	if (err) {
		journal_list_free(&l);
		return err;
	}
	sort(&l.segments);
	sort(&l.digests);
	sort(&l.keys);
	*ret = l;
	return 0;
}

int journal_segments_read(int dir, struct journal_files *ret)
{
	struct journal_list l;
	int err = journal_list_read(dir, &l);

	if (err)
		return err;
	*ret = l.segments;
	l.segments = (struct journal_files){0};
	journal_list_free(&l);
	return 0;
}

/* --- files ----------------------------------------------------------------------------- */

int journal_open_file(int dir, const char *name, uint64_t *ret_size)
{
	_cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;
	int got;

	if (fd < 0 || fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (ret_size)
		*ret_size = (uint64_t)st.st_size;
	got = fd;
	fd = -1;
	return got;
}

bool journal_no_file(int err)
{
	return err == -EINVAL || err == -ELOOP || err == -ENXIO; /* by fstat(), a symlink, a socket */
}

int journal_pread(int fd, void *to, size_t n, uint64_t offset, size_t *ret_len)
{
	size_t have = 0;

	while (have < n) {
		ssize_t got = pread(fd, (char *)to + have, n - have, (off_t)(offset + have));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		have += (size_t)got;
	}
	*ret_len = have;
	return 0;
}

int journal_read_file(int dir, const char *name, size_t max, char **ret, size_t *ret_len)
{
	_cleanup_close_ int fd = journal_open_file(dir, name, NULL);
	_cleanup_free_ char *text = NULL;
	size_t len;
	int err;

	if (fd < 0)
		return fd;
	text = malloc(max + 2);
	if (!text)
		return -ENOMEM;
	err = journal_pread(fd, text, max + 1, 0, &len);
	if (!err && len > max)
		err = -EFBIG;
	if (err)
		return err;
	text[len] = '\0';
	*ret = text;
	*ret_len = len;
	text = NULL;
	return 0;
}
