/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * CloudWatch Logs as its documents describe it, in shared memory, so that an exporter can be killed in a process of its own and
 * what had arrived is still there; and a journal that is a list of lines.
 */
#ifndef CW_FIXTURE_H
#define CW_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <ftw.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "user/export/exporter.h"
#include "user/export/journal_read.h"

#define UNUSED __attribute__((unused))

/* --- the journal ----------------------------------------------------------------------------------- */

#define LINES_MAX 60000

struct fake_line {
	uint64_t seq;
	char *text;
	bool damaged;
};

static struct {
	struct fake_line *v;
	atomic_size_t n;
	_Atomic uint64_t gone; /* all up to this number were removed */
} fake_journal;

struct journal_reader {
	uint64_t after, told;
	size_t at;
};

int journal_reader_open(const char *dir, struct journal_reader **ret)
{
	if (access(dir, F_OK))
		return -errno;
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

struct journal_reader *journal_reader_close(struct journal_reader *r)
{
	free(r);
	return NULL;
}

int journal_reader_after(struct journal_reader *r, uint64_t seq)
{
	*r = (struct journal_reader){.after = seq, .told = seq};
	return 0;
}

int journal_reader_next(struct journal_reader *r, struct journal_line *ret)
{
	for (; r->at < fake_journal.n; r->at++) {
		struct fake_line *l = &fake_journal.v[r->at];

		if (l->seq <= r->after || l->seq <= fake_journal.gone)
			continue;
		r->at++;
		if (l->damaged)
			return -EBADMSG;
		*ret = (struct journal_line){.text = l->text, .len = strlen(l->text), .seq = l->seq,
					     .skipped = l->seq - r->told - 1};
		r->told = r->after = l->seq;
		return 1;
	}
	return 0;
}

static void line_put(uint64_t seq, char *text)
{
	if (!fake_journal.v)
		fake_journal.v = calloc(LINES_MAX, sizeof(*fake_journal.v));
	assert_true(fake_journal.n < LINES_MAX);
	fake_journal.v[fake_journal.n] = (struct fake_line){seq, text, false};
	fake_journal.n++;
}

static void lines_clear(void)
{
	for (size_t i = 0; i < fake_journal.n; i++)
		free(fake_journal.v[i].text);
	free(fake_journal.v);
	fake_journal.v = NULL;
	fake_journal.n = 0;
	fake_journal.gone = 0;
}

/* --- CloudWatch Logs --------------------------------------------------------------------------------- */

#define STORE_SIZE (256u << 20)
#define EVENTS_MAX 200000

enum fault {
	NO_FAULT,
	REFUSED_CONNECTION, /* surely not done */
	LOST_BEFORE,	    /* no answer, and nothing was done */
	LOST_AFTER,	    /* no answer, though it was done */
	THROTTLED,
	DENIED,
	BAD_REQUEST, /* whatever it says */
	KILL_BEFORE, /* the process that asks */
	KILL_AFTER,
};

struct fake_event {
	int64_t ms;
	size_t at, len;
	unsigned stream;
};

static struct fake_cw {
	atomic_uint calls, puts, asks;
	bool group, keep_denied, group_denied, ask_denied;
	unsigned kept_days;
	char group_name[513];
	char streams[8][513];
	unsigned nstreams;
	size_t event_limit; /* with the 26 */
	const char *poison; /* a message that holds this is refused; in memory that children share by being born of it */
	int64_t clock_ms;   /* ahead of ours */
	int64_t keeps_ms;   /* older events are expired; 0: none */
	unsigned fault_at, fault_n; /* of all calls, the first is 1; so many */
	enum fault fault;
	bool fault_puts; /* count only PutLogEvents */
	bool always;
	size_t nevents, used;
	struct fake_event events[EVENTS_MAX];
	char text[];
} *cw;

static int64_t fake_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000 + cw->clock_ms;
}

static int refuse(struct aws_reply *r, enum aws_outcome outcome, const char *error, const char *format, ...)
{
	va_list ap;

	*r = (struct aws_reply){.outcome = outcome, .status = 400};
	snprintf(r->error, sizeof(r->error), "%s", error);
	va_start(ap, format);
	vsnprintf(r->message, sizeof(r->message), format, ap);
	va_end(ap);
	return 0;
}

static int stream_of(const json_t *q)
{
	const char *name = json_string_value(json_object_get(q, "logStreamName"));

	for (unsigned i = 0; name && i < cw->nstreams; i++)
		if (!strcmp(cw->streams[i], name))
			return (int)i;
	return -1;
}

static void store(unsigned stream, int64_t ms, const char *message)
{
	size_t len = strlen(message);

	assert_true(cw->nevents < EVENTS_MAX && cw->used + len + 1 < STORE_SIZE);
	memcpy(cw->text + cw->used, message, len + 1);
	cw->events[cw->nevents++] = (struct fake_event){ms, cw->used, len, stream};
	cw->used += len + 1;
}

static int put_events(const json_t *q, struct aws_reply *r, bool keep)
{
	const json_t *events = json_object_get(q, "logEvents");
	size_t n = json_array_size(events), bytes = 0, i;
	int stream = stream_of(q);
	int64_t before = INT64_MIN, first = INT64_MAX, last = 0, now = fake_now(), old = -1, expired = -1, fresh = -1;
	json_t *e;

	if (!cw->group || stream < 0)
		return refuse(r, AWS_MISSING, "ResourceNotFoundException", "The specified log stream does not exist.");
	if (n < 1 || n > 10000)
		return refuse(r, AWS_REFUSED, "InvalidParameterException", "%zu events", n);
	json_array_foreach (events, i, e) {
		const char *message = json_string_value(json_object_get(e, "message"));
		int64_t ms = json_integer_value(json_object_get(e, "timestamp"));

		if (!message || !*message || ms < 0)
			return refuse(r, AWS_REFUSED, "InvalidParameterException", "an event is malformed");
		if (strlen(message) + 26 > cw->event_limit)
			return refuse(r, AWS_REFUSED, "InvalidParameterException", "Log event too large: %zu bytes exceeds limit of %zu",
				      strlen(message) + 26, cw->event_limit);
		if (cw->poison && strstr(message, cw->poison) && strstr(message, "\"seq\""))
			return refuse(r, AWS_REFUSED, "InvalidParameterException", "something about it");
		if (ms < before)
			return refuse(r, AWS_REFUSED, "InvalidParameterException", "Log events in a single PutLogEvents request must be in "
				      "chronological order.");
		before = ms;
		bytes += strlen(message) + 26;
		if (ms > now + 7200000) {
			fresh = fresh < 0 ? (int64_t)i : fresh;
		} else if (ms < now - 14 * 86400000LL) {
			old = (int64_t)i + 1;
		} else if (cw->keeps_ms && ms < now - cw->keeps_ms) {
			expired = (int64_t)i + 1;
		} else {
			first = MIN(first, ms);
			last = MAX(last, ms);
		}
	}
	if (bytes > 1048576)
		return refuse(r, AWS_REFUSED, "InvalidParameterException", "Upload too large: %zu bytes exceeds limit of 1048576", bytes);
	if (last - first > 86400000)
		return refuse(r, AWS_REFUSED, "InvalidParameterException", "spans more than 24 hours");
	json_array_foreach (events, i, e) {
		if (keep && (int64_t)i >= MAX(old, expired) && (fresh < 0 || (int64_t)i < fresh))
			store((unsigned)stream, json_integer_value(json_object_get(e, "timestamp")),
			      json_string_value(json_object_get(e, "message")));
	}
	*r = (struct aws_reply){.outcome = AWS_DONE, .status = 200, .body = json_object(), .skew_ns = cw->clock_ms * 1000000};
	json_t *info = json_object();
	if (old >= 0)
		json_object_set_new(info, "tooOldLogEventEndIndex", json_integer(old));
	if (expired >= 0)
		json_object_set_new(info, "expiredLogEventEndIndex", json_integer(expired));
	if (fresh >= 0)
		json_object_set_new(info, "tooNewLogEventStartIndex", json_integer(fresh));
	json_object_set_new(r->body, "rejectedLogEventsInfo", info);
	return 0;
}

/* Newest first as far as the page is concerned; the token is how many newer ones there are. */
static int get_events(const json_t *q, struct aws_reply *r)
{
	int64_t from = json_integer_value(json_object_get(q, "startTime")), to = json_integer_value(json_object_get(q, "endTime"));
	size_t limit = (size_t)json_integer_value(json_object_get(q, "limit")), skip = 0, got = 0;
	const char *token = json_string_value(json_object_get(q, "nextToken"));
	int stream = stream_of(q);
	json_t *events = json_array();
	char next[32];

	cw->asks++;
	if (cw->ask_denied) {
		json_decref(events);
		return refuse(r, AWS_DENIED, "AccessDeniedException", "not authorized to perform: logs:GetLogEvents");
	}
	if (stream < 0) {
		json_decref(events);
		return refuse(r, AWS_MISSING, "ResourceNotFoundException", "no such stream");
	}
	if (token)
		skip = strtoul(token + 2, NULL, 10);
	for (size_t i = cw->nevents, met = 0; i-- > 0 && got < limit;) {
		struct fake_event *e = &cw->events[i];

		if (e->stream != (unsigned)stream || e->ms < from || e->ms >= to || met++ < skip)
			continue;
		json_array_insert_new(events, 0, json_pack("{s:I, s:s}", "timestamp", (json_int_t)e->ms, "message", cw->text + e->at));
		got++;
	}
	snprintf(next, sizeof(next), "b/%zu", skip + got);
	*r = (struct aws_reply){.outcome = AWS_DONE, .status = 200,
				.body = json_pack("{s:o, s:s}", "events", events, "nextBackwardToken", next)};
	if (json_dumpb(r->body, NULL, 0, JSON_COMPACT) > AWS_REPLY_MAX) {
		aws_reply_done(r);
		*r = (struct aws_reply){.outcome = AWS_AGAIN, .maybe_done = true, .too_long = true};
		snprintf(r->error, sizeof(r->error), "the answer is too long");
	}
	return 0;
}

static int answer(const char *op, const json_t *q, struct aws_reply *r, bool keep)
{
	*r = (struct aws_reply){.outcome = AWS_DONE, .status = 200, .skew_ns = cw->clock_ms * 1000000};
	if (!strcmp(op, "PutLogEvents"))
		return put_events(q, r, keep);
	if (!strcmp(op, "GetLogEvents"))
		return get_events(q, r);
	if (!strcmp(op, "CreateLogGroup")) {
		if (cw->group_denied)
			return refuse(r, AWS_DENIED, "AccessDeniedException", "not authorized to perform: logs:CreateLogGroup");
		r->outcome = cw->group ? AWS_EXISTS : AWS_DONE;
		cw->group = true;
		snprintf(cw->group_name, sizeof(cw->group_name), "%s", json_string_value(json_object_get(q, "logGroupName")));
		return 0;
	}
	if (!strcmp(op, "CreateLogStream")) {
		if (!cw->group)
			return refuse(r, AWS_MISSING, "ResourceNotFoundException", "The specified log group does not exist.");
		r->outcome = stream_of(q) >= 0 ? AWS_EXISTS : AWS_DONE;
		if (r->outcome == AWS_DONE)
			snprintf(cw->streams[cw->nstreams++], 513, "%s", json_string_value(json_object_get(q, "logStreamName")));
		return 0;
	}
	if (!strcmp(op, "PutRetentionPolicy")) {
		if (cw->keep_denied)
			return refuse(r, AWS_DENIED, "AccessDeniedException", "not authorized to perform: logs:PutRetentionPolicy");
		cw->kept_days = (unsigned)json_integer_value(json_object_get(q, "retentionInDays"));
		return 0;
	}
	fail_msg("no such operation: %s", op);
	return -EINVAL;
}

static enum fault fault_of(bool put)
{
	unsigned n = cw->fault_puts ? cw->puts : cw->calls;

	if (cw->always)
		return cw->fault;
	return (put || !cw->fault_puts) && cw->fault_at && n >= cw->fault_at && n < cw->fault_at + cw->fault_n ? cw->fault : NO_FAULT;
}

static int fake_call(void *arg, const struct aws_request *q, struct aws_reply *r)
{
	const char *op = q->target + strlen("Logs_20140328.");
	bool put = !strcmp(op, "PutLogEvents");

	assert_string_equal(q->service, "logs");
	assert_string_equal(q->content_type, "application/x-amz-json-1.1");
	cw->calls++;
	cw->puts += put;
	enum fault fault = fault_of(put);
	json_t *body = json_loadb(q->body, q->len, 0, NULL);
	assert_non_null(body);
	assert_true(q->len < AWS_BODY_MAX);
	if (fault == KILL_BEFORE)
		_exit(9);
	int err = 0;
	if (fault == NO_FAULT || fault == LOST_AFTER || fault == KILL_AFTER)
		err = answer(op, body, r, true);
	json_decref(body);
	if (fault == KILL_AFTER)
		_exit(9);
	if (fault == LOST_AFTER)
		aws_reply_done(r);
	if (fault == LOST_AFTER || fault == LOST_BEFORE || fault == REFUSED_CONNECTION) {
		*r = (struct aws_reply){.outcome = AWS_AGAIN, .maybe_done = fault != REFUSED_CONNECTION};
		snprintf(r->error, sizeof(r->error), "Empty reply from server");
	}
	if (fault == THROTTLED)
		return refuse(r, AWS_THROTTLED, "ThrottlingException", "Rate exceeded");
	if (fault == DENIED)
		return refuse(r, AWS_DENIED, "ExpiredTokenException", "The security token included in the request is expired");
	if (fault == BAD_REQUEST)
		return refuse(r, AWS_REFUSED, "InvalidParameterException", "1 validation error detected");
	return err;
}

static const char *fake_region(void *arg)
{
	return "eu-central-1";
}

static const char *fake_account(void *arg)
{
	return "123456789012";
}

static const struct cw_wire fake_wire = {.call = fake_call, .region = fake_region, .account = fake_account};

/* --- a test's world ------------------------------------------------------------------------------------- */

static char world_dir[64];

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *f)
{
	return remove(path);
}

UNUSED static int world_begin(void **state)
{
	strcpy(world_dir, "/tmp/sluice-export-XXXXXX");
	if (!mkdtemp(world_dir))
		return -1;
	cw = mmap(NULL, sizeof(*cw) + STORE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (cw == MAP_FAILED)
		return -1;
	cw->event_limit = 1048576;
	return 0;
}

UNUSED static int world_end(void **state)
{
	munmap(cw, sizeof(*cw) + STORE_SIZE);
	lines_clear();
	return nftw(world_dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

UNUSED static struct exporter_options world_options(void)
{
	return (struct exporter_options){.journal_dir = world_dir, .state_dir = world_dir, .socket = "/run/t.sock",
					 .log_group = "/sluice/{instance_id}", .metric_namespace = "Sluice", .endpoint = "auto",
					 .retain_days = 30, .instance_id = "i-0abc", .wire = &fake_wire, .flush_ns = NSEC / 20,
					 .settle_ns = NSEC / 500, .hurry = 1000};
}

UNUSED static void wait_idle(struct exporter *x)
{
	exporter_poke(x, 0);
	for (unsigned i = 0; i < 20000; i++) {
		if (exporter_idle(x))
			return;
		usleep(1000);
	}
	struct exporter_told t;
	exporter_look(x, &t);
	fail_msg("the exporter does not come to rest: %s: %s", export_state_name(t.state), t.last_error);
}

#define HOST "{\"name\":\"gpu-7\",\"boot_id\":\"b\",\"instance_id\":\"i-0abc\"}"

/* A record of each common type in turn; of prime figures. */
UNUSED static void journal_fill(uint64_t from, uint64_t to, int64_t ms, int64_t step)
{
	for (uint64_t seq = from; seq <= to; seq++, ms += step) {
		struct timespec wall = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
		char time[TIME_LEN], *text = NULL;
		const char *rest = seq % 7 == 3 ? "\"type\":\"flow\",\"job\":\"slurm:1.0\",\"remote\":{\"class\":\"internet\"},"
						  "\"tainted_out\":53,\"bytes_out\":61,\"datasets\":[\"patients\"]"
				   : seq % 11 == 5 ? "\"type\":\"finding\",\"id\":\"f-1\",\"severity\":\"low\",\"dataset\":\"patients\","
						     "\"leak_bound\":4099"
						   : "\"type\":\"access\",\"job\":\"slurm:1.0\",\"dataset\":\"patients\","
						     "\"bytes\":{\"read\":101,\"mmap\":null}";

		time_rfc3339(time, &wall);
		if (asprintf(&text, "{\"v\":1,%s,\"time\":\"%s\",\"seq\":%lu,\"host\":" HOST "}", rest, time, seq) < 0)
			abort();
		line_put(seq, text);
	}
}

UNUSED static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* --- what arrived ----------------------------------------------------------------------------------------- */

/* How often each record is there; who comes before and after is checked by their order. Returns how many in all. */
UNUSED static size_t arrived_seqs(unsigned *times, size_t n)
{
	size_t sum = 0;

	memset(times, 0, n * sizeof(*times));
	for (size_t i = 0; i < cw->nevents; i++) {
		json_t *o = json_loads(cw->text + cw->events[i].at, 0, NULL);
		const json_t *seq = json_object_get(o, "seq");

		assert_non_null(o);
		if (seq) {
			assert_in_range(json_integer_value(seq), 1, n - 1);
			times[json_integer_value(seq)]++;
			sum++;
		}
		json_decref(o);
	}
	return sum;
}

UNUSED static void assert_each_once(uint64_t from, uint64_t to)
{
	unsigned *times = calloc(to + 1, sizeof(*times));

	assert_int_equal(arrived_seqs(times, to + 1), to + 1 - from);
	for (uint64_t seq = from; seq <= to; seq++)
		if (times[seq] != 1)
			fail_msg("record %lu arrived %u times", seq, times[seq]);
	free(times);
}

/* The sum of a metric over all documents. */
UNUSED static uint64_t metric_sum(const char *name)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < cw->nevents; i++) {
		json_t *o = json_loads(cw->text + cw->events[i].at, 0, NULL);

		if (json_object_get(o, "_aws"))
			sum += (uint64_t)json_integer_value(json_object_get(o, name));
		json_decref(o);
	}
	return sum;
}

/* The nth of what the exporter said of itself; NULL: there are fewer. The caller's. */
UNUSED static json_t *notice_at(size_t n)
{
	for (size_t i = 0; i < cw->nevents; i++) {
		json_t *o = json_loads(cw->text + cw->events[i].at, 0, NULL);
		const char *type = json_string_value(json_object_get(o, "type"));

		if (type && !strcmp(type, "exporter") && !n--)
			return o;
		json_decref(o);
	}
	return NULL;
}

#endif
