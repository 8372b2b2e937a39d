/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Who, where and by which way: the parts of an ASFF finding that are taken from the record piece by piece. */
#include "user/export/asff_internal.h"

#include <arpa/inet.h>
#include <string.h>

#include "user/export/finding_words.h"
#include "user/value_text.h"

#define VALUE_CHARS 2048
#define RESOURCE_CHARS 512
#define NAME_CHARS 64
#define PATH_CHARS 512
#define DOMAIN_CHARS 128

#define HOP_PREFIX "sluice/chain/"

static const char *text_at(const json_t *record, const char *path)
{
	const char *s = json_string_value(json_at(record, path));

	return words_any(s) ? s : NULL;
}

/* --- resources ------------------------------------------------------------------------------ */

/* AWS names these partitions; where it is another, none is said. */
static json_t *partition_word(const char *partition)
{
	static const char *const known[] = {"aws", "aws-cn", "aws-us-gov"};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (!strcmp(known[i], partition))
			return json_string(partition);
	return NULL;
}

/* `region` may be NULL. One that has no room is left out. */
__attribute__((format(printf, 5, 6))) static int add_resource(json_t *list, const char *type, const struct asff_place *place,
							      const char *region, const char *format, ...)
{
	_cleanup_free_ char *id = NULL;
	json_t *r;
	va_list ap;
	int n, err;

	if (json_array_size(list) >= ASFF_RESOURCES_MAX)
		return 0;
	va_start(ap, format);
	n = vasprintf(&id, format, ap);
	va_end(ap);
	if (n < 0) {
		id = NULL;
		return -ENOMEM;
	}
	r = json_pack("{s:s, s:o}", "Type", type, "Id", words_cut(id, RESOURCE_CHARS));
	err = r ? asff_set(r, "Partition", partition_word(place->partition)) : -ENOMEM;
	if (!err && region)
		err = asff_set(r, "Region", words_cut(region, 32));
	if (!err)
		return json_array_append_new(list, r) ? -ENOMEM : 0;
	json_decref(r);
	return err;
}

static int add_host(json_t *list, const json_t *record, const struct asff_place *place)
{
	const char *instance = text_at(record, "host.instance_id"), *account = text_at(record, "host.account");
	const char *region = text_at(record, "host.region");

	if (!instance)
		return add_resource(list, "Other", place, NULL, "host/%s", finding_host(record));
	region = region ? region : place->region;
	return add_resource(list, "AwsEc2Instance", place, region, "arn:%s:ec2:%s:%s:instance/%s", place->partition, region,
			    account ? account : place->account, instance);
}

/* The region of "aws:S3:eu-central-1". */
static const char *class_region(const json_t *record)
{
	const char *class = text_at(record, "remote.class");
	const char *colon = class && !strncmp(class, "aws:", 4) ? strchr(class + 4, ':') : NULL;

	return colon && colon[1] && strcmp(colon + 1, "GLOBAL") ? colon + 1 : NULL;
}

static int add_dataset(json_t *list, const json_t *record, const struct asff_place *place, const char *set)
{
	static const char *const told[] = {"job", "rule"};
	int err = add_resource(list, "Other", place, NULL, "dataset/%s", set);
	json_t *details = json_pack("{s:o, s:o}", "dataset", words_cut(set, 128), "host", words_cut(finding_host(record), 128));

	for (size_t i = 0; i < ARRAY_SIZE(told) && !err && details; i++)
		if (text_at(record, told[i]))
			err = asff_set(details, told[i], words_cut(text_at(record, told[i]), 1024));
	if (err || !details) {
		json_decref(details);
		return err ? err : -ENOMEM;
	}
	return asff_set(json_array_get(list, json_array_size(list) - 1), "Details", json_pack("{s:o}", "Other", details));
}

int asff_add_resources(json_t *finding, const json_t *record, const struct asff_place *place)
{
	const char *bucket = text_at(record, "remote.bucket"), *set = text_at(record, "dataset");
	json_t *list = json_array();
	int err = list ? add_host(list, record, place) : -ENOMEM;

	if (!err && bucket)
		err = add_resource(list, "AwsS3Bucket", place, class_region(record), "arn:%s:s3:::%s", place->partition, bucket);
	if (!err && set)
		err = add_dataset(list, record, place, set);
	if (!err)
		return asff_set(finding, "Resources", list);
	json_decref(list);
	return err;
}

/* --- network, process -------------------------------------------------------------------------- */

/* Of the last hop: it is the one that leaves. */
static const char *protocol(const json_t *record)
{
	const json_t *chain = json_at(record, "chain"), *last = json_array_get(chain, json_array_size(chain) - 1);
	const char *via = text_at(last, "via");

	return via && !strcmp(via, "tcp") ? "TCP" : via && !strcmp(via, "udp") ? "UDP" : NULL;
}

static json_t *number_within(const json_t *v, json_int_t most)
{
	return json_is_integer(v) && json_integer_value(v) > 0 && json_integer_value(v) <= most ? json_copy((json_t *)v) : NULL;
}

int asff_add_network(json_t *finding, const json_t *record)
{
	const char *addr = text_at(record, "remote.addr"), *name = text_at(record, "remote.name"), *proto = protocol(record);
	unsigned char raw[16];
	bool v4 = addr && inet_pton(AF_INET, addr, raw) == 1, v6 = addr && !v4 && inet_pton(AF_INET6, addr, raw) == 1;
	json_t *n;
	int err;

	if (!v4 && !v6)
		return 0; /* a channel, or many ends */
	n = json_pack("{s:s, s:s}", "Direction", "OUT", v4 ? "DestinationIpV4" : "DestinationIpV6", addr);
	err = n ? asff_set(n, "DestinationPort", number_within(json_at(record, "remote.port"), 65535)) : -ENOMEM;
	if (!err && proto)
		err = asff_set(n, "Protocol", json_string(proto));
	if (!err && name)
		err = asff_set(n, "DestinationDomain", words_cut(name, DOMAIN_CHARS));
	if (!err)
		return asff_set(finding, "Network", n);
	json_decref(n);
	return err;
}

int asff_add_process(json_t *finding, const json_t *record)
{
	const char *comm = text_at(record, "process.comm"), *exe = text_at(record, "process.exe");
	json_t *p;
	int err;

	if (!json_is_object(json_at(record, "process")))
		return 0;
	p = json_object();
	err = p && comm ? asff_set(p, "Name", words_cut(comm, NAME_CHARS)) : p ? 0 : -ENOMEM;
	if (!err && exe)
		err = asff_set(p, "Path", words_cut(exe, PATH_CHARS));
	if (!err)
		err = asff_set(p, "Pid", number_within(json_at(record, "process.pid"), INT32_MAX));
	if (!err)
		err = asff_set(p, "ParentPid", number_within(json_at(record, "process.parent.pid"), INT32_MAX));
	if (!err && finding_time(record, "process.start") >= 0)
		err = asff_set(p, "LaunchedAt", json_string(text_at(record, "process.start")));
	if (!err)
		return asff_set(finding, "Process", p);
	json_decref(p);
	return err;
}

/* --- product fields ------------------------------------------------------------------------------ */

static const struct {
	const char *key, *path;
	enum value_format format;
} told[] = {
    {"sluice/finding", "id", FORMAT_TEXT},
    {"sluice/rule", "rule", FORMAT_TEXT},
    {"sluice/severity", "severity", FORMAT_TEXT},
    {"sluice/dataset", "dataset", FORMAT_TEXT},
    {"sluice/leak_bound", "leak_bound", FORMAT_TEXT},
    {"sluice/exposed", "exposed", FORMAT_TEXT},
    {"sluice/job", "job", FORMAT_TEXT},
    {"sluice/action", "action", FORMAT_TEXT},
    {"sluice/count", "count", FORMAT_TEXT},
    {"sluice/process", "process", FORMAT_PROCESS},
    {"sluice/process/uid", "process.uid", FORMAT_TEXT},
    {"sluice/remote", "remote", FORMAT_REMOTE},
    {"sluice/remote/class", "remote.class", FORMAT_TEXT},
    {"sluice/remote/name_belief", "remote.name_belief", FORMAT_TEXT},
    {"sluice/remote/account", "remote.account", FORMAT_TEXT},
    {"sluice/host", "host.name", FORMAT_TEXT},
    {"sluice/boot_id", "host.boot_id", FORMAT_TEXT},
    {"sluice/mitre", "mitre", FORMAT_NAMES},
    {"sluice/not_measured", "coverage", FORMAT_NAMES},
    {"sluice/ml_reason", "ml_reason", FORMAT_SIGNS},
};

static int add_hop(json_t *fields, size_t number, const json_t *hop)
{
	_cleanup_free_ char *bytes = value_text(json_at(hop, "bytes"), FORMAT_TEXT, NULL), *raw = NULL;
	const char *from = text_at(hop, "from"), *to = text_at(hop, "to"), *via = text_at(hop, "via"), *time = text_at(hop, "time");
	char key[64];

	if (asprintf(&raw, "%s %s > %s, %s, %s bytes", time ? time : "?", from ? from : "?", to ? to : "?", via ? via : "?",
		     bytes ? bytes : "?") < 0) {
		raw = NULL;
		return -ENOMEM;
	}
	snprintf(key, sizeof(key), HOP_PREFIX "%02zu", number);
	return asff_set(fields, key, words_cut(raw, VALUE_CHARS));
}

int asff_add_fields(json_t *finding, const json_t *record)
{
	json_t *fields = json_object(), *hop;
	int err = fields ? 0 : -ENOMEM;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(told) && !err; i++) {
		_cleanup_free_ char *text = value_text(json_at(record, told[i].path), told[i].format, NULL);

		if (words_any(text))
			err = asff_set(fields, told[i].key, words_cut(text, VALUE_CHARS));
	}
	json_array_foreach (json_at(record, "chain"), i, hop)
		if (!err && (json_object_size(fields) < ASFF_FIELDS_MAX - 1 || i + 1 == json_array_size(json_at(record, "chain"))))
			err = add_hop(fields, i + 1, hop); /* of a long one the last, too: it is what leaves */
	if (!err)
		return asff_set(finding, "ProductFields", fields);
	json_decref(fields);
	return err;
}

bool asff_drop_hop(json_t *finding)
{
	json_t *fields = json_object_get(finding, "ProductFields"), *v;
	const char *key, *last = NULL;

	json_object_foreach (fields, key, v)
		if (!strncmp(key, HOP_PREFIX, strlen(HOP_PREFIX)))
			last = !last || strcmp(key, last) > 0 ? key : last;
	return last && !json_object_del(fields, last);
}
_Static_assert(ARRAY_SIZE(told) < ASFF_FIELDS_MAX, "there is room for a chain");
