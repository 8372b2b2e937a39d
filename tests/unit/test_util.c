/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "user/util.h"

static void test_time(void **state)
{
	static const struct {
		struct timespec t;
		const char *text;
	} cases[] = {
	    {{0, 0}, "1970-01-01T00:00:00.000Z"},
	    {{1795216366, 1999999}, "2026-11-20T23:12:46.001Z"},
	    {{951782400, 999999999}, "2000-02-29T00:00:00.999Z"},
	    {{253402300799, 5000000}, "9999-12-31T23:59:59.005Z"},
	    {{253402300800, 5000000}, "9999-12-31T23:59:59.000Z"},
	    {{-1, 5000000}, "1970-01-01T00:00:00.000Z"},
	    {{INT64_MAX, 0}, "9999-12-31T23:59:59.000Z"},
	    {{INT64_MIN, 0}, "1970-01-01T00:00:00.000Z"},
	};
	char buf[TIME_LEN];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(time_rfc3339(buf, &cases[i].t), cases[i].text);
}

static void test_time_parse(void **state)
{
	static const struct {
		const char *text;
		int r;
		struct timespec t;
	} cases[] = {
	    {"1970-01-01T00:00:00Z", 0, {0, 0}},
	    {"2026-11-20T23:12:46.001Z", 0, {1795216366, 1000000}},
	    {"2026-11-20 23:12:46z", 0, {1795216366, 0}},
	    {"2026-11-21T01:12:46+02:00", 0, {1795216366, 0}},
	    {"2026-11-20T17:42:46-05:30", 0, {1795216366, 0}},
	    {"2026-11-20T23:12:46.123456789999Z", 0, {1795216366, 123456789}},
	    {"2000-02-29T00:00:00Z", 0, {951782400, 0}},
	    {"2016-12-31T23:59:60Z", 0, {1483228800, 0}},
	    {"1969-12-31T23:59:59Z", 0, {-1, 0}},
	    {"2001-02-29T00:00:00Z", -EINVAL, {0}},
	    {"2001-02-30T23:59:60Z", -EINVAL, {0}},
	    {"2001-13-01T00:00:00Z", -EINVAL, {0}},
	    {"2001-00-01T00:00:00Z", -EINVAL, {0}},
	    {"2001-01-01T24:00:00Z", -EINVAL, {0}},
	    {"2001-01-01T00:60:00Z", -EINVAL, {0}},
	    {"2001-01-01T00:00:61Z", -EINVAL, {0}},
	    {"2001-01-01T00:00:00", -EINVAL, {0}},
	    {"2001-01-01T00:00:00.Z", -EINVAL, {0}},
	    {"2001-01-01T00:00:00+2:00", -EINVAL, {0}},
	    {"2001-01-01T00:00:00+24:00", -EINVAL, {0}},
	    {"2001-01-01T00:00:00Zx", -EINVAL, {0}},
	    {"2001-1-01T00:00:00Z", -EINVAL, {0}},
	    {"2001-01-01", -EINVAL, {0}},
	    {"now", -EINVAL, {0}},
	    {"", -EINVAL, {0}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct timespec t = {77, 77};
		struct timespec want = cases[i].r ? t : cases[i].t;
		int r = time_parse(cases[i].text, &t);

		if (r != cases[i].r || t.tv_sec != want.tv_sec || t.tv_nsec != want.tv_nsec)
			fail_msg("'%s' gave %d, %ld.%09ld", cases[i].text, r, (long)t.tv_sec,
				 t.tv_nsec);
	}
}

static void test_boot_clock(void **state)
{
	uint64_t a = now_boot_ns();
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	uint64_t b = (uint64_t)t.tv_sec * NSEC + (uint64_t)t.tv_nsec;
	assert_true(a > 0 && a <= b && b <= now_boot_ns());
}

static void test_size_iec(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
	    {0, "0 B"},
	    {999, "999 B"},
	    {1023, "1023 B"},
	    {1024, "1.0 KiB"},
	    {1536, "1.5 KiB"},
	    {10188, "9.9 KiB"},
	    {10189, "10 KiB"},
	    {10701, "10 KiB"},
	    {10752, "11 KiB"},
	    {1023 * 1024 + 511, "1023 KiB"},
	    {1023 * 1024 + 512, "1.0 MiB"},
	    {(1 << 20) - 1, "1.0 MiB"},
	    {64 << 20, "64 MiB"},
	    {3ULL << 30, "3.0 GiB"},
	    {(1ULL << 60) - 1, "1.0 EiB"},
	    {19ULL << 59, "9.5 EiB"},
	    {UINT64_MAX, "16 EiB"},
	};
	char buf[SIZE_LEN];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(size_iec(buf, cases[i].bytes), cases[i].text);
}

static void test_size_iec_most(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
	    {0, "0 B"},
	    {1023, "1023 B"},
	    {1024, "1.00 KiB"},
	    {1025, "1.01 KiB"},
	    {1048583, "1.01 MiB"},
	    {(10 << 10) - 1, "10.0 KiB"},
	    {(10 << 10) + 1, "10.1 KiB"},
	    {64 << 10, "64.0 KiB"},
	    {(100 << 10) - 1, "100 KiB"},
	    {(100 << 10) + 1, "101 KiB"},
	    {1023 << 10, "1023 KiB"},
	    {(1023 << 10) + 1, "1.00 MiB"},
	    {(1ULL << 60) - 1, "1.00 EiB"},
	    {(1ULL << 60) + 1, "1.01 EiB"},
	    {UINT64_MAX, "16.0 EiB"},
	};
	char buf[SIZE_LEN];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(size_iec_most(buf, cases[i].bytes), cases[i].text);
}

static void test_size_parse(void **state)
{
	static const struct {
		const char *text;
		int r;
		uint64_t bytes;
	} cases[] = {
	    {"0", 0, 0},
	    {"500", 0, 500},
	    {"500B", 0, 500},
	    {"64KiB", 0, 64 << 10},
	    {"1MiB", 0, 1 << 20},
	    {"1GiB", 0, 1 << 30},
	    {"1.5GiB", 0, 3ULL << 29},
	    {"0.1KiB", 0, 102},
	    {"1.9999999999999KiB", 0, 2047},
	    {"2TiB", 0, 2ULL << 40},
	    {"3PiB", 0, 3ULL << 50},
	    {"5kB", 0, 5000},
	    {"5MB", 0, 5000000},
	    {"5GB", 0, 5000000000},
	    {"5TB", 0, 5000000000000},
	    {"007", 0, 7},
	    {"18446744073709551615", 0, UINT64_MAX},
	    {"18446744073709551616", -ERANGE, 0},
	    {"16383.9PiB", 0, 18446631483718867353ULL},
	    {"16384PiB", -ERANGE, 0},
	    {"16777216TiB", -ERANGE, 0},
	    {"99999999999999999999999999KiB", -ERANGE, 0},
	    {"99999999999999999999999999x", -EINVAL, 0},
	    {"", -EINVAL, 0},
	    {"KiB", -EINVAL, 0},
	    {"-1", -EINVAL, 0},
	    {"+1", -EINVAL, 0},
	    {" 1", -EINVAL, 0},
	    {"1 ", -EINVAL, 0},
	    {"1 KiB", -EINVAL, 0},
	    {"1kib", -EINVAL, 0},
	    {"1K", -EINVAL, 0},
	    {"1.5", -EINVAL, 0},
	    {"1.5B", -EINVAL, 0},
	    {"1.KiB", -EINVAL, 0},
	    {".5KiB", -EINVAL, 0},
	    {"1.2.3KiB", -EINVAL, 0},
	    {"1,5KiB", -EINVAL, 0},
	    {"0x10", -EINVAL, 0},
	    {"0X10", -EINVAL, 0},
	    {"1e3", -EINVAL, 0},
	    {"1E3", -EINVAL, 0},
	    {"inf", -EINVAL, 0},
	    {"nan", -EINVAL, 0},
	    {"1KiBB", -EINVAL, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t v = 12345;
		int r = size_parse(cases[i].text, &v);

		if (r != cases[i].r || v != (r ? 12345 : cases[i].bytes))
			fail_msg("'%s' gave %d, %lu", cases[i].text, r, (unsigned long)v);
	}
}

static void test_duration_parse(void **state)
{
	static const struct {
		const char *text;
		int r;
		uint64_t ns;
	} cases[] = {
	    {"500ms", 0, 500000000},
	    {"1s", 0, NSEC},
	    {"0.5s", 0, NSEC / 2},
	    {"0.000000001s", 0, 1},
	    {"15m", 0, 900 * NSEC},
	    {"24h", 0, 86400 * NSEC},
	    {"30d", 0, 2592000 * NSEC},
	    {"0s", 0, 0},
	    {"213503d", 0, 213503ULL * 86400 * NSEC},
	    {"213504d", -ERANGE, 0},
	    {"99999999999999999999d", -ERANGE, 0},
	    {"", -EINVAL, 0},
	    {"1", -EINVAL, 0},
	    {"s", -EINVAL, 0},
	    {"1S", -EINVAL, 0},
	    {"1 s", -EINVAL, 0},
	    {"1w", -EINVAL, 0},
	    {"1h30m", -EINVAL, 0},
	    {"-1s", -EINVAL, 0},
	    {"1e3s", -EINVAL, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t v = 12345;
		int r = duration_parse(cases[i].text, &v);

		if (r != cases[i].r || v != (r ? 12345 : cases[i].ns))
			fail_msg("'%s' gave %d, %lu", cases[i].text, r, (unsigned long)v);
	}
}

static void test_utf8_next(void **state)
{
	static const struct {
		const char *s;
		size_t len, n;
		uint32_t cp;
	} cases[] = {
	    {"a", 1, 1, 'a'},
	    {"\0", 1, 1, 0},
	    {"\x7f", 1, 1, 0x7f},
	    {"\xc2\x80", 2, 2, 0x80},
	    {"\xdf\xbf", 2, 2, 0x7ff},
	    {"\xe0\xa0\x80", 3, 3, 0x800},
	    {"\xed\x9f\xbf", 3, 3, 0xd7ff},
	    {"\xee\x80\x80", 3, 3, 0xe000},
	    {"\xf0\x90\x80\x80", 4, 4, 0x10000},
	    {"\xf4\x8f\xbf\xbf", 4, 4, 0x10ffff},
	    {"", 0, 0, 0},
	    {"\x80", 1, 0, 0},
	    {"\xbf", 1, 0, 0},
	    {"\xc0\x80", 2, 0, 0}, /* overlong NUL */
	    {"\xc1\xbf", 2, 0, 0},
	    {"\xe0\x9f\xbf", 3, 0, 0}, /* overlong */
	    {"\xed\xa0\x80", 3, 0, 0}, /* surrogate */
	    {"\xed\xbf\xbf", 3, 0, 0},
	    {"\xf0\x8f\xbf\xbf", 4, 0, 0}, /* overlong */
	    {"\xf4\x90\x80\x80", 4, 0, 0}, /* beyond Unicode */
	    {"\xf5\x80\x80\x80", 4, 0, 0},
	    {"\xff", 1, 0, 0},
	    {"\xc3", 1, 0, 0}, /* cut */
	    {"\xe2\x82", 2, 0, 0},
	    {"\xf0\x9f\x98", 3, 0, 0},
	    {"\xc3(", 2, 0, 0},
	    {"\xe2\x82(", 3, 0, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *s =
		    malloc(cases[i].len + 1); /* so that ASan sees an overrun */
		char *end = s + 1;
		uint32_t cp = 77;

		memcpy(end, cases[i].s, cases[i].len);
		assert_int_equal(utf8_next(end, cases[i].len, &cp), cases[i].n);
		assert_int_equal(cp, cases[i].n ? cases[i].cp : 77);
	}
}

static void test_text_safe(void **state)
{
	static const struct {
		const char *in;
		size_t len;
		const char *out;
	} cases[] = {
	    {"", 0, ""},
	    {"plain", 5, "plain"},
	    {"a\0b", 3, "a?b"},
	    {"\x1b[2J", 4, "?[2J"},
	    {"a\r\n\tb\x7f", 6, "a???b?"},
	    {"\xc2\x9b"
	     "31m",
	     5, "?31m"}, /* C1: CSI */
	    {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9, "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
	    {"\xff\xfe", 2, "?\?"},
	    {"\xc3", 1, "?"},
	    {"\xe2\x82(", 3, "?\?("},
	    {"\xe2\x80\xae"
	     "txt",
	     6, "?txt"}, /* right-to-left override */
	    {"\xd8\x9c"
	     "a",
	     3, "?a"},			  /* Arabic letter mark */
	    {"\xe2\x80\x8b", 3, "?"},	  /* zero width */
	    {"\xe2\x81\xa6", 3, "?"},	  /* isolate */
	    {"\xef\xbb\xbf", 3, "?"},	  /* byte order mark */
	    {"\xf3\xa0\x81\x81", 4, "?"}, /* tag letter */
	    {"\xc2\xa0", 2, "\xc2\xa0"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char out[64];

		memset(out, 'Z', sizeof(out));
		size_t n = text_safe(out, sizeof(out), cases[i].in, cases[i].len);
		assert_string_equal(out, cases[i].out);
		assert_int_equal(n, strlen(cases[i].out));
	}
}

static void test_text_safe_cuts(void **state)
{
	static const char text[] = "a\xe2\x82\xac"
				   "b"; /* 1 + 3 + 1 bytes */
	static const char *const cut[] = {NULL, "", "a", "a", "a", "a\xe2\x82\xac", text};

	for (size_t n = 1; n < ARRAY_SIZE(cut); n++) {
		_cleanup_free_ char *out = malloc(n);

		assert_int_equal(text_safe(out, n, text, 5), strlen(cut[n]));
		assert_string_equal(out, cut[n]);
	}
	char untouched = 'Z';
	assert_int_equal(text_safe(&untouched, 0, text, 5), 0);
	assert_int_equal(untouched, 'Z');
}

/* Whatever goes in, what comes out is UTF-8 without controls. */
static void test_text_safe_any(void **state)
{
	uint32_t seed = 1;

	for (int round = 0; round < 20000; round++) {
		char in[24], out[40];
		uint32_t cp;

		for (size_t i = 0; i < sizeof(in); i++) {
			seed = seed * 1664525 + 1013904223;
			in[i] = (char)(seed >> 24);
		}
		size_t n = text_safe(out, 1 + (size_t)(seed % sizeof(out)), in, sizeof(in));
		assert_int_equal(out[n], 0);
		for (size_t i = 0, k; i < n; i += k) {
			k = utf8_next(out + i, n - i, &cp);
			assert_true(k > 0 && cp >= 0x20 && cp != 0x7f &&
				    !(cp >= 0x80 && cp < 0xa0));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_time),	  cmocka_unit_test(test_time_parse),
	    cmocka_unit_test(test_boot_clock),	  cmocka_unit_test(test_size_iec), cmocka_unit_test(test_size_iec_most),
	    cmocka_unit_test(test_size_parse),	  cmocka_unit_test(test_duration_parse),
	    cmocka_unit_test(test_utf8_next),
	    cmocka_unit_test(test_text_safe),	  cmocka_unit_test(test_text_safe_cuts),
	    cmocka_unit_test(test_text_safe_any),
	};

	return cmocka_run_group_tests_name("util", tests, NULL, NULL);
}
