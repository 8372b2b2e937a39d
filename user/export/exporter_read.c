/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* From the journal into a batch: what is taken, what is cut, what is left out and told. */
#include "user/export/exporter_internal.h"

#include <string.h>

#define OLDEST_MS (14 * 86400LL * 1000 + 300 * 1000) /* clearly older than AWS takes; about the rest it decides */
#define LATE_MS (5 * EMF_MINUTE_MS)
#define NEWEST_MS (2 * 3600LL * 1000 - 300 * 1000)

static struct cw_limits limits_of(const struct exporter *x)
{
	const struct cw_state *s = &x->state;
	size_t batch = s->batch_max ? MIN((size_t)s->batch_max, (size_t)CW_BATCH_BYTES) : CW_BATCH_BYTES;
	size_t event = s->event_max ? MIN((size_t)s->event_max, (size_t)CW_EVENT_BYTES) : CW_EVENT_BYTES;
	size_t own = NOTICE_BYTES + CW_EVENT_OVERHEAD, room = batch > 2 * own ? batch - own : own;

	return (struct cw_limits){.bytes = room, .events = CW_BATCH_EVENTS - 1, .event_bytes = MIN(event, room - CW_EVENT_OVERHEAD)};
}

static uint64_t dropped(const struct cw_figures *f)
{
	uint64_t sum = 0;

	for (enum export_dropped d = 0; d < EXPORT_DROPPED_KINDS; d++)
		sum += f->dropped[d];
	return sum;
}

bool export_untold(const struct exporter *x)
{
	const struct cw_figures *n = &x->after.n, *told = &x->after.told;

	/* a clock that stays wrong is told again when it has come to twice as much */
	bool retimed = n->retimed > told->retimed && n->retimed >= 2 * told->retimed;

	return dropped(n) != dropped(told) || retimed || n->repeated != told->repeated || x->remark || *x->refused;
}

void export_waits(struct exporter *x)
{
	if (!x->waiting_ns)
		x->waiting_ns = now_boot_ns();
}

void export_rewind(struct exporter *x)
{
	const struct cw_mark *m = &x->state.mark;

	cw_batch_clear(&x->batch);
	emf_clear(x->emf);
	x->after = *m;
	x->items = 0;
	x->waiting_ns = 0;
	x->urgent = x->full = x->caught_up = x->sealed = x->held = false;
	x->damaged = x->read_seq = 0;
	x->oldest_ms = 0;
	x->anchor = (struct cw_anchor){};
	/* the open minute is summed again */
	journal_reader_after(x->reader, m->minute_seq && m->minute_seq <= m->seq ? m->minute_seq - 1 : m->seq);
	if (export_untold(x))
		export_waits(x);
}

/* --- is it the same journal? ------------------------------------------------------------------ */

#define SHORTER "the end of the journal that was sent before is not in it any more: its numbers are used again"

enum known { KNOWN, UNLIKE, ENDS_BEFORE };

static enum known known_by(struct exporter *x, const struct cw_anchor *a)
{
	struct journal_line line;
	char hash[65];

	journal_reader_after(x->reader, a->seq - 1);
	int got = journal_reader_next(x->reader, &line);

	if (!got)
		return ENDS_BEFORE;
	if (got < 0 || line.seq > a->seq || cw_digest(line.text, line.len, hash))
		return KNOWN; /* removed or damaged meanwhile: nothing speaks against it */
	return line.seq == a->seq && !strcmp(hash, a->hash) ? KNOWN : UNLIKE;
}

/* A journal that was moved away, or whose end was lost with the power, counts again from a number that was there before. */
static void find_place(struct exporter *x)
{
	struct cw_mark *m = &x->state.mark;
	size_t i = 0;

	while (i < CW_ANCHORS && x->state.anchors[i].seq && known_by(x, &x->state.anchors[i]) != KNOWN)
		i++;
	bool any = x->state.anchors[0].seq;
	if (!any || !i)
		return;
	uint64_t before = m->seq;

	m->seq = i < CW_ANCHORS ? x->state.anchors[i].seq : 0;
	m->n.repeated += m->seq ? before - m->seq : 0; /* at most: those of them that are still there */
	m->minute_seq = m->seq + 1;
	m->told_seq = MIN(m->told_seq, m->seq);
	memmove(x->state.anchors, x->state.anchors + i, (CW_ANCHORS - i) * sizeof(*x->state.anchors));
	memset(x->state.anchors + CW_ANCHORS - i, 0, i * sizeof(*x->state.anchors));
	x->state.intent.set = false;
	x->remark = m->seq ? SHORTER : "this is another journal than before: numbers begin anew";
}

/* What was on its way when the power went may have been of that end: that it is there says nothing of those that are now. */
static void check_intent(struct exporter *x)
{
	struct cw_intent *i = &x->state.intent;

	if (!i->set || i->anchor.seq <= x->state.mark.seq || known_by(x, &i->anchor) == KNOWN)
		return;
	i->set = false;
	x->state.mark.n.repeated += i->last + 1 - i->first;
	x->remark = SHORTER;
}

int export_open_journal(struct exporter *x)
{
	int err = x->reader ? 0 : journal_reader_open(x->journal_dir, &x->reader);

	if (err)
		return err;
	find_place(x);
	check_intent(x);
	export_rewind(x);
	return 0;
}

/* --- metrics ----------------------------------------------------------------------------------- */

static int put_documents(struct exporter *x, const struct json_text *docs, size_t n, int64_t ms)
{
	const char *doc = docs->data;

	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(doc);
		int err = cw_batch_add(&x->batch, ms, 0, doc, len);

		if (err)
			return err;
		doc += len + 1;
	}
	return 0;
}

/* 1: no room for them. */
int export_close_minute(struct exporter *x)
{
	struct cw_limits l = limits_of(x);
	int64_t local = export_local_ms(), theirs = export_now_ms(x), now = MIN(local, theirs); /* the minute is by one of them */
	int64_t over = (x->minute_ms / EMF_MINUTE_MS + 1) * EMF_MINUTE_MS;
	/* at the time of an outage that is over nobody looks for what it cost: that is told of a minute that is still watched */
	uint64_t lost = now - over < LATE_MS ? dropped(&x->after.n) : x->after.metered;
	struct emf_frame frame = {
	    .metric_namespace = x->metric_namespace,
	    .node = x->node,
	    .batch = x->after.n.batches + 1,
	    .dropped = lost - MIN(x->after.metered, lost),
	    .lag_seconds = now > over ? (uint64_t)(now - over) / 1000 : 0,
	    .latest_ms = x->minute_ms,
	    .max = MIN((size_t)EMF_BYTES_MAX, MAX(l.bytes * 4 / 5, (size_t)8192)),
	};
	struct json_text docs = {};
	size_t n = 0;

	if (!emf_first(x->emf))
		return 0;
	if (x->items >= x->cap)
		return 1;
	int err = emf_documents(x->emf, &frame, &docs, &n);
	if (!err && !cw_batch_fits(&x->batch, &l, n, docs.len - n, x->minute_ms, x->minute_ms))
		err = x->batch.n ? 1 : -EFBIG;
	if (!err)
		err = put_documents(x, &docs, n, x->minute_ms);
	free(docs.data);
	if (err == -EFBIG) { /* limits that nobody could keep: the figures are in the records too */
		n = 0;
		err = 0;
	}
	if (err)
		return err;
	x->items++;
	x->after.minute_seq = x->after.seq + 1;
	x->after.n.metrics += n;
	x->after.metered = lost;
	emf_clear(x->emf);
	export_waits(x);
	return 0;
}

/* --- one line ----------------------------------------------------------------------------------- */

static void leave_out(struct exporter *x, enum export_dropped why, uint64_t n)
{
	x->after.n.dropped[why] += n;
	export_waits(x);
}

/* Numbers that are missing before this one. */
static void count_missing(struct exporter *x)
{
	uint64_t missing = x->line.seq - x->after.seq - 1, bad = MIN(x->damaged, missing);

	if (bad)
		leave_out(x, EXPORT_UNREADABLE, bad);
	if (missing > bad)
		leave_out(x, EXPORT_GONE, missing - bad);
	x->damaged = 0;
	x->after.seq = x->line.seq - 1;
}

static void note_host(struct exporter *x, const json_t *record)
{
	json_t *host = json_object_get(record, "host");

	if (!host || (x->host && json_equal(host, x->host)))
		return;
	json_decref(x->host);
	x->host = json_incref(host);
}

/* 1: it does not fit. */
static int put_record(struct exporter *x, const struct cw_line *l, const char *text, size_t len, int64_t ms)
{
	struct cw_limits limits = limits_of(x);
	_cleanup_free_ char *cut = NULL;
	bool shorter = len > limits.event_bytes;
	int err = shorter ? cw_line_cut(l->record, text, len, limits.event_bytes, &cut, &len) : 0;

	if (err == -EFBIG) {
		leave_out(x, EXPORT_REFUSED, 1);
		return 0;
	}
	if (err)
		return err;
	if (!cw_batch_fits(&x->batch, &limits, 1, len, ms, ms))
		return 1;
	err = cw_batch_add(&x->batch, ms, x->line.seq, shorter ? cut : text, len);
	if (err)
		return err;
	x->after.n.records++;
	x->after.n.cut += shorter;
	x->urgent = x->urgent || l->urgent;
	if (!x->oldest_ms)
		x->oldest_ms = ms;
	x->items++;
	export_waits(x);
	return 0;
}

static bool takes(int64_t ms, int64_t now)
{
	return ms <= now + NEWEST_MS && ms >= now - OLDEST_MS;
}

/* The time by which CloudWatch will have it: its own, if that can be; else, this host's clock being wrong, what AWS's clock said
 * then. INT64_MIN: it is too old. */
static int64_t event_time(struct exporter *x, int64_t ms)
{
	int64_t now = export_now_ms(x), skew = now - export_local_ms();

	if (takes(ms, now))
		return ms;
	if (takes(ms + skew, now))
		return ms + skew;
	return ms > now ? now : INT64_MIN;
}

static void sum(struct exporter *x, const json_t *record, int64_t ms)
{
	if (emf_add(x->emf, record, x->line.seq, ms))
		x->remark = "a minute's metrics may lack something: there was no memory";
}

/* Whoever does not say when is taken to be of the time of those before. */
static int64_t time_of(const struct exporter *x, const struct cw_line *l)
{
	return l->timed ? l->ms : x->minute_ms ? x->minute_ms : export_now_ms(x);
}

static int take_record(struct exporter *x, const struct cw_line *l)
{
	int64_t ms = time_of(x, l), event = event_time(x, ms);
	int err = 0;

	if (emf_other_minute(x->emf, ms))
		err = export_close_minute(x);
	if (!err && x->items >= x->cap)
		err = 1;
	if (err)
		return err;
	if (event == INT64_MIN) {
		leave_out(x, EXPORT_TOO_OLD, 1);
		return 0;
	}
	err = put_record(x, l, x->line.text, x->line.len, event);
	if (err)
		return err;
	x->after.n.retimed += event != ms;
	x->minute_ms = event;
	note_host(x, l->record);
	sum(x, l->record, ms);
	return 0;
}

/* A record of the open minute that has arrived already: it counts for the metrics. */
static void take_again(struct exporter *x, const struct cw_line *l)
{
	int64_t ms = time_of(x, l), event = event_time(x, ms);

	if (event == INT64_MIN)
		return;
	if (emf_other_minute(x->emf, ms))
		emf_clear(x->emf);
	x->minute_ms = event;
	note_host(x, l->record);
	sum(x, l->record, ms);
}

static void note_anchor(struct exporter *x)
{
	char hash[65];

	if (cw_digest(x->line.text, x->line.len, hash))
		return; /* an older one does as well */
	x->anchor.seq = x->line.seq;
	memcpy(x->anchor.hash, hash, sizeof(hash));
}

/* x->line. 1: it waits for the next batch. */
static int take_line(struct exporter *x)
{
	struct cw_line l = {};
	int err = cw_line_read(x->line.text, x->line.len, &l);

	if (err && err != -EBADMSG)
		return err;
	if (x->line.seq <= x->state.mark.seq) {
		if (!err)
			take_again(x, &l);
		json_decref(l.record);
		x->damaged = 0;
		return 0;
	}
	if (err == -EBADMSG) {
		count_missing(x);
		leave_out(x, EXPORT_UNREADABLE, 1);
		err = 0;
	} else {
		count_missing(x);
		err = take_record(x, &l);
		json_decref(l.record);
	}
	if (err)
		return err;
	x->after.seq = x->line.seq;
	x->after.minute_seq = emf_first(x->emf) ? emf_first(x->emf) : x->line.seq + 1;
	note_anchor(x);
	return 0;
}

int export_gather(struct exporter *x)
{
	x->caught_up = false;
	while (!x->full && !atomic_load(&x->stop)) {
		int got = x->held ? 1 : journal_reader_next(x->reader, &x->line);

		if (got == -EBADMSG) {
			x->damaged++;
			continue;
		}
		if (got <= 0) {
			x->caught_up = !got;
			return got;
		}
		if (!x->held && x->line.seq <= x->read_seq)
			return -ESTALE; /* someone put another journal in its place */
		x->read_seq = x->line.seq;
		x->held = true;
		got = take_line(x);
		if (got < 0)
			return got;
		x->full = got > 0;
		x->held = x->full;
	}
	return 0;
}

bool export_due(struct exporter *x, uint64_t now_ns)
{
	if (!x->waiting_ns)
		return false;
	return x->full || x->urgent || now_ns - x->waiting_ns >= x->flush_ns || (x->caught_up && export_closing(x));
}

/* --- what the exporter says of itself ------------------------------------------------------------- */

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)MIN(n, (uint64_t)INT64_MAX));
}

static json_t *figures(const struct cw_figures *now, const struct cw_figures *before)
{
	json_t *o = json_object();

	for (enum export_dropped d = 0; d < EXPORT_DROPPED_KINDS; d++)
		if (now->dropped[d] != before->dropped[d])
			json_object_set_new(o, export_dropped_name(d), number(now->dropped[d] - before->dropped[d]));
	return o;
}

static json_t *notice(const struct exporter *x, int64_t ms)
{
	static const struct cw_figures zero;
	const struct cw_mark *a = &x->after;
	struct timespec wall = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
	char time[TIME_LEN];

	return json_pack("{s:i, s:s, s:s, s:O?, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s?, s:s?}", "v", 1, "type", "exporter", "time",
			 time_rfc3339(time, &wall), "host", x->host, "batch", number(a->n.batches + 1), "after_seq",
			 number(a->told_seq), "last_seq", number(a->seq), "dropped", figures(&a->n, &a->told), "dropped_ever",
			 figures(&a->n, &zero), "retimed", number(a->n.retimed - a->told.retimed), "maybe_repeated",
			 number(a->n.repeated - a->told.repeated), "remark", x->remark, "why",
			 *x->refused ? x->refused : NULL);
}

static int put_notice(struct exporter *x)
{
	int64_t ms = x->batch.n ? x->batch.to_ms : export_now_ms(x);
	json_t *o = notice(x, ms);
	_cleanup_free_ char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;

	json_decref(o);
	if (!text)
		return -ENOMEM;
	if (strlen(text) > NOTICE_BYTES)
		return 0; /* a host's name beyond all measure */
	int err = cw_batch_add(&x->batch, ms, 0, text, strlen(text));
	if (err)
		return err;
	x->after.told = x->after.n;
	x->after.told_seq = x->after.seq;
	return 0;
}

int export_seal(struct exporter *x)
{
	struct cw_intent *i = &x->state.intent;
	int err = !x->sealed && export_untold(x) ? put_notice(x) : 0;

	if (err)
		return err;
	if (!x->sealed)
		x->after.n.batches++;
	x->sealed = true;
	*i = (struct cw_intent){.set = true, .first = x->state.mark.seq + 1, .last = x->after.seq, .batch = x->after.n.batches,
				.from_ms = x->batch.from_ms, .to_ms = x->batch.to_ms, .anchor = x->anchor, .after = x->after,
				.sent_ms = export_local_ms()};
	memcpy(i->group, x->state.group, sizeof(i->group));
	memcpy(i->stream, x->state.stream, sizeof(i->stream));
	return 0;
}
