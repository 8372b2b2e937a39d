/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Which files are candidates, and that nothing else in a home is opened or waited for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "user/credential_files.h"
#include "user/credential_marks.h"

#define AWS_TEXT "[a]\naws_access_key_id=AKIAIOSFODNN7EXAMPLE\naws_secret_access_key=x\n"

struct place {
	char dir[64], passwd[128];
};

__attribute__((format(printf, 1, 2))) static void run(const char *format, ...)
{
	char command[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	assert_int_equal(system(command), 0);
}

static void put(const struct place *p, const char *name, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", p->dir, name);
	_cleanup_fclose_ FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
}

static struct place place_new(void)
{
	struct place p = {.dir = "/tmp/sluice-unit-XXXXXX"};
	char line[512];

	assert_non_null(mkdtemp(p.dir));
	snprintf(p.passwd, sizeof(p.passwd), "%s/passwd", p.dir);
	run("mkdir -p %s/a/.aws %s/a/.kube %s/b", p.dir, p.dir, p.dir);
	snprintf(line, sizeof(line),
		 "nobody:x:1:1::/nonexistent:/\na:x:4001:1::%s/a:/\nb:x:4002:1::%s/b/:/\nbad\nc:x:x:1::%s/a:/\n:::::relative:\n", p.dir,
		 p.dir, p.dir);
	put(&p, "passwd", line);
	return p;
}

static void place_done(const struct place *p)
{
	run("rm -rf %s", p->dir);
}

struct met {
	unsigned n, of[SECRET_KINDS];
	struct credential_marks *marks;
};

static void meet(void *arg, enum secret_kind kind, int fd, const struct stat *st)
{
	struct met *m = arg;

	m->n++;
	m->of[kind]++;
	assert_true(S_ISREG(st->st_mode));
	assert_int_equal(fcntl(fd, F_GETFL) & O_PATH, O_PATH);
	if (m->marks)
		credential_marks_add(m->marks, kind, fd, st);
}

static void test_homes(void **state)
{
	struct place p = place_new();
	struct met m = {0};

	put(&p, "a/.aws/credentials", AWS_TEXT);
	put(&p, "a/.aws/config", "[a]\n");
	put(&p, "b/.netrc", "machine a password b");
	assert_int_equal(credential_files_of_root("/", p.passwd, meet, &m), 0);
	assert_int_equal(m.n, 3);
	assert_int_equal(m.of[SECRET_AWS], 2);
	assert_int_equal(m.of[SECRET_NETRC], 1);
	assert_int_equal(credential_files_of_root("/", "/nonexistent", meet, &m), -ENOENT);
	assert_int_equal(m.n, 3);
	place_done(&p);
}

static void test_no_files(void **state)
{
	struct place p = place_new();
	struct met m = {0};

	run("cd %s/a && mkfifo .netrc && ln -s /dev/zero .git-credentials && ln -s /proc/kmsg .aws/credentials && "
	    "ln -s /sys/kernel/mm/transparent_hugepage/enabled .aws/config && mkdir .kube/config && mkdir .huggingface .docker && "
	    "truncate -s 1G .huggingface/token && : > .docker/config.json && ln -s .netrc ../b/.netrc && ln -s loop ../b/loop && "
	    "ln -s loop ../b/.git-credentials",
	    p.dir);
	assert_int_equal(credential_files_of_root("/", p.passwd, meet, &m), 0);
	assert_int_equal(m.n, 0);
	place_done(&p);
}

static void test_links_inside(void **state)
{
	struct place p = place_new();
	struct met m = {0};

	put(&p, "real", "machine a password b");
	run("ln -s %s/real %s/a/.netrc; ln -s ../a/.aws %s/b/.aws", p.dir, p.dir, p.dir);
	put(&p, "a/.aws/credentials", AWS_TEXT);
	assert_int_equal(credential_files_of_root("/", p.passwd, meet, &m), 0);
	assert_int_equal(m.of[SECRET_NETRC], 1);
	assert_int_equal(m.of[SECRET_AWS], 2); /* one file, twice */
	place_done(&p);
}

/* What a file holds is looked at again when it is opened after it changed. */
static void test_marks(void **state)
{
	struct credential_marks *marks = calloc(1, sizeof(*marks));
	struct place p = place_new();
	struct met m = {.marks = marks};
	char path[256];

	assert_non_null(marks);
	marks->fan = -1;
	marks->files = HASHMAP_OF(struct credential_mark, id);
	put(&p, "a/.aws/credentials", "[a]\n");
	run("ln %s/a/.aws/credentials %s/a/.aws/config", p.dir, p.dir);
	assert_int_equal(credential_files_of_root("/", p.passwd, meet, &m), 0);
	assert_int_equal(m.n, 2);
	assert_int_equal(marks->files.used, 1);
	snprintf(path, sizeof(path), "%s/a/.aws/credentials", p.dir);
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC), other = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_null(credential_marks_opened(marks, fd));
	assert_null(credential_marks_opened(marks, other));
	put(&p, "a/.aws/credentials", AWS_TEXT);
	const struct credential_mark *f = credential_marks_opened(marks, fd);
	assert_non_null(f);
	assert_string_equal(f->key, "AKIA************MPLE");
	assert_string_equal(f->path, path);
	for (size_t i = 0; i < sizeof(marks->buf); i++)
		assert_int_equal(marks->buf[i], 0);
	put(&p, "a/.aws/credentials", "[a]\n");
	assert_null(credential_marks_opened(marks, fd));
	credential_marks_free(marks);
	free(marks);
	place_done(&p);
}

static void test_of_a_process(void **state)
{
	struct place p = place_new();
	struct met m = {0};
	char path[256];

	snprintf(path, sizeof(path), "%s/passwd", p.dir);
	credential_files_at((uint32_t)getpid(), SECRET_KUBE, path, meet, &m);
	credential_files_at((uint32_t)getpid(), SECRET_KUBE, "/dev/zero", meet, &m);
	credential_files_at(0x3fffffff, SECRET_KUBE, path, meet, &m);
	assert_int_equal(m.n, 1);
	place_done(&p);
}

static void test_whole_host(void **state)
{
	struct place p = place_new();
	struct met m = {0};

	put(&p, "a/.aws/credentials", AWS_TEXT);
	int err = credential_files_scan(p.passwd, meet, &m);
	assert_true(!err && m.of[SECRET_AWS] >= 1);
	place_done(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_homes), cmocka_unit_test(test_no_files),	   cmocka_unit_test(test_links_inside),
		cmocka_unit_test(test_marks), cmocka_unit_test(test_of_a_process), cmocka_unit_test(test_whole_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
