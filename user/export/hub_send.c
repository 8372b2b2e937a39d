/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* One request to Security Hub, and what is made of its answer. */
#include "user/export/hub_internal.h"

#include <string.h>
#include <sys/random.h>

#include "user/export/finding_words.h"
#include "user/json_write.h"

#define LAST_MS 1500
#define PAUSE_NS (NSEC / 4) /* between two requests: the account has ten a second for all its hosts */
#define SOON_NS NSEC	    /* the first wait after a failure; it doubles, to */
#define LATER_NS (300 * NSEC)
#define MUCH_LATER_NS (900 * NSEC) /* where someone has to do something first */
#define TRIES 5			   /* of one finding that fails for a reason that is not known */

/* --- waiting ------------------------------------------------------------------------------- */

/* Half of it and up to as much again: not all hosts come back at one moment. */
static uint64_t spread(uint64_t ns)
{
	uint64_t random = 0;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
		random = now_boot_ns();
	return ns / 2 + random % (ns / 2 + 1);
}

static uint64_t grown(unsigned fails, uint64_t most)
{
	return MIN(SOON_NS << MIN(fails, 20u), most);
}

/* A wait that begins now. */
static uint64_t after(const struct hub *h, uint64_t now_ns, uint64_t ns)
{
	return now_ns + ns / MAX(h->options.hurry, 1u);
}

/* When this one may be sent. */
static uint64_t due_of(const struct hub *h, const struct hub_finding *f, bool last)
{
	bool worse = f->worse > f->severity;

	if (last)
		return f->tries ? f->due_ns : 0;
	return MAX(f->due_ns, f->sent_ns && !worse ? after(h, f->sent_ns, HUB_UPDATE_NS) : 0);
}

uint64_t hub_due(const struct hub *h, bool last)
{
	uint64_t due = UINT64_MAX;

	for (const struct hub_finding *f = h->first; f; f = f->next)
		if (f->text)
			due = MIN(due, due_of(h, f, last));
	if (due == UINT64_MAX || (last && !h->fails)) /* the pause between two requests is not for the last */
		return due;
	return MAX(due, h->quiet_ns);
}

/* --- a batch ------------------------------------------------------------------------------- */

struct entry {
	struct hub_finding *f;
	char *id;
	int64_t created_ms, updated_ms;
	bool failed;
};

struct batch {
	struct entry entries[HUB_BATCH];
	size_t n;
	struct json_text body;
};

static void batch_done(struct batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		free(b->entries[i].id);
	free(b->body.data);
}

static int by_age(const void *a, const void *b)
{
	const struct hub_finding *x = *(struct hub_finding *const *)a, *y = *(struct hub_finding *const *)b;

	return x->oldest < y->oldest ? -1 : x->oldest > y->oldest;
}

static int collect_due(const struct hub *h, uint64_t now_ns, bool last, struct hub_finding ***ret, size_t *ret_n)
{
	struct hub_finding **list = calloc(h->waiting + 1, sizeof(struct hub_finding *));
	size_t n = 0;

	if (!list)
		return -ENOMEM;
	for (struct hub_finding *f = h->first; f; f = f->next)
		if (f->text && due_of(h, f, last) <= now_ns)
			list[n++] = f;
	qsort(list, n, sizeof(*list), by_age);
	*ret = list;
	*ret_n = n;
	return 0;
}

static void give_up(struct hub *h, struct hub_finding *f)
{
	h->told.refused++;
	f->done = f->seq;
	hub_drop_waiting(h, f);
	h->changed = true;
}

/* Who was killed before he could note an import sends the same state once more: that must be the newer one, too. */
static int64_t later(int64_t time_ms)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return MAX(time_ms, (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000);
}

static void stamp_of(const struct hub_finding *f, const json_t *record, struct asff_stamp *ret)
{
	int64_t time = finding_time(record, "time"), first = finding_time(record, "first");

	*ret = (struct asff_stamp){
	    .created_ms = f->asff_id   ? f->created_ms
			  : first >= 0 ? MIN(first, time)
				       : time,
	    .updated_ms = f->asff_id ? MAX(later(time), f->updated_ms + 1) : later(time),
	    .severity = MAX(f->severity, f->worse),
	    .id = f->asff_id,
	};
}

/* -EFBIG: there is no room for it in this one; -EINVAL: it can't be told. */
static int add_entry(struct batch *b, struct hub_finding *f, const struct asff_place *place)
{
	json_t *record = json_loadb(f->text, f->len, 0, NULL), *finding = NULL;
	struct asff_stamp stamp;
	size_t before = b->body.len;
	int err = record ? 0 : -EINVAL;

	if (!err) {
		stamp_of(f, record, &stamp);
		err = asff_finding(record, place, &stamp, &finding);
	}
	if (!err)
		err = json_write_raw(&b->body, b->n ? "," : "{\"Findings\":[", b->n ? 1 : 13);
	if (!err)
		err = json_write(&b->body, finding);
	if (!err)
		b->entries[b->n] = (struct entry){f, strdup(json_string_value(json_object_get(finding, "Id"))), stamp.created_ms,
						  stamp.updated_ms, false};
	if (!err && !b->entries[b->n++].id)
		err = -ENOMEM;
	if (err)
		b->body.len = before;
	json_decref(finding);
	json_decref(record);
	return err;
}

static int fill(struct hub *h, struct batch *b, uint64_t now_ns, bool last, const struct asff_place *place)
{
	_cleanup_free_ struct hub_finding **due = NULL;
	size_t n = 0;
	int err = collect_due(h, now_ns, last, &due, &n);

	b->body.max = HUB_BODY_MAX - 2; /* what closes it */
	for (size_t i = 0; i < n && !err && b->n < h->batch; i++) {
		err = add_entry(b, due[i], place);
		if (err == -EINVAL || (err == -EFBIG && !b->n)) {
			give_up(h, due[i]);
			err = 0;
		}
	}
	if (err == -EFBIG)
		err = 0;
	b->body.max = HUB_BODY_MAX;
	return err || !b->n ? err : json_write_raw(&b->body, "]}", 2);
}

/* --- the answer ----------------------------------------------------------------------------- */

static void succeed(struct hub *h, struct entry *e, uint64_t now_ns)
{
	struct hub_finding *f = e->f;

	*(f->asff_id ? &h->told.updated : &h->told.imported) += 1;
	if (!f->asff_id) {
		f->asff_id = e->id;
		e->id = NULL;
	}
	f->created_ms = e->created_ms;
	f->updated_ms = e->updated_ms;
	f->severity = MAX(f->severity, f->worse);
	f->done = f->seq;
	f->sent_ns = now_ns;
	hub_drop_waiting(h, f);
	h->changed = true;
}

static bool has_any(const char *text, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcasestr(text, words[i]))
			return true;
	return false;
}

/* Who sends the same again gets the same answer. */
static bool is_lasting(const char *code)
{
	static const char *const lasting[] = {"invalid", "validation", "malformed", "serialization"};

	return has_any(code, lasting, ARRAY_SIZE(lasting));
}

/* It comes again, or never: */
static void fail(struct hub *h, struct entry *e, const char *code, const char *message, uint64_t now_ns)
{
	static const char *const passing[] = {"internal", "limit", "throttl", "unavailable", "toomany", "timeout"};
	struct hub_finding *f = e->f;
	bool again = has_any(code, passing, ARRAY_SIZE(passing));

	e->failed = true;
	if (!again && (is_lasting(code) || f->tries + 1 >= TRIES)) {
		hub_say(h, HUB_GOOD, "finding %s is not taken: %s: %s", f->id, code, message);
		give_up(h, f);
		return;
	}
	f->due_ns = after(h, now_ns, spread(grown(f->tries, LATER_NS)));
	f->tries++;
}

static const char *text_at(const json_t *v, const char *key)
{
	const char *s = json_string_value(json_object_get(v, key));

	return s ? s : "";
}

static void fail_one(struct hub *h, struct batch *b, const json_t *failed, uint64_t now_ns)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->entries[i].id && !b->entries[i].failed && !strcmp(b->entries[i].id, text_at(failed, "Id")))
			fail(h, &b->entries[i], text_at(failed, "ErrorCode"), text_at(failed, "ErrorMessage"), now_ns);
}

/* Some may have failed, each with its reason. */
static bool take_counts(struct hub *h, struct batch *b, const json_t *body, uint64_t now_ns)
{
	const json_t *good = json_object_get(body, "SuccessCount"), *bad = json_object_get(body, "FailedCount");
	const json_t *list = json_object_get(body, "FailedFindings");
	size_t named = 0;
	json_t *v;
	size_t i;

	if (!json_is_integer(good) || !json_is_integer(bad))
		return false;
	json_array_foreach (list, i, v)
		fail_one(h, b, v, now_ns);
	for (i = 0; i < b->n; i++)
		named += b->entries[i].failed;
	/* Which of them, if not those that are named? They all come again: it does no harm. */
	if (json_integer_value(good) < (json_int_t)(b->n - named))
		return false;
	for (i = 0; i < b->n; i++)
		if (!b->entries[i].failed)
			succeed(h, &b->entries[i], now_ns);
	return true;
}

static void good_answer(struct hub *h, uint64_t now_ns)
{
	struct timespec wall;

	clock_gettime(CLOCK_REALTIME, &wall);
	h->told.last_ns = (int64_t)wall.tv_sec * (int64_t)NSEC + wall.tv_nsec;
	h->told.state = HUB_GOOD;
	h->fails = 0;
	h->batch = MIN(2 * h->batch, (unsigned)HUB_BATCH);
	h->quiet_ns = after(h, now_ns, PAUSE_NS);
}

static void wait_after(struct hub *h, uint64_t now_ns, uint64_t ns)
{
	h->fails++;
	h->quiet_ns = after(h, now_ns, spread(ns));
}

/* Of a request that is wrong as a whole the half is tried, until it is known which finding it is. */
static void refused(struct hub *h, struct batch *b, const struct aws_reply *r, uint64_t now_ns)
{
	h->quiet_ns = after(h, now_ns, PAUSE_NS);
	if (b->n > 1) {
		h->batch = (unsigned)b->n / 2;
		return;
	}
	hub_say(h, HUB_GOOD, "finding %s is not taken: %s: %s", b->entries[0].f->id, r->error, r->message);
	give_up(h, b->entries[0].f);
}

static void no_hub(struct hub *h, const struct asff_place *place, uint64_t now_ns)
{
	hub_say(h, HUB_NOT_ENABLED,
		"Security Hub is not enabled in %s for account %s: enable it there, or set export.security_hub: false; findings "
		"wait in "
		"the journal",
		place->region, place->account);
	wait_after(h, now_ns, MUCH_LATER_NS);
}

/* Also what is refused may not be for what is in it: an address that makes no sense, or where something else answers. */
static bool is_for_findings(const struct aws_reply *r)
{
	return r->status == 413 || is_lasting(r->error);
}

static void unreachable(struct hub *h, const struct aws_reply *r, uint64_t now_ns)
{
	hub_say(h, HUB_UNREACHABLE, "%s%s%s", *r->error ? r->error : "the answer is none of Security Hub's", *r->message ? ": " : "",
		r->message);
	wait_after(h, now_ns, grown(h->fails, LATER_NS));
}

static void take_failure(struct hub *h, struct batch *b, const struct aws_reply *r, uint64_t now_ns)
{
	switch (r->outcome) {
	case AWS_DENIED:
		hub_say(h, HUB_DENIED, "may not import findings (securityhub:BatchImportFindings): %s: %s", r->error, r->message);
		wait_after(h, now_ns, MUCH_LATER_NS);
		break;
	case AWS_NO_CREDENTIALS:
		hub_say(h, HUB_NO_CREDENTIALS, "no AWS credentials were found");
		wait_after(h, now_ns, grown(h->fails + 4, LATER_NS));
		break;
	case AWS_THROTTLED:
		hub_say(h, HUB_THROTTLED, "%s: %s", r->error, r->message);
		wait_after(h, now_ns, grown(h->fails + 1, LATER_NS));
		break;
	case AWS_REFUSED:
	case AWS_EXISTS:
		if (is_for_findings(r))
			refused(h, b, r, now_ns);
		else
			unreachable(h, r, now_ns);
		break;
	case AWS_DONE:
	case AWS_AGAIN:
	case AWS_MISSING:
		unreachable(h, r, now_ns);
	}
}

static void take_reply(struct hub *h, struct batch *b, const struct aws_reply *r, const struct asff_place *place, uint64_t now_ns)
{
	char before[sizeof(h->told.why)];

	if (!strcmp(r->error, "InvalidAccessException")) {
		no_hub(h, place, now_ns);
		return;
	}
	if (r->outcome != AWS_DONE) {
		take_failure(h, b, r, now_ns);
		return;
	}
	memcpy(before, h->told.why, sizeof(before));
	if (h->told.state != HUB_GOOD)
		h->told.why[0] = '\0'; /* what was the matter is over; why a finding was not taken stays */
	if (take_counts(h, b, r->body, now_ns))
		good_answer(h, now_ns);
	else
		take_failure(h, b, r, now_ns);
}

/* --- where to -------------------------------------------------------------------------------- */

static bool same(const char *a, const char *b)
{
	return a && b && !strcmp(a, b);
}

/* Another account knows nothing of what was imported before: it gets all that the journal has. */
static int settle(struct hub *h, const struct asff_place *place)
{
	if (same(h->region, place->region) && same(h->account, place->account))
		return 0;
	bool moved = h->region;

	free(h->region);
	free(h->account);
	h->region = strdup(place->region);
	h->account = strdup(place->account);
	if (!h->region || !h->account)
		return -ENOMEM;
	if (!moved)
		return 0;
	hub_forget_all(h);
	h->reader = journal_reader_close(h->reader);
	h->read = h->cursor = h->anchor.seq = 0;
	h->changed = true;
	return -EAGAIN;
}

static bool find_place(struct hub *h, struct asff_place *ret, uint64_t now_ns)
{
	const struct hub_aws *a = &h->options.aws;

	*ret = (struct asff_place){.region = a->region(a->arg), .account = a->account(a->arg), .partition = a->partition(a->arg)};
	if (ret->region && ret->account && ret->partition)
		return true;
	hub_say(h, HUB_UNPLACED, "the %s that findings belong to is not known: %s", ret->region ? "account" : "region",
		ret->region ? "sts:GetCallerIdentity gave no answer, for want of credentials or of a way there"
			    : "set AWS_REGION, or let the instance's metadata be asked");
	wait_after(h, now_ns, grown(h->fails, LATER_NS));
	return false;
}

int hub_send(struct hub *h, uint64_t now_ns, bool last)
{
	_cleanup_free_ struct batch *b = NULL;
	struct aws_reply reply = {0};
	struct asff_place place;
	int err;

	if (hub_due(h, last) > now_ns || !find_place(h, &place, now_ns))
		return 0;
	err = settle(h, &place);
	if (err)
		return err == -EAGAIN ? 0 : err;
	b = calloc(1, sizeof(*b));
	err = b ? fill(h, b, now_ns, last, &place) : -ENOMEM;
	if (!err && b->n) {
		struct aws_request q = {.service = "securityhub",
					.path = "/findings/import",
					.content_type = "application/json",
					.body = b->body.data,
					.len = b->body.len,
					.timeout_ms = last ? LAST_MS : 0};

		err = h->options.aws.call(h->options.aws.arg, &q, &reply);
		if (!err) {
			take_reply(h, b, &reply, &place, now_ns);
			aws_reply_done(&reply);
		}
	}
	if (b)
		batch_done(b);
	return err;
}
