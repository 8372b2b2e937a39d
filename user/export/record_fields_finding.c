/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/export/record_fields.h"

#include <string.h>

#include "user/model_credential.h"

typedef const struct subject_matter matter;

static json_t *get_id(matter *s)
{
	return json_string(s->finding->id);
}

static json_t *get_rule(matter *s)
{
	return json_string(rule_name(s->finding->rule));
}

static json_t *get_severity(matter *s)
{
	return json_string(severity_name(s->finding->severity));
}

static json_t *get_title(matter *s)
{
	return json_safe(s->finding->title);
}

static json_t *get_finding_dataset(matter *s)
{
	return s->finding->dataset < 0 ? json_null()
				       : json_dataset(s->m, (unsigned)s->finding->dataset);
}

static json_t *get_leak(matter *s)
{
	return s->finding->has_leak ? json_count(s->finding->leak_bound) : json_null();
}

static json_t *get_exposed(matter *s)
{
	return s->finding->has_exposed ? json_count(s->finding->exposed) : json_null();
}

static json_t *get_finding_process(matter *s)
{
	const struct finding *f = s->finding;

	return !f->process && f->by ? json_process_told(s->m, f->by) : json_process(s->m, f->process);
}

static json_t *get_finding_job(matter *s)
{
	return json_safe(s->finding->job);
}

static json_t *get_finding_remote(matter *s)
{
	const struct remote *r = &s->finding->remote;

	if (s->finding->channel)
		return json_channel(s->finding->channel);
	if (!s->finding->has_remote)
		return json_null();
	struct dest d = s->m->classes ? classes_find(s->m->classes, r->addr, r->port, r->proto)
				      : (struct dest){.class = CLASS_INTERNET};
	return json_remote(r->addr, r->port, &d, r->said);
}

static json_t *get_chain(matter *s)
{
	json_t *chain = json_array();

	for (size_t i = 0; chain && i < s->finding->nchain; i++) {
		const struct hop *h = &s->finding->chain[i];
		json_t *hop = json_pack("{s:o, s:o, s:s, s:o, s:o}", "from", json_safe(h->from),
					"to", json_safe(h->to), "via", h->via, "bytes",
					h->counted ? json_count(h->bytes) : json_null(), "time",
					json_moment(s->m, h->time_ns, s->finding->wall_offset));

		if (json_array_append_new(chain, hop)) {
			json_decref(chain);
			return NULL;
		}
	}
	return chain;
}

static json_t *get_coverage(matter *s)
{
	return json_words((const char *const *)s->finding->coverage, s->finding->ncoverage);
}

static json_t *get_mitre(matter *s)
{
	return json_words(rule_mitre(s->finding->rule), SIZE_MAX);
}

static json_t *get_first(matter *s)
{
	return json_moment(s->m, s->finding->first_ns, s->finding->wall_offset);
}

static json_t *get_last(matter *s)
{
	return json_moment(s->m, s->finding->last_ns, s->finding->wall_offset);
}

static json_t *get_count(matter *s)
{
	return json_count(s->finding->count);
}

static json_t *get_action(matter *s)
{
	return json_string("alerted");
}

static json_t *get_labels(matter *s)
{
	struct m_job key = {0};

	if (s->finding->job)
		strncpy(key.name, s->finding->job, sizeof(key.name) - 1);
	return json_job_labels(hashmap_find(&s->m->jobs, key.name), s->finding->process);
}

static json_t *get_ml(matter *s)
{
	return json_ml(s->m, s->finding->job);
}

const struct field finding_fields[] = {
    {"id", get_id},
    {"rule", get_rule},
    {"severity", get_severity},
    {"title", get_title},
    {"dataset", get_finding_dataset},
    {"leak_bound", get_leak},
    {"exposed", get_exposed},
    {"process", get_finding_process},
    {"job", get_finding_job},
    {"remote", get_finding_remote},
    {"chain", get_chain},
    {"coverage", get_coverage},
    {"mitre", get_mitre},
    {"first", get_first},
    {"last", get_last},
    {"count", get_count},
    {"action", get_action},
    {"job_labels", get_labels},
    {"ml_reason", get_ml},
    {0},
};
