/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Jobs: there as long as a subject is theirs. */
#include "user/model_derived.h"
#include "user/model_dns.h"
#include "user/model_files.h"
#include "user/model_ml.h"

#include <string.h>

struct m_job *job_ref(struct model *m, const char *name)
{
	struct m_job key = {0}, *job;

	strncpy(key.name, name, sizeof(key.name) - 1);
	job = hashmap_find(&m->jobs, key.name);
	if (!job) {
		job = malloc(sizeof(*job));
		if (!job)
			return NULL;
		*job = key;
		if (hashmap_add(&m->jobs, job)) {
			free(job);
			return NULL;
		}
	}
	job->refs++;
	return job;
}

void job_unref(struct model *m, struct m_job *job)
{
	if (job && !--job->refs) {
		hashmap_remove(&m->jobs, job->name);
		ml_job_gone(m, job->name);
		files_job_gone(m, job);
		domains_job_gone(m, job);
		free(job->labels);
		free(job);
	}
}
