/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/model_trust.h"

#include <string.h>

#include "user/model_internal.h"

/* Only root and the owner, who could change the file anyway: whoever else runs it could make it do as he likes. */
static bool listed(const struct model *m, const struct m_subject *s)
{
	for (size_t i = 0; i < m->ntrusted; i++) {
		const struct trusted_file *t = &m->trusted[i];

		if (!t->ended && s->exe_ino && t->ino == s->exe_ino && t->dev == s->exe_dev && s->uid_known &&
		    (!s->uid || s->uid == t->owner))
			return true;
	}
	return false;
}

static bool judge(const struct model *m, struct m_subject *s, trust_vouch vouch)
{
	if (!s->process || s->looks || !listed(m, s))
		return false;
	if (!s->vouch_asked) {
		s->vouch_asked = true;
		s->vouched = vouch && vouch(&s->who);
	}
	return s->vouched;
}

static void renew(struct model *m, struct m_subject *s, trust_vouch vouch)
{
	bool was = s->trusted;

	s->trusted = judge(m, s, vouch);
	if (s->trusted != was)
		model_touch(m, UINT64_MAX);
}

void subject_looked_into(struct model *m, struct m_subject *s)
{
	if (!s->trusted)
		return;
	s->trusted = false;
	model_touch(m, UINT64_MAX);
}

void trusted_clear(struct model *m)
{
	for (size_t i = 0; i < m->ntrusted; i++)
		free((char *)m->trusted[i].path);
	free(m->trusted);
	m->trusted = NULL;
	m->ntrusted = 0;
}

int model_set_trusted(struct model *m, const struct trusted_file *files, size_t n, trust_vouch vouch)
{
	struct trusted_file *list = calloc(n + 1, sizeof(*list));

	for (size_t i = 0; list && i < n; i++) {
		list[i] = files[i];
		list[i].path = strdup(files[i].path);
		if (list[i].path)
			continue;
		while (i--)
			free((char *)list[i].path);
		free(list);
		return -ENOMEM;
	}
	if (!list)
		return -ENOMEM;
	trusted_clear(m);
	m->trusted = list;
	m->ntrusted = n;
	for (struct m_subject *s = m->first_subject; s; s = s->next)
		if (s->exe_ino)
			renew(m, s, vouch);
	return 0;
}

void model_set_executable(struct model *m, const struct subject *who, uint64_t ino, uint32_t dev, trust_vouch vouch)
{
	struct m_subject *s = subject_find(m, who);

	if (!s)
		return;
	s->exe_ino = ino;
	s->exe_dev = dev;
	renew(m, s, vouch);
}
