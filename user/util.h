/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Small things every part uses. Conventions of the whole user half:
 * functions return 0 or a negative errno unless they say otherwise; outputs are
 * named ret_* and stay untouched on failure; destructors accept NULL.
 */
#ifndef SLUICE_UTIL_H
#define SLUICE_UTIL_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define NSEC 1000000000ULL

#define _cleanup_(f) __attribute__((cleanup(f)))

static inline void freep(void *p)
{
	free(*(void **)p);
}

static inline void closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void fclosep(FILE **f)
{
	if (*f)
		fclose(*f);
}

#define _cleanup_free_ _cleanup_(freep)
#define _cleanup_close_ _cleanup_(closep)
#define _cleanup_fclose_ _cleanup_(fclosep)

/* Exit statuses of the command line, a contract with scripts. */
enum exit_status {
	EXIT_GOOD = 0,
	EXIT_FINDINGS = 1,
	EXIT_USAGE = 2,
	EXIT_KERNEL = 3,
};

/* CLOCK_BOOTTIME, nanoseconds: the clock of every record made in the kernel. */
uint64_t now_boot_ns(void);

/* Which boot this is, as the kernel names it: text. Errors of open(2) and read(2); -EIO. */
#define BOOT_ID_LEN 36
int boot_id_read(char ret[static BOOT_ID_LEN + 1]);

/* Up to `room` bytes, or to the end of what is there. Errors of read(2). */
int fd_read(int fd, void *to, size_t room, size_t *ret_len);

/* RFC 3339 UTC with milliseconds, e.g. 2026-11-20T23:12:46.001Z. */
#define TIME_LEN 32
char *time_rfc3339(char buf[static TIME_LEN], const struct timespec *wall);

/* IEC units for people: 0 B, 999 B, 1.5 KiB, 64 MiB, 3.0 GiB. */
#define SIZE_LEN 16
char *size_iec(char buf[static SIZE_LEN], uint64_t bytes);

/* The same of a bound, which is never told as less than it is: rounded up at its third digit. 1.01 MiB, 64.0 KiB. */
char *size_iec_most(char buf[static SIZE_LEN], uint64_t bytes);

/* Length of the valid UTF-8 sequence at s, of which `left` bytes may be read, and its code point;
 * 0 if there is none. */
size_t utf8_next(const char *s, size_t left, uint32_t *ret_cp);

/* Copies `in` (len bytes, hostile) into `out` (size n, always terminated) so that it can neither
 * drive a terminal nor break UTF-8: control characters, DEL, C1, bidirectional controls, invisible
 * characters and invalid sequences become '?'. Returns the bytes written without the terminator;
 * cuts at a character's boundary. */
size_t text_safe(char *out, size_t n, const char *in, size_t len);

/* "64KiB", "1MiB", "1GiB", "500" (bytes), "1.5GiB" to bytes, rounded down; -EINVAL, -ERANGE.
 * Decimal units (kB, MB, GB, TB) are taken too. */
int size_parse(const char *text, uint64_t *ret_bytes);

/* "500ms", "1s", "15m", "24h", "30d" to nanoseconds; a unit is needed; -EINVAL, -ERANGE. */
int duration_parse(const char *text, uint64_t *ret_ns);

/* RFC 3339, with Z or an offset, to wall clock time; -EINVAL. A fraction beyond nanoseconds is cut. */
int time_parse(const char *text, struct timespec *ret_wall);

#endif
