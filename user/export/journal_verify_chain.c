/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Every line against the one before it. A record whose hash is not what the next one says may have been changed, or the
 * next one's `prev` was: the link after that tells which. One that stands too early may have been put there, or those that
 * belong before it are gone: again the next one tells.
 */
#include "user/export/journal_verify_internal.h"

#include <inttypes.h>
#include <string.h>

#include "user/array.h"

struct link {
	struct place at;
	char hash[HASH_HEX + 1];
};

struct chain {
	struct verify *v;
	const struct journal_file *segment;
	uint64_t line;	      /* in it */
	struct link here;     /* the last one of the chain; seq 0: none yet */
	struct link early;    /* one that stands before its place, perhaps; seq 0: none */
	struct place doubted; /* the next one did not go on from it; seq 0: none */
	uint64_t damaged;     /* lines since `here` that are no records */
};

/* --- what the journal says of itself ------------------------------------------------------- */

static int add_names(struct verify *v, const json_t *list)
{
	const json_t *name;
	size_t i;
	int err = 0;

	json_array_foreach (list, i, name)
		if (json_is_string(name) && !err)
			err = names_add(&v->removed, json_string_value(name));
	return err;
}

static int take_removed(struct verify *v, const struct place *at, const json_t *r)
{
	json_int_t first = json_integer_value(json_object_get(r, "first_seq")),
		   last = json_integer_value(json_object_get(r, "last_seq"));
	const char *hash = json_string_value(json_object_get(r, "last_hash"));
	int err = add_names(v, json_object_get(r, "segments"));

	if (!err)
		err = add_names(v, json_object_get(r, "digests"));
	if (err || first <= 0 || last < first || !hash || strlen(hash) != HASH_HEX)
		return err;
	err = array_grow((void **)&v->removals, &v->max_removals, v->nremovals + 1, sizeof(*v->removals));
	if (err)
		return err;
	struct removal *m = &v->removals[v->nremovals++];
	*m = (struct removal){.first = (uint64_t)first, .last = (uint64_t)last, .seq = at->seq};
	snprintf(m->hash, sizeof(m->hash), "%s", hash);
	return 0;
}

static void take_event(struct verify *v, const struct place *at, const json_t *r, const char *event)
{
	if (!strcmp(event, "torn"))
		json_array_append_new(v->torn,
				      json_pack("{s:I, s:s, s:O?, s:O?}", "seq", (json_int_t)at->seq, "time", at->time, "after",
						json_object_get(r, "after"), "bytes", json_object_get(r, "bytes")));
	if (!strcmp(event, "altered"))
		verify_problem(v, "edited", at, 0,
			       "when the monitor started, it found record %" JSON_INTEGER_FORMAT
			       " or what stands beside it changed",
			       json_integer_value(json_object_get(r, "record")));
	if (!strcmp(event, "vanished"))
		verify_problem(v, "deleted", at, 0, "the segment that was being written was removed before record %" PRIu64, at->seq);
	if (!strcmp(event, "added"))
		verify_problem(v, "added", at, 0,
			       "when the monitor started, it found records %" JSON_INTEGER_FORMAT " to %" JSON_INTEGER_FORMAT
			       " behind the last one of the monitor before",
			       json_integer_value(json_object_get(r, "first_seq")),
			       json_integer_value(json_object_get(r, "last_seq")));
	if (!strcmp(event, "opened") && json_is_false(json_object_get(r, "anchored")))
		verify_problem(v, "head", at, 0,
			       "when the monitor started, there was no file " JOURNAL_HEAD
			       ": newest records may have been cut off before");
}

static int take_digest(struct verify *v, const struct place *at, const json_t *r)
{
	const char *file = json_string_value(json_object_get(r, "file")), *hash = json_string_value(json_object_get(r, "hash"));
	const char *sig = json_string_value(json_object_get(r, "signature"));
	int err;

	if (!file || !hash || !sig)
		return 0;
	err = array_grow((void **)&v->recorded, &v->max_recorded, v->nrecorded + 1, sizeof(*v->recorded));
	if (err)
		return err;
	struct recorded_digest *d = &v->recorded[v->nrecorded++];
	*d = (struct recorded_digest){.at = *at};
	snprintf(d->name, sizeof(d->name), "%s", file);
	snprintf(d->hash, sizeof(d->hash), "%s", hash);
	snprintf(d->signature_head, sizeof(d->signature_head), "%s", sig);
	return 0;
}

static int take_own(struct verify *v, const struct place *at, const struct journal_line_parts *p, const char *line, size_t len)
{
	bool digest = journal_line_is(p, "digest");
	int err = 0;

	if (!digest && !journal_line_is(p, "journal"))
		return 0;
	json_t *r = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	const char *event = json_string_value(json_object_get(r, "event"));

	if (digest)
		err = take_digest(v, at, r);
	else if (event && !strcmp(event, "removed"))
		err = take_removed(v, at, r);
	else if (event)
		take_event(v, at, r, event);
	json_decref(r);
	return err;
}

/* --- links ------------------------------------------------------------------------------------- */

static void say_changed(struct chain *c, const struct place *at, bool perhaps_before)
{
	verify_problem(c->v, "edited", at, 0, "record %" PRIu64 " was changed%s", at->seq,
		       perhaps_before ? ", and perhaps the one before it" : "");
}

/* The next record in its place: does it go on from the last one? */
static void follow(struct chain *c, const struct link *next, const char *prev)
{
	bool good = !memcmp(prev, c->here.hash, HASH_HEX);

	if (c->doubted.seq) {
		if (good)
			say_changed(c, &c->doubted, false);
		else
			say_changed(c, &c->here.at, true);
		c->doubted.seq = 0;
	} else if (!good) {
		c->doubted = c->here.at;
	}
	c->here = *next;
	c->damaged = 0;
}

static void say_doubted(struct chain *c)
{
	if (c->doubted.seq)
		verify_problem(c->v, "edited", &c->doubted, c->doubted.seq + 1,
			       "record %" PRIu64 " or the one after it was changed", c->doubted.seq);
	c->doubted.seq = 0;
}

static void say_missing(struct chain *c, const struct place *next)
{
	struct place gone = {.segment = next->segment, .line = next->line, .seq = c->here.at.seq + 1};
	uint64_t last = next->seq - 1;

	memcpy(gone.time, c->here.at.time, sizeof(gone.time));
	if (last - gone.seq + 1 == c->damaged)
		return; /* they are there, and were told */
	if (last == gone.seq)
		verify_problem(c->v, "deleted", &gone, 0, "record %" PRIu64 " is missing: it was made after %s", last,
			       c->here.at.time);
	else
		verify_problem(c->v, "deleted", &gone, last,
			       "records %" PRIu64 " to %" PRIu64 " are missing: they were made between %s and %s", gone.seq,
			       last, c->here.at.time, next->time);
}

/* What stood early stands right: those before it are gone, and nobody can say any more what it goes on from. */
static void accept_early(struct chain *c)
{
	if (!c->early.at.seq)
		return;
	say_doubted(c);
	say_missing(c, &c->early.at);
	c->here = c->early;
	c->early.at.seq = 0;
	c->damaged = 0;
}

static void say_misplaced(struct chain *c, const struct place *at)
{
	verify_problem(c->v, "reordered", at, 0,
		       "record %" PRIu64 " stands where it does not belong: it was moved, or put there", at->seq);
}

static void take_link(struct chain *c, const struct link *next, const char *prev)
{
	if (!c->here.at.seq) {
		c->here = *next;
		return;
	}
	if (c->early.at.seq && next->at.seq == c->here.at.seq + 1 && !memcmp(prev, c->here.hash, HASH_HEX)) {
		say_misplaced(c, &c->early.at);
		c->early.at.seq = 0;
	}
	accept_early(c);
	if (next->at.seq == c->here.at.seq + 1)
		follow(c, next, prev);
	else if (next->at.seq > c->here.at.seq)
		c->early = *next;
	else
		say_misplaced(c, &next->at);
}

/* --- lines ---------------------------------------------------------------------------------------- */

static void check_known_heads(struct verify *v, const struct link *l)
{
	for (int i = 0; i < 2; i++) {
		if (!v->head_known[i] || v->heads[i].seq != l->at.seq)
			continue;
		if (strcmp(v->heads[i].hash, l->hash) != 0)
			verify_problem(v, "edited", &l->at, 0, "record %" PRIu64 " was changed: the head knew another",
				       l->at.seq);
		v->head_met[i] = true;
	}
}

static int take_line(struct chain *c, const char *line, size_t len)
{
	struct verify *v = c->v;
	struct journal_line_parts p;
	struct link l = {.at.segment = c->segment->name, .at.line = ++c->line};

	if (!journal_line_parse(line, len, &p)) {
		c->damaged++;
		l.at.seq = c->here.at.seq ? c->here.at.seq + c->damaged : 0;
		verify_problem(v, "damaged", &l.at, 0, "line %" PRIu64 " of %s is no record: it was changed", c->line,
			       c->segment->name);
		return 0;
	}
	l.at.seq = p.seq;
	journal_line_time(&p, l.at.time);
	hasher_hex(&v->line, line, len, l.hash);
	v->records++;
	if (c->line == 1 && p.seq != c->segment->seq)
		verify_problem(v, "reordered", &l.at, 0,
			       "%s begins with record %" PRIu64 ": it was renamed, or its beginning is missing",
			       c->segment->name, p.seq);
	if (!v->first.seq) {
		v->first = l.at;
		memcpy(v->first_prev, p.prev, HASH_HEX);
	}
	check_known_heads(v, &l);
	take_link(c, &l, p.prev);
	return take_own(v, &l.at, &p, line, len);
}

static int read_lines(struct chain *c, struct scan *s)
{
	const char *line;
	size_t len;
	int got, err = 0;

	while (!err && ((got = scan_next(s, &line, &len)) > 0 || got == -EFBIG))
		err = take_line(c, line, got > 0 ? len : 0);
	return err ? err : got;
}

static int read_segment(struct chain *c, bool is_last, struct scan *s)
{
	struct verify *v = c->v;
	char hash[HASH_HEX + 1];
	uint64_t size;
	_cleanup_close_ int fd = journal_open_file(v->dir, c->segment->name, &size);
	int err;

	if (fd == -ENOENT)
		return 0; /* retention, just now: the chain says so */
	if (journal_no_file(fd)) {
		verify_problem(v, "damaged", &(struct place){.segment = c->segment->name, .seq = c->segment->seq}, 0,
			       "%s is no file of records: something else was put in its place", c->segment->name);
		return 0;
	}
	if (fd < 0)
		return fd;
	scan_begin(s, fd, 0);
	hasher_begin(&v->whole);
	s->whole = &v->whole;
	c->line = 0;
	err = read_lines(c, s);
	if (err)
		return err;
	hasher_end(&v->whole, hash);
	v->segments++;
	v->bytes += s->offset + s->rest;
	if (s->rest && is_last)
		v->last_rest = s->rest;
	else if (s->rest)
		verify_problem(v, "cut",
			       &(struct place){.segment = c->segment->name, .line = c->line + 1, .seq = c->here.at.seq + 1}, 0,
			       "%s ends in the middle of a line", c->segment->name);
	verify_segment_hash(v, c->segment, hash, c->here.at.seq);
	return 0;
}

/* Of the last record no other one tells; the head does. */
static void end_chain(struct chain *c)
{
	struct verify *v = c->v;

	accept_early(c);
	for (int i = 0; i < 2 && c->doubted.seq; i++) {
		if (!v->head_known[i] || v->heads[i].seq != c->here.at.seq)
			continue;
		if (!strcmp(v->heads[i].hash, c->here.hash))
			say_changed(c, &c->doubted, false);
		c->doubted.seq = 0; /* else the last one was changed, which was said */
	}
	say_doubted(c);
	v->last = c->here.at;
	memcpy(v->last_hash, c->here.hash, sizeof(v->last_hash));
}

int verify_chain(struct verify *v)
{
	struct chain c = {.v = v};
	struct scan s = {.fd = -1};
	int err = 0;

	for (size_t i = 0; i < v->list.segments.n && !err; i++) {
		c.segment = &v->list.segments.v[i];
		err = read_segment(&c, i + 1 == v->list.segments.n, &s);
	}
	scan_free(&s);
	if (!err)
		end_chain(&c);
	return err;
}
