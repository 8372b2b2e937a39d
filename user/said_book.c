/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/said_internal.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/stat.h>

#include "user/array.h"
#include "user/model_dns.h"

#define CONVERSATIONS_MAX 16384
#define TALKING_MAX 4096 /* of which the bytes are kept */
#define NAMES_MAX 65536
#define QUESTIONS_MAX 4096
#define IDLE_NS (60 * NSEC)
#define UNKNOWN_NS (10 * NSEC) /* how long a flow may be unknown to the model */
#define PORT_DNS 53

/* --- conversations --------------------------------------------------------------------------- */

static struct conversations *list_of(struct said_book *b, const struct conversation *c)
{
	return c->talk ? &b->talking : &b->quiet;
}

static void unlink_one(struct said_book *b, struct conversation *c)
{
	struct conversations *l = list_of(b, c);

	*(c->prev ? &c->prev->next : &l->first) = c->next;
	*(c->next ? &c->next->prev : &l->last) = c->prev;
	c->prev = c->next = NULL;
	l->n--;
}

static void append(struct said_book *b, struct conversation *c)
{
	struct conversations *l = list_of(b, c);

	c->prev = l->last;
	*(l->last ? &l->last->next : &l->first) = c;
	l->last = c;
	l->n++;
}

static void stop_talking(struct said_book *b, struct conversation *c)
{
	unlink_one(b, c);
	c->talk = talk_free(c->talk);
	append(b, c);
}

static void forget(struct said_book *b, struct conversation *c)
{
	hashmap_remove(&b->all, &c->flow);
	unlink_one(b, c);
	talk_free(c->talk);
	dns_stream_done(&c->messages[0]);
	dns_stream_done(&c->messages[1]);
	free(c);
}

/* The longest silent gives way. */
static void make_room(struct said_book *b)
{
	while (b->talking.n >= TALKING_MAX) {
		b->forgotten++;
		stop_talking(b, b->talking.first);
	}
	while (b->all.used >= CONVERSATIONS_MAX) {
		struct conversation *c = b->quiet.first ? b->quiet.first : b->talking.first;

		b->forgotten += c->fresh;
		forget(b, c);
	}
}

static enum dest_class class_of(const struct said_book *b, const struct said *s)
{
	return b->m->classes ? classes_find(b->m->classes, s->raddr, s->rport, s->proto).class : CLASS_UNKNOWN;
}

static struct conversation *begin(struct said_book *b, const struct said *s, uint64_t now_ns)
{
	enum dest_class class;
	struct conversation *c;

	make_room(b);
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->flow = s->flow;
	c->first_ns = now_ns;
	c->netns = s->netns;
	c->ifindex = s->ifindex;
	c->who = s->who;
	c->datagrams = s->proto != IPPROTO_TCP;
	class = class_of(b, s);
	c->metadata = class == CLASS_IMDS;
	c->inside = !class_outside(class);
	memcpy(c->raddr, s->raddr, sizeof(c->raddr));
	if (talk_new(&c->talk) || hashmap_add(&b->all, c)) {
		talk_free(c->talk);
		free(c);
		return NULL;
	}
	talk_tcp_start(c->talk, true, 0);
	talk_tcp_start(c->talk, false, 0);
	append(b, c);
	return c;
}

static struct conversation *conversation_of(struct said_book *b, const struct said *s, uint64_t now_ns)
{
	struct conversation *c = hashmap_find(&b->all, &s->flow);

	if (!c)
		c = begin(b, s, now_ns);
	if (!c)
		return NULL;
	c->last_ns = now_ns;
	unlink_one(b, c);
	append(b, c);
	return c;
}

static void is_dns(struct said_book *b, const struct said *s, uint64_t now_ns)
{
	struct conversation *c = conversation_of(b, s, now_ns);

	if (!c || c->dns)
		return;
	c->dns = c->fresh = true;
	stop_talking(b, c);
}

static void converse(struct said_book *b, const struct said *s, uint64_t now_ns)
{
	struct conversation *c = conversation_of(b, s, now_ns);

	if (!c || !c->talk)
		return;
	if (s->proto == IPPROTO_TCP)
		talk_tcp(c->talk, s->out, s->at, s->data, s->kept, s->bytes);
	else
		talk_udp(c->talk, s->out, s->data, s->kept, s->bytes);
	c->facts = *talk_facts(c->talk);
	c->fresh = true;
	if (s->out && s->ifindex != c->ifindex)
		c->ifindex = 0;
	if (c->facts.settled)
		stop_talking(b, c);
}

/* --- name servers ------------------------------------------------------------------------------ */

/* In a namespace that he made himself anyone can have a name server's address. */
static bool is_believed(const struct said_book *b, const struct said *s)
{
	return s->hosts && resolver_believed(b->resolvers, s->netns, s->raddr, s->rport, class_of(b, s));
}

static void learn(struct said_book *b, const struct said *s, const struct dns_message *d, uint64_t now_ns)
{
	bool believed = is_believed(b, s);

	for (unsigned i = 0; i < d->naddresses; i++)
		names_learn(b->names, s->netns, d->addresses[i].addr, d->name, d->addresses[i].ttl_s, believed, now_ns);
}

static void note_question(struct said_book *b, const struct said *s, const struct dns_message *d)
{
	if (b->nquestions >= QUESTIONS_MAX ||
	    array_grow((void **)&b->questions, &b->questions_cap, b->nquestions + 1, sizeof(*b->questions))) {
		b->missed++;
		return;
	}
	struct question *q = &b->questions[b->nquestions++];

	*q = (struct question){.who = s->who, .flow = s->flow, .message = *d, .port = s->rport};
	memcpy(q->server, s->raddr, sizeof(q->server));
}

/* False: it is none. */
static bool take_message(struct said_book *b, const struct said *s, const uint8_t *data, size_t n, bool cut, uint64_t now_ns)
{
	struct dns_message d;

	if (dns_parse(data, n, cut, &d))
		return false;
	is_dns(b, s, now_ns);
	if (d.answer && !s->out)
		learn(b, s, &d, now_ns);
	else if (!d.answer && s->out)
		note_question(b, s, &d);
	return true;
}

struct segment {
	struct said_book *b;
	const struct said *s;
	uint64_t now_ns;
	bool any;
};

static void take_whole(void *arg, const uint8_t *message, size_t n, bool cut)
{
	struct segment *g = arg;

	g->any |= take_message(g->b, g->s, message, n, cut, g->now_ns);
}

/* Where messages begin is not known: a guess, good enough for questions. */
static bool take_guessed(struct said_book *b, const struct said *s, uint64_t now_ns)
{
	bool any = false;
	size_t len;

	for (size_t at = 0; at + 2 < s->kept; at += 2 + len) {
		len = (size_t)(s->data[at] << 8 | s->data[at + 1]);
		size_t n = MIN(len, s->kept - at - 2);

		if (!take_message(b, s, s->data + at + 2, n, n < len, now_ns))
			break;
		any = true;
	}
	return any || take_message(b, s, s->data, s->kept, s->kept < s->bytes, now_ns);
}

static bool take_messages(struct said_book *b, const struct said *s, uint64_t now_ns)
{
	struct conversation *c = conversation_of(b, s, now_ns);
	struct segment g = {b, s, now_ns, false};

	if (!c)
		return false;
	if (!dns_stream_put(&c->messages[!!s->out], s->at, s->data, s->kept, s->bytes, take_whole, &g) && s->out)
		return take_guessed(b, s, now_ns);
	return g.any;
}

static bool ask_or_answer(struct said_book *b, const struct said *s, uint64_t now_ns)
{
	if (s->proto == IPPROTO_TCP)
		return take_messages(b, s, now_ns);
	return take_message(b, s, s->data, s->kept, s->kept < s->bytes, now_ns);
}

void said_book_hear(struct said_book *b, const void *record, size_t len, uint64_t now_ns)
{
	const struct said *s = record;

	b->heard++;
	if (len < sizeof(*s) || s->kept > len - sizeof(*s) || s->kept > s->bytes || !s->flow)
		return;
	if (s->rport != PORT_DNS || !ask_or_answer(b, s, now_ns))
		converse(b, s, now_ns);
}

/* --- what the model is told ---------------------------------------------------------------------- */

static int tell(struct said_book *b, struct conversation *c, uint64_t now_ns)
{
	struct said_facts f;
	int err;

	said_facts_of(b, c, now_ns, &f);
	err = model_set_said(b->m, c->flow, &f, c->facts.waiting && c->talk);
	if (err == -ENOENT)
		return now_ns - c->first_ns < UNKNOWN_NS ? -EAGAIN : 0;
	b->forgotten += err == -ENOSPC;
	return err == -ENOSPC ? 0 : err;
}

static int tell_questions(struct said_book *b, void (*introduce)(void *arg, const struct subject *who), void *arg,
			  uint64_t now_ns)
{
	int err = 0;

	for (size_t i = 0; i < b->nquestions && !err; i++) {
		struct question q = b->questions[i]; /* whoever is introduced lets more come */

		introduce(arg, &q.who);
		err = model_set_question(b->m, &q.who, q.flow, &q.message, q.server, q.port, now_ns);
		err = err == -ENOMEM ? err : 0;
	}
	b->nquestions = 0;
	return err;
}

/* Once it is lost where messages of DNS begin, that is not found again: kept while the connection lives. */
static bool is_over(const struct said_book *b, const struct conversation *c, uint64_t now_ns)
{
	const struct m_flow *f = hashmap_find(&b->m->flows, &c->flow);
	bool counts = c->messages[0].next || c->messages[1].next;

	return now_ns - c->last_ns > IDLE_NS && !(counts && f && !f->closed);
}

static int tell_list(struct said_book *b, const struct conversations *l, uint64_t now_ns)
{
	int err = 0;

	for (struct conversation *c = l->first, *next; c && !err; c = next) {
		int e = c->fresh ? tell(b, c, now_ns) : 0;

		if (c->fresh)
			said_note_use(b, c);
		next = c->next;
		c->fresh = e == -EAGAIN;
		err = c->fresh ? 0 : e;
		if (!err && !c->fresh && is_over(b, c, now_ns))
			forget(b, c);
	}
	return err;
}

int said_book_tell(struct said_book *b, void (*introduce)(void *arg, const struct subject *who), void *arg, uint64_t now_ns)
{
	int err = tell_questions(b, introduce, arg, now_ns);

	if (!err)
		err = resolvers_configure(b->resolvers, b->m->config->network.resolvers, b->m->config->network.nresolvers);
	resolvers_refresh(b->resolvers);
	if (!err)
		err = hosts_file_tell(b->hosts, b->names, b->netns, now_ns);
	if (!err)
		err = tell_list(b, &b->talking, now_ns);
	if (!err)
		err = tell_list(b, &b->quiet, now_ns);
	b->m->said_figures = said_book_figures(b);
	return err ? err : said_tell_uses(b, introduce, arg, now_ns);
}

struct said_figures said_book_figures(const struct said_book *b)
{
	return (struct said_figures){b->all.used, names_count(b->names).pairs, b->heard, b->forgotten, b->missed};
}

static uint32_t own_netns(void)
{
	struct stat st;

	return stat("/proc/self/ns/net", &st) ? 0 : (uint32_t)st.st_ino;
}

int said_book_new(struct model *m, struct said_book **ret)
{
	struct said_book *b = calloc(1, sizeof(*b));
	int err;

	if (!b)
		return -ENOMEM;
	b->m = m;
	b->netns = own_netns();
	b->all = HASHMAP_OF(struct conversation, flow);
	err = names_new(NAMES_MAX, &b->names);
	if (!err)
		err = resolvers_new("/", b->netns, &b->resolvers);
	if (!err)
		err = hosts_file_new("/", &b->hosts);
	if (!err)
		err = links_new("/sys/class/net", &b->links);
	if (err) {
		said_book_free(b);
		return err;
	}
	*ret = b;
	return 0;
}

struct said_book *said_book_free(struct said_book *b)
{
	if (!b)
		return NULL;
	while (b->talking.first)
		forget(b, b->talking.first);
	while (b->quiet.first)
		forget(b, b->quiet.first);
	hashmap_free(&b->all);
	names_free(b->names);
	resolvers_free(b->resolvers);
	hosts_file_free(b->hosts);
	links_free(b->links);
	free(b->questions);
	free(b->uses);
	free(b);
	return NULL;
}
