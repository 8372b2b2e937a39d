/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Hellos of a real client, OpenSSL's, cut in every way; and what others can send. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <openssl/ssl.h>

#include "user/dest/tls_hello.h"

#define HELLO_ROOM 8192

/* What a client that takes these versions says first. */
static size_t real_hello(const char *name, int least, int most, uint8_t ret[HELLO_ROOM])
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	SSL *ssl;

	assert_non_null(ctx);
	SSL_CTX_set_security_level(ctx, 0);
	assert_true(SSL_CTX_set_min_proto_version(ctx, least) && SSL_CTX_set_max_proto_version(ctx, most));
	ssl = SSL_new(ctx);
	assert_non_null(ssl);
	SSL_set_bio(ssl, in, out);
	if (name)
		assert_true(SSL_set_tlsext_host_name(ssl, name));
	SSL_connect(ssl);
	int n = BIO_read(out, ret, HELLO_ROOM);
	assert_true(n > 40);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	return (size_t)n;
}

static void versions_and_names(void **state)
{
	static const struct {
		int least, most;
		uint16_t told;
	} versions[] = {
	    {TLS1_VERSION, TLS1_VERSION, 0x0301},
	    {TLS1_1_VERSION, TLS1_1_VERSION, 0x0302},
	    {TLS1_2_VERSION, TLS1_2_VERSION, 0x0303},
	    {TLS1_VERSION, TLS1_3_VERSION, 0x0304},
	    {TLS1_3_VERSION, TLS1_3_VERSION, 0x0304},
	};
	uint8_t data[HELLO_ROOM];

	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		struct tls_hello h;
		size_t n = real_hello("Bkt.S3.eu-central-1.amazonaws.com", versions[i].least, versions[i].most, data);

		assert_int_equal(tls_hello_parse(data, n, &h), TLS_HELLO);
		assert_string_equal(h.name, "bkt.s3.eu-central-1.amazonaws.com");
		assert_int_equal(h.version, versions[i].told);
		assert_false(h.encrypted_name || h.strange);
		n = real_hello(NULL, versions[i].least, versions[i].most, data);
		assert_int_equal(tls_hello_parse(data, n, &h), TLS_HELLO);
		assert_string_equal(h.name, "");
		assert_int_equal(h.version, versions[i].told);
	}
}

/* As segments come: until it is all there, more is asked for, and nothing is said. */
static void cut_anywhere(void **state)
{
	uint8_t data[HELLO_ROOM];
	size_t n = real_hello("example.org", TLS1_2_VERSION, TLS1_3_VERSION, data);

	for (size_t k = 0; k < n; k++) {
		struct tls_hello h = {.name = "untouched"};

		assert_int_equal(tls_hello_parse(data, k, &h), TLS_MORE);
		assert_string_equal(h.name, "untouched");
	}
	memset(data + n, 0xee, 100); /* and what comes behind it is not its matter */
	struct tls_hello h;
	assert_int_equal(tls_hello_parse(data, n + 100, &h), TLS_HELLO);
	assert_string_equal(h.name, "example.org");
}

/* The same message in records of so many bytes. */
static size_t in_records(const uint8_t *data, size_t n, size_t each, uint8_t *to)
{
	size_t w = 0;

	for (size_t at = 5; at < n; at += each) {
		size_t part = MIN(each, n - at);

		memcpy(to + w, data, 3);
		to[w + 3] = (uint8_t)(part >> 8);
		to[w + 4] = (uint8_t)part;
		memcpy(to + w + 5, data + at, part);
		w += 5 + part;
	}
	return w;
}

static void split_over_records(void **state)
{
	static uint8_t data[HELLO_ROOM], records[HELLO_ROOM * 6];
	size_t n = real_hello("split.example.org", TLS1_2_VERSION, TLS1_3_VERSION, data);

	for (size_t each = 1; each < 300; each += 7) {
		size_t len = in_records(data, n, each, records);
		struct tls_hello h;

		assert_int_equal(tls_hello_parse(records, len, &h), TLS_HELLO);
		assert_string_equal(h.name, "split.example.org");
		assert_int_equal(tls_hello_parse(records, len - 1, &h), TLS_MORE);
	}
}

static void what_is_no_hello(void **state)
{
	static const char *const others[] = {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "\x15\x03\x01\x00\x02\x02\x28",
					     "\x16\x02\x00\x00\x05", "EHLO example.org\r\n"};
	uint8_t data[HELLO_ROOM];
	struct tls_hello h;
	size_t n;

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_int_equal(tls_hello_parse((const uint8_t *)others[i], strlen(others[i]), &h), TLS_OTHER);
	assert_int_equal(tls_hello_parse((const uint8_t *)"", 0, &h), TLS_MORE);
	n = real_hello("a.example", TLS1_3_VERSION, TLS1_3_VERSION, data);
	data[5] = 2; /* a server's */
	assert_int_equal(tls_hello_parse(data, n, &h), TLS_OTHER);
}

static void names_that_are_none(void **state)
{
	static const char *const bad[] = {"evil\x1b[31m.org", "a..b", "a b", "\"};DROP", "."};
	char ok[TLS_NAME_LEN];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		uint8_t data[HELLO_ROOM];
		size_t n = real_hello(bad[i], TLS1_2_VERSION, TLS1_3_VERSION, data);
		struct tls_hello h;

		assert_int_equal(tls_hello_parse(data, n, &h), TLS_HELLO);
		assert_string_equal(h.name, "");
		assert_true(h.strange);
	}
	assert_true(host_name_take((const uint8_t *)"A.b-c_1.", 8, ok));
	assert_string_equal(ok, "a.b-c_1");
	assert_false(host_name_take((const uint8_t *)"a\0b", 3, ok));
}

static int add_nothing(SSL *ssl, unsigned type, const unsigned char **out, size_t *n, int *alert, void *arg)
{
	*out = (const unsigned char *)"";
	*n = 0;
	return 1;
}

/* Its name is another's. */
static void an_encrypted_hello(void **state)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	uint8_t data[HELLO_ROOM];
	struct tls_hello h;

	assert_non_null(ctx);
	assert_true(SSL_CTX_add_client_custom_ext(ctx, 0xfe0d, add_nothing, NULL, NULL, NULL, NULL));
	SSL *ssl = SSL_new(ctx);
	SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	assert_true(SSL_set_tlsext_host_name(ssl, "front.example"));
	SSL_connect(ssl);
	int n = BIO_read(SSL_get_wbio(ssl), data, sizeof(data));
	assert_int_equal(tls_hello_parse(data, (size_t)n, &h), TLS_HELLO);
	assert_true(h.encrypted_name);
	assert_string_equal(h.name, "front.example");
	SSL_free(ssl);
	SSL_CTX_free(ctx);
}

/* The message alone, as QUIC has it, and with its end lost: what is said of it then is true of the whole. */
static void bare_and_cut_messages(void **state)
{
	uint8_t data[HELLO_ROOM];
	size_t n = real_hello("cut.example.org", TLS1_2_VERSION, TLS1_3_VERSION, data), named = 0;
	struct tls_hello h;

	assert_int_equal(tls_hello_message(data + 5, n - 5, false, &h), TLS_HELLO);
	assert_string_equal(h.name, "cut.example.org");
	for (size_t k = 0; k < n; k++) {
		_cleanup_free_ uint8_t *copy = malloc(k + 1);

		assert_non_null(copy);
		memcpy(copy, data, k);
		memset(&h, 0, sizeof(h));
		enum tls_state s = tls_hello_parse_cut(copy, k, &h);
		assert_int_not_equal(s, TLS_OTHER);
		assert_true(s == TLS_HELLO || (!*h.name && !h.version));
		assert_true(!*h.name || !strcmp(h.name, "cut.example.org"));
		assert_true(!h.version || h.version == 0x0304);
		named += *h.name != 0;
		if (k < 5)
			continue;
		assert_int_equal(tls_hello_message(copy + 5, k - 5, false, &h), TLS_MORE);
		assert_int_equal(tls_hello_message(copy + 5, k - 5, true, &h), s);
	}
	assert_true(named > 50 && named < n);
	data[3 + 5]++; /* of a length that does not fit its extensions */
	assert_int_equal(tls_hello_message(data + 5, n - 5, true, &h), TLS_OTHER);
}

static void anything_is_taken_or_refused(void **state)
{
	uint8_t real[HELLO_ROOM];
	size_t n = real_hello("fuzz.example.org", TLS1_VERSION, TLS1_3_VERSION, real);
	uint64_t rng = 88172645463325252ULL;
	unsigned taken = 0;

	for (unsigned i = 0; i < 60000; i++) {
		_cleanup_free_ uint8_t *copy = malloc(n);
		struct tls_hello h;
		size_t len = n;

		assert_non_null(copy);
		memcpy(copy, real, n);
		for (unsigned k = 0; k <= i % 4; k++) {
			rng ^= rng << 13;
			rng ^= rng >> 7;
			rng ^= rng << 17;
			copy[rng % n] = (uint8_t)(rng >> 40);
			len = i % 3 ? n : rng % n;
		}
		if (tls_hello_parse(copy, len, &h) != TLS_HELLO)
			continue;
		taken++;
		assert_true(strlen(h.name) < TLS_NAME_LEN && h.version >= 0x0301 && h.version <= 0x0304);
	}
	assert_true(taken > 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(versions_and_names), cmocka_unit_test(cut_anywhere),	 cmocka_unit_test(split_over_records),
	    cmocka_unit_test(what_is_no_hello),	  cmocka_unit_test(names_that_are_none), cmocka_unit_test(anything_is_taken_or_refused),
	    cmocka_unit_test(an_encrypted_hello), cmocka_unit_test(bare_and_cut_messages),
	};

	return cmocka_run_group_tests_name("tls_hello", tests, NULL, NULL);
}
