/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/util.h"

#include <fcntl.h>
#include <ctype.h>
#include <string.h>

uint64_t now_boot_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * NSEC + (uint64_t)t.tv_nsec;
}

static void put_digits(char *to, unsigned n, unsigned value)
{
	for (; n--; value /= 10)
		to[n] = (char)('0' + value % 10);
}

/* There are several in a record, and very many records: strftime() takes ten times as long. RFC 3339 has four digits for
 * the year: what lies outside is shown as the nearest end. */
char *time_rfc3339(char buf[static TIME_LEN], const struct timespec *wall)
{
	static const time_t last = 253402300799; /* 9999-12-31T23:59:59Z */
	bool sane = wall->tv_sec >= 0 && wall->tv_sec <= last;
	time_t sec = sane ? wall->tv_sec : wall->tv_sec < 0 ? 0 : last;
	unsigned ms = sane ? (unsigned)(wall->tv_nsec / 1000000) % 1000 : 0;
	struct tm tm;

	gmtime_r(&sec, &tm);
	memcpy(buf, "0000-00-00T00:00:00.000Z", sizeof("0000-00-00T00:00:00.000Z"));
	put_digits(buf, 4, (unsigned)tm.tm_year + 1900);
	put_digits(buf + 5, 2, (unsigned)tm.tm_mon + 1);
	put_digits(buf + 8, 2, (unsigned)tm.tm_mday);
	put_digits(buf + 11, 2, (unsigned)tm.tm_hour);
	put_digits(buf + 14, 2, (unsigned)tm.tm_min);
	put_digits(buf + 17, 2, (unsigned)tm.tm_sec);
	put_digits(buf + 20, 3, ms);
	return buf;
}

static uint64_t rounded(uint64_t bytes, uint64_t one)
{
	return bytes / one + (bytes % one >= one - bytes % one);
}

static const char *const iec[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};

/* Integers only: the decimal sign must not follow the locale, nor 1023.9 KiB become "1024 KiB". */
char *size_iec(char buf[static SIZE_LEN], uint64_t bytes)
{
	uint64_t one = 1;
	size_t u = 0;

	for (; u + 1 < ARRAY_SIZE(iec) && rounded(bytes, one) >= 1024; u++)
		one <<= 10;
	unsigned whole = (unsigned)rounded(bytes, one);
	unsigned tenths = 100;
	if (u)
		tenths = (unsigned)(bytes / one * 10 + rounded(bytes % one * 10, one));
	if (tenths < 100)
		snprintf(buf, SIZE_LEN, "%u.%u %s", tenths / 10, tenths % 10, iec[u]);
	else
		snprintf(buf, SIZE_LEN, "%u %s", whole, iec[u]);
	return buf;
}

/* Parts of which `scale`, a power of ten, make one of iec[u]; none is left out. */
static uint64_t parts_most(uint64_t bytes, size_t u, unsigned scale)
{
	uint64_t one = 1ULL << 10 * u, whole = bytes / one, rest = bytes % one;

	for (; scale > 1; scale /= 10) { /* by digits: ten times what is less than an EiB has room */
		whole = whole * 10 + rest * 10 / one;
		rest = rest * 10 % one;
	}
	return whole + !!rest;
}

char *size_iec_most(char buf[static SIZE_LEN], uint64_t bytes)
{
	unsigned scale = 100, parts;
	size_t u = 0;

	while (u + 1 < ARRAY_SIZE(iec) && parts_most(bytes, u, 1) >= 1024)
		u++;
	while (scale > 1 && (!u || parts_most(bytes, u, scale) >= 1000))
		scale /= 10;
	parts = (unsigned)parts_most(bytes, u, scale) % (1024 * scale);
	if (scale == 1)
		snprintf(buf, SIZE_LEN, "%u %s", parts, iec[u]);
	else
		snprintf(buf, SIZE_LEN, "%u.%0*u %s", parts / scale, scale == 100 ? 2 : 1, parts % scale, iec[u]);
	return buf;
}

size_t utf8_next(const char *text, size_t left, uint32_t *cp)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *s = (const unsigned char *)text;
	size_t n;

	if (!left)
		return 0;
	if (s[0] < 0x80)
		n = 1;
	else if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	else
		n = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (n > left)
		return 0;
	uint32_t c = n == 1 ? s[0] : s[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	*cp = c;
	return n;
}

/* Controls, and what is invisible or turns the direction of text: a name must look like what it is.
 */
static bool misleads(uint32_t cp)
{
	static const struct {
		uint32_t from, to;
	} range[] = {
	    {0x00, 0x1f},     {0x7f, 0x9f},	{0xad, 0xad},	    {0x61c, 0x61c},
	    {0x180e, 0x180e}, {0x200b, 0x200f}, {0x2028, 0x202e},   {0x2060, 0x206f},
	    {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f},
	};

	for (size_t i = 0; i < ARRAY_SIZE(range); i++)
		if (cp >= range[i].from && cp <= range[i].to)
			return true;
	return false;
}

size_t text_safe(char *out, size_t n, const char *in, size_t len)
{
	size_t w = 0;

	if (!n)
		return 0;
	for (size_t i = 0; i < len;) {
		uint32_t cp = 0;

		if (in[i] >= ' ' && in[i] <= '~' && w + 1 < n) { /* nearly all, and nothing to look up */
			out[w++] = in[i++];
			continue;
		}
		size_t k = utf8_next(in + i, len - i, &cp);
		bool bad = !k || misleads(cp);
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

/* Digits with an optional fraction as whole + frac / den; not strtod(), which follows the locale
 * and takes hexadecimal. Digits beyond a billionth are read and dropped. */
static int decimal_parse(const char *text, uint64_t *whole, uint64_t *frac, uint64_t *den,
			 const char **end)
{
	bool huge = false;

	*whole = *frac = 0;
	*den = 1;
	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	for (; isdigit((unsigned char)*text); text++)
		huge |= __builtin_mul_overflow(*whole, 10, whole) ||
			__builtin_add_overflow(*whole, (uint64_t)(*text - '0'), whole);
	if (*text == '.') {
		if (!isdigit((unsigned char)*++text))
			return -EINVAL;
		for (; isdigit((unsigned char)*text); text++) {
			if (*den >= NSEC)
				continue;
			*frac = *frac * 10 + (uint64_t)(*text - '0');
			*den *= 10;
		}
	}
	*end = text;
	return huge ? -ERANGE : 0;
}

/* A decimal number, then one of the units; all of the text. */
static int scaled_parse(const char *text, const char *const *unit, const uint64_t *factor,
			size_t units, uint64_t *ret)
{
	uint64_t whole, frac, den, v;
	const char *end = text;
	int r = decimal_parse(text, &whole, &frac, &den, &end);

	if (r == -EINVAL)
		return r;
	for (size_t i = 0; i < units; i++) {
		if (strcmp(end, unit[i]))
			continue;
		if (factor[i] == 1 && den > 1) /* half a byte */
			return -EINVAL;
		uint64_t part = (uint64_t)((unsigned __int128)frac * factor[i] / den);
		if (r || __builtin_mul_overflow(whole, factor[i], &v) ||
		    __builtin_add_overflow(v, part, &v))
			return -ERANGE;
		*ret = v;
		return 0;
	}
	return -EINVAL;
}

int size_parse(const char *text, uint64_t *ret_bytes)
{
	static const char *const unit[] = {"",	  "B",	"KiB", "MiB", "GiB", "TiB",
					   "PiB", "kB", "MB",  "GB",  "TB"};
	static const uint64_t factor[] = {1,	      1,	  1ULL << 10,	1ULL << 20,
					  1ULL << 30, 1ULL << 40, 1ULL << 50,	1000,
					  1000000,    1000000000, 1000000000000};

	return scaled_parse(text, unit, factor, ARRAY_SIZE(unit), ret_bytes);
}

int duration_parse(const char *text, uint64_t *ret_ns)
{
	static const char *const unit[] = {"ms", "s", "m", "h", "d"};
	static const uint64_t factor[] = {NSEC / 1000, NSEC, 60 * NSEC, 3600 * NSEC, 86400 * NSEC};

	return scaled_parse(text, unit, factor, ARRAY_SIZE(unit), ret_ns);
}

/* Exactly n digits at *s, as a number between least and most; moves *s on. */
static bool digits(const char **s, unsigned n, int least, int most, int *ret)
{
	int v = 0;

	for (unsigned i = 0; i < n; i++) {
		if (!isdigit((unsigned char)(*s)[i]))
			return false;
		v = v * 10 + ((*s)[i] - '0');
	}
	*s += n;
	*ret = v;
	return v >= least && v <= most;
}

static bool one_of(const char **s, const char *set)
{
	if (!**s || !strchr(set, **s))
		return false;
	(*s)++;
	return true;
}

/* "Z" or "+01:00"; the seconds to subtract. */
static bool zone(const char **s, int *ret)
{
	int h, m, sign = **s == '-' ? -1 : 1;

	if (one_of(s, "Zz")) {
		*ret = 0;
		return true;
	}
	if (!one_of(s, "+-") || !digits(s, 2, 0, 23, &h) || !one_of(s, ":") ||
	    !digits(s, 2, 0, 59, &m))
		return false;
	*ret = sign * (h * 3600 + m * 60);
	return true;
}

int time_parse(const char *text, struct timespec *ret_wall)
{
	struct tm tm = {};
	const char *s = text;
	long nsec = 0, unit = NSEC / 10;
	int offset;

	if (!digits(&s, 4, 1900, 9999, &tm.tm_year) || !one_of(&s, "-") ||
	    !digits(&s, 2, 1, 12, &tm.tm_mon) || !one_of(&s, "-") ||
	    !digits(&s, 2, 1, 31, &tm.tm_mday) || !one_of(&s, "Tt ") ||
	    !digits(&s, 2, 0, 23, &tm.tm_hour) || !one_of(&s, ":") ||
	    !digits(&s, 2, 0, 59, &tm.tm_min) || !one_of(&s, ":") ||
	    !digits(&s, 2, 0, 60, &tm.tm_sec))
		return -EINVAL;
	if (one_of(&s, ".")) {
		if (!isdigit((unsigned char)*s))
			return -EINVAL;
		for (; isdigit((unsigned char)*s); s++, unit /= 10)
			nsec += unit * (*s - '0');
	}
	if (!zone(&s, &offset) || *s)
		return -EINVAL;
	int day = tm.tm_mday, leap = tm.tm_sec == 60;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	tm.tm_sec -=
	    leap; /* added after, so that only a day which is not in the month rolls over */
	time_t t = timegm(&tm) + leap;
	if (tm.tm_mday != day)
		return -EINVAL;
	*ret_wall = (struct timespec){.tv_sec = t - offset, .tv_nsec = nsec};
	return 0;
}

int fd_read(int fd, void *to, size_t room, size_t *ret_len)
{
	size_t len = 0;

	while (len < room) {
		ssize_t n = read(fd, (char *)to + len, room - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		len += (size_t)n;
	}
	*ret_len = len;
	return 0;
}

int boot_id_read(char ret[static BOOT_ID_LEN + 1])
{
	_cleanup_close_ int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	char id[BOOT_ID_LEN + 1] = "";
	size_t n = 0;
	int err = fd < 0 ? -errno : fd_read(fd, id, BOOT_ID_LEN, &n);

	if (err || n != BOOT_ID_LEN)
		return err ? err : -EIO;
	memcpy(ret, id, sizeof(id));
	return 0;
}
