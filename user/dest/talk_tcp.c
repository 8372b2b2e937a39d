/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <string.h>

#include "user/dest/talk_internal.h"

/* What was said in plain, so that it is not TLS's other side. */
static bool is_plain(enum begin b)
{
	return b == BEGIN_OTHER || b == BEGIN_REQUEST || b == BEGIN_RESPONSE || b == BEGIN_SSH || b == BEGIN_SOCKS;
}

static void agree(struct talk_facts *f, uint16_t version)
{
	f->agreed = true;
	f->version = version;
}

/* --- TLS ----------------------------------------------------------------------------------- */

static void as_client(struct talk_facts *f, const struct beginning *out, const struct beginning *in)
{
	if (is_plain(in->what) || in->what == BEGIN_CLIENT) {
		f->kind = TALK_PLAIN;
		return;
	}
	f->kind = TALK_TLS;
	f->client = true;
	f->settled = in->what == BEGIN_SERVER;
	f->waiting = in->what == BEGIN_PART;
	if (f->settled)
		agree(f, in->version);
	facts_hello(f, &out->hello);
}

static void as_server(struct talk_facts *f, const struct beginning *out, const struct beginning *in)
{
	if (is_plain(in->what) || in->what == BEGIN_SERVER) {
		f->kind = TALK_PLAIN;
		return;
	}
	f->kind = TALK_TLS;
	agree(f, out->version);
	f->settled = in->what == BEGIN_CLIENT;
	f->waiting = in->what == BEGIN_HELLO_PART;
	if (f->settled)
		facts_hello(f, &in->hello);
}

/* --- HTTP, SSH ------------------------------------------------------------------------------ */

static void say_request(struct talk_facts *f, const struct beginning *b, bool cut)
{
	f->kind = TALK_HTTP;
	memcpy(f->method, b->head.method, sizeof(f->method));
	memcpy(f->path, b->head.path, sizeof(f->path));
	memcpy(f->name, b->head.host, sizeof(f->name));
	f->proxied = b->head.proxied;
	f->strange_name = b->head.strange;
	f->imds_token = b->token;
	f->settled = (b->head.len || cut) && !b->head.connect;
	f->waiting = !b->head.len && !cut;
}

static void say_ssh(struct talk_facts *f, const struct beginning *out, const struct beginning *in)
{
	f->kind = TALK_SSH;
	f->settled = out->sure && in->what == BEGIN_SSH;
}

/* What follows is between the client and whom it asks for; TLS is found as where it turns to it. */
static void say_socks(const struct talk *t, struct talk_facts *f, const struct beginning *out)
{
	struct view in = stream_view(&t->ways[0], 0);

	f->kind = TALK_PLAIN;
	if (in.n && !socks_answers(out->socks_version, in.p, in.n))
		return;
	f->client = f->proxied = true;
	f->strange_name = out->socks.strange;
	memcpy(f->name, out->socks.host, sizeof(f->name));
}

/* A server may say something before its line (RFC 4253, 4.2). */
static bool ssh_behind(const struct stream *s)
{
	struct view v = stream_view(s, 0);

	return v.n && memmem(v.p, v.n, "\nSSH-2.0-", 9);
}

/* --- both ---------------------------------------------------------------------------------- */

/* Where nothing is known of what goes out. */
static void judge_in(struct talk_facts *f, const struct beginning *out, const struct beginning *in, bool cut)
{
	f->waiting = in->what == BEGIN_PART || in->what == BEGIN_HELLO_PART;
	if (in->what == BEGIN_CLIENT) {
		f->kind = TALK_TLS;
		facts_hello(f, &in->hello);
	} else if (in->what == BEGIN_SERVER) {
		f->kind = TALK_TLS;
		f->client = true;
		agree(f, in->version);
	} else if (in->what == BEGIN_REQUEST) {
		say_request(f, in, cut);
	} else if (in->what == BEGIN_RESPONSE) {
		f->kind = TALK_HTTP;
		f->client = true;
	} else if (in->what == BEGIN_SSH) {
		f->kind = TALK_SSH;
	} else if ((in->what == BEGIN_OTHER || in->what == BEGIN_SOCKS) && out->what == BEGIN_NONE) {
		f->kind = TALK_PLAIN;
	}
}

static void judge_part(struct talk_facts *f, const struct beginning *out, const struct beginning *in)
{
	f->waiting = true;
	if (out->what != BEGIN_HELLO_PART || in->what != BEGIN_SERVER)
		return;
	f->kind = TALK_TLS;
	f->client = true;
	agree(f, in->version);
}

static void judge_response(struct talk_facts *f, const struct beginning *in, bool cut)
{
	f->kind = TALK_HTTP;
	if (in->what == BEGIN_REQUEST)
		say_request(f, in, cut);
}

static void judge_begin(const struct talk *t, struct talk_facts *f, const struct beginning *out, const struct beginning *in)
{
	bool cut_out = stream_view(&t->ways[1], 0).cut, cut_in = stream_view(&t->ways[0], 0).cut;

	switch (out->what) {
	case BEGIN_NONE:
	case BEGIN_DIM:
		judge_in(f, out, in, cut_in);
		break;
	case BEGIN_PART:
	case BEGIN_HELLO_PART:
		judge_part(f, out, in);
		break;
	case BEGIN_CLIENT:
		as_client(f, out, in);
		break;
	case BEGIN_SERVER:
		as_server(f, out, in);
		break;
	case BEGIN_ALERT: /* a server refuses */
		f->kind = in->what == BEGIN_CLIENT ? TALK_TLS : TALK_UNKNOWN;
		if (f->kind)
			facts_hello(f, &in->hello);
		break;
	case BEGIN_REQUEST:
		say_request(f, out, cut_out);
		f->client = true;
		break;
	case BEGIN_RESPONSE:
		judge_response(f, in, cut_in);
		break;
	case BEGIN_SSH:
		if (is_plain(in->what) && in->what != BEGIN_SSH && !ssh_behind(&t->ways[0]))
			f->kind = TALK_PLAIN;
		else
			say_ssh(f, out, in);
		break;
	case BEGIN_SOCKS:
		say_socks(t, f, out);
		break;
	case BEGIN_OTHER:
		f->kind = TALK_PLAIN;
		break;
	}
}

/* --- turning to TLS -------------------------------------------------------------------------- */

/* Behind which byte of this direction a client's hello counts; 0: it does not. */
static size_t turns_after(const struct talk *t, const struct talk_facts *f, bool out, const struct beginning *b)
{
	if (b->what == BEGIN_REQUEST)
		return b->head.connect && f->client == out ? b->head.len : 0;
	if (b->what == BEGIN_SOCKS)
		return f->proxied && f->client == out ? b->socks.len : 0;
	return b->what == BEGIN_OTHER || b->what == BEGIN_DIM ? turn_asked(&t->ways[out]) : 0;
}

static void say_turn(struct talk_facts *f, const struct turn *turn)
{
	char target[TLS_NAME_LEN];
	bool strange = f->strange_name, proxied = f->proxied;

	memcpy(target, f->name, sizeof(target));
	f->kind = TALK_TLS;
	f->client = turn->out;
	f->starttls = !proxied;
	f->waiting = false;
	f->settled = turn->agreed;
	if (turn->agreed)
		agree(f, turn->version);
	facts_hello(f, &turn->hello);
	f->strange_name |= strange;
	if (proxied)
		memcpy(f->name, target, sizeof(target));
}

static void judge_turn(const struct talk *t, struct talk_facts *f, const struct beginning begun[2])
{
	for (int out = 1; out >= 0; out--) {
		size_t after = turns_after(t, f, out, &begun[out]);
		struct turn turn;

		if (!after)
			continue;
		turn_find(t->ways, out, after, &turn);
		f->waiting |= turn.waiting;
		if (turn.found) {
			say_turn(f, &turn);
			return;
		}
	}
}

/* --- all ----------------------------------------------------------------------------------- */

/* The capture will add nothing that counts. */
static bool at_end(const struct talk *t, const struct talk_facts *f)
{
	if (t->ways[0].full && t->ways[1].full)
		return true;
	return t->ways[1].full && (f->kind == TALK_PLAIN || f->kind == TALK_HTTP);
}

static void judge(struct talk *t)
{
	struct talk_facts f = {0};
	struct beginning begun[2];

	for (int out = 0; out < 2; out++) {
		struct view v = stream_view(&t->ways[out], 0);

		beginning_of(&v, &begun[out]);
	}
	judge_begin(t, &f, &begun[1], &begun[0]);
	if (f.kind == TALK_UNKNOWN || f.kind == TALK_PLAIN || (f.kind == TALK_HTTP && !f.settled))
		judge_turn(t, &f, begun);
	t->facts = f;
	if (f.settled || at_end(t, &f))
		talk_settle(t);
}

void talk_tcp_start(struct talk *t, bool out, uint32_t seq)
{
	if (t->facts.settled)
		return;
	stream_start(&t->ways[out], seq);
	judge(t);
}

void talk_tcp(struct talk *t, bool out, uint32_t seq, const uint8_t *data, size_t kept, size_t bytes)
{
	if (t->facts.settled)
		return;
	stream_put(&t->ways[out], seq, data, kept, bytes);
	judge(t);
}
