/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* access.unauthorized: who is not among a dataset's readers reads it. */
#include "user/policy/rules_internal.h"

#include <string.h>

#include "user/policy/people.h"
#include "user/policy/users.h"

static void user_text(const struct model *m, const struct m_subject *s, char *buf, size_t n)
{
	const char *name = s->uid_known ? users_name(m->users, s->uid) : NULL;

	if (!s->uid_known)
		snprintf(buf, n, "an unknown user");
	else if (name)
		snprintf(buf, n, "%s", name);
	else
		snprintf(buf, n, "uid %u", s->uid);
}

static int describe(const struct model *m, struct finding *f, const struct m_subject *s,
		    const char *by)
{
	char user[64], who[SUBJECT_LEN], size[SIZE_LEN], label[DATASET_LEN];

	user_text(m, s, user, sizeof(user));
	return finding_title(f, "%s (%s, %s) read %s of %s; the %s is not among its readers",
			     subject_text(who, s), user, s->job ? s->job->name : "unknown job",
			     size_iec(size, f->exposed),
			     dataset_label(label, &m->datasets[f->dataset]), by);
}

static int judge_access(struct judging *j, struct m_subject *s, struct m_access *a, uint64_t bytes)
{
	const struct m_dataset *d = &j->m->datasets[a->dataset];
	const char *unknown, *by = people_lack(j->m, &d->config->readers, s, &unknown);
	char about[512];
	struct finding_key key = {
	    .rule = RULE_ACCESS_UNAUTHORIZED,
	    .dataset = a->dataset,
	    .job = s->job ? s->job->name : NULL,
	    .about = about,
	};
	struct finding *f;
	uint64_t more = bytes - a->judged;
	int err;

	a->judged = bytes;
	if (!by)
		return 0;
	snprintf(about, sizeof(about), "%s:%d|%s", by, s->uid_known ? (int)s->uid : -1,
		 s->exe ? s->exe : "");
	if (!finding_has_place(j->m, &key))
		key.about = ABOUT_OTHERS;
	err = finding_get(j->m, &key, j->now_ns, &f);
	if (err)
		return err;
	bool counted = f->count && f->last_ns == j->now_ns;
	f->has_exposed = true;
	f->exposed += more;
	f->severity = unknown ? SEVERITY_MEDIUM : SEVERITY_HIGH;
	finding_process(f, s);
	err = describe(j->m, f, s, by);
	if (!err)
		err = finding_cover(j->m, f, unknown);
	if (!counted)
		finding_grow(f, j->now_ns);
	f->given = false;
	return err;
}

int judge_readers(struct judging *j)
{
	int err = 0;

	for (struct m_subject *s = j->m->first_subject; s; s = s->next) {
		for (struct m_access *a = s->process ? s->access : NULL; a; a = a->next) {
			const struct dataset_config *c = j->m->datasets[a->dataset].config;
			uint64_t bytes = access_bytes(a);

			if (!c || !c->readers.set || bytes <= a->judged)
				continue;
			/* Who it is, is told mostly in the same interval. */
			if (!s->known && !a->waited) {
				a->waited = true;
				continue;
			}
			int e = judge_access(j, s, a, bytes);
			err = err ? err : e;
		}
	}
	return err;
}
