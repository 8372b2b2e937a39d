/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A journal and a Security Hub in memory, which stand in for the real ones, and can be made to fail. */
#ifndef HUB_WORLD_H
#define HUB_WORLD_H

#include <sys/stat.h>

#include "tests/unit/finding_record.h"
#include "user/export/hub.h"
#include "user/export/journal_read.h"

/* --- the journal ------------------------------------------------------------------------------- */

struct stored {
	uint64_t seq;
	char *text; /* NULL: damaged */
};

static struct {
	struct stored all[20000];
	size_t n;
	uint64_t seq;
	bool missing; /* there is no such directory */
	unsigned readers;
} journal;

struct journal_reader {
	uint64_t after;
};

int journal_reader_open(const char *dir, struct journal_reader **ret)
{
	if (journal.missing)
		return -ENOENT;
	*ret = calloc(1, sizeof(**ret));
	journal.readers++;
	return 0;
}

struct journal_reader *journal_reader_close(struct journal_reader *r)
{
	journal.readers -= r != NULL;
	free(r);
	return NULL;
}

int journal_reader_after(struct journal_reader *r, uint64_t seq)
{
	r->after = seq;
	return 0;
}

int journal_reader_next(struct journal_reader *r, struct journal_line *ret)
{
	for (size_t i = 0; i < journal.n; i++) {
		const struct stored *s = &journal.all[i];
		uint64_t skipped = s->seq - r->after - 1;

		if (s->seq <= r->after)
			continue;
		r->after = s->seq;
		if (!s->text)
			return -EBADMSG;
		*ret = (struct journal_line){s->text, strlen(s->text), s->seq, skipped};
		return 1;
	}
	return 0;
}

static void journal_add(const char *text)
{
	assert_true(journal.n < ARRAY_SIZE(journal.all));
	journal.all[journal.n++] = (struct stored){++journal.seq, text ? strdup(text) : NULL};
}

/* Retention took the first `n`. */
UNUSED static void journal_cut(size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(journal.all[i].text);
	memmove(journal.all, journal.all + n, (journal.n - n) * sizeof(journal.all[0]));
	journal.n -= n;
}

static void journal_clear(void)
{
	for (size_t i = 0; i < journal.n; i++)
		free(journal.all[i].text);
	journal.n = 0;
	journal.seq = 0;
}

/* A state of finding number `id`; `n` grows with each and is its leak bound. */
static void journal_finding(unsigned id, int n, const char *severity)
{
	json_t *r = leak();
	char name[32], time[TIME_LEN];
	struct timespec t = {1795168805 + n, 0};

	snprintf(name, sizeof(name), "f-%016x", id);
	json_object_set_new(r, "id", json_string(name));
	json_object_set_new(r, "leak_bound", json_integer(n));
	json_object_set_new(r, "severity", json_string(severity));
	json_object_set_new(r, "time", json_string(time_rfc3339(time, &t)));
	char *text = json_dumps(r, JSON_COMPACT);
	journal_add(text);
	free(text);
	json_decref(r);
}

/* --- Security Hub --------------------------------------------------------------------------------- */

static struct {
	json_t *findings; /* by Id, as imported last */
	unsigned calls, imports;
	unsigned largest;
	enum aws_outcome outcome;
	const char *error;
	json_t *body;		/* instead of an answer of its own */
	const char *poison;	/* a finding whose id has this makes the whole request wrong */
	const char *bad, *code; /* one whose id has this fails by itself, with this code */
	const char *account;
	unsigned last_timeout;
} service;

void aws_reply_done(struct aws_reply *r)
{
	json_decref(r->body);
}

/* As the service does: what is no newer than what is there changes nothing. */
static void import(json_t *f)
{
	const char *id = json_string_value(json_object_get(f, "Id"));
	json_t *had = json_object_get(service.findings, id);

	service.imports++;
	if (had) {
		assert_true(strcmp(text_of(f, "UpdatedAt"), text_of(had, "UpdatedAt")) > 0);
		assert_string_equal(text_of(f, "CreatedAt"), text_of(had, "CreatedAt"));
	}
	json_object_set(service.findings, id, f);
}

static json_t *answer(const json_t *list, bool *poisoned)
{
	json_t *failed = json_array(), *f;
	size_t i, n = json_array_size(list);

	*poisoned = false;
	json_array_foreach (list, i, f)
		*poisoned |= service.poison && strstr(text_of(f, "Id"), service.poison);
	json_array_foreach (list, i, f) {
		if (*poisoned)
			continue;
		if (service.bad && strstr(text_of(f, "Id"), service.bad))
			json_array_append_new(failed, json_pack("{s:s, s:s, s:s}", "Id", text_of(f, "Id"), "ErrorCode",
								service.code, "ErrorMessage", "no"));
		else
			import(f);
	}
	size_t bad = json_array_size(failed);

	return json_pack("{s:i, s:i, s:o}", "SuccessCount", (int)(n - bad), "FailedCount", (int)bad, "FailedFindings", failed);
}

static int call(void *arg, const struct aws_request *q, struct aws_reply *ret)
{
	json_t *body = json_loadb(q->body, q->len, JSON_REJECT_DUPLICATES, NULL), *list = json_object_get(body, "Findings");
	bool poisoned = false;

	assert_string_equal(q->service, "securityhub");
	assert_string_equal(q->path, "/findings/import");
	assert_in_range(q->len, 1, 6000000);
	assert_in_range(json_array_size(list), 1, 100);
	service.calls++;
	service.last_timeout = q->timeout_ms;
	service.largest = MAX(service.largest, (unsigned)json_array_size(list));
	*ret = (struct aws_reply){.outcome = service.outcome, .status = 200};
	snprintf(ret->error, sizeof(ret->error), "%s", service.error ? service.error : "");
	if (service.outcome == AWS_DONE)
		ret->body = service.body ? json_incref(service.body) : answer(list, &poisoned);
	if (poisoned) {
		ret->outcome = AWS_REFUSED;
		snprintf(ret->error, sizeof(ret->error), "InvalidInputException");
	}
	json_decref(body);
	return 0;
}

static const char *region(void *arg)
{
	return "eu-central-1";
}

static const char *account(void *arg)
{
	return service.account;
}

static const char *partition(void *arg)
{
	return "aws";
}

/* --- one world per test ------------------------------------------------------------------------------ */

static uint64_t now_ns;
static char dir[] = "/tmp/hub-XXXXXX", state_file[64];

static struct hub *start(void)
{
	struct hub_options o = {.journal = "/journal", .state = state_file, .aws = {call, region, account, partition, NULL}};
	struct hub *h;

	assert_int_equal(hub_new(&o, &h), 0);
	return h;
}

/* As many steps as that time takes. */
static void run(struct hub *h, uint64_t ns)
{
	uint64_t end = now_ns + ns;

	do {
		uint64_t pause = hub_step(h, now_ns, false);

		assert_true(pause <= 5 * NSEC);
		now_ns += MAX(pause, NSEC / 100);
	} while (now_ns < end);
}

static struct hub_told told(const struct hub *h)
{
	struct hub_told t;

	hub_tell(h, &t);
	return t;
}

/* What is there of finding number `id`: its leak bound; -1: nothing. */
static int there(unsigned id)
{
	char name[128];

	snprintf(name, sizeof(name), "sluice/eu-central-1/%s/i-0123456789abcdef0/f-%016x", service.account, id);
	const json_t *f = json_object_get(service.findings, name);
	const json_t *v = json_object_get(json_object_get(f, "ProductFields"), "sluice/leak_bound");

	return v ? atoi(json_string_value(v)) : -1;
}

static int set_up(void **state)
{
	json_decref(service.findings);
	json_decref(service.body);
	memset(&service, 0, sizeof(service));
	service.findings = json_object();
	service.account = "123456789012";
	journal_clear();
	journal.missing = false;
	now_ns = 1000 * NSEC;
	strcpy(dir, "/tmp/hub-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(state_file, sizeof(state_file), "%s/hub", dir);
	return 0;
}

static int tear_down(void **state)
{
	assert_int_equal(journal.readers, 0);
	unlink(state_file);
	assert_int_equal(rmdir(dir), 0); /* and nothing else is left there */
	journal_clear();
	json_decref(service.findings);
	service.findings = NULL;
	return 0;
}

#endif
