/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Reading a journal while it is written, and when it was damaged. */
#include "tests/unit/journal_fixture.h"
#include "user/json_lines.h"

static struct journal_reader *reader(const char *dir)
{
	struct journal_reader *r;

	assert_int_equal(journal_reader_open(dir, &r), 0);
	return r;
}

static void assert_next(struct journal_reader *r, uint64_t seq, uint64_t skipped)
{
	struct journal_line l = {0};

	assert_int_equal(journal_reader_next(r, &l), 1);
	assert_int_equal(l.seq, seq);
	assert_int_equal(l.skipped, skipped);
}

static void assert_none(struct journal_reader *r)
{
	struct journal_line l;

	assert_int_equal(journal_reader_next(r, &l), 0);
}

static void test_nothing_there(void **state)
{
	struct journal_reader *r;
	struct fixture t;

	begin(&t);
	assert_int_equal(journal_reader_open(t.dir, &r), -ENOENT);
	assert_int_equal(mkdir(t.dir, 0750), 0);
	r = reader(t.dir);
	assert_none(r);
	assert_int_equal(journal_reader_after(r, 5), 0);
	assert_none(r);
	assert_int_equal(journal_reader_at(r, &t.wall), 0);
	assert_none(r);
	assert_int_equal(journal_reader_after(r, 0), 0);
	/* it finds what comes */
	open_journal(&t);
	give_notes(&t);
	fill(&t, 2);
	end_well(&t);
	for (uint64_t i = 1; i <= 4; i++)
		assert_next(r, i, 0);
	assert_none(r);
	assert_null(journal_reader_close(r));
	end(&t);
}

static void test_follows_across_rotation(void **state)
{
	struct fixture t;
	struct journal_reader *r;
	struct journal_line l;
	uint64_t had = 0;

	begin(&t);
	t.max_size = 16 * 40000;
	t.size = 300;
	open_journal(&t);
	r = reader(t.dir);
	for (int i = 0; i < 60; i++) {
		fill(&t, 10);
		step(&t, NSEC);
		if (i % 3 == 0)
			drained(&t);
		while (journal_reader_next(r, &l) > 0) {
			assert_int_equal(l.seq, ++had);
			assert_int_equal(l.skipped, 0);
		}
	}
	assert_true(had > 300);
	end_well(&t);
	while (journal_reader_next(r, &l) > 0)
		assert_int_equal(l.seq, ++had);
	assert_int_equal(had, assert_whole(t.dir, 1));
	journal_reader_close(r);
	end(&t);
}

/* A line that is being written is none yet, at whatever byte its writer is. */
static void test_never_half_a_line(void **state)
{
	struct fixture t;
	struct journal_reader *r;
	char name[JOURNAL_NAME], path[256];
	size_t len, whole = 0;

	begin(&t);
	t.size = 3;
	open_journal(&t);
	give_notes(&t);
	fill(&t, 4);
	close_journal(&t);
	journal_segment_name(name, 1);
	char *text = load(t.dir, name, &len);
	snprintf(path, sizeof(path), "%s/%s", t.dir, name);
	int fd = open(path, O_WRONLY | O_TRUNC | O_APPEND);
	r = reader(t.dir);
	for (size_t at = 0; at < len; at++) {
		assert_int_equal(write(fd, text + at, 1), 1);
		if (text[at] == '\n')
			assert_next(r, ++whole, 0);
		assert_none(r);
	}
	assert_int_equal(whole, 5);
	/* a torn one, which the next monitor cuts off, and writes another in its place */
	assert_int_equal(write(fd, "{\"v\":1,\"type\":\"acc", 18), 18);
	assert_none(r);
	assert_int_equal(ftruncate(fd, (off_t)len), 0);
	close(fd);
	open_journal(&t);
	give_notes(&t);
	fill(&t, 1);
	close_journal(&t);
	assert_next(r, 6, 0);
	assert_next(r, 7, 0);
	assert_none(r);
	free(text);
	journal_reader_close(r);
	end(&t);
}

/* A whole line of rubbish that a crash left is passed over; and what stands there later is found. */
static void test_rubbish_that_was_cut(void **state)
{
	struct fixture t;
	struct journal_reader *r;
	struct journal_line l;
	char name[JOURNAL_NAME], path[256];

	begin(&t);
	open_journal(&t);
	give_notes(&t);
	fill(&t, 2);
	close_journal(&t);
	journal_segment_name(name, 1);
	snprintf(path, sizeof(path), "%s/%s", t.dir, name);
	FILE *f = fopen(path, "a");
	for (int i = 0; i < 300; i++)
		fprintf(f, "%0100d\n", i);
	fclose(f);
	r = reader(t.dir);
	for (uint64_t i = 1; i <= 3; i++)
		assert_next(r, i, 0);
	for (int i = 0; i < 300; i++)
		assert_int_equal(journal_reader_next(r, &l), -EBADMSG);
	assert_none(r);
	open_journal(&t);
	give_notes(&t);
	fill(&t, 1);
	end_well(&t);
	assert_int_equal(count_event(t.dir, "torn"), 1);
	for (uint64_t i = 4; i <= 7; i++) /* torn, opened, the record, a digest */
		assert_next(r, i, 0);
	assert_none(r);
	journal_reader_close(r);
	end(&t);
}

static void test_after(void **state)
{
	struct fixture t;
	struct journal_reader *r;

	begin(&t);
	t.max_size = 16 * 10000;
	t.size = 300;
	open_journal(&t);
	give_notes(&t);
	fill(&t, 99);
	end_well(&t);
	size_t all = assert_whole(t.dir, 1);
	r = reader(t.dir);
	for (uint64_t seq = 0; seq < all; seq++) {
		assert_int_equal(journal_reader_after(r, seq), 0);
		assert_next(r, seq + 1, 0);
	}
	assert_int_equal(journal_reader_after(r, all), 0);
	assert_none(r);
	assert_int_equal(journal_reader_after(r, all + 100), 0);
	assert_none(r);
	journal_reader_close(r);
	end(&t);
}

static void test_retention_under_a_reader(void **state)
{
	struct fixture t;
	struct journal_reader *r, *late;
	struct journal_line l;
	uint64_t had = 0, gone = 0;

	begin(&t);
	t.max_size = 150000;
	t.size = 400;
	open_journal(&t);
	give_notes(&t);
	fill(&t, 10);
	step(&t, NSEC);
	drained(&t);
	r = reader(t.dir);
	late = reader(t.dir);
	assert_next(r, ++had, 0);
	for (int i = 0; i < 50; i++) {
		fill(&t, 20);
		step(&t, NSEC);
	}
	end_well(&t);
	while (journal_reader_next(r, &l) > 0) {
		assert_int_equal(l.seq, had + 1 + l.skipped);
		gone += l.skipped;
		had = l.seq;
	}
	assert_true(gone > 300);
	/* what retention took before the first is told too */
	assert_int_equal(journal_reader_next(late, &l), 1);
	assert_int_equal(l.skipped, l.seq - 1);
	/* and from a place that is no more */
	uint64_t first = l.seq;
	assert_int_equal(journal_reader_after(late, 10), 0);
	assert_int_equal(journal_reader_next(late, &l), 1);
	assert_int_equal(l.seq, first);
	assert_int_equal(l.skipped, first - 11);
	journal_reader_close(r);
	journal_reader_close(late);
	end(&t);
}

/* --- damage ---------------------------------------------------------------------------- */

/* Each line once, whatever was done to one of them. */
static void test_damaged_lines(void **state)
{
	static const char *const bad[] = {
	    "",
	    "{}",
	    "null",
	    "{\"v\":1}",
	    "\xff\xfe",
	    "{\"v\":1,\"type\":\"x\",\"time\":\"2026\",\"seq\":0,\"a\":1,\"prev\":\"00\"}",
	    "{\"v\":1,\"type\":\"x\",\"time\":\"2026\",\"seq\":99999999999999999999,\"prev\":\"" HASH_NONE "\"}",
	    "{\"v\":1,\"type\":\"x\",\"time\":\"2026\",\"seq\":007,\"prev\":\"" HASH_NONE "\"}",
	    "{\"v\":1,\"type\":\"x\",\"time\":\"2026\",\"seq\":-7,\"prev\":\"" HASH_NONE "\"}",
	    "{\"v\":1,\"type\":\"\",\"time\":\"2026\",\"seq\":7,\"prev\":\"" HASH_NONE "\"}",
	    ",\"prev\":\"" HASH_NONE "\"}",
	};
	struct fixture t;
	char name[JOURNAL_NAME], *lines[6];
	size_t len;

	begin(&t);
	open_journal(&t);
	give_notes(&t);
	fill(&t, 5);
	close_journal(&t);
	journal_segment_name(name, 1);
	char *text = load(t.dir, name, &len), *at = text;
	for (int i = 0; i < 6; i++) {
		lines[i] = at;
		at = strchr(at, '\n');
		*at++ = '\0';
	}
	for (size_t b = 0; b < ARRAY_SIZE(bad); b++) {
		for (int where = 0; where < 6; where++) {
			char *all;
			size_t n;
			FILE *f = open_memstream(&all, &n);
			struct journal_reader *r;
			struct journal_line l;

			for (int i = 0; i < 6; i++)
				fprintf(f, "%s\n", i == where ? bad[b] : lines[i]);
			fclose(f);
			save(t.dir, name, all, n);
			free(all);
			r = reader(t.dir);
			for (int i = 0; i < 6; i++) {
				if (i == where)
					assert_int_equal(journal_reader_next(r, &l), -EBADMSG);
				else
					assert_next(r, (uint64_t)i + 1, i == where + 1);
			}
			assert_none(r);
			journal_reader_close(r);
		}
	}
	free(text);
	end(&t);
}

static void test_a_line_without_end(void **state)
{
	struct fixture t;
	struct journal_reader *r;
	struct journal_line l;
	char name[JOURNAL_NAME], path[256];
	size_t len;

	begin(&t);
	open_journal(&t);
	give_notes(&t);
	fill(&t, 1);
	close_journal(&t);
	journal_segment_name(name, 1);
	snprintf(path, sizeof(path), "%s/%s", t.dir, name);
	char *text = load(t.dir, name, &len), *second = strchr(text, '\n') + 1;
	FILE *f = fopen(path, "w");
	fwrite(text, 1, (size_t)(second - text), f);
	for (size_t i = 0; i < 3u * JSON_LINE_MAX; i++)
		fputc('a', f);
	fputc('\n', f);
	fwrite(second, 1, len - (size_t)(second - text), f);
	fclose(f);
	r = reader(t.dir);
	assert_next(r, 1, 0);
	assert_int_equal(journal_reader_next(r, &l), -EBADMSG);
	assert_next(r, 2, 0);
	assert_none(r);
	journal_reader_close(r);
	free(text);
	end(&t);
}

/* A number that someone made up hides nothing that stands behind it. */
static void test_a_huge_number(void **state)
{
	struct fixture t;
	struct journal_reader *r;
	char name[JOURNAL_NAME], path[256];
	size_t len;

	begin(&t);
	open_journal(&t);
	give_notes(&t);
	fill(&t, 1);
	close_journal(&t);
	journal_segment_name(name, 1);
	snprintf(path, sizeof(path), "%s/%s", t.dir, name);
	char *text = load(t.dir, name, &len);
	FILE *f = fopen(path, "w");
	fprintf(f, "{\"v\":1,\"type\":\"x\",\"time\":\"2026\",\"seq\":999999999999999999,\"prev\":\"" HASH_NONE "\"}\n%s",
		text);
	fclose(f);
	r = reader(t.dir);
	assert_next(r, 999999999999999999, 999999999999999998);
	assert_next(r, 1, 0);
	assert_next(r, 2, 0);
	assert_none(r);
	journal_reader_close(r);
	free(text);
	end(&t);
}

static void test_other_files_are_passed_over(void **state)
{
	struct fixture t;
	char path[256];

	begin(&t);
	open_journal(&t);
	give_notes(&t);
	fill(&t, 3);
	end_well(&t);
	save(t.dir, "sluice-1.jsonl", "x\n", 2);
	save(t.dir, "sluice-00000000000000000000.jsonl", "x\n", 2);
	save(t.dir, "sluice-0000000000000000000x.jsonl", "x\n", 2);
	save(t.dir, "sluice-99999999999999999999.jsonl.gz", "x\n", 2);
	save(t.dir, "notes.txt", "x\n", 2);
	snprintf(path, sizeof(path), "%s/sub", t.dir);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(assert_whole(t.dir, 1), 5);
	end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_nothing_there),
	    cmocka_unit_test(test_follows_across_rotation),
	    cmocka_unit_test(test_never_half_a_line),
	    cmocka_unit_test(test_rubbish_that_was_cut),
	    cmocka_unit_test(test_after),
	    cmocka_unit_test(test_retention_under_a_reader),
	    cmocka_unit_test(test_damaged_lines),
	    cmocka_unit_test(test_a_line_without_end),
	    cmocka_unit_test(test_a_huge_number),
	    cmocka_unit_test(test_other_files_are_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
