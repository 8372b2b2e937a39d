/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What someone who can write to the journal's directory makes of it behind its monitor's back; and what a crash leaves that must
 * not look like that. */
#include "tests/unit/journal_verified.h"
#include "user/export/journal_head.h"

#include <sys/syscall.h>

/* --- the disk ------------------------------------------------------------------------------- */

static unsigned synced_heads;

/* In place of libc's. */
int fdatasync(int fd)
{
	char link[64], path[PATH_MAX];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, sizeof(path));
	if (n > 4 && !memcmp(path + n - 4, "head", 4))
		synced_heads++;
	return (int)syscall(SYS_fdatasync, fd);
}

/* After a crash a head that still says "nothing follows" would make thieves of all records since. */
static void test_the_beginning_is_on_the_disk(void **state)
{
	struct fixture t;

	begin(&t);
	open_journal(&t);
	end_well(&t);
	synced_heads = 0;
	open_journal(&t);
	assert_int_equal(synced_heads, 2);
	end_well(&t);
	end(&t);
}

/* --- records --------------------------------------------------------------------------------- */

/* The last segment's text gets a record more, which goes on well from `*head`, and is in it then. */
static void append(const struct fixture *t, struct journal_head *head, uint64_t seq)
{
	struct files f = files_of(t->dir, "sluice-", ".jsonl");
	char path[512], line[512];
	uint8_t sum[EVP_MAX_MD_SIZE];
	unsigned n;

	snprintf(path, sizeof(path), "%s/%s", t->dir, f.v[f.n - 1]);
	snprintf(line, sizeof(line),
		 "{\"v\":1,\"type\":\"access\",\"time\":\"2027-01-15T08:00:00.000Z\",\"seq\":%llu,\"host\":{},\"prev\":\"%s\"}",
		 (unsigned long long)seq, head->hash);
	FILE *o = fopen(path, "a");
	fprintf(o, "%s\n", line);
	fclose(o);
	files_free(&f);
	assert_int_equal(EVP_Digest(line, strlen(line), sum, &n, EVP_sha256(), NULL), 1);
	hex_text(sum, n, head->hash);
	head->seq = seq;
}

static void read_head(const struct fixture *t, struct journal_head *ret)
{
	int dir = open(t->dir, O_RDONLY | O_DIRECTORY);

	assert_int_equal(journal_head_read(dir, "head", ret), 0);
	close(dir);
}

static void write_head(const struct fixture *t, const struct journal_head *head)
{
	char text[JOURNAL_HEAD_SIZE];

	journal_head_format(head, text);
	save(t->dir, "head", text, sizeof(text));
}

/* The head beside it says that all is well: the copy outside knows that the monitor had ended. */
static void test_added_with_its_head(void **state)
{
	struct fixture t;
	struct journal_head head;

	small(&t);
	read_head(&t, &head);
	assert_true(head.closed);
	append(&t, &head, head.seq + 1);
	write_head(&t, &head);
	assert_found(&t, "added", 11);
	head.closed = false;
	write_head(&t, &head);
	assert_found(&t, "added", 11);
	open_journal(&t);
	give_notes(&t);
	end_well(&t);
	assert_int_equal(count_event(t.dir, "added"), 1);
	assert_found(&t, "added", 0);
	end(&t);
}

/* Of a monitor that was killed: what stands in the copy's place is another record. */
static void test_changed_with_its_head(void **state)
{
	struct fixture t;
	struct journal_head head;
	char name[JOURNAL_NAME];
	size_t len;
	unsigned n;

	begin(&t);
	open_journal(&t);
	give_notes(&t);
	fill(&t, 3);
	close_journal(&t);
	read_head(&t, &head);
	assert_int_equal(head.seq, 4);
	assert_false(head.closed);
	journal_segment_name(name, 1);
	char *text = load(t.dir, name, &len), *last = text + len - 1;
	while (last[-1] != '\n')
		last--;
	memcpy(strstr(last, "here"), "Here", 4);
	save(t.dir, name, text, len);
	uint8_t sum[EVP_MAX_MD_SIZE];
	assert_int_equal(EVP_Digest(last, (size_t)(text + len - 1 - last), sum, &n, EVP_sha256(), NULL), 1);
	hex_text(sum, n, head.hash);
	free(text);
	append(&t, &head, 5);
	write_head(&t, &head);
	assert_found(&t, "edited", 4);
	open_journal(&t);
	give_notes(&t);
	end_well(&t);
	assert_int_equal(count_event(t.dir, "altered"), 1);
	assert_found(&t, "edited", 0);
	end(&t);
}

/* The numbers that are left would be none. */
static void test_a_made_up_number(void **state)
{
	struct fixture t;
	struct journal_head head;

	small(&t);
	read_head(&t, &head);
	append(&t, &head, 999999999999999999);
	assert_false(is_good(&t));
	for (int i = 0; i < 2; i++) {
		open_journal(&t);
		give_notes(&t);
		fill(&t, 3);
		end_well(&t);
		head.closed = true;
		write_head(&t, &head);
	}
	assert_int_equal(assert_whole(t.dir, 1), 10 + 6 + 5);
	end(&t);
}

/* --- other files ------------------------------------------------------------------------------- */

/* All but these records is read, and one is damaged. */
static void assert_passed_over(const struct fixture *t, unsigned records)
{
	struct journal_reader *r;
	struct journal_line l;
	unsigned n = 0, damaged = 0;
	int got;

	assert_int_equal(journal_reader_open(t->dir, &r), 0);
	while ((got = journal_reader_next(r, &l))) {
		assert_true(got == 1 || got == -EBADMSG);
		*(got == 1 ? &n : &damaged) += 1;
		assert_true(n + damaged < 20);
	}
	assert_int_equal(n, 10 - records);
	assert_int_equal(damaged, 1);
	journal_reader_close(r);
}

/* In place of the segment that begins with this record, and has so many. */
static void no_file(uint64_t first, unsigned records)
{
	struct fixture t;
	char name[JOURNAL_NAME], path[256];
	size_t len;

	small(&t);
	journal_segment_name(name, first);
	snprintf(path, sizeof(path), "%s/%s", t.dir, name);
	char *text = load(t.dir, name, &len);
	for (int kind = 0; kind < 3; kind++) {
		assert_int_equal(remove(path), 0);
		assert_int_equal(kind == 0   ? symlink("/dev/zero", path)
				 : kind == 1 ? mkfifo(path, 0600)
					     : mkdir(path, 0700),
				 0);
		assert_found(&t, "damaged", first);
		assert_passed_over(&t, records);
	}
	assert_int_equal(remove(path), 0);
	save(t.dir, name, text, len);
	free(text);
	assert_good(&t);
	end(&t);
}

static void test_no_file_of_records(void **state)
{
	no_file(1, 3);
	no_file(4, 3);
	no_file(10, 1);
}

/* One that says that all is signed, up to far away, must not keep a monitor from signing. */
static void test_a_made_up_digest(void **state)
{
	static const char bogus[] = "digest-00000000009999999999-20270115T080000Z.json";
	struct fixture t;
	char path[256];

	small(&t);
	save(t.dir, bogus, "{}", 2);
	open_journal(&t);
	give_notes(&t);
	fill(&t, 2);
	t.wall.tv_sec += 10;
	end_well(&t);
	assert_found(&t, "digest", 0);
	snprintf(path, sizeof(path), "%s/%s", t.dir, bogus);
	assert_int_equal(unlink(path), 0);
	json_t *d = verified(t.dir, t.state, NULL);
	assert_true(json_is_true(json_object_get(d, "good")));
	assert_int_equal(json_integer_value(json_object_get(json_object_get(d, "digests"), "signed_seq")), 13);
	char *text = json_dumps(json_object_get(d, "limits"), 0);
	assert_null(strstr(text, "starts anew"));
	free(text);
	json_decref(d);
	end(&t);
}

/* --- removals -------------------------------------------------------------------------------------- */

static bool is_limited(const struct fixture *t, const char *words)
{
	json_t *d = verified(t->dir, t->state, NULL);
	char *text = json_dumps(json_object_get(d, "limits"), 0);
	bool found = strstr(text, words);

	assert_true(json_is_true(json_object_get(d, "good")));
	free(text);
	json_decref(d);
	return found;
}

/* Three segments go at once; `before` is a copy of what was there. */
static void removed_three(struct fixture *t, char before[static 128])
{
	begin(t);
	t->size = 3;
	open_journal(t);
	give_notes(t);
	for (int hour = 0; hour < 4; hour++) {
		fill(t, 2);
		step(t, 3601 * NSEC);
	}
	fill(t, 2);
	step(t, NSEC);
	drained(t);
	snprintf(before, 128, "%s/before", t->root);
	copy_all(t->dir, before);
	journal_bounds(t->j, t->max_size, 3000 * NSEC);
	step(t, NSEC);
	step(t, NSEC);
	drained(t);
}

/* A crash among the removals that were recorded: what is still there is no hole. */
static void test_a_removal_that_was_cut_short(void **state)
{
	struct fixture t;
	char before[128];

	removed_three(&t, before);
	close_journal(&t);
	assert_good(&t);
	struct files had = files_of(before, "sluice-", ".jsonl"), has = files_of(t.dir, "sluice-", ".jsonl");
	size_t gone = had.n - has.n;
	assert_true(gone >= 3);
	assert_string_equal(had.v[gone], has.v[0]);
	while (--gone) { /* but for the first */
		size_t len;
		char *text = load(before, had.v[gone], &len);

		save(t.dir, had.v[gone], text, len);
		free(text);
		assert_good(&t);
	}
	files_free(&had);
	files_free(&has);
	t.retain_ns = 3000 * NSEC;
	open_journal(&t);
	give_notes(&t);
	step(&t, NSEC);
	end_well(&t);
	assert_good(&t);
	end(&t);
}

/* Who can write here can say so. */
static void test_a_removal_that_no_digest_signs(void **state)
{
	struct fixture t;
	char before[128];

	removed_three(&t, before);
	assert_true(is_limited(&t, "is said by record"));
	end_well(&t);
	assert_false(is_limited(&t, "is said by record"));
	end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_beginning_is_on_the_disk),
	    cmocka_unit_test(test_added_with_its_head),
	    cmocka_unit_test(test_changed_with_its_head),
	    cmocka_unit_test(test_a_made_up_number),
	    cmocka_unit_test(test_no_file_of_records),
	    cmocka_unit_test(test_a_made_up_digest),
	    cmocka_unit_test(test_a_removal_that_was_cut_short),
	    cmocka_unit_test(test_a_removal_that_no_digest_signs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
