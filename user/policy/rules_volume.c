/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * exfil.volume: tagged bytes that can have left for where nobody allowed them to go; s3.foreign-bucket: for a bucket that
 * nobody allowed, at whatever address; egress.plaintext: to the outside without encryption.
 */
#include "user/policy/rules_leak.h"

#include <string.h>

static int order(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* Flows without one remote end are no group with those that have one, whatever stands in its place. */
static int end_kind(const struct m_flow *f)
{
	return flow_has_remote(f) ? 0 : f->f.role;
}

static int compare_addresses(const struct m_flow *a, const struct m_flow *b)
{
	int c = end_kind(a) - end_kind(b);

	if (!c)
		c = memcmp(a->f.raddr, b->f.raddr, sizeof(a->f.raddr));
	return c ? c : order(a->f.rport, b->f.rport);
}

static enum severity by_volume(const struct m_flow *f, enum severity s)
{
	return s;
}

static enum severity medium_at_least(const struct m_flow *f, enum severity s)
{
	return MAX(s, SEVERITY_MEDIUM);
}

/* --- exfil.volume ------------------------------------------------------------------- */

/* One name has many addresses, and goes on to others; a name that is only claimed joins nothing. */
static int compare_ends(const struct m_flow *a, const struct m_flow *b)
{
	int c = flow_name_proven(a) - flow_name_proven(b);

	if (c || !flow_name_proven(a))
		return c ? c : compare_addresses(a, b);
	c = strcmp(flow_name(a), flow_name(b));
	return c ? c : order(a->f.rport, b->f.rport);
}

static int title_volume(struct finding *f, const struct leak_words *w)
{
	return finding_title(f, "%s sent at most %s of %s to %s outside the VPC", w->actor, w->size, w->dataset, w->dest);
}

int judge_volume(struct judging *j)
{
	static const struct leak_rule rule = {
		RULE_EXFIL_VOLUME, flow_outside, flow_allowed, compare_ends,
		dest_about,	   dest_text,	 by_volume,    title_volume,
	};

	return judge_leaks(j, &rule);
}

/* --- s3.foreign-bucket -------------------------------------------------------------- */

static bool goes_to_s3(const struct m_flow *f)
{
	return flow_has_remote(f) && flow_is_s3(f);
}

static bool bucket_allowed(const struct model *m, const struct m_flow *f, uint64_t mask)
{
	return flow_allow_bucket(m, f, mask);
}

static int compare_names(const struct m_flow *a, const struct m_flow *b)
{
	return strcmp(flow_name(a), flow_name(b));
}

static char *host_key(char buf[static DEST_LEN], const struct m_flow *f)
{
	snprintf(buf, DEST_LEN, "%s", *flow_name(f) ? flow_name(f) : "?");
	return buf;
}

/* Whose, as far as the name says. */
static char *bucket_text(char buf[static DEST_TEXT_LEN], const struct m_flow *f)
{
	static const struct aws_name none;
	const struct aws_name *a = f->said ? &f->said->aws : &none;

	switch (a->form) {
	case S3_NONE:
		snprintf(buf, DEST_TEXT_LEN, "a bucket that is not known");
		break;
	case S3_BUCKET:
		snprintf(buf, DEST_TEXT_LEN, "bucket %s", a->resource);
		break;
	case S3_PATH:
	case S3_CONTROL:
		snprintf(buf, DEST_TEXT_LEN, "a bucket that %s does not name", flow_name(f));
		break;
	default:
		snprintf(buf, DEST_TEXT_LEN, "access point %s%s%s", *a->resource ? a->resource : flow_name(f),
			 *a->account ? " of account " : "", a->account);
	}
	return buf;
}

static int title_bucket(struct finding *f, const struct leak_words *w)
{
	return finding_title(f, "%s sent at most %s of %s to %s, which nothing allows", w->actor, w->size, w->dataset, w->dest);
}

int judge_buckets(struct judging *j)
{
	static const struct leak_rule rule = {
		RULE_S3_FOREIGN_BUCKET, goes_to_s3,  bucket_allowed, compare_names,
		host_key,		bucket_text, medium_at_least,    title_bucket,
	};

	return judge_leaks(j, &rule);
}

/* --- egress.plaintext --------------------------------------------------------------- */

/* Inside the VPC ranks of a training talk so, each to each, and so do NFS and Lustre: a flow's record says it, and that is all.
 * Questions to name servers are what dns.tunnel is about. */
static bool goes_in_the_clear(const struct m_flow *f)
{
	return f->said && f->said->facts.plain && flow_outside(f) && strcmp(f->said->facts.spoken, SPOKEN_DNS);
}

static bool never(const struct model *m, const struct m_flow *f, uint64_t mask)
{
	return false;
}

static int title_clear(struct finding *f, const struct leak_words *w)
{
	return finding_title(f, "%s sent at most %s of %s unencrypted to %s", w->actor, w->size, w->dataset, w->dest);
}

int judge_plaintext(struct judging *j)
{
	static const struct leak_rule rule = {
		RULE_EGRESS_PLAINTEXT, goes_in_the_clear, never,	   compare_ends,
		dest_about,	       dest_text,	  medium_at_least, title_clear,
	};

	return judge_leaks(j, &rule);
}
