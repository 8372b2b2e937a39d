/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Which files of a dataset were read, by whom, and what is said where that is not known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/record_fixture.h"
#include "user/model_files.h"

#define DEV (8u << 20 | 1)
#define MANY 9001

static struct object file(uint64_t number)
{
	return (struct object){.ino = 1000 + number, .dev = DEV, .gen = 7};
}

/* A walk that met these files, a hundred to a directory, each of its number plus one bytes. */
static struct file_list *walked(uint64_t from, uint64_t to)
{
	struct file_list *l;
	uint32_t root, dir = 0, number;
	char name[32];

	assert_int_equal(file_list_new(SIZE_MAX, &l), 0);
	assert_int_equal(file_list_dir(l, 0, "", &root), 0);
	for (uint64_t i = from; i < to; i++) {
		struct object what = file(i);

		if (i == from || i % 100 == 0) {
			snprintf(name, sizeof(name), "d%llu", (unsigned long long)(i / 100));
			assert_int_equal(file_list_dir(l, root, name, &dir), 0);
		}
		snprintf(name, sizeof(name), "f%llu", (unsigned long long)i);
		assert_int_equal(file_list_add(l, &what, i + 1, dir, name, &number), 0);
		assert_int_equal(number, i - from);
	}
	return l;
}

static void measured(struct fixture *t, uint64_t from, uint64_t to)
{
	struct file_list *l = walked(from, to);

	model_set_dataset_size(t->m, 0, l->bytes, l->n);
	assert_int_equal(model_set_dataset_files(t->m, 0, l), 0);
}

static void touches(struct fixture *t, uint32_t pid, uint64_t number)
{
	struct subject who = process(pid);
	struct object what = file(number);

	assert_int_equal(model_set_file_read(t->m, &who, 0, &what), 0);
}

static struct files_figures figures_of(struct fixture *t, const char *job_name, uint64_t bytes)
{
	struct m_job key = {0}, *job;
	struct files_figures f;

	if (job_name)
		strcpy(key.name, job_name);
	job = job_name ? hashmap_find(&t->m->jobs, key.name) : NULL;
	files_figures(t->m, 0, job_name ? files_cover(t->m, job, 0) : t->m->datasets[0].cover, bytes, &f);
	return f;
}

static void jobs_begin(struct fixture *t)
{
	fixture_begin(t, NULL);
	introduce(t, 10, "a", "slurm:1");
	introduce(t, 11, "b", "slurm:1");
	introduce(t, 12, "c", "slurm:2");
}

static void test_list(void **state)
{
	struct file_list *l = walked(0, MANY);
	struct object what = file(4711), other = {.ino = 4711, .dev = DEV, .gen = 8};
	uint32_t number;

	assert_int_equal(file_list_find(l, &what, &number), 0);
	assert_int_equal(number, 4711);
	assert_int_equal(file_list_find(l, &other, &number), -ENOENT);
	assert_int_equal(l->bytes, (uint64_t)MANY * (MANY + 1) / 2);
	_cleanup_free_ char *path = file_list_path(l, 4711);
	assert_string_equal(path, "d47/f4711");
	/* another name of it does not count again */
	assert_int_equal(file_list_add(l, &what, 99, 0, "again", &number), 0);
	assert_int_equal(number, 4711);
	assert_int_equal(l->n, MANY);
	assert_true(file_list_on(l, DEV));
	assert_false(file_list_on(l, DEV + 1));
	file_list_free(l);
}

static void test_list_is_bounded(void **state)
{
	struct file_list *l;
	uint32_t number;

	assert_int_equal(file_list_new(3, &l), 0);
	for (uint64_t i = 0; i < 5; i++) {
		struct object what = file(i);

		assert_int_equal(file_list_add(l, &what, 1, 0, NULL, &number), i < 3 ? 0 : -ENOSPC);
	}
	assert_null(file_list_path(l, 0));
	file_list_free(l);
}

static void test_share(void **state)
{
	struct fixture t;

	jobs_begin(&t);
	struct files_figures f = figures_of(&t, NULL, 0);
	assert_true(f.exact && !f.measured && !f.read);
	touches(&t, 10, 3); /* before the first walk has ended */
	measured(&t, 0, 7);
	touches(&t, 10, 3);
	touches(&t, 11, 3);
	touches(&t, 11, 5);
	touches(&t, 12, 6);

	f = figures_of(&t, NULL, 1000);
	assert_true(f.exact && f.measured);
	assert_int_equal(f.read, 3);
	assert_int_equal(f.total, 7);
	assert_int_equal(f.unread, 4);
	assert_int_equal(f.bytes_total, 28);
	assert_int_equal(f.bytes_most, 4 + 6 + 7);
	f = figures_of(&t, "slurm:1", 9);
	assert_int_equal(f.read, 2);
	assert_int_equal(f.unread, 5);
	assert_int_equal(f.bytes_most, 9);
	f = figures_of(&t, "slurm:2", 1000);
	assert_int_equal(f.read, 1);
	assert_int_equal(f.bytes_most, 7);
	fixture_end(&t);
}

/* What is gone or came later is read, but no part of what there is: no share is above the whole. */
static void test_files_come_and_go(void **state)
{
	struct fixture t;

	jobs_begin(&t);
	measured(&t, 0, MANY);
	for (uint64_t i = 0; i < MANY; i++)
		touches(&t, i % 2 ? 10 : 12, i);
	struct files_figures f = figures_of(&t, NULL, UINT64_MAX);
	assert_int_equal(f.unread, 0);
	assert_int_equal(f.bytes_most, f.bytes_total);
	/* the first 1009 are deleted, 13 are new, one of which is read already */
	touches(&t, 10, MANY + 1);
	measured(&t, 1009, MANY + 13);
	f = figures_of(&t, NULL, UINT64_MAX);
	assert_true(f.exact);
	assert_int_equal(f.read, MANY + 1);
	assert_int_equal(f.total, MANY + 13 - 1009);
	assert_int_equal(f.unread, 12);
	assert_true(f.bytes_most < f.bytes_total);
	f = figures_of(&t, "slurm:1", UINT64_MAX);
	assert_int_equal(f.read, MANY / 2 + 1);
	assert_int_equal(f.unread, f.total - (MANY / 2 - 504) - 1);
	/* the deleted ones come back from a backup, with their inodes */
	measured(&t, 0, MANY);
	f = figures_of(&t, NULL, UINT64_MAX);
	assert_int_equal(f.unread, 0);
	assert_int_equal(f.read, MANY + 1);
	fixture_end(&t);
}

static void test_at_least(void **state)
{
	struct ledger_key device = {.who = process(12), .dataset = 0, .kind = ACCESS_DEVICE};
	struct overflow_key lost = {.cgroup = 5, .dataset = 0, .kind = ACCESS_READ};
	struct object outside = {.ino = 5, .dev = 9u << 20, .gen = 1};
	struct subject who = process(10);
	struct fixture t;

	/* the whole device */
	jobs_begin(&t);
	measured(&t, 0, 7);
	touches(&t, 10, 1);
	assert_true(figures_of(&t, NULL, 5).exact);
	assert_int_equal(model_set_access(t.m, &device, &(struct ledger_val){4096, 1, 0, t.now, t.now}), 0);
	assert_false(figures_of(&t, NULL, 5).exact);
	assert_false(figures_of(&t, "slurm:2", 5).exact);
	assert_true(figures_of(&t, "slurm:1", 5).exact);
	assert_int_equal(figures_of(&t, NULL, 1000).bytes_most, 28);
	/* what had no room in the ledger */
	assert_int_equal(model_set_overflow(t.m, &lost, &(struct overflow_val){10, 1}), 0);
	assert_false(figures_of(&t, "slurm:1", 5).exact);
	fixture_end(&t);

	/* the same files by another way, as far as can be told */
	jobs_begin(&t);
	measured(&t, 0, 7);
	assert_int_equal(model_set_file_read(t.m, &who, 0, &outside), 0);
	assert_false(figures_of(&t, "slurm:1", 5).exact);
	measured(&t, 0, 7);
	assert_false(figures_of(&t, "slurm:1", 5).exact);
	fixture_end(&t);

	/* a hint that did not come */
	struct health h = {.backend = "tracepoint", .losses = {[LOSS_READ_UNTOLD] = 1}};
	jobs_begin(&t);
	measured(&t, 0, 7);
	touches(&t, 10, 1);
	model_set_health(t.m, &h);
	assert_false(figures_of(&t, NULL, 5).exact);
	assert_int_equal(figures_of(&t, NULL, 5).read, 1);
	fixture_end(&t);

	/* a way to read that nothing measures */
	struct health gap = {.backend = "tracepoint", .gaps = (const char *const[]){"read.splice: no hook", NULL}};
	jobs_begin(&t);
	measured(&t, 0, 7);
	model_set_health(t.m, &gap);
	assert_false(figures_of(&t, NULL, 5).exact);
	json_t *all = shot(&t, "datasets");
	const json_t *d = json_array_get(json_object_get(all, "items"), 0);
	assert_null_at(d, "files_read", NULL);
	assert_null_at(d, "used", "files_read");
	assert_int_equal(number(d, "used", "files_unread"), 7);
	json_decref(all);
	fixture_end(&t);

	/* files that the walk could not tell */
	jobs_begin(&t);
	struct file_list *l = walked(0, 7);
	l->left_out = 2;
	model_set_dataset_size(t.m, 0, l->bytes, 9);
	assert_int_equal(model_set_dataset_files(t.m, 0, l), 0);
	assert_false(figures_of(&t, NULL, 5).exact);
	assert_false(figures_of(&t, NULL, 5).measured);
	fixture_end(&t);
}

/* Whose job is told late has read under no name: that job's figure is a lower one. */
static void test_job_told_late(void **state)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	introduce(&t, 10, "a", NULL);
	measured(&t, 0, 7);
	touches(&t, 10, 1);
	assert_true(figures_of(&t, NULL, 5).exact);
	introduce(&t, 10, "a", "slurm:1");
	touches(&t, 10, 2);
	struct files_figures f = figures_of(&t, "slurm:1", 5);
	assert_false(f.exact);
	assert_int_equal(f.read, 1);
	assert_true(figures_of(&t, NULL, 5).exact);
	fixture_end(&t);
}

static void test_jobs_are_bounded(void **state)
{
	struct fixture t;

	jobs_begin(&t);
	measured(&t, 0, 7);
	touches(&t, 10, 1);
	t.m->nchunks = FILES_CHUNKS_MAX;
	touches(&t, 12, 1);
	assert_false(figures_of(&t, "slurm:2", 5).exact);
	assert_int_equal(figures_of(&t, "slurm:2", 5).read, 0);
	assert_true(figures_of(&t, "slurm:1", 5).exact);
	t.m->nchunks = 2;
	fixture_end(&t);
}

static void test_another_tree(void **state)
{
	struct fixture t;

	jobs_begin(&t);
	measured(&t, 0, 7);
	touches(&t, 10, 1);
	struct config *moved = parse("datasets:\n  - id: patients\n    path: /data/elsewhere\nnetwork: { vpc: off }\n");
	assert_int_equal(model_policy(t.m, moved, t.classes), 0);
	struct files_figures f = figures_of(&t, NULL, 5);
	assert_false(f.measured);
	assert_int_equal(f.read, 0);
	assert_null(files_cover(t.m, NULL, 0));
	config_free(t.config);
	t.config = moved;
	fixture_end(&t);
}

static void test_unread(void **state)
{
	struct timespec wall = {1800000100, 0};
	struct fixture t;

	jobs_begin(&t);
	measured(&t, 0, MANY);
	reads(&t, 10, 0, 50);
	touches(&t, 10, 0);
	touches(&t, 12, 2);
	json_t *all = snapshot_unread(t.m, "patients", NULL, &wall);
	const json_t *items = json_object_get(all, "items");
	assert_int_equal(json_array_size(items), SNAPSHOT_UNREAD_MAX);
	assert_string_equal(text(json_array_get(items, 0), "path", NULL), "d0/f1");
	assert_string_equal(text(json_array_get(items, 1), "path", NULL), "d0/f3");
	assert_int_equal(number(json_array_get(items, 1), "size", NULL), 4);
	assert_int_equal(number(all, "rest", NULL), MANY - 2 - SNAPSHOT_UNREAD_MAX);
	json_decref(all);

	all = snapshot_unread(t.m, "patients", "slurm:2", &wall);
	assert_string_equal(text(json_array_get(json_object_get(all, "items"), 0), "path", NULL), "d0/f0");
	assert_int_equal(number(all, "used", "files_unread"), MANY - 1);
	json_decref(all);
	for (size_t i = 0; i < 3; i++) {
		all = snapshot_unread(t.m, i ? "patients" : "nothing", i == 1 ? "slurm:3" : NULL, &wall);
		assert_int_equal(json_is_string(json_object_get(all, "error")), i < 2);
		json_decref(all);
	}
	all = snapshot_unread(t.m, "weather", NULL, &wall);
	assert_null_at(all, "rest", NULL);
	assert_int_equal(json_array_size(json_object_get(all, "items")), 0);
	json_decref(all);

	all = shot(&t, "jobs");
	const json_t *job = json_array_get(json_object_get(all, "items"), 0);
	assert_int_equal(number(json_object_get(job, "used"), "patients", "files_read"), 1);
	assert_int_equal(number(json_object_get(job, "used"), "patients", "bytes_most"), 1);
	json_decref(all);
	fixture_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_list),	   cmocka_unit_test(test_list_is_bounded),
	    cmocka_unit_test(test_share),	   cmocka_unit_test(test_files_come_and_go),
	    cmocka_unit_test(test_at_least),	   cmocka_unit_test(test_job_told_late),
	    cmocka_unit_test(test_jobs_are_bounded), cmocka_unit_test(test_another_tree),
	    cmocka_unit_test(test_unread),
	};

	return cmocka_run_group_tests_name("files", tests, NULL, NULL);
}
