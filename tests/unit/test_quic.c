/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Initials as the standards print them, and others made by another hand; a real client's are in test_talk_real.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/quic_fixture.h"
#include "user/dest/quic.h"

static const uint8_t chosen[8] = {0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08};
static const uint8_t own[8] = {1, 2, 3, 4, 5, 6, 7, 8}, servers[8] = {9, 9, 9, 9, 9, 9, 9, 9};

static void quic_freep(struct quic **q)
{
	quic_free(*q);
}

#define _cleanup_quic_ _cleanup_(quic_freep)

static struct quic *new_quic(void)
{
	struct quic *q;

	assert_int_equal(quic_new(&q), 0);
	return q;
}

static int take_copy(struct quic *q, bool out, const uint8_t *data, size_t n)
{
	_cleanup_free_ uint8_t *copy = malloc(n + !n);

	assert_non_null(copy);
	memcpy(copy, data, n);
	return quic_take(q, out, copy, n);
}

/* The message of the RFC's client, without its frame. */
static size_t rfc_hello(uint8_t ret[512])
{
	uint8_t frame[512];
	size_t n = unhex(RFC_CLIENT_FRAME, frame);

	memcpy(ret, frame + 4, n - 4);
	return n - 4;
}

/* The fixture makes what the standards print: then that is what is read. */
static void vectors_of_the_standards(void **state)
{
	static const char *const begin[] = {"c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11",
					    "d76b3343cf088394c8f03e5157080000449ea0c95e82ffe67b6abcdb4298b485"};
	static const char v1_end[] = "e221af44860018ab0856972e194cd934";

	for (int v2 = 0; v2 < 2; v2++) {
		_cleanup_quic_ struct quic *q = new_quic();
		const struct quic_facts *f = quic_facts(q);
		uint8_t packet[PACKET_ROOM], printed[PACKET_ROOM];
		size_t n = rfc_initial(v2, packet), k = unhex(begin[v2], printed);

		assert_int_equal(n, 1200);
		assert_memory_equal(packet, printed, k);
		if (!v2)
			assert_memory_equal(packet + n - 16, printed, unhex(v1_end, printed));
		assert_int_equal(take_copy(q, true, packet, n), QUIC_INITIAL);
		assert_true(f->client && f->out && f->hello && !f->server);
		assert_string_equal(f->from_client.name, "example.com");
		assert_int_equal(f->from_client.version, 0x0304);
		assert_int_equal(f->version, v2 ? 0x6b3343cf : 1);
		n = unhex(v2 ? RFC_SERVER_V2 : RFC_SERVER_V1, packet);
		assert_int_equal(take_copy(q, false, packet, n), QUIC_INITIAL);
		assert_true(f->server);
		assert_int_equal(f->agreed, 0x0304);
	}
}

static void retries_of_the_standards(void **state)
{
	for (int v2 = 0; v2 < 2; v2++) {
		_cleanup_quic_ struct quic *q = new_quic();
		uint8_t packet[PACKET_ROOM], first[PACKET_ROOM], id[8], frame[512];
		size_t n = unhex(v2 ? RFC_RETRY_V2 : RFC_RETRY_V1, packet);

		assert_int_equal(take_copy(q, false, packet, n), QUIC_STRANGE); /* to nobody */
		assert_int_equal(take_copy(q, true, first, rfc_initial(v2, first)), QUIC_INITIAL);
		packet[n - 1] ^= 1;
		assert_int_equal(take_copy(q, false, packet, n), QUIC_STRANGE);
		packet[n - 1] ^= 1;
		assert_int_equal(take_copy(q, true, packet, n), QUIC_STRANGE); /* the client does not retry itself */
		assert_int_equal(take_copy(q, false, packet, n), QUIC_RETRY);
		assert_true(quic_facts(q)->retry);
		/* and it comes again, with the token, for the id that it was told, with keys of that */
		unhex(RFC_SERVER_ID, id);
		struct initial again = {.v2 = v2, .key_id = id, .to = id, .number = 3, .token = (const uint8_t *)"token", .ntoken = 5};
		size_t nframe = unhex(RFC_CLIENT_FRAME, frame);
		assert_int_equal(take_copy(q, true, first, make_initial(&again, frame, nframe, 1200, first)), QUIC_INITIAL);
	}
}

static void any_changed_byte_is_refused(void **state)
{
	uint8_t packet[PACKET_ROOM];
	size_t n = rfc_initial(false, packet);

	for (size_t i = 0; i < n; i += i < 40 ? 1 : 37) {
		_cleanup_quic_ struct quic *q = new_quic();

		packet[i] ^= 0x10;
		assert_int_not_equal(take_copy(q, true, packet, n), QUIC_INITIAL);
		assert_false(quic_facts(q)->client);
		packet[i] ^= 0x10;
	}
	for (size_t k = 0; k < n; k++) {
		_cleanup_quic_ struct quic *q = new_quic();

		assert_int_not_equal(take_copy(q, true, packet, k), QUIC_INITIAL);
	}
}

/* As Chrome does it: frames in any order, overlapping, in several packets, with PING and padding between them. */
static void scrambled_over_packets(void **state)
{
	uint8_t hello[512], frames[1024], packet[PACKET_ROOM];
	size_t n = rfc_hello(hello), each = 37, pieces = (n + each - 1) / each;
	_cleanup_quic_ struct quic *q = new_quic();
	struct initial in = {.key_id = chosen, .to = chosen, .from = own};

	for (size_t i = pieces; i-- > 0;) {
		size_t at = i * each, part = MIN(each + 9, n - at), w = 0;

		frames[w++] = 1;
		frames[w++] = 0;
		w += crypto_frame(frames + w, at, hello + at, part);
		frames[w++] = 2, frames[w++] = 5, frames[w++] = 0, frames[w++] = 1, frames[w++] = 0, frames[w++] = 0, frames[w++] = 0;
		w += crypto_frame(frames + w, at, hello + at, 1);
		assert_false(quic_facts(q)->hello);
		in.number = (uint8_t)i;
		assert_int_equal(take_copy(q, true, packet, make_initial(&in, frames, w, 1200, packet)), QUIC_INITIAL);
		in.to = servers; /* from then on the server's, but the keys stay */
	}
	assert_true(quic_facts(q)->hello);
	assert_string_equal(quic_facts(q)->from_client.name, "example.com");
}

static void several_packets_of_one_datagram(void **state)
{
	uint8_t hello[512], frames[1024], datagram[PACKET_ROOM * 2];
	_cleanup_quic_ struct quic *q = new_quic();
	struct initial in = {.key_id = chosen, .to = chosen, .from = own};
	size_t n = rfc_hello(hello), w;

	w = make_initial(&in, frames, crypto_frame(frames, 100, hello + 100, n - 100), 300, datagram);
	in.number = 1;
	w += make_initial(&in, frames, crypto_frame(frames, 0, hello, 100), 300, datagram + w);
	assert_int_equal(take_copy(q, true, datagram, w), QUIC_INITIAL);
	assert_true(quic_facts(q)->hello);
}

static void version_negotiation(void **state)
{
	uint8_t answer[64] = {0x80}, packet[PACKET_ROOM], frame[512];
	_cleanup_quic_ struct quic *q = new_quic();
	struct initial in = {.key_id = chosen, .to = chosen, .from = own};
	size_t n = unhex(RFC_CLIENT_FRAME, frame);

	answer[5] = 8, memcpy(answer + 6, own, 8);
	answer[14] = 8, memcpy(answer + 15, chosen, 8);
	assert_int_equal(take_copy(q, false, answer, 27), QUIC_STRANGE);
	take_copy(q, true, packet, make_initial(&in, frame, n, 1200, packet));
	assert_int_equal(take_copy(q, false, answer, 27), QUIC_VERSIONS);
	assert_true(quic_facts(q)->versions);
	answer[6] ^= 1;
	assert_int_equal(take_copy(q, false, answer, 27), QUIC_STRANGE);
}

static void what_is_not_known(void **state)
{
	_cleanup_quic_ struct quic *q = new_quic();
	uint8_t packet[PACKET_ROOM];
	size_t n = rfc_initial(false, packet);

	packet[1] = 0xfa, packet[2] = 0xce;
	assert_int_equal(take_copy(q, true, packet, n), QUIC_STRANGE);
	assert_true(quic_facts(q)->unknown_version && !quic_facts(q)->client);
	assert_int_equal(quic_facts(q)->version, 0xface0001);
	assert_int_equal(take_copy(q, true, (const uint8_t *)"\x40short", 6), QUIC_NONE);
	assert_int_equal(take_copy(q, true, (const uint8_t *)"", 0), QUIC_NONE);
}

/* Sealed well, but to another client, or with bits that RFC 9000, 17.2, forbids. */
static void sealed_but_not_good(void **state)
{
	_cleanup_quic_ struct quic *q = new_quic(), *other = new_quic();
	struct initial in = {.key_id = chosen, .to = chosen, .from = own}, reply = {.server = true, .key_id = chosen, .to = servers};
	uint8_t frame[512], packet[PACKET_ROOM];
	size_t n = unhex(RFC_CLIENT_FRAME, frame);

	assert_int_equal(take_copy(q, true, packet, make_initial(&in, frame, n, 1200, packet)), QUIC_INITIAL);
	assert_int_equal(take_copy(q, false, packet, make_initial(&reply, frame, n, 600, packet)), QUIC_STRANGE);
	reply.to = own;
	assert_int_equal(take_copy(q, false, packet, make_initial(&reply, frame, n, 600, packet)), QUIC_INITIAL);
	in.reserved = true;
	assert_int_equal(take_copy(other, true, packet, make_initial(&in, frame, n, 1200, packet)), QUIC_STRANGE);
}

static void no_hello_in_it(void **state)
{
	_cleanup_quic_ struct quic *q = new_quic();
	struct initial in = {.key_id = chosen, .to = chosen, .from = own};
	uint8_t frames[64], packet[PACKET_ROOM];
	size_t n = crypto_frame(frames, 0, (const uint8_t *)"the secret", 10);

	assert_int_equal(take_copy(q, true, packet, make_initial(&in, frames, n, 1200, packet)), QUIC_INITIAL);
	assert_true(quic_facts(q)->no_hello && !quic_facts(q)->hello);
}

/* More than is kept: the name stands before that. */
static void a_long_hello(void **state)
{
	static uint8_t hello[8000];
	_cleanup_quic_ struct quic *q = new_quic();
	struct initial in = {.key_id = chosen, .to = chosen, .from = own};
	uint8_t frames[1400], packet[PACKET_ROOM];
	size_t n = rfc_hello(hello), ext = 4 + 2 + 32 + 1 + 2 + 4 + 2, more = 5000;

	hello[n] = 0xfa, hello[n + 1] = 0xfa; /* an extension of 5000 bytes at its end */
	hello[n + 2] = (uint8_t)(more >> 8), hello[n + 3] = (uint8_t)more;
	n += 4 + more;
	hello[2] = (uint8_t)((n - 4) >> 8), hello[3] = (uint8_t)(n - 4);
	hello[ext] = (uint8_t)((n - ext - 2) >> 8), hello[ext + 1] = (uint8_t)(n - ext - 2);
	for (size_t at = 0; at < n; at += 1000) {
		in.number++;
		assert_int_equal(take_copy(q, true, packet,
					   make_initial(&in, frames, crypto_frame(frames, at, hello + at, MIN(1000, n - at)), 1200, packet)),
				 QUIC_INITIAL);
	}
	assert_true(quic_facts(q)->hello);
	assert_string_equal(quic_facts(q)->from_client.name, "example.com");
}

static void anything_is_borne(void **state)
{
	uint8_t hello[512], frames[PACKET_ROOM], packet[PACKET_ROOM];
	size_t n = rfc_hello(hello);
	uint64_t rng = 88172645463325252ULL;
	unsigned opened = 0;

	for (unsigned i = 0; i < 4000; i++) {
		_cleanup_quic_ struct quic *q = new_quic();
		struct initial in = {.key_id = chosen, .to = chosen, .from = own};
		size_t w = crypto_frame(frames, 0, hello, n);

		for (unsigned k = 0; k < 4; k++) {
			rng ^= rng << 13;
			rng ^= rng >> 7;
			rng ^= rng << 17;
			frames[rng % (k ? w : 5)] = (uint8_t)(rng >> 40); /* sealed after it was spoilt */
		}
		size_t len = make_initial(&in, frames, w, 600, packet);
		if (i % 3 == 0)
			packet[rng % 30] ^= (uint8_t)(rng >> 32);
		opened += take_copy(q, i % 2, packet, i % 5 ? len : rng % len) == QUIC_INITIAL;
	}
	assert_true(opened > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(vectors_of_the_standards), cmocka_unit_test(retries_of_the_standards),
	    cmocka_unit_test(any_changed_byte_is_refused), cmocka_unit_test(scrambled_over_packets),
	    cmocka_unit_test(several_packets_of_one_datagram), cmocka_unit_test(version_negotiation),
	    cmocka_unit_test(what_is_not_known), cmocka_unit_test(no_hello_in_it),
	    cmocka_unit_test(a_long_hello), cmocka_unit_test(sealed_but_not_good), cmocka_unit_test(anything_is_borne),
	};

	return cmocka_run_group_tests_name("quic", tests, NULL, NULL);
}
