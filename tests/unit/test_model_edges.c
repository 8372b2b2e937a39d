/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Files, looks into memory and core dumps: bounds, chains, what is kept of them, and staging.copy.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/rules_fixture.h"
#include "user/model_graph.h"

static const struct m_object *object(const struct fixture *t, uint64_t ino)
{
	struct edge_key key = file_key(1, ino, VIA_FILE_READ, 1);

	return hashmap_find(&t->m->objects, &key.what);
}

static void sends_outside(struct fixture *t, uint32_t pid, uint64_t out)
{
	struct flow f = flow_to(t, pid, pid, OUTSIDE, 443);

	flow_tainted_by(t, &f, 1, 0);
	sends(t, &f, out, 0);
}

static uint64_t held_by(struct fixture *t, uint32_t pid)
{
	uint64_t work = UINT64_MAX, volume;
	struct subject who = process(pid);
	struct ds_graph *g;

	assert_int_equal(ds_graph_current(t->m, 0, &g), 0);
	assert_int_equal(ds_graph_volume(g, subject_find(t->m, &who), &work, &volume), 0);
	return volume;
}

static void introduce_all(struct fixture *t, uint32_t first, uint32_t last)
{
	for (uint32_t pid = first; pid <= last; pid++)
		introduce(t, pid, "python3", "slurm:1");
}

/* --- bounds -------------------------------------------------------------- */

/* What one wrote each can read, and all of them hold no more than that together. */
static void test_file_is_not_used_up(void **state)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	introduce_all(&t, 10, 13);
	reads(&t, 10, 0, 100003);
	files(&t, 10, 5, VIA_FILE_WRITE, 1, 4099);
	files(&t, 11, 5, VIA_FILE_READ, 1, 4099);
	files(&t, 12, 5, VIA_FILE_READ, 1, 3 * 4099);
	assert_int_equal(held_by(&t, 11), 4099);
	assert_int_equal(held_by(&t, 12), 4099);
	files(&t, 11, 6, VIA_FILE_WRITE, 1, 4000);
	files(&t, 12, 6, VIA_FILE_WRITE, 1, 4000);
	files(&t, 13, 6, VIA_FILE_READ, 1, 8000);
	assert_int_equal(held_by(&t, 13), 4099);
	fixture_end(&t);
}

/* The log was there before: its old lines are no tagged bytes. */
static void test_old_content(void **state)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	introduce_all(&t, 10, 11);
	reads(&t, 10, 0, 100003);
	files(&t, 10, 5, VIA_FILE_WRITE, 1, 101);
	files(&t, 11, 5, VIA_FILE_READ, 1, 1 << 30);
	assert_int_equal(held_by(&t, 11), 101);
	fixture_end(&t);
}

/* A file is only as tainted as what is known to have been written: who read before that is charged when the write
 * has returned. */
static void test_write_under_way(void **state)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	introduce_all(&t, 10, 11);
	reads(&t, 10, 0, 100003);
	files(&t, 11, 5, VIA_FILE_READ, 1, 4099);
	assert_int_equal(held_by(&t, 11), 0);
	files(&t, 10, 5, VIA_FILE_WRITE, 1, 5003);
	assert_int_equal(held_by(&t, 11), 4099);
	fixture_end(&t);
}

static void test_look_has_no_limit(void **state)
{
	struct fixture t;
	struct edge_key key = look_key(11, 11, 1);

	fixture_begin(&t, NULL);
	introduce_all(&t, 10, 12);
	reads(&t, 10, 0, 100003);
	looks(&t, 11, 10, 1);
	looks(&t, 12, 11, 1);
	assert_int_equal(held_by(&t, 12), 100003);
	reads(&t, 10, 0, 200003);
	assert_int_equal(held_by(&t, 12), 200003);
	assert_int_equal(t.m->nobjects, 0);
	assert_int_equal(model_set_edge(t.m, &key, &(struct edge_val){0, 1, 1, 1}), -EINVAL);
	fixture_end(&t);
}

static void test_dump_has_no_limit(void **state)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	introduce_all(&t, 10, 12);
	reads(&t, 10, 0, 100003);
	files(&t, 10, 5, VIA_DUMP, 1, 1);
	assert_int_equal(object(&t, 5)->kind, OBJECT_UNKNOWN);
	files(&t, 11, 5, VIA_FILE_READ, 1, 50021);
	assert_int_equal(object(&t, 5)->kind, OBJECT_FILE);
	assert_int_equal(held_by(&t, 11), 50021);
	/* Into a pipe, for a helper. */
	struct edge_key key = {
	    .who = process(10), .what = {.ino = 77, .dev = 13}, .mask = 1, .via = VIA_DUMP};
	assert_int_equal(model_set_edge(t.m, &key, &(struct edge_val){0, 1, t.now, t.now}), 0);
	moves(&t, 12, 77, VIA_PIPE_READ, 1, 70001);
	assert_int_equal(held_by(&t, 12), 70001);
	assert_int_equal(hashmap_find(&t.m->objects, &key.what) ? t.m->last_object->kind : 99,
			 OBJECT_PIPE);
	fixture_end(&t);
}

/* Its parent died and was forgotten before a word was heard of it. */
static void test_late_child(void **state)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	introduce_all(&t, 10, 11);
	reads(&t, 10, 0, 100003);
	born(&t, process(77), process(11), 1, VIA_FORK);
	assert_int_equal(held_by(&t, 11), 100003);
	/* Its parent is told after all. */
	reads(&t, 77, 0, 503);
	assert_int_equal(held_by(&t, 11), 503);
	fixture_end(&t);
}

/* --- chains -------------------------------------------------------------- */

static void test_chain_by_copies(void **state)
{
	static const struct step expected[] = {
	    {"dataset patients", "process python3[10]", "read", 100003},
	    {"process python3[10]", "file /srv/a", "file_write", 50021},
	    {"file /srv/a", "process python3[11]", "file_read", 40009},
	    {"process python3[11]", "file 8:1 inode 6", "file_write", 30011},
	    {"file 8:1 inode 6", "process python3[12]", "file_read", 20011},
	    {"process python3[12]", "203.0.113.9:443", "tcp", 10007},
	};
	struct fixture t;

	fixture_begin(&t, NULL);
	introduce_all(&t, 10, 12);
	reads(&t, 10, 0, 100003);
	files(&t, 10, 5, VIA_FILE_WRITE, 1, 50021);
	name(&t, 5, "/srv/a", true);
	files(&t, 11, 5, VIA_FILE_READ, 1, 40009);
	files(&t, 11, 6, VIA_FILE_WRITE, 1, 30011);
	files(&t, 12, 6, VIA_FILE_READ, 1, 20011);
	sends_outside(&t, 12, 10007);
	evaluate(&t);
	const struct finding *f = only(&t, RULE_EXFIL_VOLUME);
	assert_int_equal(f->leak_bound, 10007);
	assert_int_equal(f->exposed, 100003);
	assert_chain(f, expected, ARRAY_SIZE(expected));
	fixture_end(&t);
}

static void test_chain_by_memory(void **state)
{
	static const struct step expected[] = {
	    {"dataset patients", "process python3[10]", "read", 100003},
	    {"process python3[10]", "process python3[11]", "peek", -1},
	    {"process python3[11]", "file /var/core?[31m", "core_dump", -1},
	    {"file /var/core?[31m", "process python3[12]", "file_read", 90001},
	    {"process python3[12]", "203.0.113.9:443", "tcp", 90001},
	};
	struct fixture t;

	fixture_begin(&t, NULL);
	introduce_all(&t, 10, 12);
	reads(&t, 10, 0, 100003);
	looks(&t, 11, 10, 1);
	files(&t, 11, 5, VIA_DUMP, 1, 1);
	files(&t, 12, 5, VIA_FILE_READ, 1, 90001);
	name(&t, 5, "/var/core\033[31m", true);
	sends_outside(&t, 12, 90001);
	evaluate(&t);
	const struct finding *f = only(&t, RULE_EXFIL_VOLUME);
	assert_int_equal(f->leak_bound, 90001);
	assert_chain(f, expected, ARRAY_SIZE(expected));
	fixture_end(&t);
}

/* --- life ---------------------------------------------------------------- */

static void pass(struct fixture *t, unsigned seconds)
{
	t->now += seconds * NSEC;
	assert_int_equal(rules_evaluate(t->m, t->now), 0);
}

static void settle(struct fixture *t, struct edge_key key)
{
	assert_int_equal(model_settle_edge(t->m, &key), 0);
}

static void give_all(struct fixture *t)
{
	for (struct m_subject *s = t->m->first_subject; s; s = s->next) {
		for (struct m_edge *e = s->edges; e; e = e->subject_next) {
			for (unsigned i = 0; i < e->ntransfers; i++)
				e->transfers[i].sum.given = account_total(&e->transfers[i].sum);
		}
	}
}

/* Its writer and its readers are dead, but it is still there to be read. */
static void test_file_outlives_its_users(void **state)
{
	struct fixture t;
	struct subject who;

	fixture_begin(&t, NULL);
	t.m->merge_above = 0;
	introduce_all(&t, 10, 11);
	reads(&t, 10, 0, 100003);
	files(&t, 10, 5, VIA_FILE_WRITE, 1, 4099);
	files(&t, 11, 5, VIA_FILE_READ, 1, 4099);
	settle(&t, file_key(10, 5, VIA_FILE_WRITE, 1));
	settle(&t, file_key(11, 5, VIA_FILE_READ, 1));
	struct ledger_key read = {.who = process(10), .dataset = 0, .kind = ACCESS_READ};
	assert_int_equal(model_settle_access(t.m, &read), 0);
	give_all(&t);
	for (uint32_t pid = 10; pid <= 11; pid++) {
		who = process(pid);
		assert_int_equal(model_set_exit(t.m, &who, t.now), 0);
	}
	for (int i = 0; i < 5; i++)
		pass(&t, 70);
	assert_null(subject_find(t.m, &who));
	assert_non_null(object(&t, 5));
	introduce(&t, 12, "python3", "slurm:2");
	files(&t, 12, 5, VIA_FILE_READ, 1, 4001);
	assert_int_equal(held_by(&t, 12), 4001);
	fixture_end(&t);
}

/* A trainer that makes and deletes files for weeks. */
static void test_deleted_files_are_forgotten(void **state)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	introduce(&t, 10, "python3", "slurm:1");
	reads(&t, 10, 0, 100003);
	for (uint64_t ino = 1; ino <= 5000; ino++) {
		struct edge_key key = file_key(10, ino, VIA_FILE_WRITE, 1);

		files(&t, 10, ino, VIA_FILE_WRITE, 1, 17);
		if (ino % 2) /* its own scratch */
			files(&t, 10, ino, VIA_FILE_READ, 1, 17);
		settle(&t, key);
		if (ino % 2)
			settle(&t, file_key(10, ino, VIA_FILE_READ, 1));
		model_forget_object(t.m, &key.what);
		if (ino % 1000 == 0) {
			give_all(&t);
			pass(&t, 11);
		}
	}
	assert_int_equal(t.m->nobjects, 0);
	assert_int_equal(t.m->nedges, 0);
	assert_int_equal(t.m->refused[REFUSED_OBJECT], 0);
	fixture_end(&t);
}

/* What others read cannot be left out: deleted files of one job become one. */
static void test_deleted_files_are_merged(void **state)
{
	struct fixture t;
	const uint64_t n = 1000;

	fixture_begin(&t, NULL);
	t.m->merge_above = 100;
	introduce_all(&t, 10, 11);
	reads(&t, 10, 0, 100003);
	for (uint64_t ino = 1; ino <= n; ino++) {
		struct edge_key key = file_key(10, ino, VIA_FILE_WRITE, 1);

		files(&t, 10, ino, VIA_FILE_WRITE, 1, 17);
		files(&t, 11, ino, VIA_FILE_READ, 1, 13);
		settle(&t, key);
		settle(&t, file_key(11, ino, VIA_FILE_READ, 1));
		model_forget_object(t.m, &key.what);
	}
	assert_int_equal(held_by(&t, 11), 13 * n);
	for (int i = 0; i < 3; i++)
		pass(&t, 11);
	assert_int_equal(t.m->nobjects, 1);
	assert_int_equal(t.m->first_object->merged, n);
	assert_int_equal(held_by(&t, 11), 13 * n);
	char text[OBJECT_LEN];
	assert_string_equal(object_text(text, t.m->first_object), "1000 deleted files");
	fixture_end(&t);
}

/* Who was looked into died, and is one with others of its job; who looked lives on. */
static void test_look_at_the_dead(void **state)
{
	struct fixture t;
	struct subject who = process(10);
	struct ledger_key read = {.who = process(10), .dataset = 0, .kind = ACCESS_READ};

	fixture_begin(&t, NULL);
	t.m->merge_above = 0;
	introduce_all(&t, 10, 11);
	reads(&t, 10, 0, 100003);
	looks(&t, 11, 10, 1);
	assert_int_equal(model_settle_access(t.m, &read), 0);
	assert_int_equal(model_set_exit(t.m, &who, t.now), 0);
	for (int i = 0; i < 5; i++)
		pass(&t, 70);
	assert_null(subject_find(t.m, &who));
	assert_int_equal(held_by(&t, 11), 100003);
	/* The kernel names it once more, when the other one's entry is taken out. */
	size_t subjects = t.m->nsubjects;
	looks(&t, 11, 10, 1);
	settle(&t, look_key(11, 10, 1));
	assert_int_equal(t.m->nsubjects, subjects);
	assert_int_equal(held_by(&t, 11), 100003);
	who = process(11);
	assert_int_equal(model_set_exit(t.m, &who, t.now), 0);
	for (int i = 0; i < 5; i++)
		pass(&t, 70);
	/* Both are one now: nothing leads anywhere. */
	assert_int_equal(t.m->nsubjects, 1);
	assert_int_equal(t.m->nedges, 0);
	fixture_end(&t);
}

static void test_full_of_files(void **state)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	reads(&t, 10, 0, 100003);
	t.m->nodes_max = 11;
	for (uint64_t ino = 1; ino <= 20; ino++) {
		struct edge_key key = file_key(10, ino, VIA_FILE_WRITE, 1);

		assert_int_equal(model_set_edge(t.m, &key, &(struct edge_val){17, 1, 1, 1}),
				 ino <= 10 ? 0 : -ENOSPC);
	}
	assert_int_equal(t.m->refused[REFUSED_OBJECT], 10);
	evaluate(&t);
	assert_int_equal(findings(&t, RULE_MONITOR_GAP), 1);
	fixture_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_file_is_not_used_up),
	    cmocka_unit_test(test_old_content),
	    cmocka_unit_test(test_write_under_way),
	    cmocka_unit_test(test_look_has_no_limit),
	    cmocka_unit_test(test_dump_has_no_limit),
	    cmocka_unit_test(test_late_child),
	    cmocka_unit_test(test_chain_by_copies),
	    cmocka_unit_test(test_chain_by_memory),
	    cmocka_unit_test(test_file_outlives_its_users),
	    cmocka_unit_test(test_deleted_files_are_forgotten),
	    cmocka_unit_test(test_deleted_files_are_merged),
	    cmocka_unit_test(test_look_at_the_dead),
	    cmocka_unit_test(test_full_of_files),
	};

	return cmocka_run_group_tests_name("model_edges", tests, NULL, NULL);
}
