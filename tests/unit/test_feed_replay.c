/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A replay goes where it is told, and is there what it was on the way. */
#include "tests/unit/replay_fixture.h"

static FILE *out;
static unsigned seq, seed = 7;

static unsigned some(unsigned below)
{
	return (unsigned)rand_r(&seed) % below;
}

static void head(const char *type, unsigned s)
{
	struct timespec t = {FIRST_S + s, 0};
	char time[TIME_LEN];

	fprintf(out, "{\"v\":1,\"type\":\"%s\",\"time\":\"%s\",\"seq\":%u,\"host\":{\"name\":\"gpu-7\"}", type,
		time_rfc3339(time, &t), ++seq);
}

#define PROCESS                                                                                                                  \
	"{\"pid\":%u,\"start\":\"2026-01-01T00:00:00.000Z\",\"exe\":\"/usr/bin/"                                                 \
	"python3\",\"comm\":\"python3\",\"uid\":7,\"parent\":null}"

static void access_by(unsigned s, unsigned pid, const char *dataset, unsigned bytes)
{
	head("access", s);
	fprintf(
	    out,
	    ",\"job\":\"slurm:%u\",\"process\":" PROCESS
	    ",\"dataset\":\"%s\",\"tags\":{\"DataType\":\"PII\"},\"bytes\":{\"read\":%u,"
	    "\"mmap\":0,\"device\":null},\"ops\":1,\"files\":1,\"exact\":true,\"job_labels\":{\"job_name\":\"n\",\"rank\":3}}\n",
	    pid % 5, pid, dataset, bytes);
}

static void flow_by(unsigned s, unsigned pid, unsigned port, const char *name, unsigned bytes)
{
	head("flow", s);
	fprintf(out,
		",\"process\":" PROCESS
		",\"job\":\"slurm:%u\",\"proto\":\"tcp\",\"local\":{\"addr\":\"10.0.0.1\",\"port\":%u},\"remote\":"
		"{\"addr\":\"203.0.113.9\",\"port\":443,\"class\":\"internet\",\"name\":%s%s%s},\"bytes_out\":%u,\"bytes_in\":1,"
		"\"tainted_out\":%u,"
		"\"datasets\":[\"a\"],\"encrypted\":\"tls1.3\",\"starttls\":false,\"allowed\":null,\"job_labels\":{}}\n",
		pid, pid % 5, port, name ? "\"" : "", name ? name : "null", name ? "\"" : "", bytes, bytes / 2);
}

static void finding(unsigned s, unsigned id, unsigned bound)
{
	head("finding", s);
	fprintf(out,
		",\"id\":\"f-%u\",\"rule\":\"exfil.volume\",\"severity\":\"high\",\"title\":\"t\",\"dataset\":\"a\",\"leak_"
		"bound\":%u,"
		"\"process\":null,\"job\":\"slurm:1\",\"remote\":null,\"chain\":[],\"ml_reason\":[]}\n",
		id, bound);
}

static void health(unsigned s)
{
	head("health", s);
	fprintf(out, ",\"backend\":\"tracepoint\",\"losses\":{\"ring_full\":%u}}\n", s);
}

static void transfer(unsigned s, unsigned from, unsigned to, unsigned bytes)
{
	const char *pipe = "{\"object\":{\"name\":\"pipe:[9]\",\"dev\":13,\"ino\":9,\"gen\":0}}";

	head("transfer", s);
	fprintf(out,
		",\"from\":{\"process\":" PROCESS
		"},\"to\":%s,\"via\":\"pipe_write\",\"bytes\":%u,\"datasets\":[\"a\"],\"declared\":[]}\n",
		from, pipe, bytes);
	head("transfer", s);
	fprintf(out,
		",\"from\":%s,\"to\":{\"process\":" PROCESS
		"},\"via\":\"pipe_read\",\"bytes\":%u,\"datasets\":[\"a\"],\"declared\":[]}\n",
		pipe, to, bytes);
}

static void begin(void)
{
	out = fopen(file, "we");
	seq = 0;
	assert_non_null(out);
}

static void any_records(unsigned seconds, unsigned per_second)
{
	for (unsigned s = 0; s < seconds; s++) {
		for (unsigned i = some(per_second * 2); i; i--) {
			switch (some(8)) {
			case 0:
				flow_by(s, 100 + some(40), 1000 + some(300), some(3) ? "b.example" : NULL, some(5000));
				break;
			case 1:
				transfer(s, 100 + some(40), 100 + some(40), some(999));
				break;
			case 2:
				finding(s, some(9), some(100000));
				break;
			case 3:
				health(s);
				break;
			default:
				access_by(s, 100 + some(40), some(2) ? "a" : "b", some(100000));
			}
		}
	}
	health(seconds);
}

static void assert_same(struct feed *a, struct feed *b)
{
	for (unsigned w = 0; w < FEED_WHATS; w++) {
		const json_t *x = feed_document(a, w), *y = feed_document(b, w);

		if (!json_equal(x, y)) {
			_cleanup_free_ char *p = json_dumps(x, JSON_INDENT(1)), *q = json_dumps(y, JSON_INDENT(1));
			fail_msg("%s: %s\n\n%s", feed_word(w), p, q);
		}
	}
}

/* Wherever one wanders, it is as if one had come straight from the start. */
static void test_any_way_leads_there(void **state)
{
	begin();
	any_records(400, 250); /* several times as many as figures are put aside after */
	fclose(out);
	struct feed *f = replay(file);

	for (unsigned i = 0; i < 25; i++) {
		struct timespec to = {FIRST_S + some(402), some(2) ? 0 : 500000000};
		struct feed *fresh = replay(file);

		go_to(fresh, to);
		go_to(f, to);
		assert_same(f, fresh);
		feed_close(fresh);
	}
	feed_close(f);
}

/* Between two moments that are shown a finding may change any number of times, and each time into the place of another. */
static void test_newest_state_of_findings(void **state)
{
	for (unsigned times = 1; times < 6; times++) {
		begin();
		for (unsigned s = 0; s < 40; s++)
			for (unsigned i = 0; i < times; i++)
				finding(s, 1, 1000 + 10 * s + i);
		fclose(out);
		struct feed *f = replay(file);
		for (unsigned s = 1; s < 40; s++) {
			go_to(f, (struct timespec){FIRST_S + s, 999999999});
			const json_t *one = json_array_get(items(f, FEED_FINDINGS), 0);
			assert_int_equal(json_integer_value(json_object_get(one, "leak_bound")), 1000 + 10 * s + times - 1);
		}
		feed_close(f);
	}
}

static const json_t *by(const json_t *list, const char *name, const char *value)
{
	size_t i;
	json_t *v;

	json_array_foreach (list, i, v) {
		const char *is = json_string_value(json_object_get(v, name));

		if (is ? !strcmp(is, value) : !*value)
			return v;
	}
	fail_msg("no %s %s", name, value);
	return NULL;
}

static json_int_t number(const json_t *v, const char *path)
{
	v = json_object_get(v, path);
	assert_true(json_is_integer(v));
	return json_integer_value(v);
}

static void assert_null_at(const json_t *v, const char *path)
{
	assert_true(json_is_null(json_object_get(v, path)));
}

static void test_what_it_amounts_to(void **state)
{
	begin();
	access_by(0, 101, "a", 1000);
	access_by(0, 102, "a", 10);
	access_by(1, 101, "b", 5);
	access_by(2, 101, "a", 234);
	transfer(2, 101, 103, 77);
	flow_by(2, 103, 5000, NULL, 100);
	flow_by(3, 103, 5000, "b.example", 20); /* now its name is known */
	flow_by(3, 102, 5001, "b.example", 3);
	finding(3, 1, 60);
	finding(4, 1, 61);
	fclose(out);
	struct feed *f = replay(file);
	go_to_end(f);

	const json_t *v = by(items(f, FEED_DATASETS), "id", "a");
	assert_int_equal(number(v, "bytes_read"), 1244);
	assert_int_equal(number(v, "readers"), 2);
	assert_int_equal(number(v, "findings"), 1);
	assert_null_at(v, "bytes_total");
	assert_null_at(v, "volume_outside");
	v = by(items(f, FEED_JOBS), "job", "slurm:1");
	assert_int_equal(number(v, "bytes_read"), 1239);
	assert_true(json_is_false(json_object_get(v, "ml")));
	assert_null_at(v, "leak_bound");
	assert_null(json_object_get(json_object_get(v, "job_labels"), "rank")); /* it is not the job's */
	v = by(items(f, FEED_JOBS), "job", "slurm:3");
	assert_int_equal(number(v, "bytes_out"), 120);
	assert_int_equal(number(v, "tainted_out"), 60);
	assert_null_at(v, "ml");
	assert_int_equal(json_array_size(items(f, FEED_PROCESSES)), 3);
	v = json_array_get(items(f, FEED_PROCESSES), 0);
	assert_int_equal(number(json_object_get(v, "bytes"), "read"), 1239);
	assert_int_equal(number(json_object_get(v, "bytes"), "mmap"), 0);
	assert_null_at(json_object_get(v, "bytes"), "device"); /* nothing measures it */
	assert_int_equal(json_array_size(json_object_get(v, "datasets")), 2);
	assert_null_at(v, "alive");
	v = json_array_get(items(f, FEED_PROCESSES), 2);
	assert_int_equal(number(v, "bytes_out"), 120);
	assert_int_equal(json_array_size(json_object_get(v, "datasets")), 1);
	v = json_array_get(json_object_get(v, "received"), 0);
	assert_string_equal(json_string_value(json_object_get(v, "object")), "pipe:[9]");
	assert_int_equal(number(v, "bytes"), 77);
	assert_string_equal(json_string_value(json_array_get(json_object_get(v, "from"), 0)), "python3[101]");
	/* one destination: what was sent before its name was known is its too */
	assert_int_equal(json_array_size(items(f, FEED_DESTINATIONS)), 1);
	v = json_array_get(items(f, FEED_DESTINATIONS), 0);
	assert_int_equal(number(v, "bytes_out"), 123);
	assert_int_equal(number(v, "flows"), 2);
	assert_true(json_is_false(json_object_get(v, "allowed")));
	assert_int_equal(json_array_size(json_object_get(v, "processes")), 2);
	assert_int_equal(json_array_size(items(f, FEED_FLOWS)), 2);
	v = json_array_get(items(f, FEED_FINDINGS), 0);
	assert_int_equal(number(v, "leak_bound"), 61);
	assert_null(json_object_get(v, "seq"));
	feed_close(f);
}

/* Right after going somewhere it is known what was added in the last interval. */
static void test_rates(void **state)
{
	begin();
	for (unsigned s = 0; s < 20; s++)
		access_by(s, 101, "a", 100 * s);
	fclose(out);
	struct feed *f = replay(file);

	feed_want(f, ALL_WHATS, 2 * NSEC);
	go_to(f, (struct timespec){FIRST_S + 10, 0});
	const json_t *v = json_array_get(items(f, FEED_PROCESSES), 0);
	assert_int_equal(number(json_object_get(v, "bytes"), "read"), 5500);
	assert_true(fabs(feed_rate(f, FEED_PROCESSES, v, "bytes.read") - (1000 + 900) / 2) < 0.01);
	assert_true(isnan(feed_rate(f, FEED_PROCESSES, v, "bytes.device")));
	assert_true(fabs(feed_rate(f, FEED_DATASETS, by(items(f, FEED_DATASETS), "id", "a"), "bytes_read") - 950) < 0.01);
	feed_close(f);
}

static json_int_t read_so_far(const struct feed *f)
{
	return json_integer_value(json_object_get(json_array_get(items(f, FEED_DATASETS), 0), "bytes_read"));
}

static void test_play(void **state)
{
	struct feed_span s;

	begin();
	for (unsigned i = 0; i <= 10; i++)
		access_by(i, 101, "a", 1);
	fclose(out);
	struct feed *f = replay(file);

	assert_int_equal(feed_state(f), FEED_REPLAY);
	shown(f);
	assert_int_equal(read_so_far(f), 1);
	feed_want(f, ALL_WHATS, 100000000);
	feed_speed(f, 2.5);
	uint64_t start = now_boot_ns();
	unsigned times = 0;
	for (json_int_t had = 1; feed_state(f) != FEED_ENDED; times++) {
		shown(f);
		feed_span(f, &s);
		assert_in_range(read_so_far(f), had, 11);
		assert_int_equal(read_so_far(f), 1 + s.now.tv_sec - FIRST_S);
		had = read_so_far(f);
	}
	assert_in_range(now_boot_ns() - start, 3900000000, 10000000000);
	assert_in_range(times, 6, 46);
	assert_int_equal(read_so_far(f), 11);
	assert_true(s.first.tv_sec == FIRST_S && s.last.tv_sec == FIRST_S + 10 && s.speed == 2.5);
	/* back to the middle, where it stands still */
	go_to(f, (struct timespec){FIRST_S + 5, 0});
	assert_int_equal(feed_state(f), FEED_PAUSED);
	assert_int_equal(read_so_far(f), 6);
	poll(NULL, 0, 300);
	assert_int_equal(feed_step(f), 0);
	assert_int_equal(read_so_far(f), 6);
	feed_speed(f, NAN);
	feed_speed(f, -1);
	feed_speed(f, 1000);
	feed_pause(f, false);
	shown(f);
	shown(f);
	assert_int_equal(feed_state(f), FEED_ENDED);
	assert_int_equal(read_so_far(f), 11);
	/* beyond both ends */
	go_to(f, (struct timespec){0, 0});
	assert_int_equal(read_so_far(f), 1);
	go_to(f, (struct timespec){INT64_MAX, 0});
	assert_int_equal(read_so_far(f), 11);
	go_to(f, (struct timespec){INT64_MIN, 0});
	assert_int_equal(read_so_far(f), 1);
	feed_close(f);
}

/* A file that is still written is followed; half a line is none yet. */
static void test_follows(void **state)
{
	struct feed_span s;

	begin();
	access_by(0, 101, "a", 1);
	fclose(out);
	struct feed *f = replay(file);
	shown(f);
	assert_int_equal(feed_state(f), FEED_ENDED);
	out = fopen(file, "ae");
	fputs("{\"v\":1,\"type\":\"access\",", out);
	fflush(out);
	for (int i = 0; i < 30; i++) {
		poll(NULL, 0, 10);
		assert_int_equal(feed_step(f), 0);
	}
	fputs("\"time\":\"2027-01-15T08:00:00.100Z\",\"seq\":2,\"job\":null,\"process\":null,\"dataset\":\"a\",\"bytes\":{"
	      "\"read\":5}}\n",
	      out);
	fclose(out);
	shown(f);
	feed_span(f, &s);
	assert_int_equal(s.last.tv_nsec, 100000000);
	while (feed_state(f) != FEED_ENDED)
		shown(f);
	assert_int_equal(read_so_far(f), 6);
	assert_null_at(json_array_get(items(f, FEED_DATASETS), 0), "readers"); /* one of them has no name */
	feed_close(f);
}

/* --- what is not as it should be ------------------------------------------------------------ */

static void assert_refused(const char *path, int error, const char *text)
{
	struct feed_error e = {};
	struct feed *f = NULL;

	assert_int_equal(feed_open_replay(path, &f, &e), error);
	if (!strstr(e.text, text))
		fail_msg("%s", e.text);
	assert_null(f);
}

static void test_refusals(void **state)
{
	char dir[80];

	assert_refused("/nothing/there", -ENOENT, "/nothing/there: No such file or directory");
	assert_refused("/dev/null", -ESPIPE, "neither a file nor a journal's directory");
	assert_refused(file, -ENODATA, "no record in it");
	out = fopen(file, "we");
	fputs("datasets:\n  - id: x\n", out);
	fclose(out);
	assert_refused(file, -EINVAL, ":1:1: no record of version 1");
	out = fopen(file, "we");
	fputs("{\"v\":2,\"time\":\"2027-01-15T08:00:00.100Z\",\"seq\":2}\n", out);
	fclose(out);
	assert_refused(file, -EINVAL, "no record of version 1");
	snprintf(dir, sizeof(dir), "%s.d", file);
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_refused(dir, -ENODATA, "no record in it");
	rmdir(dir);
}

/* Lines that are no records are left out, counted and told; so are numbers that are missing. */
static void test_bad_lines(void **state)
{
	static const char *const bad[] = {
		"nonsense\n",
		"{\"v\":1,\"type\":\"access\"}\n",
		"{\"v\":1,\"type\":\"access\",\"time\":\"2027-01-15T08:00:00.100Z\",\"seq\":3,\"dataset\":\"a\",\"bytes\":7}\n",
		"{\"v\":1,\"type\":\"access\",\"time\":\"2027-01-15T08:00:00.100Z\",\"seq\":3,\"dataset\":\"\xff\",\"bytes\":{}}\n",
		"{\"v\":1,\"type\":\"flow\",\"time\":\"2027-01-15T08:00:00.100Z\",\"seq\":3,\"remote\":[1]}\n",
		"{\"v\":1,\"type\":\"transfer\",\"time\":\"2027-01-15T08:00:00.100Z\",\"seq\":3,\"from\":{},\"to\":null}\n",
		"{\"v\":1,\"type\":\"finding\",\"time\":\"2027-01-15T08:00:00.100Z\",\"seq\":3,\"id\":5}\n",
		"{\"v\":1,\"type\":\"access\",\"time\":\"yesterday\",\"seq\":3}\n",
		"\n",
	};
	char *long_line = malloc(20 << 20);

	begin();
	access_by(0, 101, "a", 1);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		fputs(bad[i], out);
	memset(long_line, ' ', 20 << 20);
	fwrite(long_line, 20 << 20, 1, out);
	fputs("\n", out);
	fputs("{\"v\":1,\"type\":\"later\",\"time\":\"2027-01-15T08:00:00.100Z\",\"seq\":2}\n",
	      out); /* of a later version: none of ours */
	seq += 5;
	access_by(1, 101, "a", 10);
	fputs("{\"v\":1,\"type\":\"access\",\"ti", out); /* torn */
	fclose(out);
	free(long_line);
	struct feed *f = replay(file);
	go_to_end(f);
	assert_int_equal(read_so_far(f), 11);
	assert_string_equal(feed_why(f), "of the records 4 are missing and 10 cannot be read");
	feed_close(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_any_way_leads_there, make_file, remove_file),
		cmocka_unit_test_setup_teardown(test_what_it_amounts_to, make_file, remove_file),
		cmocka_unit_test_setup_teardown(test_rates, make_file, remove_file),
		cmocka_unit_test_setup_teardown(test_newest_state_of_findings, make_file, remove_file),
		cmocka_unit_test_setup_teardown(test_play, make_file, remove_file),
		cmocka_unit_test_setup_teardown(test_follows, make_file, remove_file),
		cmocka_unit_test_setup_teardown(test_refusals, make_file, remove_file),
		cmocka_unit_test_setup_teardown(test_bad_lines, make_file, remove_file),
	};

	return cmocka_run_group_tests_name("feed_replay", tests, NULL, NULL);
}
