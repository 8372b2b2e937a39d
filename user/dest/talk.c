/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/dest/talk.h"

#include <string.h>

#include "user/dest/talk_internal.h"

int talk_new(struct talk **ret)
{
	struct talk *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->ways[0].pieces.most = t->ways[1].pieces.most = TALK_KEEP;
	*ret = t;
	return 0;
}

static void forget(struct talk *t)
{
	pieces_done(&t->ways[0].pieces);
	pieces_done(&t->ways[1].pieces);
	t->datagrams.quic = quic_free(t->datagrams.quic);
}

void talk_settle(struct talk *t)
{
	t->facts.settled = true;
	t->facts.waiting = false;
	forget(t);
}

struct talk *talk_free(struct talk *t)
{
	if (!t)
		return NULL;
	forget(t);
	free(t);
	return NULL;
}

const struct talk_facts *talk_facts(const struct talk *t)
{
	return &t->facts;
}

void facts_hello(struct talk_facts *f, const struct tls_hello *h)
{
	memcpy(f->name, h->name, sizeof(f->name));
	f->encrypted_name = h->encrypted_name;
	f->strange_name = h->strange;
	if (!f->agreed)
		f->version = h->version;
}

bool talk_encrypted(const struct talk_facts *f)
{
	return f->kind >= TALK_TLS && f->kind < TALK_KINDS;
}

static const char *tls_word(const struct talk_facts *f)
{
	static const char *const words[] = {"ssl3", "tls1.0", "tls1.1", "tls1.2", "tls1.3"};
	unsigned at = f->version - 0x0300u;

	return f->agreed && at < ARRAY_SIZE(words) ? words[at] : "tls";
}

const char *talk_word(const struct talk_facts *f)
{
	static const char *const words[TALK_KINDS] = {
	    [TALK_PLAIN] = "plain", [TALK_HTTP] = "http", [TALK_DTLS] = "dtls",
	    [TALK_QUIC] = "quic",   [TALK_SSH] = "ssh",	  [TALK_WIREGUARD] = "wireguard",
	};

	if (f->kind == TALK_TLS)
		return tls_word(f);
	return f->kind < TALK_KINDS ? words[f->kind] : NULL;
}
