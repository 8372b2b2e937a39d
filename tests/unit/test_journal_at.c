/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Reading a journal from a time on, and a long one. */
#include "tests/unit/journal_fixture.h"

#include <dlfcn.h>

static struct journal_reader *reader(const char *dir)
{
	struct journal_reader *r;

	assert_int_equal(journal_reader_open(dir, &r), 0);
	return r;
}

static void test_at(void **state)
{
	struct fixture t;
	struct journal_reader *r;
	struct journal_line l;
	struct timespec from;

	begin(&t);
	from = t.wall;
	open_journal(&t);
	give_notes(&t);
	for (int i = 0; i < 10 * 60; i++) { /* ten hours */
		fill(&t, 1);
		step(&t, 60 * NSEC);
	}
	end_well(&t);
	r = reader(t.dir);
	for (int minute = -100; minute < 11 * 60; minute += 7) {
		struct timespec since = {from.tv_sec + minute * 60, 0}, at;
		char time[TIME_LEN];
		uint64_t older = 0;
		struct journal_line_parts p;
		int got;

		assert_int_equal(journal_reader_at(r, &since), 0);
		while ((got = journal_reader_next(r, &l)) > 0) {
			assert_true(journal_line_parse(l.text, l.len, &p));
			assert_int_equal(time_parse(journal_line_time(&p, time), &at), 0);
			if (at.tv_sec >= since.tv_sec)
				break;
			older++;
		}
		assert_true(older <= 190); /* of two hours or three */
		if (minute <= 0)
			assert_int_equal(l.seq, 1);
		if (got > 0 && minute > 1) /* none was missed: the one before is older */
			assert_true(at.tv_sec - since.tv_sec < 120);
		assert_int_equal(l.skipped, 0);
	}
	journal_reader_close(r);
	end(&t);
}

static json_int_t count_since(struct journal_reader *r, time_t since)
{
	struct journal_line_parts p;
	struct journal_line l;
	json_int_t n = 0;

	while (journal_reader_next(r, &l) > 0) {
		struct timespec at;
		char time[TIME_LEN];

		assert_true(journal_line_parse(l.text, l.len, &p));
		assert_int_equal(time_parse(journal_line_time(&p, time), &at), 0);
		n += at.tv_sec >= since;
	}
	return n;
}

/* What was written by the clock as it was before is found at its time. */
static void test_at_with_a_clock_set_back(void **state)
{
	for (int back = 60; back <= 3 * 3600; back *= 4) {
		struct fixture t;
		struct journal_reader *r;

		begin(&t);
		open_journal(&t);
		give_notes(&t);
		time_t from = t.wall.tv_sec;
		for (int minute = 0; minute < 7 * 60; minute++) {
			fill(&t, 1);
			step(&t, 60 * NSEC);
			if (minute == 220)
				t.wall.tv_sec -= back;
		}
		end_well(&t);
		r = reader(t.dir);
		for (time_t since = from; since < from + 7 * 3600; since += 900) {
			assert_int_equal(journal_reader_at(r, &(struct timespec){since, 0}), 0);
			json_int_t some = count_since(r, since);

			assert_int_equal(journal_reader_after(r, 0), 0);
			assert_int_equal(some, count_since(r, since));
		}
		journal_reader_close(r);
		end(&t);
	}
}

/* Who asks for a time of which some is gone is told so; who asks for a later one need not be. */
static void test_at_tells_what_is_gone(void **state)
{
	struct fixture t;
	struct journal_reader *r;
	struct journal_line l;

	begin(&t);
	t.retain_ns = 5 * 3600 * NSEC;
	open_journal(&t);
	give_notes(&t);
	struct timespec from = t.wall;
	for (int i = 0; i < 12 * 60; i++) {
		fill(&t, 1);
		step(&t, 60 * NSEC);
	}
	end_well(&t);
	r = reader(t.dir);
	assert_int_equal(journal_reader_at(r, &from), 0);
	assert_int_equal(journal_reader_next(r, &l), 1);
	assert_true(l.seq > 300);
	assert_int_equal(l.skipped, l.seq - 1);
	assert_int_equal(journal_reader_at(r, &(struct timespec){t.wall.tv_sec - 600, 0}), 0);
	assert_int_equal(journal_reader_next(r, &l), 1);
	assert_int_equal(l.skipped, 0);
	journal_reader_close(r);
	end(&t);
}

/* --- many segments ---------------------------------------------------------------------- */

static unsigned listings;

/* In place of libc's. */
DIR *fdopendir(int fd)
{
	DIR *(*real)(int);

	*(void **)&real = dlsym(RTLD_NEXT, "fdopendir");
	listings++;
	return real(fd);
}

/* A year has nine thousand: the directory is not read for each of them. */
static void test_many_segments(void **state)
{
	struct fixture t;
	struct journal_reader *r;
	struct journal_line l;
	uint64_t had = 0;

	begin(&t);
	open_journal(&t);
	give_notes(&t);
	for (int hour = 0; hour < 150; hour++) {
		fill(&t, 1);
		step(&t, 3601 * NSEC);
	}
	end_well(&t);
	struct files f = files_of(t.dir, "sluice-", ".jsonl");
	assert_true(f.n > 150);
	files_free(&f);
	r = reader(t.dir);
	listings = 0;
	while (journal_reader_next(r, &l) > 0)
		assert_int_equal(l.seq, ++had);
	assert_true(had > 300);
	assert_true(listings < 5);
	journal_reader_close(r);
	end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_at),
	    cmocka_unit_test(test_at_with_a_clock_set_back),
	    cmocka_unit_test(test_at_tells_what_is_gone),
	    cmocka_unit_test(test_many_segments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
