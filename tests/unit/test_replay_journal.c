/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A journal is replayed as a file is: while it is written, and when its oldest segments are gone. */
#include "tests/unit/replay_fixture.h"
#include "tests/unit/journal_fixture.h"

static json_int_t total;

static void put_access(struct fixture *t, unsigned bytes)
{
	json_t *r = record_of(t, "access", journal_seq(t->j) + 1);
	json_t *more = json_pack("{s:n, s:{s:i, s:s, s:s}, s:s, s:{s:i}}", "job", "process", "pid", 7, "start",
				 "2026-01-01T00:00:00.000Z", "exe", "/bin/x", "dataset", "a", "bytes", "read", (int)bytes);

	json_object_update(r, more);
	assert_true(journal_put(t->j, r, NULL, NULL) >= 0);
	total += bytes;
	json_decref(r);
	json_decref(more);
}

static void put_seconds(struct fixture *t, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		put_access(t, i + 1);
		step(t, NSEC);
	}
	drained(t);
}

static json_int_t read_so_far(const struct feed *f)
{
	return json_integer_value(json_object_get(json_array_get(items(f, FEED_DATASETS), 0), "bytes_read"));
}

static void test_journal(void **state)
{
	struct feed_span s;
	struct fixture t;

	begin(&t);
	total = 0;
	open_journal(&t);
	give_notes(&t);
	put_seconds(&t, 100);
	struct feed *f = replay(t.dir);
	go_to_end(f);
	assert_int_equal(read_so_far(f), total);
	feed_span(f, &s);
	assert_int_equal(s.first.tv_sec, FIRST_S);
	assert_in_range(s.last.tv_sec, FIRST_S + 99, FIRST_S + 100);
	go_to(f, (struct timespec){FIRST_S + 49, 0});
	assert_int_equal(read_so_far(f), 50 * 51 / 2);
	go_to(f, (struct timespec){FIRST_S + 9, 0});
	assert_int_equal(read_so_far(f), 10 * 11 / 2);
	/* it goes on being written */
	go_to_end(f);
	feed_pause(f, false);
	put_seconds(&t, 3);
	for (uint64_t until = now_boot_ns() + 10 * NSEC; read_so_far(f) != total && now_boot_ns() < until;)
		shown(f);
	assert_int_equal(read_so_far(f), total);
	feed_close(f);
	end_well(&t);
	end(&t);
}

/* What retention took away is not there, and nothing is made of it. */
static void test_oldest_gone(void **state)
{
	struct fixture t;

	begin(&t);
	t.max_size = 16 * 40000;
	t.size = 2000;
	total = 0;
	open_journal(&t);
	give_notes(&t);
	put_seconds(&t, 900);
	end_well(&t);
	struct feed *f = replay(t.dir);
	struct feed_span s;
	feed_span(f, &s);
	assert_true(s.first.tv_sec > FIRST_S + 100);
	go_to_end(f);
	json_int_t kept = read_so_far(f);
	assert_true(kept > 0 && kept < total);
	for (unsigned i = 0; i < 10; i++) {
		go_to(f, (struct timespec){s.first.tv_sec + (time_t)i * 7, 0});
		go_to_end(f);
		assert_int_equal(read_so_far(f), kept);
	}
	feed_close(f);
	end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_journal),
		cmocka_unit_test(test_oldest_gone),
	};

	return cmocka_run_group_tests_name("replay_journal", tests, NULL, NULL);
}
