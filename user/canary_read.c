/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Ways to read a file. Every figure is a prime, and no two steps have the same. */
#include "user/canary_steps.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define ENOUGH 4096

/* Two pieces, so that a vector is one. */
static void two_pieces(struct iovec v[2], char *buf, size_t n)
{
	v[0] = (struct iovec){buf, n / 3};
	v[1] = (struct iovec){buf + n / 3, n - n / 3};
}

int step_read(struct canary *c)
{
	char buf[ENOUGH];

	return canary_bytes(c, 0, "read", read(c->file, buf, 1009), 1009);
}

int step_pread(struct canary *c)
{
	char buf[ENOUGH];

	return canary_bytes(c, 0, "pread", pread(c->file, buf, 1013, 11), 1013);
}

int step_readv(struct canary *c)
{
	char buf[ENOUGH];
	struct iovec v[2];

	two_pieces(v, buf, 1019);
	return canary_bytes(c, 0, "readv", readv(c->file, v, 2), 1019);
}

int step_preadv(struct canary *c)
{
	char buf[ENOUGH];
	struct iovec v[2];

	two_pieces(v, buf, 1021);
	return canary_bytes(c, 0, "preadv", preadv(c->file, v, 2, 13), 1021);
}

int step_preadv2(struct canary *c)
{
	char buf[ENOUGH];
	struct iovec v[2];

	two_pieces(v, buf, 1031);
	return canary_bytes(c, 0, "preadv2", preadv2(c->file, v, 2, 17, 0), 1031);
}

static int map_file(struct canary *c)
{
	volatile char *at = mmap(NULL, CANARY_MAPPED_BYTES, PROT_READ, MAP_SHARED, c->file, 0);

	if (at == MAP_FAILED)
		return canary_refuse(c, "mmap");
	(void)at[0];
	(void)at[CANARY_MAPPED_BYTES - 1];
	c->note->bytes[0] = CANARY_MAPPED_BYTES;
	return 0;
}

int step_mmap(struct canary *c)
{
	return map_file(c);
}

int step_mapped_before(struct canary *c)
{
	return map_file(c);
}

/* Aligned, as direct I/O wants it; the file's end makes the result a prime. */
int step_direct(struct canary *c)
{
	_cleanup_close_ int fd = openat(c->in, "f", O_RDONLY | O_DIRECT | O_CLOEXEC);
	char *buf = mmap(NULL, 2 * CANARY_FILE_BYTES, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (fd < 0)
		return canary_refuse(c, "open with O_DIRECT");
	if (buf == MAP_FAILED)
		return canary_refuse(c, "mmap");
	return canary_bytes(c, 0, "read with O_DIRECT", read(fd, buf, 65536 + 4096),
			    CANARY_FILE_BYTES);
}

int step_splice(struct canary *c)
{
	loff_t at = 19;
	int p[2];

	if (pipe2(p, O_CLOEXEC))
		return canary_refuse(c, "pipe");
	return canary_bytes(c, 0, "splice", splice(c->file, &at, p[1], NULL, 1033, 0), 1033);
}

/* Who repeats the bytes has them never in its memory; what counts is that the second pipe has them.
 */
static int pipes[4];

static int tee_it(struct canary *c)
{
	return canary_bytes(c, 1, "tee", tee(pipes[0], pipes[3], 1039, 0), 1039);
}

int step_tee(struct canary *c)
{
	char buf[ENOUGH] = {};
	int err;

	if (pipe2(pipes, O_CLOEXEC) || pipe2(pipes + 2, O_CLOEXEC))
		return canary_refuse(c, "pipe");
	if (canary_about(c, pipes[3]))
		return c->note->err;
	err = canary_start(c, 1, tee_it); /* waits in tee() for bytes; must not inherit the taste */
	close(pipes[2]);
	close(pipes[3]);
	if (!err)
		err = canary_taste(c);
	if (!err)
		err = canary_bytes(c, 0, "write", write(pipes[1], buf, 1039), 1039);
	return err ? err : canary_wait(c, 1);
}

int step_sendfile(struct canary *c)
{
	_cleanup_close_ int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	off_t at = 23;

	if (null < 0)
		return canary_refuse(c, "open /dev/null");
	return canary_bytes(c, 0, "sendfile", sendfile(null, c->file, &at, 1049), 1049);
}

static int make(struct canary *c, int dir, const char *name)
{
	int fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	return fd < 0 ? canary_refuse(c, "open") : fd;
}

int step_copy(struct canary *c)
{
	int fd = make(c, c->out, "copy");
	loff_t at = 0;

	if (fd < 0)
		return fd;
	return canary_bytes(c, 0, "copy_file_range",
			    copy_file_range(c->file, &at, fd, NULL, 1051, 0), 1051);
}

int step_clone(struct canary *c)
{
	int fd = make(c, c->out, "clone");

	if (fd < 0)
		return fd;
	if (ioctl(fd, FICLONE, c->file))
		return canary_refuse(c, "ioctl FICLONE");
	c->note->bytes[0] = CANARY_FILE_BYTES;
	return canary_about(c, fd);
}

/* --- names --------------------------------------------------------------------------------- */

/* A file outside the dataset, which the kernel half has decided on: its verdict is no dataset. */
static int known_outside(struct canary *c, const char *name)
{
	char buf[ENOUGH] = {};
	int fd = make(c, c->out, name);

	if (fd < 0)
		return fd;
	if (write(fd, buf, 2003) != 2003 || pread(fd, buf, 7, 0) != 7) {
		canary_refuse(c, "write");
		close(fd);
		return c->note->err;
	}
	return fd;
}

int step_rename(struct canary *c)
{
	char buf[ENOUGH];
	int fd = known_outside(c, "renamed");

	if (fd < 0)
		return fd;
	if (renameat(c->out, "renamed", c->in, "renamed"))
		return canary_refuse(c, "rename");
	return canary_bytes(c, 0, "pread", pread(fd, buf, 1061, 0), 1061);
}

int step_link(struct canary *c)
{
	char buf[ENOUGH];
	int fd = known_outside(c, "linked");

	if (fd < 0)
		return fd;
	if (linkat(c->out, "linked", c->in, "linked", 0))
		return canary_refuse(c, "link");
	return canary_bytes(c, 0, "pread", pread(fd, buf, 1063, 0), 1063);
}

/* It was there before the directory was a dataset; moved away after, and read only then. */
int step_moved_out(struct canary *c)
{
	char buf[ENOUGH] = {};
	int fd;

	if (renameat(c->in, CANARY_UNREAD, c->out, CANARY_UNREAD))
		return canary_refuse(c, "rename");
	fd = openat(c->out, CANARY_UNREAD, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return canary_refuse(c, "open");
	return canary_bytes(c, 0, "pread", pread(fd, buf, 1069, 0), 1069);
}
