/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "user/table_text.h"
#include "user/tree.h"
#include "user/value_text.h"

#define START(second) "2026-11-20T10:00:0" #second ".000Z"

static json_t *document(void)
{
	return json_pack("{s:s, s:s, s:[]}", "type", "processes", "time", START(9), "items");
}

struct told {
	int pid;
	const char *start;
	int parent;
	const char *parent_start;
	int image;
	const char *comm;
	int volume; /* negative: holds nothing, of no dataset */
};

static json_t *add(json_t *d, struct told t)
{
	json_t *item = json_pack(
	    "{s:{s:i, s:s, s:s, s:i, s:{s:i, s:s?}}, s:i, s:s, s:b, s:{s:i, s:n}, s:i, s:i, s:[]}", "process", "pid",
	    t.pid, "start", t.start, "comm", t.comm, "uid", 1000, "parent", "pid", t.parent, "start", t.parent_start,
	    "image", t.image, "job", "slurm:7", "alive", 1, "bytes", "read", t.volume > 0 ? t.volume : 0, "mmap",
	    "bytes_out", 13, "tainted_out", 0, "received");

	assert_non_null(item);
	json_object_set_new(item, "datasets", t.volume < 0 ? json_array() : json_pack("[s]", "patients"));
	json_object_set_new(item, "volume", t.volume < 0 ? json_object() : json_pack("{s:i}", "patients", t.volume));
	json_array_append_new(json_object_get(d, "items"), item);
	return item;
}

static char *drawn(json_t *d, unsigned width)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_int_equal(tree_sort(d), 0);
	assert_int_equal(tree_text(d, width, f), 0);
	fclose(f);
	json_decref(d);
	return text;
}

static void assert_drawn(json_t *d, unsigned width, const char *expect)
{
	_cleanup_free_ char *text = drawn(d, width);

	assert_string_equal(text, expect);
}

static void test_tree(void **state)
{
	json_t *d = document();
	json_t *sender = add(d, (struct told){22, START(5), 20, START(1), 0, "sender", 40961});

	add(d, (struct told){21, START(4), 20, START(1), 0, "loader", 1048573});
	add(d, (struct told){20, START(1), 1, START(0), 1, "python3", 0});
	add(d, (struct told){20, START(1), 1, START(0), 0, "sh", -1});
	add(d, (struct told){30, START(2), 1, START(0), 0, "sshd", -1});
	json_object_set_new(sender, "alive", json_false());
	json_array_append_new(json_object_get(sender, "received"),
			      json_pack("{s:s, s:[s], s:s, s:i, s:[s]}", "via", "pipe_read", "from", "loader[21]", "object",
					"pipe:[77]", "bytes", 40961, "datasets", "patients"));
	assert_drawn(d, 0,
		     "PROCESS                 JOB       UID     READ  MAY HOLD           SENT  TAINTED OUT\n"
		     "sh[20]                  slurm:7  1000      0 B  -                  13 B          0 B\n"
		     "└ python3[20]           slurm:7  1000      0 B  -                  13 B          0 B\n"
		     "  ├ loader[21]          slurm:7  1000  1.0 MiB  patients 1.00 MiB  13 B          0 B\n"
		     "  └ sender[22] (ended)  slurm:7  1000   40 KiB  patients 40.1 KiB  13 B          0 B\n"
		     "      ← pipe_read 40 KiB of patients from loader[21] by pipe:[77]\n"
		     "1 process more holds nothing\n");
}

/* For scripts: parents before their children, each with its depth. */
static void test_sorted(void **state)
{
	json_t *d = document();
	static const char *const names[] = {"a", "b", "c", "d"};
	static const int depths[] = {0, 1, 2, 1};

	add(d, (struct told){4, START(4), 1, START(1), 0, "d", 1});
	add(d, (struct told){3, START(3), 2, START(2), 0, "c", 1});
	add(d, (struct told){1, START(1), 0, NULL, 0, "a", 1});
	add(d, (struct told){2, START(2), 1, START(1), 0, "b", 1});
	assert_int_equal(tree_sort(d), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const json_t *item = json_array_get(json_object_get(d, "items"), i);

		assert_string_equal(json_string_value(json_at(item, "process.comm")), names[i]);
		assert_int_equal(json_integer_value(json_at(item, "depth")), depths[i]);
	}
	json_decref(d);
}

/* A parent that has another start is another process, and nobody is above himself. */
static void test_parents(void **state)
{
	json_t *d = document();
	size_t i;
	json_t *item;

	add(d, (struct told){5, START(3), 6, START(3), 0, "x", 1});
	add(d, (struct told){6, START(3), 5, START(3), 0, "y", 1});
	add(d, (struct told){7, START(4), 7, START(4), 0, "self", 1});
	add(d, (struct told){8, START(5), 7, START(1), 0, "other", 1});
	assert_int_equal(tree_sort(d), 0);
	assert_int_equal(json_array_size(json_object_get(d, "items")), 4);
	json_array_foreach (json_object_get(d, "items"), i, item)
		assert_int_equal(json_integer_value(json_at(item, "depth")),
				 !strcmp(json_string_value(json_at(item, "process.comm")), "x"));
	json_decref(d);
}

/* At 80 columns the figures stay whole, and nothing goes beyond. */
static void test_narrow(void **state)
{
	json_t *d = document();
	_cleanup_free_ char *text = NULL;
	unsigned pid = 1;

	for (; pid < 30; pid++) {
		char start[32], parent[32];

		snprintf(start, sizeof(start), "2026-11-20T10:00:%02u.000Z", pid);
		snprintf(parent, sizeof(parent), "2026-11-20T10:00:%02u.000Z", pid - 1);
		add(d, (struct told){(int)pid, start, (int)pid - 1, parent, 0, "a-name-16-\033[2Jlong", 1000003});
	}
	text = drawn(d, 80);
	assert_null(strchr(text, '\033'));
	for (char *save, *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		assert_true(text_width(line) <= 80);
		if (*line != 'P')
			assert_non_null(strstr(line, "977 KiB"));
	}
}

static void test_nothing(void **state)
{
	json_t *d = document();

	add(d, (struct told){1, START(1), 0, NULL, 0, "init", -1});
	assert_drawn(d, 80, "no process holds tagged bytes\n1 process more holds nothing\n");
	assert_drawn(document(), 80, "no process holds tagged bytes\n");
}

static void test_refused(void **state)
{
	static const char *const bad[] = {"{}", "{\"items\":3}", "{\"items\":[3]}"};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		json_t *d = json_loads(bad[i], 0, NULL);

		assert_int_equal(tree_sort(d), -EPROTO);
		json_decref(d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_tree),   cmocka_unit_test(test_sorted),  cmocka_unit_test(test_parents),
	    cmocka_unit_test(test_narrow), cmocka_unit_test(test_nothing), cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
