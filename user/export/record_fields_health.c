/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Health and policy: what is said of the monitor itself. */
#include "user/export/record_fields.h"

#include <math.h>

#include "user/model_credential.h"
#include "user/model_tainted.h"
#include "user/model_trust.h"

typedef const struct subject_matter matter;

static json_t *get_backend(matter *s)
{
	return json_safe(s->m->backend);
}

static json_t *get_owners(matter *s)
{
	return json_words((const char *const *)s->m->owners, SIZE_MAX);
}

static json_t *get_gaps(matter *s)
{
	return json_words((const char *const *)s->m->gaps, SIZE_MAX);
}

static json_t *get_limits(matter *s)
{
	return json_words((const char *const *)s->m->limits, SIZE_MAX);
}

static json_t *json_unless(bool known, uint64_t n)
{
	return known ? json_count(n) : json_null();
}

static json_t *get_programs(matter *s)
{
	json_t *programs = json_array();

	for (unsigned i = 0; programs && i < s->m->health.nprograms; i++) {
		const struct program_health *p = &s->m->health.programs[i];
		json_t *one = json_pack("{s:o, s:o, s:o}", "name", json_safe(p->name), "runs",
					json_unless(p->runs_known, p->runs), "recursion_misses",
					json_unless(p->misses_known, p->misses));

		if (json_array_append_new(programs, one)) {
			json_decref(programs);
			return NULL;
		}
	}
	return programs;
}

static json_t *get_losses(matter *s)
{
	json_t *losses = json_object();

	for (unsigned l = 0; losses && l < LOSS_KINDS; l++) {
		json_t *n = s->m->health_known ? json_count(s->m->health.losses[l]) : json_null();

		if (json_object_set_new(losses, loss_name(l), n)) {
			json_decref(losses);
			return NULL;
		}
	}
	return losses;
}

static json_t *get_maps(matter *s)
{
	json_t *maps = json_array();

	for (unsigned i = 0; maps && i < s->m->health.nfill; i++) {
		const struct map_fill *f = &s->m->health.fill[i];
		json_t *map = json_pack("{s:o, s:o, s:o}", "name", json_safe(f->name), "entries",
					json_count(f->entries), "max", json_count(f->max));

		if (json_array_append_new(maps, map)) {
			json_decref(maps);
			return NULL;
		}
	}
	return maps;
}

static json_t *get_cpu(matter *s)
{
	double share = s->m->health.cpu_share;

	return s->m->health_known && isfinite(share) ? json_real(share) : json_null();
}

static json_t *json_known(uint64_t n)
{
	return n ? json_count(n) : json_null();
}

static json_t *get_memory(matter *s)
{
	return json_pack("{s:o, s:o}", "rss", json_known(s->m->health.rss_bytes), "maps",
			 json_known(s->m->health.map_bytes));
}

static json_t *get_model(matter *s)
{
	const struct model *m = s->m;
	uint64_t refused = 0;

	for (unsigned i = 0; i < REFUSED_KINDS; i++)
		refused += m->refused[i];
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "subjects", json_count(m->nsubjects),
			 "objects", json_count(m->nobjects), "transfers", json_count(m->nedges),
			 "flows", json_count(m->nflows), "refused", json_count(refused));
}

static json_t *json_tainted(const struct tainted_count *t)
{
	json_t *volumes = json_object();

	for (unsigned c = 0; volumes && c < VOLUME_CLASSES; c++) {
		if (json_object_set_new(volumes, volume_class_name((enum volume_class)c), json_count(t->by_volume[c]))) {
			json_decref(volumes);
			return NULL;
		}
	}
	return json_pack("{s:o, s:o}", "processes", json_count(t->subjects), "volumes", volumes);
}

/* Who lives and may hold tagged bytes, by at most how many. */
static json_t *get_tainted(matter *s)
{
	json_t *all = s->m->tainted_ns ? json_tainted(&s->m->tainted[SL_DATASETS_MAX]) : NULL, *datasets = json_object();

	for (unsigned d = 0; all && datasets && d < SL_DATASETS_MAX; d++) {
		json_t *id = s->m->tainted[d].subjects ? json_dataset(s->m, d) : NULL;

		if (id && json_object_set_new(datasets, json_string_value(id), json_tainted(&s->m->tainted[d]))) {
			json_decref(all);
			all = NULL;
		}
		json_decref(id);
	}
	if (all && json_object_set_new(all, "datasets", datasets)) {
		json_decref(all);
		return NULL;
	}
	if (!all)
		json_decref(datasets);
	return all || s->m->tainted_ns ? all : json_null();
}

/* Ways out that are not measured, met in the hands of those who may hold tagged bytes. */
static json_t *get_channels(matter *s)
{
	json_t *channels = json_object();

	for (unsigned c = 1; channels && c < CHANNEL_KINDS; c++) {
		if (s->m->channels[c] &&
		    json_object_set_new(channels, channel_kind_name(c), json_count(s->m->channels[c]))) {
			json_decref(channels);
			return NULL;
		}
	}
	return channels;
}

/* Which executables are trusted, and which are no more. */
static json_t *get_trusted(matter *s)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < s->m->ntrusted; i++) {
		const struct trusted_file *t = &s->m->trusted[i];

		if (json_array_append_new(list, json_pack("{s:o, s:b, s:s?}", "path", json_safe(t->path), "trusted", !t->ended,
							  "why_not", t->ended))) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

/* What counts as the VPC, and who says so. */
static json_t *get_vpc(matter *s)
{
	const struct model_vpc *v = &s->m->vpc;

	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "source", v->asked ? "metadata" : "configuration", "state",
			 v->asked ? json_told(v->state) : json_null(), "why", v->asked ? json_told(v->why) : json_null(), "id",
			 json_told(v->id), "blocks", json_count(v->blocks), "told", json_moment(s->m, v->told_ns, s->m->wall_offset));
}

static json_t *get_ranges(matter *s)
{
	const struct ranges_source *r = classes_source(s->m->classes);

	if (!r && !*s->m->ranges_why)
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:o}", "file", json_safe(r ? r->file : NULL), "created", json_told(r ? r->created : NULL),
			 "prefixes", json_count(r ? r->prefixes : 0), "why", json_told(s->m->ranges_why));
}

static json_t *get_names(matter *s)
{
	const struct said_figures *f = &s->m->said_figures;

	return JSON_OF({"known", json_count(f->names)}, {"conversations", json_count(f->conversations)}, {"packets", json_count(f->heard)},
		       {"forgotten", json_count(f->forgotten)}, {"questions_missed", json_count(f->missed)});
}

/* Files of long-lived credentials, and whose uses are not known. */
static json_t *get_credentials(matter *s)
{
	const struct credential_state *c = &s->m->credentials->state;
	json_t *missed = json_object();

	for (enum credential_lost l = 0; missed && l < CREDENTIAL_LOST_KINDS; l++) {
		if (json_object_set_new(missed, credential_lost_name(l), json_count(credentials_lost(s->m, l)))) {
			json_decref(missed);
			return NULL;
		}
	}
	return JSON_OF({"files", json_unless(!c->why[0] || c->files, c->files)},
		       {"holding", json_unless(!c->why[0] || c->files, c->holding)}, {"missed", missed});
}

static json_t *get_late(matter *s)
{
	return s->m->health_known ? json_count(s->m->health.late_ns / 1000000) : json_null();
}

static json_t *get_waiting(matter *s)
{
	return json_count(s->m->records_waiting);
}

static json_t *get_lag(matter *s)
{
	return json_count(s->m->records_lag_ns / 1000000);
}

static json_t *get_journal(matter *s)
{
	return s->m->journal ? json_incref(s->m->journal) : json_null();
}

static json_t *get_exporter(matter *s)
{
	return json_exporter(&s->m->exporter);
}

static json_t *get_hub(matter *s)
{
	return json_hub(&s->m->hub);
}

const struct field health_fields[] = {
    {"backend", get_backend},
    {"owners", get_owners},
    {"gaps", get_gaps},
    {"limits", get_limits},
    {"programs", get_programs},
    {"losses", get_losses},
    {"maps", get_maps},
    {"cpu", get_cpu},
    {"memory", get_memory},
    {"model", get_model},
    {"tainted", get_tainted},
    {"channels", get_channels},
    {"trusted", get_trusted},
    {"vpc", get_vpc},
    {"aws_ranges", get_ranges},
    {"names", get_names},
    {"credentials", get_credentials},
    {"late_ms", get_late},
    {"records_waiting", get_waiting},
    {"records_lag_ms", get_lag},
    {"journal", get_journal},
    {"exporter", get_exporter},
    {"security_hub", get_hub},
    {0},
};

/* --- policy -------------------------------------------------------------- */

static json_t *get_digest(matter *s)
{
	return json_safe(s->m->config->digest);
}

static json_t *get_file(matter *s)
{
	return json_safe(s->m->config->file);
}

static json_t *get_policy_datasets(matter *s)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < s->m->config->ndatasets; i++) {
		if (json_array_append_new(list, json_safe(s->m->config->datasets[i].id))) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *get_inactive(matter *s)
{
	const struct strings *keys = &s->m->config->inactive;

	return json_words((const char *const *)keys->v, keys->n);
}

const struct field policy_fields[] = {
    {"digest", get_digest},
    {"file", get_file},
    {"datasets", get_policy_datasets},
    {"inactive", get_inactive},
    {0},
};
