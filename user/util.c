/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/util.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

uint64_t now_boot_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * NSEC + (uint64_t)t.tv_nsec;
}

char *time_rfc3339(char buf[static TIME_LEN], const struct timespec *wall)
{
	struct tm tm;

	if (!gmtime_r(&wall->tv_sec, &tm))
		memset(&tm, 0, sizeof(tm));
	size_t n = strftime(buf, TIME_LEN, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf + n, TIME_LEN - n, ".%03uZ", (unsigned)(wall->tv_nsec / 1000000) % 1000);
	return buf;
}

char *size_iec(char buf[static SIZE_LEN], uint64_t bytes)
{
	static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double v = (double)bytes;
	size_t u = 0;

	while (v >= 1024 && u + 1 < ARRAY_SIZE(unit)) {
		v /= 1024;
		u++;
	}
	if (u == 0)
		snprintf(buf, SIZE_LEN, "%u B", (unsigned)bytes);
	else
		snprintf(buf, SIZE_LEN, v < 9.95 ? "%.1f %s" : "%.0f %s", v, unit[u]);
	return buf;
}

/* Length of the valid UTF-8 sequence at s, 0 if there is none; *cp is its code point. */
static size_t utf8_next(const unsigned char *s, size_t left, uint32_t *cp)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
					: s[0] >= 0xe0 && s[0] < 0xf0 ? 3
					: s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : 0;

	if (!n || n > left)
		return 0;
	*cp = n == 1 ? s[0] : s[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*cp = *cp << 6 | (s[i] & 0x3f);
	}
	if (*cp < least[n] || *cp > 0x10ffff || (*cp >= 0xd800 && *cp < 0xe000))
		return 0;
	return n;
}

static bool drives_a_terminal(uint32_t cp)
{
	return cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || (cp >= 0x200b && cp <= 0x200f) ||
	       (cp >= 0x2028 && cp <= 0x202e) || (cp >= 0x2066 && cp <= 0x2069) || cp == 0xfeff;
}

size_t text_safe(char *out, size_t n, const char *in, size_t len)
{
	const unsigned char *s = (const unsigned char *)in;
	size_t w = 0;

	if (!n)
		return 0;
	for (size_t i = 0; i < len;) {
		uint32_t cp = 0;
		size_t k = utf8_next(s + i, len - i, &cp);
		bool bad = !k || drives_a_terminal(cp);
		size_t put = bad ? 1 : k;

		if (w + put >= n)
			break;
		if (bad)
			out[w] = '?';
		else
			memcpy(out + w, in + i, k);
		w += put;
		i += k ? k : 1;
	}
	out[w] = '\0';
	return w;
}

/* A decimal number with an optional fraction, then one of the units; all of the text. */
static int scaled_parse(const char *text, const char *const *unit, const uint64_t *factor, size_t units,
			uint64_t *ret)
{
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	errno = 0;
	long double v = strtold(text, &end);
	if (errno || memchr(text, 'x', (size_t)(end - text)) || memchr(text, 'e', (size_t)(end - text)))
		return -EINVAL;
	for (size_t i = 0; i < units; i++) {
		if (strcmp(end, unit[i]))
			continue;
		v *= (long double)factor[i];
		if (v >= 18446744073709551615.0L)
			return -ERANGE;
		*ret = (uint64_t)v;
		return 0;
	}
	return -EINVAL;
}

int size_parse(const char *text, uint64_t *ret_bytes)
{
	static const char *const unit[] = {"", "B", "KiB", "MiB", "GiB", "TiB", "PiB", "kB", "MB", "GB", "TB"};
	static const uint64_t factor[] = {1, 1, 1ULL << 10, 1ULL << 20, 1ULL << 30, 1ULL << 40, 1ULL << 50,
					  1000, 1000000, 1000000000, 1000000000000};

	return scaled_parse(text, unit, factor, ARRAY_SIZE(unit), ret_bytes);
}

int duration_parse(const char *text, uint64_t *ret_ns)
{
	static const char *const unit[] = {"ms", "s", "m", "h", "d"};
	static const uint64_t factor[] = {NSEC / 1000, NSEC, 60 * NSEC, 3600 * NSEC, 86400 * NSEC};

	return scaled_parse(text, unit, factor, ARRAY_SIZE(unit), ret_ns);
}
