/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* ASFF: what the format asks for is there and within its limits, whatever a record says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/finding_record.h"
#include "user/export/asff.h"
#include "user/export/finding_words.h"

static const struct asff_place here = {"aws", "eu-central-1", "123456789012"};
static const struct asff_stamp stamp = {1795165201000, 1795165205250, -1, NULL};

static json_t *made(const json_t *record, const struct asff_stamp *s)
{
	json_t *f;

	assert_int_equal(asff_finding(record, &here, s, &f), 0);
	return f;
}

/* As the service states them: in characters, of which one may have four bytes. */
static const struct {
	const char *path;
	size_t most;
} limits[] = {
    {"SchemaVersion", 10},
    {"Id", 512},
    {"ProductArn", 2048},
    {"GeneratorId", 512},
    {"AwsAccountId", 12},
    {"Title", 256},
    {"Description", 1024},
    {"ProductName", 128},
    {"CompanyName", 128},
    {"Remediation.Recommendation.Text", 512},
    {"Network.DestinationDomain", 128},
    {"Process.Name", 64},
    {"Process.Path", 512},
};

static const char *const required[] = {"SchemaVersion", "Id",	     "ProductArn", "GeneratorId", "AwsAccountId",
				       "CreatedAt",	"UpdatedAt", "Title",	   "Description", "Severity.Label"};

/* No text of it is blank: the service takes none. */
static void assert_seen(const json_t *v)
{
	const char *key;
	json_t *in;
	size_t i;

	if (json_is_string(v))
		assert_true(words_any(json_string_value(v)));
	json_object_foreach ((json_t *)v, key, in)
		assert_seen(in);
	json_array_foreach (v, i, in)
		assert_seen(in);
}

static void assert_fits(const json_t *f)
{
	static const char *const spaces[] = {"Software and Configuration Checks/", "TTPs/", "Effects/", "Unusual Behaviors/"};
	const json_t *resources = json_at(f, "Resources"), *types = json_at(f, "Types");
	json_t *v;
	const char *key;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(limits); i++)
		assert_in_range(chars_of(text_of(f, limits[i].path)), 0, limits[i].most);
	for (i = 0; i < ARRAY_SIZE(required); i++)
		assert_in_range(chars_of(text_of(f, required[i])), 1, SIZE_MAX);
	assert_in_range(json_array_size(types), 1, 50);
	json_array_foreach (types, i, v) {
		bool known = false;

		for (size_t s = 0; s < ARRAY_SIZE(spaces); s++)
			known |= !strncmp(json_string_value(v), spaces[s], strlen(spaces[s]));
		assert_true(known);
	}
	assert_in_range(json_array_size(resources), 1, 32);
	json_array_foreach (resources, i, v) {
		assert_in_range(chars_of(text_of(v, "Type")), 1, 256);
		assert_in_range(chars_of(text_of(v, "Id")), 1, 512);
	}
	assert_in_range(json_object_size(json_at(f, "ProductFields")), 1, 50);
	json_object_foreach ((json_t *)json_at(f, "ProductFields"), key, v) {
		assert_in_range(chars_of(key), 1, 128);
		assert_in_range(chars_of(json_string_value(v)), 1, 2048);
	}
	assert_seen(f);
	assert_in_range(json_dumpb(f, NULL, 0, JSON_COMPACT), 1, 240000);
	assert_null(json_object_get(f, "RecordState"));
	assert_null(json_object_get(f, "Workflow"));
	assert_null(json_object_get(f, "Note"));
}

static void test_whole(void **state)
{
	json_t *r = leak(), *f = made(r, &stamp), *fields = json_object_get(f, "ProductFields");

	assert_fits(f);
	assert_string_equal(text_of(f, "Id"), "sluice/eu-central-1/123456789012/i-0123456789abcdef0/f-00000000000000aa");
	assert_string_equal(text_of(f, "ProductArn"), "arn:aws:securityhub:eu-central-1:123456789012:product/123456789012/default");
	assert_string_equal(text_of(f, "GeneratorId"), "sluice/exfil.volume");
	assert_string_equal(text_of(f, "Severity.Label"), "MEDIUM");
	assert_string_equal(text_of(f, "FindingProviderFields.Severity.Label"), "MEDIUM");
	assert_string_equal(text_of(f, "CreatedAt"), "2026-11-20T09:00:01.000Z");
	assert_string_equal(text_of(f, "UpdatedAt"), "2026-11-20T09:00:05.250Z");
	assert_string_equal(text_of(f, "FirstObservedAt"), "2026-11-20T10:00:01.000Z");
	assert_string_equal(text_of(f, "Network.DestinationIpV4"), "203.0.113.9");
	assert_string_equal(text_of(f, "Network.Protocol"), "TCP");
	assert_string_equal(text_of(f, "Network.DestinationDomain"), "b.s3.eu-central-1.amazonaws.com");
	assert_int_equal(json_integer_value(json_at(f, "Network.DestinationPort")), 443);
	assert_int_equal(json_integer_value(json_at(f, "Process.Pid")), 412);
	assert_int_equal(json_integer_value(json_at(f, "Process.ParentPid")), 400);
	assert_string_equal(text_of(json_array_get(json_at(f, "Resources"), 0), "Id"),
			    "arn:aws:ec2:eu-central-1:123456789012:instance/i-0123456789abcdef0");
	assert_string_equal(text_of(json_array_get(json_at(f, "Resources"), 1), "Id"), "arn:aws:s3:::b");
	assert_string_equal(text_of(json_array_get(json_at(f, "Resources"), 2), "Details.Other.dataset"), "patients");
	assert_string_equal(json_string_value(json_object_get(fields, "sluice/leak_bound")), "2097152");
	assert_string_equal(json_string_value(json_object_get(fields, "sluice/chain/02")),
			    "? loader[411] > pipe:[9], pipe_write, ? bytes");
	assert_non_null(strstr(text_of(f, "Description"), "At most 2097152 bytes (2.0 MiB) of patients left"));
	json_decref(f);
	json_decref(r);
}

static void test_little_known(void **state)
{
	json_t *r = gap(), *f = made(r, &stamp);

	assert_fits(f);
	assert_string_equal(text_of(json_array_get(json_at(f, "Resources"), 0), "Type"), "Other");
	assert_string_equal(text_of(json_array_get(json_at(f, "Resources"), 0), "Id"), "host/lab");
	assert_null(json_object_get(f, "Network"));
	assert_null(json_object_get(f, "Process"));
	assert_null(json_object_get(json_object_get(f, "ProductFields"), "sluice/leak_bound"));
	json_decref(f);
	json_decref(r);
}

static void test_severities(void **state)
{
	static const struct {
		const char *word, *label;
		int before;
	} rows[] = {
	    {"info", "INFORMATIONAL", -1}, {"low", "LOW", -1},		 {"medium", "MEDIUM", -1},
	    {"high", "HIGH", -1},	   {"critical", "CRITICAL", -1}, {"what", "INFORMATIONAL", -1},
	    {"info", "HIGH", 3},	   {"critical", "CRITICAL", 1},	 {"info", "CRITICAL", 99},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct asff_stamp s = {.created_ms = 1, .updated_ms = 2, .severity = rows[i].before};
		json_t *r = leak(), *f;

		json_object_set_new(r, "severity", json_string(rows[i].word));
		f = made(r, &s);
		assert_string_equal(text_of(f, "Severity.Label"), rows[i].label);
		assert_string_equal(text_of(f, "Severity.Original"), rows[i].word);
		json_decref(f);
		json_decref(r);
	}
}

static void test_every_rule_has_a_type(void **state)
{
	static const char *const names[] = {"exfil.volume",	 "budget.exceeded",	 "egress.unexpected", "egress.plaintext",
					    "s3.foreign-bucket", "dns.tunnel",		 "staging.copy",      "access.unauthorized",
					    "credential.static", "channel.unobservable", "monitor.tamper",    "monitor.gap"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		json_t *r = leak(), *f;

		json_object_set_new(r, "rule", json_string(names[i]));
		f = made(r, &stamp);
		assert_fits(f);
		assert_non_null(strstr(json_string_value(json_array_get(json_at(f, "Types"), 0)), "/Sluice-"));
		assert_true(*text_of(f, "Remediation.Recommendation.Text"));
		json_decref(f);
		json_decref(r);
	}
}

/* What grows with a finding leaves its name alone; another host's is another one. */
static void test_id(void **state)
{
	json_t *r = leak(), *a, *b;

	a = made(r, &stamp);
	json_object_set_new(r, "leak_bound", json_integer(1 << 30));
	json_object_set_new(r, "last", json_string("2026-11-21T10:00:00.000Z"));
	json_object_set_new(r, "severity", json_string("critical"));
	b = made(r, &stamp);
	assert_string_equal(text_of(a, "Id"), text_of(b, "Id"));
	json_decref(b);
	json_object_set_new(json_object_get(r, "host"), "instance_id", json_string("i-2"));
	b = made(r, &stamp);
	assert_string_not_equal(text_of(a, "Id"), text_of(b, "Id"));
	json_decref(b);
	struct asff_stamp known = stamp;
	known.id = "as it was";
	b = made(r, &known);
	assert_string_equal(text_of(b, "Id"), "as it was");
	json_decref(a);
	json_decref(b);
	json_decref(r);
}

static json_t *long_text(size_t chars)
{
	char *s = malloc(4 * chars + 1);

	for (size_t i = 0; i < chars; i++)
		memcpy(s + 4 * i, "\xf0\x9f\x98\x80", 4);
	s[4 * chars] = '\0';
	json_t *v = json_string(s);
	free(s);
	return v;
}

/* All at once, each text of 5000 characters of four bytes, and a chain of 200 hops. */
static void test_limits(void **state)
{
	static const char *const long_ones[] = {"title", "rule", "dataset", "job", "action"};
	json_t *r = leak(), *f, *chain = json_array(), *coverage = json_array();

	for (size_t i = 0; i < ARRAY_SIZE(long_ones); i++)
		json_object_set_new(r, long_ones[i], long_text(5000));
	json_object_set_new(json_object_get(r, "process"), "exe", long_text(5000));
	json_object_set_new(json_object_get(r, "process"), "comm", long_text(5000));
	json_object_set_new(json_object_get(r, "remote"), "name", long_text(5000));
	json_object_set_new(json_object_get(r, "remote"), "bucket", long_text(5000));
	for (int i = 0; i < 200; i++)
		json_array_append_new(chain, json_pack("{s:o, s:o, s:s, s:i, s:n}", "from", long_text(5000), "to",
						       i < 199 ? long_text(5000) : json_string("the end"), "via", "tcp", "bytes", i,
						       "time"));
	for (int i = 0; i < 2000; i++)
		json_array_append_new(coverage, long_text(30));
	json_object_set_new(r, "chain", chain);
	json_object_set_new(r, "coverage", coverage);
	f = made(r, &stamp);
	assert_fits(f);
	assert_int_equal(chars_of(text_of(f, "Title")), 256);
	assert_int_equal(chars_of(text_of(f, "Description")), 1024);
	assert_int_equal(chars_of(text_of(f, "GeneratorId")), 512);
	json_decref(f);
	json_decref(r);
}

/* The hop that leaves is told of a long chain, too. */
static void test_long_chain(void **state)
{
	json_t *r = leak(), *f, *chain = json_array();

	for (int i = 0; i < 100; i++)
		json_array_append_new(chain, json_pack("{s:s, s:s, s:s, s:i, s:n}", "from", "a", "to", i == 99 ? "the end" : "b",
						       "via", "tcp", "bytes", i, "time"));
	json_object_set_new(r, "chain", chain);
	f = made(r, &stamp);
	assert_fits(f);
	assert_int_equal(json_object_size(json_at(f, "ProductFields")), 50);
	assert_non_null(
	    strstr(json_string_value(json_object_get(json_object_get(f, "ProductFields"), "sluice/chain/100")), "the end"));
	json_decref(f);
	json_decref(r);
}

static unsigned good, bad;

static void check_any(const json_t *record)
{
	json_t *f = NULL;
	int err = asff_finding(record, &here, &stamp, &f);

	if (err) {
		assert_int_equal(err, -EINVAL);
		assert_null(f);
		bad++;
		return;
	}
	assert_fits(f);
	good++;
	json_decref(f);
}

static void test_any(void **state)
{
	static const char *const needed[] = {"id", "rule"};
	struct asff_place nowhere = here;
	json_t *r = leak(), *f;

	each_change(r, r, check_any);
	assert_true(good > 300);
	assert_true(bad >= 2);
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		json_t *without = leak();

		json_object_del(without, needed[i]);
		assert_int_equal(asff_finding(without, &here, &stamp, &f), -EINVAL);
		json_decref(without);
	}
	nowhere.account = NULL;
	assert_int_equal(asff_finding(r, &nowhere, &stamp, &f), -EINVAL);
	json_decref(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_whole),      cmocka_unit_test(test_little_known),
	    cmocka_unit_test(test_severities), cmocka_unit_test(test_every_rule_has_a_type),
	    cmocka_unit_test(test_id),	       cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_long_chain), cmocka_unit_test(test_any),
	};

	return cmocka_run_group_tests_name("asff", tests, NULL, NULL);
}
