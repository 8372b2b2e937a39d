/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Connections of real clients and servers, cut, lost, repeated and out of order; and what only looks like one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/tls_fixture.h"
#include "user/dest/talk.h"

#define BASE_OUT 0xfffffff0u /* so that it wraps */
#define BASE_IN 77u

static const struct {
	int least, most;
	uint16_t agreed;
	const char *word;
} versions[] = {
    {TLS1_VERSION, TLS1_VERSION, 0x0301, "tls1.0"},	{TLS1_1_VERSION, TLS1_1_VERSION, 0x0302, "tls1.1"},
    {TLS1_2_VERSION, TLS1_2_VERSION, 0x0303, "tls1.2"}, {TLS1_2_VERSION, TLS1_3_VERSION, 0x0304, "tls1.3"},
    {TLS1_3_VERSION, TLS1_3_VERSION, 0x0304, "tls1.3"},
};

static struct talk *new_talk(void)
{
	struct talk *t;

	assert_int_equal(talk_new(&t), 0);
	return t;
}

struct sender {
	struct talk *t;
	uint32_t seq[2];
};

static struct sender sender_of(struct talk *t)
{
	return (struct sender){t, {BASE_IN, BASE_OUT}};
}

static void send_bytes(struct sender *s, bool out, const void *data, size_t n, size_t each)
{
	const uint8_t *p = data;

	for (size_t at = 0; at < n; at += each) {
		size_t part = MIN(each, n - at);
		_cleanup_free_ uint8_t *copy = malloc(part); /* so that reading beyond it is seen */

		assert_non_null(copy);
		memcpy(copy, p + at, part);
		talk_tcp(s->t, out, s->seq[out], copy, part, part);
		s->seq[out] += (uint32_t)part;
	}
}

static void send_text(struct sender *s, bool out, const char *text)
{
	send_bytes(s, out, text, strlen(text), 1460);
}

static void send_wire(struct sender *s, const struct wire *w, bool client, size_t each)
{
	for (unsigned i = 0; i < w->n; i++)
		send_bytes(s, w->flights[i].by_client == client, w->flights[i].data, w->flights[i].n, each);
}

/* --- TLS over TCP -------------------------------------------------------------------------- */

static void versions_and_roles(void **state)
{
	static const size_t each[] = {1, 7, 100, 536, 1460, 9000};
	static struct wire w;

	for (size_t v = 0; v < ARRAY_SIZE(versions); v++) {
		wire_make(&(struct tls_wish){.least = versions[v].least, .most = versions[v].most, .name = "Bkt.S3.Amazonaws.com"}, &w);
		for (size_t k = 0; k < ARRAY_SIZE(each) * 2; k++) {
			_cleanup_(talk_freep) struct talk *t = new_talk();
			const struct talk_facts *f = talk_facts(t);
			struct sender s = sender_of(t);

			send_wire(&s, &w, k % 2, each[k / 2]);
			assert_int_equal(f->kind, TALK_TLS);
			assert_true(f->settled && f->agreed && !f->waiting && !f->starttls && !f->proxied);
			assert_int_equal(f->client, k % 2);
			assert_int_equal(f->version, versions[v].agreed);
			assert_string_equal(f->name, "bkt.s3.amazonaws.com");
			assert_string_equal(talk_word(f), versions[v].word);
			assert_true(talk_encrypted(f));
		}
	}
}

static void asked_to_try_again(void **state)
{
	static struct wire w;
	_cleanup_(talk_freep) struct talk *t = new_talk();
	struct sender s = sender_of(t);

	wire_make(&(struct tls_wish){.least = TLS1_2_VERSION,
				     .most = TLS1_3_VERSION,
				     .name = "again.example",
				     .groups_client = "X25519:P-256",
				     .groups_server = "P-256"},
		  &w);
	assert_true(w.n >= 5 && !w.flights[1].by_client && w.flights[1].n < 150); /* HelloRetryRequest */
	send_bytes(&s, true, w.flights[0].data, w.flights[0].n, 1460);
	assert_false(talk_facts(t)->agreed || talk_facts(t)->settled);
	assert_string_equal(talk_word(talk_facts(t)), "tls");
	assert_int_equal(talk_facts(t)->version, 0x0304);
	send_bytes(&s, false, w.flights[1].data, w.flights[1].n, 1460);
	assert_true(talk_facts(t)->agreed && talk_facts(t)->settled);
	assert_string_equal(talk_word(talk_facts(t)), "tls1.3");
}

static void simple_wire(struct wire *w)
{
	wire_make(&(struct tls_wish){.least = TLS1_2_VERSION, .most = TLS1_3_VERSION, .name = "order.example"}, w);
}

/* Until all of it is there, nothing is said. */
static void waits_for_all_of_it(void **state)
{
	static struct wire w;
	_cleanup_(talk_freep) struct talk *t = new_talk();
	const struct talk_facts *f = talk_facts(t);
	struct sender s = sender_of(t);

	simple_wire(&w);
	for (size_t i = 0; i + 1 < w.flights[0].n; i++) {
		send_bytes(&s, true, w.flights[0].data + i, 1, 1);
		assert_int_equal(f->kind, TALK_UNKNOWN);
		assert_true(f->waiting && !f->settled);
		assert_null(talk_word(f));
	}
	send_bytes(&s, true, w.flights[0].data + w.flights[0].n - 1, 1, 1);
	assert_int_equal(f->kind, TALK_TLS);
	assert_false(f->waiting || f->settled);
}

static void out_of_order_and_repeated(void **state)
{
	static struct wire w;

	simple_wire(&w);
	for (size_t each = 20; each < 200; each += 13) {
		_cleanup_(talk_freep) struct talk *t = new_talk();
		const uint8_t *p = w.flights[0].data;
		size_t n = w.flights[0].n, pieces = (n + each - 1) / each;

		if (pieces > 15)
			continue;
		for (size_t i = pieces; i-- > 0;) {
			size_t at = i * each, part = MIN(each, n - at);

			assert_int_not_equal(talk_facts(t)->kind, TALK_TLS);
			talk_tcp(t, true, BASE_OUT + (uint32_t)at, p + at, part, part);
			talk_tcp(t, true, BASE_OUT + (uint32_t)at, (const uint8_t *)"forged, and late", MIN(part, 16), MIN(part, 16));
		}
		assert_int_equal(talk_facts(t)->kind, TALK_TLS);
		assert_string_equal(talk_facts(t)->name, "order.example");
	}
}

/* A lost first segment makes nothing up, but the server's hello leaves no doubt. */
static void the_start_is_lost(void **state)
{
	static struct wire w;
	_cleanup_(talk_freep) struct talk *t = new_talk();
	const struct talk_facts *f = talk_facts(t);
	struct sender s = sender_of(t);

	simple_wire(&w);
	talk_tcp_start(t, true, BASE_OUT);
	s.seq[1] += 200;
	send_bytes(&s, true, w.flights[0].data + 200, w.flights[0].n - 200, 60);
	assert_int_equal(f->kind, TALK_UNKNOWN);
	assert_false(f->settled);
	send_bytes(&s, false, w.flights[1].data, w.flights[1].n, 1460);
	assert_int_equal(f->kind, TALK_TLS);
	assert_true(f->client && f->agreed && !f->settled);
	assert_string_equal(f->name, "");
	talk_tcp(t, true, BASE_OUT, w.flights[0].data, 200, 200);
	assert_true(f->settled);
	assert_string_equal(f->name, "order.example");
}

static void the_middle_of_a_connection(void **state)
{
	static struct wire w;
	_cleanup_(talk_freep) struct talk *t = new_talk(), *known = new_talk();
	const struct flight *last;

	simple_wire(&w);
	last = &w.flights[w.n - 1];
	assert_int_equal(last->data[0], 23);
	talk_tcp(t, true, 12345, last->data, last->n, last->n);
	assert_int_equal(talk_facts(t)->kind, TALK_UNKNOWN);
	talk_tcp(t, true, 12345 + (uint32_t)last->n, last->data + 8, last->n - 8, last->n - 8);
	assert_int_equal(talk_facts(t)->kind, TALK_UNKNOWN);
	talk_tcp_start(known, true, 12345);
	talk_tcp(known, true, 12345, last->data, last->n, last->n);
	assert_int_equal(talk_facts(known)->kind, TALK_PLAIN); /* nothing begins so */
}

/* Kept only in part: the name stands early, the version perhaps not. */
static void kept_in_part(void **state)
{
	static struct wire w;

	simple_wire(&w);
	const struct flight *hello = &w.flights[0];
	for (size_t kept = 1; kept < hello->n; kept++) {
		_cleanup_(talk_freep) struct talk *t = new_talk();
		const struct talk_facts *f = talk_facts(t);

		talk_tcp(t, true, 1, hello->data, kept, hello->n);
		if (f->kind == TALK_TLS)
			assert_true(!*f->name || !strcmp(f->name, "order.example"));
		else
			assert_int_equal(f->kind, TALK_UNKNOWN);
		assert_true(f->kind == TALK_TLS || kept < 150);
		assert_true(f->kind == TALK_UNKNOWN || f->version == 0 || f->version == 0x0304);
		assert_true(kept < 200 || !strcmp(f->name, "order.example"));
		talk_tcp(t, false, 1, w.flights[1].data, w.flights[1].n, w.flights[1].n);
		assert_int_equal(f->kind, TALK_TLS);
		assert_string_equal(talk_word(f), "tls1.3");
	}
}

/* --- look-alikes --------------------------------------------------------------------------- */

static enum talk_kind kind_after(const char *out, size_t nout, const char *in, size_t nin)
{
	_cleanup_(talk_freep) struct talk *t = new_talk();
	struct sender s = sender_of(t);

	talk_tcp_start(t, true, BASE_OUT);
	talk_tcp_start(t, false, BASE_IN);
	send_bytes(&s, false, in, nin, 1460);
	send_bytes(&s, true, out, nout, 1460);
	return talk_facts(t)->kind;
}

static void what_looks_like_it(void **state)
{
	static struct wire w;
	static uint8_t both[FLIGHT_ROOM * 2];
	const char *hello, *server;
	size_t n, ns;

	simple_wire(&w);
	hello = (const char *)w.flights[0].data, n = w.flights[0].n;
	server = (const char *)w.flights[1].data, ns = w.flights[1].n;
	memcpy(both, hello, n);
	memcpy(both + n, "and now the secret in plain", 27);
	assert_int_equal(kind_after((char *)both, n + 27, NULL, 0), TALK_PLAIN); /* goes on in plain */
	assert_int_equal(kind_after("the secret", 10, hello, n), TALK_PLAIN);	 /* only the other side says hello */
	assert_int_equal(kind_after("the secret", 10, server, ns), TALK_PLAIN);
	assert_int_equal(kind_after(hello, n, "HTTP/1.1 400 Bad Request\r\n\r\n", 28), TALK_PLAIN);
	assert_int_equal(kind_after(server, ns, "the secret", 10), TALK_PLAIN);
	assert_int_equal(kind_after(hello, n, hello, n), TALK_PLAIN);
	assert_int_equal(kind_after("\x16the secret", 11, NULL, 0), TALK_PLAIN);
	assert_int_equal(kind_after("\x16\x03\x01\x00\x10\x02\x00\x00\x0cthe secret 1", 21, NULL, 0), TALK_PLAIN);
	assert_int_equal(kind_after("SSH-2.0-x\r\nthe secret", 21, NULL, 0), TALK_PLAIN);
	assert_int_equal(kind_after("SSH-2.0-x\r\n", 11, "the secret\n", 11), TALK_PLAIN);
	assert_int_equal(kind_after("SSH-3.0-x\r\n", 11, NULL, 0), TALK_PLAIN);
	assert_int_equal(kind_after(hello, n, server, ns), TALK_TLS);
}

static void plain_is_plain(void **state)
{
	_cleanup_(talk_freep) struct talk *t = new_talk();
	static const uint8_t zeros[9000];
	struct sender s = sender_of(t);

	send_text(&s, true, "\x01\x02Some words of nobody's protocol");
	assert_int_equal(talk_facts(t)->kind, TALK_PLAIN);
	assert_string_equal(talk_word(talk_facts(t)), "plain");
	assert_false(talk_facts(t)->settled || talk_encrypted(talk_facts(t)));
	send_bytes(&s, true, zeros, sizeof(zeros), 1460);
	assert_true(talk_facts(t)->settled);
}

static void ssh_with_its_exchange(void **state)
{
	static const uint8_t exchange[] = {0, 0, 4, 0x0c, 10, 20, 1, 2, 3, 4, 5, 6};
	_cleanup_(talk_freep) struct talk *t = new_talk();
	struct sender s = sender_of(t);

	send_text(&s, true, "SSH-2.0-OpenSSH_9.2");
	assert_true(talk_facts(t)->waiting && talk_facts(t)->kind == TALK_UNKNOWN);
	send_text(&s, true, "\r\n");
	assert_int_equal(talk_facts(t)->kind, TALK_SSH);
	send_text(&s, false, "Welcome.\r\nSSH-2.0-other\r\n");
	assert_int_equal(talk_facts(t)->kind, TALK_SSH);
	send_bytes(&s, true, exchange, sizeof(exchange), 5);
	assert_int_equal(talk_facts(t)->kind, TALK_SSH);
	assert_string_equal(talk_word(talk_facts(t)), "ssh");
}

/* --- HTTP ---------------------------------------------------------------------------------- */

static void http_told_apart(void **state)
{
	_cleanup_(talk_freep) struct talk *t = new_talk(), *server = new_talk();
	struct sender s = sender_of(t), r = sender_of(server);
	const struct talk_facts *f = talk_facts(t);

	send_bytes(&s, true, "GET /a/b?token=x HTTP/1.1\r\nHost: Ex", 35, 3);
	assert_int_equal(f->kind, TALK_HTTP);
	assert_true(f->waiting && !f->settled && f->client);
	send_text(&s, true, "ample.org:8080\r\nX-Aws-EC2-Metadata-Token: abc\r\n\r\n");
	assert_true(f->settled && f->imds_token);
	assert_string_equal(f->name, "example.org");
	assert_string_equal(f->method, "GET");
	assert_string_equal(f->path, "/a/b");
	send_text(&r, false, "PUT /up HTTP/1.1\r\nhost: me\r\n\r\n");
	assert_int_equal(talk_facts(server)->kind, TALK_HTTP);
	assert_false(talk_facts(server)->client || talk_facts(server)->imds_token);
	assert_string_equal(talk_word(talk_facts(server)), "http");
}

/* --- turning to TLS ------------------------------------------------------------------------ */

/* `before` goes out line by line, each answered. */
static void turn(const char *before, const char *answer, bool client, const struct wire *w, struct talk *t)
{
	struct sender s = sender_of(t);

	send_text(&s, !client, answer);
	send_text(&s, client, before);
	assert_int_not_equal(talk_facts(t)->kind, TALK_TLS);
	send_text(&s, !client, answer);
	for (unsigned i = 0; i < w->n; i++)
		send_bytes(&s, w->flights[i].by_client == client, w->flights[i].data, w->flights[i].n, 1460);
}

static void words_that_ask(void **state)
{
	static const char *const ask[] = {"EHLO a\r\nSTARTTLS\r\n", "a1 starttls\r\n", "STLS\r\n", "AUTH TLS\r\n",
					  "<stream><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
					  "0\x1d\x02\x01\x01w\x18\x80\x16" "1.3.6.1.4.1.1466.20037"};
	static struct wire w;

	simple_wire(&w);
	for (size_t i = 0; i < ARRAY_SIZE(ask) * 2; i++) {
		_cleanup_(talk_freep) struct talk *t = new_talk();
		const struct talk_facts *f = talk_facts(t);

		turn(ask[i / 2], "250 yes\r\n", i % 2, &w, t);
		assert_int_equal(f->kind, TALK_TLS);
		assert_true(f->starttls && f->settled && f->agreed && f->client == i % 2);
		assert_string_equal(f->name, "order.example");
		assert_string_equal(talk_word(f), "tls1.3");
	}
}

/* A hello that nobody asked for, inside of plain talk, is somebody's data. */
static void nobody_asked(void **state)
{
	static const char *const said[] = {"EHLO a\r\nSTARTTLS now\r\n", "not starttls, really\r\n", "the secret\r\n"};
	static struct wire w;

	simple_wire(&w);
	for (size_t i = 0; i < ARRAY_SIZE(said); i++) {
		_cleanup_(talk_freep) struct talk *t = new_talk();

		turn(said[i], "250 yes\r\n", true, &w, t);
		assert_int_equal(talk_facts(t)->kind, TALK_PLAIN);
	}
}

static void asked_too_late(void **state)
{
	_cleanup_(talk_freep) struct talk *t = new_talk();
	struct sender s = sender_of(t);
	static struct wire w;

	simple_wire(&w);
	send_text(&s, true, "the secret follows\r\n");
	send_wire(&s, &w, true, 1460);
	s.seq[1] += 10; /* something is lost, so that it does not go on as TLS cannot */
	send_text(&s, true, "STARTTLS\r\n");
	assert_int_equal(talk_facts(t)->kind, TALK_PLAIN);
}

/* Without a known start, what comes late may go before everything else. */
static void the_first_comes_last(void **state)
{
	static const char greeting[] = "EHLO first.example\r\n", ask[] = "STARTTLS\r\nNOOP\r\n";
	_cleanup_(talk_freep) struct talk *t = new_talk(), *cut = new_talk();
	static struct wire w;
	uint32_t seq = BASE_OUT;

	simple_wire(&w);
	const struct flight *f = &w.flights[0];
	talk_tcp(t, true, seq, (const uint8_t *)ask, strlen(ask), strlen(ask));
	talk_tcp(t, true, seq + (uint32_t)strlen(ask), f->data, f->n / 2, f->n / 2);
	talk_tcp(t, true, seq - (uint32_t)strlen(greeting), (const uint8_t *)greeting, strlen(greeting), strlen(greeting));
	talk_tcp(t, true, seq + (uint32_t)(strlen(ask) + 1000), f->data, 5, 5);
	talk_tcp(t, true, seq + (uint32_t)(strlen(ask) + f->n / 2), f->data + f->n / 2, f->n - f->n / 2, f->n - f->n / 2);
	assert_int_equal(talk_facts(t)->kind, TALK_TLS);
	assert_true(talk_facts(t)->starttls);

	talk_tcp(cut, true, seq, f->data + 200, f->n - 210, f->n - 200);
	talk_tcp(cut, true, seq - 200, f->data, 200, 200);
	assert_int_equal(talk_facts(cut)->kind, TALK_TLS);
	assert_string_equal(talk_facts(cut)->name, "order.example");
}

static void postgres_turns(void **state)
{
	static const uint8_t request[] = {0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f};
	_cleanup_(talk_freep) struct talk *t = new_talk();
	struct sender s = sender_of(t);
	static struct wire w;

	simple_wire(&w);
	send_bytes(&s, true, request, sizeof(request), 8);
	assert_int_equal(talk_facts(t)->kind, TALK_PLAIN);
	send_text(&s, false, "S");
	send_wire(&s, &w, true, 1460);
	assert_int_equal(talk_facts(t)->kind, TALK_TLS);
	assert_true(talk_facts(t)->starttls && talk_facts(t)->settled);
}

static void through_a_proxy(void **state)
{
	_cleanup_(talk_freep) struct talk *t = new_talk();
	const struct talk_facts *f = talk_facts(t);
	struct sender s = sender_of(t);
	static struct wire w;

	simple_wire(&w);
	send_text(&s, true, "CONNECT target.example:443 HTTP/1.1\r\nHost: other.example\r\n\r\n");
	assert_int_equal(f->kind, TALK_HTTP);
	assert_true(f->proxied && !f->settled);
	assert_string_equal(f->name, "target.example");
	send_text(&s, false, "HTTP/1.1 200 OK\r\n\r\n");
	send_wire(&s, &w, true, 1460);
	assert_int_equal(f->kind, TALK_TLS);
	assert_true(f->proxied && !f->starttls && f->settled && f->client);
	assert_string_equal(f->name, "target.example");
	assert_string_equal(f->method, "CONNECT");
}

/* What it is asked for is no name, but it may well go there: the hello behind it is no word for the target. */
static void through_a_proxy_to_somewhere(void **state)
{
	static const struct {
		const char *data;
		size_t n;
		const char *answer;
		size_t nanswer;
	} asks[] = {{"CONNECT 2001:db8::5:443 HTTP/1.1\r\n\r\n", 36, "HTTP/1.1 200 OK\r\n\r\n", 19},
		    {"\5\1\0\5\1\0\3\13" "2001:db8::5\1\xbb", 21, "\5\0\5\0\0\1\0\0\0\0\0\0", 12}};
	static struct wire w;

	simple_wire(&w);
	for (size_t i = 0; i < ARRAY_SIZE(asks); i++) {
		_cleanup_(talk_freep) struct talk *t = new_talk();
		struct sender s = sender_of(t);

		talk_tcp_start(t, true, s.seq[1]);
		send_bytes(&s, true, asks[i].data, asks[i].n, asks[i].n);
		send_bytes(&s, false, asks[i].answer, asks[i].nanswer, asks[i].nanswer);
		send_wire(&s, &w, true, 1460);
		assert_int_equal(talk_facts(t)->kind, TALK_TLS);
		assert_true(talk_facts(t)->proxied && talk_facts(t)->strange_name);
		assert_string_equal(talk_facts(t)->name, "");
	}
}

/* A load balancer tells whose connection it is before the client's first byte. */
static void behind_a_load_balancer(void **state)
{
	static const struct {
		const char *data;
		size_t n;
	} heads[] = {
	    {"PROXY TCP4 192.0.2.1 192.0.2.2 5 443\r\n", 38},
	    {"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\2\1\xc0\0\2\2\0\5\1\xbb", 28},
	};
	static struct wire w;

	simple_wire(&w);
	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		_cleanup_(talk_freep) struct talk *t = new_talk(), *plain = new_talk();
		struct sender s = sender_of(t), p = sender_of(plain);

		for (size_t k = 0; k < heads[i].n; k++) {
			send_bytes(&s, false, heads[i].data + k, 1, 1);
			assert_int_equal(talk_facts(t)->kind, TALK_UNKNOWN);
			assert_true(talk_facts(t)->waiting);
		}
		send_wire(&s, &w, false, 100);
		assert_int_equal(talk_facts(t)->kind, TALK_TLS);
		assert_true(talk_facts(t)->settled && !talk_facts(t)->client);
		assert_string_equal(talk_facts(t)->name, "order.example");
		send_bytes(&p, true, heads[i].data, heads[i].n, 100);
		send_text(&p, true, "the secret");
		assert_int_equal(talk_facts(plain)->kind, TALK_PLAIN);
	}
}

/* --- any bytes ----------------------------------------------------------------------------- */

static uint64_t rng = 88172645463325252ULL;

static uint64_t draw(uint64_t below)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng % below;
}

static void check_facts(const struct talk_facts *f)
{
	assert_true(f->kind < TALK_KINDS && !(f->settled && f->waiting));
	assert_true(memchr(f->name, 0, sizeof(f->name)) && memchr(f->path, 0, sizeof(f->path)));
	assert_true(!!talk_word(f) == (f->kind != TALK_UNKNOWN));
}

static void anything_is_borne(void **state)
{
	static struct wire w;
	unsigned kinds[TALK_KINDS] = {0};

	simple_wire(&w);
	for (unsigned i = 0; i < 3000; i++) {
		_cleanup_(talk_freep) struct talk *t = new_talk();

		for (unsigned k = 0; k < 40; k++) {
			const struct flight *f = &w.flights[draw(w.n)];
			size_t at = draw(3) ? 0 : draw(f->n), n = draw(f->n - at) + 1, kept = draw(4) ? n : draw(n + 1);
			_cleanup_free_ uint8_t *copy = malloc(kept + 1);

			assert_non_null(copy);
			memcpy(copy, f->data + at, kept);
			if (kept && !draw(6))
				copy[draw(kept)] = (uint8_t)draw(256);
			talk_tcp(t, draw(2), (uint32_t)(draw(12) ? at : draw(UINT32_MAX)), copy, kept, n);
			check_facts(talk_facts(t));
		}
		kinds[talk_facts(t)->kind]++;
	}
	assert_true(kinds[TALK_TLS] && kinds[TALK_PLAIN] && kinds[TALK_UNKNOWN]);
	assert_false(kinds[TALK_SSH] || kinds[TALK_QUIC]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(versions_and_roles),	 cmocka_unit_test(asked_to_try_again),
	    cmocka_unit_test(waits_for_all_of_it),	 cmocka_unit_test(out_of_order_and_repeated),
	    cmocka_unit_test(the_start_is_lost),	 cmocka_unit_test(the_middle_of_a_connection),
	    cmocka_unit_test(kept_in_part),		 cmocka_unit_test(what_looks_like_it),
	    cmocka_unit_test(plain_is_plain),		 cmocka_unit_test(ssh_with_its_exchange),
	    cmocka_unit_test(http_told_apart),		 cmocka_unit_test(words_that_ask),
	    cmocka_unit_test(nobody_asked),		 cmocka_unit_test(postgres_turns),
	    cmocka_unit_test(through_a_proxy), cmocka_unit_test(through_a_proxy_to_somewhere),		 cmocka_unit_test(anything_is_borne),
	    cmocka_unit_test(behind_a_load_balancer),
	    cmocka_unit_test(asked_too_late),		 cmocka_unit_test(the_first_comes_last),
	};

	return cmocka_run_group_tests_name("talk", tests, NULL, NULL);
}
