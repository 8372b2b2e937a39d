/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The short way through a record does what the long way does, or nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/finding_record.h"
#include "user/record_tape.h"
#include "user/report.h"

#define HEAD(type) "{\"v\":1,\"type\":\"" type "\",\"time\":\"2026-11-20T10:00:05.250Z\",\"seq\":3,\"host\":{\"name\":\"h\"},"
#define PROCESS                                                                                                                    \
	"\"process\":{\"pid\":41,\"start\":\"2026-11-20T09:00:00.000Z\",\"exe\":\"/usr/bin/"                                       \
	"python3\",\"comm\":\"python3\",\"uid\":4000000,"                                                                          \
	"\"parent\":null}"

static const char *const records[] = {
    HEAD("access") "\"job\":\"slurm:7\"," PROCESS ",\"dataset\":\"patients\",\"tags\":{\"DataType\":\"PII\"},"
		   "\"bytes\":{\"read\":4096,\"mmap\":null,\"device\":0},\"ops\":3,\"files\":2,\"exact\":true}",
    HEAD("access") "\"job\":null," PROCESS ",\"dataset\":\"cats\",\"bytes\":{},\"ops\":0,\"files\":null,\"exact\":false}",
    HEAD("flow") PROCESS
    ",\"job\":\"slurm:7\",\"proto\":\"tcp\",\"local\":null,\"remote\":{\"addr\":\"203.0.113.9\",\"port\":443,"
    "\"class\":\"internet\",\"name\":\"x.example\",\"name_source\":\"sni\"},\"bytes_out\":100,\"bytes_in\":7,\"tainted_out\":90,"
    "\"datasets\":[\"patients\",\"cats\"],\"encrypted\":true}",
    HEAD("flow") PROCESS
    ",\"job\":\"slurm:8\",\"proto\":\"tcp\",\"remote\":{\"addr\":\"10.0.0.9\",\"port\":3128,"
    "\"class\":\"vpc\",\"name\":null,\"name_source\":\"connect\"},\"bytes_out\":5,\"tainted_out\":null,\"datasets\":[\"cats\"]}",
    HEAD("flow") PROCESS ",\"job\":\"slurm:8\",\"proto\":\"udp\",\"remote\":{\"addr\":\"10.0.0.2\",\"port\":53,"
			 "\"class\":\"dns\",\"name\":null,\"name_source\":null},\"bytes_out\":5,\"tainted_out\":5,\"datasets\":[]}",
    HEAD("flow") "\"process\":null,\"job\":null,\"proto\":null,\"local\":null,\"remote\":null,\"bytes_out\":9,\"bytes_in\":0,"
		 "\"tainted_out\":8,\"datasets\":[\"patients\"],\"encrypted\":null,\"overflow\":true}",
    HEAD("transfer") "\"from\":{\"process\":{\"pid\":4,\"comm\":\"loader\"}},\"to\":{\"object\":{\"kind\":\"pipe\",\"name\":\"pipe:"
		     "[7]\","
		     "\"path\":null}},\"via\":\"pipe_write\",\"bytes\":70,\"datasets\":[\"patients\"],\"declared\":[]}",
    HEAD("transfer") "\"from\":{\"object\":{\"name\":\"socket:[9]\"}},\"to\":{},\"via\":\"unix_read\",\"bytes\":null,"
		     "\"datasets\":[\"patients\"]}",
    leak_text,
    HEAD("health") "\"gaps\":[\"read.uring\"],\"owners\":[]}",
    HEAD("policy") "\"digest\":\"x\"}",
    HEAD("journal") "\"event\":\"start\"}",
    HEAD("later") "\"what\":1}",
};

static struct report *quick, *slow;
static unsigned both_took, both_refused, short_ways;

/* As json_lines_each() gives it to both. */
static int give(struct report *r, bool raw, const char *line)
{
	struct json_lines_why why;
	json_t *v;
	int err = raw ? report_raw(r, line, strlen(line)) : 0;

	if (err)
		return err;
	v = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
	err = json_is_object(v) ? report_take(r, v, &why) : -EINVAL;
	json_decref(v);
	return err;
}

static void give_both(const char *line)
{
	int a = give(quick, true, line), b = give(slow, false, line);

	short_ways += a == 1;
	if ((a < 0) != (b < 0))
		fail_msg("%d %d %s", a, b, line);
	*(a < 0 ? &both_refused : &both_took) += 1;
}

static void give_changed(const json_t *record)
{
	char *line = json_dumps(record, JSON_COMPACT);

	give_both(line);
	give_both(line); /* a row that is there by now */
	free(line);
}

static void assert_same(void)
{
	json_t *a = report_document(quick, false), *b = report_document(slow, false);

	assert_non_null(a);
	json_object_del(a, "time");
	json_object_del(b, "time");
	if (!json_equal(a, b)) {
		json_dumpf(a, stderr, JSON_INDENT(1));
		json_dumpf(b, stderr, JSON_INDENT(1));
		fail();
	}
	json_decref(a);
	json_decref(b);
}

static void begin(const struct report_wish *w)
{
	assert_int_equal(report_new(w, &quick), 0);
	assert_int_equal(report_new(w, &slow), 0);
	short_ways = both_took = both_refused = 0;
}

static void end(void)
{
	assert_same();
	quick = report_free(quick);
	slow = report_free(slow);
}

static void test_each_change(void **state)
{
	struct timespec at = {1795168805, 250000001}, before = {1795168805, 250000000};
	struct report_wish wishes[] = {{0},
				       {.dataset = "patients"},
				       {.job = "slurm:7"},
				       {.since = &before},
				       {.since = &at},
				       {.until = &before},
				       {.finding = "f-00000000000000aa"},
				       {.rows = 3},
				       {.dataset = "cats", .job = "slurm:8"}};

	for (size_t w = 0; w < ARRAY_SIZE(wishes); w++) {
		begin(&wishes[w]);
		for (int twice = 0; twice < 2; twice++)
			for (size_t i = 0; i < ARRAY_SIZE(records); i++)
				give_both(records[i]);
		for (size_t i = 0; i < ARRAY_SIZE(records); i++) {
			json_t *r = json_loads(records[i], 0, NULL);

			each_change(r, r, give_changed);
			json_decref(r);
		}
		assert_true(both_took > 1000);
		assert_true(both_refused > 200);
		assert_true(short_ways > (wishes[w].since == &at ? 0 : 500) || wishes[w].since);
		end();
	}
}

/* Forms of JSON that a monitor does not write. */
static void test_odd_forms(void **state)
{
	static const char *const odd[] = {
	    "",
	    " ",
	    "{",
	    "}",
	    "[]",
	    "{}",
	    "{\"v\":1}",
	    "{\"v\":1,\"v\":1}",
	    "nul",
	    "\"x\"",
	    "{\"a\":01}",
	    "{\"a\":1.5}",
	    "{\"a\":-}",
	    "{\"a\":1e3}",
	    "{\"a\":99999999999999999999}",
	    "{\"a\":\"\\u0041\"}",
	    "{\"a\":\"\xc3\xa4\"}",
	    "{\"a\":\"\xff\"}",
	    "{\"a\":\"\x01\"}",
	    "{\"a\":1,}",
	    "{,}",
	    "{\"a\"}",
	    "{\"a\":}",
	    "{a:1}",
	    "{\"a\":[1,]}",
	    "{\"a\":[1 2]}",
	    "{\"a\":tru}",
	    "{\"a\":truee}",
	    "{\"a\":nullx}",
	    "{\"a\":1}x",
	    "{\"a\":1} ",
	    " {\"a\":1}",
	    "{\"a\":{\"b\":1,\"b\":2}}",
	    "{\"a\":[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]}",
	    "{\"a\":\"",
	    "{\"\":1,\"\":2}",
	};
	struct report_wish w = {0};
	struct tape t = {0};

	begin(&w);
	for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
		json_t *v = json_loads(odd[i], JSON_REJECT_DUPLICATES, NULL);

		if (tape_read(&t, odd[i], strlen(odd[i])) && !json_is_object(v))
			fail_msg("%s", odd[i]);
		json_decref(v);
		give_both(odd[i]);
	}
	/* each of these cut anywhere, and with a space or an escape anywhere */
	for (size_t i = 0; i < ARRAY_SIZE(records); i++) {
		char *line = strdup(records[i]);
		size_t n = strlen(line);

		for (size_t at = 0; at < n; at++) {
			char c = line[at];

			line[at] = '\0';
			give_both(line);
			for (const char *other = " \"\\,9{"; *other; other++) {
				line[at] = *other;
				give_both(line);
			}
			line[at] = c;
		}
		free(line);
	}
	tape_free(&t);
	end();
}

/* What a tape says is what jansson says. */
static void compare(const struct tape *t, const struct tape_item *i, const json_t *v)
{
	static const json_type types[] = {
	    [TAPE_NULL] = JSON_NULL,	 [TAPE_FALSE] = JSON_FALSE,   [TAPE_TRUE] = JSON_TRUE, [TAPE_NUMBER] = JSON_INTEGER,
	    [TAPE_STRING] = JSON_STRING, [TAPE_OBJECT] = JSON_OBJECT, [TAPE_LIST] = JSON_ARRAY};
	size_t n = 0;

	assert_int_equal(types[i->kind], json_typeof(v));
	if (i->kind == TAPE_NUMBER)
		assert_true(i->number == json_integer_value(v));
	if (i->kind == TAPE_STRING)
		assert_true(tape_is(i, json_string_value(v)));
	if (i->kind < TAPE_OBJECT)
		return;
	assert_int_equal(i->number, i->kind == TAPE_OBJECT ? json_object_size(v) : json_array_size(v));
	tape_each(t, i, in)
	{
		char key[64] = "";

		if (i->kind == TAPE_OBJECT) {
			memcpy(key, in->key, in->key_len);
			assert_ptr_equal(tape_at(t, i, key), in);
		}
		compare(t, in, i->kind == TAPE_OBJECT ? json_object_get(v, key) : json_array_get(v, n));
		n++;
	}
	assert_int_equal(i->number, n);
}

static void test_tape(void **state)
{
	struct tape t = {0};

	for (size_t i = 0; i < ARRAY_SIZE(records); i++) {
		json_t *v = json_loads(records[i], 0, NULL);

		assert_true(tape_read(&t, records[i], strlen(records[i])));
		compare(&t, t.v, v);
		json_decref(v);
	}
	tape_free(&t);
}

/* Records of a journal: what cannot be wanted is not looked at, and the sums are the same. */
static void vouched_as_plain(const struct report_wish *wish)
{
	struct report_wish plain = *wish, vouched = plain;

	vouched.vouched = true;
	assert_int_equal(report_new(&vouched, &quick), 0);
	assert_int_equal(report_new(&plain, &slow), 0);
	for (int n = 0; n < 3; n++) {
		for (size_t i = 0; i < ARRAY_SIZE(records); i++) {
			assert_int_equal(report_line(quick, records[i], strlen(records[i])), 0);
			assert_true(give(slow, false, records[i]) >= 0);
		}
	}
	assert_int_equal(report_line(quick, "{\"v\":1,\"type\":\"access\"}", 24), 0);
	report_missed(quick, 10, 20, 30);
	json_t *d = report_document(quick, false);
	const json_t *about = json_object_get(d, "records");

	assert_int_equal(json_integer_value(json_object_get(about, "removed")), 10);
	assert_int_equal(json_integer_value(json_object_get(about, "missing")), 20);
	assert_int_equal(json_integer_value(json_object_get(about, "damaged")), 31);
	assert_int_equal(json_integer_value(json_object_get(about, "read")), 3 * ARRAY_SIZE(records));
	json_t *other = report_document(slow, false);
	assert_true(json_equal(json_object_get(about, "used"), json_object_get(json_object_get(other, "records"), "used")));
	assert_true(json_equal(json_object_get(about, "last"), json_object_get(json_object_get(other, "records"), "last")));
	static const char *const same[] = {"access", "destinations", "transfers", "findings", "left", "coverage"};
	for (size_t i = 0; i < ARRAY_SIZE(same); i++)
		assert_true(json_equal(json_object_get(d, same[i]), json_object_get(other, same[i])));
	json_decref(d);
	json_decref(other);
	report_free(quick);
	report_free(slow);
}

static void test_vouched(void **state)
{
	struct timespec at = {1795168805, 250000001};
	struct report_wish wishes[] = {
	    {0}, {.dataset = "patients", .job = "slurm:7"}, {.job = "slurm:8"}, {.since = &at}, {.until = &at}};

	for (size_t i = 0; i < ARRAY_SIZE(wishes); i++)
		vouched_as_plain(&wishes[i]);
}

/* A monitor that was started again counts a finding anew: what it told before stays. */
static void test_two_runs(void **state)
{
	struct report_wish w = {0};
	json_t *r = leak(), *d;
	char *line;

	assert_int_equal(report_new(&w, &quick), 0);
	assert_int_equal(report_line(quick, leak_text, strlen(leak_text)), 0);
	json_object_set_new(r, "leak_bound", json_integer(5));
	json_object_set_new(r, "first", json_string("2026-11-21T10:00:00.000Z"));
	line = json_dumps(r, JSON_COMPACT);
	assert_int_equal(report_line(quick, line, strlen(line)), 0);
	free(line);
	d = report_findings_json(quick);
	assert_int_equal(json_array_size(d), 2);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(d, 0), "leak_bound")), 2097152);
	assert_int_equal(json_integer_value(json_object_get(report_finding(quick, "f-00000000000000aa"), "leak_bound")), 5);
	json_decref(d);
	json_decref(r);
	quick = report_free(quick);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_each_change), cmocka_unit_test(test_odd_forms), cmocka_unit_test(test_tape),
	    cmocka_unit_test(test_vouched),	cmocka_unit_test(test_two_runs),
	};

	return cmocka_run_group_tests_name("report_fast", tests, NULL, NULL);
}
