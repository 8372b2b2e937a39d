/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/export/asff_internal.h"

#include <string.h>

#include "user/export/finding_words.h"
#include "user/value_text.h"

#define ID_CHARS 512
#define TITLE_CHARS 256
#define DESCRIPTION_CHARS 1024
#define ADVICE_CHARS 512

static const char *const labels[] = {"INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL"};

/* namespace/category/classifier */
static const struct {
	const char *rule, *types[2];
} rules[] = {
    {"exfil.volume", {"Effects/Data Exfiltration/Sluice-ExfilVolume"}},
    {"budget.exceeded", {"Effects/Data Exfiltration/Sluice-BudgetExceeded", "Unusual Behaviors/Data/Sluice-BudgetExceeded"}},
    {"egress.unexpected", {"Unusual Behaviors/Network Flow/Sluice-EgressUnexpected"}},
    {"egress.plaintext", {"Effects/Data Exposure/Sluice-EgressPlaintext"}},
    {"s3.foreign-bucket", {"Effects/Data Exfiltration/Sluice-S3ForeignBucket"}},
    {"dns.tunnel", {"Effects/Data Exfiltration/Sluice-DnsTunnel", "TTPs/Command and Control/Sluice-DnsTunnel"}},
    {"staging.copy", {"TTPs/Collection/Sluice-StagingCopy", "Effects/Data Exposure/Sluice-StagingCopy"}},
    {"access.unauthorized", {"Unusual Behaviors/Data/Sluice-AccessUnauthorized", "TTPs/Collection/Sluice-AccessUnauthorized"}},
    {"credential.static",
     {"Software and Configuration Checks/AWS Security Best Practices/Sluice-CredentialStatic",
      "TTPs/Credential Access/Sluice-CredentialStatic"}},
    {"channel.unobservable", {"Unusual Behaviors/Process/Sluice-ChannelUnobservable"}},
    {"monitor.tamper", {"TTPs/Defense Evasion/Sluice-MonitorTamper"}},
    {"monitor.gap",
     {"Software and Configuration Checks/AWS Security Best Practices/Sluice-MonitorGap", "TTPs/Defense Evasion/Sluice-MonitorGap"}},
};

int asff_set(json_t *to, const char *key, json_t *value)
{
	return value && json_object_set_new(to, key, value) ? -ENOMEM : 0;
}

static json_t *rule_types(const char *rule)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < ARRAY_SIZE(rules); i++)
		for (size_t t = 0; t < 2 && !strcmp(rules[i].rule, rule) && rules[i].types[t]; t++)
			json_array_append_new(list, json_string(rules[i].types[t]));
	if (list && !json_array_size(list)) /* of a later version */
		json_array_append_new(list, json_string("Unusual Behaviors/Process"));
	return list;
}

static json_t *json_ms(int64_t ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
	char text[TIME_LEN];

	return ms < 0 ? NULL : json_string(time_rfc3339(text, &t));
}

/* `own` is what the record says, which stays readable where an earlier one said worse. */
static json_t *severity(int most, const char *own)
{
	json_t *s = json_pack("{s:s}", "Label", labels[MAX(most, 0)]);

	if (s && words_any(own) && asff_set(s, "Original", words_cut(own, 64))) {
		json_decref(s);
		return NULL;
	}
	return s;
}

static json_t *remediation(const char *rule)
{
	const char *advice = finding_advice(rule);
	json_t *text = advice ? words_cut(advice, ADVICE_CHARS) : NULL;

	return text ? json_pack("{s:{s:o}}", "Recommendation", "Text", text) : NULL;
}

int asff_id(const json_t *record, const struct asff_place *place, char **ret)
{
	const char *id = json_string_value(json_object_get(record, "id"));
	_cleanup_free_ char *raw = NULL;
	json_t *cut;

	if (!words_any(id) || !place->region || !place->account)
		return -EINVAL;
	if (asprintf(&raw, "sluice/%s/%s/%s/%s", place->region, place->account, finding_host(record), id) < 0) {
		raw = NULL;
		return -ENOMEM;
	}
	cut = words_cut(raw, ID_CHARS);
	*ret = cut ? strdup(json_string_value(cut)) : NULL;
	json_decref(cut);
	return *ret ? 0 : -ENOMEM;
}

static int add_names(json_t *f, const json_t *record, const struct asff_place *place, const char *known, const char *rule)
{
	_cleanup_free_ char *id = NULL, *product = NULL, *generator = NULL;
	int err = asff_id(record, place, &id);

	if (err)
		return err;
	if (asprintf(&product, "arn:%s:securityhub:%s:%s:product/%s/default", place->partition, place->region, place->account,
		     place->account) < 0)
		product = NULL;
	if (asprintf(&generator, "sluice/%s", rule) < 0)
		generator = NULL;
	if (!product || !generator)
		return -ENOMEM;
	err = asff_set(f, "SchemaVersion", json_string("2018-10-08"));
	if (!err)
		err = asff_set(f, "Id", json_string(known ? known : id));
	if (!err)
		err = asff_set(f, "ProductArn", json_string(product));
	if (!err)
		err = asff_set(f, "ProductName", json_string("Sluice"));
	if (!err)
		err = asff_set(f, "CompanyName", json_string("Sluice"));
	if (!err)
		err = asff_set(f, "GeneratorId", words_cut(generator, ID_CHARS));
	return err ? err : asff_set(f, "AwsAccountId", json_string(place->account));
}

static int add_times(json_t *f, const json_t *record, const struct asff_stamp *stamp)
{
	int64_t first = finding_time(record, "first"), last = finding_time(record, "last");
	int err = asff_set(f, "CreatedAt", json_ms(stamp->created_ms));

	if (!err)
		err = asff_set(f, "UpdatedAt", json_ms(stamp->updated_ms));
	if (!err)
		err = asff_set(f, "FirstObservedAt", json_ms(first));
	return err ? err : asff_set(f, "LastObservedAt", json_ms(last));
}

/* Severity and types stand twice: of an update only FindingProviderFields are taken over where someone changed the others. */
static int add_judgement(json_t *f, const json_t *record, const struct asff_stamp *stamp, const char *rule)
{
	const char *own = json_string_value(json_object_get(record, "severity"));
	int most = MIN(MAX(stamp->severity, finding_severity(record)), (int)ARRAY_SIZE(labels) - 1);
	json_t *both = json_pack("{s:o, s:o}", "Severity", severity(most, own), "Types", rule_types(rule));
	int err = both ? 0 : -ENOMEM;

	if (!err)
		err = asff_set(f, "Severity", json_incref(json_object_get(both, "Severity")));
	if (!err)
		err = asff_set(f, "Types", json_incref(json_object_get(both, "Types")));
	if (!err)
		return asff_set(f, "FindingProviderFields", both);
	json_decref(both);
	return err;
}

static int add_words(json_t *f, const json_t *record, const char *rule)
{
	const char *title = json_string_value(json_object_get(record, "title"));
	_cleanup_free_ char *description = finding_description(record);
	json_t *cut = words_cut(words_any(title) ? title : rule, TITLE_CHARS);
	int err = cut ? asff_set(f, "Title", cut) : -ENOMEM;

	if (!description)
		return -ENOMEM;
	if (!err)
		err = asff_set(f, "Description", words_cut(description, DESCRIPTION_CHARS));
	return err ? err : asff_set(f, "Remediation", remediation(rule));
}

/* What is too large loses the chain's end first: it is in the journal. */
static int fit(json_t *f)
{
	while (json_dumpb(f, NULL, 0, JSON_COMPACT) > ASFF_BYTES_MAX)
		if (!asff_drop_hop(f))
			return -EFBIG;
	return 0;
}

int asff_finding(const json_t *record, const struct asff_place *place, const struct asff_stamp *stamp, json_t **ret)
{
	const char *rule = json_string_value(json_object_get(record, "rule"));
	json_t *f;
	int err;

	if (!words_any(rule) || !place->partition || stamp->created_ms < 0 || stamp->updated_ms < 0)
		return -EINVAL;
	f = json_object();
	err = f ? add_names(f, record, place, stamp->id, rule) : -ENOMEM;
	if (!err)
		err = add_times(f, record, stamp);
	if (!err)
		err = add_judgement(f, record, stamp, rule);
	if (!err)
		err = add_words(f, record, rule);
	if (!err)
		err = asff_add_resources(f, record, place);
	if (!err)
		err = asff_add_network(f, record);
	if (!err)
		err = asff_add_process(f, record);
	if (!err)
		err = asff_add_fields(f, record);
	if (!err)
		err = fit(f);
	if (!err) {
		*ret = f;
		return 0;
	}
	json_decref(f);
	return err;
}
