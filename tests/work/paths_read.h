/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Ways to read FILE, and ways to touch it without reading. */
#ifndef TESTS_WORK_PATHS_READ_H
#define TESTS_WORK_PATHS_READ_H

#include "tests/work/paths.h"

#include <pthread.h>
#include <setjmp.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

/* --- other system call tables ------------------------------------------------------- */

#ifdef __x86_64__

#define LOW_BYTES (1u << 18)
#define X32 0x40000000

static sigjmp_buf no_int80;

static void refused(int number)
{
	siglongjmp(no_int80, number);
}

static long int80(long nr, long a, long b, long c)
{
	long r;

	asm volatile("int $0x80" : "=a"(r) : "a"(nr), "b"(a), "c"(b), "d"(c) : "memory", "r8", "r9", "r10", "r11");
	return (int)r;
}

/* open, read, readv, close of i386: pointers must fit into 32 bits. */
static int read_by_int80(char *low)
{
	uint32_t *vector = (uint32_t *)low;
	char *name = low + 64, *buffer = low + 8192;
	long fd, n;

	snprintf(name, 4096, "%s", me.arg[0]);
	fd = int80(5, (long)name, O_RDONLY, 0);
	if (fd < 0)
		return (int)fd;
	me.tally.files++;
	do {
		vector[0] = vector[2] = (uint32_t)(uintptr_t)buffer;
		vector[1] = 4099;
		vector[3] = 7919;
		n = me.tally.calls++ % 2 ? int80(145, fd, (long)vector, 2)
					: int80(3, fd, (long)buffer, CHUNK);
		if (n < 0)
			return (int)n;
		me.tally.bytes += (uint64_t)n;
		me.tally.ops += n > 0;
	} while (n);
	int80(6, fd, 0, 0);
	return 0;
}

static int do_int80(void)
{
	char *low = mmap(NULL, LOW_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	if (low == MAP_FAILED)
		return -errno;
	signal(SIGSEGV, refused);
	signal(SIGSYS, refused);
	if (sigsetjmp(no_int80, 1)) {
		errno = ENOSYS;
		return no_path("int 0x80");
	}
	return read_by_int80(low);
}

static int do_x32(void)
{
	int fd = open_file();
	long n;

	if (fd < 0)
		return fd;
	me.tally.files++;
	do {
		struct iovec v = {me.buffer, 7919};

		n = me.tally.calls++ % 2 ? syscall(X32 + 515, fd, &v, 1) : syscall(X32 + 0, fd, me.buffer, CHUNK);
		if (n < 0)
			return errno == ENOSYS ? no_path("x32 system calls") : -errno;
		me.tally.bytes += (uint64_t)n;
		me.tally.ops += n > 0;
	} while (n);
	return 0;
}

#else

static int do_int80(void)
{
	errno = ENOSYS;
	return no_path("int 0x80 is x86 alone");
}

static int do_x32(void)
{
	errno = ENOSYS;
	return no_path("x32 is x86 alone");
}

#endif

/* --- in the kernel ------------------------------------------------------------------- */

/* File to pipe to nowhere: no byte comes into this process. */
static int splice_file(int in, int out)
{
	ssize_t n;

	while ((n = splice(in, NULL, out, NULL, CHUNK, 0)) > 0) {
		me.tally.calls++;
		me.tally.ops++;
		me.tally.bytes += (uint64_t)n;
		if (me.pipe[0] >= 0) { /* its reader is this process too */
			int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

			for (ssize_t left = n, done; left > 0; left -= done) {
				done = splice(me.pipe[0], NULL, null, NULL, (size_t)left, 0);
				if (done <= 0)
					return done ? -errno : -EIO;
			}
			close(null);
		}
	}
	return n < 0 ? -errno : 0;
}

static int do_splice(void)
{
	int in = open_file();

	if (in < 0)
		return in;
	me.tally.files++;
	if (pipe2(me.pipe, O_CLOEXEC) < 0)
		return -errno;
	return splice_file(in, me.pipe[1]);
}

/* --- mappings -------------------------------------------------------------------------- */

static int map_with(int flags, int prot)
{
	int fd = open_file();
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	volatile const char *p;
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	p = mmap(NULL, (size_t)st.st_size, prot, flags, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	me.tally.files++;
	me.tally.ops++;
	me.tally.mapped = (uint64_t)st.st_size;
	for (size_t i = 0; i < (size_t)st.st_size; i += page) {
		(void)p[i];
		me.tally.touched += MIN(page, (size_t)st.st_size - i);
	}
	return 0;
}

static int do_map_private(void)
{
	return map_with(MAP_PRIVATE, PROT_READ | PROT_WRITE);
}

static int do_map_populate(void)
{
	return map_with(MAP_SHARED | MAP_POPULATE, PROT_READ);
}

/* Reserved without any right, and made readable later: mprotect is the moment. */
static int do_map_protect(void)
{
	int fd = open_file();
	struct stat st;
	volatile char *p;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	p = mmap(NULL, (size_t)st.st_size, PROT_NONE, MAP_PRIVATE, fd, 0);
	close(fd);
	if (p == MAP_FAILED || mprotect((void *)p, (size_t)st.st_size, PROT_READ) < 0)
		return -errno;
	me.tally.files++;
	me.tally.mapped = (uint64_t)st.st_size;
	for (off_t i = 0; i < st.st_size; i += 4096) {
		(void)p[i];
		me.tally.touched += (uint64_t)MIN((off_t)4096, st.st_size - i);
	}
	return 0;
}

/* --- without reading --------------------------------------------------------------------- */

static int do_warm(void)
{
	int fd = open_file();

	if (fd < 0)
		return fd;
	if (readahead(fd, 0, 1 << 20) < 0)
		return no_path("readahead");
	return -posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED);
}

static int do_look(void)
{
	int fd = open_file();
	char value[64];
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || access(me.arg[0], R_OK) < 0 || lseek(fd, 0, SEEK_END) != st.st_size)
		return -errno;
	(void)!lseek(fd, 0, SEEK_DATA);
	(void)!fgetxattr(fd, "user.none", value, sizeof(value));
	return 0;
}

#define GROWS 10007
static bool grown;
#define PROTECTED (16u << 20)

/* Holds the lock of all mappings most of the time. */
static void *protects(void *big)
{
	while (!__atomic_load_n(&grown, __ATOMIC_RELAXED))
		for (int prot = PROT_READ; prot <= (PROT_READ | PROT_WRITE); prot += PROT_WRITE)
			mprotect(big, PROTECTED, prot);
	return NULL;
}

/* Memory that is of no file grows beside that, in one who has read FILE. */
static int do_grow_busy(void)
{
	char *big = mmap(NULL, PROTECTED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *p;
	int r = big == MAP_FAILED ? -errno : read_file();
	pthread_t thread;

	if (r < 0)
		return r;
	madvise(big, PROTECTED, MADV_NOHUGEPAGE); /* each page takes its time */
	memset(big, 1, PROTECTED);
	if (pthread_create(&thread, NULL, protects, big))
		return -EAGAIN;
	for (int i = 0; i < GROWS && r >= 0; i++) {
		p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		p = p == MAP_FAILED ? p : mremap(p, 4096, 8192, MREMAP_MAYMOVE);
		r = p == MAP_FAILED || munmap(p, 8192) < 0 ? -errno : 0;
	}
	__atomic_store_n(&grown, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	return r;
}

/* Calls that ask for bytes and get none. */
static int do_read_nothing(void)
{
	int fd = open_file();
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (read(fd, me.buffer, 0) != 0 || pread(fd, me.buffer, 4096, st.st_size) != 0)
		return -EIO;
	if (syscall(SYS_pread64, fd, NULL, 4096, 0) != -1 || errno != EFAULT)
		return -EIO;
	return read(-1, me.buffer, 4096) == -1 ? 0 : -EIO;
}

#endif
