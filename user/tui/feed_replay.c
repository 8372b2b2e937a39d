/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Documents as they were: records are taken up to the moment that is shown. Figures are put aside every so many records, so
 * that any moment is reached from one shortly before it; a step takes a slice of that work, whatever it takes in all.
 */
#include "user/tui/feed_internal.h"

#include <math.h>
#include <string.h>

#include "user/array.h"
#include "user/tui/replay_docs.h"
#include "user/tui/replay_source.h"

#define SLICE_NS (NSEC / 40) /* of one step */
#define LOOK_EVERY 64	     /* records, at the clock */
#define MARK_EVERY 32768     /* records, at first */
#define MARKS_MAX 64
#define MARKS_BYTES ((size_t)256 << 20)
#define GROW_MS 1000 /* between looks for more at the end */

struct mark {
	struct replay_mark *figures;
	uint64_t place, records;
	int64_t at_ns;
};

struct replay_feed {
	struct feed base;
	struct replay_source *source;
	struct replay *records;
	struct replay_docs *made;
	struct mark marks[MARKS_MAX];
	size_t nmarks, mark_bytes;
	uint64_t mark_every;
	char *pending; /* a record that is not due yet */
	size_t npending, max_pending;
	int64_t pending_ns;
	bool has_pending;
	int64_t first_ns, last_ns;
	int64_t now_ns;	   /* the moment that is shown, or will be */
	int64_t goal_ns;   /* where a seek goes; */
	int64_t before_ns; /* by way of one interval before it, so that rates are known */
	bool seeking, at_before, paused, ended, stale; /* stale: documents are not of now_ns */
	double speed;
	uint64_t clock_ns; /* when it was from_ns: boot time */
	int64_t from_ns;
	uint64_t shown_ns; /* boot time; 0: never */
	uint64_t bad;	   /* lines that are no records */
};

static struct replay_feed *of(const struct feed *f)
{
	return (struct replay_feed *)f;
}

static void close_replay(struct feed *f)
{
	struct replay_feed *p = of(f);

	for (size_t i = 0; i < p->nmarks; i++)
		replay_mark_free(p->marks[i].figures);
	replay_docs_free(p->made);
	replay_free(p->records);
	replay_source_close(p->source);
	free(p->pending);
}

/* --- marks ------------------------------------------------------------------------- */

static void thin_marks(struct replay_feed *p)
{
	size_t kept = 0;

	p->mark_bytes = 0;
	for (size_t i = 0; i < p->nmarks; i++) {
		if (i % 2 == 0) {
			replay_mark_free(p->marks[i].figures);
			continue;
		}
		p->mark_bytes += replay_mark_size(p->marks[i].figures);
		p->marks[kept++] = p->marks[i];
	}
	p->nmarks = kept;
	p->mark_every *= 2;
}

/* Without memory for one, going back takes longer. */
static void set_mark(struct replay_feed *p)
{
	uint64_t last = p->nmarks ? p->marks[p->nmarks - 1].records : 0;
	struct replay_mark *m;

	if (p->records->records < last + p->mark_every)
		return;
	if (p->nmarks == MARKS_MAX || (p->mark_bytes > MARKS_BYTES && p->nmarks > 1))
		thin_marks(p);
	m = replay_mark(p->records);
	if (!m)
		return;
	p->mark_bytes += replay_mark_size(m);
	p->marks[p->nmarks++] = (struct mark){m, replay_source_tell(p->source), p->records->records, p->records->at_ns};
}

/* --- taking records --------------------------------------------------------------------- */

static int keep_pending(struct replay_feed *p, struct span record, int64_t at_ns)
{
	int err = array_grow((void **)&p->pending, &p->max_pending, record.n + 1, 1);

	if (err)
		return err;
	memcpy(p->pending, record.p, record.n);
	p->npending = record.n;
	p->pending_ns = at_ns;
	p->has_pending = true;
	return 0;
}

/* 1: taken, or it is none; 0: it comes later, and *ret_ns is when. */
static int take_record(struct replay_feed *p, struct span record, int64_t until_ns, int64_t *ret_ns)
{
	int got = replay_take(p->records, record, until_ns, ret_ns);

	p->bad += got == -EINVAL;
	return got == -EINVAL ? 1 : got;
}

/* 0: the next comes later, or there is none. */
static int take_one(struct replay_feed *p, int64_t until_ns)
{
	struct span record;
	int64_t at = INT64_MIN;
	int got;

	if (p->has_pending && p->pending_ns > until_ns)
		return 0;
	if (p->has_pending) {
		p->has_pending = false;
		return take_record(p, (struct span){p->pending, p->npending}, until_ns, &at);
	}
	set_mark(p);
	got = replay_source_next(p->source, &record);
	p->ended = got == 0;
	if (got == -EBADMSG) {
		p->bad++;
		return 1;
	}
	if (got <= 0)
		return got;
	got = take_record(p, record, until_ns, &at);
	p->last_ns = MAX(p->last_ns, at); /* it grew */
	return got ? got : keep_pending(p, record, at);
}

/* All up to then, or a slice of it. 1: it is there; 0: there is more to do. */
static int take_until(struct replay_feed *p, int64_t until_ns)
{
	uint64_t end = now_boot_ns() + SLICE_NS;

	for (unsigned n = 0;; n++) {
		int got = take_one(p, until_ns);

		if (got <= 0)
			return got < 0 ? got : 1;
		if (n % LOOK_EVERY == LOOK_EVERY - 1 && now_boot_ns() >= end)
			return 0;
	}
}

/* --- going elsewhere ------------------------------------------------------------------------ */

/* The nearest figures that are of before then; NULL: from the start. */
static const struct mark *nearest(const struct replay_feed *p, int64_t at_ns)
{
	const struct mark *best = NULL;

	for (size_t i = 0; i < p->nmarks && p->marks[i].at_ns <= at_ns; i++)
		best = &p->marks[i];
	return best;
}

static int go_near(struct replay_feed *p, int64_t at_ns)
{
	const struct mark *m = nearest(p, at_ns);
	bool back = p->records->records && p->records->at_ns > at_ns;

	if (!back && (!m || m->records <= p->records->records))
		return 0; /* forward from here */
	replay_back(p->records, m ? m->figures : NULL);
	p->has_pending = p->ended = false;
	return replay_source_seek(p->source, m ? m->place : 0);
}

static void set_clock(struct replay_feed *p, int64_t at_ns)
{
	p->from_ns = at_ns;
	p->clock_ns = now_boot_ns();
}

static void seek_replay(struct feed *f, const struct timespec *to)
{
	struct replay_feed *p = of(f);
	int64_t limit = INT64_MAX / (int64_t)NSEC - 1, seconds = to->tv_sec;

	seconds = MAX(MIN(seconds, limit), 0);
	p->goal_ns = seconds * (int64_t)NSEC + (to->tv_sec == seconds ? to->tv_nsec : 0);
	p->goal_ns = MAX(MIN(p->goal_ns, p->last_ns), p->first_ns);
	p->before_ns = MAX(p->goal_ns - (int64_t)f->interval_ns, p->first_ns - 1);
	p->now_ns = p->goal_ns;
	p->seeking = true;
	p->at_before = false;
}

static void pause_replay(struct feed *f, bool pause)
{
	of(f)->paused = pause;
	set_clock(of(f), of(f)->now_ns);
}

static void speed_replay(struct feed *f, double speed)
{
	set_clock(of(f), of(f)->now_ns);
	of(f)->speed = MIN(MAX(speed, 0.01), 1e6);
}

static void span_replay(const struct feed *f, struct feed_span *ret)
{
	const struct replay_feed *p = of(f);

	*ret = (struct feed_span){
		.first = {p->first_ns / (int64_t)NSEC, p->first_ns % (int64_t)NSEC},
		.last = {p->last_ns / (int64_t)NSEC, p->last_ns % (int64_t)NSEC},
		.now = {p->now_ns / (int64_t)NSEC, p->now_ns % (int64_t)NSEC},
		.speed = p->speed,
	};
}

/* --- showing ------------------------------------------------------------------------------- */

static int show(struct replay_feed *p, int64_t at_ns)
{
	int err = replay_docs_update(p->made, p->records, p->base.whats, p->base.docs, at_ns);

	if (err)
		return err;
	p->shown_ns = now_boot_ns();
	p->stale = false;
	if (p->bad || p->records->missing)
		feed_say_why(&p->base, "of the records %llu are missing and %llu cannot be read",
			     (unsigned long long)p->records->missing, (unsigned long long)p->bad);
	return (int)p->base.whats;
}

static int step_seek(struct replay_feed *p)
{
	int got = 1;

	if (!p->at_before) {
		got = go_near(p, p->before_ns);
		if (!got)
			got = take_until(p, p->before_ns);
		if (got <= 0)
			return got;
		replay_docs_clear(p->made, p->base.docs);
		got = show(p, p->before_ns);
		p->at_before = true;
	}
	if (got > 0)
		got = take_until(p, p->goal_ns);
	if (got <= 0)
		return got;
	p->seeking = false;
	set_clock(p, p->goal_ns);
	return show(p, p->goal_ns);
}

static int64_t clock_of(const struct replay_feed *p)
{
	double gone = (double)(now_boot_ns() - p->clock_ns) * p->speed;

	return gone >= (double)(p->last_ns - p->from_ns) ? p->last_ns : p->from_ns + (int64_t)gone;
}

/* What does not keep up shows what it has. */
static int step_play(struct replay_feed *p)
{
	int64_t now = clock_of(p), last = p->last_ns;
	int got = take_until(p, now);

	if (got < 0)
		return got;
	if (!got) {
		now = MAX(p->now_ns, MIN(now, p->records->at_ns));
		set_clock(p, now);
	} else if (p->last_ns > last && p->now_ns == last) {
		set_clock(p, last); /* it had stood at the end */
	}
	p->stale = p->stale || now != p->now_ns || !p->shown_ns;
	p->now_ns = now;
	if (!p->stale || (p->shown_ns && now_boot_ns() - p->shown_ns < p->base.interval_ns && !(p->ended && now == p->last_ns)))
		return 0;
	return show(p, now);
}

static int step_replay(struct feed *f)
{
	struct replay_feed *p = of(f);

	if (p->seeking)
		return step_seek(p);
	if (!p->paused)
		return step_play(p);
	if (!p->stale)
		return 0;
	int got = take_until(p, p->now_ns);
	return got > 0 ? show(p, p->now_ns) : got;
}

static bool at_end(const struct replay_feed *p)
{
	return p->ended && !p->has_pending && p->now_ns >= p->last_ns && !p->seeking;
}

static int poll_replay(const struct feed *f, short *ret_events, int *ret_timeout_ms)
{
	const struct replay_feed *p = of(f);
	uint64_t now = now_boot_ns(), due = p->shown_ns + f->interval_ns;

	*ret_events = 0;
	if (p->seeking || !p->shown_ns || (p->paused && p->stale))
		*ret_timeout_ms = 0;
	else if (p->paused)
		*ret_timeout_ms = -1;
	else if (at_end(p) && !p->stale)
		*ret_timeout_ms = GROW_MS;
	else
		*ret_timeout_ms = now >= due ? 0 : (int)((due - now) / 1000000 + 1);
	return -1;
}

static void want_replay(struct feed *f)
{
	of(f)->stale = true;
	of(f)->shown_ns = 0; /* at once */
}

static enum feed_state state_replay(const struct feed *f)
{
	const struct replay_feed *p = of(f);

	return p->paused ? FEED_PAUSED : at_end(p) ? FEED_ENDED : FEED_REPLAY;
}

static uint64_t age_replay(const struct feed *f)
{
	return feed_document(f, FEED_HEALTH) ? 0 : UINT64_MAX;
}

static const struct feed_ops replay_ops = {
    .close = close_replay,
    .want = want_replay,
    .poll = poll_replay,
    .step = step_replay,
    .state = state_replay,
    .age = age_replay,
    .span = span_replay,
    .pause = pause_replay,
    .seek = seek_replay,
    .speed = speed_replay,
};

/* --- the start -------------------------------------------------------------------------------- */

static int open_replay(struct replay_feed *p, const char *path, struct feed_error *ret_error)
{
	int err = feed_begin(&p->base, &replay_ops);

	if (!err)
		err = replay_new(&p->records);
	p->made = err ? NULL : replay_docs_new();
	if (!p->made)
		return feed_fail(ret_error, -ENOMEM, "no memory");
	err = replay_source_open(path, &p->source, ret_error);
	if (err)
		return err;
	err = replay_source_span(p->source, &p->first_ns, &p->last_ns);
	if (err)
		return feed_fail(ret_error, err, "%s: %s", path, err == -ENODATA ? "there is no record in it" : strerror(-err));
	p->speed = 1;
	p->stale = true;
	p->mark_every = MARK_EVERY;
	p->now_ns = p->first_ns;
	set_clock(p, p->first_ns);
	return 0;
}

int feed_open_replay(const char *path, struct feed **ret, struct feed_error *ret_error)
{
	struct replay_feed *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return feed_fail(ret_error, -ENOMEM, "no memory");
	err = open_replay(p, path, ret_error);
	if (err) {
		feed_close(&p->base);
		return err;
	}
	*ret = &p->base;
	return 0;
}
