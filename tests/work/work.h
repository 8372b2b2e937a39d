/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Shared by the workload programs, each of which is one file and links with nothing of
 * Sluice: what they report is the other witness, so it comes from system calls' return values
 * alone.
 */
#ifndef TESTS_WORK_H
#define TESTS_WORK_H

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

#define EXIT_SAD 1	    /* a system call failed; the truth printed says which step */
#define EXIT_MISUSE 2	    /* the command line makes no sense */
#define EXIT_UNSUPPORTED 77 /* this kernel refuses what was asked: a skip, not a failure */

#define NO_LIMIT UINT64_MAX

/* --- ending badly ----------------------------------------------------------- */

__attribute__((format(printf, 2, 3), noreturn)) static inline void quit(int status, const char *fmt,
									...)
{
	va_list ap;

	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(status);
}

#define misuse(...) quit(EXIT_MISUSE, __VA_ARGS__)
#define die(what) quit(EXIT_SAD, "%s: %s", (what), strerror(errno))

static inline void *must_alloc(size_t n)
{
	void *p = calloc(1, MAX(n, (size_t)1));

	if (!p)
		die("calloc");
	return p;
}

/* --- numbers and clocks ------------------------------------------------------ */

/* Decimal digits with an optional binary K, M, G or T. -EINVAL, -ERANGE. */
static inline int number_parse(const char *text, uint64_t *ret)
{
	static const char suffixes[] = "KMGT";
	char *end;
	uint64_t n;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno)
		return -ERANGE;
	if (*end) {
		const char *s = strchr(suffixes, *end);

		if (!s || end[1])
			return -EINVAL;
		unsigned int shift = 10 * (unsigned int)(s - suffixes + 1);

		if (n > UINT64_MAX >> shift)
			return -ERANGE;
		n <<= shift;
	}
	*ret = n;
	return 0;
}

static inline uint64_t number(const char *text, const char *what)
{
	uint64_t n = 0;

	if (number_parse(text, &n) < 0)
		misuse("%s: '%s' is not a number of the form 4099, 64K, 1M or 1G", what, text);
	return n;
}

static inline double seconds(const char *text, const char *what)
{
	char *end;
	double s = strtod(text, &end);

	if (end == text || *end || !(s >= 0) || s > 1e9)
		misuse("%s: '%s' is not a number of seconds", what, text);
	return s;
}

static inline uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline uint64_t wall_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* CPU of this process so far, all its threads, without its children. */
static inline uint64_t cpu_ns(void)
{
	return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

static inline uint64_t cpu_children_ns(void)
{
	struct rusage r;

	getrusage(RUSAGE_CHILDREN, &r);
	return (uint64_t)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000000000u +
	       (uint64_t)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) * 1000u;
}

static inline void pause_ns(uint64_t ns)
{
	struct timespec t = {.tv_sec = (time_t)(ns / 1000000000u),
			     .tv_nsec = (long)(ns % 1000000000u)};

	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		;
}

/* As many descriptors as this user may have. */
static inline void raise_descriptors(void)
{
	struct rlimit r;

	if (!getrlimit(RLIMIT_NOFILE, &r)) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

static inline void pause_seconds(double s)
{
	pause_ns((uint64_t)(s * 1e9));
}

/* --- lines in and out -------------------------------------------------------- */

struct text {
	char *s;
	size_t len, room;
};

__attribute__((format(printf, 2, 3))) static inline void text_add(struct text *t, const char *fmt,
								  ...)
{
	for (;;) {
		va_list ap;
		size_t left = t->room - t->len;
		int n;

		va_start(ap, fmt);
		n = vsnprintf(t->s ? t->s + t->len : NULL, left, fmt, ap);
		va_end(ap);
		if (n < 0)
			die("vsnprintf");
		if ((size_t)n < left) {
			t->len += (size_t)n;
			return;
		}
		t->room = (t->room + (size_t)n + 1) * 2;
		t->s = realloc(t->s, t->room);
		if (!t->s)
			die("realloc");
	}
}

/* A JSON string. Bytes outside ASCII become \u00XX: a path need not be UTF-8. */
static inline void text_quote(struct text *t, const char *s)
{
	text_add(t, "\"");
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			text_add(t, "\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			text_add(t, "\\u%04x", c);
		else
			text_add(t, "%c", c);
	}
	text_add(t, "\"");
}

/* One write for the whole line where the kernel allows it, so that lines of several processes
 * in one file (O_APPEND) or pipe (up to 4 KiB) stay whole. */
static inline void line_out(int fd, const char *s, size_t len)
{
	while (len) {
		ssize_t n = write(fd, s, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			die("write of the report");
		s += n;
		len -= (size_t)n;
	}
}

static inline void text_out(int fd, struct text *t)
{
	text_add(t, "\n");
	line_out(fd, t->s, t->len);
	free(t->s);
	*t = (struct text){0};
}

/* Where the truth goes: a file where a test must not be fed through a pipe by a tainted process. */
static inline int report_open(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0644);

	if (fd < 0)
		die(path);
	return fd;
}

/* Byte by byte, so that what follows the line is left for others who share the descriptor.
 * False at end of file. */
static inline bool line_wait(void)
{
	char c;
	ssize_t n;

	do
		n = read(STDIN_FILENO, &c, 1);
	while ((n == 1 && c != '\n') || (n < 0 && errno == EINTR));
	return n == 1;
}

/* --- addresses --------------------------------------------------------------- */

struct endpoint {
	struct sockaddr_storage sa;
	socklen_t len;
};

#define ENDPOINT_LEN (INET6_ADDRSTRLEN + 32)

/* "192.0.2.1:80", "[2001:db8::1]:80", "[fe80::1%eth0]:80". -EINVAL. */
static inline int endpoint_parse(const char *text, struct endpoint *ret)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
				 .ai_socktype = SOCK_STREAM};
	struct addrinfo *found;
	char host[128];
	const char *colon = strrchr(text, ':');
	size_t len;

	if (!colon)
		return -EINVAL;
	len = (size_t)(colon - text);
	if (text[0] == '[') {
		if (len < 2 || text[len - 1] != ']')
			return -EINVAL;
		text++;
		len -= 2;
	} else if (memchr(text, ':', len)) {
		return -EINVAL;
	}
	if (!len || len >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, len);
	host[len] = 0;
	if (getaddrinfo(host, colon + 1, &hints, &found))
		return -EINVAL;
	memcpy(&ret->sa, found->ai_addr, found->ai_addrlen);
	ret->len = found->ai_addrlen;
	freeaddrinfo(found);
	return 0;
}

static inline char *endpoint_text(char buf[static ENDPOINT_LEN], const struct endpoint *e)
{
	char host[ENDPOINT_LEN - 12] = "?", port[8] = "?";

	getnameinfo((const struct sockaddr *)&e->sa, e->len, host, sizeof(host), port, sizeof(port),
		    NI_NUMERICHOST | NI_NUMERICSERV);
	snprintf(buf, ENDPOINT_LEN, e->sa.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
	return buf;
}

static inline char *endpoint_local(char buf[static ENDPOINT_LEN], int fd)
{
	struct endpoint e = {.len = sizeof(e.sa)};

	if (getsockname(fd, (struct sockaddr *)&e.sa, &e.len) < 0)
		return strcpy(buf, "?");
	return endpoint_text(buf, &e);
}

/* --- reading files ----------------------------------------------------------- */

enum via { VIA_READ, VIA_PREAD, VIA_READV, VIA_PREADV, VIA_PREADV2, VIA_MMAP, VIA_COUNT };

static const char *const via_names[VIA_COUNT] = {
    [VIA_READ] = "read",     [VIA_PREAD] = "pread",	[VIA_READV] = "readv",
    [VIA_PREADV] = "preadv", [VIA_PREADV2] = "preadv2", [VIA_MMAP] = "mmap",
};

static inline int via_parse(const char *text, enum via *ret)
{
	for (size_t i = 0; i < VIA_COUNT; i++)
		if (!strcmp(text, via_names[i])) {
			*ret = (enum via)i;
			return 0;
		}
	return -EINVAL;
}

/* What was done, from return values: `ops` are the calls that returned bytes, `calls` all of them.
 */
struct tally {
	uint64_t bytes, calls, ops, files;
	uint64_t mapped, touched; /* lengths given to mmap; bytes of the pages then touched */
};

static inline void tally_sum(struct tally *to, const struct tally *from)
{
	to->bytes += from->bytes;
	to->calls += from->calls;
	to->ops += from->ops;
	to->files += from->files;
	to->mapped += from->mapped;
	to->touched += from->touched;
}

static inline void tally_text(struct text *t, const struct tally *y)
{
	text_add(t, "\"bytes\":%llu,\"calls\":%llu,\"ops\":%llu,\"files\":%llu,",
		 (unsigned long long)y->bytes, (unsigned long long)y->calls,
		 (unsigned long long)y->ops, (unsigned long long)y->files);
	text_add(t, "\"mapped\":%llu,\"touched\":%llu", (unsigned long long)y->mapped,
		 (unsigned long long)y->touched);
}

/* The vectored calls get three parts of unlike length. */
static inline ssize_t read_via(enum via via, int fd, char *buf, size_t size, off_t at)
{
	size_t a = size / 2, b = size / 3;
	struct iovec v[3] = {{buf, a}, {buf + a, b}, {buf + a + b, size - a - b}};

	switch (via) {
	case VIA_PREAD:
		return pread(fd, buf, size, at);
	case VIA_READV:
		return readv(fd, v, 3);
	case VIA_PREADV:
		return preadv(fd, v, 3, at);
	case VIA_PREADV2:
		return preadv2(fd, v, 3, at, 0);
	default:
		return read(fd, buf, size);
	}
}

struct limits {
	uint64_t bytes, ops;
	unsigned int pause_us; /* between calls */
};

/* From `at` (or the file's position, for the calls that use it) to end of file or a limit. */
static inline int tally_read(struct tally *t, enum via via, int fd, char *buf, size_t size,
			     off_t at, const struct limits *most)
{
	uint64_t bytes = 0, ops = 0;

	while (bytes < most->bytes && ops < most->ops) {
		size_t want = (size_t)MIN((uint64_t)size, most->bytes - bytes);
		ssize_t n = read_via(via, fd, buf, want, at + (off_t)bytes);

		t->calls++;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		bytes += (uint64_t)n;
		ops++;
		t->bytes += (uint64_t)n;
		t->ops++;
		if (most->pause_us)
			pause_ns(most->pause_us * 1000ull);
	}
	return 0;
}

/* Maps `len` bytes (0: the whole file) and reads one byte of each page. An empty file maps nothing.
 */
static inline int tally_mmap(struct tally *t, int fd, uint64_t len, bool touch, void **ret_map,
			     size_t *ret_len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	volatile const char *p;
	struct stat st;
	void *map;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!len || len > (uint64_t)st.st_size)
		len = (uint64_t)st.st_size;
	*ret_map = NULL;
	*ret_len = 0;
	if (!len)
		return 0;
	map = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	t->calls++;
	t->ops++;
	t->mapped += len;
	p = map;
	for (size_t i = 0; touch && i < len; i += page) {
		(void)p[i];
		t->touched += MIN(page, len - i);
	}
	*ret_map = map;
	*ret_len = len;
	return 0;
}

struct paths {
	char **name;
	size_t count, room;
};

static inline void paths_add(struct paths *p, const char *name)
{
	if (p->count == p->room) {
		p->room = p->room ? p->room * 2 : 64;
		p->name = realloc(p->name, p->room * sizeof(*p->name));
		if (!p->name)
			die("realloc");
	}
	p->name[p->count] = strdup(name);
	if (!p->name[p->count++])
		die("strdup");
}

static inline int paths_order(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* `path` itself, or every regular file below it, in a stable order. */
static inline int paths_below(struct paths *p, const char *path)
{
	char *roots[] = {(char *)path, NULL};
	struct stat st;
	FTSENT *e;
	FTS *fts;

	if (stat(path, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode)) {
		paths_add(p, path);
		return 0;
	}
	fts = fts_open(roots, FTS_COMFOLLOW | FTS_PHYSICAL | FTS_NOCHDIR, paths_order);
	if (!fts)
		return -errno;
	while ((e = fts_read(fts)))
		if (e->fts_info == FTS_F)
			paths_add(p, e->fts_path);
	fts_close(fts);
	return 0;
}

static inline void paths_free(struct paths *p)
{
	for (size_t i = 0; i < p->count; i++)
		free(p->name[i]);
	free(p->name);
	*p = (struct paths){0};
}

#endif
