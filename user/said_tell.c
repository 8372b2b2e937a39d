/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What conversations come to: facts of their flows, and uses of endpoints that give credentials. */
#include <string.h>

#include "user/array.h"
#include "user/said_internal.h"

static enum name_source source_of(const struct talk_facts *t)
{
	if (t->proxied)
		return NAME_FROM_CONNECT;
	switch (t->kind) {
	case TALK_HTTP:
		return NAME_FROM_HTTP;
	case TALK_QUIC:
		return NAME_FROM_QUIC;
	default:
		return NAME_FROM_SNI;
	}
}

/* Of what a proxy is asked for its address says nothing: outside anyone can play one. Behind ECH the true name is another. */
static enum name_belief belief_of(const struct said_book *b, const struct conversation *c, uint64_t now_ns)
{
	if (c->facts.proxied)
		return c->inside ? BELIEF_PROXY : BELIEF_CLAIMED;
	if (c->facts.encrypted_name)
		return BELIEF_CLAIMED;
	switch (names_check(b->names, c->facts.name, c->raddr, now_ns)) {
	case NAME_PROVEN:
		return BELIEF_RESOLVED;
	case NAME_ELSEWHERE:
		return BELIEF_FRONTED;
	default:
		return BELIEF_CLAIMED;
	}
}

/* May it have asked for any of the names that live there, where that was not seen? In a hello without one, or not all there; in
 * QUIC behind other datagrams; in HTTP/2 or a head that is no good; of a proxy, in words that are no name. */
static bool may_ask_unseen(const struct conversation *c, const struct said_facts *f)
{
	const struct talk_facts *t = &c->facts;

	return f->nameless || f->proxied || t->waiting || t->kind == TALK_HTTP || (c->datagrams && t->kind == TALK_UNKNOWN);
}

static void name_by_address(const struct said_book *b, const struct conversation *c, uint64_t now_ns, struct said_facts *f)
{
	bool sole = false;
	const char *name = names_find(b->names, c->netns, c->raddr, now_ns, &sole);

	if (!name || !sole)
		return;
	snprintf(f->name, sizeof(f->name), "%s", name);
	f->source = NAME_FROM_DNS;
	f->belief = !may_ask_unseen(c, f) && names_check(b->names, name, c->raddr, now_ns) == NAME_PROVEN ? BELIEF_RESOLVED
													  : BELIEF_CLAIMED;
}

static bool is_tls(const struct talk_facts *t)
{
	return t->kind == TALK_TLS || t->kind == TALK_QUIC;
}

/* Plain to its socket, but not on the wire. */
static bool tunnelled(const struct said_book *b, const struct conversation *c, uint64_t now_ns)
{
	return c->netns == b->netns && links_encrypts(b->links, c->ifindex, now_ns);
}

/* Servers do not agree on whom a request is for that has Host twice, or in a shape of its own. */
static bool names_one(const struct talk_facts *t)
{
	return *t->name && (t->kind != TALK_HTTP || t->proxied || !t->strange_name);
}

void said_facts_of(const struct said_book *b, const struct conversation *c, uint64_t now_ns, struct said_facts *f)
{
	const struct talk_facts *t = &c->facts;
	const char *word = talk_word(t);

	*f = (struct said_facts){0};
	if (c->dns) {
		snprintf(f->spoken, sizeof(f->spoken), "%s", SPOKEN_DNS);
		f->plain = true;
		return;
	}
	snprintf(f->spoken, sizeof(f->spoken), "%s", word ? word : "");
	f->encrypted = talk_encrypted(t);
	f->plain = t->kind == TALK_PLAIN || t->kind == TALK_HTTP;
	f->starttls = t->starttls;
	if (f->plain && tunnelled(b, c, now_ns)) {
		snprintf(f->spoken, sizeof(f->spoken), "%s", SPOKEN_WIREGUARD);
		f->encrypted = true;
		f->plain = false;
	}
	if (!t->client && (is_tls(t) || t->kind == TALK_HTTP))
		return; /* asked for was a name of ours */
	f->proxied = t->proxied;
	f->hidden = t->encrypted_name;
	f->nameless = is_tls(t) && !*t->name;
	if (!names_one(t)) {
		name_by_address(b, c, now_ns, f);
		return;
	}
	snprintf(f->name, sizeof(f->name), "%s", t->name);
	f->source = (uint8_t)source_of(t);
	f->belief = (uint8_t)belief_of(b, c, now_ns);
}

/* --- endpoints of credentials ------------------------------------------------------------------- */

static const uint8_t imds[2][16] = {
	{[10] = 0xff, [11] = 0xff, [12] = 169, [13] = 254, [14] = 169, [15] = 254},
	{0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02, [15] = 0x54},
};

static enum secret_kind kind_of(const struct conversation *c)
{
	if (memcmp(c->raddr, imds[0], 16) && memcmp(c->raddr, imds[1], 16))
		return SECRET_CONTAINER;
	return c->facts.imds_token || !strcmp(c->facts.method, "PUT") ? SECRET_IMDS : SECRET_IMDS_V1;
}

/* By the first request of each connection. */
void said_note_use(struct said_book *b, struct conversation *c)
{
	char addr[ADDR_LEN];
	struct use *u;

	if (c->used || !c->metadata || c->facts.kind != TALK_HTTP || !c->facts.client || c->facts.waiting || !c->who.tgid)
		return;
	c->used = true;
	if (array_grow((void **)&b->uses, &b->uses_cap, b->nuses + 1, sizeof(*b->uses)))
		return;
	u = &b->uses[b->nuses++];
	u->who = c->who;
	u->kind = kind_of(c);
	addr_text(addr, c->raddr);
	snprintf(u->url, sizeof(u->url), strchr(addr, ':') ? "http://[%s]%s" : "http://%s%s", addr, c->facts.path);
}

int said_tell_uses(struct said_book *b, void (*introduce)(void *arg, const struct subject *who), void *arg, uint64_t now_ns)
{
	int err = 0;

	for (size_t i = 0; i < b->nuses && err != -ENOMEM; i++) {
		struct use u = b->uses[i]; /* whoever is introduced lets more come */
		struct credential_use use = {
			.pid = u.who.tgid, .start_ns = u.who.start_ns, .span_ns = 1, .when_ns = now_ns, .opens = 1,
			.kind = u.kind,	   .path = u.url,
		};

		introduce(arg, &u.who);
		err = model_set_credential_use(b->m, &use);
	}
	b->nuses = 0;
	return err == -ENOMEM ? err : 0;
}
