/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The checks against a made-up /proc and /sys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "user/posture.h"

static char root[64];
static struct posture_result results[POSTURE_MAX];

static void put(const char *path, const char *text)
{
	char full[PATH_MAX];

	snprintf(full, sizeof(full), "%s%s", root, path);
	for (char *c = full + strlen(root) + 1; (c = strchr(c, '/')); c++) {
		*c = '\0';
		mkdir(full, 0755);
		*c = '/';
	}
	_cleanup_close_ int fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void take_away(const char *path)
{
	char full[PATH_MAX];

	snprintf(full, sizeof(full), "%s%s", root, path);
	assert_int_equal(unlink(full), 0);
}

static const struct posture_result *check(const struct config *c, const char *name)
{
	_cleanup_(config_freep) struct config *none = NULL;
	size_t n;

	if (!c) {
		assert_int_equal(config_default(&none), 0);
		c = none;
	}
	n = posture_check(c, root, results);
	assert_true(n <= POSTURE_MAX);
	for (size_t i = 0; i < n; i++) {
		/* what is not good comes with what to do */
		assert_true(*results[i].text);
		assert_true(results[i].state == POSTURE_OK || *results[i].todo);
	}
	for (size_t i = 0; i < n; i++)
		if (strcmp(results[i].name, name) == 0)
			return &results[i];
	fail_msg("no check '%s'", name);
	return NULL;
}

static void assert_state(const char *name, enum posture_state state, const char *text)
{
	const struct posture_result *r = check(NULL, name);

	if (r->state != state || !strstr(r->text, text))
		fail_msg("%s: %s '%s'", name, posture_state_name(r->state), r->text);
}

static const char mounts[] = "23 28 0:21 / /proc rw,nosuid - proc proc rw\n"
			     "30 28 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw\n"
			     "31 28 0:27 / /sys/kernel/security rw - securityfs securityfs rw\n"
			     "32 28 0:28 / /sys/fs/bpf rw - bpf bpf rw\n";

static void put_good_host(void)
{
	put("/proc/self/status", "Name:\tx\nCapEff:\t000001ffffffffff\nSeccomp:\t0\n");
	put("/proc/self/uid_map", "         0          0 4294967295\n");
	put("/proc/self/mountinfo", mounts);
	put("/sys/kernel/btf/vmlinux", "x");
	put("/sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
	put("/proc/sys/net/core/bpf_jit_enable", "1\n");
	put("/proc/sys/kernel/unprivileged_bpf_disabled", "2\n");
	put("/proc/sys/kernel/yama/ptrace_scope", "1\n");
	put("/proc/swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
	put("/proc/sys/kernel/core_pattern", "core\n");
}

static void test_good_host(void **state)
{
	static const char *const good[] = {
	    "capabilities", "user namespace", "PID namespace", "kernel types", "cgroup v2",
	    "bpffs",	    "lockdown",	      "seccomp",       "BPF compiler", "unprivileged BPF",
	    "ptrace",	    "swap",	      "core dumps",    "group sluice", "journal"};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_state(good[i], POSTURE_OK, "");
}

static void test_capabilities(void **state)
{
	put("/proc/self/status", "CapEff:\t0000000000000000\n");
	assert_state("capabilities", POSTURE_FAIL,
		     "missing: CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN, CAP_SYS_ADMIN, ");
	put("/proc/self/status",
	    "CapEff:\t0000000000280004\n"); /* SYS_ADMIN, SYS_PTRACE, DAC_READ_SEARCH */
	assert_state("capabilities", POSTURE_OK, "all");
	put("/proc/self/status", "CapEff:\t000000c000001000\n"); /* BPF, PERFMON, NET_ADMIN */
	assert_state("capabilities", POSTURE_FAIL,
		     "missing: CAP_SYS_ADMIN, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH");
	take_away("/proc/self/status");
	assert_state("capabilities", POSTURE_FAIL, "missing: CAP_BPF");
}

static void test_namespaces(void **state)
{
	char link[PATH_MAX];

	put("/proc/self/uid_map", "         0       1000          1\n");
	assert_state("user namespace", POSTURE_FAIL, "nested");
	put("/proc/self/uid_map", "");
	assert_state("user namespace", POSTURE_WARN, "not known");
	snprintf(link, sizeof(link), "%s/proc/self/ns/pid", root);
	unlink(link);
	assert_state("PID namespace", POSTURE_WARN, "not known");
	assert_int_equal(symlink("pid:[4026532000]", link), 0);
	assert_state("PID namespace", POSTURE_WARN, "nested");
}

static void test_kernel(void **state)
{
	take_away("/sys/kernel/btf/vmlinux");
	assert_state("kernel types", POSTURE_FAIL, "does not describe");
	put("/sys/kernel/security/lockdown", "none integrity [confidentiality]\n");
	assert_state("lockdown", POSTURE_FAIL, "confidentiality");
	put("/sys/kernel/security/lockdown", "[none] integrity confidentiality\n");
	assert_state("lockdown", POSTURE_OK, "none");
	take_away("/sys/kernel/security/lockdown");
	assert_state("lockdown", POSTURE_OK, "not built in");
	put("/proc/self/mountinfo", "");
	assert_state("lockdown", POSTURE_WARN, "not known");
	assert_state("cgroup v2", POSTURE_FAIL, "not mounted");
	assert_state("bpffs", POSTURE_OK, "not mounted");
	put("/proc/self/mountinfo",
	    "30 28 0:26 /docker/x /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
	assert_state("cgroup v2", POSTURE_FAIL, "only a part");
	put("/proc/self/mountinfo",
	    "30 28 0:26 /x /a rw - cgroup2 c rw\n31 28 0:26 / /b rw - cgroup2 c rw\n");
	assert_state("cgroup v2", POSTURE_OK, "/b");
	put("/proc/sys/net/core/bpf_jit_enable", "0\n");
	assert_state("BPF compiler", POSTURE_WARN, "interpreted");
	put("/proc/self/status", "Seccomp:\t2\n");
	assert_state("seccomp", POSTURE_WARN, "filter");
}

static void test_ways_out(void **state)
{
	put("/proc/sys/kernel/unprivileged_bpf_disabled", "0\n");
	assert_state("unprivileged BPF", POSTURE_WARN, "any user");
	put("/proc/sys/kernel/yama/ptrace_scope", "0\n");
	assert_state("ptrace", POSTURE_WARN, "any process");
	take_away("/proc/sys/kernel/yama/ptrace_scope");
	assert_state("ptrace", POSTURE_WARN, "any process");
	put("/proc/sys/kernel/core_pattern", "|/usr/share/apport/apport -p%p\n");
	assert_state("core dumps", POSTURE_WARN, "/usr/share/apport/apport");
	put("/proc/sys/kernel/core_pattern", "");
	assert_state("core dumps", POSTURE_OK, "off");
}

static void test_swap(void **state)
{
	put("/proc/swaps", "Filename Type Size Used Priority\n/dev/nvme1n1p2 partition 100 0 -2\n");
	assert_state("swap", POSTURE_WARN, "/dev/nvme1n1p2");
	put("/proc/swaps", "Filename Type Size Used Priority\n/dev/zram0 partition 100 0 100\n");
	assert_state("swap", POSTURE_OK, "in memory");
	put("/proc/swaps", "Filename Type Size Used Priority\n/dev/dm-1 partition 100 0 -2\n");
	assert_state("swap", POSTURE_WARN, "/dev/dm-1");
	put("/sys/block/dm-1/dm/uuid", "CRYPT-PLAIN-swap\n");
	assert_state("swap", POSTURE_OK, "encrypted");
	put("/proc/swaps",
	    "Filename Type Size Used Priority\n/dev/dm-1 x 1 0 0\n/swapfile file 1 0 -3\n");
	assert_state("swap", POSTURE_WARN, "/swapfile");
	put("/sys/power/state", "freeze mem disk\n");
	put("/sys/power/disk", "[platform] shutdown\n");
	put("/sys/power/resume", "0:0\n");
	assert_state("swap", POSTURE_WARN, "in the clear");
	assert_null(strstr(check(NULL, "swap")->text, "hibernation"));
	put("/sys/power/resume", "259:2\n");
	assert_state("swap", POSTURE_WARN, "all of it by hibernation");
	put("/sys/power/disk", "[disabled]\n");
	assert_null(strstr(check(NULL, "swap")->text, "hibernation"));
}

static void test_swap_on_stacked_devices(void **state)
{
	/* a volume of an encrypted disk, then of two disks of which one is in the clear */
	put("/proc/swaps", "Filename Type Size Used Priority\n/dev/dm-2 partition 100 0 -2\n");
	put("/sys/block/dm-2/dm/uuid", "LVM-x\n");
	put("/sys/block/dm-2/slaves/dm-3/dm/uuid", "CRYPT-LUKS2-y\n");
	assert_state("swap", POSTURE_OK, "encrypted");
	put("/sys/block/dm-2/slaves/sdb/dev", "8:16\n");
	assert_state("swap", POSTURE_WARN, "/dev/dm-2");
	/* compressed memory that is written back to a disk is on a disk */
	put("/proc/swaps", "Filename Type Size Used Priority\n/dev/zram0 partition 100 0 100\n");
	put("/sys/block/zram0/backing_dev", "none\n");
	assert_state("swap", POSTURE_OK, "in memory");
	put("/sys/block/zram0/backing_dev", "/dev/sdc\n");
	assert_state("swap", POSTURE_WARN, "/dev/zram0");
}

static void test_hostile_files(void **state)
{
	static const char *const files[] = {"/proc/self/status",
					    "/proc/self/uid_map",
					    "/proc/self/mountinfo",
					    "/proc/swaps",
					    "/sys/kernel/security/lockdown",
					    "/proc/sys/kernel/core_pattern",
					    "/proc/sys/kernel/yama/ptrace_scope",
					    "/proc/sys/kernel/unprivileged_bpf_disabled"};
	static char junk[40000];
	unsigned seed = 3;

	for (int round = 0; round < 60; round++) {
		for (size_t i = 0; i < sizeof(junk) - 1; i++)
			junk[i] = (char)(rand_r(&seed) % 5
					     ? "\n -/[]|:0CapEfcgroup2 bpf"[rand_r(&seed) % 25]
					     : rand_r(&seed) % 255 + 1);
		if (round % 4 == 0)
			memset(junk, 'a', sizeof(junk) - 1);
		for (size_t i = 0; i < ARRAY_SIZE(files); i++)
			put(files[i], junk + rand_r(&seed) % 39000 * (round % 2));
		check(NULL, "swap");
	}
}

static struct config *config_of(const char *path, const char *journal)
{
	struct config_error e = {};
	struct config *c = NULL;
	char text[1024];

	snprintf(text, sizeof(text), "datasets:\n  - id: patients\n    path: %s\n%s%s%s", path,
		 journal ? "journal: { dir: " : "", journal ? journal : "",
		 journal ? ", max_size: 1GiB }\n" : "");
	if (config_parse(text, strlen(text), "test.yaml", false, &c, &e) < 0)
		fail_msg("%s", e.text);
	return c;
}

static void assert_place(const char *name, const char *path, const char *journal,
			 enum posture_state state, const char *text)
{
	_cleanup_(config_freep) struct config *c = config_of(path, journal);
	const struct posture_result *r = check(c, name);

	if (r->state != state || !strstr(r->text, text))
		fail_msg("%s: %s '%s'", name, posture_state_name(r->state), r->text);
}

static void test_datasets(void **state)
{
	char data[80], file[96];

	snprintf(data, sizeof(data), "%s/data", root);
	snprintf(file, sizeof(file), "%s/data/f", root);
	assert_int_equal(chmod(root, 0755), 0);
	assert_place("dataset patients", data, NULL, POSTURE_FAIL, "No such file");
	assert_int_equal(mkdir(data, 0700), 0);
	assert_place("dataset patients", data, NULL, POSTURE_WARN, "is empty");
	put("/data/f", "x");
	assert_place("dataset patients", data, NULL, POSTURE_OK, "data");
	assert_int_equal(chmod(data, 0755), 0);
	assert_place("dataset patients", data, NULL, POSTURE_WARN,
		     "may be read by every user (mode 0755)");
	assert_int_equal(chmod(data, 0777), 0);
	assert_place("dataset patients", data, NULL, POSTURE_WARN, "may be changed by every user");
	assert_place("dataset patients", file, NULL, POSTURE_WARN,
		     "may be read by every user (mode 0644)");
	/* but not when nobody gets that far */
	assert_int_equal(chmod(root, 0750), 0);
	assert_place("dataset patients", data, NULL, POSTURE_OK, "data");
	assert_place("dataset patients", file, NULL, POSTURE_OK, "data/f");
}

static void test_journal(void **state)
{
	char dir[80], file[80];

	snprintf(dir, sizeof(dir), "%s/journal", root);
	snprintf(file, sizeof(file), "%s/a-file", root);
	put("/a-file", "");
	assert_place("journal", "/x", dir, POSTURE_WARN, "No such file");
	assert_place("journal", "/x", file, POSTURE_FAIL, "is no directory");
	assert_int_equal(mkdir(dir, 0750), 0);
	_cleanup_(config_freep) struct config *c = config_of("/x", dir);
	c->journal.max_size = 1;
	assert_int_equal(check(c, "journal")->state, POSTURE_OK);
	c->journal.max_size = UINT64_MAX;
	assert_int_equal(check(c, "journal")->state, POSTURE_WARN);
	assert_non_null(strstr(check(c, "journal")->text, "has room for"));
	c->journal.max_size = 1;
	assert_int_equal(chmod(dir, 0755), 0);
	assert_int_equal(check(c, "journal")->state, POSTURE_WARN);
	assert_int_equal(chmod(dir, 0770), 0);
	assert_int_equal(check(c, "journal")->state, POSTURE_FAIL);
	assert_non_null(strstr(check(c, "journal")->todo, "chmod go-w"));
	assert_int_equal(chmod(dir, 0750), 0);
	assert_int_equal(check(c, "journal")->state, POSTURE_OK);
	_cleanup_(config_freep) struct config *in = config_of(root, dir);
	in->journal.max_size = 1;
	assert_int_equal(check(in, "journal")->state, POSTURE_FAIL);
	assert_non_null(strstr(check(in, "journal")->text, "lies in dataset"));
}

static int set_up(void **state)
{
	char link[PATH_MAX];

	snprintf(root, sizeof(root), "/tmp/sluice-posture-XXXXXX");
	if (!mkdtemp(root))
		return -1;
	put_good_host();
	snprintf(link, sizeof(link), "%s/proc/self/ns", root);
	mkdir(link, 0755);
	strcat(link, "/pid");
	return symlink("pid:[4026531836]", link);
}

static int tear_down(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", root);
	return system(command);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

static void test_credentials(void **state)
{
	const struct posture_result *r = check(NULL, "credentials");

	assert_int_equal(r->state, POSTURE_WARN); /* not known */
	put("/etc/passwd", "root:x:0:0::/root:/bin/sh\nx:x:1000:1000::/home/x:/bin/sh\n");
	put("/root/.aws/config", "[default]\nregion = eu-west-1\n");
	assert_int_equal(check(NULL, "credentials")->state, POSTURE_OK);
	put("/home/x/.aws/credentials", "[a]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = secret\n");
	put("/home/x/.netrc", "machine a login b password secret\n");
	r = check(NULL, "credentials");
	assert_int_equal(r->state, POSTURE_WARN);
	assert_non_null(strstr(r->text, "AWS key AKIA************MPLE in "));
	assert_non_null(strstr(r->text, "/home/x/.aws/credentials, and 1 more"));
	assert_null(strstr(r->text, "secret"));
	assert_null(strstr(r->text, "IOSFODNN"));
	take_away("/home/x/.aws/credentials");
	take_away("/home/x/.netrc");
	take_away("/etc/passwd");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_good_host),     TEST(test_capabilities), TEST(test_namespaces),
	    TEST(test_kernel),	      TEST(test_ways_out),     TEST(test_swap),
	    TEST(test_swap_on_stacked_devices), TEST(test_credentials),
	    TEST(test_hostile_files), TEST(test_datasets),     TEST(test_journal),
	};

	return cmocka_run_group_tests_name("posture", tests, NULL, NULL);
}
