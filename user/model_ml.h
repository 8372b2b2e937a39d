/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Marks of ML jobs; what is asked most, job_is_ml(), is in model_internal.h. */
#ifndef SLUICE_MODEL_ML_H
#define SLUICE_MODEL_ML_H

#include "user/model_internal.h"

#define ML_JOBS_MAX 4096 /* with more, the first is forgotten */

/* The first process that showed it. */
struct m_ml_sign {
	char name[64]; /* of the library or the device; "": not seen */
	char comm[64];
	uint32_t pid;
};

struct m_ml {
	char job[JOB_LEN]; /* the key; zero behind its end; of Slurm without the step */
	struct m_ml *next; /* in order of arrival */
	struct m_ml_sign sign[ML_NAMED]; /* by enum ml_sign */
};

/* NULL: there is none. */
const struct m_ml *ml_mark(const struct model *m, const char *job);
/* The pattern of the configuration that names the job. */
const char *ml_pattern(const struct model *m, const char *job);

/* Nothing of the job is left in the model. */
void ml_job_gone(struct model *m, const char *job);
void ml_free(struct model *m);

#endif
