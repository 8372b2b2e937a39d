/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/export/ocsf.h"

#include <string.h>

#include "user/cmd.h"
#include "user/export/finding_words.h"
#include "user/value_text.h"

enum { CLASS_DETECTION = 2004, CLASS_DATA_SECURITY = 2006 };
enum { ACTIVITY_CREATE = 1, ACTIVITY_UPDATE = 2 };

static const char *text_at(const json_t *v, const char *path)
{
	const char *s = json_string_value(json_at(v, path));

	return words_any(s) ? s : NULL;
}

/* Takes `value` over; NULL: the key stays away. */
static void put(json_t *to, const char *key, json_t *value, int *err)
{
	if (value && json_object_set_new(to, key, value))
		*err = -ENOMEM;
}

static void put_text(json_t *to, const char *key, const char *text, int *err)
{
	if (text)
		put(to, key, words_cut(text, SIZE_MAX), err);
}

static void put_time(json_t *to, const char *key, const json_t *record, const char *path, int *err)
{
	int64_t ms = finding_time(record, path);

	if (ms >= 0)
		put(to, key, json_integer(ms), err);
}

/* A copy of what the record has there, unless that is null. */
static void put_as_is(json_t *to, const char *key, const json_t *record, const char *path, int *err)
{
	put(to, key, json_deep_copy(json_at(record, path)), err);
}

/* Takes `object` over: an empty one stays away, for the schema has none. */
static void put_object(json_t *to, const char *key, json_t *object, int *err)
{
	if (!object)
		*err = -ENOMEM;
	else if (json_object_size(object) || json_array_size(object))
		put(to, key, object, err);
	else
		json_decref(object);
}

/* --- what it is --------------------------------------------------------------------------------- */

static void add_class(json_t *e, const json_t *record, int *err)
{
	bool data = text_at(record, "dataset");
	int class = data ? CLASS_DATA_SECURITY : CLASS_DETECTION;
	const char *name = data ? "Data Security Finding" : "Detection Finding";
	int activity = json_integer_value(json_at(record, "count")) > 1 ? ACTIVITY_UPDATE : ACTIVITY_CREATE;
	const char *word = activity == ACTIVITY_UPDATE ? "Update" : "Create";
	char type[64];

	snprintf(type, sizeof(type), "%s: %s", name, word);
	put(e, "class_uid", json_integer(class), err);
	put(e, "class_name", json_string(name), err);
	put(e, "category_uid", json_integer(2), err);
	put(e, "category_name", json_string("Findings"), err);
	put(e, "activity_id", json_integer(activity), err);
	put(e, "activity_name", json_string(word), err);
	put(e, "type_uid", json_integer(class * 100 + activity), err);
	put(e, "type_name", json_string(type), err);
}

static void add_severity(json_t *e, const json_t *record, int *err)
{
	static const char *const captions[] = {"Unknown", "Informational", "Low", "Medium", "High", "Critical"};
	int id = finding_severity(record) + 1;

	put(e, "severity_id", json_integer(id), err);
	put(e, "severity", json_string(captions[id]), err);
	put(e, "status_id", json_integer(1), err);
	put(e, "status", json_string("New"), err);
}

/* Of the profile security_control. Who only tells lets it happen. */
static void add_outcome(json_t *e, const json_t *record, int *err)
{
	const char *action = text_at(record, "action");
	bool blocked = action && !strcmp(action, "blocked");

	put(e, "action_id", json_integer(blocked ? 2 : 1), err);
	put(e, "action", json_string(blocked ? "Denied" : "Allowed"), err);
	put(e, "disposition_id", json_integer(blocked ? 2 : 19), err);
	put(e, "disposition", json_string(blocked ? "Blocked" : "Alert"), err);
	put(e, "is_alert", json_true(), err);
}

static void add_cloud(json_t *e, const json_t *record, json_t *profiles, int *err)
{
	json_t *cloud;

	if (!text_at(record, "host.account") && !text_at(record, "host.region"))
		return;
	cloud = json_pack("{s:s}", "provider", "AWS");
	put_text(cloud, "region", text_at(record, "host.region"), err);
	if (text_at(record, "host.account"))
		put(cloud, "account", json_pack("{s:o, s:i}", "uid", words_cut(text_at(record, "host.account"), 64), "type_id", 10),
		    err);
	put_object(e, "cloud", cloud, err);
	if (json_array_append_new(profiles, json_string("cloud")))
		*err = -ENOMEM;
}

static void add_metadata(json_t *e, const json_t *record, json_t *profiles, int *err)
{
	json_t *m = json_pack("{s:s, s:{s:s, s:s, s:s}, s:O}", "version", OCSF_VERSION, "product", "name", "Sluice", "vendor_name",
			      "Sluice", "version", SLUICE_VERSION, "profiles", profiles);

	if (!m) {
		*err = -ENOMEM;
		return;
	}
	put_text(m, "event_code", text_at(record, "rule"), err);
	put_text(m, "original_time", text_at(record, "time"), err);
	put_time(m, "logged_time", record, "time", err);
	if (json_is_integer(json_at(record, "seq")))
		put_as_is(m, "sequence", record, "seq", err);
	put_object(e, "metadata", m, err);
}

/* "T1048.003" is a part of T1048. */
static json_t *json_attacks(const json_t *record, int *err)
{
	json_t *list = json_array(), *v, *attack;
	size_t i;

	json_array_foreach (json_at(record, "mitre"), i, v) {
		const char *id = json_string_value(v);
		size_t n = id ? strcspn(id, ".") : 0;

		if (!n)
			continue;
		attack = json_pack("{s:{s:o}}", "technique", "uid", json_stringn(id, n));
		if (id[n])
			put(attack, "sub_technique", json_pack("{s:o}", "uid", words_cut(id, 32)), err);
		if (json_array_append_new(list, attack))
			*err = -ENOMEM;
	}
	return list;
}

static json_t *json_uid(const json_t *record)
{
	_cleanup_free_ char *uid = NULL;

	if (asprintf(&uid, "%s/%s", finding_host(record), text_at(record, "id")) < 0)
		uid = NULL;
	return uid ? words_cut(uid, 512) : NULL;
}

static void add_finding(json_t *e, const json_t *record, int *err)
{
	_cleanup_free_ char *description = finding_description(record);
	const char *rule = text_at(record, "rule");
	json_t *f = json_object();

	if (!f || !description) {
		json_decref(f);
		*err = -ENOMEM;
		return;
	}
	put(f, "uid", json_uid(record), err);
	put_text(f, "title", text_at(record, "title"), err);
	put_text(f, "desc", description, err);
	put(f, "types", json_pack("[o]", words_cut(rule, 256)), err);
	put(f, "analytic",
	    json_pack("{s:o, s:o, s:i, s:s}", "uid", words_cut(rule, 256), "name", words_cut(rule, 256), "type_id", 1, "type",
		      "Rule"),
	    err);
	put_time(f, "created_time", record, finding_time(record, "first") >= 0 ? "first" : "time", err);
	put_time(f, "modified_time", record, "time", err);
	put_time(f, "first_seen_time", record, "first", err);
	put_time(f, "last_seen_time", record, "last", err);
	put(f, "data_sources", json_pack("[s]", "eBPF"), err);
	put_object(f, "attacks", json_attacks(record, err), err);
	put_object(e, "finding_info", f, err);
}

/* --- who and where -------------------------------------------------------------------------------- */

static json_t *json_file(const char *path, int *err)
{
	const char *slash = strrchr(path, '/');
	json_t *f = json_pack("{s:i, s:s}", "type_id", 1, "type", "Regular File");

	put_text(f, "name", slash && slash[1] ? slash + 1 : path, err);
	put_text(f, "path", path, err);
	return f;
}

static json_t *json_user(const json_t *process, int *err)
{
	_cleanup_free_ char *uid = value_text(json_at(process, "uid"), FORMAT_TEXT, NULL);
	json_t *u = json_object();

	put_text(u, "uid", uid, err);
	return u;
}

static json_t *json_process_of(const json_t *record, int *err)
{
	const json_t *from = json_at(record, "process");
	json_t *p = json_object();

	if (!json_is_integer(json_at(from, "pid")))
		return p;
	put_as_is(p, "pid", from, "pid", err);
	put_text(p, "name", text_at(from, "comm"), err);
	put_time(p, "created_time", from, "start", err);
	if (text_at(from, "exe"))
		put_object(p, "file", json_file(text_at(from, "exe"), err), err);
	put_object(p, "user", json_user(from, err), err);
	if (json_is_integer(json_at(from, "parent.pid")))
		put(p, "parent_process", json_pack("{s:O}", "pid", json_at(from, "parent.pid")), err);
	return p;
}

static json_t *json_actor(const json_t *record, int *err)
{
	json_t *a = json_object(), *user = json_user(json_at(record, "process"), err);

	put_object(a, "process", json_process_of(record, err), err);
	put_object(a, "user", user, err);
	put_text(a, "app_name", text_at(record, "job"), err);
	return a;
}

static json_t *json_endpoint(const json_t *record, int *err)
{
	const char *addr = text_at(record, "remote.addr"), *name = text_at(record, "remote.name");
	const char *service = text_at(record, "remote.service");
	json_t *d = json_object();

	if (!addr && !name && !service)
		return d;
	put_text(d, "ip", addr, err);
	put_text(d, addr ? "hostname" : "name", name, err);
	put_text(d, "svc_name", service, err);
	if (json_is_integer(json_at(record, "remote.port")))
		put_as_is(d, "port", record, "remote.port", err);
	return d;
}

static json_t *json_bucket(const json_t *record, int *err)
{
	const char *bucket = text_at(record, "remote.bucket");
	json_t *b = json_object();

	if (!bucket)
		return b;
	put_text(b, "name", bucket, err);
	put(b, "type_id", json_integer(1), err);
	put(b, "type", json_string("S3"), err);
	return b;
}

/* Where the chain ends in a file: tagged bytes are in it now. */
static json_t *json_copy_of(const json_t *record, int *err)
{
	const json_t *chain = json_at(record, "chain");
	const char *to = text_at(json_array_get(chain, json_array_size(chain) - 1), "to");

	return to && !strncmp(to, "file /", 6) ? json_file(to + 5, err) : json_object();
}

static json_t *json_device_of(const json_t *record, int *err)
{
	json_t *d = json_pack("{s:i, s:s}", "type_id", 1, "type", "Server");

	put_text(d, "hostname", text_at(record, "host.name"), err);
	put_text(d, "uid", text_at(record, "host.instance_id"), err);
	put_text(d, "instance_uid", text_at(record, "host.instance_id"), err);
	put_text(d, "region", text_at(record, "host.region"), err);
	return d;
}

/* Where the bytes were when the rule was broken. */
static int lifecycle(const char *rule)
{
	static const struct {
		const char *rule;
		int state;
	} others[] = {{"staging.copy", 1}, {"access.unauthorized", 3}, {"channel.unobservable", 3}};

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (!strcmp(others[i].rule, rule))
			return others[i].state;
	return 2;
}

static void add_data(json_t *e, const json_t *record, int *err)
{
	static const char *const states[] = {"", "Data at-Rest", "Data in-Transit", "Data in-Use"};
	const char *set = text_at(record, "dataset"), *rule = text_at(record, "rule");
	int state = lifecycle(rule);

	put(e, "data_security",
	    json_pack("{s:i, s:s, s:i, s:s, s:{s:o, s:o}}", "data_lifecycle_state_id", state, "data_lifecycle_state", states[state],
		      "detection_system_id", 1, "detection_system", "Endpoint", "policy", "name", words_cut(rule, 256), "uid",
		      words_cut(set, 256)),
	    err);
	put(e, "resources",
	    json_pack("[{s:s, s:o, s:o}]", "type", "dataset", "uid", words_cut(set, 256), "name", words_cut(set, 256)), err);
	put_object(e, "dst_endpoint", json_endpoint(record, err), err);
	put_object(e, "databucket", json_bucket(record, err), err);
	put_object(e, "file", json_copy_of(record, err), err);
}

static void add_evidence(json_t *e, const json_t *record, int *err)
{
	const char *advice = finding_advice(text_at(record, "rule"));
	json_t *one = json_object(), *list = json_array();

	put_object(one, "actor", json_actor(record, err), err);
	put_object(one, "process", json_process_of(record, err), err);
	put_object(one, "dst_endpoint", json_endpoint(record, err), err);
	put_object(one, "databucket", json_bucket(record, err), err);
	put_object(one, "device", json_device_of(record, err), err);
	if (json_array_append_new(list, one))
		*err = -ENOMEM;
	put_object(e, "evidences", list, err);
	if (advice)
		put(e, "remediation", json_pack("{s:s}", "desc", advice), err);
}

static void add_unmapped(json_t *e, const json_t *record, int *err)
{
	static const char *const kept[] = {"leak_bound", "exposed",   "chain",	"coverage", "job",
					   "job_labels", "ml_reason", "remote", "host"};
	json_t *u = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		put_as_is(u, kept[i], record, kept[i], err);
	put_object(e, "unmapped", u, err);
}

int ocsf_finding(const json_t *record, json_t **ret)
{
	json_t *e, *profiles;
	int err = 0;

	if (!text_at(record, "id") || !text_at(record, "rule") || finding_time(record, "time") < 0)
		return -EINVAL;
	e = json_object();
	profiles = json_pack("[s, s]", "host", "security_control");
	add_class(e, record, &err);
	put_time(e, "time", record, "time", &err);
	put_time(e, "start_time", record, "first", &err);
	put_time(e, "end_time", record, "last", &err);
	add_severity(e, record, &err);
	add_cloud(e, record, profiles, &err);
	add_metadata(e, record, profiles, &err);
	add_finding(e, record, &err);
	add_outcome(e, record, &err);
	put_text(e, "message", text_at(record, "title"), &err);
	if (json_is_integer(json_at(record, "count")))
		put_as_is(e, "count", record, "count", &err);
	put_object(e, "actor", json_actor(record, &err), &err);
	put_object(e, "device", json_device_of(record, &err), &err);
	if (text_at(record, "dataset"))
		add_data(e, record, &err);
	else
		add_evidence(e, record, &err);
	add_unmapped(e, record, &err);
	json_decref(profiles);
	if (!err && e) {
		*ret = e;
		return 0;
	}
	json_decref(e);
	return err ? err : -ENOMEM;
}
