/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/export/record_fields.h"
#include "user/model_derived.h"
#include "user/policy/allow.h"

#include <netinet/in.h>
#include <string.h>

#include "user/net_server.h"

typedef const struct subject_matter matter;

/* --- access -------------------------------------------------------------- */

static json_t *get_null(matter *s)
{
	return json_null();
}

static json_t *get_job(matter *s)
{
	return json_job(s->subject);
}

static json_t *get_labels(matter *s)
{
	return json_job_labels(s->subject ? s->subject->job : NULL, s->subject);
}

static json_t *get_process(matter *s)
{
	return json_process(s->m, s->subject);
}

static unsigned dataset_of(matter *s)
{
	return s->access ? s->access->dataset : (unsigned)s->overflow->key.dataset;
}

static json_t *get_dataset(matter *s)
{
	return json_dataset(s->m, dataset_of(s));
}

static json_t *get_tags(matter *s)
{
	return s->tags ? json_incref(s->tags) : json_tags(&s->m->datasets[dataset_of(s)]);
}

static json_t *get_bytes(matter *s)
{
	return json_bytes(s->m, s->figures);
}

static json_t *get_ops(matter *s)
{
	uint64_t sum = 0;

	for (unsigned k = 0; k < ACCESS_KINDS; k++)
		sum += s->figures[k].ops;
	return json_count(sum);
}

static json_t *get_files(matter *s)
{
	uint64_t sum = 0;

	for (unsigned k = 0; k < ACCESS_KINDS; k++)
		sum += s->figures[k].files;
	return json_count(sum);
}

/* Neither where a part is an upper bound nor where a read went uncounted meanwhile, nobody knows whose. */
static json_t *get_exact(matter *s)
{
	uint64_t since = s->since_ns ? s->since_ns : s->m->records_ns;
	bool exact = !s->m->read_misses_ns || s->m->read_misses_ns < since;

	for (unsigned k = 0; k < ACCESS_KINDS; k++)
		exact = exact && (k == ACCESS_READ || !s->figures[k].bytes);
	return json_boolean(exact);
}

static json_t *get_true(matter *s)
{
	return json_true();
}

const struct field access_fields[] = {
    {"job", get_job},	  {"process", get_process}, {"dataset", get_dataset},
    {"tags", get_tags},	  {"bytes", get_bytes},	    {"ops", get_ops},
    {"files", get_files}, {"exact", get_exact},	    {"job_labels", get_labels},
    {0},
};

const struct field overflow_fields[] = {
    {"job", get_null},	      {"process", get_null},
    {"dataset", get_dataset}, {"tags", get_tags},
    {"bytes", get_bytes},     {"ops", get_ops},
    {"files", get_null},      {"exact", get_exact},
    {"overflow", get_true},   {0},
};

/* --- flow ---------------------------------------------------------------- */

json_t *json_proto(const struct m_flow *f)
{
	char number[8];

	if (f->f.role == ROLE_OVERFLOW)
		return json_null();
	switch (f->f.proto) {
	case IPPROTO_TCP:
		return json_string("tcp");
	case IPPROTO_UDP:
		return json_string("udp");
	case IPPROTO_UDPLITE:
		return json_string("udplite");
	case IPPROTO_SCTP:
		return json_string("sctp");
	case IPPROTO_ICMP:
		return json_string("icmp");
	case IPPROTO_ICMPV6:
		return json_string("icmpv6");
	case IPPROTO_RAW:
		return json_string("raw");
	default:
		if (net_proto_name(f->f.proto))
			return json_string(net_proto_name(f->f.proto));
		snprintf(number, sizeof(number), "%u", f->f.proto);
		return json_string(number);
	}
}

static json_t *get_proto(matter *s)
{
	return json_proto(s->flow);
}

json_t *json_direction(const struct m_flow *f)
{
	if (f->f.role == ROLE_UNKNOWN || f->f.role == ROLE_OVERFLOW)
		return json_null();
	return json_string(f->f.role == ROLE_ACCEPT ? "in" : "out");
}

static json_t *get_direction(matter *s)
{
	return json_direction(s->flow);
}

/* Flows to one remote end that are folded into one have no common local end. */
static json_t *get_local(matter *s)
{
	char addr[ADDR_LEN];

	if (s->flow->folded || s->flow->f.role == ROLE_OVERFLOW || net_proto_name(s->flow->f.proto))
		return json_null();
	return JSON_OF({"addr", json_string(addr_text(addr, s->flow->f.laddr))},
		       {"port", s->flow->f.lport ? json_count(s->flow->f.lport) : json_null()});
}

static json_t *get_remote(matter *s)
{
	if (s->flow->f.role == ROLE_OVERFLOW)
		return json_null();
	if (!flow_has_remote(s->flow))
		return json_many(&s->flow->dest);
	return json_remote(s->flow->f.raddr, s->flow->f.rport, &s->flow->dest, s->flow->said);
}

static json_t *get_out(matter *s)
{
	return json_count(s->out);
}

static json_t *get_in(matter *s)
{
	return json_count(s->in);
}

static json_t *get_tainted(matter *s)
{
	return json_count(s->tainted);
}

static json_t *get_flow_datasets(matter *s)
{
	return json_datasets(s->m, s->flow->reach);
}

json_t *json_allow_rule(const struct model *m, const struct allow_rule *a)
{
	return a ? json_sprintf("network.allow[%zu], line %u", (size_t)(a - m->config->network.allow), a->line) : json_null();
}

/* Which entry allows it; null: none does, or none has to. */
static json_t *get_allowed(matter *s)
{
	return json_allow_rule(s->m, flow_outside(s->flow) ? flow_allow(s->m, s->flow, s->flow->reach) : NULL);
}

/* How; false: not at all; null: not known. */
static json_t *get_encrypted(matter *s)
{
	const struct m_said *said = s->flow->said;

	if (!said || (!said->facts.encrypted && !said->facts.plain))
		return json_null();
	return said->facts.encrypted ? json_string(said->facts.spoken) : json_false();
}

/* Did it become so only after it had begun in the clear? */
static json_t *get_starttls(matter *s)
{
	const struct m_said *said = s->flow->said;

	return said && said->facts.encrypted ? json_boolean(said->facts.starttls) : json_null();
}

const struct field flow_fields[] = {
    {"process", get_process},
    {"job", get_job},
    {"proto", get_proto},
    {"direction", get_direction},
    {"local", get_local},
    {"remote", get_remote},
    {"bytes_out", get_out},
    {"bytes_in", get_in},
    {"tainted_out", get_tainted},
    {"datasets", get_flow_datasets},
    {"encrypted", get_encrypted},
    {"starttls", get_starttls},
    {"allowed", get_allowed},
    {"job_labels", get_labels},
    {0},
};

const struct field flow_overflow_fields[] = {
    {"process", get_process},
    {"job", get_job},
    {"proto", get_proto},
    {"direction", get_direction},
    {"local", get_local},
    {"remote", get_remote},
    {"bytes_out", get_out},
    {"bytes_in", get_in},
    {"tainted_out", get_tainted},
    {"datasets", get_flow_datasets},
    {"encrypted", get_null},
    {"overflow", get_true},
    {0},
};

const struct field *fields_of_flow(const struct m_flow *f)
{
	return flow_has_remote(f) ? flow_fields : flow_overflow_fields;
}

/* --- transfer ------------------------------------------------------------ */

static json_t *json_holder(const struct model *m, const struct m_subject *s)
{
	return JSON_OF({"process", json_process(m, s)});
}

/* Files that are gone and were joined have no number of their own. */
static json_t *json_file_end(const struct m_object *o)
{
	if (o->merged)
		return json_pack("{s:{s:s, s:n, s:n, s:n, s:n, s:o}}", "object", "kind", "file",
				 "dev", "ino", "gen", "path", "merged", json_count(o->merged));
	json_t *object = JSON_OF({"kind", o->kind ? json_string(object_kind_name(o->kind)) : json_null()},
				 {"dev", json_count(o->what.dev)}, {"ino", json_count(o->what.ino)},
				 {"gen", json_count(o->what.gen)}, {"path", json_safe(o->path)});
	return JSON_OF({"object", object});
}

static json_t *json_object_end(const struct m_object *o)
{
	char name[64];

	if (o->kind != OBJECT_PIPE && o->kind != OBJECT_SOCKET)
		return json_file_end(o);
	snprintf(name, sizeof(name), "%s:[%llu]", object_kind_name(o->kind), (unsigned long long)o->what.ino);
	json_t *object = JSON_OF({"name", json_string(name)}, {"dev", json_count(o->what.dev)},
				 {"ino", json_count(o->what.ino)}, {"gen", json_count(o->what.gen)});
	return JSON_OF({"object", object});
}

static json_t *json_far_end(matter *s)
{
	return s->edge->object ? json_object_end(s->edge->object)
			       : json_holder(s->m, s->edge->source);
}

static json_t *get_edge_from(matter *s)
{
	return edge_writes(s->edge) ? json_holder(s->m, s->edge->subject) : json_far_end(s);
}

static json_t *get_edge_to(matter *s)
{
	return edge_writes(s->edge) ? json_far_end(s) : json_holder(s->m, s->edge->subject);
}

static json_t *get_edge_via(matter *s)
{
	return json_string(via_name((enum edge_via)s->edge->key.via));
}

static json_t *get_edge_bytes(matter *s)
{
	return edge_unlimited(s->edge) ? json_null() : json_count(s->bytes);
}

static json_t *get_edge_datasets(matter *s)
{
	return json_datasets(s->m, s->datasets);
}

/* Of these the other end holds nothing by it. */
static json_t *get_edge_declared(matter *s)
{
	return json_datasets(s->m, s->datasets & edge_declared(s->m, s->edge));
}

const struct field transfer_fields[] = {
    {"from", get_edge_from},	     {"to", get_edge_to},
    {"via", get_edge_via},	     {"bytes", get_edge_bytes},
    {"datasets", get_edge_datasets}, {"declared", get_edge_declared},
    {0},
};

static json_t *get_birth_from(matter *s)
{
	return json_holder(s->m, s->birth->from);
}

static json_t *get_birth_to(matter *s)
{
	return json_holder(s->m, s->subject);
}

static json_t *get_birth_via(matter *s)
{
	return json_string(via_name((enum edge_via)s->birth->via));
}

static json_t *get_birth_declared(matter *s)
{
	return json_array();
}

static json_t *get_birth_datasets(matter *s)
{
	return json_datasets(s->m, s->datasets);
}

const struct field birth_fields[] = {
    {"from", get_birth_from},	      {"to", get_birth_to},
    {"via", get_birth_via},	      {"bytes", get_null},
    {"datasets", get_birth_datasets}, {"declared", get_birth_declared},
    {0},
};
