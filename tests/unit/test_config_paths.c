/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Configurations against a real file system: a tree of its own under TMPDIR. */
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "user/policy/config.h"

static char dir[256];

__attribute__((format(printf, 1, 2))) static char *under(const char *fmt, ...)
{
	static char path[8][512];
	static unsigned turn;
	char *p = path[turn++ % 8];
	int n = snprintf(p, sizeof(path[0]), "%s/", dir);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p + n, sizeof(path[0]) - (size_t)n, fmt, ap);
	va_end(ap);
	return p;
}

static void write_file(const char *path, const char *text, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	close(fd);
}

static int set_up(void **state)
{
	const char *tmp = getenv("TMPDIR");
	char name[200];

	snprintf(name, sizeof(name), "%s/sluice-test-XXXXXX", tmp ? tmp : "/tmp");
	_cleanup_free_ char *real = mkdtemp(name) ? realpath(name, NULL) : NULL;
	if (!real || strlen(real) >= sizeof(dir))
		return -1;
	strcpy(dir, real);
	/* A space is one of the characters mountinfo escapes. */
	static const char *const dirs[] = {"a", "a/sub",      "a/sub/deep",	  "ab",
					   "b", "with space", "with space/in it", "bind"};
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		if (mkdir(under("%s", dirs[i]), 0755))
			return -1;
	write_file(under("a/file"), "x", 1);
	write_file(under("lone"), "x", 1);
	return symlink("a", under("to-a")) || symlink(under("a/sub"), under("to-sub")) ||
	       symlink("nowhere", under("dangling")) || symlink("self", under("self")) ||
	       link(under("a/file"), under("hard")) || mkfifo(under("fifo"), 0644);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
}

static int tear_down(void **state)
{
	return nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Two datasets, the second on line 3; `b` NULL leaves it out. */
static int parse_two(const char *a, const char *b, struct config_error *e)
{
	_cleanup_(config_freep) struct config *c = NULL;
	char yaml[2048];
	int n = snprintf(yaml, sizeof(yaml), "datasets:\n  - { id: one, path: '%s' }\n", a);

	if (b)
		snprintf(yaml + n, sizeof(yaml) - (size_t)n, "  - { id: two, path: '%s' }\n", b);
	return config_parse(yaml, strlen(yaml), "t", true, &c, e);
}

static void assert_good(const char *a, const char *b)
{
	struct config_error e = {""};

	if (parse_two(a, b, &e))
		fail_msg("%s", e.text);
}

static void assert_bad(const char *a, const char *b, const char *says)
{
	struct config_error e = {""};
	const char *start = b ? "t:3:22: datasets[1].path: " : "t:2:22: datasets[0].path: ";

	if (parse_two(a, b, &e) != -EINVAL || strncmp(e.text, start, strlen(start)) ||
	    !strstr(e.text, says))
		fail_msg("%s and %s gave \"%s\", not \"%s... %s\"", a, b, e.text, start, says);
}

static void test_good_roots(void **state)
{
	assert_good(under("a"), under("b"));
	assert_good(under("a"), under("ab"));
	assert_good(under("a/file"), under("lone"));
	assert_good(under("a/file"), under("a/sub"));
	assert_good(under("to-a"), under("b"));
}

static void test_missing(void **state)
{
	assert_bad(under("none"), NULL, "does not exist; create or mount it");
	assert_bad(under("b"), under("none"), "does not exist");
	assert_bad(under("lone/x"), NULL, "does not exist");
	assert_bad(under("dangling"), NULL, "does not exist");
	assert_bad(under("self"), NULL, "cannot be read: Too many levels");
	assert_bad(under("fifo"), NULL, "is neither a directory nor a regular file");
	assert_bad("/dev/null", NULL, "is neither a directory nor a regular file");
}

static void test_unreadable(void **state)
{
	uid_t was = geteuid();

	write_file(under("secret"), "x", 1);
	assert_int_equal(chmod(under("secret"), 0), 0);
	assert_int_equal(mkdir(under("closed"), 0), 0);
	assert_int_equal(chmod(dir, 0755), 0);
	if (was == 0)
		assert_int_equal(seteuid(65534), 0);
	assert_bad(under("secret"), NULL, "may not be read; run as root");
	assert_bad(under("closed"), NULL, "may not be read");

	struct config_error e = {""};
	struct config *c = NULL;
	assert_int_equal(config_load(under("secret"), &c, &e), -EACCES);
	assert_non_null(strstr(e.text, "/secret: may not be read by this user; run as root"));
	assert_int_equal(seteuid(was), 0);
	rmdir(under("closed"));
}

static void test_overlaps(void **state)
{
	assert_bad(under("a"), under("a/sub"), "lies inside dataset 'one' (line 2); give");
	assert_bad(under("a"), under("to-a"),
		   "lies inside dataset 'one' (line 2) by way of a link");
	assert_bad(under("to-a"), under("a/sub/deep"), "lies inside dataset 'one' (line 2) by way");
	assert_bad(under("a"), under("to-sub"), "lies inside dataset 'one' (line 2) by way");
	assert_bad(under("to-sub"), under("a"), "holds dataset 'one' (line 2) by way");
	assert_bad(under("to-sub/deep"), under("to-a"), "holds dataset 'one' (line 2) by way");
	assert_bad(under("a/file"), under("hard"), "lies inside dataset 'one' (line 2) by way");
	assert_bad(under("to-a"), under("a/file"), "lies inside dataset 'one' (line 2) by way");
}

/* In a mount namespace of its own; exits 0 good, 1 bad, 2 not allowed. */
static int bind_and_parse(const char *from, const char *a, const char *b, const char *says)
{
	struct config_error e = {""};
	int r;

	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount(from, under("bind"), NULL, MS_BIND, NULL))
		return 2;
	r = parse_two(a, b, &e);
	if (!says)
		return r != 0;
	return r != -EINVAL || !strstr(e.text, says);
}

static void assert_bind(const char *from, const char *a, const char *b, const char *says)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(bind_and_parse(from, a, b, says));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 2)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_bind_mounts(void **state)
{
	const char *inside = "lies inside dataset 'one' (line 2) by way of a link or mount";
	const char *holds = "holds dataset 'one' (line 2) by way of a link or mount";

	assert_bind(under("a"), under("a"), under("bind"), inside);
	assert_bind(under("a"), under("a"), under("bind/sub"), inside);
	assert_bind(under("a/sub"), under("a"), under("bind"), inside);
	assert_bind(under("a/sub"), under("bind"), under("a"), holds);
	assert_bind(under("a/sub"), under("bind/deep"), under("to-a"), holds);
	assert_bind(under("with space"), under("with space"), under("bind"), inside);
	assert_bind(under("with space/in it"), under("with space"), under("bind"), inside);
	assert_bind(under("a/sub"), under("b"), under("bind"), NULL);
	assert_bind(under("a/sub"), under("a/file"), under("bind"), NULL);
}

/* --- other paths -------------------------------------------------------------------- */

static void refused(const char *yaml, const char *says)
{
	_cleanup_(config_freep) struct config *c = NULL;
	struct config_error e = {""};

	assert_int_equal(config_parse(yaml, strlen(yaml), "t", true, &c, &e), -EINVAL);
	if (!strstr(e.text, says))
		fail_msg("\"%s\" without \"%s\"", e.text, says);
}

static void test_other_paths(void **state)
{
	static const char ranges[] =
	    "{\"createDate\":\"2026-08-22-21-17-05\",\"ipv6_prefixes\":[],"
	    "\"prefixes\":[{\"ip_prefix\":\"52.1.0.0/16\",\"service\":\"S3\",\"region\":\"r\"}]}";
	char yaml[1024];

	snprintf(yaml, sizeof(yaml), "network: { aws_ranges: '%s' }", under("none"));
	refused(yaml, "t:1:24: network.aws_ranges: '");
	snprintf(yaml, sizeof(yaml), "network: { aws_ranges: '%s' }", dir);
	refused(yaml, "is no regular file; name the file itself");
	snprintf(yaml, sizeof(yaml), "network: { aws_ranges: '%s' }", under("lone"));
	refused(yaml, "t:1:24: network.aws_ranges: /");
	refused(yaml, "/lone:1:1: ");
	snprintf(yaml, sizeof(yaml), "trusted: ['%s']", dir);
	refused(yaml, "t:1:11: trusted[0]: '");
	refused("datasets: [{ id: a, path: s3://bkt/x, mount: /nowhere/at/all }]",
		"t:1:46: datasets[0].mount: '/nowhere/at/all' does not exist");

	write_file(under("ranges"), ranges, sizeof(ranges) - 1);
	snprintf(yaml, sizeof(yaml),
		 "network: { aws_ranges: '%s' }\ntrusted: ['%s', /not/installed]", under("ranges"),
		 under("lone"));
	_cleanup_(config_freep) struct config *c = NULL;
	struct config_error e;
	assert_int_equal(config_parse(yaml, strlen(yaml), "t", true, &c, &e), 0);
}

static void test_load(void **state)
{
	_cleanup_(config_freep) struct config *c = NULL;
	struct config_error e;
	char yaml[1024];
	const char *file = under("good.yaml");

	snprintf(yaml, sizeof(yaml), "datasets: [{ id: a, path: '%s' }]\n", under("a"));
	write_file(file, yaml, strlen(yaml));
	assert_int_equal(config_load(file, &c, &e), 0);
	assert_string_equal(c->file, file);
	assert_string_equal(c->datasets[0].path, under("a"));
	assert_int_equal(strlen(c->digest), 64);
}

static void load_fails(const char *file, int want, const char *says)
{
	struct config *c = NULL;
	struct config_error e = {""};

	assert_int_equal(config_load(file, &c, &e), want);
	assert_null(c);
	if (!strstr(e.text, says))
		fail_msg("\"%s\" without \"%s\"", e.text, says);
}

static void test_load_failures(void **state)
{
	_cleanup_free_ char *big = malloc((1 << 20) + 1);

	memset(big, '#', (1 << 20) + 1);
	write_file(under("big.yaml"), big, (1 << 20) + 1);
	write_file(under("empty.yaml"), "", 0);
	write_file(under("bad.yaml"), "jobs: [\n", 8);
	load_fails(under("none.yaml"), -ENOENT,
		   "none.yaml: not found; check the name given with -c");
	load_fails(dir, -EISDIR, "is a directory; name the YAML file");
	load_fails(under("big.yaml"), -EINVAL, "big.yaml:1:1: larger than 1 MiB");
	load_fails("/dev/zero", -EINVAL, "/dev/zero:1:1: larger than 1 MiB");
	load_fails(under("empty.yaml"), -EINVAL, "empty.yaml:1:1: says nothing");
	load_fails(under("bad.yaml"), -EINVAL, "bad.yaml:2:1: ");
	load_fails(under("lone/x"), -ENOTDIR, "cannot be read: Not a directory");
	load_fails("", -ENOENT, "not found");
	if (access(CONFIG_DEFAULT_PATH, F_OK))
		load_fails(CONFIG_DEFAULT_PATH, -ENOENT, CONFIG_EXAMPLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good_roots),	cmocka_unit_test(test_missing),
	    cmocka_unit_test(test_unreadable),	cmocka_unit_test(test_overlaps),
	    cmocka_unit_test(test_bind_mounts), cmocka_unit_test(test_other_paths),
	    cmocka_unit_test(test_load),	cmocka_unit_test(test_load_failures),
	};

	return cmocka_run_group_tests_name("config paths", tests, set_up, tear_down);
}
