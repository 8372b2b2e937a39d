/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/model_said.h"

#include <string.h>

#include "user/model_internal.h"
#include "user/policy/finding.h"

#define SAID_MAX 16384

struct m_said *said_ref(struct m_said *s)
{
	if (s)
		s->refs++;
	return s;
}

void said_unref(struct model *m, struct m_said *s)
{
	if (!s || --s->refs)
		return;
	hashmap_remove(&m->said, &s->facts);
	free(s);
}

void said_free(struct model *m)
{
	for (size_t i = 0; i < m->said.size; i++)
		free(m->said.slots[i].item);
}

static int said_get(struct model *m, const struct said_facts *facts, struct m_said **ret)
{
	struct m_said *s = hashmap_find(&m->said, facts);
	int err;

	if (s) {
		*ret = said_ref(s);
		return 0;
	}
	if (m->said.used >= SAID_MAX)
		return -ENOSPC;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->facts = *facts;
	s->is_aws = *facts->name && aws_name_parse(facts->name, &s->aws);
	err = hashmap_add(&m->said, s);
	if (err) {
		free(s);
		return err;
	}
	*ret = said_ref(s);
	return 0;
}

int model_set_said(struct model *m, uint64_t flow, const struct said_facts *facts, bool waiting)
{
	struct m_flow *f = hashmap_find(&m->flows, &flow);
	struct m_said *s;
	int err;

	if (!f || !f->filled)
		return -ENOENT;
	/* long silent, it is heard anew, from its middle on: what it said first stands */
	if (f->said && *f->said->facts.spoken && !*facts->spoken)
		return 0;
	f->said_waits = waiting;
	if (f->said && !memcmp(&f->said->facts, facts, sizeof(*facts)))
		return 0;
	err = said_get(m, facts, &s);
	if (err)
		return err;
	said_unref(m, f->said);
	f->said = s;
	return 0;
}

const char *name_source_text(enum name_source s)
{
	static const char *const text[NAME_SOURCES] = {
		[NAME_FROM_SNI] = "sni",	 [NAME_FROM_QUIC] = "quic", [NAME_FROM_HTTP] = "http",
		[NAME_FROM_CONNECT] = "connect", [NAME_FROM_DNS] = "dns",
	};

	return (unsigned)s < NAME_SOURCES ? text[s] : NULL;
}

const char *name_belief_text(enum name_belief b)
{
	static const char *const text[BELIEFS] = {
		[BELIEF_CLAIMED] = "claimed", [BELIEF_FRONTED] = "fronted", [BELIEF_PROXY] = "proxy", [BELIEF_RESOLVED] = "resolved",
	};

	return (unsigned)b < BELIEFS ? text[b] : NULL;
}

const char *flow_name(const struct m_flow *f)
{
	return f->said && flow_has_remote(f) ? f->said->facts.name : "";
}

bool flow_name_proven(const struct m_flow *f)
{
	return *flow_name(f) && f->said->facts.belief >= BELIEF_PROXY;
}

bool flow_outside(const struct m_flow *f)
{
	return class_outside(f->dest.class) || (f->said && f->said->facts.proxied && f->dest.class == CLASS_VPC);
}

char *dest_about(char buf[static DEST_LEN], const struct m_flow *f)
{
	char text[REMOTE_LEN];

	if (flow_name_proven(f))
		snprintf(buf, DEST_LEN, "%s:%u", flow_name(f), f->f.rport);
	else
		snprintf(buf, DEST_LEN, "%s", flow_text(text, f));
	return buf;
}

char *dest_text(char buf[static DEST_TEXT_LEN], const struct m_flow *f)
{
	char text[REMOTE_LEN];

	if (*flow_name(f))
		snprintf(buf, DEST_TEXT_LEN, "%s (%s%s)", flow_name(f), f->said->facts.proxied ? "by way of " : "", flow_text(text, f));
	else
		snprintf(buf, DEST_TEXT_LEN, "%s", flow_text(text, f));
	return buf;
}
