/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/policy/people.h"

#include "user/policy/users.h"

const char *people_lack(const struct model *m, const struct people *who, const struct m_subject *s,
			const char **ret_unknown)
{
	*ret_unknown = NULL;
	if (who->users.n && !(s->uid_known && users_match(m->users, &who->users, s->uid))) {
		*ret_unknown = s->uid_known ? NULL : "subject.uid";
		return "user";
	}
	if (who->jobs.n && !(s->job && strings_match(&who->jobs, s->job->name))) {
		*ret_unknown = s->job ? NULL : "subject.job";
		return "job";
	}
	if (who->exe.n && !(s->exe && strings_match(&who->exe, s->exe))) {
		*ret_unknown = s->exe ? NULL : "subject.exe";
		return "executable";
	}
	return NULL;
}
