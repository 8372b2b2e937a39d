/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* OCSF 1.6.0: what the classes and their objects require is there, and each number is one of its enumeration. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/finding_record.h"
#include "user/export/ocsf.h"

/* An attribute of an object that may stand at `path`: `required` whenever the object is there. */
struct rule {
	const char *object, *attribute;
	bool required;
	enum { TEXT, NUMBER, OBJECT, LIST, YES } kind;
	int values[14]; /* of NUMBER, ended by -1; none: any */
};

#define ANY                                                                                                                        \
	{                                                                                                                          \
		-1                                                                                                                 \
	}

static const struct rule rules[] = {
    {NULL, "activity_id", true, NUMBER, {0, 1, 2, 3, 99, -1}},
    {NULL, "category_uid", true, NUMBER, {2, -1}},
    {NULL, "class_uid", true, NUMBER, {2004, 2006, -1}},
    {NULL, "type_uid", true, NUMBER, ANY},
    {NULL, "time", true, NUMBER, ANY},
    {NULL, "severity_id", true, NUMBER, {0, 1, 2, 3, 4, 5, 6, 99, -1}},
    {NULL, "status_id", false, NUMBER, {0, 1, 2, 3, 4, 5, 6, 99, -1}},
    {NULL, "action_id", false, NUMBER, {0, 1, 2, -1}},
    {NULL, "disposition_id", false, NUMBER, {2, 19, -1}},
    {NULL, "is_alert", false, YES, ANY},
    {NULL, "metadata", true, OBJECT, ANY},
    {NULL, "finding_info", true, OBJECT, ANY},
    {NULL, "unmapped", false, OBJECT, ANY},
    {"metadata", "version", true, TEXT, ANY},
    {"metadata", "product", true, OBJECT, ANY},
    {"metadata.product", "vendor_name", true, TEXT, ANY},
    {"metadata.product", "name", true, TEXT, ANY},
    {"metadata.product", "version", true, TEXT, ANY},
    {"finding_info", "uid", true, TEXT, ANY},
    {"finding_info", "title", false, TEXT, ANY},
    {"finding_info", "created_time", false, NUMBER, ANY},
    {"finding_info", "first_seen_time", false, NUMBER, ANY},
    {"finding_info", "last_seen_time", false, NUMBER, ANY},
    {"finding_info", "types", false, LIST, ANY},
    {"finding_info.analytic", "type_id", true, NUMBER, {0, 1, 2, 3, 4, 99, -1}},
    {"device", "type_id", true, NUMBER, {0, 1, 2, 3, 4, 5, 6, 7, 8, 99, -1}},
    {"file", "name", true, TEXT, ANY},
    {"file", "type_id", true, NUMBER, {0, 1, 2, 3, 4, 5, 6, 7, 99, -1}},
    {"databucket", "type_id", true, NUMBER, {0, 1, 2, 3, 99, -1}},
    {"cloud", "provider", true, TEXT, ANY},
    {"data_security", "data_lifecycle_state_id", false, NUMBER, {0, 1, 2, 3, 99, -1}},
    {"data_security", "detection_system_id", false, NUMBER, {0, 1, 12, 99, -1}},
    {"actor.process.file", "name", true, TEXT, ANY},
    {"actor.process.file", "type_id", true, NUMBER, {0, 1, -1}},
};

/* Of each of these, one at least. */
static const struct {
	const char *object, *any[8];
} constraints[] = {
    {"actor", {"process", "user", "session", "app_name", "app_uid", "invoked_by"}},
    {"actor.process", {"pid", "uid", "cpid"}},
    {"actor.user", {"account", "name", "uid"}},
    {"data_security", {"data_lifecycle_state_id", "detection_pattern", "detection_system_id", "policy"}},
    {"data_security.policy", {"name", "uid"}},
    {"dst_endpoint", {"ip", "uid", "name", "hostname", "svc_name", "instance_uid"}},
    {"finding_info.analytic", {"name", "uid"}},
};

static bool is_kind(const json_t *v, const struct rule *r)
{
	switch (r->kind) {
	case TEXT:
		return *text_of(v, NULL);
	case OBJECT:
		return json_object_size(v);
	case LIST:
		return json_array_size(v);
	case YES:
		return json_is_boolean(v);
	case NUMBER:
		break;
	}
	for (int i = 0; r->values[i] != -1; i++)
		if (json_integer_value(v) == r->values[i])
			return json_is_integer(v);
	return json_is_integer(v) && r->values[0] == -1;
}

static void assert_valid(const json_t *e)
{
	static const char *const only_2004[] = {"evidences", "remediation"};
	static const char *const only_2006[] = {"data_security", "databucket", "file", "dst_endpoint"};
	json_int_t class = json_integer_value(json_at(e, "class_uid"));
	json_t *v;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rules); i++) {
		const json_t *o = json_at(e, rules[i].object), *a = json_object_get(o, rules[i].attribute);

		if (o && (a || rules[i].required) && !is_kind(a, &rules[i]))
			fail_msg("%s.%s", rules[i].object ? rules[i].object : "", rules[i].attribute);
	}
	for (i = 0; i < ARRAY_SIZE(constraints); i++) {
		const json_t *o = json_at(e, constraints[i].object);
		bool any = !o;

		for (size_t k = 0; k < 8 && constraints[i].any[k]; k++)
			any |= json_object_get(o, constraints[i].any[k]) != NULL;
		assert_true(any);
	}
	assert_int_equal(json_integer_value(json_at(e, "type_uid")), class * 100 + json_integer_value(json_at(e, "activity_id")));
	assert_string_equal(text_of(e, "metadata.version"), "1.6.0");
	for (i = 0; i < ARRAY_SIZE(only_2004); i++)
		assert_true(class == 2004 || !json_object_get(e, only_2004[i]));
	for (i = 0; i < ARRAY_SIZE(only_2006); i++)
		assert_true(class == 2006 || !json_object_get(e, only_2006[i]));
	json_array_foreach (json_at(e, "finding_info.attacks"), i, v)
		assert_true(*text_of(v, "technique.uid"));
	json_array_foreach (json_at(e, "evidences"), i, v)
		assert_true(json_object_size(v));
}

static json_t *made(const json_t *record)
{
	json_t *e;

	assert_int_equal(ocsf_finding(record, &e), 0);
	assert_valid(e);
	return e;
}

static void test_data(void **state)
{
	json_t *r = leak(), *e = made(r);

	assert_int_equal(json_integer_value(json_at(e, "class_uid")), 2006);
	assert_int_equal(json_integer_value(json_at(e, "activity_id")), 2);
	assert_int_equal(json_integer_value(json_at(e, "type_uid")), 200602);
	assert_int_equal(json_integer_value(json_at(e, "severity_id")), 3);
	assert_true(json_integer_value(json_at(e, "time")) == 1795168805250);
	assert_string_equal(text_of(e, "finding_info.uid"), "i-0123456789abcdef0/f-00000000000000aa");
	assert_string_equal(text_of(e, "finding_info.analytic.uid"), "exfil.volume");
	assert_true(json_integer_value(json_at(e, "finding_info.first_seen_time")) == 1795168801000);
	assert_true(json_integer_value(json_at(e, "finding_info.last_seen_time")) == 1795168805000);
	assert_int_equal(json_integer_value(json_at(e, "actor.process.pid")), 412);
	assert_string_equal(text_of(e, "actor.process.file.name"), "python3.11");
	assert_string_equal(text_of(e, "actor.user.uid"), "1000");
	assert_string_equal(text_of(e, "actor.app_name"), "slurm:7");
	assert_string_equal(text_of(e, "dst_endpoint.ip"), "203.0.113.9");
	assert_int_equal(json_integer_value(json_at(e, "dst_endpoint.port")), 443);
	assert_string_equal(text_of(e, "databucket.name"), "b");
	assert_string_equal(text_of(e, "device.uid"), "i-0123456789abcdef0");
	assert_string_equal(text_of(e, "cloud.account.uid"), "123456789012");
	assert_string_equal(text_of(json_array_get(json_at(e, "finding_info.attacks"), 1), "technique.uid"), "T1048");
	assert_string_equal(text_of(json_array_get(json_at(e, "finding_info.attacks"), 1), "sub_technique.uid"), "T1048.003");
	assert_int_equal(json_integer_value(json_at(e, "unmapped.leak_bound")), 2097152);
	assert_int_equal(json_array_size(json_at(e, "unmapped.chain")), 3);
	assert_null(json_at(e, "file"));
	json_decref(e);
	json_object_set_new(json_array_get(json_object_get(r, "chain"), 2), "to", json_string("file /shared/out.bin"));
	e = made(r);
	assert_string_equal(text_of(e, "file.name"), "out.bin");
	assert_string_equal(text_of(e, "file.path"), "/shared/out.bin");
	json_decref(e);
	json_decref(r);
}

static void test_detection(void **state)
{
	json_t *r = gap(), *e = made(r);

	assert_int_equal(json_integer_value(json_at(e, "class_uid")), 2004);
	assert_int_equal(json_integer_value(json_at(e, "activity_id")), 1);
	assert_int_equal(json_integer_value(json_at(e, "severity_id")), 4);
	assert_string_equal(text_of(e, "finding_info.uid"), "lab/f-00000000000000aa");
	assert_null(json_at(e, "cloud"));
	assert_null(json_at(e, "actor"));
	assert_null(json_at(e, "unmapped.leak_bound"));
	json_decref(e);
	json_decref(r);
}

static void test_severities(void **state)
{
	static const char *const words[] = {"unheard of", "info", "low", "medium", "high", "critical"};

	for (int i = 0; i < (int)ARRAY_SIZE(words); i++) {
		json_t *r = leak(), *e;

		json_object_set_new(r, "severity", json_string(words[i]));
		e = made(r);
		assert_int_equal(json_integer_value(json_at(e, "severity_id")), i);
		json_decref(e);
		json_decref(r);
	}
}

/* The same record is the same event: a report that is made again says the same. */
static void test_same(void **state)
{
	json_t *r = leak(), *a = made(r), *b = made(r);
	char *x = json_dumps(a, JSON_COMPACT), *y = json_dumps(b, JSON_COMPACT);

	assert_string_equal(x, y);
	free(x);
	free(y);
	json_decref(a);
	json_decref(b);
	json_decref(r);
}

static unsigned good, bad;

static void check_any(const json_t *record)
{
	json_t *e = NULL;
	int err = ocsf_finding(record, &e);

	if (err) {
		assert_int_equal(err, -EINVAL);
		assert_null(e);
		bad++;
		return;
	}
	assert_valid(e);
	good++;
	json_decref(e);
}

static void test_any(void **state)
{
	static const char *const needed[] = {"id", "rule", "time"};
	json_t *r = leak(), *other = gap(), *e;

	each_change(r, r, check_any);
	each_change(other, other, check_any);
	assert_true(good > 300);
	assert_true(bad >= 3);
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		json_t *without = leak();

		json_object_del(without, needed[i]);
		assert_int_equal(ocsf_finding(without, &e), -EINVAL);
		json_decref(without);
	}
	json_decref(r);
	json_decref(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_data), cmocka_unit_test(test_detection), cmocka_unit_test(test_severities),
	    cmocka_unit_test(test_same), cmocka_unit_test(test_any),
	};

	return cmocka_run_group_tests_name("ocsf", tests, NULL, NULL);
}
