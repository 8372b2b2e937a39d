/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <string.h>

#include "user/dest/talk_internal.h"
#include "user/dest/tls_server.h"

#define SEEN_MOST 64 /* datagrams after which nothing is waited for */

enum fit {
	FITS_NOT,
	FITS,	 /* it belongs to what is said of the flow now */
	NEUTRAL, /* it may go before or between anything */
};

static uint32_t le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t le64(const uint8_t *p)
{
	return le32(p) | (uint64_t)le32(p + 4) << 32;
}

/* Goes before DTLS where two hosts look for a way to each other (RFC 8489, 5; RFC 7983). */
static bool is_stun(const uint8_t *p, size_t kept, size_t bytes)
{
	static const uint8_t cookie[4] = {0x21, 0x12, 0xa4, 0x42};

	return kept >= 20 && p[0] < 4 && !memcmp(p + 4, cookie, 4) && 20 + (size_t)(p[2] << 8 | p[3]) == bytes;
}

/* --- WireGuard (its paper, 5.4) --------------------------------------------------------------- */

static bool is_wireguard(const uint8_t *p, size_t kept, size_t bytes)
{
	if (kept < 16 || p[1] || p[2] || p[3])
		return false;
	return (p[0] == 1 && bytes == 148) || (p[0] == 2 && bytes == 92) || (p[0] == 3 && bytes == 64) ||
	       (p[0] == 4 && bytes >= 32 && bytes % 16 == 0);
}

/* One packet of data is easily like that; two for the same peer, counted upward, are not. */
static bool data_again(struct datagrams *d, bool out, const uint8_t *p)
{
	uint32_t receiver = le32(p + 4);
	uint64_t counter = le64(p + 8);
	bool again = d->data[out].seen && d->data[out].receiver == receiver && counter > d->data[out].counter &&
		     counter - d->data[out].counter < 4096;

	d->data[out].seen = true;
	d->data[out].receiver = receiver;
	d->data[out].counter = counter;
	return again;
}

static void wireguard_is(struct talk *t, bool client)
{
	t->facts.kind = TALK_WIREGUARD;
	t->facts.client = client;
}

static enum fit take_wireguard(struct talk *t, bool out, const uint8_t *p)
{
	struct datagrams *d = &t->datagrams;

	if (p[0] == 1) {
		d->begun = true;
		d->by_out = out;
		d->sender = le32(p + 4);
		wireguard_is(t, out);
	} else if (p[0] == 2) {
		wireguard_is(t, !out);
		t->facts.settled = d->begun && d->by_out != out && le32(p + 8) == d->sender;
	} else if (p[0] == 4 && data_again(d, out, p) && t->facts.kind != TALK_WIREGUARD) {
		wireguard_is(t, false);
	}
	t->facts.waiting = t->facts.kind != TALK_WIREGUARD;
	return FITS;
}

/* --- DTLS ----------------------------------------------------------------------------------- */

static bool is_dtls(const uint8_t *p, size_t kept)
{
	return kept >= 13 && p[0] >= 20 && p[0] <= 25 && p[1] == 0xfe && (p[2] == 0xff || p[2] == 0xfd);
}

static void dtls_agrees(struct talk_facts *f, bool out, uint16_t version)
{
	if (f->kind != TALK_DTLS)
		f->client = !out;
	f->kind = TALK_DTLS;
	if (!version)
		return;
	f->agreed = true;
	f->version = version;
	f->settled = true;
}

static enum fit take_dtls(struct talk *t, bool out, const uint8_t *p, size_t kept, size_t bytes)
{
	struct talk_facts *f = &t->facts;
	struct tls_hello hello;
	uint16_t version;
	enum tls_state s = dtls_hello_parse(p, kept, kept < bytes, &hello);

	if (s == TLS_HELLO) {
		f->kind = TALK_DTLS;
		f->client = out;
		f->waiting = false;
		facts_hello(f, &hello);
		return FITS;
	}
	if (s == TLS_MORE) {
		f->waiting = f->kind != TALK_DTLS;
		return FITS;
	}
	s = dtls_server_parse(p, kept, kept < bytes, &version);
	if (s == TLS_HELLO && (f->kind != TALK_DTLS || f->client != out))
		dtls_agrees(f, out, version);
	return s != TLS_OTHER || p[0] != 22 || f->kind == TALK_DTLS ? FITS : NEUTRAL;
}

/* --- QUIC ----------------------------------------------------------------------------------- */

static void is_plain(struct talk *t, bool out)
{
	t->facts = (struct talk_facts){.kind = TALK_PLAIN, .settled = out};
}

static enum fit quic_is(struct talk *t)
{
	const struct quic_facts *q = quic_facts(t->datagrams.quic);
	struct talk_facts *f = &t->facts;

	if (q->no_hello) { /* whatever it is that is wrapped so */
		is_plain(t, q->out);
		return FITS;
	}
	f->kind = TALK_QUIC;
	f->client = q->out;
	f->waiting = !q->hello;
	f->agreed = q->agreed;
	f->version = q->agreed;
	if (q->hello)
		facts_hello(f, &q->from_client);
	f->settled = q->hello && q->agreed;
	return FITS;
}

static enum fit take_quic(struct talk *t, bool out, const uint8_t *p, size_t kept)
{
	if (!(p[0] & 0x80)) /* a short header has nothing else to know it by */
		return t->facts.kind == TALK_QUIC && p[0] & 0x40 && is_noise(p, kept) ? FITS : FITS_NOT;
	if (!t->datagrams.quic && quic_new(&t->datagrams.quic))
		return NEUTRAL;
	switch (quic_take(t->datagrams.quic, out, p, kept)) {
	case QUIC_INITIAL:
		return quic_is(t);
	case QUIC_RETRY:
	case QUIC_VERSIONS:
		return FITS;
	case QUIC_LATER:
		t->facts.waiting = t->facts.kind == TALK_UNKNOWN;
		return NEUTRAL;
	case QUIC_STRANGE:
		return quic_facts(t->datagrams.quic)->unknown_version && t->facts.kind != TALK_QUIC ? FITS_NOT : NEUTRAL;
	default:
		return FITS_NOT;
	}
}

/* --- all ----------------------------------------------------------------------------------- */

static enum fit take(struct talk *t, bool out, const uint8_t *p, size_t kept, size_t bytes)
{
	if (is_stun(p, kept, bytes))
		return NEUTRAL;
	if (is_dtls(p, kept))
		return take_dtls(t, out, p, kept, bytes);
	if (is_wireguard(p, kept, bytes))
		return take_wireguard(t, out, p);
	return take_quic(t, out, p, kept);
}

/* Something that is none of them. Coming in, it says nothing of what goes out. */
static void take_other(struct talk *t, bool out, const uint8_t *p, size_t kept)
{
	bool noise = is_noise(p, kept);

	if (!out && t->facts.kind != TALK_UNKNOWN)
		return;
	if (noise && t->facts.kind == TALK_UNKNOWN)
		return;
	is_plain(t, out);
}

void talk_udp(struct talk *t, bool out, const uint8_t *data, size_t kept, size_t bytes)
{
	struct datagrams *d = &t->datagrams;

	if (t->facts.settled || !kept || kept > bytes)
		return;
	d->seen++;
	if (take(t, out, data, kept, bytes) == FITS_NOT)
		take_other(t, out, data, kept);
	if (t->facts.settled || d->seen >= SEEN_MOST)
		talk_settle(t);
}
