/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What the ring tells of first bytes and of DNS, up to what the model knows of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/link_files.h"
#include "tests/unit/rules_fixture.h"
#include "user/model_credential.h"
#include "user/model_dns.h"
#include "user/said_internal.h"

#define RESOLVER "169.254.169.253"
#define REQUEST "PUT /x HTTP/1.1\r\nHost: api.example.org\r\n\r\n"

struct desk {
	struct fixture t;
	struct said_book *book;
	unsigned introduced;
};

static void desk_begin(struct desk *d)
{
	*d = (struct desk){0};
	fixture_begin(&d->t, NULL);
	introduce(&d->t, 10, "curl", "slurm:1");
	assert_int_equal(said_book_new(d->t.m, &d->book), 0);
}

static void desk_end(struct desk *d)
{
	said_book_free(d->book);
	fixture_end(&d->t);
}

struct packet {
	uint64_t flow;
	const char *addr;
	uint16_t port;
	uint8_t proto;
	bool in, foreign; /* foreign: anyone could have made that namespace */
	uint32_t at, netns, ifindex;
};

static void hear(struct desk *d, struct packet p, const void *data, size_t n)
{
	_cleanup_free_ struct said *s = calloc(1, sizeof(*s) + n);

	assert_non_null(s);
	*s = (struct said){
		.flow = p.flow, .who = process(10), .netns = p.netns, .at = p.at, .bytes = (uint32_t)n, .kept = (uint16_t)n,
		.rport = p.port, .proto = p.proto ? p.proto : IPPROTO_TCP, .out = !p.in, .hosts = !p.foreign,
		.ifindex = p.ifindex,
	};
	if (strchr(p.addr, ':')) {
		assert_int_equal(inet_pton(AF_INET6, p.addr, s->raddr), 1);
	} else {
		s->raddr[10] = s->raddr[11] = 0xff;
		assert_int_equal(inet_pton(AF_INET, p.addr, s->raddr + 12), 1);
	}
	memcpy(s->data, data, n);
	said_book_hear(d->book, s, sizeof(*s) + n, d->t.now);
}

static void introduced(void *arg, const struct subject *who)
{
	((struct desk *)arg)->introduced++;
}

static void tell(struct desk *d)
{
	assert_int_equal(said_book_tell(d->book, introduced, d, d->t.now), 0);
}

static size_t put_name(uint8_t *to, const char *name)
{
	size_t w = 0;

	for (const char *dot; *name; name = *dot ? dot + 1 : dot) {
		dot = strchrnul(name, '.');
		to[w++] = (uint8_t)(dot - name);
		memcpy(to + w, name, (size_t)(dot - name));
		w += (size_t)(dot - name);
	}
	to[w++] = 0;
	return w;
}

/* A question; with `addr`, its answer. */
static size_t dns(uint8_t *to, const char *name, const char *addr)
{
	static const uint8_t record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4};
	uint8_t head[12] = {1, 2, addr ? 0x81 : 1, addr ? 0x80 : 0, 0, 1, 0, addr != NULL};
	size_t w = sizeof(head);

	memcpy(to, head, sizeof(head));
	w += put_name(to + w, name);
	memcpy(to + w, "\0\1\0\1", 4);
	w += 4;
	if (!addr)
		return w;
	memcpy(to + w, record, sizeof(record));
	w += sizeof(record);
	assert_int_equal(inet_pton(AF_INET, addr, to + w), 1);
	return w + 4;
}

static void answer(struct desk *d, struct packet p, const char *name, const char *addr)
{
	uint8_t message[512];
	size_t n = dns(message, name, addr);

	p.flow = 999;
	p.port = 53;
	p.proto = IPPROTO_UDP;
	p.in = true;
	if (!p.addr)
		p.addr = RESOLVER;
	hear(d, p, message, n);
}

static void connects(struct desk *d, uint64_t id, const char *addr)
{
	struct flow f = flow_to(&d->t, id, 10, addr, 80);

	sends(&d->t, &f, 100, 0);
}

/* To OUTSIDE. */
static const struct said_facts *request(struct desk *d)
{
	connects(d, 1, OUTSIDE);
	hear(d, (struct packet){.flow = 1, .addr = OUTSIDE, .port = 80}, REQUEST, strlen(REQUEST));
	tell(d);
	assert_non_null(d->t.m->last_flow->said);
	return &d->t.m->last_flow->said->facts;
}

static enum name_belief belief_with(struct packet p, const char *name, const char *addr)
{
	const struct said_facts *f;
	enum name_belief belief;
	struct desk d;

	desk_begin(&d);
	if (name)
		answer(&d, p, name, addr);
	f = request(&d);
	assert_string_equal(f->name, "api.example.org");
	assert_string_equal(f->spoken, "http");
	assert_int_equal(f->source, NAME_FROM_HTTP);
	assert_true(f->plain && !f->encrypted);
	belief = f->belief;
	desk_end(&d);
	return belief;
}

static void test_belief(void **state)
{
	const struct packet here = {0}, foreign = {.foreign = true}, other = {.addr = "198.51.100.53"};

	assert_int_equal(belief_with(here, NULL, NULL), BELIEF_CLAIMED);
	assert_int_equal(belief_with(here, "api.example.org", OUTSIDE), BELIEF_RESOLVED);
	assert_int_equal(belief_with(here, "API.example.org", OUTSIDE), BELIEF_RESOLVED);
	assert_int_equal(belief_with(here, "api.example.org", "203.0.113.77"), BELIEF_FRONTED);
	assert_int_equal(belief_with(here, "example.org", OUTSIDE), BELIEF_CLAIMED);
	assert_int_equal(belief_with(foreign, "api.example.org", OUTSIDE), BELIEF_CLAIMED);
	assert_int_equal(belief_with(other, "api.example.org", OUTSIDE), BELIEF_CLAIMED);
}

/* The same over TCP, behind its length, in one piece or two. */
static void test_dns_over_tcp(void **state)
{
	for (unsigned pieces = 1; pieces <= 2; pieces++) {
		uint8_t message[512];
		size_t n = dns(message + 2, "api.example.org", OUTSIDE);
		struct packet p = {.flow = 999, .addr = RESOLVER, .port = 53, .in = true};
		struct desk d;

		desk_begin(&d);
		message[0] = (uint8_t)(n >> 8);
		message[1] = (uint8_t)n;
		if (pieces == 1) {
			hear(&d, p, message, n + 2);
		} else {
			hear(&d, p, message, 2);
			p.at = 2;
			hear(&d, p, message + 2, n);
		}
		assert_int_equal(request(&d)->belief, BELIEF_RESOLVED);
		desk_end(&d);
	}
}

/* Several at once, the last one cut. */
static void test_questions_over_tcp(void **state)
{
	struct packet p = {.flow = 5, .addr = RESOLVER, .port = 53};
	uint8_t messages[1024];
	size_t w = 0;
	struct desk d;

	desk_begin(&d);
	for (unsigned i = 0; i < 5; i++) {
		size_t n = dns(messages + w + 2, "api.example.org", NULL);

		messages[w] = 0;
		messages[w + 1] = (uint8_t)n;
		w += 2 + n;
	}
	connects(&d, 5, RESOLVER);
	hear(&d, p, messages, w - 5);
	tell(&d);
	assert_int_equal(d.t.m->first_subject->asker->questions, 4);
	desk_end(&d);
}

/* Whoever answers for a domain can write into a text record what looks like another answer, and whoever asks can have it begin a
 * segment: it is none. */
static void test_forged_in_an_answer(void **state)
{
	for (unsigned framed = 0; framed < 2; framed++) {
		uint8_t stream[1024];
		size_t first = 2 + dns(stream + 2, "big.example.net", NULL), n = framed ? 2 : 0;
		struct packet p = {.flow = 999, .addr = RESOLVER, .port = 53, .in = true};
		struct desk d;

		desk_begin(&d);
		stream[4] = 0x81; /* an answer */
		n += dns(stream + first + n, "api.example.org", OUTSIDE);
		if (framed) {
			stream[first] = (uint8_t)((n - 2) >> 8);
			stream[first + 1] = (uint8_t)(n - 2);
		}
		stream[0] = (uint8_t)((first - 2 + n) >> 8);
		stream[1] = (uint8_t)(first - 2 + n);
		hear(&d, p, stream, first);
		p.at = (uint32_t)first;
		hear(&d, p, stream + first, n);
		assert_int_equal(request(&d)->belief, BELIEF_CLAIMED);
		desk_end(&d);
	}
}

/* A byte at a time. */
static void test_question_in_pieces(void **state)
{
	struct packet p = {.flow = 5, .addr = RESOLVER, .port = 53};
	uint8_t message[512];
	struct desk d;
	size_t n;

	desk_begin(&d);
	n = 2 + dns(message + 2, "api.example.org", NULL);
	message[0] = 0;
	message[1] = (uint8_t)(n - 2);
	connects(&d, 5, RESOLVER);
	for (; p.at < 3 * n; p.at++) {
		hear(&d, p, message + p.at % n, 1);
		if (p.at % n == n / 2) { /* and with time to wait */
			tell(&d);
			d.t.now += 120 * NSEC;
			tell(&d);
		}
	}
	tell(&d);
	assert_int_equal(d.t.m->first_subject->asker->questions, 3);
	assert_string_equal(d.t.m->first_flow->said->facts.spoken, SPOKEN_DNS);
	d.t.m->first_flow->closed = true;
	d.t.now += 120 * NSEC;
	tell(&d);
	assert_int_equal(said_book_figures(d.book).conversations, 0);
	desk_end(&d);
}

/* Without a word of its own, the address's name, if it has only one. */
static void test_name_of_address(void **state)
{
	static const char noise[] = "SSH-1 nothing known \r\n";

	for (unsigned names = 0; names <= 2; names++) {
		struct desk d;

		desk_begin(&d);
		for (unsigned i = 0; i < names; i++)
			answer(&d, (struct packet){0}, i ? "two.example.org" : "one.example.org", OUTSIDE);
		connects(&d, 1, OUTSIDE);
		hear(&d, (struct packet){.flow = 1, .addr = OUTSIDE, .port = 22}, noise, sizeof(noise) - 1);
		tell(&d);
		const struct said_facts *f = &d.t.m->first_flow->said->facts;
		assert_string_equal(f->name, names == 1 ? "one.example.org" : "");
		assert_int_equal(f->belief, names == 1 ? BELIEF_RESOLVED : BELIEF_NONE);
		desk_end(&d);
	}
}

/* What may have asked for another name, unseen, is not known to go to the address's one. */
static void test_name_of_address_claimed(void **state)
{
	static const char no_host[] = "PUT /x HTTP/1.0\r\n\r\n", spaced[] = "PUT /x HTTP/1.1\r\nHost : evil.example.net\r\n\r\n",
			  twice[] = "PUT /x HTTP/1.1\r\nHost: one.example.org\r\nHost: evil.example.net\r\n\r\n",
			  http2[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", hello[] = "\x16\x03\x01\x02\x00\x01\x00",
			  noise[] = "\x41\xf3\x99\xd8\xa0\xb1\xc2\xd3\xe4\xf5\x96\x87\xb8\xa9\xca\xdb\xec\xfd\x8e\x9f";
	static const struct {
		const char *said;
		uint8_t proto;
	} cases[] = {{no_host, 0}, {spaced, 0}, {twice, 0}, {http2, 0}, {hello, 0}, {noise, IPPROTO_UDP}};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct packet p = {.flow = 1, .addr = OUTSIDE, .port = 443, .proto = cases[i].proto};
		const char *said = cases[i].said;
		struct desk d;

		desk_begin(&d);
		answer(&d, (struct packet){0}, "one.example.org", OUTSIDE);
		connects(&d, 1, OUTSIDE);
		hear(&d, p, said, said == hello ? sizeof(hello) - 1 : strlen(said));
		tell(&d);
		const struct said_facts *f = &d.t.m->first_flow->said->facts;
		assert_string_equal(f->name, "one.example.org");
		assert_int_equal(f->source, NAME_FROM_DNS);
		assert_int_equal(f->belief, BELIEF_CLAIMED);
		desk_end(&d);
	}
}

/* A connection that is silent for a while is the one that it was. */
static void test_silence(void **state)
{
	static const char more[] = "\x17\x03\x03 more";
	struct packet p = {.flow = 1, .addr = OUTSIDE, .port = 80, .at = 4000};
	struct desk d;

	desk_begin(&d);
	answer(&d, (struct packet){0}, "api.example.org", OUTSIDE);
	answer(&d, (struct packet){0}, "evil.example.net", OUTSIDE);
	assert_int_equal(request(&d)->belief, BELIEF_RESOLVED);
	d.t.now += 120 * NSEC;
	tell(&d);
	assert_int_equal(said_book_figures(d.book).conversations, 0);
	hear(&d, p, more, sizeof(more) - 1);
	tell(&d);
	const struct said_facts *f = &d.t.m->last_flow->said->facts;
	assert_string_equal(f->name, "api.example.org");
	assert_string_equal(f->spoken, "http");
	assert_int_equal(f->belief, BELIEF_RESOLVED);
	desk_end(&d);
}

/* The ring is faster than the look at flows; what never becomes known is given up. */
static void test_flow_comes_later(void **state)
{
	struct desk d;

	desk_begin(&d);
	hear(&d, (struct packet){.flow = 1, .addr = OUTSIDE, .port = 80}, REQUEST, strlen(REQUEST));
	hear(&d, (struct packet){.flow = 2, .addr = OUTSIDE, .port = 80}, REQUEST, strlen(REQUEST));
	tell(&d);
	connects(&d, 1, OUTSIDE);
	tell(&d);
	assert_non_null(d.t.m->first_flow->said);
	assert_int_equal(said_book_figures(d.book).conversations, 2);
	d.t.now += 61 * NSEC;
	tell(&d);
	d.t.now += 61 * NSEC;
	tell(&d);
	assert_int_equal(said_book_figures(d.book).conversations, 0);
	desk_end(&d);
}

/* Who opens very many connections leaves those before without a word; nothing grows without end. */
static void test_flood(void **state)
{
	struct desk d;

	desk_begin(&d);
	for (uint64_t i = 1; i <= 40000; i++)
		hear(&d, (struct packet){.flow = i, .addr = OUTSIDE, .port = 80}, "PUT /", 5);
	struct said_figures f = said_book_figures(d.book);
	assert_int_equal(f.conversations, 16384);
	assert_true(f.forgotten >= 40000 - 16384);
	for (unsigned i = 0; i < 10000; i++) {
		uint8_t message[512];
		size_t n = dns(message, "api.example.org", NULL);

		hear(&d, (struct packet){.flow = 7, .addr = RESOLVER, .port = 53, .proto = IPPROTO_UDP}, message, n);
	}
	assert_int_equal(said_book_figures(d.book).missed, 10000 - 4096);
	tell(&d);
	assert_int_equal(d.introduced, 4096);
	desk_end(&d);
}

static void test_damaged(void **state)
{
	static const struct {
		uint16_t kept;
		uint32_t bytes;
		size_t len;
	} cases[] = {{10, 5, 200}, {200, 300, 100}, {0, 0, 10}, {65535, 65535, sizeof(struct said) + 5}};
	_cleanup_free_ struct said *s = calloc(1, sizeof(*s) + 256);
	struct desk d;

	desk_begin(&d);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		*s = (struct said){.flow = 1, .kept = cases[i].kept, .bytes = cases[i].bytes, .proto = IPPROTO_TCP, .out = 1};
		said_book_hear(d.book, s, cases[i].len, d.t.now);
	}
	assert_int_equal(said_book_figures(d.book).conversations, 0);
	desk_end(&d);
}

static void test_question(void **state)
{
	uint8_t message[512];
	size_t n = dns(message, "api.example.org", NULL);
	struct desk d;

	desk_begin(&d);
	connects(&d, 5, RESOLVER);
	hear(&d, (struct packet){.flow = 5, .addr = RESOLVER, .port = 53, .proto = IPPROTO_UDP}, message, n);
	tell(&d);
	const struct m_asker *a = d.t.m->first_subject->asker;
	assert_non_null(a);
	assert_int_equal(a->questions, 1);
	assert_string_equal(d.t.m->first_flow->said->facts.spoken, SPOKEN_DNS);
	desk_end(&d);
}

static void test_metadata(void **state)
{
	static const struct {
		const char *addr, *request;
		enum secret_kind kind;
		const char *url;
	} cases[] = {
		{"169.254.169.254", "GET /latest/meta-data/x?y=1 HTTP/1.1\r\nHost: h\r\n\r\n", SECRET_IMDS_V1,
		 "http://169.254.169.254/latest/meta-data/x"},
		{"169.254.169.254", "GET /latest/ HTTP/1.1\r\nX-aws-ec2-metadata-token: a\r\n\r\n", SECRET_IMDS,
		 "http://169.254.169.254/latest/"},
		{"169.254.169.254", "PUT /latest/api/token HTTP/1.1\r\nHost: h\r\n\r\n", SECRET_IMDS,
		 "http://169.254.169.254/latest/api/token"},
		{"fd00:ec2::254", "GET /latest/ HTTP/1.1\r\n\r\n", SECRET_IMDS_V1, "http://[fd00:ec2::254]/latest/"},
		{"169.254.170.2", "GET /v2/credentials/1 HTTP/1.1\r\n\r\n", SECRET_CONTAINER, "http://169.254.170.2/v2/credentials/1"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct packet p = {.flow = 1, .addr = cases[i].addr, .port = 80};
		struct desk d;

		desk_begin(&d);
		connects(&d, 1, cases[i].addr);
		hear(&d, p, cases[i].request, strlen(cases[i].request));
		tell(&d);
		tell(&d);
		const struct m_use *u = d.t.m->credentials->first;
		assert_non_null(u);
		assert_null(u->next);
		assert_int_equal(u->kind, cases[i].kind);
		assert_string_equal(u->path, cases[i].url);
		assert_int_equal(u->opens, 1);
		reads(&d.t, 10, 0, 100);
		evaluate(&d.t);
		assert_int_equal(findings(&d.t, RULE_CREDENTIAL_STATIC), 0); /* they end */
		desk_end(&d);
	}
}

/* What goes by way of a WireGuard device of this host, whose number is 1 here. */
static void test_tunnel(void **state)
{
	static const struct {
		uint32_t first, second;
		bool elsewhere; /* in another network namespace, where that number is another device's */
		const char *spoken;
	} cases[] = {
		{1, 1, false, "wireguard"}, {2, 2, false, "http"}, {1, 2, false, "http"}, {1, 1, true, "http"}, {0, 0, false, "http"},
	};
	char dir[] = LINK_FILES;

	link_file(dir, "lo", "DEVTYPE=wireguard\nIFINDEX=1\n");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct desk d;

		desk_begin(&d);
		links_free(d.book->links);
		assert_int_equal(links_new(dir, &d.book->links), 0);
		connects(&d, 1, OUTSIDE);
		struct packet p = {.flow = 1, .addr = OUTSIDE, .port = 80, .netns = d.book->netns + cases[i].elsewhere};

		p.ifindex = cases[i].first;
		hear(&d, p, REQUEST, 7);
		p.ifindex = cases[i].second;
		p.at = 7;
		hear(&d, p, REQUEST + 7, strlen(REQUEST) - 7);
		tell(&d);
		const struct said_facts *f = &d.t.m->last_flow->said->facts;
		bool tunnelled = !strcmp(cases[i].spoken, "wireguard");
		assert_string_equal(f->spoken, cases[i].spoken);
		assert_int_equal(f->encrypted, tunnelled);
		assert_int_equal(f->plain, !tunnelled);
		assert_string_equal(f->name, "api.example.org");
		desk_end(&d);
	}
	link_files_remove(dir, "lo");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_belief),	   cmocka_unit_test(test_dns_over_tcp), cmocka_unit_test(test_questions_over_tcp), cmocka_unit_test(test_name_of_address),
		cmocka_unit_test(test_forged_in_an_answer), cmocka_unit_test(test_question_in_pieces), cmocka_unit_test(test_silence),
		cmocka_unit_test(test_name_of_address_claimed),
		cmocka_unit_test(test_flow_comes_later), cmocka_unit_test(test_flood),  cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_question),   cmocka_unit_test(test_metadata), cmocka_unit_test(test_tunnel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
