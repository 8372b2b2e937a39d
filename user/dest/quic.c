/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/dest/quic.h"

#include <string.h>

#include "user/dest/bytes.h"
#include "user/dest/pieces.h"
#include "user/dest/quic_keys.h"
#include "user/dest/tls_server.h"

#define PACKETS_MOST 8 /* of one datagram */
#define TRIES_MOST 16  /* packets of one connection whose keys are derived, so that nobody makes us derive for ever */

struct id {
	uint8_t data[QUIC_ID_MOST], n;
};

struct quic {
	struct quic_facts facts;
	struct id chosen, own;	 /* by the client: for the server, and for itself */
	struct quic_keys keys[2]; /* the client's, the server's */
	bool keyed;
	unsigned tries;
	struct pieces said[2]; /* CRYPTO frames of each */
};

int quic_new(struct quic **ret)
{
	struct quic *q = calloc(1, sizeof(*q));

	if (!q)
		return -ENOMEM;
	q->said[0].most = q->said[1].most = QUIC_CRYPTO_MOST;
	*ret = q;
	return 0;
}

struct quic *quic_free(struct quic *q)
{
	if (!q)
		return NULL;
	pieces_done(&q->said[0]);
	pieces_done(&q->said[1]);
	free(q);
	return NULL;
}

const struct quic_facts *quic_facts(const struct quic *q)
{
	return &q->facts;
}

/* RFC 9000, 16. */
static uint64_t take_number(struct bytes *b)
{
	unsigned width = b->n ? 1u << (b->p[0] >> 6) : 1;
	uint64_t v = take(b, 1) & 0x3f;

	if (b->cut)
		return 0;
	for (unsigned i = 1; i < width && !b->cut; i++)
		v = v << 8 | take(b, 1);
	return b->cut ? 0 : v;
}

/* --- frames -------------------------------------------------------------------------------- */

static bool skip_ack(struct bytes *b, bool ecn)
{
	take_number(b);
	take_number(b);
	uint64_t ranges = take_number(b);
	take_number(b);
	for (; ranges && !b->cut; ranges--) {
		take_number(b);
		take_number(b);
	}
	for (int i = 0; ecn && i < 3; i++)
		take_number(b);
	return !b->cut;
}

static bool take_crypto(struct bytes *b, struct pieces *said)
{
	uint64_t at = take_number(b);
	struct bytes data = take_part(b, take_number(b));

	if (b->cut)
		return false;
	if (at < said->most)
		pieces_put(said, (size_t)at, data.p, data.n);
	return true;
}

/* Those that may be in an Initial (RFC 9000, 17.2.2); the end, or another, ends it. */
static void take_frames(struct bytes b, struct pieces *said)
{
	bool more = true;

	while (more && b.n) {
		uint64_t type = take_number(&b);

		if (type == 0x06)
			more = take_crypto(&b, said);
		else if (type == 0x02 || type == 0x03)
			more = skip_ack(&b, type == 0x03);
		else
			more = type == 0x00 || type == 0x01;
	}
}

static void read_hello(struct quic *q)
{
	const struct pieces *p = &q->said[0];
	size_t n = pieces_at(p, 0);
	enum tls_state s = tls_hello_message(p->data, n, n == p->most, &q->facts.from_client);

	q->facts.hello |= s == TLS_HELLO;
	q->facts.no_hello |= s == TLS_OTHER;
}

static void read_agreed(struct quic *q)
{
	const struct pieces *p = &q->said[1];

	tls_server_message(p->data, pieces_at(p, 0), &q->facts.agreed);
}

/* --- packets ------------------------------------------------------------------------------- */

enum long_type { INITIAL, EARLY, HANDSHAKE, RETRY };

struct packet {
	const uint8_t *data;
	size_t n, number_at; /* bytes of all of it; 0: it is cut */
	uint32_t version;
	enum long_type type;
	struct id to, from;
};

static bool take_id(struct bytes *b, struct id *ret)
{
	struct bytes v = take_vector(b, 1);

	if (v.cut || v.n > QUIC_ID_MOST)
		return false;
	ret->n = (uint8_t)v.n;
	if (v.n)
		memcpy(ret->data, v.p, v.n);
	return true;
}

static bool same_id(const struct id *a, const struct id *b)
{
	return a->n == b->n && !memcmp(a->data, b->data, a->n);
}

static bool id_is(const struct id *a, const struct id *b)
{
	return a->n && same_id(a, b);
}

/* Version 2 counts from Retry on (RFC 9369, 3.2). */
static enum long_type type_of(uint8_t first, uint32_t version)
{
	unsigned bits = first >> 4 & 3;

	return version == QUIC_V2 ? (enum long_type)((bits + 3) & 3) : (enum long_type)bits;
}

/* What follows the ids, up to the packet's number. */
static void take_length(struct bytes *b, struct packet *p)
{
	if (p->type == INITIAL)
		take_part(b, take_number(b)); /* token */
	uint64_t len = take_number(b);
	if (b->cut)
		return;
	p->number_at = (size_t)(b->p - p->data);
	p->n = len <= b->n ? p->number_at + (size_t)len : 0;
}

/* False: no long header. */
static bool take_packet(struct bytes b, struct packet *p)
{
	*p = (struct packet){.data = b.p};
	uint8_t first = (uint8_t)take(&b, 1);
	p->version = take(&b, 4);
	if (b.cut || !(first & 0x80) || !take_id(&b, &p->to) || !take_id(&b, &p->from))
		return false;
	if (p->version && !(first & 0x40))
		return false;
	p->type = type_of(first, p->version);
	if (p->type == RETRY || !quic_known_version(p->version))
		p->n = (size_t)(b.p - p->data) + b.n;
	else
		take_length(&b, p);
	return true;
}

/* --- the connection ------------------------------------------------------------------------ */

static bool opens(const struct quic_keys *k, const struct packet *p, struct pieces *said)
{
	_cleanup_free_ uint8_t *plain = malloc(p->n + 1);
	size_t len;

	if (!plain || quic_open(k, p->data, p->n, p->number_at, plain, &len))
		return false;
	take_frames((struct bytes){plain, len, false}, said);
	return true;
}

/* A first packet brings its own keys, and so does the one after a Retry. */
static bool opens_first(struct quic *q, const struct packet *p)
{
	struct quic_keys keys[2];

	if ((q->keyed && !q->facts.retry && !q->facts.versions) || q->tries++ >= TRIES_MOST ||
	    quic_initial_keys(p->version, p->to.data, p->to.n, false, &keys[0]) ||
	    quic_initial_keys(p->version, p->to.data, p->to.n, true, &keys[1]) || !opens(&keys[0], p, &q->said[0]))
		return false;
	memcpy(q->keys, keys, sizeof(keys));
	q->chosen = p->to;
	q->own = p->from;
	q->keyed = true;
	return true;
}

static enum quic_packet take_client(struct quic *q, bool out, const struct packet *p)
{
	bool good = (q->keyed && opens(&q->keys[0], p, &q->said[0])) || opens_first(q, p);

	if (!good)
		return QUIC_STRANGE;
	q->facts.client = true;
	q->facts.out = out;
	q->facts.version = p->version;
	if (!q->facts.hello)
		read_hello(q);
	return QUIC_INITIAL;
}

/* The server may go on with the other version (RFC 9369, 4.1). */
static bool server_opens(struct quic *q, const struct packet *p)
{
	struct quic_keys other;

	if (p->version == q->facts.version)
		return opens(&q->keys[1], p, &q->said[1]);
	return q->tries++ < TRIES_MOST && !quic_initial_keys(p->version, q->chosen.data, q->chosen.n, true, &other) &&
	       opens(&other, p, &q->said[1]);
}

static enum quic_packet take_server(struct quic *q, const struct packet *p)
{
	if (!same_id(&p->to, &q->own) || !server_opens(q, p))
		return QUIC_STRANGE;
	q->facts.server = true;
	read_agreed(q);
	return QUIC_INITIAL;
}

static enum quic_packet take_initial(struct quic *q, bool out, const struct packet *p)
{
	if (!p->n)
		return QUIC_LATER;
	return q->facts.client && q->facts.out != out ? take_server(q, p) : take_client(q, out, p);
}

static bool is_answer(const struct quic *q, bool out, const struct packet *p)
{
	return q->facts.client && q->facts.out != out && same_id(&p->to, &q->own);
}

static enum quic_packet take_retry(struct quic *q, bool out, const struct packet *p)
{
	if (!is_answer(q, out, p) || !quic_retry_is_good(p->version, q->chosen.data, q->chosen.n, p->data, p->n))
		return QUIC_STRANGE;
	q->facts.retry = true;
	return QUIC_RETRY;
}

static enum quic_packet take_versions(struct quic *q, bool out, const struct packet *p)
{
	if (!is_answer(q, out, p) || !id_is(&p->from, &q->chosen))
		return QUIC_STRANGE;
	q->facts.versions = true;
	return QUIC_VERSIONS;
}

static enum quic_packet take_one(struct quic *q, bool out, const struct packet *p)
{
	if (!p->version)
		return take_versions(q, out, p);
	if (!quic_known_version(p->version)) {
		q->facts.unknown_version = true;
		if (!q->facts.version)
			q->facts.version = p->version;
		return QUIC_STRANGE;
	}
	if (p->type == RETRY)
		return take_retry(q, out, p);
	return p->type == INITIAL ? take_initial(q, out, p) : QUIC_LATER;
}

int quic_take(struct quic *q, bool out, const uint8_t *data, size_t n)
{
	enum quic_packet most = QUIC_NONE;
	struct packet p;

	for (unsigned i = 0; i < PACKETS_MOST && n && take_packet((struct bytes){data, n, false}, &p); i++) {
		enum quic_packet one = take_one(q, out, &p);

		most = MAX(most, one);
		if (!p.n)
			break;
		data += p.n;
		n -= p.n;
	}
	return (int)most;
}
