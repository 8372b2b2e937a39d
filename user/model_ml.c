/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Which jobs are ML jobs, and by what it shows. A mark outlives the processes that showed it: what else runs in the
 * job is watched too. The steps of a Slurm job are one job here, since its batch script sends what its steps computed.
 */
#include "user/model_ml.h"

#include <fnmatch.h>
#include <string.h>

static void family_of(char ret[static JOB_LEN], const char *job)
{
	memset(ret, 0, JOB_LEN);
	strncpy(ret, job, JOB_LEN - 1);
	if (!strncmp(job, "slurm:", 6))
		ret[strcspn(ret, ".")] = '\0';
	size_t n = strlen(ret);
	memset(ret + n, 0, JOB_LEN - n); /* the key is compared whole */
}

static void mark_drop(struct model *m, struct m_ml **at)
{
	struct m_ml *mark = *at;

	*at = mark->next;
	hashmap_remove(&m->ml, mark->job);
	free(mark);
}

static int mark_get(struct model *m, const char *job, struct m_ml **ret)
{
	char family[JOB_LEN];
	struct m_ml *mark, **end = &m->first_ml;

	family_of(family, job);
	mark = hashmap_find(&m->ml, family);
	if (!mark) {
		if (m->ml.used >= ML_JOBS_MAX)
			mark_drop(m, &m->first_ml);
		mark = calloc(1, sizeof(*mark));
		if (!mark)
			return -ENOMEM;
		memcpy(mark->job, family, JOB_LEN);
		if (hashmap_add(&m->ml, mark)) {
			free(mark);
			return -ENOMEM;
		}
		while (*end)
			end = &(*end)->next;
		*end = mark;
	}
	*ret = mark;
	return 0;
}

int model_set_ml(struct model *m, const struct subject *who, uint32_t sign, const char *name)
{
	const struct m_subject *s = subject_find(m, who);
	struct m_ml_sign *v;
	struct m_ml *mark;

	if (sign != ML_ACCELERATOR && sign != ML_FRAMEWORK)
		return -EINVAL;
	if (!s || !s->job)
		return -ENOENT;
	int err = mark_get(m, s->job->name, &mark);
	if (err)
		return err;
	v = &mark->sign[sign];
	if (v->name[0])
		return 0;
	text_safe(v->name, sizeof(v->name), name, strnlen(name, SL_ML_NAME_LEN));
	memcpy(v->comm, s->comm, sizeof(v->comm));
	v->pid = s->who.tgid;
	if (!v->name[0])
		v->name[0] = '?';
	return 0;
}

const struct m_ml *ml_mark(const struct model *m, const char *job)
{
	char family[JOB_LEN];

	if (!job)
		return NULL;
	family_of(family, job);
	return hashmap_find(&m->ml, family);
}

const char *ml_pattern(const struct model *m, const char *job)
{
	const struct strings *all = &m->config->jobs;

	for (size_t i = 0; job && i < all->n; i++)
		if (!fnmatch(all->v[i], job, 0))
			return all->v[i];
	return NULL;
}

bool job_is_ml(const struct model *m, const char *job)
{
	return ml_pattern(m, job) || ml_mark(m, job);
}

/* The number of a session is soon another's. */
void ml_job_gone(struct model *m, const char *job)
{
	if (strncmp(job, "session:", 8))
		return;
	for (struct m_ml **at = &m->first_ml; *at; at = &(*at)->next) {
		if (!strcmp((*at)->job, job)) {
			mark_drop(m, at);
			return;
		}
	}
}

void ml_free(struct model *m)
{
	while (m->first_ml)
		mark_drop(m, &m->first_ml);
	hashmap_free(&m->ml);
}
