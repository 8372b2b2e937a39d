/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Who talks to what: all flows to one remote end as one. */
#include "user/snapshot_internal.h"

#include <string.h>

#include "user/hashmap.h"
#include "user/policy/finding.h"
#include "user/policy/allow.h"

#define WHO_MAX 4 /* told by name */

struct end {
	struct {
		uint8_t addr[16];
		uint16_t port; /* 0: of those who come in it says nothing */
		uint8_t proto;
		uint8_t in; /* they came to us */
		uint8_t many;
		uint8_t pad[3];
		uint64_t said; /* of its struct m_said */
	} key;
	const struct m_flow *any; /* one of them */
	uint64_t out, in, tainted, reach;
	uint64_t flows, live;
	const struct m_subject *who[WHO_MAX]; /* distinct */
	const struct m_job *jobs[WHO_MAX];
	bool who_more, jobs_more;
	const struct allow_rule *rule; /* that covers the first that is covered */
	bool covered, uncovered;       /* some are, some are not */
	bool bucket; /* it is their bucket that is not */
};

static void end_key(struct end *e, const struct m_flow *f)
{
	bool in = f->f.role == ROLE_ACCEPT;

	memcpy(e->key.addr, f->f.raddr, sizeof(e->key.addr));
	e->key.port = in ? 0 : f->f.rport;
	e->key.proto = f->f.proto;
	e->key.in = in;
	e->key.many = !flow_has_remote(f);
	e->key.said = (uintptr_t)f->said;
}

static int end_get(struct hashmap *ends, const struct m_flow *f, struct end **ret)
{
	struct end like = {0}, *e;
	int err;

	end_key(&like, f);
	e = hashmap_find(ends, &like.key);
	if (!e) {
		e = malloc(sizeof(*e));
		if (!e)
			return -ENOMEM;
		*e = like;
		e->any = f;
		err = hashmap_add(ends, e);
		if (err) {
			free(e);
			return err;
		}
	}
	*ret = e;
	return 0;
}

/* False: there is no room for one more. */
static bool among(const void **v, const void *one)
{
	for (size_t i = 0; i < WHO_MAX; i++) {
		if (!v[i])
			v[i] = one;
		if (v[i] == one)
			return true;
	}
	return false;
}

static void end_add(const struct model *m, struct end *e, const struct m_flow *f)
{
	bool outside = flow_outside(f), s3 = flow_is_s3(f);
	const struct allow_rule *rule = s3 ? flow_allow_bucket(m, f, f->reach) : outside ? flow_allow(m, f, f->reach) : NULL;

	e->out += f->out;
	e->in += f->in;
	e->tainted += flow_tainted(f);
	e->reach |= f->reach;
	e->flows++;
	e->live += !f->closed;
	if (f->who && !among((const void **)e->who, f->who))
		e->who_more = true;
	if (f->who && f->who->job && !among((const void **)e->jobs, f->who->job))
		e->jobs_more = true;
	e->rule = e->rule ? e->rule : rule;
	e->bucket |= s3 && !rule;
	*(rule || !(s3 || outside) ? &e->covered : &e->uncovered) = true;
}

/* --- as JSON --------------------------------------------------------------------- */

static json_t *json_who(const struct end *e)
{
	char text[SUBJECT_LEN];
	json_t *list = json_array();

	for (size_t i = 0; list && i < WHO_MAX && e->who[i]; i++) {
		if (json_array_append_new(list, json_safe(subject_text(text, e->who[i])))) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *json_jobs(const struct end *e)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < WHO_MAX && e->jobs[i]; i++) {
		if (json_array_append_new(list, json_safe(e->jobs[i]->name))) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

/* Inside nothing has to be allowed but a bucket. */
static bool must_be_allowed(const struct end *e)
{
	return flow_outside(e->any) || flow_is_s3(e->any);
}

static json_t *json_allowed(const struct end *e)
{
	return must_be_allowed(e) ? json_boolean(!e->uncovered) : json_null();
}

/* Why not, where a name would be needed. */
static const char *why_not(const struct end *e)
{
	const struct m_said *s = e->any->said;

	if (s && s->facts.belief == BELIEF_FRONTED)
		return "its name resolved to other addresses, never to this one";
	if (s && s->facts.belief == BELIEF_CLAIMED)
		return "no entry of network.allow covers it; its name is only claimed, which none by name takes";
	if (e->bucket)
		return "no entry of network.allow covers this bucket";
	return "no entry of network.allow covers it";
}

static json_t *json_because(const struct model *m, const struct end *e)
{
	const char *class = class_name(e->any->dest.class);
	json_t *rule, *text;

	if (!must_be_allowed(e))
		return json_sprintf("%s is inside", class);
	if (!e->rule)
		return json_string(why_not(e));
	rule = json_allow_rule(m, e->rule);
	text = e->uncovered ? json_sprintf("only in part by %s", json_string_value(rule)) : json_incref(rule);
	json_decref(rule);
	return text;
}

/* What is said is told by what it says: where that is kept may be another's place later. */
static void end_id(const struct end *e, char ret[static 32])
{
	struct end like = *e;

	like.key.said = e->any->said ? hashmap_hash(&e->any->said->facts, sizeof(e->any->said->facts)) : 0;
	snprintf(ret, 32, "%016llx", (unsigned long long)hashmap_hash(&like.key, sizeof(like.key)));
}

static json_t *json_end(const struct model *m, const struct end *e, const char *id)
{
	json_t *remote =
	    e->key.many ? json_many(&e->any->dest) : json_remote(e->key.addr, e->key.port, &e->any->dest, e->any->said);

	return json_pack("{s:s, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:b, s:o, s:o}", "id", id, "remote",
			 remote, "proto", json_proto(e->any), "direction", e->key.in ? "in" : "out", "flows",
			 json_count(e->flows), "live", json_count(e->live), "bytes_out", json_count(e->out), "bytes_in",
			 json_count(e->in), "tainted_out", json_count(e->tainted), "datasets", json_datasets(m, e->reach),
			 "processes", json_who(e), "processes_more", e->who_more, "jobs", json_jobs(e), "jobs_more", e->jobs_more,
			 "allowed", json_allowed(e), "because", json_because(m, e));
}

static int gather(const struct model *m, struct hashmap *ends)
{
	int err = 0;

	for (const struct m_flow *f = m->first_flow; f && !err; f = f->next) {
		struct end *e;

		if (!f->filled || f->f.role == ROLE_OVERFLOW)
			continue;
		err = end_get(ends, f, &e);
		if (!err)
			end_add(m, e, f);
	}
	return err;
}

int destination_items(struct snapshot_work *w)
{
	struct hashmap ends = HASHMAP_OF(struct end, key);
	int err = gather(w->m, &ends);

	for (size_t i = 0; i < ends.size; i++) {
		struct end *e = ends.slots[i].item;
		char id[32];

		if (e && !err) {
			end_id(e, id);
			err = snapshot_take(w, id, 0, json_end(w->m, e, id));
		}
		free(e);
	}
	hashmap_free(&ends);
	return err;
}
