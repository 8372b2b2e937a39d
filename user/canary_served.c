/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A file system of our own (FUSE), with one file, in a mount namespace that nobody else is in: the second process serves it, the
 * first has tasted and writes to it.
 */
#include "user/canary_steps.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>

#define SERVED_BYTES 1123
#define SERVED_NODE 2
#define SERVED_AT "/proc" /* there everywhere, and not needed in that namespace */

static int device;
static union {
	struct fuse_in_header head;
	char room[FUSE_MIN_READ_BUFFER + 4096];
} request;

static int answer(int error, const void *body, size_t len)
{
	struct fuse_out_header head = {
	    .len = (uint32_t)(sizeof(head) + len), .error = error, .unique = request.head.unique};
	struct iovec v[2] = {{&head, sizeof(head)}, {(void *)(uintptr_t)body, len}};

	return writev(device, v, len ? 2 : 1) < 0 ? -errno : 0;
}

static struct fuse_attr attr_of(uint64_t node)
{
	return (struct fuse_attr){.ino = node,
				  .mode = node == SERVED_NODE ? S_IFREG | 0600 : S_IFDIR | 0700,
				  .nlink = 1,
				  .blksize = 4096};
}

/* 1: it was the write. */
static int serve_one(void)
{
	struct fuse_init_out init = {.major = FUSE_KERNEL_VERSION, .minor = 26, .max_write = 4096};
	struct fuse_entry_out entry = {.nodeid = SERVED_NODE, .attr_valid = 60, .attr = attr_of(SERVED_NODE)};
	struct fuse_attr_out attr = {.attr_valid = 60, .attr = attr_of(request.head.nodeid)};
	struct fuse_open_out opened = {0};
	struct fuse_write_out written = {.size = SERVED_BYTES};

	switch (request.head.opcode) {
	case FUSE_INIT:
		return answer(0, &init, sizeof(init));
	case FUSE_LOOKUP:
		return answer(0, &entry, sizeof(entry));
	case FUSE_GETATTR:
	case FUSE_SETATTR:
		return answer(0, &attr, sizeof(attr));
	case FUSE_OPEN:
		return answer(0, &opened, sizeof(opened));
	case FUSE_WRITE:
		answer(0, &written, sizeof(written));
		return 1;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		return 0;
	default:
		return answer(-ENOSYS, NULL, 0);
	}
}

static int serve(struct canary *c)
{
	int done = 0;

	while (!done) {
		ssize_t n = read(device, &request, sizeof(request));

		if (n < (ssize_t)sizeof(request.head)) {
			if (n < 0 && (errno == EINTR || errno == ENOENT || errno == EAGAIN))
				continue;
			return canary_refuse(c, "read /dev/fuse");
		}
		done = serve_one();
	}
	return 0;
}

/* Loading the module is the administrator's to do. */
static bool kernel_has_fuse(void)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/filesystems", "re");
	char line[128];

	while (f && fgets(line, sizeof(line), f))
		if (!strcmp(line, "nodev\tfuse\n"))
			return true;
	return false;
}

static int mount_own(struct canary *c)
{
	char options[96];

	if (!kernel_has_fuse()) {
		errno = ENODEV;
		return canary_refuse(c, "mount FUSE");
	}
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return canary_refuse(c, "unshare mounts");
	device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (device < 0)
		return canary_refuse(c, "open /dev/fuse");
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", device);
	if (mount("sluice-canary", SERVED_AT, "fuse", MS_NOSUID | MS_NODEV | MS_NOEXEC, options))
		return canary_refuse(c, "mount FUSE");
	return 0;
}

/* The file stays open: to close it is another request. Only the one who serves holds the device, which ends it all. */
int step_served(struct canary *c)
{
	static char page[SERVED_BYTES];
	int fd, err = mount_own(c);

	if (err)
		return err;
	err = canary_start(c, 1, serve);
	close(device);
	if (!err)
		err = canary_taste(c);
	if (err)
		return err;
	fd = open(SERVED_AT "/f", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return canary_refuse(c, "open a served file");
	err = canary_bytes(c, 0, "write to a served file", write(fd, page, SERVED_BYTES), SERVED_BYTES);
	return err ? err : canary_wait(c, 1);
}
