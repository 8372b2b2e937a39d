/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/posture_internal.h"

#include <dirent.h>
#include <grp.h>
#include <linux/capability.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>

/* --- files ------------------------------------------------------------------ */

static FILE *open_file(const struct posture *p, const char *path)
{
	char full[PATH_MAX];

	if (snprintf(full, sizeof(full), "%s%s", p->root, path) >= (int)sizeof(full)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	return fopen(full, "re");
}

/* The first line of a file without its end; -ENODATA: it is empty. */
static int first_line(const struct posture *p, const char *path, char *ret, size_t n)
{
	_cleanup_fclose_ FILE *f = open_file(p, path);

	if (!f)
		return -errno;
	if (!fgets(ret, (int)n, f))
		return ferror(f) ? -EIO : -ENODATA;
	ret[strcspn(ret, "\n")] = '\0';
	return 0;
}

static bool exists(const struct posture *p, const char *path)
{
	_cleanup_fclose_ FILE *f = open_file(p, path);

	return f != NULL;
}

/* The value of "NAME: ..." in /proc/self/status. */
static int status_value(const struct posture *p, const char *name, char *ret, size_t n)
{
	_cleanup_fclose_ FILE *f = open_file(p, "/proc/self/status");
	size_t len = strlen(name);
	char line[256];

	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, name, len) != 0 || line[len] != ':')
			continue;
		size_t skip = len + 1 + strspn(line + len + 1, " \t");
		line[strcspn(line, "\n")] = '\0';
		snprintf(ret, n, "%s", line + MIN(skip, strlen(line)));
		return 0;
	}
	return -ENOENT;
}

/* Where a file system of this type is mounted: "" if nowhere. Of several the one that shows all of
 * it. */
static void find_mount(const struct posture *p, const char *type, char at[static 256],
		       bool *ret_whole)
{
	_cleanup_fclose_ FILE *f = open_file(p, "/proc/self/mountinfo");
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	char want[64];

	snprintf(want, sizeof(want), " - %s ", type);
	at[0] = '\0';
	*ret_whole = false;
	while (f && !*ret_whole && getline(&line, &size, f) > 0) {
		char part[256], path[256];

		if (!strstr(line, want) || sscanf(line, "%*s %*s %*s %255s %255s", part, path) != 2)
			continue;
		memcpy(at, path, sizeof(path));
		*ret_whole = strcmp(part, "/") == 0;
	}
}

/* --- what the monitor needs ------------------------------------------------- */

static const struct {
	const char *name;
	unsigned bit;
	bool admin; /* CAP_SYS_ADMIN stands for it */
} needed[] = {
    {"CAP_BPF", CAP_BPF, true},
    {"CAP_PERFMON", CAP_PERFMON, true},
    {"CAP_NET_ADMIN", CAP_NET_ADMIN, true},
    {"CAP_SYS_ADMIN", CAP_SYS_ADMIN, false},
    {"CAP_SYS_PTRACE", CAP_SYS_PTRACE, false},
    {"CAP_DAC_READ_SEARCH", CAP_DAC_READ_SEARCH, false},
};

static void check_capabilities(const struct posture *p, struct posture_result *r)
{
	char text[64];
	unsigned long long caps = 0;
	size_t at = 0;

	if (status_value(p, "CapEff", text, sizeof(text)) == 0)
		caps = strtoull(text, NULL, 16);
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		bool have =
		    caps >> needed[i].bit & 1 || (needed[i].admin && caps >> CAP_SYS_ADMIN & 1);

		if (!have && at < sizeof(r->text))
			at += (size_t)snprintf(r->text + at, sizeof(r->text) - at, "%s%s",
					       at ? ", " : "missing: ", needed[i].name);
	}
	if (at)
		posture_todo(r, POSTURE_FAIL, "run as root: sudo sluice check");
	else
		posture_found(r, "all that are needed");
}

static void check_user_namespace(const struct posture *p, struct posture_result *r)
{
	unsigned long long inside, outside, count;
	char line[128];

	if (first_line(p, "/proc/self/uid_map", line, sizeof(line)) < 0 ||
	    sscanf(line, "%llu %llu %llu", &inside, &outside, &count) != 3) {
		posture_found(r, "not known: /proc is not mounted");
		posture_todo(r, POSTURE_WARN, "mount -t proc proc /proc");
	} else if (inside == 0 && outside == 0 && count >= 4294967295ULL) {
		posture_found(r, "the first one");
	} else {
		posture_found(r, "a nested one, whose rights do not reach the kernel");
		posture_todo(r, POSTURE_FAIL,
			     "run on the host, or in a container without user namespace");
	}
}

static void check_pid_namespace(const struct posture *p, struct posture_result *r)
{
	char link[64] = "", full[PATH_MAX];
	ssize_t n;

	snprintf(full, sizeof(full), "%s/proc/self/ns/pid", p->root);
	n = readlink(full, link, sizeof(link) - 1);
	if (n < 0) {
		posture_found(r, "not known: %s", strerror(errno));
		posture_todo(r, POSTURE_WARN, "mount -t proc proc /proc");
	} else if (strcmp(link, "pid:[4026531836]") == 0) { /* PROC_PID_INIT_INO */
		posture_found(r, "the first one");
	} else {
		posture_found(r, "a nested one: processes of the host have other numbers here");
		posture_todo(r, POSTURE_WARN, "run with the host's PID namespace (--pid=host)");
	}
}

static void check_btf(const struct posture *p, struct posture_result *r)
{
	static const char *const places[] = {"/boot/vmlinux-%s", "/lib/modules/%s/vmlinux-%s",
					     "/lib/modules/%s/build/vmlinux",
					     "/usr/lib/debug/boot/vmlinux-%s"};
	struct utsname u;

	if (exists(p, "/sys/kernel/btf/vmlinux")) {
		posture_found(r, "/sys/kernel/btf/vmlinux");
		return;
	}
	uname(&u);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		char path[PATH_MAX] = "";
		const char *from = places[i], *mark;

		for (; (mark = strstr(from, "%s")); from = mark + 2) {
			strncat(path, from, (size_t)(mark - from));
			strcat(path, u.release);
		}
		strcat(path, from);
		if (exists(p, path)) {
			posture_found(r, "%s", path);
			return;
		}
	}
	posture_found(r, "this kernel does not describe its types (no /sys/kernel/btf/vmlinux)");
	posture_todo(r, POSTURE_FAIL, "boot a kernel built with CONFIG_DEBUG_INFO_BTF=y");
}

static void check_cgroup2(const struct posture *p, struct posture_result *r)
{
	char at[256];
	bool whole;

	find_mount(p, "cgroup2", at, &whole);
	if (!*at) {
		posture_found(r,
			      "not mounted: jobs cannot be told apart, datagrams not be counted");
		posture_todo(r, POSTURE_FAIL,
			     "mount -t cgroup2 none /sys/fs/cgroup/unified, or boot with "
			     "systemd.unified_cgroup_hierarchy=1");
	} else if (!whole) {
		posture_found(r, "%s shows only a part of it", at);
		posture_todo(r, POSTURE_FAIL,
			     "run outside of the container, or mount the host's hierarchy into it");
	} else {
		posture_found(r, "%s", at);
	}
}

static void check_bpffs(const struct posture *p, struct posture_result *r)
{
	char at[256];
	bool whole;

	find_mount(p, "bpf", at, &whole);
	if (*at)
		posture_found(r, "%s", at);
	else
		posture_found(r, "not mounted; nothing in this version needs it");
}

static void check_lockdown(const struct posture *p, struct posture_result *r)
{
	char line[128], word[32] = "";
	int err = first_line(p, "/sys/kernel/security/lockdown", line, sizeof(line));
	const char *open = err == 0 ? strchr(line, '[') : NULL;

	if (open)
		sscanf(open, "[%31[a-z]", word);
	if (err == -ENOENT) {
		char at[256];
		bool whole;

		find_mount(p, "securityfs", at, &whole);
		posture_found(r, *at ? "not built in" : "not known: securityfs is not mounted");
		if (!*at)
			posture_todo(r, POSTURE_WARN,
				     "mount -t securityfs none /sys/kernel/security");
	} else if (err < 0) {
		posture_found(r, "not known: %s", strerror(-err));
		posture_todo(r, POSTURE_WARN, "run as root: sudo sluice check");
	} else if (strcmp(word, "confidentiality") == 0) {
		posture_found(r, "confidentiality: BPF programs may not read kernel memory");
		posture_todo(r, POSTURE_FAIL, "boot with lockdown=integrity");
	} else {
		posture_found(r, "%s", *word ? word : "not known");
	}
}

static void check_seccomp(const struct posture *p, struct posture_result *r)
{
	char text[16] = "";

	if (status_value(p, "Seccomp", text, sizeof(text)) == 0 && strcmp(text, "2") == 0) {
		posture_found(r, "a filter is in force here, and may refuse bpf(2)");
		posture_todo(
		    r, POSTURE_WARN,
		    "`sluice probe` tells; in a container: --security-opt seccomp=unconfined");
	} else {
		posture_found(r, "no filter");
	}
}

static void check_jit(const struct posture *p, struct posture_result *r)
{
	char line[16];

	if (first_line(p, "/proc/sys/net/core/bpf_jit_enable", line, sizeof(line)) == 0 &&
	    strcmp(line, "0") == 0) {
		posture_found(r, "off: each program is interpreted, several times slower");
		posture_todo(r, POSTURE_WARN, "sysctl -w net.core.bpf_jit_enable=1");
	} else {
		posture_found(r, "on");
	}
}

/* --- what may carry tagged bytes unseen ------------------------------------- */

static void check_unprivileged_bpf(const struct posture *p, struct posture_result *r)
{
	char line[16];
	int err = first_line(p, "/proc/sys/kernel/unprivileged_bpf_disabled", line, sizeof(line));

	if (err < 0 && err != -ENOENT) {
		posture_found(r, "not known: %s", strerror(-err));
		posture_todo(r, POSTURE_WARN, "sysctl kernel.unprivileged_bpf_disabled");
	} else if (err == 0 && strcmp(line, "0") == 0) {
		posture_found(r, "any user may load programs");
		posture_todo(r, POSTURE_WARN, "sysctl -w kernel.unprivileged_bpf_disabled=2");
	} else {
		posture_found(r, "off");
	}
}

static void check_ptrace(const struct posture *p, struct posture_result *r)
{
	char line[16];
	int err = first_line(p, "/proc/sys/kernel/yama/ptrace_scope", line, sizeof(line));

	if (err == 0 && strcmp(line, "0") != 0) {
		posture_found(r, "restricted (kernel.yama.ptrace_scope = %s)", line);
		return;
	}
	posture_found(r, "any process may read the memory of others of its user");
	if (err == 0)
		posture_todo(r, POSTURE_WARN, "sysctl -w kernel.yama.ptrace_scope=1");
	else
		posture_todo(r, POSTURE_WARN, "boot with yama in lsm=");
}

#define STACKED_MAX 8 /* devices upon devices */

static bool encrypted(const struct posture *p, const char *sysfs, unsigned depth);

/* Is all that it is made of encrypted? A volume of an encrypted disk is. */
static bool made_of_encrypted(const struct posture *p, const char *sysfs, unsigned depth)
{
	char dir[PATH_MAX], below[PATH_MAX];
	const struct dirent *e;
	unsigned all = 0, safe = 0;

	snprintf(dir, sizeof(dir), "%s%.1024s/slaves", p->root, sysfs);
	DIR *d = opendir(dir);
	while (d && all < 64 && (e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(below, sizeof(below), "%.1024s/slaves/%s", sysfs, e->d_name);
		all++;
		safe += encrypted(p, below, depth + 1);
	}
	if (d)
		closedir(d);
	return all && all == safe;
}

static bool encrypted(const struct posture *p, const char *sysfs, unsigned depth)
{
	char path[PATH_MAX], uuid[64];

	if (depth == STACKED_MAX)
		return false;
	snprintf(path, sizeof(path), "%.2048s/dm/uuid", sysfs);
	if (first_line(p, path, uuid, sizeof(uuid)) == 0 && strncmp(uuid, "CRYPT-", 6) == 0)
		return true;
	return made_of_encrypted(p, sysfs, depth);
}

/* What stays in memory, compressed, unless it was given a disk to write back to. */
static bool in_memory(const struct posture *p, const char *name)
{
	char path[PATH_MAX], disk[256];

	if (strncmp(name, "zram", 4) != 0)
		return false;
	snprintf(path, sizeof(path), "/sys/block/%.255s/backing_dev", name);
	return first_line(p, path, disk, sizeof(disk)) != 0 || strcmp(disk, "none") == 0;
}

/* A device by its name, a file by the device of its file system. */
static bool swap_is_safe(const struct posture *p, const char *place)
{
	char path[PATH_MAX];
	struct stat st;

	if (strncmp(place, "/dev/", 5) == 0) {
		const char *name = strrchr(place, '/') + 1;

		snprintf(path, sizeof(path), "/sys/block/%.255s", name);
		return in_memory(p, name) || encrypted(p, path, 0);
	}
	snprintf(path, sizeof(path), "%s%.255s", p->root, place);
	if (stat(path, &st) < 0)
		return false;
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major(st.st_dev), minor(st.st_dev));
	return encrypted(p, path, 0);
}

/* May the whole memory be written to a disk at once? */
static bool may_hibernate(const struct posture *p)
{
	char states[128], how[128], resume[32];

	return first_line(p, "/sys/power/state", states, sizeof(states)) == 0 && strstr(states, "disk") &&
	       !(first_line(p, "/sys/power/disk", how, sizeof(how)) == 0 && strstr(how, "[disabled]")) &&
	       first_line(p, "/sys/power/resume", resume, sizeof(resume)) == 0 && strcmp(resume, "0:0") != 0;
}

static void check_swap(const struct posture *p, struct posture_result *r)
{
	_cleanup_fclose_ FILE *f = open_file(p, "/proc/swaps");
	char line[512], place[256];
	unsigned disks = 0, safe = 0;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%255s", place) != 1 || strcmp(place, "Filename") == 0)
			continue;
		if (swap_is_safe(p, place))
			safe++;
		else if (disks++ == 0)
			posture_found(r, "%s: memory that holds tagged bytes can go to it in the clear%s", place,
				      may_hibernate(p) ? ", and all of it by hibernation" : "");
	}
	if (disks)
		posture_todo(r, POSTURE_WARN, "swapoff -a, or encrypt it");
	else
		posture_found(r, f ? safe ? "in memory or encrypted" : "off"
				   : "not known: /proc is not mounted");
}

static void check_core(const struct posture *p, struct posture_result *r)
{
	char line[256];
	int err = first_line(p, "/proc/sys/kernel/core_pattern", line, sizeof(line));

	if (err < 0 && err != -ENODATA) {
		posture_found(r, "not known: %s", strerror(-err));
		posture_todo(r, POSTURE_WARN, "sysctl kernel.core_pattern");
	} else if (err == 0 && line[0] == '|') {
		posture_found(r, "a crash hands all of a process's memory to %s", line + 1);
		posture_todo(
		    r, POSTURE_WARN,
		    "sysctl -w kernel.core_pattern=core, and LimitCORE=0 for jobs on tagged data");
	} else {
		posture_found(r, "%s", err == 0 ? "to files" : "off");
	}
}

static void check_group(const struct posture *p, struct posture_result *r)
{
	const struct group *g = getgrnam("sluice");
	size_t at = 0;

	if (!g) {
		posture_found(r, "there is none: only root may ask the monitor");
		return;
	}
	for (char **m = g->gr_mem; *m && at < sizeof(r->text); m++)
		at += (size_t)snprintf(r->text + at, sizeof(r->text) - at, "%s%s",
				       at ? ", " : "may ask the monitor: ", *m);
	if (!at)
		posture_found(r, "has no members");
}

/* --- all of it -------------------------------------------------------------- */

static const struct {
	const char *name;
	void (*check)(const struct posture *p, struct posture_result *r);
} checks[] = {
    {"capabilities", check_capabilities},
    {"user namespace", check_user_namespace},
    {"PID namespace", check_pid_namespace},
    {"kernel types", check_btf},
    {"cgroup v2", check_cgroup2},
    {"bpffs", check_bpffs},
    {"lockdown", check_lockdown},
    {"seccomp", check_seccomp},
    {"BPF compiler", check_jit},
    {"unprivileged BPF", check_unprivileged_bpf},
    {"ptrace", check_ptrace},
    {"swap", check_swap},
    {"core dumps", check_core},
    {"group sluice", check_group},
    {"credentials", posture_credentials},
    {"journal", posture_journal},
};

_Static_assert(ARRAY_SIZE(checks) <= 32, "POSTURE_MAX");

size_t posture_check(const struct config *config, const char *root,
		     struct posture_result ret[static POSTURE_MAX])
{
	const struct posture p = {.config = config, .root = root};
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(checks); i++, n++) {
		ret[n] = (struct posture_result){};
		snprintf(ret[n].name, sizeof(ret[n].name), "%s", checks[i].name);
		checks[i].check(&p, &ret[n]);
	}
	for (size_t i = 0; i < config->ndatasets && n < POSTURE_MAX; i++, n++) {
		ret[n] = (struct posture_result){};
		posture_dataset(&config->datasets[i], &ret[n]);
	}
	return n;
}
