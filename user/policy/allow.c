/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/policy/allow.h"

#include <string.h>
#include <strings.h>

#include "user/dest/aws_partition.h"

static bool is_aws(const struct m_flow *f)
{
	return f->said && f->said->is_aws;
}

/* By AWS's published ranges. Of few services these have an own entry; all of them are in AMAZON's. */
static bool at_service(const struct m_flow *f, const char *service)
{
	return f->dest.class == CLASS_AWS && f->dest.service &&
	       (!strcasecmp(f->dest.service, service) || !strcmp(f->dest.service, "AMAZON"));
}

/* Asked for of whom has the address, and by no other name: not of a proxy, and not the name that an answer had for it. */
static bool asked_there(const struct said_facts *s)
{
	return s->belief != BELIEF_FRONTED && s->source != NAME_FROM_DNS && !s->proxied;
}

static bool believed(const struct m_flow *f)
{
	return f->said && (flow_name_proven(f) ||
			   (is_aws(f) && asked_there(&f->said->facts) && at_service(f, f->said->aws.service)));
}

/* "*.example.org" stands for one label or more before it. */
static bool name_matches(const char *pattern, const char *name)
{
	size_t n = strlen(name), tail;

	if (strncmp(pattern, "*.", 2))
		return !strcmp(pattern, name);
	tail = strlen(pattern + 1);
	return n > tail && !strcmp(name + n - tail, pattern + 1);
}

/* In China, in GovCloud anyone may have a bucket of that name: they are unique in one partition, which is meant to be the host's. */
static bool in_partition(const struct model *m, const struct aws_name *a)
{
	return !*m->vpc.region || !strcmp(a->partition, aws_partition_of(m->vpc.region)->name);
}

static bool bucket_matches(const struct model *m, const char *bucket, const struct m_flow *f)
{
	return is_aws(f) && f->said->aws.form == S3_BUCKET && !strcmp(bucket, f->said->aws.resource) && in_partition(m, &f->said->aws);
}

static bool account_matches(const char *account, const struct m_flow *f)
{
	return is_aws(f) && !strcmp(account, f->said->aws.account);
}

static bool service_matches(const char *service, const struct m_flow *f)
{
	if (f->dest.class == CLASS_AWS && f->dest.service && !strcasecmp(f->dest.service, service))
		return true;
	return is_aws(f) && believed(f) && !strcasecmp(f->said->aws.service, service);
}

static bool asks_for_name(const struct allow_rule *a)
{
	return a->name || a->bucket || a->account;
}

static bool entry_covers(const struct model *m, const struct allow_rule *a, const struct m_flow *f)
{
	if (!flow_has_remote(f) || (a->port && a->port != f->f.rport))
		return false;
	if (asks_for_name(a) && !believed(f))
		return false;
	return (!a->has_cidr || cidr_holds(&a->cidr, f->f.raddr)) && (!a->service || service_matches(a->service, f)) &&
	       (!a->name || name_matches(a->name, flow_name(f))) && (!a->bucket || bucket_matches(m, a->bucket, f)) &&
	       (!a->account || account_matches(a->account, f));
}

static bool entry_for(const struct model *m, const struct allow_rule *a, uint64_t mask)
{
	if (!a->datasets.n)
		return true;
	for (; mask; mask &= mask - 1) {
		const char *id = m->datasets[__builtin_ctzll(mask)].id;

		if (!id || !strings_match(&a->datasets, id))
			return false;
	}
	return true;
}

static const struct allow_rule *first(const struct model *m, const struct m_flow *f, uint64_t mask,
				      bool (*counts)(const struct config *, const struct allow_rule *))
{
	for (size_t i = 0; i < m->config->network.nallow; i++) {
		const struct allow_rule *a = &m->config->network.allow[i];

		if ((!counts || counts(m->config, a)) && entry_covers(m, a, f) && entry_for(m, a, mask))
			return a;
	}
	return NULL;
}

const struct allow_rule *flow_allow(const struct model *m, const struct m_flow *f, uint64_t mask)
{
	return first(m, f, mask, NULL);
}

bool domain_allowed(const struct model *m, const char *domain, uint64_t mask)
{
	size_t n = strlen(domain);

	for (size_t i = 0; n && i < m->config->network.nallow; i++) {
		const struct allow_rule *a = &m->config->network.allow[i];
		size_t len = a->name ? strlen(a->name) : 0;

		if (len >= n && !strcmp(a->name + len - n, domain) && (len == n || a->name[len - n - 1] == '.') && entry_for(m, a, mask))
			return true;
	}
	return false;
}

/* --- buckets ------------------------------------------------------------------------------------ */

static bool says_s3(const struct m_flow *f)
{
	return is_aws(f) && f->said->aws.form != S3_NONE && f->said->aws.form != S3_CONTROL;
}

bool flow_is_s3(const struct m_flow *f)
{
	if (says_s3(f))
		return true;
	if (is_aws(f) && flow_name_proven(f))
		return false;
	return f->dest.class == CLASS_AWS && f->dest.service && !strcmp(f->dest.service, "S3");
}

static bool names_owner(const struct allow_rule *a)
{
	return a->bucket || a->account;
}

static bool any_names_owner(const struct config *c)
{
	for (size_t i = 0; i < c->network.nallow; i++)
		if (names_owner(&c->network.allow[i]))
			return true;
	return false;
}

static bool allows_bucket(const struct config *c, const struct allow_rule *a)
{
	return asks_for_name(a) || (a->service && !any_names_owner(c));
}

const struct allow_rule *flow_allow_bucket(const struct model *m, const struct m_flow *f, uint64_t mask)
{
	return first(m, f, mask, allows_bucket);
}
