/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What records and snapshots consist of: one table of fields per type, in the order people read
 * them. */
#ifndef SLUICE_RECORD_FIELDS_H
#define SLUICE_RECORD_FIELDS_H

#include <jansson.h>

#include "user/model_internal.h"
#include "user/policy/finding.h"

/* What a record speaks about; each type's fields use their own part. */
struct subject_matter {
	const struct model *m;
	const struct m_subject *subject;
	const struct m_access *access;
	const struct m_use *use; /* of a credential */
	const struct m_overflow *overflow;
	json_t *tags; /* of their dataset, borrowed; NULL: to be made */
	const struct m_flow *flow;
	const struct m_edge *edge;
	const struct m_transfer *transfer;
	const struct m_birth *birth;
	const struct finding *finding;
	struct figures figures[ACCESS_KINDS]; /* to be told of an access */
	uint64_t out, in, tainted;	      /* of a flow */
	uint64_t bytes, datasets;	      /* of a transfer */
	uint64_t since_ns; /* when the first of several intervals began; 0: it is one */
};

struct field {
	const char *name;
	json_t *(*get)(const struct subject_matter *s); /* a new reference; NULL: no memory */
};

/* Each ends with a field without a name. */
extern const struct field access_fields[], credential_fields[], overflow_fields[], flow_fields[], flow_overflow_fields[],
    transfer_fields[], birth_fields[], finding_fields[], health_fields[], policy_fields[];

/* One of the two for flows. */
const struct field *fields_of_flow(const struct m_flow *f);

/* Adds the table's fields to `to`. -ENOMEM. */
int fields_add(json_t *to, const struct field *table, const struct subject_matter *s);

/* {"v":1,"type":...,"time":...,"host":{...}}, with seq unless it is 0; NULL: no memory. */
json_t *record_head(const struct model *m, const char *type, const struct timespec *wall,
		    uint64_t seq);
/* The same of these values, which it takes over: many records share them. */
json_t *record_frame(const char *type, json_t *time, uint64_t seq, json_t *host);
json_t *json_time(const struct timespec *wall);
json_t *json_host(const struct model *m);

/* An object of these, in this order. It takes over the values; NULL if one of them is, or there is no memory. */
struct member {
	const char *name; /* ours: ASCII */
	json_t *value;
};
json_t *json_members(const struct member *members);
#define JSON_OF(...) json_members((const struct member[]){__VA_ARGS__, {0}})

json_t *json_safe(const char *text); /* made safe; NULL becomes null */
json_t *json_told(const char *text); /* the same; "" becomes null too */
json_t *json_count(uint64_t n);
struct hub_told;
json_t *json_hub(const struct hub_told *t); /* null: there is none */
struct exporter_told;
json_t *json_exporter(const struct exporter_told *t); /* null: there is none */
json_t *json_process(const struct model *m,
		     const struct m_subject *s); /* null for a merged subject */
struct process_told;
json_t *json_process_told(const struct model *m, const struct process_told *by);
json_t *json_job(const struct m_subject *s);
json_t *json_ml(const struct model *m, const char *job); /* by what it is an ML job: a list, empty if it is none */
/* What its processes say of a job (NULL: none), and this one (or NULL) of itself: what is known, as an object. */
json_t *json_job_labels(const struct m_job *job, const struct m_subject *s);
json_t *json_moment(const struct model *m, uint64_t boot_ns, int64_t offset); /* 0: null */
json_t *json_dataset(const struct model *m, unsigned dataset);
json_t *json_datasets(const struct model *m, uint64_t mask);
/* {"addr","port","class","name","name_source","name_belief","name_note","service","bucket","access_point","account"}; all but
 * the first three come from what was said, which may be NULL: null. */
json_t *json_remote(const uint8_t addr[static 16], uint16_t port, const struct dest *d, const struct m_said *said);
/* The same of a way out that is not measured. */
json_t *json_channel(const char *name);
/* The same of ends that are not told apart. */
json_t *json_many(const struct dest *d);
json_t *json_proto(const struct m_flow *f); /* "tcp", "udp", ...; null: of many */
json_t *json_direction(const struct m_flow *f); /* "in": the other end connected, else "out"; null: that was before the monitor */
/* "network.allow[0], line 12"; null: NULL. */
json_t *json_allow_rule(const struct model *m, const struct allow_rule *a);
json_t *json_words(const char *const *words, size_t n); /* a list up to n or NULL */
json_t *json_tags(const struct m_dataset *d);
/* {"read":n,"mmap":n}; a kind that nothing measures here is null. */
json_t *json_bytes(const struct model *m, const struct figures figures[ACCESS_KINDS]);

#endif
