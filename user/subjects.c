/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/subjects.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "user/model_trust.h"
#include "user/trust.h"

#define PROC_TEXT_LEN 8192

bool subjects_join(char *ret, size_t n, const char *parts, size_t part_len, unsigned count, bool cut)
{
	size_t w = 0;

	if (cut || !n)
		return false;
	ret[0] = '\0';
	for (unsigned i = count; i-- > 0;) {
		const char *part = parts + i * part_len;
		size_t len = strnlen(part, part_len);

		if (!len)
			continue; /* a mount point was stepped over */
		if (w + 1 + len >= n)
			return false;
		ret[w++] = '/';
		memcpy(ret + w, part, len);
		w += len;
		ret[w] = '\0';
	}
	if (!w)
		memcpy(ret, "/", 2);
	return true;
}

/* Reads a small /proc file of a process; the bytes read, or a negative errno. */
static ssize_t proc_text(uint32_t pid, const char *name, char *buf, size_t n)
{
	char path[64];
	size_t have = 0;

	snprintf(path, sizeof(path), "/proc/%u/%s", pid, name);
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (have < n - 1) {
		ssize_t r = read(fd, buf + have, n - 1 - have);

		if (r < 0)
			return -errno;
		if (r == 0)
			break;
		have += (size_t)r;
	}
	buf[have] = '\0';
	return (ssize_t)have;
}

struct stat_line {
	uint32_t ppid, session;
	uint64_t start_ticks;
	char comm[SL_COMM_LEN + 1];
};

/* /proc/PID/stat: the name is in parentheses and may hold any byte, so the last one ends it. */
static int stat_parse(const char *text, struct stat_line *ret)
{
	const char *open = strchr(text, '('), *close = strrchr(text, ')');
	struct stat_line s = {};
	size_t len;

	if (!open || !close || close < open)
		return -EBADMSG;
	len = MIN((size_t)(close - open - 1), sizeof(s.comm) - 1);
	memcpy(s.comm, open + 1, len);
	if (sscanf(close + 1, " %*c %u %*d %u %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %lu", &s.ppid,
		   &s.session, &s.start_ticks) != 3)
		return -EBADMSG;
	*ret = s;
	return 0;
}

static uint64_t tick_ns(void)
{
	return NSEC / (uint64_t)sysconf(_SC_CLK_TCK);
}

/* Is the process that now has this PID the one that was meant? /proc gives its start in ticks since boot. */
static int same_process(const struct subject *who, struct stat_line *ret)
{
	char text[1024];
	struct stat_line s;

	if (proc_text(who->tgid, "stat", text, sizeof(text)) < 0)
		return -ESRCH;
	int err = stat_parse(text, &s);
	if (err)
		return err;
	if (s.start_ticks != who->start_ns / tick_ns())
		return -ESRCH;
	*ret = s;
	return 0;
}

int subjects_verify(const struct subject *who)
{
	struct stat_line s;

	return same_process(who, &s);
}

static bool proc_exe(uint32_t pid, char *ret, size_t n)
{
	static const char gone[] = " (deleted)";
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/exe", pid);
	ssize_t len = readlink(path, ret, n - 1);
	if (len <= 0)
		return false;
	ret[len] = '\0';
	size_t tail = sizeof(gone) - 1;
	if ((size_t)len > tail && !strcmp(ret + len - tail, gone))
		ret[(size_t)len - tail] = '\0';
	return ret[0] == '/';
}

/* Slurm and others may still use cgroup v1, of which the v2 path tells nothing. */
static void find_job(char job[static JOB_LEN], const struct subject *who, const char *cgroup, uint32_t session)
{
	char text[PROC_TEXT_LEN];
	struct stat_line s;

	job_from_cgroup(job, cgroup ? cgroup : "/", session);
	if (strncmp(job, "session:", 8) && strncmp(job, "unit:", 5) && strcmp(job, "unknown"))
		return;
	if (!same_process(who, &s) && proc_text(who->tgid, "cgroup", text, sizeof(text)) > 0)
		job_from_proc(job, text, session);
}

int subjects_announced(struct model *m, const struct subject_event *ev, size_t len)
{
	char exe[SUBJECT_PATH_LEN], cgroup[SL_CGROUP_PARTS * SL_CGROUP_PART_LEN + 1], job[JOB_LEN];
	char comm[SL_COMM_LEN + 1] = {};
	struct stat_line s;
	bool have_exe, have_cgroup;

	if (len < sizeof(*ev) || ev->exe_parts > SL_PATH_PARTS || ev->cgroup_parts > SL_CGROUP_PARTS)
		return -EBADMSG;
	memcpy(comm, ev->comm, SL_COMM_LEN);
	have_exe = subjects_join(exe, sizeof(exe), ev->exe[0], SL_PART_LEN, ev->exe_parts, ev->exe_cut || !ev->exe_ino);
	if (!have_exe && ev->exe_ino && !same_process(&ev->who, &s))
		have_exe = proc_exe(ev->who.tgid, exe, sizeof(exe));
	have_cgroup = subjects_join(cgroup, sizeof(cgroup), ev->cgroup_path[0], SL_CGROUP_PART_LEN, ev->cgroup_parts,
				    ev->cgroup_cut);
	find_job(job, &ev->who, have_cgroup ? cgroup : NULL, ev->session);

	struct subject_info info = {
		.who = ev->who,
		.parent = ev->ancestors[0],
		.ancestors = ev->ancestors + 1,
		.nancestors = SL_ANCESTORS - 1,
		.seen_ns = ev->time_ns,
		.uid = ev->uid,
		.uid_known = true,
		.session = ev->session,
		.comm = comm,
		.exe = have_exe ? exe : NULL,
		.cgroup = have_cgroup ? cgroup : NULL,
		.job = job,
	};
	int err = model_set_subject(m, &info);
	if (!err && ev->exe_ino)
		model_set_executable(m, &ev->who, ev->exe_ino, ev->exe_dev, trust_vouch_process);
	return err;
}

static bool proc_uid(uint32_t pid, uint32_t *ret)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%u", pid);
	if (stat(path, &st))
		return false;
	*ret = st.st_uid;
	return true;
}

static void describe(uint32_t pid, const struct stat_line *s, struct process_words *ret)
{
	char text[PROC_TEXT_LEN];

	ret->start_ns = s->start_ticks * tick_ns();
	ret->span_ns = tick_ns();
	ret->parent = s->ppid;
	ret->session = s->session;
	memcpy(ret->comm, s->comm, sizeof(ret->comm));
	ret->uid_known = proc_uid(pid, &ret->uid);
	if (!proc_exe(pid, ret->exe, sizeof(ret->exe)))
		ret->exe[0] = '\0';
	ret->job[0] = '\0';
	if (proc_text(pid, "cgroup", text, sizeof(text)) > 0)
		job_from_proc(ret->job, text, s->session);
}

int subjects_describe(uint32_t pid, struct process_words *ret)
{
	char text[1024];
	struct stat_line s;

	if (proc_text(pid, "stat", text, sizeof(text)) < 0)
		return -ESRCH;
	int err = stat_parse(text, &s);
	if (!err)
		describe(pid, &s, ret);
	return err;
}

int subjects_look_up(struct model *m, const struct subject *who, uint64_t now_ns)
{
	struct subject_info info = {.who = *who, .seen_ns = now_ns};
	struct process_words w;
	struct stat_line s;
	int err = same_process(who, &s);

	if (!err) {
		describe(who->tgid, &s, &w);
		info.session = w.session;
		info.comm = w.comm;
		info.parent.tgid = w.parent;
		info.uid = w.uid;
		info.uid_known = w.uid_known;
		info.exe = w.exe[0] ? w.exe : NULL;
		info.job = w.job[0] ? w.job : NULL;
	}
	int added = model_set_subject(m, &info);
	return added ? added : err;
}
