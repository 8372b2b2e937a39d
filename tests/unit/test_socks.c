/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Requests to a SOCKS server as written, cut anywhere, and as nobody should write them. What curl writes is in test_talk_real.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "user/dest/socks.h"

/* So that reading beyond it is seen. */
static enum socks_state parse(const void *data, size_t n, struct socks_request *ret)
{
	_cleanup_free_ uint8_t *copy = malloc(n ? n : 1);

	assert_non_null(copy);
	memcpy(copy, data, n);
	return socks_parse(copy, n, ret);
}

#define BYTES(text) text, sizeof(text) - 1

static const struct {
	const char *data;
	size_t n;
	const char *host;
	bool strange;
} requests[] = {
    {BYTES("\5\1\0\5\1\0\3\tA.Example\1\xbb"), "a.example", false},
    {BYTES("\5\3\0\1\2\1\4user\4pass\5\1\0\3\ta.example\1\xbb"), "a.example", false},
    {BYTES("\5\2\0\2\5\1\0\1\xcb\0\x71\x09\1\xbb"), "203.0.113.9", false},
    {BYTES("\5\1\0\5\1\0\4\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\5\1\xbb"), "2001:db8::5", false},
    {BYTES("\5\1\0\5\1\0\3\4a\nb\0\1\xbb"), "", true},
    {BYTES("\4\1\1\xbb\xcb\0\x71\x09me\0"), "203.0.113.9", false},
    {BYTES("\4\1\1\xbb\0\0\0\1\0a.example\0"), "a.example", false},
    {BYTES("\4\1\1\xbb\0\0\0\7someone\0a..example\0"), "", true},
};

static void at_every_cut(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		char more[128];
		struct socks_request r;

		for (size_t n = 0; n < requests[i].n; n++)
			assert_int_equal(parse(requests[i].data, n, &r), n ? SOCKS_MORE : SOCKS_OTHER);
		memcpy(more, requests[i].data, requests[i].n);
		memcpy(more + requests[i].n, "\x16\3\1", 3);
		assert_int_equal(parse(more, requests[i].n + 3, &r), SOCKS_REQUEST);
		assert_string_equal(r.host, requests[i].host);
		assert_int_equal(r.strange, requests[i].strange);
		assert_int_equal(r.len, requests[i].n);
	}
}

static void what_is_none(void **state)
{
	static const struct {
		const char *data;
		size_t n;
	} others[] = {
	    {BYTES("")},
	    {BYTES("\6\1\0")},
	    {BYTES("\5\0\5\1\0\3\1a\0\0")},			/* no methods */
	    {BYTES("\5\1\0\4\1\0\3\1a\0\0")},			/* another version behind it */
	    {BYTES("\5\1\0\5\2\0\3\1a\0\0")},			/* to bind */
	    {BYTES("\5\1\0\5\1\0\2\1a\0\0")},			/* no kind of address */
	    {BYTES("\5\1\0\1\1u\1p\5\1\0\3\1a\0\0")},		/* a password that nobody offered */
	    {BYTES("\4\2\1\xbb\xcb\0\x71\x09\0")},			/* to bind */
	    {BYTES("\4\1\0\0\xcb\0\x71\x09\0")},			/* no port */
	};
	struct socks_request r = {.len = 7};

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_int_equal(parse(others[i].data, others[i].n, &r), SOCKS_OTHER);
	assert_int_equal(r.len, 7);
}

static void a_name_without_end(void **state)
{
	char text[8 + 1024] = "\4\1\1\xbb\0\0\0\1";
	struct socks_request r;

	memset(text + 8, 'a', 1024);
	assert_int_equal(parse(text, sizeof(text), &r), SOCKS_OTHER);
	text[8] = '\0';
	assert_int_equal(parse(text, sizeof(text), &r), SOCKS_OTHER);
}

static void answers(void **state)
{
	assert_true(socks_answers(5, (const uint8_t *)"\5\0", 2) && socks_answers(4, (const uint8_t *)"\0\x5a", 2));
	assert_false(socks_answers(5, (const uint8_t *)"\0\x5a", 2) || socks_answers(4, (const uint8_t *)"\0\1", 2));
	assert_false(socks_answers(5, (const uint8_t *)"", 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(at_every_cut),
	    cmocka_unit_test(what_is_none),
	    cmocka_unit_test(a_name_without_end),
	    cmocka_unit_test(answers),
	};

	return cmocka_run_group_tests_name("socks", tests, NULL, NULL);
}
