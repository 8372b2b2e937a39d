/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What is told of a job: why it is an ML job, and what its processes say of it. */
#include "user/export/record_fields.h"
#include "user/model_ml.h"

#include <string.h>

static const char *sign_name(enum ml_sign sign)
{
	return sign == ML_ACCELERATOR ? "accelerator" : sign == ML_FRAMEWORK ? "framework" : "named";
}

static int add_sign(json_t *list, enum ml_sign sign, const char *name, json_t *pid, const char *comm)
{
	return json_array_append_new(list, json_pack("{s:s, s:o, s:o, s:o}", "sign", sign_name(sign), "name",
						     json_safe(name), "pid", pid, "comm", json_safe(comm)));
}

json_t *json_ml(const struct model *m, const char *job)
{
	const struct m_ml *mark = ml_mark(m, job);
	const char *pattern = ml_pattern(m, job);
	json_t *list = json_array();
	int err = list ? 0 : -1;

	for (enum ml_sign i = ML_ACCELERATOR; mark && !err && i <= ML_FRAMEWORK; i++) {
		const struct m_ml_sign *s = &mark->sign[i];

		if (s->name[0])
			err = add_sign(list, i, s->name, json_count(s->pid), s->comm[0] ? s->comm : NULL);
	}
	if (pattern && !err)
		err = add_sign(list, ML_NAMED, pattern, json_null(), NULL);
	if (!err)
		return list;
	json_decref(list);
	return NULL;
}

static int add_text(json_t *to, const char *name, const char *text)
{
	return text[0] ? json_object_set_new(to, name, json_safe(text)) : 0;
}

static int add_number(json_t *to, const char *name, uint32_t number)
{
	return number ? json_object_set_new(to, name, json_count(number - 1)) : 0;
}

json_t *json_job_labels(const struct m_job *job, const struct m_subject *s)
{
	static const struct job_labels none;
	const struct job_labels *l = job && job->labels ? job->labels : &none;
	json_t *all = json_object();

	if (all && (add_text(all, "job_name", l->text[LABEL_JOB_NAME]) || add_text(all, "pod", l->text[LABEL_POD]) ||
		    add_text(all, "stage", l->text[LABEL_STAGE]) ||
		    add_number(all, "world_size", l->number[NUMBER_WORLD_SIZE]) ||
		    add_number(all, "rank", s ? s->rank : 0) || add_number(all, "local_rank", s ? s->local_rank : 0))) {
		json_decref(all);
		return NULL;
	}
	return all;
}
