/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/tracefs.h"

#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>

#include "user/util.h"

/* Mounted nowhere by need: an instance of our own that no path leads to. */
static int tracefs_open(void)
{
	_cleanup_close_ int fs = (int)syscall(SYS_fsopen, "tracefs", 1 /* FSOPEN_CLOEXEC */);
	int fd;

	if (fs >= 0 && !syscall(SYS_fsconfig, fs, 6 /* FSCONFIG_CMD_CREATE */, NULL, NULL, 0)) {
		fd = (int)syscall(SYS_fsmount, fs, 1 /* FSMOUNT_CLOEXEC */, 0);
		if (fd >= 0)
			return fd;
	}
	fd = open("/sys/kernel/tracing", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int tracepoint_id(const char *tracepoint, unsigned *ret)
{
	_cleanup_close_ int dir = tracefs_open();
	char path[160], text[32] = "";

	if (dir < 0)
		return dir;
	if (snprintf(path, sizeof(path), "events/%s/id", tracepoint) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	_cleanup_close_ int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (read(fd, text, sizeof(text) - 1) <= 0 || sscanf(text, "%u", ret) != 1)
		return -EIO;
	return 0;
}

int tracefs_attach(struct bpf_program *prog, const char *tracepoint, struct bpf_link **ret)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_TRACEPOINT, .size = sizeof(attr)};
	struct bpf_link *link;
	unsigned id = 0;
	int err = tracepoint_id(tracepoint, &id);

	if (err)
		return err;
	attr.config = id;
	_cleanup_close_ int fd = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return -errno;
	link = bpf_program__attach_perf_event(prog, fd);
	if (!link)
		return errno ? -errno : -EINVAL;
	fd = -1; /* the link's now */
	*ret = link;
	return 0;
}
