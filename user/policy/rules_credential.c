/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * credential.static: a process of an ML job, or one that may hold tagged bytes, uses a credential that does not end with the
 * job. Also one that became so after it had opened the file.
 */
#include "user/policy/rules_internal.h"

#include "user/model_credential.h"

static int describe(struct finding *f, const struct m_use *u)
{
	char who[JOB_LEN];
	const char *job = use_job(u), *noun = secret_noun(u->kind), *advice = secret_advice(u->kind);
	bool keyed = u->key[0];

	if (job)
		snprintf(who, sizeof(who), "%s", job);
	else if (u->subject)
		actor_text(who, u->subject);
	else
		snprintf(who, sizeof(who), "%s[%u]", u->by.comm, u->by.pid);
	return finding_title(f, "%s uses a long-lived %s%s%s%s from %s; %s", who, noun, keyed ? " (" : "", u->key,
			     keyed ? ")" : "", u->path ? u->path : "its environment", advice);
}

static int name_process(struct finding *f, const struct m_use *u)
{
	if (u->subject || f->process) {
		if (u->subject)
			finding_process(f, u->subject);
		return 0;
	}
	return finding_process_told(f, &u->by);
}

static int update(struct judging *j, struct finding *f, struct m_use *u)
{
	bool counted = f->count && f->last_ns == j->now_ns;
	enum severity now = u->mask ? SEVERITY_HIGH : SEVERITY_MEDIUM;
	int err = name_process(f, u);

	f->severity = f->count ? MAX(f->severity, now) : now;
	if (!err)
		err = describe(f, u);
	if (!err)
		err = finding_cover(j->m, f, NULL);
	if (!counted)
		finding_grow(f, j->now_ns);
	f->given = false;
	return err;
}

/* By job, file and key, so that it is the same after a restart. */
static int raise_finding(struct judging *j, struct m_use *u)
{
	_cleanup_free_ char *about = NULL;
	struct finding_key key = {.rule = RULE_CREDENTIAL_STATIC, .dataset = -1, .job = use_job(u)};
	struct finding *f;

	if (asprintf(&about, "%s|%s|%s", secret_name(u->kind), u->path ? u->path : "", u->key) < 0) {
		about = NULL;
		return -ENOMEM;
	}
	key.about = about;
	if (!finding_has_place(j->m, &key))
		key.about = ABOUT_OTHERS;
	int err = finding_get(j->m, &key, j->now_ns, &f);
	return err ? err : update(j, f, u);
}

static bool is_news(const struct m_use *u)
{
	return !u->raised || u->opens > u->judged || (u->mask && !u->raised_high);
}

static bool concerns(const struct model *m, const struct m_use *u)
{
	const char *job = use_job(u);

	return secret_is_static(u->kind) && (u->mask || (job && job_is_ml(m, job)));
}

int judge_credentials(struct judging *j)
{
	int err = 0;

	credentials_find_subjects(j->m);
	for (struct m_use *u = j->m->credentials->first; u; u = u->next) {
		if (!is_news(u) || !concerns(j->m, u))
			continue;
		int e = raise_finding(j, u);
		err = err ? err : e;
		u->raised = true;
		u->raised_high = u->raised_high || u->mask;
		u->judged = u->opens;
	}
	return err;
}
