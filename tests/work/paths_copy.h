/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* FILE is copied to OUT by one process; another, that never had FILE, reads OUT and sends. */
#ifndef TESTS_WORK_PATHS_COPY_H
#define TESTS_WORK_PATHS_COPY_H

#include "tests/work/paths_read.h"

#include <linux/fs.h>
#include <sys/sendfile.h>

typedef ssize_t (*copy_fn)(int in, int out);

static ssize_t by_write(int in, int out)
{
	ssize_t n = read(in, me.buffer, CHUNK);

	return n <= 0 ? n : write(out, me.buffer, (size_t)n);
}

static ssize_t by_writev(int in, int out)
{
	ssize_t n = read(in, me.buffer, CHUNK);
	struct iovec v[2] = {{me.buffer, (size_t)MAX(n, (ssize_t)0) / 3}};

	if (n <= 0)
		return n;
	v[1] = (struct iovec){me.buffer + v[0].iov_len, (size_t)n - v[0].iov_len};
	return writev(out, v, 2);
}

static ssize_t by_sendfile(int in, int out)
{
	return sendfile(out, in, NULL, CHUNK);
}

static ssize_t by_copy_range(int in, int out)
{
	return copy_file_range(in, NULL, out, NULL, CHUNK, 0);
}

static ssize_t by_splice(int in, int out)
{
	ssize_t n = splice(in, NULL, me.pipe[1], NULL, CHUNK, 0), done;

	for (ssize_t left = n; left > 0; left -= done) {
		done = splice(me.pipe[0], NULL, out, NULL, (size_t)left, 0);
		if (done <= 0)
			return -1;
	}
	return n;
}

static ssize_t by_clone(int in, int out)
{
	struct stat to, from;

	if (fstat(out, &to) < 0 || fstat(in, &from) < 0)
		return -1;
	if (to.st_size)
		return 0;
	return ioctl(out, FICLONE, in) < 0 ? -1 : from.st_size;
}

/* Through the page cache of OUT, without a write call. */
static ssize_t by_mapping(int in, int out)
{
	off_t at = lseek(in, 0, SEEK_CUR);
	ssize_t n;
	char *p;

	n = read(in, me.buffer, BUFFER);
	if (n <= 0)
		return n;
	if (ftruncate(out, at + n) < 0)
		return -1;
	p = mmap(NULL, (size_t)(at + n), PROT_READ | PROT_WRITE, MAP_SHARED, out, 0);
	if (p == MAP_FAILED)
		return -1;
	memcpy(p + at, me.buffer, (size_t)n);
	munmap(p, (size_t)(at + n));
	return n;
}

static copy_fn copying;

static int copier(void)
{
	int in = open_file(), out = open(me.arg[3], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	ssize_t n;

	if (in < 0 || out < 0)
		return in < 0 ? in : -errno;
	if (pipe2(me.pipe, O_CLOEXEC) < 0)
		return -errno;
	me.tally.files++;
	while ((n = copying(in, out)) > 0) {
		me.tally.ops++;
		me.tally.bytes += (uint64_t)n;
		me.put += (uint64_t)n;
	}
	if (n < 0 && (errno == EOPNOTSUPP || errno == EXDEV || errno == ENOTTY || errno == EINVAL) && !me.put)
		return no_path(me.path);
	return n < 0 ? -errno : 0;
}

static int copy_sender(void)
{
	int fd = open(me.arg[3], O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : pass_on_from(fd);
}

static int copy_by(copy_fn fn)
{
	int r;

	copying = fn;
	r = part_run("source", copier);
	return r < 0 ? r : part_run("sender", copy_sender);
}

static int do_copy_write(void) { return copy_by(by_write); }
static int do_copy_writev(void) { return copy_by(by_writev); }
static int do_copy_sendfile(void) { return copy_by(by_sendfile); }
static int do_copy_range(void) { return copy_by(by_copy_range); }
static int do_copy_splice(void) { return copy_by(by_splice); }
static int do_copy_clone(void) { return copy_by(by_clone); }
static int do_copy_mapping(void) { return copy_by(by_mapping); }

#endif
