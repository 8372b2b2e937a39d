/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Terminals and file systems that a process serves: most of what is read there is nobody's tagged bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/rules_fixture.h"
#include "user/model_graph.h"

#define MOUNT 39 /* a device number */

static void moved(struct fixture *t, uint32_t pid, struct object what, enum edge_via via, uint64_t bytes)
{
	struct edge_key key = {.who = process(pid), .what = what, .mask = 1, .via = via};
	struct edge_val val = {bytes, 1, t->now, t->now};

	assert_int_equal(model_set_edge(t->m, &key, &val), 0);
	tainted(t, process(pid), 1);
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

/* What is read at the other end is at most what tainted ones put in, however much more there is to read. */
static void end_holds_what_was_put_in(enum edge_via writes, enum edge_via takes, struct object what)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	introduce(&t, 10, "trainer", "slurm:1");
	introduce(&t, 11, "holder", "unit:a.service");
	reads(&t, 10, 0, 100003);
	moved(&t, 11, what, takes, 5003);
	assert_int_equal(held_by(&t, 11), 0);
	moved(&t, 10, what, writes, 101);
	assert_int_equal(held_by(&t, 11), 101);
	moved(&t, 10, what, writes, 200003);
	assert_int_equal(held_by(&t, 11), 5003);
	fixture_end(&t);
}

static const struct object terminal = {.ino = SL_NO_INODE | 7, .dev = 24, .gen = SL_GEN_TTY};
static const struct object connection = {.ino = SL_NO_INODE, .dev = MOUNT, .gen = SL_GEN_SERVED};

static void test_terminal(void **state)
{
	end_holds_what_was_put_in(VIA_TTY_WRITE, VIA_TTY_READ, terminal);
}

static void test_served(void **state)
{
	end_holds_what_was_put_in(VIA_SERVED_WRITE, VIA_SERVED_READ, connection);
}

static void test_names(void **state)
{
	char text[OBJECT_LEN];
	struct fixture t;

	fixture_begin(&t, NULL);
	introduce(&t, 10, "trainer", "slurm:1");
	moved(&t, 10, terminal, VIA_TTY_WRITE, 101);
	assert_string_equal(object_text(text, t.m->last_object), "terminal 0:24/7");
	moved(&t, 10, connection, VIA_SERVED_WRITE, 101);
	assert_string_equal(object_text(text, t.m->last_object), "file system 0:39");
	assert_int_equal(model_name_object(t.m, &connection, "/mnt/\x1b[2Js3", false), 0);
	assert_null(strchr(object_text(text, t.m->last_object), '\x1b'));
	assert_ptr_equal(strstr(text, "file system /mnt/"), text);
	fixture_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_terminal),
	    cmocka_unit_test(test_served),
	    cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
