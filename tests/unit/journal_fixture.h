/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A journal in a directory of its own, records for it, and what lies there afterwards. */
#ifndef JOURNAL_FIXTURE_H
#define JOURNAL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "user/export/journal.h"
#include "user/export/journal_dir.h"
#include "user/export/journal_line.h"
#include "user/export/journal_read.h"

#define USED __attribute__((unused))
#define NEVER (10000 * 86400 * NSEC)

struct fixture {
	char root[64], dir[128], state[128];
	uint64_t max_size, retain_ns, now; /* boot time */
	struct timespec wall;
	size_t room;
	struct journal *j;
	unsigned size; /* of a record's filling */
};

USED static void remove_all(const char *path)
{
	char command[PATH_MAX];

	snprintf(command, sizeof(command), "rm -rf '%s'", path);
	assert_int_equal(system(command), 0);
}

USED static void copy_all(const char *from, const char *to)
{
	char command[PATH_MAX];

	remove_all(to);
	snprintf(command, sizeof(command), "cp -a '%s' '%s'", from, to);
	assert_int_equal(system(command), 0);
}

USED static void begin(struct fixture *t)
{
	*t =
	    (struct fixture){.max_size = 64 << 20, .retain_ns = NEVER, .now = 5000 * NSEC, .wall = {1800000000, 0}, .size = 40};
	/* in memory where that can be: thousands of small journals are synced here */
	snprintf(t->root, sizeof(t->root), "%s/sluice-journal-XXXXXX", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	assert_non_null(mkdtemp(t->root));
	snprintf(t->dir, sizeof(t->dir), "%s/j", t->root);
	snprintf(t->state, sizeof(t->state), "%s/s", t->root);
}

USED static int try_open(struct fixture *t, struct journal_error *ret_error)
{
	struct journal_options o = {.dir = t->dir,
				    .state = t->state,
				    .host = "here",
				    .max_size = t->max_size,
				    .retain_ns = t->retain_ns,
				    .room = t->room};

	return journal_open(&o, &t->wall, t->now, &t->j, ret_error);
}

USED static void open_journal(struct fixture *t)
{
	struct journal_error why = {};

	if (try_open(t, &why))
		fail_msg("%s", why.text);
}

USED static json_t *record_of(struct fixture *t, const char *type, uint64_t seq)
{
	char time[TIME_LEN], filling[8192];

	assert_true(t->size < sizeof(filling));
	memset(filling, 'x', t->size);
	filling[t->size] = '\0';
	json_t *r = json_pack("{s:i, s:s, s:s, s:I, s:{s:s}, s:s}", "v", 1, "type", type, "time", time_rfc3339(time, &t->wall),
			      "seq", (json_int_t)seq, "host", "name", "here", "filling", filling);
	assert_non_null(r);
	return r;
}

USED static int put(struct fixture *t, const char *type)
{
	json_t *r = record_of(t, type, journal_seq(t->j) + 1);
	int got = journal_put(t->j, r, NULL, NULL);

	json_decref(r);
	return got;
}

/* As the monitor does it. */
USED static unsigned give_notes(struct fixture *t)
{
	const json_t *members;
	const char *type;
	unsigned n = 0;

	while ((members = journal_note(t->j, &type))) {
		json_t *r = record_of(t, type, journal_seq(t->j) + 1);

		assert_int_equal(json_object_update(r, (json_t *)members), 0);
		int got = journal_put(t->j, r, NULL, NULL);
		json_decref(r);
		assert_int_not_equal(got, -EINVAL);
		if (got < 0)
			break;
		journal_noted(t->j);
		n++;
	}
	return n;
}

USED static void step(struct fixture *t, uint64_t ns)
{
	t->now += ns;
	t->wall.tv_sec += (time_t)(ns / NSEC);
	journal_tick(t->j, &t->wall, t->now);
	give_notes(t);
}

USED static void fill(struct fixture *t, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		int got = put(t, i % 7 == 3 ? "finding" : "access");

		assert_true(got >= 0);
		if (got > 0)
			step(t, NSEC);
	}
}

USED static void close_journal(struct fixture *t)
{
	assert_int_equal(journal_close(t->j, 20000), 0);
	t->j = NULL;
}

/* As a monitor that is stopped. */
USED static void end_well(struct fixture *t)
{
	give_notes(t);
	journal_end(t->j, &t->wall);
	give_notes(t);
	close_journal(t);
}

USED static void end(struct fixture *t)
{
	journal_close(t->j, 1000);
	remove_all(t->root);
}

USED static void drained(struct fixture *t)
{
	struct journal_state s;

	for (int i = 0; i < 4000; i++) {
		journal_look(t->j, &s);
		if (!s.queued)
			return;
		usleep(5000);
	}
	fail_msg("%zu bytes wait", s.queued);
}

/* --- what lies there ------------------------------------------------------------------- */

struct files {
	char **v;
	size_t n;
};

USED static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names that begin and end so, sorted. */
USED static struct files files_of(const char *dir, const char *head, const char *tail)
{
	struct files f = {0};
	DIR *d = opendir(dir);
	struct dirent *e;

	assert_non_null(d);
	while ((e = readdir(d))) {
		size_t n = strlen(e->d_name), t = strlen(tail);

		if (strncmp(e->d_name, head, strlen(head)) != 0 || n < t || strcmp(e->d_name + n - t, tail) != 0 ||
		    e->d_name[0] == '.')
			continue;
		f.v = realloc(f.v, (f.n + 1) * sizeof(*f.v));
		f.v[f.n++] = strdup(e->d_name);
	}
	closedir(d);
	if (f.n)
		qsort(f.v, f.n, sizeof(*f.v), by_name);
	return f;
}

USED static void files_free(struct files *f)
{
	for (size_t i = 0; i < f->n; i++)
		free(f->v[i]);
	free(f->v);
	*f = (struct files){0};
}

USED static char *load(const char *dir, const char *name, size_t *ret_len)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY);
	char *text = NULL;

	assert_true(fd >= 0);
	assert_int_equal(journal_read_file(fd, name, 64 << 20, &text, ret_len), 0);
	close(fd);
	return text;
}

USED static void save(const char *dir, const char *name, const char *text, size_t len)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

/* Every record of the directory by the reader, each one more than the last: JSON objects. */
USED static json_t *read_all(const char *dir)
{
	json_t *all = json_array();
	struct journal_reader *r;
	struct journal_line l;
	int got;

	assert_int_equal(journal_reader_open(dir, &r), 0);
	while ((got = journal_reader_next(r, &l)) > 0) {
		json_t *v = json_loadb(l.text, l.len, JSON_REJECT_DUPLICATES, NULL);

		assert_non_null(v);
		assert_int_equal(json_integer_value(json_object_get(v, "seq")), l.seq);
		json_array_append_new(all, v);
	}
	assert_int_equal(got, 0);
	journal_reader_close(r);
	return all;
}

USED static json_int_t seq_at(const json_t *all, size_t i)
{
	return json_integer_value(json_object_get(json_array_get(all, i), "seq"));
}

/* Without holes, from `first`: how many. */
USED static size_t assert_whole(const char *dir, uint64_t first)
{
	json_t *all = read_all(dir);
	size_t n = json_array_size(all);

	for (size_t i = 0; i < n; i++)
		assert_int_equal(seq_at(all, i), first + i);
	json_decref(all);
	return n;
}

/* The chain, by other means than the journal's own. */
USED static void assert_chain(const char *dir, const char *before)
{
	struct files f = files_of(dir, "sluice-", ".jsonl");
	char prev[HASH_HEX + 1];

	snprintf(prev, sizeof(prev), "%s", before);
	for (size_t i = 0; i < f.n; i++) {
		size_t len;
		char *text = load(dir, f.v[i], &len), *end;

		for (char *line = text; line < text + len; line = end + 1) {
			uint8_t sum[EVP_MAX_MD_SIZE];
			unsigned n;
			json_t *v;

			end = memchr(line, '\n', (size_t)(text + len - line));
			assert_non_null(end);
			v = json_loadb(line, (size_t)(end - line), 0, NULL);
			assert_non_null(v);
			assert_string_equal(json_string_value(json_object_get(v, "prev")), prev);
			json_decref(v);
			assert_int_equal(EVP_Digest(line, (size_t)(end - line), sum, &n, EVP_sha256(), NULL), 1);
			hex_text(sum, n, prev);
		}
		free(text);
	}
	files_free(&f);
}

/* Records of the journal's own of this event. */
USED static unsigned count_event(const char *dir, const char *event)
{
	json_t *all = read_all(dir), *r;
	unsigned n = 0;
	size_t i;

	json_array_foreach (all, i, r) {
		const char *e = json_string_value(json_object_get(r, "event"));

		n += e && !strcmp(e, event);
	}
	json_decref(all);
	return n;
}

#endif
