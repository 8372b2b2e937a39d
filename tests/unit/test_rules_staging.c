/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* staging.copy: what is raised, how it grows, what stays quiet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/rules_fixture.h"

static void test_staging(void **state)
{
	static const struct step expected[] = {
	    {"dataset patients", "process python3[10]", "read", 100003},
	    {"process python3[10]", "file /tmp/out.tar", "file_write", 70001},
	};
	struct fixture t;

	fixture_begin(&t, NULL);
	introduce(&t, 10, "python3", "slurm:1");
	reads(&t, 10, 0, 100003);
	files(&t, 10, 5, VIA_FILE_WRITE, 1, 70001);
	evaluate(&t);
	assert_int_equal(t.m->findings->n, 0); /* not looked for yet */
	name(&t, 5, "/tmp/out.tar", false);
	evaluate(&t);
	const struct finding *f = only(&t, RULE_STAGING_COPY);
	assert_int_equal(f->leak_bound, 70001);
	assert_int_equal(f->exposed, 100003);
	assert_int_equal(f->severity, SEVERITY_LOW);
	assert_string_equal(
	    f->title, "slurm:1 wrote at most 68.4 KiB of patients (PII) where others can read it: "
		      "file /tmp/out.tar");
	assert_chain(f, expected, ARRAY_SIZE(expected));
	assert_int_equal(f->process->who.tgid, 10);
	assert_int_equal(f->count, 1);
	for (int i = 0; i < 5; i++)
		evaluate(&t);
	assert_int_equal(f->count, 1);
	/* Another one beside it, of the same bytes or not. */
	files(&t, 10, 6, VIA_FILE_WRITE, 1, 50021);
	name(&t, 6, "/tmp/more.tar", false);
	evaluate(&t);
	f = only(&t, RULE_STAGING_COPY);
	assert_int_equal(f->leak_bound, 100003);
	assert_int_equal(f->count, 2);
	assert_string_equal(
	    f->title, "slurm:1 wrote at most 97.7 KiB of patients (PII) where others can read it: "
		      "2 files in /tmp");
	fixture_end(&t);
}

static void test_staging_is_quiet(void **state)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	introduce(&t, 10, "python3", "slurm:1");
	introduce(&t, 11, "tail", "slurm:1");
	reads(&t, 10, 0, 100003);
	files(&t, 10, 5, VIA_FILE_WRITE, 1, 70001);
	name(&t, 5, "/root/out.tar", true);
	moves(&t, 10, 77, VIA_PIPE_WRITE, 1, 1009);
	files(&t, 10, 6, VIA_FILE_WRITE, 1, 1009); /* deleted before it was looked for */
	struct edge_key key = file_key(10, 6, VIA_FILE_WRITE, 1);
	model_forget_object(t.m, &key.what);
	/* A reader of a log others wrote to has nothing of them. */
	files(&t, 11, 9, VIA_FILE_READ, 1, 5);
	name(&t, 9, "/tmp/log", false);
	for (int i = 0; i < 5; i++)
		evaluate(&t);
	assert_int_equal(t.m->findings->n, 0);
	/* Later it is made readable. */
	name(&t, 5, "/root/out.tar", false);
	evaluate(&t);
	assert_int_equal(only(&t, RULE_STAGING_COPY)->leak_bound, 70001);
	fixture_end(&t);
}

static void test_staging_where_is_not_known(void **state)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	introduce(&t, 10, "python3", "slurm:1");
	reads(&t, 10, 0, 100003);
	files(&t, 10, 5, VIA_FILE_WRITE, 1, 1009);
	name(&t, 5, NULL, false);
	evaluate(&t);
	assert_int_equal(only(&t, RULE_STAGING_COPY)->severity, SEVERITY_INFO);
	assert_non_null(strstr(only(&t, RULE_STAGING_COPY)->title, "file 8:1 inode 5"));
	fixture_end(&t);
}

/* More directories than there is room for: what is left is one finding. */
static void test_staging_everywhere(void **state)
{
	struct fixture t;

	fixture_begin(&t, NULL);
	t.m->findings->most = 3;
	introduce(&t, 10, "python3", "slurm:1");
	reads(&t, 10, 0, 100003);
	for (uint64_t ino = 1; ino <= 10; ino++) {
		char path[64];

		snprintf(path, sizeof(path), "/tmp/%llu/x", (unsigned long long)ino);
		files(&t, 10, ino, VIA_FILE_WRITE, 1, 1009);
		name(&t, ino, path, false);
	}
	evaluate(&t);
	assert_int_equal(findings(&t, RULE_STAGING_COPY), 4);
	uint64_t sum = 0;
	for (const struct finding *f = t.m->findings->first; f; f = f->next)
		sum += f->leak_bound;
	assert_int_equal(sum, 10 * 1009);
	fixture_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_staging),
	    cmocka_unit_test(test_staging_is_quiet),
	    cmocka_unit_test(test_staging_where_is_not_known),
	    cmocka_unit_test(test_staging_everywhere),
	};

	return cmocka_run_group_tests_name("rules_staging", tests, NULL, NULL);
}
