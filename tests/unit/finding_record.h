/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Findings' records for those that turn them into other formats. */
#ifndef FINDING_RECORD_H
#define FINDING_RECORD_H

#include <jansson.h>
#include <string.h>

#include "user/util.h"
#include "user/value_text.h"

#define UNUSED __attribute__((unused))

UNUSED static const char leak_text[] =
    "{\"v\":1,\"type\":\"finding\",\"time\":\"2026-11-20T10:00:05.250Z\",\"seq\":77,"
    "\"host\":{\"name\":\"gpu-7\",\"boot_id\":\"b0\",\"instance_id\":\"i-0123456789abcdef0\",\"account\":\"123456789012\","
    "\"region\":\"eu-central-1\"},"
    "\"id\":\"f-00000000000000aa\",\"rule\":\"exfil.volume\",\"severity\":\"medium\",\"title\":\"slurm:7 sent 2 MiB of patients to "
    "x\","
    "\"dataset\":\"patients\",\"leak_bound\":2097152,\"exposed\":4194304,"
    "\"process\":{\"pid\":412,\"start\":\"2026-11-20T09:00:00.000Z\",\"exe\":\"/usr/bin/"
    "python3.11\",\"comm\":\"python3\",\"uid\":1000,"
    "\"parent\":{\"pid\":400,\"start\":null}},\"job\":\"slurm:7\","
    "\"remote\":{\"addr\":\"203.0.113.9\",\"port\":443,\"class\":\"aws:S3:eu-central-1\",\"name\":\"b.s3.eu-central-1.amazonaws."
    "com\","
    "\"name_source\":\"sni\",\"name_belief\":\"resolved\",\"name_note\":null,\"service\":\"s3\",\"bucket\":\"b\",\"access_point\":"
    "null,"
    "\"account\":null},"
    "\"chain\":[{\"from\":\"dataset "
    "patients\",\"to\":\"loader[411]\",\"via\":\"read\",\"bytes\":4194304,\"time\":\"2026-11-20T09:59:00.000Z\"},"
    "{\"from\":\"loader[411]\",\"to\":\"pipe:[9]\",\"via\":\"pipe_write\",\"bytes\":null,\"time\":null},"
    "{\"from\":\"pipe:[9]\",\"to\":\"203.0.113.9:443\",\"via\":\"tcp\",\"bytes\":2097152,\"time\":\"2026-11-20T10:00:00.000Z\"}],"
    "\"coverage\":[\"read.uring\"],\"mitre\":[\"T1041\",\"T1048.003\"],\"first\":\"2026-11-20T10:00:01.000Z\","
    "\"last\":\"2026-11-20T10:00:05.000Z\",\"count\":3,\"action\":\"alerted\",\"job_labels\":null,\"ml_reason\":[]}";

UNUSED static json_t *leak(void)
{
	json_t *r = json_loads(leak_text, 0, NULL);

	assert_non_null(r);
	return r;
}

/* About no dataset, no remote, and a host that no one knows. */
UNUSED static json_t *gap(void)
{
	json_t *r = leak();
	static const char *const none[] = {"dataset", "leak_bound", "exposed", "process", "job", "remote"};

	for (size_t i = 0; i < ARRAY_SIZE(none); i++)
		json_object_set_new(r, none[i], json_null());
	json_object_set_new(r, "chain", json_array());
	json_object_set_new(r, "rule", json_string("monitor.gap"));
	json_object_set_new(r, "severity", json_string("high"));
	json_object_set_new(r, "count", json_integer(1));
	json_object_set_new(r, "host", json_pack("{s:s, s:n, s:n, s:n}", "name", "lab", "instance_id", "account", "region"));
	return r;
}

UNUSED static const char *text_of(const json_t *v, const char *path)
{
	const char *s = json_string_value(json_at(v, path));

	return s ? s : "";
}

UNUSED static size_t chars_of(const char *s)
{
	size_t n = 0, left = strlen(s), k;
	uint32_t cp;

	for (; (k = utf8_next(s, left, &cp)); n++) {
		s += k;
		left -= k;
	}
	assert_int_equal(left, 0); /* UTF-8 to the end */
	return n;
}

/* Calls `check` with the record and each value in it, however deep, replaced by each of other kinds. */
UNUSED static void each_change(json_t *record, json_t *at, void (*check)(const json_t *record))
{
	static const char *const others[] = {
	    "null",    "\"\"", "\" \"", "\"\\u2003\\u00a0\"", "\"\\ud83d\\ude00\\n/\"", "-1", "9223372036854775807", "1.5", "[]",
	    "[[],{}]", "{}",   "true"};
	const char *key;
	json_t *v;
	void *tmp;
	size_t n;

	json_object_foreach_safe(at, tmp, key, v)
	{
		json_t *kept = json_incref(v);

		for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
			json_object_set_new(at, key, json_loads(others[i], JSON_DECODE_ANY, NULL));
			check(record);
		}
		json_object_set_new(at, key, kept);
		each_change(record, kept, check);
	}
	for (n = 0; n < json_array_size(at); n++)
		each_change(record, json_array_get(at, n), check);
}

#endif
