/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* How far the exporter has come: kept, torn at any byte, locked, on a full disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <signal.h>
#include <sys/stat.h>

#include "user/export/cw_cursor.h"

#define SOCKET "/run/x/sluice.sock"

static char dir[64], file[128];

static int begin(void **state)
{
	strcpy(dir, "/tmp/sluice-cursor-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(file, sizeof(file), "%s/run-x-sluice.sock.export", dir);
	return 0;
}

static int end(void **state)
{
	unlink(file);
	return rmdir(dir);
}

static struct cw_state sample(uint64_t n)
{
	struct cw_state s = {
	    .id = "0a1b2c3d", .instance = "i-0abc", .hostname = "gpu-7", .group = "/sluice/i-0abc", .stream = "i-0abc.0a1b2c3d",
	    .mark = {.seq = n, .minute_seq = n - 1, .n = {.records = n, .batches = 3, .metrics = 5, .dropped = {7, 11, 13, 17, 19, 23},
	     .cut = 29, .retimed = 31, .repeated = 37}, .told = {.records = 1}, .told_seq = 41, .metered = 43},
	    .anchors = {{n, "aa"}, {n - 2, "bb"}}, .event_max = 47, .batch_max = 53, .group_made = true, .retain_days = 30,
	};

	s.intent = (struct cw_intent){.set = true, .group = "/g", .stream = "s", .first = n + 1, .last = n + 59, .batch = 4,
				      .from_ms = 1795206495057, .to_ms = 1795206495058, .sent_ms = 1795206495059,
				      .anchor = {n + 59, "cc"}, .after = s.mark};
	s.intent.after.seq = n + 59;
	return s;
}

static struct cw_state load(bool *ret_lost)
{
	struct cw_cursor *c = NULL;
	struct cw_state s;

	assert_int_equal(cw_cursor_open(dir, SOCKET, &c, &s, ret_lost), 0);
	cw_cursor_close(c);
	return s;
}

static void save(const struct cw_state *s)
{
	struct cw_cursor *c = NULL;
	struct cw_state before;
	bool lost;

	assert_int_equal(cw_cursor_open(dir, SOCKET, &c, &before, &lost), 0);
	assert_int_equal(cw_cursor_save(c, s), 0);
	cw_cursor_close(c);
}

static bool same(const struct cw_state *a, const struct cw_state *b)
{
	return !strcmp(a->id, b->id) && !strcmp(a->instance, b->instance) && !strcmp(a->hostname, b->hostname) &&
	       !strcmp(a->group, b->group) && !strcmp(a->stream, b->stream) && !memcmp(&a->mark, &b->mark, sizeof(a->mark)) &&
	       a->intent.set == b->intent.set && !strcmp(a->intent.group, b->intent.group) &&
	       !strcmp(a->intent.stream, b->intent.stream) && a->intent.first == b->intent.first && a->intent.last == b->intent.last &&
	       a->intent.batch == b->intent.batch && a->intent.from_ms == b->intent.from_ms && a->intent.to_ms == b->intent.to_ms &&
	       a->intent.sent_ms == b->intent.sent_ms && a->intent.anchor.seq == b->intent.anchor.seq &&
	       !strcmp(a->intent.anchor.hash, b->intent.anchor.hash) &&
	       !memcmp(&a->intent.after, &b->intent.after, sizeof(a->intent.after)) && a->anchors[0].seq == b->anchors[0].seq &&
	       !strcmp(a->anchors[1].hash, b->anchors[1].hash) && a->anchors[2].seq == b->anchors[2].seq &&
	       a->event_max == b->event_max && a->batch_max == b->batch_max && a->group_made == b->group_made &&
	       a->retain_days == b->retain_days;
}

static void test_kept(void **state)
{
	bool lost = true;
	struct cw_state none = load(&lost), s;

	assert_false(lost);
	assert_string_equal(none.id, "");
	assert_int_equal(none.mark.seq, 0);
	for (uint64_t n = 101; n < 109; n++) {
		struct cw_state was = sample(n);

		save(&was);
		s = load(&lost);
		assert_true(same(&s, &was));
		assert_false(lost);
	}
}

static void test_arrived(void **state)
{
	struct cw_state s = sample(101);

	for (unsigned i = 0; i < 20; i++) {
		s.intent.set = true;
		s.intent.anchor = (struct cw_anchor){160 + i, ""};
		s.intent.after.seq = 160 + i;
		cw_state_arrived(&s);
		assert_false(s.intent.set);
		assert_int_equal(s.mark.seq, 160 + i);
		assert_int_equal(s.anchors[0].seq, 160 + i);
	}
	for (unsigned i = 0; i < CW_ANCHORS; i++)
		assert_int_equal(s.anchors[i].seq, 179 - i);
}

/* A write that stops after any number of bytes leaves the state before it. */
static void test_torn(void **state)
{
	struct cw_state one = sample(101), two = sample(211), s;
	char before[2 * 16384], after[2 * 16384];
	bool lost;
	int fd;

	save(&one);
	fd = open(file, O_RDWR);
	assert_int_equal(pread(fd, before, sizeof(before), 0), sizeof(before));
	save(&two);
	assert_int_equal(pread(fd, after, sizeof(after), 0), sizeof(after));
	size_t place = memcmp(before, after, 16384) ? 0 : 16384, n = strcspn(after + place, "\n") + 1;
	assert_true(n > 1000 && n < 16384);
	for (size_t cut = 0; cut < n; cut += 7) {
		assert_int_equal(pwrite(fd, before, sizeof(before), 0), sizeof(before));
		assert_int_equal(pwrite(fd, after + place, cut, (off_t)place), cut);
		s = load(&lost);
		assert_true(same(&s, &one));
		assert_false(lost);
	}
	assert_int_equal(pwrite(fd, after + place, n, (off_t)place), n);
	s = load(&lost);
	assert_true(same(&s, &two));
	/* and over the next save it goes on */
	save(&one);
	s = load(&lost);
	assert_true(same(&s, &one));
	close(fd);
}

static void test_unreadable(void **state)
{
	struct cw_state one = sample(101), s;
	bool lost;

	save(&one);
	int fd = open(file, O_RDWR);
	char x[16384];
	memset(x, 'x', sizeof(x));
	assert_int_equal(pwrite(fd, x, sizeof(x), 0), sizeof(x));
	assert_int_equal(pwrite(fd, x, sizeof(x), sizeof(x)), sizeof(x));
	s = load(&lost);
	assert_true(lost);
	assert_string_equal(s.id, "");
	assert_int_equal(ftruncate(fd, 100), 0); /* and a short one is made whole */
	load(&lost);
	assert_true(lost);
	save(&one);
	s = load(&lost);
	assert_true(same(&s, &one));
	close(fd);
}

static void test_locked(void **state)
{
	struct cw_cursor *c = NULL, *other = NULL;
	struct cw_state s;
	bool lost;

	assert_int_equal(cw_cursor_open(dir, SOCKET, &c, &s, &lost), 0);
	assert_int_equal(cw_cursor_open(dir, SOCKET, &other, &s, &lost), -EBUSY);
	assert_null(other);
	cw_cursor_close(c);
	assert_int_equal(cw_cursor_open(dir, SOCKET, &other, &s, &lost), 0);
	cw_cursor_close(other);
	assert_int_equal(chmod(dir, 0777), 0);
	assert_int_equal(cw_cursor_open(dir, SOCKET, &other, &s, &lost), -EPERM);
	assert_int_equal(cw_cursor_open("/nonexistent/x", SOCKET, &other, &s, &lost), -ENOENT);
}

/* Once it is there it needs no more room. */
static void test_full_disk(void **state)
{
	struct rlimit was, none = {0};
	struct cw_cursor *c = NULL;
	struct cw_state s = sample(101), got;
	bool lost;

	assert_int_equal(cw_cursor_open(dir, SOCKET, &c, &got, &lost), 0);
	getrlimit(RLIMIT_FSIZE, &was);
	none = (struct rlimit){2 * 16384, was.rlim_max};
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &none);
	for (unsigned i = 0; i < 7; i++) {
		s = sample(101 + i);
		assert_int_equal(cw_cursor_save(c, &s), 0);
	}
	setrlimit(RLIMIT_FSIZE, &was);
	cw_cursor_close(c);
	got = load(&lost);
	assert_true(same(&got, &s));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
	    TEST(test_kept),	   TEST(test_arrived), TEST(test_torn),
	    TEST(test_unreadable), TEST(test_locked),  TEST(test_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
