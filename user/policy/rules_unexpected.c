/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* egress.unexpected: who should not talk to the outside unasked, does. Tagged bytes need not be in
 * it. */
#include "user/policy/rules_internal.h"

#include <string.h>

#define TCP_ESTABLISHED 1

/* What it can have carried, but for what was lost on the way in a declared derivation. */
static uint64_t carried(const struct model *m, const struct m_flow *f)
{
	return flow_mask(f) & ~(m->derived_from & ~f->reach);
}

/* What the monitor itself asks for is as it was told to. */
static bool watched(const struct model *m, const struct m_flow *f)
{
	if (f->who && m->self && f->who->who.tgid == m->self)
		return false;
	switch (m->config->network.expect) {
	case EXPECT_ALL:
		return true;
	case EXPECT_TAINTED:
		return flow_mask(f) || (f->who && subject_mask(f->who));
	default:
		return f->who && f->who->job && job_is_ml(m, f->who->job->name);
	}
}

/* A connection that was never answered is no talk. */
static bool talks(const struct m_flow *f)
{
	return f->out || f->in || f->f.state == TCP_ESTABLISHED;
}

static int describe(struct model *m, struct finding *f, const struct m_flow *flow, bool joined)
{
	char actor[JOB_LEN], remote[DEST_TEXT_LEN], size[SIZE_LEN];

	dest_text(remote, flow);
	finding_remote(m, f, flow);
	f->has_remote = !joined && flow_has_remote(flow);
	return finding_title(f, "%s talks to %s outside the VPC, which nothing allows (%s in all)",
			     actor_text(actor, flow->who), joined ? "further destinations" : remote,
			     size_iec(size, f->seen));
}

static int grow_unexpected(struct judging *j, struct finding *f, const struct m_flow *flow,
			   uint64_t more, bool joined)
{
	bool counted = f->count && f->last_ns == j->now_ns;
	int err;

	f->seen += more;
	f->severity = flow_mask(flow) || (flow->who && subject_mask(flow->who)) ? SEVERITY_MEDIUM
										: SEVERITY_LOW;
	finding_process(f, flow->who);
	err = describe(j->m, f, flow, joined);
	if (!err)
		err = finding_cover(j->m, f, NULL);
	if (!counted)
		finding_grow(f, j->now_ns);
	return err;
}

static int judge_flow(struct judging *j, struct m_flow *flow)
{
	char about[DEST_LEN];
	struct finding_key key = {
	    .rule = RULE_EGRESS_UNEXPECTED,
	    .dataset = -1,
	    .job = flow->who && flow->who->job ? flow->who->job->name : NULL,
	    .about = dest_about(about, flow),
	};
	uint64_t all = flow->out + flow->in, more = all > flow->judged ? all - flow->judged : 0;
	bool joined = !finding_has_place(j->m, &key);
	struct finding *f;

	if (joined)
		key.about = ABOUT_OTHERS;
	if (!more && finding_find(j->m, &key))
		return 0;
	int err = finding_get(j->m, &key, j->now_ns, &f);
	if (err)
		return err;
	flow->judged = all;
	return grow_unexpected(j, f, flow, more, joined);
}

int judge_unexpected(struct judging *j)
{
	int err = 0;

	for (struct m_flow *f = j->m->first_flow; f; f = f->next) {
		if (!f->filled || f->folded || !flow_outside(f) || !talks(f))
			continue;
		if (wait_for_name(j, f) || !watched(j->m, f) || flow_allowed(j->m, f, carried(j->m, f)))
			continue;
		int e = judge_flow(j, f);
		err = err ? err : e;
	}
	return err;
}
