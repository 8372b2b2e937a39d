/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Datagrams: DTLS of OpenSSL's ends, QUIC of the standards, WireGuard by its sizes, and what only looks like them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/quic_fixture.h"
#include "tests/unit/tls_fixture.h"
#include "user/dest/talk.h"

static struct talk *new_talk(void)
{
	struct talk *t;

	assert_int_equal(talk_new(&t), 0);
	return t;
}

static void send_to(struct talk *t, bool out, const void *data, size_t n)
{
	_cleanup_free_ uint8_t *copy = malloc(n);

	assert_non_null(copy);
	memcpy(copy, data, n);
	talk_udp(t, out, copy, n, n);
}

/* --- DTLS ----------------------------------------------------------------------------------- */

static void dtls_of_both_ends(void **state)
{
	static const int versions[] = {DTLS1_VERSION, DTLS1_2_VERSION};
	static struct wire w;

	for (unsigned i = 0; i < 8; i++) {
		_cleanup_(talk_freep) struct talk *t = new_talk();
		const struct talk_facts *f = talk_facts(t);
		bool client = i & 1;
		int version = versions[i >> 1 & 1];

		wire_make(&(struct tls_wish){.dtls = true, .cookie = i & 4, .least = version, .most = version, .name = "D.Example"}, &w);
		assert_true(w.n >= (i & 4 ? 6 : 4));
		send_to(t, client, w.flights[0].data, w.flights[0].n);
		assert_int_equal(f->kind, TALK_DTLS);
		assert_true(!f->agreed && !f->settled);
		for (unsigned k = 1; k < w.n; k++)
			send_to(t, w.flights[k].by_client == client, w.flights[k].data, w.flights[k].n);
		assert_int_equal(f->kind, TALK_DTLS);
		assert_true(f->agreed && f->settled && f->client == client);
		assert_int_equal(f->version, version);
		assert_string_equal(f->name, "d.example");
		assert_string_equal(talk_word(f), "dtls");
	}
}

static void dtls_cut_and_forged(void **state)
{
	_cleanup_(talk_freep) struct talk *cut = new_talk(), *forged = new_talk(), *plain = new_talk();
	static struct wire w;

	wire_make(&(struct tls_wish){.dtls = true, .least = DTLS1_2_VERSION, .most = DTLS1_2_VERSION, .name = "d.example"}, &w);
	talk_udp(cut, true, w.flights[0].data, 40, w.flights[0].n);
	assert_int_equal(talk_facts(cut)->kind, TALK_UNKNOWN);
	talk_udp(cut, true, w.flights[0].data, w.flights[0].n - 20, w.flights[0].n);
	assert_int_equal(talk_facts(cut)->kind, TALK_DTLS);
	send_to(forged, true, w.flights[0].data, w.flights[0].n);
	send_to(forged, true, "and now the secret in plain", 27);
	assert_int_equal(talk_facts(forged)->kind, TALK_PLAIN);
	send_to(plain, true, "the secret in plain words", 25);
	send_to(plain, false, w.flights[0].data, w.flights[0].n);
	assert_int_equal(talk_facts(plain)->kind, TALK_PLAIN);
}

/* --- QUIC ------------------------------------------------------------------------------------ */

static void quic_of_both_ends(void **state)
{
	for (int i = 0; i < 4; i++) {
		_cleanup_(talk_freep) struct talk *t = new_talk();
		const struct talk_facts *f = talk_facts(t);
		bool client = i & 1, v2 = i & 2;
		uint8_t packet[PACKET_ROOM];
		size_t n = rfc_initial(v2, packet);

		send_to(t, client, packet, n);
		assert_int_equal(f->kind, TALK_QUIC);
		assert_true(!f->settled && !f->agreed && f->client == client);
		n = unhex(v2 ? RFC_SERVER_V2 : RFC_SERVER_V1, packet);
		send_to(t, !client, packet, n);
		assert_true(f->settled && f->agreed && f->kind == TALK_QUIC);
		assert_int_equal(f->version, 0x0304);
		assert_string_equal(f->name, "example.com");
	}
}

static void quic_forged(void **state)
{
	_cleanup_(talk_freep) struct talk *changed = new_talk(), *answered = new_talk(), *no_hello = new_talk(), *retried = new_talk();
	static const uint8_t id[8] = {1, 2, 3, 4, 5, 6, 7, 8};
	struct initial in = {.key_id = id, .to = id};
	uint8_t packet[PACKET_ROOM], frames[64];
	size_t n = rfc_initial(false, packet);

	send_to(answered, false, packet, n);
	send_to(answered, true, "the secret in plain words", 25);
	assert_int_equal(talk_facts(answered)->kind, TALK_PLAIN);
	send_to(retried, true, packet, n);
	send_to(retried, true, "the secret in plain words", 25);
	assert_int_equal(talk_facts(retried)->kind, TALK_PLAIN);
	packet[900] ^= 1;
	send_to(changed, true, packet, n);
	assert_int_equal(talk_facts(changed)->kind, TALK_UNKNOWN);
	n = crypto_frame(frames, 0, (const uint8_t *)"the secret in plain", 19);
	send_to(no_hello, true, packet, make_initial(&in, frames, n, 1200, packet));
	assert_int_equal(talk_facts(no_hello)->kind, TALK_PLAIN);
}

/* --- WireGuard ------------------------------------------------------------------------------- */

static void wireguard_by_its_sizes(void **state)
{
	_cleanup_(talk_freep) struct talk *t = new_talk(), *other = new_talk(), *middle = new_talk(), *one = new_talk();
	uint8_t begin[148] = {1, 0, 0, 0, 5, 6, 7, 8}, answer[92] = {2, 0, 0, 0, 9, 9, 9, 9, 5, 6, 7, 8}, data[128] = {4, 0, 0, 0, 3};

	memset(begin + 8, 0xe7, 140);
	memset(answer + 12, 0xe7, 80);
	send_to(t, true, begin, sizeof(begin));
	assert_int_equal(talk_facts(t)->kind, TALK_WIREGUARD);
	assert_true(talk_facts(t)->client && !talk_facts(t)->settled);
	send_to(t, false, answer, sizeof(answer));
	assert_true(talk_facts(t)->settled);
	assert_string_equal(talk_word(talk_facts(t)), "wireguard");

	begin[2] = 1;
	send_to(other, true, begin, sizeof(begin));
	assert_int_not_equal(talk_facts(other)->kind, TALK_WIREGUARD);
	begin[2] = 0;
	send_to(other, true, begin, sizeof(begin) - 1);
	assert_int_not_equal(talk_facts(other)->kind, TALK_WIREGUARD);
	talk_udp(other, true, begin, sizeof(begin), sizeof(begin) + 1);
	assert_int_not_equal(talk_facts(other)->kind, TALK_WIREGUARD);

	send_to(one, true, data, sizeof(data));
	send_to(one, true, data, sizeof(data)); /* the same counter */
	assert_int_equal(talk_facts(one)->kind, TALK_UNKNOWN);
	send_to(middle, true, data, sizeof(data));
	data[8]++;
	send_to(middle, true, data, 64);
	assert_int_equal(talk_facts(middle)->kind, TALK_WIREGUARD);
	send_to(middle, true, "the secret in plain words", 25);
	assert_int_equal(talk_facts(middle)->kind, TALK_PLAIN);
}

/* --- the others ------------------------------------------------------------------------------ */

static void plain_datagrams(void **state)
{
	static const uint8_t dns[] = {0xbe, 0xef, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'a', 0, 0, 1, 0, 1};
	uint8_t stun[20] = {0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42};
	_cleanup_(talk_freep) struct talk *t = new_talk(), *after = new_talk(), *noise = new_talk();
	static struct wire w;
	uint8_t random[64];
	uint64_t rng = 88172645463325252ULL;

	send_to(t, true, dns, sizeof(dns));
	assert_int_equal(talk_facts(t)->kind, TALK_PLAIN);
	assert_true(talk_facts(t)->settled);

	wire_make(&(struct tls_wish){.dtls = true, .least = DTLS1_2_VERSION, .most = DTLS1_2_VERSION}, &w);
	send_to(after, true, stun, sizeof(stun));
	assert_int_equal(talk_facts(after)->kind, TALK_UNKNOWN);
	send_to(after, true, w.flights[0].data, w.flights[0].n);
	assert_int_equal(talk_facts(after)->kind, TALK_DTLS);

	for (int i = 0; i < 70; i++) { /* the middle of something encrypted: nothing is said, and nothing waited for in the end */
		for (size_t k = 0; k < sizeof(random); k++) {
			rng ^= rng << 13;
			rng ^= rng >> 7;
			rng ^= rng << 17;
			random[k] = (uint8_t)(rng >> 32) | 0x80;
		}
		random[0] = 0x43;
		send_to(noise, true, random, sizeof(random));
		assert_int_equal(talk_facts(noise)->kind, TALK_UNKNOWN);
	}
	assert_true(talk_facts(noise)->settled);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(dtls_of_both_ends), cmocka_unit_test(dtls_cut_and_forged),	   cmocka_unit_test(quic_of_both_ends),
	    cmocka_unit_test(quic_forged),	 cmocka_unit_test(wireguard_by_its_sizes), cmocka_unit_test(plain_datagrams),
	};

	return cmocka_run_group_tests_name("talk_udp", tests, NULL, NULL);
}
