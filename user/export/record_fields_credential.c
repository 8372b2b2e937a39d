/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* An access to a long-lived credential: as one to a dataset, without a dataset. Of the secret nothing is in it. */
#include "user/export/record_fields.h"
#include "user/model_credential.h"

typedef const struct subject_matter matter;

static json_t *get_null(matter *s)
{
	return json_null();
}

static json_t *get_job(matter *s)
{
	return json_safe(use_job(s->use));
}

static json_t *get_process(matter *s)
{
	return s->subject ? json_process(s->m, s->subject) : json_process_told(s->m, &s->use->by);
}

/* An environment is not opened. */
static json_t *get_ops(matter *s)
{
	return s->use->path ? json_count(s->use->opens - s->use->given) : json_null();
}

/* The kernel joins opens by one process that were not yet looked at. */
static json_t *get_exact(matter *s)
{
	return json_false();
}

static json_t *get_credential(matter *s)
{
	return JSON_OF({"kind", json_string(secret_name(s->use->kind))}, {"path", json_safe(s->use->path)},
		       {"key", json_told(s->use->key)});
}

static json_t *get_labels(matter *s)
{
	return json_job_labels(s->subject ? s->subject->job : NULL, s->subject);
}

const struct field credential_fields[] = {
	{"job", get_job},    {"process", get_process}, {"dataset", get_null},	{"tags", get_null},
	{"bytes", get_null}, {"ops", get_ops},	       {"files", get_null},	{"exact", get_exact},
	{"credential", get_credential}, {"job_labels", get_labels}, {0},
};
