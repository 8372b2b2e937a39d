/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The evidence: by which hops bytes of a dataset can have come to where they left. */
#include "user/policy/finding.h"

#include <arpa/inet.h>
#include <string.h>

#include "user/model_graph.h"

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
	char text[ADDR_LEN];

	addr_text(text, addr);
	snprintf(buf, REMOTE_LEN, strchr(text, ':') ? "[%s]:%u" : "%s:%u", text, port);
	return buf;
}

static char *name_of(const struct graph_ref *r)
{
	char text[SUBJECT_LEN], *name = NULL;
	const struct m_flow *f = r->of;
	const struct m_object *o = r->of;
	int n;

	switch (r->kind) {
	case REF_SUBJECT:
		n = asprintf(&name, "process %s", subject_text(text, r->of));
		break;
	case REF_OBJECT:
		n = asprintf(&name, "pipe:[%llu]", (unsigned long long)o->what.ino);
		break;
	case REF_FLOW:
		n = asprintf(&name, "%s", remote_text(text, f->f.raddr, f->f.rport));
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

static void hop_birth(const struct m_subject *from, const struct m_subject *to, struct hop *h)
{
	for (unsigned i = 0; i < to->nbirths; i++) {
		if (to->births[i].from == from) {
			h->via = via_name(to->births[i].via);
			h->time_ns = to->births[i].since_ns;
			return;
		}
	}
	h->via = via_name(kinship(from, to));
	h->time_ns = from->process == to->process ? 0 : to->who.start_ns;
}

/* Without an edge the bytes are those of a write that has not returned yet. */
static void hop_transfer(const struct m_subject *s, const struct m_object *o, enum edge_via via,
			 unsigned dataset, struct hop *h)
{
	h->via = via_name(via);
	for (const struct m_edge *e = o->edges; e; e = e->object_next) {
		if (e->subject != s || e->key.via != via || !edge_bytes(e, dataset))
			continue;
		h->bytes = edge_bytes(e, dataset);
		h->counted = true;
		for (unsigned i = 0; i < e->ntransfers; i++) {
			if ((e->transfers[i].mask & BIT(dataset)) &&
			    (!h->time_ns || e->transfers[i].sum.first_ns < h->time_ns))
				h->time_ns = e->transfers[i].sum.first_ns;
		}
	}
}

static void hop_send(const struct m_flow *f, unsigned dataset, struct hop *h)
{
	uint64_t since = flow_since(f, dataset);

	h->via = f->f.proto == IPPROTO_TCP ? "tcp" : f->f.proto == IPPROTO_UDP ? "udp" : "network";
	h->bytes = flow_sent(f, dataset);
	h->counted = true;
	h->time_ns = since == UINT64_MAX ? 0 : since;
}

static void hop_fill(const struct model *m, unsigned dataset, const struct graph_ref *from,
		     const struct graph_ref *to, struct hop *h)
{
	if (to->kind == REF_FLOW) {
		hop_send(to->of, dataset, h);
	} else if (to->kind == REF_OBJECT) {
		hop_transfer(from->of, to->of, VIA_PIPE_WRITE, dataset, h);
	} else if (from->kind == REF_OBJECT) {
		hop_transfer(to->of, from->of, VIA_PIPE_READ, dataset, h);
	} else if (from->kind == REF_OVERFLOW) {
		h->via = access_name(ACCESS_READ);
		h->bytes = m->datasets[dataset].overflow;
		h->counted = true;
	} else {
		hop_birth(from->of, to->of, h);
	}
}

static char *dataset_text(const struct model *m, unsigned dataset)
{
	char *name;

	return asprintf(&name, "dataset %s", m->datasets[dataset].id) < 0 ? NULL : name;
}

/* The path starts at a reader (the hop from the dataset to it is put before), or at the overflow
 * account, which stands for the dataset itself. */
static int make_chain(const struct model *m, unsigned dataset, const struct graph_ref *path,
		      size_t n, struct hop **ret, size_t *ret_n)
{
	size_t first = path[0].kind == REF_SUBJECT ? 0 : 1, count = 0;
	struct hop *chain = calloc(n + 1, sizeof(*chain));

	if (!chain)
		return -ENOMEM;
	for (size_t i = first; i < n; i++) {
		struct hop *h = &chain[count++];

		h->from = i == first ? dataset_text(m, dataset) : name_of(&path[i - 1]);
		h->to = name_of(&path[i]);
		if (!h->from || !h->to) {
			chain_free(chain, count);
			return -ENOMEM;
		}
		if (!i)
			hop_read(path[i].of, dataset, h);
		else
			hop_fill(m, dataset, &path[i - 1], &path[i], h);
	}
	*ret = chain;
	*ret_n = count;
	return 0;
}

int finding_chain(struct model *m, struct finding *f, struct ds_graph *g,
		  const struct m_flow *const *flows, size_t n)
{
	_cleanup_free_ struct graph_ref *path = NULL;
	struct hop *chain;
	size_t length, count;
	int err = ds_graph_path(g, flows, n, &path, &length);

	if (err)
		return err == -ENOENT ? 0 : err;
	err = make_chain(m, (unsigned)f->dataset, path, length, &chain, &count);
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
