/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What real servers answer, cut and spoilt; DTLS in fragments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/tls_fixture.h"
#include "user/dest/tls_server.h"

static const struct flight *server_flight(const struct tls_wish *wish)
{
	static struct wire w;

	wire_make(wish, &w);
	for (unsigned i = 0; i < w.n; i++)
		if (!w.flights[i].by_client)
			return &w.flights[i];
	return NULL;
}

static void versions_agreed(void **state)
{
	for (int v = TLS1_VERSION; v <= TLS1_3_VERSION; v++) {
		const struct flight *f = server_flight(&(struct tls_wish){.least = TLS1_VERSION, .most = v});
		size_t first = 5 + (size_t)(f->data[3] << 8 | f->data[4]), message = 5 + 4 + (size_t)(f->data[7] << 8 | f->data[8]);
		struct tls_hello h;

		for (size_t k = 0; k <= f->n; k++) {
			_cleanup_free_ uint8_t *copy = malloc(k + 1);
			uint16_t version = 7;

			assert_non_null(copy);
			memcpy(copy, f->data, k);
			assert_int_equal(tls_server_parse(copy, k, &version), k < message ? TLS_MORE : TLS_HELLO);
			assert_int_equal(version, k < message ? 7 : v);
		}
		assert_true(message <= first);
		assert_int_equal(tls_hello_parse(f->data, f->n, &h), TLS_OTHER);
	}
}

/* Each field that has but few values refuses the others. */
static void spoilt_ones(void **state)
{
	const struct flight *f = server_flight(&(struct tls_wish){.least = TLS1_3_VERSION, .most = TLS1_3_VERSION});
	size_t session = f->data[43], cipher = 44 + session, extensions = cipher + 3;
	const struct {
		size_t at;
		uint8_t value;
	} spoils[] = {{0, 21}, {1, 2}, {5, 1}, {9, 4}, {10, 4}, {43, 33}, {cipher + 2, 2}, {extensions + 1, 0xff}, {extensions, 1}, {extensions + 3, 0}};

	for (size_t i = 0; i < ARRAY_SIZE(spoils); i++) {
		_cleanup_free_ uint8_t *copy = malloc(f->n);
		uint16_t version = 7;

		assert_non_null(copy);
		memcpy(copy, f->data, f->n);
		copy[spoils[i].at] = spoils[i].value;
		enum tls_state s = tls_server_parse(copy, f->n, &version);
		if (i + 1 == ARRAY_SIZE(spoils)) /* an extension's type: then the version is not said */
			assert_true(s == TLS_OTHER || version != 7);
		else
			assert_int_equal(s, TLS_OTHER);
		assert_true(s == TLS_HELLO || version == 7);
	}
}

static void alerts(void **state)
{
	static const uint8_t good[] = {21, 3, 3, 0, 2, 2, 40}, bad[] = {21, 3, 3, 0, 2, 3, 40};

	assert_true(tls_is_alert(good, sizeof(good)));
	assert_false(tls_is_alert(good, sizeof(good) - 1) || tls_is_alert(bad, sizeof(bad)));
}

/* A hello's record, in two fragments. */
static size_t fragment(const struct flight *f, size_t from, size_t n, uint8_t *to)
{
	size_t len = 12 + n;

	memcpy(to, f->data, 13 + 12);
	to[11] = (uint8_t)(len >> 8), to[12] = (uint8_t)len;
	to[19] = 0, to[20] = (uint8_t)(from >> 8), to[21] = (uint8_t)from;
	to[22] = 0, to[23] = (uint8_t)(n >> 8), to[24] = (uint8_t)n;
	memcpy(to + 25, f->data + 25 + from, n);
	return 25 + n;
}

static void dtls_in_fragments(void **state)
{
	static struct wire w;
	uint8_t datagram[FLIGHT_ROOM];
	struct tls_hello h;

	wire_make(&(struct tls_wish){.dtls = true, .least = DTLS1_2_VERSION, .most = DTLS1_2_VERSION, .name = "d.example"}, &w);
	size_t body = w.flights[0].n - 25, n = fragment(&w.flights[0], 0, body - 10, datagram);
	assert_int_equal(dtls_hello_parse(datagram, n, false, &h), TLS_HELLO);
	assert_string_equal(h.name, "d.example");
	assert_int_equal(dtls_hello_parse(datagram, n - 1, false, &h), TLS_OTHER); /* whole, but shorter than it says */
	assert_int_equal(dtls_hello_parse(datagram, n - 1, true, &h), TLS_HELLO);
	n = fragment(&w.flights[0], body - 10, 10, datagram);
	assert_int_equal(dtls_hello_parse(datagram, n, false, &h), TLS_MORE);
	datagram[24] = 11; /* beyond the message's end */
	assert_int_equal(dtls_hello_parse(datagram, n, false, &h), TLS_OTHER);
	assert_int_equal(dtls_hello_parse(w.flights[1].data, w.flights[1].n, false, &h), TLS_OTHER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(versions_agreed),
	    cmocka_unit_test(spoilt_ones),
	    cmocka_unit_test(alerts),
	    cmocka_unit_test(dtls_in_fragments),
	};

	return cmocka_run_group_tests_name("tls_server", tests, NULL, NULL);
}
