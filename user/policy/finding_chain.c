/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The evidence: by which hops bytes of a dataset can have come to where they left. */
#include "user/model_carry.h"
#include "user/model_derived.h"
#include "user/policy/finding.h"

#include <arpa/inet.h>
#include <string.h>

#include "user/model_graph.h"
#include "user/net_server.h"

char *subject_text(char buf[static SUBJECT_LEN], const struct m_subject *s)
{
	const char *name = s->comm;

	if (s->merged) {
		snprintf(buf, SUBJECT_LEN, "%u ended processes", s->merged);
		return buf;
	}
	if (!*name && s->exe) {
		const char *slash = strrchr(s->exe, '/');

		name = slash ? slash + 1 : s->exe;
	}
	char safe[64];
	text_safe(safe, sizeof(safe), *name ? name : "?", *name ? strlen(name) : 1);
	snprintf(buf, SUBJECT_LEN, "%s[%u]", safe, s->who.tgid);
	return buf;
}

char *remote_text(char buf[static REMOTE_LEN], const uint8_t addr[static 16], uint16_t port)
{
	static const uint8_t none[16];
	char text[ADDR_LEN];

	addr_text(text, addr);
	if (!port && !memcmp(addr, none, sizeof(none)))
		snprintf(buf, REMOTE_LEN, "an unknown server");
	else if (port)
		snprintf(buf, REMOTE_LEN, strchr(text, ':') ? "[%s]:%u" : "%s:%u", text, port);
	else /* of a protocol without */
		snprintf(buf, REMOTE_LEN, "%s", text);
	return buf;
}

char *flow_text(char buf[static REMOTE_LEN], const struct m_flow *f)
{
	if (flow_has_remote(f))
		return remote_text(buf, f->f.raddr, f->f.rport);
	snprintf(buf, REMOTE_LEN, "%s", f->f.role == ROLE_MANY ? "many destinations" : "destinations not known");
	return buf;
}

char *object_text(char buf[static OBJECT_LEN], const struct m_object *o)
{
	if (o->merged) {
		snprintf(buf, OBJECT_LEN, "%u deleted files", o->merged);
	} else if (o->kind == OBJECT_PIPE || (o->kind == OBJECT_SOCKET && !o->path)) {
		snprintf(buf, OBJECT_LEN, "%s:[%llu]", object_kind_name(o->kind), (unsigned long long)o->what.ino);
	} else if (o->kind == OBJECT_TERMINAL) {
		snprintf(buf, OBJECT_LEN, "terminal %u:%u/%llu", o->what.dev >> 20,
			 o->what.dev & 0xfffff, (unsigned long long)(o->what.ino & ~SL_NO_INODE));
	} else if (o->kind == OBJECT_SERVED && !o->path) {
		snprintf(buf, OBJECT_LEN, "file system %u:%u", o->what.dev >> 20,
			 o->what.dev & 0xfffff);
	} else if (o->path) {
		size_t n = (size_t)snprintf(buf, OBJECT_LEN, "%s ",
					    o->kind == OBJECT_SERVED ? "file system" : object_kind_name(o->kind));

		text_safe(buf + n, OBJECT_LEN - n, o->path, strlen(o->path));
	} else {
		snprintf(buf, OBJECT_LEN, "%s %u:%u inode %llu", object_kind_name(o->kind),
			 o->what.dev >> 20, o->what.dev & 0xfffff, (unsigned long long)o->what.ino);
	}
	return buf;
}

static char *name_of(const struct graph_ref *r)
{
	char text[MAX(OBJECT_LEN, DEST_TEXT_LEN)], *name = NULL;
	const struct m_flow *f = r->of;
	int n;

	switch (r->kind) {
	case REF_SUBJECT:
		n = asprintf(&name, "process %s", subject_text(text, r->of));
		break;
	case REF_OBJECT:
		n = asprintf(&name, "%s", object_text(text, r->of));
		break;
	case REF_FLOW:
		n = asprintf(&name, "%s", dest_text(text, f));
		break;
	default:
		n = asprintf(&name, "process ?");
	}
	return n < 0 ? NULL : name;
}

static void hop_read(const struct m_subject *s, unsigned dataset, struct hop *h)
{
	const struct m_access *a = subject_access(s, dataset);
	uint64_t most = 0;

	h->via = access_name(ACCESS_READ);
	h->counted = true;
	for (unsigned k = 1; a && k < ACCESS_KINDS; k++) {
		uint64_t bytes = account_total(&a->kind[k]).bytes;

		if (bytes > most)
			h->via = access_name(k);
		most = MAX(most, bytes);
		h->bytes += bytes;
		if (bytes && (!h->time_ns || a->kind[k].first_ns < h->time_ns))
			h->time_ns = a->kind[k].first_ns;
		h->last_ns = bytes ? MAX(h->last_ns, a->kind[k].last_ns) : h->last_ns;
	}
}

/* How one came from the other where no taint tells of it. */
static enum edge_via kinship(const struct m_subject *from, const struct m_subject *to)
{
	if (from->process && from->process == to->process)
		return VIA_EXEC;
	for (const struct m_process *p = to->process; p; p = p->parent) {
		if (p->parent && p->parent == from->process)
			return VIA_FORK;
	}
	return VIA_HELD;
}

/* Other words that make_chain() and those below it use. */
const char *hop_via(const char *word)
{
	static const char *const others[] = {HOP_BEFORE, "tcp", "udp", "network", "channel", "dns"};

	for (unsigned via = 1; via < VIA_KINDS; via++)
		if (!strcmp(via_name(via), word))
			return via_name(via);
	for (unsigned k = 1; k < ACCESS_KINDS; k++)
		if (!strcmp(access_name(k), word))
			return access_name(k);
	for (unsigned p = 0; p <= UINT8_MAX; p++)
		if (net_proto_name((uint8_t)p) && !strcmp(net_proto_name((uint8_t)p), word))
			return net_proto_name((uint8_t)p);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (!strcmp(others[i], word))
			return others[i];
	return NULL;
}

static void hop_edge(const struct m_edge *e, unsigned dataset, struct hop *h)
{
	h->via = via_name((enum edge_via)e->key.via);
	h->counted = !edge_unlimited(e);
	h->bytes = h->counted ? edge_bytes(e, dataset) : 0;
	h->time_ns = 0;
	for (unsigned i = 0; i < e->ntransfers; i++) {
		const struct account *sum = &e->transfers[i].sum;

		if (!(e->transfers[i].mask & BIT(dataset)))
			continue;
		h->time_ns = h->time_ns ? MIN(h->time_ns, sum->first_ns) : sum->first_ns;
		h->last_ns = MAX(h->last_ns, sum->last_ns);
	}
}

static enum edge_via via_of(enum object_kind kind, bool writes)
{
	for (unsigned via = 1; via < VIA_KINDS; via++)
		if (via_traits(via)->kind == kind && via_traits(via)->writes == writes)
			return via;
	return VIA_HELD;
}

/* Of several edges the widest. Without one the bytes are those of a write that has not returned
 * yet. */
static void hop_transfer(const struct model *m, const struct m_subject *s, const struct m_object *o, bool writes,
			 unsigned dataset, struct hop *h)
{
	const struct m_edge *widest = NULL;

	for (const struct m_edge *e = o->edges; e; e = e->other_next) {
		if (e->subject == s && edge_writes(e) == writes && edge_passes(m, e, dataset) &&
		    (!widest || edge_limit(e, dataset) > edge_limit(widest, dataset)))
			widest = e;
	}
	if (widest)
		hop_edge(widest, dataset, h);
	else
		h->via = via_name(via_of(o->kind, writes));
}

static const struct m_edge *look_into(const struct m_subject *s, const struct m_subject *source,
				      unsigned dataset)
{
	for (const struct m_edge *e = s->edges; e; e = e->subject_next) {
		if (e->source == source && edge_carries(e, dataset))
			return e;
	}
	return NULL;
}

static const struct m_birth *birth_from(const struct m_subject *s, const struct m_subject *from,
					unsigned dataset)
{
	for (unsigned i = 0; i < s->nbirths; i++) {
		if (s->births[i].from == from && (s->births[i].mask & BIT(dataset)))
			return &s->births[i];
	}
	return NULL;
}

static void hop_kin(const struct m_subject *from, const struct m_subject *to, unsigned dataset,
		    struct hop *h)
{
	const struct m_birth *b = birth_from(to, from, dataset);
	const struct m_edge *look = look_into(to, from, dataset);

	if (b) {
		h->via = via_name(b->via);
		h->time_ns = b->since_ns;
		return;
	}
	if (look) {
		hop_edge(look, dataset, h);
		return;
	}
	h->via = via_name(kinship(from, to));
	h->time_ns = from->process == to->process ? 0 : to->who.start_ns;
}

static void hop_send(const struct m_flow *f, unsigned dataset, struct hop *h)
{
	uint64_t since = flow_since(f, dataset);

	h->via = f->f.proto == IPPROTO_TCP ? "tcp" : f->f.proto == IPPROTO_UDP ? "udp" : net_proto_name(f->f.proto);
	if (!h->via)
		h->via = "network";
	h->bytes = flow_sent(f, dataset);
	h->counted = true;
	h->time_ns = since == UINT64_MAX ? 0 : since;
	h->last_ns = f->f.last_ns;
}

/* No edge leads into it: of the flows that do, the one that sent most. */
static void hop_local(const struct m_object *o, unsigned dataset, struct hop *h)
{
	const struct m_flow *most = o->senders[0];

	for (unsigned i = 1; i < o->nsenders; i++) {
		if (flow_sent(o->senders[i], dataset) > flow_sent(most, dataset))
			most = o->senders[i];
	}
	hop_send(most, dataset, h);
	h->via = via_name(VIA_LOCAL_WRITE);
}

static void hop_fill(const struct model *m, unsigned dataset, const struct graph_ref *from,
		     const struct graph_ref *to, struct hop *h)
{
	if (to->kind == REF_FLOW) {
		hop_send(to->of, dataset, h);
	} else if (to->kind == REF_OBJECT && ((const struct m_object *)to->of)->nsenders) {
		hop_local(to->of, dataset, h);
	} else if (to->kind == REF_OBJECT) {
		hop_transfer(m, from->of, to->of, true, dataset, h);
	} else if (from->kind == REF_OBJECT) {
		hop_transfer(m, to->of, from->of, false, dataset, h);
	} else if (from->kind == REF_OVERFLOW) {
		h->via = access_name(ACCESS_READ);
		h->bytes = m->datasets[dataset].overflow;
		h->counted = true;
	} else {
		hop_kin(from->of, to->of, dataset, h);
	}
}

/* The way to whom held it when this monitor began, as the one before told it. */
static int hops_before(const struct graph_ref *r, unsigned dataset, char *from, char *to, struct hop *chain, size_t *count)
{
	const struct m_carried *list = r->kind == REF_OBJECT ? ((const struct m_object *)r->of)->carried
							     : ((const struct m_subject *)r->of)->carried;
	const struct carried *c = &carried_of(list, dataset)->is;

	if (!c->nchain) {
		chain[(*count)++] = (struct hop){from, to, HOP_BEFORE, c->bound, c->since_ns, true, 0};
		return 0;
	}
	free(from);
	free(to);
	for (size_t i = 0; i < c->nchain; i++) {
		struct hop *h = &chain[(*count)++];

		*h = c->chain[i];
		h->from = strdup(c->chain[i].from);
		h->to = strdup(c->chain[i].to);
		if (!h->from || !h->to)
			return -ENOMEM;
	}
	return 0;
}

static char *dataset_text(const struct model *m, unsigned dataset)
{
	char *name;

	return asprintf(&name, "dataset %s", m->datasets[dataset].id) < 0 ? NULL : name;
}

/* A way of bytes is told in its order: what several took began with the first of them, who may have come by another way. The
 * kernel half knows the last time of a hop to an interval. */
static void put_in_order(const struct model *m, struct hop *chain, size_t n)
{
	uint64_t before = 0;

	for (size_t i = 0; i < n; i++) {
		if (chain[i].time_ns && chain[i].time_ns < before && before < chain[i].last_ns + m->config->interval_ns)
			chain[i].time_ns = before;
		before = MAX(before, chain[i].time_ns);
	}
}

/* The path starts at a reader (the hop from the dataset to it is put before), at the overflow account, which stands for the
 * dataset itself, or at the past. */
static int make_chain(const struct model *m, unsigned dataset, const struct graph_ref *path,
		      size_t n, struct hop **ret, size_t *ret_n)
{
	size_t first = path[0].kind == REF_SUBJECT ? 0 : 1, count = 0;
	struct hop *chain = calloc(n + 1 + CARRY_HOPS_MAX, sizeof(*chain));
	int err = chain ? 0 : -ENOMEM;

	for (size_t i = first; i < n && !err; i++) {
		char *from = i == first ? dataset_text(m, dataset) : name_of(&path[i - 1]), *to = name_of(&path[i]);

		if (from && to && i == 1 && path[0].kind == REF_PAST) {
			err = hops_before(&path[1], dataset, from, to, chain, &count);
			continue;
		}
		struct hop *h = &chain[count++];
		*h = (struct hop){.from = from, .to = to};
		err = from && to ? 0 : -ENOMEM;
		if (!err && !i)
			hop_read(path[i].of, dataset, h);
		else if (!err)
			hop_fill(m, dataset, &path[i - 1], &path[i], h);
	}
	if (err) {
		chain_free(chain, count);
		return err;
	}
	put_in_order(m, chain, count);
	*ret = chain;
	*ret_n = count;
	return 0;
}

int chain_to_object(const struct model *m, unsigned dataset, struct ds_graph *g, const struct m_object *o,
		    struct hop **ret, size_t *ret_n)
{
	_cleanup_free_ struct graph_ref *path = NULL;
	size_t length;
	int err = ds_graph_objects_path(g, &o, 1, &path, &length);

	return err ? err : make_chain(m, dataset, path, length, ret, ret_n);
}

int chain_to_subject(const struct model *m, unsigned dataset, struct ds_graph *g, const struct m_subject *s,
		     struct hop **ret, size_t *ret_n)
{
	_cleanup_free_ struct graph_ref *path = NULL;
	size_t length;
	int err = ds_graph_held_path(g, &s, 1, &path, &length);

	return err ? err : make_chain(m, dataset, path, length, ret, ret_n);
}

static int set_chain(struct model *m, struct finding *f, const struct graph_ref *path,
		     size_t length)
{
	struct hop *chain;
	size_t count;
	int err = make_chain(m, (unsigned)f->dataset, path, length, &chain, &count);

	if (err)
		return err;
	chain_free(f->chain, f->nchain);
	f->chain = chain;
	f->nchain = count;
	for (size_t i = 0; i < length; i++) {
		if (path[i].kind == REF_SUBJECT)
			finding_process(f, (struct m_subject *)path[i].of);
	}
	return 0;
}

int finding_chain(struct model *m, struct finding *f, struct ds_graph *g,
		  const struct m_flow *const *flows, size_t n)
{
	_cleanup_free_ struct graph_ref *path = NULL;
	size_t length;
	int err = ds_graph_path(g, flows, n, &path, &length);

	if (err)
		return err == -ENOENT ? 0 : err;
	return set_chain(m, f, path, length);
}

int finding_chain_to_objects(struct model *m, struct finding *f, struct ds_graph *g,
			     const struct m_object *const *objects, size_t n)
{
	_cleanup_free_ struct graph_ref *path = NULL;
	size_t length;
	int err = ds_graph_objects_path(g, objects, n, &path, &length);

	if (err)
		return err == -ENOENT ? 0 : err;
	return set_chain(m, f, path, length);
}

/* One hop more, from the finding's process to what has no node. Takes `to` from it. */
static int append_hop(struct finding *f, struct hop hop)
{
	char who[SUBJECT_LEN];
	struct hop *chain = reallocarray(f->chain, f->nchain + 1, sizeof(*chain));

	if (!chain)
		return -ENOMEM;
	f->chain = chain;
	hop.to = strdup(hop.to);
	if (!hop.to || asprintf(&hop.from, "process %s", subject_text(who, f->process)) < 0) {
		free(hop.to);
		return -ENOMEM;
	}
	chain[f->nchain++] = hop;
	return 0;
}

/* Its bytes are not known: they are what the finding is about. */
static int append_channel(struct finding *f, const struct m_channel *c)
{
	return append_hop(f, (struct hop){.to = c->name, .via = "channel", .time_ns = c->first_ns});
}

int finding_chain_to_channel(struct model *m, struct finding *f, struct ds_graph *g,
			     const struct m_subject *const *holders, size_t n,
			     const struct m_channel *c)
{
	_cleanup_free_ struct graph_ref *path = NULL;
	char *name = strdup(c->name);
	size_t length;
	int err = name ? ds_graph_held_path(g, holders, n, &path, &length) : -ENOMEM;

	if (!err)
		err = set_chain(m, f, path, length);
	if (!err && f->process)
		err = append_channel(f, c);
	if (err && err != -ENOENT) {
		free(name);
		return err;
	}
	free(f->channel);
	f->channel = name;
	return 0;
}

int finding_chain_to_names(struct model *m, struct finding *f, struct ds_graph *g, const struct m_subject *const *askers,
			   size_t n, char *names, uint64_t bytes, uint64_t since_ns)
{
	_cleanup_free_ struct graph_ref *path = NULL;
	size_t length;
	int err = ds_graph_held_path(g, askers, n, &path, &length);

	if (!err)
		err = set_chain(m, f, path, length);
	if (!err && f->process)
		err = append_hop(f, (struct hop){.to = names, .via = "dns", .bytes = bytes, .time_ns = since_ns, .counted = true});
	return err == -ENOENT ? 0 : err;
}
