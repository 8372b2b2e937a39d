/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Heads of requests as written, cut anywhere, and as nobody should write them. What curl writes is in test_talk_real.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "user/dest/http_head.h"

static enum http_state parse(const char *text, struct http_head *ret)
{
	size_t n = strlen(text);
	_cleanup_free_ uint8_t *copy = malloc(n + 1);

	assert_non_null(copy);
	memcpy(copy, text, n);
	return http_head_parse(copy, n, ret);
}

static void requests(void **state)
{
	static const struct {
		const char *text, *method, *path, *host;
		bool connect, proxied, strange;
	} cases[] = {
	    {"GET / HTTP/1.1\r\nHost: A.example\r\n\r\n", "GET", "/", "a.example", false, false, false},
	    {"GET /x?secret HTTP/1.0\n\n", "GET", "/x", "", false, false, false},
	    {"PUT /k HTTP/1.1\r\nhOST:\t b.example:9000 \r\n\r\n", "PUT", "/k", "b.example", false, false, false},
	    {"OPTIONS * HTTP/1.1\r\nHost: [FE80::1]:80\r\n\r\n", "OPTIONS", "*", "fe80::1", false, false, false},
	    {"GET http://t.example:81/p?q HTTP/1.1\r\nHost: o.example\r\n\r\n", "GET", "/p", "t.example", false, true, false},
	    {"GET http://t.example?q HTTP/1.1\r\n\r\n", "GET", "/", "t.example", false, true, false},
	    {"GET http://u:p@t.example/ HTTP/1.1\r\n\r\n", "GET", "/", "t.example", false, true, true},
	    {"CONNECT t.example:443 HTTP/1.1\r\nHost: t.example\r\n\r\n", "CONNECT", "", "t.example", true, true, false},
	    {"\r\n\nconnect \t t.example:443  HTTP/1.1 \r\n\r\n", "connect", "", "t.example", true, true, false},
	    {"CONNECT a.example:443 t.example:443 HTTP/1.1\r\n\r\n", "CONNECT", "", "", true, true, true},
	    {"CONNECT [2001:DB8::5]:443 HTTP/1.1\r\n\r\n", "CONNECT", "", "2001:db8::5", true, true, false},
	    {"GET / HTTP/1.1\r\nHost: a.example\r\nhost: b.example\r\n\r\n", "GET", "/", "a.example", false, false, true},
	    {"GET / HTTP/1.1\r\nHost: a.example\r\n b.example\r\n\r\n", "GET", "/", "a.example", false, false, true},
	    {"GET / HTTP/1.1\r\nHost : a.example\r\n\r\n", "GET", "/", "", false, false, true},
	    {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "GET", "/", "", false, false, true},
	    {"GET / HTTP/1.1\r\nHost: a.example:8x\r\n\r\n", "GET", "/", "", false, false, true},
	    {"GET / HTTP/1.1\r\nHost: [::1]8\r\n\r\n", "GET", "/", "", false, false, true},
	    {"GET / HTTP/1.1\r\nX-Host: a.example\r\n\r\n", "GET", "/", "", false, false, false},
	    {"GET /a\x1b[31m\x7f\xff HTTP/1.1\r\n\r\n", "GET", "/a[31m", "", false, false, false},
	    {"BREW /pot HTTP/1.1\r\n\r\n", "BREW", "/pot", "", false, false, false},
	    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "PRI", "*", "", false, false, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct http_head h;

		assert_int_equal(parse(cases[i].text, &h), HTTP_REQUEST);
		assert_string_equal(h.method, cases[i].method);
		assert_string_equal(h.path, cases[i].path);
		assert_string_equal(h.host, cases[i].host);
		assert_int_equal(h.connect, cases[i].connect);
		assert_int_equal(h.proxied, cases[i].proxied);
		assert_int_equal(h.strange, cases[i].strange);
		assert_true(h.len && h.len <= strlen(cases[i].text));
	}
}

static void no_requests(void **state)
{
	static const char *const texts[] = {
	    "HTTP/1.1 200 OK\r\n\r\n", "EHLO a.example\r\n", "GET /\r\n", "GET / FTP/1.1\r\n", "GET  HTTP/1.1\r\n",
	    "G(T / HTTP/1.1\r\n", "ABCDEFGHIJKLMNOPQ / HTTP/1.1\r\n", " / HTTP/1.1\r\n", "\r\n\rGET / HTTP/1.1\r\n", "hello", "GET / HTTP/1.x\r\n",
	};
	struct http_head h = {.method = "untouched"};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_int_equal(parse(texts[i], &h), HTTP_OTHER);
	assert_int_equal(parse("", &h), HTTP_MORE);
	assert_int_equal(parse("\r\n\n\r", &h), HTTP_MORE);
	assert_string_equal(h.method, "untouched");
}

/* Nothing is said of a line that has not ended. */
static void cut_anywhere(void **state)
{
	static const char text[] = "DELETE /path HTTP/1.1\r\nAccept: */*\r\nHost: cut.example\r\nX-Token: 1\r\n\r\nbody: x\r\n";
	size_t line = strcspn(text, "\n") + 1, host = (size_t)(strstr(text, "X-Token") - text),
	       end = (size_t)(strstr(text, "body") - text);

	for (size_t n = 1; n < sizeof(text); n++) {
		_cleanup_free_ uint8_t *copy = malloc(n);
		struct http_head h;

		assert_non_null(copy);
		memcpy(copy, text, n);
		enum http_state s = http_head_parse(copy, n, &h);
		assert_int_equal(s, n < line ? HTTP_MORE : HTTP_REQUEST);
		assert_int_equal(http_head_has(copy, n, "x-token"), n >= end - 2);
		assert_false(http_head_has(copy, n, "body"));
		if (s != HTTP_REQUEST)
			continue;
		assert_string_equal(h.host, n < host ? "" : "cut.example");
		assert_int_equal(h.len, n < end ? 0 : end);
	}
}

static void long_ones_are_cut(void **state)
{
	_cleanup_free_ char *text = malloc(4000);
	struct http_head h;

	assert_non_null(text);
	snprintf(text, 4000, "GET /%0*d HTTP/1.1\r\nHost: %0*d.example\r\n\r\n", 1000, 0, 300, 0);
	assert_int_equal(parse(text, &h), HTTP_REQUEST);
	assert_int_equal(strlen(h.path), HTTP_PATH_LEN - 1);
	assert_string_equal(h.host, "");
	assert_true(h.strange);
}

static void fields_are_found_whole(void **state)
{
	static const char text[] = "PUT /latest/api/token HTTP/1.1\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\n\r\n";

	assert_false(http_head_has((const uint8_t *)text, sizeof(text) - 1, "X-aws-ec2-metadata-token"));
	assert_true(http_head_has((const uint8_t *)"\r\n\r\nGET / HTTP/1.1\r\nA: b\r\n", 26, "a"));
	assert_true(http_head_has((const uint8_t *)text, sizeof(text) - 1, "x-AWS-ec2-metadata-token-ttl-seconds"));
}

static void responses(void **state)
{
	bool more;

	assert_true(http_is_response((const uint8_t *)"HTTP/1.1 200 OK", 15, &more));
	assert_false(http_is_response((const uint8_t *)"HTTP/1.1 2x0 OK", 15, &more) || more);
	assert_false(http_is_response((const uint8_t *)"HTTP/1.", 7, &more));
	assert_true(more);
	assert_false(http_is_response((const uint8_t *)"HTTQ", 4, &more) || more);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(requests),		 cmocka_unit_test(no_requests),		   cmocka_unit_test(cut_anywhere),
	    cmocka_unit_test(long_ones_are_cut), cmocka_unit_test(fields_are_found_whole), cmocka_unit_test(responses),
	};

	return cmocka_run_group_tests_name("http_head", tests, NULL, NULL);
}
