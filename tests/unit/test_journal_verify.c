/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Whatever is done to a journal is found, and where; and what its own monitors did is not taken for that. */
#include "tests/unit/journal_verified.h"
#include "user/export/journal_head.h"

/* --- what is no damage ------------------------------------------------------------------- */

static void test_whole_journals(void **state)
{
	struct fixture t;

	small(&t);
	json_t *d = verified(t.dir, t.state, NULL);
	json_t *r = json_object_get(d, "records"), *g = json_object_get(d, "digests");
	assert_int_equal(json_integer_value(json_object_get(r, "count")), 1 + 6 + 3);
	assert_int_equal(json_integer_value(json_object_get(r, "last_seq")), 10);
	assert_int_equal(json_integer_value(json_object_get(g, "found")), 3);
	assert_int_equal(json_integer_value(json_object_get(g, "good")), 3);
	assert_int_equal(json_integer_value(json_object_get(g, "signed_seq")), 9);
	json_decref(d);
	for (int i = 0; i < 4; i++) { /* stopped, started, killed */
		open_journal(&t);
		give_notes(&t);
		fill(&t, 3);
		if (i % 2)
			end_well(&t);
		else
			close_journal(&t);
		t.wall.tv_sec += 60;
		assert_good(&t);
	}
	end(&t);
}

static void test_retention_is_no_damage(void **state)
{
	struct fixture t;

	begin(&t);
	t.max_size = 150000;
	t.size = 300;
	open_journal(&t);
	give_notes(&t);
	for (int i = 0; i < 60; i++) {
		fill(&t, 20);
		step(&t, NSEC);
		if (i % 10 == 7) {
			drained(&t);
			usleep(20000);
			assert_good(&t); /* while it is written */
		}
	}
	end_well(&t);
	assert_good(&t);
	json_t *d = verified(t.dir, t.state, NULL);
	assert_true(json_integer_value(json_object_get(json_object_get(d, "removed"), "last_seq")) > 500);
	json_decref(d);
	end(&t);
}

static void test_crashes_are_no_damage(void **state)
{
	struct fixture t;

	begin(&t);
	t.max_size = 400000;
	t.size = 300;
	open_journal(&t);
	end_well(&t);
	srand(11);
	for (int i = 0; i < 25; i++) {
		pid_t child = fork();

		if (!child) {
			open_journal(&t);
			for (;;) {
				give_notes(&t);
				for (int n = rand() % 40; n > 0 && put(&t, "access") == 0; n--)
					;
				step(&t, NSEC);
			}
		}
		usleep((useconds_t)(rand() % 30000));
		kill(child, SIGKILL);
		assert_int_equal(waitpid(child, NULL, 0), child);
		assert_good(&t);
		t.wall.tv_sec += 60;
	}
	open_journal(&t);
	end_well(&t);
	assert_good(&t);
	end(&t);
}

/* A new key where the old one is gone is told, and breaks no record's chain. */
static void test_a_new_key(void **state)
{
	struct fixture t;
	char path[256];

	small(&t);
	snprintf(path, sizeof(path), "%s/journal-key.pem", t.state);
	assert_int_equal(unlink(path), 0);
	open_journal(&t);
	give_notes(&t);
	fill(&t, 2);
	t.wall.tv_sec += 10;
	end_well(&t);
	json_t *d = verified(t.dir, t.state, NULL);
	assert_true(json_is_true(json_object_get(d, "good")));
	char *text = json_dumps(json_object_get(d, "limits"), 0);
	assert_non_null(strstr(text, "starts anew"));
	assert_non_null(strstr(text, "the key is new"));
	free(text);
	json_decref(d);

	/* unless it is said which key it has to be */
	struct files keys = files_of(t.dir, "key-", ".pem");
	unsigned refused = 0;
	assert_int_equal(keys.n, 2);
	for (size_t i = 0; i < keys.n; i++) {
		snprintf(path, sizeof(path), "%s/%s", t.dir, keys.v[i]);
		d = verified(t.dir, t.state, path);
		refused += !json_is_true(json_object_get(d, "good"));
		json_decref(d);
	}
	assert_int_equal(refused, 2); /* neither signed all of it */
	files_free(&keys);
	end(&t);
}

static void test_no_journal(void **state)
{
	struct fixture t;
	struct verify_error why;
	json_t *d = NULL;

	begin(&t);
	struct verify_options o = {t.dir, NULL, NULL};
	assert_int_equal(journal_verify(&o, &d, &why), -ENOENT);
	assert_int_equal(mkdir(t.dir, 0750), 0);
	assert_int_equal(journal_verify(&o, &d, &why), -ENODATA);
	assert_non_null(strstr(why.text, "there is no journal"));
	assert_null(d);
	end(&t);
}

/* --- every byte ----------------------------------------------------------------------------- */

/* Sanitizers make each verification twenty times as long: there a part has to do, and each file's beginning and end. */
#ifdef __SANITIZE_ADDRESS__
#define STRIDE 11
#else
#define STRIDE 1
#endif
#define EDGE 40

static size_t next_byte(size_t at, size_t len)
{
	return at + (at > EDGE && at + EDGE + STRIDE < len ? STRIDE : 1);
}

static void test_every_byte(void **state)
{
	struct fixture t;
	unsigned edits = 0, missed = 0;

	small(&t);
	struct files f = files_of(t.dir, "", "");
	for (size_t i = 0; i < f.n; i++) {
		size_t len;
		char *text;

		if (!strcmp(f.v[i], "lock"))
			continue;
		text = load(t.dir, f.v[i], &len);
		for (size_t at = 0; at < len; at = next_byte(at, len)) {
			static const char flips[] = {1, 0x20};
			char was = text[at];

			text[at] = (char)(was ^ flips[edits++ % 2]);
			save(t.dir, f.v[i], text, len);
			if (is_good(&t)) {
				missed++;
				print_message("%s: byte %zu, %02x to %02x\n", f.v[i], at, (unsigned char)was,
					      (unsigned char)text[at]);
			}
			text[at] = was;
		}
		save(t.dir, f.v[i], text, len);
		free(text);
	}
	files_free(&f);
	assert_good(&t);
	assert_true(edits > 6000 / STRIDE);
	assert_int_equal(missed, 0);
	end(&t);
}

/* Each file cut at each byte, and each removed. */
static void test_every_length(void **state)
{
	struct fixture t;
	char path[512];

	small(&t);
	struct files f = files_of(t.dir, "", "");
	for (size_t i = 0; i < f.n; i++) {
		size_t len;
		char *text = load(t.dir, f.v[i], &len);

		snprintf(path, sizeof(path), "%s/%s", t.dir, f.v[i]);
		for (size_t n = 0; n < len; n += n > 20 && n + 20 < len ? 3 * STRIDE : 1) {
			save(t.dir, f.v[i], text, n);
			if (is_good(&t))
				fail_msg("%s, cut at %zu of %zu", f.v[i], n, len);
		}
		assert_int_equal(unlink(path), 0);
		assert_int_equal(is_good(&t), !strcmp(f.v[i], "lock"));
		save(t.dir, f.v[i], text, len);
		free(text);
	}
	files_free(&f);
	assert_good(&t);
	end(&t);
}

/* --- every record ------------------------------------------------------------------------------ */

struct lines {
	char name[JOURNAL_NAME];
	char *text, *v[64];
	size_t n;
	uint64_t first;
};

static void split(const struct fixture *t, const char *name, struct lines *ret)
{
	size_t len;
	char *at;

	*ret = (struct lines){.first = strtoull(name + 7, NULL, 10)};
	snprintf(ret->name, sizeof(ret->name), "%s", name);
	ret->text = at = load(t->dir, name, &len);
	while (*at) {
		assert_true(ret->n < ARRAY_SIZE(ret->v));
		ret->v[ret->n++] = at;
		at = strchr(at, '\n');
		*at++ = '\0';
	}
}

static void join(const struct fixture *t, const struct lines *l, const char **v, size_t n)
{
	char *all;
	size_t len;
	FILE *f = open_memstream(&all, &len);

	for (size_t i = 0; i < n; i++)
		fprintf(f, "%s\n", v[i]);
	fclose(f);
	save(t->dir, l->name, all, len);
	free(all);
}

/* Does it to each record of each segment, and lets `check` look. */
static void each_record(void (*act)(const struct fixture *t, const struct lines *l, size_t i))
{
	struct fixture t;

	small(&t);
	struct files f = files_of(t.dir, "sluice-", ".jsonl");
	for (size_t s = 0; s < f.n; s++) {
		struct lines l;

		split(&t, f.v[s], &l);
		for (size_t i = 0; i < l.n; i++)
			act(&t, &l, i);
		join(&t, &l, (const char **)l.v, l.n);
		free(l.text);
	}
	files_free(&f);
	assert_good(&t);
	end(&t);
}

static void delete_one(const struct fixture *t, const struct lines *l, size_t i)
{
	const char *v[64];
	size_t n = 0;
	bool last = l->first + i == 10;

	for (size_t k = 0; k < l->n; k++)
		if (k != i)
			v[n++] = l->v[k];
	join(t, l, v, n);
	assert_found(t, last ? "cut" : "deleted", l->first + i);
}

static void change_one(const struct fixture *t, const struct lines *l, size_t i)
{
	char *changed = strdup(l->v[i]), *at = strstr(changed, "here");
	const char *v[64];

	memcpy(at, "Here", 4);
	for (size_t k = 0; k < l->n; k++)
		v[k] = k == i ? changed : l->v[k];
	join(t, l, v, l->n);
	assert_found(t, "edited", l->first + i);
	free(changed);
}

static void break_one(const struct fixture *t, const struct lines *l, size_t i)
{
	const char *v[64];

	for (size_t k = 0; k < l->n; k++)
		v[k] = k == i ? "{\"nothing\":1}" : l->v[k];
	join(t, l, v, l->n);
	assert_found(t, "damaged", l->first + i == 1 ? 0 : l->first + i);
}

static void repeat_one(const struct fixture *t, const struct lines *l, size_t i)
{
	const char *v[64];
	size_t n = 0;

	for (size_t k = 0; k < l->n; k++) {
		v[n++] = l->v[k];
		if (k == i)
			v[n++] = l->v[k];
	}
	join(t, l, v, n);
	assert_found(t, "reordered", l->first + i);
}

static void swap_two(const struct fixture *t, const struct lines *l, size_t i)
{
	const char *v[64];

	if (i + 1 == l->n)
		return;
	memcpy(v, l->v, sizeof(v));
	v[i] = l->v[i + 1];
	v[i + 1] = l->v[i];
	join(t, l, v, l->n);
	assert_false(is_good(t));
	if (l->first + i > 1)
		assert_found(t, "reordered", l->first + i + 1);
}

static void insert_one(const struct fixture *t, const struct lines *l, size_t i)
{
	char forged[512];
	const char *v[64];
	size_t n = 0;

	/* with a number of its own, far away */
	snprintf(forged, sizeof(forged),
		 "{\"v\":1,\"type\":\"access\",\"time\":\"2027-01-15T08:00:00.000Z\",\"seq\":4711,\"host\":{},\"prev\":\"%s\"}",
		 HASH_NONE);
	for (size_t k = 0; k < l->n; k++) {
		if (k == i && l->first + i > 1)
			v[n++] = forged;
		v[n++] = l->v[k];
	}
	join(t, l, v, n);
	if (l->first + i > 1)
		assert_found(t, "reordered", 4711);
}

static void test_each_deleted(void **state)
{
	each_record(delete_one);
}

static void test_each_changed(void **state)
{
	each_record(change_one);
}

static void test_each_broken(void **state)
{
	each_record(break_one);
}

static void test_each_repeated(void **state)
{
	each_record(repeat_one);
}

static void test_each_swapped(void **state)
{
	each_record(swap_two);
}

static void test_inserted_before_each(void **state)
{
	each_record(insert_one);
}

/* --- whoever knows how it works ------------------------------------------------------------------ */

/* Everything from record `from` on written anew, so that the chain holds, and the head with it. */
static void forge(const struct fixture *t, uint64_t from, bool outside)
{
	struct files f = files_of(t->dir, "sluice-", ".jsonl");
	struct journal_head head = {0};
	char prev[HASH_HEX + 1] = HASH_NONE, path[512], name[JOURNAL_HEAD_NAME];

	for (size_t s = 0; s < f.n; s++) {
		struct lines l;

		split(t, f.v[s], &l);
		for (size_t i = 0; i < l.n; i++) {
			uint8_t sum[EVP_MAX_MD_SIZE];
			unsigned n;

			if (l.first + i >= from)
				memcpy(strstr(l.v[i], "\"prev\":\"") + 8, prev, HASH_HEX);
			if (l.first + i == from && strstr(l.v[i], "here"))
				memcpy(strstr(l.v[i], "here"), "Here", 4);
			assert_int_equal(EVP_Digest(l.v[i], strlen(l.v[i]), sum, &n, EVP_sha256(), NULL), 1);
			hex_text(sum, n, prev);
			head.seq = l.first + i;
		}
		join(t, &l, (const char **)l.v, l.n);
		free(l.text);
	}
	files_free(&f);
	memcpy(head.hash, prev, sizeof(head.hash));
	head.closed = true;
	journal_head_name(t->dir, name);
	for (int i = 0; i < 1 + outside; i++) {
		snprintf(path, sizeof(path), "%s/%s", i ? t->state : t->dir, i ? name : "head");
		int fd = open(path, O_WRONLY);
		assert_true(fd >= 0);
		assert_int_equal(journal_head_write(fd, &head), 0);
		close(fd);
	}
}

static void test_written_anew(void **state)
{
	for (uint64_t from = 1; from <= 9; from++) {
		struct fixture t;

		small(&t);
		forge(&t, from, true);
		assert_found(&t, "segment", from <= 3 ? 1 : from <= 6 ? 4 : 7); /* by the digest over it */
		json_t *d = verified(t.dir, t.state, NULL);
		json_t *p = json_array_get(json_object_get(d, "problems"), 0);
		assert_true(json_is_string(json_object_get(p, "digest_end")));
		json_decref(d);
		end(&t);
	}
}

/* What no digest signs yet is held by the copy of the head outside; if that is forged too, the words say so. */
static void test_the_unsigned_end(void **state)
{
	struct fixture t;

	small(&t);
	forge(&t, 10, false);
	assert_found(&t, "edited", 10);
	forge(&t, 10, true);
	json_t *d = verified(t.dir, t.state, NULL);
	assert_true(json_is_true(json_object_get(d, "good")));
	char *text = json_dumps(json_object_get(d, "limits"), 0);
	assert_non_null(strstr(text, "records 10 to 10 are chained, but no digest signs them"));
	free(text);
	json_decref(d);
	end(&t);
}

/* The end cut off together with the head beside it, up to where a digest still fits. */
static void test_a_rolled_back_journal(void **state)
{
	struct fixture t;
	struct journal_head head = {.seq = 9};
	struct lines l;
	char path[512];

	small(&t);
	struct files f = files_of(t.dir, "sluice-", ".jsonl");
	split(&t, f.v[f.n - 2], &l);
	uint8_t sum[EVP_MAX_MD_SIZE];
	unsigned n;
	assert_int_equal(EVP_Digest(l.v[l.n - 1], strlen(l.v[l.n - 1]), sum, &n, EVP_sha256(), NULL), 1);
	hex_text(sum, n, head.hash);
	free(l.text);
	snprintf(path, sizeof(path), "%s/%s", t.dir, f.v[f.n - 1]);
	assert_int_equal(unlink(path), 0);
	snprintf(path, sizeof(path), "%s/head", t.dir);
	int fd = open(path, O_WRONLY);
	assert_int_equal(journal_head_write(fd, &head), 0);
	close(fd);
	files_free(&f);
	assert_found(&t, "cut", 10);
	json_t *d = verified(t.dir, NULL, NULL); /* without that copy it cannot be told, and it says so */
	assert_true(json_is_true(json_object_get(d, "good")));
	char *text = json_dumps(json_object_get(d, "limits"), 0);
	assert_non_null(strstr(text, "no copy of the head was found outside"));
	free(text);
	json_decref(d);
	end(&t);
}

/* A record that goes on well from the last one, after its monitor ended. */
static void test_one_more_at_the_end(void **state)
{
	struct fixture t;
	struct journal_head head;
	char path[512], line[512];
	int dir;

	small(&t);
	dir = open(t.dir, O_RDONLY | O_DIRECTORY);
	assert_int_equal(journal_head_read(dir, "head", &head), 0);
	assert_true(head.closed);
	assert_int_equal(head.seq, 10);
	close(dir);
	struct files f = files_of(t.dir, "sluice-", ".jsonl");
	snprintf(path, sizeof(path), "%s/%s", t.dir, f.v[f.n - 1]);
	snprintf(line, sizeof(line),
		 "{\"v\":1,\"type\":\"access\",\"time\":\"2027-01-15T08:00:00.000Z\",\"seq\":11,\"host\":{},\"prev\":\"%s\"}",
		 head.hash);
	FILE *o = fopen(path, "a");
	fprintf(o, "%s\n", line);
	fclose(o);
	files_free(&f);
	assert_found(&t, "added", 11);
	/* the next monitor says so too */
	open_journal(&t);
	give_notes(&t);
	end_well(&t);
	assert_int_equal(count_event(t.dir, "added"), 1);
	assert_found(&t, "added", 0);
	end(&t);
}

/* From the first moment on there is a head, and nothing is wrong. */
static void test_just_begun(void **state)
{
	struct fixture t;

	begin(&t);
	open_journal(&t);
	assert_good(&t);
	give_notes(&t);
	assert_good(&t);
	fill(&t, 3);
	step(&t, NSEC);
	drained(&t);
	assert_good(&t);
	close_journal(&t);
	assert_good(&t);
	end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_whole_journals),
	    cmocka_unit_test(test_retention_is_no_damage),
	    cmocka_unit_test(test_crashes_are_no_damage),
	    cmocka_unit_test(test_a_new_key),
	    cmocka_unit_test(test_no_journal),
	    cmocka_unit_test(test_every_byte),
	    cmocka_unit_test(test_every_length),
	    cmocka_unit_test(test_each_deleted),
	    cmocka_unit_test(test_each_changed),
	    cmocka_unit_test(test_each_broken),
	    cmocka_unit_test(test_each_repeated),
	    cmocka_unit_test(test_each_swapped),
	    cmocka_unit_test(test_inserted_before_each),
	    cmocka_unit_test(test_written_anew),
	    cmocka_unit_test(test_the_unsigned_end),
	    cmocka_unit_test(test_a_rolled_back_journal),
	    cmocka_unit_test(test_one_more_at_the_end),
	    cmocka_unit_test(test_just_begun),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
