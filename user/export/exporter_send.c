/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What is asked of AWS next, and what an answer means for the batch. */
#include "user/export/exporter_internal.h"

#include <stdarg.h>
#include <string.h>

#define UNREAD_MAX 5 /* answers to one question that cannot be read */
#define ASKS 2	     /* before a batch that is not seen counts as not arrived, */
#define AGAIN_PART 3 /* the second so many times as long after the first */
#define OPEN_AGAIN_NS NSEC

/* --- how it goes --------------------------------------------------------------------------------- */

void export_trouble(struct exporter *x, enum export_state health, const char *format, ...)
{
	char text[sizeof(x->why)];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	text_safe(x->why, sizeof(x->why), text, strlen(text));
	memcpy(x->last_error, x->why, sizeof(x->last_error));
	x->health = health;
}

void export_well(struct exporter *x)
{
	x->health = EXPORT_GOOD;
	x->why[0] = '\0';
	x->backoff = (struct backoff){};
}

static uint64_t pause_after(struct exporter *x, enum aws_outcome outcome)
{
	uint64_t wait = backoff_next(&x->backoff, outcome, backoff_random()) / x->hurry;

	x->retries++;
	x->not_before_ns = now_boot_ns() + wait;
	return wait;
}

/* Nothing came of it that has to do with the batch. */
static uint64_t say_trouble(struct exporter *x, const char *what, const struct cw_said *s)
{
	bool stuck = s->outcome == AWS_DENIED || s->outcome == AWS_NO_CREDENTIALS || s->outcome == AWS_REFUSED;
	bool more = *s->message && strcmp(s->error, s->message);

	export_trouble(x, stuck ? EXPORT_STUCK : EXPORT_FAILING, "%s: %s%s%s", what, *s->error ? s->error : "no answer",
		       more ? ": " : "", more ? s->message : "");
	switch (s->outcome) {
	case AWS_REFUSED: /* a person has to mend it, as with rights */
		return pause_after(x, AWS_DENIED);
	case AWS_THROTTLED:
	case AWS_DENIED:
	case AWS_NO_CREDENTIALS:
		return pause_after(x, s->outcome);
	default:
		return pause_after(x, AWS_AGAIN);
	}
}

/* No request could be made at all. */
static uint64_t no_call(struct exporter *x, int err)
{
	if (err != -ECANCELED)
		export_trouble(x, EXPORT_FAILING, "%s", strerror(-err));
	return NSEC / x->hurry;
}

/* No difference is told as 0, as is that none is known: of AWS's own answers it is the former. */
static void note_clock(struct exporter *x, const struct cw_said *s)
{
	bool by_aws = s->status && s->outcome != AWS_AGAIN;

	if (s->skew_ns || by_aws)
		x->skew_ns = s->skew_ns;
}

static int save(struct exporter *x)
{
	int err = cw_cursor_save(x->cursor, &x->state);

	/* going on is better than silence; a kill now would repeat something */
	if (err)
		export_trouble(x, x->health, "%s: how far the export has come can't be kept: %s", x->state_dir, strerror(-err));
	return err;
}

/* --- group and stream ------------------------------------------------------------------------------ */

static uint64_t keep_group(struct exporter *x)
{
	struct cw_state *s = &x->state;
	struct cw_said said = {};

	if (!s->group_made || s->retain_days == x->retain_days || !x->retain_days)
		return 0;
	int err = cw_keep(&x->wire, s->group, x->retain_days, &said);
	if (err)
		return no_call(x, err);
	note_clock(x, &said);
	if (said.outcome == AWS_AGAIN || said.outcome == AWS_THROTTLED)
		return say_trouble(x, "PutRetentionPolicy", &said);
	s->retain_days = said.outcome == AWS_DONE ? x->retain_days : 0;
	if (said.outcome != AWS_DONE) /* that is no reason to hold records back */
		export_trouble(x, x->health, "%s: its retention of %u days can't be set: %s: %s", s->group, x->retain_days, said.error,
			       said.message);
	save(x);
	return 0;
}

static uint64_t make_group(struct exporter *x)
{
	struct cw_said said = {};
	int err = cw_make_group(&x->wire, x->state.group, &said);

	if (err)
		return no_call(x, err);
	note_clock(x, &said);
	if (said.outcome == AWS_DENIED) {
		export_trouble(x, EXPORT_STUCK,
			       "the log group %s is not there and can't be made (%s): make it, or allow logs:CreateLogGroup",
			       x->state.group, said.error);
		return pause_after(x, AWS_DENIED);
	}
	if (said.outcome != AWS_DONE && said.outcome != AWS_EXISTS)
		return say_trouble(x, "CreateLogGroup", &said);
	if (said.outcome == AWS_EXISTS) /* a moment ago it did not */
		return pause_after(x, AWS_AGAIN);
	x->state.group_made = true;
	x->state.retain_days = 0;
	save(x);
	return 0; /* and on with the stream */
}

static uint64_t make_target(struct exporter *x)
{
	struct cw_said said = {};
	uint64_t wait = keep_group(x);

	if (wait)
		return wait;
	int err = cw_make_stream(&x->wire, x->state.group, x->state.stream, &said);
	if (err)
		return no_call(x, err);
	note_clock(x, &said);
	if (said.outcome == AWS_MISSING)
		return make_group(x);
	if (said.outcome != AWS_DONE && said.outcome != AWS_EXISTS)
		return say_trouble(x, "CreateLogStream", &said);
	if (!x->missing) /* else the wait goes on growing until it is really there */
		export_well(x);
	x->phase = x->then;
	return 0;
}

/* --- the batch ----------------------------------------------------------------------------------- */

static void begin_batch(struct exporter *x)
{
	cw_batch_clear(&x->batch);
	x->after = x->state.mark;
	x->items = 0;
	x->urgent = x->full = x->sealed = x->unsure = false;
	x->oldest_ms = 0;
	x->asks = x->unread = 0;
	x->waiting_ns = 0;
	if (export_untold(x))
		export_waits(x);
	x->phase = PHASE_READ;
}

static void arrived(struct exporter *x)
{
	if (x->unsure)
		x->state.intent.after.n.repeated += x->state.intent.last + 1 - x->state.intent.first;
	cw_state_arrived(&x->state);
	save(x);
	x->remark = NULL;
	x->refused[0] = '\0';
	x->missing = false;
	x->cap = MIN(x->cap * 2, (size_t)CW_BATCH_EVENTS);
}

static void reject(struct exporter *x, size_t from, size_t to, enum export_dropped why)
{
	struct cw_figures *n = &x->state.intent.after.n;

	for (size_t i = from; i < to && i < x->batch.n; i++) {
		if (!x->batch.events[i].seq)
			continue; /* one of our own */
		n->records--;
		n->dropped[why]++;
	}
}

static void take_rejections(struct exporter *x, const struct cw_said *s)
{
	reject(x, 0, s->too_old_end, EXPORT_TOO_OLD);
	reject(x, s->too_old_end, s->expired_end, EXPORT_EXPIRED);
	reject(x, MAX(s->too_new_start, MAX(s->too_old_end, s->expired_end)), x->batch.n, EXPORT_TOO_NEW);
	if (s->too_old_end || s->expired_end || s->too_new_start < x->batch.n)
		snprintf(x->last_error, sizeof(x->last_error),
			 "PutLogEvents: of %zu events CloudWatch left out %zu as too old or expired and %zu as too new", x->batch.n,
			 MAX(s->too_old_end, s->expired_end), x->batch.n - MIN(s->too_new_start, x->batch.n));
}

/* The batch's only item is what is wrong, if a word about it alone is taken. */
static void accuse(struct exporter *x, const struct cw_said *s)
{
	bool record = x->after.n.records > x->state.mark.n.records;

	if (*x->refused)
		return;
	snprintf(x->refused, sizeof(x->refused), "%s: %.240s", s->error, s->message);
	cw_batch_clear(&x->batch);
	x->after.n.records = x->state.mark.n.records;
	x->after.n.metrics = x->state.mark.n.metrics;
	x->after.n.dropped[EXPORT_REFUSED] += record;
	x->after.n.batches = x->state.mark.n.batches;
	x->after.told = x->state.mark.told;
	x->after.told_seq = x->state.mark.told_seq;
	x->sealed = false;
}

static uint64_t on_refused(struct exporter *x, const struct cw_said *s)
{
	struct cw_state *st = &x->state;
	bool of_event;
	uint64_t limit;

	st->intent.set = false;
	if (cw_limit_said(s->message, &of_event, &limit)) {
		uint64_t *learned = of_event ? &st->event_max : &st->batch_max;
		uint64_t before = *learned ? *learned : of_event ? CW_EVENT_BYTES : CW_BATCH_BYTES;
		uint64_t now = of_event ? limit - CW_EVENT_OVERHEAD : limit;

		if (now < before) {
			*learned = now;
			save(x);
			export_rewind(x);
			x->phase = PHASE_READ;
			return 0;
		}
	}
	if (*x->refused) { /* not even that word: it is not the record */
		x->refused[0] = '\0';
		export_rewind(x);
		x->phase = PHASE_READ;
		return say_trouble(x, "PutLogEvents: whatever is sent is refused", s);
	}
	if (x->items > 1) {
		x->cap = x->items / 2;
		export_rewind(x);
		x->phase = PHASE_READ;
		return 0;
	}
	accuse(x, s);
	return 0;
}

static uint64_t put_batch(struct exporter *x)
{
	struct cw_said said = {};

	int err = export_seal(x);
	if (err)
		return no_call(x, err);
	save(x);
	err = cw_put(&x->wire, x->state.intent.group, x->state.intent.stream, &x->batch, &said);
	x->sent_ns = now_boot_ns(); /* it may have arrived as late as this */
	if (err == -ECANCELED) { /* at any moment of it */
		x->phase = PHASE_ASK;
		return 0;
	}
	if (err)
		return no_call(x, err);
	note_clock(x, &said);
	switch (said.outcome) {
	case AWS_DONE:
		take_rejections(x, &said);
		arrived(x);
		export_well(x);
		begin_batch(x);
		return 0;
	case AWS_MISSING:
		x->phase = PHASE_TARGET;
		x->then = PHASE_SEND;
		uint64_t wait = x->missing ? say_trouble(x, "PutLogEvents", &said) : 0;
		x->missing = true;
		return wait;
	case AWS_REFUSED:
		return on_refused(x, &said);
	default:
		if (said.maybe_done)
			x->phase = PHASE_ASK;
		return say_trouble(x, "PutLogEvents", &said);
	}
}

/* --- did it arrive? --------------------------------------------------------------------------------- */

static uint64_t settling(const struct exporter *x)
{
	uint64_t settle = x->settle_ns * (x->asks ? AGAIN_PART : 1);
	uint64_t since = now_boot_ns() - x->sent_ns;

	return since < settle ? settle - since : 0;
}

static uint64_t found_out(struct exporter *x, bool there, bool sure)
{
	bool in_memory = x->batch.n;

	x->asks = x->unread = 0;
	x->page = CW_PAGE;
	if (there) {
		arrived(x);
		if (in_memory)
			begin_batch(x);
		else
			export_rewind(x);
		x->phase = PHASE_READ;
		return 0;
	}
	if (sure) {
		x->state.intent.set = false;
	} else if (in_memory) {
		x->unsure = true;
	} else { /* what was in it is sent again as it comes */
		x->state.mark.n.repeated += x->state.intent.last + 1 - x->state.intent.first;
		x->state.intent.set = false;
	}
	if (!in_memory)
		export_rewind(x);
	x->phase = in_memory ? PHASE_SEND : PHASE_READ;
	return 0;
}

static uint64_t ask(struct exporter *x)
{
	struct cw_said said = {};
	enum cw_found found;
	uint64_t wait = settling(x);
	unsigned page = x->page;

	if (wait)
		return wait;
	int err = cw_find(&x->wire, &x->state.intent, &x->page, &found, &said);
	if (err)
		return no_call(x, err);
	note_clock(x, &said);
	switch (found) {
	case CW_FOUND:
		export_well(x);
		return found_out(x, true, true);
	case CW_NOT_FOUND: /* CloudWatch shows what it took a little later */
		return ++x->asks < ASKS ? 0 : found_out(x, false, true);
	case CW_TOO_MANY:
		return found_out(x, false, false);
	default:
		break;
	}
	wait = say_trouble(x, "GetLogEvents", &said);
	if (said.outcome == AWS_DENIED || said.outcome == AWS_REFUSED) {
		snprintf(x->last_error, sizeof(x->last_error),
			 "GetLogEvents: %s: records may arrive twice; allow it to have each but once", said.error);
		x->not_before_ns = 0;
		return found_out(x, false, false);
	}
	if ((said.status == 200 || said.too_long) && page == 1 && ++x->unread >= UNREAD_MAX)
		return found_out(x, false, false);
	return wait;
}

/* --- one step ---------------------------------------------------------------------------------------- */

static uint64_t read_on(struct exporter *x)
{
	int err = export_gather(x);

	if (err == -ESTALE) {
		x->phase = PHASE_OPEN;
		x->reader = journal_reader_close(x->reader);
		return 0;
	}
	if (err) {
		export_trouble(x, EXPORT_FAILING, "%s: %s", x->journal_dir, strerror(-err));
		export_rewind(x);
		return OPEN_AGAIN_NS / x->hurry;
	}
	if (x->caught_up && export_closing(x) && export_close_minute(x) == 1)
		x->full = true;
	if (export_due(x, now_boot_ns())) {
		x->phase = PHASE_SEND;
		return 0;
	}
	if (!x->waiting_ns)
		return UINT64_MAX;
	uint64_t since = now_boot_ns() - x->waiting_ns;
	return since < x->flush_ns ? x->flush_ns - since : 0;
}

/* By the wall clock, which may have been set back since. */
static uint64_t sent_before(const struct cw_intent *i)
{
	int64_t now_ns = (int64_t)now_boot_ns(), since_ms = export_local_ms() - i->sent_ms;

	return (uint64_t)(now_ns - MIN(MIN(MAX(since_ms, 0), 3600000) * 1000000, now_ns));
}

static void begin_session(struct exporter *x)
{
	x->phase = PHASE_TARGET;
	x->then = x->state.intent.set ? PHASE_ASK : PHASE_READ;
	x->sent_ns = sent_before(&x->state.intent);
	x->page = CW_PAGE;
	x->cap = CW_BATCH_EVENTS;
	x->asks = x->unread = 0;
}

static uint64_t open_all(struct exporter *x)
{
	bool lost = false;
	int err = x->cursor ? 0 : cw_cursor_open(x->state_dir, x->socket, &x->cursor, &x->state, &lost);

	if (err) {
		export_trouble(x, err == -EBUSY ? EXPORT_FAILING : EXPORT_STUCK, "%s: %s", x->state_dir,
			       err == -EBUSY  ? "another exporter is at work there"
			       : err == -EPERM ? "others than root can write there"
					       : strerror(-err));
		return OPEN_AGAIN_NS / x->hurry;
	}
	if (lost)
		x->remark = "how far the export had come could not be read: it begins again in a stream of its own";
	err = export_name(x);
	if (err == -EAGAIN) {
		export_trouble(x, EXPORT_FAILING, "%s", x->why);
		return pause_after(x, AWS_AGAIN);
	}
	if (!err)
		err = export_open_journal(x);
	if (err) {
		export_trouble(x, EXPORT_STARTING, "%s: %s", x->journal_dir, strerror(-err));
		return OPEN_AGAIN_NS / x->hurry;
	}
	save(x);
	begin_session(x);
	return 0;
}

uint64_t export_step(struct exporter *x)
{
	uint64_t now = now_boot_ns();

	if (now < x->not_before_ns)
		return x->not_before_ns - now;
	switch (x->phase) {
	case PHASE_OPEN:
		return open_all(x);
	case PHASE_TARGET:
		return make_target(x);
	case PHASE_READ:
		return read_on(x);
	case PHASE_SEND:
		return put_batch(x);
	case PHASE_ASK:
		return ask(x);
	}
	return NSEC;
}
