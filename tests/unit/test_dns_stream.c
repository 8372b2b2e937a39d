/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Messages of DNS over TCP, however they are cut into segments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "user/dest/dns_stream.h"

#define STREAM 40000

static uint64_t rng = 88172645463325252ULL;

static size_t draw(size_t below)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng % below;
}

struct got {
	uint8_t data[STREAM];
	size_t n;
	unsigned messages, cut;
};

/* Each with its length before it, as far as it is kept. */
static void take(void *arg, const uint8_t *message, size_t n, bool cut)
{
	struct got *g = arg;

	assert_true(g->n + n <= sizeof(g->data));
	if (n)
		memcpy(g->data + g->n, message, n);
	g->n += n;
	g->messages++;
	g->cut += cut;
}

/* Messages of up to `most` bytes; what they hold together. */
static size_t make(uint8_t stream[static STREAM], size_t most, struct got *want)
{
	size_t at = 0;

	*want = (struct got){0};
	for (;;) {
		size_t n = draw(most + 1), kept = MIN(n, (size_t)DNS_STREAM_KEPT);

		if (at + 2 + n > STREAM)
			return at;
		stream[at] = (uint8_t)(n >> 8);
		stream[at + 1] = (uint8_t)n;
		for (size_t i = 0; i < n; i++)
			stream[at + 2 + i] = (uint8_t)draw(256);
		take(want, stream + at + 2, kept, kept < n);
		at += 2 + n;
	}
}

static void test_any_segments(void **state)
{
	static uint8_t stream[STREAM];
	static struct got want, got;

	for (unsigned round = 0; round < 300; round++) {
		size_t n = make(stream, round % 3 ? 90 : 5000, &want), most = 1 + draw(round % 2 ? 4 : 3000), len;
		uint32_t from = round % 5 ? 0 : UINT32_MAX - 700; /* numbers come round */
		struct dns_stream s = {.next = from};

		got = (struct got){0};
		for (size_t at = 0; at < n; at += len) {
			size_t again = draw(3) ? 0 : draw(200); /* sent before, with more behind it */

			again = MIN(again, at);
			len = 1 + draw(most);
			len = MIN(len, n - at);
			assert_true(dns_stream_put(&s, from + (uint32_t)(at - again), stream + at - again, len + again, len + again,
						   take, &got));
		}
		assert_int_equal(got.messages, want.messages);
		assert_int_equal(got.cut, want.cut);
		assert_int_equal(got.n, want.n);
		assert_memory_equal(got.data, want.data, want.n);
		dns_stream_done(&s);
	}
}

/* Nothing is guessed behind a hole, or behind a length that was not kept. */
static void test_lost(void **state)
{
	static const uint8_t three[] = {0, 1, 'a', 0, 1, 'b', 0, 1, 'c'};
	struct dns_stream s = {0};
	struct got got = {0};

	assert_true(dns_stream_put(&s, 0, three, 3, 3, take, &got));
	assert_false(dns_stream_put(&s, 6, three + 6, 3, 3, take, &got));
	assert_false(dns_stream_put(&s, 3, three + 3, 3, 3, take, &got));
	assert_int_equal(got.messages, 1);
	dns_stream_done(&s);
	s = (struct dns_stream){0};
	assert_false(dns_stream_put(&s, 0, three, 4, 9, take, &got));
	assert_int_equal(got.messages, 2);
	dns_stream_done(&s);
}

/* What was left out of a message's middle does not move the next one's beginning. */
static void test_cut(void **state)
{
	static const uint8_t first[] = {0, 9, 'a', 'b'}, rest[] = {'x', 'y', 0, 1, 'c'};
	struct dns_stream s = {0};
	struct got got = {0};

	assert_true(dns_stream_put(&s, 0, first, 4, 9, take, &got));
	assert_int_equal(got.messages, 0);
	assert_true(dns_stream_put(&s, 9, rest, 5, 5, take, &got));
	assert_int_equal(got.messages, 2);
	assert_int_equal(got.cut, 1);
	assert_int_equal(got.n, 3);
	assert_memory_equal(got.data, "abc", 3);
	dns_stream_done(&s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_segments),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
