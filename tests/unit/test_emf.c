/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Metrics: what is summed, what a document says, and how many there can be. Whether CloudWatch takes them, test_cloudwatch.py asks
 * their specification. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "user/export/emf.h"

#define MINUTE 1795206480000LL /* a whole one */

static const struct emf_frame frame = {.metric_namespace = "Sluice", .node = "i-0abc", .batch = 17, .dropped = 3, .lag_seconds = 61,
				       .latest_ms = MINUTE + 59001, .max = EMF_BYTES_MAX};

static int begin(void **state)
{
	return emf_new((struct emf **)state);
}

static int end(void **state)
{
	emf_free(*state);
	return 0;
}

static void add(struct emf *e, uint64_t seq, const char *record)
{
	json_t *r = json_loads(record, 0, NULL);

	assert_non_null(r);
	assert_int_equal(emf_add(e, r, seq, MINUTE + (int64_t)seq), 0);
	json_decref(r);
}

static json_t *documents(const struct emf *e, const struct emf_frame *f)
{
	struct json_text text = {};
	json_t *all = json_array();
	size_t n = 0, at = 0;

	assert_int_equal(emf_documents(e, f, &text, &n), 0);
	for (size_t i = 0; i < n; i++) {
		json_t *o = json_loads(text.data + at, 0, NULL);

		assert_non_null(o);
		json_array_append_new(all, o);
		at += strlen(text.data + at) + 1;
	}
	assert_int_equal(at, text.len);
	assert_true(text.len <= f->max);
	free(text.data);
	return all;
}

/* The one figure of these dimensions; NULL stands for one that the document must not have. -1: there is none. */
static int64_t value(const json_t *all, const char *metric, const char *dataset, const char *job, const char *class,
		     const char *severity)
{
	const struct {
		const char *name, *value;
	} want[] = {{"Dataset", dataset}, {"Job", job}, {"DestinationClass", class}, {"Severity", severity}};
	int64_t found = -1;
	size_t i;
	json_t *o;

	json_array_foreach (all, i, o) {
		bool is = json_object_get(o, metric);

		for (size_t w = 0; w < ARRAY_SIZE(want); w++) {
			const char *v = json_string_value(json_object_get(o, want[w].name));

			is = is && (want[w].value ? v && !strcmp(v, want[w].value) : !v);
		}
		if (!is)
			continue;
		assert_int_equal(found, -1); /* one document for a set */
		found = json_integer_value(json_object_get(o, metric));
	}
	return found;
}

static void test_sums(void **state)
{
	struct emf *e = *state;

	add(e, 11, "{\"type\":\"access\",\"job\":\"j\",\"dataset\":\"a\",\"bytes\":{\"read\":101,\"mmap\":null,\"device\":7}}");
	add(e, 12, "{\"type\":\"access\",\"job\":\"j\",\"dataset\":\"a\",\"bytes\":{\"read\":13}}");
	add(e, 13, "{\"type\":\"access\",\"job\":null,\"dataset\":\"a\",\"bytes\":{\"read\":17}}");
	add(e, 14, "{\"type\":\"access\",\"job\":\"k\",\"dataset\":\"a\",\"bytes\":{\"read\":0}}");
	add(e, 15, "{\"type\":\"flow\",\"job\":\"j\",\"remote\":{\"class\":\"internet\"},\"tainted_out\":53,\"datasets\":[\"a\",\"b\"]}");
	add(e, 16, "{\"type\":\"flow\",\"job\":\"j\",\"remote\":{\"class\":\"vpc\"},\"tainted_out\":59,\"datasets\":[\"a\"]}");
	add(e, 17, "{\"type\":\"flow\",\"job\":\"j\",\"remote\":null,\"tainted_out\":61,\"datasets\":[\"a\"]}");
	add(e, 18, "{\"type\":\"flow\",\"job\":\"j\",\"remote\":null,\"tainted_out\":null,\"bytes_out\":9,\"datasets\":[\"a\"]}");
	add(e, 19, "{\"type\":\"finding\",\"id\":\"f\",\"severity\":\"low\",\"dataset\":\"a\",\"leak_bound\":4099}");
	add(e, 20, "{\"type\":\"finding\",\"id\":\"f\",\"severity\":\"low\",\"dataset\":\"a\",\"leak_bound\":5003}");
	add(e, 21, "{\"type\":\"finding\",\"id\":\"g\",\"severity\":\"low\",\"dataset\":\"a\",\"leak_bound\":11}");
	add(e, 22, "{\"type\":\"finding\",\"id\":\"h\",\"severity\":\"high\",\"dataset\":null,\"leak_bound\":null}");
	add(e, 23, "{\"type\":\"health\",\"gaps\":[\"x\",\"y\",\"z\"]}");
	add(e, 24, "{\"type\":\"health\",\"gaps\":[\"x\"]}");
	json_t *all = documents(e, &frame);

	assert_int_equal(value(all, "BytesRead", "a", "j", NULL, NULL), 121);
	assert_int_equal(value(all, "BytesRead", "a", "none", NULL, NULL), 17);
	assert_int_equal(value(all, "BytesRead", "a", "k", NULL, NULL), -1);
	assert_int_equal(value(all, "TaintedBytesOut", "a", "j", "internet", NULL), 53);
	assert_int_equal(value(all, "TaintedBytesOut", "b", "j", "internet", NULL), 53);
	assert_int_equal(value(all, "TaintedBytesOut", "a", "j", "vpc", NULL), 59);
	assert_int_equal(value(all, "TaintedBytesOut", "a", "j", "none", NULL), 61);
	assert_int_equal(value(all, "LeakBound", "a", NULL, NULL, NULL), 5003); /* the largest: each is a total so far */
	assert_int_equal(value(all, "Findings", NULL, NULL, NULL, "low"), 2);	/* findings, not their records */
	assert_int_equal(value(all, "Findings", NULL, NULL, NULL, "high"), 1);
	assert_int_equal(value(all, "RecordsDropped", NULL, NULL, NULL, NULL), 3);
	assert_int_equal(value(all, "ExportLagSeconds", NULL, NULL, NULL, NULL), 61);
	assert_int_equal(value(all, "Gaps", NULL, NULL, NULL, NULL), 3);
	assert_int_equal(json_array_size(all), 10);
	json_decref(all);
}

/* To the letter, since CloudWatch goes by it. */
static void test_document(void **state)
{
	struct emf *e = *state;

	add(e, 11, "{\"type\":\"access\",\"job\":\"j\",\"dataset\":\"a\",\"bytes\":{\"read\":101}}");
	add(e, 13, "{\"type\":\"transfer\"}");
	json_t *all = documents(e, &frame);
	json_t *want = json_pack(
	    "{s:{s:I, s:[{s:s, s:[[s, s], [s, s, s]], s:[{s:s, s:s}]}]}, s:i, s:s, s:i, s:i, s:i, s:s, s:s, s:s, s:i}", "_aws",
	    "Timestamp", (json_int_t)MINUTE, "CloudWatchMetrics", "Namespace", "Sluice", "Dimensions", "Dataset", "Job", "Dataset", "Job", "Node",
	    "Metrics", "Name", "BytesRead", "Unit", "Bytes", "v", 1, "type", "metrics", "batch", 17, "first", 11, "last", 13, "Node",
	    "i-0abc", "Dataset", "a", "Job", "j", "BytesRead", 101);

	assert_non_null(want);
	assert_true(json_equal(json_array_get(all, 0), want));
	assert_int_equal(json_array_size(all), 2);
	json_decref(want);
	json_decref(all);
}

static void test_minutes(void **state)
{
	struct emf *e = *state;

	assert_false(emf_other_minute(e, MINUTE));
	assert_int_equal(emf_first(e), 0);
	add(e, 11, "{\"type\":\"health\"}");
	assert_int_equal(emf_first(e), 11);
	assert_false(emf_other_minute(e, MINUTE));
	assert_false(emf_other_minute(e, MINUTE + 59999));
	assert_true(emf_other_minute(e, MINUTE + 60000));
	assert_true(emf_other_minute(e, MINUTE - 1));
	emf_clear(e);
	assert_int_equal(emf_first(e), 0);
	json_t *all = documents(e, &frame);
	assert_int_equal(json_array_size(all), 1);
	json_decref(all);
}

/* Dimensions are printable ASCII of bounded length that is not only blanks. */
static void test_dimensions(void **state)
{
	struct emf *e = *state;
	char record[2048], longest[1501];

	memset(longest, 'j', 1500);
	longest[1500] = '\0';
	snprintf(record, sizeof(record), "{\"type\":\"access\",\"job\":\"%s\",\"dataset\":\"a\",\"bytes\":{\"read\":7}}", longest);
	add(e, 1, record);
	add(e, 2, "{\"type\":\"access\",\"job\":\"\xc3\xbc\\u0001x\",\"dataset\":\"a\",\"bytes\":{\"read\":11}}");
	add(e, 3, "{\"type\":\"access\",\"job\":\"  \",\"dataset\":\"\",\"bytes\":{\"read\":13}}");
	add(e, 4, "{\"type\":\"access\",\"job\":7,\"bytes\":{\"read\":17,\"x\":-5,\"y\":\"z\"}}");
	add(e, 5, "{\"type\":\"finding\",\"severity\":null}");
	json_t *all = documents(e, &frame);

	longest[255] = '\0';
	assert_int_equal(value(all, "BytesRead", "a", longest, NULL, NULL), 7);
	assert_int_equal(value(all, "BytesRead", "a", "??x", NULL, NULL), 11);
	assert_int_equal(value(all, "BytesRead", "none", "none", NULL, NULL), 30);
	assert_int_equal(value(all, "Findings", NULL, NULL, NULL, "none"), 1);
	json_decref(all);
}

/* A thousand jobs: so many have figures of their own, the rest go by "other", and none is lost. */
static void test_bounded(void **state)
{
	struct emf *e = *state;
	char record[256];
	int64_t sum = 0;
	size_t i;
	json_t *o;

	for (unsigned j = 1; j <= 1009; j++) {
		snprintf(record, sizeof(record),
			 "{\"type\":\"access\",\"job\":\"slurm:%u\",\"dataset\":\"d%u\",\"bytes\":{\"read\":%u}}", j, j % 3, j);
		add(e, j, record);
	}
	json_t *all = documents(e, &frame);
	assert_in_range(json_array_size(all), EMF_SETS_MAX, EMF_SETS_MAX + 64);
	json_array_foreach (all, i, o)
		sum += json_integer_value(json_object_get(o, "BytesRead"));
	assert_int_equal(sum, 1009 * 1010 / 2);
	assert_int_equal(value(all, "BytesRead", "d0", "slurm:3", NULL, NULL), 3);
	assert_true(value(all, "BytesRead", "d0", "other", NULL, NULL) > 0);
	assert_int_equal(value(all, "FiguresFolded", NULL, NULL, NULL, NULL), 1009 - EMF_SETS_MAX);
	json_decref(all);
	/* and where there is little room, what is left out is counted */
	struct emf_frame tight = frame;
	tight.max = 50021;
	all = documents(e, &tight);
	int64_t left_out = value(all, "SetsLeftOut", NULL, NULL, NULL, NULL);
	assert_int_equal((int64_t)json_array_size(all) - 1 + left_out, EMF_SETS_MAX + 3);
	json_decref(all);
}

/* Datasets without end: those go by "other" too, at last. */
static void test_bounded_datasets(void **state)
{
	struct emf *e = *state;
	char record[256];

	for (unsigned j = 1; j <= 3001; j++) {
		snprintf(record, sizeof(record),
			 "{\"type\":\"flow\",\"job\":\"j%u\",\"remote\":{\"class\":\"c%u\"},\"tainted_out\":1,\"datasets\":[\"d%u\"]}",
			 j, j, j);
		add(e, j, record);
	}
	json_t *all = documents(e, &frame);
	assert_true(json_array_size(all) <= EMF_SETS_MAX + 64 + 2);
	assert_true(value(all, "TaintedBytesOut", "other", "other", "other", NULL) > 2000);
	json_decref(all);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
	    TEST(test_sums),	   TEST(test_document), TEST(test_minutes),
	    TEST(test_dimensions), TEST(test_bounded),	TEST(test_bounded_datasets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
