/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The journal as it is written: chain, rotation, retention, crashes, full disks. */
#include "tests/unit/journal_fixture.h"
#include "user/export/journal_head.h"

static void test_chain_and_numbers(void **state)
{
	struct fixture t;
	struct stat st;
	char path[256];

	begin(&t);
	open_journal(&t);
	assert_int_equal(journal_seq(t.j), 0);
	assert_int_equal(give_notes(&t), 1);
	fill(&t, 500);
	assert_int_equal(journal_seq(t.j), 501);
	end_well(&t);
	assert_int_equal(assert_whole(t.dir, 1), 502); /* and one of the last digest */
	assert_chain(t.dir, HASH_NONE);
	assert_int_equal(stat(t.dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0750);
	snprintf(path, sizeof(path), "%s/sluice-00000000000000000001.jsonl", t.dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	snprintf(path, sizeof(path), "%s/journal-key.pem", t.state);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	end(&t);
}

static void test_wrong_records_are_refused(void **state)
{
	struct fixture t;
	json_t *r;

	begin(&t);
	open_journal(&t);
	give_notes(&t);
	r = record_of(&t, "access", journal_seq(t.j) + 2); /* a hole */
	assert_int_equal(journal_put(t.j, r, NULL, NULL), -EINVAL);
	json_decref(r);
	r = record_of(&t, "access", journal_seq(t.j)); /* once more */
	assert_int_equal(journal_put(t.j, r, NULL, NULL), -EINVAL);
	json_decref(r);
	r = record_of(&t, "access", journal_seq(t.j) + 1);
	json_object_set_new(r, "prev", json_string("x"));
	assert_int_equal(journal_put(t.j, r, NULL, NULL), -EINVAL);
	json_decref(r);
	r = json_array();
	assert_int_equal(journal_put(t.j, r, NULL, NULL), -EINVAL);
	json_decref(r);
	fill(&t, 3);
	end_well(&t);
	assert_int_equal(assert_whole(t.dir, 1), 5);
	assert_chain(t.dir, HASH_NONE);
	end(&t);
}

static void test_goes_on_after_restart(void **state)
{
	struct fixture t;

	begin(&t);
	for (int i = 0; i < 5; i++) {
		uint64_t before;

		open_journal(&t);
		before = journal_seq(t.j);
		give_notes(&t);
		fill(&t, 20);
		assert_int_equal(journal_seq(t.j), before + 21);
		if (i % 2)
			end_well(&t);
		else
			close_journal(&t); /* without its last digest, as after a crash */
		t.wall.tv_sec += 60;
	}
	assert_int_equal(assert_whole(t.dir, 1), 5 * 21 + 2);
	assert_chain(t.dir, HASH_NONE);
	assert_int_equal(count_event(t.dir, "opened"), 5);
	assert_int_equal(count_event(t.dir, "torn"), 0);
	end(&t);
}

static void test_one_writer(void **state)
{
	struct fixture t;
	int status;

	begin(&t);
	open_journal(&t);
	pid_t child = fork();
	if (!child) {
		struct fixture other = t;
		struct journal_error why = {};
		int err = try_open(&other, &why);

		_exit(err == -EBUSY && strstr(why.text, "another monitor") ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	end_well(&t);
	end(&t);
}

static void test_places_that_are_refused(void **state)
{
	struct fixture t;
	struct journal_error why = {};
	char file[256];

	begin(&t);
	assert_int_equal(mkdir(t.dir, 0777), 0);
	assert_int_equal(chmod(t.dir, 0777), 0);
	assert_int_equal(try_open(&t, &why), -EPERM);
	assert_non_null(strstr(why.text, "chmod go-w"));
	assert_int_equal(rmdir(t.dir), 0);

	assert_int_equal(mkdir(t.state, 0700), 0);
	snprintf(file, sizeof(file), "%s/journal-key.pem", t.state);
	save(t.state, "journal-key.pem", "no key\n", 7);
	assert_int_equal(chmod(file, 0644), 0);
	assert_int_equal(try_open(&t, &why), -EPERM);
	assert_int_equal(chmod(file, 0600), 0);
	assert_int_equal(try_open(&t, &why), -EBADMSG);
	assert_non_null(strstr(why.text, "remove it"));
	/* where no key can be kept, one serves that is not */
	snprintf(t.state, sizeof(t.state), "%s/none/none", t.root);
	assert_int_equal(try_open(&t, &why), 0);
	assert_non_null(strstr(why.text, "a key that ends with this monitor"));
	close_journal(&t);
	remove_all(t.dir);

	save(t.root, "file", "", 0);
	snprintf(t.dir, sizeof(t.dir), "%s/file", t.root);
	assert_int_equal(try_open(&t, &why), -ENOTDIR);
	assert_non_null(strstr(why.text, "journal.dir"));
	end(&t);
}

/* --- rotation and retention ---------------------------------------------------------- */

static uint64_t bytes_in(const char *dir)
{
	struct files f = files_of(dir, "", "");
	uint64_t sum = 0;

	for (size_t i = 0; i < f.n; i++) {
		char path[PATH_MAX];
		struct stat st;

		snprintf(path, sizeof(path), "%s/%s", dir, f.v[i]);
		if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
			sum += (uint64_t)st.st_size;
	}
	files_free(&f);
	return sum;
}

static void test_rotation_by_size(void **state)
{
	struct fixture t;

	begin(&t);
	t.max_size = 16 * 20000;
	t.size = 700;
	open_journal(&t);
	give_notes(&t);
	fill(&t, 100); /* of some 900 bytes each */
	end_well(&t);
	struct files f = files_of(t.dir, "sluice-", ".jsonl"), d = files_of(t.dir, "digest-", ".json");
	assert_true(f.n >= 5 && f.n <= 8);
	assert_true(d.n >= f.n - 1);
	for (size_t i = 0; i < f.n; i++) {
		size_t len;
		struct journal_line_parts p;
		char *text = load(t.dir, f.v[i], &len), *nl = memchr(text, '\n', len);

		assert_true(len <= 20000);
		/* the name says its first record's number */
		assert_true(journal_line_parse(text, (size_t)(nl - text), &p));
		assert_int_equal(p.seq, strtoull(f.v[i] + 7, NULL, 10));
		free(text);
	}
	files_free(&f);
	files_free(&d);
	assert_chain(t.dir, HASH_NONE);
	end(&t);
}

static void test_rotation_by_age(void **state)
{
	struct fixture t;

	begin(&t);
	open_journal(&t);
	give_notes(&t);
	for (int i = 0; i < 3 * 60; i++) { /* three hours, a record a minute */
		fill(&t, 1);
		step(&t, 60 * NSEC);
	}
	end_well(&t);
	struct files f = files_of(t.dir, "sluice-", ".jsonl"), d = files_of(t.dir, "digest-", ".json");
	assert_int_equal(d.n, 4);
	assert_int_equal(f.n, 5); /* the last one holds what is said of the last digest */
	files_free(&f);
	files_free(&d);
	assert_chain(t.dir, HASH_NONE);
	end(&t);
}

static void test_retention_by_size(void **state)
{
	struct fixture t;

	begin(&t);
	t.max_size = 200000;
	t.size = 500;
	open_journal(&t);
	give_notes(&t);
	for (int i = 0; i < 40; i++) {
		fill(&t, 20);
		step(&t, NSEC);
		drained(&t);
		assert_true(bytes_in(t.dir) <= t.max_size);
	}
	assert_true(bytes_in(t.dir) > t.max_size / 2);
	end_well(&t);
	json_t *all = read_all(t.dir), *r;
	json_int_t first = seq_at(all, 0), told = 0;
	size_t i;

	assert_true(first > 100);
	json_array_foreach (all, i, r) {
		const char *e = json_string_value(json_object_get(r, "event"));

		assert_int_equal(seq_at(all, i), first + (json_int_t)i);
		if (!e || strcmp(e, "removed") != 0)
			continue;
		assert_string_equal(json_string_value(json_object_get(r, "why")), "max_size");
		if (told)
			assert_int_equal(json_integer_value(json_object_get(r, "first_seq")), told + 1);
		told = json_integer_value(json_object_get(r, "last_seq"));
		if (told == first - 1)
			assert_chain(t.dir, json_string_value(json_object_get(r, "last_hash")));
	}
	assert_int_equal(told, first - 1); /* all that is missing is said to be */
	json_decref(all);
	/* and it goes on from there */
	open_journal(&t);
	give_notes(&t);
	fill(&t, 30);
	end_well(&t);
	end(&t);
}

static void test_retention_by_age(void **state)
{
	struct fixture t;

	begin(&t);
	t.retain_ns = 5 * 3600 * NSEC;
	open_journal(&t);
	give_notes(&t);
	for (int i = 0; i < 12 * 60; i++) {
		fill(&t, 1);
		step(&t, 60 * NSEC);
	}
	end_well(&t);
	json_t *all = read_all(t.dir);
	struct timespec first;
	assert_int_equal(time_parse(json_string_value(json_object_get(json_array_get(all, 0), "time")), &first), 0);
	assert_true(t.wall.tv_sec - first.tv_sec >= 5 * 3600 - 120);
	assert_true(t.wall.tv_sec - first.tv_sec <= 6 * 3600 + 240);
	json_decref(all);
	assert_true(count_event(t.dir, "removed") >= 1);
	end(&t);
}

static void test_a_wrong_clock_removes_nothing(void **state)
{
	struct fixture t;

	begin(&t);
	t.retain_ns = 30 * 86400 * NSEC;
	open_journal(&t);
	give_notes(&t);
	for (int i = 0; i < 3; i++) {
		fill(&t, 5);
		step(&t, 3601 * NSEC);
	}
	t.wall.tv_sec += 10 * 365 * 86400;
	fill(&t, 5);
	step(&t, 3601 * NSEC);
	step(&t, 3601 * NSEC);
	end_well(&t);
	assert_int_equal(count_event(t.dir, "removed"), 0);
	assert_true(assert_whole(t.dir, 1) > 20);
	end(&t);
}

/* --- crashes ----------------------------------------------------------------------------- */

static void test_torn_at_every_byte(void **state)
{
	struct fixture t;
	char copy[128], name[JOURNAL_NAME];
	size_t len, whole = 0;

	begin(&t);
	t.size = 3;
	open_journal(&t);
	give_notes(&t);
	fill(&t, 2);
	close_journal(&t);
	snprintf(copy, sizeof(copy), "%s/copy", t.root);
	journal_segment_name(name, 1);
	char *text = load(t.dir, name, &len);
	/* what a crash leaves: the head may know less than is there, never more */
	for (size_t at = 0; at <= len; at++) {
		struct fixture u = t;

		whole += at && text[at - 1] == '\n';
		copy_all(t.dir, copy);
		snprintf(u.dir, sizeof(u.dir), "%s", copy);
		snprintf(u.state, sizeof(u.state), "%s/s2", t.root);
		save(copy, name, text, at);
		char head[256], other[512], of[JOURNAL_HEAD_NAME];
		snprintf(head, sizeof(head), "%s/head", copy);
		assert_int_equal(unlink(head), 0);
		journal_head_name(copy, of);
		snprintf(other, sizeof(other), "%s/s2/%s", t.root, of);
		unlink(other);
		open_journal(&u);
		assert_int_equal(journal_seq(u.j), whole);
		give_notes(&u);
		fill(&u, 2);
		close_journal(&u);
		bool torn = at && text[at - 1] != '\n';
		assert_int_equal(assert_whole(copy, 1), whole + torn + 1 + 2);
		assert_chain(copy, HASH_NONE);
		assert_int_equal(count_event(copy, "torn"), torn);
	}
	assert_int_equal(whole, 3);
	free(text);
	end(&t);
}

static void writer_wait(struct fixture *t)
{
	step(t, NSEC);
	drained(t);
}

/* Killed at any moment, however often: nothing that was on the disk for sure is lost, and numbers have no holes. */
static void test_killed_again_and_again(void **state)
{
	struct fixture t;
	uint64_t before = 0;

	begin(&t);
	t.max_size = 1 << 20;
	t.size = 300;
	open_journal(&t); /* the key is made once */
	end_well(&t);
	srand(7);
	for (int i = 0; i < 40; i++) {
		int ready[2];
		char byte;

		assert_int_equal(pipe(ready), 0);
		pid_t child = fork();
		if (!child) {
			open_journal(&t);
			give_notes(&t);
			fill(&t, 3);
			writer_wait(&t);
			if (write(ready[1], "x", 1) != 1)
				_exit(1);
			for (;;) {
				int got = put(&t, rand() % 3 ? "access" : "finding");

				if (got)
					step(&t, NSEC);
			}
		}
		if (i % 4) /* else while it starts */
			assert_int_equal(read(ready[0], &byte, 1), 1);
		usleep((useconds_t)(rand() % 40000));
		kill(child, SIGKILL);
		assert_int_equal(waitpid(child, NULL, 0), child);
		close(ready[0]);
		close(ready[1]);
		struct journal_error why;
		if (try_open(&t, &why))
			fail_msg("%s", why.text);
		assert_true(journal_seq(t.j) >= before);
		before = journal_seq(t.j);
		close_journal(&t);
	}
	open_journal(&t);
	give_notes(&t);
	end_well(&t);
	json_t *all = read_all(t.dir);
	assert_true(json_array_size(all) > 100);
	for (size_t i = 1; i < json_array_size(all); i++)
		assert_int_equal(seq_at(all, i), seq_at(all, i - 1) + 1);
	json_decref(all);
	assert_int_equal(count_event(t.dir, "cut"), 0);
	assert_int_equal(count_event(t.dir, "altered"), 0);
	end(&t);
}

static void test_a_tail_that_was_cut_off(void **state)
{
	struct fixture t;
	char name[JOURNAL_NAME];
	size_t len;

	begin(&t);
	open_journal(&t);
	give_notes(&t);
	fill(&t, 9);
	close_journal(&t);
	journal_segment_name(name, 1);
	char *text = load(t.dir, name, &len);
	char *end_of = text;
	for (int i = 0; i < 6; i++)
		end_of = strchr(end_of, '\n') + 1;
	save(t.dir, name, text, (size_t)(end_of - text));
	free(text);
	open_journal(&t);
	assert_int_equal(journal_seq(t.j), 10); /* no number is given twice */
	give_notes(&t);
	end_well(&t);
	json_t *all = read_all(t.dir);
	assert_int_equal(seq_at(all, 5), 6);
	assert_int_equal(seq_at(all, 6), 11);
	json_decref(all);
	assert_int_equal(count_event(t.dir, "cut"), 1);
	end(&t);
}

static void test_all_removed(void **state)
{
	struct fixture t;

	begin(&t);
	open_journal(&t);
	give_notes(&t);
	fill(&t, 9);
	end_well(&t);
	remove_all(t.dir);
	open_journal(&t);
	assert_int_equal(journal_seq(t.j), 11); /* the state remembers */
	give_notes(&t);
	end_well(&t);
	assert_int_equal(count_event(t.dir, "cut"), 1);
	end(&t);
}

static void test_a_changed_tail(void **state)
{
	struct fixture t;
	char name[JOURNAL_NAME];
	size_t len;

	begin(&t);
	open_journal(&t);
	give_notes(&t);
	fill(&t, 5);
	close_journal(&t);
	journal_segment_name(name, 1);
	char *text = load(t.dir, name, &len);
	text[len - 90] = text[len - 90] == 'x' ? 'y' : 'x';
	save(t.dir, name, text, len);
	free(text);
	open_journal(&t);
	give_notes(&t);
	end_well(&t);
	assert_int_equal(count_event(t.dir, "altered"), 1);
	end(&t);
}

/* What is written goes on elsewhere, and the chain tells what happened. */
static void test_a_segment_removed_while_it_is_written(void **state)
{
	struct fixture t;
	char name[JOURNAL_NAME], path[256];

	begin(&t);
	open_journal(&t);
	give_notes(&t);
	fill(&t, 5);
	step(&t, NSEC);
	drained(&t);
	journal_segment_name(name, 1);
	snprintf(path, sizeof(path), "%s/%s", t.dir, name);
	assert_int_equal(unlink(path), 0);
	fill(&t, 5);
	step(&t, NSEC);
	drained(&t);
	step(&t, NSEC);
	fill(&t, 5);
	end_well(&t);
	assert_true(assert_whole(t.dir, 7) >= 10);
	assert_int_equal(count_event(t.dir, "vanished"), 1);
	end(&t);
}

/* --- full disks ----------------------------------------------------------------------------- */

static void limit(rlim_t bytes)
{
	struct rlimit l;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &l), 0);
	l.rlim_cur = MIN(bytes, l.rlim_max);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &l), 0);
}

static void test_full_disk(void **state)
{
	struct fixture t;
	struct journal_state s;
	unsigned taken = 0;
	int got = 0;

	signal(SIGXFSZ, SIG_IGN);
	begin(&t);
	t.room = 100000;
	open_journal(&t);
	give_notes(&t);
	fill(&t, 10);
	step(&t, NSEC);
	drained(&t);
	limit(4096);
	while (got >= 0 && taken < 100000) {
		got = put(&t, "access");
		taken += got >= 0;
		if (taken % 100 == 0) {
			t.now += NSEC;
			journal_tick(t.j, &t.wall, t.now);
			usleep(2000);
		}
	}
	assert_true(got == -EAGAIN || got == -EFBIG);
	assert_true(taken > 100 && taken < 1000); /* bounded */
	for (int i = 0; i < 2000; i++) {
		journal_tick(t.j, &t.wall, t.now);
		journal_look(t.j, &s);
		if (s.error == -EFBIG)
			break;
		usleep(2000);
	}
	assert_int_equal(s.error, -EFBIG);
	assert_true(s.refusing && s.failing_ns);
	assert_true(put(&t, "access") < 0);
	limit(RLIM_INFINITY);
	drained(&t);
	step(&t, NSEC);
	fill(&t, 20);
	end_well(&t);
	assert_int_equal(assert_whole(t.dir, 1), 1 + 10 + taken + 20 + 2); /* resumed, digest */
	assert_chain(t.dir, HASH_NONE);
	assert_int_equal(count_event(t.dir, "resumed"), 1);
	end(&t);
}

/* What is left when the disk stays full is lost, and that is said. */
static void test_full_to_the_end(void **state)
{
	struct fixture t;

	signal(SIGXFSZ, SIG_IGN);
	begin(&t);
	open_journal(&t);
	give_notes(&t);
	fill(&t, 10);
	step(&t, NSEC);
	drained(&t);
	limit(1024);
	fill(&t, 100);
	struct journal_state s = {};
	for (int i = 0; i < 4000 && s.error != -EFBIG; i++, usleep(5000))
		journal_look(t.j, &s);
	assert_int_equal(journal_close(t.j, 100), -EFBIG);
	t.j = NULL;
	limit(RLIM_INFINITY);
	open_journal(&t);
	give_notes(&t);
	end_well(&t);
	assert_chain(t.dir, HASH_NONE);
	end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_chain_and_numbers),	    cmocka_unit_test(test_wrong_records_are_refused),
	    cmocka_unit_test(test_goes_on_after_restart),   cmocka_unit_test(test_one_writer),
	    cmocka_unit_test(test_places_that_are_refused), cmocka_unit_test(test_rotation_by_size),
	    cmocka_unit_test(test_rotation_by_age),	    cmocka_unit_test(test_retention_by_size),
	    cmocka_unit_test(test_retention_by_age),	    cmocka_unit_test(test_a_wrong_clock_removes_nothing),
	    cmocka_unit_test(test_torn_at_every_byte),	    cmocka_unit_test(test_killed_again_and_again),
	    cmocka_unit_test(test_a_tail_that_was_cut_off), cmocka_unit_test(test_all_removed),
	    cmocka_unit_test(test_a_changed_tail),	    cmocka_unit_test(test_a_segment_removed_while_it_is_written),
	    cmocka_unit_test(test_full_disk),
	    cmocka_unit_test(test_full_to_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
